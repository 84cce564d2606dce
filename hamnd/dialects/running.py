"""The file that says which plan a node's hamnd carries out: one line in its state directory.

Owns that line (``KIND STATUS``; no file: none) and the look at the other node's. Must not decide
what follows from it (core). It is told along with the epoch (dialects.epoch).

Two nodes that begin at once: each writes its own line before it reads the other's, so at least one
of them sees the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hamnd.dialects import epoch
from hamnd.dialects.shell import read_exit_zero, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Reading, Report

NAME = "run"

_NOTE = (
    "d=${HAMND_STATE_DIR:-$1}; f=$d/run; "
    'echo "$2 running" >"$f.new" && { sync "$f.new" 2>/dev/null || sync; } && mv "$f.new" "$f"'
)


def line_of(kind: str, status: str) -> str:
    """Return the line for a run, without its end."""
    return f"{kind} {status}"


def in_words(line: str) -> str:
    """Return the line as people read it."""
    kind, _, status = line.partition(" ")
    return f"a {kind} ({status or 'state not told'})"


def note(site: Site, kind: str) -> Action:
    """Return what writes this node's own line, before the other's is read."""
    argv = ("sh", "-c", _NOTE, "hamnd-run", site.paths.state_dir, kind)
    return Action(Exec(site.node, argv), reads="running.noted", is_repeatable=True)


def is_idle(site: Site, host: str) -> Look:
    """Return a look that expects the other node's hamnd to carry out nothing itself."""
    return Look(
        epoch.there(site, host).request,
        reads="running.is_idle",
        expects=f"hamnd on {host} carries out no plan itself",
        arguments=(host,),
        timeout_s=2.0 + site.ssh.connect_timeout_s,
    )


def read_is_idle(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the host keeps no line, BLOCK when it carries out a plan."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    host = (*arguments, "")[0]
    sight = epoch.read_there(host, report)
    if sight is None or sight.run is None:
        return Reading(Verdict.UNKNOWN, f"{host} did not tell whether it carries out a plan")
    if sight.run:
        told = f"{host} carries out {in_words(sight.run)} itself: hamnctl status there"
        return Reading(Verdict.BLOCK, told)
    return Reading(Verdict.PASS, f"{host} carries out no plan")


def _read_noted(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    return read_exit_zero(report)


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "running.noted": _read_noted,
    "running.is_idle": read_is_idle,
}
