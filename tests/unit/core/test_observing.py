"""How readings of Db2 become what is known: transient texts, 9.x positions, the partner's own word.

Each story feeds texts of the tools through the engine's own looks.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.events import LookCompleted
from hamnd.core.health.watch import Watch
from hamnd.core.observing import fold_look
from hamnd.core.replication import Examination, PartnerDatabase
from hamnd.core.replication.db2 import ENGINE
from hamnd.model.health import Positions, Replication
from hamnd.model.names import State
from hamnd.model.work import Looked
from tests.unit.core.builders import report, terms
from tests.unit.core.canned import DB_CFG, Database
from tests.unit.core.story import Story

TERMS = terms()
LOOKS = {**ENGINE.looks(TERMS), **ENGINE.partner_looks(TERMS)}
DOWN = (
    "Database XCATDB not activated on database member 0 or this database name "
    "cannot be found in the local database directory.\n"
)
STANDBY_CFG = DB_CFG.format(role="STANDBY")

OLD_LAYOUT = """
Database Partition 0 -- Database XCATDB -- Standby -- Up 0 days 02:03:12

HADR Information:
Role    State                SyncMode HeartBeatsMissed   LogGapRunAvg (bytes)
Standby Peer                 Nearsync 0                  0

ConnectStatus ConnectTime                           Timeout
Connected     Sat Mar 14 11:20:44 2026 (1773487244) 60

PeerWindowEnd                         PeerWindow
Sat Mar 14 11:22:31 2026 (1773487351) 120

LocalHost                                LocalService
9.114.47.104                             DB2_HADR_2

RemoteHost                               RemoteService      RemoteInstance
9.114.47.103                             DB2_HADR_1         xcatdb

PrimaryFile  PrimaryPg  PrimaryLSN
S0000017.LOG 52         0x00000000132AFC90

StandByFile  StandByPg  StandByLSN         StandByRcvBufUsed
S0000017.LOG 40         0x{replayed:016X} 30%
"""
PRIMARY_END = 0x132AFC90


def fold(watch: Watch, topic: str, text: str, moment: float) -> Watch:
    """One look of that topic came home with that text."""
    looked = Looked(LOOKS[topic], report(sent=moment, stdout=text))
    return fold_look(watch, LookCompleted(topic, looked), TERMS)


def seen_up() -> Watch:
    watch = fold(Watch(), "db2pd", Database().text(0.0), 0.0)
    return fold(watch, "dbcfg", STANDBY_CFG, 0.0)


def is_up(watch: Watch) -> bool | None:
    assert watch.replication is not None
    return watch.replication.is_database_up


# ---- three tries, two seconds apart (db2-hadr.md §5) ---------------------------------------------
def test_a_database_is_down_after_three_tries_two_seconds_apart() -> None:
    watch = seen_up()
    for moment, expected in ((5.0, True), (7.0, True), (9.0, False)):
        watch = fold(watch, "db2pd", DOWN, moment)
        assert is_up(watch) is expected, moment


def test_tries_that_follow_each_other_too_soon_are_one() -> None:
    watch = seen_up()
    for tenth in range(50, 90):
        watch = fold(watch, "db2pd", DOWN, tenth / 10)
        assert is_up(watch) is True, tenth


def test_a_reading_of_the_configuration_is_not_a_try() -> None:
    watch = seen_up()
    for moment in (5.0, 7.5):
        watch = fold(watch, "db2pd", DOWN, moment)
        for later in (0.1, 2.1):
            watch = fold(watch, "dbcfg", STANDBY_CFG, moment + later)
    assert is_up(watch) is True


def test_one_good_run_begins_the_tries_anew() -> None:
    watch = seen_up()
    for moment in (5.0, 7.0):
        watch = fold(watch, "db2pd", DOWN, moment)
    watch = fold(watch, "db2pd", Database().text(8.0), 8.0)
    for moment in (10.0, 12.0):
        watch = fold(watch, "db2pd", DOWN, moment)
    assert is_up(watch) is True
    assert is_up(fold(watch, "db2pd", DOWN, 14.0)) is False


# ---- 9.x: replayed, not received (db2-hadr.md §2) ------------------------------------------------
def old_layout(behind: int) -> Replication:
    text = OLD_LAYOUT.format(replayed=PRIMARY_END - behind)
    return ENGINE.view(TERMS, {"db2pd": report(stdout=text)})


def test_the_old_layout_tells_what_was_replayed_and_not_what_was_received() -> None:
    view = old_layout(behind=4_096)
    assert view.positions == Positions(PRIMARY_END, None, PRIMARY_END - 4_096)
    assert (view.gap_bytes, view.replay_gap_bytes) == (None, 4_096)
    assert view.is_protecting


def test_what_is_replayed_to_the_end_was_received_to_the_end() -> None:
    view = old_layout(behind=0)
    assert (view.positions.received, view.gap_bytes, view.replay_gap_bytes) == (None, 0, 0)


def test_without_a_received_position_nothing_is_said_by_position() -> None:
    watch = fold(Watch(), "db2pd", OLD_LAYOUT.format(replayed=PRIMARY_END), 0.0)
    assert watch.standby_end is None
    partner = PartnerDatabase(True, "primary", PRIMARY_END + 900)
    assert ENGINE.examine(Examination(watch.standby_end, partner, None)) is None
    joined = replace(old_layout(0), role="primary")
    told = ENGINE.examine(Examination(None, partner, joined))
    assert told is not None
    assert told.startswith("zero")


# ---- the partner's own database ------------------------------------------------------------------
@pytest.mark.parametrize("text", [DOWN, "no such thing\n"], ids=["down", "unreadable"])
def test_role_and_position_are_only_those_of_the_very_report_that_told_them(text: str) -> None:
    watch = fold(Watch(), "partner_db", Database(role="PRIMARY").text(0.0), 0.0)
    assert (watch.partner.role, watch.partner.position) == ("primary", 321_584_272)
    watch = fold(watch, "partner_db", text, 5.0)
    assert watch.partner.at is not None
    assert (watch.partner.role, watch.partner.position) == (None, None)


def test_an_old_primary_that_is_back_without_its_database_has_not_been_examined() -> None:
    """Its position of before the death says nothing about what it wrote afterwards."""
    story = Story().taking_over()
    story.live(60.0)
    assert story.state.state is State.ACTIVE
    story.world.come_back()
    story.world.partner = "down"
    story.live(60.0)
    assert story.state.finished[-1].actual == "pending"
