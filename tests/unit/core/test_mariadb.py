"""The MariaDB engine: what is believed of a receiver, what is verified, lost, promoted, examined.

The story: at 0 the primary, asked over ssh, had 50 transactions and this standby had them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hamnd.core.events import LookCompleted
from hamnd.core.health.watch import Watch
from hamnd.core.observing import fold_look
from hamnd.core.replication import (
    Death,
    Examination,
    LossQuestion,
    PartnerDatabase,
    Promotion,
    Rejoin,
    Sample,
    Setup,
    Switchover,
    Takeover,
    Way,
)
from hamnd.core.replication.mariadb import ENGINE, PARTNER_TOPIC
from hamnd.core.replication.mariadb_view import TOPIC
from hamnd.errors import PermanentError
from hamnd.model.health import Replication
from hamnd.model.mariadb import FILE_BITS, Product
from hamnd.model.names import FenceGrade, LossVerdict, Verdict
from hamnd.model.site import MariaSite
from hamnd.model.work import Ending, Exec, Looked, Report
from tests.unit.core.builders import ALIVE, WALL, at, heard, report, site, terms
from tests.unit.core.maria_answers import primary, primary_that, replica, replica_that

SITE = site(engine="mariadb", mariadb=MariaSite(sync_hold_s=20.0))
TERMS = terms(SITE)
FILE = 1 << FILE_BITS
DOWN = report(
    exit_code=1,
    stderr="ERROR 2002 (HY000): Can't connect to local server through socket '/run/s' (2)\n",
)


def view(here: Report, there: Report | None = None, before: Replication | None = None) -> Any:
    reports = {TOPIC: here}
    if there is not None:
        reports[PARTNER_TOPIC] = there
    return ENGINE.view(TERMS, reports, before)


def living(there: Report | None = None) -> Replication:
    """The second of two readings, between which a heartbeat came."""
    first = view(replica(0.5, Slave_received_heartbeats="6"))
    seen: Replication = view(replica(1.0), there, first)
    return seen


# ---- view --------------------------------------------------------------------------------------
def test_one_reading_alone_proves_no_life() -> None:
    seen = view(replica())
    assert (seen.role, seen.state, seen.connected) == ("standby", "unheard", None)
    assert not seen.is_protecting
    assert "although IO running says Yes" in seen.problems[0]


def test_a_heartbeat_between_two_readings_is_life() -> None:
    seen = living(primary(0.5))
    assert (seen.state, seen.connected, seen.is_protecting) == ("replicating", True, True)
    assert seen.verified_at == WALL + 0.5
    assert (seen.sync_mode, seen.hold_s) == ("semi_sync", 30.0)
    assert (seen.gap_bytes, seen.replay_gap_bytes) == (0, 0)
    assert seen.positions.received == FILE + 5000


@pytest.mark.parametrize(("later", "state"), [(9.0, "replicating"), (9.2, "stale")])
def test_seconds_behind_of_zero_and_io_yes_do_not_keep_a_dead_link_alive(
    later: float, state: str
) -> None:
    """A period of 1 s, our own rhythm of 5 s and 2 s of patience after what was heard at 1.1."""
    seen = view(replica(later), None, living())
    assert (seen.state, seen.connected) == (state, state == "replicating")


def test_an_idle_link_that_beats_is_not_stale() -> None:
    seen = living()
    for second in range(1, 60):
        beat = replica(1.0 + 6 * second, Slave_received_heartbeats=str(7 + second))
        seen = view(beat, None, seen)
        assert seen.is_protecting


def test_writes_without_heartbeats_are_life() -> None:
    seen = view(replica(9.2, Read_Master_Log_Pos="5100", Gtid_IO_Pos="0-1-51"), None, living())
    assert seen.state == "replicating"


def test_a_primary_that_wrote_and_sent_nothing_has_lost_its_link() -> None:
    seen = view(replica(4.0), primary(3.5, "0-1-60", 6000), living())
    assert (seen.state, seen.gap_bytes, seen.verified_at) == ("stale", 1000, None)


@pytest.mark.parametrize(
    ("row", "state", "connected", "said"),
    [
        ({"Slave_IO_Running": "Connecting"}, "connecting", False, ""),
        ({"Slave_IO_Running": "No"}, "stopped", False, "START REPLICA"),
        ({"Slave_SQL_Running": "No"}, "broken", True, "START REPLICA SQL_THREAD"),
        (
            {"Slave_SQL_Running": "No", "Last_SQL_Errno": "1062", "Last_SQL_Error": "Duplicate"},
            "broken",
            True,
            "somebody wrote on this standby",
        ),
        (
            {"Slave_IO_Running": "No", "Last_IO_Errno": "1236", "Last_IO_Error": "Got fatal"},
            "stopped",
            False,
            "copy the standby anew",
        ),
        ({"Using_Gtid": "No"}, "replicating", True, "without GTIDs"),
        ({"SQL_Delay": "3600"}, "delayed", True, "3600 s behind"),
        ({"Replicate_Ignore_DB": "xcatdb"}, "partial", True, "Replicate_Ignore_DB = xcatdb"),
        ({"Replicate_Rewrite_DB": "a->b"}, "partial", True, "Replicate_Rewrite_DB = a->b"),
    ],
)
def test_what_is_wrong_is_said(row: dict[str, str], state: str, connected: bool, said: str) -> None:
    first = view(replica(0.5, Slave_received_heartbeats="6"))
    seen = view(replica_that(row), None, first)
    assert (seen.state, seen.connected) == (state, connected)
    assert said in " ".join(seen.problems)


FILTERS = (
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Table",
    "Replicate_Ignore_Table",
    "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table",
    "Replicate_Do_Domain_Ids",
    "Replicate_Ignore_Domain_Ids",
    "Replicate_Ignore_Server_Ids",
)


def partly(name: str) -> Replication:
    """A pair in Peer but for a filter of the standby, or of the primary's own log."""
    first = view(replica(0.5, Slave_received_heartbeats="6"))
    here, there = replica(1.0), primary(0.5)
    if name.startswith("Replicate"):
        here = replica_that({name: "1"}, 1.0)
    else:
        there = replace(there, stdout=f"{there.stdout}File\t{name}\nbin.000001\t1\n")
    seen: Replication = view(here, there, first)
    return seen


