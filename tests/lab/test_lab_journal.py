"""A takeover whose own disk gives way: hamnd acts on nothing that it cannot write down (law 8).

Owns the night in which mn2's disk takes no more writes between two steps. A disk that fills up is
the matrix's: the journal's reserve bears it.
"""

from __future__ import annotations

import pytest

from tests.lab.lab_nights import TIMES
from tests.lab.site import xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pair import CONFIG, Db2Pair
from tests.lab.site.watcher import Watcher

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", *xcat.PROGRAMS),
]


def _mode(desk: Desk) -> str:
    status = desk.status()
    return "unreachable" if status is None else str(status["mode"])


def test_a_disk_that_takes_no_writes_stops_the_takeover_until_somebody_clears_it(lab: Lab) -> None:
    """Given a takeover at its fence, when mn2's disk takes no writes, then hamnd observes only and
    says why, starts nothing more and refuses to be cleared; when the disk takes writes again and
    the operator clears it, the same run ends in one management node."""
    site = Db2Pair(lab, TIMES)
    site.watch()
    desk = Desk(site)
    desk.wait_state("Peer")
    site.wait_ready()
    with Watcher(site.lab, site.db2.writable) as watcher:
        site.faults.off(PRIMARY)
        desk.wait_state("PrimaryDown")
        desk.confirm(desk.plan()["digest"])
        desk.wait_record("step_finished", "fence")
        site.faults.unwritable(STANDBY, f"hamnd --config {CONFIG}")
        wait_until(lambda: _mode(desk) == "observe_only", "it observes only", 60)
        told = desk.told()
        assert "observe" in told
        assert "journal" in told
        before = (site.db2.writable(), site.owners())
        cleared = site.hamnctl("clear", "--reason", "try it")
        assert cleared.code == 3, cleared.text
        watcher.settle()
        assert _mode(desk) == "observe_only"
        assert (site.db2.writable(), site.owners()) == before
        site.faults.heal()
        why = ("--reason", "the disk was mounted anew")
        wait_until(lambda: site.hamnctl("clear", *why).code == 0, "it is cleared", 60)
        assert _mode(desk) == "normal"
        desk.retry_to_the_end()
        desk.wait_state("Active")
        watcher.settle()
        assert (site.db2.writable(), site.owners()) == ((STANDBY,), [STANDBY])
    assert watcher.violations == []
    assert site.db2.lost(PRIMARY, STANDBY) == 0
