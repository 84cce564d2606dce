"""Addresses and units as Linux's own tools show them."""

import subprocess
from pathlib import Path

import pytest

from hamnd.dialects import addresses, linux
from hamnd.dialects.addresses import Address
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress
from hamnd.model.work import Action, Ending, Exec, Look, Looked, Report
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

SYSTEMCTL = """\
#!/bin/sh
for unit; do :; done
cat "$UNITS/$unit" 2>/dev/null || printf 'LoadState=not-found\\nExecStartPre=\\n'
"""
ASKS = "LoadState=loaded\nExec%s={ path=/bin/sh ; argv[]=/bin/sh -c /usr/sbin/hamn-guard unit x }\n"
NOT = "LoadState=loaded\nExecStartPre={ path=/bin/true ; argv[]=/bin/true }\n"
CONDITION, BEFORE = ASKS % "Condition", ASKS % "StartPre"


@pytest.mark.parametrize(
    ("units", "verdict", "word"),
    [
        ({"xcatd": CONDITION, "dhcpd": BEFORE, "NetworkManager": CONDITION}, "pass", "installed"),
        ({"xcatd": CONDITION, "NetworkManager": CONDITION, "networking": NOT}, "pass", "installed"),
        ({"xcatd": NOT, "dhcpd": NOT, "NetworkManager": BEFORE}, "block", "not before xcatd dhcpd"),
        # Below 243 a drop-in with ExecCondition is loaded, and nothing of it is shown or obeyed.
        ({"xcatd": "LoadState=loaded\n", "networking": BEFORE}, "block", "not before xcatd"),
        ({"xcatd": CONDITION, "NetworkManager": NOT}, "block", "not before network"),
        ({"xcatd": CONDITION}, "block", "not before network"),
    ],
)
def test_the_guard_is_there_only_where_the_units_ask_it(
    units: dict[str, str], verdict: str, word: str, tmp_path: Path
) -> None:
    """Units that this host does not have do not matter; one that configures the network has to."""
    (tmp_path / "units").mkdir()
    for unit, shown in units.items():
        (tmp_path / "units" / unit).write_text(shown)
    program, guard = tmp_path / "systemctl", tmp_path / "hamn-guard"
    for one, text in ((program, SYSTEMCTL), (guard, "#!/bin/sh\n")):
        one.write_text(text)
        one.chmod(0o755)
    where = site(tools={"systemctl": str(program)})
    look = linux.guard_there(where, "xcatd", "dhcpd", network=("NetworkManager", "networking"))
    assert isinstance(look.request, Exec)
    argv = [str(guard) if word == linux.GUARD else word for word in look.request.argv]
    environment = {"UNITS": str(tmp_path / "units"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=environment, check=False, capture_output=True, text=True)
    report = exited(done.returncode, done.stdout)
    reading = linux.read_guard_there(report)
    assert (reading.verdict.value, word in reading.sentence) == (verdict, True), reading
    assert linux.is_guard_there(report) is (verdict == "pass")


# iproute2 6.1, one interface with two IPv4 addresses and IPv6 ones in several states.
ADDRESSES = (
    "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n"
    "1: lo    inet6 ::1/128 scope host \\       valid_lft forever preferred_lft forever\n"
    "2: en1    inet 9.114.47.104/26 brd 9.114.47.127 scope global en1\\       valid_lft forever "
    "preferred_lft forever\n"
    "2: en1    inet 9.114.47.110/26 scope global secondary en1\\       valid_lft forever "
    "preferred_lft forever\n"
    "2: en1    inet6 fd00::10/64 scope global tentative \\       valid_lft forever\n"
    "2: en1    inet6 fd00::11/64 scope global dadfailed tentative \\       valid_lft forever\n"
    "5: vlan7@en1    inet 10.7.0.1/24 brd 10.7.0.255 scope global vlan7\\       valid_lft forever\n"
)
WITHOUT = ADDRESSES.replace("9.114.47.110", "9.114.47.111")
SERVICE = site().identity[0]

FREE = (
    "ARPING 9.114.47.110 from 0.0.0.0 en1\nSent 2 probes (2 broadcast(s))\nReceived 0 response(s)\n"
)
IN_USE = (
    "ARPING 9.114.47.110 from 0.0.0.0 en1\n"
    "Unicast reply from 9.114.47.110 [52:54:00:2F:00:67]  0.712ms\n"
    "Sent 1 probes (1 broadcast(s))\nReceived 1 response(s)\n"
)
HABETS = (
    "ARPING 9.114.47.110\n.!\n"
    "--- 9.114.47.110 statistics ---\n2 packets transmitted, 1 packets received\n"
)


def look(asked: Look, report: Report) -> Verdict:
    return read_look(Looked(asked, report)).verdict


def act(action: Action, report: Report) -> Verdict:
    return read_action(action, report).verdict


def argv(one: Look | Action) -> tuple[str, ...]:
    assert isinstance(one.request, Exec)
    return one.request.argv


def test_every_address_is_read_with_its_interface_and_state() -> None:
    assert addresses.parse_addresses(ADDRESSES) == (
        Address("lo", "127.0.0.1", 8),
        Address("lo", "::1", 128),
        Address("en1", "9.114.47.104", 26),
        Address("en1", "9.114.47.110", 26),
        Address("en1", "fd00::10", 64, is_ready=False),
        Address("en1", "fd00::11", 64, is_ready=False),
        Address("vlan7", "10.7.0.1", 24),
    )


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, ADDRESSES), Verdict.PASS),
        (exited(0, WITHOUT), Verdict.BLOCK),
        (
            exited(
                0, ADDRESSES.replace("2: en1    inet 9.114.47.110", "3: en2    inet 9.114.47.110")
            ),
            Verdict.BLOCK,
        ),
        (exited(0, ""), Verdict.UNKNOWN),
        (exited(1, stderr="Cannot open netlink socket"), Verdict.UNKNOWN),
        (ended(Ending.TIMED_OUT), Verdict.UNKNOWN),
    ],
)
def test_the_address_must_be_on_its_own_interface(report: Report, verdict: Verdict) -> None:
    assert look(addresses.address_up(site(), SERVICE), report) is verdict


