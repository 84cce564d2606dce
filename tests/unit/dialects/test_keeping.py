"""The watcher that takes a change back, run by a real shell; and what its words mean."""

import os
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects import keeping
from hamnd.dialects.readers import read_action
from hamnd.model.names import Verdict
from hamnd.model.site import Paths, Platform, Site
from hamnd.model.work import Action, Exec, Report
from tests.builders import site
from tests.unit.dialects.reports import MUTE, exited

_pause = threading.Event()


def wait_for(path: Path, limit_s: float = 20.0) -> None:
    end = time.perf_counter() + limit_s
    while not path.exists():
        assert time.perf_counter() < end, f"{path} did not appear"
        _pause.wait(0.02)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return replace(site(), paths=Paths(state_dir=str(tmp_path)))


def run(action: Action) -> subprocess.CompletedProcess[str]:
    """Run an action as its adapter does: own process group, killed with it afterwards."""
    assert isinstance(action.request, Exec)
    return subprocess.run(
        action.request.argv,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        process_group=0,
        env={"PATH": os.environ["PATH"], "LANG": "C"},
    )


def back_to(place: Path, word: str) -> tuple[Exec, ...]:
    """A way back of two commands, the second with everything that a shell could misread."""
    script = 'printf "%s" "$1" > "$2"'
    last = ("sh", "-c", script, "x", word, str(place))
    return Exec(site().node, ("mkdir", "-p", str(place.parent))), Exec(site().node, last)


def test_what_is_not_kept_comes_back_without_anybody(here: Site, tmp_path: Path) -> None:
    word = 'it\'s "here"; $(true) `id`'
    place = tmp_path / "a place" / "it's"
    armed = run(keeping.arm(here, 1, back_to(place, word)))
    assert (armed.returncode, armed.stderr) == (0, "")
    wait_for(tmp_path / "identity/back")
    assert place.read_text() == word
    late = run(keeping.keep(here))
    assert late.returncode == keeping.TOO_LATE
    reading = read_action(keeping.keep(here), exited(late.returncode, late.stdout))
    assert (reading.verdict, reading.sentence) == (Verdict.BLOCK, "it was proven too late")


def test_what_is_kept_stays_and_can_be_kept_twice(here: Site, tmp_path: Path) -> None:
    place = tmp_path / "went-back"
    run(keeping.arm(here, 1, back_to(place, "x")))
    for said in ("kept\n", "kept already\n"):
        done = run(keeping.keep(here))
        assert (done.returncode, done.stdout) == (0, said)
        report = exited(0, done.stdout)
        assert read_action(keeping.keep(here), report).verdict is Verdict.PASS
    # A second watcher that lives longer: the first one would have acted before it.
    run(keeping.arm(here, 3, back_to(tmp_path / "second", "x")))
    wait_for(tmp_path / "second")
    assert not place.exists()


def test_arming_again_ends_the_earlier_watcher(here: Site, tmp_path: Path) -> None:
    early, late = tmp_path / "early", tmp_path / "late"
    run(keeping.arm(here, 1, back_to(early, "x")))
    run(keeping.arm(here, 3, back_to(late, "x")))
    wait_for(late)
    assert not early.exists()
    assert len(list((tmp_path / "identity").glob("armed.*"))) == 0


def test_dropped_it_does_nothing(here: Site, tmp_path: Path) -> None:
    place = tmp_path / "went-back"
    assert run(keeping.drop(here)).returncode == 0  # nothing was ever armed here
    run(keeping.arm(here, 1, back_to(place, "x")))
    assert run(keeping.drop(here)).returncode == 0
    run(keeping.arm(here, 3, back_to(tmp_path / "second", "x")))
    wait_for(tmp_path / "second")
    assert not place.exists()


def boot(here: Site) -> None:
    """Have init run the line of the inittab, `exec` before it as AIX's does."""
    command = keeping.at_boot(here).replace("/dev/console", "/dev/null")
    subprocess.run(["sh", "-c", f"exec {command}"], timeout=30, check=False)


def test_a_boot_takes_it_back_once_unless_it_was_kept(here: Site, tmp_path: Path) -> None:
    """AIX: the change outlives a reboot, the watcher does not. Hands decide from then on."""
    aix = replace(here, platform=Platform.AIX)
    place, folder = tmp_path / "place/it's", tmp_path / "identity"
    run(keeping.arm(aix, 60, back_to(place, "x")))
    assert run(keeping.keep(aix)).returncode == 0
    boot(aix)
    assert not place.exists()
    run(keeping.arm(aix, 60, back_to(place, "x")))
    boot(aix)
    assert place.read_text() == "x"
    assert list(folder.glob("armed.*")) == []
    assert run(keeping.keep(aix)).returncode == keeping.TOO_LATE
    place.unlink()
    boot(aix)
    assert not place.exists()


def test_what_came_back_without_a_boot_does_not_once_more_at_the_next(
    here: Site, tmp_path: Path
) -> None:
    aix, place = replace(here, platform=Platform.AIX), tmp_path / "place/there"
    run(keeping.arm(aix, 1, back_to(place, "x")))
    wait_for(tmp_path / "identity/went-back")
    place.unlink()
    boot(aix)
    assert not place.exists()


def test_a_way_back_that_failed_at_boot_is_tried_at_the_next(here: Site, tmp_path: Path) -> None:
    aix, place = replace(here, platform=Platform.AIX), tmp_path / "not yet/there"
    last = back_to(place, "x")[1]
    run(keeping.arm(aix, 60, (last, Exec("aixmn2", ("true",)))))
    boot(aix)
    place.parent.mkdir()
    boot(aix)
    assert place.read_text() == "x"


def test_a_watcher_that_cannot_start_changes_nothing(here: Site) -> None:
    nowhere = replace(here, paths=Paths(state_dir="/proc/nowhere"))
    assert run(keeping.arm(nowhere, 1, ())).returncode == 1


@pytest.mark.parametrize("report", [*MUTE, exited(1, "", "sh: cd: can't cd to /x"), exited(0, "")])
def test_what_cannot_be_read_is_unknown(report: Report) -> None:
    assert keeping.read_kept(report).verdict is Verdict.UNKNOWN
