"""Words and columns that every screen shares: ages, clocks, sizes, marks, wrapped lines.

Owns how a number becomes a word and how a sentence becomes lines of a given width. Must not know
any document, nor import more than the standard library: `hamnctl status` starts with it.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Document = Mapping[str, Any]
"""A decoded JSON document: what the daemon answers, and all that text is rendered from."""

GOOD, BAD, UNKNOWN, PLAIN = "*", "!", "?", " "
"""The marks: as it should be, contradicts what is expected, unknown, nothing to say."""

WIDTH = 80
HEIGHT = 24
LABEL = 8
"""Columns of `LABEL ? `: a label of five, a blank, the mark, a blank."""

MINUTE, HOUR, DAY = 60, 3600, 86400
LARGEST_WALL_S = 253_402_300_799
"""9999-12-31T23:59:59Z; a wall time past it is damage and is shown as unknown."""

_GLUE = "\u00a0"
_NUMBER_AND_UNIT = re.compile(r"(\d) (s|B|KiB|MiB|GiB|TiB|ago)\b")
"""A number and its unit stay on one line; clean() has removed every glue from the text itself."""

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def span(seconds: float | None) -> str:
    """Say a duration exactly enough to act on: ``12 s``, ``1m51s``, ``3h10m``, ``23d 4h``."""
    if seconds is None:
        return "?"
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        minutes, rest = divmod(whole, MINUTE)
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    if whole < DAY:
        hours, rest = divmod(whole, HOUR)
        return f"{hours}h{rest // MINUTE:02d}m" if rest >= MINUTE else f"{hours}h"
    days, rest = divmod(whole, DAY)
    return f"{days}d {rest // HOUR}h" if rest >= HOUR else f"{days}d"


def rough(seconds: float | None) -> str:
    """Say a duration with one number, for columns: ``40s``, ``4m``, ``11h``, ``10d``."""
    if seconds is None:
        return "?"
    whole = max(0, int(seconds))
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if whole >= unit:
            return f"{whole // unit}{letter}"
    return f"{whole}s"


def ago(now: float | None, then: float | None) -> str:
    """Say how old something is: ``3 s ago``; ``never`` without a time; a future time is named."""
    if now is None or then is None:
        return "never"
    if then - now >= 1:
        return f"in {span(then - now)}"
    return f"{span(now - then)} ago"


def short_duration(seconds: float | None) -> str:
    """Say how long a step took: ``0.4s``, ``12.3s``, ``1m21s``."""
    if seconds is None:
        return ""
    return f"{max(0.0, seconds):.1f}s" if seconds < MINUTE else span(seconds)


def stopwatch(seconds: float | None) -> str:
    """Say an elapsed time as ``MM:SS`` or ``H:MM:SS``."""
    whole = max(0, int(seconds or 0))
    minutes, rest = divmod(whole, MINUTE)
    if minutes < MINUTE:
        return f"{minutes:02d}:{rest:02d}"
    return f"{minutes // MINUTE}:{minutes % MINUTE:02d}:{rest:02d}"


def _moment(wall_s: float | None) -> datetime | None:
    if wall_s is None or not 0 <= wall_s <= LARGEST_WALL_S:
        return None
    return datetime.fromtimestamp(int(wall_s), tz=UTC)


def clock(wall_s: float | None) -> str:
    """Say a wall time of today: ``03:05:57`` (UTC)."""
    moment = _moment(wall_s)
    return "??:??:??" if moment is None else moment.strftime("%H:%M:%S")


def day(wall_s: float | None) -> str:
    """Say a date: ``2026-11-22`` (UTC)."""
    moment = _moment(wall_s)
    return "????-??-??" if moment is None else moment.strftime("%Y-%m-%d")


def stamp(wall_s: float | None) -> str:
    """Say a wall time on any day: ``2026-11-22 03:05:57Z``."""
    return f"{day(wall_s)} {clock(wall_s)}Z"


def when(now: float | None, then: float | None) -> str:
    """Say a wall time with its date unless it lies within twelve hours of now."""
    if now is not None and then is not None and abs(now - then) < DAY / 2:
        return f"{clock(then)}Z"
    return stamp(then)


def clock_on(base: float | None, wall_s: float | None) -> str:
    """Say a wall time of a story that is dated by `base`: with its day where that is another."""
    is_other = wall_s is not None and base is not None and day(wall_s) != day(base)
    return f"{day(wall_s)} {clock(wall_s)}" if is_other else clock(wall_s)


def weekday_clock(wall_s: float | None) -> str:
    """Say the moment a screen was made: ``Sun 14:02:11Z``."""
    moment = _moment(wall_s)
    return "" if moment is None else f"{_WEEKDAYS[moment.weekday()]} {moment:%H:%M:%S}Z"


def size(count: float | None) -> str:
    """Say a number of bytes: ``0 B``, ``4.2 kB``, ``1.0 MiB``; ``?`` when not known."""
    if count is None:
        return "?"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def signed_seconds(seconds: float | None) -> str:
    """Say a clock skew: ``+0.2s``."""
    return "?" if seconds is None else f"{seconds:+.1f}s"


def plan_name(digest: str) -> str:
    """Shorten a digest to what people compare and type: ``7f3a-91c2``."""
    bare = digest.partition(":")[2] or digest
    return bare if "-" in bare or len(bare) < 8 else f"{bare[:4]}-{bare[4:8]}"


def plural(count: int, noun: str) -> str:
    """Say a count with its noun: ``1 step``, ``14 steps``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def printable(text: object) -> str:
    """Return text without control characters: what a tool said never drives a terminal."""
    return "".join(mark if mark.isprintable() else " " for mark in str(text))


