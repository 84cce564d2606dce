"""The life of a Db2 pair through the real daemon: handed over, stepped back, there and home again.

Owns the story that the engine's steps and the plan around them fit. MUST NOT repeat what the steps
do alone (test_lab_db2_pairing) nor what plans do over any engine (test_lab_life).
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab
from tests.lab.site.pair import Db2Pair
from tests.lab.test_files_copied import copying

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    needs_lab("crontab", "rsync", *xcat.PROGRAMS),
]


def test_a_db2_primary_hands_over_as_a_plan(lab: Lab) -> None:
    """Given Peer, when the operator confirms the switchover, then mn2 manages the cluster, mn1 is
    its standby in Peer, no committed row is missing, and no file either."""
    site = copying(lab)
    site.wait_state("Peer", limit_s=120)
    site.wait_ready()
    assert site.db2.write("mn1", "lab_rows", "before")
    lab["mn1"].run("sh", "-c", "echo last >/install/post/last; echo 10.99.0.78 cn78 >>/etc/hosts")
    plan = site.ask("plan", "switchover")
    assert "digest" in plan, plan
    assert "step sync brings them first" in " ".join(site.hamnctl("plan", "switchover").out.split())
    done = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=240)
    assert done.code == 0, f"{done.text}\n{site.hamnctl('status').text}\n{site.log()[-3000:]}"
    site.wait_state("Active")
    assert (site.db2.state("mn1"), site.db2.state("mn2")) == ("STANDBY PEER", "PRIMARY PEER")
    assert site.db2.writable() == ("mn2",)
    assert site.owners() == ["mn2"]
    assert "before" in site.db2.pair.rows("mn2", "lab_rows")
    assert site.db2.lost("mn1", "mn2") == 0
    assert lab["mn2"].run("cat", "/install/post/last") == "last\n"
    assert "cn78" in lab["mn2"].run("cat", "/etc/hosts")


def test_an_address_that_somebody_still_answers_for_is_not_taken_and_all_is_given_back(
    lab: Lab,
) -> None:
    """Given another machine that answers ARP for the service address, when the switchover is
    confirmed, then it waits at release although mn1 let go of it; taken back, mn1 manages the
    cluster, its units start at boot as before, and both databases are as they were."""
    site = Db2Pair(lab)
    lab["mn1"].run("systemctl", "enable", "xcatd")
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    lab["sn2"].run("ip", "addr", "add", f"{site.service_address}/32", "dev", "lo")
    plan = site.ask("plan", "switchover")
    held = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=240)
    assert held.code != 0
    assert "still hears somebody" in site.hamnctl("status").text + held.text
    assert site.owners() == []
    assert lab["mn1"].ask("systemctl", "is-enabled", "xcatd").out.strip() != "enabled"
    lab["sn2"].run("ip", "addr", "del", f"{site.service_address}/32", "dev", "lo")
    undo = site.ask("abort", "--reason", "somebody has our address")
    done = site.hamnctl("confirm", undo["digest"], "--name", "mn2", timeout_s=240)
    assert done.code == 0, f"{done.text}\n{site.hamnctl('status').text}\n{site.log()[-3000:]}"
    site.wait_state("Peer", limit_s=120)
    assert (site.db2.state("mn1"), site.db2.state("mn2")) == ("PRIMARY PEER", "STANDBY PEER")
    assert site.owners() == ["mn1"]
    assert lab["mn1"].ask("systemctl", "is-enabled", "xcatd").out.strip() == "enabled"
    assert "cn1" in lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})


def test_a_drill_goes_there_and_back_over_db2(lab: Lab) -> None:
    """Given Peer, when the operator confirms a drill, then mn1 manages the cluster again, mn2 is
    its standby in Peer, no committed row is missing, and no file either: hamnd pulls here, and its
    own programs there."""
    site = copying(lab)
    site.wait_state("Peer", limit_s=120)
    site.wait_ready()
    assert site.db2.write("mn1", "lab_rows", "before")
    lab["mn1"].run("sh", "-c", "echo last >/install/post/last")
    plan = site.ask("plan", "drill")
    assert "digest" in plan, plan
    done = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=300)
    assert done.code == 0, f"{done.text}\n{site.hamnctl('status').text}\n{site.log()[-3000:]}"
    site.wait_state("Peer", limit_s=120)
    assert (site.db2.state("mn1"), site.db2.state("mn2")) == ("PRIMARY PEER", "STANDBY PEER")
    assert site.owners() == ["mn1"]
    assert "before" in site.db2.pair.rows("mn2", "lab_rows")
    assert [lab[one].run("cat", "/install/post/last") for one in ("mn1", "mn2")] == ["last\n"] * 2
    assert "way home" in site.hamnctl("report", plan["digest"]).text
