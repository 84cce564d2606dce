"""How one MariaDB server is made the replica of another: held, kept aside, copied, started, told.

Owns the scripts. Must not know their order nor when one is right (core.replication).

A server that is worked on is *held*: its data directory is renamed, so that nobody's start of it,
by hand or at boot, can make it serve. It gets its name back only as a copy of the other one. What
it had is kept beside it and never deleted by hamnd. The password of the replication user goes from
its option file through a pipe into the client, never through an argv.
"""

from __future__ import annotations

from hamnd.dialects.mariadb.commands import LOOK_S, client
from hamnd.dialects.shell import preview
from hamnd.model.site import Node, Site
from hamnd.model.work import Action, Exec, Look

_HOLD = """\
set -eu; data=$1 held=$2
if [ -e "$data/ibdata1" ]; then
[ ! -e "$held" ] || { echo "$data and $held are both there: move one away" >&2; exit 1; }
mv "$data" "$held"
elif [ -d "$data" ]; then rmdir "$data"; fi
"""
_IN_PLACE = """\
data=$1 held=$2 must=$3; shift 3
option() { printf '%s\\n' "$options" | sed -n "s/^--$1=//p" | tail -n 1; }
real() { (cd "$1" 2>/dev/null && pwd -P) || printf '%s\\n' "${1%/}"; }
if said=$("$@" 2>/dev/null) && [ -n "$said" ]; then
at=$(printf '%s\\n' "$said" | cut -f 1) log=$(printf '%s\\n' "$said" | cut -f 2)
else
options=$(my_print_defaults mysqld server mariadb mariadbd) || exit 2
at=$(option datadir) log=$(option 'log[-_]bin')
fi
[ -n "$at" ] || at=/var/lib/mysql
if [ "$(real "$at")" != "$(real "$data")" ]; then
echo "the server's datadir is $at, not $data (replication.mariadb.data_dir)"; exit 1
fi
[ -z "$must" ] || [ -e "$data/ibdata1" ] || [ -e "$held" ] ||
{ echo "neither $data/ibdata1 nor $held is there: nothing to hold"; exit 1; }
if mountpoint -q "$data"; then
echo "$data is a mount point, which nobody can rename: put the data into a directory below it"
exit 1
fi
case $log in */*)
case "$(real "${log%/*}")/" in "$(real "$data")"/*) ;; *)
echo "log_bin lies outside of $data, at $log: it would neither be held nor kept, and a new copy \
cannot follow beside it (error 1947); write log_bin without a path"; exit 1 ;;
esac ;;
esac
echo "$data is the server's own, and can be set aside"
"""
"""Whether what is renamed is what the server works with, all of it. A server that is down is judged
by its option files; packages keep their data in /var/lib/mysql unless these say otherwise."""
_FOLLOWS = r"""
follows() {
"$@" 2>/dev/null | awk -F '\t' -v name="$name" -v address="$address" '
$1 == "read_only" { refuses = $2 == "1" || $2 == "ON" }
$1 == "Connection_name" { for (n = 1; n <= NF; n++) at[$n] = n; next }
"Master_Host" in at {
    rows++; from = $at["Master_Host"]
    good += $at["Slave_IO_Running"] == "Yes" && $at["Slave_SQL_Running"] == "Yes" && \
        (from == address || from == name || index(from, name ".") == 1)
}
END { exit !(refuses && rows == 1 && good == 1) }'
}
"""
"""Whether a server takes no writes, and receives and applies what the partner writes: a row of its
replication alone may be years old, or stand beside writes."""
_HELD = (
    "data=$1 held=$2 kept=$3 must=$4 name=$5 address=$6; shift 6"
    + _FOLLOWS
    + """\
if [ -e "$data/ibdata1" ]; then
follows "$@" && { echo "it follows $name: it serves nothing of its own"; exit 0; }
echo "$data is in its place: a start would serve it"; exit 1
fi
[ -z "$must" ] || [ -e "$held" ] || [ -e "$kept" ] || { echo "$data is not there"; exit 1; }
echo "nobody can start it"
"""
)
_MOVE = """\
set -eu; held=$1 kept=$2
[ -e "$held" ] || exit 0
to=$kept number=1
while [ -e "$to" ]; do number=$((number + 1)) to=$kept.$number; done
mv "$held" "$to"
"""
_KEPT = (
    "data=$1 held=$2 kept=$3 must=$4 name=$5 address=$6; shift 6"
    + _FOLLOWS
    + """\
[ ! -e "$held" ] || { echo "$held is not kept yet"; exit 1; }
if [ -e "$data/ibdata1" ]; then
follows "$@" ||
{ echo "$data is in its place, and does not follow $name: it is not kept"; exit 1; }
must=
fi
[ ! -e "$kept" ] || { echo "kept as $kept"; exit 0; }
[ -z "$must" ] || { echo "neither $data nor $kept is there"; exit 1; }
echo "nothing was there"
"""
)
_MARK = "hamnd-copied-at"
"""hamnd's own mark of a copy, in its data directory: its GTID. The file that mariadb-backup leaves
there stays for years, through promotions and writes."""
_ROOM = """\
set -eu; part=$1 owner=$2
rm -rf "$part"; mkdir -m 0700 "$part"; chown "$owner" "$part"
"""
_PUT = """\
set -eu; part=$1 data=$2 backup=$3 owner=$4 mark=$5
[ -s "$part/xtrabackup_checkpoints" ] || [ -s "$part/mariadb_backup_checkpoints" ] ||
{ echo "the copy was cut off" >&2; exit 1; }
"$backup" --prepare --target-dir="$part" >"$part.log" 2>&1 ||
{ tail -n 3 "$part.log" >&2; exit 1; }
for info in "$part"/xtrabackup_binlog_info "$part"/mariadb_backup_binlog_info; do
[ ! -s "$info" ] || cut -f 3 "$info" >"$part/$mark"
done
case $(cat "$part/$mark") in ''|*[!0-9,-]*)
echo "the copy does not tell its GTID" >&2; exit 1 ;;
esac
chown -R "$owner" "$part"; rm -f "$part.log"
[ ! -d "$data" ] || rmdir "$data"
mv "$part" "$data"
"""
_COPIED = (
    "data=$1 mark=$1/$2 name=$3 address=$4; shift 4"
    + _FOLLOWS
    + """\
[ -e "$data/ibdata1" ] || { echo "$data is not there"; exit 1; }
[ -s "$mark" ] && { echo "copied at $(cat "$mark")"; exit 0; }
follows "$@" && { echo "it follows $name"; exit 0; }
echo "$data is no copy that hamnd made"; exit 1
"""
)
_SPACE = """\
data=$1 least=$2
[ -e "$data" ] || { echo "$data is not there: its disk is not looked at"; exit 0; }
free=$(df -Pk "$data" | awk 'NR == 2 { print $4 }')
[ -n "$free" ] || exit 2
[ "$free" -ge "$least" ] && { echo "$((free / 1024)) MiB are free at $data"; exit 0; }
echo "the disk of $data is full, $((free / 1024)) MiB are left: make room, \
the server goes on by itself then"
exit 1
"""
SPACE_KIB_MIN = 16 * 1024
"""A server that meets a full disk waits, and answers no question about replication meanwhile
(measured, MariaDB 10.11)."""
_READ_ONLY = """\
said=$(my_print_defaults mysqld server mariadb mariadbd) || exit 2
last=$(printf '%s\\n' "$said" | grep -i '^--read[-_]only' | tail -n 1)
case $last in
--read?only|--read?only=1|--read?only=[Oo][Nn]) echo "it starts read-only"; exit 0 ;;
esac
echo "its option files do not say read_only = ON under [mariadbd]: it would take writes at boot"
exit 1
"""
_VALUES = """\
value() { sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$file" | tail -n 1; }
user=$(value user) password=$(value password)
[ -n "$user" ] || { echo "$file names no user" >&2; exit 1; }
case $user$password in *[\\\\\\'\\"#]*)
echo "$file: user and password must do without quotes, # and backslashes" >&2; exit 1 ;;
esac
"""
"""Reads the option file of the replication user, and refuses what such files write otherwise."""
_QUIET = """\
echo "SET SESSION sql_log_off = 1, slow_query_log = 0;"
"""
"""Keeps what follows out of the general and the slow log, which have statements as they come."""
_RUN = """\
statements | { said=$("$@" 2>&1) || {
printf '%s\\n' "$said" | grep '^ERROR' | grep -v '^ERROR 1064' >&2
echo "the server did not take it" >&2; exit 1; }; }
"""
"""Has the client run them. It repeats a statement that fails, secret and all: that is left out."""
_GRANT = (
    "set -eu; file=$1 first=$2 second=$3; shift 3\n"
    + _VALUES
    + "statements() {\n"
    + _QUIET
    + """\
printf "SET @hash = PASSWORD('%s');\\n" "$password"
for from in "$first" "$second"; do
printf "SET @at = CONCAT(QUOTE('%s'), '@', QUOTE('%s'));\\n" "$user" "$from"
echo "EXECUTE IMMEDIATE CONCAT('CREATE USER IF NOT EXISTS ', @at);"
echo "EXECUTE IMMEDIATE CONCAT('ALTER USER ', @at, ' IDENTIFIED BY PASSWORD ', QUOTE(@hash));"
echo "EXECUTE IMMEDIATE CONCAT('GRANT REPLICATION SLAVE ON *.* TO ', @at);"
done
}
"""
    + _RUN
)
_FOLLOW = (
    "set -eu; file=$1 host=$2 port=$3 period=$4 mark=$5; shift 5\n"
    + _VALUES
    + """\
gtid=
[ ! -s "$mark" ] || gtid=$(cat "$mark")
case $gtid in *[!0-9,-]*) echo "$mark: that is no GTID" >&2; exit 1 ;; esac
statements() {
"""
    + _QUIET
    + """\
echo "STOP REPLICA; RESET REPLICA ALL;"
if [ -n "$gtid" ]; then printf "SET GLOBAL gtid_slave_pos = '%s';\\n" "$gtid"
else echo "SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos;"; fi
printf "CHANGE MASTER TO MASTER_HOST = '%s', MASTER_PORT = %s, " "$host" "$port"
printf "MASTER_USER = '%s', MASTER_PASSWORD = '%s', " "$user" "$password"
printf "MASTER_USE_GTID = slave_pos, MASTER_HEARTBEAT_PERIOD = %s, " "$period"
echo "MASTER_CONNECT_RETRY = 1; START REPLICA;"
}
"""
    + _RUN
    + """\
[ ! -e "$mark" ] || mv "$mark" "$mark.followed"
"""
)
_HAS_ALL = """\
there=$1 here=$2
at=$(sh -c "$there") || { echo "the old primary does not tell its position"; exit 2; }
said=$(echo "SELECT @@GLOBAL.gtid_slave_pos" | sh -c "$here") || exit 2
# One for each domain, in no order that both have in common.
sorted() { printf '%s\\n' "$1" | tr -d ' ' | tr , '\\n' | sort; }
[ "$(sorted "$said")" = "$(sorted "$at")" ] || { echo "it wrote up to $at, here is $said"; exit 1; }
echo "all that it wrote, up to $at, is here"
"""


