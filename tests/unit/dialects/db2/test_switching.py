"""What a switchover of Db2 asks and gives: argv, scripts run by a real shell, and what they say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.db2 import switching
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Looked, Report
from tests.builders import site
from tests.unit.dialects.db2.test_rehome import CFG, run, stub
from tests.unit.dialects.reports import MUTE, exited

SITE = site()
SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "db2" / "clp"
NEW, OLD = SITE.node, SITE.partner.name
HEAD = "\nDatabase Member 0 -- Database XCATDB -- Active -- Up 0 days 02:04:55\n\n"
PD = """\
                            HADR_ROLE = {role}
                           HADR_STATE = {state}
                           HADR_FLAGS = {flags}
                  HADR_CONNECT_STATUS = {connected}
            PRIMARY_LOG_FILE,PAGE,POS = S0000017.LOG, 52, 321584272
            STANDBY_LOG_FILE,PAGE,POS = S0000017.LOG, 52, 321584272
             READS_ON_STANDBY_ENABLED = N
"""
TWO = (SAMPLES / "list-applications.rc0.txt").read_text()
NOBODY = (SAMPLES / "list-applications-nobody.rc2.txt").read_text()
DIRECTORY = """
 System Database Directory

 Number of entries in the directory = 2

Database 1 entry:

 Database alias                       = OTHER
 Alternate server hostname            = elsewhere
 Alternate server port number         = 50000

Database 2 entry:

 Database alias                       = XCATDB
 Alternate server hostname            = {host}
 Alternate server port number         = {port}
"""
DONE = "DB20000I  The UPDATE DATABASE CONFIGURATION command completed successfully."


def pd(
    role: str = "STANDBY", state: str = "PEER", connected: str = "CONNECTED", flags: str = ""
) -> Report:
    text = PD.format(role=role, state=state, connected=connected, flags=flags)
    return exited(0, HEAD + text)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    names = {name: str(tmp_path / name) for name in ("db2", "db2pd")}
    return replace(SITE, db2=replace(SITE.db2, profile=None), tools=names)


@pytest.mark.parametrize(
    ("work", "host", "line"),
    [
        (switching.in_peer(SITE, OLD, "primary"), OLD, "db2pd -d XCATDB -hadr"),
        (switching.nobody_connected(SITE, OLD), OLD, "db2 list applications for db XCATDB"),
        (switching.force_applications(SITE, OLD), OLD, "db2 force applications all"),
        (switching.hosts_exchanged(SITE, NEW, "a", "b"), NEW, "db2 get db cfg for XCATDB"),
    ],
)
def test_argv(work: Action | Look, host: str, line: str) -> None:
    assert isinstance(work.request, Exec)
    assert (" ".join(work.request.argv), work.request.host) == (line, host)
    assert work.request.user == "xcatdb"


@pytest.mark.parametrize(
    ("report", "role", "verdict", "said"),
    [
        (pd(), "standby", Verdict.PASS, "STANDBY in PEER, connected"),
        (pd("PRIMARY"), "primary", Verdict.PASS, "PRIMARY in PEER, connected"),
        (pd(connected="CONGESTED"), "standby", Verdict.PASS, "connected"),
        (pd("PRIMARY"), "standby", Verdict.BLOCK, "PRIMARY in PEER, not STANDBY in PEER"),
        (pd(state="REMOTE_CATCHUP"), "standby", Verdict.BLOCK, "STANDBY in REMOTE_CATCHUP"),
        (pd(connected="DISCONNECTED"), "standby", Verdict.BLOCK, "but not connected"),
        (pd(flags="STANDBY_TABLESPACE_ERROR"), "standby", Verdict.BLOCK, "TABLESPACE_ERROR"),
        (exited(0, HEAD + "HADR is not active.\n"), "standby", Verdict.BLOCK, "hadr inactive"),
        (exited(0, HEAD + PD[:80]), "standby", Verdict.UNKNOWN, "db2pd:"),
        *((one, "standby", Verdict.UNKNOWN, "") for one in MUTE),
    ],
)
def test_peer_is_only_what_is_whole(report: Report, role: str, verdict: Verdict, said: str) -> None:
    reading = read_look(Looked(switching.in_peer(SITE, NEW, role), report))
    assert reading.verdict is verdict
    assert said in reading.sentence


@pytest.mark.parametrize(
    ("report", "verdict", "said"),
    [
        (exited(2, NOBODY), Verdict.PASS, "nobody"),
        (exited(0, TWO), Verdict.BLOCK, "2 connected: db2bp, xcatd"),
        (exited(0, TWO[:300]), Verdict.UNKNOWN, ""),
        (exited(0, ""), Verdict.UNKNOWN, ""),
        (
            exited(4, "SQL1032N  No start database manager command was issued.\n"),
            Verdict.UNKNOWN,
            "",
        ),
        (exited(4, NOBODY + "SQL1224N  The agent died.\n"), Verdict.UNKNOWN, ""),
        *((one, Verdict.UNKNOWN, "") for one in MUTE),
    ],
)
def test_nobody_is_connected_only_where_db2_says_so(
    report: Report, verdict: Verdict, said: str
) -> None:
    reading = read_look(Looked(switching.nobody_connected(SITE, OLD), report))
    assert reading.verdict is verdict
    assert said in reading.sentence


SHELLS = tuple(one for one in ("dash", "ksh", "mksh") if shutil.which(one))
"""AIX's sh is an old ksh; mksh is the one here that reads patterns as that family does."""


