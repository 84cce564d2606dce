"""What a node tells of its run: "running" only while the hamnd that carries it out lives."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hamnd.dialects import epoch, running
from hamnd.model.names import Verdict
from hamnd.model.work import Exec
from tests.builders import site
from tests.unit.dialects.reports import exited


def told(folder: Path) -> str:
    request = epoch.there(site(), "aixmn1").request
    assert isinstance(request, Exec)
    environment = {"HAMND_STATE_DIR": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        request.argv, env=environment, check=False, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout


def ended() -> str:
    """The number of a process that is gone."""
    with subprocess.Popen(["true"]) as process:
        pass
    return str(process.pid)


@pytest.mark.parametrize(
    ("line", "holder", "said"),
    [
        ("failback running", "lives", "failback running"),
        ("failback running", "ended", "failback interrupted"),
        ("failback running", "", "failback running"),
        ("failback running", None, "failback running"),
        ("failback paused", "ended", "failback paused"),
        (None, "ended", ""),
    ],
)
def test_a_run_whose_hamnd_ended_is_not_told_as_running(
    line: str | None, holder: str | None, said: str, tmp_path: Path
) -> None:
    if line is not None:
        (tmp_path / "run").write_text(f"{line}\n")
    if holder is not None:
        number = {"lives": str(os.getpid()), "ended": ended()}.get(holder, holder)
        (tmp_path / "lock").write_text(f"{number}\n")
    text = told(tmp_path)
    assert f"hamnd-run={said}\n" in text
    reading = running.read_is_idle(exited(stdout=text), ("aixmn1",))
    assert reading.verdict is (Verdict.BLOCK if said else Verdict.PASS)
