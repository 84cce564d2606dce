"""Running jobs of this node that write onto it: which process it is, and how it is ended.

Owns the argv and the output of ps and kill. Must not judge a command line (dialects.cron) nor
decide what is ended (core.platforms). A process is known by its number and the hash of its command
line: a number alone may belong to somebody else a second later, and the command line may hold a
secret (law 7).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hamnd.dialects import cron
from hamnd.dialects.cron import Names
from hamnd.dialects.masking import masked
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import Platform, Site
from hamnd.model.work import Action, ActionRequest, Ending, Exec, Look, Reading, Report

PROCESSES = ("ps", "-e", "-ww", "-o", "pid=", "-o", "args=")

_END = """\
is() {
[ "$(ps -ww -p "$1" -o args= 2>/dev/null | awk '{ $1 = $1; print }' | sha256sum)" = "$2  -" ]
}
is "$1" "$2" || { echo "it had ended by itself"; exit 0; }
for signal in TERM KILL; do
kill -s "$signal" "$1" 2>/dev/null; n=0
while is "$1" "$2" && [ "$n" -lt 40 ]; do sleep 0.1; n=$((n + 1)); done
is "$1" "$2" || { echo "ended with $signal"; exit 0; }
done
echo "it does not end" >&2; exit 1
"""
"""rsync, scp and pg_restore clean up after themselves on TERM; four seconds each."""

_END_AIX = (
    _END.replace("ps -ww", "ps")
    .replace("sha256sum", "perl -MDigest::SHA=sha256_hex -e 'print sha256_hex(<STDIN>)'")
    .replace('"$2  -"', '"$2"')
    .replace("-lt 40", "-lt 4")
    .replace("sleep 0.1", "sleep 1")
)
"""AIX has no sha256sum and sleeps whole seconds (aix.md §10)."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that writes onto this node: its number, its command line's hash, and why."""

    pid: int
    sha256: str
    shown: str
    why: str


def processes(site: Site) -> Look:
    """Return a look at every process."""
    return Look(
        Exec(site.node, listing(site)),
        reads="processes.readable",
        expects="the processes can be read",
    )


def listing(site: Site) -> tuple[str, ...]:
    """Return what lists every process; AIX shows whole command lines without being told to."""
    return tuple(word for word in PROCESSES if word != "-ww" or site.platform is Platform.LINUX)


def end(site: Site, one: Writer) -> Action:
    """Return the action that ends this very process, by its number."""
    script = _END if site.platform is Platform.LINUX else _END_AIX
    argv = ("sh", "-c", script, "hamnd-end", str(one.pid), one.sha256)
    return Action(Exec(site.node, argv))


def is_end(request: ActionRequest) -> bool:
    """Whether a request ends a process, which may have ended by itself since it was made."""
    return isinstance(request, Exec) and request.argv[3:4] == ("hamnd-end",)


def is_name(look: Look) -> bool:
    """Whether a look only says which process it is that is ended."""
    return look.reads == "processes.is_known"


def is_known(site: Site, one: Writer) -> Look:
    """Return a look that says which process it is; it may have ended since it was seen."""
    return Look(
        Exec(site.node, _shown(site, one.pid)),
        reads="processes.is_known",
        expects=f"process {one.pid} is {one.shown} ({one.why}), or has ended",
        arguments=(str(one.pid), one.sha256, one.shown),
    )


def _shown(site: Site, pid: int) -> tuple[str, ...]:
    wide = ("-ww",) if site.platform is Platform.LINUX else ()
    return ("ps", *wide, "-p", str(pid), "-o", "args=")


def parse_writers(report: Report, names: Names) -> tuple[Writer, ...] | None:
    """Return the processes that write onto this node; None when they could not be read."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return None
    found = []
    for line in report.stdout.splitlines():
        pid, _, args = line.strip().partition(" ")
        why = cron.runs_here(args.strip(), names) if pid.isdigit() else None
        if why is not None:
            found.append(Writer(int(pid), fingerprint(args), masked(args.strip(), names), why))
    return tuple(found)


def fingerprint(args: str) -> str:
    """Return the hash of a command line as `ps -o args=` shows it, whatever the blanks in it."""
    return hashlib.sha256((" ".join(args.split()) + "\n").encode()).hexdigest()


def read_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when ps shows processes; none of them is repeated (law 7)."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    count = sum(1 for line in report.stdout.splitlines() if line.strip()[:1].isdigit())
    if report.exit_code != 0 or report.truncated or count == 0:
        said = last_lines(report, report.stderr) or "what it printed is not shown"
        return Reading(Verdict.UNKNOWN, f"unreadable (exit code {report.exit_code}): {said}")
    return Reading(Verdict.PASS, f"{count} processes")


def read_is_known(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS with which process it is: still that one, ended, or another that is left alone."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    pid, sha256, shown = (*arguments, "", "", "")[:3]
    args = report.stdout.strip()
    if not args:
        return Reading(Verdict.PASS, f"process {pid} has ended")
    if fingerprint(args) == sha256:
        return Reading(Verdict.PASS, f"process {pid} is {shown}")
    return Reading(Verdict.PASS, f"process {pid} is another one by now and left alone")
