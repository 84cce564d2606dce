"""Db2 HADR as a replication engine: view, partner, promotion, loss, steps.

Owns what is read and how the partner's word is taken. Must not parse text (dialects.db2), judge a
reading (db2_view) or loss (db2_loss), nor build a step (db2_takeover and its neighbours). Facts
marked [U] in db2-hadr.md decide nothing here.
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
from hamnd.core.replication.db2_loss import judge_loss, judge_promotion
from hamnd.core.replication.db2_rejoin import rejoin_steps
from hamnd.core.replication.db2_return import CFG, KEPT, examine_returned
from hamnd.core.replication.db2_setup import setup_steps
from hamnd.core.replication.db2_switchover import switchover_steps
from hamnd.core.replication.db2_takeover import takeover_steps
from hamnd.core.replication.db2_view import parsed_once, read_view
from hamnd.dialects.db2 import commands, held
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.hadr import ParseVerdict
from hamnd.model.health import Replication
from hamnd.model.plan import Loss, Step
from hamnd.model.work import Look, Report


@dataclass(frozen=True, slots=True)
class Db2Engine:
    """The engine; it has no state."""

    name: str = "db2"

    def looks(self, terms: Terms) -> Mapping[str, Look]:
        """Read state and persistent role of this node's database."""
        site = terms.site
        return {
            "db2pd": commands.db2pd_hadr(site, site.node),
            "dbcfg": commands.get_db_cfg(site, site.node),
        }

    def partner_looks(self, terms: Terms) -> Mapping[str, Look]:
        """Ask the partner's own db2pd over ssh."""
        site = terms.site
        return {"partner_db": commands.db2pd_hadr(site, site.partner.name)}

    def view(
        self, terms: Terms, reports: Mapping[str, Report], remembered: Replication | None = None
    ) -> Replication:
        """Return the normal form of the latest db2pd run; a database that is down has its cfg."""
        del remembered
        return read_view(terms.site, reports)

    def partner(self, terms: Terms, report: Report, before: PartnerDatabase) -> PartnerDatabase:
        """Read what the partner's db2pd says of itself; only a definite text is a failure."""
        del terms
        if unanswered(report) is not None:
            return before
        parsed = parsed_once(report.stdout)
        at = report.finished
        if parsed.verdict is ParseVerdict.OK and parsed.channels:
            channel = parsed.channels[0]
            role = None if channel.role is None else channel.role.value
            position = None if channel.primary_log is None else channel.primary_log.position
            detail = f"active, role {role}"
            return PartnerDatabase(role == "primary", role, position or None, at, None, detail)
        if parsed.verdict in (ParseVerdict.DATABASE_DOWN, ParseVerdict.INSTANCE_DOWN):
            word = parsed.verdict.value.replace("_", " ")
            # Role and position of an earlier report say nothing about this one's instant.
            failing_since = before.failing_since or at
            return PartnerDatabase(False, at=at, failing_since=failing_since, detail=word)
        return PartnerDatabase(None, at=at, detail=last_lines(report))

    def loss(self, terms: Terms, question: LossQuestion) -> Loss:
        """Return what a takeover now would lose."""
        return judge_loss(terms, question)

    def promotion(self, terms: Terms, question: LossQuestion, loss: Loss) -> Promotion:
        """Return the form of TAKEOVER that is right now."""
        return judge_promotion(terms, question, loss)

    def steps(self, terms: Terms, task: Task) -> tuple[Step, ...]:
        """Return the steps of a task, each in its own module (db2-hadr.md §8.2, §10, §11)."""
        match task:
            case Takeover():
                return takeover_steps(terms, task.promotion)
            case Switchover():
                return switchover_steps(terms)
            case Rejoin():
                return rejoin_steps(terms, task)
            case Setup():
                return setup_steps(terms)
            case _:
                assert_never(task)

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Read the old primary's persistent role, and what hamnd keeps there; start nothing."""
        del view
        site = terms.site
        return {
            CFG: commands.get_db_cfg(site, site.partner.name),
            KEPT: held.kept_names(site, site.partner.name),
        }

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """Tell the actual loss and the way back (§10)."""
        del terms
        return examine_returned(exam)


ENGINE = Db2Engine()
