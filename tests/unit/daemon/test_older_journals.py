"""A journal that an older hamnd left in the middle of a takeover is read by this one.

Owns the specimens in tests/samples/journal, one for each version whose documents differ: dumps of
what test_lab_upgrade's paused takeover left (`sqlite3 journal.db .dump`, the version before it).
They are never written anew: a journal on a customer's disk is not either.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.core.snapshot import dump, restore
from hamnd.journal import JOURNAL_NAME, open_journal
from hamnd.model.instant import Instant
from hamnd.model.names import Outcome, Phase, RunStatus, State
from hamnd.model.record import Record

FOLDER = Path(__file__).parents[2] / "samples" / "journal"
NOW = Instant(5.0, 1_796_000_000.0)


@pytest.fixture(params=sorted(FOLDER.glob("*.sql")), ids=lambda path: str(path.stem))
def state_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A state directory with one specimen as its journal."""
    with closing(sqlite3.connect(tmp_path / JOURNAL_NAME)) as connection:
        connection.executescript(request.param.read_text())
    return tmp_path


def test_its_run_is_found_as_it_was_left_and_the_chain_goes_on(state_dir: Path) -> None:
    """Given a run that was paused at dns, then it is, what was done is done, and the new hamnd's
    first record is chained to the old one's last."""
    lock = StateLock(JournalSettings(state_dir, "boot-2", None, 0))
    journal = SqliteJournal(JournalSettings(state_dir, "boot-2", None, 0), lock)
    try:
        text, memory = journal.load()
        assert text is not None
        state = restore(text, memory)
        assert state.state is State.TAKING_OVER
        assert state.run is not None
        assert (state.run.status, state.run.paused_step) == (RunStatus.PAUSED, "dns")
        assert state.run.steps["promote"].outcome is Outcome.DONE
        assert state.run.steps["dns"].outcome is Outcome.NOT_DONE
        assert restore(dump(state), memory) == state
        before = len(open_and_verify(state_dir))
        journal.append((Record(Phase.DECISION, "started"),), dump(state), NOW)
        assert len(open_and_verify(state_dir)) == before + 1
    finally:
        journal.close()
        lock.release()


def open_and_verify(state_dir: Path) -> list[object]:
    with open_journal(state_dir) as reader:
        assert reader.verify().problem is None
        return list(reader.entries())


def test_hamnctl_reads_it_without_a_daemon(state_dir: Path) -> None:
    argv = ("--socket", str(state_dir / "none.sock"), "--state-dir", str(state_dir), "status")
    done = subprocess.run(
        [sys.executable, "-m", "hamnd.cli.main", *argv], capture_output=True, text=True, check=False
    )
    assert "PAUSED at dns" in done.stdout, done.stdout + done.stderr
