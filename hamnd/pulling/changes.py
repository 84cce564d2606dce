"""What has changed on either side, sorted by what finds the difference.

Owns the two listings of one path and the files of names made from them. Must not run rsync.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hamnd.dialects import rsync
from hamnd.pulling.halves import Weights
from hamnd.pulling.listing import Entry, Listing, read_all
from hamnd.pulling.memory import (
    Memory,
    Remembered,
    adopt_survey,
    begin_survey,
    forget_ours,
    inode_of,
    is_ours,
    linked_names,
    note_folder_now,
    note_folders,
    note_link,
    note_ours,
)
from hamnd.pulling.transfer import Tools

MARGIN_S = 2.0
"""Inodes are stamped with a coarse clock; and whoever wrote at that very moment wrote twice."""
MUCH_FILES, MUCH_BYTES = 10_000, 1 << 30
_TYPES = {b"f": stat.S_IFREG, b"l": stat.S_IFLNK, b"d": stat.S_IFDIR}
_SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Names:
    """A file of NUL-ended names below a path, for rsync's --files-from."""

    file: Path
    count: int = 0
    out: IO[bytes] | None = None

    def read(self) -> Iterator[bytes]:
        """Yield the names."""
        rest = b""
        with self.file.open("rb") as source:
            while block := source.read(1 << 18):
                *whole, rest = (rest + block).split(b"\0")
                yield from whole

    def add(self, name: bytes) -> None:
        """Add a name; the path itself has an empty one."""
        assert self.out is not None
        self.out.write((name or b".") + b"\0")
        self.count += 1


@dataclass(slots=True)
class Changes:
    """What either side says has changed."""

    quick: Names
    """Another size or time than here, or folders: what rsync sees by itself."""
    contents: Names
    """The same size and time: only contents and rights tell."""
    moved: Names
    """Folders that are new, or were moved: all below is copied anew where it is not new."""
    linked: Names
    """Files that have more than one name, there or here: which names are one file may differ."""
    folders: Names
    """Every folder whose names may differ: where something may have to go."""
    copied_bytes: int = 0
    copied_files: int = 0
    entries_there: int = 0
    entries_here: int = 0
    changed_here: int = 0
    is_here_seen: bool = False
    """Whether this side was listed too."""
    seen: list[tuple[bytes, int]] = field(default_factory=list)
    """Folders there with their inodes, for the register."""

    @property
    def all(self) -> tuple[Names, ...]:
        """Every file of names."""
        return self.quick, self.contents, self.moved, self.linked, self.folders

    @property
    def is_much(self) -> bool:
        """Whether bringing it costs more than a look at this side, or the names do not tell all."""
        has_trees = self.moved.count or self.linked.count
        return bool(has_trees or self.copied_files > MUCH_FILES or self.copied_bytes > MUCH_BYTES)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has changed."""
        return not any(one.count for one in (self.quick, self.contents, self.moved, self.linked))


def list_changes(
    tools: Tools, path: str, memory: Memory, known: Remembered, looks_here: bool
) -> Changes:
    """Return what changed since the last pull. Raises PullError where a side cannot be listed.

    Without `looks_here` this side is believed to be as it was left.
    """
    folder = Path(tools.job.folder)
    changes = Changes(
        quick=Names(folder / "names.quick"),
        contents=Names(folder / "names.contents"),
        moved=Names(folder / "names.moved"),
        linked=Names(folder / "names.linked"),
        folders=Names(folder / "names.folders"),
    )
    there = _listings_there(tools, path, known)
    here = [_listing_here(tools, path, known.since_here)] if looks_here else []
    with ExitStack() as stack:
        for one in changes.all:
            one.out = stack.enter_context(one.file.open("wb"))
        register = stack.enter_context(closing(memory.folders()))
        sorter = _Sorter(changes, path, known)

        def take_here(entry: Entry) -> None:
            found = sorter.look_here(entry.name)
            if found is None or not is_ours(register, entry.name, found.st_ctime_ns):
                sorter.take_here(entry)

        for listing, entry in read_all(*there, *here):
            if listing in here:
                take_here(entry)
            else:
                known_inode = inode_of(register, entry.name) if entry.type == b"d" else None
                sorter.take_there(entry, known_inode)
        if not here and changes.is_much:
            here = [_listing_here(tools, path, known.since_here)]
            for _, entry in read_all(*here):
                take_here(entry)
    changes.is_here_seen = bool(here)
    changes.entries_there = sum(one.entries for one in there)
    changes.entries_here = here[0].entries if here else known.entries
    return changes


def _listings_there(tools: Tools, path: str, known: Remembered) -> list[Listing]:
    """Two for a large tree: the partner's directories are read side by side."""
    exclude, since, apart = tools.job.exclude, known.since_there - MARGIN_S, known.half
    wanted = [rsync.find_changed(path, exclude, since, apart)]
    if apart:
        wanted.append(rsync.find_apart(path, exclude, since, apart))
    return [_listing_there(tools, path, argv) for argv in wanted]


