"""Schedules: the time fields of crontab(5), and optionally seconds before them.

Owns how such a text is read and refused. Must not know what is scheduled, nor any clock. Weekdays
become names, because schedulers number them differently (crontab: 0 and 7 are Sunday).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FIELDS = ("second", "minute", "hour", "day", "month", "weekday")
_LIMITS = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "weekday": (0, 7),
}
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""The most that a month has."""
_PART = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?")


class NoSchedule(ValueError):
    """The text is no schedule; it says why."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One text per field: numbers, ranges and steps joined by commas, or ``*``."""

    second: str
    minute: str
    hour: str
    day: str
    month: str
    weekday: str


def parse_schedule(text: str) -> Schedule:
    """Return the schedule that a text describes.

    Raises:
        NoSchedule: it has another number of fields, or one that crontab(5) would not take.
    """
    words = text.lower().split()
    if len(words) == len(FIELDS) - 1:
        words = ["0", *words]
    if len(words) != len(FIELDS):
        raise NoSchedule(f"has {len(words)} fields: five as in crontab(5), or seconds and those")
    read = {name: _field(name, word) for name, word in zip(FIELDS, words, strict=True)}
    if read["day"] != "*" and read["weekday"] != "*":
        raise NoSchedule("names both days of the month and weekdays: cron would take either")
    longest = max(_DAYS[month] for month in _expanded("month", read["month"]))
    if min(_expanded("day", read["day"])) > longest:
        raise NoSchedule("names a day that none of its months has: it would never come")
    return Schedule(**read)


def _field(name: str, word: str) -> str:
    return ",".join(part for one in word.split(",") for part in _part(name, one))


def _part(name: str, word: str) -> list[str]:
    """Return what one comma-separated part means, weekdays one by one."""
    match = _PART.fullmatch(word)
    if match is None:
        raise NoSchedule(f'has "{word}" as {name}')
    low, high = _LIMITS[name]
    first, last, step = match[1], match[2], match[3]
    if first == "*" and last is not None:
        raise NoSchedule(f'has "{word}" as {name}')
    start = low if first == "*" else _number(name, first)
    end = high if first == "*" or (step and last is None) else start
    end = end if last is None else _number(name, last)
    if not low <= start <= end <= high:
        raise NoSchedule(f'has "{word}" as {name}, which goes from {low} to {high}')
    if step is not None and not 1 <= int(step) <= high:
        raise NoSchedule(f'has "{word}" as {name}: no such step')
    if word == "*":
        return ["*"]
    if name == "weekday":
        days = range(start, min(end, 6 if first == "*" else end) + 1, int(step or 1))
        return [_WEEKDAYS[day] for day in days]
    span = f"{start}" if start == end else f"{start}-{end}"
    return [span if step is None else f"{span}/{step}" if start != end else span]


def _number(name: str, word: str) -> int:
    if word.isdigit():
        return int(word)
    names = {"weekday": _WEEKDAYS, "month": ("", *_MONTHS)}.get(name, ())
    if word not in names:
        raise NoSchedule(f'has "{word}" as {name}')
    return names.index(word)


MINUTES_A_WEEK = 7 * 24 * 60


def longest_pause_s(schedule: Schedule) -> float | None:
    """Return the longest time between two runs, to the minute; None where days of a month count."""
    if (schedule.day, schedule.month) != ("*", "*"):
        return None
    minutes, hours = _expanded("minute", schedule.minute), _expanded("hour", schedule.hour)
    days = _expanded("weekday", schedule.weekday)
    runs = [
        at
        for at in range(MINUTES_A_WEEK)
        if at % 60 in minutes and at // 60 % 24 in hours and at // 1440 in days
    ]
    following = [*runs[1:], runs[0] + MINUTES_A_WEEK]
    return 60.0 * max(later - one for one, later in zip(runs, following, strict=True))


def _expanded(name: str, field: str) -> set[int]:
    """Return every value of a field that was read; Sunday is 0."""
    low, high = _LIMITS[name]
    if field == "*":
        return set(range(low, high + 1))
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        found |= set(range(_number(name, first), _number(name, last or first) + 1, int(step or 1)))
    return found