@pytest.mark.parametrize("name", [*FILTERS, "Binlog_Do_DB", "Binlog_Ignore_DB"])
def test_what_is_filtered_away_is_never_proven_to_be_here(name: str) -> None:
    """Its GTIDs count as applied all the same (measured, MariaDB 10.11)."""
    seen = partly(name)
    assert (seen.state, seen.is_protecting, seen.verified_at) == ("partial", False, None)
    assert f"{name} = 1" in seen.problems[0]
    question = asked(died(5.0), view=replace(lost_link(), doubt=seen.doubt))
    assert ENGINE.loss(TERMS, question).verdict is LossVerdict.UNKNOWN


def test_a_standby_that_is_to_stay_behind_does_not_protect() -> None:
    first = view(replica(0.5, Slave_received_heartbeats="6"))
    seen = view(replica_that({"SQL_Delay": "3600"}, 1.0), primary(0.5), first)
    assert not seen.is_protecting


def test_a_replica_of_another_server_protects_nobody_and_hears_of_nobody() -> None:
    first = view(replica(0.5, Slave_received_heartbeats="6"), primary(0.2))
    row = {"Master_Host": "10.9.9.9", "Master_Server_Id": "7", "Gtid_IO_Pos": "0-7-900"}
    seen = view(replica_that(row, 1.0), primary(0.5), first)
    assert (seen.role, seen.state, seen.is_protecting) == ("standby", "astray", False)
    assert (seen.verified_at, seen.sync_mode, seen.heartbeats) == (None, None, None)
    assert "10.9.9.9, server_id 7 and not 1" in seen.problems[0]
    assert ENGINE.loss(TERMS, asked(died(5.0), view=seen)).verdict is LossVerdict.UNKNOWN


def test_mysql_tells_servers_apart_by_uuid() -> None:
    there = primary(0.5, server_uuid="8a94f357-aab4-11df-86ab-c80aa9429562")
    for uuid, state in (
        ("3e11fa47", "astray"),
        ("8a94f357-aab4-11df-86ab-c80aa9429562", "unheard"),
    ):
        assert view(replica_that({"Master_UUID": uuid}), there).state == state


