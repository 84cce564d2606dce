"""Reads the journal without the daemon, and proves that nobody changed it.

Owns the file's name, its schema version, the hash chain and read-only access (design §12). Must not
write, nor know who writes (adapters.journal). Standard library only and quick to import: hamnctl
falls back on this when the daemon does not answer.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from hamnd.errors import JournalError
from hamnd.model.names import Phase
from hamnd.model.record import Record

JOURNAL_NAME = "journal.db"
SCHEMA_VERSION = 1

GENESIS = "0" * 64
"""Stands for the hash before the first record."""

RESTART_HINT = "set it aside with: hamnctl journal restart --reason TEXT"

COLUMNS = (
    "seq, wall_s, monotonic_s, boot_id, phase, what, actor, digest, step, preview, "
    "exit_code, outcome, evidence, hash"
)
BUSY_S = 2.0

AROUND = 2_000
"""Records before and after a run that its report may tell of: alarms, refusals, what came later."""
TOLD_ALWAYS = ("plan_confirmed", "state_changed", "takeover_acknowledged")
"""A report needs these of any age: which run continued which, who owned the state, who saw it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as it lies in the journal."""

    seq: int
    wall_s: float
    monotonic_s: float
    """Of the boot named by `boot_id`; comparable within it alone."""
    boot_id: str
    record: Record
    hash: str


@dataclass(frozen=True, slots=True)
class StoredState:
    """The last state document, and when it was written."""

    document: str
    wall_s: float


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the hash chain found; `problem` is None when it is whole."""

    checked: int
    problem: str | None


def damaged(path: Path, detail: str) -> JournalError:
    """Return the error that tells the operator what to do about a damaged journal."""
    return JournalError(f"the journal {path} is damaged: {detail}; {RESTART_HINT}")


def chain_hash(previous: str, entry: Stored) -> str:
    """Return the hash of an entry: SHA-256 over the previous hash and its canonical JSON."""
    record = entry.record
    content = {
        "seq": entry.seq,
        "wall_s": entry.wall_s,
        "monotonic_s": entry.monotonic_s,
        "boot_id": entry.boot_id,
        "phase": str(record.phase),
        "what": record.what,
        "actor": record.actor,
        "digest": record.digest,
        "step": record.step,
        "preview": record.preview,
        "exit_code": record.exit_code,
        "outcome": record.outcome,
        "evidence": record.evidence,
    }
    return content_hash(previous, json.dumps(content, sort_keys=True, separators=(",", ":")))


def content_hash(*parts: object) -> str:
    """Return the SHA-256 of several values, kept apart."""
    return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()


def as_stored(row: tuple[Any, ...]) -> Stored:
    """Return the entry of a row that was selected with `COLUMNS`.

    Raises:
        ValueError: the row holds what no hamnd ever wrote.
    """
    seq, wall_s, monotonic_s, boot_id, phase, what, actor, digest, step = row[:9]
    preview, exit_code, outcome, evidence, entry_hash = row[9:]
    texts = (boot_id, phase, what, actor, digest, step, preview, outcome, evidence, entry_hash)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a text of it is none")
    if not (isinstance(wall_s, float) and isinstance(monotonic_s, float)):
        raise ValueError("a time of it is none")
    if not isinstance(exit_code, int | None):
        raise ValueError("its exit code is no number")
    record = Record(
        phase=Phase(phase),
        what=what,
        actor=actor,
        digest=digest,
        step=step,
        preview=preview,
        exit_code=exit_code,
        outcome=outcome,
        evidence=evidence,
    )
    return Stored(seq, wall_s, monotonic_s, boot_id, record, entry_hash)


def read_state(connection: sqlite3.Connection) -> StoredState | None:
    """Return the state document. Raises ValueError when it is not what was written."""
    row = connection.execute("SELECT document, wall_s, hash FROM state WHERE id = 1").fetchone()
    if row is None:
        raise ValueError("the state is missing")
    if row == (None, 0.0, ""):
        return None
    if content_hash(row[0], row[1]) != row[2] or not isinstance(row[1], float):
        raise ValueError("the state document does not match its hash")
    return StoredState(row[0], row[1])


def read_memory(connection: sqlite3.Connection) -> dict[str, tuple[str, float]]:
    """Return the remembered facts with their times. Raises ValueError on a changed one."""
    facts: dict[str, tuple[str, float]] = {}
    for key, value, wall_s, fact_hash in connection.execute(
        "SELECT key, value, wall_s, hash FROM memory ORDER BY key"
    ):
        is_whole = content_hash(key, value, wall_s) == fact_hash
        if not (is_whole and isinstance(value, str) and isinstance(wall_s, float)):
            raise ValueError(f"the remembered fact {key} does not match its hash")
        facts[key] = (value, wall_s)
    return facts


def verify_chain(connection: sqlite3.Connection, last: int | None = None) -> Verification:
    """Check the hash chain, and that it ends where the last transaction ended.

    `last` limits the check to that many entries.
    """
    head = connection.execute("SELECT head_seq, head_hash FROM state WHERE id = 1").fetchone()
    end = connection.execute("SELECT max(seq) FROM journal").fetchone()[0] or 0
    first = 1 if last is None else max(1, end - last + 1)
    previous, expected = GENESIS, 1
    if first > 1:
        row = connection.execute("SELECT hash FROM journal WHERE seq = ?", (first - 1,)).fetchone()
        if row is None:
            return Verification(0, f"record {first - 1} is missing")
        previous, expected = row[0], first
    checked = 0
    for row in connection.execute(
        f"SELECT {COLUMNS} FROM journal WHERE seq >= ? ORDER BY seq",
        (first,),
    ):
        try:
            entry = as_stored(row)
        except ValueError as error:
            return Verification(checked, f"record {row[0]} is unreadable: {error}")
        if entry.seq != expected:
            return Verification(checked, f"record {expected} is missing")
        if chain_hash(previous, entry) != entry.hash:
            return Verification(checked, f"record {entry.seq} does not match its hash")
        previous, expected, checked = entry.hash, expected + 1, checked + 1
    if tuple(head or (0, GENESIS)) != (end, previous):
        return Verification(checked, f"the last records are missing: it ends with {end}")
    return Verification(checked, None)


