"""AIX's /etc/inittab: what starts at boot, and how an entry is made and removed.

Owns the argv and the output of lsitab, mkitab and rmitab (aix.md §1.7). Must not know which entries
a management node has (core.platforms.aix).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hamnd.dialects.aix import program
from hamnd.dialects.shell import unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

FAULT_MONITOR = re.compile(r"\bdb2fmcd\b")
"""Restarts an instance that ended otherwise than by db2stop (§6)."""

_MAKE = (
    'i=$1; l=$2; shift 2; "$l" "$i" >/dev/null 2>&1 && { echo "there already"; exit 0; }; exec "$@"'
)
"""mkitab fails on an identifier that is there (§1.7)."""
_REMOVE = '"$2" "$1" >/dev/null 2>&1 || { echo "was not there"; exit 0; }; exec "$3" "$1"'


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: identifier, run levels (empty: all), action and command."""

    identifier: str
    levels: str
    action: str
    command: str

    @property
    def is_on(self) -> bool:
        """Whether init would run it in multi-user mode (run level 2)."""
        return self.action != "off" and (not self.levels or "2" in self.levels)

    def text(self) -> str:
        """Return the entry as mkitab takes it."""
        return f"{self.identifier}:{self.levels}:{self.action}:{self.command}"


def entries(site: Site) -> Look:
    """Return a look at every entry."""
    return Look(
        _all(site), reads="inittab.readable", expects=f"the inittab of {site.node} can be read"
    )


def starts_none(site: Site, names: tuple[str, ...]) -> Look:
    """Return a look that expects nothing in the inittab to start these subsystems, nor Db2."""
    return Look(
        _all(site),
        reads="inittab.starts_none",
        expects=f"no line of the inittab starts {', '.join(names)}, or Db2 by itself",
        arguments=names,
    )


def has(site: Site, entry: Entry) -> Look:
    """Return a look that expects an entry of this identifier to be on."""
    return Look(
        _all(site),
        reads="inittab.has",
        expects=f"the inittab has {entry.identifier}",
        arguments=(entry.identifier,),
    )


def make(site: Site, entry: Entry, behind: str = "") -> Action:
    """Return the action that makes an entry, after another one where that is named."""
    where = ("-i", behind) if behind else ()
    made = (program(site, "mkitab"), *where, entry.text())
    argv = ("sh", "-c", _MAKE, "hamnd-mkitab", entry.identifier, program(site, "lsitab"), *made)
    return Action(Exec(site.node, argv), by_hand=(Exec(site.node, made),))


def remove(site: Site, identifier: str) -> Action:
    """Return the action that removes an entry; none is no failure."""
    tools = (program(site, "lsitab"), program(site, "rmitab"))
    return Action(
        Exec(site.node, ("sh", "-c", _REMOVE, "hamnd-rmitab", identifier, *tools)),
        by_hand=(Exec(site.node, (program(site, "rmitab"), identifier)),),
    )


def parse_entries(text: str) -> tuple[Entry, ...]:
    """Return the entries; a line that begins with a colon is a comment."""
    found = []
    for line in text.splitlines():
        parts = line.split(":", 3)
        if len(parts) == 4 and parts[0].strip():
            found.append(Entry(parts[0].strip(), *(part.strip() for part in parts[1:])))
    return tuple(found)


def starters(found: tuple[Entry, ...], names: tuple[str, ...]) -> tuple[Entry, ...]:
    """Return the entries that would start one of these, or Db2's fault monitor, at boot."""
    words = "|".join(re.escape(name) for name in names) or r"\b\B"
    pattern = re.compile(rf"(?<![\w.-])(re?start)?({words})(?![\w.-])")
    return tuple(
        one
        for one in found
        if one.is_on
        and (
            one.identifier in names
            or pattern.search(one.command)
            or FAULT_MONITOR.search(one.command)
        )
    )


def read_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when entries can be read."""
    found = _found(report)
    if isinstance(found, Reading):
        return found
    return Reading(Verdict.PASS, f"{len(found)} entries")


def read_starts_none(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when a reboot would start none of these."""
    found = _found(report)
    if isinstance(found, Reading):
        return found
    bad = starters(found, arguments)
    if not bad:
        return Reading(Verdict.PASS, "nothing in the inittab starts them")
    told = ", ".join(one.identifier for one in bad)
    first = "db2fmcu -d" if FAULT_MONITOR.search(bad[0].command) else f"rmitab {bad[0].identifier}"
    return Reading(Verdict.BLOCK, f"a reboot would start {told}: {first}")


def read_has(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the entry is there and on."""
    found = _found(report)
    if isinstance(found, Reading):
        return found
    identifier = (*arguments, "")[0]
    if any(one.identifier == identifier and one.is_on for one in found):
        return Reading(Verdict.PASS, f"the inittab has {identifier}")
    return Reading(Verdict.BLOCK, f"the inittab has no {identifier}: it would not start at boot")


def _all(site: Site) -> Exec:
    return Exec(site.node, (program(site, "lsitab"), "-a"))


def _found(report: Report) -> tuple[Entry, ...] | Reading:
    silence = unanswered(report)
    if silence is not None:
        return silence
    found = parse_entries(report.stdout)
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated or not found:
        return unreadable(report)
    return found


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "inittab.readable": read_readable,
    "inittab.starts_none": read_starts_none,
    "inittab.has": read_has,
}