def held_of(site: Site) -> str:
    """Return where a data directory lies while it is worked on."""
    return f"{site.mariadb.data_dir}.hamnd-held"


def kept_of(site: Site, label: str) -> str:
    """Return where a data directory is kept."""
    return f"{site.mariadb.data_dir}.hamnd-kept-{label}"


def _part_of(site: Site) -> str:
    return f"{site.mariadb.data_dir}.hamnd-part"


def stop(site: Site, host: str) -> Action:
    """Return what stops a server in order."""
    return Action(Exec(host, ("systemctl", "stop", site.mariadb.unit)))


def is_in_place(site: Site, host: str, *, may_lack: bool) -> Look:
    """Return the look that proves that what `hold` renames is all of the server's data.

    `may_lack`: a server that is set up may have none yet.
    """
    places = "SELECT @@GLOBAL.datadir, @@GLOBAL.log_bin_basename"
    question = client(site, host, places, is_named=False).argv
    words = (site.mariadb.data_dir, held_of(site), "" if may_lack else "must")
    told = f"{site.mariadb.data_dir} on {host} is its server's, and can be set aside"
    return _scripted(host, told, _IN_PLACE, *words, *question)


def hold(site: Site, host: str) -> Action:
    """Return what takes a stopped server's data directory out of everybody's reach."""
    return _script(host, _HOLD, "hold", site.mariadb.data_dir, held_of(site))


