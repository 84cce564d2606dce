"""Running jobs: known by number and command line, ended only while they are still the same."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hamnd.dialects import processes, readers
from hamnd.dialects.cron import Names
from hamnd.model.names import Verdict
from hamnd.model.work import Ending, Exec, Looked
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

PS = """\
    1 /sbin/init
  812 /usr/sbin/cron -f
 4711 pg_restore -c -d xcatdb --password=hunter2 /backup/xcatdb.tar
 4712 rsync --server -logDtpre.iLsfxCIvu . /install
 4713 rsync -az   root@aixmn1:/install/ /install/
 4714 vi /root/pg_restore.notes
 4715 rsync --server --sender -logDtpre.iLsfxCIvu . /install
"""


def writers() -> dict[int, processes.Writer]:
    found = processes.parse_writers(exited(0, PS), Names.of(site()))
    assert found is not None
    return {one.pid: one for one in found}


def test_restores_pulls_and_inbound_copies_are_found_and_nothing_else() -> None:
    assert set(writers()) == {4711, 4712, 4713}
    assert "hunter2" not in str(writers())


def test_the_look_says_which_process_it_is() -> None:
    one = writers()[4713]
    look = processes.is_known(site(), one)
    assert look.expects.startswith("process 4713 is rsync -az root@aixmn1:/install/ /install/ (")
    for text, said in (
        ("rsync -az root@aixmn1:/install/ /install/\n", "process 4713 is rsync"),
        ("", "process 4713 has ended"),
        ("sleep 5\n", "process 4713 is another one by now and left alone"),
    ):
        reading = readers.read_look(Looked(look, exited(0 if text else 1, text)))
        assert reading.verdict is Verdict.PASS
        assert said in reading.sentence


def test_what_could_not_be_read_is_not_known() -> None:
    assert processes.parse_writers(ended(Ending.TIMED_OUT), Names.of(site())) is None
    assert processes.read_readable(exited(0, "")).verdict is Verdict.UNKNOWN
    assert processes.read_is_known(ended(Ending.TIMED_OUT), ()).verdict is Verdict.UNKNOWN


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process under the name of pg_restore that ignores TERM."""
    program = tmp_path / "pg_restore"
    program.write_text("#!/bin/sh\ntrap '' TERM\necho up\nwhile :; do sleep 0.1; done\n")
    program.chmod(0o755)
    popen = subprocess.Popen([program, "-c"], stdout=subprocess.PIPE, text=True)
    assert popen.stdout is not None
    assert popen.stdout.readline() == "up\n"
    yield popen
    popen.kill()
    popen.wait()
    popen.stdout.close()


def end(one: processes.Writer) -> subprocess.CompletedProcess[str]:
    request = processes.end(site(), one).request
    assert isinstance(request, Exec)
    return subprocess.run(request.argv, capture_output=True, text=True, timeout=60, check=False)


def seen(popen: subprocess.Popen[str]) -> processes.Writer:
    ps = subprocess.run(
        ["ps", "-ww", "-o", "pid=", "-o", "args=", "-p", str(popen.pid)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (one,) = processes.parse_writers(exited(0, ps.stdout), Names.of(site())) or ()
    return one


def test_a_job_is_ended_by_its_number_however_stubborn(stubborn: subprocess.Popen[str]) -> None:
    done = end(seen(stubborn))
    assert (done.returncode, done.stdout) == (0, "ended with KILL\n")
    assert stubborn.wait(timeout=10) == -9
    again = end(processes.Writer(stubborn.pid, "0" * 64, "", ""))
    assert (again.returncode, again.stdout) == (0, "it had ended by itself\n")


def test_a_number_that_is_another_program_by_now_is_left_alone(
    stubborn: subprocess.Popen[str],
) -> None:
    stranger = processes.Writer(stubborn.pid, processes.fingerprint("rsync -a x y"), "", "")
    assert end(stranger).returncode == 0
    assert stubborn.poll() is None
