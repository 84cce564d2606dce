"""The management node's identity moves between real hosts, and comes back where it is not proven.

Owns the stories of the addresses: several networks, IPv6, a wrong gateway, an address that somebody
holds, hamnd killed in the middle.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

from hamnd.dialects import addresses, network
from hamnd.model.site import ServiceAddress
from hamnd.model.work import Action, Exec
from tests.builders import site as any_site
from tests.lab.site import xcat
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.guides_way import INTERFACES, OWN, PRIMARYS, primary_address
from tests.lab.site.hosts import Done, Lab, wait_until
from tests.lab.site.names import CLUSTER, PUBLIC, Plan
from tests.lab.site.pair import SERVICE_ADDRESS, Db2Pair

__all__ = ["lab"]
pytestmark = [pytest.mark.lab, pytest.mark.slow, needs_lab("crontab", "arping", *xcat.PROGRAMS)]

NOBODY = "10.99.0.99"
GATEWAY_ADDRESS = CLUSTER.address("gw")
PUBLIC_ADDRESS, PUBLIC6 = PUBLIC.address("mn"), "fd00:99::10"
NUMBERS6 = {"gw": 1, "mn1": 11, "mn2": 12, "sn2": 22}
TWO_NETWORKS = f"""\
[[identity.address]]
interface = "eth1"
address = "{PUBLIC_ADDRESS}"
prefix = 24
gateway = "{PUBLIC.address("gw")}"
name = "mn-public"
[[identity.address]]
interface = "eth1"
address = "{PUBLIC6}"
prefix = 64
gateway = "fd00:99::1"
name = "mn-public6"

[network]
"""


def hardware(lab: Lab, witness: str, address: str) -> str:
    """Return the hardware address that a host's kernel knows for an address, or nothing."""
    family = "-6" if ":" in address else "-4"
    told = lab[witness].run("ip", family, "neigh", "show", "to", address)
    found = re.search(r"lladdr (\S+)", told)
    return found[1] if found else ""


def holds(lab: Lab, host: str, address: str) -> bool:
    return f" {address}/" in lab[host].run("ip", "-o", "addr", "show")


def with_ipv6(lab: Lab) -> None:
    """Give the hosts of the public network addresses of IPv6."""
    for name, number in NUMBERS6.items():
        lab[name].run("ip", "addr", "add", f"fd00:99::{number}/64", "dev", "eth1", "nodad")


def perform(lab: Lab, host: str, action: Action) -> None:
    assert isinstance(action.request, Exec)
    lab[host].run(*action.request.argv)


def impatient(text: str) -> str:
    """A shorter limit, so that a story does not wait a minute."""
    return text.replace('mode = "service_address"\n', 'mode = "service_address"\nconfirm_s = 10\n')


def wrong_gateway(text: str) -> str:
    """Name a router for the service address that is not there."""
    named = f'gateway = "{CLUSTER.address("gw")}"\nname = "mn"'
    assert named in text
    return impatient(text).replace(named, f'gateway = "{NOBODY}"\nname = "mn"')


@pytest.fixture
def public() -> Iterator[Lab]:
    with Lab(Plan(networks=(CLUSTER, PUBLIC))) as one:
        with_ipv6(one)
        yield one


def test_the_neighbours_learn_the_new_owner_within_a_second(public: Lab) -> None:
    """Given a third host that just spoke to mn1, when mn1 dies and mn2 takes its addresses, then
    that host's kernel knows mn2's hardware address within a second, of IPv4 and of IPv6."""
    where = any_site(node="mn2")
    four = ServiceAddress("eth1", PUBLIC_ADDRESS, 24, "mn")
    six = ServiceAddress("eth1", PUBLIC6, 64, "mn6")
    for one in (four, six):
        flag = ("nodad",) if one.is_ipv6 else ()
        public["mn1"].run("ip", "addr", "add", f"{one.address}/{one.prefix}", "dev", "eth1", *flag)
        public["sn2"].run("ping", "-c", "1", "-W", "2", one.address)
        assert hardware(public, "sn2", one.address) == PUBLIC.hardware("mn1")
    Faults(public).off("mn1")
    perform(public, "mn2", addresses.add_address(where, four))
    began = time.perf_counter()
    announced = public["mn2"].start(*_argv(addresses.announce(where, four)))
    wait_until(lambda: hardware(public, "sn2", PUBLIC_ADDRESS) == PUBLIC.hardware("mn2"), "ARP", 5)
    assert time.perf_counter() - began < 1.0
    announced.popen.wait(timeout=10)
    perform(public, "mn2", addresses.take6(where, six))  # ends when the kernel has announced it
    began = time.perf_counter()
    wait_until(lambda: hardware(public, "sn2", PUBLIC6) == PUBLIC.hardware("mn2"), "NA", 5)
    assert time.perf_counter() - began < 1.0
    notify = public["mn2"].run("cat", "/proc/sys/net/ipv6/conf/eth1/ndisc_notify")
    assert notify.strip() == "0"