def clean(text: object) -> str:
    """Return printable text on one line, its blanks (of every kind) collapsed."""
    return " ".join(printable(text).split())


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide signs two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(sign) for sign in text)


def _columns_of(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1


def _head(text: str, width: int) -> str:
    """Return as much of the beginning as takes no more than `width` columns."""
    if text.isascii():
        return text[:width]
    taken = 0
    for index, sign in enumerate(text):
        taken += _columns_of(sign)
        if taken > width:
            return text[:index]
    return text


def padded(text: str, width: int) -> str:
    """Return a text with blanks up to `width` columns."""
    return text + " " * (width - columns(text))


def without_word(sentence: str, word: str) -> str:
    """Return a sentence without the outcome that it begins with, where that is told beside it."""
    head, rest = sentence[: len(word)], sentence[len(word) :].lstrip()
    said = head.lower() == word.lower() and rest[:1] in (":", ",")
    return rest[1:].lstrip() if said else sentence


def fold(text: str, width: int, indent: int = 0, first: int | None = None) -> list[str]:
    """Wrap a sentence to `width` columns; later lines are indented, the first by `first`."""
    start = " " * (indent if first is None else first)
    sentence = _NUMBER_AND_UNIT.sub(f"\\1{_GLUE}\\2", clean(text))
    if not sentence:
        return []
    if not sentence.isascii() and columns(sentence) != len(sentence):
        return _folded_by_columns(sentence, width, start, " " * indent)
    lines = textwrap.wrap(
        sentence,
        width=width,
        initial_indent=start,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in lines]


def _folded_by_columns(sentence: str, width: int, first: str, later: str) -> list[str]:
    """Wrap as textwrap does, by columns; what is written without blanks is cut where it must be."""
    lines, line, is_empty = [], first, True
    for word in sentence.split(" "):
        rest = word if is_empty else f" {word}"
        if not is_empty and columns(line) + columns(rest) > width:
            lines.append(line)
            line, rest = later, word
        while columns(line) + columns(rest) > width:
            head = _head(rest, width - columns(line)) or rest[:1]
            lines.append(line + head)
            line, rest = later, rest[len(head) :]
        line, is_empty = line + rest, False
    lines.append(line)
    return [line.replace(_GLUE, " ").rstrip() for line in lines if line.strip()]


def cut(line: str, width: int) -> str:
    """Cut a line to `width` columns and show that it was cut."""
    return line if columns(line) <= width else _head(line, max(0, width - 3)).rstrip() + "..."


def spread(sentences: Sequence[str], right: str, width: int) -> list[str]:
    """Wrap sentences and put `right` at the right margin of the first line that has room."""
    lines = [line for sentence in sentences for line in fold(sentence, width)]
    for index, line in enumerate(lines):
        if right and columns(line) + 2 + columns(right) <= width:
            lines[index] = line + " " * (width - columns(line) - columns(right)) + right
            return lines
    return [*lines, " " * (width - columns(right)) + right] if right else lines


def row(label: str, mark: str, text: str, width: int, right: str = "") -> list[str]:
    """Lay out one fact: label, mark, sentence (wrapped under itself), age at the right margin."""
    head = f"{label:<5} {mark} " if len(label) < LABEL - 2 else f"{label:<{LABEL - 1}} "
    body, age = printable(text).strip(), clean(right)
    room = width - len(head)
    taken = columns(body) + columns(age)
    if taken + (2 if age else 0) <= room:
        return [(head + body + " " * (room - taken) + age).rstrip()]
    lines = fold(f"{body} · {age}" if age else body, width, indent=LABEL)
    return [head + lines[0][LABEL:], *lines[1:]]


def item(mark: str, name: str, text: str, width: int, name_width: int = 11) -> list[str]:
    """Lay out one entry of a list: `` * name        text``, wrapped under the text."""
    head = f" {mark} {padded(printable(name), name_width)} "
    indent = name_width + 4
    body = fold(text, width - indent) or [""]
    lines = [" " * indent + line for line in body]
    if columns(head) > indent:
        return [cut(head.rstrip(), width), *lines]
    lines[0] = (head + body[0]).rstrip()
    return lines


def flow(words: Iterable[str], width: int, indent: int, separator: str = " · ") -> list[str]:
    """Lay words side by side, as many on a line as fit."""
    lines: list[str] = []
    line = ""
    for word in map(printable, words):
        candidate = f"{line}{separator}{word}" if line else " " * indent + word
        if line and columns(candidate) > width:
            lines.append(line)
            candidate = " " * indent + word
        line = candidate
    if line:
        lines.append(line)
    return [
        part
        for whole in lines
        for part in ([whole] if columns(whole) <= width else fold(whole, width, indent, indent))
    ]


def fit(lines: Sequence[str], width: int) -> list[str]:
    """Return the lines with nothing wider than `width` and no trailing blanks."""
    return [cut(line.rstrip(), width) for line in lines]


def lookup(document: Document, *path: str) -> Any:
    """Return a nested value, or None where a key is missing or not an object on the way."""
    value: Any = document
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def listed(document: Document, *path: str) -> list[Document]:
    """Return a nested list of objects, or an empty list."""
    value = lookup(document, *path)
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [item for item in value if isinstance(item, Mapping)]
