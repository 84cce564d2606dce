"""The journal on real files: what was written is there after a crash, damage and a full disk."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock, set_aside
from hamnd.errors import JournalError
from hamnd.journal import JOURNAL_NAME, open_journal
from hamnd.model.instant import Instant
from hamnd.model.names import Phase
from hamnd.model.record import Record

NOW = Instant(100.5, 1_281_011_580.25)
MIB = 1_048_576


def settings(folder: Path, reserve_bytes: int = 0) -> JournalSettings:
    return JournalSettings(folder, "boot-1", None, reserve_bytes)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[StateLock]:
    it = StateLock(settings(tmp_path))
    yield it
    it.release()


def record(number: int, evidence: str = "seen") -> Record:
    return Record(
        Phase.RESULT,
        "action_ended",
        actor="root (login anna)",
        digest="5f1c",
        step="promote",
        preview="db2 takeover hadr on database XCATDB",
        exit_code=number,
        outcome="done",
        evidence=evidence,
    )


def test_records_state_and_facts_come_back_after_reopening(tmp_path: Path, lock: StateLock) -> None:
    journal = SqliteJournal(settings(tmp_path), lock)
    assert journal.load() == (None, {})
    assert journal.append((record(1), record(2)), '{"state": "Peer"}', NOW) == 2
    journal.remember({"window": "1281016327", "parity": "{}"}, NOW)
    journal.remember({"window": "1281016400"}, Instant(101.0, NOW.wall_s + 1))
    assert journal.append((record(3),), None, NOW) == 3
    assert journal.append((), '{"state": "Degraded"}', NOW) == 3
    journal.close()

    journal = SqliteJournal(settings(tmp_path), lock)
    document, facts = journal.load()
    assert document == '{"state": "Degraded"}'
    assert facts == {"window": ("1281016400", NOW.wall_s + 1), "parity": ("{}", NOW.wall_s)}
    assert journal.append((record(4),), None, NOW) == 4
    journal.close()
    with open_journal(tmp_path) as reader:
        entries = reader.entries()
        assert [entry.seq for entry in entries] == [1, 2, 3, 4]
        assert entries[0].record == record(1)
        assert (entries[0].wall_s, entries[0].monotonic_s) == (NOW.wall_s, NOW.monotonic_s)
        assert entries[0].boot_id == "boot-1"
        assert reader.verify().problem is None
        assert reader.verify().checked == 4


def test_every_commit_is_synchronous_and_in_wal(tmp_path: Path, lock: StateLock) -> None:
    journal = SqliteJournal(settings(tmp_path), lock)
    execute = journal._connection.execute
    assert execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    journal.close()


def test_files_may_be_read_by_the_group_and_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    old = os.umask(0o000)
    try:
        lock = StateLock(settings(folder))
        journal = SqliteJournal(settings(folder, 2 * MIB), lock)
        journal.append((record(1),), None, NOW)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        journal.close()
        lock.release()
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert modes == dict.fromkeys(
        ("journal.db", "journal.db-wal", "journal.db-shm", "lock", "reserve"), 0o640
    )


def test_the_journal_is_append_only_even_for_sql(tmp_path: Path, lock: StateLock) -> None:
    journal = SqliteJournal(settings(tmp_path), lock)
    journal.append((record(1),), None, NOW)
    for statement in ("UPDATE journal SET outcome = 'done'", "DELETE FROM journal"):
        with pytest.raises(sqlite3.Error, match="append-only"):
            journal._connection.execute(statement)
    journal.close()


def test_strange_and_endless_text_is_kept_in_bounds(tmp_path: Path, lock: StateLock) -> None:
    journal = SqliteJournal(settings(tmp_path), lock)
    journal.append((record(1, "\udcff\0ü" + "x" * 100_000),), None, NOW)
    journal.close()
    SqliteJournal(settings(tmp_path), lock).close()
    with open_journal(tmp_path) as reader:
        evidence = reader.entries()[0].record.evidence
        assert evidence.startswith("?\0ü")
        assert len(evidence) < 20_000
        assert reader.verify().problem is None


def test_a_second_daemon_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from hamnd.adapters.journal import JournalSettings, StateLock\n"
        "try: StateLock(JournalSettings(Path(sys.argv[1]), 'b'))\n"
        "except Exception as error: print(error); sys.exit(3)\n"
    )

    def second() -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", code, str(tmp_path)]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    lock = StateLock(settings(tmp_path))
    refused = second()
    assert refused.returncode == 3, refused.stderr
    assert str(os.getpid()) in refused.stdout
    lock.release()
    assert second().returncode == 0


def damage_file(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : 4096 + 2000] = b"\xee" * 2000
    path.write_bytes(data)


def damage_content(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER journal_keeps")
        connection.execute("UPDATE journal SET outcome = 'not_done' WHERE seq = 2")
        connection.commit()


def cut_the_end(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER journal_holds")
        connection.execute("DELETE FROM journal WHERE seq = 3")
        connection.commit()


def cut_the_middle(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER journal_holds")
        connection.execute("DELETE FROM journal WHERE seq = 2")
        connection.commit()


def change_the_state(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute('UPDATE state SET document = \'{"state": "Active"}\'')
        connection.commit()


def change_a_fact(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE memory SET value = '9999999999'")
        connection.commit()


def no_database(path: Path) -> None:
    path.write_text("this is not a database, not even a short one " * 200)


@pytest.mark.parametrize(
    "damage",
    [
        damage_file,
        damage_content,
        cut_the_end,
        cut_the_middle,
        change_the_state,
        change_a_fact,
        no_database,
    ],
)
def test_damage_is_found_at_the_start_and_led_out_of(
    tmp_path: Path, lock: StateLock, damage: object
) -> None:
    assert callable(damage)
    journal = SqliteJournal(settings(tmp_path), lock)
    journal.append((record(1), record(2), record(3)), '{"state": "Peer"}', NOW)
    journal.remember({"window": "1281016327"}, NOW)
    journal.close()
    path = tmp_path / JOURNAL_NAME
    damage(path)
    content = path.read_bytes()
    with pytest.raises(JournalError, match="hamnctl journal restart --reason"):
        SqliteJournal(settings(tmp_path), lock)

    reason = Record(Phase.DECISION, "journal_set_aside", actor="anna", evidence="disk replaced")
    aside = set_aside(settings(tmp_path), lock, reason, NOW)
    assert aside.read_bytes() == content
    journal = SqliteJournal(settings(tmp_path), lock)
    assert journal.load() == (None, {})
    journal.close()
    with open_journal(tmp_path) as reader:
        first = reader.entries()[0].record
        evidence = json.loads(first.evidence)
        assert (first.what, first.actor) == ("journal_set_aside", "anna")
        assert evidence["reason"] == "disk replaced"
        assert evidence["file"] == aside.name
        assert evidence["sha256"][:12] in aside.name
        assert reader.verify().problem is None


def test_a_whole_journal_can_be_set_aside_too_with_its_wal(tmp_path: Path) -> None:
    left_by_a_crash(tmp_path, 3)
    lock = StateLock(settings(tmp_path))
    aside = set_aside(settings(tmp_path), lock, Record(Phase.DECISION, "journal_set_aside"), NOW)
    assert aside.with_name(aside.name + "-wal").exists()
    with contextlib.closing(sqlite3.connect(aside)) as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (3,)
    with open_journal(tmp_path) as reader:
        assert len(reader.entries()) == 1
    lock.release()


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path, lock: StateLock) -> None:
    SqliteJournal(settings(tmp_path), lock).close()
    with contextlib.closing(sqlite3.connect(tmp_path / JOURNAL_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="newer hamnd"):
        SqliteJournal(settings(tmp_path), lock)


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path, lock: StateLock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be used"):
        StateLock(settings(tmp_path / "file" / "state"))
    (tmp_path / JOURNAL_NAME).mkdir()
    with pytest.raises(JournalError):
        SqliteJournal(settings(tmp_path), lock)


WRITER = """
import os, sys
from pathlib import Path
from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.model.instant import Instant
from hamnd.model.names import Phase
from hamnd.model.record import Record

