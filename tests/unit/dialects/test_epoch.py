"""The script that keeps an epoch: what is there already is never contradicted."""

from __future__ import annotations

import subprocess
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
