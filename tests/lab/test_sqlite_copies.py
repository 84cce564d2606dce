"""Copies of real SQLite tables: taken, torn, damaged, shrunk, switched in; with real programs.

Both nodes are folders of this machine: `ssh` runs the line here. What two hosts add is told by
tests/lab/test_lab_sqlite.py.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.files import LocalFiles
from hamnd.adapters.process import LocalRunner
from hamnd.adapters.world import Adapters, RoutingWorld
from hamnd.dialects.copies import commands as store
from hamnd.dialects.copies.status import parse_store, parse_told
from hamnd.dialects.readers import read_action, read_look
from hamnd.dialects.sqlite import commands
from hamnd.model.copies import Store
from hamnd.model.names import Verdict
from hamnd.model.site import Node, Paths, Platform, Site, SqliteSite, SshSite
from hamnd.model.work import Action, Look, Looked, Reading, Report

pytestmark = pytest.mark.lab

SSH = '#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n'
TABLES = ("site", "nodelist", "mac")


class Pair:
    """A primary's tables and a standby's store, each in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.live = folder / "primary" / "etc" / "xcat"
        self.here = folder / "standby" / "etc" / "xcat"
        self.bin = folder / "bin"
        for one in (self.live, self.here, self.bin):
            one.mkdir(parents=True)
        self.program("ssh", SSH)
        self.tools: dict[str, str] = {"ssh": str(self.bin / "ssh"), "python3": sys.executable}
        self.copies = SqliteSite()
        for name in TABLES:
            self.sql(name, "CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT)")
            self.sql(name, "INSERT INTO t VALUES (1, 'one')")

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def sql(
        self, table: str, statement: str, where: Path | None = None
    ) -> list[tuple[object, ...]]:
        path = (where or self.live) / f"{table}.sqlite"
        with closing(sqlite3.connect(path)) as one, one:
            return one.execute(statement).fetchall()

    def site(self, node: str) -> Site:
        directory = self.live if node == "mn1" else self.here
        return Site(
            cluster="lab",
            node=node,
            platform=Platform.LINUX,
            primary=Node("mn1", "127.0.0.1"),
            standby=Node("mn2", "127.0.0.2"),
            identity=(),
            gateway="127.0.0.3",
            engine="sqlite",
            sqlite=replace(self.copies, directory=str(directory)),
            ssh=SshSite(user="root"),
            tools=self.tools,
            paths=Paths(state_dir=str(self.folder / "standby" / "state")),
        )

    def _world(self) -> RoutingWorld:
        clock = SystemClock()
        path = f"{self.bin}:{os.environ['PATH']}"
        runner = LocalRunner(clock, path, "root")
        files = LocalFiles(clock)
        runners = {"mn1": runner, "mn2": runner}
        return RoutingWorld("mn2", Adapters(runners, None, files), clock)  # type: ignore[arg-type]

    def do(self, action: Action, limit_s: float = 30.0) -> Reading:
        report = asyncio.run(self._world().perform(action, limit_s))
        return read_action(action, report)

    def see(self, look: Look) -> tuple[Reading, Report]:
        report = asyncio.run(self._world().look(look))
        return read_look(Looked(look, report)), report

    # What the engine does, with the primary's folder where the line runs on the primary.

    def copy(self) -> Reading:
        far = replace(self.site("mn2"), sqlite=replace(self.copies, directory=str(self.live)))
        return self.do(commands.take_copy(far))

    def store(self) -> Store:
        reading, report = self.see(store.status(self.site("mn2"), str(self.here)))
        parsed = parse_store(report)
        assert parsed is not None, reading.sentence
        return parsed

    def take_over(self) -> Reading:
        site = self.site("mn2")
        for action in (commands.stage(site, "primary"), commands.switch(site)):
            reading = self.do(action)
            if reading.verdict is not Verdict.PASS:
                return reading
        return self.see(commands.is_live(site, "mn2", "primary"))[0]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def use_program(pair: Pair) -> None:
    """The primary has only the program sqlite3."""
    refuses = '[ "$*" != "-I -c import sqlite3" ] || exit 1'
    script = f'#!/bin/sh\n{refuses}\nexec {sys.executable} "$@"\n'
    pair.program("python3", script)
    pair.tools["python3"] = str(pair.bin / "python3")