def test_semi_sync_switched_on_at_the_standby_holds_its_own_applier() -> None:
    """Measured with MariaDB 10.11: the first transaction it applies waits for the whole timeout."""
    seen = view(replica(1.0, {"rpl_semi_sync_master_enabled": "ON"}))
    assert "the applier waits" in " ".join(seen.problems)
    assert seen.waits_for


@pytest.mark.parametrize(
    ("changes", "mode", "hold_s"),
    [
        ({}, "semi_sync", 30.0),
        ({"Rpl_semi_sync_master_wait_sessions": "1"}, "semi_sync", 0.0),
        ({"Rpl_semi_sync_master_status": "OFF"}, "async", None),
        ({"rpl_semi_sync_master_enabled": "OFF"}, "async", None),
        ({"Rpl_semi_sync_master_clients": "2"}, "semi_sync_partly", None),
        ({"rpl_semi_sync_master_wait_point": "AFTER_COMMIT"}, "semi_sync_partly", None),
        ({"rpl_semi_sync_master_wait_no_slave": "OFF"}, "semi_sync_partly", None),
    ],
)
def test_how_the_primary_treats_this_standby(
    changes: dict[str, str], mode: str, hold_s: float | None
) -> None:
    seen = living(primary_that(changes, 0.5))
    assert (seen.sync_mode, seen.hold_s) == (mode, hold_s)


def test_an_old_word_of_the_primary_verifies_nothing() -> None:
    seen = living(primary(-60.0))
    assert (seen.verified_at, seen.sync_mode) == (None, None)


def test_a_gap_over_several_files_needs_the_sizes_of_all() -> None:
    behind = {"Master_Log_File": "bin.000001", "Gtid_IO_Pos": "0-1-49", "Read_Master_Log_Pos": "9"}
    two = primary(0.9, "0-1-50").stdout + "bin.000002\t300\n"
    seen = view(replica_that(behind), replace(primary(0.9), stdout=two))
    assert seen.gap_bytes == 5000 - 9 + 300
    late = two.replace("bin.000001\t5000\n", "")
    assert view(replica_that(behind), replace(primary(0.9), stdout=late)).gap_bytes is None


def test_a_server_that_follows_nobody_is_primary_or_neither() -> None:
    assert view(primary()).role == "primary"
    closed = view(primary(read_only="ON"))
    assert (closed.role, closed.is_database_up) == ("standard", True)
    assert "neither primary nor standby" in closed.problems[0]


def test_a_standby_that_was_promoted_by_hand_is_a_primary_once_it_has_written() -> None:
    stopped = {"Slave_IO_Running": "No", "Slave_SQL_Running": "No"}
    writes = {"read_only": "OFF", "gtid_current_pos": "0-2-51"}
    assert view(replica_that(stopped, variables=writes)).role == "primary"
    assert view(replica_that(stopped, variables={"read_only": "OFF"})).role == "standby"
    assert view(replica(1.0, writes)).role == "standby", "it still follows"


def test_a_server_that_is_down_says_so_and_one_that_is_mute_is_unknown() -> None:
    seen = view(DOWN)
    assert (seen.role, seen.is_database_up) == (None, False)
    assert "systemctl start mariadb" in seen.clear
    for lost in (report(Ending.TIMED_OUT), report(exit_code=127), report(stdout="x")):
        assert view(lost).is_database_up is None


def test_a_missing_privilege_is_named() -> None:
    lacks = report(
        exit_code=1,
        stderr="ERROR 1227 (42000) at line 1: Access denied; you need (at least one of) the SUPER, "
        "SLAVE MONITOR privilege(s) for this operation\n",
    )
    assert "GRANT SLAVE MONITOR" in view(lacks).problems[0]
    # All before the refused statement was told: a replica that may not be seen is still one.
    half = replace(lacks, stdout=replica().stdout.partition("Connection_name")[0])
    assert (view(half).role, view(half).is_database_up) == (None, None)
    assert ENGINE.partner(TERMS, half, PartnerDatabase()).is_good is None
    no_log = "ERROR 1381 (HY000) at line 1: You are not using binary logging\n"
    assert view(replace(half, stderr=no_log)).role == "standard"


