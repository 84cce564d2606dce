"""Db2 HADR as a replication engine: view, partner, promotion, loss, steps.

Owns how readings of `db2pd -hadr` and `GET DB CFG` become the normal form, and the engine's steps
of a takeover. Must not parse text (dialects.db2) nor judge loss (db2_loss). db2pd is the authority
for state, the configuration for the persistent role (db2-hadr.md §1); fields of two runs are never
mixed. Facts marked [U] there decide nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

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
from hamnd.dialects.db2 import commands
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.errors import PermanentError
from hamnd.model.hadr import (
    ConnectStatus,
    DbConfig,
    HadrChannel,
    HadrLayout,
    HadrReport,
    HadrRole,
    HadrState,
    ParseVerdict,
)
from hamnd.model.health import Positions, Replication
from hamnd.model.plan import Loss, Step
from hamnd.model.work import Look, Report

BAD_FLAG = re.compile(r"ERROR|FULL|BLOCKED")
"""Flags that make the standby's copy doubtful (db2-hadr.md §3.2)."""


_parsed = lru_cache(maxsize=4)(parse_db2pd)
"""The same text is judged again whenever the other look comes home: half of all readings."""


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
        report = reports.get("db2pd")
        if report is None:
            config = _config(reports.get("dbcfg"))
            return _blind(reports["dbcfg"], config, "db2pd was not run yet", None)
        lost = unanswered(report)
        if lost is not None:
            config = _config(reports.get("dbcfg"))
            return _blind(report, config, f"db2pd: {lost.sentence}", None)
        parsed = _parsed(report.stdout)
        if parsed.verdict in (ParseVerdict.OK, ParseVerdict.INCOMPLETE) and parsed.channels:
            return _seen(report, parsed, parsed.channels[0])
        seen = _unseen(report, parsed, _config(reports.get("dbcfg")))
        return replace(seen, clear=f"db2 activate db {terms.site.db2.database}")

    def partner(self, terms: Terms, report: Report, before: PartnerDatabase) -> PartnerDatabase:
        """Read what the partner's db2pd says of itself; only a definite text is a failure."""
        del terms
        if unanswered(report) is not None:
            return before
        parsed = _parsed(report.stdout)
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
        if variant == "start-as-primary":
            return (self._start_again(terms), *rehome_steps(terms))
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

    def _start_again(self, terms: Terms) -> Step:
        """After a reboot: a promoted database has no partner, so only force starts it (§10)."""
        site = terms.site
        return Step(
            id="promote",
            title="start the promoted database as primary again",
            guide="8.1",
            host=site.node,
            depends_on=("fuse",),
            actions=(commands.start_hadr_as_primary(site, site.node, by_force=True),),
            postconditions=(commands.is_primary(site), commands.is_writable(site)),
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


def _config(report: Report | None) -> DbConfig | None:
    if report is None or unanswered(report) is not None:
        return None
    return parse_db_cfg(report.stdout)


def _seen(report: Report, parsed: HadrReport, channel: HadrChannel) -> Replication:
    """One db2pd run with a channel; incomplete values stay None and are never best state."""
    positions = _positions(parsed, channel)
    gap, replay_gap = channel.log_gap_bytes, channel.replay_gap_bytes
    if _is_replay_only(parsed):
        # Whatever was replayed was received: without a lag between them there is no gap at all.
        gap, replay_gap = 0 if gap == 0 else None, gap
    connected = None
    if channel.connect_status is not None:
        connected = channel.connect_status is not ConnectStatus.DISCONNECTED
    bad_flags = tuple(flag for flag in channel.flags if BAD_FLAG.search(flag))
    if channel.standby_error_time is not None:
        bad_flags = (*bad_flags, "STANDBY_ERROR_TIME")
    is_protecting = (
        parsed.verdict is ParseVerdict.OK
        and channel.state is HadrState.PEER
        and connected is True
        and not bad_flags
        and channel.log_stream_id in (None, 0)
    )
    return Replication(
        engine="db2",
        role=None if channel.role is None else channel.role.value,
        state=None if channel.state is None else channel.state.value,
        connected=connected,
        sync_mode=None if channel.sync_mode is None else channel.sync_mode.value,
        positions=positions,
        gap_bytes=gap,
        replay_gap_bytes=replay_gap,
        since=channel.connect_status_since,
        observed=report.finished,
        source="db2pd",
        is_protecting=is_protecting,
        is_database_up=True,
        uptime_s=parsed.uptime_s,
        peer_window_s=channel.peer_window_s,
        peer_window_end=channel.peer_window_end or None,
        bad_flags=bad_flags,
        problems=parsed.problems,
        is_congested=channel.connect_status is ConnectStatus.CONGESTED,
        verified_at=report.finished.wall_s,
    )


def _is_replay_only(parsed: HadrReport) -> bool:
    """9.x shows no receive position: its "StandBy" is what was replayed (db2-hadr.md §2)."""
    return parsed.layout is HadrLayout.COLUMNS


def _positions(parsed: HadrReport, channel: HadrChannel) -> Positions:
    """Return the log positions in their normal form; 0 and the unreadable are not known."""
    primary = None if channel.primary_log is None else channel.primary_log.position or None
    standby = None if channel.standby_log is None else channel.standby_log.position or None
    if _is_replay_only(parsed):
        return Positions(primary, None, standby)
    replayed = channel.standby_replay_log
    return Positions(primary, standby, None if replayed is None else replayed.position)


def _unseen(report: Report, parsed: HadrReport, config: DbConfig | None) -> Replication:
    """No channel: HADR stopped, database or instance down, or a text that says nothing."""
    match parsed.verdict:
        case ParseVerdict.HADR_INACTIVE:
            role: str | None = HadrRole.STANDARD.value
            return _blind(report, None, "HADR is not active", True, role)
        case ParseVerdict.DATABASE_DOWN:
            return _blind(report, config, "the database is not activated", False)
        case ParseVerdict.INSTANCE_DOWN:
            return _blind(report, config, "the Db2 instance is down", False)
        case _:
            problem = parsed.problems[0] if parsed.problems else parsed.verdict.value
            return _blind(report, config, f"db2pd: {problem}", None)


def _blind(
    report: Report,
    config: DbConfig | None,
    problem: str,
    is_up: bool | None,
    role: str | None = None,
) -> Replication:
    """A reading without a channel; the persistent role comes from the configuration."""
    if role is None and config is not None and config.role is not None:
        role = config.role.value
    return Replication(
        engine="db2",
        role=role,
        state=None,
        connected=None,
        sync_mode=None,
        positions=Positions(),
        gap_bytes=None,
        replay_gap_bytes=None,
        since=None,
        observed=report.finished,
        source="db2pd",
        is_database_up=is_up,
        problems=(problem,),
    )