def _argv(action: Action) -> tuple[str, ...]:
    assert isinstance(action.request, Exec)
    return action.request.argv


def test_an_ipv6_address_that_somebody_holds_is_given_back_at_once(public: Lab) -> None:
    """Given sn2 holds the address, when mn2 takes it, then the kernel finds the duplicate, the
    action says so, and mn2 does not keep it, not even as a failed one."""
    where, six = any_site(node="mn2"), ServiceAddress("eth1", PUBLIC6, 64, "mn6")
    public["sn2"].run("ip", "addr", "add", f"{PUBLIC6}/64", "dev", "eth1", "nodad")
    done = public["mn2"].ask(*_argv(addresses.take6(where, six)))
    assert (done.code, done.err.strip()) == (4, f"somebody else holds {PUBLIC6}")
    assert not holds(public, "mn2", PUBLIC6)
    free = addresses.address_free6(where, six).request
    assert isinstance(free, Exec)
    assert "ping=0" in public["mn2"].run(*free.argv)


ROUTES = (
    ("default", "via", GATEWAY_ADDRESS, "metric", "100"),
    ("172.16.0.0/16", "via", GATEWAY_ADDRESS),
    ("172.17.0.0/16", "via", GATEWAY_ADDRESS, "table", "100", "mtu", "1400"),
)


def test_routes_by_the_address_that_ends_go_on_by_the_one_that_stays(lab: Lab) -> None:
    """Given routes that name mn2's own address as their source, the default one too, when mn2 gives
    it up for mn1's, then all of them are there with mn1's, and once more makes no difference; one
    that cannot be kept leaves the address where it is."""
    host, where = lab["mn2"], any_site(node="mn2")
    host.run("ip", "route", "del", "default")
    for route in ROUTES:
        host.run("ip", "route", "add", *route, "src", OWN)
    give_up = _argv(network.give_up(where, OWN, 24, "eth0", PRIMARYS))
    refused = host.ask(*give_up)
    assert (refused.code, "this route cannot be kept" in refused.err) == (1, True), refused.text
    assert holds(lab, "mn2", OWN)
    host.run("ip", "addr", "add", f"{PRIMARYS}/24", "dev", "eth0")
    for _ in range(2):
        host.run(*give_up)
        told = host.run("ip", "-4", "route", "show", "table", "all").splitlines()
        for one in ROUTES:
            (line,) = [line for line in told if line.startswith(f"{one[0]} ")]
            assert f"src {PRIMARYS}" in line
            assert set(one) <= set(line.split()), line
    assert not holds(lab, "mn2", OWN)


# With hamnd on mn2.


def watched(lab: Lab, change: Callable[[str], str]) -> Db2Pair:
    """A site in Peer and ready, whose configuration was changed."""
    site = Db2Pair(lab, change=change)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    return site


def confirm(site: Db2Pair) -> Done:
    """Plan and confirm, and wait for the end of what the terminal shows."""
    site.wait_state("PrimaryDown")
    digest = site.ask("plan", "takeover")["digest"]
    return site.hamnctl("confirm", digest, "--name", "mn2", timeout_s=120)


def identity_sentence(site: Db2Pair) -> str:
    """What the paused run says of its step `identity`."""
    run = site.ask("status")["run"]
    assert run["status"] == "paused", run
    assert {one["id"]: one["outcome"] for one in run["steps"]}["identity"] != "done"
    return " ".join(site.hamnctl("status").text.split())


