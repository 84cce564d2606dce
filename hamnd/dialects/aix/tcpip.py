"""AIX's lasting TCP/IP settings: address, mask, gateway and name as the ODM keeps them.

Owns the argv and the output of mktcpip, chdev, lsattr, hostname, uname and setuname (aix.md §3.1,
§3.2). Must not know which address moves (core.platforms.aix).

mktcpip replaces an interface's address and the host's name at once, in the running system and in
the ODM: what was there ends. It is run by the daemon, never in a session over that address. The
guide ends it with -s and an empty word, which is what SMIT writes: -s takes no value (§3.1), so
nothing empty is ever passed. It edits /etc/hosts, so a copy is kept.
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

HOSTS = "/etc/hosts"
_OWN = ("-a", "netaddr", "-a", "netmask")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")

_NAMES = """\
printf 'hostname=%s\\n' "$("$1")"; printf 'uname=%s\\n' "$("$2" -n)";
printf 'odm=%s\\n' "$("$3" -El inet0 -a hostname -F value)"
"""
_KEEP_HOSTS = 'mkdir -p "$1" && cp -p "$2" "$1/hosts.before"'
_LOST_LINES = """\
test -f "$1/hosts.before" || { echo "no copy of it was kept"; exit 0; };
grep -v '^[[:space:]]*#' "$1/hosts.before" | while read -r a n; do
if [ -n "$a" ] && ! grep -q "^[[:space:]]*${a}[[:space:]]" "$2"; then echo "$a $n"; fi; done
"""
"""Addresses that the file named before and does not name any more, with their names."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `mktcpip -S` tells of one interface; "" where it tells nothing."""

    interface: str
    host: str
    address: str
    mask: str
    gateway: str
    cable: str = "N/A"


def settings(site: Site, interface: str) -> Look:
    """Return a look at the settings that mktcpip would replace; it changes nothing."""
    return Look(
        Exec(site.node, (program(site, "mktcpip"), "-S", interface)),
        reads="tcpip.settings",
        expects=f"mktcpip tells name, address, mask and gateway of {interface}",
        arguments=(interface,),
        timeout_s=30.0,
    )


def set_tcpip(site: Site, wanted: Settings) -> Action:
    """Return mktcpip with these settings, word by word as the guide has it (§8.4)."""
    argv = (program(site, "mktcpip"), *_words(wanted))
    return Action(Exec(site.node, argv), reads="tcpip.changed")


def set_address(site: Site, interface: str, address: str, mask: str) -> Action:
    """Return the change of a further interface's own address; name and routes stay (§3.2)."""
    values = (f"netaddr={address}", f"netmask={mask}", "state=up")
    argv = (program(site, "chdev"), "-l", interface, *(w for one in values for w in ("-a", one)))
    return Action(Exec(site.node, argv), reads="tcpip.changed")


def own_address(site: Site, interface: str) -> Look:
    """Return a look at an interface's own address and mask in the ODM."""
    argv = (program(site, "lsattr"), "-El", interface, *_OWN, "-F", "value")
    return Look(
        Exec(site.node, argv),
        reads="tcpip.own_address",
        expects=f"the ODM tells the address of {interface}",
    )


def is_not_own(site: Site, interface: str, address: str) -> Look:
    """Return a look that expects another address than this one in the ODM: so it boots."""
    return Look(
        Exec(site.node, (program(site, "lsattr"), "-El", interface, *_OWN, "-F", "value")),
        reads="tcpip.is_not_own",
        expects=f"{site.node} does not come up as {address} at its next boot",
        arguments=(address,),
    )


def keep_hosts(site: Site) -> Action:
    """Return the action that keeps a copy of /etc/hosts, which mktcpip is about to edit."""
    argv = ("sh", "-c", _KEEP_HOSTS, "hamnd-hosts", f"{site.paths.state_dir}/identity", HOSTS)
    plain = Exec(site.node, ("cp", "-p", HOSTS, f"{HOSTS}.before-takeover"))
    return Action(Exec(site.node, argv), is_repeatable=True, by_hand=(plain,))


def compare_hosts(site: Site) -> Action:
    """Return the action that tells what mktcpip took out of /etc/hosts; it only reads."""
    argv = (f"{site.paths.state_dir}/identity", HOSTS)
    return Action(
        Exec(site.node, ("sh", "-c", one_line(_LOST_LINES), "hamnd-hosts-lost", *argv)),
        reads="tcpip.hosts_compared",
        is_repeatable=True,
        by_hand=(Exec(site.node, ("diff", f"{HOSTS}.before-takeover", HOSTS)),),
    )


def rename_node(site: Site, name: str) -> tuple[Action, ...]:
    """Return what gives the node name (uname -n) too, now and for good: mktcpip does not."""
    now = Exec(site.node, (program(site, "uname"), "-S", name))
    lasting = Exec(site.node, (program(site, "setuname"), "-n", name))
    return Action(now), Action(lasting)


def names_agree(site: Site, name: str) -> Look:
    """Return a look that expects host name, node name and the ODM's name to be this one (§3.2)."""
    tools = tuple(program(site, one) for one in ("hostname", "uname", "lsattr"))
    stored = (tools[2], "-El", "inet0", "-a", "hostname", "-F", "value")
    return Look(
        Exec(site.node, ("sh", "-c", one_line(_NAMES), "hamnd-names", *tools)),
        reads="tcpip.names_agree",
        expects=f"hostname, uname -n and the ODM all say {name}",
        arguments=(name,),
        by_hand=tuple(Exec(site.node, one) for one in (tools[:1], (tools[1], "-n"), stored)),
    )


