"""The life of a pair beside the night of the failure: handed over, taken in again, handed back.

Owns the stories of plans switchover, rejoin, failback and drill over PostgreSQL, with a writer that
knows what was kept. One set of words for every engine; what an engine does in them is its own test.
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.watcher import Watcher

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    needs_lab("crontab", "postgres", *xcat.PROGRAMS),
]


@pytest.fixture
def site(lab: Lab) -> PostgresPair:
    site = PostgresPair(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    return site


def test_a_primary_that_hands_over_loses_nothing_and_follows(site: PostgresPair) -> None:
    """Given Peer under writes, when the operator confirms the switchover, then mn2 manages the
    cluster, mn1 is its standby in Peer, and every row that was acknowledged is there."""
    writer = site.write()
    writer.wait(200)
    with Watcher(site.lab, site.writable) as watcher:
        plan = site.carry_out("switchover", STANDBY)
        assert plan["data_loss"]["verdict"] == "zero_proven"
        site.wait_state("Active")
        watcher.settle()
    assert watcher.violations == []
    assert (site.writable(), site.owners()) == ((STANDBY,), [STANDBY])
    missing = set(writer.acknowledged) - site.second.rows()
    assert missing == set()
    wait_until(lambda: site.ask("status")["protected"] is True, "mn1 protects mn2", 60)
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    assert site.lab[PRIMARY].ask("systemctl", "is-active", "xcatd").out.strip() != "active"


def lose_primary(site: PostgresPair) -> None:
    """Cut the primary's power under writes, and take over from it."""
    site.write().wait(200)
    site.faults.off(PRIMARY)
    site.wait_state("PrimaryDown")
    verdict = site.ask("plan", "takeover")["data_loss"]["verdict"]
    site.carry_out("takeover", STANDBY, "--accept-loss", verdict)
    site.wait_state("Active")


def test_an_old_primary_is_taken_in_and_handed_back_to(site: PostgresPair) -> None:
    """Given a takeover whose old primary wrote on, when it returns, then the plan rejoin holds it
    off, keeps what only it has and makes it a standby in Peer, and a switchover asked for over
    there makes it the management node again."""
    lose_primary(site)
    # No return guard is installed here: its database comes up as it was until it is held off.
    site.faults.on(PRIMARY)
    wait_until(lambda: "digest" in site.ask("plan", "rejoin"), "it can be taken in", 120)
    plan = site.carry_out("rejoin", STANDBY)
    assert plan["variant"] in ("reintegrate", "reseed")
    with Watcher(site.lab, site.writable) as watcher:
        wait_until(lambda: site.ask("status")["protected"] is True, "mn1 protects mn2", 60)
        assert (site.writable(), site.owners()) == ((STANDBY,), [STANDBY])
        site.watch(PRIMARY)
        site.wait_state("Peer", limit_s=120, node=PRIMARY)
        site.carry_out("switchover", PRIMARY, node=PRIMARY)
        watcher.settle()
        assert (site.writable(), site.owners()) == ((PRIMARY,), [PRIMARY])
    assert watcher.violations == []
    site.wait_state("Peer", limit_s=120)
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})


def test_a_returned_primary_is_taken_in_and_handed_back_to_by_one_plan(site: PostgresPair) -> None:
    """Given a takeover whose old primary returned, when the operator confirms failback, then it was
    held off, taken in, and is the management node again; mn2 is its standby in Peer."""
    lose_primary(site)
    site.faults.on(PRIMARY)
    wait_until(lambda: "digest" in site.ask("plan", "failback"), "it can be taken in", 120)
    site.carry_out("failback", PRIMARY)
    assert (site.writable(), site.owners()) == ((PRIMARY,), [PRIMARY])
    site.wait_state("Peer", limit_s=120)
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})


def test_a_drill_goes_there_and_back(site: PostgresPair) -> None:
    """Given Peer under writes, when the operator confirms a drill, then mn2 was the management
    node, mn1 is it again, nothing that was acknowledged is missing, and both halves were timed."""
    writer = site.write()
    writer.wait(100)
    with Watcher(site.lab, site.writable) as watcher:
        plan = site.carry_out("drill", STANDBY)
        watcher.settle()
        assert (site.writable(), site.owners()) == ((PRIMARY,), [PRIMARY])
    assert watcher.violations == []
    missing = set(writer.acknowledged) - site.first.rows()
    assert missing == set()
    site.wait_state("Peer", limit_s=120)
    report = site.hamnctl("report", plan["digest"]).text
    assert report.startswith("Drill")
    assert "way home" in report
