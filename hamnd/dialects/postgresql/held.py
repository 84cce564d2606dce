"""A data directory that is worked on: held, kept, rewound or copied anew, and put back.

Owns the scripts. Must not know their order nor when one is right (core.replication).

A server that is worked on is *held*: its data directory is renamed, so that nobody's start of it,
by hand or at boot, can make it serve. It gets its name back only with standby.signal in it. What
diverged is kept beside it and never deleted by hamnd. Scripts run as the owner of the servers, who
can write beside the data directory in every packaged layout.
"""

from __future__ import annotations

from hamnd.dialects.postgresql.commands import LOOK_S, Limits, conninfo_of, psql
from hamnd.dialects.postgresql.layout import places, program, script, scripted, slot_of, upstream
from hamnd.dialects.shell import preview, quote
from hamnd.model.site import Node, Site
from hamnd.model.work import Action, Exec, Look

STOP_S = 60
STATUS_S = 8
SPACE_KIB_MIN = 65_536
"""Four segments of the log: with less a server that just became primary stops soon."""
RECOVER_S = 600
"""A crashed server replays its own log at most so long before it is given up."""

_STOP = """\
set -u; ctl=$1 data=$2 limit=$3
[ -f "$data/postmaster.pid" ] || exit 0
# After a power cut the file is left, and its number may be another program's by now.
pid=$(head -n 1 "$data/postmaster.pid") && [ -n "$pid" ] || exit 1
kill -0 "$pid" 2>/dev/null || exit 0
case $(ps -o comm= -p "$pid") in
*postgres*|*postmaster*) "$ctl" -D "$data" -s -w -t "$limit" -m fast stop ;;
"") ! kill -0 "$pid" 2>/dev/null || { echo "ps does not tell what $pid is" >&2; exit 1; } ;;
esac
"""
_HOLD = """\
set -eu; data=$1 held=$2
if [ -e "$data/PG_VERSION" ]; then
[ ! -e "$held" ] || { echo "$data and $held are both there: move one away" >&2; exit 1; }
mv "$data" "$held"
elif [ -d "$data" ]; then rmdir "$data"; fi
rm -f "$held/postmaster.pid"
"""
_PLACE = """\
data=$1 held=$2 may_be_empty=$3; shift 3
where() { (cd "$1" 2>/dev/null && pwd -P); }
mends="correct replication.postgresql.data_dir"
told=$("$@" 2>/dev/null); code=$?
[ "$code" != 1 ] || { echo "its server does not tell: grant pg_read_all_settings"; exit 1; }
if [ "$code" = 0 ]; then
[ -n "$told" ] && [ "$(where "$told")" = "$(where "$data")" ] ||
{ echo "its server has its data in $told, not in $data: $mends"; exit 1; }
fi
[ ! -e "$data/PG_VERSION" ] || [ ! -e "$held" ] ||
{ echo "$data and $held are both there: move one away"; exit 1; }
for dir in "$data" "$held" ""; do [ ! -e "$dir/PG_VERSION" ] || break; done
if [ -z "$dir" ]; then
[ -z "$may_be_empty" ] || { echo "there is no data yet"; exit 0; }
echo "neither $data nor $held has the data of a server: $mends"; exit 1
fi
at=$(where "$dir") || { echo "$dir cannot be entered"; exit 1; }
mount=$(df -P "$at" | awk 'NR == 2 { print $6 }')
# A link is renamed, wherever it leads to.
if [ ! -L "$dir" ] && { [ "$mount" = "$at" ] || mountpoint -q "$at" 2>/dev/null; }; then
echo "$dir is a mount point and cannot be renamed: let the data be in a directory below it"; exit 1
fi
echo "its data is in $dir"
"""
_HELD = """\
data=$1 held=$2 may_be_empty=$3 sources=$4; shift 4
if [ -e "$data/PG_VERSION" ]; then
told=$("$@" 2>/dev/null)
for one in $sources; do
case $told in "streaming|$one"|"streaming|$one."*)
echo "it receives from $one: it serves nothing"; exit 0 ;; esac
done
echo "$data is in its place: a start would serve it"; exit 1
fi
[ ! -e "$held/postmaster.pid" ] || { echo "a server runs on $held"; exit 1; }
[ -n "$may_be_empty" ] || ls -d "$data".hamnd-* >/dev/null 2>&1 ||
{ echo "neither $data nor what it is called while it is held is there"; exit 1; }
echo "nobody can start it"
"""
_COPY = """\
set -eu; held=$1 kept=$2
rm -rf "$kept.part"; cp -RpP "$held" "$kept.part"; sync; mv "$kept.part" "$kept"
"""
_ROOM = """\
held=$1; need=$(du -sk "$held" | cut -f 1) || exit 2
free=$(df -Pk "${held%/*}" | awk 'NR == 2 { print $4 }')
[ "$free" -gt "$need" ] && { echo "$need KiB are kept, $free KiB are free"; exit 0; }
echo "keeping $held needs $need KiB beside it, $free KiB are free"; exit 1
"""
_SPACE = """\
data=$1 least=$2
free=$(df -Pk "$data" | awk 'NR == 2 { print $4 }') || exit 2
[ "$free" -ge "$least" ] && { echo "$((free / 1024)) MiB are free at $data"; exit 0; }
echo "the disk of $data is full, $((free / 1024)) MiB are left: make room, then start the server"
exit 1
"""
_MOVE = """\
set -eu; held=$1 kept=$2
[ -e "$held" ] || exit 0
to=$kept number=1
while [ -e "$to" ]; do number=$((number + 1)) to=$kept.$number; done
mv "$held" "$to"
"""
_KEPT = """\
held=$1 kept=$2 way=$3 may_be_empty=$4
if [ "$way" = move ]; then [ ! -e "$held" ]; else [ -e "$kept/global/pg_control" ]; fi ||
{ echo "$held is not kept yet"; exit 1; }
[ ! -e "$kept" ] || { echo "kept as $kept"; exit 0; }
[ -n "$may_be_empty" ] && { echo "nothing was there"; exit 0; }
echo "neither $held nor $kept is there"; exit 1
"""
_STATE = """\
set -eu; control=$1 held=$2
state=$(LC_ALL=C "$control" -D "$held" | sed -n 's/^Database cluster state: *//p')
echo "$held: $state"
case $state in 'shut down'|'shut down in recovery') ;; *) exit 1 ;; esac
"""
_RECOVER = """\
set -eu; ctl=$1 held=$2 limit=$3 options=$4
: >"$held/standby.signal"
"$ctl" -D "$held" -s -w -t "$limit" -l "$held.log" -o "$options" start ||
{ tail -n 3 "$held.log" >&2; exit 1; }
"$ctl" -D "$held" -s -w -t "$limit" -m fast stop
rm -f "$held.log"
"""
_REWIND = """\
set -eu; rewind=$1 held=$2 mark=$3 source=$4
trap ': >"$held/standby.signal"' EXIT
said=$(LC_ALL=C "$rewind" -n -D "$held" --source-server="$source" 2>&1) || {
printf '%s\\n' "$said" | tail -n 3 >&2
case $said in
*"could not find previous WAL record"*|*"could not read WAL record"*|*"common ancestor"*|\
*"wal_log_hints"*|*"full_page_writes"*) : >"$mark"
echo "pg_rewind cannot take it back, only a new copy helps: plan rejoin anew" >&2 ;;
esac
exit 1; }
: >"$mark"
"$rewind" -D "$held" --source-server="$source"
rm -f "$mark"
"""
"""It is asked first whether it can (-n changes nothing). Where the data are against it, and not the
way to the other server, the mark stays and has the next plan copy anew: a checkpoint after the fork
throws away the log before it, where pg_rewind looks for the last checkpoint in common."""
_FOLLOW = """\
set -eu; dir=$1; shift
: >"$dir/standby.signal"
{ sed -E '/^[[:space:]]*primary_(conninfo|slot_name)[[:space:]]*=/d' "$dir/postgresql.auto.conf"
printf '%s\\n' "$@"; } >"$dir/postgresql.auto.conf.new"
mv "$dir/postgresql.auto.conf.new" "$dir/postgresql.auto.conf"
"""
_FOLLOWS = """\
data=$1 from=$2 mark=$3; shift 3
[ ! -e "$mark" ] || { echo "pg_rewind could not, or was cut off: only a new copy helps"; exit 1; }
for dir in "$data" "$from"; do [ ! -e "$dir/PG_VERSION" ] || break; done
[ -e "$dir/standby.signal" ] || { echo "$dir is no standby's"; exit 1; }
for line; do
grep -Fqx -e "$line" "$dir/postgresql.auto.conf" || { echo "$dir follows another"; exit 1; }
done
echo "$dir follows as it should"
"""
_PUT_BACK = """\
set -eu; data=$1 from=$2
[ -e "$data/PG_VERSION" ] || mv "$from" "$data"
[ -e "$data/standby.signal" ] || { echo "$data is no standby's: not started" >&2; exit 1; }
"""
_START = """\
set -eu; ctl=$1 data=$2 limit=$3 options=$4
"$ctl" -D "$data" -s -w -t "$limit" -l "$data.log" -o "$options" start ||
{ tail -n 3 "$data.log" >&2; exit 1; }
"""
HANDED_OVER = """\
there=$1 here=$2
end=$(sh -c "$there") || { echo "the old primary was not shut down in order"; exit 1; }
# The other node's text becomes part of a statement here.
case $end in *[!0-9A-Fa-f/]*|'') echo "where its log ends cannot be read"; exit 1 ;; esac
echo "SELECT pg_last_wal_replay_lsn() > '$end'::pg_lsn" | sh -c "$here" | grep -qx t ||
{ echo "its last record begins at $end, and is not here yet"; exit 1; }
echo "its last record, at $end, is here"
"""
_GIVE_BACK = """\
set -eu; data=$1 held=$2
[ -e "$data/PG_VERSION" ] || [ ! -e "$held" ] || mv "$held" "$data"
"""
_SHUT_DOWN_AT = """\
LC_ALL=C "$1" -D "$2" | awk '/^Database cluster state/ { is = / shut down$/ }
/^Latest checkpoint location/ { at = $NF } END { if (!is) exit 1; print at }'
"""


