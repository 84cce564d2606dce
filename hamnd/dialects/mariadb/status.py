"""The answer of a MariaDB or MySQL server about its part in replication: text to values.

Owns the tables that `commands.status` asks for, in both products' spellings, and what the client
says of a server that did not answer. Must not judge. Nothing here raises on strange text: what
cannot be read is None, and said in `problems`.
"""

from __future__ import annotations

import re

from hamnd.dialects.mariadb.gtid import missing, parse_gtids, union
from hamnd.dialects.mariadb.tables import Row, pairs, parse_tables
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.mariadb import (
    BYTE_MAX,
    FILE_BITS,
    Replica,
    SemiSync,
    ServerAnswer,
    ServerStatus,
    Transactions,
)
from hamnd.model.work import Report

_ERROR = re.compile(r"^ERROR (\d{1,5})\b.*$", re.MULTILINE)
_WHERE = re.compile(r"^ERROR (\d{1,5})(?: \(\w{5}\))?(?: at line \d+)?: *")
_FILE = re.compile(r"[^\t\n]*\.(\d{1,9})", re.ASCII)
_FILTERS = (
    *(f"Replicate_{verb}_{what}" for verb in ("Do", "Ignore") for what in ("DB", "Table")),
    *(f"Replicate_Wild_{verb}_Table" for verb in ("Do", "Ignore")),
    *(f"Replicate_{verb}_Domain_Ids" for verb in ("Do", "Ignore")),
    "Replicate_Ignore_Server_Ids",
    "Replicate_Rewrite_DB",
)
_LOG_FILTERS = ("Binlog_Do_DB", "Binlog_Ignore_DB")
_CAUGHT_UP = re.compile(r"has read all relay log", re.IGNORECASE)
_NO_SOCKET = 2002
_NO_LOG = 1381
_MUTE = "initial communication packet"
_NOT_YET = (1053, 2006, 2013)
"""Shutting down, gone away, lost in the middle: what a server that ends makes of a call."""
_REFUSALS = (1040, 1044, 1045, 1129, 1130, 1203, 1226, 1275, 1698, 1820, 1862, 2026, 2059, 4151)
_REFUSED_BY_SYSTEM = re.compile(r"\((2|111)\)\s*$|\((2|111) \"")

NUMBER_MAX = (1 << 62) - 1


def error_of(report: Report) -> int | None:
    """Return the number of the error that ended a call of the client, or None."""
    found = _ERROR.search(report.stderr)
    return None if found is None else int(found[1])


def why_not(report: Report) -> str:
    """Return in one line what the client complained of; the statement itself it repeats is left."""
    found = _ERROR.search(report.stderr)
    if found is None:
        return last_lines(report) or "it said nothing"
    said = _WHERE.sub(r"error \1: ", found[0].strip())
    return (
        f"the server takes the connection and does not answer ({said})" if _MUTE in said else said
    )


def answer_of(report: Report) -> ServerAnswer:
    """Return what a call of the client says about the server; every doubt is UNKNOWN."""
    if unanswered(report) is not None:
        return ServerAnswer.UNKNOWN
    if report.exit_code == 0:
        return ServerAnswer.TOLD
    number = error_of(report)
    if report.exit_code != 1 or number is None:
        return ServerAnswer.UNKNOWN
    if number == _NO_SOCKET:
        is_gone = _REFUSED_BY_SYSTEM.search(why_not(report)) is not None
        return ServerAnswer.DOWN if is_gone else ServerAnswer.UNKNOWN
    if number == 1053:
        return ServerAnswer.DOWN
    if number in _NOT_YET:
        return ServerAnswer.UNKNOWN
    return ServerAnswer.DENIED if number in _REFUSALS else ServerAnswer.TOLD


def parse_position(file: str | None, byte: str | None) -> int | None:
    """Return a place in a binary log as a position (hamnd.model.mariadb), or None."""
    found, offset = _FILE.fullmatch(file or ""), integer(byte)
    if found is None or offset is None or not 0 <= offset <= BYTE_MAX:
        return None
    return (int(found[1]) << FILE_BITS) | offset


def read_status(report: Report) -> ServerStatus | None:
    """Return the state that a server told whole, or None.

    After a statement that was refused nothing more is asked: what is missing then was not told, and
    a replica that may not be seen is not one that is not there. Only a server without a binary log
    refuses the last statement, the list of its files.
    """
    if answer_of(report) is not ServerAnswer.TOLD:
        return None
    if report.exit_code != 0 and error_of(report) != _NO_LOG:
        return None
    return parse_status(report.stdout)


