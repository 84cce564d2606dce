"""`GET DB CFG FOR X`: the persistent role and the HADR parameters (db2-hadr.md §8).

Owns the line forms of the configuration. Must not know what a parameter means. This is the only
source of the role while the database is not active.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hamnd.dialects.db2.clp import INSTANCE_NOT_STARTED, message_ids
from hamnd.dialects.db2.words import (
    CONFIGURED_ROLES,
    TEXT_CHARS_MAX,
    UNREADABLE,
    Problems,
    collapse,
    shown,
    whole_lines,
    word_of,
)
from hamnd.model.hadr import DbConfig, ParseVerdict

_PARAMETER: Final = re.compile(r"\(([A-Z][A-Z0-9_]{0,63})\)\s{0,64}=(.*)", re.ASCII | re.DOTALL)
_TITLE: Final = re.compile(r"Database Configuration for Database ([\w@#$]{1,128})", re.ASCII)
_ODD_VALUE: Final = re.compile(r"[<>\x00-\x1f\x7f\ufffd]")

_ROLE_LABEL: Final = "hadr database role"
_ROLLFORWARD_LABEL: Final = "rollforward pending"
_ROLE: Final = word_of(CONFIGURED_ROLES)
_ROLLFORWARD: Final = {"NO": False, "DATABASE": True}
"""Only these two words are certain; any other is reported and not judged."""

_REQUIRED: Final = (
    "HADR_LOCAL_HOST",
    "HADR_LOCAL_SVC",
    "HADR_REMOTE_HOST",
    "HADR_REMOTE_SVC",
    "HADR_REMOTE_INST",
    "HADR_TIMEOUT",
    "HADR_SYNCMODE",
    "HADR_PEER_WINDOW",
)
"""In every release since 9.5; the others came later."""


def parse_db_cfg(text: str) -> DbConfig:
    """Read role, rollforward state and parameters out of a database configuration."""
    problems = Problems()
    if len(text) > TEXT_CHARS_MAX:
        problems.add(f"the text has {len(text)} characters, more than hamnd reads")
        return DbConfig(verdict=ParseVerdict.UNPARSEABLE, problems=problems.lines())
    lines, rest = whole_lines(text)
    reader = _Reader(problems)
    for line in lines:
        reader.take(line)
    if not reader.values and not reader.parameters:
        return _without_lines(text, problems)
    if _ROLE_LABEL not in reader.values:
        problems.add("the HADR database role is missing")
    for name in _REQUIRED:
        if name not in reader.parameters:
            problems.add(f"{name} is missing")
    if rest:
        problems.add(f"the text ends in the middle of a line: {shown(rest)}")
    return DbConfig(
        verdict=ParseVerdict.INCOMPLETE if len(problems) else ParseVerdict.OK,
        database=reader.database,
        role=reader.values.get(_ROLE_LABEL),
        rollforward_pending=reader.values.get(_ROLLFORWARD_LABEL),
        parameters=reader.parameters,
        problems=problems.lines(),
    )


def _without_lines(text: str, problems: Problems) -> DbConfig:
    """Judge a text that is no configuration."""
    ids = message_ids(text)
    if INSTANCE_NOT_STARTED in ids:
        return DbConfig(verdict=ParseVerdict.INSTANCE_DOWN)
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    problems.add(f"not a database configuration: {shown(first)}" if first else "there is no output")
    return DbConfig(verdict=ParseVerdict.UNPARSEABLE, problems=problems.lines())


def _is_odd(key: str, text: str) -> bool:
    """Return whether a value is damaged, two columns, or two lines that ran into one."""
    if _ODD_VALUE.search(text) is not None or _PARAMETER.search(text) is not None:
        return True
    return key.startswith("HADR_") and ("=" in text or "  " in text)


class _Reader:
    """Collects the lines of one configuration."""

    def __init__(self, problems: Problems) -> None:
        """Start with nothing."""
        self.database: str | None = None
        self.parameters: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self._problems = problems
        self._above: tuple[dict[str, Any], str] | None = None
        """Where the value of the line above went; the line below may be its rest."""
        self._seen: dict[str, str] = {}

    def take(self, raw: str) -> None:
        """Take one whole line."""
        line = raw.strip()
        above, self._above = self._above, None
        if not line:
            return
        label, equals, text = line.partition("=")
        if not equals:
            self._without_value(line, above)
            return
        parameter = _PARAMETER.search(line)
        if parameter is not None:
            self._keep(self.parameters, parameter[1], parameter[2].strip())
            return
        label = collapse(label).lower()
        text = text.strip()
        if label == _ROLE_LABEL:
            self._keep(self.values, label, text, _ROLE(text))
        elif label == _ROLLFORWARD_LABEL:
            self._keep(self.values, label, text, _ROLLFORWARD.get(text, UNREADABLE))

    def _keep(self, target: dict[str, Any], key: str, text: str, value: Any = None) -> None:
        """Keep a value; damage and a second different value make it none."""
        if key in self._seen:
            if self._seen[key] != text:
                target.pop(key, None)
            self._problems.add(f"{key} is there twice")
            return
        self._seen[key] = text
        if value is UNREADABLE or _is_odd(key, text):
            self._problems.add(f"{key}: cannot read {shown(text)}")
            return
        target[key] = text if value is None else value
        self._above = (target, key)

    def _without_value(self, line: str, above: tuple[dict[str, Any], str] | None) -> None:
        """Take a line without `=`: the title, or the rest of a folded line."""
        title = _TITLE.fullmatch(collapse(line))
        if title is not None:
            if self.database not in (None, title[1]) or self._seen:
                self._problems.add("the text holds more than one configuration")
            else:
                self.database = title[1]
            return
        if above is not None:
            target, key = above
            target.pop(key, None)
            self._problems.add(f"{key}: the value may go on in the next line: {shown(line)}")
