"""The `KEY = VALUE` layout of `db2pd -hadr`, 10.1 to 12.1 (db2-hadr.md §3).

Owns the field table and the reading of the lines below one header into channels. Must not know
headers, error texts or verdicts (db2pd.py). Any subset, any order and unknown keys are read; what
cannot be told apart from damage becomes a problem and its value is dropped:

* A line without `=` may be the rest of a folded line, so the value above it is not used.
* A key printed twice in one block means that a line between two blocks got lost, or two runs were
  pasted together.
* A value that holds another key means that a line end got lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from hamnd.dialects.db2.words import (
    CONNECT_STATUSES,
    NO_VALUE,
    ROLES,
    STATES,
    SYNC_MODES,
    UNREADABLE,
    Converter,
    Problems,
    flags,
    integer,
    name,
    position,
    shown,
    timestamp,
    word_of,
    yes_or_no,
)
from hamnd.model.hadr import HadrChannel

ROLE_KEY: Final = "HADR_ROLE"
"""Blocks are split on this key: pasted output often loses its blank lines (§3.3)."""

# Key -> (attribute of HadrChannel, converter); None for a documented key that hamnd does not use.
FIELDS: Final[Mapping[str, tuple[str, Converter] | None]] = {
    ROLE_KEY: ("role", word_of(ROLES)),
    "REPLAY_TYPE": None,
    "HADR_SYNCMODE": ("sync_mode", word_of(SYNC_MODES)),
    "STANDBY_ID": ("standby_id", integer),
    "LOG_STREAM_ID": ("log_stream_id", integer),
    "HADR_STATE": ("state", word_of(STATES)),
    "HADR_FLAGS": ("flags", flags),
    "PRIMARY_MEMBER_HOST": ("primary_host", name),
    "PRIMARY_INSTANCE": None,
    "PRIMARY_MEMBER": None,
    "STANDBY_MEMBER_HOST": ("standby_host", name),
    "STANDBY_INSTANCE": None,
    "STANDBY_MEMBER": None,
    "HADR_CONNECT_STATUS": ("connect_status", word_of(CONNECT_STATUSES)),
    "HADR_CONNECT_STATUS_TIME": ("connect_status_since", timestamp),
    "HEARTBEAT_INTERVAL(seconds)": ("heartbeat_interval_s", integer),
    "HEARTBEAT_MISSED": ("heartbeats_missed", integer),
    "HEARTBEAT_EXPECTED": ("heartbeats_expected", integer),
    "HADR_TIMEOUT(seconds)": ("timeout_s", integer),
    "TIME_SINCE_LAST_RECV(seconds)": ("since_last_recv_s", integer),
    "PEER_WAIT_LIMIT(seconds)": None,
    "LOG_HADR_WAIT_CUR(seconds)": None,
    "LOG_HADR_WAIT_RECENT_AVG(seconds)": None,
    "LOG_HADR_WAIT_ACCUMULATED(seconds)": None,
    "LOG_HADR_WAIT_COUNT": None,
    "SOCK_SEND_BUF_REQUESTED,ACTUAL(bytes)": None,
    "SOCK_RECV_BUF_REQUESTED,ACTUAL(bytes)": None,
    "PRIMARY_LOG_FILE,PAGE,POS": ("primary_log", position),
    "STANDBY_LOG_FILE,PAGE,POS": ("standby_log", position),
    "HADR_LOG_GAP(bytes)": ("log_gap_avg_bytes", integer),
    "STANDBY_REPLAY_LOG_FILE,PAGE,POS": ("standby_replay_log", position),
    "STANDBY_RECV_REPLAY_GAP(bytes)": ("replay_gap_avg_bytes", integer),
    "PRIMARY_LOG_TIME": ("primary_log_time", timestamp),
    "STANDBY_LOG_TIME": ("standby_log_time", timestamp),
    "STANDBY_REPLAY_LOG_TIME": ("standby_replay_log_time", timestamp),
    "STANDBY_RECV_BUF_SIZE(pages)": None,
    "STANDBY_RECV_BUF_PERCENT": None,
    "STANDBY_SPOOL_LIMIT(pages)": None,
    "STANDBY_SPOOL_PERCENT": ("spool_percent", integer),
    "STANDBY_ERROR_TIME": ("standby_error_time", timestamp),
    "PEER_WINDOW(seconds)": ("peer_window_s", integer),
    "PEER_WINDOW_END": ("peer_window_end", timestamp),
    "TAKEOVER_APP_REMAINING_PRIMARY": ("takeover_remaining_primary", integer),
    "TAKEOVER_APP_REMAINING_STANDBY": ("takeover_remaining_standby", integer),
    "READS_ON_STANDBY_ENABLED": ("reads_on_standby", yes_or_no),
    "STANDBY_REPLAY_ONLY_WINDOW_ACTIVE": ("replay_only_window", yes_or_no),
    "STANDBY_REPLAY_ONLY_WINDOW_START": None,
    "STANDBY_REPLAY_ONLY_WINDOW_TRAN_COUNT": None,
    "STANDBY_REPLAY_DELAY(seconds)": ("replay_delay_s", integer),
}

WORDS_REQUIRED: Final = frozenset({ROLE_KEY, "HADR_STATE", "HADR_CONNECT_STATUS"})
"""The minimal set (§3.1): NULL is no answer to any of them."""

REQUIRED: Final = (
    ROLE_KEY,
    "HADR_STATE",
    "HADR_CONNECT_STATUS",
    "PRIMARY_LOG_FILE,PAGE,POS",
    "STANDBY_LOG_FILE,PAGE,POS",
    "READS_ON_STANDBY_ENABLED",
)
"""A block without one of them is incomplete (design §12)."""

_IDENTITY: Final = frozenset({"STANDBY_ID", "LOG_STREAM_ID", "STANDBY_MEMBER_HOST"})
"""Two values of one of these in one block: the HADR_ROLE between two blocks got lost."""

_UNKNOWN_KEY = re.compile(r"[A-Za-z][\w.,:/%#$@+()\[\]-]*", re.ASCII)
_NOT_LETTERS = re.compile(r"[^A-Z0-9]+")


def _letters(key: str) -> str:
    return _NOT_LETTERS.sub("", key.upper())


_LETTERS_OF_FIELDS: Final = frozenset(_letters(key) for key in FIELDS)


def is_unknown_key(key: str) -> bool:
    """Return whether this is a key of a newer release, and not a known key that was damaged."""
    if len(key) > 128:
        return False
    letters = _letters(key)
    if letters in _LETTERS_OF_FIELDS:
        return False
    words = key.split()
    if len(words) > 1 and any(known in letters for known in _LETTERS_OF_FIELDS):
        return False
    return bool(words) and all(_UNKNOWN_KEY.fullmatch(word) is not None for word in words)


def _holds_a_field(value: str) -> bool:
    """Return whether the value of an unknown key that has a `=` swallowed another field."""
    before = (part.rsplit(None, 1)[-1:] for part in value.split("=")[:-1])
    return " = " in value or any(word in FIELDS for words in before for word in words)


class FieldScan:
    """The lines below a header sorted into blocks of raw fields, before any value is converted.

    Attributes:
        blocks: one dict of raw fields per channel.
        unknown: unknown keys before the first known one; 9.x texts can have nothing else.
        strays: lines that are no field, in the order of the text.
    """

    __slots__ = (
        "_after_blank", "_block", "_conflicts", "_doubted", "_is_order_odd", "_last", "_problems",
        "blocks", "strays", "unknown",
    )  # fmt: skip

    def __init__(self, lines: list[str]) -> None:
        """Sort the lines; what looks wrong is told by `channels`."""
        self.blocks: list[dict[str, str]] = []
        self.unknown: dict[str, str] = {}
        self.strays: list[str] = []
        self._problems = Problems()
        self._block = self.unknown
        self._last: tuple[dict[str, str], str] | None = None
        """Block and key of the line above, None after a stray or a blank line."""
        self._after_blank = True
        self._doubted: list[tuple[dict[str, str], str]] = []
        self._conflicts: dict[int, tuple[dict[str, str], set[str]]] = {}
        """Blocks with keys that have two values, by the block's identity."""
        self._is_order_odd = False
        for raw in lines:
            line = raw.strip()
            if line:
                self._line(line)
                self._after_blank = False
            else:
                self._after_blank = True
                self._last = None

    def _line(self, line: str) -> None:
        key, equals, value = line.partition("=")
        key = key.rstrip()
        if equals and key in FIELDS:
            self._enter_block(key)
        elif not (equals and (self._last or self._after_blank) and is_unknown_key(key)):
            # No field: perhaps the rest of the line above, whose value then is only a part.
            if self._last is not None:
                self._doubted.append(self._last)
            self._last = None
            self.strays.append(line)
            return
        value = value.lstrip()
        block = self._block
        self._last = (block, key)
        printed = block.get(key, self.unknown.get(key))
        if printed is not None:
            self._problems.add(f"{key} is there twice in one block")
            if printed != value:
                self._doubted.append(self._last)
                self._conflicts.setdefault(id(block), (block, set()))[1].add(key)
            return
        block[key] = value
        if "=" in value and (key in FIELDS or _holds_a_field(value)):
            self._problems.add(f"{key}: two lines ran into one: {shown(value)}")
            self._doubted.append(self._last)

    def _enter_block(self, key: str) -> None:
        """Choose the block of a known key: the role opens one, unless its block has none yet."""
        is_role = key == ROLE_KEY
        if not self.blocks or (is_role and ROLE_KEY in self._block):
            self._block = {}
            self.blocks.append(self._block)
        elif is_role or self._after_blank:
            self._is_order_odd = True

    def channels(self, problems: Problems) -> tuple[HadrChannel, ...]:
        """Convert the blocks; every field that is missing, damaged or doubtful stays None."""
        problems.absorb(self._problems)
        for block, key in self._doubted:
            if block.pop(key, None) is not None:
                problems.add(f"{key}: the value may be cut or belong to another block")
        for block, keys in self._conflicts.values():
            if len(keys) > 1 or not keys.isdisjoint(_IDENTITY):
                problems.add("two blocks ran into one: their values cannot be told apart")
                for key in block.keys() - {ROLE_KEY}:
                    del block[key]
        if len(self.blocks) < 2:
            return tuple(_channel({**self.unknown, **block}, "", problems) for block in self.blocks)
        if self._is_order_odd:
            problems.add("fields stand outside the block that begins with their HADR_ROLE")
        first, *others = self.blocks
        channels = tuple(
            _channel(block, f"block {number}: ", problems)
            for number, block in enumerate([{**self.unknown, **first}, *others], start=1)
        )
        if len({channel.role for channel in channels}) == 1:
            return channels
        # All blocks print the role of the database that db2pd was run on (§3.1).
        problems.add("the blocks name different roles: they are not from one run")
        return tuple(replace(channel, role=None) for channel in channels)


def _channel(block: dict[str, str], where: str, problems: Problems) -> HadrChannel:
    """Convert one block; every field that is missing, empty or unreadable stays None."""
    values: dict[str, Any] = {}
    unknown: dict[str, str] = {}
    for key, text in block.items():
        if key not in FIELDS:
            unknown[key] = text
            continue
        spec = FIELDS[key]
        if spec is None:
            continue
        if text in NO_VALUE:
            if key in WORDS_REQUIRED or (not text and key in REQUIRED):
                problems.add(f"{where}{key} has no value")
            continue
        attribute, convert = spec
        value = convert(text)
        if value is UNREADABLE:
            problems.add(f"{where}{key}: cannot read {shown(text)}")
        else:
            values[attribute] = value
    for key in REQUIRED:
        if key not in block:
            problems.add(f"{where}{key} is missing")
    if unknown:
        values["unknown_fields"] = unknown
    return HadrChannel(**values)
