"""The guide's way: mn2 has mn1's own address, and mn1 boots with everything enabled.

Owns the story of that return with the guard and without it, over a real systemd on mn1, and what
the guard answers on mn2, which has its partner's address. The takeover is test_lab_identity's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab.lab_nights import TIMES
from tests.lab.site import guarded, xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.guides_way import INTERFACES, OWN, PRIMARYS, primary_address
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY, WITNESSES, Plan
from tests.lab.site.pair import Db2Pair
from tests.lab.test_lab_guard_network import BARE, NETWORK
from tests.lab.test_lab_identity import confirm, holds

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_lab("systemd-nspawn", "crontab", "arping", *xcat.PROGRAMS),
]
LIMIT_S = 120.0
SAID_S = 10.0
"""A few rounds on a busy machine: one asks where mn1 belongs, the next one who has the address."""
SAMPLES = 40
"""Readings one after the other, some seconds long altogether: many rounds."""
UNITS = {
    "own-network.service": "hamn-guard-network.conf",
    "xcatd.service": "hamn-guard.conf",
    "isc-dhcp-server.service": "hamn-guard.conf",
}
ASKED = "/var/tmp/asked"
"""A copy of mn2's state directory, as it would be after a boot."""


@pytest.fixture(scope="module")
def site() -> Iterator[Db2Pair]:
    """mn2 took mn1's address over; mn1 brings its network, xcatd, DHCP and hamnd up at boot."""
    with Lab(Plan(systemd=frozenset({PRIMARY}))) as lab:
        lab[STANDBY].write("/etc/network/interfaces", INTERFACES)
        site = Db2Pair(lab, TIMES, primary_address, service_address=PRIMARYS)
        old = lab[PRIMARY]
        old.write("/etc/network/interfaces", INTERFACES.replace(OWN, PRIMARYS))
        old.write("/etc/systemd/system/own-network.service", NETWORK)
        old.write("/etc/systemd/system/bare.service", BARE)
        guarded.install(old, UNITS)
        site.watch(PRIMARY)
        Desk(site, PRIMARY).wait_state("Active", limit_s=LIMIT_S)
        old.run("systemctl", "enable", "own-network", "bare", "xcatd", "isc-dhcp-server", "hamnd")
        site.watch()
        lab[STANDBY].write(guarded.GUARD, guarded.SCRIPT.read_text(), 0o755)
        Desk(site).wait_state("Peer", limit_s=LIMIT_S)
        site.wait_ready(LIMIT_S)
        site.faults.off(PRIMARY)
        Desk(site).wait_state("PrimaryDown", limit_s=LIMIT_S)
        confirmed = confirm(site)
        assert confirmed.code == 0, f"{confirmed.text}\n{site.log()}"
        yield site


def _booted(site: Db2Pair) -> Host:
    site.faults.off(PRIMARY)
    site.faults.on(PRIMARY)
    return site.lab[PRIMARY]


def _has_no_jobs(host: Host) -> bool:
    told = host.ask("systemctl", "list-jobs", "--no-legend")
    return told.code == 0 and not told.out.strip()


def _held(host: Host) -> set[str]:
    return set(host.ask("ls", "/run/hamn-guard/held").out.split())


def _is_active(host: Host, unit: str) -> bool:
    return host.ask("systemctl", "is-active", unit).out.strip() == "active"


