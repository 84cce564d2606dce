"""What two Db2 servers of their own need before they can be a pair (guide §5.1.1-§5.1.6).

Owns those commands in the form that is right today (db2-hadr.md §11) and how each is proven. Must
not know their order. What is already as it should be is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hamnd.dialects.db2.clp import message_ids
from hamnd.dialects.db2.commands import PAUSE
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.readers import judge_reply, read_cfg_readable
from hamnd.dialects.db2.scripts import DIRECTORY, VALUES, cfg, looked, on_host
from hamnd.dialects.shell import unanswered
from hamnd.model.hadr import HadrRole
from hamnd.model.names import Verdict
from hamnd.model.site import Node, Site
from hamnd.model.work import Action, Exec, Look, Reading, Report

SERVICES = "/etc/services"

_WALK_SERVICES = """\
set -u; file=$1 way=$2; shift 2
for one; do
name=${one%%=*} port=${one#*=}
now=$(awk -v name="$name" '$1 == name {print $2; exit}' "$file")
other=$(awk -v name="$name" -v port="$port" '$2 == port && $1 != name {print $1; exit}' "$file")
[ -z "$other" ] || { echo "$port is $other in $file: choose another port"; exit 1; }
case $now in
"$port") ;;
'') [ "$way" = add ] || { echo "$name is not in $file"; exit 1; }
printf '\\n%s\\t%s\\n' "$name" "$port" >>"$file" || exit 1;;
*) echo "$name is $now in $file and not $port: change one of the two"; exit 1;;
esac
done
echo "$*"
"""
_START = (
    'said=$("$1" 2>&1); printf "%s\\n" "$said"; '
    "case $said in *SQL1063N*|*SQL1026N*) exit 0;; *) exit 1;; esac"
)
"""db2start ends with 1 and SQL1026N where it is started already (§8)."""

_CLOSE = f"""\
n=0
while case $("$pd" -d "$db" -hadr 2>&1) in *'-- Active --'*) [ $n -lt 60 ];; *) false;; esac; do
"$db2" force applications all >/dev/null; "$db2" deactivate db "$db" >/dev/null
n=$((n+1)); {PAUSE}
done
"""
_ARCHIVE = (
    "set -u; db2=$0 db=$1 pd=$2 archive=$3 first=$4\n"
    + VALUES
    + """\
cfg=$("$db2" get db cfg for "$db") || { echo "$cfg"; exit 4; }
pending=$(printf '%s\\n' "$cfg" | grep -c 'Backup pending *= *YES')
case $(value LOGARCHMETH1)$pending in OFF*|*1) ;;
*) exec "$db2" update db cfg for "$db" using LOGINDEXBUILD ON INDEXREC RESTART;; esac
rm -rf "$first"; mkdir -p "$archive" "$first" || exit 1
said=$("$db2" update db cfg for "$db" using LOGARCHMETH1 "DISK:$archive" \
LOGINDEXBUILD ON INDEXREC RESTART)
case $? in 0|2) ;; *) echo "$said"; exit 4;; esac
"""
    + _CLOSE
    + """\
said=$("$db2" backup db "$db" to "$first" without prompting); code=$?
"$db2" activate db "$db" >/dev/null
printf '%s\\n' "$said"; exit $code
"""
)
"""Nobody connects in between: backup pending refuses them (SQL1116N)."""

_REOPEN = (
    'case $("$0" get db cfg for "$1") in *"Backup pending "*"= YES"*) '
    '"$0" backup db "$1" to /dev/null without prompting || exit 4;; esac; '
    'exec "$0" activate db "$1"'
)
_ARCHIVED = (
    'db2=$0 db=$1; cfg=$("$db2" get db cfg for "$db") || { echo "$cfg"; exit 4; }\n'
    + VALUES
    + """\
printf '%s\\n' "$cfg" | grep -q 'Backup pending *= *YES' && { echo 'backup pending'; exit 1; }
case $(value LOGARCHMETH1) in ''|OFF) echo 'it logs in circles (LOGARCHMETH1 OFF)'; exit 1;; esac
[ "$(value LOGINDEXBUILD)" = ON ] || { echo 'LOGINDEXBUILD is not ON'; exit 1; }
[ "$(value INDEXREC)" = RESTART ] || { echo 'INDEXREC is not RESTART'; exit 1; }
echo "LOGARCHMETH1 $(value LOGARCHMETH1)"
"""
)

_WALK_HADR = (
    "set -fu; db2=$0 db=$1 way=$2; shift 2\n"
    + VALUES
    + """\
cfg=$("$db2" get db cfg for "$db") || { echo "$cfg"; exit 4; }
wrong=
for one; do
shift; name=${one%%=*} wanted=${one#*=}
case $cfg in *"($name)"*) ;;
*) [ "$name" = HADR_TARGET_LIST ] || wrong="$wrong $name is not told;"; continue;; esac
[ "$(value "$name")" = "$wanted" ] || wrong="$wrong $name is $(value "$name") and not $wanted;"
set -- "$@" "$name" "$wanted"
done
[ "$way" = set ] && exec "$db2" update db cfg for "$db" using "$@"
[ -z "$wrong" ] || { echo "$wrong"; exit 1; }; echo "$*"
"""
)
"""Releases before 10.1 have no HADR_TARGET_LIST."""

_ALTERNATE_IS = (
    "db2=$0 db=$1\n"
    + DIRECTORY
    + """\
