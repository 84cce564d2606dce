"""What a finished call around copies means: done, not done, or unknown.

Owns the judgement of single reports. Must not judge the pair (core.replication).
"""

from __future__ import annotations

from hamnd.dialects.copies.status import parse_store, parse_told
from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.work import Reading, Report


def read_pulled(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when a copy was verified and kept; whatever else it is, the older ones are there."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.BLOCK:
        return Reading(Verdict.BLOCK, last_lines(report) or f"exit code {report.exit_code}")
    return reading


def read_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the store told what it has."""
    store = parse_store(report)
    if store is None:
        return unreadable(report)
    told = "no copy" if store.copy is None else f"copy {store.copy.number}"
    return Reading(Verdict.PASS, told)


def read_told(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the other node told what it has."""
    told = parse_told(report)
    if told is None:
        return unreadable(report)
    return Reading(Verdict.PASS, f"{len(told.live)} files there")


def read_ready(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the program's own proof held; its sentence says what is missing."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    verdict = Verdict.PASS if report.exit_code == 0 else Verdict.BLOCK
    return Reading(verdict, last_lines(report) or f"exit code {report.exit_code}")


READERS = {
    "copies.pulled": read_pulled,
    "copies.readable": read_readable,
    "copies.told": read_told,
    "copies.ready": read_ready,
}
