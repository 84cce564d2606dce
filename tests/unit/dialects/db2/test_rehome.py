"""Db2 under another address: the scripts run by a real shell against stubs, and what they say."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.db2 import commands
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Looked, Report
from tests.builders import site
from tests.unit.dialects.reports import MUTE, exited

HERE = site().node
FOLDED = """SQL1769N  Stop HADR cannot complete on database "XCATDB".  Reason code = \n"2".\n"""
CFG = """
 HADR database role                                      = {role}
 HADR local host name                  (HADR_LOCAL_HOST) = {local}
 HADR local service name                (HADR_LOCAL_SVC) = DB2_HADR_2
 HADR remote host name                (HADR_REMOTE_HOST) = {remote}
 HADR remote service name              (HADR_REMOTE_SVC) = DB2_HADR_1
 HADR instance name of remote server  (HADR_REMOTE_INST) = xcatdb
 HADR timeout value                       (HADR_TIMEOUT) = 60
 HADR target list                     (HADR_TARGET_LIST) = aixmn1:DB2_HADR_1
 HADR log write synchronization mode     (HADR_SYNCMODE) = NEARSYNC
 HADR peer window duration (seconds)  (HADR_PEER_WINDOW) = 120
"""


def cfg(role: str = "PRIMARY", local: str = "aixmn2", remote: str = "aixmn1") -> Report:
    return exited(0, CFG.format(role=role, local=local, remote=remote))


@pytest.fixture
def here(tmp_path: Path) -> Site:
    names = {name: str(tmp_path / name) for name in ("db2", "db2stop", "db2gcf")}
    db2 = replace(site().db2, profile=None)
    return replace(site(), db2=db2, tools=names)


def stub(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f'#!/bin/sh\ncd "{folder}"; echo "{name} $*" >>calls\n{body}\n')
    path.chmod(0o755)


def run(action: Action, folder: Path) -> tuple[Report, list[str]]:
    assert isinstance(action.request, Exec)
    done = subprocess.run(
        action.request.argv,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)},
    )
    calls = (folder / "calls").read_text().splitlines()
    return exited(done.returncode, done.stdout, done.stderr), calls


DONE = "DB20000I  The STOP HADR ON DATABASE command completed successfully."


NEEDS_DEACTIVATION = f"""\
case $1 in deactivate) : >gone;;
stop) if [ -e gone ]; then echo "{DONE}"; else printf '%s' '{FOLDED}'; exit 4; fi;; esac
"""


@pytest.mark.parametrize(
    ("body", "verdict", "called"),
    [
        (f'case $1 in stop) echo "{DONE}";; esac', Verdict.PASS, ["get", "stop"]),
        (
            NEEDS_DEACTIVATION,
            Verdict.PASS,
            ["get", "stop", "deactivate", "stop"],
        ),
        (
            f"case $1 in stop) printf '%s' '{FOLDED}'; exit 4;; esac",
            Verdict.BLOCK,
            ["get", "stop", "deactivate", "stop"],
        ),
        (
            'case $1 in get) echo " HADR database role      = STANDARD";; esac',
            Verdict.PASS,
            ["get"],
        ),
        (
            "case $1 in stop) echo 'SQL1224N  The database manager is gone.'; exit 4;; esac",
            Verdict.UNKNOWN,
            ["get", "stop"],
        ),
    ],
)
def test_hadr_is_stopped_and_an_active_database_deactivated_first(
    here: Site, tmp_path: Path, body: str, verdict: Verdict, called: list[str]
) -> None:
    stub(tmp_path, "db2", body)
    report, calls = run(commands.stop_hadr(here), tmp_path)
    assert read_action(commands.stop_hadr(here), report).verdict is verdict
    assert [one.split()[1] for one in calls] == called


def test_the_instance_ends_once_no_database_is_active_any_more(here: Site, tmp_path: Path) -> None:
    stub(tmp_path, "db2", "")
    busy = 'echo "SQL1025N  The database manager was not stopped."; exit 4'
    first = f"if [ ! -e tried ]; then : >tried; {busy}; fi"
    stub(tmp_path, "db2stop", f'{first}; echo "SQL1064N  Done."')
    report, calls = run(commands.stop_instance(here, here.node), tmp_path)
    reading = read_action(commands.stop_instance(here, here.node), report)
    assert (reading.verdict, reading.sentence) == (Verdict.PASS, "the instance is stopped")
    assert [one.split()[0] for one in calls].count("db2stop") == 2
    assert all("db2stop force" not in one for one in calls)


def test_the_instance_counts_as_started_by_its_status_alone(here: Site, tmp_path: Path) -> None:
    body = 'case $1 in -u) : >up; exit 3;; -s) [ -e up ] && echo "DB2 State : Available";; esac'
    stub(tmp_path, "db2gcf", body)
    report, _ = run(commands.start_instance(here, here.node), tmp_path)
    assert read_action(commands.start_instance(here, here.node), report).verdict is Verdict.PASS


def test_an_instance_that_does_not_start_is_told_with_its_state(here: Site, tmp_path: Path) -> None:
    body = 'case $1 in -s) echo "DB2 State : Operable";; esac'
    stub(tmp_path, "db2gcf", body)
    stub(tmp_path, "sleep", "")  # first in the PATH: it waits for nothing
    report, _ = run(commands.start_instance(here, here.node), tmp_path)
    reading = read_action(commands.start_instance(here, here.node), report)
    assert reading.verdict is Verdict.BLOCK
    assert "DB2 State : Operable | it is not Available" in reading.sentence


def test_a_row_is_written_read_back_and_taken_out(here: Site, tmp_path: Path) -> None:
    stub(
        tmp_path,
        "db2",
        'case $1 in -x) echo "aixmn2";; *) echo "DB20000I  The SQL command.";; esac',
    )
    report, calls = run(commands.write_proof(here), tmp_path)
    assert read_action(commands.write_proof(here), report).verdict is Verdict.PASS
    told = "\n".join(calls)
    assert told.index("insert into") < told.index("-x select") < told.index("delete from")


@pytest.mark.parametrize(
    ("action", "report", "verdict"),
    [
        (
            commands.write_proof(site()),
            exited(4, "SQL1773N  On a standby.\n"),
            Verdict.BLOCK,
        ),
        (commands.write_proof(site()), exited(1, "DB20000I  The SQL command.\n"), Verdict.BLOCK),
        (commands.stop_instance(site(), HERE), exited(4, "SQL1025N  Active.\n"), Verdict.BLOCK),
        (
            commands.stop_instance(site(), HERE),
            exited(4, "SQL9999N  Who knows.\n"),
            Verdict.UNKNOWN,
        ),
        *(
            (commands.stop_instance(site(), HERE), one, Verdict.UNKNOWN)
            for one in MUTE
            if one.detail
        ),
    ],
)
def test_what_is_not_done_and_what_is_unknown(
    action: Action, report: Report, verdict: Verdict
) -> None:
    assert read_action(action, report).verdict is verdict


LOCAL, REMOTE = site().primary.address, site().standby.address
HOSTS = commands.has_hadr_hosts(site(), LOCAL, REMOTE)
NODES = commands.nodes_file_names(site(), HERE, "aixmn1")
STOPPED = commands.is_instance_stopped(site(), HERE)


@pytest.mark.parametrize(
    ("look", "report", "verdict"),
    [
        (commands.may_stop_hadr(site()), cfg("PRIMARY"), Verdict.PASS),
        (commands.may_stop_hadr(site()), cfg("STANDARD"), Verdict.PASS),
        (commands.may_stop_hadr(site()), cfg("STANDBY"), Verdict.BLOCK),
        (HOSTS, cfg("STANDARD", LOCAL, REMOTE), Verdict.PASS),
        (HOSTS, cfg("STANDARD"), Verdict.BLOCK),
        (NODES, exited(0, "0 aixmn1 0\n"), Verdict.PASS),
        (NODES, exited(0, "0 aixmn1.cluster.test 0\n"), Verdict.PASS),
        (NODES, exited(0, "0 aixmn2 0\n"), Verdict.BLOCK),
        (NODES, exited(0, "missing\n"), Verdict.PASS),
        (NODES, exited(0, ""), Verdict.BLOCK),
        (NODES, exited(1, "", "cat: cannot open"), Verdict.UNKNOWN),
        (STOPPED, exited(1, "\nInstance  : xcatdb\nDB2 State : Operable\n"), Verdict.PASS),
        (STOPPED, exited(0, "\nInstance  : xcatdb\nDB2 State : Available\n"), Verdict.BLOCK),
        (STOPPED, exited(1, "no such instance\n"), Verdict.UNKNOWN),
    ],
)
def test_what_the_looks_around_it_find(look: Look, report: Report, verdict: Verdict) -> None:
    assert read_look(Looked(look, report)).verdict is verdict


def test_what_the_rejoin_needs_is_told() -> None:
    sentence = read_look(Looked(HOSTS, cfg("STANDARD", LOCAL, REMOTE))).sentence
    assert "for the rejoin: HADR_TARGET_LIST aixmn1:DB2_HADR_1" in sentence
