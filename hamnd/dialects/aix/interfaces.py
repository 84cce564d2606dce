"""AIX's interfaces: which addresses they carry, and how an alias is taken and given back.

Owns the argv and the output of ifconfig, netstat -in, arp and errpt's duplicate alarm (aix.md §3.3,
§3.4, §2). Must not know which address moves (core.platforms.aix) nor the ODM (dialects.aix.tcpip).

There is no arping in base AIX: who answers for an address is asked by ping, and told afterwards by
AIX itself, which logs AIXIF_ARP_DUP_ADDR when another host answers ARP for an address of ours. AIX
announces an address when it is configured or aliased; a ping from it to the gateway does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address, ip_interface

from hamnd.dialects.aix import one_line, program
from hamnd.dialects.shell import read_exit_zero, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

DUPLICATE = "AIXIF_ARP_DUP_ADDR"

_HEAD = re.compile(r"(\w+): flags=[0-9a-f]+(?:,[0-9a-f]+)?<([^>]*)>")
_INET = re.compile(r"\s+inet (\d+\.\d+\.\d+\.\d+)(?: netmask (?:0x)?([0-9a-f]{8}|0))?\b")
_INET6 = re.compile(r"\s+inet6 ([0-9a-fA-F:.]+)(?:%\d+)?(?:/(\d+))?")
_MAC = re.compile(r"(?:[0-9a-fA-F]{1,2}[.:]){5}[0-9a-fA-F]{1,2}")
_LOGGED = re.compile(r"[0-9A-F]{8}\s+(\d{10})\s")
_LOGGED_FORMAT = "%m%d%H%M%y"
ALARM_S = 86_400.0
"""How long a duplicate that was logged is told; errclear ends it sooner."""

_ADD = """\
"$1" "$2" alias "$3" netmask "$4" up;
"$1" "$2" | grep -q "inet $3 " || exit 1; echo "$3 is on $2"
"""
_DELETE = """\
a=$("$1" "$2" delete "$3" 2>&1); o=$("$1" "$2" 2>&1) || { echo "$o" >&2; exit 2; };
if printf '%s\\n' "$o" | grep -q "inet $3 "; then echo "$a" >&2; exit 1; fi;
echo "$3 is not on $2"
"""
_DROP = """\
i=$2; a=$3; o=$("$4" -El "$i" -a alias4 -F value) || { echo "$o" >&2; exit 2; };
for v in $o; do case $v in "$a",*) "$5" -l "$i" -a delalias4="$v" || exit 1;; esac; done;
if "$1" "$i" | grep -q "inet $a "; then "$1" "$i" delete "$a"; fi;
o=$("$1" "$i" 2>&1) || { echo "$o" >&2; exit 2; };
if printf '%s\\n' "$o" | grep -q "inet $a "; then echo "$a is still on $i" >&2; exit 1; fi;
echo "$a is not on $i"
"""
_SHOW = '"$1" -a && echo == && "$2" -El "$3" -a alias4 -F value'
_NOTE = 'mkdir -p "$2" && "$1" -J "$3" >"$2/duplicates" 2>/dev/null; test -f "$2/duplicates"'
_NEW = 'cat "$2/duplicates" && echo == && { "$1" -J "$3" 2>/dev/null; :; }'
_LATELY = """\
command -v "$1" >/dev/null || exit 2; cat "$2/duplicates" 2>/dev/null; echo ==;
"$1" -J "$3" 2>/dev/null; echo ==; date +%m%d%H%M%y
"""


@dataclass(frozen=True, slots=True)
class Address:
    """One address; `prefix` is 32 for an alias that shows no netmask, None for an odd mask."""

    address: str
    prefix: int | None


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface; it is up only when its flags say UP and RUNNING."""

    name: str
    is_up: bool
    addresses: tuple[Address, ...]


def addresses(site: Site) -> Look:
    """Return a look at every address of this node."""
    return Look(
        _all(site),
        reads="aix.addresses",
        expects=f"the addresses of {site.node} can be read",
    )