settings = JournalSettings(Path(sys.argv[1]), "boot-2", None, 0)
lock = StateLock(settings)
journal = SqliteJournal(settings, lock)
limit = int(sys.argv[2])
while True:
    number = journal._head[0]
    now = Instant(float(number), float(number))
    records = tuple(Record(Phase.INTENT, "action_started", evidence="x" * 300) for _ in range(3))
    seq = journal.append(records, '{"n": %d, "pad": "%s"}' % (number, "y" * 5000), now)
    journal.remember({"n": str(number)}, now)
    os.write(1, b"%d\\n" % seq)
    limit -= 1
    if limit == 0:
        os.kill(os.getpid(), 9)
"""


def left_by_a_crash(folder: Path, records: int) -> None:
    assert records % 3 == 0
    argv = [sys.executable, "-c", WRITER, str(folder), str(records // 3)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != -signal.SIGKILL:
        raise AssertionError(done.stderr)


@pytest.mark.lab
def test_killed_at_any_moment_the_chain_is_whole_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    moment = random.Random(7)
    acknowledged = 0
    for _ in range(12):
        argv = [sys.executable, "-c", WRITER, str(tmp_path), "-1"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            line = b""
            for _ in range(moment.randrange(1, 60)):
                line = writer.stdout.readline()
                if not line:
                    raise AssertionError(writer.stderr and writer.stderr.read())
            with contextlib.suppress(ProcessLookupError):
                # Somewhere inside the next transaction, not between two of them.
                subprocess.run(
                    ["sh", "-c", f"sleep 0.00{moment.randrange(10)}; kill -9 {writer.pid}"],
                    check=True,
                )
            rest = writer.stdout.read().split(b"\n")
            lines = [line, *(piece for piece in rest[:-1] if piece)]
            acknowledged = int(lines[-1])
        with open_journal(tmp_path) as reader:
            result = reader.verify()
            assert result.problem is None
            assert acknowledged <= result.checked <= acknowledged + 3
            state = reader.state()
            assert state is not None
            assert json.loads(state.document)["n"] == result.checked - 3
    lock = StateLock(settings(tmp_path))
    SqliteJournal(settings(tmp_path), lock).close()
    lock.release()
    assert not (tmp_path / (JOURNAL_NAME + "-wal")).exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB of our own."""
    folder = tmp_path / "small"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def undo(small_disk: Path) -> Iterator[contextlib.ExitStack]:
    """What must be closed before the file system can go."""
    with contextlib.ExitStack() as stack:
        yield stack


