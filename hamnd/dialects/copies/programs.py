"""The programs that this node runs on its store of copies, as texts for ``python3 -I -c``.

Owns the store's layout and the order in which a copy becomes one. Must not know argv (commands) nor
judge (core). hamnd is Python, so python3 is there; each program needs nothing else, and anybody can
run it by hand. They work with 3.6 (SLES 15, RHEL 8).

    STORE/gen/N/          copy N: its items, and copy.json, which tells what it is
    STORE/gen/N.damaged/  copy N, of which somebody found that it is no longer what was verified
    STORE/incoming.PID/   what is being pulled; nobody looks at it
    STORE/kept/NAME/      what was preserved before something took its place
    STORE/lock            held by who pulls or restores: whoever else would waits for it

A copy appears by one rename, after it was verified and is on disk. Copies are never changed. One
that rots is set aside by whoever may write and reads it whole (pull and switch); until then a look
that does not read it whole counts on it, so a look or a switch that does refuses any other copy.
"""

from __future__ import annotations

STORE = r'''
import hashlib, json, os, shutil, subprocess, sys, time

def fail(text, code=1):
    sys.stderr.write(text + "\n")
    raise SystemExit(code)

def alone(store):
    # A schedule and a plan may pull and restore at once; the kernel lets go of it with us.
    import fcntl
    os.makedirs(store, exist_ok=True)
    lock = open(os.path.join(store, "lock"), "a")
    fcntl.lockf(lock, fcntl.LOCK_EX)
    return lock

def digest(path):
    one = hashlib.sha256()
    with open(path, "rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            one.update(part)
    return one.hexdigest()

def numbers(store, tail=""):
    try:
        names = os.listdir(os.path.join(store, "gen"))
    except OSError:
        return []
    found = (one[:len(one) - len(tail)] for one in names if one.endswith(tail))
    return sorted((int(one) for one in found if one.isdigit()), reverse=True)

def place(store, number):
    return os.path.join(store, "gen", str(number))

def told(folder):
    with open(os.path.join(folder, "copy.json")) as file:
        return json.load(file)

def damage(folder, copy, whole=True):
    """Say what is wrong with a copy, or nothing."""
    for name, (size, sha) in sorted(copy["items"].items()):
        path = os.path.join(folder, name)
        try:
            if os.path.getsize(path) != size:
                return "%s has another size than when it was verified" % name
            if whole and digest(path) != sha:
                return "%s is not what was verified" % name
        except OSError as error:
            return "%s: %s" % (name, error.strerror)
    return ""

def size_of(store):
    """Say how large the newest copy is; what cannot be read has no size."""
    try:
        newest = told(place(store, numbers(store)[0]))
        return sum(one[0] for one in newest["items"].values())
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return 0

def sound(store, whole=True):
    """Return number, folder and description of the newest sound copy, and what is damaged."""
    damaged = []
    for number in numbers(store):
        folder = place(store, number)
        try:
            copy = told(folder)
            why = damage(folder, copy, whole)
        except (OSError, ValueError, KeyError, TypeError) as error:
            copy, why = None, "copy.json cannot be read: %s" % error
        if copy is not None and not why:
            return number, folder, copy, damaged
        damaged.append("copy %d: %s" % (number, why))
    return None, None, None, damaged

def set_aside(store):
    """Rename every newest copy that is no longer what was verified; say what was found."""
    found = []
    while True:
        number, folder, copy, damaged = sound(store, whole=False)
        why = damage(folder, copy) if number is not None else ""
        if not why:
            return found
        os.rename(folder, folder + ".damaged")
        sync(os.path.join(store, "gen"))
        found.append("copy %d: %s" % (number, why))

def check_sqlite(folder, names):
    import sqlite3
    for name in names:
        try:
            one = sqlite3.connect(os.path.join(folder, name))
            said = [row[0] for row in one.execute("PRAGMA integrity_check(3)")]
            one.close()
        except sqlite3.Error as error:
            said = [str(error)]
        if said != ["ok"]:
            fail("%s is damaged, on the primary too: integrity_check says %s"
                 % (name, " ".join(said[0].split())[:200]))
        for tail in ("-wal", "-shm", "-journal"):
            if os.path.exists(os.path.join(folder, name + tail)):
                os.unlink(os.path.join(folder, name + tail))

def sync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
'''
"""What all of them share."""