def test_an_ipv6_address_that_is_still_checked_is_not_up() -> None:
    service = ServiceAddress("en1", "fd00::10", 64, "xcatmn")

    assert look(addresses.address_up(site(), service), exited(0, ADDRESSES)) is Verdict.BLOCK


def test_an_interface_without_an_address_is_not_there() -> None:
    other = ServiceAddress("en9", "9.114.47.110", 26, "xcatmn")

    assert look(addresses.interface_there(site(), SERVICE), exited(0, ADDRESSES)) is Verdict.PASS
    assert look(addresses.interface_there(site(), other), exited(0, ADDRESSES)) is Verdict.BLOCK


@pytest.mark.parametrize(
    ("report", "holds"),
    [
        (exited(0, ADDRESSES), True),
        (exited(0, WITHOUT), False),
        (exited(0, ""), None),
        (exited(0, ADDRESSES, truncated=True), None),
        (ended(Ending.TIMED_OUT), None),
    ],
)
def test_the_identity_is_held_certainly_not_held_or_not_known(
    report: Report, holds: bool | None
) -> None:
    assert addresses.holds_identity(report, site()) is holds


def test_one_of_two_service_addresses_is_not_the_identity() -> None:
    second = ServiceAddress("en2", "10.9.9.9", 24, "xcatmn2")

    assert addresses.holds_identity(exited(0, ADDRESSES), site(identity=(SERVICE, second))) is False


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, FREE), Verdict.PASS),
        (exited(1, IN_USE), Verdict.BLOCK),
        (exited(0, IN_USE), Verdict.BLOCK),
        (exited(0, HABETS), Verdict.UNKNOWN),
        (exited(1, HABETS), Verdict.UNKNOWN),
        (exited(0, ""), Verdict.UNKNOWN),
        (exited(2, stderr="arping: Device en1 not available."), Verdict.UNKNOWN),
        (exited(0, FREE.replace("Sent 2 probes", "Sent 0 probes")), Verdict.UNKNOWN),
        (ended(Ending.TIMED_OUT), Verdict.UNKNOWN),
        (ended(Ending.COULD_NOT_RUN), Verdict.UNKNOWN),
    ],
)
def test_an_address_is_free_only_when_probes_went_out_and_nobody_answered(
    report: Report, verdict: Verdict
) -> None:
    assert look(addresses.address_free(site(), SERVICE), report) is verdict


def test_addresses_are_taken_and_given_back_repeatably() -> None:
    add, remove = addresses.add_address(site(), SERVICE), addresses.remove_address(site(), SERVICE)

    assert argv(add) == ("ip", "addr", "add", "9.114.47.110/26", "dev", "en1")
    assert argv(remove) == ("ip", "addr", "del", "9.114.47.110/26", "dev", "en1")
    assert act(add, exited(0)) is Verdict.PASS
    assert act(add, exited(2, stderr="RTNETLINK answers: File exists\n")) is Verdict.PASS
    assert act(add, exited(2, stderr="Error: ipv4: Address already assigned.\n")) is Verdict.PASS
    assert act(add, exited(1, stderr='Cannot find device "en1"\n')) is Verdict.BLOCK
    gone = exited(2, stderr="RTNETLINK answers: Cannot assign requested address\n")
    assert act(remove, gone) is Verdict.PASS
    assert act(remove, exited(2, stderr="RTNETLINK answers: Operation not permitted\n")) is (
        Verdict.BLOCK
    )


