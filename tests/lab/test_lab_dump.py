"""A takeover of an xCAT whose PostgreSQL is copied by dumps (guide §5.2).

Owns those stories. What was acknowledged and is missing must never be more than the verdict, and
the standby's live database is never touched before the operator's own takeover. What keeps dumps
from coming is told in test_lab_dump_faults.
"""

from __future__ import annotations

import time

import pytest

from tests.lab.site import xcat
from tests.lab.site.dump_pair import DumpPair
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.ledger import Ledger, check_loss
from tests.lab.site.names import CLUSTER

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    needs_lab("crontab", "postgres", *xcat.PROGRAMS),
]


@pytest.fixture
def site(lab: Lab) -> DumpPair:
    site = DumpPair(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    return site


def test_a_takeover_loses_no_more_than_was_said(site: DumpPair) -> None:
    """Given dumps that are restored beside the standby's own database, when the primary loses its
    power and the operator accepts the bound, then the restored copy has the live name, the
    standby's own data is kept, and no more is missing than the bound."""
    ledger = Ledger(site.write())
    ledger.writer.wait(600)
    assert site.second.rows() == {-1}, "live data is nobody's target before a takeover"
    broken = time.perf_counter()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    plan = site.ask("plan", "takeover", "--accept-loss", "bounded")
    assert plan["data_loss"]["verdict"] == "bounded", plan["data_loss"]
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.hamnctl('status').text}"
    assert site.wait_state("Active") == "Active"
    acknowledged = ledger.close()
    missing = set(acknowledged) - site.second.rows()
    assert len(missing) < len(acknowledged), "the lab's own truth"
    check_loss(plan["data_loss"], missing, acknowledged, (ledger, broken))
    names = site.second.sql("SELECT datname FROM pg_database", "postgres").split()
    kept = [one for one in names if one.startswith("xcatdb_before_copy_")]
    assert len(kept) == 1
    assert site.second.sql("SELECT n FROM lab_rows", kept[0]).split() == ["-1"]
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    site.faults.on("mn1")
    wait_until(lambda: site.ask("report")["actual_loss"] != "pending", "the examination", 90)
    actual = str(site.ask("report")["actual_loss"])
    assert actual.startswith("at most what is in "), actual
    assert site.owners() == ["mn2"]
    assert site.wait_state("Active") == "Active"


def test_a_dump_that_was_given_the_live_name_by_hand_is_adopted(site: DumpPair) -> None:
    """Given a dead primary, when somebody renames the restored copy and takes the address by hand,
    behind hamnd's back, then hamnd is Active and says so; it runs no step."""
    assert "the last dump is restored beside the live database" in site.explained()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    swap = ("xcatdb RENAME TO xcatdb_old", "xcatdb_hamnd RENAME TO xcatdb")
    for one in swap:
        site.second.sql(f"ALTER DATABASE {one}", "postgres")
    site.lab["mn2"].run("ip", "addr", "add", f"{CLUSTER.address('mn')}/24", "dev", "eth0")
    site.wait_state("Active")
    status = site.ask("status")
    assert "knows of no takeover" in status["because"], status["because"]
    assert status["run"] is None
    assert site.second.sql("SELECT n FROM lab_rows", "xcatdb_old").split() == ["-1"]
