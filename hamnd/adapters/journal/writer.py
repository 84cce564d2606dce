"""The journal itself: SQLite in WAL mode with synchronous=FULL (design §12).

Owns `SqliteJournal` and setting a damaged journal aside. Must not know what a record means. All
calls block and belong in the one worker thread of the runtime.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from hamnd.adapters.journal.place import JournalSettings, StateLock, give
from hamnd.adapters.journal.reserve import GROW_BYTES, PIECE_BYTES, Reserve
from hamnd.errors import JournalError
from hamnd.journal import (
    COLUMNS,
    GENESIS,
    JOURNAL_NAME,
    SCHEMA_VERSION,
    Stored,
    chain_hash,
    content_hash,
    damaged,
    read_memory,
    read_state,
    verify_chain,
)
from hamnd.model.instant import Instant
from hamnd.model.names import Phase
from hamnd.model.record import Record

TRIES_MAX = 4
TEXT_CHARACTERS_MAX = 16_384
"""Of one text of a record; what is longer is cut, so that the reserve stays calculable."""

TAIL_CHECKED = 1000
CHECKPOINT_PAGES = 256
"""Of 4 KiB, after which the -wal file is copied back and begun anew."""

ROOM_BYTES = 1_048_576
"""Room that database and -wal file take for themselves when they are opened."""

BUSY_S = 1.0

SCHEMA = f"""
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY, wall_s REAL NOT NULL, monotonic_s REAL NOT NULL, boot_id TEXT NOT NULL,
  phase TEXT NOT NULL, what TEXT NOT NULL, actor TEXT NOT NULL, digest TEXT NOT NULL,
  step TEXT NOT NULL, preview TEXT NOT NULL, exit_code INTEGER, outcome TEXT NOT NULL,
  evidence TEXT NOT NULL, hash TEXT NOT NULL
);;
CREATE TRIGGER journal_keeps BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;;
CREATE TRIGGER journal_holds BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;;
CREATE INDEX journal_digest ON journal (digest);;
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1), document TEXT, wall_s REAL NOT NULL, hash TEXT NOT NULL,
  head_seq INTEGER NOT NULL, head_hash TEXT NOT NULL
);;
INSERT INTO state VALUES (1, NULL, 0, '', 0, '{GENESIS}');;
CREATE TABLE memory (
  key TEXT PRIMARY KEY, value TEXT NOT NULL, wall_s REAL NOT NULL, hash TEXT NOT NULL
) WITHOUT ROWID;;
PRAGMA user_version = {SCHEMA_VERSION}"""
"""Statements, one after each double semicolon."""


class SqliteJournal:
    """The journal (port `Journal`)."""

    def __init__(self, settings: JournalSettings, lock: StateLock) -> None:
        """Open or create it, and check it; the lock proves that nobody else writes.

        Raises:
            JournalError: it is damaged or cannot be written.
        """
        self._lock = lock
        self._settings = settings
        self._path = settings.state_dir / JOURNAL_NAME
        self._reserve = Reserve(settings)
        self._head = (0, GENESIS)
        try:
            self._connection = self._open()
        except OSError as error:
            raise JournalError(f"the journal {self._path} cannot be opened: {error}") from error
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise
        self._widen()
        self._reserve.mend()

    def append(self, records: tuple[Record, ...], state: str | None, now: Instant) -> int:
        """Write records and, unless None, the state document in one transaction.

        Raises:
            JournalError: it could not be written, also when the reserve is spent.
        """
        entries = self._chained(records, now)
        head = (entries[-1].seq, entries[-1].hash) if entries else self._head

        def write() -> None:
            self._connection.executemany(
                f"INSERT INTO journal ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                [_row(entry) for entry in entries],
            )
            self._connection.execute("UPDATE state SET head_seq = ?, head_hash = ?", head)
            if state is not None:
                self._connection.execute(
                    "UPDATE state SET document = ?, wall_s = ?, hash = ?",
                    (state, now.wall_s, content_hash(state, now.wall_s)),
                )

        size = len(state or "") + sum(len(str(_row(entry))) for entry in entries)
        self._transact(write, size)
        self._head = head
        self._reserve.mend()
        return head[0]

    def remember(self, facts: Mapping[str, str], now: Instant) -> None:
        """Upsert last known facts with their time. Raises JournalError."""
        rows = [
            (key, value, now.wall_s, content_hash(key, value, now.wall_s))
            for key, value in facts.items()
        ]

        def write() -> None:
            self._connection.executemany("INSERT OR REPLACE INTO memory VALUES (?,?,?,?)", rows)

        self._transact(write, sum(len(str(row)) for row in rows))
        self._reserve.mend()

    def load(self) -> tuple[str | None, Mapping[str, tuple[str, float]]]:
        """Return the state document and the remembered facts. Raises JournalError."""
        try:
            state = read_state(self._connection)
            return (None if state is None else state.document), read_memory(self._connection)
        except (sqlite3.Error, ValueError) as error:
            raise damaged(self._path, str(error)) from error

    def reserve_left(self) -> float:
        """Return how much of the reserve is intact, after an attempt to rebuild it."""
        self._reserve.mend()
        return self._reserve.left()

    def close(self) -> None:
        """Close the database; without readers its -wal file goes with it."""
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        wal, shm = (self._path.with_name(self._path.name + end) for end in ("-wal", "-shm"))
        if not self._path.exists():
            for stray in (wal, shm):  # of a journal whose setting aside was interrupted
                if stray.exists():
                    stray.replace(stray.with_name(f"{stray.name}.stray"))
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
        give(self._path, 0o640, self._settings.group)  # -wal and -shm take after it
        return sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_S
        )

    def _prepare(self) -> None:
        self._attempt(self._configure, 4 * PIECE_BYTES)
        try:
            if self._is_blank():
                self._transact(self._create, 4 * PIECE_BYTES)
                _sync_folder(self._path.parent)
            else:
                self._check()
        except (sqlite3.Error, ValueError) as error:
            raise damaged(self._path, str(error)) from error

    def _is_blank(self) -> bool:
        """Whether it was just created, by us or by one who died before the schema was there."""
        found = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return bool(found == (0,))

    def _configure(self) -> None:
        execute = self._connection.execute
        if execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise JournalError(f"{self._path}: this file system cannot hold a WAL journal")
        execute("PRAGMA synchronous = FULL")
        execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        execute("PRAGMA foreign_keys = ON")

    def _widen(self) -> None:
        """Give the files room of their own: free pages in the database, a -wal file of full size.

        Both keep what they have, so a disk that fills up later, and whoever filled it, cannot take
        it. The reserve is for what goes beyond.
        """
        execute = self._connection.execute
        try:
            execute("DROP TABLE IF EXISTS filler")  # of an opening that was interrupted
            execute("CREATE TABLE filler (data BLOB)")
            execute("INSERT INTO filler VALUES (zeroblob(?))", (ROOM_BYTES,))
        except sqlite3.Error as error:
            if not self._is_space(error):
                raise self._failure(error) from error
        try:
            execute("DROP TABLE IF EXISTS filler")
            execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            if not self._is_space(error):
                raise self._failure(error) from error

    def _create(self) -> None:
        for statement in SCHEMA.split(";;"):
            self._connection.execute(statement)

    def _check(self) -> None:
        execute = self._connection.execute
        version = execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self._path} was written by a newer hamnd (version {version}): "
                "install that one again"
            )
        if version < SCHEMA_VERSION:
            raise ValueError("it has no schema of hamnd")
        verdict = execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise ValueError(verdict)
        chain = verify_chain(self._connection, TAIL_CHECKED)
        if chain.problem is not None:
            raise ValueError(chain.problem)
        read_state(self._connection)
        read_memory(self._connection)
        self._head = execute("SELECT head_seq, head_hash FROM state").fetchone()

    def _chained(self, records: tuple[Record, ...], now: Instant) -> list[Stored]:
        entries: list[Stored] = []
        seq, previous = self._head
        for record in records:
            seq += 1
            entry = Stored(
                seq, now.wall_s, now.monotonic_s, self._settings.boot_id, _bounded(record), ""
            )
            previous = chain_hash(previous, entry)
            entries.append(
                Stored(seq, now.wall_s, now.monotonic_s, entry.boot_id, entry.record, previous)
            )
        return entries

    def _transact(self, write: Callable[[], None], size: int) -> None:
        def transaction() -> None:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                write()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

        self._attempt(transaction, size)

    def _attempt(self, call: Callable[[], None], size: int) -> None:
        """Do it; when the disk is full, release from the reserve what it needs and try again."""
        for attempt in range(1, TRIES_MAX + 1):
            try:
                call()
                return
            except sqlite3.Error as error:
                if not self._is_space(error):
                    raise self._failure(error) from error
                if attempt == TRIES_MAX:
                    raise JournalError(
                        f"the disk of {self._path} is full, and space released from the reserve "
                        f"went to others: {error}"
                    ) from error
                # WAL frames are whole pages, and the schema or an index may need a few more.
                if not self._reserve.release(attempt * (2 * size + PIECE_BYTES)):
                    raise JournalError(
                        f"the disk of {self._path} is full and the journal's reserve is spent: "
                        "free space there, then: hamnctl clear --reason TEXT"
                    ) from error
                # Then the next transaction begins the -wal file anew, in the room that it has.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _is_space(self, error: sqlite3.Error) -> bool:
        """Whether the disk or a quota is behind an error; EDQUOT comes as a failed write."""
        name = getattr(error, "sqlite_errorname", "")
        if name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE"):
            return True
        is_full = shutil.disk_usage(self._path.parent).free < GROW_BYTES
        return is_full and name in ("SQLITE_IOERR_SHMSIZE", "SQLITE_CANTOPEN")

    def _failure(self, error: sqlite3.Error) -> JournalError:
        name = getattr(error, "sqlite_errorname", "") or type(error).__name__
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return damaged(self._path, str(error))
        return JournalError(f"the journal {self._path} could not be written: {error} ({name})")


def set_aside(settings: JournalSettings, lock: StateLock, record: Record, now: Instant) -> Path:
    """Rename the journal, and begin a new one whose first record is `record` with its hash.

    Close it first. The caller names actor and reason in the record; its evidence becomes a JSON
    object that adds the file and its SHA-256.

    Returns:
        Where the old journal lies now.

    Raises:
        JournalError: it could not be renamed or the new one not written.
    """
    path = settings.state_dir / JOURNAL_NAME
    wal, shm = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    try:
        digest = _file_hash(path, wal)
        target = path.with_name(f"{path.name}.damaged-{digest[:12]}")
        if path.exists():
            path.replace(target)
        if wal.exists():
            wal.replace(target.with_name(target.name + "-wal"))
        shm.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise JournalError(f"the journal {path} could not be set aside: {error}") from error
    journal = SqliteJournal(settings, lock)
    try:
        evidence = {"reason": record.evidence, "file": target.name, "sha256": digest}
        first = Record(
            Phase.DECISION,
            record.what,
            record.actor,
            outcome=record.outcome,
            evidence=json.dumps(evidence, sort_keys=True),
        )
        journal.append((first,), None, now)
    finally:
        journal.close()
    return target


def _row(entry: Stored) -> tuple[object, ...]:
    record = entry.record
    return (
        entry.seq,
        entry.wall_s,
        entry.monotonic_s,
        entry.boot_id,
        str(record.phase),
        record.what,
        record.actor,
        record.digest,
        record.step,
        record.preview,
        record.exit_code,
        record.outcome,
        record.evidence,
        entry.hash,
    )


def _bounded(record: Record) -> Record:
    return Record(
        phase=record.phase,
        what=_text(record.what),
        actor=_text(record.actor),
        digest=_text(record.digest),
        step=_text(record.step),
        preview=_text(record.preview),
        exit_code=record.exit_code,
        outcome=_text(str(record.outcome)),
        evidence=_text(record.evidence),
    )


def _text(value: str) -> str:
    """Return text that SQLite can hold (no lone surrogates) and that has an end."""
    value = str(value).encode("utf-8", "replace").decode()
    surplus = len(value) - TEXT_CHARACTERS_MAX
    return value if surplus <= 0 else f"{value[:TEXT_CHARACTERS_MAX]}… ({surplus} more)"


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _file_hash(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.exists():
            with path.open("rb") as file:
                while piece := file.read(1_048_576):
                    digest.update(piece)
    return digest.hexdigest()