def test_the_partner_is_good_only_as_a_primary() -> None:
    before = PartnerDatabase()
    good = ENGINE.partner(TERMS, primary(), before)
    assert (good.is_good, good.role, good.position) == (True, "primary", FILE + 5000)
    assert ENGINE.partner(TERMS, replica(), before).is_good is False
    down = ENGINE.partner(TERMS, DOWN, before)
    assert (down.is_good, down.failing_since) == (False, DOWN.finished)
    assert ENGINE.partner(TERMS, report(Ending.TIMED_OUT), good) == good


# ---- what is remembered ------------------------------------------------------------------------
def folded(watch: Watch, topic: str, told: Report) -> Watch:
    looks = {**ENGINE.looks(TERMS), **ENGINE.partner_looks(TERMS)}
    return fold_look(watch, LookCompleted(topic, Looked(looks[topic], told)), TERMS)


def watched(there: Report) -> Watch:
    watch = folded(heard(ALIVE, 0.0), PARTNER_TOPIC, there)
    watch = folded(watch, TOPIC, replica(0.5, Slave_received_heartbeats="6"))
    return folded(watch, TOPIC, replica(1.0))


def test_a_heartbeat_is_a_sign_of_life_and_its_absence_is_none() -> None:
    watch = watched(primary(0.2))
    assert watch.progress == at(0.6), "the moment of the reading before"
    silent = folded(watch, TOPIC, replica(2.0))
    assert (silent.progress, silent.unchanged) == (at(0.6), at(2.0))


def test_the_sample_says_how_long_the_server_holds_on() -> None:
    watch = watched(primary(0.2))
    assert watch.sample is not None
    assert (watch.sample.wall_s, watch.sample.sync_mode) == (WALL + 0.2, "semi_sync")
    assert watch.sample.hold_s == 30.0


def test_a_commit_that_waits_just_then_does_not_shorten_what_was_promised() -> None:
    watch = watched(primary(0.2))
    busy = primary(1.5, Rpl_semi_sync_master_wait_sessions="1")
    watch = folded(watch, PARTNER_TOPIC, busy)
    watch = folded(watch, TOPIC, replica(2.0, Slave_received_heartbeats="8"))
    assert watch.sample is not None
    assert (watch.sample.wall_s, watch.sample.hold_s) == (WALL + 0.2, 30.0)


# ---- loss --------------------------------------------------------------------------------------
def sample(**changes: Any) -> Sample:
    base = Sample(
        wall_s=WALL,
        sync_mode="semi_sync",
        state="replicating",
        received=FILE + 5000,
        replayed=FILE + 5000,
        primary=None,
        peer_window_end=None,
        started_at=WALL - 100_000,
        skew_s=None,
        skew_uncertainty_s=None,
        hold_s=30.0,
    )
    return replace(base, **changes)


def lost_link(gtid_applied: str = "0-1-50", **row: str) -> Replication:
    applied = {"gtid_slave_pos": gtid_applied}
    seen: Replication = view(replica_that(row, 30.0, applied), None, living())
    return replace(seen, uptime_s=100_001)


def died(at_s: float | None, grade: FenceGrade = FenceGrade.POWER_OFF, **more: Any) -> Death:
    return Death(None if at_s is None else WALL + at_s, grade, WALL + 1.0, **more)


UNPROVEN = Death(None, FenceGrade.NONE, WALL + 1.0)


def asked(death: Death = UNPROVEN, **changes: Any) -> LossQuestion:
    base = LossQuestion(lost_link(), sample(), None, death, None, False, WALL + 60.0)
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("death", "hold_s", "expected"),
    [
        (died(19.9), 30.0, LossVerdict.ZERO_PROVEN),
        (died(19.9), 10.0, LossVerdict.ZERO_LIKELY),
        (died(9.9), 10.0, LossVerdict.ZERO_PROVEN),
        (died(20.1), 30.0, LossVerdict.ZERO_LIKELY),
        (died(0.1), None, LossVerdict.ZERO_LIKELY),
        (died(5.0, is_watched=False), 30.0, LossVerdict.ZERO_LIKELY),
        (died(5.0, FenceGrade.ORDERLY), 30.0, LossVerdict.ZERO_LIKELY),
        (UNPROVEN, 30.0, LossVerdict.ZERO_LIKELY),
    ],
)
def test_semi_sync_is_proof_as_long_as_server_and_site_hold_on(
    death: Death, hold_s: float | None, expected: LossVerdict
) -> None:
    loss = ENGINE.loss(TERMS, asked(death, sample=sample(hold_s=hold_s)))
    assert loss.verdict is expected, loss.basis


