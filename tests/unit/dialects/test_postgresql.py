"""PostgreSQL's answers: real ones of version 15, and what psql says of a server that gives none.

The samples were taken from a real pair; what other versions tell otherwise is made from the manual.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hamnd.dialects.postgresql import readers
from hamnd.dialects.postgresql.commands import psql, status
from hamnd.dialects.postgresql.status import (
    answer_of,
    format_lsn,
    parse_fork,
    parse_lsn,
    parse_status,
    parse_sync_rule,
)
from hamnd.model.names import Verdict
from hamnd.model.postgres import ServerAnswer, ServerStatus, SyncRule, WalSender
from hamnd.model.site import PostgresSite
from hamnd.model.work import Exec, Report
from tests.unit.core.builders import site
from tests.unit.dialects.reports import MUTE, exited

SAMPLES = Path(__file__).parents[2] / "samples" / "postgresql"
SOCKET = 'psql: error: connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: '
GONE = f"{SOCKET}No such file or directory\n\tIs the server running locally and accepting?\n"
ASKS = "\n\tIs the server running locally and accepting connections on that socket?\n"
"""libpq asks so after whatever kept it from a socket (fe-connect.c)."""
OLDER = "psql: error: could not connect to server: "
"""Versions 12 and 13."""
TCP = 'psql: error: connection to server at "localhost" (127.0.0.1), port 5432 failed: '


def sample(name: str) -> ServerStatus:
    told = parse_status((SAMPLES / f"{name}.txt").read_text())
    assert told is not None
    return told


def told(name: str, **changes: object) -> str:
    """A sample's text with members replaced."""
    return json.dumps(json.loads((SAMPLES / f"{name}.txt").read_text()) | changes)


# ---- positions and settings --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("0/0", 0),
        ("0/3000148", 0x3000148),
        ("16/B374D848", 0x16B374D848),
        ("FFFFFFFF/FFFFFFFF", 2**64 - 1),
        ("", None),
        ("0/", None),
        ("0/123456789", None),
        ("-1/0", None),
        (17, None),
        (None, None),
    ],
)
def test_positions(text: object, position: int | None) -> None:
    assert parse_lsn(text) == position
    if position is not None:
        assert format_lsn(position) == text


@pytest.mark.parametrize(
    ("text", "rule", "needs_all"),
    [
        ("", SyncRule(0, (), True), False),
        ("mn2", SyncRule(1, ("mn2",), True), True),
        ("*", SyncRule(1, ("*",), True), False),
        ("mn2, other", SyncRule(1, ("mn2", "other"), True), False),
        ("2 (mn2, other)", SyncRule(2, ("mn2", "other"), True), True),
        ("FIRST 1 (mn2, other)", SyncRule(1, ("mn2", "other"), True), False),
        ("ANY 1 (mn2)", SyncRule(1, ("mn2",), False), True),
        ("any 2(a,b ,c)", SyncRule(2, ("a", "b", "c"), False), False),
        ('FIRST 1 ("my ""standby""", b)', SyncRule(1, ('my "standby"', "b"), True), False),
        ("FIRST (mn2)", None, False),
        ("a b", None, False),
    ],
)
def test_synchronous_standby_names(text: str, rule: SyncRule | None, needs_all: bool) -> None:
    assert parse_sync_rule(text) == rule
    assert rule is None or rule.needs_all is needs_all


@pytest.mark.parametrize(
    ("history", "fork"),
    [
        ("1\t0/3000148\tno recovery target specified\n", 0x3000148),
        ("1\t0/3000148\tx\n\n2\t0/50000A0\tbefore 2026-01-01\n", 0x50000A0),
        ("# a comment\n", None),
        ("", None),
        (None, None),
    ],
)
def test_where_the_timeline_forked(history: object, fork: int | None) -> None:
    assert parse_fork(history) == fork


# ---- the whole answer --------------------------------------------------------------------------
def test_a_primary_with_its_synchronous_standby() -> None:
    primary = sample("15-primary-sync")
    assert not primary.in_recovery
    assert primary.timeline == 1
    assert primary.flushed is not None
    assert primary.senders == (WalSender("mn2", "streaming", "sync", 1, primary.flushed),)
    assert primary.sync == SyncRule(1, ("mn2",), True)
    assert (primary.commit_level, primary.commit_exceptions) == ("on", 0)
    assert primary.problems == ()


