"""What AIX and its software are: level and filesets, to be compared between the two nodes.

Owns the argv and the output of oslevel and lslpp (aix.md §4). Must not know what parity is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hamnd.dialects.aix import program
from hamnd.dialects.shell import unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Ending, Exec, Look, Reading, Report

_LEVEL = re.compile(r"\d{4}-\d{2}-\d{2}-\d{4}")
OSLEVEL_S = 60.0
"""oslevel -s may be slow (§4)."""


@dataclass(frozen=True, slots=True)
class Fileset:
    """One fileset: its level, and whether it is whole (COMMITTED or APPLIED)."""

    name: str
    level: str
    state: str


def filesets(site: Site, pattern: str) -> Look:
    """Return a look at the installed filesets of this node by name."""
    return Look(
        Exec(site.node, (program(site, "lslpp"), "-lcq", pattern)),
        reads="software.filesets",
        expects=f"{pattern} is installed and whole",
        arguments=(pattern,),
        timeout_s=OSLEVEL_S,
    )


def parse_level(text: str) -> str | None:
    """Return the level that `oslevel -s` told, or None."""
    found = [line.strip() for line in text.splitlines() if _LEVEL.fullmatch(line.strip())]
    return found[-1] if found else None


def parse_filesets(text: str) -> tuple[Fileset, ...]:
    """Return the filesets of `lslpp -lcq`, each once: it has a row for each part of it."""
    found: dict[str, Fileset] = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 5 and fields[0].startswith("/") and fields[1]:
            one = Fileset(fields[1], fields[2], fields[4])
            before = found.get(one.name)
            if before is None or before.state in ("COMMITTED", "APPLIED"):
                found[one.name] = one
    return tuple(found.values())


def read_filesets(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when they are installed and none is broken; "not installed" is a definite no (§4)."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    pattern = (*arguments, "")[0]
    if report.exit_code == 1 and "not installed" in report.stderr:
        return Reading(Verdict.BLOCK, f"{pattern} is not installed")
    found = parse_filesets(report.stdout)
    if report.ending is not Ending.EXITED or report.exit_code != 0 or not found:
        return unreadable(report)
    broken = [one.name for one in found if one.state not in ("COMMITTED", "APPLIED")]
    if broken:
        return Reading(Verdict.BLOCK, f"{', '.join(broken)} is not whole: lppchk -v")
    told = ", ".join(f"{one.name} {one.level}" for one in found[:3])
    return Reading(Verdict.PASS, told)


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "software.filesets": read_filesets,
}
