"""Engines that copy: the normal form of a store of copies, the loss, and what may be promoted.

Owns how old a copy counts as, and what a takeover with it loses. Must not know how a copy is made
(dialects) nor what it is made of (sqlite, dump). Two facts are used, and no other:

- A copy has everything that was on the primary's disk when it was asked for; that moment lies on
  this node's own clock.
- What the primary says of its live data can prove that nothing was written since the copy. Then the
  copy has everything up to that later moment, although nothing was copied again.

Nothing holds a primary back from writing, so only its proven end bounds what is lost (design §4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hamnd.core.policy import Terms
from hamnd.core.replication import LossQuestion, PartnerDatabase, Promotion
from hamnd.core.replication.own import loss_of_own
from hamnd.dialects import holding
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.copies import Copy, Store, Told
from hamnd.model.health import Positions, Replication
from hamnd.model.names import GRADE_ORDER, FenceGrade, LossVerdict, Verdict
from hamnd.model.plan import Loss, Step
from hamnd.model.site import CopySite, Site
from hamnd.model.wording import first_of
from hamnd.model.work import Ending, Report

CLOCK_SET_S = 2.0
"""The two clocks may drift so far against each other between a copy and the primary's word."""


@dataclass(frozen=True, slots=True)
class Word:
    """The primary's own word, and when it was asked for it on this node's clock."""

    told: Told
    asked_s: float
    answered_s: float

    @classmethod
    def of(cls, report: Report | None, told: Told | None) -> Word | None:
        """Return the word that a report brought, where it could be read."""
        if report is None or told is None:
            return None
        return cls(told, report.started.wall_s, report.finished.wall_s)


def is_clock_steady(copy: Copy, word: Word) -> bool:
    """Whether the two clocks stand to each other as they did when the copy was taken.

    What is compared with the copy's own time was written by the primary's clock: set in between, it
    proves nothing.
    """
    before = copy.taken_at - copy.asked_at
    now = word.told.now - word.asked_s
    slack_s = CLOCK_SET_S + (word.answered_s - word.asked_s)
    return abs(now - before) <= slack_s and word.told.now >= copy.taken_at


@dataclass(frozen=True, slots=True)
class Picture:
    """What a standby that copies is judged from."""

    engine: str
    source: str
    report: Report
    store: Store
    unchanged_at: float | None
    """When the primary last said that nothing was written since the newest copy."""
    changed: tuple[str, ...] = ()
    """What was written since, as far as the primary told."""
    problems: tuple[str, ...] = ()
    clear: str = ""
    is_database_up: bool = True


def seen_standby(picture: Picture, copies: CopySite) -> Replication:
    """Return the normal form of a node that keeps copies."""
    store, copy = picture.store, picture.store.copy
    verified_at = None
    if copy is not None:
        verified_at = max(copy.asked_at, picture.unchanged_at or copy.asked_at)
    now = picture.report.finished
    is_fresh = verified_at is not None and now.wall_s - verified_at <= copies.stale_after_s
    state = "none" if copy is None else "copied" if is_fresh else "stale"
    problems = (*picture.problems, *(f"not used any more: {one}" for one in store.damaged))
    if copy is not None and copy.gone:
        problems += (f"copy {copy.number} lacks what the one before had: {_few(copy.gone)}",)
    return Replication(
        engine=picture.engine,
        role="standby",
        state=state,
        connected=None,
        sync_mode="copies",
        positions=Positions(),
        gap_bytes=None,
        replay_gap_bytes=None,
        since=None,
        observed=now,
        source=picture.source,
        is_protecting=is_fresh and picture.is_database_up,
        is_database_up=picture.is_database_up,
        problems=problems,
        verified_at=verified_at,
        heard_at=None if copy is None else copy.asked_at,
        clear=picture.clear,
        has_link=False,
        fresh_s=copies.stale_after_s,
        summary=_summary(copy, picture.changed, verified_at),
    )


def seen_primary(picture: Picture, theirs: Copy | None, copies: CopySite) -> Replication:
    """Return the normal form of the node that serves; `theirs` is what its standby has."""
    now = picture.report.finished
    age_s = None if theirs is None else now.wall_s - theirs.asked_at
    is_fresh = age_s is not None and age_s <= copies.stale_after_s
    told = "no standby is known to have a copy"
    if theirs is not None:
        told = f"the standby has copy {theirs.number}"
    return Replication(
        engine=picture.engine,
        role="primary",
        state="copied" if is_fresh else "alone",
        connected=None,
        sync_mode="copies",
        positions=Positions(),
        gap_bytes=None,
        replay_gap_bytes=None,
        since=None,
        observed=now,
        source=picture.source,
        is_protecting=is_fresh,
        is_database_up=picture.is_database_up,
        problems=picture.problems,
        verified_at=None if theirs is None else theirs.asked_at,
        has_link=False,
        fresh_s=copies.stale_after_s,
        summary=told,
    )


