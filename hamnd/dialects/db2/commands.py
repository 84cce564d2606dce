"""The commands hamnd gives to Db2, and the looks it takes at it.

Owns the argv of every Db2 command. Must not know when one is right (core.replication). Every
command runs as the instance owner with the instance's profile sourced, never with USER/USING: that
would put a password on a command line (db2-hadr.md §8.2). The CLP keeps one back end per parent
shell, so CONNECT and what follows it share one `sh -c`.
"""

from __future__ import annotations

from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look

_SOURCED = '. "$0" >/dev/null && exec "$@"'
"""$0 is the profile, the rest the command: the exact argv survives the shell."""

_SELECT_ONE = (
    '"$0" connect to "$1" >/dev/null; rc=$?; [ $rc -eq 0 ] || { "$0" connect to "$1"; exit $rc; }; '
    '"$0" -x "select 1 from sysibm.sysdummy1"; rc=$?; '
    '"$0" connect reset >/dev/null; "$0" terminate >/dev/null; exit $rc'
)

_STOP_HADR = (
    'case $("$0" get db cfg for "$1" | grep "HADR database role") in '
    '*STANDARD*) echo "HADR is stopped already"; exit 0;; esac; '
    's() { o=$("$0" stop hadr on db "$1"); r=$?; }; s "$@"; '
    'case $(printf %s "$o" | tr -s "\\n" "  ") in *SQL1769N*\\"2\\"*) '
    '"$0" deactivate db "$1" >/dev/null; s "$@";; esac; printf "%s\\n" "$o"; exit "$r"'
)
"""An active database may have to be deactivated first (SQL1769N 2); its role was seen before."""

PAUSE = "{ sleep 0.5 2>/dev/null || sleep 1; }"
"""Half a second; a whole one where sleep takes no parts of it, as on AIX."""

_STOP_INSTANCE = (
    'n=0; while :; do "$0" force applications all >/dev/null; "$0" deactivate db "$2" >/dev/null; '
    '"$0" terminate >/dev/null; o=$("$1" 2>&1); r=$?; case $o in *SQL1064N*|*SQL1032N*) r=0;; '
    f"*SQL1025N*) n=$((n+1)); if [ $n -lt 20 ]; then {PAUSE}; continue; fi;; esac; "
    'printf "%s\\n" "$o"; exit $r; done'
)

_START_INSTANCE = (
    'o=$("$0" -u -p 0 -i "$1" 2>&1); n=0; '
    'until "$0" -s -p 0 -i "$1" | grep -q "DB2 State *: *Available"; do n=$((n+1)); '
    'if [ $n -gt 40 ]; then printf "%s\\n" "$o" >&2; "$0" -s -p 0 -i "$1" >&2; '
    f"echo 'it is not Available' >&2; exit 1; fi; {PAUSE}; done; echo available"
)
"""What db2gcf -u says and ends with is unverified (§8): its status tells."""

_WRITE_ONE = (
    '"$0" connect to "$1" >/dev/null || { "$0" connect to "$1"; exit 4; }; '
    '"$0" "create table hamnd.proof (node varchar(255) not null)" >/dev/null; '
    '"$0" "insert into hamnd.proof values (\'$2\')"; '
    '"$0" -x "select node from hamnd.proof where node = \'$2\'"; r=$?; '
    '"$0" "delete from hamnd.proof where node = \'$2\'" >/dev/null; '
    '"$0" connect reset >/dev/null; "$0" terminate >/dev/null; exit $r'
)

_NODES_FILE = 'f=$HOME/sqllib/db2nodes.cfg; if [ -e "$f" ]; then cat "$f"; else echo missing; fi'

VARIANTS = {
    "graceful": "takeover hadr on db {database}",
    "peer-window-only": "takeover hadr on db {database} by force peer window only",
    "force-after-proof": "takeover hadr on db {database} by force",
    "accepted-force": "takeover hadr on db {database} by force",
}
"""The forms of TAKEOVER (db2-hadr.md §8.2); which one is right is decided by the core."""


def run(site: Site, host: str, *argv: str) -> Exec:
    """Return the request that runs a Db2 program as the instance owner."""
    profile = site.db2.profile
    if profile is not None:
        argv = ("sh", "-c", _SOURCED, profile, *argv)
    return Exec(host, argv, user=site.db2.instance_owner)


