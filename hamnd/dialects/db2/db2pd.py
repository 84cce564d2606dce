"""`db2pd -db X -hadr`: one text into one `HadrReport` (db2-hadr.md §2 to §5).

Owns the `Database Partition|Member` header, the texts printed when there is nothing to show, and
the verdict. Must not know the fields of either layout (fields.py, columns.py) nor the exit code:
it is not a health signal (§1 rule 7).

The parser is total and works in linear time. Two databases or two runs in one text are never
mixed: the first is read and the verdict is incomplete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hamnd.dialects.db2.columns import build_channel, is_block_header, scan_columns
from hamnd.dialects.db2.fields import FieldScan
from hamnd.dialects.db2.words import TEXT_CHARS_MAX, Problems, collapse, shown, whole_lines
from hamnd.model.hadr import HadrChannel, HadrLayout, HadrReport, ParseVerdict, ReportKind

_HEADER: Final = re.compile(
    r"Database (?:Partition|Member) \d{1,5} -- Database ([\w@#$]{1,128})"
    r" -- ([A-Za-z][A-Za-z ]{0,60}) -- Up (\d{1,6}) days (\d\d):(\d\d):(\d\d)"
    r"(?: -- Date (?:\d\d/\d\d/\d{4} \d\d:\d\d:\d\d"
    r"|\d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d(?:\.\d{1,6})?))?",
    re.ASCII,
)
"""§4. The date is local time without an offset: recognised and not used."""

_HEADER_STARTS: Final = ("Database Partition ", "Database Member ")
_HEADER_LINES_MAX: Final = 6
_HEADER_CHARS_MAX: Final = 400

_NOT_ACTIVE: Final = "HADR is not active."
_TRANSIENT: Final = "Changing data structure forced command termination"
_NO_ATTACH: Final = "Unable to attach to database manager"
_NOT_ACTIVATED: Final = "not activated"
"""The only part of this text that is certain in 9.x (§5)."""
_NOT_ACTIVATED_NAME: Final = re.compile(r"Database ([\w@#$]{1,128}) not activated", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Header:
    database: str
    status: str
    uptime_s: int


@dataclass(frozen=True, slots=True)
class _Sections:
    """The text cut at its headers; `body` is what stands below the first one."""

    before: list[str]
    header: _Header | None
    body: list[str]
    header_count: int


@dataclass(frozen=True, slots=True)
class _Body:
    """What the lines below the header hold in either layout."""

    layout: HadrLayout | None = None
    channels: tuple[HadrChannel, ...] = ()
    strays: tuple[str, ...] = ()


def parse_db2pd(text: str) -> HadrReport:
    """Read one output of `db2pd -hadr`, whatever was done to it on its way here."""
    problems = Problems()
    if len(text) > TEXT_CHARS_MAX:
        problems.add(f"the text has {len(text)} characters, more than db2pd ever prints")
        return _report(ParseVerdict.UNPARSEABLE, None, _Body(), problems)
    lines, rest = whole_lines(text)
    sections = _cut_at_headers(lines, problems)
    body = _read_body(sections.body, problems)
    before = [line.strip() for line in sections.before if line and not line.isspace()]
    unexplained = [*before, *body.strays, rest]
    situations = _situations(unexplained) if any(unexplained) else frozenset()
    if ParseVerdict.TRANSIENT in situations:
        # Whatever stands beside this sentence was read while it changed.
        return _report(ParseVerdict.TRANSIENT, sections.header, _Body(), Problems())
    if not body.channels:
        if sections.header_count:
            below = [*body.strays, rest]
            return _inactive_or_incomplete(sections.header, below, body, problems)
        return _down_or_unparseable(situations, unexplained, problems)
    for line in body.strays:
        problems.add(f"not a line of db2pd -hadr: {shown(line)}")
    if before and (FieldScan(before).blocks or any(map(is_block_header, before))):
        problems.add("fields stand above the header line")
    if situations:
        problems.add("the text also says that there is nothing to show")
    if sections.header_count == 0:
        problems.add("there is no header line")
    if rest:
        problems.add(f"the text ends in the middle of a line: {shown(rest)}")
    verdict = ParseVerdict.INCOMPLETE if len(problems) else ParseVerdict.OK
    return _report(verdict, sections.header, body, problems)


def _report(
    verdict: ParseVerdict, header: _Header | None, body: _Body, problems: Problems
) -> HadrReport:
    return HadrReport(
        kind=ReportKind.DB2PD,
        verdict=verdict,
        layout=body.layout,
        database=header.database if header else None,
        database_status=header.status if header else None,
        uptime_s=header.uptime_s if header else None,
        problems=problems.lines(),
        channels=body.channels,
    )


def _cut_at_headers(lines: list[str], problems: Problems) -> _Sections:
    """Find the header lines; a wrapped one is put together again at its `--` (§4)."""
    starts = [
        index
        for index, line in enumerate(lines)
        if "Database" in line and collapse(line).startswith(_HEADER_STARTS)
    ]
    if not starts:
        return _Sections([], None, lines, 0)
    first = starts[0]
    row = collapse(lines[first])
    end = first + 1
    while end < len(lines) and end - first < _HEADER_LINES_MAX and len(row) < _HEADER_CHARS_MAX:
        following = collapse(lines[end])
        if not following or not (row.endswith("--") or following.startswith("--")):
            break
        row = f"{row} {following}"
        end += 1
    header = None
    found = _HEADER.fullmatch(row) if len(row) < 2 * _HEADER_CHARS_MAX else None
    if found is None:
        problems.add(f"cannot read the header line {shown(row)}")
    else:
        days, hours, minutes, seconds = (int(found[group]) for group in range(3, 7))
        uptime_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        header = _Header(found[1], found[2], uptime_s)
    if len(starts) > 1:
        problems.add(f"the text holds {len(starts)} outputs: only the first one was read")
    body = lines[end : starts[1]] if len(starts) > 1 else lines[end:]
    return _Sections(lines[:first], header, body, len(starts))


def _read_body(lines: list[str], problems: Problems) -> _Body:
    """Read the channels in whichever layout the lines have."""
    fields = FieldScan(lines)
    if fields.blocks:
        return _Body(HadrLayout.FIELDS, fields.channels(problems), tuple(fields.strays))
    columns = scan_columns(lines, problems)
    strays = tuple(columns.strays)
    if columns.blocks:
        return _Body(HadrLayout.COLUMNS, (build_channel(columns, problems),), strays)
    return _Body(HadrLayout.COLUMNS if columns.has_title else None, (), strays)


def _situations(lines: list[str]) -> frozenset[ParseVerdict]:
    """Return which of the texts of §5 the unexplained lines hold, folded or not."""
    text = collapse(" ".join(lines))
    found = set()
    if _TRANSIENT in text:
        found.add(ParseVerdict.TRANSIENT)
    if _NO_ATTACH in text:
        found.add(ParseVerdict.INSTANCE_DOWN)
    if _NOT_ACTIVATED in text:
        found.add(ParseVerdict.DATABASE_DOWN)
    if _NOT_ACTIVE in lines:
        found.add(ParseVerdict.HADR_INACTIVE)
    return frozenset(found)


def _inactive_or_incomplete(
    header: _Header | None, below: list[str], body: _Body, problems: Problems
) -> HadrReport:
    """Judge a text with a header and no channel."""
    others = [line for line in below if line and line != _NOT_ACTIVE]
    if _NOT_ACTIVE in below and not others and not len(problems):
        return _report(ParseVerdict.HADR_INACTIVE, header, body, problems)
    for line in others:
        problems.add(f"not a line of db2pd -hadr: {shown(line)}")
    problems.add("below the header line there is no HADR block that could be read")
    return _report(ParseVerdict.INCOMPLETE, header, body, problems)


def _down_or_unparseable(
    situations: frozenset[ParseVerdict], unexplained: list[str], problems: Problems
) -> HadrReport:
    """Judge a text without header and channel: one clear sentence of §5, or nothing usable."""
    if situations in ({ParseVerdict.DATABASE_DOWN}, {ParseVerdict.INSTANCE_DOWN}):
        (verdict,) = situations
        named = _NOT_ACTIVATED_NAME.search(collapse(" ".join(unexplained)))
        return HadrReport(
            kind=ReportKind.DB2PD, verdict=verdict, database=named[1] if named else None
        )
    if situations:
        problems.add("the text says why it shows nothing, but contradicts itself or names nothing")
    elif any(unexplained):
        first = next(line for line in unexplained if line)
        problems.add(f"not an output of db2pd -hadr: {shown(first)}")
    else:
        problems.add("there is no output")
    return _report(ParseVerdict.UNPARSEABLE, None, _Body(), problems)
