"""Addresses of a Linux node: who has them, how they are taken and announced.

Owns the argv and the output of ip and arping. Must not know in which order they are used
(core.platforms.linux). Source: lab.md §5.

IPv6 has no ARP: duplicates are found by the kernel when the address is added (it stays tentative
until nobody objected, or becomes dadfailed), and an unsolicited neighbour advertisement is sent by
the kernel where `ndisc_notify` is set (Documentation/networking/ip-sysctl.rst).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress, Site, Witness
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

_ADDRESS = re.compile(r"^\d+:\s+(\S+)\s+(inet6?)\s+(\S+?)/(\d+)\s(.*)$")
_LINK = re.compile(r"^\d+:\s+([^:@\s]+)[:@].*?\slink/\S+\s+([0-9a-f:]+)\s")
_DUPLICATE = 4
"""Exit code of `take6` when somebody else holds the address."""

_TAKE6 = """\
ip=$1; a=$2; p=$3; i=$4; f=/proc/sys/net/ipv6/conf/$i/ndisc_notify; o=;
[ -w "$f" ] && o=$(cat "$f") && echo 1 >"$f";
e=$("$ip" -6 addr add "$a/$p" dev "$i" 2>&1); r=$?;
case $e in *exists*|*already*) r=0;; esac; n=0;
while [ "$r" -eq 0 ]; do case $("$ip" -6 -o addr show dev "$i" to "$a/128") in
*dadfailed*) "$ip" -6 addr del "$a/$p" dev "$i"; e="somebody else holds $a"; r=@;;
*tentative*) n=$((n+1)); if [ "$n" -gt 80 ]; then e="$a is still tentative"; r=1; fi; sleep 0.1;;
*"$a"*) break;; *) e="$a was not added"; r=1;; esac; done;
[ -z "$o" ] || echo "$o" >"$f"; [ "$r" -eq 0 ] || echo "$e" >&2; exit "$r"
""".replace("@", str(_DUPLICATE))

_FREE6 = """\
p=$1; ip=$2; a=$3; i=$4; o=$("$p" -n -c 1 -W 2 -w 2 -I "$i" "$a" 2>&1); c=$?;
case $o in *transmitted*) ;; *) c=unsent; case $("$ip" -6 route get "$a" oif "$i" 2>&1) in
*nreachable*) c=nowhere;; esac;; esac; echo "ping=$c"; "$ip" -6 neigh show to "$a" dev "$i"
"""

_SEEN = """\
PATH=$PATH:/usr/sbin:/sbin; ping -n -c 1 -w 2 "$1" >/dev/null 2>&1; echo "ping=$?";
if command -v ip >/dev/null 2>&1; then ip "$2" neigh show to "$1";
else arp -an | grep -F "($1)"; fi; :
"""


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


def address_gone(site: Site, service: ServiceAddress) -> Look:
    """Return a look that expects the address nowhere on this node."""
    return Look(
        Exec(site.node, (site.tool("ip"), "-o", "addr", "show")),
        reads="linux.address_gone",
        expects=f"{service.address} is not on {site.node}",
        arguments=(service.address,),
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


def address_free6(site: Site, service: ServiceAddress) -> Look:
    """Return a look that asks the IPv6 network who has the address; nobody may answer.

    The kernel asks again, and definitely, when the address is taken (`take6`).
    """
    argv = (site.tool("ping"), site.tool("ip"), service.address, service.interface)
    return Look(
        Exec(site.node, ("sh", "-c", _line(_FREE6), "hamnd-free6", *argv)),
        reads="linux.address_free6",
        expects=f"nobody answers for {service.address} on {service.interface}",
    )


def links(site: Site) -> Look:
    """Return a look at the hardware address of every interface."""
    return Look(
        Exec(site.node, (site.tool("ip"), "-o", "link", "show")),
        reads="linux.links",
        expects=f"the interfaces of {site.node} can be read",
    )


def seen_by(witness: Witness, service: ServiceAddress, hardware: str) -> Look:
    """Return a look through a third host's eyes: the address answers, with our hardware address.

    Args:
        witness: A host on the same network.
        service: The address.
        hardware: The hardware address of this node's interface, as `parse_links` told it.
    """
    family = "-6" if service.is_ipv6 else "-4"
    place = hardware or f"the hardware address of {service.interface} here"
    return Look(
        Exec(witness.name, ("sh", "-c", _line(_SEEN), "hamnd-seen", service.address, family)),
        reads="linux.seen_by",
        expects=f"{witness.name} reaches {service.address} at {place}",
        arguments=(witness.name, service.address, hardware),
        one_of=f"third host for {service.address}",
    )


def take6(site: Site, service: ServiceAddress) -> Action:
    """Return the action that takes an IPv6 address, until the next boot only, and announces it.

    It ends when the kernel has found no duplicate; where it found one the address is given back.
    """
    argv = (site.tool("ip"), service.address, str(service.prefix), service.interface)
    return Action(
        Exec(site.node, ("sh", "-c", _line(_TAKE6), "hamnd-take6", *argv)),
        reads="linux.address_taken6",
    )


def taken(site: Site, service: ServiceAddress) -> tuple[Action, ...]:
    """Return what takes one address and tells the neighbours; for IPv6 the kernel does both."""
    if service.is_ipv6:
        return (take6(site, service),)
    return (add_address(site, service), announce(site, service))


def free(site: Site, service: ServiceAddress) -> Look:
    """Return a look that expects nobody to answer for the address, of either family."""
    asked = address_free6 if service.is_ipv6 else address_free
    return asked(site, service)


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


def parse_links(text: str) -> dict[str, str]:
    """Return each interface's hardware address from the output of `ip -o link show`."""
    found = (_LINK.match(line) for line in text.splitlines())
    return {line[1]: line[2] for line in found if line is not None}


