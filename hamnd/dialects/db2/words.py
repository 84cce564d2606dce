"""Words and single values as Db2 prints them.

Owns the converters from one printed value to one Python value, and the bounded list of problems
that every parser of this package fills. Must not know which field or layout a value came from.
A converter is total: it returns UNREADABLE for anything it does not fully recognise, so a damaged
value can never pass for another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from hamnd.model.hadr import ConnectStatus, HadrRole, HadrState, LogPosition, SyncMode

TEXT_CHARS_MAX: Final = 1_048_576
"""Longer texts are not looked at: a whole db2pd output is below 10 KiB per channel."""

PROBLEMS_MAX: Final = 20
SHOWN_CHARS_MAX: Final = 80

UNREADABLE: Final = object()
"""What a converter returns instead of a guess."""

Converter = Callable[[str], Any]

NO_VALUE: Final = frozenset({"", "NULL", "Null"})


class Problems:
    """A bounded list of sentences; past the limit it only counts."""

    __slots__ = ("_left_out", "_lines")

    def __init__(self) -> None:
        """Start without any problem."""
        self._lines: list[str] = []
        self._left_out = 0

    def add(self, sentence: str) -> None:
        """Record one problem."""
        if len(self._lines) < PROBLEMS_MAX:
            self._lines.append(sentence)
        else:
            self._left_out += 1

    def absorb(self, others: Problems) -> None:
        """Add the problems of another list."""
        for sentence in others._lines:
            self.add(sentence)
        self._left_out += others._left_out

    def __len__(self) -> int:
        return len(self._lines) + self._left_out

    def lines(self) -> tuple[str, ...]:
        """Return the problems, with a last line for those beyond the limit."""
        if self._left_out:
            return (*self._lines, f"and {self._left_out} more problems")
        return tuple(self._lines)


def shown(text: str) -> str:
    """Quote a piece of foreign text for a problem: one line, bounded, nothing invisible."""
    clipped = text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "..."
    inner = "".join(char if char.isprintable() else "?" for char in clipped)
    return f'"{inner}"'


def collapse(text: str) -> str:
    """Return the text with every run of white space turned into one blank."""
    return " ".join(text.split())


def whole_lines(text: str) -> tuple[list[str], str]:
    """Split into the lines that certainly are whole, and what follows the last line end.

    A number cut in its middle looks like a smaller number, so the rest after the last line feed
    must never be read as a value. Only LF ends a line: a CR before it is white space. Byte order
    marks, which editors put at the beginning of a copy, are invisible and dropped.
    """
    lines = text.replace("\ufeff", "").split("\n")
    rest = lines.pop()
    return lines, rest.strip()


ROLES: Final[Mapping[str, HadrRole]] = {"primary": HadrRole.PRIMARY, "standby": HadrRole.STANDBY}
"""db2pd and snapshot never print STANDARD (db2-hadr.md §2); the configuration does."""

CONFIGURED_ROLES: Final[Mapping[str, HadrRole]] = {**ROLES, "standard": HadrRole.STANDARD}

STATES: Final[Mapping[str, HadrState]] = {
    state.value.replace("_", ""): state for state in HadrState
}
CONNECT_STATUSES: Final[Mapping[str, ConnectStatus]] = {
    status.value: status for status in ConnectStatus
}
SYNC_MODES: Final[Mapping[str, SyncMode]] = {mode.value: mode for mode in SyncMode}

_FILLERS: Final = str.maketrans("", "", " _")


def word_of(table: Mapping[str, StrEnum]) -> Converter:
    """Return a converter for the words of a table, in any of the layouts' spellings.

    DISCONNECTED_PEER (10.1+), DisconnectedPeer (9.x) and "Disconnected peer" (snapshot) are one
    word once case, blanks and underscores are dropped (db2-hadr.md §7). Nothing else is dropped:
    "PEER2" is not PEER.
    """

    def convert(text: str) -> Any:
        return table.get(text.translate(_FILLERS).lower(), UNREADABLE)

    return convert


def integer(text: str) -> Any:
    """Convert a plain non-negative decimal integer."""
    if len(text) <= 20 and text.isascii() and text.isdecimal():
        return int(text)
    return UNREADABLE


def yes_or_no(text: str) -> Any:
    """Convert Y or N."""
    if text == "Y":
        return True
    return False if text == "N" else UNREADABLE


_CLOCK: Final = r"\d\d:\d\d:\d\d"
TIMESTAMP: Final = (
    r"(?:[Nn][Uu][Ll][Ll]"
    rf"|\d\d[/-]\d\d[/-]\d{{4}} {_CLOCK}(?:\.\d{{1,6}})?"
    rf"|[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} {{1,4}}\d{{1,2}} {_CLOCK} \d{{4}})"
)
"""Text of a timestamp: server local time, never trusted (db2-hadr.md §2, §3.1)."""

_TIMESTAMP_EPOCH = re.compile(rf"{TIMESTAMP} \((\d{{1,11}})\)", re.ASCII)
_TIMESTAMP_ALONE = re.compile(TIMESTAMP, re.ASCII)


def timestamp(text: str) -> Any:
    """Convert to the epoch seconds in parentheses; None for epoch 0 or a text without an epoch."""
    found = _TIMESTAMP_EPOCH.fullmatch(text)
    if found is not None:
        return int(found[1]) or None
    if text == "0" or _TIMESTAMP_ALONE.fullmatch(text) is not None:
        return None
    return UNREADABLE


_NAME = re.compile(r"[\w.:%@#$\[\]-]{1,255}", re.ASCII)


def name(text: str) -> Any:
    """Convert a host, service or instance name: one token of the characters such names have."""
    return text if _NAME.fullmatch(text) is not None else UNREADABLE


_FLAG = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)


def flags(text: str) -> Any:
    """Convert the blank-separated HADR_FLAGS; unknown flags are kept (db2-hadr.md §3.2)."""
    words = tuple(text.split())
    if all(_FLAG.fullmatch(word) is not None for word in words):
        return words
    return UNREADABLE


LOG_FILE: Final = r"S\d{7}\.LOG"
_POSITION = re.compile(rf"({LOG_FILE}) ?, ?(\d{{1,10}}) ?, ?(\d{{1,20}})", re.ASCII)
_NO_POSITION = re.compile(r"NULL ?, ?(?:0|NULL) ?, ?(?:0|NULL)", re.ASCII)
_HEX_POSITION = re.compile(rf"({LOG_FILE}) ?, ?(\d{{1,10}}) ?, ?([0-9A-Fa-f]{{16}})", re.ASCII)


def position(text: str) -> Any:
    """Convert `S0000017.LOG, 52, 321584272`: file, page, decimal byte position."""
    found = _POSITION.fullmatch(text)
    if found is not None:
        return LogPosition(found[1], int(found[2]), int(found[3]))
    return None if _NO_POSITION.fullmatch(text) is not None else UNREADABLE


def hex_position(text: str) -> Any:
    """Convert the snapshot's `S0000017.LOG, 52, 00000000132AFC90`; the LSN has 16 digits (§7)."""
    found = _HEX_POSITION.fullmatch(text)
    if found is None:
        return UNREADABLE
    return LogPosition(found[1], int(found[2]), int(found[3], 16))
