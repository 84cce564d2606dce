"""The few words of SQL that the simulated database understands.

Owns the reading of INSERT, UPDATE, DELETE, SELECT, VALUES and of statements without effect. A row
is a key (the first column) and the rest as one text. MUST NOT touch a database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hamnd.demo.db2_node import Change

VERBS = ("insert", "update", "delete", "select", "values", "create", "commit", "drop", "set")

_LITERAL = re.compile(r"'((?:[^']|'')*)'|([-\w.]+)")
_INSERT = re.compile(
    r"insert into ([\w.]+)\s*(?:\([^)]*\)\s*)?values\s*\((.*)\)$", re.IGNORECASE | re.DOTALL
)
_DELETE = re.compile(
    r"delete from ([\w.]+)(?:\s+where\s+(?:[\w.]+)\s*=\s*(.+))?$", re.IGNORECASE | re.DOTALL
)
_UPDATE = re.compile(
    r"update ([\w.]+) set\s+[\w.]+\s*=\s*(.+?)\s+where\s+[\w.]+\s*=\s*(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_SELECT = re.compile(
    r"select\s+(.+?)\s+from\s+([\w.]+)(?:\s+where\s+([\w.]+)\s*=\s*('(?:[^']|'')*'|[-\w.]+))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Write:
    """A statement that changes one row; `key` None without a table means that nothing changes."""

    verb: str
    table: str
    key: str
    value: str | None

    def misses(self, rows: dict[str, str]) -> bool:
        """Whether the row that it wants to change does not exist (SQL0100W)."""
        return self.verb != "insert" and self.key not in rows

    def change(self) -> Change:
        """The change that it makes."""
        return Change(self.table, self.key, self.value)


NOTHING = Write("create", "", "", None)
"""A statement that succeeds and leaves no trace in this model (CREATE TABLE, COMMIT)."""


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT or VALUES; `table` None is a table with one row, 1 (SYSIBM.SYSDUMMY1)."""

    table: str | None
    column: str
    key: str | None = None
    counts: bool = False
    literal: str | None = None

    def answer(self, rows: dict[str, str]) -> list[str]:
        """Return the result, one text per row."""
        if self.literal is not None:
            return [self.literal]
        chosen = {key: value for key, value in rows.items() if self.key in (None, key)}
        if self.counts:
            return [str(len(chosen))]
        wants_value = self.column.lower() not in ("key", "name", "id", "*", "node")
        return [value if wants_value else key for key, value in sorted(chosen.items())]


def parse(text: str) -> Write | Query | None:
    """Read one statement; None when this model does not understand it."""
    text = text.strip().rstrip(";").strip()
    verb = text.split(None, 1)[0].lower() if text else ""
    match verb:
        case "create" | "commit" | "drop" | "set":
            return NOTHING
        case "insert":
            return _parse_insert(text)
        case "delete":
            if not (match := _DELETE.match(text)):
                return None
            return Write("delete", _table(match[1]), _literal(match[2] or ""), None)
        case "update":
            if not (match := _UPDATE.match(text)):
                return None
            return Write("update", _table(match[1]), _literal(match[3]), _literal(match[2]))
        case "values":
            return Query(None, "1", literal=_literal(text[6:].strip(" ()")))
        case "select":
            return _parse_select(text)
        case _:
            return None


def _parse_insert(text: str) -> Write | None:
    match = _INSERT.match(text)
    if not match:
        return None
    values = [(quoted or bare).replace("''", "'") for quoted, bare in _LITERAL.findall(match[2])]
    if not values:
        return None
    return Write("insert", _table(match[1]), values[0], " ".join(values[1:]))


def _parse_select(text: str) -> Query | None:
    match = _SELECT.match(text)
    if not match:
        return None
    column, table = match[1].strip(), _table(match[2])
    if table.startswith("sysibm."):
        literal = "1" if not column.isdigit() else column
        return Query(None, "1", literal=literal)
    key = _literal(match[4]) if match[4] else None
    return Query(table, column, key, counts=column.lower().startswith("count("))


def _table(name: str) -> str:
    return name.lower()


def _literal(text: str) -> str:
    found = _LITERAL.search(text)
    return (found[1] or found[2] or "").replace("''", "'") if found else text.strip()
