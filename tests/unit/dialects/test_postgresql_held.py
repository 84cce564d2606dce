"""A data directory in its place counts as held only while its server streams from the partner."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.postgresql import held
from hamnd.model.site import PostgresSite, Site
from hamnd.model.work import Exec, Look
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
    data.rename(tmp_path / "main.hamnd-held")
    assert subprocess.run(argv, check=False, capture_output=True).returncode == 0


def ended(look: Look, programs: Path | None = None) -> tuple[int, str]:
    """Run a look's script for real; psql is the one of this folder, or refuses."""
    assert isinstance(look.request, Exec)
    psql = ("sh", "-c", "exit 2") if programs is None else (str(programs / "psql"),)
    argv = [word for one in look.request.argv for word in (psql if one == "psql" else (one,))]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout.strip()


def server(tmp_path: Path, data_dir: str, name: str = "main") -> Site:
    """A server with its data in `name`, of which the configuration says `data_dir`."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "PG_VERSION").touch()
    (tmp_path / "psql").write_text(f"#!/bin/sh\necho {tmp_path / name}\n")
    (tmp_path / "psql").chmod(0o700)
    return replace(site(), postgresql=PostgresSite(data_dir=str(tmp_path / data_dir)))


def test_data_that_is_nowhere_is_neither_held_nor_kept(tmp_path: Path) -> None:
    """A wrong data_dir: the real server would be started again as the primary that it was."""
    here = server(tmp_path, "wrong")
    node = here.primary
    code, told = ended(held.is_held(here, "aixmn2", node))
    assert (code, "is there" in told) == (1, True), told
    assert ended(held.is_kept(here, "aixmn2", "x", is_moved=True))[0] == 1
    assert ended(held.is_held(here, "aixmn2", node, may_be_empty=True))[0] == 0
    assert ended(held.is_kept(here, "aixmn2", "x", is_moved=True, may_be_empty=True))[0] == 0


@pytest.mark.parametrize(
    ("data_dir", "answers", "code", "says"),
    [
        ("main", True, 0, "its data is in"),
        ("link", True, 0, "its data is in"),
        ("main", False, 0, "its data is in"),
        ("wrong", True, 1, "its server has its data in"),
        ("wrong", False, 1, "has the data of a server: correct replication.postgresql.data_dir"),
        ("other", True, 1, "its server has its data in"),
    ],
)
def test_a_server_says_itself_where_its_data_is(
    data_dir: str, answers: bool, code: int, says: str, tmp_path: Path
) -> None:
    here = server(tmp_path, data_dir)
    (tmp_path / "link").symlink_to(tmp_path / "main")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "PG_VERSION").touch()
    look = held.is_its_place(here, "aixmn2")
    found = ended(look, tmp_path if answers else None)
    assert (found[0], says in found[1]) == (code, True), found


def test_data_that_was_held_before_and_never_kept_is_told_before_anything_is_stopped(
    tmp_path: Path,
) -> None:
    """Who rejoined it without keeping what it had left that where it was."""
    here = server(tmp_path, "main")
    (tmp_path / "main.hamnd-held").mkdir()
    code, told = ended(held.is_its_place(here, "aixmn2"), tmp_path)
    assert (code, "are both there: move one away" in told) == (1, True), told


def test_a_mount_point_is_told_before_its_server_is_stopped(tmp_path: Path) -> None:
    """`mv` would fail, with the server stopped already; /proc is a mount point everywhere."""
    for data, code, says in (("/proc", 1, "/proc is a mount point"), (str(tmp_path), 0, "is in")):
        here = replace(site(), postgresql=PostgresSite(data_dir=data))
        look = held.is_its_place(here, "aixmn2")
        assert isinstance(look.request, Exec)
        argv = tuple(one.replace("PG_VERSION", ".") for one in look.request.argv)
        found = ended(replace(look, request=replace(look.request, argv=argv)))
        assert (found[0], says in found[1]) == (code, True), found


@pytest.mark.parametrize(
    ("told", "code"), [("0/3000148", 0), ("0/0'::pg_lsn;DROP/**/TABLE/**/x;--", 1), ("", 1)]
)
def test_what_the_other_node_says_is_no_statement(told: str, code: int, tmp_path: Path) -> None:
    sql = tmp_path / "asked.sql"
    argv = ("sh", "-c", held.HANDED_OVER, "x", f'echo "{told}"', f"tee {sql} >/dev/null; echo t")
    assert subprocess.run(argv, check=False, capture_output=True).returncode == code
    assert sql.exists() == (code == 0)
