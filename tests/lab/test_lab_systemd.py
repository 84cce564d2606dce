"""hamnd as a unit of a real systemd: checked, started, watched over, reloaded, stopped.

Owns the stories in which process 1 of mn2 is systemd and nothing of it is simulated: the unit is
the delivered one, xcatd, named, dhcpd and conserver are units too. What other takeovers prove is
theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab.site import xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.names import CLUSTER, STANDBY, Plan
from tests.lab.site.pair import CONFIG, Db2Pair
from tests.lab.site.watcher import Watcher

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("systemd-nspawn", "systemd-analyze", "crontab", *xcat.PROGRAMS),
]

SOON = "[Unit]\nStartLimitBurst=100\n[Service]\nWatchdogSec=8\n"
"""A drop-in: a hang is noticed before the delivered 30 s, and stories may start it often."""


@pytest.fixture(scope="module")
def site() -> Iterator[Db2Pair]:
    """A site whose mn2 has booted a real systemd and watches under it."""
    with Lab(Plan(systemd=frozenset({STANDBY}))) as lab:
        site = Db2Pair(lab)
        lab[STANDBY].write("/etc/systemd/system/hamnd.service.d/soon.conf", SOON)
        site.watch()
        yield site


@pytest.fixture
def host(site: Db2Pair) -> Host:
    """Return mn2, hamnd running."""
    site.lab[STANDBY].run("systemctl", "start", "hamnd")
    return site.lab[STANDBY]


def _show(host: Host, what: str) -> str:
    return host.run("systemctl", "show", "-P", what, "hamnd").strip()


def test_the_delivered_unit_passes_verification_without_a_word(host: Host) -> None:
    """Any output is a finding: systemd-analyze exits 0 even for keys that it does not know."""
    place = "/etc/systemd/system/hamnd.service"
    done = host.ask("systemd-analyze", "verify", place)
    assert (done.code, done.text) == (0, "")
    host.write("/tmp/wrong.service", host.path(place).read_text() + "Wrong=yes\n")
    assert "Wrong" in host.ask("systemd-analyze", "verify", "/tmp/wrong.service").text


def test_a_started_unit_answers_at_once_and_says_so(site: Db2Pair, host: Host) -> None:
    """Given Type=notify, when `systemctl start` returns, then the control socket answers."""
    host.run("systemctl", "stop", "hamnd")
    assert Desk(site).state() == "unreachable"
    host.run("systemctl", "start", "hamnd", timeout_s=60)
    assert Desk(site).state() != "unreachable"
    assert (_show(host, "ActiveState"), _show(host, "Type")) == ("active", "notify")
    assert _show(host, "StatusText")
    assert host.run("stat", "-c", "%a", "/var/lib/hamnd").strip() == "750"


def test_a_reload_applies_whole_or_not_at_all(site: Db2Pair, host: Host) -> None:
    """Given a running unit, when its file is broken and reloaded, then it goes on with the old
    one and says why; when it is mended, the new one holds; the process is the same all the time."""
    desk = Desk(site)
    pid, good = _show(host, "MainPID"), host.path(CONFIG).read_text()
    host.write(CONFIG, good.replace("down_after_s = 2.0", "down_after_s = 0.1"), 0o640)
    host.run("systemctl", "reload", "hamnd")
    wait_until(lambda: "down_after_s" in site.log(), "the log tells what is wrong")
    host.write(CONFIG, good.replace("down_after_s = 2.0", "down_after_s = 2.5"), 0o640)
    host.run("systemctl", "reload", "hamnd")
    wait_until(lambda: desk.count("terms_changed") > 0, "the new terms hold")
    assert _show(host, "MainPID") == pid
    assert _show(host, "ActiveState") == "active"


def test_a_stop_is_quick_and_clean(site: Db2Pair, host: Host) -> None:
    done = host.ask("systemctl", "stop", "hamnd", timeout_s=30)
    assert done.code == 0
    assert done.seconds < 20
    assert (_show(host, "ActiveState"), _show(host, "Result")) == ("inactive", "success")
    assert Desk(site).state() == "unreachable"
    assert site.hamnctl("status").text.strip(), "the journal answers without it"


def test_a_daemon_that_hangs_in_a_takeover_is_restarted_and_the_run_is_kept(
    site: Db2Pair, host: Host
) -> None:
    """Given a takeover under way, when hamnd stops answering its watchdog, then systemd kills it
    and starts it again, the run is there, paused, and a retry leads to Active; every service that
    it started is a unit of systemd's own."""
    desk = Desk(site)
    desk.wait_state("Peer")
    site.wait_ready()
    with Watcher(site.lab, site.db2.writable) as watcher:
        site.faults.off("mn1")
        desk.wait_state("PrimaryDown")
        desk.confirm(desk.plan()["digest"])
        desk.wait_record("action_started", "identity")
        first = _show(host, "MainPID")
        host.run("kill", "-STOP", first)
        wait_until(lambda: _show(host, "NRestarts") == "1", "the watchdog has bitten", 60)
        wait_until(lambda: desk.state() == "TakingOver", "hamnd answers again", 60)
        assert _show(host, "MainPID") != first
        killed = host.run("journalctl", "-u", "hamnd", "--no-pager")
        assert re.search(r"Watchdog timeout|Failed with result 'watchdog'", killed)
        run = desk.wait_rest()
        assert run is not None
        assert "restarted" in run["reason"]
        assert "PAUSED" in desk.told()
        desk.retry_to_the_end()
        assert desk.wait_state("Active") == "Active"
        watcher.settle()
        assert site.owners() == [STANDBY]
        assert site.db2.writable() == (STANDBY,)
    assert watcher.violations == []
    units = ("xcatd", "named", "isc-dhcp-server", "conserver")
    assert host.run("systemctl", "is-active", *units).split() == ["active"] * 4
    asked = site.lab["sn1"].run("dig", "+short", f"@{CLUSTER.address('mn')}", "cn1.cluster.test")
    assert asked.strip() == "10.99.0.101"
    host.run("systemctl", "restart", "hamnd")
    assert host.run("systemctl", "is-active", *units).split() == ["active"] * 4
    assert desk.wait_state("Active") == "Active"
