"""What MariaDB and MySQL tell, read from real answers (10.11) and from MySQL's manual (unverified).

The MySQL 8.4 specimen is put together from the MySQL 8.4 reference (SHOW REPLICA STATUS, GTID
format); no MySQL server runs in the lab.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects.mariadb import commands, pairing
from hamnd.dialects.mariadb.errors import in_words
from hamnd.dialects.mariadb.gtid import format_spans, has_all, missing, parse_gtids, union
from hamnd.dialects.mariadb.readers import READERS
from hamnd.dialects.mariadb.status import answer_of, parse_position, parse_status, why_not
from hamnd.dialects.shell import preview
from hamnd.model.mariadb import (
    FILE_BITS,
    Product,
    SemiSync,
    ServerAnswer,
    ServerStatus,
    Span,
    Transactions,
)
from hamnd.model.names import Verdict
from hamnd.model.site import MariaSite, Site
from hamnd.model.work import Exec, Report
from tests.unit.core.builders import site
from tests.unit.dialects.reports import MUTE, exited

SAMPLES = Path(__file__).parents[2] / "samples" / "mariadb"
FIRST_FILE = 1 << FILE_BITS
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
RIGHTS = (
    "PRIVILEGE_TYPE\tuser\nREAD_ONLY ADMIN\thamnd@localhost\n"
    "REPLICATION SLAVE ADMIN\thamnd@localhost\n"
)


def text(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text()


def sample(name: str) -> ServerStatus:
    told = parse_status(text(name))
    assert told is not None
    return told


def maria(**changes: object) -> Site:
    return site(engine="mariadb", mariadb=MariaSite(**changes))  # type: ignore[arg-type]


# ---- global transaction IDs --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("told", "spans"),
    [
        ("", ()),
        ("0-1-22415", (Span("0", 1, 22415),)),
        ("0-1-5,1-2-3", (Span("0", 1, 5), Span("1", 1, 3))),
        ("0-1-5, 0-2-9", (Span("0", 1, 9),)),
        (f"{UUID}:1-5", (Span(UUID, 1, 5),)),
        (f"{UUID.upper()}:1-3:5", (Span(UUID, 1, 3), Span(UUID, 5, 5))),
        (f"{UUID}:1-3:4-9", (Span(UUID, 1, 9),)),
        (f"{UUID}:1:dump:1-2", (Span(UUID, 1, 1), Span(f"{UUID}:dump", 1, 2))),
        (f"{UUID}:1-2,\\n{UUID}:3", (Span(UUID, 1, 3),)),
    ],
)
def test_both_products_sets_are_read(told: str, spans: tuple[Span, ...]) -> None:
    assert parse_gtids(told) == Transactions(spans)


@pytest.mark.parametrize(
    "told", ["0-1", "0-1-0", "x", f"{UUID}:", f"{UUID}:5-1", "0-1-5,", "0-1-5 0-1-6", None]
)
def test_what_is_no_set_is_none(told: str | None) -> None:
    assert parse_gtids(told) is None


def test_what_one_lacks_is_told_by_number() -> None:
    ours, theirs = parse_gtids("0-1-22415"), parse_gtids("0-1-22445,7-1-2")
    assert ours is not None
    assert theirs is not None
    only_there = missing(ours, theirs)
    assert len(only_there) == 32
    assert format_spans(only_there) == "domain 0: 22416 to 22445, domain 7: 1 to 2"
    assert not has_all(ours, theirs)
    assert has_all(union(ours, theirs), theirs)


# ---- whole answers -----------------------------------------------------------------------------
def test_a_primary_that_waits_for_its_replica() -> None:
    primary = sample("10.11-primary-semi-sync")
    assert primary.replicas == ()
    assert not primary.is_read_only
    assert primary.executed == Transactions((Span("0", 1, 5),))
    assert primary.semi == SemiSync(
        is_asked=True,
        is_waiting=True,
        is_before_commit=True,
        timeout_s=30.0,
        clients=1,
        waiters=0,
    )
    assert primary.end == FIRST_FILE + 1141


def test_a_replica_that_follows() -> None:
    (one,) = sample("10.11-replica").replicas
    assert (one.io, one.sql, one.heartbeats, one.heartbeat_period_s) == ("Yes", "Yes", 3, 1.0)
    assert one.received == one.replayed == FIRST_FILE + 1141
    assert one.has == Transactions((Span("0", 1, 5),))
    assert one.is_caught_up
    assert sample("10.11-replica").semi.is_acknowledging


def test_a_promoted_server_still_knows_where_it_went_on_alone() -> None:
    promoted = sample("10.11-promoted")
    assert promoted.replicas == ()
    assert promoted.writes_itself
    assert promoted.replicated == Transactions((Span("0", 1, 5),))
    assert promoted.executed == Transactions((Span("0", 1, 7),))


def test_mysqls_words_mean_the_same() -> None:
    """From MySQL's manual, unverified."""
    server = sample("mysql-8.4-replica")
    (one,) = server.replicas
    assert (one.io, one.sql, one.heartbeats, one.primary_host) == ("Yes", "Yes", 42, "10.1.0.3")
    assert one.received == (2 << FILE_BITS) + 1307
    assert one.has is not None
    assert Span(UUID, 1, 80) in one.has.spans, "received and not yet applied counts"
    assert server.is_read_only
    assert server.semi.is_acknowledging
    assert server.net_timeout_s == 60.0
    assert one.is_caught_up


