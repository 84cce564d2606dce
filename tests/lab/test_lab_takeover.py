"""The first whole takeover between real hosts: hamnd on mn2, mn1 without power.

Owns that story over Db2, and the sentence when only the pair's link is cut. Later stories widen it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import CLUSTER, DOMAIN
from tests.lab.site.pair import TIMES, Db2Pair

__all__ = ["lab"]
pytestmark = [pytest.mark.lab, pytest.mark.slow, needs_lab("crontab", *xcat.PROGRAMS)]


@pytest.fixture
def site(lab: Lab) -> Db2Pair:
    # A window that a busy machine does not outlast between plan and confirm.
    site = Db2Pair(lab, replace(TIMES, peer_window_s=120))
    site.watch()
    site.wait_state("Peer")
    return site


@pytest.mark.timeout(300)
def test_a_power_cut_ends_in_a_takeover_that_serves(site: Db2Pair) -> None:
    """Given Peer and ready, when mn1 loses its power and the operator confirms the plan, then
    mn2 is Active: one database accepts writes, one host owns the address, the service nodes get
    answers."""
    site.wait_ready()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    plan = site.ask("plan", "takeover")
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.hamnctl('status').text}"
    assert site.wait_state("Active") == "Active"
    assert site.db2.writable() == ("mn2",)
    assert site.owners() == ["mn2"]
    assert site.db2.lost("mn1", "mn2") == 0
    service = CLUSTER.address("mn")
    witness = site.lab["sn1"]
    assert "cn1" in witness.run("lsdef", environment={"XCATHOST": "mn:3001"})
    assert witness.run("dig", "+short", f"@{service}", f"cn1.{DOMAIN}").strip() == "10.99.0.101"


@pytest.mark.timeout(300)
def test_only_the_pairs_link_cut_is_no_reason_for_a_takeover(site: Db2Pair) -> None:
    """Given Peer, when only mn1 and mn2 lose each other, then hamnd stays Degraded and says that
    the service nodes still reach mn1."""
    site.faults.pair_cut()
    site.wait_state("Degraded")
    told = "2 of 2 service nodes still reach mn1"
    wait_until(lambda: told in site.hamnctl("status").text, told, 60)
    assert "2 of 2 service nodes still reach" in site.hamnctl("explain").text
    assert site.ask("status")["state"] == "Degraded"
    assert site.db2.writable() in (("mn1",), ())
