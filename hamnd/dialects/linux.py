"""Linux: units, programs and name servers, as its own tools show and move them.

Owns the argv and the output of systemctl and dig. Must not know in which order they are used
(core.platforms.linux), addresses (dialects.addresses) nor scheduled jobs (dialects.jobs). Unit
states: systemctl(1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hamnd.dialects.shell import read_exit_zero, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

_PROGRAMS = (
    'm=; for p; do command -v "$p" >/dev/null 2>&1 || m="$m $p"; done; '
    '[ -z "$m" ] || { echo "missing:$m"; exit 1; }'
)


_GUARD = """\
g=$1 s=$2; shift 2; bad= any=; [ -x "$g" ] || exit 1;
for u; do case $u in --) any=-; continue;; esac;
t=$("$s" show --property=LoadState,ExecCondition,ExecStartPre "$u" 2>/dev/null);
case $t in *LoadState=loaded*) ;; *LoadState=*) continue;;
*) echo "$s does not tell of $u" >&2; exit 2;; esac;
case $any,$t in -*hamn-guard*) any=yes;; ,*hamn-guard*|-,*|yes,*) ;; *) bad="$bad $u";; esac; done;
[ "$any" != - ] || bad="$bad network";
[ -z "$bad" ] || { echo "hamn-guard is not before:$bad"; exit 1; };
echo "hamn-guard is installed"
"""
"""As systemd has loaded the units: below 243 it shows no ExecCondition, because it obeys none. Of
the names behind --, one has to carry the guard."""
_UNGUARDED = re.compile(r"^hamn-guard is not before: (.+)$", re.MULTILINE)
GUARD = "/usr/sbin/hamn-guard"
GUARD_TOLD = "hamn-guard is installed"
STARTS = """\
starts() {
t=$("$1" is-enabled "$2" 2>/dev/null); [ -n "$t" ] || t=$("$1" is-enabled "$2" 2>&1)
case $t in enabled*|alias) return 0;; disabled*|static*|masked*|indirect*|generated*) return 1;;
transient*|linked*|bad*|not-found*|*"unit file state"*"No such file"*) return 1;;
*) echo "$1 does not tell whether $2 starts at boot: $t" >&2; exit 2;; esac
}
"""
"""`starts SYSTEMCTL UNIT`: whether it starts at boot; what systemctl did not tell ends the script.
The words are systemctl(1)'s, is-enabled; of a unit that is not there older ones only complain."""
_ENABLED = STARTS + 's=$1; shift; for u; do starts "$s" "$u" && echo "$u"; done; echo whole'
_ENABLED_BEFORE = "enabled-before"
_NOTE_ENABLED = (
    STARTS + 's=$1 f=$2/$3; shift 3; mkdir -p "${f%/*}" && for u; do '
    'if starts "$s" "$u" && [ "$t" != alias ]; then echo "$u"; fi; done >>"$f"'
)
_ENABLE_NOTED = (
    'f=$2/$3; [ -e "$f" ] || exit 0; units=$(sort -u "$f") || exit 1; '
    'for u in $units; do "$1" enable "$u" || exit 1; done; rm -f "$f"'
)
"""What started at boot before it was disabled, one unit a line, in hamnd's state directory."""
_OF_EACH = """\
systemctl=$1 verb=$2; shift 2; done=
for u; do
if [ "$u" = -- ]; then done=; continue; fi
[ -z "$done" ] || continue
case $("$systemctl" show --property=LoadState "$u" 2>/dev/null) in *LoadState=loaded*) ;;
*LoadState=*) continue;; *) echo "$systemctl does not tell of $u" >&2; exit 1;; esac
"$systemctl" "$verb" "$u" || exit 1
done=yes
done
"""
"""Of each group of names, separated by --, the first unit that this host has."""


def name_resolves(site: Site, service: ServiceAddress) -> Look:
    """Return a look that asks the name server at the service address, as the nodes will."""
    options = ("+search", "+time=2", "+tries=2")
    kind = "AAAA" if ":" in service.address else "A"
    return Look(
        Exec(site.node, ("dig", *options, f"@{service.address}", service.name, kind)),
        reads="linux.name_resolves",
        expects=f"the name server at {service.address} knows {service.name}",
        arguments=(service.name, service.address),
    )


def start_unit(site: Site, unit: str) -> Action:
    """Return the action that starts a unit."""
    return _systemctl(site, "start", unit)


def stop_unit(site: Site, *units: str) -> Action:
    """Return the action that stops units; those this host does not have do not matter."""
    action = _systemctl(site, "stop", *units)
    return Action(action.request, reads="linux.unit_stopped")


def enable_units(site: Site, *units: str) -> Action:
    """Return the action that has units start at boot; it starts none of them now."""
    return _systemctl(site, "enable", *units)


