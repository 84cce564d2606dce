"""Real servers in lab hosts: they serve, fail, start at boot, and obey the guard's conditions.

Owns the proof that a unit of the lab says what systemctl would say. MUST NOT test hamnd.
"""

from __future__ import annotations

import pytest

from tests.lab.site import services
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.names import CLUSTER, DOMAIN

__all__ = ["faults", "lab"]
pytestmark = [
    pytest.mark.lab,
    needs_lab("named", "dig", "nsupdate", "named-checkconf", "dhcpd", "conserver", "console"),
]


@pytest.fixture
def manager(lab: Lab) -> Host:
    """Return mn1 with its three servers installed, none of them running."""
    host = lab["mn1"]
    services.install(host, *services.ALL)
    services.configure(host)
    return host


def _dig(lab: Lab, name: str, asker: str = "sn1") -> str:
    server = f"@{CLUSTER.address('mn1')}"
    done = lab[asker].ask("dig", "+short", "+time=1", "+tries=1", server, f"{name}.{DOMAIN}")
    return done.out.strip()


def test_servers_serve_real_requests(lab: Lab, manager: Host) -> None:
    """Given the three units, when they are started, then sn1 resolves a name, a console can be
    opened, and DHCP takes its management connection."""
    units = [unit.name for unit in services.ALL]
    assert manager.ask("systemctl", "is-active", *units).out.split() == ["inactive"] * 3
    manager.run("systemctl", "start", *units)
    assert manager.run("systemctl", "is-active", *units, "named", "bind9").split() == ["active"] * 5
    assert _dig(lab, "mn2") == CLUSTER.address("mn2")
    assert "cn1" in manager.run("console", "-M", "127.0.0.1", "-p", "3109", "-x")
    assert manager.listens(7911)
    manager.run(
        "nsupdate", stdin=f"server 127.0.0.1\nupdate add cn9.{DOMAIN} 60 A 10.99.0.99\nsend\n"
    )
    assert _dig(lab, "cn9") == "10.99.0.99"
    manager.run("systemctl", "stop", "bind9", "dhcpd", "conserver")
    assert manager.ask("systemctl", "is-active", *units).code == 3
    assert (
        _dig(lab, "mn2") == "" or "timed out" in _dig(lab, "mn2") or "refused" in _dig(lab, "mn2")
    )


def test_a_server_that_cannot_start_fails_as_systemd_says(manager: Host) -> None:
    """dhcpd without a subnet for its interface exits at once (lab.md §9)."""
    manager.write("/etc/dhcp/dhcpd.conf", "authoritative;\n")
    started = manager.ask("systemctl", "start", "dhcpd")
    assert started.code == 1
    assert "Job for isc-dhcp-server.service failed" in started.err
    assert manager.ask("systemctl", "is-active", "isc-dhcp-server").out.strip() == "failed"
    assert manager.ask("systemctl", "start", "nothing").code == 5


def test_what_is_enabled_starts_at_boot_and_nothing_else(
    lab: Lab, faults: Faults, manager: Host
) -> None:
    manager.run("systemctl", "enable", "named")
    assert manager.ask("systemctl", "is-enabled", "named").out == "enabled\n"
    assert manager.ask("systemctl", "is-enabled", "conserver").out == "disabled\n"
    faults.power_cycle("mn1")
    wait_until(lambda: _dig(lab, "mn2") == CLUSTER.address("mn2"), "named serves after the boot")
    assert manager.ask("systemctl", "is-active", "conserver").out == "inactive\n"
    manager.run("systemctl", "disable", "--now", "named")
    faults.power_cycle("mn1")
    assert manager.ask("systemctl", "is-active", "named").out == "inactive\n"


def test_a_condition_holds_a_unit_back(manager: Host) -> None:
    """As with systemd: ExecCondition says no, the start succeeds, the unit stays inactive."""
    place = "/etc/systemd/system/named.service.d/guard.conf"
    manager.write(place, "[Service]\nExecCondition=/usr/local/bin/guard\n")
    manager.write("/usr/local/bin/guard", "#!/bin/sh\nexit 3\n", 0o755)
    assert manager.ask("systemctl", "start", "named").code == 0
    assert manager.ask("systemctl", "is-active", "named").out == "inactive\n"
    manager.write("/usr/local/bin/guard", "#!/bin/sh\nexit 0\n", 0o755)
    manager.run("systemctl", "start", "named")
    assert manager.ask("systemctl", "is-active", "named").out == "active\n"


def test_a_killed_server_is_failed_and_can_be_started_again(
    lab: Lab, faults: Faults, manager: Host
) -> None:
    manager.run("systemctl", "start", "named")
    faults.kill_process("mn1", "/usr/sbin/named")
    wait_until(
        lambda: manager.ask("systemctl", "is-active", "named").out == "failed\n", "named failed"
    )
    manager.run("systemctl", "start", "named")
    assert _dig(lab, "mn2") == CLUSTER.address("mn2")