def stop(site: Site, host: str) -> tuple[Action, ...]:
    """Return what stops a server in order, whoever started it; one that is down is done."""
    where, unit = places(site), site.postgresql.unit
    by_hand = script(site, host, _STOP, "stop", program(site, "pg_ctl"), where.data, str(STOP_S))
    if unit is None:
        return (by_hand,)
    return Action(Exec(host, ("systemctl", "stop", unit))), by_hand


def hold(site: Site, host: str) -> Action:
    """Return what takes a stopped server's data directory out of everybody's reach."""
    where = places(site)
    return script(site, host, _HOLD, "hold", where.data, where.held)


def is_its_place(site: Site, host: str, may_be_empty: bool = False) -> Look:
    """Return the look that finds a server's data where the site says, and able to be renamed.

    A server that answers is asked itself; with a wrong place another one would be held, and the
    real one be started again as the primary that it was.
    """
    where = places(site)
    told = f"{where.data} on {host} is the data directory, and can be renamed"
    asked = psql(site, host, "SHOW data_directory", limits=Limits(STATUS_S))
    words = (where.data, where.held, "yes" * may_be_empty)
    return scripted(site, host, told, _PLACE, "place", *words, *asked.argv)


def is_held(site: Site, host: str, source: Node, may_be_empty: bool = False) -> Look:
    """Return the look that proves it out of reach, or at the end of its way: the other's standby.

    Only a node that is set up may have had no data at all.

    That one it may know by the address that moves, too. Who streams from a third server is not this
    pair's (sender_host is told since version 11).
    """
    where = places(site)
    told = f"nobody can start the PostgreSQL server of {host} as a primary"
    question = "SELECT status, sender_host FROM pg_stat_wal_receiver"
    status = psql(site, host, question, limits=Limits(STATUS_S))
    moving = [word for one in site.identity for word in (one.name, one.address)]
    sources = " ".join((source.name, source.address, *moving))
    words = (where.data, where.held, "yes" * may_be_empty, sources, *status.argv)
    return scripted(site, host, told, _HELD, "held", *words)


