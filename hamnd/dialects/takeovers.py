"""The file that says which takeover of the pair was the latest: one line in the state directory.

Owns that line (``NODE DIGEST FINISHED ACKNOWLEDGED WHO``; ``-``: nobody yet; no file: none is
known). Must not decide what follows from it (core). It is told along with the epoch
(dialects.epoch), so that a node knows by day what its partner did in a night before, and who has
looked at it since: on the next night the partner cannot be asked any more.
"""

from __future__ import annotations

import re

from hamnd.model.takeovers import PastTakeover

NAME = "takeover"
NOBODY = "-"

_LINE = re.compile(
    r"(?P<node>[A-Za-z0-9._-]{1,255}) (?P<digest>[0-9a-f-]{4,64}) (?P<finished>\d{1,12})"
    r" (?P<at>\d{1,12}|-) (?P<who>[A-Za-z0-9._@+:-]{1,64})"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9._@+:-]")


def line_of(past: PastTakeover | None) -> str:
    """Return the line for a takeover, without its end; empty: none is known."""
    if past is None:
        return ""
    at = NOBODY if past.acknowledged_at is None else str(past.acknowledged_at)
    who = _UNSAFE.sub("_", past.acknowledged_by)[:64] or NOBODY
    return f"{past.node} {past.digest} {past.finished_at} {at} {who}"


def parse(line: str) -> PastTakeover | None:
    """Return what a line tells; None: nothing that can be read, which acknowledges nothing."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        return None
    past = PastTakeover(found["node"], found["digest"], int(found["finished"]))
    if NOBODY in (found["at"], found["who"]):
        return past
    return PastTakeover(past.node, past.digest, past.finished_at, found["who"], int(found["at"]))