def test_a_restarted_standby_threw_away_what_it_had_acknowledged_and_not_applied() -> None:
    seen = replace(lost_link(), uptime_s=5)
    loss = ENGINE.loss(TERMS, asked(died(5.0), view=seen))
    assert loss.verdict is LossVerdict.UNKNOWN
    assert "threw away what it had not applied" in loss.basis[1]


def test_what_was_received_after_the_sample_and_is_gone_voids_it() -> None:
    """A commit that waited kept the sample where it was; then both threads were started anew."""
    watch = watched(primary(0.2))
    for position, second in (("6000", 2.0), ("5500", 3.0)):
        behind = replica(second, Read_Master_Log_Pos=position, Slave_IO_Running="Connecting")
        watch = folded(watch, TOPIC, behind)
    question = asked(died(5.0), view=watch.replication, sample=watch.sample)
    assert ENGINE.loss(TERMS, question).verdict is LossVerdict.UNKNOWN


@pytest.mark.parametrize("mode", ["async", "semi_sync_partly", None])
def test_without_a_waiting_primary_only_its_proven_end_bounds_the_loss(mode: str | None) -> None:
    loss = ENGINE.loss(TERMS, asked(died(7.5), sample=sample(sync_mode=mode)))
    assert (loss.verdict, loss.seconds) == (LossVerdict.BOUNDED, 7.5)
    unproven = ENGINE.loss(TERMS, asked(sample=sample(sync_mode=mode)))
    assert unproven.verdict is LossVerdict.UNKNOWN


def test_a_relay_log_that_was_thrown_away_voids_the_sample() -> None:
    """Started with both threads stopped, a replica asks the primary for all of it again."""
    anew = lost_link(Read_Master_Log_Pos="400", Exec_Master_Log_Pos="400")
    assert ENGINE.loss(TERMS, asked(died(5.0), view=anew)).verdict is LossVerdict.UNKNOWN


STUCK = {
    "Slave_SQL_Running": "No",
    "Exec_Master_Log_Pos": "4000",
    "Last_SQL_Errno": "1062",
    "Last_SQL_Error": "Duplicate entry",
}


def test_what_is_received_and_cannot_be_applied_is_not_promised() -> None:
    question = asked(died(5.0), view=lost_link("0-1-40", **STUCK))
    loss = ENGINE.loss(TERMS, question)
    assert (loss.verdict, loss.estimated_bytes) == (LossVerdict.UNKNOWN, 1000)
    promotion = ENGINE.promotion(TERMS, question, loss)
    assert promotion.verdict is Verdict.BLOCK
    assert "is here already" in promotion.sentence
    assert promotion.clear


def test_half_a_transaction_was_never_acknowledged_and_is_no_loss() -> None:
    question = asked(died(5.0), view=lost_link("0-1-50", **STUCK))
    assert ENGINE.loss(TERMS, question).verdict is LossVerdict.ZERO_PROVEN


@pytest.mark.parametrize(
    ("question", "variant", "verdict"),
    [
        (asked(died(5.0)), "force-after-proof", Verdict.PASS),
        (asked(), "accepted-force", Verdict.PASS),
        (asked(view=view(DOWN)), "none", Verdict.BLOCK),
        (asked(view=view(report(Ending.TIMED_OUT))), "none", Verdict.UNKNOWN),
        (asked(view=view(primary())), "none", Verdict.PASS),
        (asked(view=view(primary(read_only="ON"))), "none", Verdict.UNKNOWN),
        (asked(view=view(primary(read_only="ON")), is_owner=True), "activate", Verdict.PASS),
        (asked(view=None), "none", Verdict.UNKNOWN),
    ],
)
def test_promotions(question: LossQuestion, variant: str, verdict: Verdict) -> None:
    promotion = ENGINE.promotion(TERMS, question, ENGINE.loss(TERMS, question))
    assert (promotion.variant, promotion.verdict) == (variant, verdict)


# ---- steps -------------------------------------------------------------------------------------
def statements(actions: Any) -> list[str]:
    return [one.request.argv[-1] for one in actions if isinstance(one.request, Exec)]


