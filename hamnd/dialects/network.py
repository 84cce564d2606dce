"""What a Linux distribution keeps of its addresses and its name, and how a node changes them.

Owns where these files lie, and how one address becomes another one in them. Must not know which
address moves (core.platforms.linux).

A file is changed where it names the node's own address, whoever reads it at boot: ifupdown,
netplan, systemd-networkd, NetworkManager's key files, ifcfg files (Red Hat, SUSE's wicked). So it
does not have to be guessed which of them will. Of NetworkManager's and netplan's own programs only
their reading anew is asked for; addresses are moved by `ip` alone.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping

from hamnd.dialects.editing import put, sha256_of, swapped, whole_word
from hamnd.dialects.shell import read_exit_zero, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Edit, Ending, Exec, Look, MarkedLine, Reading, Report

HOST_NAME_FILE = "/etc/hostname"
FILES = (
    "/etc/network/interfaces /etc/network/interfaces.d/* /etc/netplan/*.yaml "
    "/etc/systemd/network/*.network /etc/systemd/network/*.network.d/*.conf "
    "/etc/NetworkManager/system-connections/*.nmconnection "
    "/etc/sysconfig/network-scripts/ifcfg-* /etc/sysconfig/network/ifcfg-*"
)
"""interfaces(5), netplan(5), systemd.network(5), nm-settings-keyfile(5), ifcfg(5)."""

_FILES = (
    f"for f in {HOST_NAME_FILE} {FILES}; do "
    '[ -f "$f" ] && printf "%s %s\\n" "$f" "$(base64 <"$f" | tr -d "\\n")"; done; echo done'
)

_GIVE_UP = r"""
ip=$1; i=$3; heir=$5; own=$(printf "%s" "${2%/*}" | sed "s/[.]/[.]/g"); kept=; set -f;
told() { all=$("$ip" -4 -o route show table all) || { echo "ip tells no routes" >&2; exit 1; };
all=$(printf "%s\n" "$all" | sed -e "s/ linkdown//g;s/ dead//g;s/[\\]//g;s/[[:space:]]*\$//"); };
[ "$4" = 6 ] || echo 1 >"/proc/sys/net/ipv4/conf/$i/promote_secondaries";
if [ -n "$heir" ]; then told; kept=$(printf "%s\n" "$all" |
sed -n -e "/ proto kernel /d" -e "s/ src $own\( .*\)*\$/ src $heir\1/p"); fi;
[ -z "$kept" ] || printf "%s\n" "$kept" | while read -r r; do "$ip" -4 route replace $r ||
{ echo "this route cannot be kept: $r" >&2; exit 1; }; done || exit 1;
e=$("$ip" addr del "$2" dev "$i" 2>&1); r=$?;
case $e in *"Cannot assign"*|*"ddress not found"*) r=0;; esac;
[ "$r" -eq 0 ] || { echo "$e" >&2; exit "$r"; };
[ -z "$kept" ] || { told; printf "%s\n" "$kept" | while read -r r; do
printf "%s\n" "$all" | grep -Fxq "$r" || { echo "this route is gone: $r" >&2; exit 1; }; done; }
""".strip().replace("\n", " ")
"""Routes that name the address as their source end with it, the default one too (ip-route(8)): the
heir becomes their source first. What the kernel made itself it makes anew for the heir.
Arguments: IP ADDRESS/PREFIX INTERFACE FAMILY HEIR"""
_RELOAD = (
    "if command -v nmcli >/dev/null && nmcli -t general status >/dev/null 2>&1; "
    "then nmcli connection reload; fi; "
    "if command -v netplan >/dev/null && ls /etc/netplan/*.yaml >/dev/null 2>&1; "
    "then netplan generate; fi; "
    "if systemctl is-active --quiet systemd-networkd 2>/dev/null && "
    "networkctl --help | grep -qw reload; then networkctl reload; fi"
)
"""networkd has an interface be what its changed file says at once, and drops what else it has
there (networkctl(1), since 244); unread, it brings the old address back when the carrier does."""


def host_name(site: Site) -> Look:
    """Return a look at this host's name as its kernel has it."""
    return Look(
        Exec(site.node, ("hostname",)), "network.host_name", f"the name of {site.node} can be read"
    )


def is_named(site: Site, name: str) -> Look:
    """Return a look that expects this host to have that name."""
    return Look(
        Exec(site.node, ("hostname",)),
        reads="network.is_named",
        expects=f"this host is called {name}",
        arguments=(name,),
    )


def set_host_name(name: str, site: Site) -> Action:
    """Return the action that gives this host another name, until the next boot only."""
    return Action(Exec(site.node, ("hostname", name)))


def files(site: Site) -> Look:
    """Return a look at every file that may name this node or its addresses."""
    return Look(
        Exec(site.node, ("sh", "-c", _FILES)),
        reads="network.files",
        expects=f"the network files of {site.node} can be read",
    )


def are_named_in_files(site: Site, address: str) -> Look:
    """Return a look that expects a network file of this host to name an address."""
    return Look(
        Exec(site.node, ("sh", "-c", _FILES)),
        reads="network.named_in_files",
        expects=f"a network file of {site.node} names {address}",
        arguments=(address,),
    )


def are_not_named_in_files(site: Site, address: str) -> Look:
    """Return a look that expects no network file of this host to name an address."""
    return Look(
        Exec(site.node, ("sh", "-c", _FILES)),
        reads="network.not_named_in_files",
        expects=f"no network file of {site.node} names {address}",
        arguments=(address,),
    )


