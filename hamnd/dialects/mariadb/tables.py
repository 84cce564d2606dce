r"""What the client prints with --batch: tables one after the other, as text.

Owns the taking apart: a head line, then rows, columns by tabs; a newline, a tab and a backslash in
a value are written `\n`, `\t`, `\\`, no value is NULL (mariadb(1), --batch). A result without rows
prints nothing at all, so a table is known by the first word of its head alone. Must not know what a
column means. Nothing here raises on strange text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

TEXT_CHARS_MAX: Final = 1_048_576

HEADS: Final = (
    "hamnd",
    "Variable_name",
    "Connection_name",
    "Slave_IO_State",
    "File",
    "Log_name",
    "COUNT_RECEIVED_HEARTBEATS",
    "PRIVILEGE_TYPE",
)
"""First columns of what hamnd asks for, in MariaDB's spelling."""

Row = Mapping[str, str | None]

_OLD_WORDS = {"Replica": "Slave", "replica": "slave", "Source": "Master", "source": "master"}
_NEW_WORD = re.compile(r"(?<![A-Za-z])(?:[Rr]eplica|[Ss]ource)(?![A-Za-z])")
"""A whole word of a name, also its last one (rpl_semi_sync_source_wait_no_replica); Replicate_Do_DB
has none."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "0": "\0"}


def parse_tables(text: str) -> dict[str, list[Row]]:
    """Return the rows of every table by its first column; a row of another length is left out.

    Only whole lines count: what was cut off in the middle of a line is not a value.
    """
    tables: dict[str, list[Row]] = {}
    columns: list[str] = []
    rows: list[Row] = []
    for line in text[:TEXT_CHARS_MAX].replace("\r\n", "\n").split("\n")[:-1]:
        words = line.split("\t")
        name = spelled(words[0])
        if name in HEADS:
            columns = [spelled(word) for word in words]
            rows = tables.setdefault(name, [])
        elif columns and len(words) == len(columns):
            rows.append(dict(zip(columns, map(_value, words), strict=True)))
    return tables


def spelled(column: str) -> str:
    """Return a column or variable under MariaDB's name for it; MySQL 8 says replica and source."""
    return _NEW_WORD.sub(lambda found: _OLD_WORDS[found[0]], column)


def pairs(rows: list[Row]) -> dict[str, str]:
    """Return name and value of a table of two columns, e.g. SHOW GLOBAL VARIABLES."""
    found: dict[str, str] = {}
    for row in rows:
        name, value = row.get("Variable_name"), row.get("Value")
        if name:
            found[spelled(name).lower()] = value or ""
    return found


def _value(word: str) -> str | None:
    if word == "NULL":
        return None
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), word)
