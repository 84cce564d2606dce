"""AIX's /etc/inittab: what starts at boot, and how an entry is made and removed.

Owns the argv and the output of lsitab, mkitab and rmitab (aix.md §1.7). Must not know which entries
a management node has (core.platforms.aix).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hamnd.dialects.aix import one_line, program
from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

FAULT_MONITOR = "db2fmcd"
"""Restarts an instance that ended otherwise than by db2stop (§6)."""
STARTER = "/opt/hamnd/libexec/hamn-boot"
"""Starts subsystems once the return guard lets it; delivered in aix-src."""

_MAKE = """\
i=$1; l=$2; c=$3; shift 3; for e; do :; done;
case $("$l" "$i" 2>/dev/null) in "") exec "$@";; "$e") echo "there already";;
*) exec "$c" "$e";; esac
"""
"""mkitab fails on an identifier that is there, chitab on one that is not (§1.7)."""
_REMOVE = """\
all=$("$2" -a) && [ -n "$all" ] || { echo "lsitab did not tell what there is" >&2; exit 2; }
printf '%s\\n' "$all" | grep -q "^$1:" || { echo "was not there"; exit 0; }; exec "$3" "$1"
"""

_DISARM = """\
l=$1; r=$2; t=$3; p=$4; i=$5; d=${HAMND_STATE_DIR:-$6}; q=;
f=$d/inittab.held;
all=$("$l" -a) || { printf '%s\\n' "$all" >&2; exit 2; };
mkdir -p "$d" || exit 1;
printf '%s\\n' "$all" | awk -F: -v p="$p" -v i="$i"
'NF > 3 && $3 != "off" && ($2 == "" || $2 ~ /2/) {
c = $0; sub(/^[^:]*:[^:]*:[^:]*:/, "", c); if ($1 ~ i || c ~ p) print }' >"$f.now" || exit 1;
if [ ! -s "$f.now" ]; then rm -f "$f.now"; echo "nothing in the inittab starts them"; exit 0; fi;
if [ ! -e "$f" ] || grep -vxFf "$f" "$f.now" >/dev/null; then cp "$f.now" "$f" || exit 1; fi;
while IFS= read -r e; do case $e in *:respawn:*) q=yes;; esac;
"$r" "${e%%:*}" || exit 1; echo "${e%%:*} is taken out"; done <"$f.now";
rm -f "$f.now"; if [ -n "$q" ]; then "$t" q; fi
"""
"""What is taken out is kept whole before. Done again half-way, it finds fewer lines than it kept:
only a line that is not among them makes it keep anew."""
_REARM = """\
l=$1; m=$2; f=${HAMND_STATE_DIR:-$3}/inittab.held;
[ -e "$f" ] || { echo "nothing was taken out"; exit 0; };
while IFS= read -r e; do i=${e%%:*};
"$l" "$i" >/dev/null 2>&1 || "$m" "$e" || exit 1; echo "$i is back"; done <"$f"; rm -f "$f"
"""


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

    @property
    def is_guarded(self) -> bool:
        """Whether what it starts waits for the return guard."""
        return self.command.startswith(f"{STARTER} ")

    def text(self) -> str:
        """Return the entry as mkitab takes it."""
        return f"{self.identifier}:{self.levels}:{self.action}:{self.command}"


def entries(site: Site) -> Look:
    """Return a look at every entry."""
    return Look(
        all_of(site), reads="inittab.readable", expects=f"the inittab of {site.node} can be read"
    )


def starts_none(site: Site, names: tuple[str, ...]) -> Look:
    """Return a look that expects nothing to start these subsystems at boot unguarded, nor Db2."""
    return Look(
        all_of(site),
        reads="inittab.starts_none",
        expects=f"no line of the inittab starts {', '.join(names)}, or Db2 by itself",
        arguments=names,
    )


def is_disarmed(site: Site, names: tuple[str, ...]) -> Look:
    """Return a look that expects nothing at all to start these at boot, behind a guard or not."""
    return Look(
        all_of(site),
        reads="inittab.is_disarmed",
        expects=f"no line of the inittab on {site.node} starts {', '.join(names)}, or Db2",
        arguments=names,
    )


def disarm(site: Site, names: tuple[str, ...]) -> Action:
    """Return the action that takes out every line that starts these or Db2, and keeps them.

    They are kept in inittab.held of the state directory; init ends what it respawned from one.
    """
    tools = (program(site, one) for one in ("lsitab", "rmitab", "telinit"))
    words = (*tools, pattern(names, FAULT_MONITOR), identifiers(names), site.paths.state_dir)
    request = Exec(site.node, ("sh", "-c", one_line(_DISARM), "hamnd-disarm", *words))
    return Action(request, reads="inittab.disarmed", is_repeatable=True)


def rearm(site: Site) -> Action:
    """Return the way back from `disarm`."""
    words = (program(site, "lsitab"), program(site, "mkitab"), site.paths.state_dir)
    request = Exec(site.node, ("sh", "-c", one_line(_REARM), "hamnd-rearm", *words))
    return Action(request, is_repeatable=True)


def has(site: Site, entry: Entry) -> Look:
    """Return a look that expects exactly this entry."""
    return Look(
        all_of(site),
        reads="inittab.has",
        expects=f"the inittab has {entry.identifier}",
        arguments=(entry.text(),),
    )


def make(site: Site, entry: Entry, behind: str = "") -> Action:
    """Return the action that makes an entry, after another one where that is named."""
    where = ("-i", behind) if behind else ()
    made = (program(site, "mkitab"), *where, entry.text())
    tools = (program(site, "lsitab"), program(site, "chitab"))
    argv = ("sh", "-c", one_line(_MAKE), "hamnd-mkitab", entry.identifier, *tools, *made)
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
    starts = re.compile(pattern(names, FAULT_MONITOR))
    return tuple(
        one
        for one in found
        if one.is_on and (one.identifier in names or starts.search(one.command))
    )


def read_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when entries can be read."""
    found = found_in(report)
    if isinstance(found, Reading):
        return found
    return Reading(Verdict.PASS, f"{len(found)} entries")


