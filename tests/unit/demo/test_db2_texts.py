"""What the simulated tools print has the layout of each release, and hamnd's parsers read it back.

The layouts are checked against db2-hadr.md §2 to §5 and §7; the parsers never see how the text was
made, so a round trip that gives back the model's own values checks both sides.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from hamnd.demo import db2_texts, db2_texts_pd
from hamnd.demo.db2_model import Db2Pair
from hamnd.demo.db2_node import HadrState, Layout, Node, PairConfig, Role, SyncMode, Unverified
from hamnd.dialects.db2.clp import parse_clp
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.snapshot import parse_snapshot
from hamnd.model.hadr import ConnectStatus, HadrLayout, ParseVerdict

T0 = 1_773_479_780.25
A, B = "aixmn1", "aixmn2"
LAYOUTS = list(Layout)


def run_db2pd(pair: Db2Pair, node: str, now: float) -> str:
    return pair.run(node, ("db2pd", "-d", "XCATDB", "-hadr"), now).text


def peer(pair: Db2Pair) -> float:
    pair.tick(T0 + 31)
    return T0 + 31


def disconnected_peer(pair: Db2Pair) -> float:
    pair.cut_both(T0 + 10)
    pair.tick(T0 + 75)
    return T0 + 75


def pending(pair: Db2Pair) -> float:
    pair.cut_both(T0 + 10)
    pair.tick(T0 + 300)
    return T0 + 300


def congested(pair: Db2Pair) -> float:
    pair.slow(2.0, T0 + 10)
    return T0 + 12


def never_connected(pair: Db2Pair) -> float:
    pair.cut_both(T0 + 10)
    pair.run(B, ("db2", "deactivate db XCATDB"), T0 + 11)
    pair.run(B, ("db2", "activate db XCATDB"), T0 + 12)
    pair.tick(T0 + 20)
    return T0 + 20


def taking_over(pair: Db2Pair) -> float:
    pair.run(B, ("db2", "takeover hadr on db XCATDB"), T0 + 10)
    return T0 + 11


def taken_over(pair: Db2Pair) -> float:
    pair.cut_both(T0 + 10)
    pair.run(B, ("db2", "takeover hadr on db XCATDB by force"), T0 + 75)
    return T0 + 80


def flagged(pair: Db2Pair) -> float:
    pair.set_flags(A, "STANDBY_RECV_BLOCKED", "STANDBY_LOG_DEVICE_FULL")
    pair.set_flags(B, "STANDBY_RECV_BLOCKED", "STANDBY_LOG_DEVICE_FULL")
    return T0 + 5


SITUATIONS = [
    peer,
    disconnected_peer,
    pending,
    congested,
    never_connected,
    taking_over,
    taken_over,
    flagged,
]


def known_positions(node: Node, layout: Layout) -> tuple[int, int]:
    """Return (primary, standby): 9.x shows the replay position, later releases the received one."""
    primary, received, replayed = db2_texts_pd.positions(node)
    return primary, replayed if layout.is_old else received


@pytest.mark.parametrize("mode", [SyncMode.NEARSYNC, SyncMode.SUPERASYNC])
@pytest.mark.parametrize("node", [A, B])
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_in_every_situation_is_parsed_back_to_the_models_values(
    layout: Layout, situation: Callable[[Db2Pair], float], node: str, mode: SyncMode
) -> None:
    pair = Db2Pair(PairConfig(layout=layout, sync_mode=mode), now=T0)
    now = situation(pair)
    report = parse_db2pd(run_db2pd(pair, node, now))
    model = pair.nodes[node]
    assert report.problems == ()
    assert report.verdict is ParseVerdict.OK
    assert report.layout is (HadrLayout.COLUMNS if layout.is_old else HadrLayout.FIELDS)
    assert report.uptime_s == int(now - model.activated_at)
    (channel,) = report.channels
    assert channel.role is not None
    assert channel.state is not None
    assert channel.sync_mode is not None
    assert channel.role.value == model.role.value.lower()
    assert channel.state.value == model.state.value.lower()
    assert channel.sync_mode.value == mode.value.lower()
    assert channel.connect_status is not None
    assert (channel.connect_status is ConnectStatus.DISCONNECTED) is not model.connected
    assert channel.connect_status_since == int(model.status_since)
    assert channel.timeout_s == pair.config.hadr_timeout_s
    assert channel.peer_window_end == (model.window_end if mode.waits_for_standby else None)
    assert channel.primary_log is not None
    assert channel.standby_log is not None
    primary, standby = known_positions(model, layout)
    assert channel.primary_log.position == primary
    assert channel.standby_log.position == standby
    assert channel.log_gap_avg_bytes == int(model.log_gap_average)
    assert channel.unknown_fields == {}


@pytest.mark.parametrize("node", [A, B])
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_snapshot_in_every_situation_is_parsed_back(
    layout: Layout, situation: Callable[[Db2Pair], float], node: str
) -> None:
    pair = Db2Pair(PairConfig(layout=layout), now=T0)
    now = situation(pair)
    reply = pair.run(node, ("db2", "get snapshot for db on XCATDB"), now)
    report = parse_snapshot(reply.text)
    model = pair.nodes[node]
    assert report.problems == ()
    assert report.verdict is ParseVerdict.OK
    (channel,) = report.channels
    assert channel.role is not None
    assert channel.state is not None
    assert channel.role.value == model.role.value.lower()
    assert channel.state.value == model.state.value.lower()
    assert channel.peer_window_end == model.window_end


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("role", list(Role))
def test_configuration_is_parsed_back(layout: Layout, role: Role) -> None:
    pair = Db2Pair(PairConfig(layout=layout), now=T0)
    pair.nodes[B].role = role
    config = parse_db_cfg(pair.run(B, ("db2", "get db cfg for XCATDB"), T0 + 1).text)
    assert config.verdict is ParseVerdict.OK
    assert config.role is not None
    assert config.role.value == role.value.lower()
    assert config.rollforward_pending is False
    assert config.parameters["HADR_PEER_WINDOW"] == "120"
    assert ("HADR_TARGET_LIST" in config.parameters) is not layout.is_old


@pytest.mark.parametrize("layout", LAYOUTS)
def test_texts_of_an_instance_or_database_that_is_down_are_recognised(layout: Layout) -> None:
    pair = Db2Pair(PairConfig(layout=layout), now=T0)
    pair.run(B, ("db2", "deactivate db XCATDB"), T0 + 1)
    assert parse_db2pd(run_db2pd(pair, B, T0 + 2)).verdict is ParseVerdict.DATABASE_DOWN
    pair.run(B, ("db2stop",), T0 + 3)
    assert parse_db2pd(run_db2pd(pair, B, T0 + 4)).verdict is ParseVerdict.INSTANCE_DOWN
    assert parse_db2pd(db2_texts_pd.CHANGING).verdict is ParseVerdict.TRANSIENT
    pair.run(A, ("db2", "stop hadr on db XCATDB"), T0 + 5)
    assert parse_db2pd(run_db2pd(pair, A, T0 + 6)).verdict is ParseVerdict.HADR_INACTIVE


def test_folded_refusal_is_read_with_its_reason_code() -> None:
    pair = Db2Pair(PairConfig(hadr_timeout_s=8, peer_window_s=40), now=T0)
    pair.kill_host(A, T0 + 1)
    pair.tick(T0 + 60)
    command = ("db2", "takeover hadr on db XCATDB by force peer window only")
    reply, _ = pair.run_to_end(B, command, T0 + 60)
    (message,) = parse_clp(reply.text, reply.exit_code).messages
    assert (message.id, message.reason_code) == ("SQL1770N", 9)


# Layout details of the reference.


@pytest.mark.parametrize(
    ("layout", "present", "absent"),
    [
        (Layout.V10_1, [], ["HADR_FLAGS", "HEARTBEAT_MISSED", "STANDBY_SPOOL_PERCENT"]),
        (Layout.V10_5, ["HADR_FLAGS", "STANDBY_SPOOL_PERCENT"], ["HEARTBEAT_MISSED"]),
        (Layout.V11_1, ["HEARTBEAT_MISSED", "STANDBY_ERROR_TIME"], ["HADR_LAST_TAKEOVER_TIME"]),
        (Layout.V12_1, ["HEARTBEAT_EXPECTED"], ["HADR_LAST_TAKEOVER_TIME"]),
    ],
)
def test_fields_appear_in_the_releases_that_have_them(
    layout: Layout, present: list[str], absent: list[str]
) -> None:
    text = run_db2pd(Db2Pair(PairConfig(layout=layout), now=T0), A, T0 + 1)
    keys = {line.partition("=")[0].strip() for line in text.splitlines() if "=" in line}
    assert set(present) <= keys
    assert not set(absent) & keys


def test_hadr_timeout_moves_behind_the_heartbeats_in_11_1() -> None:
    def order(layout: Layout) -> list[str]:
        text = run_db2pd(Db2Pair(PairConfig(layout=layout), now=T0), A, T0 + 1)
        names = ("HEARTBEAT_INTERVAL", "HEARTBEAT_EXPECTED", "HADR_TIMEOUT")
        return [
            line.split()[0].partition("(")[0]
            for line in text.splitlines()
            if any(name in line for name in names)
        ]

    assert order(Layout.V10_5) == ["HEARTBEAT_INTERVAL", "HADR_TIMEOUT"]
    assert order(Layout.V11_1) == ["HEARTBEAT_INTERVAL", "HEARTBEAT_EXPECTED", "HADR_TIMEOUT"]


@pytest.mark.parametrize("layout", [one for one in LAYOUTS if not one.is_old])
def test_equal_sign_stands_in_column_38_and_empty_flags_keep_their_blank(layout: Layout) -> None:
    text = run_db2pd(Db2Pair(PairConfig(layout=layout), now=T0), A, T0 + 1)
    fields = [line for line in text.splitlines() if "=" in line]
    assert {line.index("=") for line in fields} == {38}
    flags = [line for line in fields if "HADR_FLAGS" in line]
    if layout in (Layout.V10_5, Layout.V11_1):
        assert flags == ["                           HADR_FLAGS = "]


@pytest.mark.parametrize(
    ("layout", "pattern"),
    [
        (Layout.V9_7, r"Database Partition 0 -- Database XCATDB -- Active -- Up 0 days 00:00:09"),
        (Layout.V10_1, r"Database Member 0 .* -- Date \d\d/\d\d/\d{4} \d\d:\d\d:\d\d"),
        (Layout.V11_5, r"Database Member 0 .* -- Date \d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.\d{6}"),
    ],
)
def test_header_line_has_the_style_of_its_release(layout: Layout, pattern: str) -> None:
    text = run_db2pd(Db2Pair(PairConfig(layout=layout), now=T0), A, T0 + 9.5)
    assert text.startswith("\n")
    assert re.fullmatch(pattern, text.splitlines()[1])


def test_standby_says_active_standby_only_with_reads_on_standby() -> None:
    for reads, word in ((False, "-- Standby --"), (True, "-- Active Standby --")):
        pair = Db2Pair(PairConfig(reads_on_standby=reads), now=T0)
        assert word in run_db2pd(pair, B, T0 + 1)


def test_old_layout_has_no_window_block_without_a_window_and_null_before_peer() -> None:
    plain = Db2Pair(PairConfig(layout=Layout.V9_7, peer_window_s=0), now=T0)
    assert "PeerWindow" not in run_db2pd(plain, A, T0 + 1)
    pair = Db2Pair(PairConfig(layout=Layout.V9_7), now=T0)
    text = run_db2pd(pair, B, never_connected(pair))
    assert "Null (0)                              120" in text
    assert "S0000000.LOG 0          0x0000000000000000" in text


def test_old_layout_keeps_the_window_end_after_reconnection_and_the_new_one_clears_it() -> None:
    for layout, kept in ((Layout.V9_7, True), (Layout.V11_5, False)):
        pair = Db2Pair(PairConfig(layout=layout), now=T0)
        pair.cut_both(T0 + 10)
        pair.tick(T0 + 80)
        pair.heal(T0 + 80)
        at = T0 + 80
        while pair.nodes[B].state is not HadrState.REMOTE_CATCHUP and at < T0 + 90:
            at += 0.1
            pair.tick(at)
        assert pair.nodes[B].state is HadrState.REMOTE_CATCHUP
        assert (pair.nodes[B].window_end is not None) is kept


@pytest.mark.parametrize(
    ("fact", "word"),
    [
        (Unverified.LAST_TAKEOVER_TIME, "HADR_LAST_TAKEOVER_TIME = NULL"),
        (Unverified.SSL_PROTOCOL, "SSL_PROTOCOL"),
    ],
)
def test_unverified_fields_appear_only_when_named(fact: Unverified, word: str) -> None:
    for facts, shown in ((frozenset[Unverified](), False), (frozenset({fact}), True)):
        pair = Db2Pair(PairConfig(layout=Layout.V12_1, unverified=facts), now=T0)
        assert (word in run_db2pd(pair, A, T0 + 1)) is shown


def test_fold_breaks_at_78_and_never_inside_a_word() -> None:
    text = "SQL9999N  " + " ".join(["word"] * 40)
    folded = db2_texts.fold(text)
    lines = folded.split("\n")
    assert all(len(line.rstrip()) <= 78 for line in lines)
    assert all(line.endswith(" ") for line in lines[:-1])
    assert "".join(lines) == text


def test_config_line_of_the_reference_is_printed_exactly() -> None:
    text = Db2Pair(now=T0).run(B, ("db2", "get db cfg for XCATDB"), T0 + 1).text
    assert " HADR peer window duration (seconds)  (HADR_PEER_WINDOW) = 120\n" in text
    assert " HADR database role                                      = STANDBY\n" in text
