"""A power failure of the whole room after a takeover: who may serve when the machines come back.

Owns that story: the management node first and alone, then a word at its console; and once more
with a service node that confirms it. MUST NOT test who takes over.
"""

from __future__ import annotations

import pytest

from tests.lab.lab_nights import TIMES
from tests.lab.site import guarded, xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY, WITNESSES
from tests.lab.site.pair import Db2Pair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_lab("crontab", *xcat.PROGRAMS),
]
LIMIT_S = 120.0


def _dark(site: Db2Pair) -> None:
    for name in (STANDBY, *WITNESSES):
        site.faults.off(name)


def _doubt(desk: Desk) -> object:
    return ((desk.status() or {}).get("guard") or {}).get("doubt")


def test_the_room_comes_back(lab: Lab) -> None:
    """Given mn2 took over and the whole room lost its power, when mn2 boots alone, then it is
    Degraded (epoch unknown) and says so; asserted at its console it is Active; after another
    failure a service node that is back is enough."""
    site = Db2Pair(lab, TIMES)
    site.watch()
    desk = Desk(site)
    desk.wait_state("Peer", limit_s=LIMIT_S)
    site.wait_ready(LIMIT_S)
    host = lab[STANDBY]
    host.write(guarded.GUARD, guarded.SCRIPT.read_text(), 0o755)
    host.run("systemctl", "enable", "hamnd")
    site.faults.off(PRIMARY)
    desk.wait_state("PrimaryDown", limit_s=LIMIT_S)
    desk.confirm(desk.plan()["digest"])
    desk.wait_state("Active", limit_s=LIMIT_S)

    _dark(site)
    site.faults.on(STANDBY)
    wait_until(lambda: _doubt(desk) == "epoch unknown", "mn2 does not know", LIMIT_S)
    assert desk.state() == "Degraded"
    assert guarded.answer(host).code == 5
    assert "CANNOT KNOW" in site.hamnctl("guard").out
    assert site.owners() == []
    host.run(guarded.GUARD, "assert", "--reason", "mn1 has no power", timeout_s=60)
    desk.wait_state("Active", limit_s=LIMIT_S)
    assert "MAY serve" in site.hamnctl("guard").out

    for name in WITNESSES:
        site.faults.on(name)
        lab[name].run("test", "-e", "/var/lib/hamnd/epoch")
    host.run(guarded.GUARD, "assert", "--reason", "so that the service nodes know", timeout_s=60)
    _dark(site)
    site.faults.on(WITNESSES[0])
    site.faults.on(STANDBY)
    assert guarded.answer(host).code == 0
    desk.wait_state("Active", limit_s=LIMIT_S)
