"""The programs of the SQLite engine: the copy on the primary, the switch on the new active node.

Owns their texts. Must not know argv (commands). On the primary only what is there is used: python3
with its sqlite3 module, else the program sqlite3; neither is told in words. All reading there is
read-only, through SQLite's own backup API (sqlite.org/backup.html): a table is never half of one
transaction. With
python3 each table is read in one transaction, begun before any is copied. Under rollback journals
(SQLite's default) that keeps writers from committing, so that the set is of one moment; in WAL mode
it does not, and the set is of one moment only where nothing was committed while they were begun.
That is tried three times, as with the program a set that changed meanwhile is copied again; then it
is told as "table": each table whole, but not all of one moment.
"""

from __future__ import annotations

from hamnd.dialects.copies.programs import STORE

_BACKUP = r"""
import hashlib, os, sqlite3, sys, time
try:
    from urllib.request import pathname2url
except ImportError:
    sys.exit(8)
out, names = sys.argv[1], sys.argv[2:]
if not hasattr(sqlite3.Connection, "backup"):
    sys.exit(8)

def state(name):
    # The header of the index of a write-ahead log: every commit changes it.
    try:
        with open(name + "-shm", "rb") as index:
            return index.read(96)
    except OSError:
        return b""

for attempt in (1, 2, 3):
    held, taken, seen = [], time.time(), {}
    try:
        for name in names:
            where = "file:" + pathname2url(os.path.abspath(name)) + "?mode=ro"
            one = sqlite3.connect(where, uri=True, timeout=5, isolation_level=None)
            held.append((name, one))
            if one.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                one.execute("SELECT count(*) FROM sqlite_master").fetchone()
                seen[name] = state(name)
            one.execute("BEGIN")
            one.execute("SELECT count(*) FROM sqlite_master").fetchone()
        snapshot = "set" if all(state(name) == was for name, was in seen.items()) else "table"
        if snapshot == "table" and attempt < 3:
            continue
        for name, one in held:
            copy = sqlite3.connect(os.path.join(out, name))
            one.backup(copy)
            copy.close()
        break
    except sqlite3.OperationalError as error:
        if attempt == 3 or "locked" not in str(error):
            sys.exit("%s: %s" % (name, error))
    except sqlite3.Error as error:
        sys.exit("%s: %s" % (name, error))
    finally:
        for _, one in held:
            one.close()
with open(os.path.join(out, "MANIFEST"), "w") as file:
    file.write("hamnd-copy 1\ntaken %.3f\nsnapshot %s\n" % (taken, snapshot))
    file.write("how python3, sqlite %s\n" % sqlite3.sqlite_version)
    for name in names:
        with open(os.path.join(out, name), "rb") as made:
            data = made.read()
        file.write("item %s %d %s\n" % (hashlib.sha256(data).hexdigest(), len(data), name))
    file.write("end %d\n" % len(names))
"""

SEND = (
    r"""
set -u; umask 077
home=$1 dir=$2 python=$3 sqlite=$4 backup=$5
fail() { echo "$*" >&2; exit 1; }
cd "$dir" 2>/dev/null || fail "$dir on $(uname -n) cannot be entered"
set -- *.sqlite
[ -e "$1" ] || fail "no *.sqlite tables in $dir on $(uname -n): is SQLite its database?"
mkdir -p "$home" || fail "$home on $(uname -n) cannot be made"
for old in "$home"/outgoing.*; do
pid=${old##*.}
[ ! -d "$old" ] || kill -0 "$pid" 2>/dev/null || rm -rf "$old"
done
out=$home/outgoing.$$
mkdir "$out" || fail "$out on $(uname -n) cannot be made"
trap 'rm -rf "$out"' EXIT; trap 'exit 1' HUP INT TERM
code=8
if command -v "$python" >/dev/null 2>&1 && "$python" -I -c "import sqlite3" 2>/dev/null; then
"$python" -I -c "$backup" "$out" "$@"; code=$?
fi
if [ "$code" = 8 ]; then
command -v "$sqlite" >/dev/null 2>&1 || fail "neither python3 (3.7 or newer, with its sqlite3 \
module) nor the program sqlite3 is on $(uname -n): install one of them"
sum() { sha256sum "$1" 2>/dev/null || openssl dgst -sha256 -r "$1"; }
state() { cksum ./*.sqlite ./*.sqlite-wal 2>/dev/null; }
tries=0 snapshot=table
while [ "$tries" -lt 3 ]; do
tries=$((tries + 1)) taken=$(date +%s) before=$(state)
for one in "$@"; do
rm -f "$out/$one"
"$sqlite" -readonly -cmd ".timeout 5000" "$one" ".backup '$out/$one'" >"$out/said" 2>&1 \
|| fail "$one: $(tail -n 1 "$out/said")"
[ -s "$out/$one" ] || fail "$one: $(tail -n 1 "$out/said")"
done
[ "$before" != "$(state)" ] || { snapshot=set; break; }
done
rm -f "$out/said"
{ printf 'hamnd-copy 1\ntaken %s\nsnapshot %s\n' "$taken" "$snapshot"
echo "how $("$sqlite" --version | cut -d' ' -f1 | sed 's/^/the program sqlite3, /')"
for one in "$@"; do
echo "item $(sum "$out/$one" | cut -c1-64) $(wc -c <"$out/$one" | tr -d ' ') $one"
done
echo "end $#"; } >"$out/MANIFEST"
elif [ "$code" != 0 ]; then exit 1
fi
cd "$out" && tar -cf - "$@" MANIFEST
"""
).lstrip("\n")
"""Copy all tables and send them. Arguments: HOME TABLES PYTHON SQLITE3 BACKUP"""

