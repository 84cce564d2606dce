"""A data directory in its place counts as held and kept only while its server follows the other."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.mariadb import pairing
from hamnd.model.site import MariaSite
from hamnd.model.work import Exec, Look
from tests.builders import site

HEADS = "Connection_name\tSlave_SQL_State\tMaster_Host\tSlave_IO_Running\tSlave_SQL_Running"
FOLLOWS = "\t\t9.114.47.103\tYes\tYes"


def ask(look: Look, folder: Path, told: str) -> int:
    """Ask with a client that tells this."""
    client = folder / "client"
    client.write_text(f"#!/bin/sh\nprintf '%b' '{told}'\n")
    client.chmod(0o700)
    assert isinstance(look.request, Exec)
    argv = [str(client) if one == "mariadb" else one for one in look.request.argv]
    return subprocess.run(argv, check=False, capture_output=True).returncode


@pytest.mark.parametrize(
    ("read_only", "row", "code"),
    [
        ("1", FOLLOWS, 0),
        ("ON", "\t\taixmn1.cluster\tYes\tYes", 0),
        ("0", FOLLOWS, 1),
        ("1", "\t\t9.114.47.103\tNo\tYes", 1),
        ("1", "\t\t9.114.47.103\tConnecting\tYes", 1),
        ("1", "\t\t9.114.47.103\tYes\tNo", 1),
        ("1", "\t\t9.114.47.99\tYes\tYes", 1),
        ("1", f"{FOLLOWS}\n{FOLLOWS}", 1),
        ("1", "", 1),
    ],
)
def test_only_a_replica_of_the_partner_that_works_and_takes_no_writes_is_left_alone(
    read_only: str, row: str, code: int, tmp_path: Path
) -> None:
    data = tmp_path / "mysql"
    data.mkdir()
    (data / "ibdata1").touch()
    (data / "xtrabackup_binlog_info").write_text("bin.000001\t4\t0-1-7\n")
    here = replace(site(), mariadb=MariaSite(data_dir=str(data)))
    rows = f"{HEADS}\n{row}\n" if row else ""
    told = f"hamnd\tvalue\nread_only\t{read_only}\n{rows}"
    for look in (
        pairing.is_held(here, "aixmn2", here.primary),
        pairing.is_kept(here, "aixmn2", "setup", here.primary),
        pairing.is_copied(here, "aixmn2", here.primary),
    ):
        assert ask(look, tmp_path, told) == code, look.expects
