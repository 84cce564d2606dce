"""MariaDB (or MySQL 8) with GTIDs as a replication engine: view, partner, promotion, steps.

Owns which questions are asked, and the engine's steps of a takeover. Must not parse text
(dialects.mariadb), build the normal form (mariadb_view, mariadb_alone) nor judge loss
(mariadb_loss).
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
from hamnd.core.replication.mariadb_alone import blind, seen_alone, seen_astray
from hamnd.core.replication.mariadb_loss import judge_loss, judge_promotion
from hamnd.core.replication.mariadb_pairing import hand_over, rejoin, set_up, switch_over
from hamnd.core.replication.mariadb_return import HERE_TOPIC, THERE_TOPIC, judge_return
from hamnd.core.replication.mariadb_telling import stranger_of
from hamnd.core.replication.mariadb_view import (
    TOPIC,
    Here,
    PrimaryWord,
    seen_standby,
)
from hamnd.dialects.mariadb import commands, pairing
from hamnd.dialects.mariadb.readers import refused
from hamnd.dialects.mariadb.status import answer_of, read_status, why_not
from hamnd.dialects.shell import unanswered
from hamnd.model.health import Replication
from hamnd.model.mariadb import ServerAnswer, ServerStatus
from hamnd.model.plan import Loss, Step
from hamnd.model.routine import Routine
from hamnd.model.work import Look, Report

PARTNER_TOPIC = "partner_db"
HEARTBEAT = "heartbeat:mariadb"
BEAT_S = 10.0


@dataclass(frozen=True, slots=True)
class MariaEngine:
    """The engine; it has no state."""

    name: str = "mariadb"

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
        report = reports[TOPIC]
        match answer_of(report):
            case ServerAnswer.TOLD:
                status = read_status(report)
            case ServerAnswer.DOWN:
                unit = terms.site.mariadb.unit
                clear = f"start the server of this node, e.g. systemctl start {unit}"
                return blind(report, why_not(report), is_up=False, clear=clear)
            case ServerAnswer.DENIED | ServerAnswer.UNKNOWN:
                status = None
            case answer:
                assert_never(answer)
        if status is None:
            lost = unanswered(report)
            return blind(report, lost.sentence if lost is not None else refused(report))
        if not _follows(status):
            return seen_alone(report, status)
        if len(status.replicas) > 1:
            many = f"it has {len(status.replicas)} replication connections, and hamnd knows one"
            return blind(report, many)
        told = reports.get(PARTNER_TOPIC)
        there = None if told is None else read_status(told)
        stranger = stranger_of(status.replicas[0], there)
        if stranger:
            return seen_astray(report, status, stranger)
        partner = PrimaryWord.of(told, there, report, terms.policy)
        here = Here(report, status, status.replicas[0], remembered, terms.policy)
        return seen_standby(here, partner)

    def partner(self, terms: Terms, report: Report, before: PartnerDatabase) -> PartnerDatabase:
        """Read what the partner's server says of itself; only a definite text is a failure."""
        at = report.finished
        match answer_of(report):
            case ServerAnswer.TOLD:
                status = read_status(report)
            case ServerAnswer.DOWN:
                since = before.failing_since or at
                detail = f"{commands.name_of(terms.site)} does not serve there: {why_not(report)}"
                return PartnerDatabase(False, at=at, failing_since=since, detail=detail)
            case ServerAnswer.DENIED:
                return PartnerDatabase(None, at=at, detail=why_not(report))
            case ServerAnswer.UNKNOWN:
                return before
            case answer:
                assert_never(answer)
        if status is None:
            return PartnerDatabase(None, at=at, detail=refused(report))
        role = "standby" if _follows(status) else "standard" if status.is_read_only else "primary"
        detail = f"active, role {role}"
        return PartnerDatabase(role == "primary", role, status.end, at, None, detail)

    def loss(self, terms: Terms, question: LossQuestion) -> Loss:
        """Return what a takeover now would lose."""
        return judge_loss(terms, question)

    def promotion(self, terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
        """Return whether this replica can be promoted now."""
        del terms
        return judge_promotion(question, loss)

    def steps(self, terms: Terms, task: Task) -> tuple[Step, ...]:
        """Return the steps of a task; see `Engine.steps` for the ids."""
        match task:
            case Takeover():
                return _takeover(terms, task)
            case Setup():
                return set_up(terms)
            case Rejoin():
                return rejoin(terms, task)
            case Switchover():
                return switch_over(terms)
            case _:
                assert_never(task)

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Ask both servers again: where ours went on alone, and how far the old one came."""
        del view
        site = terms.site
        return {
            HERE_TOPIC: commands.status(site, site.node),
            THERE_TOPIC: commands.status(site, site.partner.name),
        }

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """Tell the actual loss: the transactions that only the old primary has."""
        return judge_return(exam, terms.site.partner.name)


ENGINE = MariaEngine()


def routines(terms: Terms) -> tuple[Routine, ...]:
    """Return the heartbeat row, where the site has one: it proves the applier too, not the link."""
    site, period_s = terms.site, terms.site.mariadb.row_heartbeat_s
    if not period_s:
        return ()
    seconds = "0" if period_s == 60 else f"*/{period_s}"
    title = f"write the heartbeat row on {site.partner.name}"
    action = commands.beat(site, site.partner.name)
    return (Routine(HEARTBEAT, title, f"{seconds} * * * * *", (action,), BEAT_S),)


def _follows(status: ServerStatus) -> bool:
    """Whether it is a replica; not one that was promoted by hand and has written itself since."""
    if not status.replicas:
        return False
    is_still = all(one.io == "No" and one.sql == "No" for one in status.replicas)
    return not (is_still and not status.is_read_only and status.writes_itself)


def _takeover(terms: Terms, task: Takeover) -> tuple[Step, ...]:
    """Return `drain`, which applies all that was received, and `promote` (guide §8.1).

    Stopped before it has applied everything, a replica throws the rest of its relay log away. A
    primary that still answers hands over first what it has.
    """
    site, policy, promotion = terms.site, terms.policy, task.promotion
    name = commands.name_of(site)
    is_primary = promotion.variant == "none"
    is_own = promotion.variant in ("none", "activate")
    # Switched on here too, semi-sync holds the applier as it would hold every later commit.
    waits = (commands.wait_for_nobody(site),) if promotion.waits_for else ()
    ending = () if is_own else commands.stop_following(site)
    promoting = (*ending, *commands.take_writes(site))
    drain_s = policy.step_timeout_s("drain", 300.0)
    drain = Step(
        id="drain",
        title=f"receive nothing more, apply all that {name} has received",
        guide="8.1",
        host=site.node,
        depends_on=("fuse",),
        actions=() if is_own else (*waits, commands.stop_receiving(site)),
        postconditions=(commands.is_drained(site),),
        timeout_s=drain_s,
        wait_s=drain_s,
        compensation=() if is_own else (commands.receive_again(site),),
    )
    title = f"promote {name} ({promotion.variant})"
    promote = Step(
        id="promote",
        title="the database is primary already" if is_primary else title,
        guide="8.1",
        host=site.node,
        depends_on=("fuse", "drain"),
        actions=() if is_primary else promoting,
        readiness=(commands.can_promote(site), pairing.has_space(site)),
        preconditions=() if is_own else (commands.is_standby(site), commands.is_drained(site)),
        postconditions=(commands.is_writable(site),),
        timeout_s=policy.step_timeout_s("promote", 60.0),
        reversible=False,
    )
    return (*(hand_over(terms) if task.is_heard and not is_own else ()), drain, promote)