def test_a_standby_that_streams() -> None:
    standby = sample("15-standby-streaming")
    assert standby.in_recovery
    assert standby.system == sample("15-primary-sync").system
    assert standby.receiver is not None
    assert (standby.receiver.status, standby.receiver.name) == ("streaming", "mn2")
    assert standby.receiver.silent_s is not None
    assert 0 <= standby.receiver.silent_s < 10
    assert standby.end == standby.received == sample("15-primary-sync").flushed
    assert standby.timeline == 1
    assert standby.receiver_timeout_s == 60.0


def test_a_standby_without_a_receiver_still_has_its_end_of_log() -> None:
    standby = sample("15-standby-disconnected")
    assert standby.receiver is None
    assert not standby.is_receiver_hidden
    assert standby.is_paused
    assert standby.received is not None
    assert standby.replayed is not None
    assert standby.end == standby.received > standby.replayed


def test_after_a_restart_the_end_of_log_is_what_was_replayed() -> None:
    told_so = parse_status(told("15-standby-disconnected", received=None))
    assert told_so is not None
    assert told_so.end == told_so.replayed


def test_a_promoted_server_tells_where_it_left_the_old_timeline() -> None:
    promoted = sample("15-promoted")
    assert (promoted.in_recovery, promoted.timeline) == (False, 2)
    assert promoted.fork == sample("15-standby-disconnected").received


def test_a_role_that_may_not_look_is_told_so_and_sees_no_lost_link() -> None:
    hidden = sample("15-standby-plain-role")
    assert hidden.receiver is None
    assert hidden.is_receiver_hidden
    assert hidden.problems == (
        "the receiver's state is hidden from this role: grant it pg_monitor",
    )


def test_version_12_has_other_columns_and_that_is_enough() -> None:
    """12 says received_lsn where 13 says written_lsn and flushed_lsn; neither is asked for."""
    document = json.loads((SAMPLES / "15-standby-streaming.txt").read_text())
    for name in ("written_lsn", "flushed_lsn"):
        document["receiver"].pop(name)
    document["receiver"]["received_lsn"] = "0/3000148"
    assert parse_status(json.dumps(document | {"version": 120022})) is not None


@pytest.mark.parametrize("missing", ["system", "in_recovery", "version", "started_at", "at"])
def test_an_answer_without_what_each_has_is_none(missing: str) -> None:
    assert parse_status(told("15-primary-sync", **{missing: None})) is None


