"""Messages of the Db2 command line processor: ids, reason codes, severity (db2-hadr.md §8).

Owns how messages are found in folded text and what the exit codes of `db2` mean. Must not know
what a message means for a command (readers.py). Ids and reason codes survive translation and
folding, message texts do not: only the former may be decided on.
"""

from __future__ import annotations

import re
from typing import Final

from hamnd.dialects.db2.words import TEXT_CHARS_MAX, collapse
from hamnd.model.hadr import ClpMessage, ClpReply, ClpSeverity

INSTANCE_NOT_STARTED: Final = "SQL1032N"

_ID: Final = re.compile(r"\b(?:SQL\d{4,5}[NWC]|DB2\d{4}[IWE]|DB\d{5}[IWE])\b", re.ASCII)
_REASON: Final = re.compile(r'[Rr]eason code(?: ?=)? ?"(\d{1,6})"', re.ASCII)
_SQLSTATE: Final = re.compile(r"SQLSTATE ?= ?([0-9A-Z]{5})\b", re.ASCII)
_EXIT_CODE_MAX: Final = 15


def severity(exit_code: int | None) -> ClpSeverity:
    """Return what an exit code of `db2` says.

    1 no row, 2 warning, 4 error, 8 system error; several commands in one call are OR-ed, so the
    worst bit counts. Anything else is not the command line processor's (127: profile not sourced).
    """
    if exit_code is None or not 0 <= exit_code <= _EXIT_CODE_MAX:
        return ClpSeverity.UNKNOWN
    for bit, word in (
        (8, ClpSeverity.SYSTEM_ERROR),
        (4, ClpSeverity.ERROR),
        (2, ClpSeverity.WARNING),
        (1, ClpSeverity.NO_ROW),
    ):
        if exit_code & bit:
            return word
    return ClpSeverity.SUCCESS


def message_ids(text: str) -> tuple[str, ...]:
    """Return the message ids in a text, in order."""
    return tuple(_ID.findall(text))


def parse_clp(text: str, exit_code: int | None) -> ClpReply:
    """Read the messages out of what `db2` (or db2start, db2stop) printed.

    White space is collapsed first: lines are folded at 78 characters, also inside "Reason code".
    A text beyond 1 MiB is read up to there; a message that is cut has no reason code then.
    """
    flat = collapse(text[:TEXT_CHARS_MAX])
    found = list(_ID.finditer(flat))
    ends = [*(match.start() for match in found[1:]), len(flat)]
    messages = tuple(
        _message(match[0], flat[match.start() : end].strip())
        for match, end in zip(found, ends, strict=False)
    )
    return ClpReply(exit_code, severity(exit_code), messages, flat)


def _message(message_id: str, text: str) -> ClpMessage:
    """Take one message apart; two different reason codes in it are none."""
    reasons = {int(code) for code in _REASON.findall(text)}
    states = set(_SQLSTATE.findall(text))
    return ClpMessage(
        id=message_id,
        text=text,
        reason_code=reasons.pop() if len(reasons) == 1 else None,
        sqlstate=states.pop() if len(states) == 1 else None,
    )
