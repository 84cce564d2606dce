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
    Takeover,
    Task,
)
from hamnd.core.replication.postgresql_loss import judge_loss, judge_promotion
from hamnd.core.replication.postgresql_view import (
    TOPIC,
    PrimaryWord,
    blind,
    seen_primary,
    seen_standby,
)
from hamnd.dialects.postgresql import commands
from hamnd.dialects.postgresql.status import answer_of, format_lsn, parse_status, why_not
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.errors import PermanentError
from hamnd.model.health import Replication
from hamnd.model.plan import Loss, Step
from hamnd.model.postgres import ServerAnswer
from hamnd.model.work import Action, Look, Report

PARTNER_TOPIC = "partner_db"

PROMOTE_MARGIN_S = 10
"""pg_promote() gives up so much before our own limit ends it."""


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

    def view(self, terms: Terms, reports: Mapping[str, Report]) -> Replication:
        """Return the normal form of this node's server beside what its partner last said."""
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
            return seen_standby(report, status, partner)
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
        """Return the step `promote`: pg_promote(), proven by looks (guide §8.1)."""
        if not isinstance(task, Takeover):
            raise PermanentError(f"postgresql: no {type(task).__name__.lower()} is planned yet")
        promotion = task.promotion
        site, policy = terms.site, terms.policy
        timeout_s = policy.step_timeout_s("promote", 300.0)
        is_primary = promotion.variant == "none"
        actions: tuple[Action, ...] = (
            commands.promote(site, max(1, int(timeout_s) - PROMOTE_MARGIN_S)),
        )
        if promotion.waits_for:
            # Before the promotion: not one commit may wait for a standby that is not there.
            actions = (commands.wait_for_nobody(site), *actions)
        title = f"promote PostgreSQL ({promotion.variant})"
        promote = Step(
            id="promote",
            title="the database is primary already" if is_primary else title,
            guide="8.1",
            host=site.node,
            depends_on=("fuse",),
            actions=() if is_primary else actions,
            readiness=(commands.can_promote(site),),
            preconditions=() if is_primary else (commands.is_standby(site),),
            postconditions=(commands.is_writable(site),),
            timeout_s=timeout_s,
            wait_s=30.0,
            reversible=False,
        )
        return (promote,)

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Nothing yet: the old primary's own server is asked."""
        del terms, view
        return {}

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """Tell the actual loss: the old primary's end of log against the fork of the timelines.

        A server that is started again writes some records of its own, so its end is a bound. One
        that was rewound or cloned tells nothing any more.
        """
        del terms
        return Finding(_lost(exam))


ENGINE = PostgresEngine()


def _lost(exam: Examination) -> str | None:
    view, partner = exam.view, exam.partner
    base = exam.ours if view is None or view.fork is None else view.fork
    if partner.role != "primary" or partner.position is None or base is None:
        return None
    is_rejoined = view is not None and view.timeline == partner.timeline
    if is_rejoined and partner.timeline is not None:
        return None
    lost = partner.position - base
    ends = f"the old primary's log ends at {format_lsn(partner.position)}"
    forked = f"ours went on from {format_lsn(base)}"
    if lost <= 0:
        return f"zero: {ends}, {forked}"
    return f"at most {lost} B of its log: {ends}, {forked}; acknowledged or not"
