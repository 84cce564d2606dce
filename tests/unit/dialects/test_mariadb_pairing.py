"""The scripts by which a server's data is set aside, copied and told whom to follow, run by sh.

A data directory in its place counts as held and kept only while its server follows the other.
"""

from __future__ import annotations

import os
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


def run(
    request: object, folder: Path, told: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run it with a client that tells this, and says on `said` what it was told."""
    client = folder / "client"
    client.write_text(
        f"#!/bin/sh\n[ -t 0 ] || cat >'{folder}/said'\nprintf '%b' '{told}'\nexit {code}\n"
    )
    client.chmod(0o700)
    assert isinstance(request, Exec)
    argv = [str(client) if one == "mariadb" else one for one in request.argv]
    return subprocess.run(
        argv,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )


def ask(look: Look, folder: Path, told: str) -> int:
    """Ask with a client that tells this."""
    return run(look.request, folder, told).returncode


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
        pairing.is_held(here, "aixmn2", here.primary, "setup", may_lack=False),
        pairing.is_kept(here, "aixmn2", here.primary, "setup", may_lack=False),
        pairing.is_copied(here, "aixmn2", here.primary),
    ):
        assert ask(look, tmp_path, told) == code, look.expects


# ---- what is set aside -------------------------------------------------------------------------
@pytest.mark.parametrize("may_lack", [True, False])
@pytest.mark.parametrize("left", ["", ".hamnd-held", ".hamnd-kept-gtid-0-5"])
def test_data_that_is_nowhere_is_neither_held_nor_kept(
    left: str, may_lack: bool, tmp_path: Path
) -> None:
    here = replace(site(), mariadb=MariaSite(data_dir=str(tmp_path / "mysql")))
    if left:
        (tmp_path / f"mysql{left}").mkdir()
    about = (here, "aixmn2", here.primary, "gtid-0-5")
    held = ask(pairing.is_held(*about, may_lack=may_lack), tmp_path, "")
    kept = ask(pairing.is_kept(*about, may_lack=may_lack), tmp_path, "")
    assert held == (0 if left or may_lack else 1)
    if left != ".hamnd-held":
        assert kept == held
    else:
        assert kept == 1


@pytest.mark.parametrize(
    ("datadir", "log", "said"),
    [
        ("mysql", "mysql/bin", ""),
        ("mysql", "", ""),
        ("mysql2", "mysql2/bin", "the server's datadir is"),
        ("mysql", "logs/bin", "log_bin lies outside of"),
    ],
)
@pytest.mark.parametrize("is_up", [True, False])
def test_only_the_servers_own_directory_with_its_log_is_set_aside(
    datadir: str, log: str, said: str, is_up: bool, tmp_path: Path
) -> None:
    """Asked, where it runs; a server that is down is judged by its option files."""
    for name in ("mysql", "mysql2", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / "mysql/ibdata1").touch()
    at, log_at = tmp_path / datadir, tmp_path / log if log else ""
    options = tmp_path / "my_print_defaults"
    options.write_text(f"#!/bin/sh\necho --datadir={at}\necho --log-bin={log_at or 'bin'}\n")
    options.chmod(0o700)
    here = replace(site(), mariadb=MariaSite(data_dir=str(tmp_path / "mysql")))
    look = pairing.is_in_place(here, "aixmn2", may_lack=False)
    told = f"{at}/\\t{log_at or 'NULL'}\\n" if is_up else ""
    ended = run(look.request, tmp_path, told, 0 if is_up else 1)
    assert ended.returncode == (1 if said else 0), ended
    assert said in ended.stdout


@pytest.mark.parametrize(
    ("place", "may_lack", "said"),
    [
        ("/proc", True, "is a mount point"),
        ("/nowhere/mysql", False, "nothing to hold"),
        ("/nowhere/mysql", True, "can be set aside"),
    ],
)
def test_what_cannot_be_renamed_is_refused_while_its_server_still_runs(
    place: str, may_lack: bool, said: str, tmp_path: Path
) -> None:
    here = replace(site(), mariadb=MariaSite(data_dir=place))
    look = pairing.is_in_place(here, "aixmn2", may_lack=may_lack)
    assert said in run(look.request, tmp_path, f"{place}/\\tNULL\\n").stdout


# ---- what is told to a server ------------------------------------------------------------------
def follower(folder: Path, gtid: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Have a server follow from a copy that was taken at this GTID; and what it was told."""
    data, secret = folder / "mysql", folder / "repl.cnf"
    data.mkdir()
    (data / "hamnd-copied-at").write_text(gtid)
    secret.write_text("[client]\nuser = repl\npassword = canary\n")
    where = MariaSite(data_dir=str(data), replication_file=str(secret))
    here = replace(site(), mariadb=where)
    ended = run(pairing.follow(here, "aixmn2", here.primary).request, folder, "")
    told = folder / "said"
    return ended, told.read_text() if told.exists() else ""


def test_a_password_is_told_after_the_logs_of_statements_were_switched_off(tmp_path: Path) -> None:
    ended, told = follower(tmp_path, "0-1-7,1-2-3\n")
    assert ended.returncode == 0, ended
    assert told.startswith("SET SESSION sql_log_off = 1, slow_query_log = 0;\n")
    assert "SET GLOBAL gtid_slave_pos = '0-1-7,1-2-3'" in told
    assert "MASTER_PASSWORD = 'canary'" in told


@pytest.mark.parametrize("gtid", ["0-1-7'; DROP DATABASE xcatdb; --", "0-1-7\n'", "x"])
def test_what_is_no_gtid_never_becomes_a_statement(gtid: str, tmp_path: Path) -> None:
    ended, told = follower(tmp_path, gtid)
    assert (ended.returncode, told) == (1, "")
    assert "that is no GTID" in ended.stderr


@pytest.mark.parametrize("info", ["bin.000001\t4\t0-1-7'; x", "bin.000001\t4\t", "bin.000001"])
def test_a_copy_that_tells_no_gtid_is_not_put_into_its_place(info: str, tmp_path: Path) -> None:
    part = tmp_path / "mysql.hamnd-part"
    part.mkdir()
    (part / "xtrabackup_checkpoints").write_text("backup_type = full-backuped\n")
    (part / "xtrabackup_binlog_info").write_text(f"{info}\n")
    here = replace(site(), mariadb=MariaSite(data_dir=str(tmp_path / "mysql")))
    here = replace(here, tools={**here.tools, "mariadb_backup": "true"})
    put = pairing.copy(here, "aixmn1", "aixmn2")[-1]
    ended = run(put.request, tmp_path, "")
    assert (ended.returncode, (tmp_path / "mysql").exists()) == (1, False)
    assert "does not tell its GTID" in ended.stderr


@pytest.mark.parametrize(
    ("free", "code", "said"),
    [(16384, 0, "16 MiB are free"), (16383, 1, "is full, 15 MiB are left"), (None, 2, "")],
)
def test_a_full_disk_is_told_by_its_name(
    free: int | None, code: int, said: str, tmp_path: Path
) -> None:
    df = tmp_path / "df"
    row = "" if free is None else f"echo /dev/sda 900000 1 {free} 50% /var"
    df.write_text(f"#!/bin/sh\necho head\n{row}\n")
    df.chmod(0o700)
    here = replace(site(), mariadb=MariaSite(data_dir=str(tmp_path)))
    ended = run(pairing.has_space(here).request, tmp_path, "")
    assert ended.returncode == code
    assert said in ended.stdout


@pytest.mark.parametrize(
    ("wrote", "has", "code"),
    [
        ("0-1-50", "0-1-50", 0),
        ("0-1-50,1-1-7", "1-1-7,0-1-50", 0),
        ("0-1-50,1-1-7", "0-1-50", 1),
        ("0-1-50,1-1-7", "1-1-6,0-1-50", 1),
        ("", "", 0),
    ],
)
def test_all_is_handed_over_whatever_order_the_domains_are_told_in(
    wrote: str, has: str, code: int, tmp_path: Path
) -> None:
    client = tmp_path / "mariadb"
    client.write_text(
        f"#!/bin/sh\ncase $* in *binlog_pos*) echo '{wrote}' ;; *) echo '{has}' ;; esac\n"
    )
    client.chmod(0o700)
    here = site(engine="mariadb", mariadb=MariaSite())
    look = pairing.has_handed_over(here, here.node, here.node)
    assert ask(look, tmp_path, "") == code