PULL = (
    STORE
    + r"""
kind, store, keep, shrink, restore, limit = sys.argv[1:7]
fetch = sys.argv[7:]
keep, shrink, limit = int(keep), float(shrink), float(limit)
os.umask(0o077)

def alive(pid):
    try:
        os.kill(int(pid), 0)
    except (OSError, ValueError):
        return False
    return True

def last_words(data):
    lines = [one.strip() for one in data.decode("utf-8", "replace").splitlines() if one.strip()]
    return " | ".join(lines[-2:]) or "it said nothing"

def try_to_write(new):
    # Ends with the system's own words where nothing can be written.
    with open(os.path.join(new, "room"), "wb") as file:
        file.write(b"0" * 65536)
        os.fsync(file.fileno())

def receive(new):
    stream = os.path.join(new, "stream.tar")
    with open(stream, "wb") as out:
        ran = subprocess.Popen(fetch, stdout=out, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            said = ran.communicate(timeout=limit)[1]
        except subprocess.TimeoutExpired:
            ran.kill()
            fail("not done within %g s: nothing of it is used" % limit)
    if ran.returncode:
        if not said.strip():
            try_to_write(new)  # ssh says nothing when it cannot write what it received
        fail(last_words(said))
    import tarfile
    try:
        with tarfile.open(stream, "r:") as packed:
            for one in packed:
                name = one.name[2:] if one.name.startswith("./") else one.name
                if not one.isfile() or "/" in name or name in ("stream.tar", "copy.json"):
                    fail("the primary sent %r, which is no part of a copy" % one.name)
                with open(os.path.join(new, name), "wb") as file:
                    shutil.copyfileobj(packed.extractfile(one), file)
    except (tarfile.TarError, EOFError) as error:
        fail("torn on the way (%s): nothing of it is used" % error)
    os.unlink(stream)

def manifest(new):
    try:
        with open(os.path.join(new, "MANIFEST")) as file:
            lines = file.read().split("\n")
    except (OSError, ValueError):
        fail("torn on the way (no manifest came): nothing of it is used")
    if lines[:1] != ["hamnd-copy 1"]:
        fail("its manifest cannot be read: nothing of it is used")
    head, items = {}, {}
    for line in lines[1:]:
        word, _, rest = line.partition(" ")
        if word == "item":
            sha, size, name = rest.split(" ", 2)
            items[name] = [int(size), sha]
        elif word:
            head[word] = rest
    if head.get("end") != str(len(items)) or not items:
        fail("torn on the way (its manifest has no end): nothing of it is used")
    there = set(os.listdir(new)) - {"MANIFEST"}
    if there != set(items):
        fail("torn on the way (%s): nothing of it is used" % ", ".join(sorted(there ^ set(items))))
    return head, items

def main():
    lock = alone(store)
    os.makedirs(os.path.join(store, "gen"), exist_ok=True)
    for name in os.listdir(store):
        if name.startswith("incoming.") and not alive(name[9:]):
            shutil.rmtree(os.path.join(store, name), ignore_errors=True)
    set_aside(store)
    new = os.path.join(store, "incoming.%d" % os.getpid())
    os.mkdir(new)
    try:
        number, copy = take(new)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    for old in numbers(store)[keep:]:
        shutil.rmtree(place(store, old), ignore_errors=True)
    for old in numbers(store, ".damaged"):
        shutil.rmtree(place(store, old) + ".damaged", ignore_errors=True)
    size = sum(one[0] for one in copy["items"].values())
    print("copy %d: %d %s, %d bytes, verified" % (number, len(copy["items"]),
          "tables" if kind == "sqlite" else "dump", size))

def take(new):
    asked = time.time()
    receive(new)
    head, items = manifest(new)
    copy = {"kind": kind, "asked_at": asked, "items": items, "head": head}
    why = damage(new, copy)
    if why:
        fail("torn on the way (%s): nothing of it is used" % why)
    if kind == "sqlite":
        check_sqlite(new, sorted(items))
    else:
        for name in items:
            listed = subprocess.run([restore, "-l", os.path.join(new, name)],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if listed.returncode or b" TABLE DATA " not in listed.stdout:
                fail("pg_restore -l cannot read it: %s" % last_words(listed.stderr))
            copy["tables"] = listed.stdout.count(b" TABLE DATA ")
    before = told_of(sound(store, whole=False))
    if before is not None:
        compare(copy, before)
    copy["verified_at"] = time.time()
    number = copy["number"] = max([0] + numbers(store) + numbers(store, ".damaged")) + 1
    os.unlink(os.path.join(new, "MANIFEST"))
    with open(os.path.join(new, "copy.json"), "w") as file:
        json.dump(copy, file, sort_keys=True)
    for name in os.listdir(new):
        sync(os.path.join(new, name))
    sync(new)
    os.rename(new, place(store, number))
    sync(os.path.join(store, "gen"))
    return number, copy

def told_of(found):
    return found[2]

def compare(copy, before):
    copy["gone"] = sorted(set(before["items"]) - set(copy["items"]))
    copy["new"] = sorted(set(copy["items"]) - set(before["items"]))
    size = sum(one[0] for one in copy["items"].values())
    was = sum(one[0] for one in before["items"].values())
    if size < was * shrink:
        fail("it shrank from %d to %d bytes, below %g of copy %d: kept the older one; look at the "
             "primary, and if that is right take it with a lower shrink_min"
             % (was, size, shrink, before["number"]))

try:
    main()
except OSError as error:
    fail("%s: %s" % (error.filename or store, error.strerror))
"""
)
"""Fetch one copy, verify it, keep it. Arguments: KIND STORE KEEP SHRINK PG_RESTORE LIMIT FETCH…"""