class JournalReader:
    """A journal opened for reading; close it, or use it in a `with` statement.

    Every method raises JournalError when the file turns out to be damaged.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `open_journal` instead."""
        self._path = path
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def state(self) -> StoredState | None:
        """Return the last state document, None when there was none yet."""
        try:
            return read_state(self._connection)
        except (sqlite3.Error, ValueError) as error:
            raise damaged(self._path, str(error)) from error

    def memory(self) -> Mapping[str, tuple[str, float]]:
        """Return the last known facts: key -> (JSON, wall time in seconds)."""
        try:
            return read_memory(self._connection)
        except (sqlite3.Error, ValueError) as error:
            raise damaged(self._path, str(error)) from error

    def entries(self, last: int | None = None, digest: str | None = None) -> list[Stored]:
        """Return the last entries, oldest first; `digest` (or its beginning) filters by plan."""
        return list(self._entries(last, digest))

    def confirmations(self) -> list[Stored]:
        """Return the confirmations of all plans, oldest first."""
        return list(self._read("WHERE what = 'plan_confirmed' ORDER BY seq", ()))

    def entries_around(self, digests: Sequence[str]) -> list[Stored]:
        """Return what a report of these plans is made of, oldest first.

        Their records, what was written around them, and of all other time `TOLD_ALWAYS` alone: a
        journal of ten years does not fit into memory.
        """
        marks = ",".join("?" * len(digests))
        told = ",".join("?" * len(TOLD_ALWAYS))
        return list(
            self._read(
                f"WHERE seq BETWEEN (SELECT min(seq) FROM journal WHERE digest IN ({marks})) - ? "
                f"AND (SELECT max(seq) FROM journal WHERE digest IN ({marks})) + ? "
                f"OR what IN ({told}) ORDER BY seq",
                (*digests, AROUND, *digests, AROUND, *TOLD_ALWAYS),
            )
        )

    def _entries(self, last: int | None, digest: str | None) -> Iterator[Stored]:
        limit = -1 if last is None else max(0, last)
        prefix = "" if digest is None else digest
        return self._read(
            "WHERE seq IN (SELECT seq FROM journal WHERE substr(digest, 1, ?) = ? "
            "ORDER BY seq DESC LIMIT ?) ORDER BY seq",
            (len(prefix), prefix, limit),
        )

    def _read(self, where: str, values: tuple[object, ...]) -> Iterator[Stored]:
        try:
            for row in self._connection.execute(f"SELECT {COLUMNS} FROM journal {where}", values):
                yield as_stored(row)
        except (sqlite3.Error, ValueError) as error:
            raise damaged(self._path, str(error)) from error

    def verify(self) -> Verification:
        """Check the whole hash chain."""
        try:
            return verify_chain(self._connection)
        except sqlite3.Error as error:
            raise damaged(self._path, str(error)) from error


def open_journal(state_dir: Path | str) -> JournalReader:
    """Open the journal below a state directory for reading.

    Raises:
        JournalError: there is none, it may not be read, is damaged, or of another version.
    """
    path = Path(state_dir) / JOURNAL_NAME
    try:
        if not path.exists():
            raise JournalError(f"there is no journal at {path}: hamnd has not run here yet")
        with path.open("rb"):
            pass  # SQLite would only say "unable to open database file"
    except PermissionError as error:
        raise JournalError(
            f"the journal {path} may not be read by you: ask root, or join the operators' group"
        ) from error
    connection = _connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("SELECT count(*) FROM state").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise damaged(path, str(error)) from error
    if version != SCHEMA_VERSION:
        connection.close()
        raise JournalError(f"the journal {path} has version {version}, not {SCHEMA_VERSION}")
    return JournalReader(path, connection)


def _connect(path: Path) -> sqlite3.Connection:
    """Connect read-only, in the way that the file allows.

    Without a -wal file nobody writes, and a reader could not create one: immutable. A -wal file
    that a dead daemon left may need an index that we may not write: then a copy is read.
    """
    address = f"file:{quote(str(path.absolute()))}"
    wal = path.with_name(path.name + "-wal")
    if not wal.exists():
        return sqlite3.connect(f"{address}?immutable=1", uri=True, timeout=BUSY_S)
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=BUSY_S)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        return _connect_copy(path, wal)
    except sqlite3.DatabaseError:
        pass  # damaged; the caller finds out and says so
    return connection


def _connect_copy(path: Path, wal: Path) -> sqlite3.Connection:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="hamnd-journal-") as folder:
        copy = Path(folder) / path.name
        try:
            shutil.copyfile(path, copy)
            shutil.copyfile(wal, Path(folder) / wal.name)
            memory = sqlite3.connect(":memory:")
            with closing(sqlite3.connect(copy)) as source:
                source.backup(memory)
        except (OSError, sqlite3.Error) as error:
            raise damaged(path, str(error)) from error
    return memory