@pytest.mark.parametrize(("word", "holds"), [("ON", True), ("OFF", False)])
def test_mysqls_names_tell_whether_a_primary_waits_without_its_replica(
    word: str, holds: bool
) -> None:
    """From MySQL's manual, unverified: taken for ON, a takeover would be called without loss."""
    told = text("10.11-primary-semi-sync")
    assert "rpl_semi_sync_master_wait_no_slave\tON" in told
    told = told.replace("wait_no_slave\tON", f"wait_no_slave\t{word}")
    told = re.sub(r"(?<=_)slave(?=_|\t)", "replica", told.replace("_master_", "_source_"))
    assert f"rpl_semi_sync_source_wait_no_replica\t{word}" in told
    server = parse_status(told)
    assert server is not None
    assert server.semi == SemiSync(
        is_asked=True,
        is_waiting=True,
        is_before_commit=True,
        holds_alone=holds,
        timeout_s=30.0,
        clients=1,
        waiters=0,
    )


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("10.11-replica-1062", 1950, "somebody wrote on this standby"),
        ("10.11-replica-1236", 1236, "transactions that the primary never had"),
        ("10.11-replica-wrong-password", 1045, "refuses the replication user or its password"),
    ],
)
def test_real_errors_in_plain_words(name: str, number: int, said: str) -> None:
    (one,) = sample(name).replicas
    told = (one.sql_error, one.sql_text) if one.sql_error else (one.io_error, one.io_text)
    assert told[0] == number
    assert said in in_words(*told)


@pytest.mark.parametrize(
    ("number", "told", "said"),
    [
        (1062, "Duplicate entry '3' for key 'PRIMARY'", "is here already"),
        (1032, "Can't find record in 't'", "is not here"),
        (1026, 'Error writing file (errno: 28 "No space left on device")', "disk full"),
        (13114, "Got fatal error 1236 from source when reading data", "diverged"),
        (1593, "Fatal error: failed; error: 1045", "unusable for the receiver"),
        (4242, "something new", "error 4242: something new"),
    ],
)
def test_other_errors_in_plain_words(number: int, told: str, said: str) -> None:
    assert said in in_words(number, told)


