"""The whole life of a pair that copies, by its engine's steps: set up, switched over, rejoined.

Owns that story for SQLite, for dumps and for a shared disk. The steps are carried out directly, as
a run would; hamnd itself does not run. What only the old primary had is kept, and named.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hamnd.core.plans.rejoin import rejoin_steps
from hamnd.core.replication import (
    PartnerDatabase,
    Promotion,
    Rejoin,
    Setup,
    Switchover,
    Takeover,
    Way,
)
from hamnd.core.replication.registry import engine_of
from hamnd.model.names import Verdict
from tests.lab.site import xcat
from tests.lab.site.disk_pair import DiskPair, loop_device
from tests.lab.site.dump_pair import DumpPair
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab
from tests.lab.site.sqlite_pair import SqlitePair
from tests.lab.site.stepping import carry_out, take_looks, terms_of

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    needs_lab("crontab", "sqlite3", "postgres", "losetup", "mkfs.ext4", *xcat.PROGRAMS),
]

ACCEPTED = Promotion("accepted-force", Verdict.PASS, "accepted")
COPIED = ["sqlite", "dump"]


def make(lab: Lab, engine: str) -> SqlitePair | DumpPair:
    site = SqlitePair(lab) if engine == "sqlite" else DumpPair(lab)
    site.configure("mn2")
    return site


def steps(site: SqlitePair | DumpPair | DiskPair, task: object, node: str = "mn2") -> list[str]:
    """Carry the steps of a task out from a node; return their ids. `fuse` is the platform's."""
    here = site.lab[node]
    terms = terms_of(here)
    planned = engine_of(terms).steps(terms, task)  # type: ignore[arg-type]  # any of the tasks
    done = carry_out(here, planned)
    assert {one.outcome for one in done} <= {"done", "already"}
    return [one.id for one in done]


def insert(site: SqlitePair | DumpPair, node: str, number: int) -> None:
    if isinstance(site, SqlitePair):
        site.lab[node].run(
            "sqlite3", "/etc/xcat/lab_rows.sqlite", f"INSERT INTO lab_rows VALUES ({number})"
        )
        return
    server = site.first if node == "mn1" else site.second
    server.sql(f"INSERT INTO lab_rows VALUES ({number})")


def rows(site: SqlitePair | DumpPair, node: str) -> set[int]:
    if isinstance(site, SqlitePair):
        return site.rows(node)
    return (site.first if node == "mn1" else site.second).rows()


@pytest.mark.parametrize("engine", COPIED)
def test_set_up_and_switched_over_nothing_is_lost(lab: Lab, engine: str) -> None:
    """Given a pair that is set up, when it is switched over, then what was written until xcatd
    ended is on the other node, the old primary serves no more, and has a copy of its own."""
    site = make(lab, engine)
    insert(site, "mn1", 1)
    assert steps(site, Setup())[-1] == "replicate"
    insert(site, "mn1", 2)
    assert steps(site, Switchover()) == ["quiesce", "promote", "hand-over", "replicate"]
    assert {1, 2} <= rows(site, "mn2")
    assert lab["mn1"].ask("systemctl", "is-active", "xcatd").code != 0
    insert(site, "mn2", 3)


@pytest.mark.parametrize("engine", COPIED)
def test_the_second_drill_goes_as_the_first_one_did(lab: Lab, engine: str) -> None:
    """Given a pair that was switched over and back, when that is done once more, then every write
    went along, and what was taken aside the first time is still there."""
    site = make(lab, engine)
    site.configure("mn1")
    insert(site, "mn1", 1)
    steps(site, Setup())
    for number, (node, here) in enumerate([("mn2", "mn1"), ("mn1", "mn2")] * 2, 2):
        lab[here].run("systemctl", "start", "xcatd")
        assert steps(site, Switchover(), node)[-1] == "replicate"
        insert(site, node, number)
        assert rows(site, node) == set(range(1, number + 1))
    if isinstance(site, DumpPair):
        names = site.first.sql("SELECT datname FROM pg_database", "postgres").split()
        kept = sorted(one for one in names if one.startswith("xcatdb_kept_"))
        assert kept == ["xcatdb_kept_switchover", "xcatdb_kept_switchover_2"]


@pytest.mark.parametrize("engine", COPIED)
def test_who_keeps_nothing_of_the_old_primary_still_has_one_primary(lab: Lab, engine: str) -> None:
    """Given a returned old primary, when it is taken in without keeping what only it has, then it
    calls itself the standby, and takes its copies from the one that serves."""
    site = make(lab, engine)
    insert(site, "mn1", 1)
    steps(site, Setup())
    site.faults.off("mn1")
    steps(site, Takeover(ACCEPTED))
    site.faults.on("mn1")
    terms = terms_of(lab["mn2"])
    kept_as = "copy-1" if engine == "sqlite" else "copy_1"
    every = rejoin_steps(terms, Rejoin(Way.RESEED, kept_as, "lab_rows"), is_kept=False)
    own = ("hold", "demote", "replicate")
    carry_out(lab["mn2"], [one for one in every if one.id in own])
    look = engine_of(terms).return_looks(terms, None)
    (told,) = take_looks(lab["mn2"], look).values()
    if isinstance(site, SqlitePair):
        assert "role standby" in told.stdout
    else:
        assert '"live": "hamnd standby"' in told.stdout
    assert engine_of(terms).partner(terms, told, PartnerDatabase()).role == "standby"


@pytest.mark.parametrize("engine", COPIED)
def test_the_returned_primary_is_held_kept_and_follows(lab: Lab, engine: str) -> None:
    """Given a takeover with a copy that lacks the last row, when the old primary returns and
    rejoins, then that row is kept there under the copy's number, and it has a copy of ours."""
    site = make(lab, engine)
    insert(site, "mn1", 1)
    steps(site, Setup())
    insert(site, "mn1", 2)
    site.faults.off("mn1")
    assert steps(site, Takeover(ACCEPTED)) == ["promote"]
    assert 2 not in rows(site, "mn2")
    insert(site, "mn2", 3)
    site.faults.on("mn1")
    kept_as = "copy-1" if engine == "sqlite" else "copy_1"
    ended = steps(site, Rejoin(Way.RESEED, kept_as, "lab_rows"))
    assert ended == ["hold", "preserve", "demote", "replicate"]
    if isinstance(site, SqlitePair):
        kept = f"/var/lib/hamnd/sqlite/kept/{kept_as}/lab_rows.sqlite"
        assert site.rows("mn1", kept) == {1, 2}
        assert site.rows("mn1", "/var/lib/hamnd/sqlite/gen/1/lab_rows.sqlite") == {1, 3}
    else:
        kept = site.first.sql("SELECT n FROM lab_rows ORDER BY n", f"xcatdb_kept_{kept_as}")
        assert kept.split() == ["1", "2"]
        theirs = site.first.sql("SELECT n FROM lab_rows ORDER BY n", "xcatdb_hamnd")
        assert theirs.split() == ["1", "3"]


@pytest.fixture
def disk(lab: Lab, tmp_path: Path) -> Iterator[DiskPair]:
    with loop_device(tmp_path) as device:
        site = DiskPair(lab, device)
        site.configure("mn2")
        yield site


def test_the_disk_goes_over_and_never_to_both(disk: DiskPair) -> None:
    assert steps(disk, Setup()) == ["replicate"]
    assert steps(disk, Switchover()) == ["quiesce", "promote", "replicate"]
    assert disk.holders() == ["mn2"]
    assert steps(disk, Rejoin(Way.REINTEGRATE, "")) == ["hold", "let-go", "replicate"]
    assert disk.holders() == ["mn2"]
