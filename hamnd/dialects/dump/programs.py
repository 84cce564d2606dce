"""The programs of the dump engine: the dump on the primary, the trial restore on the standby.

Owns their texts. Must not know argv (commands). The dump has an end marker (its manifest, written
only when pg_dump ended with 0) and is read through before it is kept. It is restored into a
database of its own and never onto live data, as the guide's nightly `pg_restore -c` does (§5.2).
"""

from __future__ import annotations

from hamnd.dialects.copies.programs import STORE

SEND = r"""
set -u; umask 077
home=$1 user=$2 dump=$3 facts=$4 version=$5
fail() { echo "$*" >&2; exit 1; }
why() {
awk '/(error|ERROR|FATAL): / { print; f = 1; exit } { l = $0 } END { if (!f) print l }' "$1"
}
mkdir -p "$home" || fail "$home on $(uname -n) cannot be made"
for old in "$home"/outgoing.*; do
pid=${old##*.}
[ ! -d "$old" ] || kill -0 "$pid" 2>/dev/null || rm -rf "$old"
done
out=$home/outgoing.$$
mkdir "$out" || fail "$out on $(uname -n) cannot be made"
trap 'rm -rf "$out"' EXIT; trap 'exit 1' HUP INT TERM
as() { su - "$user" -c "$1"; }
taken=$(date +%s)
told=$(as "$facts" 2>"$out/said") || fail "$(why "$out/said")"
as "$dump" >"$out/database.dump" 2>"$out/said" || fail "$(why "$out/said")"
rm -f "$out/said"
sum() { sha256sum "$1" 2>/dev/null || openssl dgst -sha256 -r "$1"; }
{ printf 'hamnd-copy 1\ntaken %s\nsnapshot set\nhow %s\n' "$taken" "$(as "$version" 2>/dev/null)"
echo "$told"
echo "item $(sum "$out/database.dump" | cut -c1-64) $(wc -c <"$out/database.dump" | tr -d ' ') \
database.dump"
echo "end 1"; } >"$out/MANIFEST"
cd "$out" && tar -cf - database.dump MANIFEST
""".lstrip("\n")
"""Dump and send. Arguments: HOME USER DUMP FACTS VERSION, the last three lines for the shell"""

RESTORE = (
    STORE
    + r'''
store, user, live, psql, restore = sys.argv[1:6]
spare, ready, old = live + "_hamnd_new", live + "_hamnd", live + "_hamnd_old"

def run(line, stdin=None):
    argv = ["su", "-", user, "-c", line]
    return subprocess.run(argv, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)

def why(data):
    """Return the first line that names an error: after it come details, hints and the statement."""
    lines = [one.strip() for one in data.decode("utf-8", "replace").splitlines() if one.strip()]
    errors = [one for one in lines if any(w in one for w in ("error: ", "ERROR: ", "FATAL: "))]
    return (errors or lines[-1:] or ["it said nothing"])[0]

def ask(statement, database="postgres", single=""):
    """Run SQL on the local server; a failure ends the program with the server's own words."""
    line = psql.replace("@DATABASE@", database) + single
    for one in statement if isinstance(statement, list) else [statement]:
        line += " -c " + quote(one)
    done = run(line)
    if done.returncode:
        fail(why(done.stderr))
    return done.stdout.decode("utf-8", "replace").strip()

def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"

def name(text):
    return '"' + text.replace('"', '""') + '"'

def literal(text):
    return "'" + text.replace("'", "''") + "'"

lock = alone(store)
number, folder, copy, damaged = sound(store)
if number is None:
    fail("no verified dump is here", 3)
comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = "
words = "hamnd copy %d asked %.3f taken %s tables %d mark %s" % (
    number, copy["asked_at"], copy["head"]["taken"], copy["tables"], copy["head"].get("mark", "-"))
if ask(comment + literal(ready)) == words:
    print("copy %d is restored already" % number)
    raise SystemExit(0)
if ask("SELECT pg_is_in_recovery()") != "f":
    fail("the local server is in recovery: it cannot take a dump")
encoding, collate, ctype, owner = copy["head"]["database"].split("|")
ask("DROP DATABASE IF EXISTS " + name(spare))
ask("DROP DATABASE IF EXISTS " + name(old))
if ask("SELECT count(*) FROM pg_roles WHERE rolname = " + literal(owner)) != "1":
    fail("there is no role %s on this server, which owns the database on the primary: "
         "CREATE ROLE %s LOGIN" % (owner, name(owner)))
ask("CREATE DATABASE %s TEMPLATE template0 OWNER %s ENCODING %s LC_COLLATE %s LC_CTYPE %s" % (
    name(spare), name(owner), literal(encoding), literal(collate), literal(ctype)))
with open(os.path.join(folder, "database.dump"), "rb") as file:
    done = run(restore.replace("@DATABASE@", spare), stdin=file)
if done.returncode:
    fail(why(done.stderr))
count = ask("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema'", spare)
if count != str(copy["tables"]):
    fail("%s tables were restored, the dump has %d: not used" % (count, copy["tables"]))
ask("COMMENT ON DATABASE %s IS %s" % (name(spare), literal(words)))
there = ask("SELECT count(*) FROM pg_database WHERE datname = " + literal(ready)) == "1"
swap = ["ALTER DATABASE %s RENAME TO %s" % (name(ready), name(old))] if there else []
ask(swap + ["ALTER DATABASE %s RENAME TO %s" % (name(spare), name(ready))], single=" -1")
ask("DROP DATABASE IF EXISTS " + name(old))
print("copy %d is restored into %s: %s tables" % (number, ready, count))
'''
)
"""Restore the newest dump beside the live database. Arguments: STORE USER LIVE PSQL PG_RESTORE"""
