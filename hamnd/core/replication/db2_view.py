"""Readings of Db2's own tools as the normal form of replication.

Owns how a run of `db2pd -hadr` and the persistent role of `GET DB CFG` become a `Replication`.
Must not judge loss (db2_loss) nor parse text (dialects.db2). db2pd is the authority for state, the
configuration for the persistent role (db2-hadr.md §1); fields of two runs are never mixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.shell import unanswered
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
from hamnd.model.site import Site
from hamnd.model.work import Report

parsed_once = lru_cache(maxsize=4)(parse_db2pd)
"""The same text is judged again whenever the other look comes home: half of all readings."""


def read_view(site: Site, reports: Mapping[str, Report]) -> Replication:
    """Return the normal form of the latest db2pd run; a database that is down has its cfg."""
    report = reports.get("db2pd")
    if report is None:
        config = _config(reports.get("dbcfg"))
        return _blind(reports["dbcfg"], config, "db2pd was not run yet", None)
    lost = unanswered(report)
    if lost is not None:
        config = _config(reports.get("dbcfg"))
        return _blind(report, config, f"db2pd: {lost.sentence}", None)
    parsed = parsed_once(report.stdout)
    if parsed.verdict in (ParseVerdict.OK, ParseVerdict.INCOMPLETE) and parsed.channels:
        return _seen(report, parsed, parsed.channels[0])
    seen = _unseen(report, parsed, _config(reports.get("dbcfg")))
    return replace(seen, clear=f"db2 activate db {site.db2.database}")


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
    bad_flags = channel.bad_flags
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
        gap_average_bytes=channel.log_gap_avg_bytes,
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
    told = Replication.blind("db2", "db2pd", report.finished, problem)
    return replace(told, role=role, is_database_up=is_up)