def here(report: Report) -> frozenset[str] | None:
    """Return every address of this node; None when they are not known."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return None
    return frozenset(one.address for one in parse_addresses(report.stdout)) or None


def networks(report: Report) -> frozenset[str] | None:
    """Return every address of this node with its prefix; None when they are not known."""
    if here(report) is None:
        return None
    return frozenset(f"{one.address}/{one.prefix}" for one in parse_addresses(report.stdout))


def holds_identity(report: Report, site: Site) -> bool | None:
    """Return whether this node carries every service address; None when that is not known."""
    found = here(report)
    if found is None:
        return None
    return len(site.identity) > 0 and all(one.address in found for one in site.identity)


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


def read_address_gone(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the address is on none of the interfaces that are shown."""
    reading = read_addresses(report)
    if reading.verdict is not Verdict.PASS:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    address, _ = _pair(arguments)
    holders = [one for one in parse_addresses(report.stdout) if one.address == address]
    if holders:
        return Reading(Verdict.BLOCK, f"{address} is still on {holders[0].interface}")
    return Reading(Verdict.PASS, f"{address} is not there")


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


def read_address_free6(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """BLOCK when somebody answered; an entry that is only remembered is no answer.

    Without an address of its own in that network this node has no way to ask: then the kernel's
    duplicate detection decides, when the address is taken. A ping that was not sent, or neighbours
    that were not told, prove nothing.
    """
    silence = unanswered(report)
    if silence is not None:
        return silence
    ping = re.search(r"^ping=(\w+)$", report.stdout, re.MULTILINE)
    if ping is None:
        return unreadable(report)
    holder = re.search(r"lladdr (\S+).*\bREACHABLE\b", report.stdout)
    if ping[1] == "0" or holder is not None:
        where = f" ({holder[1]})" if holder is not None else ""
        return Reading(Verdict.BLOCK, f"the address is in use: somebody answers{where}")
    if report.exit_code != 0 or ping[1] not in ("1", "nowhere"):
        return Reading(Verdict.UNKNOWN, f"nobody could be asked: {last_lines(report)}")
    if ping[1] == "nowhere":
        told = "no way to ask from here: the kernel asks when the address is taken"
        return Reading(Verdict.PASS, told)
    return Reading(Verdict.PASS, "nobody answers for the address")


def read_address_taken6(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the address is usable, BLOCK when it is not, a duplicate above all."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.BLOCK and report.exit_code == _DUPLICATE:
        return Reading(Verdict.BLOCK, f"duplicate detection failed: {last_lines(report)}")
    return reading


def read_links(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when interfaces can be read."""
    reading = read_exit_zero(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    count = len(parse_links(report.stdout))
    if not count:
        return Reading(Verdict.UNKNOWN, "ip shows no interface with a hardware address")
    return Reading(Verdict.PASS, f"{count} interfaces")


def read_seen_by(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the third host reaches the address at our interface, BLOCK when at another one.

    That it reaches nobody is UNKNOWN: it may be in trouble itself, and another one may see us. A
    neighbour that it only remembers is not reached: that may be who held the address before.
    """
    witness, address, hardware = (*arguments, "", "", "")[:3]
    silence = unanswered(report)
    if silence is not None:
        return Reading(silence.verdict, f"{witness} could not look: {silence.sentence}")
    found = re.search(r"(?:lladdr|\) at) (\S+)", report.stdout)
    if not hardware:
        return Reading(Verdict.UNKNOWN, f"our hardware address on {address}'s network is not known")
    if found is None or not re.search(r"^ping=0$", report.stdout, re.MULTILINE):
        last = "" if found is None else f"; it remembers it at {found[1]}"
        return Reading(Verdict.UNKNOWN, f"{witness} does not reach {address}{last}")
    if _spelled(found[1]) != _spelled(hardware):
        told = f"{witness} reaches {address} at {found[1]}, not at {hardware}"
        return Reading(Verdict.BLOCK, told)
    return Reading(Verdict.PASS, f"{witness} reaches {address} at {hardware}")


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


def _spelled(hardware: str) -> str:
    """Return a hardware address with two digits in each part: AIX drops leading zeros."""
    return ":".join(part.rjust(2, "0") for part in hardware.lower().split(":"))


def _line(text: str) -> str:
    return text.replace("\n", " ").rstrip()


def _placed(service: ServiceAddress) -> tuple[str, ...]:
    return (f"{service.address}/{service.prefix}", "dev", service.interface)


def _pair(arguments: tuple[str, ...]) -> tuple[str, str]:
    padded = (*arguments, "", "")
    return padded[0], padded[1]