def address_up(site: Site, service: ServiceAddress) -> Look:
    """Return a look that expects an address on its interface, and that interface up."""
    return Look(
        _all(site),
        reads="aix.address_up",
        expects=f"{service.address} is up on {service.interface}",
        arguments=(service.address, service.interface),
    )


def interface_there(site: Site, service: ServiceAddress) -> Look:
    """Return a look that expects the interface to be up and to have an address of its own."""
    return Look(
        _all(site),
        reads="aix.interface_there",
        expects=f"interface {service.interface} is up and has an address",
        arguments=(service.interface,),
    )


def on_link(site: Site, address: str) -> Look:
    """Return a look that expects another host's address in a network of this node's own."""
    return Look(
        _all(site),
        reads="aix.on_link",
        expects=f"{address} is in a network of {site.node}'s own",
        arguments=(address,),
    )


def links(site: Site) -> Look:
    """Return a look at the hardware address of every interface."""
    return Look(
        Exec(site.node, (program(site, "netstat"), "-in")),
        reads="aix.links",
        expects=f"the interfaces of {site.node} can be read",
    )


def add_alias(site: Site, service: ServiceAddress) -> Action:
    """Return the action that takes an address beside the interface's own, until the next boot."""
    argv = (program(site, "ifconfig"), service.interface, service.address, mask_of(service.prefix))
    tool, interface, address, mask = argv
    plain = (tool, interface, "alias", address, "netmask", mask, "up")
    request = Exec(site.node, ("sh", "-c", one_line(_ADD), "hamnd-alias", *argv))
    return Action(request, by_hand=(Exec(site.node, plain),))


def delete_alias(site: Site, service: ServiceAddress) -> Action:
    """Return the action that gives such an address back; what counts is that it is gone."""
    argv = (program(site, "ifconfig"), service.interface, service.address)
    tool, interface, address = argv
    request = Exec(site.node, ("sh", "-c", one_line(_DELETE), "hamnd-unalias", *argv))
    plain = (tool, interface, "delete", address)
    return Action(request, by_hand=(Exec(site.node, plain),))


def drop_alias(site: Site, service: ServiceAddress) -> Action:
    """Return the action that gives an alias up for good: one that the ODM brings back too (§3.2).

    `delete_alias` is for what this node took itself, which no reboot brings back.
    """
    tools = (program(site, "lsattr"), program(site, "chdev"))
    argv = (program(site, "ifconfig"), service.interface, service.address, *tools)
    request = Exec(site.node, ("sh", "-c", one_line(_DROP), "hamnd-drop-alias", *argv))
    return Action(request, is_repeatable=True)


def alias_gone(site: Site, service: ServiceAddress) -> Look:
    """Return a look that expects an address to be off this node, now and after its next boot."""
    argv = (program(site, "ifconfig"), program(site, "lsattr"), service.interface)
    return Look(
        Exec(site.node, ("sh", "-c", _SHOW, "hamnd-aliases", *argv)),
        reads="aix.alias_gone",
        expects=f"{service.address} is gone from {site.node}, from the ODM too",
        arguments=(service.address,),
    )


def note_duplicates(site: Site) -> Action:
    """Return the action that writes down which duplicate addresses AIX has logged until now."""
    argv = (program(site, "errpt"), f"{site.paths.state_dir}/identity", DUPLICATE)
    request = Exec(site.node, ("sh", "-c", _NOTE, "hamnd-note", *argv))
    return Action(request, is_repeatable=True, by_hand=())


def no_duplicate(site: Site) -> Look:
    """Return a look that expects AIX to have logged no duplicate address since they were noted."""
    argv = (program(site, "errpt"), f"{site.paths.state_dir}/identity", DUPLICATE)
    return Look(
        Exec(site.node, ("sh", "-c", _NEW, "hamnd-duplicates", *argv)),
        reads="aix.no_duplicate",
        expects="AIX logs no other host that answers for an address of ours (errpt)",
        by_hand=(Exec(site.node, (program(site, "errpt"), "-J", DUPLICATE)),),
    )