@pytest.mark.parametrize(
    ("file", "byte", "position"),
    [
        ("bin.000001", "4", FIRST_FILE + 4),
        ("my.host-bin.1000000", "0", 1_000_000 << FILE_BITS),
        ("bin", "4", None),
        ("bin.000001", "", None),
        ("bin.000001", "4294967296", None),
        ("", "4", None),
    ],
)
def test_positions(file: str, byte: str, position: int | None) -> None:
    assert parse_position(file, byte) == position


# ---- what a call says of the server ------------------------------------------------------------
@pytest.mark.parametrize(
    ("report", "answer"),
    [
        (exited(0), ServerAnswer.TOLD),
        (
            exited(1, stderr="ERROR 2002 (HY000): Can't connect to local server socket 's' (2)\n"),
            ServerAnswer.DOWN,
        ),
        (
            exited(1, stderr="ERROR 2002 (HY000): Can't connect to MySQL server on 'x' (110)\n"),
            ServerAnswer.UNKNOWN,
        ),
        (
            exited(1, stderr="ERROR 1045 (28000): Access denied\n"),
            ServerAnswer.DENIED,
        ),
        (exited(1, stderr="ERROR 1040 (08004): Too many connections\n"), ServerAnswer.DENIED),
        (exited(1, stderr="ERROR 1053 (08S01): Server shutdown in progress\n"), ServerAnswer.DOWN),
        (exited(1, stderr="ERROR 2013 (HY000): Lost connection\n"), ServerAnswer.UNKNOWN),
        (exited(1, stderr="ERROR 1227 (42000) at line 1: Access denied\n"), ServerAnswer.TOLD),
        (exited(127, stderr="sh: mariadb: not found\n"), ServerAnswer.UNKNOWN),
        *((report, ServerAnswer.UNKNOWN) for report in MUTE),
    ],
)
def test_what_a_call_says_of_the_server(report: Report, answer: ServerAnswer) -> None:
    assert answer_of(report) is answer


def test_a_server_that_accepts_and_never_answers_is_called_so() -> None:
    err = "ERROR 2013 (HY000): Lost connection to server at 'handshake: reading initial "
    report = exited(1, stderr=err + "communication packet', system error: 110\n")
    assert answer_of(report) is ServerAnswer.UNKNOWN
    assert why_not(report).startswith("the server takes the connection and does not answer")


def test_the_statement_that_the_client_repeats_is_left_out() -> None:
    err = "--------------\nSHOW X\n--------------\n\nERROR 1227 (42000) at line 1: Access denied\n"
    assert why_not(exited(1, stderr=err)) == "error 1227: Access denied"


# ---- readers -----------------------------------------------------------------------------------
def read(name: str, out: str, *arguments: str) -> tuple[Verdict, str]:
    reading = READERS[f"mariadb.{name}"](exited(0, out), arguments)
    return reading.verdict, reading.sentence


def test_a_missing_privilege_is_named_with_its_grant() -> None:
    err = (
        "ERROR 1227 (42000) at line 1: Access denied; you need (at least one of) the SUPER, SLAVE "
        "MONITOR privilege(s) for this operation\n"
    )
    reading = READERS["mariadb.status_readable"](exited(1, stderr=err), ())
    assert reading.verdict is Verdict.BLOCK
    assert "GRANT SLAVE MONITOR ON *.* TO" in reading.sentence