def keep(site: Site, host: str, label: str, is_moved: bool) -> Action:
    """Return what keeps held data: moved away, or copied where it is to be rewound."""
    where = places(site)
    text = _MOVE if is_moved else _COPY
    return script(site, host, text, "keep", where.held, where.kept(label))


def has_space(site: Site) -> Look:
    """Return the look that proves this node's server able to write: a full disk stops it."""
    told = f"the disk of PostgreSQL on {site.node} is not full"
    words = (places(site).data, str(SPACE_KIB_MIN))
    return scripted(site, site.node, told, _SPACE, "space", *words)


def has_room(site: Site, host: str) -> Look:
    """Return the look that proves room for a copy of held data."""
    told = f"{host} has room for a copy of the database"
    return scripted(site, host, told, _ROOM, "room", places(site).held)


def is_kept(site: Site, host: str, label: str, is_moved: bool, may_be_empty: bool = False) -> Look:
    """Return the look that finds held data kept, and says where."""
    where = places(site)
    way = "move" if is_moved else "copy"
    words = (where.held, where.kept(label), way, "yes" * may_be_empty)
    return scripted(site, host, f"what {host} had is kept", _KEPT, "kept", *words)


def recover(site: Site, host: str) -> Action:
    """Return what brings a crashed, held server to an end that pg_rewind accepts.

    It replays its own log as a standby of nobody, on no address and on a socket of its own, and is
    stopped again: not one write is accepted.
    """
    where = places(site)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": where.held,
        "primary_conninfo": "",
        "restore_command": "",
        "hot_standby": "on",
        **_config(site, where.held),
    }
    words = (program(site, "pg_ctl"), where.held, str(RECOVER_S), _options(settings))
    return script(site, host, _RECOVER, "recover", *words)


