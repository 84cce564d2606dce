"""A journal that lies broken on its disk: never an exception, never a wrong state taken for good.

Owns the fuzz of both readers, the daemon's and hamnctl's: bytes flipped, torn, swapped and cut in
the files, and records cut, swapped, doubled and changed by SQL. Kinds of damage that have a name
are tested beside the writer.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.errors import JournalError
from hamnd.journal import COLUMNS, JOURNAL_NAME, Stored, open_journal
from hamnd.model.instant import Instant
from hamnd.model.names import Phase
from hamnd.model.record import Record
from tests.proof.budget import fuzz

NOW = Instant(99.0, 2e9)
TRANSACTIONS = 12
WAL = JOURNAL_NAME + "-wal"


@dataclass(frozen=True, slots=True)
class Written:
    """A journal as its daemon left it, and everything that ever was true of it."""

    folder: Path
    documents: frozenset[str]
    facts: frozenset[tuple[str, str, float]]
    entries: tuple[Stored, ...]


def _write(folder: Path, *, is_killed: bool) -> Written:
    """Write a journal; killed, its last transactions are in the -wal file alone."""
    settings = JournalSettings(folder, "boot-1", None, 0)
    lock = StateLock(settings)
    journal = SqliteJournal(settings, lock)
    documents = set()
    facts = set()
    for number in range(TRANSACTIONS):
        now = Instant(float(number), 1e9 + number)
        document = f'{{"n": {number}, "pad": "{"s" * 900 * (number % 3)}"}}'
        record = Record(
            (Phase.INTENT, Phase.RESULT, Phase.LOOK)[number % 3],
            "action_ended",
            actor="root (login anna)",
            digest="5f1c-0001",
            step="promote",
            preview="db2 takeover hadr on database XCATDB",
            exit_code=number,
            outcome="done" if number % 2 else "not_done",
            evidence="e" * (40 * number),
        )
        journal.append((record,) * (1 + number % 2), document, now)
        journal.remember({"sample": f"{number}", f"k{number % 4}": "v"}, now)
        documents.add(document)
        facts |= {("sample", f"{number}", now.wall_s), (f"k{number % 4}", "v", now.wall_s)}
    with open_journal(folder) as reader:
        entries = tuple(reader.entries())
    kept = folder.with_name(f"{folder.name}-killed")
    if is_killed:
        shutil.copytree(folder, kept)  # what lies on the disk while it is open
    journal.close()
    lock.release()
    return Written(kept if is_killed else folder, frozenset(documents), frozenset(facts), entries)


@pytest.fixture(scope="module", params=[False, True], ids=["closed", "killed"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    one = _write(tmp_path_factory.mktemp("journal") / "state", is_killed=request.param)
    assert (one.folder / WAL).exists() is request.param
    return one


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, float, float, int]]:
    """Draw what is done to a file: kind, where and how far as shares of it, and a byte."""
    kind = st.sampled_from(("flip", "flip", "flip", "fill", "cut", "swap", "lose", "double"))
    share = st.floats(0.0, 1.0, exclude_max=True)
    return draw(
        st.lists(st.tuples(kind, share, share, st.integers(0, 255)), min_size=1, max_size=3)
    )


PAGE = 4096


def _damage(data: bytes, kind: str, at: float, other: float, byte: int) -> bytes:
    place = int(at * len(data))
    pages = max(1, len(data) // PAGE)
    page, second = int(at * pages) * PAGE, int(other * pages) * PAGE
    match kind:
        case "flip":
            return data[:place] + bytes([data[place] ^ (1 << byte % 8)]) + data[place + 1 :]
        case "fill":
            size = min(int(other * 600) + 1, len(data) - place)
            return data[:place] + bytes([byte]) * size + data[place + size :]
        case "cut":
            return data[:place]
        case "swap":
            first, last = data[page : page + PAGE], data[second : second + PAGE]
            if len(first) != len(last) or page == second:
                return data
            new = bytearray(data)
            new[page : page + PAGE], new[second : second + PAGE] = last, first
            return bytes(new)
        case "lose":  # a page that never reached the disk
            return data[:page] + bytes(PAGE) + data[page + PAGE :]
        case _:  # "double": a page written to the wrong place as well
            new = bytearray(data)
            new[second : second + PAGE] = data[page : page + PAGE]
            return bytes(new)


@fuzz(100)
@given(damage=damages(), is_wal=st.booleans())
def test_damaged_files_are_called_damaged_or_tell_what_once_was_true(
    written: Written,
    tmp_path_factory: pytest.TempPathFactory,
    damage: list[tuple[str, float, float, int]],
    is_wal: bool,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    with _copy_of(written, folder):
        path = folder / (WAL if is_wal and (folder / WAL).exists() else JOURNAL_NAME)
        data = path.read_bytes()
        for kind, at, other, byte in damage:
            data = _damage(data, kind, at, other, byte) if data else data
        path.write_bytes(data)
        _judge(folder, written)


COLUMN_NAMES = tuple(name.strip() for name in COLUMNS.split(","))
CHANGES = (
    "DELETE FROM journal WHERE seq = {a}",
    "DELETE FROM journal WHERE seq >= {a}",
    "DELETE FROM journal",
    "UPDATE journal SET seq = -1 WHERE seq = {a}",
    "UPDATE journal SET {column} = (SELECT {column} FROM journal WHERE seq = {b}) WHERE seq = {a}",
    "UPDATE journal SET {column} = {value} WHERE seq = {a}",
    "INSERT INTO journal SELECT {a} + 100, " + ", ".join(COLUMN_NAMES[1:]) + " FROM journal "
    "WHERE seq = {b}",
    "UPDATE state SET {of_state} = {value}",
    "DELETE FROM state",
    "UPDATE memory SET value = {value}",
    "UPDATE memory SET wall_s = {value}",
    "UPDATE memory SET key = key || 'x'",
    "DROP TABLE memory",
    "DROP TABLE state",
    "ALTER TABLE journal RENAME TO other",
    "PRAGMA user_version = {a}",
)
OF_STATE = ("document", "wall_s", "hash", "head_seq", "head_hash")
VALUES = ("1", "-1", "1.5", "''", "'done'", "x'00ff'", "x''", "'\xe9'", "zeroblob(9)", "9e999")


@fuzz(100)
@given(
    statements=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3),
    a=st.integers(1, 18),
    b=st.integers(1, 18),
    column=st.sampled_from(COLUMN_NAMES),
    of_state=st.sampled_from(OF_STATE),
    value=st.sampled_from(VALUES),
)
def test_changed_records_are_called_so(
    written: Written,
    tmp_path_factory: pytest.TempPathFactory,
    statements: list[str],
    a: int,
    b: int,
    column: str,
    of_state: str,
    value: str,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "changed"
    with _copy_of(written, folder):
        with contextlib.closing(sqlite3.connect(folder / JOURNAL_NAME)) as connection:
            for trigger in ("journal_keeps", "journal_holds"):
                connection.execute(f"DROP TRIGGER {trigger}")
            for one in statements:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute(
                        one.format(a=a, b=b, column=column, of_state=of_state, value=value)
                    )
            connection.commit()
        _judge(folder, written)


@contextlib.contextmanager
def _copy_of(written: Written, folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in (JOURNAL_NAME, WAL):
        if (written.folder / name).exists():
            shutil.copyfile(written.folder / name, folder / name)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _judge(folder: Path, written: Written) -> None:
    """Whatever is told was written once; what was changed is found by whoever checks."""
    with contextlib.suppress(JournalError), open_journal(folder) as reader:
        with contextlib.suppress(JournalError):
            state = reader.state()
            assert state is None or state.document in written.documents
            # None says that nothing was ever told: then there is nothing else either.
            assert state is not None or not reader.entries()
        with contextlib.suppress(JournalError):
            told = {(key, value, at) for key, (value, at) in reader.memory().items()}
            assert told <= written.facts
        entries: tuple[Stored, ...] | None = None
        with contextlib.suppress(JournalError):
            entries = tuple(reader.entries())
            assert all(isinstance(one.wall_s, float) for one in entries)
            assert all(isinstance(one.record.evidence, str) for one in entries)
        with contextlib.suppress(JournalError):
            if reader.verify().problem is None:
                assert entries == written.entries[: len(entries or ())]
    settings = JournalSettings(folder, "boot-2", None, 0)
    lock = StateLock(settings)
    try:
        with contextlib.suppress(JournalError):
            journal = SqliteJournal(settings, lock)
            try:
                with contextlib.suppress(JournalError):
                    document, facts = journal.load()
                    assert document is None or document in written.documents
                    assert document is not None or journal.append((), None, NOW) == 0
                    assert {(key, *fact) for key, fact in facts.items()} <= written.facts
            finally:
                journal.close()
    finally:
        lock.release()
