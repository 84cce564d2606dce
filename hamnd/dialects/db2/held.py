"""A database that must not serve, and what it had that nobody else has (guide §9).

Owns how it is held, kept and looked at. Must not know when that is right (core.replication).

Held is a database that is not active and that no start makes serve: Db2 itself starts an old
primary only beside a standby (SQL1768N 7) or not at all (SQL1776N 6), and a standby serves nothing.
A database without a role is put into rollforward pending (db2rfpen; IBM: "prepares the database for
recovery ... HADR standby"). An old primary is killed and never shut down in order, which would
write a record into its log that nobody else has (db2-hadr.md §10).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hamnd.dialects.db2.clp import message_ids
from hamnd.dialects.db2.commands import PAUSE, run
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.readers import read_cfg_readable, read_hadr_readable
from hamnd.dialects.db2.scripts import DIRECTORY, cfg, looked, on_host, pd, unless_follows
from hamnd.dialects.shell import unanswered
from hamnd.model.hadr import HadrRole, ParseVerdict
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Look, Reading, Report

_HOLD = (
    """\
set -u; db2=$0 db=$1 pd=$2 kill=$3 start=$4 rfpen=$5 gcf=$6 way=$7
case $("$pd" -d "$db" -hadr 2>&1) in
*'-- Standby --'*|*'-- Active Standby --'*) echo 'it is a standby: it serves nothing'; exit 0;;
*'-- Active --'*)
if [ "$way" = kill ]; then "$kill" >/dev/null 2>&1; else
n=0
while case $("$pd" -d "$db" -hadr 2>&1) in *'-- Active --'*) [ $n -lt 20 ];; *) false;; esac; do
"$db2" force applications all >/dev/null; "$db2" deactivate db "$db" >/dev/null
n=$((n+1)); """
    + PAUSE
    + """
done
fi;;
esac
said=$("$start" 2>&1)
case $said in *SQL6031N*)
"$gcf" -u -p 0 -i "$(id -un)" >/dev/null 2>&1; said=$("$start" 2>&1);; esac
case $said in *SQL1063N*|*SQL1026N*) ;; *) echo "$said"; exit 1;; esac
cfg=$("$db2" get db cfg for "$db") || case $cfg in
*SQL1013N*) echo 'there is no such database'; exit 0;; *) echo "$cfg"; exit 1;; esac
printf '%s\\n' "$cfg" | grep -q 'HADR database role *= *STANDARD' || { echo held; exit 0; }
printf '%s\\n' "$cfg" | grep -q 'Rollforward pending *= *DATABASE' || exec "$rfpen" on "$db"
"""
)

_PLACES = (
    "set -u; db2=$0 db=$1 to=$2; shift 2\n"
    + DIRECTORY
    + """\
