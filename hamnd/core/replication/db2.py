"""Db2 HADR as a replication engine: view, partner, promotion, loss, steps.

Owns what is read, how the partner's word is taken and the engine's steps. Must not parse text
(dialects.db2), nor judge a reading (db2_view) or loss (db2_loss). Facts marked [U] in db2-hadr.md
decide nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
from hamnd.core.replication.db2_loss import judge_loss, judge_promotion
from hamnd.core.replication.db2_rehome import rehome_steps
from hamnd.core.replication.db2_view import parsed_once, read_view
from hamnd.dialects.db2 import commands
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.errors import PermanentError
from hamnd.model.hadr import ParseVerdict
from hamnd.model.health import Replication
from hamnd.model.plan import Loss, Step
from hamnd.model.work import Look, Report

STARTED_AGAIN = ("start-as-primary", "start-with-standby", "activate")
"""Promotion variants of a database that is primary already and down."""


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

    def view(self, terms: Terms, reports: Mapping[str, Report]) -> Replication:
        """Return the normal form of the latest db2pd run; a database that is down has its cfg."""
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
        """Return `promote` in its variant (guide §8.1, db2-hadr.md §8.2), and what follows it."""
        if not isinstance(task, Takeover):
            kind = type(task).__name__.lower()
            raise PermanentError(f"db2: this hamnd plans no {kind}; the guide has it by hand (§5)")
        site, promotion = terms.site, task.promotion
        variant = promotion.variant
        if variant in STARTED_AGAIN:
            return (self._start_again(terms, variant), *rehome_steps(terms))
        is_primary = variant == "none"
        title = "the database is primary already" if is_primary else f"db2 takeover ({variant})"
        promote = Step(
            id="promote",
            title=title,
            guide="8.1",
            host=site.node,
            depends_on=("fuse",),
            actions=() if is_primary else (commands.takeover(site, variant),),
            readiness=(commands.is_standby_configured(site),),
            # A takeover outlives the hamnd that began it (law 8): a later one must not begin again.
            preconditions=() if is_primary else (commands.no_takeover_runs(site),),
            postconditions=(commands.is_primary(site), commands.is_writable(site)),
            timeout_s=terms.policy.step_timeout_s("promote", 300.0),
            wait_s=30.0,
            reversible=False,
        )
        return (promote, *rehome_steps(terms))

    def _start_again(self, terms: Terms, variant: str) -> Step:
        """After a reboot: alone only force starts a promoted database (§10)."""
        site = terms.site
        start = commands.start_hadr_as_primary(
            site, site.node, by_force=variant == "start-as-primary"
        )
        is_alone = variant == "activate"  # without HADR since the takeover: role STANDARD
        return Step(
            id="promote",
            title=f"start {site.db2.database} again, which is primary already ({variant})",
            guide="8.1",
            host=site.node,
            depends_on=("fuse",),
            actions=(commands.activate(site, site.node) if is_alone else start,),
            postconditions=(
                *(() if is_alone else (commands.is_primary(site),)),
                commands.is_writable(site),
            ),
            timeout_s=terms.policy.step_timeout_s("promote", 300.0),
            wait_s=30.0,
            reversible=False,
        )

    def return_looks(self, terms: Terms, view: Replication | None) -> Mapping[str, Look]:
        """Nothing: the old primary's own db2pd, a look of every day, tells where its log ends."""
        del terms, view
        return {}

    def examine(self, terms: Terms, exam: Examination) -> Finding:
        """Tell the actual loss: by joining as standby, or by its own end of log (§10).

        An old primary joins only when its log has nothing that ours lacks; DB20000I alone is not
        joining. One that was restored from our backup joins too, and nobody can tell from here.
        Where our own end is not known (9.x tells only what was replayed) positions tell nothing.
        """
        del terms
        return Finding(_lost(exam))


ENGINE = Db2Engine()


def _lost(exam: Examination) -> str | None:
    view, partner = exam.view, exam.partner
    if view is not None and view.role == "primary" and view.is_protecting:
        return (
            "zero: the old primary joined as standby, so its log holds nothing that ours "
            "lacks (unless it was re-seeded by hand)"
        )
    if partner.role != "primary" or partner.position is None or exam.ours is None:
        return None
    lost = partner.position - exam.ours
    if lost <= 0:
        return f"zero: the old primary's log ends at {partner.position}, ours went on from there"
    return f"{lost} B: its log ends at {partner.position}, ours went on from {exam.ours}"
