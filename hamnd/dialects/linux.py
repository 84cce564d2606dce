"""Linux: addresses and services, as its own tools show and move them.

Owns the argv and the output of ip, arping and systemctl. Must not know in which order they are used
(core.platforms.linux) nor scheduled jobs (dialects.jobs). Addresses and their announcement: lab.md
§5; unit states: systemctl(1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

_ADDRESS = re.compile(r"^\d+:\s+(\S+)\s+(inet6?)\s+(\S+?)/(\d+)\s(.*)$")
_PROGRAMS = (
    'm=; for p; do command -v "$p" >/dev/null 2>&1 || m="$m $p"; done; '
    '[ -z "$m" ] || { echo "missing:$m"; exit 1; }'
)


@dataclass(frozen=True, slots=True)
class Address:
    """One address of an interface; `is_ready` is False while IPv6 still looks for duplicates."""

    interface: str
    address: str
    prefix: int
    is_ready: bool = True


def addresses(site: Site) -> Look:
    """Return a look at every address of this node."""
    return Look(
        Exec(site.node, (site.tool("ip"), "-o", "addr", "show")),
        reads="linux.addresses",
        expects=f"the addresses of {site.node} can be read",
    )


def address_up(site: Site, service: ServiceAddress) -> Look:
    """Return a look that expects a service address on its interface."""
    return Look(
        Exec(site.node, (site.tool("ip"), "-o", "addr", "show")),
        reads="linux.address_up",
        expects=f"{service.address} is up on {service.interface}",
        arguments=(service.address, service.interface),
    )


def interface_there(site: Site, service: ServiceAddress) -> Look:
    """Return a look that expects the interface to exist and to have an address of its own."""
    return Look(
        Exec(site.node, (site.tool("ip"), "-o", "addr", "show")),
        reads="linux.interface_there",
        expects=f"interface {service.interface} is there and has an address",
        arguments=(service.interface,),
    )


def address_free(site: Site, service: ServiceAddress) -> Look:
    """Return a look that asks the network who has the address; nobody may answer.

    It proves nothing across a cut link (lab.md §5): fence evidence is needed as well.
    """
    options = ("-D", "-c", "2", "-w", "3", "-I", service.interface)
    return Look(
        Exec(site.node, (site.tool("arping"), *options, service.address)),
        reads="linux.address_free",
        expects=f"nobody answers ARP for {service.address} on {service.interface}",
    )


def add_address(site: Site, service: ServiceAddress) -> Action:
    """Return the action that takes the address, until the next boot only."""
    return Action(
        Exec(site.node, (site.tool("ip"), "addr", "add", *_placed(service))),
        reads="linux.address_added",
    )


def remove_address(site: Site, service: ServiceAddress) -> Action:
    """Return the action that gives the address back."""
    return Action(
        Exec(site.node, (site.tool("ip"), "addr", "del", *_placed(service))),
        reads="linux.address_removed",
    )


def announce(site: Site, service: ServiceAddress) -> Action:
    """Return the action that tells the neighbours (gratuitous ARP; one second per packet)."""
    options = ("-U", "-c", "2", "-I", service.interface)
    argv = (site.tool("arping"), *options, service.address)
    return Action(Exec(site.node, argv), is_repeatable=True)


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


def parse_addresses(text: str) -> tuple[Address, ...]:
    """Return the addresses in the output of `ip -o addr show`; other lines are skipped."""
    found = (_ADDRESS.match(line) for line in text.splitlines())
    return tuple(
        Address(
            line[1].partition("@")[0],
            line[3],
            int(line[4]),
            not {"tentative", "dadfailed"} & set(line[5].partition("\\")[0].split()),
        )
        for line in found
        if line is not None
    )


def holds_identity(report: Report, site: Site) -> bool | None:
    """Return whether this node carries every service address; None when that is not known."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return None
    here = {one.address for one in parse_addresses(report.stdout)}
    if not here:
        return None
    return len(site.identity) > 0 and all(one.address in here for one in site.identity)


