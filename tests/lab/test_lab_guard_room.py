"""A power failure of the whole room after a takeover: who may serve when the machines come back.

Owns that story: the management node first and alone, then a word at its console; and once more
with a service node that confirms it. With the address for the node's own both nodes come back, and
each has to ask from that one address. MUST NOT test who takes over.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.lab_nights import TIMES
from tests.lab.site import guarded, xcat
from tests.lab.site.desk import Desk
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY, WITNESSES, Plan
from tests.lab.site.pair import Db2Pair
from tests.lab.test_lab_guard_network import guard_the_network, is_up

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_lab("systemd-nspawn", "arping", "crontab", *xcat.PROGRAMS),
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


@pytest.fixture
def own() -> Iterator[Lab]:
    """mn2 took mn1's own address over; either brings it up at boot, behind the guard."""
    with Lab(Plan(systemd=frozenset({PRIMARY, STANDBY}))) as one:
        for number, name in ((5, PRIMARY), (6, STANDBY)):
            guard_the_network(one[name], number)
        for name in WITNESSES:
            one[name].write("/var/lib/hamnd/epoch", f"6 {STANDBY} -\n")
        yield one


def _is_held(host: Host) -> bool:
    return host.ask("test", "-e", "/run/hamn-guard/held/own-network.service").code == 0


def test_the_room_comes_back_where_the_address_is_the_nodes_own(own: Lab) -> None:
    """Given mn2 took mn1's own address over and the whole room lost its power, when both boot and
    no service node answers, then either network is held, though each asks from that address in
    turn; when a service node is back that confirms mn2, its network comes up, mn1's does not."""
    faults = Faults(own)
    for name in (PRIMARY, STANDBY, *WITNESSES):
        faults.off(name)
    for name in (PRIMARY, STANDBY):
        faults.on(name)
    first, second = own[PRIMARY], own[STANDBY]
    wait_until(lambda: _is_held(first) and _is_held(second), "both are held", LIMIT_S)
    assert not is_up(first)
    assert not is_up(second)
    faults.on(WITNESSES[0])
    wait_until(lambda: is_up(second), "the network of mn2", LIMIT_S)
    assert not is_up(first)
    assert first.ask("systemctl", "is-active", "own-network").out.strip() == "inactive"
