"""The exit codes of hamnctl, a contract of design §8.

Owns the numbers and how an answer of the daemon becomes one. Must not know the commands.
"""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
REFUSED = 3
STEP_FAILED = 4
OUTCOME_UNKNOWN = 5
UNREACHABLE = 6
INTERRUPTED = 130
BROKEN_PIPE = 141

BY_STATUS = {400: USAGE, 401: REFUSED, 403: REFUSED, 409: REFUSED, 504: OUTCOME_UNKNOWN}


def of_status(status: int) -> int:
    """Return the exit code of an HTTP status that is not a success."""
    return BY_STATUS.get(status, FAILED)
