"""Reading the journal without the daemon, also one that a dead daemon left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.errors import JournalError
from hamnd.journal import GENESIS, JOURNAL_NAME, Stored, chain_hash, open_journal
from hamnd.model.instant import Instant
from hamnd.model.names import Phase
from hamnd.model.record import Record

NOW = Instant(1.0, 2.0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    settings = JournalSettings(tmp_path, "boot-1", None, 0)
    lock = StateLock(settings)
    it = SqliteJournal(settings, lock)
    yield it
    it.close()
    lock.release()


def test_without_a_journal_the_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        open_journal(tmp_path)


def test_it_reads_beside_the_daemon_and_after_it(tmp_path: Path, journal: SqliteJournal) -> None:
    journal.append((Record(Phase.INTENT, "action_started", digest="abc"),), "{}", NOW)
    with open_journal(tmp_path) as reader:  # the daemon has it open
        assert reader.state() is not None
        journal.append((Record(Phase.RESULT, "action_ended", digest="def"),), '{"a": 1}', NOW)
        state = reader.state()
        assert state is not None
        assert (state.document, state.wall_s) == ('{"a": 1}', 2.0)
    journal.remember({"window": "12"}, NOW)
    journal.close()
    assert not (tmp_path / (JOURNAL_NAME + "-wal")).exists()
    names = {path.name for path in tmp_path.iterdir()}
    with open_journal(tmp_path) as reader:
        assert reader.memory() == {"window": ("12", 2.0)}
        assert {path.name for path in tmp_path.iterdir()} == names, "a reader leaves no traces"


def test_entries_are_the_last_ones_filtered_by_plan(tmp_path: Path, journal: SqliteJournal) -> None:
    for number in range(6):
        digest = "aaa111" if number % 2 else "bbb222"
        journal.append((Record(Phase.LOOK, "looked", digest=digest),), None, NOW)
    with open_journal(tmp_path) as reader:
        assert [entry.seq for entry in reader.entries()] == [1, 2, 3, 4, 5, 6]
        assert [entry.seq for entry in reader.entries(last=2)] == [5, 6]
        assert [entry.seq for entry in reader.entries(digest="aaa111")] == [2, 4, 6]
        assert [entry.seq for entry in reader.entries(last=1, digest="bbb")] == [5]
        assert reader.entries(digest="%") == []
        assert reader.state() is None


def test_a_file_that_is_no_journal_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).write_text("not a database at all, but long enough " * 100)
    with pytest.raises(JournalError, match="hamnctl journal restart"):
        open_journal(tmp_path)
    (tmp_path / JOURNAL_NAME).write_bytes(b"")
    with pytest.raises(JournalError):
        open_journal(tmp_path)


CRASH = """
import os, sys
from pathlib import Path
from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.model.instant import Instant
from hamnd.model.names import Phase
from hamnd.model.record import Record
settings = JournalSettings(Path(sys.argv[1]), "b", None, 0)
journal = SqliteJournal(settings, StateLock(settings))
journal.append((Record(Phase.LOOK, "looked"),) * 5, "{}", Instant(1.0, 2.0))
os.kill(os.getpid(), 9)
"""

READ_AS_NOBODY = """
import os, sys, tempfile
from hamnd.journal import open_journal  # the interpreter itself may be closed to others
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(65534)
with open_journal(sys.argv[1]) as reader:
    print(len(reader.entries()), reader.verify().problem)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize("has_index", [True, False])
def test_an_operator_reads_what_a_killed_daemon_left(has_index: bool) -> None:
    """Group members may read and not write, neither the files nor the folder."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="hamnd-journal-"))  # pytest's own folders are closed
    try:
        subprocess.run([sys.executable, "-c", CRASH, str(folder)], check=False, timeout=60)
        assert (folder / (JOURNAL_NAME + "-wal")).exists()
        if not has_index:
            (folder / (JOURNAL_NAME + "-shm")).unlink()
        for path in (folder, *folder.iterdir()):
            os.chown(path, 0, 54321)
        argv = [sys.executable, "-c", READ_AS_NOBODY, str(folder)]
        done = subprocess.run(
            [*argv, "54321"], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stdout == "5 None\n", done.stderr
        denied = subprocess.run(
            [*argv, "54322"], capture_output=True, text=True, check=False, timeout=60
        )
        assert "may not be read by you" in denied.stderr
    finally:
        shutil.rmtree(folder)


@given(
    st.builds(
        Stored,
        seq=st.integers(1, 10),
        wall_s=st.floats(0, 1e10),
        monotonic_s=st.floats(0, 1e10),
        boot_id=st.text(),
        record=st.builds(Record, phase=st.sampled_from(Phase), what=st.text(), evidence=st.text()),
        hash=st.just(""),
    )
)
def test_the_chain_depends_on_every_value(entry: Stored) -> None:
    honest = chain_hash(GENESIS, entry)
    changes = (
        replace(entry, seq=entry.seq + 1),
        replace(entry, wall_s=entry.wall_s + 1.0),
        replace(entry, boot_id=entry.boot_id + "x"),
        replace(entry, record=replace(entry.record, outcome="done")),
        replace(entry, record=replace(entry.record, exit_code=0)),
        # The border between two texts counts as well.
        replace(entry, record=replace(entry.record, step=entry.record.evidence, evidence="y")),
    )
    assert all(chain_hash(GENESIS, changed) != honest for changed in changes)
    assert chain_hash(honest, entry) != honest


def test_importing_it_is_cheap() -> None:
    """hamnctl status has 150 ms in all."""
    code = (
        "import sys; import hamnd.journal\n"
        "heavy = {'asyncio', 'structlog', 'aiohttp', 'asyncssh', 'transitions', 'tempfile'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