def read_starts_none(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when a reboot would start none of these."""
    found = found_in(report)
    if isinstance(found, Reading):
        return found
    started = starters(found, arguments)
    bad = [one for one in started if not one.is_guarded]
    if bad:
        told = ", ".join(one.identifier for one in bad)
        is_monitor = FAULT_MONITOR in bad[0].command
        first = "db2fmcu -d" if is_monitor else f"rmitab {bad[0].identifier}"
        return Reading(Verdict.BLOCK, f"a reboot would start {told}: {first}")
    if started:
        told = ", ".join(one.identifier for one in started)
        return Reading(Verdict.PASS, f"only {told} starts them, once the guard lets it")
    return Reading(Verdict.PASS, "nothing in the inittab starts them")


def read_is_disarmed(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when no line that is on starts any of these."""
    found = found_in(report)
    if isinstance(found, Reading):
        return found
    bad = starters(found, arguments)
    if not bad:
        return Reading(Verdict.PASS, "nothing in the inittab starts them")
    told = ", ".join(one.identifier for one in bad)
    return Reading(Verdict.BLOCK, f"starts at boot: {told}")


def read_disarmed(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when what there was is taken out; UNKNOWN when lsitab did not tell what there is."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.BLOCK and report.exit_code == 2:
        return Reading(Verdict.UNKNOWN, f"the inittab could not be read: {last_lines(report)}")
    return reading


def read_has(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the entry is there, word by word."""
    found = found_in(report)
    if isinstance(found, Reading):
        return found
    text = (*arguments, "")[0]
    identifier = text.partition(":")[0]
    own = next((one for one in found if one.identifier == identifier), None)
    if own is None:
        told = f"the inittab has no {identifier}: it would not start at boot"
        return Reading(Verdict.BLOCK, told)
    if own.text() != text:
        return Reading(Verdict.BLOCK, f"{identifier} of the inittab runs {own.command}")
    return Reading(Verdict.PASS, f"the inittab has {identifier}")


def pattern(names: tuple[str, ...], *more: str) -> str:
    """Return what a command has that starts one of these, or is one of `more`.

    The same for Python and for awk.
    """
    words = "|".join(_escaped(one) for one in names)
    found = "|".join((*((f"(re?start)?({words})",) if names else ()), *more))
    return f"(^|[^A-Za-z0-9_.-])({found})($|[^A-Za-z0-9_.-])"


def identifiers(names: tuple[str, ...]) -> str:
    """Return by which identifiers these are known, as awk takes it."""
    return f"^({'|'.join(_escaped(one) for one in names)})$"


def _escaped(name: str) -> str:
    return name.replace(".", "[.]")


def all_of(site: Site) -> Exec:
    """Return the run that lists every entry."""
    return Exec(site.node, (program(site, "lsitab"), "-a"))


def found_in(report: Report) -> tuple[Entry, ...] | Reading:
    """Return the entries that were listed, or why they are not known."""
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
    "inittab.is_disarmed": read_is_disarmed,
    "inittab.disarmed": read_disarmed,
    "inittab.has": read_has,
}
