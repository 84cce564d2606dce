"""The life of a Db2 pair through the real daemon: handed over as a plan, and home again.

Owns the story that the engine's steps and the plan around them fit. MUST NOT repeat what the steps
do alone (test_lab_db2_pairing) nor what plans do over any engine (test_lab_life).
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab
from tests.lab.site.pair import Db2Pair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    needs_lab("crontab", *xcat.PROGRAMS),
]


def test_a_db2_primary_hands_over_as_a_plan(lab: Lab) -> None:
    """Given Peer, when the operator confirms the switchover, then mn2 manages the cluster, mn1 is
    its standby in Peer, and no committed row is missing."""
    site = Db2Pair(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    assert site.db2.write("mn1", "lab_rows", "before")
    plan = site.ask("plan", "switchover")
    assert "digest" in plan, plan
    done = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=240)
    assert done.code == 0, f"{done.text}\n{site.hamnctl('status').text}\n{site.log()[-3000:]}"
    site.wait_state("Active")
    assert (site.db2.state("mn1"), site.db2.state("mn2")) == ("STANDBY PEER", "PRIMARY PEER")
    assert site.db2.writable() == ("mn2",)
    assert site.owners() == ["mn2"]
    assert "before" in site.db2.pair.rows("mn2", "lab_rows")
    assert site.db2.lost("mn1", "mn2") == 0
