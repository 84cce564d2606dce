"""What proves that the old primary is off, graded, and for how long it holds (design §4).

Owns the grading. Must not ask the device (adapters) nor read its words (dialects). power_off,
witnesses and silence are seen now and age within `evidence_age_max_s`; agent_off, orderly and the
operator's word are dated acts that hold until something contradicts them, and no longer than this
process has watched: whatever happened while nobody looked may have ended them.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from hamnd.core.health.rule import contradiction, is_recent, judge_rule, silence_began
from hamnd.core.health.watch import Act, Watch, dated
from hamnd.core.policy import Terms
from hamnd.core.replication import Death
from hamnd.model.health import FenceEvidence
from hamnd.model.instant import Instant
from hamnd.model.names import GRADE_ORDER, Answer, Cause, FenceGrade

DYING_MAX_S = 60.0
"""How long after it acknowledged its end over ssh a machine may still answer."""

BEFORE_ALL = Instant(-inf, 0.0)
"""Before anything that this process observed."""


def judge_evidence(watch: Watch, now: Instant, terms: Terms) -> tuple[FenceEvidence, ...]:
    """Return all evidence that holds now, best first."""
    acts = _acts(watch, now, terms)
    found = [*_power_off(watch, now, terms), *acts, *_witnesses(watch, now, terms)]
    return tuple(sorted(found, key=lambda one: GRADE_ORDER[one.grade], reverse=True))


def judge_released(watch: Watch, now: Instant, terms: Terms) -> FenceEvidence | None:
    """Return the evidence that the partner is a standby that serves nothing, read on itself.

    It takes the place of being off (law 3): its own database tools say standby, lately, and its
    xcatd refused or failed a real request later than it last answered one.
    """
    read, failing = watch.partner.at, watch.xcatd.failing_last
    if watch.partner.role != "standby" or read is None or failing is None:
        return None
    at = min(read, failing)
    if at < now.ago(terms.policy.evidence_age_max_s):
        return None
    detail = f"{terms.site.partner.name} says itself that it is standby; its xcatd does not serve"
    return FenceEvidence(FenceGrade.RELEASED, at.wall_s, "partner", detail)


def best_grade(evidence: tuple[FenceEvidence, ...]) -> FenceGrade:
    """Return the best grade among evidence that holds."""
    return evidence[0].grade if evidence else FenceGrade.NONE


def stricter_grade(one: FenceGrade, other: FenceGrade) -> FenceGrade:
    """Return the grade that is harder to reach; `released` asks for another thing altogether."""
    if FenceGrade.RELEASED in (one, other):
        return FenceGrade.RELEASED
    return max(one, other, key=GRADE_ORDER.__getitem__)


def is_enough(evidence: tuple[FenceEvidence, ...], terms: Terms) -> bool:
    """Whether the evidence reaches what the policy demands."""
    return GRADE_ORDER[best_grade(evidence)] >= GRADE_ORDER[terms.policy.fence_minimum]


def lie_of(watch: Watch) -> str | None:
    """Return what contradicts a device that says off twice (condition FenceLies)."""
    return watch.lie or None


def _power_off(watch: Watch, now: Instant, terms: Terms) -> list[FenceEvidence]:
    off = watch.off
    if off is None or off.second is None or watch.lie:
        return []
    latest = watch.fence[-1]
    if latest.is_off is None or not is_recent(off.last, now, terms.policy.evidence_age_max_s):
        return []
    if contradiction(watch, Cause.HOST, off.first) is not None:
        return []
    agent = terms.site.fence.agent or "fence device"
    detail = f"{agent.rpartition('/')[2]} says off, read twice"
    return [FenceEvidence(FenceGrade.POWER_OFF, off.last.wall_s, "fence", detail, off.first.wall_s)]


def _acts(watch: Watch, now: Instant, terms: Terms) -> list[Act]:
    """Dated acts hold while every probe is silent; what is not known to be silent does not count.

    `orderly` was acknowledged by a machine that still had to die: it holds from its silence on.
    A device that lied about its readings is not believed about its `off` either.
    """
    if silence_began(watch, now, terms.policy) is None:
        return []
    return [
        act
        for act in (dated(one, now) for one in watch.acts)
        if (held_since := _held_since(act)) is not None
        and not (watch.lie and act.grade is FenceGrade.AGENT_OFF)
        and contradiction(watch, Cause.HOST, held_since) is None
    ]


def _held_since(act: Act) -> Instant | None:
    """Return the moment after which any answer contradicts the act; None: not yet."""
    return act.silent_since if act.grade is FenceGrade.ORDERLY else act.moment


def void_contradicted(watch: Watch, now: Instant, terms: Terms) -> Watch:
    """Take back for good, also after a restart, what an answer contradicts.

    A device that says off while somebody answers is a liar until it says on. An answer that came
    within a probe's time of its first reading was under way when the machine died: that reading
    just does not count.
    """
    bound = (dated(act, now) for act in watch.acts)
    # Our clock may have been set back since somebody gave his word.
    bound = (replace(act, moment=min(act.moment, now)) for act in bound)
    settled = (_settled(act, watch, now, terms) for act in bound)
    acts = tuple(act for act in settled if not _is_void(act, watch))
    watch = watch if acts == watch.acts else replace(watch, acts=acts)
    # Whatever this process heard, it heard after what an earlier one read.
    first_off = watch.first_off_moment or BEFORE_ALL
    if watch.first_off is not None and contradiction(watch, Cause.HOST, first_off) is not None:
        watch = replace(watch, first_off=None, first_off_moment=None)
    if watch.off is not None and contradiction(watch, Cause.HOST, watch.off.first) is not None:
        watch = replace(watch, off=None)
    since = watch.says_off_since
    if since is None or watch.lie:
        return watch
    lie = contradiction(watch, Cause.HOST, since.ago(-terms.policy.probe_timeout_s))
    return watch if lie is None else replace(watch, lie=lie)


def _settled(act: Act, watch: Watch, now: Instant, terms: Terms) -> Act:
    """Note when the silence began that an acknowledged end brought, once it has lasted."""
    if act.grade is not FenceGrade.ORDERLY or act.silent_since is not None:
        return act
    began = silence_began(watch, now, terms.policy)
    if began is None or now.since(began) < terms.policy.down_after_s:
        return act
    if began.since(act.moment) > DYING_MAX_S:
        return act
    since = max(act.moment, began)
    return replace(act, silent_since=since, first_at=since.wall_s)


def _is_void(act: Act, watch: Watch) -> bool:
    held_since = _held_since(act)
    last = act.moment.ago(-DYING_MAX_S) if held_since is None else held_since
    return contradiction(watch, Cause.HOST, last) is not None


def _witnesses(watch: Watch, now: Instant, terms: Terms) -> list[FenceEvidence]:
    """All witnesses configured, each fresh, each silent about the primary, and so are we."""
    sights = [watch.witnesses.get(witness.name) for witness in terms.site.witnesses]
    if not sights or not all(
        sight is not None
        and sight.sees is Answer.SILENT
        and is_recent(sight.at, now, terms.policy.evidence_age_max_s)
        for sight in sights
    ):
        return []
    if judge_rule(watch, now, terms).cause is not Cause.HOST:
        return []
    at = min(sight.at.wall_s for sight in sights if sight is not None)
    detail = f"none of {len(sights)} service nodes reaches it"
    return [FenceEvidence(FenceGrade.WITNESSES, at, "witnesses", detail)]


def death_of(watch: Watch, evidence: tuple[FenceEvidence, ...], silent: float | None) -> Death:
    """Return what is known about the end of the primary: no later than the first device proof.

    An acknowledged shutdown is no such proof: the machine lives on for a while after it. Silent
    witnesses say nothing about its end at all: a machine that is cut off writes on.
    """
    said = tuple(one for one in evidence if one.grade is not FenceGrade.WITNESSES)
    proofs = [(act.at, True) for act in said if act.grade is FenceGrade.AGENT_OFF]
    grade = best_grade(said)
    if grade is FenceGrade.POWER_OFF and watch.first_off is not None:
        proofs.append((watch.first_off, watch.first_off_moment is not None))
    if not proofs:
        return Death(None, grade, silent)
    no_later_than, is_watched = min(proofs)
    return Death(no_later_than, grade, silent, is_watched)
