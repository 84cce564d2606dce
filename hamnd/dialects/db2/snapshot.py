"""The HADR section of `GET SNAPSHOT FOR DB ON X`, a cross-check for db2pd (db2-hadr.md §7).

Owns the section's labels and joining of wrapped lines. Must not know the rest of the snapshot,
except the database's name and status. No HADR section means "no information", never "no HADR":
newer releases do not print it any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Final

from hamnd.dialects.db2.clp import INSTANCE_NOT_STARTED, message_ids
from hamnd.dialects.db2.words import (
    CONNECT_STATUSES,
    ROLES,
    STATES,
    SYNC_MODES,
    TEXT_CHARS_MAX,
    UNREADABLE,
    Converter,
    Problems,
    collapse,
    hex_position,
    integer,
    name,
    shown,
    timestamp,
    whole_lines,
    word_of,
)
from hamnd.model.hadr import Endpoint, HadrChannel, HadrReport, ParseVerdict, ReportKind

_SECTION: Final = re.compile(r"HADR status", re.IGNORECASE)

_CONNECT_STATUS: Final = word_of(CONNECT_STATUSES)


def _connection(text: str) -> Any:
    """Convert `Connected, 03/14/2026 09:16:20.118402`; this timestamp has no epoch (§7)."""
    word, comma, time = text.partition(",")
    status = _CONNECT_STATUS(word)
    since = timestamp(time.strip()) if comma else UNREADABLE
    return UNREADABLE if UNREADABLE in (status, since) else (status, since)


# Label without blanks, lower case -> (key, converter). Keys with a dot are parts of an endpoint.
_LABELS: Final[Mapping[str, tuple[str, Converter]]] = {
    "role": ("role", word_of(ROLES)),
    "state": ("state", word_of(STATES)),
    "synchronizationmode": ("sync_mode", word_of(SYNC_MODES)),
    "connectionstatus": ("connection", _connection),
    "peerwindowend": ("peer_window_end", timestamp),
    "peerwindow(seconds)": ("peer_window_s", integer),
    "heartbeatsmissed": ("heartbeats_missed", integer),
    "heartbeatmissed": ("heartbeats_missed", integer),
    "localhost": ("local.host", name),
    "localservice": ("local.service", name),
    "remotehost": ("remote.host", name),
    "remoteservice": ("remote.service", name),
    "remoteinstance": ("remote.instance", name),
    "timeout(seconds)": ("timeout_s", integer),
    "primarylogposition(file,page,lsn)": ("primary_log", hex_position),
    "standbylogposition(file,page,lsn)": ("standby_log", hex_position),
    "loggaprunningaverage(bytes)": ("log_gap_avg_bytes", integer),
}

_OPTIONAL: Final = frozenset({"peer_window_end", "peer_window_s"})
"""Printed only with HADR_PEER_WINDOW above 0 (§7)."""

_REQUIRED: Final = tuple(dict.fromkeys(key for key, _ in _LABELS.values() if key not in _OPTIONAL))

_CONVERTERS: Final = dict(_LABELS.values())
_ENDPOINTS: Final = {
    "local": ("host", "service"),
    "remote": ("host", "service", "instance"),
}

_PLAIN: Final = re.compile(r"[\w@#$ -]{0,128}", re.ASCII)
_UNKNOWN_LABEL: Final = re.compile(r"[A-Za-z][\w ,.:/%()-]{0,127}", re.ASCII)


def parse_snapshot(text: str) -> HadrReport:
    """Read the HADR section out of a database snapshot."""
    problems = Problems()
    if len(text) > TEXT_CHARS_MAX:
        problems.add(f"the text has {len(text)} characters, more than hamnd reads")
        return _report(ParseVerdict.UNPARSEABLE, problems)
    lines, rest = whole_lines(text)
    starts = [
        index for index, line in enumerate(lines) if _SECTION.fullmatch(line.strip()) is not None
    ]
    if not starts:
        return _without_section(lines, rest, problems)
    fields = _fields(lines[starts[0] + 1 :], problems)
    channel = _channel(fields, problems)
    if len(starts) > 1:
        problems.add(f"the text holds {len(starts)} HADR sections: only the first one was read")
    if rest:
        problems.add(f"the text ends in the middle of a line: {shown(rest)}")
    above = lines[: starts[0]]
    database = _above(above, "Database name", problems)
    status = _above(above, "Database status", problems)
    return _report(
        ParseVerdict.INCOMPLETE if len(problems) else ParseVerdict.OK,
        problems,
        database=database,
        database_status=status,
        channels=(channel,),
    )


def _report(verdict: ParseVerdict, problems: Problems, **values: Any) -> HadrReport:
    return HadrReport(
        kind=ReportKind.SNAPSHOT, verdict=verdict, problems=problems.lines(), **values
    )


def _without_section(lines: list[str], rest: str, problems: Problems) -> HadrReport:
    """Judge a text that has no HADR section."""
    if INSTANCE_NOT_STARTED in message_ids("\n".join([*lines, rest])):
        return _report(ParseVerdict.INSTANCE_DOWN, problems)
    if any(collapse(line) == "Database Snapshot" for line in lines):
        problems.add("the snapshot has no HADR section: that is no information about HADR")
        database = _above(lines, "Database name", problems)
        status = _above(lines, "Database status", problems)
        return _report(ParseVerdict.INCOMPLETE, problems, database=database, database_status=status)
    first = next((line.strip() for line in (*lines, rest) if line.strip()), "")
    problems.add(f"not a database snapshot: {shown(first)}" if first else "there is no output")
    return _report(ParseVerdict.UNPARSEABLE, problems)


def _above(lines: list[str], label: str, problems: Problems) -> str | None:
    """Return the one value of a label above the section; None when it is not exactly one."""
    values = set()
    for line, below in zip_longest(lines, lines[1:], fillvalue=""):
        printed, equals, value = line.partition("=")
        if equals and collapse(printed) == label:
            goes_on = below.strip() and "=" not in below
            values.add(f"{collapse(value)} ..." if goes_on else collapse(value))
    if not values:
        return None
    first = values.pop()
    if values or _PLAIN.fullmatch(first) is None:
        problems.add(f"{label}: not one value that can be read: {shown(first)}")
        return None
    return first or None


def _fields(lines: list[str], problems: Problems) -> dict[str, str]:
    """Return the values up to the first blank line, by attribute or unknown label.

    A line without `=` belongs to the value above it (§7). It is joined with a blank, so a number
    or name that was cut in two is no number or name any more.
    """
    pieces: dict[str, list[str]] = {}
    doubted: set[str] = set()
    last: list[str] | None = None
    for raw in lines:
        line = raw.strip()
        if not line:
            break
        label, equals, value = line.partition("=")
        label = label.rstrip()
        if not equals:
            if last is None:
                problems.add(f"not a line of the HADR section: {shown(line)}")
            else:
                last.append(line)
            continue
        spec = _LABELS.get("".join(label.split()).lower())
        key = spec[0] if spec else label
        last = [value.strip()]
        if key in pieces:
            problems.add(f"{label} is there twice")
            doubted.add(key)
        elif spec is None and _UNKNOWN_LABEL.fullmatch(label) is None:
            problems.add(f"not a label of the HADR section: {shown(label)}")
        else:
            pieces[key] = last
    return {key: " ".join(lines).strip() for key, lines in pieces.items() if key not in doubted}


def _channel(fields: dict[str, str], problems: Problems) -> HadrChannel:
    """Convert the section's values; what is missing or unreadable stays None."""
    values: dict[str, Any] = {}
    unknown: dict[str, str] = {}
    for key, text in fields.items():
        convert = _CONVERTERS.get(key)
        if convert is None:
            unknown[key] = text
            continue
        value = convert(text)
        if value is UNREADABLE:
            problems.add(f"{key}: cannot read {shown(text)}")
        else:
            values[key] = value
    for key in _REQUIRED:
        if key not in fields:
            problems.add(f"{key} is missing")
    status, since = values.pop("connection", (None, None))
    for side, parts in _ENDPOINTS.items():
        found = [values.pop(f"{side}.{part}", None) for part in parts]
        values[side] = Endpoint(*found) if None not in found else None
    if unknown:
        values["unknown_fields"] = unknown
    return HadrChannel(connect_status=status, connect_status_since=since, **values)