def blind(engine: str, source: str, report: Report) -> Replication:
    """A reading that told nothing of the store."""
    lost = unanswered(report)
    said = lost.sentence if lost is not None else last_lines(report) or "it said nothing"
    problem = f"the copies cannot be read: {said}"
    return replace(Replication.blind(engine, source, report.finished, problem), has_link=False)


def _summary(copy: Copy | None, changed: tuple[str, ...], verified_at: float | None) -> str:
    if copy is None:
        return "no verified copy"
    told = f"copy {copy.number}, {copy.tables} tables"
    told += "" if copy.is_of_one_moment else ", not all of one moment"
    if changed:
        return f"{told}; since then {_few(changed)} changed"
    is_proven = verified_at is not None and verified_at > copy.asked_at
    return f"{told}; nothing changed since" if is_proven else told


def _few(names: tuple[str, ...]) -> str:
    return first_of([one.removesuffix(".sqlite") for one in names], 3)


def told_failure(report: Report, before: PartnerDatabase, what: str) -> PartnerDatabase:
    """Return what a look at the partner's data means that brought no data home.

    Only a program that ran there and said no is a definite failure, with 1; an answer that cannot
    be read is none, nor is a shell that could not go on.
    """
    if report.ending is not Ending.EXITED or report.exit_code in (None, 126, 127, 255):
        return before
    since = before.failing_since or report.finished
    detail = f"{what}: {last_lines(report)}"
    if report.exit_code != 1:
        return PartnerDatabase(None, at=report.finished, detail=detail)
    return PartnerDatabase(False, at=report.finished, failing_since=since, detail=detail)


def judge_loss(question: LossQuestion) -> Loss:
    """Return the verdict of design §4 with its basis, never better than what was seen."""
    view = question.view
    if view is None:
        return Loss(LossVerdict.UNKNOWN, ("the copies could not be read",))
    if view.role == "primary":
        return loss_of_own(question)
    if view.verified_at is None:
        return Loss(LossVerdict.UNKNOWN, ("no verified copy is here: everything would be lost",))
    age_s = max(0.0, question.now_wall_s - view.verified_at)
    basis: tuple[str, ...] = (view.summary, f"everything up to {age_s:.0f} s ago is here")
    death = question.death
    is_proven = GRADE_ORDER.get(death.grade, 0) >= GRADE_ORDER[FenceGrade.AGENT_OFF]
    if question.is_partner_serving:
        told = "what is written after it is lost if the primary dies now"
        return Loss(LossVerdict.UNKNOWN, (*basis, told))
    if not is_proven or death.no_later_than is None:
        return Loss(LossVerdict.UNKNOWN, (*basis, "nothing proves when the primary stopped"))
    if not death.is_watched:
        told = "hamnd did not watch all the time since it was proven off"
        return Loss(LossVerdict.UNKNOWN, (*basis, told))
    seconds = max(0.0, death.no_later_than - view.verified_at)
    told = f"it has everything up to {seconds:.1f} s before the primary was proven off"
    return Loss(LossVerdict.BOUNDED, (view.summary, told), seconds=seconds)


def judge_promotion(question: LossQuestion, routine: str) -> Promotion:
    """Return whether the newest copy can become the live database; it always loses something."""
    view = question.view
    if view is None or view.role is None:
        return Promotion("none", Verdict.UNKNOWN, "the copies could not be read")
    if view.role == "primary":
        return Promotion("none", Verdict.PASS, "this node's database is already primary")
    if view.is_database_up is False:
        return Promotion("none", Verdict.BLOCK, "the local database is down", view.clear)
    if view.verified_at is None:
        clear = f"see what {routine} says: hamnctl explain Scheduled/{routine}"
        return Promotion("none", Verdict.BLOCK, "no verified copy is here", clear)
    sentence = f"{view.summary} takes its place, only with accepted loss"
    return Promotion("accepted-force", Verdict.PASS, sentence)


def hold_step(terms: Terms, there: Site) -> Step:
    """The returned old primary writes nothing any more, whoever starts the machine."""
    return Step(
        id="hold",
        title=f"end xcatd on {there.node}, whoever starts the machine",
        guide="9",
        host=there.node,
        actions=(holding.hold(there, there.node),),
        postconditions=(holding.is_held(there, there.node),),
        timeout_s=terms.policy.step_timeout_s("hold", 120.0),
        compensation=(holding.release(there, there.node),),
    )
