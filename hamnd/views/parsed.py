"""The documents of `hamnctl parse`: schema `hamnd.parse/1` (design §12).

Owns key names, key order and types of the JSON, and the exit code. Must not know any text of Db2.
Every key is always there; null means that the tool did not say.
"""

from __future__ import annotations

from typing import Any, Final

from hamnd.model.hadr import (
    DbConfig,
    Endpoint,
    HadrChannel,
    HadrReport,
    LogPosition,
    ParseVerdict,
    ReportKind,
)

SCHEMA: Final = "hamnd.parse/1"


def exit_code(verdict: ParseVerdict) -> int:
    """Return 0 for one complete status and for nothing else."""
    return 0 if verdict is ParseVerdict.OK else 1


def hadr_document(report: HadrReport) -> dict[str, Any]:
    """Return the document of `parse db2pd` and `parse snapshot`."""
    return {
        "schema": SCHEMA,
        "kind": report.kind.value,
        "layout": report.layout.value if report.layout else None,
        "verdict": report.verdict.value,
        "database": report.database,
        "database_status": report.database_status,
        "uptime_s": report.uptime_s,
        "problems": list(report.problems),
        "channels": [_channel(channel) for channel in report.channels],
    }


def unread_document(kind: str, problem: str) -> dict[str, Any]:
    """Return the document where there is no text to parse: unreadable, or too large to read."""
    verdict, problems = ParseVerdict.UNPARSEABLE, (problem,)
    if kind == ReportKind.DB_CFG.value:
        return db_config_document(DbConfig(verdict=verdict, problems=problems))
    return hadr_document(HadrReport(kind=ReportKind(kind), verdict=verdict, problems=problems))


def db_config_document(config: DbConfig) -> dict[str, Any]:
    """Return the document of `parse dbcfg`: the role and the HADR parameters, verbatim."""
    return {
        "schema": SCHEMA,
        "kind": ReportKind.DB_CFG.value,
        "verdict": config.verdict.value,
        "database": config.database,
        "role": config.role.value if config.role else None,
        "rollforward_pending": config.rollforward_pending,
        "problems": list(config.problems),
        "parameters": {
            name: value for name, value in config.parameters.items() if name.startswith("HADR_")
        },
    }


def _channel(channel: HadrChannel) -> dict[str, Any]:
    return {
        "role": channel.role.value if channel.role else None,
        "state": channel.state.value if channel.state else None,
        "connect_status": channel.connect_status.value if channel.connect_status else None,
        "sync_mode": channel.sync_mode.value if channel.sync_mode else None,
        "standby_id": channel.standby_id,
        "log_stream_id": channel.log_stream_id,
        "flags": list(channel.flags),
        "connect_status_since": channel.connect_status_since,
        "timeout_s": channel.timeout_s,
        "heartbeat_interval_s": channel.heartbeat_interval_s,
        "heartbeats_missed": channel.heartbeats_missed,
        "since_last_recv_s": channel.since_last_recv_s,
        "peer_window_s": channel.peer_window_s,
        "peer_window_end": channel.peer_window_end,
        "local": _local(channel.local),
        "remote": _remote(channel.remote),
        "primary_host": channel.primary_host,
        "standby_host": channel.standby_host,
        "reads_on_standby": channel.reads_on_standby,
        "spool_percent": channel.spool_percent,
        "primary_log": _position(channel.primary_log),
        "standby_log": _position(channel.standby_log),
        "standby_replay_log": _position(channel.standby_replay_log),
        "log_gap_bytes": channel.log_gap_bytes,
        "log_gap_avg_bytes": channel.log_gap_avg_bytes,
        "replay_gap_bytes": channel.replay_gap_bytes,
        "replay_gap_avg_bytes": channel.replay_gap_avg_bytes,
        "unknown_fields": dict(channel.unknown_fields),
    }


def _local(endpoint: Endpoint | None) -> dict[str, Any] | None:
    if endpoint is None:
        return None
    return {"host": endpoint.host, "service": endpoint.service}


def _remote(endpoint: Endpoint | None) -> dict[str, Any] | None:
    if endpoint is None:
        return None
    return {
        "host": endpoint.host,
        "service": endpoint.service,
        "instance": endpoint.instance,
    }


def _position(log: LogPosition | None) -> dict[str, Any] | None:
    if log is None:
        return None
    return {"file": log.file, "page": log.page, "position": log.position}