def cfg_stub(role: str, target: str = "aixmn1:DB2_HADR_1") -> str:
    text = CFG.format(role=role, local="a", remote="b").replace("aixmn1:DB2_HADR_1", target)
    return f"case $1 in get) cat <<'EOF'\n{text}EOF\n;; *) echo '{DONE}';; esac"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("target", "changed"),
    [
        ("aixmn1:DB2_HADR_1", " HADR_TARGET_LIST 9.9.9.2:DB2_HADR_1"),
        ("aixmn1:H1|far:H3|farther:H4", " HADR_TARGET_LIST 9.9.9.2:DB2_HADR_1|far:H3|farther:H4"),
        ("", ""),
    ],
)
def test_only_the_partner_changes_in_the_target_list(
    here: Site, tmp_path: Path, target: str, changed: str, shell: str
) -> None:
    stub(tmp_path, "db2", cfg_stub("STANDARD", target))
    (tmp_path / "sh").symlink_to(str(shutil.which(shell)))
    action = switching.exchange_hosts(here, here.node, "9.9.9.1", "9.9.9.2")
    report, calls = run(action, tmp_path)
    assert read_action(action, report).verdict is Verdict.PASS
    hosts = "HADR_LOCAL_HOST 9.9.9.1 HADR_REMOTE_HOST 9.9.9.2"
    assert calls[-1] == f"db2 update db cfg for XCATDB using {hosts}{changed}"


def test_hosts_are_not_changed_where_the_configuration_cannot_be_read(
    here: Site, tmp_path: Path
) -> None:
    stub(tmp_path, "db2", "echo 'SQL1032N  No start database manager command was issued.'; exit 4")
    action = switching.exchange_hosts(here, here.node, "9.9.9.1", "9.9.9.2")
    report, calls = run(action, tmp_path)
    assert read_action(action, report).verdict is Verdict.BLOCK
    assert calls == ["db2 get db cfg for XCATDB"]


@pytest.mark.parametrize(
    ("host", "port", "last"),
    [
        (
            "aixmn1",
            "60000",
            "update alternate server for db XCATDB using hostname 9.9.9.2 port 60000",
        ),
        ("", "", "list db directory"),
    ],
)
def test_an_alternate_server_follows_and_none_is_invented(
    here: Site, tmp_path: Path, host: str, port: str, last: str
) -> None:
    text = DIRECTORY.format(host=host, port=port)
    stub(
        tmp_path,
        "db2",
        f"case $1 in list) cat <<'EOF'\n{text}EOF\n;; *) echo '{DONE}'; exit 2;; esac",
    )
    action = switching.exchange_alternate(here, here.node, "9.9.9.2")
    report, calls = run(action, tmp_path)
    assert read_action(action, report).verdict is Verdict.PASS
    assert calls[-1] == f"db2 {last}"


REFUSED = 'SQL1770N  Takeover HADR cannot complete. Reason code = "7".\n'


def test_a_primary_takes_nothing_back(here: Site, tmp_path: Path) -> None:
    stub(tmp_path, "db2", cfg_stub("PRIMARY"))
    action = switching.take_back(here, here.node)
    report, calls = run(action, tmp_path)
    assert read_action(action, report).verdict is Verdict.PASS
    assert [one for one in calls if "takeover" in one] == []


@pytest.mark.parametrize("told", [pd().stdout, "Role    State\nStandby Peer         Nearsync 0\n"])
def test_a_standby_in_peer_takes_over_again_and_never_by_force(
    here: Site, tmp_path: Path, told: str
) -> None:
    stub(tmp_path, "db2", cfg_stub("STANDBY"))
    stub(tmp_path, "db2pd", f"cat <<'EOF'\n{told}EOF\n")
    action = switching.take_back(here, here.node)
    report, calls = run(action, tmp_path)
    assert read_action(action, report).verdict is Verdict.PASS
    assert calls[-1] == "db2 takeover hadr on db XCATDB"


def test_two_standbys_are_a_matter_for_a_human() -> None:
    reading = read_action(switching.take_back(SITE, OLD), exited(4, REFUSED))
    assert reading.verdict is Verdict.BLOCK
    assert "both are STANDBY" in reading.sentence


@pytest.mark.parametrize(
    ("local", "targets", "verdict"),
    [
        ("9.9.9.1", "9.9.9.2:H2", Verdict.PASS),
        ("9.9.9.1", "9.9.9.2:H2|far:H3", Verdict.PASS),
        ("9.9.9.1", "", Verdict.PASS),
        ("9.9.9.3", "9.9.9.2:H2", Verdict.BLOCK),
        ("9.9.9.1", "9.9.9.1:H2", Verdict.BLOCK),
    ],
)
def test_hosts_are_exchanged_in_the_target_list_too(
    local: str, targets: str, verdict: Verdict
) -> None:
    text = CFG.format(role="STANDARD", local=local, remote="9.9.9.2")
    report = exited(0, text.replace("aixmn1:DB2_HADR_1", targets))
    look = switching.hosts_exchanged(SITE, NEW, "9.9.9.1", "9.9.9.2")
    assert read_look(Looked(look, report)).verdict is verdict
