"""The block layout of `db2pd -hadr`, 9.5 and 9.7 (db2-hadr.md §2).

Owns the seven blocks, each a header line and one value line, and their reading into one channel.
Must not know the `Database Partition` header, error texts or verdicts (db2pd.py). Headers are found
by their words and values are read as tokens, never by column offset: values may be wider than their
column and copies are re-flowed. A block whose value line is followed by an unexplained line is not
used at all, for that line may be the rest of a folded one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hamnd.dialects.db2.words import (
    CONNECT_STATUSES,
    LOG_FILE,
    ROLES,
    STATES,
    SYNC_MODES,
    TIMESTAMP,
    UNREADABLE,
    Converter,
    Problems,
    collapse,
    integer,
    name,
    shown,
    timestamp,
    word_of,
)
from hamnd.model.hadr import Endpoint, HadrChannel, LogPosition

TITLE: Final = "HADR Information:"

_LSN: Final = r"0x[0-9A-Fa-f]{16}"
_LOG: Final = rf"({LOG_FILE}) (\d{{1,10}}) ({_LSN})"

_LOG_WORD: Final = re.compile(rf"{LOG_FILE}|{_LSN}", re.ASCII)
"""A host that reads like this is the value line of another block, whose header got lost."""

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Block:
    """One block: the pattern of its (collapsed) value line and what the groups become."""

    title: str
    pattern: re.Pattern[str]
    read: Callable[[tuple[str, ...], Values], tuple[str, ...]]
    """Fill the values; return what could not be read."""


def _columns(*columns: tuple[str, Converter]) -> Callable[[tuple[str, ...], Values], Any]:
    """Return a reader that gives each group to one attribute."""

    def read(groups: tuple[str, ...], values: Values) -> tuple[str, ...]:
        unread = []
        for text, (attribute, convert) in zip(groups, columns, strict=True):
            value = convert(text)
            if value is UNREADABLE:
                unread.append(text)
            else:
                values[attribute] = value
        return tuple(unread)

    return read


def _endpoint(attribute: str) -> Callable[[tuple[str, ...], Values], tuple[str, ...]]:
    def read(groups: tuple[str, ...], values: Values) -> tuple[str, ...]:
        unread = tuple(text for text in groups if name(text) is UNREADABLE)
        unread += tuple(text for text in groups if _LOG_WORD.fullmatch(text) is not None)
        if not unread:
            values[attribute] = Endpoint(*groups)
        return unread

    return read


def _log(attribute: str) -> Callable[[tuple[str, ...], Values], tuple[str, ...]]:
    def read(groups: tuple[str, ...], values: Values) -> tuple[str, ...]:
        values[attribute] = LogPosition(groups[0], int(groups[1]), int(groups[2], 16))
        return ()

    return read


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII)


_WITH_EPOCH: Final = rf"({TIMESTAMP} \(\d{{1,11}}\))"

_BLOCKS: Final[Mapping[str, _Block]] = {
    "Role State SyncMode HeartBeatsMissed LogGapRunAvg (bytes)": _Block(
        "Role",
        _pattern(r"(\S+) (\S+) (\S+) (\S+) (\S+)"),
        _columns(
            ("role", word_of(ROLES)),
            ("state", word_of(STATES)),
            ("sync_mode", word_of(SYNC_MODES)),
            ("heartbeats_missed", integer),
            ("log_gap_avg_bytes", integer),
        ),
    ),
    "ConnectStatus ConnectTime Timeout": _Block(
        "ConnectStatus",
        _pattern(rf"(\S+) {_WITH_EPOCH} (\S+)"),
        _columns(
            ("connect_status", word_of(CONNECT_STATUSES)),
            ("connect_status_since", timestamp),
            ("timeout_s", integer),
        ),
    ),
    "PeerWindowEnd PeerWindow": _Block(
        "PeerWindowEnd",
        _pattern(rf"{_WITH_EPOCH} (\S+)"),
        _columns(("peer_window_end", timestamp), ("peer_window_s", integer)),
    ),
    "LocalHost LocalService": _Block("LocalHost", _pattern(r"(\S+) (\S+)"), _endpoint("local")),
    "RemoteHost RemoteService RemoteInstance": _Block(
        "RemoteHost", _pattern(r"(\S+) (\S+) (\S+)"), _endpoint("remote")
    ),
    "PrimaryFile PrimaryPg PrimaryLSN": _Block("PrimaryFile", _pattern(_LOG), _log("primary_log")),
    "StandByFile StandByPg StandByLSN": _Block("StandByFile", _pattern(_LOG), _log("standby_log")),
    "StandByFile StandByPg StandByLSN StandByRcvBufUsed": _Block(
        "StandByFile", _pattern(rf"{_LOG} \d{{1,3}}%"), _log("standby_log")
    ),
}

_REQUIRED: Final = (
    "Role",
    "ConnectStatus",
    "LocalHost",
    "RemoteHost",
    "PrimaryFile",
    "StandByFile",
)
"""Blocks 1, 2 and 4 to 7; without a peer window block 3 is not printed (§2)."""

_WORDS: Final = frozenset(word for header in _BLOCKS for word in header.split())
_COLUMN_NAME: Final = re.compile(r"[A-Z][A-Za-z]+[A-Za-z0-9_]*(?:\([a-z%]+\))?", re.ASCII)
_HEADER_CHARS_MAX: Final = 256


def is_block_header(line: str) -> bool:
    """Return whether a line is the header of one of the seven blocks, however spaced."""
    return len(line) <= _HEADER_CHARS_MAX and collapse(line) in _BLOCKS


@dataclass(slots=True)
class ColumnScan:
    """What the lines below a header hold: values by block, strays, unknown columns."""

    blocks: dict[str, Values] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    has_title: bool = False


def scan_columns(lines: list[str], problems: Problems) -> ColumnScan:
    """Read the blocks out of the lines below a header."""
    scan = ColumnScan()
    rows = [collapse(line) for line in lines]
    last = ""
    index = 0
    while index < len(rows):
        row = rows[index]
        index += 1
        if not row:
            last = ""
        elif row == TITLE:
            scan.has_title = True
            last = ""
        elif (header := _known_header(row)) is not None:
            last = _BLOCKS[header].title
            while index < len(rows) and not rows[index]:
                index += 1
            value = rows[index] if index < len(rows) else ""
            if not value or _known_header(value) is not None or value == TITLE:
                problems.add(f"{last}: no values below the header")
                scan.blocks.setdefault(last, {})
                continue
            index += 1
            _read_block(scan, header, row, value, problems)
        elif _unknown_field(row, scan):
            last = ""
        elif not last and _unknown_block(rows, index - 1, scan):
            index += 1
        else:
            _stray(scan, last, row, problems)
            last = ""
    return scan


def _known_header(row: str) -> str | None:
    """Return the words of the known header that a row begins with, the longest one first.

    A newer fix pack may append columns, so the rest may be column names and nothing else.
    """
    if row in _BLOCKS:
        return row
    if len(row) > _HEADER_CHARS_MAX:
        return None
    words = row.split(" ")
    for count in range(len(words) - 1, 1, -1):
        header = " ".join(words[:count])
        if header in _BLOCKS:
            extra = words[count:]
            new = all(_COLUMN_NAME.fullmatch(word) and word not in _WORDS for word in extra)
            return header if new else None
    return None


def _read_block(scan: ColumnScan, header: str, row: str, value: str, problems: Problems) -> None:
    """Read the value line of one known block, and its unknown columns."""
    block = _BLOCKS[header]
    extra = row[len(header) :].split()
    pieces = value.rsplit(" ", len(extra)) if extra else [value]
    found = block.pattern.fullmatch(pieces[0]) if len(pieces) == len(extra) + 1 else None
    values: Values = {}
    if found is None:
        problems.add(f"{block.title}: cannot read {shown(value)}")
    else:
        for text in block.read(found.groups(), values):
            problems.add(f"{block.title}: cannot read {shown(text)}")
        scan.unknown.update(zip(extra, pieces[1:], strict=True))
    if block.title in scan.blocks:
        problems.add(f"{block.title} is there twice")
        if scan.blocks[block.title] != values:
            scan.blocks[block.title] = {}
    else:
        scan.blocks[block.title] = values


def _unknown_field(row: str, scan: ColumnScan) -> bool:
    """Take a `KEY = VALUE` line; the rest of a folded line never looks like one here."""
    key, equals, text = row.partition(" = ")
    if not equals or _UNKNOWN_KEY.fullmatch(key) is None or key in scan.unknown:
        return False
    scan.unknown[key] = text
    return True


def _unknown_block(rows: list[str], start: int, scan: ColumnScan) -> bool:
    """Take an unknown block of two rows, if there is one.

    It must stand alone between blank lines, with one value for each column name; anything less
    regular could be the rest of a folded line.
    """
    names = rows[start].split(" ")
    values = rows[start + 1].split(" ") if start + 1 < len(rows) else []
    is_alone = start + 2 >= len(rows) or not rows[start + 2]
    if not is_alone or len(names) != len(values) or values == [""]:
        return False
    for column in names:
        if _COLUMN_NAME.fullmatch(column) is None or column in _WORDS or column in scan.unknown:
            return False
    scan.unknown.update(zip(names, values, strict=True))
    return True


_UNKNOWN_KEY: Final = re.compile(r"[A-Z][A-Z0-9_]*(?:\([a-z]+\))?", re.ASCII)


def _stray(scan: ColumnScan, last: str, row: str, problems: Problems) -> None:
    """Take note of an unexplained line; right below a value line it takes the block with it."""
    scan.strays.append(row)
    if last and scan.blocks.get(last):
        problems.add(f"{last}: the values may go on in the next line")
        scan.blocks[last] = {}


def build_channel(scan: ColumnScan, problems: Problems) -> HadrChannel:
    """Make the one channel of a 9.x output; what was not read stays None."""
    for title in _REQUIRED:
        if title not in scan.blocks:
            problems.add(f"the block {title} is missing")
    logs = [title for title in ("PrimaryFile", "StandByFile") if title in scan.blocks]
    if len(logs) == 1:
        # The lines between the two got lost: these values may stand below the wrong header.
        problems.add(
            f"{logs[0]}: with the other log block lost, it is unclear whose values these are"
        )
        scan.blocks[logs[0]] = {}
    values: Values = {}
    for block in scan.blocks.values():
        values.update(block)
    if scan.unknown:
        values["unknown_fields"] = dict(scan.unknown)
    return HadrChannel(**values)