def clp(site: Site, host: str, command: str) -> Exec:
    """Return the request that gives one command to the command line processor."""
    return run(site, host, site.tool("db2"), *command.split())


def db2pd_hadr(site: Site, host: str) -> Look:
    """Return the look at HADR that works on a standby and never hangs on a lock (§1)."""
    return Look(
        run(site, host, site.tool("db2pd"), "-d", site.db2.database, "-hadr"),
        reads="db2.hadr_readable",
        expects=f"db2pd on {host} tells the state of {site.db2.database}",
        timeout_s=10.0,
    )


def get_db_cfg(site: Site, host: str) -> Look:
    """Return the look at the persistent role, readable on an inactive database too (§1)."""
    return Look(
        clp(site, host, f"get db cfg for {site.db2.database}"),
        reads="db2.cfg_readable",
        expects=f"the configuration of {site.db2.database} on {host} can be read",
        timeout_s=15.0,
    )


def get_snapshot(site: Site, host: str) -> Look:
    """Return the look at the snapshot, a cross-check only (§1)."""
    return Look(
        clp(site, host, f"get snapshot for db on {site.db2.database}"),
        reads="db2.snapshot_readable",
        expects=f"the snapshot of {site.db2.database} on {host} can be read",
        timeout_s=15.0,
    )


def is_standby_configured(site: Site) -> Look:
    """Return the look that proves this node's database a standby that could be promoted."""
    return Look(
        clp(site, site.node, f"get db cfg for {site.db2.database}"),
        reads="db2.cfg_standby",
        expects=f"{site.db2.database} on {site.node} has the persistent role STANDBY",
        timeout_s=15.0,
    )


def is_primary(site: Site) -> Look:
    """Return the look that proves this node's database active and primary."""
    return Look(
        run(site, site.node, site.tool("db2pd"), "-d", site.db2.database, "-hadr"),
        reads="db2.role_primary",
        expects=f"{site.db2.database} on {site.node} has role PRIMARY",
        timeout_s=10.0,
    )


def no_takeover_runs(site: Site) -> Look:
    """Return the look that keeps a second TAKEOVER away from one that still runs (§8.2)."""
    return Look(
        run(site, site.node, site.tool("db2pd"), "-d", site.db2.database, "-hadr"),
        reads="db2.no_takeover_runs",
        expects=f"no takeover of {site.db2.database} runs on {site.node}",
        timeout_s=10.0,
    )


def is_writable(site: Site) -> Look:
    """Return the look that this node's database serves."""
    return serves(site, site.node)


def serves(site: Site, host: str) -> Look:
    """Return the look that connects and selects, which a standby refuses with SQL1776N (§8)."""
    return Look(
        run(site, host, "sh", "-c", _SELECT_ONE, site.tool("db2"), site.db2.database),
        reads="db2.selects",
        expects=f"{site.db2.database} on {host} accepts a connection and a SELECT",
        timeout_s=30.0,
        by_hand=(
            clp(site, site.node, f"connect to {site.db2.database}"),
            run(site, site.node, site.tool("db2"), "select 1 from sysibm.sysdummy1"),
        ),
    )


def takeover(site: Site, variant: str) -> Action:
    """Return TAKEOVER in one of its forms, run on the standby only (§8.2)."""
    command = VARIANTS[variant].format(database=site.db2.database)
    return Action(clp(site, site.node, command), reads="db2.takeover_done")


def activate(site: Site, host: str) -> Action:
    """Return ACTIVATE DATABASE; "already active" is success (§8)."""
    return Action(clp(site, host, f"activate db {site.db2.database}"), reads="db2.activated")


def start_hadr_as_standby(site: Site, host: str) -> Action:
    """Return START HADR AS STANDBY; its success says only that threads started (§8, §10)."""
    command = f"start hadr on db {site.db2.database} as standby"
    return Action(clp(site, host, command), reads="db2.hadr_started")


def start_hadr_as_primary(site: Site, host: str, by_force: bool) -> Action:
    """Return START HADR AS PRIMARY; by force only on fresh fence evidence (§8, §10)."""
    command = f"start hadr on db {site.db2.database} as primary" + (" by force" * by_force)
    return Action(clp(site, host, command), reads="db2.hadr_started")