@pytest.mark.timeout(300)
def test_the_identity_moves_on_two_networks_and_both_families(public: Lab) -> None:
    """Given a service address on each of two networks and one of IPv6, when mn1 dies and the
    takeover is confirmed, then mn2 holds all three, and a witness of each network reaches mn2."""

    def change(text: str) -> str:
        moved = text.replace("[network]\n", TWO_NETWORKS)
        moved = moved.replace(CLUSTER.address("sn2"), PUBLIC.address("sn2"))
        return f"{moved}\n[plan.services]\ndns = false\n"

    site = watched(public, change)
    for address, length in ((PUBLIC_ADDRESS, 24), (PUBLIC6, 64)):
        flag = ("nodad",) if ":" in address else ()
        public["mn1"].run("ip", "addr", "add", f"{address}/{length}", "dev", "eth1", *flag)
        public["sn2"].run("ping", "-c", "1", "-W", "2", address)
    site.faults.off("mn1")
    confirmed = confirm(site)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.hamnctl('status').text}"
    for address in (SERVICE_ADDRESS, PUBLIC_ADDRESS, PUBLIC6):
        assert holds(public, "mn2", address)
    assert hardware(public, "sn1", SERVICE_ADDRESS) == CLUSTER.hardware("mn2")
    for address in (PUBLIC_ADDRESS, PUBLIC6):
        assert hardware(public, "sn2", address) == PUBLIC.hardware("mn2")
    # Nothing of it is there after a reboot: an alias never starts outside the guard.
    site.faults.power_cycle("mn2")
    assert not any(holds(public, "mn2", one) for one in (SERVICE_ADDRESS, PUBLIC6))


@pytest.mark.timeout(300)
def test_a_wrong_gateway_brings_the_old_identity_back(lab: Lab) -> None:
    """Given a router that is not there, when the takeover reaches `identity`, then the address goes
    away by itself, the run is paused and says why; with the router there, retry completes it."""
    site = watched(lab, wrong_gateway)
    site.faults.off("mn1")
    confirmed = confirm(site)
    assert confirmed.code == 4, confirmed.text
    told = identity_sentence(site)
    silent = f"the gateway ({NOBODY}) does not answer ping from {SERVICE_ADDRESS}"
    assert f"{silent}: not proven, what was before comes back by itself" in told
    wait_until(lambda: not holds(lab, "mn2", SERVICE_ADDRESS), "the address goes away", 20)
    lab["gw"].run("ip", "addr", "add", f"{NOBODY}/24", "dev", "eth0")
    site.retry()
    assert site.wait_state("Active") == "Active"
    assert site.owners() == ["mn2"]


@pytest.mark.timeout(300)
def test_the_old_identity_comes_back_without_hamnd(lab: Lab) -> None:
    """Given hamnd is killed as soon as the address is there, when its limit is over, then the
    address is gone; hamnd, started again, says where it stands and completes the run on retry."""
    site = watched(lab, impatient)
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    digest = site.ask("plan", "takeover")["digest"]
    going = site.start_hamnctl("confirm", digest, "--name", "mn2")
    wait_until(lambda: holds(lab, "mn2", SERVICE_ADDRESS), "the address is there", 60)
    site.kill_hamnd()
    assert holds(lab, "mn2", SERVICE_ADDRESS)
    wait_until(lambda: not holds(lab, "mn2", SERVICE_ADDRESS), "the address goes away", 20)
    going.popen.wait(timeout=30)
    site.watch()
    wait_until(lambda: site.ask("status")["run"]["status"] == "paused", "the run is held", 20)
    assert site.ask("status")["state"] == "TakingOver"
    site.retry()
    assert site.wait_state("Active") == "Active"
    assert site.owners() == ["mn2"]


@pytest.mark.timeout(300)
def test_an_address_that_somebody_holds_is_never_taken(lab: Lab) -> None:
    """Given sn2 took the service address, when the takeover reaches `identity`, then mn2 does not
    take it and says who answers; once it is free, retry takes it."""
    site = watched(lab, impatient)
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    lab["sn2"].run("ip", "addr", "add", f"{SERVICE_ADDRESS}/24", "dev", "eth0")
    confirmed = confirm(site)
    assert confirmed.code == 4, confirmed.text
    told = identity_sentence(site)
    assert "the address is in use" in told
    assert CLUSTER.hardware("sn2").upper() in told.upper()
    assert not holds(lab, "mn2", SERVICE_ADDRESS)
    lab["sn2"].run("ip", "addr", "del", f"{SERVICE_ADDRESS}/24", "dev", "eth0")
    site.retry()
    assert site.wait_state("Active") == "Active"
    assert site.owners() == ["mn2"]