at=$(entry 'Local database directory')
own=$at/$(id -un)/NODE0000
cfg=$("$db2" get db cfg for "$db")
logs=$(printf '%s\\n' "$cfg" | sed -n 's/^ *Path to log files *= *//p' | sed 's, *$,,; s,/$,,')
case $logs in "$own"/*) logs=;; esac
for path; do set -- "$@" "$path/$(id -un)/NODE0000"; shift; done
if [ -n "$at" ]; then set -- "$own" ${logs:+"$logs"} ${1+"$@"}; else set --; fi
seen() { for one; do ls -lR "$one"; done 2>/dev/null | cksum; }
"""
)
"""The database's own folder, its logs where they lie elsewhere, further storage paths: in "$@"."""

_KEEP = (
    _PLACES
    + """\
[ $# -gt 0 ] || { echo 'there is no such database: nothing to keep'; exit 0; }
n=1 kept=$to; while [ -e "$kept" ]; do n=$((n+1)) kept=$to.$n; done
rm -rf "$kept.part"; mkdir -p "$kept.part" || exit 1
printf '%s\\n' "$cfg" >"$kept.part/configuration.txt"
seen "$@" >"$kept.part/fingerprint"
n=0; for one; do n=$((n+1)); cp -RpP "$one" "$kept.part/$n" || exit 1
echo "$n $one" >>"$kept.part/places"; done
sync; mv "$kept.part" "$kept" && echo "kept as $kept"
"""
)

_KEPT = (
    _PLACES
    + """\
[ $# -gt 0 ] || { echo 'there is no such database'; exit 0; }
now=$(seen "$@")
for one in "$to" "$to".[0-9]*; do
[ "$(cat "$one/fingerprint" 2>/dev/null)" != "$now" ] || { echo "kept as $one"; exit 0; }
done
echo "$at is not kept as $to"; exit 1
"""
)

_ROOM = (
    _PLACES
    + """\
[ $# -gt 0 ] || { echo 'there is no such database'; exit 0; }
need=$(du -sk "$@" | awk '{sum += $1} END {print sum + 0}')
while [ ! -d "$to" ]; do to=${to%/*}; [ -n "$to" ] || to=/; done
free=$(df -Pk "$to" | awk 'NR == 2 {print $4}')
[ "$free" -gt "$need" ] || { echo "keeping it needs $need KiB in $to, $free KiB are free"; exit 1; }
echo "$need KiB to keep, $free KiB free in $to"
"""
)


def folder(site: Site) -> str:
    """Return where hamnd keeps what databases had."""
    return f"{site.db2.work_dir.rstrip('/')}/kept"


def hold(site: Site, host: str, is_killed: bool) -> Action:
    """Return what makes a database unable to serve; `is_killed`: without a record in its log.

    An instance whose host came back by another name starts once db2gcf renewed db2nodes.cfg (§8).
    """
    tools = (site.tool(name) for name in ("db2pd", "db2_kill", "db2start", "db2rfpen", "db2gcf"))
    words = (site.db2.database, *tools, "kill" if is_killed else "close")
    return Action(on_host(site, host, _HOLD, *words), is_repeatable=True)


def is_held(site: Site, host: str) -> tuple[Look, Look]:
    """Return the looks that prove it: not serving now, and not able to whoever starts it."""
    told = f"{site.db2.database} on {host} serves nobody"
    return (
        Look(pd(site, host), reads="db2.not_serving", expects=told, timeout_s=10.0),
        Look(
            cfg(site, host), reads="db2.cannot_serve", expects=f"{told}, whoever starts the machine"
        ),
    )


def keep(site: Site, host: str, label: str) -> Action:
    """Return the copy of a held database: its folder, its logs, its storage paths.

    Archived logs stay where they are: a restored database archives beside them, not over them.
    """
    return Action(on_host(site, host, _KEEP, *_words(site, label)), is_repeatable=True)


def is_kept(site: Site, host: str, label: str) -> Look:
    """Return the look that finds exactly what is there now among what is kept."""
    question = on_host(site, host, _KEPT, *_words(site, label))
    return unless_follows(site, host, question, f"what {host} had is kept")


def has_room(site: Site, host: str, label: str) -> Look:
    """Return the look that proves room for the copy."""
    told = f"{host} has room for a copy of {site.db2.database}"
    return looked(on_host(site, host, _ROOM, *_words(site, label)), told)


def kept_names(site: Site, host: str) -> Look:
    """Return the look that lists what is kept on a host; empty where nothing is."""
    told = f"what is kept of {site.db2.database} on {host}"
    words = ('ls "$1" 2>/dev/null; exit 0', "hamnd-kept", folder(site))
    return looked(run(site, host, "sh", "-c", *words), told)


def _words(site: Site, label: str) -> tuple[str, ...]:
    return (site.db2.database, f"{folder(site)}/{label}", *site.db2.storage_paths)


def read_not_serving(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when db2pd says that database or instance is down, or that it is a standby."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    parsed = parse_db2pd(report.stdout)
    if parsed.verdict in (ParseVerdict.DATABASE_DOWN, ParseVerdict.INSTANCE_DOWN):
        return Reading(Verdict.PASS, parsed.verdict.value.replace("_", " "))
    role = parsed.channels[0].role if parsed.channels else None
    if role is HadrRole.STANDBY:
        return Reading(Verdict.PASS, "an active standby: it serves nothing")
    if role is not None or parsed.verdict is ParseVerdict.HADR_INACTIVE:
        told = "without HADR" if role is None else f"as {role.value.upper()}"
        return Reading(Verdict.BLOCK, f"it is active {told}")
    return Reading(Verdict.UNKNOWN, read_hadr_readable(report).sentence)


def read_cannot_serve(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS by the persistent role: Db2 starts no such database for clients without force."""
    if unanswered(report) is None and "SQL1013N" in message_ids(report.stdout):
        return Reading(Verdict.PASS, "there is no such database")
    reading = read_cfg_readable(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    config = parse_db_cfg(report.stdout)
    if config.role is HadrRole.STANDARD and config.rollforward_pending is not True:
        return Reading(Verdict.BLOCK, "role STANDARD: whoever starts it, it serves")
    told = {
        HadrRole.PRIMARY: "role PRIMARY: without a standby Db2 starts it by force only",
        HadrRole.STANDBY: "role STANDBY: it serves nothing",
    }
    default = "rollforward pending: it serves nothing until somebody completes the rollforward"
    return Reading(Verdict.PASS, told.get(config.role or HadrRole.STANDARD, default))


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = MappingProxyType(
    {"db2.not_serving": read_not_serving, "db2.cannot_serve": read_cannot_serve}
)
