"""A Db2 database that is held and kept: the scripts run by a real shell, and what they prove."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.db2 import held
from hamnd.dialects.readers import read_look
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Look, Looked, Report
from tests.builders import site
from tests.unit.dialects.db2.test_rehome import CFG, cfg, stub
from tests.unit.dialects.db2.test_switching import HEAD, PD, pd
from tests.unit.dialects.db2.two_nodes import HERE, acted, call, calls, looked, nodes
from tests.unit.dialects.reports import MUTE, exited

HOST = HERE
ACTIVE = HEAD + PD.format(role="PRIMARY", state="PEER", connected="CONNECTED", flags="")
STANDBY = ACTIVE.replace("-- Active --", "-- Standby --").replace("= PRIMARY", "= STANDBY")
DOWN = (
    "Database XCATDB not activated on database member 0 or this database name cannot be found in "
    "the local database directory.\n"
)
UNKNOWN_DATABASE = (
    'SQL1013N  The database alias name or database name "XCATDB" could not be found.\n'
)
DIRECTORY = """
 Database alias                       = XCATDB
 Local database directory             = {at}
"""
KILL_ENDS_IT = "rm -f active; echo killed >>calls"
RFPEN = "echo pending >>calls; touch pending"


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """An instance of stubs: the file `active` is an active database, `role` the persistent one."""
    (tmp_path / "role").write_text("PRIMARY")
    at = tmp_path / "home"
    own = at / subprocess.check_output(("id", "-un"), text=True).strip() / "NODE0000"
    (own / "SQL00001").mkdir(parents=True)
    (own / "SQL00001" / "SQLDBCONF").write_text("the configuration")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "S0000017.LOG").write_text("its log")
    text = CFG.format(role="ROLE", local="a", remote="b")
    text += f" Path to log files                                       = {tmp_path}/logs/\n"
    stub(
        tmp_path,
        "db2",
        "case $1$2 in listdb) cat <<'EOF'\n"
        + DIRECTORY.format(at=at)
        + f"EOF\n;; getdb) sed \"s/ROLE/$(cat role)/\" <<'EOF'\n{text}EOF\n"
        "[ ! -e pending ] || echo ' Rollforward pending                 = DATABASE'\n"
        ";; deactivatedb) rm -f active;; esac",
    )
    active, down = tmp_path / "active.txt", tmp_path / "down.txt"
    active.write_text(ACTIVE)
    down.write_text(DOWN)
    stub(tmp_path, "db2pd", "if [ -e active ]; then cat active.txt; else cat down.txt; fi")
    stub(tmp_path, "db2_kill", KILL_ENDS_IT)
    stub(tmp_path, "db2start", "echo 'SQL1026N  The database manager is already active.'; exit 1")
    stub(tmp_path, "db2rfpen", RFPEN)
    found = nodes(tmp_path)
    return replace(found, db2=replace(found.db2, work_dir=str(tmp_path / "work")))


def test_an_active_old_primary_is_killed_and_never_deactivated(here: Site, tmp_path: Path) -> None:
    (tmp_path / "active").touch()
    action = held.hold(here, HOST, is_killed=True)
    assert acted(action, tmp_path).verdict is Verdict.PASS
    assert "killed" in calls(tmp_path)
    assert not [one for one in calls(tmp_path) if "deactivate" in one or "pending" in one]


def test_a_standby_of_setup_is_closed_in_order(here: Site, tmp_path: Path) -> None:
    (tmp_path / "active").touch()
    (tmp_path / "role").write_text("STANDARD")
    action = held.hold(here, HOST, is_killed=False)
    assert acted(action, tmp_path).verdict is Verdict.PASS
    assert "killed" not in calls(tmp_path)
    assert calls(tmp_path)[-1] == "pending", "a database without a role would serve"
    told = looked(held.is_held(here, HOST)[1], tmp_path)
    assert (told.verdict, "rollforward pending" in told.sentence) == (Verdict.PASS, True)


def test_an_active_standby_is_left_alone(here: Site, tmp_path: Path) -> None:
    (tmp_path / "active").touch()
    (tmp_path / "active.txt").write_text(STANDBY)
    action = held.hold(here, HOST, is_killed=True)
    assert acted(action, tmp_path).verdict is Verdict.PASS
    assert calls(tmp_path) == ["db2pd -d XCATDB -hadr"]


def test_an_instance_that_does_not_start_is_not_held(here: Site, tmp_path: Path) -> None:
    stub(tmp_path, "db2start", "echo 'SQL6031N  Error in the db2nodes.cfg file.'; exit 4")
    action = held.hold(here, HOST, is_killed=True)
    reading = acted(action, tmp_path)
    assert (reading.verdict, "SQL6031N" in reading.sentence) == (Verdict.BLOCK, True)


def test_an_instance_whose_host_came_back_by_another_name_is_held(
    here: Site, tmp_path: Path
) -> None:
    """Mode primary_address: a person gave it, at its console, the name that is free now."""
    stub(
        tmp_path,
        "db2start",
        "if [ -e renewed ]; then echo 'SQL1026N  The database manager is already active.'; "
        "else echo 'SQL6031N  Error in the db2nodes.cfg file.'; exit 4; fi",
    )
    stub(tmp_path, "db2gcf", "touch renewed")
    assert acted(held.hold(here, HOST, is_killed=True), tmp_path).verdict is Verdict.PASS
    assert [one.split(" -i")[0] for one in calls(tmp_path) if "gcf" in one] == ["db2gcf -u -p 0"]


def test_what_is_kept_is_whole_and_known_again(here: Site, tmp_path: Path) -> None:
    """Kept with its logs and its configuration; what changes afterwards is kept beside it."""
    look, action = held.is_kept(here, HOST, "before"), held.keep(here, HOST, "before")
    assert looked(held.has_room(here, HOST, "before"), tmp_path).verdict is Verdict.PASS
    assert looked(look, tmp_path).verdict is Verdict.BLOCK
    assert acted(action, tmp_path).verdict is Verdict.PASS
    assert looked(look, tmp_path).verdict is Verdict.PASS
    kept = tmp_path / "work/kept/before"
    assert (kept / "1/SQL00001/SQLDBCONF").read_text() == "the configuration"
    assert (kept / "2/S0000017.LOG").read_text() == "its log"
    assert "HADR_LOCAL_HOST" in (kept / "configuration.txt").read_text()
    (tmp_path / "logs/S0000018.LOG").write_text("more")
    assert looked(look, tmp_path).verdict is Verdict.BLOCK
    call(action, tmp_path)
    assert looked(look, tmp_path).sentence == f"kept as {kept}.2"
    assert (kept / "2/S0000017.LOG").read_text() == "its log", "the first one is untouched"
    names = call(held.kept_names(here, HOST), tmp_path).stdout.split()
    assert names == ["before", "before.2"]


def test_a_further_storage_path_is_kept_too(here: Site, tmp_path: Path) -> None:
    own = subprocess.check_output(("id", "-un"), text=True).strip()
    (tmp_path / f"far/{own}/NODE0000").mkdir(parents=True)
    (tmp_path / f"far/{own}/NODE0000/container").write_text("rows")
    far = replace(here, db2=replace(here.db2, storage_paths=(str(tmp_path / "far"),)))
    call(held.keep(far, HOST, "before"), tmp_path)
    assert (tmp_path / "work/kept/before/3/container").read_text() == "rows"


def test_where_there_is_no_database_there_is_nothing_to_keep(here: Site, tmp_path: Path) -> None:
    stub(tmp_path, "db2", "echo 'SQL1057W  The system database directory is empty.'; exit 2")
    assert looked(held.is_kept(here, HOST, "before"), tmp_path).verdict is Verdict.PASS
    assert "nothing to keep" in call(held.keep(here, HOST, "before"), tmp_path).stdout


UNSURE = Verdict.UNKNOWN
NOT_SERVING, CANNOT = held.is_held(site(), HOST)


@pytest.mark.parametrize(
    ("look", "report", "verdict"),
    [
        (NOT_SERVING, exited(0, DOWN), Verdict.PASS),
        (NOT_SERVING, pd(), Verdict.PASS),
        (NOT_SERVING, pd("PRIMARY"), Verdict.BLOCK),
        (NOT_SERVING, exited(0, HEAD + "HADR is not active.\n"), Verdict.BLOCK),
        (
            NOT_SERVING,
            exited(0, "Changing data structure forced command termination.\n"),
            Verdict.UNKNOWN,
        ),
        (NOT_SERVING, exited(0, ""), Verdict.UNKNOWN),
        (CANNOT, cfg("PRIMARY"), Verdict.PASS),
        (CANNOT, cfg("STANDBY"), Verdict.PASS),
        (CANNOT, cfg("STANDARD"), Verdict.BLOCK),
        (CANNOT, exited(4, UNKNOWN_DATABASE), Verdict.PASS),
        (CANNOT, exited(4, "SQL1032N  No start database manager command.\n"), Verdict.BLOCK),
        (CANNOT, exited(0, CFG[:80]), Verdict.UNKNOWN),
        *((look, one, Verdict.UNKNOWN) for look in (NOT_SERVING, CANNOT) for one in MUTE),
    ],
)
def test_held_is_only_what_cannot_serve(look: Look, report: Report, verdict: Verdict) -> None:
    assert read_look(Looked(look, report)).verdict is verdict
