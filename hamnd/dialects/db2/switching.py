"""The primary's role handed over in order, and HADR under exchanged addresses (guide §5.1.9, §7).

Owns the commands of a switchover on either node and their readers. Must not know when one is right
(core.replication). None of them forces a takeover: whatever a graceful one cannot do is a human's
decision (db2-hadr.md §10).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from hamnd.dialects.db2.commands import PAUSE, clp, run
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.readers import (
    is_last_word,
    judge_reply,
    read_cfg_readable,
    read_hadr_readable,
    reply_of,
)
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.hadr import ClpSeverity, ConnectStatus, HadrState
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Look, Reading, Report

_SHOWN_MAX = 5

_TAKE_BACK = (
    'case $("$0" get db cfg for "$1" | grep "HADR database role") in '
    '*PRIMARY*) echo "it is primary still"; exit 0;; esac; n=0; '
    'until "$2" -d "$1" -hadr | grep -Eq "HADR_STATE *= *PEER *$|^Standby +Peer "; do '
    f'n=$((n+1)); [ $n -lt 120 ] || break; {PAUSE}; done; exec "$0" takeover hadr on db "$1"'
)
"""HADR may just have been started again: only in Peer a takeover is accepted (§8.2)."""

_EXCHANGE = (
    'db=$1 local=$2 remote=$3; all=$("$0" get db cfg for "$db") || { echo "$all"; exit 4; }; '
    'value() { printf "%s\\n" "$all" | sed -n "s/.*($1) *= *//p" | tr -d " "; }; '
    "list=$(value HADR_TARGET_LIST); service=$(value HADR_REMOTE_SVC); "
    'set -- HADR_LOCAL_HOST "$local" HADR_REMOTE_HOST "$remote"; case $list in '
    '"") ;; *"|"*) set -- "$@" HADR_TARGET_LIST "$remote:$service|${list#*[|]}";; '
    '*) set -- "$@" HADR_TARGET_LIST "$remote:$service";; esac; '
    'exec "$0" update db cfg for "$db" using "$@"'
)
"""The first of the target list is the partner, the others are somebody else's (§3.3)."""

_ALTERNATE = (
    'port=$("$0" list db directory | awk -F= -v name="$1" \'{gsub(/ /, "", $2)} '
    "/Database alias/ {mine = toupper($2) == toupper(name)} "
    "mine && /Alternate server port/ {print $2}'); "
    '[ -n "$port" ] || { echo "no alternate server is set"; exit 0; }; '
    'exec "$0" update alternate server for db "$1" using hostname "$2" port "$port"'
)

_APPLICATION = re.compile(r"^\S+ +(\S+) +\d+ +\S.* \d+ *$", re.MULTILINE)
_RULER = re.compile(r"^-{8} -{14} ", re.MULTILINE)


def in_peer(site: Site, host: str, role: str) -> Look:
    """Return the look that proves a node's database in Peer, connected, and of this role."""
    return Look(
        run(site, host, site.tool("db2pd"), "-d", site.db2.database, "-hadr"),
        reads="db2.in_peer",
        expects=f"{site.db2.database} on {host} is {role} in Peer, its partner connected",
        arguments=(role,),
        timeout_s=10.0,
    )


def nobody_connected(site: Site, host: str) -> Look:
    """Return the look that lists who is connected to a node's database: nobody."""
    return Look(
        clp(site, host, f"list applications for db {site.db2.database}"),
        reads="db2.nobody_connected",
        expects=f"no application is connected to {site.db2.database} on {host}",
        timeout_s=15.0,
    )


def force_applications(site: Site, host: str) -> Action:
    """Return what ends every connection to the instance; asynchronous: look who is left (§8)."""
    return Action(clp(site, host, "force applications all"), reads="db2.forced", is_repeatable=True)


def take_back(site: Site, host: str) -> Action:
    """Return the takeover on the old primary, unless it is primary still; never by force."""
    argv = ("sh", "-c", _TAKE_BACK, site.tool("db2"), site.db2.database, site.tool("db2pd"))
    return Action(run(site, host, *argv), reads="db2.taken_back")


def exchange_hosts(site: Site, host: str, local: str, remote: str) -> Action:
    """Return the change of HADR's hosts, and of the target list where there is one (§11)."""
    argv = ("sh", "-c", _EXCHANGE, site.tool("db2"), site.db2.database, local, remote)
    return Action(run(site, host, *argv), reads="db2.takeover_done", is_repeatable=True)