@pytest.fixture(params=["python3", "sqlite3"])
def either(pair: Pair, request: pytest.FixtureRequest) -> Pair:
    if request.param == "sqlite3":
        use_program(pair)
    return pair


def test_a_copy_is_what_the_primary_had(either: Pair) -> None:
    reading = either.copy()
    assert (reading.verdict, reading.sentence[:28]) == (
        Verdict.PASS,
        "copy 1: 3 tables, 24576 byte",
    ), reading.sentence
    copy = either.store().copy
    assert copy is not None
    assert copy.items == ("mac.sqlite", "nodelist.sqlite", "site.sqlite")
    assert copy.is_of_one_moment
    kept = either.folder / "standby/state/sqlite/gen/1"
    assert either.sql("mac", "SELECT * FROM t", kept) == [(1, "one")]
    assert stat.S_IMODE((kept / "mac.sqlite").stat().st_mode) == 0o600
    assert not list((either.folder / "standby/state/sqlite").glob("*going.*"))


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_copies_taken_under_writes_are_whole_and_of_one_moment(pair: Pair, mode: str) -> None:
    """A writer numbers its transactions in two tables, one after the other: the second is never
    ahead of the first by more than the one that is under way. A copy of which that cannot be said
    says so: in WAL mode nobody holds a writer up."""
    count = 0
    ended = threading.Event()
    for number in range(60):
        # Between the two by name: time to write while the set is opened.
        pair.sql(f"n{number:02}", "CREATE TABLE t (n)")
    for path in pair.live.glob("*.sqlite"):
        pair.sql(path.stem, f"PRAGMA journal_mode = {mode}")

    def write() -> None:
        number = 2
        with (
            closing(sqlite3.connect(pair.live / "mac.sqlite", timeout=30)) as one,
            closing(sqlite3.connect(pair.live / "nodelist.sqlite", timeout=30)) as two,
        ):
            while not ended.is_set():
                for table in (one, two):
                    table.execute("INSERT INTO t VALUES (?, 'x')", (number,))
                    table.commit()
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(1, 6):
            reading = pair.copy()
            assert reading.verdict is Verdict.PASS, reading.sentence
            kept = pair.folder / f"standby/state/sqlite/gen/{number}"
            (first,), (second,) = (
                pair.sql(name, "SELECT max(n) FROM t", kept)[0] for name in ("mac", "nodelist")
            )
            assert isinstance(first, int)
            assert isinstance(second, int)
            copy = pair.store().copy
            assert copy is not None
            if copy.is_of_one_moment:
                count += 1
                assert 0 <= first - second <= 1, number
    finally:
        ended.set()
        writer.join()
    assert mode == "wal" or count == 5
    assert pair.copy().verdict is Verdict.PASS
    copy = pair.store().copy
    assert copy is not None
    assert copy.is_of_one_moment, "nobody writes any more"


def test_a_plan_and_a_schedule_that_pull_at_once_do_it_one_after_the_other(pair: Pair) -> None:
    """Rejoin takes a first copy while the standby's own hamnd may take one, too."""
    with ThreadPoolExecutor() as pool:
        ended = [one.result() for one in [pool.submit(pair.copy) for _ in range(3)]]
    assert [one.verdict for one in ended] == [Verdict.PASS] * 3, ended
    found = pair.store()
    assert found.copy is not None
    assert (found.copy.number, found.count) == (3, 3)


def test_without_either_program_the_primary_is_told_what_to_install(pair: Pair) -> None:
    use_program(pair)
    pair.tools["sqlite3"] = "sqlite3-not-there"
    reading = pair.copy()
    assert reading.verdict is Verdict.BLOCK
    assert "neither python3" in reading.sentence
    assert "install one of them" in reading.sentence
    assert pair.store().copy is None