def is_held(site: Site, host: str, source: Node, label: str, *, may_lack: bool) -> Look:
    """Return the look that proves it out of reach, or at the end of its way: kept, or a replica."""
    told = f"nobody can start the MariaDB server of {host} as a primary"
    words = _places(site, label, may_lack=may_lack)
    return _scripted(host, told, _HELD, *words, *_following(site, host, source))


def _places(site: Site, label: str, *, may_lack: bool) -> tuple[str, ...]:
    must = "" if may_lack else "must"
    return site.mariadb.data_dir, held_of(site), kept_of(site, label), must


def _following(site: Site, host: str, source: Node) -> tuple[str, ...]:
    """Return what `_FOLLOWS` is about: whom it should follow, and how its server is asked."""
    mode = "SELECT 'read_only' AS hamnd, @@GLOBAL.read_only AS value"
    question = client(site, host, mode, "SHOW ALL REPLICAS STATUS")
    return source.name, source.address, *question.argv


def give_back(site: Site, host: str) -> Action:
    """Return what takes a hold back."""
    text = 'set -eu; [ -e "$1/ibdata1" ] || [ ! -e "$2" ] || mv "$2" "$1"\n'
    return _script(host, text, "give-back", site.mariadb.data_dir, held_of(site))


def keep(site: Site, host: str, label: str) -> Action:
    """Return what keeps held data under a name of its own."""
    return _script(host, _MOVE, "keep", held_of(site), kept_of(site, label))