def is_shut_down(site: Site, host: str) -> Look:
    """Return the look that proves held data shut down in order."""
    words = (program(site, "pg_controldata"), places(site).held)
    return scripted(site, host, f"the data of {host} is shut down", _STATE, "state", *words)


def rewind(site: Site, host: Node, to: Node) -> Action:
    """Return pg_rewind: what diverged on a held server is replaced by the source's."""
    where = places(site)
    source = conninfo_of({**upstream(site, host, to), "dbname": site.postgresql.database})
    words = (program(site, "pg_rewind"), where.held, where.mark, source)
    return script(site, host.name, _REWIND, "rewind", *words)


def copy(site: Site, host: Node, of: Node) -> tuple[Action, ...]:
    """Return what makes a new copy beside the data directory; a cut-off one begins anew."""
    where = places(site)
    user = site.postgresql.os_user
    slot = ("-S", slot_of(host)) if site.postgresql.slot_keep_mib else ()
    argv = (
        *(program(site, "pg_basebackup"), "-D", where.new, "-X", "stream", "-c", "fast", "-w"),
        *(*slot, "-d", conninfo_of(upstream(site, host, of))),
    )
    clear = Exec(host.name, ("rm", "-rf", where.new, where.mark), user)
    return Action(clear), Action(Exec(host.name, argv, user))


def follow(site: Site, host: Node, to: Node, is_new: bool) -> Action:
    """Return what makes data a standby's that follows another node; it is the last word on it."""
    where = places(site)
    words = (where.new if is_new else where.held, *_lines(site, host, to))
    return script(site, host.name, _FOLLOW, "follow", *words)


def follows(site: Site, host: Node, to: Node, is_new: bool) -> Look:
    """Return the look that proves it, wherever the data lies now."""
    where = places(site)
    words = (where.data, where.new if is_new else where.held, where.mark)
    told = f"the data of {host.name} is a standby's of {to.name}"
    lines = _lines(site, host, to)
    return scripted(site, host.name, told, _FOLLOWS, "follows", *words, *lines)


def start(site: Site, host: str, is_new: bool) -> tuple[Action, ...]:
    """Return what puts a standby's data back in its place and starts its server."""
    where = places(site)
    from_ = where.new if is_new else where.held
    put_back = script(site, host, _PUT_BACK, "put-back", where.data, from_)
    return put_back, start_again(site, host)


def give_back(site: Site, host: str) -> Action:
    """Return the way back from `hold`: the data directory has its name again."""
    where = places(site)
    return script(site, host, _GIVE_BACK, "give-back", where.data, where.held)


def start_again(site: Site, host: str) -> Action:
    """Return what starts a server as it was before."""
    unit = site.postgresql.unit
    if unit is not None:
        return Action(Exec(host, ("systemctl", "start", unit)))
    where = places(site)
    words = (program(site, "pg_ctl"), where.data, str(STOP_S), _options(_config(site, where.data)))
    return script(site, host, _START, "start", *words)


def has_handed_over(site: Site, host: str, is_held: bool = True) -> Look:
    """Return the look, from this node, that finds a stopped primary's last record replayed here.

    The last record of a server that was stopped in order is its shutdown checkpoint.
    """
    data = places(site).held if is_held else places(site).data
    words = ("sh", "-c", _SHUT_DOWN_AT, "hamnd-end", program(site, "pg_controldata"), data)
    there = preview(Exec(host, words, site.postgresql.os_user), site)
    here = preview(psql(site, site.node, limits=Limits(int(LOOK_S) - 2)), site)
    return Look(
        Exec(site.node, ("sh", "-c", HANDED_OVER, "hamnd-handed-over", there, here)),
        reads="shell.exit_zero",
        expects=f"{site.node} has everything that {host} wrote",
        timeout_s=2 * LOOK_S,
    )


def _lines(site: Site, host: Node, to: Node) -> tuple[str, ...]:
    """Return the lines of postgresql.auto.conf that make a server follow."""
    conninfo = conninfo_of(upstream(site, host, to))
    lines = [f"primary_conninfo = {_setting(conninfo)}"]
    if site.postgresql.slot_keep_mib:
        lines.append(f"primary_slot_name = '{slot_of(host)}'")
    return tuple(lines)


def _config(site: Site, data: str) -> dict[str, str]:
    """Return what a server needs to be told whose configuration lies elsewhere (Debian)."""
    file = site.postgresql.config_file
    return {} if file is None else {"config_file": file, "data_directory": data}


def _options(settings: dict[str, str]) -> str:
    """Return settings as pg_ctl hands them on: through a shell."""
    return quote(tuple(word for key, one in settings.items() for word in ("-c", f"{key}={one}")))


def _setting(text: str) -> str:
    """Return a text as a value of a configuration file."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
