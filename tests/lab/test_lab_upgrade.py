"""hamnd is replaced while it guards a real pair: stopped, another package installed, started.

Owns that one story, under a real systemd and with the real packages: in Peer, in PrimaryDown, in
the middle of a step, in a paused takeover, and Active. What a package leaves on disk is
test_package_deb's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.lab.clean_root import Packages, packages
from tests.lab.site import xcat
from tests.lab.site.desk import Desk, Entry
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import Done, Host, Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY, Plan
from tests.lab.site.pair import TIMES, Db2Pair
from tests.lab.site.watcher import Watcher

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    needs_lab(
        *("systemd-nspawn", "crontab", *xcat.PROGRAMS),
        *("dh", "dpkg-buildpackage", "fakeroot", "rpmbuild"),
    ),
]

SERVICES = ("xcatd", "named", "isc-dhcp-server", "conserver")
ZONES = "/var/lib/bind"
PATIENT = replace(TIMES, peer_window_s=600, takeover_s=8.0)
"""A window that outlives some installations on a busy machine; a promotion that one can meet."""

UNWATCHED = "hamnd did not watch all the time since that proof: not proven"
"""Nobody can tell whether the primary was switched on and off again in between."""
NOTICE = "hamnd carries out a plan"


def with_ssh_program(text: str) -> str:
    """Return a configuration for the packages, which bring no asyncssh."""
    assert 'transport = "asyncssh"' in text
    return text.replace('transport = "asyncssh"', 'transport = "openssh"')


class Packaged(Db2Pair):
    """A pair whose standby has hamnd and hamnctl from a package."""

    def begin(self, folder: Path) -> None:
        """Take away what the lab installs of its own, and begin with this version."""
        self.configure()
        host = self.lab[STANDBY]
        host.run("rm", "/usr/bin/hamnd", "/etc/systemd/system/hamnd.service")
        self.install(folder)
        host.run("systemctl", "enable", "--now", "hamnd", timeout_s=60)

    def install(self, folder: Path) -> Done:
        """Install a version over whatever is there, as an administrator does."""
        file = Packages.only(folder, ".deb")
        shutil.copy(file, self.lab[STANDBY].path("/root"))
        argv = ("dpkg", "--force-confold", "-i", f"/root/{file.name}")
        done = self.lab[STANDBY].ask(*argv, timeout_s=300)
        assert done.code == 0, done.text
        return done

    def command(self, *words: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return the installed hamnctl's command line."""
        return ("/usr/bin/hamnctl", *words), {"COLUMNS": "200"}


@pytest.fixture
def site() -> Iterator[Packaged]:
    with Lab(Plan(systemd=frozenset({STANDBY}))) as lab:
        yield Packaged(lab, PATIENT, with_ssh_program)


@pytest.fixture
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return packages(checkout, tmp_path_factory)


def test_an_upgrade_disturbs_nothing_and_loses_nothing_in_whatever_state(
    site: Packaged, built: Packages
) -> None:
    """Given a pair in Peer, then PrimaryDown, then a promotion under way, then a paused takeover,
    then Active, when hamnd is replaced in each of them by the version after or before, then it
    finds the state, the loss and the run as they were, no second database takes writes, nothing
    is done twice, and no service or address is touched."""
    site.begin(built.first)
    desk = Desk(site)
    with Watcher(site.lab, site.db2.writable) as watcher:
        replaced_in_peer(site, desk, built.second)
        site.faults.off(PRIMARY)
        replaced_while_the_primary_is_down(site, desk, built.first)
        replaced_in_the_middle_of_the_promotion(site, desk, built.second)
        replaced_while_the_takeover_is_paused(site, desk, built.first)
        desk.retry_to_the_end()
        desk.wait_state("Active")
        replaced_while_active(site, desk, built.second)
        watcher.settle()
    assert watcher.violations == []
    promotions = [one for one in desk.entries() if is_promotion(one)]
    assert len(promotions) == 1, promotions
    assert site.db2.lost(PRIMARY, STANDBY) == 0


def replaced_in_peer(site: Packaged, desk: Desk, folder: Path) -> None:
    desk.wait_state("Peer")
    assert NOTICE not in exchanged(site, desk, folder)
    desk.wait_state("Peer")
    assert (site.owners(), site.db2.writable()) == ([PRIMARY], (PRIMARY,))
    site.wait_ready()