def test_the_neighbours_are_told_twice() -> None:
    assert argv(addresses.announce(site(), SERVICE)) == (
        "arping", "-U", "-c", "2", "-I", "en1", "9.114.47.110",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("report", "any_active", "none_active"),
    [
        (exited(0, "active\ninactive\n"), Verdict.PASS, Verdict.BLOCK),
        (exited(3, "inactive\nfailed\n"), Verdict.BLOCK, Verdict.PASS),
        (exited(3, "inactive\nactivating\n"), Verdict.BLOCK, Verdict.BLOCK),
        (exited(3, "deactivating\ninactive\n"), Verdict.BLOCK, Verdict.BLOCK),
        (exited(0, "active\n"), Verdict.UNKNOWN, Verdict.UNKNOWN),
        (
            exited(1, "", "Failed to connect to bus: No such file or directory\n"),
            Verdict.UNKNOWN,
            Verdict.UNKNOWN,
        ),
        (ended(Ending.TIMED_OUT), Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_a_unit_is_active_quiet_or_not_known(
    report: Report, any_active: Verdict, none_active: Verdict
) -> None:
    assert look(linux.any_active(site(), "named", "bind9"), report) is any_active
    assert look(linux.none_active(site(), "named", "bind9"), report) is none_active


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(1, "disabled\n"), Verdict.PASS),
        (exited(0, "static\n"), Verdict.PASS),
        (exited(0, "enabled\n"), Verdict.BLOCK),
        (exited(0, "enabled-runtime\n"), Verdict.BLOCK),
        (exited(1, "masked\n"), Verdict.BLOCK),
        (exited(4, "not-found\n"), Verdict.BLOCK),
        (
            exited(
                1,
                "",
                "Failed to get unit file state for xcatd.service: No such file or directory\n",
            ),
            Verdict.BLOCK,
        ),
        (exited(1, "", "Failed to connect to bus\n"), Verdict.UNKNOWN),
        (ended(Ending.COULD_NOT_RUN), Verdict.UNKNOWN),
    ],
)
def test_a_unit_that_would_start_at_boot_is_not_waiting(report: Report, verdict: Verdict) -> None:
    assert look(linux.unit_waiting(site(), "xcatd"), report) is verdict


def test_stopping_what_is_not_there_is_done() -> None:
    stop = linux.stop_unit(site(), "dhcpd", "isc-dhcp-server")

    assert argv(stop) == ("systemctl", "stop", "dhcpd", "isc-dhcp-server")
    absent = exited(5, stderr="Failed to stop dhcpd.service: Unit dhcpd.service not loaded.\n")
    assert act(stop, absent) is Verdict.PASS
    assert act(stop, exited(1, stderr="Access denied\n")) is Verdict.BLOCK


DIG = (
    "; <<>> DiG 9.18.33 <<>> +search @9.114.47.110 xcatmn A\n"
    ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4711\n\n"
    ";; QUESTION SECTION:\n;xcatmn.cluster.net.\t\tIN\tA\n\n"
    ";; ANSWER SECTION:\nxcatmn.cluster.net.\t86400\tIN\tA\t9.114.47.110\n\n"
    ";; SERVER: 9.114.47.110#53(9.114.47.110) (UDP)\n"
)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, DIG), Verdict.PASS),
        (exited(0, DIG.replace("A\t9.114.47.110", "A\t9.114.47.103")), Verdict.BLOCK),
        (exited(0, ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1\n"), Verdict.BLOCK),
        (exited(0, ";; ->>HEADER<<- opcode: QUERY, status: SERVFAIL, id: 1\n"), Verdict.BLOCK),
        (exited(9, ";; connection timed out; no servers could be reached\n"), Verdict.BLOCK),
        (
            exited(9, ";; communications error to 9.114.47.110#53: connection refused\n"),
            Verdict.BLOCK,
        ),
        (exited(0, ""), Verdict.UNKNOWN),
        (ended(Ending.TIMED_OUT), Verdict.UNKNOWN),
    ],
)
def test_the_name_server_must_give_the_service_address(report: Report, verdict: Verdict) -> None:
    assert look(linux.name_resolves(site(), SERVICE), report) is verdict