def is_kept(site: Site, host: str, source: Node, label: str, *, may_lack: bool) -> Look:
    """Return the look that finds held data kept, and says where; a working replica has none."""
    words = _places(site, label, may_lack=may_lack)
    told = f"what {host} had is kept"
    return _scripted(host, told, _KEPT, *words, *_following(site, host, source))


def copy(site: Site, source: str, target: str) -> tuple[Action, ...]:
    """Return what streams a running server's data over ssh and makes it whole at its place."""
    where, part = site.mariadb, _part_of(site)
    backup = site.tool("mariadb_backup")
    options = [f"--defaults-file={where.defaults_file}"] if where.defaults_file else []
    options += ["--backup", "--stream=xbstream", f"--datadir={where.data_dir}"]
    options += [f"--socket={where.socket}"] if where.socket else []
    options += [f"--user={where.user}"] if where.user else []
    sends = preview(Exec(source, (backup, *options), where.os_user), site)
    takes = preview(Exec(target, (site.tool("mbstream"), "-x", "-C", part)), site)
    return (
        _script(target, _ROOM, "room", part, where.data_owner),
        Action(Exec(site.node, ("sh", "-c", f"{sends} | {takes}"))),
        _script(target, _PUT, "put", part, where.data_dir, backup, where.data_owner, _MARK),
    )


def is_copied(site: Site, target: str, source: Node) -> Look:
    """Return the look that finds a whole copy at its place, or a replica that works."""
    words = (site.mariadb.data_dir, _MARK, *_following(site, target, source))
    return _scripted(target, f"{target} has a copy of the data", _COPIED, *words)


def has_space(site: Site) -> Look:
    """Return the look that proves that this node's server can write."""
    where = site.mariadb.data_dir
    told = f"the disk of {where} on {site.node} has room"
    return _scripted(site.node, told, _SPACE, where, str(SPACE_KIB_MIN))


def starts_read_only(site: Site, host: str) -> Look:
    """Return the look that proves that a server takes no writes when it starts."""
    del site
    return _scripted(host, f"the MariaDB server of {host} starts read-only", _READ_ONLY)


def start(site: Site, host: str) -> Action:
    """Return what starts a server."""
    return Action(Exec(host, ("systemctl", "start", site.mariadb.unit)))


def grant(site: Site, host: str) -> Action:
    """Return what lets the replication user in from both nodes.

    The binary log has a statement as it was given: it is given with the password's hash.
    """
    words = (site.mariadb.replication_file, site.primary.address, site.standby.address)
    return _script(host, _GRANT, "grant", *words, *_feed(site, host))


def lets_in(site: Site, guest: Node, host: Node) -> Look:
    """Return the look that proves that the replication user may log in from the other node."""
    where = site.mariadb
    argv = (
        site.tool("mariadb"),
        f"--defaults-file={where.replication_file}",
        "--batch",
        "--connect-timeout=5",
        f"--host={host.address}",
        f"--port={where.port}",
        "-e",
        "SELECT 'server' AS hamnd, 0 AS at",
    )
    told = f"{host.name} lets the replication user in from {guest.name}"
    return Look(Exec(guest.name, argv), "mariadb.lets_in", told, timeout_s=LOOK_S)


def follow(site: Site, target: str, source: Node) -> Action:
    """Return what makes a server follow another from where its copy was taken.

    Without a copy's mark it goes on from the end of its own log: after an orderly hand-over.
    """
    where = site.mariadb
    words = (where.replication_file, source.address, str(where.port), f"{where.heartbeat_s:g}")
    mark = f"{where.data_dir}/{_MARK}"
    return _script(target, _FOLLOW, "follow", *words, mark, *_feed(site, target))


def has_handed_over(site: Site, source: str, target: str) -> Look:
    """Return the look that proves all that one server wrote to be on the other."""
    there = preview(client(site, source, "SELECT @@GLOBAL.gtid_binlog_pos", is_named=False), site)
    here = client(site, target, is_named=False)
    told = f"{target} has applied all that {source} wrote"
    return _scripted(target, told, _HAS_ALL, there, preview(here, site))


def _feed(site: Site, host: str) -> tuple[str, ...]:
    """Return the client that takes statements from its standard input."""
    return client(site, host, is_bounded=False).argv


def _script(host: str, text: str, name: str, *words: str) -> Action:
    return Action(Exec(host, ("sh", "-c", text, name, *words)))


def _scripted(host: str, told: str, text: str, *words: str) -> Look:
    request = Exec(host, ("sh", "-c", text, "look", *words))
    return Look(request, "shell.exit_zero", told, timeout_s=LOOK_S)
