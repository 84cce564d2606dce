"""A journal as old as the cluster: it opens, tells and reports in time and in little memory.

Owns a journal of a million records (HAMND_RECORDS in `make test`: 20,000), written with its
chain as the daemon writes it, and what its readers cost in processes of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.journal import COLUMNS, GENESIS, JOURNAL_NAME, Stored, chain_hash
from hamnd.model.instant import Instant
from hamnd.model.names import Phase
from hamnd.model.record import Record

RECORDS = int(os.environ.get("HAMND_RECORDS", "20000"))
YEAR_S = 365.25 * 86_400.0
DIGEST = "5f1c-0001"
RUN_AT = RECORDS // 2
"""In the middle of its life there was a takeover."""

OPEN_MAX_S = 5.0 + RECORDS / 100_000
"""A sixth of what the unit waits for its start (TimeoutStartSec) with a million."""
MEMORY_MAX_MIB = 48.0
"""More than what the same process has with an empty journal."""

MEASURED = """
import json, sys, time
from pathlib import Path
{imports}
began = time.perf_counter()
def kib():
    text = Path("/proc/self/status").read_text()  # getrusage would tell our parent's too
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))
before = kib()
{what}
print(json.dumps({{"s": time.perf_counter() - began, "mib": (kib() - before) / 1024}}))
"""
OPENS = (
    "from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock",
    """
settings = JournalSettings(Path(sys.argv[1]), "boot-2", None, 0)
journal = SqliteJournal(settings, StateLock(settings))
assert journal.load()[0]
""",
)
TELLS = (
    "from hamnd.journal import open_journal",
    """
with open_journal(sys.argv[1]) as journal:
    assert journal.state().document
    assert len(journal.entries(last=200)) == 200
""",
)
VERIFIES = (
    "from hamnd.journal import open_journal",
    """
with open_journal(sys.argv[1]) as journal:
    assert journal.verify().problem is None
""",
)
REPORTS = (
    "from hamnd.daemon.paperwork import write_report",
    f"""
assert write_report(Path(sys.argv[1]), "{DIGEST}")
""",
)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old") / "state"
    settings = JournalSettings(folder, "boot-1", None, 0)
    lock = StateLock(settings)
    SqliteJournal(settings, lock).close()
    with contextlib.closing(sqlite3.connect(folder / JOURNAL_NAME)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executemany(
            f"INSERT INTO journal ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", _rows()
        )
        last = connection.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")
        connection.execute("UPDATE state SET head_seq = ?, head_hash = ?", last.fetchone())
        connection.commit()
    journal = SqliteJournal(settings, lock)
    journal.append((), '{"state": "Peer"}', Instant(1.0, 2e9))
    journal.close()
    lock.release()
    return folder


def _rows() -> Iterator[tuple[object, ...]]:
    previous = GENESIS
    for seq in range(1, RECORDS + 1):
        record = _record(seq)
        wall_s = 1e9 + seq * (10 * YEAR_S / RECORDS)
        entry = Stored(seq, wall_s, float(seq), "boot-1", record, "")
        previous = chain_hash(previous, entry)
        yield (
            *(seq, wall_s, float(seq), "boot-1", str(record.phase), record.what, record.actor),
            *(record.digest, record.step, record.preview, record.exit_code, record.outcome),
            *(record.evidence, previous),
        )


def _record(seq: int) -> Record:
    if seq == RUN_AT:
        told = json.dumps({"kind": "takeover", "variant": "graceful"})
        return Record(Phase.DECISION, "plan_confirmed", "anna", DIGEST, evidence=told)
    if RUN_AT < seq < RUN_AT + 40:
        return Record(Phase.RESULT, "step_finished", "anna", DIGEST, f"step{seq}", outcome="done")
    if seq == RUN_AT + 40:
        return Record(Phase.DECISION, "run_finished", "anna", DIGEST, outcome="done")
    if seq % 1000 == 0:
        told = json.dumps({"from": "Peer", "to": "Degraded", "row": "T01", "because": "files"})
        return Record(Phase.DECISION, "state_changed", evidence=told)
    told = json.dumps({"sentence": "12 files came, 3 MiB, in 4 s", "set": "install"})
    return Record(Phase.RESULT, "copy_finished", "hamnd", outcome="done", evidence=told)


def _measured(folder: Path, what: tuple[str, str]) -> dict[str, float]:
    code = MEASURED.format(imports=what[0], what=what[1])
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "what",
    [OPENS, TELLS, REPORTS, VERIFIES],
    ids=["hamnd opens it", "hamnctl tells of it", "a report is written", "it is verified"],
)
def test_ten_years_of_records_cost_little(old: Path, what: tuple[str, str]) -> None:
    cost = _measured(old, what)
    sys.stdout.write(f"\n{RECORDS} records: {cost['s']:.1f} s, {cost['mib']:.0f} MiB\n")
    assert cost["mib"] < MEMORY_MAX_MIB, cost
    if what is not VERIFIES:
        assert cost["s"] < OPEN_MAX_S, cost
