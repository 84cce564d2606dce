"""The life of a Db2 pair through the real daemon: handed over as a plan, and home again.

Owns the story that the engine's steps and the plan around them fit. MUST NOT repeat what the steps
do alone (test_lab_db2_pairing) nor what plans do over any engine (test_lab_life).
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab
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