def db2gcf_status(site: Site, host: str) -> Look:
    """Return the look at the instance: Available or Operable, installed and not started (§8)."""
    owner = site.db2.instance_owner
    return Look(
        run(site, host, site.tool("db2gcf"), "-s", "-p", "0", "-i", owner),
        reads="db2.instance_available",
        expects=f"the instance {owner} on {host} is available",
        timeout_s=15.0,
    )


def may_stop_hadr(site: Site) -> Look:
    """Return the look that keeps STOP HADR away from a standby, which it would end (§11)."""
    return Look(
        clp(site, site.node, f"get db cfg for {site.db2.database}"),
        reads="db2.cfg_not_standby",
        expects=f"{site.db2.database} on {site.node} is no standby",
        timeout_s=15.0,
    )


def stop_hadr(site: Site) -> Action:
    """Return STOP HADR on this node's primary: it stays online and becomes STANDARD (§10)."""
    argv = ("sh", "-c", _STOP_HADR, site.tool("db2"), site.db2.database)
    plain = clp(site, site.node, f"stop hadr on db {site.db2.database}")
    return Action(run(site, site.node, *argv), reads="db2.hadr_stopped", by_hand=(plain,))


def stop_instance(site: Site, host: str) -> Action:
    """Return what ends every application, the database and the instance (guide §8.3)."""
    argv = ("sh", "-c", _STOP_INSTANCE, site.tool("db2"), site.tool("db2stop"), site.db2.database)
    words = ("connect reset", "force applications all", "terminate")
    plain = tuple(clp(site, host, one) for one in words)
    return Action(
        run(site, host, *argv),
        reads="db2.instance_ended",
        by_hand=(*plain, run(site, host, site.tool("db2stop"))),
    )


def start_instance(site: Site, host: str) -> Action:
    """Return what starts the instance under this host's name (guide §8.5: db2gcf -u)."""
    owner = site.db2.instance_owner
    argv = ("sh", "-c", _START_INSTANCE, site.tool("db2gcf"), owner)
    plain = run(site, host, site.tool("db2gcf"), "-u", "-p", "0", "-i", owner)
    return Action(run(site, host, *argv), by_hand=(plain,))


def is_instance_stopped(site: Site, host: str) -> Look:
    """Return the look that expects the instance to be installed and not started."""
    owner = site.db2.instance_owner
    return Look(
        run(site, host, site.tool("db2gcf"), "-s", "-p", "0", "-i", owner),
        reads="db2.instance_stopped",
        expects=f"the instance {owner} on {host} is stopped",
        timeout_s=15.0,
    )


def set_hadr_hosts(site: Site, local: str, remote: str) -> Action:
    """Return the change of the HADR host parameters; they only count at the next START HADR."""
    words = f"HADR_LOCAL_HOST {local} HADR_REMOTE_HOST {remote}"
    command = f"update db cfg for {site.db2.database} using {words}"
    return Action(clp(site, site.node, command), reads="db2.takeover_done")


def has_hadr_hosts(site: Site, local: str, remote: str) -> Look:
    """Return the look at those parameters; what it tells besides them is for the rejoin."""
    return Look(
        clp(site, site.node, f"get db cfg for {site.db2.database}"),
        reads="db2.cfg_hosts",
        expects=f"HADR on {site.node} is configured for {local}, its partner for {remote}",
        arguments=(local, remote),
        timeout_s=15.0,
    )


def nodes_file_names(site: Site, host: str, name: str) -> Look:
    """Return the look at db2nodes.cfg: it names this host, or does not exist (§8)."""
    return Look(
        run(site, host, "sh", "-c", _NODES_FILE),
        reads="db2.nodes_file",
        expects=f"db2nodes.cfg on {host} names {name}",
        arguments=(name,),
        by_hand=(run(site, host, "sh", "-c", 'cat "$HOME/sqllib/db2nodes.cfg"'),),
    )


def write_proof(site: Site) -> Action:
    """Return a write into hamnd's own schema, read back and taken out again."""
    argv = ("sh", "-c", _WRITE_ONE, site.tool("db2"), site.db2.database, site.node)
    return Action(
        run(site, site.node, *argv), reads="db2.proof_written", is_repeatable=True, by_hand=()
    )
