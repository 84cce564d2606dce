"""What a worker remembers of a set between two pulls: moments, counts, and which folder is which.

Owns the files below the set's folder in the state directory. Must not know how they are used. A
memory that cannot be read is none: then everything is compared.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 3
TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Remembered:
    """One path as of its last whole and verified pull; moments in epoch seconds."""

    subject: str
    """What the memory is of: partner, path and exclusions. Anything else is another set."""
    since_there: float
    """Everything changed there until this moment, on its clock, is here."""
    since_here: float
    """What changed here after it was not our doing."""
    whole_at: float
    """When everything was compared last."""
    entries: int
    boot: str
    """In which boots, of this node and the partner: what was written just before a power cut may
    not be on either."""
    looked_at: float
    """When it was last seen that this side is as we left it."""
    root_inode: int = 0
    """The folder itself, there: another one at its place is another tree."""
    half: tuple[str, ...] = ()
    """Folders there that a second listing takes, side by side with the first."""
    ahead_s: float = 0.0
    """So much at least the partner's clock was ahead of this node's."""
    has_more: bool = False
    """Everything that the partner had is here, and more besides: only comparing everything tells
    what is no longer there."""


class Memory:
    """The memory of one path of a set."""

    def __init__(self, folder: Path, number: int) -> None:
        """Take the set's folder, and which of its paths this is."""
        self._file = folder / f"path{number}.json"
        self._folders = folder / f"path{number}.folders"

    def read(self, subject: str) -> Remembered | None:
        """Return what is remembered of this subject, or None."""
        try:
            told = json.loads(self._file.read_text(encoding="utf-8", errors="surrogateescape"))
            if told.pop("format") != FORMAT:
                return None
            known = Remembered(**{**told, "half": tuple(told["half"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return known if known.subject == subject else None

    def write(self, known: Remembered) -> None:
        """Remember, whole or not at all; not on disk: of an earlier boot nothing is believed."""
        new = self._file.with_suffix(".new")
        with new.open("w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump({"format": FORMAT, **asdict(known)}, file, ensure_ascii=False)
        new.replace(self._file)

    def moment(self) -> float:
        """Return a moment that lies between every inode's stamp so far and any later one.

        Stamps are as coarse as the kernel's tick: what somebody edits in the tick of our own last
        one would look as if we had done it.
        """
        with tempfile.TemporaryFile(dir=self._file.parent) as probe:
            ours = later = os.fstat(probe.fileno()).st_ctime_ns
            while later <= ours:
                time.sleep(TICK_S)
                os.utime(probe.fileno())
                later = os.fstat(probe.fileno()).st_ctime_ns
        return (ours + later) / 2 / 1e9

    def forget(self) -> None:
        """Remember nothing: the next pull compares everything."""
        self._file.unlink(missing_ok=True)

    # Which folder of the partner had which inode: one that has another one now was moved there.

    def begin_folders(self) -> sqlite3.Connection:
        """Return an empty register of folders."""
        self._folders.unlink(missing_ok=True)
        return self.folders()

    def folders(self) -> sqlite3.Connection:
        """Return the register of folders."""
        register = sqlite3.connect(self._folders, isolation_level=None)
        register.execute("PRAGMA journal_mode=OFF")
        register.execute("PRAGMA synchronous=OFF")
        register.execute(
            "CREATE TABLE IF NOT EXISTS folder (name BLOB PRIMARY KEY, inode INTEGER) WITHOUT ROWID"
        )
        register.execute(
            "CREATE TABLE IF NOT EXISTS ours (name BLOB PRIMARY KEY, time INTEGER) WITHOUT ROWID"
        )
        return register


_SURVEY = """
DROP TABLE IF EXISTS folder_now;
CREATE TABLE folder_now (name BLOB PRIMARY KEY, inode INTEGER) WITHOUT ROWID;
DROP TABLE IF EXISTS link;
CREATE TABLE link (name BLOB PRIMARY KEY, inode INTEGER) WITHOUT ROWID;
CREATE INDEX by_inode ON link (inode);
DROP TABLE IF EXISTS wanted;
CREATE TABLE wanted (name BLOB PRIMARY KEY) WITHOUT ROWID;
"""


def begin_survey(register: sqlite3.Connection) -> None:
    """Forget the last survey: which names were one file, and where every folder was."""
    register.executescript(_SURVEY)


def note_folder_now(register: sqlite3.Connection, name: bytes, inode: int) -> None:
    """Note where a folder is now; it is believed once the pull is whole (`adopt_survey`)."""
    register.execute("INSERT OR REPLACE INTO folder_now VALUES (?, ?)", (name, inode))


def note_link(register: sqlite3.Connection, name: bytes, inode: int) -> None:
    """Note a name of a file that has more than one."""
    register.execute("INSERT OR REPLACE INTO link VALUES (?, ?)", (name, inode))


def adopt_survey(register: sqlite3.Connection) -> None:
    """Believe the last survey, if there was one since this was done last."""
    found = register.execute("SELECT 1 FROM sqlite_master WHERE name = 'folder_now'").fetchone()
    if found is not None:
        register.execute("INSERT OR REPLACE INTO folder SELECT name, inode FROM folder_now")
        register.execute("DELETE FROM folder_now")


def linked_names(
    register: sqlite3.Connection, names: Iterable[bytes], folders: Iterable[bytes]
) -> Iterator[bytes]:
    """Yield these names, and all others of the same files and of those below these folders."""
    register.execute("BEGIN")
    register.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", ((name,) for name in names))
    for folder in folders:
        below = (folder, folder[:-1] + b"0")  # "0" comes after "/"
        every = () if folder == b"./" else below
        where = "WHERE name >= ? AND name < ?" if every else ""
        register.execute(f"INSERT OR IGNORE INTO wanted SELECT name FROM link {where}", every)
    register.execute("COMMIT")
    query = (
        "SELECT name FROM wanted UNION SELECT name FROM link WHERE inode IN "
        "(SELECT inode FROM link JOIN wanted USING (name))"
    )
    for (name,) in register.execute(query):
        yield bytes(name)


def note_ours(register: sqlite3.Connection, written: Iterable[tuple[bytes, int]]) -> None:
    """Note what we wrote here since this side was looked at last, with its inodes' times."""
    register.execute("BEGIN")
    register.executemany("INSERT OR REPLACE INTO ours VALUES (?, ?)", written)
    register.execute("COMMIT")


def is_ours(register: sqlite3.Connection, name: bytes, time_ns: int) -> bool:
    """Whether an entry of this side is as we wrote it."""
    found = register.execute("SELECT time FROM ours WHERE name = ?", (name,)).fetchone()
    return found is not None and int(found[0]) == time_ns


def forget_ours(register: sqlite3.Connection) -> None:
    """Forget what we wrote: this side was looked at."""
    register.execute("DELETE FROM ours")


def inode_of(register: sqlite3.Connection, name: bytes) -> int | None:
    """Return the inode that a folder had, or None for one that is not known."""
    found = register.execute("SELECT inode FROM folder WHERE name = ?", (name,)).fetchone()
    return None if found is None else int(found[0])


def note_folders(register: sqlite3.Connection, found: Iterable[tuple[bytes, int]]) -> None:
    """Note folders with their inodes."""
    register.execute("BEGIN")
    register.executemany("INSERT OR REPLACE INTO folder VALUES (?, ?)", found)
    register.execute("COMMIT")