def test_a_server_without_space_says_so() -> None:
    err = (
        "ERROR 1021 (HY000) at line 1: Disk got full writing 'x' (Errcode: 28 \"No space left\")\n"
    )
    reading = READERS["mariadb.status_readable"](exited(1, stderr=err), ())
    assert reading.verdict is Verdict.BLOCK
    assert "disk full: free some space" in reading.sentence


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        (("", ""), Verdict.PASS, "may be promoted"),
        (("READ_ONLY ADMIN", "SUPER"), Verdict.BLOCK, "GRANT READ_ONLY ADMIN ON *.* TO hamnd@"),
        (("REPLICATION SLAVE ADMIN", "PROCESS"), Verdict.BLOCK, "GRANT REPLICATION SLAVE ADMIN"),
        (("log_bin\tON", "log_bin\tOFF"), Verdict.BLOCK, "log_bin is off"),
        (("bind_address\t*", "bind_address\t127.0.0.1"), Verdict.BLOCK, "nobody would reach it"),
    ],
)
def test_whether_a_replica_may_be_promoted(
    change: tuple[str, str], verdict: Verdict, said: str
) -> None:
    told = text("10.11-replica").replace("bind_address\t127.0.0.1", "bind_address\t*") + RIGHTS
    seen = read("can_promote", told.replace(*change) if change[0] else told, "10.1.0.2")
    assert seen[0] is verdict, seen
    assert said in seen[1]


def stopped(told: str) -> str:
    """The same replica with its receiver stopped."""
    return told.replace("\tbin.000001\tYes\tYes\t", "\tbin.000001\tNo\tYes\t")


def test_a_relay_log_is_drained_once_all_that_came_whole_is_applied() -> None:
    replica = text("10.11-replica")
    assert read("drained", replica)[0] is Verdict.BLOCK, "it still receives"
    assert read("drained", stopped(replica))[0] is Verdict.PASS
    half = read("drained", text("10.11-replica-half"))
    assert half[0] is Verdict.PASS, "a half transaction at its end never gets whole"
    busy = stopped(replica).replace("gtid_slave_pos\t0-1-5", "gtid_slave_pos\t0-1-3")
    told = "what was received is still being applied: domain 0: 4 to 5"
    assert read("drained", busy) == (Verdict.BLOCK, told)
    halted = busy.replace("\tNo\tYes\t", "\tNo\tNo\t", 1)
    assert "the applier does not run" in read("drained", halted)[1]
    assert read("drained", text("10.11-promoted"))[0] is Verdict.PASS


def test_an_applier_that_has_read_all_is_not_drained_while_its_workers_are_at_it() -> None:
    """A lock on one row held four workers; 32 transactions were received and not applied."""
    told = "what was received is still being applied: domain 0: 40 to 71"
    assert read("drained", text("10.11-replica-parallel-locked")) == (Verdict.BLOCK, told)


def test_a_server_that_was_restarted_has_forgotten_what_it_received() -> None:
    half = text("10.11-replica-half")
    anew = half.replace("Slave_Pos\t0-1-71\t", "Slave_Pos\t\t")
    anew = anew.replace("\tNo\tYes\t", "\tNo\tNo\t")
    assert read("drained", anew)[0] is Verdict.BLOCK


@pytest.mark.parametrize(("workers", "verdict"), [("0", Verdict.PASS), ("4", Verdict.BLOCK)])
def test_without_gtids_an_applier_alone_has_done_what_it_has_read(
    workers: str, verdict: Verdict
) -> None:
    told = text("10.11-replica-half").replace("\tSlave_Pos\t", "\tNo\t")
    told = told.replace("slave_parallel_threads\t0", f"slave_parallel_threads\t{workers}")
    assert read("drained", told)[0] is verdict


def test_mysql_is_drained_once_what_it_retrieved_is_executed() -> None:
    """From MySQL's manual, unverified; four workers apply by default since 8.0.27."""
    told = text("mysql-8.4-replica").replace("\tYes\tYes\t", "\tNo\tYes\t")
    rest = f"{UUID}: 78 to 80"
    busy = (Verdict.BLOCK, f"what was received is still being applied: {rest}")
    assert read("drained", told) == busy
    assert read("drained", told.replace(":1-77", ":1-80"))[0] is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("\tNone\t\t0\tNo\t", "\tNone\t\t0\tNo\t"), ""),
        (("\tYes\tYes\t\t\t", "\tYes\tYes\t\txcatdb\t"), "Replicate_Ignore_DB = xcatdb"),
        (("\toptimistic\t0\t", "\toptimistic\t60\t"), "60 s behind"),
    ],
)
def test_a_replica_that_leaves_out_or_waits_does_not_replicate(
    change: tuple[str, str], said: str
) -> None:
    replica = text("10.11-replica")
    assert change[0] in replica
    verdict, sentence = read("replicating", replica.replace(*change))
    assert (verdict is Verdict.BLOCK) == bool(said)
    assert said in sentence