def _listing_there(tools: Tools, path: str, argv: tuple[str, ...]) -> Listing:
    command = tools.line.command(tools.gently_there(argv))
    return Listing(command, rsync.root_of(path), tools.job.partner)


def _listing_here(tools: Tools, path: str, since_s: float | None) -> Listing:
    argv = tools.gently_here(rsync.find_changed(path, tools.job.exclude, since_s))
    return Listing(argv, rsync.root_of(path), "this node")


def _look(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def remember_names(memory: Memory, path: str, changes: Changes) -> None:
    """Note which folder is which, and what we wrote ourselves, once the pull is whole."""
    root = os.fsencode(rsync.root_of(path))
    with closing(memory.folders()) as register:
        note_folders(register, changes.seen)
        adopt_survey(register)
        if changes.is_here_seen:
            forget_ours(register)
            return
        touched = (_with_folder(name) for names in changes.all for name in names.read())
        found = ((name, _look(root + name)) for both in touched for name in both)
        note_ours(register, ((name, one.st_ctime_ns) for name, one in found if one is not None))


def _with_folder(name: bytes) -> tuple[bytes, bytes]:
    """Return a name of a file of names, and the folder that it lies in, both as listings do."""
    bare = name.rstrip(b"/")
    bare = b"" if bare == b"." else bare
    return bare, bare.rpartition(b"/")[0]


class _Sorter:
    """Sorts entries into the files of names."""

    def __init__(self, changes: Changes, path: str, known: Remembered) -> None:
        self._changes = changes
        self._root = os.fsencode(path.rstrip("/") + "/")
        self._since_here_ns = int(known.since_here * _SECOND_NS)
        self._root_inode = known.root_inode

    def take_there(self, entry: Entry, known_inode: int | None) -> None:
        """Take an entry that has changed on the partner."""
        changes = self._changes
        if entry.type == b"d":
            changes.seen.append((entry.name, entry.inode))
            was = known_inode if entry.name else self._root_inode
            self._folder(entry.name, is_moved=was != entry.inode)
            return
        changes.copied_bytes += entry.size
        changes.copied_files += 1
        here = self.look_here(entry.name)
        if entry.type == b"f" and (entry.links > 1 or (here is not None and here.st_nlink > 1)):
            changes.linked.add(entry.name)
        elif here is not None and _looks_same(entry, here):
            changes.contents.add(entry.name)
        else:
            changes.quick.add(entry.name)

    def take_here(self, entry: Entry) -> None:
        """Take an entry that has changed on this node since our last pull."""
        if entry.type == b"d":
            # Renamed, or only its rights changed: what lies below may be another folder's.
            self._folder(entry.name, is_moved=entry.time_ns < self._since_here_ns)
        elif entry.type == b"f" and entry.links > 1:
            self._changes.linked.add(entry.name)
        else:
            self._changes.contents.add(entry.name)
        self._changes.changed_here += 1

    def _folder(self, name: bytes, is_moved: bool) -> None:
        changes = self._changes
        if is_moved:
            changes.moved.add(name + b"/" if name else b"./")
            return
        changes.quick.add(name + b"/" if name else b"./")
        changes.folders.add(name + b"/" if name else b"./")

    def look_here(self, name: bytes) -> os.stat_result | None:
        """Return what an entry is on this node, or None where there is none."""
        return _look(self._root + name)


def _looks_same(entry: Entry, here: os.stat_result) -> bool:
    """Whether rsync's own check, by size and second, would leave it alone."""
    return (
        stat.S_IFMT(here.st_mode) == _TYPES.get(entry.type)
        and here.st_size == entry.size
        and here.st_mtime_ns // _SECOND_NS == entry.time_ns // _SECOND_NS
    )


def survey(tools: Tools, path: str, memory: Memory, changes: Changes) -> None:
    """Find all names of the files of which one has changed, and which folder is which now.

    Raises PullError where the partner cannot be listed.
    """
    there = _listing_there(tools, path, rsync.find_changed(path, tools.job.exclude, None))
    with closing(memory.folders()) as register:
        begin_survey(register)
        register.execute("BEGIN")
        for _, entry in read_all(there):
            if entry.type == b"d":
                note_folder_now(register, entry.name, entry.inode)
            else:
                note_link(register, entry.name, entry.inode)
        register.execute("COMMIT")
        found = linked_names(register, changes.linked.read(), changes.moved.read())
        whole = Names(changes.linked.file.with_suffix(".all"))
        with whole.file.open("wb") as whole.out:
            for name in found:
                whole.add(name)
        changes.linked = whole


@dataclass(frozen=True, slots=True)
class Counted:
    """A tree as it was counted as a whole."""

    entries_there: int = 0
    entries_here: int = 0
    root_inode: int = 0
    half: tuple[str, ...] = ()
    """Folders that a second listing takes."""


def count(tools: Tools, path: str, memory: Memory) -> Counted:
    """Count both sides, and register all folders. Raises PullError where one cannot be listed."""
    job = tools.job
    there = _listing_there(tools, path, rsync.find_changed(path, job.exclude, None))
    here = _listing_here(tools, path, None)
    weights = Weights()
    root_inode = 0

    def folders() -> Iterator[tuple[bytes, int]]:
        nonlocal root_inode
        for listing, entry in read_all(there, here):
            if listing is here or entry.type != b"d":
                continue
            weights.take(entry.name, there.entries - 1)
            if entry.name:
                yield entry.name, entry.inode
            else:
                root_inode = entry.inode

    with closing(memory.begin_folders()) as register:
        note_folders(register, folders())
    half = weights.half(there.entries) if there.entries > job.large_from else ()
    return Counted(there.entries, here.entries, root_inode, tuple(os.fsdecode(one) for one in half))


class KeptTimes:
    """Keeps the times of the folders that named files lie in, where the run itself does not.

    rsync writes beside a file and renames, which moves the time of a folder that is not in its list
    and has not changed on the partner.
    """

    def __init__(self, path: str, names: Path) -> None:
        """Take the path, and the file of names that one run of rsync is given."""
        self._root = os.fsencode(path.rstrip("/") + "/")
        listed, parents = set(), set()
        for name in Names(names).read():
            if name.endswith(b"/"):
                listed.add(name)
            else:
                parents.add(name.rpartition(b"/")[0] + b"/" if b"/" in name else b"./")
        self._kept = {
            parent: found
            for parent in parents - listed
            if (found := self._lookup(parent)) is not None and stat.S_ISDIR(found.st_mode)
        }

    def _lookup(self, folder: bytes) -> os.stat_result | None:
        return _look(self._root + folder.rstrip(b"/"))

    def give_back(self) -> None:
        """Set the times again of those that are still the same folders."""
        for folder, before in self._kept.items():
            now = self._lookup(folder)
            if now is None or now.st_ino != before.st_ino or now.st_mtime_ns == before.st_mtime_ns:
                continue
            with contextlib.suppress(OSError):
                place = self._root + folder.rstrip(b"/")
                times = (now.st_atime_ns, before.st_mtime_ns)
                os.utime(place, ns=times, follow_symlinks=False)
