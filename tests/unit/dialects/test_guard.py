"""How the return guard gets before a node's units, by sh and programs that only tell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hamnd.core.platforms.linux.boot import guard_there
from hamnd.core.platforms.linux.preparing import guarded
from hamnd.core.policy import Policy
from hamnd.dialects import guard, shell
from hamnd.model.site import IdentityMode, MariaSite
from hamnd.model.work import Exec
from tests.builders import site

SYSTEMCTL = """\
case "$*" in *=LoadState*xcatd|*=LoadState*mysqld|*=LoadState*networking)
printf 'Id=x\\nLoadState=loaded\\nActiveState=inactive\\n';;
*=LoadState*) echo LoadState=not-found;; --version) echo "systemd {version} (x)";; esac
"""


def put(
    folder: Path, engine: str, systemctl: str, network: tuple[str, ...] = ()
) -> tuple[int, list[str]]:
    """Install the guard and return the exit code and what was put where."""
    for name, body in (
        ("systemctl", systemctl),
        ("install", f'for one; do from=$last last=$one; done; echo "$from $last" >>{folder}/put\n'),
        ("rm", f'case $1 in -rf) exec /bin/rm "$@" ;; *) echo "rm $2" >>{folder}/put ;; esac\n'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{body}")
        (folder / name).chmod(0o755)
    here = site(engine=engine, mariadb=MariaSite(unit="mysqld"))
    send, _ = guard.install(here, here.node, ("xcatd", "dhcpd"), network)
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


INSTANCES = Path("/lib/systemd/system/postgresql@.service")


@pytest.mark.skipif(not INSTANCES.exists(), reason="no postgresql@.service on this host")
@pytest.mark.parametrize("engine", ["postgresql", "dump", "sqlite"])
def test_a_postgresql_server_is_held_only_where_it_is_the_pairs_own(
    engine: str, tmp_path: Path
) -> None:
    """A standby that takes dumps takes them into a server of its own, which is nobody's standby:
    held at its next boot, there would be nothing to take over with."""
    code, found = put(tmp_path, engine, SYSTEMCTL.format(version=252))
    at = "/etc/systemd/system/postgresql@.service.d/hamn-guard.conf"
    is_own = engine == "postgresql"
    wanted = f"hamn-guard-postgresql@.conf {at}" if is_own else f"rm {at}"
    assert (code, [one for one in found if "postgresql@" in one]) == (0, [wanted])


@pytest.mark.parametrize(("version", "old"), [(252, ""), (239, "-before-243")])
def test_where_the_address_comes_up_with_the_network_that_asks_too(
    version: int, old: str, tmp_path: Path
) -> None:
    systemctl = SYSTEMCTL.format(version=version)
    code, found = put(tmp_path, "mariadb", systemctl, ("wicked", "networking"))
    asks = {at.split("/")[4]: text for text, at in (one.split() for one in found) if ".d/" in at}
    assert code == 0
    assert asks.pop("postgresql@.service.d") == "rm"
    assert asks == {
        "xcatd.service.d": f"hamn-guard{old}.conf",
        "networking.service.d": f"hamn-guard-network{old}.conf",
        "mysqld.service.d": f"hamn-guard-mariadb{old}.conf",
    }


@pytest.mark.parametrize("mode", IdentityMode)
def test_setup_guards_the_network_only_where_the_address_comes_up_with_it(
    mode: IdentityMode,
) -> None:
    (step,) = guarded(site(identity_mode=mode), Policy())
    told = " ".join(shell.preview(one.request, site()) for one in step.actions
                    if isinstance(one.request, Exec))  # fmt: skip
    is_own = mode is IdentityMode.PRIMARY_ADDRESS
    assert ("-- NetworkManager systemd-networkd networking" in told) is is_own
    assert [one.expects for one in step.preconditions] == (
        ["a network file of aixmn2 names 9.114.47.104"] if is_own else []
    )


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