def test_a_primary_whose_log_leaves_something_out_is_not_followed() -> None:
    told = text("10.11-primary-semi-sync")
    assert read("can_send", told)[0] is Verdict.PASS
    table = "File\tPosition\tBinlog_Do_DB\tBinlog_Ignore_DB\nbin.000001\t1141\t\ttest\n"
    assert "Binlog_Ignore_DB = test" in read("can_send", told + table)[1]


def test_a_promoted_server_is_proven_writable_with_its_gtid() -> None:
    assert read("writable", text("10.11-promoted")) == (
        Verdict.PASS,
        "primary at GTID domain 0: 1 to 7, writable",
    )
    assert read("writable", text("10.11-replica"))[0] is Verdict.BLOCK
    closed = text("10.11-promoted").replace("read_only\tOFF", "read_only\tON")
    assert "read_only is on" in read("writable", closed)[1]
    held = text("10.11-primary-semi-sync").replace(
        "Rpl_semi_sync_master_clients\t1", "Rpl_semi_sync_master_clients\t0"
    )
    assert "none is connected" in read("writable", held)[1]


def test_a_statement_that_broke_off_is_unknown_and_a_refused_one_not_done() -> None:
    done = READERS["mariadb.done"]
    assert done(exited(0), ()).verdict is Verdict.PASS
    assert done(exited(1, stderr="ERROR 2013 (HY000): Lost connection\n"), ()).verdict is (
        Verdict.UNKNOWN
    )
    assert done(exited(1, stderr="ERROR 1227 (42000) at line 1: no\n"), ()).verdict is Verdict.BLOCK


# ---- commands ----------------------------------------------------------------------------------
def test_a_password_is_only_a_path() -> None:
    here = maria(user="hamnd", defaults_file="/etc/hamnd/db.cnf", socket="/run/s")
    request = commands.client(here, "aixmn2", "SELECT 1")
    assert request.argv == (
        "mariadb",
        "--defaults-file=/etc/hamnd/db.cnf",
        "--batch",
        "--connect-timeout=5",
        "--socket=/run/s",
        "--user=hamnd",
        "--init-command=SET SESSION max_statement_time=8",
        "-e",
        "SELECT 1",
    )


def test_mysql_is_asked_in_its_own_words() -> None:
    here = maria(product=Product.MYSQL)
    request = commands.status(here, "aixmn2").request
    assert isinstance(request, Exec)
    assert "SHOW REPLICA STATUS" in request.argv[-1]
    assert "SHOW ALL" not in request.argv[-1]
    told = [preview(one.request, here) for one in commands.take_writes(here)]
    assert "super_read_only = OFF" in told[0]
    assert "rpl_semi_sync_source_enabled" in preview(commands.wait_for_nobody(here).request, here)


def test_the_copy_is_one_line_that_anybody_can_repeat() -> None:
    tools = {"mariadb_backup": "mariadb-backup", "mbstream": "/opt/mbstream"}
    here = replace(maria(socket="/run/s"), tools=tools)
    _, stream, _ = pairing.copy(here, "aixmn1", "aixmn2")
    assert isinstance(stream.request, Exec)
    assert stream.request.host == "aixmn2"
    line = stream.request.argv[-1]
    assert line.startswith("ssh ")
    assert "mariadb-backup --backup --stream=xbstream --datadir=/var/lib/mysql" in line
    assert line.endswith("| /opt/mbstream -x -C /var/lib/mysql.hamnd-part")