def no_duplicate_lately(site: Site) -> Look:
    """Return a look that expects none in a day, but what was noted before this node's takeover."""
    argv = (program(site, "errpt"), f"{site.paths.state_dir}/identity", DUPLICATE)
    return Look(
        Exec(site.node, ("sh", "-c", one_line(_LATELY), "hamnd-duplicates-lately", *argv)),
        reads="aix.no_duplicate_lately",
        expects=f"AIX logs no other host that answers for an address of {site.node} (errpt)",
    )


def mask_of(prefix: int) -> str:
    """Return an IPv4 prefix length as a netmask."""
    bits = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    return ".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0))


def prefix_of(mask: int) -> int | None:
    """Return the prefix length of a netmask; None for a mask with holes."""
    length = mask.bit_count()
    return length if mask == (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF else None


def parse_interfaces(text: str) -> tuple[Interface, ...]:
    """Return the interfaces in the output of `ifconfig -a`; other lines are skipped."""
    found: list[Interface] = []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head is not None:
            flags = set(head[2].split(","))
            found.append(Interface(head[1], {"UP", "RUNNING"} <= flags, ()))
        elif found and (one := _address(line)) is not None:
            last = found[-1]
            found[-1] = Interface(last.name, last.is_up, (*last.addresses, one))
    return tuple(found)


def parse_links(text: str) -> dict[str, str]:
    """Return each interface's hardware address from `netstat -in`, as other systems write it."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 3 and words[2].startswith("link#") and _MAC.fullmatch(words[3]):
            found[words[0].rstrip("*")] = hardware(words[3])
    return found


def hardware(text: str) -> str:
    """Return a hardware address with colons and two digits each; AIX drops leading zeros."""
    return ":".join(part.rjust(2, "0") for part in re.split(r"[.:]", text.lower()))


def here(report: Report) -> frozenset[str] | None:
    """Return every address of this node; None when they are not known."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return None
    found = parse_interfaces(report.stdout)
    return frozenset(own.address for one in found for own in one.addresses) or None


def networks(report: Report) -> frozenset[str] | None:
    """Return every address of this node with its prefix; None when they are not known."""
    if here(report) is None:
        return None
    found = (own for one in parse_interfaces(report.stdout) for own in one.addresses)
    return frozenset(f"{own.address}/{own.prefix}" for own in found if own.prefix is not None)


def read_addresses(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when addresses can be read."""
    reading = read_exit_zero(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    told = [
        f"{own.address} on {one.name}"
        for one in parse_interfaces(report.stdout)
        for own in one.addresses
    ]
    if report.truncated or not told:
        return Reading(Verdict.UNKNOWN, "ifconfig shows no address at all")
    return Reading(Verdict.PASS, ", ".join(told))


def read_address_up(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the address is on its interface, and that is up and running."""
    reading = read_addresses(report)
    if reading.verdict is not Verdict.PASS:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    address, interface = (*arguments, "", "")[:2]
    holders = [
        one
        for one in parse_interfaces(report.stdout)
        if any(own.address == address for own in one.addresses)
    ]
    if not holders:
        return Reading(Verdict.BLOCK, f"{address} is not on this node")
    holder = next((one for one in holders if one.name == interface), None)
    if holder is None:
        return Reading(Verdict.BLOCK, f"{address} is on {holders[0].name}, not {interface}")
    if not holder.is_up:
        return Reading(Verdict.BLOCK, f"{address} is on {interface}, which is down")
    return Reading(Verdict.PASS, f"{address} is up on {interface}")


def read_alias_gone(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the address is neither in use nor among the aliases that the ODM brings up."""
    live, mark, stored = report.stdout.partition("==\n")
    reading = read_addresses(replace(report, stdout=live))
    if reading.verdict is not Verdict.PASS or not mark:
        return Reading(
            Verdict.UNKNOWN, f"which addresses there are is not known: {reading.sentence}"
        )
    address = (*arguments, "")[0]
    holders = [
        one.name
        for one in parse_interfaces(live)
        if any(own.address == address for own in one.addresses)
    ]
    if holders:
        return Reading(Verdict.BLOCK, f"{address} is on {holders[0]}")
    if any(value.partition(",")[0] == address for value in stored.split()):
        return Reading(Verdict.BLOCK, f"the next boot brings {address} back (lsattr -a alias4)")
    return Reading(Verdict.PASS, f"{address} is not on this node")


def read_interface_there(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the interface is up and has an address of its own."""
    reading = read_addresses(report)
    if reading.verdict is not Verdict.PASS:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    interface = (*arguments, "")[0]
    one = next((one for one in parse_interfaces(report.stdout) if one.name == interface), None)
    if one is None or not one.addresses:
        return Reading(Verdict.BLOCK, f"{interface} is not there or has no address")
    if not one.is_up:
        return Reading(Verdict.BLOCK, f"{interface} is down")
    return Reading(Verdict.PASS, f"{interface} has {one.addresses[0].address}")


def read_on_link(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when an interface's own network, and none behind a router, has the address."""
    reading = read_addresses(report)
    found = networks(report)
    if reading.verdict is not Verdict.PASS or found is None:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    address = (*arguments, "")[0]
    near = [one for one in sorted(found) if ip_address(address) in ip_interface(one).network]
    if near:
        return Reading(Verdict.PASS, f"{address} is in the network of {near[0]}")
    return Reading(Verdict.BLOCK, f"{address} is behind a router: not one subnet")


def read_links(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when interfaces can be read."""
    reading = read_exit_zero(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    count = len(parse_links(report.stdout))
    if not count:
        return Reading(Verdict.UNKNOWN, "netstat shows no interface with a hardware address")
    return Reading(Verdict.PASS, f"{count} interfaces")


def read_no_duplicate(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when every duplicate alarm was there before, BLOCK when there is a new one."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    before, mark, now = report.stdout.partition("==\n")
    if report.exit_code != 0 or not mark or report.truncated:
        return Reading(Verdict.UNKNOWN, "which duplicates were logged before is not known")
    known = set(before.splitlines())
    new = [row for row in now.splitlines() if _LOGGED.match(row) and row not in known]
    if new:
        return Reading(Verdict.BLOCK, _spell_duplicate(new[0]))
    return Reading(Verdict.PASS, "no duplicate address is logged")


def read_no_duplicate_lately(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when none was logged within a day by this host's own clock, in which rows are dated."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    parts = report.stdout.split("==\n")
    stamp = _moment(parts[-1].strip()) if len(parts) == 3 else None
    if report.exit_code != 0 or report.truncated or stamp is None:
        return Reading(Verdict.UNKNOWN, "the error log could not be read")
    known = set(parts[0].splitlines())
    for row in parts[1].splitlines():
        found = _LOGGED.match(row)
        at = None if found is None or row in known else _moment(found[1])
        if at is not None and (stamp - at).total_seconds() < ALARM_S:
            told = f"{_spell_duplicate(row)}; once it is gone: errclear -J {DUPLICATE} 0"
            return Reading(Verdict.BLOCK, told)
    return Reading(Verdict.PASS, "no duplicate address is logged")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _LOGGED_FORMAT)  # noqa: DTZ007  (the host's own, both)
    except ValueError:
        return None


def _spell_duplicate(row: str) -> str:
    return f"another host answers for an address of ours: errpt {' '.join(row.split())}"


def _all(site: Site) -> Exec:
    return Exec(site.node, (program(site, "ifconfig"), "-a"))


def _address(line: str) -> Address | None:
    inet = _INET.match(line)
    if inet is not None:
        return Address(inet[1], prefix_of(int(inet[2], 16)) if inet[2] is not None else 32)
    inet6 = _INET6.match(line)
    if inet6 is not None:
        return Address(inet6[1], int(inet6[2]) if inet6[2] is not None else 128)
    return None


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "aix.addresses": read_addresses,
    "aix.address_up": read_address_up,
    "aix.alias_gone": read_alias_gone,
    "aix.interface_there": read_interface_there,
    "aix.on_link": read_on_link,
    "aix.links": read_links,
    "aix.no_duplicate": read_no_duplicate,
    "aix.no_duplicate_lately": read_no_duplicate_lately,
}