def hosts_exchanged(site: Site, host: str, local: str, remote: str) -> Look:
    """Return the look at HADR's hosts and at the first of the target list."""
    return Look(
        clp(site, host, f"get db cfg for {site.db2.database}"),
        reads="db2.hosts_exchanged",
        expects=f"HADR on {host} is configured for {local}, its partner for {remote}",
        arguments=(local, remote),
        timeout_s=15.0,
    )


def exchange_alternate(site: Site, host: str, remote: str) -> Action:
    """Return the change of the alternate server that clients are told, where one is set."""
    argv = ("sh", "-c", _ALTERNATE, site.tool("db2"), site.db2.database, remote)
    return Action(run(site, host, *argv), reads="db2.alternate_set", is_repeatable=True)


def read_in_peer(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS in Peer and connected, of the role asked for, with no flag against the copy (§3.2)."""
    reading = read_hadr_readable(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    channel = parse_db2pd(report.stdout).channels[0]
    role = "?" if channel.role is None else channel.role.value
    state = "?" if channel.state is None else channel.state.value
    told = f"{role} in {state}".upper().replace(" IN ", " in ")
    if role != arguments[0] or channel.state is not HadrState.PEER:
        return Reading(Verdict.BLOCK, f"{told}, not {arguments[0].upper()} in PEER")
    if channel.connect_status is ConnectStatus.DISCONNECTED:
        return Reading(Verdict.BLOCK, f"{told}, but not connected")
    if channel.bad_flags:
        return Reading(Verdict.BLOCK, f"{told}, with {' '.join(channel.bad_flags)}")
    return Reading(Verdict.PASS, f"{told}, connected")


def read_nobody_connected(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS on SQL1611W, which is all that LIST APPLICATIONS says of none; BLOCK names them."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    reply = reply_of(report)
    if reply.ids == ("SQL1611W",) and reply.severity in (ClpSeverity.WARNING, ClpSeverity.SUCCESS):
        return Reading(Verdict.PASS, "nobody is connected")
    names = _APPLICATION.findall(report.stdout)
    if report.exit_code != 0 or not names or _RULER.search(report.stdout) is None:
        return Reading(Verdict.UNKNOWN, f"cannot read who is connected: {last_lines(report)}")
    shown = ", ".join(sorted(set(names))[:_SHOWN_MAX])
    return Reading(Verdict.BLOCK, f"{len(names)} connected: {shown}")


def read_forced(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """FORCE APPLICATION: accepted, not yet effective; who is left is looked at."""
    return judge_reply(report, harmless=())


def read_taken_back(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when it is primary still or again; a refusal may leave two standbys of one log (§10)."""
    if unanswered(report) is None and is_last_word(report, "it is primary still"):
        return Reading(Verdict.PASS, "it is primary still")
    reading = judge_reply(report, harmless=())
    if reading.verdict is not Verdict.BLOCK:
        return reading
    said = (
        "compare the roles on both nodes; where both are STANDBY their logs are the same, and "
        "TAKEOVER BY FORCE on this one loses nothing"
    )
    return Reading(Verdict.BLOCK, f"{reading.sentence}; {said}")


def read_hosts_exchanged(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when hosts and target list are those of the exchanged addresses."""
    reading = read_cfg_readable(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    parameters = parse_db_cfg(report.stdout).parameters
    local, remote = arguments
    seen = (parameters.get("HADR_LOCAL_HOST"), parameters.get("HADR_REMOTE_HOST"))
    targets = parameters.get("HADR_TARGET_LIST", "")
    told = f"HADR_LOCAL_HOST {seen[0]}, HADR_REMOTE_HOST {seen[1]}"
    told += f", HADR_TARGET_LIST {targets}" if targets else ""
    is_right = seen == (local, remote) and targets.startswith(("", f"{remote}:")[bool(targets)])
    return Reading(Verdict.PASS if is_right else Verdict.BLOCK, told)


def read_alternate_set(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when it is set (with DB21056W, which is no failure), or none was set before."""
    if unanswered(report) is None and is_last_word(report, "no alternate server is set"):
        return Reading(Verdict.PASS, "no alternate server is set")
    return judge_reply(report, harmless=())


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = MappingProxyType(
    {
        "db2.in_peer": read_in_peer,
        "db2.nobody_connected": read_nobody_connected,
        "db2.forced": read_forced,
        "db2.taken_back": read_taken_back,
        "db2.hosts_exchanged": read_hosts_exchanged,
        "db2.alternate_set": read_alternate_set,
    }
)
