"""PostgreSQL physical streaming as a replication engine: view, partner, promotion, steps.

Owns which questions are asked, and the engine's steps of a takeover. Must not parse text
(dialects.postgresql), build the normal form (postgresql_view) nor judge loss (postgresql_loss).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from hamnd.core.policy import Terms
from hamnd.core.replication import (
    Examination,
    Finding,
    LossQuestion,
    PartnerDatabase,
    Promotion,
    Rejoin,
    Setup,
    Switchover,
    Takeover,
    Task,
)
from hamnd.core.replication.postgresql_loss import judge_loss, judge_promotion
from hamnd.core.replication.postgresql_return import TOPIC as RETURNED_TOPIC
from hamnd.core.replication.postgresql_return import examine_returned
from hamnd.core.replication.postgresql_steps import (
    rejoin_steps,
    setup_steps,
    switchover_steps,
    takeover_steps,
)
from hamnd.core.replication.postgresql_view import (
    TOPIC,
    PrimaryWord,
    blind,
    seen_primary,
    seen_standby,
)
from hamnd.dialects.postgresql import commands, pairing
from hamnd.dialects.postgresql.layout import slot_of
from hamnd.dialects.postgresql.returned import returned
from hamnd.dialects.postgresql.status import answer_of, format_lsn, parse_status, why_not
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.health import Replication
from hamnd.model.plan import Loss, Step
from hamnd.model.postgres import ServerAnswer
from hamnd.model.routine import Routine
from hamnd.model.work import Look, Report

PARTNER_TOPIC = "partner_db"
NOT_THERE = (126, 127)
"""How a shell says that a program is not there, or may not be run."""
HEARTBEAT = "heartbeat:postgresql"
BEAT_S = 10.0


@dataclass(frozen=True, slots=True)
class PostgresEngine:
    """The engine; it has no state."""

    name: str = "postgresql"

    def looks(self, terms: Terms) -> Mapping[str, Look]:
        """Read this node's server."""
        return {TOPIC: commands.status(terms.site, terms.site.node)}

    def partner_looks(self, terms: Terms) -> Mapping[str, Look]:
        """Ask the partner's own server over ssh."""
        return {PARTNER_TOPIC: commands.status(terms.site, terms.site.partner.name)}

    def view(
        self, terms: Terms, reports: Mapping[str, Report], remembered: Replication | None = None
    ) -> Replication:
        """Return the normal form of this node's server beside what its partner last said."""
        del remembered
        report = reports[TOPIC]
        match answer_of(report):
            case ServerAnswer.TOLD:
                status = parse_status(report.stdout)
            case ServerAnswer.DOWN:
                clear = "start the PostgreSQL server of this node, e.g. systemctl start postgresql"
                return blind(report, why_not(report), is_up=False, clear=clear)
            case ServerAnswer.DENIED | ServerAnswer.UNKNOWN:
                status = None
            case answer:
                assert_never(answer)
        if status is None:
            lost = unanswered(report)
            return blind(report, lost.sentence if lost is not None else why_not(report))
        partner = PrimaryWord.of(reports.get(PARTNER_TOPIC), report, terms.policy)
        if status.in_recovery:
            return seen_standby(report, status, partner, slot_of(terms.site.own))
        return seen_primary(report, status)

    def partner(self, terms: Terms, report: Report, before: PartnerDatabase) -> PartnerDatabase:
        """Read what the partner's server says of itself; only a definite text is a failure."""
        del terms
        at = report.finished
        match answer_of(report):
            case ServerAnswer.TOLD:
                status = parse_status(report.stdout)
            case ServerAnswer.DOWN:
                since = before.failing_since or at
                detail = f"PostgreSQL does not serve there: {why_not(report)}"
                return PartnerDatabase(False, at=at, failing_since=since, detail=detail)
            case ServerAnswer.DENIED:
                return PartnerDatabase(None, at=at, detail=why_not(report))
            case ServerAnswer.UNKNOWN:
                return before
            case answer:
                assert_never(answer)
        if status is None:
            return PartnerDatabase(None, at=at, detail=last_lines(report))
        role = "standby" if status.in_recovery else "primary"
        end = status.end if status.in_recovery else status.flushed
        detail = f"active, role {role}"
        return PartnerDatabase(role == "primary", role, end, at, None, detail, status.timeline)

    def loss(self, terms: Terms, question: LossQuestion) -> Loss:
        """Return what a takeover now would lose."""
        return judge_loss(terms, question)

    def promotion(self, terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
        """Return whether this standby can be promoted now."""
        del terms
        return judge_promotion(question, loss)

    def steps(self, terms: Terms, task: Task) -> tuple[Step, ...]:
        """Return the engine's steps; all but a takeover's need `data_dir`."""
        match task:
            case Takeover():
                return takeover_steps(terms, task)
            case Setup():
                return setup_steps(terms)
            case Rejoin():
                return rejoin_steps(terms, task)
            case Switchover():
                return switchover_steps(terms)
            case _:
                assert_never(task)

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Read the old primary's files, from where our timeline left its own."""
        if terms.site.postgresql.data_dir is None:
            return {}
        fork = "" if view is None or view.fork is None else format_lsn(view.fork)
        return {RETURNED_TOPIC: returned(terms.site, fork)}

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """Tell the actual loss by the old primary's own files, once they were read."""
        report = exam.reports.get(RETURNED_TOPIC)
        # Only where the programs are not there is its server's own word all that there will be.
        is_told = report is not None and report.exit_code in (0, *NOT_THERE)
        if terms.site.postgresql.data_dir is not None and not is_told:
            return Finding(sentence="the data of the old primary was not read yet")
        return examine_returned(exam)


ENGINE = PostgresEngine()


def routines(terms: Terms) -> tuple[Routine, ...]:
    """Return the heartbeat, where the site has one: an idle pair has nothing else to miss."""
    site, period_s = terms.site, terms.site.postgresql.heartbeat_s
    if not period_s:
        return ()
    seconds = "0" if period_s == 60 else f"*/{period_s}"
    title = f"write the heartbeat row on {site.partner.name}"
    action = pairing.beat(site, site.partner.name)
    return (Routine(HEARTBEAT, title, f"{seconds} * * * * *", (action,), BEAT_S),)