def test_a_cut_answer_is_none() -> None:
    text = (SAMPLES / "15-primary-sync.txt").read_text()
    assert parse_status(text[: len(text) // 2]) is None


# ---- what psql says of a server ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("report", "answer"),
    [
        (exited(0, "t\n"), ServerAnswer.TOLD),
        (exited(1, "", "ERROR:  permission denied for function pg_promote"), ServerAnswer.TOLD),
        (exited(2, "", GONE), ServerAnswer.DOWN),
        (exited(2, "", f"{SOCKET}Connection refused\n"), ServerAnswer.DOWN),
        (exited(2, "", f"{SOCKET}FATAL:  the database system is starting up"), ServerAnswer.DOWN),
        (
            exited(2, "", f"{SOCKET}FATAL:  the database system is shutting down"),
            ServerAnswer.DOWN,
        ),
        (
            exited(2, "", f"{SOCKET}FATAL:  the database system is in recovery mode"),
            ServerAnswer.DOWN,
        ),
        (exited(2, "", f'{SOCKET}FATAL:  role "hamnd" does not exist'), ServerAnswer.DENIED),
        (exited(2, "", f"{SOCKET}fe_sendauth: no password supplied"), ServerAnswer.DENIED),
        (
            exited(2, "", f"{SOCKET}FATAL:  sorry, too many clients already"),
            ServerAnswer.DENIED,
        ),
        (exited(2, "", "timeout expired"), ServerAnswer.UNKNOWN),
        (exited(2, "", f"{SOCKET}Resource temporarily unavailable{ASKS}"), ServerAnswer.UNKNOWN),
        (exited(2, "", f"{SOCKET}Permission denied{ASKS}"), ServerAnswer.UNKNOWN),
        (exited(2, "", f"{OLDER}Resource temporarily unavailable{ASKS}"), ServerAnswer.UNKNOWN),
        (exited(2, "", f"{OLDER}No such file or directory{ASKS}"), ServerAnswer.DOWN),
        (exited(2, "", f"{OLDER}{OLDER[13:]}Connection refused{ASKS}"), ServerAnswer.DOWN),
        (exited(2, "", f"{OLDER}FATAL:  the database system is starting up"), ServerAnswer.DOWN),
        (
            exited(2, "", "psql: error: FATAL:  the database system is shutting down"),
            ServerAnswer.DOWN,
        ),
        (
            exited(2, "", "FATAL:  terminating connection due to administrator command"),
            ServerAnswer.UNKNOWN,
        ),
        (exited(2, "", f"{TCP}Connection refused{ASKS}"), ServerAnswer.DOWN),
        (exited(2, "", f"{TCP}Connection timed out{ASKS}"), ServerAnswer.UNKNOWN),
        (exited(2, "", f"{TCP}No route to host{ASKS}"), ServerAnswer.UNKNOWN),
        (
            exited(2, "", f"{TCP}Connection refused{ASKS}{TCP}timeout expired\n"),
            ServerAnswer.UNKNOWN,
        ),
        (
            exited(2, "", "server closed the connection unexpectedly\n\tThis probably means"),
            ServerAnswer.UNKNOWN,
        ),
        (exited(127, "", "sh: 1: psql: not found"), ServerAnswer.UNKNOWN),
        (exited(3), ServerAnswer.UNKNOWN),
        (exited(3, "", "psql:<stdin>:2: ERROR:  permission denied"), ServerAnswer.TOLD),
        *((one, ServerAnswer.UNKNOWN) for one in MUTE),
    ],
)
def test_what_psql_says_of_the_server(report: Report, answer: ServerAnswer) -> None:
    assert answer_of(report) is answer


# ---- readers -----------------------------------------------------------------------------------
WRITABLE = "f\noff\n\n0\n0/3000108\n000000020000000000000003\n"
CAN = "t\nt\n*\n\npostgres|t\n"


@pytest.mark.parametrize(
    ("report", "verdict", "told_so"),
    [
        (exited(0, WRITABLE), Verdict.PASS, "timeline 2 at 0/3000108"),
        (exited(1, "t\non\n\n0\n", "ERROR:  recovery is in progress"), Verdict.BLOCK, "recovery"),
        (exited(0, WRITABLE.replace("off", "on")), Verdict.BLOCK, "read_only"),
        (exited(0, WRITABLE.replace("\n\n0\n", "\nmn2\n0\n")), Verdict.BLOCK, "commit waits"),
        (exited(0, WRITABLE.replace("\n\n0\n", "\nmn2\n1\n")), Verdict.PASS, "writable"),
        (exited(0, "f\noff\n\n0\n"), Verdict.UNKNOWN, "unreadable"),
        (exited(0, ""), Verdict.UNKNOWN, "unreadable"),
        (exited(2, "", GONE), Verdict.BLOCK, "does not serve"),
        *((one, Verdict.UNKNOWN, "") for one in MUTE),
    ],
)
def test_writable_is_proven_by_the_server_alone(
    report: Report, verdict: Verdict, told_so: str
) -> None:
    reading = readers.read_writable(report)
    assert reading.verdict is verdict
    assert told_so in reading.sentence


@pytest.mark.parametrize(
    ("report", "verdict", "told_so"),
    [
        (exited(0, CAN), Verdict.PASS, "may be promoted"),
        (exited(0, CAN.replace("t\nt", "f\nt")), Verdict.BLOCK, "it is a primary"),
        (exited(0, CAN.replace("t\nt", "t\nf")), Verdict.BLOCK, "GRANT EXECUTE ON FUNCTION"),
        (exited(0, CAN.replace("*", "localhost")), Verdict.BLOCK, "9.114.47.110"),
        (exited(0, CAN.replace("*", "0.0.0.0")), Verdict.PASS, "may be promoted"),
        (exited(0, CAN.replace("*", "::")), Verdict.BLOCK, "9.114.47.110"),
        (exited(0, CAN.replace("*\n\n", "*\nmn2\n")), Verdict.PASS, "may be promoted"),
        (
            exited(0, "t\nt\n*\nmn2\nhamnd|f\n"),
            Verdict.BLOCK,
            "hamnd may not change it",
        ),
        (exited(0, "t\nt\n"), Verdict.UNKNOWN, "unreadable"),
        (exited(2, "", GONE), Verdict.BLOCK, "does not serve"),
        *((one, Verdict.UNKNOWN, "") for one in MUTE),
    ],
)
def test_whether_the_standby_could_be_promoted(
    report: Report, verdict: Verdict, told_so: str
) -> None:
    reading = readers.read_can_promote(report, ("9.114.47.110",))
    assert reading.verdict is verdict
    assert told_so in reading.sentence


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, "t\n"), Verdict.PASS),
        (exited(0, "f\n", "WARNING:  server did not promote within 290 seconds"), Verdict.UNKNOWN),
        (exited(1, "", "ERROR:  recovery is not in progress"), Verdict.UNKNOWN),
        (exited(1, "", "ERROR:  permission denied for function pg_promote"), Verdict.BLOCK),
        (exited(2, "", GONE), Verdict.BLOCK),
        (exited(2, "", "server closed the connection unexpectedly"), Verdict.UNKNOWN),
        (
            exited(2, "", "FATAL:  terminating connection due to administrator command"),
            Verdict.UNKNOWN,
        ),
        *((one, Verdict.UNKNOWN) for one in MUTE),
    ],
)
def test_a_promotion_is_done_only_by_its_own_word(report: Report, verdict: Verdict) -> None:
    """What was sent and not answered is unknown, to be looked at (law 5)."""
    assert readers.read_promoted(report).verdict is verdict


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, "t\n"), Verdict.PASS),
        (exited(1, "t\n", "ERROR:  permission denied to set parameter"), Verdict.BLOCK),
        (exited(0, "f\n"), Verdict.UNKNOWN),
        (exited(2, "", GONE), Verdict.BLOCK),
        *((one, Verdict.UNKNOWN) for one in MUTE),
    ],
)
def test_the_setting_was_written_and_read(report: Report, verdict: Verdict) -> None:
    assert readers.read_waits_for_nobody(report).verdict is verdict


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (exited(0, "t\n"), Verdict.PASS),
        (exited(0, "f\n"), Verdict.BLOCK),
        (exited(0, "true\n"), Verdict.UNKNOWN),
        *((one, Verdict.UNKNOWN) for one in MUTE),
    ],
)
def test_in_recovery(report: Report, verdict: Verdict) -> None:
    assert readers.read_in_recovery(report).verdict is verdict


# ---- what is asked -----------------------------------------------------------------------------
def test_a_connection_goes_over_the_socket_and_names_files_not_secrets() -> None:
    where = PostgresSite(
        user="hamnd", socket_dir="/run/my sockets", passfile="/var/lib/postgresql/.pgpass"
    )
    request = psql(site(postgresql=where), "aixmn2", "SELECT 1")
    conninfo = (
        "dbname=xcatdb host='/run/my sockets' port=5432 user=hamnd "
        "passfile=/var/lib/postgresql/.pgpass connect_timeout=5 application_name=hamnd"
    )
    assert request == Exec(
        "aixmn2",
        (
            *("psql", "-X", "-q", "-A", "-t", "-w", "-d"),
            conninfo,
            *("-c", "SELECT 1"),
        ),
        user="postgres",
    )


def test_the_server_ends_a_look_before_we_give_it_up() -> None:
    look = status(site(), "aixmn1")
    assert isinstance(look.request, Exec)
    limits = [word for word in " ".join(look.request.argv).split() if "statement_timeout" in word]
    assert limits == ["options=-cstatement_timeout=8s"]
    assert look.timeout_s > 8