def parse_units(report: Report, units: tuple[str, ...]) -> Mapping[str, str] | None:
    """Return each unit's word from `systemctl is-active`; None when it did not say one each."""
    words = report.stdout.split()
    is_told = report.ending is Ending.EXITED and len(words) == len(units) and len(units) > 0
    if not is_told or not all(re.fullmatch(r"[a-z-]+", word) for word in words):
        return None
    return dict(zip(units, words, strict=True))


def read_addresses(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when addresses can be read."""
    reading = read_exit_zero(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    here = parse_addresses(report.stdout)
    if not here:
        return Reading(Verdict.UNKNOWN, "ip shows no address at all")
    return Reading(Verdict.PASS, ", ".join(f"{one.address} on {one.interface}" for one in here))


def read_address_up(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the address is on its interface and past duplicate detection."""
    reading = read_addresses(report)
    if reading.verdict is not Verdict.PASS:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    address, interface = _pair(arguments)
    holders = [one for one in parse_addresses(report.stdout) if one.address == address]
    if not holders:
        return Reading(Verdict.BLOCK, f"{address} is not on this node")
    if all(one.interface != interface for one in holders):
        return Reading(Verdict.BLOCK, f"{address} is on {holders[0].interface}, not {interface}")
    if not any(one.is_ready for one in holders):
        return Reading(Verdict.BLOCK, f"{address} is not usable yet (duplicate detection)")
    return Reading(Verdict.PASS, f"{address} is up on {interface}")


def read_interface_there(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the interface has an address of its own."""
    reading = read_addresses(report)
    if reading.verdict is not Verdict.PASS:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    interface, _ = _pair(arguments)
    own = [one for one in parse_addresses(report.stdout) if one.interface == interface]
    if own:
        return Reading(Verdict.PASS, f"{interface} has {own[0].address}")
    return Reading(Verdict.BLOCK, f"{interface} is not there or has no address")


def read_address_free(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when duplicate detection went out and nobody answered, BLOCK when somebody did.

    Read from the text as well: another program of the same name (Habets' arping) ends with the
    opposite exit codes, and its output counts differently.
    """
    silence = unanswered(report)
    if silence is not None:
        return silence
    if re.search(r"reply from", report.stdout, re.IGNORECASE):
        return Reading(Verdict.BLOCK, f"the address is in use: {last_lines(report)}")
    is_iputils = re.search(r"^Received 0 response", report.stdout, re.MULTILINE) is not None
    is_sent = re.search(r"^Sent [1-9]\d* probe", report.stdout, re.MULTILINE) is not None
    if report.exit_code == 0 and is_iputils and is_sent:
        return Reading(Verdict.PASS, "nobody answers ARP for the address")
    return Reading(
        Verdict.UNKNOWN, f"arping proves nothing (exit {report.exit_code}): {last_lines(report)}"
    )


def read_address_added(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the address was added or was there already."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.BLOCK and re.search(
        r"File exists|already assigned", report.stderr
    ):
        return Reading(Verdict.PASS, "the address was there already")
    return reading


def read_address_removed(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the address was removed or was not there."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.BLOCK and re.search(
        r"Cannot assign requested address|[Aa]ddress not found", report.stderr
    ):
        return Reading(Verdict.PASS, "the address was not there")
    return reading


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


def read_unit_stopped(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when everything there was has stopped (exit code 5: a unit is not loaded)."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.BLOCK and report.exit_code == 5:
        return Reading(Verdict.PASS, "what this host has of it is stopped")
    return reading


def _placed(service: ServiceAddress) -> tuple[str, ...]:
    return (f"{service.address}/{service.prefix}", "dev", service.interface)


def _systemctl(site: Site, verb: str, *units: str) -> Action:
    return Action(Exec(site.node, (site.tool("systemctl"), verb, *units)))


def _pair(arguments: tuple[str, ...]) -> tuple[str, str]:
    padded = (*arguments, "", "")
    return padded[0], padded[1]


def _spell(states: Mapping[str, str]) -> str:
    return ", ".join(f"{unit} is {word}" for unit, word in states.items())
