"""Answers of two PostgreSQL servers as their reports bring them home; made from the real samples.

Owns what may differ from a pair in Peer. Must not know what the engine makes of it.
"""

from __future__ import annotations

import json
from typing import Any

from hamnd.dialects.postgresql.status import format_lsn
from hamnd.model.work import Report
from tests.unit.core.builders import WALL, report

END = format_lsn(5_000)


def settings(names: str, level: str, timeout_ms: str) -> dict[str, str]:
    return {
        "listen_addresses": "*",
        "synchronous_commit": level,
        "synchronous_standby_names": names,
        "transaction_read_only": "off",
        "wal_receiver_timeout": timeout_ms,
    }


def sender(**changes: Any) -> dict[str, Any]:
    """One row of pg_stat_replication."""
    row = {
        "application_name": "aixmn2",
        "state": "streaming",
        "sync_state": "sync",
        "sync_priority": 1,
        "flush_lsn": END,
    }
    return row | changes


def primary_answer(
    names: str = "aixmn2", level: str = "on", timeout_ms: str = "60000", **changes: Any
) -> dict[str, Any]:
    """A primary that waits for its standby's disk."""
    told: dict[str, Any] = {
        "version": 150020,
        "system": "7711097222220955719",
        "in_recovery": False,
        "started_at": WALL - 100_000,
        "at": WALL,
        "timeline": 1,
        "checkpoint_timeline": 1,
        "flushed": END,
        "received": None,
        "replayed": None,
        "paused": None,
        "receiver": None,
        "senders": [sender()],
        "slots": None,
        "settings": settings(names, level, timeout_ms),
        "exceptions": 0,
    }
    return told | changes


def standby_answer(
    status: str = "streaming",
    heard_at: float = WALL,
    silent_s: float = 0.2,
    timeout_ms: str = "60000",
    **changes: Any,
) -> dict[str, Any]:
    """Its standby, which has everything."""
    receiver = {
        "status": status,
        "latest_end_lsn": END,
        "received_tli": 1,
        "heard_at": heard_at,
        "silent_s": silent_s,
        "name": "aixmn2",
    }
    told = primary_answer(timeout_ms=timeout_ms, names="") | {
        "in_recovery": True,
        "timeline": None,
        "flushed": None,
        "received": END,
        "replayed": END,
        "paused": False,
        "receiver": receiver,
        "senders": None,
    }
    return told | changes


def answer(told: dict[str, Any], sent: float) -> Report:
    """A report that brought this answer home a tenth of a second after it was asked."""
    return report(sent=sent, stdout=json.dumps(told) + "\n")
