"""The old primary boots again with its xcatd enabled, over engines whose data only xcatd opens.

Owns these stories for SQLite, for dumps and for a shared disk: with the return guard nothing of it
comes up, without it the plan rejoin ends it; and from then on it stays off. What the guard does
with servers of databases is test_lab_guard's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.site import guarded, xcat
from tests.lab.site.disk_pair import DiskPair, loop_device
from tests.lab.site.dump_pair import DumpPair
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.sqlite_pair import SqlitePair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    needs_lab("crontab", "sqlite3", "postgres", "losetup", "mkfs.ext4", *xcat.PROGRAMS),
]

Site = SqlitePair | DumpPair | DiskPair
DROP_INS = dict.fromkeys(("xcatd.service", "isc-dhcp-server.service"), "hamn-guard.conf")


@pytest.fixture(params=["sqlite", "dump", "shared_disk"])
def site(lab: Lab, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """mn1's xcatd starts at boot."""
    if request.param == "shared_disk":
        with loop_device(tmp_path) as device:
            yield enabled(DiskPair(lab, device))
    else:
        yield enabled(SqlitePair(lab) if request.param == "sqlite" else DumpPair(lab))


def enabled(site: Site) -> Site:
    site.lab[PRIMARY].run("systemctl", "enable", "xcatd")
    return site


def take_over(site: Site) -> None:
    """Take over from mn1 under writes, then give mn1 its power again."""
    site.watch()
    site.wait_state("Peer", limit_s=120)
    site.wait_ready(120)
    if not isinstance(site, DiskPair):
        site.write().wait(100)
    site.faults.off(PRIMARY)
    site.wait_state("PrimaryDown")
    site.take_over()
    boot(site)


def boot(site: Site) -> None:
    site.faults.off(PRIMARY)
    site.faults.on(PRIMARY)
    if isinstance(site, DiskPair):
        site.cable(site.lab[PRIMARY])


def runs(site: Site) -> bool:
    told = site.lab[PRIMARY].ask("systemctl", "is-active", "xcatd").out.strip()
    return told in ("active", "activating")


def old_primary(site: Site) -> tuple[bool, bool | None]:
    told = site.ask("status")["old_primary"] or {}
    return told.get("seen", False), told.get("serving")


def take_in(site: Site) -> None:
    """Carry out the plan rejoin; what mn1 had is examined by then."""
    wait_until(lambda: site.ask("report")["actual_loss"] != "pending", "the examination", 90)
    wait_until(lambda: "digest" in site.ask("plan", "rejoin"), "it can be taken in", 120)
    site.carry_out("rejoin", STANDBY)


def stays_off(site: Site) -> None:
    """It neither runs nor starts at boot, now and after the next one; mn2 alone serves."""
    assert not runs(site)
    assert site.lab[PRIMARY].ask("systemctl", "is-enabled", "xcatd").out.strip() == "disabled"
    boot(site)
    wait_until(lambda: old_primary(site) == (True, False), "mn2 sees it", 60)
    assert not runs(site)
    assert site.owners() == [STANDBY]
    assert site.wait_state("Active") == "Active"
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})


def test_behind_the_guard_its_xcatd_does_not_come_up_and_nobody_is_paged_for_its_tables(
    site: Site,
) -> None:
    """Given the guard on mn1, when it boots after mn2 took over, then its xcatd stays down, by hand
    too, and mn2 says that it is back and serves nothing, although its data are still a primary's;
    rejoined, it stays off, and protects mn2."""
    old = site.lab[PRIMARY]
    guarded.install(old, DROP_INS)
    site.watch(PRIMARY)
    site.wait_state("Active", node=PRIMARY)
    old.run("systemctl", "enable", "hamnd")
    take_over(site)
    wait_until(lambda: old_primary(site) == (True, False), "mn2 sees it", 60)
    told = guarded.answer(old)
    assert (told.code, f"names {STANDBY}" in told.text) == (3, True), told.text
    old.run("systemctl", "start", "xcatd")
    assert not runs(site)
    assert "SERVES" not in site.hamnctl("status").text
    take_in(site)
    if not isinstance(site, DiskPair):
        wait_until(lambda: site.ask("status")["protected"] is True, "mn1 protects mn2", 60)
    stays_off(site)


def test_without_the_guard_its_xcatd_comes_up_and_rejoin_ends_it_for_good(site: Site) -> None:
    """Given no guard, when mn1 boots after mn2 took over, then its xcatd comes up where its data
    are its own, and mn2 says so; the plan rejoin ends it, and it stays off."""
    take_over(site)
    has_its_own = not isinstance(site, DiskPair)
    if has_its_own:
        wait_until(lambda: runs(site), "xcatd of mn1", 60)
        wait_until(lambda: old_primary(site) == (True, True), "mn2 says so", 60)
        assert "SERVES" in site.hamnctl("status").text
    take_in(site)
    stays_off(site)
