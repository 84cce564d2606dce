"""The answer of a PostgreSQL server about its part in replication: text to values.

Owns the JSON that `commands.status` asks for, synchronous_standby_names, and what psql says of a
server that did not answer. Must not judge. Nothing here raises on strange text: what cannot be read
is None, and said in `problems`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from hamnd.dialects.postgresql.messages import plainly
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.postgres import (
    ServerAnswer,
    ServerStatus,
    Slot,
    SyncRule,
    WalReceiver,
    WalSender,
)
from hamnd.model.work import Report

TEXT_CHARS_MAX: Final = 1_048_576

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})", re.ASCII)
_SEGMENT = re.compile(r"[0-9A-F]{24}", re.ASCII)
_RULE = re.compile(r"\s*(?:(FIRST|ANY)\s+)?(\d{1,9})\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s,"()]+))\s*(?:,|$)')
_DOWN = re.compile(
    r"Connection refused|No such file or directory|"
    r"FATAL: +the database system is "
    r"(?:starting up|shutting down|in recovery mode|not (?:yet )?accepting connections)",
    re.IGNORECASE,
)
"""What only a server that does not serve brings about. "Is the server running ...?" is no such
word: libpq asks it after whatever kept it from a socket, a full queue of a hung server and a
directory that may not be entered as well."""
_REASON = re.compile(
    r"(?:(?:failed|could not connect to server): +)+(.+)$|(timeout expired|FATAL: .+)$",
    re.MULTILINE,
)
"""One for each address that was tried; versions 12 and 13 say it in other forms."""
_CUT_OFF = re.compile(r"terminating connection|server closed the connection")
"""Our session ended; that tells nothing of the server's, nor whether the statement was done."""
_DENIED = re.compile(r"FATAL:|fe_sendauth|no password supplied", re.IGNORECASE)
_CONNECTION_FAILED: Final = 2
"""psql's exit code when it could not connect, or was cut off."""
_SCRIPT_FAILED: Final = 3
"""Its exit code when a statement of a script failed: it says which."""


def parse_lsn(text: object) -> int | None:
    """Return a position such as 16/B374D848 in bytes, or None."""
    found = _LSN.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else (int(found[1], 16) << 32) + int(found[2], 16)


def parse_timeline(segment: str) -> int | None:
    """Return the timeline in the name of a log segment: its first eight digits."""
    return int(segment[:8], 16) if _SEGMENT.fullmatch(segment) else None