def test_the_new_primary_is_not_confirmed_by_itself(site: Db2Pair) -> None:
    """Given mn2 was booted since, when it asks, then the witnesses confirm it; when they keep
    nothing, it cannot know, although the address that was its partner's is its own now."""
    host = site.lab[STANDBY]
    host.run("cp", "-r", "/var/lib/hamnd", ASKED)
    number = host.run("cat", "/var/lib/hamnd/epoch").split()[0]
    host.write(f"{ASKED}/epoch", f"{number} {STANDBY} boot-before\n")
    asks = ("env", f"HAMND_STATE_DIR={ASKED}", guarded.GUARD)
    for name in WITNESSES:
        site.lab[name].run("mv", "/var/lib/hamnd/epoch", "/var/lib/hamnd/epoch.away")
    told = host.ask(*asks, timeout_s=60)
    assert (told.code, "nobody can confirm it" in told.text) == (5, True), told.text
    for name in WITNESSES:
        site.lab[name].run("mv", "/var/lib/hamnd/epoch.away", "/var/lib/hamnd/epoch")
    told = host.ask(*asks, timeout_s=60)
    assert (told.code, "confirmed by sn" in told.text) == (0, True), told.text


def test_behind_the_guard_the_old_primary_keeps_off_the_network(site: Db2Pair) -> None:
    """Given its address is mn2's, when mn1 boots, then neither the address nor xcatd nor DHCP
    comes up there, all of it is held as long as mn2 has it, and the service nodes go on with
    mn2."""
    host = _booted(site)
    wait_until(lambda: _has_no_jobs(host), "mn1 has booted", LIMIT_S)
    wait_until(lambda: _held(host) == set(UNITS), "all of it is held", LIMIT_S)
    assert not holds(site.lab, PRIMARY, PRIMARYS)
    for unit in UNITS:
        assert not _is_active(host, unit), unit
    assert _is_active(host, "hamn-guard"), "who has the address may only be asking too"
    assert site.db2.writable() == (STANDBY,)
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn1:3001"})


def _told(site: Db2Pair) -> tuple[str, str, str, str]:
    """What mn2 says of the old primary and of its address, in the status and as metrics."""
    status = Desk(site).status() or {}
    found = {one["type"]: one["status"] for one in status.get("conditions", [])}
    page = site.lab[STANDBY].ask("curl", "-s", "http://127.0.0.1:9745/metrics").out
    seen = re.search(r'^hamnd_old_primary\{.*what="(\w+)".*\} 1\.0$', page, re.MULTILINE)
    doubled = re.search(r'^hamnd_condition\{.*type="AddressUnique".*\} 1\.0$', page, re.MULTILINE)
    unique = re.search(r'status="(\w+)"', doubled[0]) if doubled is not None else None
    return (
        found.get("OldPrimaryReturned", ""),
        found.get("AddressUnique", ""),
        "" if seen is None else seen[1],
        "" if unique is None else unique[1],
    )


BACK = ("True", "False", "seen", "False")
"""It has returned, the address is not unique: the status, and the metrics, say both."""


def test_without_the_guard_two_hosts_have_the_address(site: Db2Pair) -> None:
    """Given the guard was removed and its drop-ins forgotten, when mn1 boots, then it takes its old
    address beside mn2, and DHCP and xcatd start there: what the guard is for. mn2's status and its
    metrics say so, steadily, for as long as both have it."""
    guarded.remove(site.lab[PRIMARY])
    host = _booted(site)
    wait_until(lambda: _is_active(host, "own-network"), "the network of mn1", LIMIT_S)
    assert holds(site.lab, PRIMARY, PRIMARYS)
    assert holds(site.lab, STANDBY, PRIMARYS)
    wait_until(lambda: _told(site) == BACK, "status and metrics say so", SAID_S)
    told = [_told(site) for _ in range(SAMPLES)]
    assert set(told) == {BACK}
    screen = site.hamnctl("status").text
    assert "HAS RETURNED" in screen, screen
    assert "nothing heard of it yet" not in screen, screen
    assert f"another host claims {PRIMARYS} too" in site.explained("AddressUnique")
    wait_until(lambda: _is_active(host, "isc-dhcp-server"), "DHCP of mn1", LIMIT_S)
    # Without its database xcatd never gets further (xcat-hamn.md 4.4).
    started = ("active", "activating")
    wait_until(lambda: host.ask("systemctl", "is-active", "xcatd").out.strip() in started,
               "xcatd of mn1 starts", LIMIT_S)  # fmt: skip