def test_all_is_applied_before_replication_ends() -> None:
    task = Takeover(Promotion("accepted-force", Verdict.PASS, "", waits_for="semi-sync replicas"))
    drain, promote = ENGINE.steps(TERMS, task)
    assert statements(drain.actions) == [
        "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
        "STOP REPLICA IO_THREAD",
    ]
    assert [look.reads for look in drain.postconditions] == ["mariadb.drained"]
    assert drain.reversible
    assert statements(promote.actions) == [
        "STOP REPLICA",
        "RESET REPLICA ALL",
        "SET GLOBAL read_only = OFF",
    ]
    assert "drain" in promote.depends_on
    assert not promote.reversible
    assert [look.reads for look in promote.preconditions] == [
        "mariadb.is_standby",
        "mariadb.drained",
    ]
    assert [look.reads for look in promote.postconditions] == ["mariadb.writable"]


def test_a_primary_is_left_as_it_is() -> None:
    drain, promote = ENGINE.steps(TERMS, Takeover(Promotion("none", Verdict.PASS, "")))
    assert (drain.actions, promote.actions) == ((), ())


def test_a_primary_that_started_read_only_is_only_let_take_writes() -> None:
    drain, promote = ENGINE.steps(TERMS, Takeover(Promotion("activate", Verdict.PASS, "")))
    assert drain.actions == ()
    assert statements(promote.actions) == ["SET GLOBAL read_only = OFF"]
    assert promote.preconditions == ()
    assert [look.reads for look in promote.postconditions] == ["mariadb.writable"]


def test_every_way_ends_with_a_standby_that_follows() -> None:
    kept = Rejoin(Way.RESEED, "gtid-0-50", "3 transactions")
    for task in (Setup(), kept, Switchover()):
        steps = ENGINE.steps(TERMS, task)
        assert steps[-1].id == "replicate"
        known: set[str] = set()
        for step in steps:
            assert set(step.depends_on) <= known, step.id
            known.add(step.id)
        assert ENGINE.steps(TERMS, task) == steps
    ids = [step.id for step in ENGINE.steps(TERMS, kept)]
    assert ids.index("hold") < ids.index("preserve") < ids.index("db-copy")
    assert "3 transactions" in ENGINE.steps(TERMS, kept)[2].title


def test_nothing_is_held_where_the_server_does_not_keep_its_data() -> None:
    """At set-up there may be no data; an empty place that is not the server's proves nothing."""
    for task in (Setup(), Rejoin(Way.RESEED, "gtid-0-50")):
        hold = next(one for one in ENGINE.steps(TERMS, task) if one.id == "hold")
        about = "is its server's, and can be set aside"
        assert [about in look.expects for look in hold.preconditions] == [True]
        assert [about in look.expects for look in hold.postconditions] == [False, True]


def test_a_pair_of_mysql_is_not_copied_by_hamnd() -> None:
    mysql = terms(site(engine="mariadb", mariadb=MariaSite(product=Product.MYSQL)))
    with pytest.raises(PermanentError, match="CLONE"):
        ENGINE.steps(mysql, Setup())


# ---- examination -------------------------------------------------------------------------------
def examined(there: Report, ours: str = "0-1-50") -> Any:
    here = primary(1.0, "0-2-60", gtid_slave_pos=ours)
    reports = {"returned_here": here, "returned_there": there}
    return ENGINE.examine(TERMS, Examination(None, PartnerDatabase(), None, reports))


def test_the_transactions_that_only_the_old_primary_has_are_counted() -> None:
    found = examined(primary(2.0, "0-1-80"))
    assert found.actual.startswith("at most 30 transactions, domain 0: 51 to 80: only aixmn1")
    assert found.rejoin == Rejoin(Way.RESEED, "gtid-0-80", "30 transactions, domain 0: 51 to 80")


def test_an_old_primary_that_has_nothing_of_its_own_lost_nothing() -> None:
    found = examined(primary(2.0, "0-1-50"))
    assert found.actual.startswith("zero: ")
    assert found.rejoin is not None


@pytest.mark.parametrize("there", [DOWN, report(Ending.TIMED_OUT), replica(2.0)])
def test_what_was_not_told_is_not_known(there: Report) -> None:
    found = examined(there)
    assert (found.actual, found.rejoin) == (None, None)
    assert found.sentence


def test_a_node_that_never_followed_cannot_tell_what_was_lost() -> None:
    assert examined(primary(2.0, "0-1-80"), ours="").actual is None