def disable_units(site: Site, *units: str) -> Action:
    """Return the action that keeps units from starting at boot; it stops none of them now."""
    return _systemctl(site, "disable", *units)


def guard_there(site: Site, *units: str, network: tuple[str, ...] = ()) -> Look:
    """Return a look that expects the return guard on this node, and before these units.

    Args:
        site: The site.
        units: Each of them that this node has asks the guard before it starts.
        network: Where the address comes up with the network: one of these asks it.
    """
    names = (*units, "--", *network) if network else units
    argv = ("sh", "-c", _GUARD.replace("\n", " "), "hamnd-guard-there", GUARD)
    return Look(
        Exec(site.node, (*argv, site.tool("systemctl"), *names)),
        reads="linux.guard_there",
        expects=f"{GUARD} is installed" + (f", before {', '.join(units)}" if units else ""),
    )


def is_guard_there(report: Report) -> bool:
    """Whether the return guard was seen before all units; False also when that is not known."""
    return report.ending is Ending.EXITED and GUARD_TOLD in report.stdout


def unguarded(report: Report) -> str:
    """Return the units that start without asking the guard, though it is there; else nothing."""
    found = _UNGUARDED.search(report.stdout) if report.ending is Ending.EXITED else None
    return "" if found is None else found[1]


def enable_each(site: Site, groups: tuple[tuple[str, ...], ...]) -> Action:
    """Return the action that has one unit of each group start at boot."""
    return Action(Exec(site.node, _of_each(site, "enable", groups)))


def disable_each(site: Site, groups: tuple[tuple[str, ...], ...]) -> Action:
    """Return the way back from `enable_each`."""
    return Action(Exec(site.node, _of_each(site, "disable", groups)))


def forget_enabled(site: Site) -> Action:
    """Return what forgets the units that an earlier plan noted."""
    argv = ("rm", "-f", f"{site.paths.state_dir}/{_ENABLED_BEFORE}")
    return Action(Exec(site.node, argv), is_repeatable=True)


def note_enabled(site: Site, groups: tuple[tuple[str, ...], ...]) -> Action:
    """Return what notes on this node which of these units start at boot, before they no more do."""
    names = tuple(unit for group in groups for unit in group)
    words = (site.tool("systemctl"), site.paths.state_dir, _ENABLED_BEFORE, *names)
    argv = ("sh", "-c", _NOTE_ENABLED, "hamnd-note-enabled", *words)
    return Action(Exec(site.node, argv), is_repeatable=True)


def enable_noted(site: Site) -> Action:
    """Return what has those units start at boot again that were noted, and forgets them."""
    words = (site.tool("systemctl"), site.paths.state_dir, _ENABLED_BEFORE)
    argv = ("sh", "-c", _ENABLE_NOTED, "hamnd-enable-noted", *words)
    return Action(Exec(site.node, argv), is_repeatable=True)


def enabled_each(site: Site, groups: tuple[tuple[str, ...], ...]) -> Look:
    """Return a look that expects one unit of each group to start at boot."""
    return Look(
        Exec(site.node, _of_each(site, "is-enabled", groups)),
        reads="shell.exit_zero",
        expects="what serves the nodes starts again at boot, behind the guard",
    )


def disabled_each(site: Site, groups: tuple[tuple[str, ...], ...]) -> Look:
    """Return a look that expects no unit of these groups to start at boot."""
    names = tuple(unit for group in groups for unit in group)
    return Look(
        Exec(site.node, ("sh", "-c", _ENABLED, "hamnd-enabled", site.tool("systemctl"), *names)),
        reads="linux.disabled_each",
        expects=f"nothing that serves the nodes starts at boot on {site.node}",
    )


def any_active(site: Site, *units: str) -> Look:
    """Return a look that expects at least one of these units to run."""
    return Look(
        Exec(site.node, (site.tool("systemctl"), "is-active", *units)),
        reads="linux.any_active",
        expects=f"{' or '.join(units)} is active",
        arguments=units,
    )


def none_active(site: Site, *units: str) -> Look:
    """Return a look that expects none of these units to run."""
    return Look(
        Exec(site.node, (site.tool("systemctl"), "is-active", *units)),
        reads="linux.none_active",
        expects=f"{' and '.join(units)} not running here",
        arguments=units,
    )


def unit_waiting(site: Site, unit: str) -> Look:
    """Return a look that expects a unit to exist and not to start at boot."""
    return Look(
        Exec(site.node, (site.tool("systemctl"), "is-enabled", unit)),
        reads="linux.unit_waiting",
        expects=f"{unit} is installed and does not start at boot",
        arguments=(unit,),
    )


