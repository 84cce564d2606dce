"""PostgreSQL copied by dumps as a replication engine (guide §5.2, without its trap).

Owns which questions are asked, what proves that nothing changed, and the engine's steps. Must not
parse text (dialects.dump) nor judge age and loss (copies). What counts is the copy that is
*restored*, in a database of its own beside the live one: a dump that was only pulled protects
nobody. A server whose log has not grown since the dump has the same data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hamnd.core.policy import Terms
from hamnd.core.replication import (
    Examination,
    Finding,
    LossQuestion,
    PartnerDatabase,
    Promotion,
    Rejoin,
    Task,
    Way,
)
from hamnd.core.replication.copies import (
    Picture,
    judge_loss,
    judge_promotion,
    seen_primary,
    seen_standby,
)
from hamnd.core.replication.dump_steps import steps_of
from hamnd.dialects.dump import commands
from hamnd.dialects.dump.readers import Databases, parse_databases
from hamnd.dialects.postgresql.status import answer_of, parse_lsn, why_not
from hamnd.model.copies import Copy, Store
from hamnd.model.health import Replication
from hamnd.model.plan import Loss, Step
from hamnd.model.postgres import ServerAnswer
from hamnd.model.routine import Routine
from hamnd.model.work import Look, Report

TOPIC = "databases"
PARTNER_TOPIC = "partner_db"
RETURNED_TOPIC = "returned:databases"
ROUTINE = "copy:dump"


@dataclass(frozen=True, slots=True)
class DumpEngine:
    """The engine; it has no state."""

    name: str = "dump"

    def looks(self, terms: Terms) -> Mapping[str, Look]:
        """Read this node's databases."""
        return {TOPIC: commands.status(terms.site, terms.site.node)}

    def partner_looks(self, terms: Terms) -> Mapping[str, Look]:
        """Ask the partner's own server over ssh."""
        return {PARTNER_TOPIC: commands.status(terms.site, terms.site.partner.name)}

    def view(
        self, terms: Terms, reports: Mapping[str, Report], remembered: Replication | None = None
    ) -> Replication:
        """Return the normal form of this node's databases beside what the partner last said."""
        del remembered
        report, site = reports[TOPIC], terms.site
        here = parse_databases(report)
        if here is None:
            return self._blind(terms, report)
        heard = reports.get(PARTNER_TOPIC)
        word = None if heard is None else parse_databases(heard)
        if role_of(here, site.is_on_standby) == "primary":
            theirs = None if word is None or word.has_live else word.restored
            picture = Picture(self.name, TOPIC, report, Store(), None)
            seen = seen_primary(picture, theirs, site.dump)
            return replace(seen, promoted=here.live)
        unchanged_at = None
        is_primary = word is not None and role_of(word, not site.is_on_standby) == "primary"
        if heard is not None and word is not None and is_primary and here.restored is not None:
            is_same = here.restored.mark != "" and here.restored.mark == word.mark
            unchanged_at = heard.started.wall_s if is_same else None
        store = Store(copy=here.restored)
        problems = ("the local server is in recovery: it takes no dumps",) * here.in_recovery
        picture = Picture(self.name, TOPIC, report, store, unchanged_at, (), problems)
        return seen_standby(picture, site.dump)

    def _blind(self, terms: Terms, report: Report) -> Replication:
        """Without its server this node has nothing to promote; that much a refusal says."""
        is_down = answer_of(report) is ServerAnswer.DOWN
        picture = Picture(
            self.name,
            TOPIC,
            report,
            Store(),
            None,
            problems=(f"psql: {why_not(report)}",),
            clear="start the PostgreSQL server of this node, e.g. systemctl start postgresql",
            is_database_up=False,
        )
        seen = seen_standby(picture, terms.site.dump)
        up = False if is_down else None
        return replace(seen, role=None, state=None, is_database_up=up, summary="")

    def partner(self, terms: Terms, report: Report, before: PartnerDatabase) -> PartnerDatabase:
        """Read what the partner's server says of itself; only a definite text is a failure."""
        at = report.finished
        told = parse_databases(report)
        if told is not None:
            role = role_of(told, not terms.site.is_on_standby)
            detail = f"active, role {role}"
            return PartnerDatabase(
                role == "primary", role, None, at, None, detail, needs_xcatd=True
            )
        if answer_of(report) is ServerAnswer.DOWN:
            detail = f"PostgreSQL does not serve there: {why_not(report)}"
            since = before.failing_since or at
            return PartnerDatabase(False, at=at, failing_since=since, detail=detail)
        if answer_of(report) is ServerAnswer.DENIED:
            return PartnerDatabase(None, at=at, detail=why_not(report))
        return before

    def loss(self, terms: Terms, question: LossQuestion) -> Loss:
        """Return what a takeover now would lose."""
        del terms
        return judge_loss(question)

    def promotion(self, terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
        """Return whether the restored copy can become the live database."""
        del terms, loss
        return judge_promotion(question, ROUTINE)

    def steps(self, terms: Terms, task: Task) -> tuple[Step, ...]:
        """Return the engine's steps of a plan."""
        return steps_of(terms, task)

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Ask the returned primary's server, if it runs; it is never started for it."""
        del view
        return {RETURNED_TOPIC: commands.status(terms.site, terms.site.partner.name)}

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """Tell how far the old primary's log went on after the dump that was promoted here.

        The log also has what is no data (checkpoints), so its growth is a bound.
        """
        report = exam.reports.get(RETURNED_TOPIC)
        told = None if report is None else parse_databases(report)
        promoted = None if exam.view is None else exam.view.promoted
        if told is None or promoted is None:
            return Finding(sentence="the old primary's server was not seen since it returned")
        if role_of(told, not terms.site.is_on_standby) == "standby":
            return Finding(sentence="it is a standby again")
        return Finding(*_went_on(told, promoted))


def _went_on(told: Databases, promoted: Copy) -> tuple[str | None, Rejoin | None]:
    end, base = parse_lsn(told.mark), parse_lsn(promoted.mark)
    kept_as = f"copy_{promoted.number}"
    if end is None or base is None:
        return None, Rejoin(Way.RESEED, kept_as)
    since = f"dump {promoted.number}, which was promoted here"
    if end == base:
        return f"zero: nothing was written there after {since}", Rejoin(Way.RESEED, kept_as)
    diverged = f"{promoted.mark} to {told.mark}"
    lost = f"at most what is in {end - base} B of its log after {since} ({diverged})"
    return lost, Rejoin(Way.RESEED, kept_as, diverged)


def role_of(told: Databases, is_standby: bool) -> str:
    """Return the role of a server's live database: its comment's, else the configuration's.

    A server without a live database serves nobody. A restored copy that has the live name was given
    it by hand: nothing else renames it and leaves its comment as it was.
    """
    if not told.has_live:
        return "standby"
    if not told.role and told.live is not None:
        return "primary"
    return told.role or ("standby" if is_standby else "primary")


def routines(terms: Terms) -> tuple[Routine, ...]:
    """Return the dumps of this engine, each restored at once."""
    site, copies = terms.site, terms.site.dump
    return (
        Routine(
            ROUTINE,
            f"dump {copies.database} on {site.partner.name}, restore it beside the live database",
            copies.schedule,
            (commands.take_copy(site), commands.restore(site)),
            copies.timeout_s + 30.0,
            copies.jitter_s,
        ),
    )


ENGINE = DumpEngine()
