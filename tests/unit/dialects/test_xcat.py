"""xCAT never proves anything by an exit code (xcat-hamn.md §4.4)."""

import pytest

from hamnd.dialects import xcat
from hamnd.dialects.readers import read_action, read_look
from hamnd.dialects.xcat import ClientState
from hamnd.model.names import Verdict
from hamnd.model.site import Node, Services
from hamnd.model.work import Action, Ending, Exec, Look, Looked, Report
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

NO_DAEMON = exited(
    111,
    "Unable to open socket connection to xcatd daemon on localhost:3001.\n"
    "Verify that the xcatd daemon is running and that your SSL setup is correct.\n",
    "Connection failure: IO::Socket::INET: connect: Connection refused at Client.pm line 217.\n",
)
DATABASE_DOWN = exited(1, stderr="Error: Permission denied for request\n")
HUNG = ended(Ending.TIMED_OUT, "ran longer than 30 s")
NO_PROBE = exited(
    1, stderr="Error: [aixmn2]: Could not find an object named 'hamndprobe' of type 'node'.\n"
)
PROBE = exited(0, "Object name: hamndprobe\n    groups=hamndprobe\n")
CREATED = exited(0, "1 object definitions have been created or modified.\n")


def look(asked: Look, report: Report) -> Verdict:
    return read_look(Looked(asked, report)).verdict


def act(action: Action, report: Report) -> Verdict:
    return read_action(action, report).verdict


@pytest.mark.parametrize(
    ("report", "state"),
    [
        (NO_DAEMON, ClientState.NO_DAEMON),
        (
            exited(113, "Unable to open socket connection to xcatd daemon on x:3001.\n"),
            ClientState.NO_DAEMON,
        ),
        (DATABASE_DOWN, ClientState.DATABASE_FAILING),
        (exited(0, "Error: Permission denied for request\n"), ClientState.DATABASE_FAILING),
        (HUNG, ClientState.HUNG),
        (ended(Ending.LOST), ClientState.UNKNOWN),
        (ended(Ending.COULD_NOT_RUN), ClientState.UNKNOWN),
        (exited(1, stderr="Error: [mn]: dhcp server is not running.\n"), ClientState.ERROR),
        (exited(0, stderr="Error: [mn]: something\n"), ClientState.ERROR),
        (exited(0, "Version 2.19.0\n"), ClientState.ANSWERED),
    ],
)
def test_no_daemon_a_failing_database_and_a_hang_are_three_states(
    report: Report, state: ClientState
) -> None:
    assert xcat.client_state(report) is state


def test_a_success_of_mkdef_that_stored_nothing_is_found_out() -> None:
    """Measured: xcatd on a standby database says created, exit code 0, and stores nothing."""
    assert act(xcat.write_probe(site()), CREATED) is Verdict.PASS
    read_back = read_look(Looked(xcat.probe_present(site()), NO_PROBE))
    assert read_back.verdict is Verdict.BLOCK
    assert "takes no writes" in read_back.sentence


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (PROBE, Verdict.PASS),
        (NO_PROBE, Verdict.BLOCK),
        (NO_DAEMON, Verdict.BLOCK),
        (DATABASE_DOWN, Verdict.BLOCK),
        (HUNG, Verdict.UNKNOWN),
        (exited(0, ""), Verdict.UNKNOWN),
        (exited(0, "Object name: cn01\n    groups=hamndprobe\n"), Verdict.UNKNOWN),
        (exited(0, "Object name: hamndprobe\n    groups=\n"), Verdict.UNKNOWN),
    ],
)
def test_only_the_object_itself_read_back_proves_the_write(
    report: Report, verdict: Verdict
) -> None:
    assert look(xcat.probe_present(site()), report) is verdict


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (NO_PROBE, Verdict.PASS),
        (PROBE, Verdict.BLOCK),
        (DATABASE_DOWN, Verdict.BLOCK),
        (NO_DAEMON, Verdict.BLOCK),
        (HUNG, Verdict.UNKNOWN),
        (exited(0, ""), Verdict.UNKNOWN),
    ],
)
def test_an_absent_probe_is_only_believed_when_xcatd_says_so(
    report: Report, verdict: Verdict
) -> None:
    assert look(xcat.probe_gone(site()), report) is verdict
    assert act(xcat.check_probe_gone(site()), report) is verdict


def test_removing_a_probe_that_is_not_there_is_done() -> None:
    assert act(xcat.remove_probe(site()), NO_PROBE) is Verdict.PASS
    removed = exited(0, "1 object definitions have been removed.\n")
    assert act(xcat.remove_probe(site()), removed) is Verdict.PASS
    assert act(xcat.remove_probe(site()), DATABASE_DOWN) is Verdict.BLOCK
    assert act(xcat.remove_probe(site()), HUNG) is Verdict.UNKNOWN


DNS_DONE = (
    "Handling aixmn2 in /etc/hosts.\nGetting reverse zones, this may take several minutes.\n"
    "Updating zones.\nRestarting named\nRestarting named complete\nDNS setup is completed\n"
)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, DNS_DONE), Verdict.PASS),
        (exited(0, DNS_DONE.replace("DNS setup is completed\n", "")), Verdict.BLOCK),
        (exited(1, stderr="Error: [mn]: failed to start named.\n"), Verdict.BLOCK),
        (HUNG, Verdict.UNKNOWN),
    ],
)
def test_makedns_has_to_say_that_it_completed(report: Report, verdict: Verdict) -> None:
    assert act(xcat.make_dns(site()), report) is verdict