def parse_files(report: Report) -> Mapping[str, str] | None:
    """Return each file's text by its path; None when not all of them came home."""
    lines = report.stdout.splitlines()
    if report.ending is not Ending.EXITED or report.truncated or lines[-1:] != ["done"]:
        return None
    found = {}
    for line in lines[:-1]:
        path, _, text = line.partition(" ")
        try:
            found[path] = base64.b64decode(text, validate=True).decode(errors="surrogateescape")
        except (binascii.Error, ValueError):
            return None
    return found


def told_files(texts: Mapping[str, str]) -> str:
    """Return what the look at the files would tell of these texts."""
    coded = {
        path: base64.b64encode(text.encode(errors="surrogateescape")).decode()
        for path, text in texts.items()
    }
    return "".join(f"{path} {text}\n" for path, text in coded.items()) + "done\n"


def swap(host: str, path: str, text: str, words: tuple[str, str]) -> Edit | None:
    """Return the edit that puts one word in the place of another in a file; None: not in there.

    Comments are left as they are.
    """
    pattern = whole_word(words[0])
    numbers = frozenset(
        number
        for number, line in enumerate(text.split("\n"), 1)
        if pattern.search(line) and not re.match(r"\s*[#;]", line)
    )
    if not numbers:
        return None
    return Edit(
        host=host,
        tells=("cat", path),
        takes=put(path),
        expected_sha256=sha256_of(text),
        result_sha256=sha256_of(swapped(text, numbers, words)),
        lines=tuple(MarkedLine(number, words[0]) for number in sorted(numbers)),
        mark="",
        swaps=words,
    )


def swapped_text(text: str, edit: Edit) -> str:
    """Return what an edit of this module makes of a text."""
    return swapped(text, frozenset(one.number for one in edit.lines), edit.swaps or ("", ""))


def swap_back(edit: Edit) -> Edit:
    """Return the edit that brings the previous content of a file back."""
    old, new = edit.swaps or ("", "")
    return Edit(
        edit.host,
        edit.tells,
        edit.takes,
        edit.result_sha256,
        edit.expected_sha256,
        tuple(MarkedLine(one.number, new) for one in edit.lines),
        mark="",
        swaps=(new, old),
    )


def give_up(site: Site, address: str, prefix: int, interface: str, heir: str = "") -> Action:
    """Return the action that takes an address from this node and leaves the others.

    `heir` is the address that this node has on from then: routes that name the one as their source
    name it afterwards, and are looked at. Without one they end with the address.

    With the first address of a network Linux drops the others of it, unless they are promoted
    (ip-sysctl.rst, promote_secondaries; off by default).
    """
    family, heir = ("6", "") if ":" in address else ("4", heir)
    argv = (site.tool("ip"), f"{address}/{prefix}", interface, family, heir)
    return Action(Exec(site.node, ("sh", "-c", _GIVE_UP, "hamnd-give-up", *argv)))


def reload(site: Site) -> Action:
    """Return the action that has NetworkManager, netplan and networkd read their files anew.

    Each where it is. With networkd an address that the files do not name is gone afterwards.
    """
    return Action(Exec(site.node, ("sh", "-c", _RELOAD)), is_repeatable=True)


def read_host_name(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS with the name."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.PASS and not report.stdout.strip():
        return Reading(Verdict.UNKNOWN, "this host has no name")
    return reading


def read_is_named(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when this host has the name, fully qualified or not."""
    reading = read_host_name(report)
    if reading.verdict is not Verdict.PASS:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    name = report.stdout.strip()
    verdict = Verdict.PASS if is_same_host(name, arguments[0]) else Verdict.BLOCK
    return Reading(verdict, f"this host is called {name}")


def is_same_host(one: str, other: str) -> bool:
    """Whether two host names mean one host: a short one is the beginning of a qualified one."""
    return one == other or one.partition(".")[0] == other.partition(".")[0]


def read_files(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when all files could be read."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    found = parse_files(report)
    if found is None:
        return Reading(Verdict.UNKNOWN, "the network files could not be read as a whole")
    return Reading(Verdict.PASS, f"{len(found)} files")


def read_named_in_files(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when a file names the address outside of comments."""
    address = (*arguments, "")[0]
    naming = _naming(report, address)
    if isinstance(naming, Reading):
        return naming
    if naming:
        return Reading(Verdict.PASS, f"{address} is in {', '.join(naming)}")
    told = f"no network file names {address}: it would not be there after a reboot"
    return Reading(Verdict.BLOCK, told)


def read_not_named_in_files(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when no file names the address outside of comments."""
    address = (*arguments, "")[0]
    naming = _naming(report, address)
    if isinstance(naming, Reading):
        return naming
    if not naming:
        return Reading(Verdict.PASS, f"no network file names {address}")
    told = f"{address} is in {', '.join(naming)}: it would be there after a reboot"
    return Reading(Verdict.BLOCK, told)


def _naming(report: Report, address: str) -> list[str] | Reading:
    """Return the files that name an address; the reading, where they could not be read."""
    reading = read_files(report)
    found = parse_files(report)
    if reading.verdict is not Verdict.PASS or found is None:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    return [path for path, text in found.items() if swap("", path, text, (address, address))]


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "network.host_name": read_host_name,
    "network.is_named": read_is_named,
    "network.files": read_files,
    "network.named_in_files": read_named_in_files,
    "network.not_named_in_files": read_not_named_in_files,
}
