"""What a power controller's answer proves, and what it does not."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects import fence
from hamnd.dialects.fence import PowerState
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.site import Db2Site, Platform, PostgresSite
from hamnd.model.work import Ending, Exec, Fence, FenceStatus, Looked, Report
from tests.builders import site
from tests.unit.dialects.reports import MUTE, ended, exited


@pytest.mark.parametrize(
    ("report", "power"),
    [
        (exited(0, "Status: ON\n"), PowerState.ON),
        (exited(0), PowerState.ON),
        (exited(2, "Status: OFF\n"), PowerState.OFF),
        (exited(2), PowerState.OFF),
        (
            exited(2, "Status: OFF\n", "2026-11-22 03:12:09 WARNING: cert not verified\n"),
            PowerState.OFF,
        ),
        (
            exited(1, stderr="Failed: Unable to connect/login to fencing device\n"),
            PowerState.UNKNOWN,
        ),
        (exited(3), PowerState.UNKNOWN),
        (exited(127, stderr="sh: fence_ipmilan: not found"), PowerState.UNKNOWN),
        (exited(0, "Status: OFF\n"), PowerState.UNKNOWN),
        (exited(2, "Status: ON\n"), PowerState.UNKNOWN),
    ],
)
def test_status_follows_the_clusterlabs_exit_codes(report: Report, power: PowerState) -> None:
    assert fence.read_status(report) is power


@pytest.mark.parametrize(
    "stderr",
    [
        "python3: can't open file '/usr/sbin/fence_ipmilan': [Errno 2] No such file or directory",
        "sh: 0: cannot open /usr/sbin/fence_ipmilan: No such file",
        "usage: fence_demo [-h]\nfence_demo: error: unrecognized arguments",
    ],
)
def test_exit_code_2_of_a_broken_agent_does_not_prove_the_power_off(stderr: str) -> None:
    assert fence.read_status(exited(2, stderr=stderr)) is PowerState.UNKNOWN


@pytest.mark.parametrize("report", MUTE)
def test_a_device_that_did_not_answer_proves_nothing(report: Report) -> None:
    assert fence.read_status(report) is PowerState.UNKNOWN
    assert read_look(Looked(fence.status(site()), report)).verdict is Verdict.UNKNOWN


def test_a_device_that_says_on_blocks() -> None:
    assert read_look(Looked(fence.status(site()), exited(0, "Status: ON"))).verdict is Verdict.BLOCK


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, "Success: Powered OFF\n"), Verdict.PASS),
        (exited(0, "Success: Already OFF\n"), Verdict.PASS),
        (exited(1, stderr="Failed: Unable to connect/login to fencing device\n"), Verdict.BLOCK),
        (exited(1, stderr="Failed: Timed out waiting to power OFF\n"), Verdict.UNKNOWN),
        (exited(1, stderr="Connection lost\n"), Verdict.UNKNOWN),
        (ended(Ending.TIMED_OUT), Verdict.UNKNOWN),
        (ended(Ending.COULD_NOT_RUN, "no agent"), Verdict.BLOCK),
    ],
)
def test_an_off_that_may_have_cut_the_power_is_never_called_not_done(
    report: Report, verdict: Verdict
) -> None:
    assert read_action(fence.off(site()), report).verdict is verdict


def test_builders_name_the_partner_and_the_verb() -> None:
    assert fence.off(site()).request == Fence("aixmn1", "off")
    assert fence.status(site()).request == FenceStatus("aixmn1", "status")
    assert fence.monitor(site()).request == FenceStatus("aixmn1", "monitor")
    assert fence.monitor(site()).timeout_s == site().fence.timeout_s


def test_monitor_tells_a_dead_device_from_one_we_could_not_ask() -> None:
    look = fence.monitor(site())

    assert read_look(Looked(look, exited(0))).verdict is Verdict.PASS
    assert read_look(Looked(look, exited(1, stderr="Failed: login"))).verdict is Verdict.BLOCK
    assert read_look(Looked(look, ended(Ending.TIMED_OUT))).verdict is Verdict.UNKNOWN


def test_fencing_over_ssh_kills_the_database_and_never_stops_it_in_order() -> None:
    request = fence.ssh_kill(site()).request

    assert isinstance(request, Exec)
    assert request.host == "aixmn1"
    text = " ".join(request.argv)
    assert "db2_kill" in text
    assert "poweroff -ff" in text
    assert text.index("db2_kill") > 0
    for orderly in ("db2stop", "deactivate", "shutdown", "systemctl"):
        assert orderly not in text.lower()
    aix = fence.ssh_kill(site(platform=Platform.AIX)).request
    assert isinstance(aix, Exec)
    assert "halt -q" in " ".join(aix.argv)


def test_the_profile_is_sourced_before_db2_kill() -> None:
    db2 = Db2Site("XCATDB", "xcatdb", profile="/home/xcatdb/sqllib/db2profile")
    request = fence.ssh_kill(site(db2=db2)).request

    assert isinstance(request, Exec)
    assert request.argv[-1] == '. "/home/xcatdb/sqllib/db2profile"; db2_kill'


def test_the_servers_of_postgresql_are_killed_as_their_owner() -> None:
    here = site(engine="postgresql", postgresql=PostgresSite(os_user="pgsql"))
    request = fence.ssh_kill(here).request

    assert isinstance(request, Exec)
    assert request.argv[-2:] == ("pgsql", 'pkill -KILL -u "$(id -u)" "^(postgres|postmaster)"')


def test_the_kill_over_ssh_counts_as_started_only_when_it_was_acknowledged() -> None:
    kill = fence.ssh_kill(site())
    lost = Report(Ending.LOST, exited().started, exited().finished, stdout="hamnd-fence: started\n")

    assert read_action(kill, exited(0, "hamnd-fence: started\n")).verdict is Verdict.PASS
    assert read_action(kill, lost).verdict is Verdict.PASS
    assert read_action(kill, ended(Ending.LOST)).verdict is Verdict.UNKNOWN
    assert read_action(kill, exited(0)).verdict is Verdict.BLOCK


def test_the_kill_is_acknowledged_at_once_and_goes_on_detached_in_its_order(
    tmp_path: Path,
) -> None:
    """A real sh; su and poweroff only write down that they were called."""
    log = tmp_path / "log"
    for name in ("su", "poweroff"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n')
        (tmp_path / name).chmod(0o755)
    request = fence.ssh_kill(site()).request
    assert isinstance(request, Exec)

    done = subprocess.run(
        request.argv,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "hamnd-fence: started\n", "")
    deadline = time.perf_counter() + 30
    while not (log.exists() and "poweroff" in log.read_text()):
        assert time.perf_counter() < deadline, "the machine was never powered off"
        os.sched_yield()
    assert log.read_text().splitlines() == ["su - xcatdb -c db2_kill", "poweroff -ff"]


def test_whether_the_account_may_switch_off_is_asked_only_where_the_site_declares_how() -> None:
    here = site()
    assert fence.may_off(here) == ()
    command = ("/usr/local/sbin/pdu-role", "--needs", "operator")
    (look,) = fence.may_off(replace(here, fence=replace(here.fence, may_off=command)))
    assert isinstance(look.request, Exec)
    assert (look.request.host, look.request.argv) == (here.node, command)
    reading = read_look(Looked(look, exited(1, "hamnd has role reader\n")))
    assert reading.verdict is Verdict.BLOCK
    assert "hamnd has role reader" in reading.sentence
