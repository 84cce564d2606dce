"""What the programs around copies say, read into values.

Owns the parsing. Must not judge what is read (core.replication). Whatever does not have the known
form is None: nothing is taken from half an answer.
"""

from __future__ import annotations

import json
import math
from typing import Any

from hamnd.model.copies import Copy, LiveTable, Store, Told
from hamnd.model.work import Ending, Report

ROLES = ("primary", "standby")


def parse_store(report: Report) -> Store | None:
    """Return what `STATUS` told; None where it told nothing whole."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return None
    try:
        said = json.loads(report.stdout)
        if said["schema"] != "hamnd.copies/1":
            return None
        raw = said["copy"]
        words = str(said["role"])
        return Store(
            copy=None if raw is None else copy_of(raw),
            damaged=tuple(str(one) for one in said["damaged"]),
            count=int(said["count"]),
            role=role_of(words),
            role_words=words,
            live=tuple(LiveTable(str(n), int(at), int(size)) for n, at, size in said["live"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def parse_told(report: Report) -> Told | None:
    """Return what `LOOK` told of another node; None where it told nothing whole."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return None
    lines = report.stdout.split("\n")
    if lines[:1] != ["hamnd-look 1"] or "end" not in lines:
        return None
    words = {one.partition(" ")[0]: one.partition(" ")[2] for one in lines}
    try:
        return Told(
            now=_moment(words["now"]),
            role=role_of(words.get("role", "")),
            role_words=words.get("role", ""),
            copy=_own_copy(words.get("copy", "")),
            live=tuple(_live(one) for one in lines if one.startswith("file ")),
            mark=words.get("mark", ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def copy_of(raw: dict[str, Any]) -> Copy:
    """Return the copy that a copy.json describes. Raises what a wrong form raises."""
    head, items = raw["head"], raw["items"]
    return Copy(
        number=int(raw["number"]),
        asked_at=_moment(raw["asked_at"]),
        taken_at=_moment(head["taken"]),
        items=tuple(sorted(str(one) for one in items)),
        bytes=sum(int(size) for size, _ in items.values()),
        is_of_one_moment=head.get("snapshot") == "set",
        how=str(head.get("how", "")),
        tables=int(raw.get("tables", len(items))),
        gone=tuple(str(one) for one in raw.get("gone", ())),
        new=tuple(str(one) for one in raw.get("new", ())),
        mark=str(head.get("mark", "")),
    )


def role_of(words: str) -> str:
    """Return the role that a role file's line begins with, or nothing."""
    first = words.split(" ", maxsplit=1)[0]
    return first if first in ROLES else ""


def _own_copy(text: str) -> Copy | None:
    """Return the copy that the node itself has; one that cannot be read is none."""
    number, _, document = text.partition(" ")
    try:
        return copy_of({**json.loads(document), "number": number})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _live(line: str) -> LiveTable:
    _, at, size, name = line.split(" ", 3)
    return LiveTable(name, int(at), int(size))


def _moment(text: Any) -> float:
    moment = float(text)
    if not math.isfinite(moment):
        raise ValueError(f"{text} is no moment")
    return moment