class Thief:
    """Another program that fills the disk, and fills again what is set free."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "flood").open("wb", buffering=0)

    def fill(self) -> None:
        with contextlib.suppress(OSError):
            while self._file.write(b"x" * 4096):
                pass

    def leave(self) -> None:
        if not self._file.closed:
            self._file.truncate(0)
            self._file.close()


@pytest.mark.lab
def test_on_a_full_disk_the_reserve_carries_a_whole_takeover(
    small_disk: Path, undo: contextlib.ExitStack
) -> None:
    kept = settings(small_disk, 3 * MIB)
    lock = StateLock(kept)
    undo.callback(lock.release)
    journal = SqliteJournal(kept, lock)
    undo.callback(journal.close)
    assert journal.reserve_left() == 1.0
    thief = Thief(small_disk)
    undo.callback(thief.leave)
    thief.fill()
    state = json.dumps({"pad": "s" * 10_000})
    for number in range(1, 101):  # more transactions than a takeover has
        assert journal.append((record(number),), state, NOW) == number
        thief.fill()  # whatever was released and not used is gone
    assert journal.reserve_left() == 1.0, "the files' own room carries the first ones"
    journal.remember({"window": "1"}, NOW)
    left: set[float] = set()

    def go_on() -> None:
        for number in range(101, 5000):
            journal.append((record(number, "x" * 10_000),), state, NOW)
            left.add(journal.reserve_left())
            thief.fill()

    with pytest.raises(JournalError, match="reserve is spent"):
        go_on()
    assert journal.reserve_left() == 0.0
    assert len(left) > 3, "it was spent in pieces"
    last = journal._head[0]

    thief.leave()
    assert journal.append((record(0),), None, NOW) == last + 1, "it goes on when space returns"
    assert journal.reserve_left() == 1.0
    journal.close()
    with open_journal(small_disk) as reader:
        assert reader.verify().problem is None
        assert reader.verify().checked == last + 1


@pytest.mark.lab
def test_the_journal_opens_on_a_full_disk(small_disk: Path, undo: contextlib.ExitStack) -> None:
    kept = settings(small_disk, 2 * MIB)
    lock = StateLock(kept)
    undo.callback(lock.release)
    journal = SqliteJournal(kept, lock)
    journal.append((record(1),), "{}", NOW)
    journal.close()
    thief = Thief(small_disk)
    undo.callback(thief.leave)
    thief.fill()
    journal = SqliteJournal(kept, lock)
    undo.callback(journal.close)
    assert journal.append((record(2),), "{}", NOW) == 2
    assert journal.reserve_left() < 1.0


def test_the_reserve_is_blocks_not_a_hole(tmp_path: Path, lock: StateLock) -> None:
    kept = settings(tmp_path, 5 * MIB)
    journal = SqliteJournal(kept, lock)
    reserve = tmp_path / "reserve"
    assert reserve.stat().st_size == 5 * MIB
    assert reserve.stat().st_blocks * 512 >= 5 * MIB
    journal.close()


@pytest.mark.lab
def test_a_small_disk_gets_a_small_reserve(small_disk: Path, undo: contextlib.ExitStack) -> None:
    kept = settings(small_disk, 64 * MIB)
    lock = StateLock(kept)
    undo.callback(lock.release)
    journal = SqliteJournal(kept, lock)
    undo.callback(journal.close)
    assert 0.0 < journal.reserve_left() < 0.1
    disk = os.statvfs(small_disk)
    assert disk.f_bavail * disk.f_frsize >= 3 * MIB
