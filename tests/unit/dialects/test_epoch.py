"""The script that keeps an epoch: what is there already is never contradicted."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hamnd.dialects import epoch
from hamnd.model.epoch import Epoch
from hamnd.model.work import Exec
from tests.builders import site


def keep(folder: Path, wanted: Epoch) -> int:
    request = epoch.keep(site(), "aixmn2", wanted).request
    assert isinstance(request, Exec)
    environment = {"HAMND_STATE_DIR": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(request.argv, env=environment, check=False, capture_output=True)
    return done.returncode


@pytest.mark.parametrize(
    ("there", "code"),
    [
        ("", 0),
        ("4 aixmn1 boot-1\n", 0),
        ("5 aixmn2 -\n", 0),
        ("5 aixmn1 -\n", epoch.NEWER),
        ("5 aixmn1 boot-1\n", epoch.NEWER),
        ("6 aixmn2 -\n", epoch.NEWER),
    ],
)
def test_a_number_is_never_given_to_two_nodes(there: str, code: int, tmp_path: Path) -> None:
    kept = tmp_path / "epoch"
    if there:
        kept.write_text(there)
    assert keep(tmp_path, Epoch(5, "aixmn2", "boot-9")) == code
    assert kept.read_text() == (there if code else "5 aixmn2 boot-9\n")


def test_a_lock_that_somebody_died_with_is_broken_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "epoch.lock").mkdir()
    assert keep(tmp_path, Epoch(5, "aixmn2", "boot-9")) == 0
    assert [one.name for one in tmp_path.iterdir()] == ["epoch"]


def test_many_at_once_leave_the_newest(tmp_path: Path) -> None:
    """Given ten writers at the same time, whoever comes last, then the highest number is kept."""
    numbers = [3, 9, 1, 7, 2, 8, 10, 4, 6, 5]
    with ThreadPoolExecutor(len(numbers)) as pool:
        codes = list(pool.map(lambda n: keep(tmp_path, Epoch(n, f"mn{n}")), numbers))
    assert set(codes) <= {0, epoch.NEWER}
    assert (tmp_path / "epoch").read_text() == "10 mn10 -\n"
