"""What a configuration needs from this host, on a host made of temporary files."""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.model.filesets import FileSet
from hamnd.model.site import Site
from hamnd.settings import check_host, load
from tests.unit.settings.configs import QUIET

PROGRAMS = (
    "ping ip arping systemctl crontab lsxcatd lsdef mkdef rmdef makedns makedhcp makeconservercf "
    "ssh rsync openssl"
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose every need this host fulfils."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in (*PROGRAMS.split(), "fence_test"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    for name in ("key", "known_hosts", "password"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o600)
    me = pwd.getpwuid(os.getuid()).pw_name
    loaded = load(
        QUIET.replace('"10.1.0.4"', '"127.0.0.1"')
        .replace('"eth1"', '"lo"')
        .replace('"xcatdb"', f'"{me}"')
        .replace("/usr/sbin/fence_ipmilan", str(programs / "fence_test"))
        .replace('platform = "linux"', f'platform = "linux"\noperators = "{_own_group()}"')
        + f'[fence.secret_files]\npassword = "{tmp_path}/password"\n'
        + f'[ssh]\nkey_file = "{tmp_path}/key"\nknown_hosts_file = "{tmp_path}/known_hosts"\n'
        + f'[tools]\npath = "{programs}"\n'
        + f'[paths]\nstate_dir = "{tmp_path}/state"\nsocket = "{tmp_path}/run/hamnd.sock"\n'
    )
    assert loaded.problems == ()
    assert loaded.site is not None
    return loaded.site


def _own_group() -> str:
    return grp.getgrgid(os.getgid()).gr_name


def said(site: Site) -> dict[str, str]:
    return {problem.path: problem.line() for problem in check_host(site)}


def test_a_set_that_is_a_link_into_what_is_never_copied_is_refused(
    site: Site, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name, leads_to in (("data", "/etc/ssh"), ("wide", "/etc"), ("fine", str(elsewhere))):
        (tmp_path / name).symlink_to(leads_to)
        linked = replace(site, file_sets=(FileSet("mine", (f"{tmp_path}/{name}/",)),))
        told = said(linked).get("files", "")
        assert (f"leads to {leads_to} here, which" in told) == (name != "fine"), told


def test_a_host_that_has_everything_passes(site: Site) -> None:
    assert said(site) == {}


def test_the_check_leaves_no_trace(site: Site, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    check_host(site)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_program_is_named_with_where_it_was_sought(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bin/makedns").unlink()
    found = said(site)
    assert list(found) == ["tools.makedns"]
    assert f"not in tools.path ({tmp_path}/bin)" in found["tools.makedns"]


def test_programs_of_services_that_do_not_run_are_not_needed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bin/makedhcp").unlink()
    (tmp_path / "bin/makeconservercf").unlink()
    services = dataclasses.replace(site.services, dhcp=False, consoles="none")
    assert said(dataclasses.replace(site, services=services)) == {}


def test_a_secret_that_others_may_read_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "password").chmod(0o640)
    found = said(site)
    assert list(found) == ["fence.secret_files.password"]
    assert "mode 0640" in found["fence.secret_files.password"]
    assert f"chmod 600 {tmp_path}/password" in found["fence.secret_files.password"]


@pytest.mark.parametrize(
    ("name", "path"), [("key", "ssh.key_file"), ("known_hosts", "ssh.known_hosts_file")]
)
def test_missing_files_are_named(site: Site, tmp_path: Path, name: str, path: str) -> None:
    (tmp_path / name).unlink()
    found = said(site)
    assert list(found) == [path]
    assert "No such file" in found[path]


def test_a_folder_is_not_a_key(site: Site, tmp_path: Path) -> None:
    ssh = dataclasses.replace(site.ssh, key_file=str(tmp_path))
    assert "is not a file" in said(dataclasses.replace(site, ssh=ssh))["ssh.key_file"]


def test_users_and_groups_must_exist(site: Site) -> None:
    db2 = dataclasses.replace(site.db2, instance_owner="nobody-has-this")
    changed = dataclasses.replace(
        site, db2=db2, operators="nor-this", operators_users=("nor-that",)
    )
    assert set(said(changed)) == {"replication.db2.instance_owner", "operators", "operators_users"}


def test_the_other_nodes_file_is_noticed(site: Site) -> None:
    """192.0.2.0/24 is nobody's (RFC 5737)."""
    standby = dataclasses.replace(site.standby, address="192.0.2.7")
    found = said(dataclasses.replace(site, standby=standby))
    assert "is this the other node's file?" in found["standby.address"]


def test_an_unknown_interface_is_answered_with_the_known_ones(site: Site) -> None:
    identity = (dataclasses.replace(site.identity[0], interface="eth77"),)
    found = said(dataclasses.replace(site, identity=identity))
    assert "known:" in found["identity.address[0].interface"]


def test_a_fence_agent_that_cannot_run_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bin/fence_test").chmod(0o644)
    assert list(said(site)) == ["fence.agent"]


def test_a_file_in_the_way_of_the_state_folder_is_noticed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert "is not a directory" in said(site)["paths.state_dir"]


def test_a_servers_programs_are_looked_for_where_they_are_said_to_be(
    site: Site, tmp_path: Path
) -> None:
    server = replace(site.postgresql, os_user="root", program_dir=str(tmp_path / "bin"))
    where = replace(site, engine="postgresql", postgresql=server)
    told = said(where)["replication.postgresql.program_dir"]
    assert "pg_rewind" in told
    assert "pg_waldump" in told
    for name in ("pg_ctl", "pg_basebackup", "pg_rewind", "pg_controldata", "pg_waldump"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
    assert "replication.postgresql.program_dir" not in said(where)
