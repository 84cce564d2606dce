"""The management node itself loses its power after a takeover, and is brought up again.

Owns the story of plan `resume`. What a reboot in the middle of a takeover comes to is told by the
crash matrix.
"""

from __future__ import annotations

import pytest

from tests.lab.lab_nights import TIMES
from tests.lab.site import xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pair import Db2Pair
from tests.lab.site.watcher import Watcher

__all__ = ["lab"]
pytestmark = [pytest.mark.lab, pytest.mark.slow, needs_lab("crontab", *xcat.PROGRAMS)]


def _says(site: Db2Pair, words: str) -> bool:
    return words in site.hamnctl("status").text


@pytest.mark.timeout(420)
def test_a_rebooted_management_node_says_so_and_serves_again(lab: Lab) -> None:
    """Given mn2 Active after a takeover, when it loses its power and boots, then it says that it
    does not serve, and the plan that it names brings database, address and services back."""
    site = Db2Pair(lab, TIMES)
    site.watch()
    lab[STANDBY].run("systemctl", "enable", "hamnd")
    desk = Desk(site)
    desk.wait_state("Peer")
    site.wait_ready()
    with Watcher(lab, site.db2.writable) as watcher:
        site.faults.off(PRIMARY)
        desk.wait_state("PrimaryDown")
        desk.confirm(desk.plan()["digest"])
        desk.wait_state("Active")
        site.faults.power_cycle(STANDBY)
        wait_until(lambda: _says(site, "DOES NOT SERVE"), "it says so", 120)
        assert _says(site, "hamnctl plan resume")
        assert site.owners() == []

        # Db2 counts as down only after three readings; until then the plan is refused with that.
        wait_until(lambda: "digest" in site.ask("plan", "resume"), "it can be planned", 60)
        plan = site.ask("plan", "resume")
        assert plan["variant"] == "start-as-primary"
        done = site.hamnctl("confirm", plan["digest"], "--name", STANDBY, timeout_s=180)
        assert done.code == 0, f"{done.text}\n{desk.told()}\n{desk.ending()}"
        wait_until(lambda: not _says(site, "DOES NOT SERVE"), "it serves", 60)
        assert desk.state() == "Active"
        watcher.settle()
        assert (site.db2.writable(), site.owners()) == ((STANDBY,), [STANDBY])
        assert site.db2.lost(PRIMARY, STANDBY) == 0
        assert "cn1" in lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    assert watcher.violations == []