def replaced_while_the_primary_is_down(site: Packaged, desk: Desk, folder: Path) -> None:
    """What a restart takes away is told: nobody watched, so nothing is proven any more."""
    desk.wait_state("PrimaryDown")
    before = site.ask("status")
    assert before["data_loss"]["verdict"] == "zero_proven"
    assert NOTICE not in exchanged(site, desk, folder)
    desk.wait_state("PrimaryDown")
    wait_until(lambda: site.ask("status")["fence"]["grade"] == "power_off", "read twice again", 60)
    after = site.ask("status")
    assert after["cause"] == before["cause"]
    assert after["data_loss"]["verdict"] == "zero_likely"
    assert UNWATCHED in after["data_loss"]["basis"]


def replaced_in_the_middle_of_the_promotion(site: Packaged, desk: Desk, folder: Path) -> None:
    """The running action ends and is journalled before hamnd does; what follows it waits."""
    begin_takeover(site, desk)
    desk.wait_record("action_started", "promote")
    assert desk.count("action_finished", "promote") == 0, "it should still run"
    assert NOTICE in exchanged(site, desk, folder)
    endings = [
        one for one in desk.entries() if (one.what, one.step) == ("action_finished", "promote")
    ]
    assert [one.outcome for one in endings] == ["done"]
    run = desk.wait_rest()
    assert run is not None
    assert "restarted" in run["reason"]
    assert site.db2.writable() == (STANDBY,)


def replaced_while_the_takeover_is_paused(site: Packaged, desk: Desk, folder: Path) -> None:
    """The zones cannot be written, so step dns is not done; a new hamnd knows that too."""
    site.faults.read_only(STANDBY, ZONES)
    before = paused_at(desk, "dns")
    assert NOTICE in exchanged(site, desk, folder)
    run = desk.wait_rest()
    assert run is not None
    for what in ("digest", "status", "paused_step", "reason", "passed_point_of_no_return"):
        assert run[what] == before[what], what
    assert outcomes(run) == outcomes(before)
    assert (site.owners(), site.db2.writable()) == ([STANDBY], (STANDBY,))
    site.faults.heal()


def replaced_while_active(site: Packaged, desk: Desk, folder: Path) -> None:
    host = site.lab[STANDBY]
    numbers = [show(host, "MainPID", unit) for unit in SERVICES]
    assert "0" not in numbers
    assert NOTICE not in exchanged(site, desk, folder)
    desk.wait_state("Active")
    assert [show(host, "MainPID", unit) for unit in SERVICES] == numbers
    assert (site.owners(), site.db2.writable()) == ([STANDBY], (STANDBY,))


def exchanged(site: Packaged, desk: Desk, folder: Path) -> str:
    """Replace hamnd; nothing of its journal may be lost. Returns what the installation said."""
    host = site.lab[STANDBY]
    before, first = sorted(desk.entries()), show(host, "MainPID", "hamnd")
    said = site.install(folder).text
    desk.wait_answer(60)
    assert show(host, "MainPID", "hamnd") not in (first, "0")
    version = host.run("dpkg-query", "-W", "-f", "${Version}", "hamnd")
    assert f"_{version}_" in Packages.only(folder, ".deb").name
    assert sorted(desk.entries())[: len(before)] == before
    assert site.hamnctl("history", "--verify").code == 0
    return said


def show(host: Host, what: str, unit: str) -> str:
    return host.run("systemctl", "show", "-P", what, unit).strip()


def begin_takeover(site: Packaged, desk: Desk) -> None:
    """Plan and confirm, anew where the picture became worse in between."""

    def has_begun() -> bool:
        plan = site.ask("plan", "takeover")
        verdict = plan["data_loss"]["verdict"]
        if verdict != "zero_proven":
            plan = site.ask("plan", "takeover", "--accept-loss", verdict)
        following = desk.confirm(plan["digest"])
        wait_until(lambda: not following.is_running or desk.count("plan_confirmed") > 0, "confirm")
        return desk.count("plan_confirmed") > 0

    wait_until(has_begun, "the takeover begins", 60)


def paused_at(desk: Desk, step: str) -> dict[str, Any]:
    """Retry until the run rests at this step and nothing of it moves any more."""
    resting: list[dict[str, Any]] = []

    def is_there() -> bool:
        run = desk.wait_rest()
        assert run is not None, "the run is over"
        if run["paused_step"] != step:
            desk.retry()
            return False
        resting[:] = [run]
        return "running" not in outcomes(run).values()

    wait_until(is_there, f"paused at {step}", 120)
    return resting[0]


def outcomes(run: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in run["steps"]}


def is_promotion(one: Entry) -> bool:
    return one.what == "action_started" and "takeover hadr" in (one.preview or "").lower()
