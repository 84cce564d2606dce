"""AIX's System Resource Controller: which subsystems run, and how they are started and stopped.

Owns the argv and the output of lssrc, startsrc and stopsrc (aix.md §1). Must not know in which
order subsystems are used (core.platforms.aix).

startsrc and stopsrc only send a request: exit 0 means that it was taken (§1.3, §1.5). So both are
followed by looking, for as long as it takes, and what they said counts for nothing. A status word
that is neither `active` nor `inoperative` is on its way somewhere, never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hamnd.dialects.aix import one_line, program
from hamnd.dialects.shell import unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

NOT_ON_FILE = "0513-085"
"""Printed on either stream, with exit 1: the only answer that means "not defined" (§1.6)."""
ACTIVE = "active"
STOPPED = "inoperative"
STOP_S = 75
"""Longer than any waittime that is in use: xcatd's own restart waits as long (§8)."""

_STATE = """\
state() { o=$("$l" -s "$s" 2>&1); r=$?;
w=$(printf '%s\\n' "$o" | awk -v n="$s" '$1 == n { print $NF }');
case $w in *active*) w=active;; inoperative) ;; "") case $o in *0513-085*) w=absent;;
*) w=unknown;; esac;; *) w=moving;; esac; };
l=$1; c=$2; s=$3; t=$4; n=0; state;
if [ "$w" = unknown ]; then printf '%s\\n' "$o" >&2; exit 2; fi;
"""
"""Two rows of one name are possible: the active one counts (§1.1)."""

_START = (
    _STATE
    + """\
if [ "$w" = active ]; then echo "active already"; exit 0; fi;
if [ "$w" = absent ]; then printf '%s\\n' "$o" >&2; exit 1; fi;
while [ "$w" = moving ] && [ "$n" -lt "$t" ]; do sleep 1; n=$((n+1)); state; done;
shift 4; a=$("$c" -s "$s" "$@" 2>&1);
while state; [ "$w" != active ] && [ "$n" -lt "$t" ]; do sleep 1; n=$((n+1)); done;
[ "$w" = active ] || { printf '%s\\n%s\\n' "$a" "$o" >&2; exit 1; };
printf '%s\\n' "$a"
"""
)
"""A subsystem that still stops refuses its start (0513-029): wait for it first (§1.5)."""

_STOP = (
    _STATE
    + """\
case $w in inoperative|absent) echo "not running"; exit 0;; esac;
a=$("$c" -c -s "$s" 2>&1);
while state; [ "$w" != inoperative ] && [ "$w" != absent ] && [ "$n" -lt "$t" ];
do sleep 1; n=$((n+1)); done;
case $w in inoperative|absent) printf '%s\\n' "$a";;
*) printf '%s\\n%s\\n' "$a" "$o" >&2; exit 1;; esac
"""
)
"""-c: SIGTERM, and SIGKILL after the subsystem's own waittime (§1.3)."""


@dataclass(frozen=True, slots=True)
class Subsystem:
    """One row of lssrc; `status` is AIX's own word, `pid` None where none is shown."""

    name: str
    group: str
    pid: int | None
    status: str


def is_running(site: Site, name: str) -> Look:
    """Return a look that expects a subsystem to be active."""
    return _look(site, name, "src.active", f"{name} is active")


def is_quiet(site: Site, name: str) -> Look:
    """Return a look that expects a subsystem to be stopped, or not to exist."""
    return _look(site, name, "src.quiet", f"{name} does not run here")


def is_defined(site: Site, name: str) -> Look:
    """Return a look that expects SRC to know a subsystem."""
    return _look(site, name, "src.defined", f"the System Resource Controller knows {name}")


def start(site: Site, name: str, limit_s: float, environment: str = "") -> Action:
    """Return the action that starts a subsystem and waits until it is active.

    `environment` is for startsrc -e; it is not kept: a later start has to bring it again (§1.5).
    """
    more = ("-e", environment) if environment else ()
    argv = (program(site, "lssrc"), program(site, "startsrc"), name, str(round(limit_s)), *more)
    request = Exec(site.node, ("sh", "-c", one_line(_START), "hamnd-startsrc", *argv))
    plain = Exec(site.node, (program(site, "startsrc"), "-s", name, *more))
    return Action(request, reads="src.moved", by_hand=(plain,))


def stop(site: Site, name: str, limit_s: float = STOP_S) -> Action:
    """Return the action that stops a subsystem and waits until it has stopped."""
    argv = (program(site, "lssrc"), program(site, "stopsrc"), name, str(round(limit_s)))
    request = Exec(site.node, ("sh", "-c", one_line(_STOP), "hamnd-stopsrc", *argv))
    plain = Exec(site.node, (program(site, "stopsrc"), "-c", "-s", name))
    return Action(request, reads="src.moved", by_hand=(plain,))


def parse_rows(text: str) -> tuple[Subsystem, ...]:
    """Return the rows of lssrc, read from both ends: group and PID may each be missing (§1.6)."""
    rows = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] == "Subsystem" or words[0].startswith("0513-"):
            continue
        name, *middle, status = words
        pid = int(middle.pop()) if middle and middle[-1].isdecimal() else None
        rows.append(Subsystem(name, " ".join(middle), pid, status))
    return tuple(rows)


def status_of(report: Report, name: str) -> str | None:
    """Return the status word of a subsystem, "" when it is not defined, None when not known."""
    if report.ending is not Ending.EXITED or report.truncated:
        return None
    if report.exit_code == 1 and NOT_ON_FILE in f"{report.stdout}{report.stderr}":
        return ""
    rows = [row for row in parse_rows(report.stdout) if row.name == name]
    if report.exit_code != 0 or not rows:
        return None
    words = [row.status for row in rows]
    return ACTIVE if ACTIVE in words else next((one for one in words if one != STOPPED), STOPPED)


def read_active(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the subsystem is active."""
    name = (*arguments, "")[0]
    status = status_of(report, name)
    if status is None:
        return unreadable(report)
    verdict = Verdict.PASS if status == ACTIVE else Verdict.BLOCK
    return Reading(verdict, _spell(name, status))


def read_quiet(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the subsystem is stopped or not defined; on its way to stop is not stopped."""
    name = (*arguments, "")[0]
    status = status_of(report, name)
    if status is None:
        return unreadable(report)
    verdict = Verdict.PASS if status in ("", STOPPED) else Verdict.BLOCK
    return Reading(verdict, _spell(name, status))


def read_defined(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the subsystem is defined."""
    name = (*arguments, "")[0]
    status = status_of(report, name)
    if status is None:
        return unreadable(report)
    return Reading(Verdict.PASS if status else Verdict.BLOCK, _spell(name, status))


def read_moved(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the subsystem got where it was sent; UNKNOWN when lssrc did not tell."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    said = " | ".join(f"{report.stdout}\n{report.stderr}".split("\n")).strip(" |")
    if report.exit_code == 0:
        return Reading(Verdict.PASS, said or "done")
    verdict = Verdict.BLOCK if report.exit_code == 1 else Verdict.UNKNOWN
    return Reading(verdict, said or f"exit code {report.exit_code}")


def _look(site: Site, name: str, reads: str, expects: str) -> Look:
    argv = (program(site, "lssrc"), "-s", name)
    return Look(Exec(site.node, argv), reads=reads, expects=expects, arguments=(name,))


def _spell(name: str, status: str) -> str:
    return f"{name} is {status}" if status else f"the subsystem {name} is not on file"


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "src.active": read_active,
    "src.quiet": read_quiet,
    "src.defined": read_defined,
    "src.moved": read_moved,
}