BACKUP = _BACKUP.strip("\n")

LOOK = r"""
home=$1 dir=$2
cd "$dir" 2>/dev/null || { echo "$dir on $(uname -n) cannot be entered" >&2; exit 1; }
[ -n "$(ls ./*.sqlite 2>/dev/null)" ] || { echo "no *.sqlite tables in $dir" >&2; exit 1; }
echo "hamnd-look 1"; date +"now %s"
[ ! -f .hamnd-role ] || echo "role $(head -n 1 .hamnd-role)"
last=$(ls "$home/gen" 2>/dev/null | grep -x '[0-9][0-9]*' | sort -n | tail -n 1)
[ -z "$last" ] || [ ! -f "$home/gen/$last/copy.json" ] || \
echo "copy $last $(cat "$home/gen/$last/copy.json")"
set --; for one in *.sqlite *.sqlite-wal *.sqlite-journal; do
[ ! -e "$one" ] || set -- "$@" "$one"
done
stat -c 'file %Z %s %n' -- "$@" 2>/dev/null || \
perl -e 'for (@ARGV) { my @s = stat; print "file $s[10] $s[7] $_\n" }' -- "$@" || exit 2
echo end
""".lstrip("\n")
"""Tell what is there now, without any database program: each file with the change time of its
inode, which no `cp -p` or `touch` sets back (stat(2)). Arguments: HOME TABLES"""

STAGE = (
    STORE
    + r"""
store, tables, hidden, role = sys.argv[1:5]
found = set_aside(store) if size_of(store) > int(sys.argv[5]) else []
if found:
    fail("%s: it was set aside, and nothing else was changed. The loss was judged by it; an older "
         "copy loses more: see what by a new plan" % "; ".join(found))
number, folder, copy, damaged = sound(store)
if number is None:
    fail("no verified copy is here: nothing was changed", 3)
check_sqlite(folder, sorted(copy["items"]))
name = os.path.basename(tables)
new = os.path.join(hidden, "new", name)
os.umask(0o077)
try:
    os.makedirs(os.path.join(hidden, "old"), exist_ok=True)
    os.makedirs(os.path.join(hidden, "new"), exist_ok=True)
    shutil.rmtree(new, ignore_errors=True)
    if os.path.exists(new + ".switching"):  # the mark of a switch that a crash cut off
        os.unlink(new + ".switching")
    if os.path.isdir(tables):
        flag = "-a" if sys.platform.startswith("linux") else "-pR"
        made = subprocess.run(["cp", flag, tables, new], stderr=subprocess.PIPE)
        if made.returncode:
            fail("%s could not be copied: %s" % (tables, made.stderr.decode("utf-8", "replace")))
    else:
        os.mkdir(new, 0o755)
    owners = {}
    for one in os.listdir(new):
        if one.endswith((".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal")):
            seen = os.stat(os.path.join(new, one))
            owners[one] = (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777)
            os.unlink(os.path.join(new, one))
    for one in sorted(copy["items"]):
        path = os.path.join(new, one)
        shutil.copyfile(os.path.join(folder, one), path)
        uid, gid, mode = owners.get(one, (os.getuid(), os.getgid(), 0o600))
        os.chown(path, uid, gid)
        os.chmod(path, mode)
        sync(path)
    path = os.path.join(new, ".hamnd-role")
    with open(path, "w") as file:
        file.write("%s copy %d taken %s\n" % (role, number, copy["head"].get("taken", "?")))
        file.flush()
        os.fsync(file.fileno())
    sync(new)
except OSError as error:
    fail("%s: %s: nothing was changed" % (error.filename or hidden, error.strerror))
print("copy %d staged: %d tables" % (number, len(copy["items"])))
"""
)
"""Prepare the directory that takes the live one's place.

A large copy that `STATUS` did not read whole may have rotted: then the loss is to be judged anew.
Arguments: STORE TABLES HIDDEN ROLE WHOLE_BYTES_MAX
"""