now="$(entry 'Alternate server hostname') $(entry 'Alternate server port number')"
[ "$now" = "$2 $3" ] || { echo "the alternate server is $now and not $2 $3"; exit 1; }; echo "$now"
"""
)


def services(site: Site, host: str) -> Action:
    """Return what adds the pair's two HADR services where they are missing (§5.1.5)."""
    return Action(_services(site, host, "add"), is_repeatable=True)


def has_services(site: Site, host: str) -> Look:
    """Return the look at them; a name with another port is the site's to decide."""
    return looked(_services(site, host, "look"), f"{host} knows the services of HADR")


def _services(site: Site, host: str, way: str) -> Exec:
    db2 = site.db2
    pairs = (
        f"{db2.primary_service}={db2.primary_port}/tcp",
        f"{db2.standby_service}={db2.standby_port}/tcp",
    )
    return Exec(host, ("sh", "-c", _WALK_SERVICES, "hamnd-services", SERVICES, way, *pairs))


def start_instance(site: Site, host: str) -> Action:
    """Return db2start; an instance that is started is left alone."""
    return Action(on_host(site, host, _START, site.tool("db2start")), is_repeatable=True)


def archive_log(site: Site, host: str) -> Action:
    """Return what makes a database log in a way HADR needs.

    Where it logs in circles, changing that asks for an offline backup: for so long it is closed.
    """
    folder = site.db2.work_dir.rstrip("/")
    archive = site.db2.archive_dir or f"{folder}/archive"
    words = (site.db2.database, site.tool("db2pd"), archive, f"{folder}/first")
    return Action(on_host(site, host, _ARCHIVE, *words), reads="db2.logs_archived")


def is_archived(site: Site, host: str) -> Look:
    """Return the look at the log's parameters."""
    request = on_host(site, host, _ARCHIVED, site.db2.database)
    return looked(request, f"{site.db2.database} on {host} logs as HADR needs it")


def reopen(site: Site, host: str) -> Action:
    """Return what opens a database again that was closed for its log; nobody keeps the image."""
    return Action(on_host(site, host, _REOPEN, site.db2.database), reads="db2.activated")


def configure_hadr(site: Site, host: Node, partner: Node) -> Action:
    """Return UPDATE DB CFG with the HADR parameters of one end (§5.1.6, §11)."""
    return Action(_hadr(site, host, partner, "set"), reads="db2.takeover_done", is_repeatable=True)


def is_configured(site: Site, host: Node, partner: Node) -> Look:
    """Return the look at those parameters."""
    told = f"HADR on {host.name} is configured for {partner.name}"
    return looked(_hadr(site, host, partner, "look"), told)


def _hadr(site: Site, host: Node, partner: Node, way: str) -> Exec:
    db2 = site.db2
    local, remote = db2.primary_service, db2.standby_service
    if host.name == site.standby.name:
        local, remote = remote, local
    values = {
        "HADR_LOCAL_HOST": host.address,
        "HADR_LOCAL_SVC": local,
        "HADR_REMOTE_HOST": partner.address,
        "HADR_REMOTE_SVC": remote,
        "HADR_REMOTE_INST": db2.instance_owner,
        "HADR_TIMEOUT": str(db2.hadr_timeout_s),
        "HADR_PEER_WINDOW": str(db2.peer_window_s),
        "HADR_SYNCMODE": db2.sync_mode.upper(),
        "HADR_TARGET_LIST": f"{partner.address}:{remote}",
    }
    words = (f"{name}={value}" for name, value in values.items())
    return on_host(site, host.name, _WALK_HADR, db2.database, way, *words)


def set_alternate(site: Site, host: str, partner: Node, port: int) -> Action:
    """Return where clients of a node are sent when it is gone (§5.1.5)."""
    command = f"update alternate server for db {site.db2.database} using hostname"
    text = f'exec "$0" {command} "$1" port "$2"'
    request = on_host(site, host, text, partner.address, str(port))
    return Action(request, reads="db2.alternate_set", is_repeatable=True)


def has_alternate(site: Site, host: str, partner: Node, port: int) -> Look:
    """Return the look at the alternate server."""
    words = (site.db2.database, partner.address, str(port))
    told = f"clients of {host} know {partner.name} as the alternate server"
    return looked(on_host(site, host, _ALTERNATE_IS, *words), told)


def gives_way(site: Site, host: str) -> Look:
    """Return the look that keeps a primary from being replaced: it may be the cluster's own."""
    return Look(
        cfg(site, host),
        reads="db2.gives_way",
        expects=f"{site.db2.database} on {host} is no primary",
        timeout_s=15.0,
    )


def read_gives_way(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """BLOCK on a primary: after a takeover the configured roles are the other way round."""
    if unanswered(report) is None and "SQL1013N" in message_ids(report.stdout):
        return Reading(Verdict.PASS, "there is no such database")
    reading = read_cfg_readable(report)
    if reading.verdict is Verdict.PASS and parse_db_cfg(report.stdout).role is HadrRole.PRIMARY:
        said = "it is a primary, and set-up replaces none: after a takeover, plan rejoin"
        return Reading(Verdict.BLOCK, said)
    return reading


def read_logs_archived(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS on DB20000I, or on the backup that closed the change."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    if report.exit_code == 0 and not message_ids(report.stdout):
        return Reading(Verdict.PASS, "it archives its log; a first backup was taken")
    return judge_reply(report, harmless=())


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = MappingProxyType(
    {"db2.gives_way": read_gives_way, "db2.logs_archived": read_logs_archived}
)
