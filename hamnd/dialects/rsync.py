"""rsync and find as the file sets use them: argv, exit codes, what they print; the worker's job.

Owns the options that make a pull safe and whole, the meaning of rsync's exit codes and complaints
(rsync(1)), the change listing of GNU find (find(1)), and the job that the daemon hands to its
worker. Must not run anything. Parsers are total.

What keeps a malicious primary inside the set: no device or special file is made (`--no-D`), names
go unexpanded (`-s`), no link on this side is followed (no `-K`, no `--inplace`), and the worker
confines itself and everything it starts to the set (hamnd.pulling.confining).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hamnd.dialects.shell import endpoint, ssh_argv
from hamnd.model.copying import Progress
from hamnd.model.site import Site
from hamnd.model.work import Compare, Pull

PROGRESS = "progress.json"
PARTIAL = ".hamnd-partial"
"""Beside each file that was interrupted; never listed, never copied, never deleted as extra."""
IO_TIMEOUT_S = 120
LARGE_FROM = 100_000
VERSION_MIN = (3, 1, 0)
"""`--ignore-missing-args` and `--out-format` with `-s` (rsync's NEWS)."""

BASE = ("-lptgoH", "--numeric-ids", "--no-D", "-s", f"--partial-dir={PARTIAL}")
FORMAT = "%i %l %n"
"""What a line of output tells: the change, the length, the name."""
FOUND_AT = ("rsync", "/usr/bin/rsync", "/opt/freeware/bin/rsync", "/usr/local/bin/rsync")

_VERSION = re.compile(r"rsync\s+version\s+v?(\d+)\.(\d+)(?:\.(\d+))?")
_GLOB = re.compile(r"([\\*?\[\]])")


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker has to do."""

    name: str
    partner: str
    folder: str
    """Where it keeps what it remembers of this set."""
    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    only: tuple[str, ...]
    compare: Compare
    is_dry: bool
    may_delete_percent: float
    bandwidth_kib: int
    is_gentle: bool
    whole_after_s: float
    large_from: int
    """Trees of more entries are read by two listings, and this side not every time."""
    known_paths: tuple[str, ...]
    rsync: str
    ssh: tuple[str, ...]
    """The ssh command up to its destination."""
    destination: str


def folder_of(site: Site, name: str) -> str:
    """Return where what is remembered of a set is kept."""
    return f"{site.paths.state_dir}/files/{name}"


def job_of(request: Pull, site: Site) -> dict[str, Any]:
    """Return the job for a pull as a JSON object."""
    *ssh, _ = ssh_argv(site, request.source)
    where = endpoint(site, request.source)
    return {
        "name": request.name,
        "partner": request.source,
        "folder": folder_of(site, request.name),
        "paths": list(request.paths),
        "exclude": list(request.exclude),
        "only": list(request.only),
        "compare": request.compare.value,
        "is_dry": request.is_dry,
        "may_delete_percent": request.may_delete_percent,
        "bandwidth_kib": request.bandwidth_kib,
        "is_gentle": request.is_gentle,
        "whole_after_s": request.whole_after_s,
        "large_from": LARGE_FROM,
        "known_paths": list(request.known_paths),
        "rsync": site.tool("rsync"),
        "ssh": [*ssh, "-o", "LogLevel=ERROR"],
        "destination": f"{where.user}@{where.address}",
    }


def read_job(text: str) -> Job:
    """Return the job that `job_of` wrote. Raises ValueError for anything else."""
    try:
        told: Mapping[str, Any] = json.loads(text)
        lists = {
            key: tuple(told[key]) for key in ("paths", "exclude", "only", "known_paths", "ssh")
        }
        return Job(**{**told, **lists, "compare": Compare(told["compare"])})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no job: {error}") from error


def read_progress(text: str) -> Progress | None:
    """Return how far a worker tells to be, or None where that cannot be read."""
    try:
        told = json.loads(text)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    names = ("files", "files_total", "bytes", "bytes_total")
    numbers = {
        name: value
        for name in names
        if isinstance(value := told.get(name), int) and not isinstance(value, bool)
    }
    return Progress(str(told.get("phase") or "")[:80], **numbers)


def read_version(text: str) -> tuple[int, int, int] | None:
    """Return the version that `rsync --version` prints, or None."""
    found = _VERSION.search(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))


def pattern(text: str) -> str:
    """Return a name as a pattern that matches it alone, for find's -path."""
    return _GLOB.sub(r"\\\1", text)


ENTRY = r"\n%y %i %n %s %T@ %p\0"


def root_of(path: str) -> str:
    """Return what the name of everything below a path begins with in a listing."""
    return path.rstrip("/") + "/"


def find_changed(
    path: str, exclude: Sequence[str], since_s: float | None, apart: Sequence[str] = ()
) -> tuple[str, ...]:
    r"""Return the listing of what changed below a path since a moment of that host's own clock.

    Its inode tells it (ctime): contents, rights, owners, links and names all move it, and no
    program sets it back. For each such entry NUL-ended "\n<type> <inode> <links> <size> <time>
    <path>"; for every other one a dot, so that they are counted. Without a moment it lists
    directories and files with more than one name, and counts the rest. Folders in `apart` (below
    the path) are left to another listing.
    """
    root = root_of(path)
    skipped: tuple[str, ...] = ()
    if apart:
        named = _either(*(("-path", pattern(f"{root}{one}")) for one in apart))
        # Printing nothing is a side effect: without it find would try the many patterns on every
        # name before it asks for the type (find(1), -O).
        skipped = ("(", "-type", "d", "-printf", "", *named, ")", "-prune", "-o")
    return ("find", root, *skipped, *_told(root, exclude, since_s))


def find_apart(
    path: str, exclude: Sequence[str], since_s: float | None, apart: Sequence[str]
) -> tuple[str, ...]:
    """Return the listing of those folders that `find_changed` leaves apart.

    What is no folder there any more is the other listing's.
    """
    root = root_of(path)
    told = _told(root, exclude, since_s)
    starts = [f"{root}{one}" for one in apart]
    return ("sh", "-c", _APART, "hamnd-find", str(len(starts)), *starts, *told)


_APART = """\
left=$1; shift; words=$(($# - left)); any=
while [ $left -gt 0 ]; do
one=$1 left=$((left - 1)); shift
[ ! -d "$one" ] || [ -h "$one" ] || { any=1; set -- "$@" "$one"; }
done
[ "$any" ] || exit 0
while [ $words -gt 0 ]; do one=$1 words=$((words - 1)); shift; set -- "$@" "$one"; done
exec find "$@"
"""
"""Its arguments: how many folders, the folders, and what find is told of those that are there."""


def _told(root: str, exclude: Sequence[str], since_s: float | None) -> tuple[str, ...]:
    left_out = (pattern(one.rstrip("/")) for one in exclude if one.startswith(root))
    skipped = _either(("-name", PARTIAL), *(("-path", one) for one in left_out))
    special = _either(*(("-type", kind) for kind in "bcps"))
    wanted: tuple[str, ...] = ("(", "-type", "d", "-o", "-type", "f", "-links", "+1", ")")
    if since_s is not None:
        wanted = ("-newerct", f"@{since_s:.6f}")
    return (
        *(*skipped, "-prune", "-o"),
        *(*special, "-o"),
        *(*wanted, "-printf", ENTRY, "-o"),
        *("-printf", "."),
    )


def _either(*tests: tuple[str, ...]) -> tuple[str, ...]:
    joined = [word for test in tests for word in ("-o", *test)]
    return ("(", *joined[1:], ")")


OSIMAGES = "lsdef -t osimage -i pkgdir,otherpkgdir,pkglist,template,rootimgdir,synclists"
"""Where the primary's osimages keep what they are made of (xcat-hamn.md §3)."""


def read_osimages(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return the paths that `OSIMAGES` tells and none of the known ones holds, without repetition.

    They are only told: a path that a primary names is no reason to write there. /opt/xcat comes
    with the packages.
    """
    held = [f"{one.rstrip('/')}/" for one in (*known, "/opt/xcat")]
    found: dict[str, None] = {}
    for line in text.splitlines():
        _, _, value = line.partition("=")
        for path in value.split(","):
            bare = path.strip()
            is_held = any(f"{bare.rstrip('/')}/".startswith(one) for one in held)
            if bare.startswith("/") and bare.isprintable() and not is_held:
                found[bare] = None
    return tuple(found)


EXITS = {
    1: "rsync did not understand its options",
    2: "the two rsync do not understand each other",
    3: "a path could not be selected",
    4: "the two rsync do not want to do the same",
    5: "the two rsync could not begin to talk",
    10: "the connection failed",
    11: "a file could not be read or written",
    12: "the connection broke",
    13: "rsync could not report its errors",
    20: "rsync was told to end",
    22: "rsync had not enough memory",
    23: "not everything could be copied",
    25: "more would be deleted than allowed",
    30: "no data came for too long",
    35: "the other side did not answer in time",
    127: "rsync is not installed there",
    255: "ssh failed",
}
"""rsync(1), EXIT VALUES; 127 and 255 are the shell's and ssh's."""
PARTIAL_TRANSFER = 23
VANISHED = 24
"""Some files went away while they were copied: what is here is newer than the listing."""

_COMPLAINTS = (
    (r"No space left on device", "the file system here is full"),
    (r"Disk quota exceeded", "the quota here is used up"),
    (r"Read-only file system", "the file system here is read-only"),
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed",
        "its host key is not the known one: compare it at its console, then correct known_hosts",
    ),
    (r"Permission denied \((?:publickey|keyboard|password|gssapi|hostbased)",
     "the ssh login was refused: is our key in its authorized_keys?"),
    (r"Connection refused", "it refused the ssh connection: no sshd listens there"),
    (r"Connection timed out|Operation timed out", "no answer to ssh within the limit"),
    (r"No route to host|Network is unreachable", "there is no way to it"),
    (r"rsync: (?:command )?not found|rsync: No such file", "rsync is not installed there"),
    (r'change_dir "([^"]+)".*No such file', "it has no {0}"),
    (r'link_stat "([^"]+)".*No such file', "it has no {0}"),
    (r'(?:opendir|open|send_files failed to open) "([^"]+)".*Permission denied',
     "it may not read {0}: permission denied"),
    (r"Permission denied", "permission denied"),
    (r"unsafe pathname from sender|rejecting (?:un|file)|invalid (?:dir )?path in",
     "it sent names that nobody had asked for: look at that machine before you trust its files"),
    (r"File name too long", "a name is too long for the file system here"),
    (r"Invalid or incomplete multibyte|Illegal byte sequence",
     "a name has bytes that the file system here does not take"),
)  # fmt: skip


def complaint(said: str, partner: str) -> str | None:
    """Return in one sentence what rsync, find or ssh complained of, or None for unknown words."""
    for wanted, words in _COMPLAINTS:
        if found := re.search(wanted, said):
            sentence = words.format(*found.groups())
            if sentence.startswith(("it ", "its ", "rsync is not", "the ssh", "no answer")):
                return f"{partner}: {sentence}"
            return sentence
    return None


def explain(code: int, said: str, partner: str) -> str:
    """Return in one sentence why rsync, find or ssh ended with this code, by what it said."""
    if (known := complaint(said, partner)) is not None:
        return known
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    causes = [line for line in lines if not line.startswith("rsync error:")] or lines
    last = f": {causes[-1][-200:]}" if causes else ""
    return f"{EXITS.get(code, f'exit code {code}')}{last}"


@dataclass(frozen=True, slots=True)
class Line:
    """One change that rsync tells: what it does to which name."""

    change: str
    length: int
    name: str

    @property
    def is_deletion(self) -> bool:
        """Whether something here goes away."""
        return self.change.startswith("*deleting")

    @property
    def is_creation(self) -> bool:
        """Whether something is new here."""
        return "+++" in self.change

    @property
    def is_file(self) -> bool:
        """Whether the contents of a file come over."""
        return self.change.startswith(">f")


def read_line(text: str) -> Line | None:
    """Return a line in `FORMAT`; None where it is another message."""
    change, _, rest = text.rstrip("\n").partition(" ")
    if change == "*deleting":
        _, _, name = rest.strip().partition(" ")
        return Line(change, 0, name or rest.strip())
    length, _, name = rest.partition(" ")
    if len(change) != 11 or not length.isdigit() or change[0] not in "<>ch.":
        return None
    return Line(change, int(length), name)