def test_warnings_of_makedhcp_are_shown_and_do_no_harm() -> None:
    config, reservations = xcat.make_dhcp(site())
    warning = "Warning: [mn]: No dynamic range specified for 10.1.0.0.\n"

    reading = read_action(config, exited(0, warning))

    assert reading.verdict is Verdict.PASS
    assert "No dynamic range" in reading.sentence
    assert isinstance(config.request, Exec)
    assert isinstance(reservations.request, Exec)
    assert (config.request.argv, reservations.request.argv) == (
        ("makedhcp", "-n"), ("makedhcp", "-a"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, ""), Verdict.PASS),
        (
            exited(
                1,
                stderr="Error: [mn]: dhcp server is not running.  please start the dhcp server.\n",
            ),
            Verdict.BLOCK,
        ),
        (
            exited(1, stderr="Error: Invalid nodes and/or groups in noderange: hamndprobe\n"),
            Verdict.BLOCK,
        ),
        (DATABASE_DOWN, Verdict.BLOCK),
        (HUNG, Verdict.UNKNOWN),
    ],
)
def test_dhcp_is_proven_by_a_query(report: Report, verdict: Verdict) -> None:
    assert look(xcat.dhcp_answers(site()), report) is verdict


def test_an_unknown_noderange_is_named() -> None:
    report = exited(1, stderr="Error: Invalid nodes and/or groups in noderange: nosuch\n")

    assert read_action(xcat.make_consoles(site()), report).sentence == "xCAT does not know nosuch"


def test_permission_denied_is_explained_as_what_it_is() -> None:
    sentence = read_look(Looked(xcat.version(site()), DATABASE_DOWN)).sentence

    assert "its database fails, not the login" in sentence


def test_version_and_database_are_read_as_lsxcatd_prints_them() -> None:
    assert xcat.parse_version("Version 2.19.0 (git commit 7733d16f8de0)\n") == (
        "2.19.0", "7733d16f8de0",
    )  # fmt: skip
    assert xcat.parse_version("Version 2.16.5 (git commit abc1, built Mon)\n") == ("2.16.5", "abc1")
    assert xcat.parse_version("Version 2.3\n") == ("2.3", None)
    assert xcat.parse_version("This is a Management Node\n") is None
    told = xcat.parse_settings("cfgloc=Pg:dbname=xcatdb;host=10.1.0.1|xcatadm\ndbengine=Pg\n")
    assert told["cfgloc"] == "Pg:dbname=xcatdb;host=10.1.0.1|xcatadm"
    assert look(xcat.version(site()), exited(0, "Version 2.19.0\n")) is Verdict.PASS
    assert look(xcat.version(site()), exited(0, "")) is Verdict.UNKNOWN
    assert look(xcat.database(site()), exited(0, "dbengine=SQLite\n")) is Verdict.PASS


def test_a_table_is_read_with_its_quotes_and_never_by_halves() -> None:
    text = '#key,value,comments,disable\n"master","9.114.47.110",,\n"domain","a, ""b""",,\n'

    rows = xcat.parse_table(text)

    assert rows is not None
    assert [row["value"] for row in rows] == ["9.114.47.110", 'a, "b"']
    assert xcat.parse_table("") is None
    assert xcat.parse_table('"master","9.114.47.110",,\n') is None
    assert xcat.parse_table(text[:-5]) is None or len(xcat.parse_table(text[:-5]) or ()) <= 2
    assert look(xcat.site_table(site()), exited(0, text)) is Verdict.PASS
    assert look(xcat.site_table(site()), exited(0, text, truncated=True)) is Verdict.UNKNOWN
    assert look(xcat.site_table(site()), exited(0, text.splitlines()[0])) is Verdict.BLOCK


def test_the_site_is_read_from_a_service_node_with_its_own_path() -> None:
    asked = xcat.site_master(site(), "sn01", "9.114.47.110:3001")

    assert isinstance(asked.request, Exec)
    assert asked.request.host == "sn01"
    assert asked.request.argv[:3] == (
        "env", f"PATH={site().tool_path}", "XCATHOST=9.114.47.110:3001",
    )  # fmt: skip
    told = exited(0, "Object name: clustersite\n    master=9.114.47.110\n")
    assert look(asked, told) is Verdict.PASS
    assert look(asked, exited(0, "Object name: clustersite\n    master=\n")) is Verdict.UNKNOWN


def test_an_xcatd_on_another_port_is_asked_there() -> None:
    moved = site(standby=Node("aixmn2", "9.114.47.104", xcatd_port=13001))
    request = xcat.version(moved).request

    assert isinstance(request, Exec)
    assert request.argv == ("env", "XCATHOST=localhost:13001", "lsxcatd", "-v")


def test_the_console_server_decides_the_command() -> None:
    request = xcat.make_consoles(site(services=Services(consoles="goconserver"))).request

    assert isinstance(request, Exec)
    assert request.argv == ("makegocons",)
