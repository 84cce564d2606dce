"""The old primary boots again with everything enabled: with the return guard, and without it.

Owns these stories over PostgreSQL, whose servers come up with their hosts, in mode service_address;
mn1 has a real systemd, and the delivered units and drop-ins decide there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.site import guarded, xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY, Plan
from tests.lab.site.pair import SERVICE_ADDRESS
from tests.lab.site.pg_pair import PostgresPair

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_lab("systemd-nspawn", "systemd-analyze", "crontab", "postgres", *xcat.PROGRAMS),
]

LIMIT_S = 120.0
SERVED = ("xcatd", "isc-dhcp-server")


@pytest.fixture(scope="module")
def site() -> Iterator[PostgresPair]:
    """mn1 has everything enabled behind the guard, hamnd included, and mn2 took over from it."""
    with Lab(Plan(systemd=frozenset({PRIMARY}))) as lab:
        site = PostgresPair(lab)
        old = lab[PRIMARY]
        database = guarded.as_unit(site.first)
        guarded.install(old)
        site.watch(PRIMARY)
        Desk(site, PRIMARY).wait_state("Active", limit_s=LIMIT_S)
        old.run("systemctl", "enable", *SERVED, "named", "conserver", "hamn-address", "hamnd")
        old.run("systemctl", "enable", database)
        site.watch()
        desk = Desk(site)
        desk.wait_state("Peer", limit_s=LIMIT_S)
        site.wait_ready(LIMIT_S)
        site.faults.off(PRIMARY)
        desk.wait_state("PrimaryDown", limit_s=LIMIT_S)
        plan = site.ask("plan", "takeover", "--accept-loss", "bounded")
        confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=180)
        assert confirmed.code == 0, f"{confirmed.text}\n{site.log()}"
        desk.wait_state("Active", limit_s=LIMIT_S)
        yield site


def _states(host: Host, *units: str) -> list[str]:
    return host.ask("systemctl", "is-active", *units).out.split()


def _booted(site: PostgresPair) -> Host:
    """Boot mn1 once more and wait until its systemd has nothing left to start."""
    site.faults.off(PRIMARY)
    site.faults.on(PRIMARY)
    host = site.lab[PRIMARY]
    wait_until(lambda: not host.ask("systemctl", "list-jobs", "--no-legend").out.strip(), "booted",
               LIMIT_S)  # fmt: skip
    return host


def test_the_epoch_lies_on_both_nodes_and_with_the_witnesses(site: PostgresPair) -> None:
    """Given mn1 was adopted as the first owner, when mn2 took over, then mn2 and both witnesses
    keep epoch 2 of mn2."""
    for name in (STANDBY, "sn1", "sn2"):
        line = site.lab[name].run("cat", "/var/lib/hamnd/epoch").split()
        assert line[:2] == ["2", STANDBY], (name, line)
    status = site.ask("status")
    assert (status["epoch"], status["epoch_owner"]) == (2, STANDBY)


def test_behind_the_guard_nothing_of_the_old_primary_comes_up(site: PostgresPair) -> None:
    """Given everything enabled on mn1, when it boots again, then no xcatd, no DHCP, no database and
    no address comes up there, mn1's own hamnd says that it is superseded, mn2's that the old
    primary is back and does not serve; and starting xcatd by hand does not help."""
    host = _booted(site)
    assert _states(host, *SERVED, "postgresql@15-main", "hamn-address") == ["inactive"] * 4
    assert site.owners() == [STANDBY]
    told = guarded.answer(host)
    assert (told.code, f"names {STANDBY}" in told.text) == (3, True), told.text
    host.run("systemctl", "start", "xcatd")
    assert _states(host, "xcatd") == ["inactive"]
    desk, old = Desk(site), Desk(site, PRIMARY)
    wait_until(lambda: _old_primary(desk) == (True, False, 2), "mn2 sees it", LIMIT_S)
    wait_until(lambda: "superseded" in str(old.status()), "mn1 says so itself", LIMIT_S)
    assert old.state() == "Degraded"
    assert site.writable() == (STANDBY,)


def _old_primary(desk: Desk) -> tuple[object, ...]:
    status = desk.status() or {}
    old = status.get("old_primary") or {}
    return old.get("seen"), old.get("serving"), old.get("epoch")


def test_without_the_guard_a_second_one_comes_up_and_is_told_at_once(site: PostgresPair) -> None:
    """Given the guard was removed and its drop-ins forgotten, when mn1 boots with its own address
    unit, then everything comes up there, and mn2's status, condition and metric say so."""
    host = site.lab[PRIMARY]
    guarded.remove(host)
    guarded.address_without_guard(host, SERVICE_ADDRESS)
    host = _booted(site)
    wait_until(lambda: _states(host, "xcatd") == ["active"], "xcatd of mn1", LIMIT_S)
    assert _states(host, "postgresql@15-main") == ["active"]
    desk = Desk(site)
    wait_until(lambda: _old_primary(desk)[:2] == (True, True), "mn2 says so", LIMIT_S)
    status = desk.status() or {}
    (returned,) = [one for one in status["conditions"] if one["type"] == "OldPrimaryReturned"]
    assert (returned["status"], returned["reason"]) == ("True", "Serves")
    page = site.lab[STANDBY].run("curl", "-s", "http://127.0.0.1:9745/metrics")
    assert 'hamnd_old_primary{what="serving"} 1.0' in page
    told = " ".join(site.hamnctl("status").text.split())
    assert "mn1: the old primary SERVES again" in told, told
