"""A Db2 command is done, not done or unknown; only a refusal by itself means not done."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamnd.dialects.db2.readers import READERS
from hamnd.model.names import Verdict
from hamnd.model.work import Reading
from tests.unit.dialects.reports import MUTE, exited

SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "db2"
DONE = "DB20000I  The TAKEOVER HADR ON DATABASE command completed successfully.\n"


def read(name: str, code: int, stdout: str, stderr: str = "") -> Reading:
    return READERS[name](exited(code, stdout, stderr), ())


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text()


def refused(reason: str) -> str:
    return f'SQL1770N  Takeover HADR cannot complete. Reason \ncode = "{reason}".\n'


COMMANDS = ["db2.takeover_done", "db2.activated", "db2.hadr_started"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_said_so_is_done(name: str) -> None:
    assert read(name, 0, DONE).verdict is Verdict.PASS
    assert read(name, 2, DONE + "SQL1363W  Takes effect later.\n").verdict is Verdict.PASS


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, ""),
        (4, ""),
        (0, DONE + "SQL1224N  A database agent could not be started.\n"),
        (4, DONE),
        (4, "SQL1224N  The database manager is not able to accept new requests.\n"),
        (4, "SQL30081N  A communication error has been detected.\n"),
        (4, "SQL9999N  Nobody knows this message.\n"),
        (8, "DB21061E  Command line environment not initialized.\n"),
        (127, "sh: db2: not found\n"),
        (127, refused("9")),
        (-9, DONE),
        (4, "SQL1770N is a message we only hear of: DB20000I\n"),
    ],
)
def test_a_command_that_may_have_worked_is_unknown(name: str, code: int, text: str) -> None:
    reading = read(name, code, text)

    assert reading.verdict is Verdict.UNKNOWN
    assert reading.sentence


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("report", MUTE)
def test_a_report_without_an_end_is_unknown(name: str, report: object) -> None:
    assert READERS[name](report, ()).verdict is Verdict.UNKNOWN  # type: ignore[arg-type]


def test_a_refused_takeover_is_not_done_and_a_known_reason_is_explained() -> None:
    reading = read("db2.takeover_done", 4, refused("9"))

    assert reading.verdict is Verdict.BLOCK
    assert "peer window is over" in reading.sentence


def test_an_unverified_reason_is_shown_verbatim_and_not_explained() -> None:
    reading = read("db2.takeover_done", 4, refused("5"))

    assert reading.verdict is Verdict.BLOCK
    assert reading.sentence == 'SQL1770N Takeover HADR cannot complete. Reason code = "5".'


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("db2.activated", 2, "SQL1490W  Activate database is successful, was activated already.\n"),
        ("db2.activated", 2, "SQL1494W  Activate database is successful, there are connections.\n"),
        ("db2.hadr_started", 4, "SQL1777N  HADR is already started.\n"),
        ("db2.hadr_started", 2, "SQL1766W  The command completed successfully. LOGINDEXBUILD\n"),
    ],
)
def test_what_was_so_already_is_done(name: str, code: int, text: str) -> None:
    assert read(name, code, text).verdict is Verdict.PASS


def test_already_beside_another_error_is_not_done_for_sure() -> None:
    text = "SQL1777N  HADR is already started.\nSQL1224N  The agent died.\n"
    assert read("db2.hadr_started", 4, text).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("db2pd/11.5-primary-peer", Verdict.PASS),
        ("db2pd/9.7-primary-peer", Verdict.PASS),
        ("db2pd/11.1-primary-three-standbys", Verdict.PASS),
        ("db2pd/11.5-standby-disconnected-peer", Verdict.BLOCK),
        ("db2pd/text-hadr-inactive", Verdict.BLOCK),
        ("db2pd/text-database-down", Verdict.BLOCK),
        ("db2pd/text-instance-down", Verdict.BLOCK),
        ("db2pd/text-transient", Verdict.UNKNOWN),
        ("db2pd/text-profile-not-sourced", Verdict.UNKNOWN),
        ("db2pd/text-empty", Verdict.UNKNOWN),
        ("db2pd/cut-at-line-end", Verdict.UNKNOWN),
        ("db2pd/two-databases", Verdict.UNKNOWN),
    ],
)
def test_primary_is_only_what_a_complete_status_says(name: str, verdict: Verdict) -> None:
    assert read("db2.role_primary", 0, sample(name)).verdict is verdict


def test_the_persistent_role() -> None:
    assert read("db2.cfg_standby", 0, sample("dbcfg/11.5-standby")).verdict is Verdict.PASS
    assert read("db2.cfg_standby", 0, sample("dbcfg/9.7-primary")).verdict is Verdict.BLOCK
    assert read("db2.cfg_standby", 4, sample("dbcfg/instance-down")).verdict is not Verdict.PASS
    assert read("db2.cfg_readable", 4, sample("dbcfg/instance-down")).verdict is Verdict.BLOCK
    assert read("db2.cfg_readable", 127, "sh: db2: not found\n").verdict is Verdict.UNKNOWN


def test_a_select_must_print_its_row() -> None:
    plain_standby = "SQL1776N  The command cannot be issued on an HADR database.\n"

    assert read("db2.selects", 0, "          1\n\n").verdict is Verdict.PASS
    assert read("db2.selects", 0, "").verdict is Verdict.UNKNOWN
    assert read("db2.selects", 4, plain_standby).verdict is Verdict.BLOCK
    assert read("db2.selects", 127, "sh: db2: not found\n").verdict is Verdict.UNKNOWN


def test_db2gcf_is_believed_for_its_status() -> None:
    available = "\nInstance  : xcatdb\nDB2 State : Available\n"

    assert read("db2.instance_available", 0, available).verdict is Verdict.PASS
    operable = available.replace("Available", "Operable")
    assert read("db2.instance_available", 1, operable).verdict is Verdict.BLOCK
    assert read("db2.instance_available", 0, "").verdict is Verdict.UNKNOWN


def test_a_takeover_that_runs_is_seen_and_nothing_unreadable_passes_for_none() -> None:
    name = "db2.no_takeover_runs"
    running = read(name, 0, sample("db2pd/11.5-standby-takeover-running"))
    assert running.verdict is Verdict.BLOCK
    assert "takeover runs here already" in running.sentence
    quiet = read(name, 0, sample("db2pd/11.5-standby-disconnected-peer"))
    assert quiet.verdict is Verdict.PASS
    assert read(name, 0, sample("db2pd/text-empty")).verdict is Verdict.UNKNOWN
    assert read(name, 0, sample("db2pd/cut-mid-line")).verdict is Verdict.UNKNOWN
    assert all(READERS[name](report, ()).verdict is Verdict.UNKNOWN for report in MUTE)