def parse_status(text: str) -> ServerStatus | None:
    """Return a server's answer, or None when it lacks what every answer has."""
    tables = parse_tables(text)
    head = tables.get("hamnd", [])
    told = pairs(tables.get("Variable_name", []))
    at, uptime_s = number(head[0].get("at") if head else None), integer(told.get("uptime"))
    version = told.get("version", "")
    if at is None or uptime_s is None or not version or "read_only" not in told:
        return None
    executed = parse_gtids(told.get("gtid_binlog_pos", told.get("gtid_executed")))
    replicated = parse_gtids(told.get("gtid_slave_pos"))
    current = parse_gtids(told.get("gtid_current_pos"))
    problems = []
    if executed is None:
        problems.append("its global transaction IDs could not be read")
    rows = tables.get("Connection_name", []) + tables.get("Slave_IO_State", [])
    beats = tables.get("COUNT_RECEIVED_HEARTBEATS", [])
    return ServerStatus(
        version=version,
        at=at,
        uptime_s=uptime_s,
        server_id=integer(told.get("server_id")),
        is_read_only="ON" in (told["read_only"], told.get("super_read_only")),
        executed=executed,
        replicated=replicated,
        writes_itself=bool(replicated and current and missing(replicated, current).spans),
        has_log=told.get("log_bin") == "ON",
        semi=_semi_sync(told),
        replicas=tuple(_replica(row, beats, told) for row in rows),
        logs=tuple(_logs(tables.get("Log_name", []))),
        net_timeout_s=number(told.get("slave_net_timeout")) or 60.0,
        bind_address=told.get("bind_address", ""),
        uuid=told.get("server_uuid", ""),
        log_filters=tuple(
            one for row in tables.get("File", []) for one in _said(row, _LOG_FILTERS)
        ),
        problems=tuple(problems),
    )


def _semi_sync(told: dict[str, str]) -> SemiSync:
    """Read both halves; a server without the plugin (MySQL, before it is installed) has neither."""

    def is_on(name: str) -> bool:
        return told.get(f"rpl_semi_sync_{name}") == "ON"

    timeout_ms = number(told.get("rpl_semi_sync_master_timeout"))
    return SemiSync(
        is_asked=is_on("master_enabled"),
        is_waiting=is_on("master_status"),
        is_before_commit=told.get("rpl_semi_sync_master_wait_point") == "AFTER_SYNC",
        holds_alone=told.get("rpl_semi_sync_master_wait_no_slave", "ON") == "ON",
        timeout_s=None if timeout_ms is None else timeout_ms / 1000,
        clients=integer(told.get("rpl_semi_sync_master_clients")),
        waiters=integer(told.get("rpl_semi_sync_master_wait_sessions")),
        is_acknowledging=is_on("slave_status"),
    )


def _replica(row: Row, beats: list[Row], told: dict[str, str]) -> Replica:
    def text(name: str) -> str:
        return row.get(name) or ""

    received = parse_position(text("Master_Log_File"), text("Read_Master_Log_Pos"))
    replayed = parse_position(text("Relay_Master_Log_File"), text("Exec_Master_Log_Pos"))
    has, applied = _transactions(row, told, is_level=received == replayed)
    workers = told.get("slave_parallel_threads", told.get("slave_parallel_workers"))
    count = row.get("Slave_received_heartbeats")
    if count is None and beats:  # MySQL tells it apart, in performance_schema
        count = beats[0].get("COUNT_RECEIVED_HEARTBEATS")
    return Replica(
        connection=text("Connection_name") or text("Channel_Name"),
        primary_host=text("Master_Host"),
        io=text("Slave_IO_Running"),
        sql=text("Slave_SQL_Running"),
        received=received,
        replayed=replayed,
        has=has,
        unapplied=None if has is None or applied is None else missing(applied, has),
        heartbeats=integer(count),
        heartbeat_period_s=number(row.get("Slave_heartbeat_period")),
        delay_s=integer(row.get("SQL_Delay")) or 0,
        io_error=integer(row.get("Last_IO_Errno")) or 0,
        io_text=text("Last_IO_Error"),
        sql_error=integer(row.get("Last_SQL_Errno")) or 0,
        sql_text=text("Last_SQL_Error"),
        is_caught_up=_CAUGHT_UP.search(text("Slave_SQL_Running_State")) is not None,
        workers=integer(workers) or 0,
        primary_id=integer(row.get("Master_Server_Id")) or None,
        primary_uuid=text("Master_UUID"),
        filters=_said(row, _FILTERS),
    )


def _said(row: Row, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name} = {row[name]}" for name in names if row.get(name))


def _transactions(
    row: Row, told: dict[str, str], *, is_level: bool
) -> tuple[Transactions | None, Transactions | None]:
    """Return what the connection has brought and what is applied, where it uses global IDs.

    A transaction counts as received once it is whole (measured, MariaDB 10.11; MySQL 8 reference,
    replication_connection_status). With Current_Pos a MariaDB server begins at its own writes:
    those are applied, but as long as something is under way they say nothing about it.
    """
    if "Using_Gtid" in row:
        if row["Using_Gtid"] == "No":
            return None, None
        is_own = row["Using_Gtid"] == "Current_Pos" and is_level
        applied = told.get("gtid_current_pos" if is_own else "gtid_slave_pos")
        return parse_gtids(row.get("Gtid_IO_Pos")), parse_gtids(applied)
    executed = parse_gtids(told.get("gtid_executed"))
    retrieved = parse_gtids(row.get("Retrieved_Gtid_Set"))
    if executed is None or retrieved is None or row.get("Auto_Position") != "1":
        return None, None
    return union(executed, retrieved), executed


def _logs(rows: list[Row]) -> list[tuple[int, int]]:
    found = []
    for row in rows:
        file, size = _FILE.fullmatch(row.get("Log_name") or ""), integer(row.get("File_size"))
        if file is not None and size is not None:
            found.append((int(file[1]), size))
    return found


def number(text: str | None) -> float | None:
    """Return a number; a NaN and an infinity are none."""
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < 1e18 else None


def integer(text: str | None) -> int | None:
    """Return a whole number that fits the journal, or None."""
    if text is None or not re.fullmatch(r"\d{1,19}", text, re.ASCII):
        return None
    return min(int(text), NUMBER_MAX)