# The primary's own address and name move.


@pytest.mark.timeout(400)
def test_the_primarys_own_address_and_name_move(lab: Lab) -> None:
    """Given the guide's way, when mn1 dies and the takeover is confirmed, then Db2 was stopped,
    mn2 is called mn1 and has its address and no other, the database writes there, the service nodes
    get answers, and all of it is written down for the next boot."""
    lab["mn2"].write("/etc/network/interfaces", INTERFACES)
    site = Db2Pair(lab, change=primary_address, service_address=PRIMARYS)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    card = " ".join(site.hamnctl("plan", "takeover").text.split())
    assert f"every session over mn2's own address {OWN} will end" in card
    assert "Way in: bmc, serial over LAN" in card
    confirmed = confirm(site)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.hamnctl('status').text}"
    assert lab["mn2"].run("hostname").strip() == "mn1"
    assert holds(lab, "mn2", PRIMARYS)
    assert not holds(lab, "mn2", OWN)
    assert site.db2.writable() == ("mn2",)
    assert site.db2.state("mn2").startswith("STANDARD")
    assert site.db2.lost("mn1", "mn2") == 0
    told = lab["mn2"].run("su", "-", "xcatdb", "-c", "db2 get db cfg for XCATDB")
    assert re.search(rf"\(HADR_LOCAL_HOST\) = {re.escape(PRIMARYS)}\b", told)
    assert re.search(rf"\(HADR_REMOTE_HOST\) = {re.escape(OWN)}\b", told)
    assert hardware(lab, "sn1", PRIMARYS) == CLUSTER.hardware("mn2")
    assert "cn1" in lab["sn1"].run("lsdef", environment={"XCATHOST": "mn1:3001"})
    # Lasting: only the line that counts was changed, and ifupdown reads it.
    written = lab["mn2"].path("/etc/network/interfaces").read_text()
    assert written == INTERFACES.replace(f"address {OWN}/24", f"address {PRIMARYS}/24")
    assert lab["mn2"].path("/etc/hostname").read_text() == "mn1\n"
    # hamnd knows itself by its configured name, and does not take itself for the old primary.
    status = site.ask("status")
    assert (status["node"], status["state"]) == ("mn2", "Active")
    returned = [one for one in status["conditions"] if one["type"] == "OldPrimaryReturned"]
    assert [one["status"] for one in returned] == ["False"]


@pytest.mark.timeout(400)
def test_the_standbys_own_identity_comes_back_without_hamnd(lab: Lab) -> None:
    """Given the guide's way and a router that is not there, when hamnd is killed with the new name
    and address in place, then after its limit mn2 has its own name again and only its own address;
    with the router there, retry completes the run."""
    lab["mn2"].write("/etc/network/interfaces", INTERFACES)

    def change(text: str) -> str:
        router = f'gateway = "{CLUSTER.address("gw")}"\nname = "mn1"'
        return primary_address(text).replace(router, f'gateway = "{NOBODY}"\nname = "mn1"')

    site = Db2Pair(lab, change=change, service_address=PRIMARYS)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    digest = site.ask("plan", "takeover")["digest"]
    site.start_hamnctl("confirm", digest, "--name", "mn2")
    wait_until(lambda: lab["mn2"].run("hostname").strip() == "mn1", "the name is there", 60)
    site.kill_hamnd()
    wait_until(lambda: not holds(lab, "mn2", PRIMARYS), "the address goes away", 40)
    assert lab["mn2"].run("hostname").strip() == "mn2"
    assert holds(lab, "mn2", OWN)
    assert lab["mn2"].path("/etc/hostname").read_text() == "mn2\n"
    lab["gw"].run("ip", "addr", "add", f"{NOBODY}/24", "dev", "eth0")
    site.watch()
    site.retry()
    assert site.wait_state("Active") == "Active"
    assert lab["mn2"].run("hostname").strip() == "mn1"