def test_a_torn_transfer_is_never_used_the_last_good_copy_is(pair: Pair) -> None:
    assert pair.copy().verdict is Verdict.PASS
    pair.sql("mac", "INSERT INTO t VALUES (2, 'two')")
    for size in (100, 512, 9000, 20_000, 26_700):
        pair.program("ssh", f'#!/bin/sh\nfor last; do :; done\nsh -c "$last" | head -c {size}\n')
        reading = pair.copy()
        assert reading.verdict is Verdict.BLOCK, size
        assert "torn on the way" in reading.sentence, (size, reading.sentence)
        assert pair.store().count == 1
    assert pair.take_over().verdict is Verdict.PASS
    assert pair.sql("mac", "SELECT * FROM t", pair.here) == [(1, "one")]


def test_a_table_damaged_on_the_primary_is_named_and_the_older_copy_kept(pair: Pair) -> None:
    assert pair.copy().verdict is Verdict.PASS
    pair.sql("mac", "INSERT INTO t VALUES (10, hex(randomblob(9000)))")
    path = pair.live / "mac.sqlite"
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)
    reading = pair.copy()
    assert reading.verdict is Verdict.BLOCK
    assert reading.sentence.startswith("mac.sqlite is damaged, on the primary too: integrity_check")
    found = pair.store()
    assert found.copy is not None
    assert (found.copy.number, found.count) == (1, 1)


def test_a_copy_that_rots_here_is_not_used_any_more(pair: Pair) -> None:
    assert pair.copy().verdict is Verdict.PASS
    assert pair.copy().verdict is Verdict.PASS
    rotten = pair.folder / "standby/state/sqlite/gen/2/site.sqlite"
    data = bytearray(rotten.read_bytes())
    data[5000] ^= 1
    rotten.write_bytes(data)
    found = pair.store()
    assert found.copy is not None
    assert found.copy.number == 1
    assert found.damaged == ("copy 2: site.sqlite is not what was verified",)
    assert pair.take_over().verdict is Verdict.PASS
    assert pair.store().role_words.startswith("primary copy 1 taken ")


