"""A data directory in its place counts as held only while its server streams from the partner."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.postgresql import held
from hamnd.model.site import PostgresSite
from hamnd.model.work import Exec
from tests.builders import site


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("streaming|9.114.47.103", 0),
        ("streaming|aixmn1", 0),
        ("streaming|aixmn1.cluster", 0),
        ("streaming|9.114.47.99", 1),
        ("streaming|aixmn11", 1),
        ("streaming|", 1),
        ("waiting|9.114.47.103", 1),
        ("", 1),
    ],
)
def test_only_a_standby_of_the_other_node_is_left_alone(
    told: str, code: int, tmp_path: Path
) -> None:
    data = tmp_path / "main"
    data.mkdir()
    (data / "PG_VERSION").touch()
    psql = tmp_path / "psql"
    psql.write_text(f"#!/bin/sh\necho '{told}'\n")
    psql.chmod(0o700)
    here = replace(site(), postgresql=PostgresSite(data_dir=str(data)))
    request = held.is_held(here, "aixmn2", here.primary).request
    assert isinstance(request, Exec)
    argv = [str(psql) if one == "psql" else one for one in request.argv]
    assert subprocess.run(argv, check=False, capture_output=True).returncode == code
    (data / "PG_VERSION").unlink()
    assert subprocess.run(argv, check=False, capture_output=True).returncode == 0
