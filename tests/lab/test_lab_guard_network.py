"""The return guard where the cluster's address is the node's own (mode primary_address).

Owns the story of one node that boots while another host has its address, over real ARP and a real
systemd. Takeovers in this mode are test_lab_identity's.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hamnd.dialects import guard
from hamnd.model.site import IdentityMode, Node, ServiceAddress, Witness
from tests.builders import site as any_site
from tests.lab.site import guarded
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.names import CLUSTER, PRIMARY, STANDBY, WITNESSES, Plan

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("systemd-nspawn", "arping", "ip"),
]

ADDRESS = CLUSTER.address(PRIMARY)
NETWORK = f"""\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip addr add {ADDRESS}/24 dev eth0
[Install]
WantedBy=multi-user.target
"""
BARE = """\
[Unit]
DefaultDependencies=no
Before=own-network.service
[Service]
Type=oneshot
ExecStart=/sbin/ip addr flush dev eth0
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    """mn1 gets its address by a unit of its own at boot, behind the guard; it owned epoch 5."""
    with Lab(Plan(systemd=frozenset({PRIMARY}))) as lab:
        guard_the_network(lab[PRIMARY], 5)
        yield lab


def guard_the_network(host: Host, number: int) -> None:
    """Have a host bring mn1's address up at boot, behind the guard; it owned an epoch before."""
    where = any_site(
        node=host.name,
        primary=Node(PRIMARY, ADDRESS),
        standby=Node(STANDBY, CLUSTER.address(STANDBY)),
        identity=(ServiceAddress("eth0", ADDRESS, 24, PRIMARY),),
        identity_mode=IdentityMode.PRIMARY_ADDRESS,
        witnesses=tuple(Witness(one, CLUSTER.address(one)) for one in WITNESSES),
    )
    host.write("/var/lib/hamnd/guard.conf", guard.conf(where))
    host.write("/var/lib/hamnd/epoch", f"{number} {host.name} boot-before\n")
    host.write("/etc/network/interfaces", f"iface eth0 inet static\n address {ADDRESS}/24\n")
    host.write("/etc/systemd/system/own-network.service", NETWORK)
    host.write("/etc/systemd/system/bare.service", BARE)
    guarded.install(host, {"own-network.service": "hamn-guard-network.conf"})
    host.run("systemctl", "enable", "own-network", "bare")


def _booted(lab: Lab) -> Host:
    Faults(lab).power_cycle(PRIMARY)
    host = lab[PRIMARY]
    wait_until(
        lambda: not host.ask("systemctl", "list-jobs", "--no-legend").out.strip(), "booted", 90
    )
    return host


def _has_address(host: Host) -> bool:
    return f" {ADDRESS}/" in host.run("ip", "-o", "addr", "show")


def is_up(host: Host) -> bool:
    """Whether its own unit brought the address up: what the guard borrows has a limit."""
    told = host.run("ip", "-o", "addr", "show")
    return any(f" {ADDRESS}/" in one and "valid_lft forever" in one for one in told.splitlines())


def test_an_address_that_another_host_has_does_not_come_up(lab: Lab) -> None:
    """Given mn2 took mn1's address and nobody tells mn1, when mn1 boots, then its network is held;
    when mn2 is gone and a witness confirms mn1, it comes up without another boot."""
    lab[STANDBY].run("ip", "addr", "add", f"{ADDRESS}/24", "dev", "eth0")
    host = _booted(lab)
    assert not _has_address(host)
    assert host.ask("systemctl", "is-active", "own-network").out.strip() == "inactive"
    lab[STANDBY].run("ip", "addr", "del", f"{ADDRESS}/24", "dev", "eth0")
    lab["sn1"].write("/var/lib/hamnd/epoch", f"5 {PRIMARY} -\n")
    wait_until(lambda: is_up(host), "the network is up", 90)
    assert host.ask("systemctl", "is-active", "own-network").out.strip() == "active"


def test_a_node_that_was_taken_over_from_keeps_off_the_network(lab: Lab) -> None:
    """Given the address is free and a witness keeps a newer epoch of mn2, when mn1 boots, then it
    asks from its own address and gives it back."""
    lab["sn2"].write("/var/lib/hamnd/epoch", f"6 {STANDBY} -\n")
    host = _booted(lab)
    assert not _has_address(host)
    assert host.run("cat", "/var/lib/hamnd/epoch").split()[:2] == ["6", STANDBY]
