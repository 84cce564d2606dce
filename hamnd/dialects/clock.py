"""The clock of another host: what to ask, and what the answer says.

Owns the look at a foreign clock, which tells along what that host keeps of the epoch
(dialects.epoch): one login for both. Must not know what skew is tolerable (core). Linux `date`
prints fractions of a second; AIX has no `%N`, there Perl, which xCAT itself needs, prints them.
"""

from __future__ import annotations

import re

from hamnd.dialects.epoch import TELLING
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import Platform, Site
from hamnd.model.work import Exec, Look, Reading, Report

_SECONDS = re.compile(r"\s*(\d{9,11}(?:\.\d{1,9})?)\s*")
_PERL = 'use Time::HiRes "time"; printf "%.3f\\n", time'


def epoch(site: Site, host: str) -> Look:
    """Return a look that reads the clock of a host in seconds since 1970."""
    now = ("date", "+%s.%N") if site.platform is Platform.LINUX else ("perl", "-e", _PERL)
    script = f'e=$1; shift; "$@"; {TELLING}'
    argv = ("sh", "-c", script, "hamnd-clock", site.paths.state_dir, *now)
    return Look(
        Exec(host, argv),
        reads="clock.epoch",
        expects=f"{host} tells its time",
        timeout_s=5.0,
    )


def read_epoch(report: Report) -> float | None:
    """Return the seconds since 1970 that the host printed, or None."""
    if unanswered(report) is not None or report.exit_code != 0:
        return None
    found = _SECONDS.fullmatch(report.stdout.partition("\n")[0])
    return float(found.group(1)) if found else None


def read_told(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """Judge whether the host told its time."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    if read_epoch(report) is None:
        return Reading(Verdict.UNKNOWN, f"no time in the answer: {last_lines(report)}")
    return Reading(Verdict.PASS, "the host told its time")


READERS = {"clock.epoch": read_told}
