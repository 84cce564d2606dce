"""What other hosts and IPv6 say about an address: real outputs of iproute2 and iputils."""

import pytest

from hamnd.dialects import addresses, reach
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Answer, Probe, Verdict
from hamnd.model.site import IdentityMode, ServiceAddress, Witness
from hamnd.model.work import Exec, Looked, Report
from tests.builders import site
from tests.unit.dialects.reports import MUTE, exited

OURS = "02:00:0a:63:00:0c"
FOUR = ServiceAddress("eth0", "10.99.0.10", 24, "mn")
SIX = ServiceAddress("eth1", "fd00:99::10", 64, "mn6")
LINKS = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default qlen 1000\\    link/ether 02:00:0a:63:00:0c brd ff:ff:ff:ff:ff:ff link-netnsid 0
3: bond0: <BROADCAST,MULTICAST,MASTER,UP,LOWER_UP> mtu 9000 qdisc noqueue state UP mode DEFAULT group default qlen 1000\\    link/ether 02:00:0a:63:01:0c brd ff:ff:ff:ff:ff:ff
4: bond0.100@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc noqueue state UP\\    link/ether 02:00:0a:63:01:0c brd ff:ff:ff:ff:ff:ff
"""  # noqa: E501


def test_hardware_addresses_of_every_kind_of_interface() -> None:
    assert addresses.parse_links(LINKS) == {
        "lo": "00:00:00:00:00:00",
        "eth0": OURS,
        "bond0": "02:00:0a:63:01:0c",
        "bond0.100": "02:00:0a:63:01:0c",
    }


@pytest.mark.parametrize(
    ("report", "verdict", "told"),
    [
        (exited(0, f"ping=0\n10.99.0.10 dev eth0 lladdr {OURS} REACHABLE\n"), Verdict.PASS, OURS),
        (exited(0, f"ping=0\n10.99.0.10 dev eth0 lladdr {OURS.upper()} STALE\n"), Verdict.PASS, ""),
        (
            exited(0, "ping=1\n10.99.0.10 dev eth0 lladdr 02:00:0a:63:00:0b STALE\n"),
            Verdict.UNKNOWN,
            "sn1 does not reach 10.99.0.10; it remembers it at 02:00:0a:63:00:0b",
        ),
        (
            exited(0, "ping=0\n10.99.0.10 dev eth0 lladdr 02:00:0a:63:00:16 REACHABLE\n"),
            Verdict.BLOCK,
            "at 02:00:0a:63:00:16",
        ),
        (exited(0, "ping=1\n10.99.0.10 dev eth0 FAILED\n"), Verdict.UNKNOWN, "does not reach"),
        (exited(0, f"ping=1\n10.99.0.10 dev eth0 lladdr {OURS} DELAY\n"), Verdict.UNKNOWN, ""),
        (exited(0, "ping=0\n"), Verdict.UNKNOWN, "does not reach"),
        (exited(127, "", "sh: ip: not found\n"), Verdict.UNKNOWN, ""),
        *((one, Verdict.UNKNOWN, "sn1 could not look") for one in MUTE),
    ],
)
def test_what_a_third_host_sees(report: Report, verdict: Verdict, told: str) -> None:
    look = addresses.seen_by(Witness("sn1", "10.99.0.21"), FOUR, OURS)
    reading = read_look(Looked(look, report))
    assert reading.verdict is verdict
    assert told in reading.sentence


def test_without_our_own_hardware_address_a_third_host_proves_nothing() -> None:
    look = addresses.seen_by(Witness("sn1", "10.99.0.21"), FOUR, "")
    report = exited(0, f"ping=0\n10.99.0.10 dev eth0 lladdr {OURS} REACHABLE\n")
    assert read_look(Looked(look, report)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, "ping=1\nfd00:99::10 dev eth1 FAILED\n"), Verdict.PASS),
        (exited(0, "ping=nowhere\n"), Verdict.PASS),  # no route: duplicate detection decides
        (exited(0, "ping=unsent\n"), Verdict.UNKNOWN),
        (exited(0, "ping=2\n"), Verdict.UNKNOWN),
        (exited(127, "ping=1\n", "sh: ip: not found\n"), Verdict.UNKNOWN),
        (exited(0, "ping=1\nfd00:99::10 dev eth1 lladdr 2:b STALE\n"), Verdict.PASS),
        (exited(0, "ping=0\nfd00:99::10 dev eth1 lladdr 2:b REACHABLE\n"), Verdict.BLOCK),
        (exited(0, "ping=1\nfd00:99::10 dev eth1 lladdr 2:b REACHABLE\n"), Verdict.BLOCK),
        (exited(0, "ping=0\n"), Verdict.BLOCK),
        (exited(0, ""), Verdict.UNKNOWN),
        *((one, Verdict.UNKNOWN) for one in MUTE),
    ],
)  # fmt: skip
def test_whether_an_ipv6_address_is_free(report: Report, verdict: Verdict) -> None:
    look = addresses.address_free6(site(), SIX)
    assert read_look(Looked(look, report)).verdict is verdict


@pytest.mark.parametrize(
    ("report", "verdict", "told"),
    [
        (exited(0), Verdict.PASS, ""),
        (exited(4, "", "somebody else holds fd00:99::10\n"), Verdict.BLOCK, "duplicate"),
        (exited(1, "", "fd00:99::10 is still tentative\n"), Verdict.BLOCK, "still tentative"),
        (exited(2, "", 'Cannot find device "eth1"\n'), Verdict.BLOCK, "Cannot find device"),
    ],
)
def test_what_taking_an_ipv6_address_says(report: Report, verdict: Verdict, told: str) -> None:
    reading = read_action(addresses.take6(site(), SIX), report)
    assert reading.verdict is verdict
    assert told in reading.sentence


# The old primary's own address, once it is ours.

NOBODY = (
    "ARPING 10.99.0.11 from 0.0.0.0 eth0\nSent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n"
)
SOMEBODY = (
    "ARPING 10.99.0.11 from 0.0.0.0 eth0\n"
    "Unicast reply from 10.99.0.11 [02:00:0A:63:00:0B]  0.530ms\n"
    "Sent 1 probes (1 broadcast(s))\nReceived 1 response(s)\n"
)


@pytest.mark.parametrize(
    ("report", "is_proven", "answer"),
    [
        (exited(0, NOBODY), True, Answer.SILENT),
        (exited(0, NOBODY), False, Answer.UNKNOWN),
        (exited(1, SOMEBODY), True, Answer.ANSWERED),
        (exited(2, "", "arping: Device eth0 not available.\n"), True, Answer.UNKNOWN),
        *((one, True, Answer.UNKNOWN) for one in MUTE),
    ],
)
def test_who_claims_the_address_is_asked_by_arp(
    report: Report, is_proven: bool, answer: Answer
) -> None:
    here = site(
        identity_mode=IdentityMode.PRIMARY_ADDRESS,
        identity=(ServiceAddress("eth0", site().primary.address, 26, "aixmn1"),),
    )
    probes = dict(reach.address_round(here))
    assert set(probes) == {Probe.PING, Probe.GATEWAY}
    request = probes[Probe.PING].request
    assert isinstance(request, Exec)
    assert request.argv[0] == "arping"
    assert reach.read_answer(Looked(probes[Probe.PING], report), is_proven) is answer


def test_an_ipv6_primary_is_not_asked_about() -> None:
    assert [probe for probe, _ in reach.address_round(site(identity=(SIX,)))] == [Probe.GATEWAY]
