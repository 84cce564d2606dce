"""How the return guard gets before a node's units, by sh and programs that only tell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hamnd.core.platforms.linux.boot import guard_there
from hamnd.dialects import guard
from hamnd.model.site import MariaSite
from hamnd.model.work import Exec
from tests.builders import site

SYSTEMCTL = """\
case "$*" in *=LoadState*xcatd|*=LoadState*mysqld)
printf 'Id=x\\nLoadState=loaded\\nActiveState=inactive\\n';;
*=LoadState*) echo LoadState=not-found;; --version) echo "systemd {version} (x)";; esac
"""


def put(folder: Path, engine: str, systemctl: str) -> tuple[int, list[str]]:
    """Install the guard and return the exit code and what was put where."""
    for name, body in (
        ("systemctl", systemctl),
        ("install", f'for one; do from=$last last=$one; done; echo "$from $last" >>{folder}/put\n'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{body}")
        (folder / name).chmod(0o755)
    here = site(engine=engine, mariadb=MariaSite(unit="mysqld"))
    send, _ = guard.install(here, here.node, ("xcatd", "dhcpd"))
    assert isinstance(send.request, Exec)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(send.request.argv, env=environment, check=False, capture_output=True)
    return done.returncode, (folder / "put").read_text().splitlines()


@pytest.mark.parametrize(("version", "old"), [(252, ""), (239, "-before-243")])
@pytest.mark.parametrize("engine", ["mariadb", "db2"])
def test_each_unit_of_this_host_gets_its_own_drop_in(
    engine: str, version: int, old: str, tmp_path: Path
) -> None:
    code, found = put(tmp_path, engine, SYSTEMCTL.format(version=version))
    places = [one for one in found if one.endswith("hamn-guard.conf")]
    places = [one for one in places if "postgresql@" not in one]
    wanted = [f"hamn-guard{old}.conf /etc/systemd/system/xcatd.service.d/hamn-guard.conf"]
    if engine == "mariadb":
        at = "/etc/systemd/system/mysqld.service.d/hamn-guard.conf"
        wanted.append(f"hamn-guard-mariadb{old}.conf {at}")
    assert (code, places) == (0, wanted)


def test_a_guard_is_not_installed_before_units_that_systemctl_does_not_tell_of(
    tmp_path: Path,
) -> None:
    code, found = put(tmp_path, "mariadb", "exit 1\n")
    assert code != 0
    assert not any(one.endswith("hamn-guard.conf") for one in found)


@pytest.mark.parametrize(("engine", "unit"), [("mariadb", "mysqld"), ("db2", None)])
def test_the_guard_counts_as_there_only_before_the_database_too(
    engine: str, unit: str | None
) -> None:
    look = guard_there(site(engine=engine, mariadb=MariaSite(unit="mysqld")))
    assert isinstance(look.request, Exec)
    assert ("mysqld" in look.request.argv) is (unit is not None)
