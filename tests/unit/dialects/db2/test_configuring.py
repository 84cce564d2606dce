"""What set-up changes on a Db2 server: scripts run by a real shell, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.db2 import configuring
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Exec, Look, Looked, Report
from tests.builders import site
from tests.unit.dialects.db2.test_held import UNKNOWN_DATABASE
from tests.unit.dialects.db2.test_rehome import CFG, cfg, stub
from tests.unit.dialects.db2.test_switching import DIRECTORY
from tests.unit.dialects.db2.two_nodes import HERE, acted, calls, looked, nodes
from tests.unit.dialects.reports import MUTE, exited

DONE = "DB20000I  The UPDATE DATABASE CONFIGURATION command completed successfully."
BACKED_UP = "Backup successful. The timestamp for this backup image is : 20260314113005"
HEAD = "Database Member 0 -- Database XCATDB -- Active -- Up 0 days 02:04:55"
LINES = """
 First log archive method                 (LOGARCHMETH1) = {method}
 Log pages during index build            (LOGINDEXBUILD) = {build}
 Index re-creation time and redo index build  (INDEXREC) = {rec}
 Backup pending                                          = {pending}
"""


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return nodes(tmp_path)


def with_file(look: Look, path: Path) -> Look:
    """The same look at another file than /etc/services."""
    assert isinstance(look.request, Exec)
    argv = tuple(str(path) if one == configuring.SERVICES else one for one in look.request.argv)
    return replace(look, request=replace(look.request, argv=argv))


@pytest.mark.parametrize(
    ("before", "verdict", "after"),
    [
        ("", Verdict.PASS, "DB2_HADR_1\t55001/tcp DB2_HADR_2\t55002/tcp"),
        ("DB2_HADR_1 55001/tcp", Verdict.PASS, "DB2_HADR_1 55001/tcp DB2_HADR_2\t55002/tcp"),
        ("DB2_HADR_1 1/tcp\n", Verdict.BLOCK, "DB2_HADR_1 1/tcp"),
        ("other 55001/tcp\n", Verdict.BLOCK, "other 55001/tcp"),
    ],
)
def test_services_are_added_where_nobody_has_their_name_or_port(
    here: Site, tmp_path: Path, before: str, verdict: Verdict, after: str
) -> None:
    file = tmp_path / "services"
    file.write_text(before)
    action = configuring.services(here, HERE)
    assert isinstance(action.request, Exec)
    argv = tuple(str(file) if one == configuring.SERVICES else one for one in action.request.argv)
    aimed = replace(action, request=replace(action.request, argv=argv))
    assert acted(aimed, tmp_path).verdict is verdict
    assert " ".join(line for line in file.read_text().splitlines() if line) == after
    look = with_file(configuring.has_services(here, HERE), file)
    assert looked(look, tmp_path).verdict is verdict


def logging(
    folder: Path, method: str, pending: str = "NO", build: str = "OFF", code: int = 0
) -> None:
    text = LINES.format(method=method, build=build, rec="RESTART", pending=pending)
    said = BACKED_UP if code == 0 else "SQL2059W  A device full warning was encountered."
    (folder / "active").touch()
    stub(
        folder,
        "db2",
        f"case $1 in get) cat <<'EOF'\n{text}EOF\n;; deactivate) rm -f active;; "
        f"activate) touch active;; backup) [ ! -e active ] || exit 4; echo '{said}'; exit {code};; "
        f"*) echo '{DONE}';; esac",
    )
    stub(folder, "db2pd", f"[ ! -e active ] || echo '{HEAD}'")


def test_an_archived_log_is_left_as_it_is(here: Site, tmp_path: Path) -> None:
    logging(tmp_path, "DISK:/site/own1")
    assert acted(configuring.archive_log(here, HERE), tmp_path).verdict is Verdict.PASS
    update = "db2 update db cfg for XCATDB using LOGINDEXBUILD ON INDEXREC RESTART"
    assert calls(tmp_path) == ["db2 get db cfg for XCATDB", update]


@pytest.mark.parametrize(("method", "pending"), [("OFF", "NO"), ("DISK:/site/own", "YES")])
def test_a_log_in_circles_is_archived_closed_backed_up_and_opened(
    here: Site, tmp_path: Path, method: str, pending: str
) -> None:
    logging(tmp_path, method, pending)
    assert acted(configuring.archive_log(here, HERE), tmp_path).verdict is Verdict.PASS
    said = [one.split(maxsplit=2)[1] for one in calls(tmp_path) if one.startswith("db2 ")]
    assert said == ["get", "update", "force", "deactivate", "backup", "activate"]
    assert "LOGARCHMETH1 DISK:work/archive" in "\n".join(calls(tmp_path))
    assert (tmp_path / "work/archive").is_dir()
    assert (tmp_path / "active").exists()


def test_a_first_backup_that_fails_leaves_the_database_to_be_opened(
    here: Site, tmp_path: Path
) -> None:
    logging(tmp_path, "OFF", code=4)
    reading = acted(configuring.archive_log(here, HERE), tmp_path)
    assert (reading.verdict, "SQL2059W" in reading.sentence) == (Verdict.UNKNOWN, True)
    assert calls(tmp_path)[-1] == "db2 activate db XCATDB"


@pytest.mark.parametrize(
    ("method", "pending", "build", "verdict"),
    [
        ("DISK:/own", "NO", "ON", Verdict.PASS),
        ("LOGRETAIN", "NO", "ON", Verdict.PASS),
        ("OFF", "NO", "ON", Verdict.BLOCK),
        ("DISK:/own", "YES", "ON", Verdict.BLOCK),
        ("DISK:/own", "NO", "OFF", Verdict.BLOCK),
    ],
)
def test_what_hadr_needs_of_the_log(
    here: Site, tmp_path: Path, method: str, pending: str, build: str, verdict: Verdict
) -> None:
    logging(tmp_path, method, pending, build)
    assert looked(configuring.is_archived(here, HERE), tmp_path).verdict is verdict


@pytest.mark.parametrize("has_list", [True, False])
def test_hadr_is_configured_with_a_target_list_where_the_release_has_one(
    here: Site, tmp_path: Path, has_list: bool
) -> None:
    text = CFG.format(role="STANDARD", local="a", remote="b")
    if not has_list:
        text = "\n".join(line for line in text.splitlines() if "TARGET" not in line) + "\n"
    stub(tmp_path, "db2", f"case $1 in get) cat <<'EOF'\n{text}EOF\n;; *) echo '{DONE}';; esac")
    look = configuring.is_configured(here, here.standby, here.primary)
    told = looked(look, tmp_path)
    assert (told.verdict, "HADR_LOCAL_HOST is a" in told.sentence) == (Verdict.BLOCK, True)
    action = configuring.configure_hadr(here, here.standby, here.primary)
    assert acted(action, tmp_path).verdict is Verdict.PASS
    local, remote = here.standby.address, here.primary.address
    line = calls(tmp_path)[-1]
    assert f"HADR_LOCAL_HOST {local} HADR_LOCAL_SVC DB2_HADR_2 HADR_REMOTE_HOST {remote}" in line
    assert (f"HADR_TARGET_LIST {remote}:DB2_HADR_1" in line) is has_list
    right = text.replace("= a\n", f"= {local}\n").replace("= b\n", f"= {remote}\n")
    right = right.replace("aixmn1:DB2", f"{remote}:DB2")
    stub(tmp_path, "db2", f"cat <<'EOF'\n{right}EOF")
    assert looked(look, tmp_path).verdict is Verdict.PASS


def test_the_alternate_server_is_read_from_the_databases_own_entry(
    here: Site, tmp_path: Path
) -> None:
    look = configuring.has_alternate(here, HERE, here.primary, 60000)
    for host, port, verdict in (
        (here.primary.address, "60000", Verdict.PASS),
        (here.primary.address, "50000", Verdict.BLOCK),
        ("", "", Verdict.BLOCK),
    ):
        stub(tmp_path, "db2", f"cat <<'EOF'\n{DIRECTORY.format(host=host, port=port)}EOF")
        assert looked(look, tmp_path).verdict is verdict


GIVES_WAY = configuring.gives_way(site(), HERE)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (cfg("STANDARD"), Verdict.PASS),
        (cfg("STANDBY"), Verdict.PASS),
        (cfg("PRIMARY"), Verdict.BLOCK),
        (exited(4, UNKNOWN_DATABASE), Verdict.PASS),
        *((one, Verdict.UNKNOWN) for one in MUTE),
    ],
)
def test_a_primary_gives_way_to_nobody(report: Report, verdict: Verdict) -> None:
    assert read_look(Looked(GIVES_WAY, report)).verdict is verdict


@pytest.mark.parametrize(("said", "code"), [("SQL1063N", 0), ("SQL1026N", 1), ("SQL6031N", 4)])
def test_an_instance_that_is_started_is_started(
    here: Site, tmp_path: Path, said: str, code: int
) -> None:
    stub(tmp_path, "db2start", f"echo '{said}  Something.'; exit {code}")
    expected = Verdict.BLOCK if said == "SQL6031N" else Verdict.PASS
    assert acted(configuring.start_instance(here, HERE), tmp_path).verdict is expected


def test_an_outcome_nobody_told_is_unknown() -> None:
    action = configuring.archive_log(site(), HERE)
    for one in MUTE:
        if one.ending.value not in ("could_not_run", "refused"):
            assert read_action(action, one).verdict is Verdict.UNKNOWN
