"""Addresses of a Linux node: who has them, how they are taken and announced.

Owns the argv and the output of ip and arping. Must not know in which order they are used
(core.platforms.linux). Source: lab.md §5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

_ADDRESS = re.compile(r"^\d+:\s+(\S+)\s+(inet6?)\s+(\S+?)/(\d+)\s(.*)$")


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


def _placed(service: ServiceAddress) -> tuple[str, ...]:
    return (f"{service.address}/{service.prefix}", "dev", service.interface)


def _pair(arguments: tuple[str, ...]) -> tuple[str, str]:
    padded = (*arguments, "", "")
    return padded[0], padded[1]