LIVE = (
    STORE
    + r"""
tables, wanted, by_configuration = sys.argv[1:4]
try:
    with open(os.path.join(tables, ".hamnd-role")) as file:
        role = file.read(4096).strip()
except OSError:
    role = by_configuration
if role.split(" ")[0] != wanted:
    fail("the tables in %s are not the %s's (%s)" % (tables, wanted, role or "no role is set"), 3)
names = [one for one in sorted(os.listdir(tables)) if one.endswith(".sqlite")]
if not names:
    fail("no tables are in %s" % tables, 3)
import sqlite3
for one in names:
    try:
        live = sqlite3.connect(os.path.join(tables, one), timeout=5)
        said = live.execute("PRAGMA quick_check(1)").fetchone()[0]
        if wanted == "primary":
            live.execute("BEGIN IMMEDIATE")
            live.rollback()
        live.close()
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        fail("%s: %s" % (one, said))
print("%d tables, %s, each of them whole%s"
      % (len(names), role, " and writable" if wanted == "primary" else ""))
"""
)
"""Prove the live tables whole, and of a role. Arguments: TABLES ROLE CONFIGURED_ROLE"""

_SAME = r"""FILES='*.sqlite *.sqlite-wal *.sqlite-journal'
same() {
for one in $FILES; do [ ! -f "$one" ] || cmp -s "$one" "$1/$one" || return 1; done
}
"""
"""Whether all tables of the directory we are in are in another one, byte by byte."""

KEEP = r"""
set -u; umask 077
store=$1 dir=$2 name=$3 kept=$store/kept/$3
fail() { echo "$*" >&2; exit 1; }
_SAME_mkdir -p "$store/kept" "$dir" || fail "$store or $dir cannot be made"
cd "$dir" || fail "$dir cannot be entered"
number=1
while [ -d "$kept" ]; do
! same "$kept" || { echo "its tables are kept in $kept already"; exit 0; }
number=$((number + 1)) kept=$store/kept/$name.$number
done
rm -rf "$kept.new"; mkdir "$kept.new" || fail "$kept.new cannot be made"
for one in $FILES .hamnd-role; do
[ ! -f "$one" ] || cp -p "$one" "$kept.new" || fail "$one could not be copied to $kept.new"
done
sync; mv "$kept.new" "$kept" || fail "$kept cannot be made"
echo "its tables are kept in $kept"
""".lstrip("\n").replace("_SAME_", _SAME)
"""Keep the tables of a node under a name; what was kept under it before stays, this one gets a
number. Arguments: STORE TABLES NAME"""

KEPT = r"""
store=$1 dir=$2 name=$3 kept=$store/kept/$3
_SAME_cd "$dir" || exit 1
number=1
while [ -d "$kept" ]; do
! same "$kept" || { echo "its tables are kept in $kept"; exit 0; }
number=$((number + 1)) kept=$store/kept/$name.$number
done
echo "what is in $dir now is not kept in $store/kept/$name" >&2; exit 1
""".lstrip("\n").replace("_SAME_", _SAME)
"""Prove what `KEEP` did, by content. Arguments: STORE TABLES NAME"""

DEMOTE = r"""
set -u
dir=$1 role=$2 role_file=$1/.hamnd-role
fail() { echo "$*" >&2; exit 1; }
mkdir -p "$dir" || fail "$dir cannot be made"
echo "$role by hamnd" >"$role_file.new" && mv "$role_file.new" "$role_file" \
|| fail "$role_file cannot be written"
echo "$role now"
""".lstrip("\n")
"""Give a node a role, whatever becomes of its tables. Arguments: TABLES ROLE"""

DEMOTED = r"""
dir=$1 role=$2
case $(head -n 1 "$dir/.hamnd-role" 2>/dev/null) in
"$role "*) echo "$role now" ;;
*) echo "the tables in $dir have no role $role" >&2; exit 1 ;;
esac
""".lstrip("\n")
"""Prove what `DEMOTE` did. Arguments: TABLES ROLE"""