def rot(pair: Pair, number: int, table: str) -> None:
    rotten = pair.folder / f"standby/state/sqlite/gen/{number}/{table}.sqlite"
    data = bytearray(rotten.read_bytes())
    data[len(data) // 2] ^= 1
    rotten.write_bytes(data)


def make_large(pair: Pair) -> None:
    """So large that a status does not read it whole."""
    pair.sql(
        "mac", "INSERT INTO t SELECT 10 + value, hex(randomblob(9000000)) FROM (SELECT 1 AS value)"
    )
    assert (pair.live / "mac.sqlite").stat().st_size > store.WHOLE_BYTES_MAX


def test_a_large_copy_that_rots_here_is_no_reason_to_switch_an_older_one_in(pair: Pair) -> None:
    """The status counts on copy 2; what is whole is copy 1, which loses more than was said. Nothing
    is switched in before the status says so."""
    make_large(pair)
    assert pair.copy().verdict is Verdict.PASS
    assert pair.copy().verdict is Verdict.PASS
    rot(pair, 2, "mac")
    ready = store.ready(pair.site("mn2"), str(pair.here))
    found = pair.store().copy
    assert found is not None
    assert found.number == 2, "only then this story tells something"
    refused = pair.see(ready)[0]
    assert refused.verdict is Verdict.BLOCK
    assert "copy 2: mac.sqlite is not what was verified, and the loss" in refused.sentence
    reading = pair.take_over()
    assert reading.verdict is Verdict.BLOCK
    assert "it was set aside, and nothing else was changed" in reading.sentence
    assert not list(pair.here.glob("*.sqlite"))
    seen = pair.store()
    assert seen.copy is not None
    assert (seen.copy.number, seen.damaged[0][:7]) == (1, "copy 2:")
    assert pair.see(ready)[0].verdict is Verdict.PASS
    assert pair.take_over().verdict is Verdict.PASS
    assert pair.store().role_words.startswith("primary copy 1 taken ")


def test_the_next_pull_finds_a_large_copy_that_rotted_although_it_brings_none(pair: Pair) -> None:
    make_large(pair)
    assert pair.copy().verdict is Verdict.PASS
    assert pair.copy().verdict is Verdict.PASS
    rot(pair, 2, "mac")
    pair.program("ssh", "#!/bin/sh\nexit 255\n")
    assert pair.copy().verdict is not Verdict.PASS
    seen = pair.store()
    assert seen.copy is not None
    assert seen.copy.number == 1
    pair.program("ssh", SSH)
    assert pair.copy().sentence.startswith("copy 3: ")
    assert sorted(os.listdir(pair.folder / "standby/state/sqlite/gen")) == ["1", "3"]


def test_a_set_that_shrank_is_not_taken_and_one_that_changed_is_told(pair: Pair) -> None:
    assert pair.copy().verdict is Verdict.PASS
    (pair.live / "mac.sqlite").unlink()
    assert pair.copy().verdict is Verdict.PASS
    copy = pair.store().copy
    assert copy is not None
    assert copy.gone == ("mac.sqlite",)
    (pair.live / "site.sqlite").unlink()
    pair.copies = replace(pair.copies, shrink_min=0.6)
    reading = pair.copy()
    assert reading.verdict is Verdict.BLOCK
    assert "it shrank from 16384 to 8192 bytes" in reading.sentence
    (pair.live / "nodelist.sqlite").unlink()
    reading = pair.copy()
    assert "no *.sqlite tables in" in reading.sentence


def test_only_so_many_copies_are_kept(pair: Pair) -> None:
    pair.copies = replace(pair.copies, keep=2)
    for _ in range(4):
        assert pair.copy().verdict is Verdict.PASS
    assert sorted(os.listdir(pair.folder / "standby/state/sqlite/gen")) == ["3", "4"]


def test_the_switch_keeps_what_was_there_and_everything_that_is_no_table(pair: Pair) -> None:
    (pair.here / "cert").mkdir()
    (pair.here / "cert" / "ca.pem").write_text("ours")
    pair.sql("old", "CREATE TABLE t (n)", pair.here)
    pair.sql("mac", "CREATE TABLE stale (n)", pair.here)
    (pair.here / "mac.sqlite").chmod(0o640)
    assert pair.copy().verdict is Verdict.PASS
    reading = pair.take_over()
    assert reading.verdict is Verdict.PASS, reading.sentence
    assert (pair.here / "cert" / "ca.pem").read_text() == "ours"
    names = sorted(path.name for path in pair.here.glob("*.sqlite"))
    assert names == ["mac.sqlite", "nodelist.sqlite", "site.sqlite"]
    assert stat.S_IMODE((pair.here / "mac.sqlite").stat().st_mode) == 0o640
    assert stat.S_IMODE((pair.here / "site.sqlite").stat().st_mode) == 0o600
    previous = pair.here.parent / ".hamnd" / "old" / "xcat"
    assert pair.sql("mac", "SELECT name FROM sqlite_master", previous) == [("stale",)]
    assert (previous / "old.sqlite").exists()


def test_nothing_changes_when_the_disk_of_the_switch_refuses(pair: Pair) -> None:
    pair.sql("mac", "CREATE TABLE stale (n)", pair.here)
    assert pair.copy().verdict is Verdict.PASS
    hidden = pair.here.parent / ".hamnd"
    hidden.write_text("a file is in the way")
    reading = pair.take_over()
    assert reading.verdict is Verdict.BLOCK
    assert "nothing was changed" in reading.sentence
    assert pair.sql("mac", "SELECT name FROM sqlite_master", pair.here) == [("stale",)]
    assert pair.store().role == ""


def test_the_primarys_word_tells_its_tables_and_when_they_were_written(pair: Pair) -> None:
    far = replace(pair.site("mn2"), sqlite=replace(pair.copies, directory=str(pair.live)))
    _, report = pair.see(commands.look(far, "mn1"))
    told = parse_told(report)
    assert told is not None
    assert [one.name for one in told.live] == ["mac.sqlite", "nodelist.sqlite", "site.sqlite"]
    os.utime(pair.live / "mac.sqlite", (1, 1))
    _, report = pair.see(commands.look(far, "mn1"))
    told = parse_told(report)
    assert told is not None
    assert all(abs(one.changed_at - told.now) < 60 for one in told.live), "no utime hides a write"


def test_a_node_with_a_copy_that_rotted_is_understood_and_tells_the_one_before(pair: Pair) -> None:
    """As a primary it keeps what was set aside while it was a standby: nothing is pulled any more.
    Not understood, its tables would count as failing, and a whole primary as down."""
    pair.copy()
    pair.copy()
    generations = pair.folder / "standby/state/sqlite/gen"
    (generations / "2").rename(generations / "2.damaged")
    far = replace(pair.site("mn2"), sqlite=replace(pair.copies, directory=str(pair.live)))
    _, report = pair.see(commands.look(far, "mn1"))
    told = parse_told(report)
    assert told is not None
    assert told.copy is not None
    assert told.copy.number == 1


def test_what_is_preserved_stays_and_the_next_one_gets_a_number(pair: Pair) -> None:
    site = pair.site("mn2")
    kept = pair.folder / "standby/state/sqlite/kept/copy-7"
    keep, is_kept = commands.keep(site, "mn2", "copy-7"), commands.is_kept(site, "mn2", "copy-7")
    pair.sql("mac", "CREATE TABLE ours (n)", pair.here)
    assert pair.see(is_kept)[0].verdict is Verdict.BLOCK
    assert pair.do(keep).verdict is Verdict.PASS
    assert pair.do(keep).sentence.endswith("already")
    pair.sql("mac", "CREATE TABLE later (n)", pair.here)
    assert pair.see(is_kept)[0].verdict is Verdict.BLOCK, "that is not what is there now"
    assert pair.do(keep).sentence == f"its tables are kept in {kept}.2"
    assert pair.see(is_kept)[0].sentence == f"its tables are kept in {kept}.2"
    names = "SELECT name FROM sqlite_master"
    assert pair.sql("mac", names, kept) == [("ours",)]
    assert pair.sql("mac", names, kept.with_name("copy-7.2")) == [("ours",), ("later",)]


def test_what_a_crash_left_beside_a_table_is_kept_with_it(pair: Pair) -> None:
    """A write-ahead log that was not written back yet is part of the table."""
    with closing(sqlite3.connect(pair.here / "mac.sqlite")) as one:
        one.execute("PRAGMA journal_mode = WAL")
        one.execute("CREATE TABLE t (n)")
        one.execute("INSERT INTO t VALUES (7)")
        one.commit()
        assert pair.do(commands.keep(pair.site("mn2"), "mn2", "x")).verdict is Verdict.PASS
    assert pair.sql("mac", "SELECT n FROM t", pair.folder / "standby/state/sqlite/kept/x") == [(7,)]


def test_a_node_becomes_standby_whether_anything_is_kept_or_not(pair: Pair) -> None:
    site = pair.site("mn1")
    assert pair.see(commands.is_demoted(site, "mn1"))[0].verdict is Verdict.BLOCK
    assert pair.do(commands.demote(site, "mn1")).verdict is Verdict.PASS
    assert pair.see(commands.is_demoted(site, "mn1"))[0].verdict is Verdict.PASS
    _, report = pair.see(commands.look(site, "mn1"))
    told = parse_told(report)
    assert told is not None
    assert told.role == "standby"