STATUS = (
    STORE
    + r"""
store, tables, whole_max = sys.argv[1], sys.argv[2], int(sys.argv[3])
folder = copy = None
found = numbers(store)
number, folder, copy, damaged = sound(store, whole=size_of(store) <= whole_max)
damaged = ["copy %d: it is no longer what was verified" % one
           for one in numbers(store, ".damaged") if one > (number or 0)] + damaged
role, live = "", []
if tables:
    try:
        with open(os.path.join(tables, ".hamnd-role")) as file:
            role = file.read(4096).strip()
    except OSError:
        pass
    try:
        for name in sorted(os.listdir(tables)):
            if name.endswith((".sqlite", ".sqlite-wal", ".sqlite-journal")):
                seen = os.stat(os.path.join(tables, name))
                live.append([name, int(seen.st_ctime), seen.st_size])
    except OSError:
        pass
if copy is not None:
    copy = dict(copy, number=number)
print(json.dumps({"schema": "hamnd.copies/1", "role": role, "live": live, "copy": copy,
                  "damaged": damaged[:5], "count": len(found)}))
"""
)
"""Tell the store and, for SQLite, the live tables. Arguments: STORE TABLES WHOLE_BYTES_MAX"""

READY = (
    STORE
    + r"""
store, tables, whole_max = sys.argv[1], sys.argv[2], int(sys.argv[3])
number, folder, copy, damaged = sound(store)
if number is None:
    fail("no verified copy is here" + (" (%s)" % damaged[0] if damaged else ""), 3)
counted = sound(store, whole=size_of(store) <= whole_max)[0]
if counted != number:
    fail("%s, and the loss was judged by it: copy %d is whole, but older; the next pull, or a "
         "try to switch, sets the damaged one aside" % (damaged[0], number))
size = sum(one[0] for one in copy["items"].values())
if tables:
    up = os.path.dirname(os.path.abspath(tables))
    if os.path.islink(tables):
        fail("%s is a symbolic link: name the directory itself" % tables)
    if os.path.isdir(tables) and os.stat(tables).st_dev != os.stat(up).st_dev:
        fail("%s is a file system of its own and cannot be switched at once: "
             "use a directory below it" % tables)
    there = os.statvfs(up)
    if there.f_bavail * there.f_frsize < 2 * size + (1 << 20):
        fail("%s has no room for a second set of tables (%d bytes)" % (up, size))
    if not os.access(up, os.W_OK):
        fail("%s may not be written" % up)
print("copy %d is whole: %d items, %d bytes" % (number, len(copy["items"]), size))
"""
)
"""Read the newest copy again, whole, and whether its tables could be switched in.

It has to be the copy that `STATUS` counts on. Arguments: STORE TABLES WHOLE_BYTES_MAX
"""
