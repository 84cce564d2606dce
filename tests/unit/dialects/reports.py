"""Reports as adapters bring them home; values only."""

from hamnd.model.instant import Instant
from hamnd.model.work import Ending, Report

SENT = Instant(100.0, 1_795_317_129.0)
BACK = Instant(101.0, 1_795_317_130.0)


def exited(code: int = 0, stdout: str = "", stderr: str = "", truncated: bool = False) -> Report:
    return Report(Ending.EXITED, SENT, BACK, code, stdout, stderr, truncated)


def ended(ending: Ending, detail: str = "") -> Report:
    return Report(ending, SENT, BACK, detail=detail)


MUTE = tuple(ended(one) for one in Ending if one is not Ending.EXITED)
"""Every way to end without a program having told its exit code."""