def format_lsn(position: int) -> str:
    """Return a position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def parse_sync_rule(text: str) -> SyncRule | None:
    """Take synchronous_standby_names apart; None for a text that is not one.

    `2 (a, b)` and `FIRST 2 (a, b)` are the same, `a, b` is `FIRST 1 (a, b)`.
    """
    if not text.strip():
        return SyncRule(0, (), True)
    found = _RULE.fullmatch(text)
    body, needed, is_priority = text, 1, True
    if found is not None:
        body, needed = found[3], int(found[2])
        is_priority = (found[1] or "FIRST").upper() == "FIRST"
    names, position = [], 0
    while position < len(body):
        one = _NAME.match(body, position)
        if one is None:
            return None
        names.append(one[1].replace('""', '"') if one[1] is not None else one[2])
        position = one.end()
    return SyncRule(needed, tuple(names), is_priority) if names else None


def parse_fork(history: object) -> int | None:
    """Return where the newest timeline of a history file left the one before it, or None."""
    lines = history.splitlines() if isinstance(history, str) else []
    forks = [
        words[1]
        for line in lines
        if len(words := line.split()) > 1 and words[0].isdigit() and _LSN.fullmatch(words[1])
    ]
    return parse_lsn(forks[-1]) if forks else None


def answer_of(report: Report) -> ServerAnswer:
    """Return what a call of psql says about the server; every doubt is UNKNOWN."""
    if unanswered(report) is not None:
        return ServerAnswer.UNKNOWN
    if report.exit_code == _SCRIPT_FAILED and "ERROR:" in report.stderr:
        return ServerAnswer.TOLD
    if report.exit_code != _CONNECTION_FAILED:
        return ServerAnswer.TOLD if report.exit_code in (0, 1) else ServerAnswer.UNKNOWN
    if _CUT_OFF.search(report.stderr):
        return ServerAnswer.UNKNOWN
    reasons = ["".join(one) for one in _REASON.findall(report.stderr)]
    if reasons and all(_DOWN.match(one) for one in reasons):
        return ServerAnswer.DOWN
    return ServerAnswer.DENIED if _DENIED.search(report.stderr) else ServerAnswer.UNKNOWN


def why_not(report: Report) -> str:
    """Return in one line why psql brought no answer: what can be done, or what it says itself."""
    found = plainly(report.stderr)
    if found is not None:
        return found
    failed = _REASON.search(report.stderr)
    return (failed[1] or failed[2]).strip() if failed is not None else last_lines(report)


def parse_objects(text: str) -> dict[str, Any]:
    """Return the members of all JSON objects in a text, one object a line; {} for none."""
    merged: dict[str, Any] = {}
    for line in text[:TEXT_CHARS_MAX].splitlines():
        try:
            found = json.loads(line) if line.lstrip().startswith("{") else None
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            merged |= found
    return merged


def parse_status(text: str) -> ServerStatus | None:
    """Return a server's answer, or None when it lacks what every answer has."""
    told = parse_objects(text)
    system, in_recovery = told.get("system"), told.get("in_recovery")
    numbers = [_number(told.get(key)) for key in ("version", "started_at", "at")]
    version, started_at, at = numbers
    if not isinstance(system, str) or not isinstance(in_recovery, bool):
        return None
    if version is None or started_at is None or at is None:
        return None
    settings = told.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    rule = settings.get("synchronous_standby_names")
    receiver = _receiver(told.get("receiver"))
    line = told.get("checkpoint_timeline") if in_recovery else told.get("timeline")
    timeline = _integer(line)
    if receiver is not None and receiver.timeline:
        timeline = max(timeline or 0, receiver.timeline)
    timeout_ms = _number(settings.get("wal_receiver_timeout"))
    delay_ms = _number(settings.get("wal_writer_delay"))
    problems = []
    if not settings:
        problems.append("the settings could not be read")
    is_hidden = isinstance(told.get("receiver"), dict) and receiver is None
    if is_hidden:
        problems.append("the receiver's state is hidden from this role: grant it pg_monitor")
    return ServerStatus(
        version=int(version),
        system=system,
        in_recovery=in_recovery,
        started_at=started_at,
        at=at,
        timeline=timeline,
        flushed=parse_lsn(told.get("flushed")),
        received=parse_lsn(told.get("received")),
        replayed=parse_lsn(told.get("replayed")),
        is_paused=told.get("paused") is True,
        receiver=receiver,
        is_receiver_hidden=is_hidden,
        senders=tuple(_senders(told.get("senders"))),
        slots=tuple(_slots(told.get("slots"))),
        sync=parse_sync_rule(rule) if isinstance(rule, str) else None,
        commit_level=str(settings.get("synchronous_commit") or ""),
        commit_exceptions=_integer(told.get("exceptions")) or 0,
        receiver_timeout_s=60.0 if timeout_ms is None else timeout_ms / 1000,
        writer_delay_s=0.2 if delay_ms is None else delay_ms / 1000,
        listen_addresses=str(settings.get("listen_addresses") or ""),
        is_read_only=settings.get("transaction_read_only") == "on",
        fork=parse_fork(told.get("history")),
        problems=tuple(problems),
    )


def _receiver(told: object) -> WalReceiver | None:
    """Return the receiver; None where there is none, or its row is hidden from our role."""
    if not isinstance(told, Mapping) or not isinstance(told.get("status"), str):
        return None
    return WalReceiver(
        status=told["status"],
        latest_end=parse_lsn(told.get("latest_end_lsn")),
        timeline=_integer(told.get("received_tli")),
        heard_at=_number(told.get("heard_at")),
        silent_s=_number(told.get("silent_s")),
        name=_text(told.get("name")),
    )


def _senders(told: object) -> list[WalSender]:
    return [
        WalSender(
            name=str(one.get("application_name") or ""),
            state=str(one.get("state") or ""),
            sync_state=str(one.get("sync_state") or ""),
            sync_priority=_integer(one.get("sync_priority")),
            flushed=parse_lsn(one.get("flush_lsn")),
        )
        for one in _rows(told)
    ]


def _slots(told: object) -> list[Slot]:
    return [
        Slot(str(one.get("slot_name")), one.get("active") is True, _text(one.get("wal_status")))
        for one in _rows(told)
        if one.get("slot_type") == "physical"
    ]


def _rows(told: object) -> list[Mapping[str, Any]]:
    return [one for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []


def _text(told: object) -> str | None:
    return told if isinstance(told, str) and told else None


def _number(told: object) -> float | None:
    """Return a number; a setting's text counts, a NaN and an infinity do not."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        value = float(told)
    except (ValueError, OverflowError):
        return None
    return value if abs(value) < 1e18 else None


def _integer(told: object) -> int | None:
    value = _number(told)
    return None if value is None else int(value)