def programs(site: Site, *names: str) -> Look:
    """Return a look that expects these programs on the search path."""
    return Look(
        Exec(site.node, ("sh", "-c", _PROGRAMS, "hamnd-programs", *names)),
        reads="shell.exit_zero",
        expects=f"{', '.join(names)} can be run",
    )


def parse_units(report: Report, units: tuple[str, ...]) -> Mapping[str, str] | None:
    """Return each unit's word from `systemctl is-active`; None when it did not say one each."""
    words = report.stdout.split()
    is_told = report.ending is Ending.EXITED and len(words) == len(units) and len(units) > 0
    if not is_told or not all(re.fullmatch(r"[a-z-]+", word) for word in words):
        return None
    return dict(zip(units, words, strict=True))


def read_guard_there(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the return guard is installed."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    if is_guard_there(report):
        return Reading(Verdict.PASS, "hamn-guard is installed")
    if names := unguarded(report):
        return Reading(Verdict.BLOCK, f"hamn-guard is installed, but not before {names}")
    if report.exit_code == 2:
        return unreadable(report)
    return Reading(Verdict.BLOCK, f"there is no {GUARD}")


def read_name_resolves(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the name server gave the address, BLOCK when it gave another, none or an error."""
    if report.ending is not Ending.EXITED or report.truncated:
        return unreadable(report)
    name, address = _pair(arguments)
    if re.search(r"no servers could be reached|timed out|connection refused", report.stdout):
        return Reading(Verdict.BLOCK, "the name server does not answer")
    status = re.search(r"status: (\w+)", report.stdout)
    if status is None or report.exit_code != 0:
        return unreadable(report)
    answers = re.findall(r"^[^;\s]\S*\s+\d+\s+IN\s+A{1,4}\s+(\S+)", report.stdout, re.MULTILINE)
    if not answers:
        return Reading(Verdict.BLOCK, f"the name server knows no {name} ({status[1]})")
    if address not in answers:
        return Reading(Verdict.BLOCK, f"{name} resolves to {', '.join(answers)}, not {address}")
    return Reading(Verdict.PASS, f"{name} resolves to {address}")


def read_any_active(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when one of the units runs."""
    states = parse_units(report, arguments)
    if states is None:
        return unreadable(report)
    active = [unit for unit, word in states.items() if word == "active"]
    if active:
        return Reading(Verdict.PASS, f"{', '.join(active)} is active")
    return Reading(Verdict.BLOCK, _spell(states))


def read_none_active(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when none of the units runs or is about to."""
    states = parse_units(report, arguments)
    if states is None:
        return unreadable(report)
    quiet = {"inactive", "failed", "unknown"}
    if all(word in quiet for word in states.values()):
        return Reading(Verdict.PASS, _spell(states))
    return Reading(Verdict.BLOCK, _spell(states))


def read_unit_waiting(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the unit is installed and not enabled."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    unit, _ = _pair(arguments)
    word = report.stdout.strip()
    if word in ("disabled", "static", "indirect", "generated"):
        return Reading(Verdict.PASS, f"{unit} is {word}")
    if word.startswith(("enabled", "alias")):
        return Reading(Verdict.BLOCK, f"{unit} is {word}: it would start at boot")
    if word.startswith("masked"):
        return Reading(Verdict.BLOCK, f"{unit} is {word}: it cannot be started")
    if word == "not-found" or "No such file" in report.stderr:
        return Reading(Verdict.BLOCK, f"there is no unit {unit}")
    return unreadable(report)


def read_disabled_each(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the list of enabled units is whole and empty."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    *names, end = report.stdout.split() or [""]
    if end != "whole" or report.exit_code != 0:
        return unreadable(report)
    if names:
        return Reading(Verdict.BLOCK, f"starts at boot: {', '.join(names)}")
    return Reading(Verdict.PASS, "nothing of it starts at boot")


def read_unit_stopped(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when everything there was has stopped (exit code 5: a unit is not loaded)."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.BLOCK and report.exit_code == 5:
        return Reading(Verdict.PASS, "what this host has of it is stopped")
    return reading


def _of_each(site: Site, verb: str, groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    units = tuple(word for group in groups for word in (*group, "--"))
    return ("sh", "-c", _OF_EACH, "hamnd-units", site.tool("systemctl"), verb, *units)


def _systemctl(site: Site, verb: str, *units: str) -> Action:
    return Action(Exec(site.node, (site.tool("systemctl"), verb, *units)))


def _pair(arguments: tuple[str, ...]) -> tuple[str, str]:
    padded = (*arguments, "", "")
    return padded[0], padded[1]


def _spell(states: Mapping[str, str]) -> str:
    return ", ".join(f"{unit} is {word}" for unit, word in states.items())