def boots_from_odm(site: Site) -> Look:
    """Return a look that expects the ODM to count at boot, not /etc/rc.bsdnet (§3.2)."""
    argv = (program(site, "lsattr"), "-El", "inet0", "-a", "bootup_option", "-F", "value")
    return Look(
        Exec(site.node, argv),
        reads="tcpip.boots_from_odm",
        expects="addresses come from the ODM at boot (bootup_option no)",
    )


def told(own: Settings) -> str:
    """Return what `mktcpip -S` would print for these settings."""
    names = "#host:addr:mask:_rawname:nameserv:domain:gateway:type:start"
    fields = (own.host, own.address, own.mask, own.interface, "", "", own.gateway, own.cable, "no")
    return f"{names}\n{':'.join(fields)}\n"


def parse_settings(text: str, interface: str) -> Settings | None:
    """Return what `mktcpip -S` told; columns are found by their names (old and new header)."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = next((n for n, line in enumerate(lines) if line.startswith("#")), None)
    if at is None or at + 1 >= len(lines):
        return None
    names, values = lines[at].lstrip("#").split(":"), lines[at + 1].split(":")
    row = dict(zip(names, values, strict=False))
    found = {key: row.get(key, "").strip() for key in ("host", "addr", "mask", "gateway", "type")}
    if not found["host"] or not all(_ADDRESS.fullmatch(found[key]) for key in ("addr", "mask")):
        return None
    cable = found["type"] or "N/A"
    return Settings(interface, found["host"], found["addr"], found["mask"], found["gateway"], cable)


def parse_own_address(report: Report) -> tuple[str, str] | None:
    """Return address and mask from two values, one a line; None when they are not both there."""
    if report.ending is not Ending.EXITED or report.exit_code != 0:
        return None
    values = report.stdout.split()
    if len(values) != 2 or not all(_ADDRESS.fullmatch(one) for one in values):
        return None
    return values[0], values[1]


def read_settings(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when name, address and mask are told: without them there is no way back."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    found = parse_settings(report.stdout, (*arguments, "")[0])
    if found is None or report.exit_code != 0:
        return unreadable(report)
    return Reading(Verdict.PASS, f"{found.interface} is {found.address}, host name {found.host}")


def read_changed(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS by the exit code; a failure may be half done (§3.1), and the watcher takes it back."""
    reading = read_exit_zero(report)
    is_odd = "Problem with command" in f"{report.stdout}{report.stderr}"
    if reading.verdict is Verdict.BLOCK or (reading.verdict is Verdict.PASS and is_odd):
        told = f"it failed and may be half done: {last_lines(report)}"
        return Reading(Verdict.BLOCK, told)
    return reading


def read_own_address(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the ODM has an address and a mask."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    found = parse_own_address(report)
    return Reading(Verdict.PASS, f"{found[0]}, mask {found[1]}") if found else unreadable(report)


def read_is_not_own(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the ODM has another address; none that can be read is not known."""
    reading = read_own_address(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    found = parse_own_address(report)
    if found is not None and found[0] in arguments:
        return Reading(Verdict.BLOCK, f"it is {found[0]} in the ODM")
    return reading


def read_names_agree(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when all three names are this one, fully qualified or not."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    told = dict(line.split("=", 1) for line in report.stdout.splitlines() if "=" in line)
    if set(told) != {"hostname", "uname", "odm"}:
        return unreadable(report)
    wanted = (*arguments, "")[0].partition(".")[0]
    shown = ", ".join(f"{key} {name or 'nothing'}" for key, name in told.items())
    is_so = all(name.strip().partition(".")[0] == wanted for name in told.values())
    return Reading(Verdict.PASS if is_so else Verdict.BLOCK, shown)


def read_boots_from_odm(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS unless /etc/rc.bsdnet is used."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    word = report.stdout.strip()
    if report.exit_code != 0 or word not in ("yes", "no"):
        return unreadable(report)
    if word == "no":
        return Reading(Verdict.PASS, "addresses come from the ODM at boot")
    told = "bootup_option is yes: /etc/rc.bsdnet counts at boot, and what mktcpip sets is ignored"
    return Reading(Verdict.BLOCK, f"{told}: chdev -l inet0 -a bootup_option=no")


def read_hosts_compared(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS with what is no longer in /etc/hosts: told, and no reason to stop at night."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    lost = [line for line in report.stdout.splitlines() if line.strip()]
    if not lost:
        return Reading(Verdict.PASS, "/etc/hosts still names every address")
    return Reading(Verdict.PASS, f"/etc/hosts does not name any more: {', '.join(lost[:3])}")


def _words(wanted: Settings) -> tuple[str, ...]:
    gateway = ("-g", wanted.gateway) if wanted.gateway else ()
    words = ("-h", wanted.host, "-a", wanted.address, "-m", wanted.mask, "-i", wanted.interface)
    return (*words, *gateway, "-A", "no", "-t", wanted.cable, "-s")


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "tcpip.settings": read_settings,
    "tcpip.changed": read_changed,
    "tcpip.own_address": read_own_address,
    "tcpip.is_not_own": read_is_not_own,
    "tcpip.names_agree": read_names_agree,
    "tcpip.boots_from_odm": read_boots_from_odm,
    "tcpip.hosts_compared": read_hosts_compared,
}
