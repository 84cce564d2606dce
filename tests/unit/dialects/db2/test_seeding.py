"""A new Db2 standby from the primary: the scripts run by a real shell against two stub instances.

Owns no story of its own between real hosts: those are in tests/lab.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.db2 import seeding
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Looked, Report
from tests.builders import site
from tests.unit.dialects.db2.test_held import DOWN, STANDBY
from tests.unit.dialects.db2.test_rehome import CFG, stub
from tests.unit.dialects.db2.test_switching import pd
from tests.unit.dialects.db2.two_nodes import HERE, THERE, acted, calls, looked, nodes
from tests.unit.dialects.reports import MUTE, exited

IMAGE = "XCATDB.0.xcatdb.DBPART000.20260314113005.001"
BACKED_UP = "\nBackup successful. The timestamp for this backup image is : 20260314113005\n\n"
OVER_IT = (
    'SQL2540W  Restore is successful, however a warning "2539" was encountered during \n'
    "Database Restore while processing in No Interrupt mode.\n"
)
LEVEL = (
    'DB21085I  This instance uses "64" bits and DB2 code release "SQL11055".\n'
    'Informational tokens are "DB2 \nv{level}", "s2203051800", "DYN220305", and Fix Pack "7".\n'
)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """Two nodes; the database of the other one is down."""
    found = nodes(tmp_path)
    stub(tmp_path / "there", "db2pd", f"cat <<'EOF'\n{DOWN}EOF")
    return found


def image(folder: Path, text: str = "rows") -> Path:
    path = folder / "work/image"
    path.mkdir(parents=True, exist_ok=True)
    (path / IMAGE).write_text(text)
    return path


def test_a_backup_is_made_anew_and_never_beside_a_standby_that_follows(
    here: Site, tmp_path: Path
) -> None:
    old = image(tmp_path, "of last month")
    made = f"echo new >work/image/{IMAGE}; printf '{BACKED_UP}'"
    stub(tmp_path, "db2", f"cd '{tmp_path}'; {made}")
    action = seeding.backup(here, HERE, THERE)
    assert acted(action, tmp_path).verdict is Verdict.PASS
    assert (old / IMAGE).read_text() == "new\n"
    command = "backup db XCATDB online to work/image include logs without prompting"
    assert calls(tmp_path)[-1] == f"db2 {command}"
    assert looked(seeding.is_backed_up(here, HERE, THERE), tmp_path).verdict is Verdict.PASS
    stub(tmp_path / "there", "db2pd", f"cat <<'EOF'\n{STANDBY}EOF")
    (old / IMAGE).unlink()
    assert "no backup is needed" in acted(action, tmp_path).sentence
    assert not (old / IMAGE).exists()
    assert looked(seeding.is_backed_up(here, HERE, THERE), tmp_path).verdict is Verdict.PASS


def test_an_image_that_arrives_in_part_is_not_copied(here: Site, tmp_path: Path) -> None:
    image(tmp_path, "all of it")
    look = seeding.is_copied(here, HERE, THERE)
    assert looked(look, tmp_path).verdict is Verdict.BLOCK
    assert acted(seeding.copy(here, HERE, THERE), tmp_path).verdict is Verdict.PASS
    assert looked(look, tmp_path).verdict is Verdict.PASS
    image(tmp_path / "there", "all")
    assert looked(look, tmp_path).verdict is Verdict.BLOCK


def restoring(folder: Path, role: str, said: str, code: int) -> None:
    text = CFG.format(role=role, local="a", remote="b") + " Rollforward pending = DATABASE\n"
    stub(
        folder,
        "db2",
        f"case $1 in get) sed \"s/ROLE/$(cat role)/\" <<'EOF'\n{text}EOF\n;; "
        f"stop) echo 'DB20000I  Done.';; restore) cat <<'EOF'\n{said}EOF\nexit {code};; esac",
    )


@pytest.mark.parametrize(
    ("role", "said", "code", "verdict"),
    [
        ("STANDARD", "DB20000I  The RESTORE DATABASE command completed successfully.\n", 0, "PASS"),
        ("STANDARD", OVER_IT, 2, "PASS"),
        ("PRIMARY", OVER_IT, 2, "PASS"),
        ("STANDARD", "SQL2542N  No match for a database image file was found.\n", 4, "BLOCK"),
        ("STANDARD", "SQL1035N  The database is in use.  SQLSTATE=57019\n", 4, "BLOCK"),
        ("STANDARD", "SQL9999N  Whatever.\n", 4, "UNKNOWN"),
    ],
)
def test_a_restore_takes_the_image_that_is_there_and_stops_hadr_before(
    here: Site, tmp_path: Path, role: str, said: str, code: int, verdict: str
) -> None:
    image(tmp_path)
    restoring(tmp_path, role, said, code)
    there = replace(here, tools={"db2": str(tmp_path / "db2")})
    assert acted(seeding.restore(there, HERE), tmp_path).verdict is Verdict[verdict]
    command = "restore db XCATDB from work/image taken at 20260314113005"
    asked = [one for one in calls(tmp_path) if one.startswith("db2 restore")]
    assert asked == [f"db2 {command} replace history file without prompting"]
    assert ("db2 stop hadr on db XCATDB" in calls(tmp_path)) is (role == "PRIMARY")
    marked = (tmp_path / "work/image/restored").exists()
    assert marked is (verdict == "PASS")


def test_only_what_was_restored_from_this_image_is_restored(here: Site, tmp_path: Path) -> None:
    """Rollforward pending alone may be a standby that somebody stopped, with an older log."""
    folder = image(tmp_path)
    restoring(tmp_path, "STANDARD", "", 0)
    look = seeding.is_restored(here, HERE)
    stub(tmp_path, "db2pd", f"cat <<'EOF'\n{DOWN}EOF")
    assert looked(look, tmp_path).verdict is Verdict.BLOCK
    (folder / "restored").write_text(f"{IMAGE}\n")
    assert looked(look, tmp_path).verdict is Verdict.PASS
    (folder / "restored").write_text("an older one\n")
    assert looked(look, tmp_path).verdict is Verdict.BLOCK


def configured(folder: Path, local: str, remote: str, **changes: str) -> None:
    text = CFG.format(role="STANDARD", local=local, remote=remote)
    text += " Log pages during index build            (LOGINDEXBUILD) = ON\n"
    for old, new in changes.items():
        text = text.replace(f"({old})", f"({old}) = {new}\n    (IGNORED)")
    stub(
        folder,
        "db2",
        f"case $1 in get) cat <<'EOF'\n{text}EOF\n;; *) echo 'DB20000I  Done.';; esac",
    )


def test_the_standby_is_the_mirror_of_the_primary(here: Site, tmp_path: Path) -> None:
    configured(tmp_path, "9.9.9.1", "9.9.9.2")
    configured(tmp_path / "there", "9.9.9.1", "9.9.9.2")  # as it travelled in the image
    look = seeding.is_mirror(here, HERE, THERE)
    told = looked(look, tmp_path)
    assert told.verdict is Verdict.BLOCK
    assert "HADR_LOCAL_HOST is 9.9.9.1 and not 9.9.9.2" in told.sentence
    assert acted(seeding.mirror(here, HERE, THERE), tmp_path).verdict is Verdict.PASS
    changed = calls(tmp_path / "there")[-1]
    assert changed == (
        "db2 update db cfg for XCATDB using HADR_LOCAL_HOST 9.9.9.2 HADR_REMOTE_HOST 9.9.9.1 "
        "HADR_LOCAL_SVC DB2_HADR_1 HADR_REMOTE_SVC DB2_HADR_2 HADR_REMOTE_INST xcatdb "
        "HADR_TIMEOUT 60 HADR_PEER_WINDOW 120 HADR_SYNCMODE NEARSYNC "
        "HADR_TARGET_LIST 9.9.9.1:DB2_HADR_2 LOGINDEXBUILD ON"
    )


def test_a_primary_without_hadr_has_no_mirror(here: Site, tmp_path: Path) -> None:
    configured(tmp_path, "", "")
    configured(tmp_path / "there", "", "")
    reading = acted(seeding.mirror(here, HERE, THERE), tmp_path)
    assert reading.verdict is not Verdict.PASS
    assert "no value for HADR_LOCAL_HOST" in reading.sentence
    assert [one for one in calls(tmp_path / "there") if "update" in one] == []


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [
        ("11.5.7.0", "11.5.7.0", Verdict.PASS),
        ("11.5.7.0", "11.5.8.0", Verdict.BLOCK),
        ("11.5.7.0", "", Verdict.BLOCK),
    ],
)
def test_a_pair_has_one_level_of_db2(
    here: Site, tmp_path: Path, one: str, two: str, verdict: Verdict
) -> None:
    for folder, level in ((tmp_path, one), (tmp_path / "there", two)):
        stub(folder, "db2level", f"cat <<'EOF'\n{LEVEL.format(level=level) if level else ''}EOF")
    assert looked(seeding.same_level(here), tmp_path).verdict is verdict


BACKUP, RESTORE = seeding.backup(site(), HERE, THERE), seeding.restore(site(), THERE)
JOINED = seeding.joined(site(), THERE)


@pytest.mark.parametrize(
    ("action", "report", "verdict"),
    [
        (BACKUP, exited(0, BACKED_UP), Verdict.PASS),
        (BACKUP, exited(0, BACKED_UP.replace("successful", "erfolgreich")), Verdict.PASS),
        (BACKUP, exited(4, "SQL2413N  Online backup is not allowed.\n"), Verdict.BLOCK),
        (BACKUP, exited(4, "SQL1776N  Not on an HADR database.\n"), Verdict.BLOCK),
        (BACKUP, exited(4, "SQL2059W  Disk full.\n"), Verdict.UNKNOWN),
        (BACKUP, exited(0, ""), Verdict.UNKNOWN),
        *(
            (one, mute, Verdict.UNKNOWN)
            for one in (BACKUP, RESTORE)
            for mute in MUTE
            if mute.detail
        ),
    ],
)
def test_an_outcome_that_nobody_told_is_unknown(
    action: Action, report: Report, verdict: Verdict
) -> None:
    if report.ending.value in ("could_not_run", "refused"):
        verdict = Verdict.BLOCK  # an action that was not sent was not done
    assert read_action(action, report).verdict is verdict


@pytest.mark.parametrize(
    ("report", "verdict", "said"),
    [
        (pd(), Verdict.PASS, "STANDBY in PEER"),
        (exited(0, DOWN), Verdict.BLOCK, "its log has diverged"),
        (pd(state="REMOTE_CATCHUP"), Verdict.BLOCK, "REMOTE_CATCHUP"),
    ],
)
def test_a_standby_that_is_gone_again_has_diverged(
    report: Report, verdict: Verdict, said: str
) -> None:
    reading = read_look(Looked(JOINED, report))
    assert (reading.verdict, said in reading.sentence) == (verdict, True)
