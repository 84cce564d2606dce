"""The simulated Db2 pair says and does what db2-hadr.md states, one statement per test."""

from __future__ import annotations

import math
import re

import pytest

from hamnd.demo.db2_model import Db2Pair, Spoil, statements
from hamnd.demo.db2_node import (
    Change,
    HadrState,
    Layout,
    PairConfig,
    Reply,
    Role,
    SyncMode,
    Unverified,
)
from hamnd.dialects.db2 import seeding
from hamnd.dialects.readers import read_look
from hamnd.model.names import Verdict
from hamnd.model.work import Looked
from tests.builders import site
from tests.unit.dialects.reports import exited

T0 = 1_773_479_780.0
A, B = "aixmn1", "aixmn2"


def make(**settings: object) -> Db2Pair:
    """Return a pair with a timeout of 60 s and a window of 120 s, in PEER since T0."""
    return Db2Pair(PairConfig(**settings), now=T0)  # type: ignore[arg-type]


def db2(pair: Db2Pair, node: str, command: str, now: float) -> Reply:
    return pair.run(node, ("db2", *command.split()), now)


def finish(pair: Db2Pair, node: str, command: str, now: float) -> tuple[Reply, float]:
    return pair.run_to_end(node, ("db2", *command.split()), now)


def pd(pair: Db2Pair, node: str, now: float) -> dict[str, str]:
    """Return the fields of db2pd in the new layout."""
    text = pair.run(node, ("db2pd", "-d", "XCATDB", "-hadr"), now).text
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in lines}


def state(pair: Db2Pair, node: str) -> HadrState:
    return pair.nodes[node].state


def isolated_standby(now_after: float = 62.0, **settings: object) -> tuple[Db2Pair, float]:
    """Return a pair whose primary's host died, and a moment at which the standby has noticed."""
    pair = make(**settings)
    pair.kill_host(A, T0 + 10)
    pair.tick(T0 + 10 + now_after)
    return pair, T0 + 10 + now_after


# Steady state, heartbeats, window.


def test_pair_begins_in_peer_and_both_logs_are_equal() -> None:
    pair = make()
    pair.tick(T0 + 30)
    assert state(pair, A) is state(pair, B) is HadrState.PEER
    assert pair.nodes[A].log.rows > 100
    assert pair.nodes[A].log.position == pair.nodes[B].log.position


@pytest.mark.parametrize(
    ("timeout", "window", "shown"),
    [(120, 0, "30"), (100, 0, "25"), (60, 120, "15"), (30, 120, "7"), (500, 0, "30")],
)
def test_heartbeat_interval_follows_the_formula(timeout: int, window: int, shown: str) -> None:
    pair = make(hadr_timeout_s=timeout, peer_window_s=window)
    assert pd(pair, A, T0 + 1)["HEARTBEAT_INTERVAL(seconds)"] == shown


def test_peer_window_end_moves_with_heartbeats_and_leaves_90_to_120_seconds() -> None:
    pair = make()
    left = []
    for second in range(0, 300, 7):
        now = T0 + second
        pair.tick(now)
        end = pair.nodes[B].window_end
        assert end is not None
        left.append(end - now)
    assert min(left) >= 120 - 15 - 1
    assert max(left) <= 120


def test_peer_window_end_freezes_at_loss_and_the_primarys_own_may_be_later() -> None:
    pair = make()
    pair.tick(T0 + 31)
    pair.cut(A, B, T0 + 31)
    pair.tick(T0 + 60)
    frozen = pair.nodes[B].window_end
    pair.tick(T0 + 95)
    assert pair.nodes[B].window_end == frozen
    own = pair.nodes[A].window_end
    assert own is not None
    assert frozen is not None
    assert own > frozen


def test_host_death_leaves_a_stale_peer_until_hadr_timeout() -> None:
    pair = make()
    pair.kill_host(A, T0 + 10)
    shown = pd(pair, B, T0 + 60)
    assert shown["HADR_STATE"] == "PEER"
    assert shown["HADR_CONNECT_STATUS"] == "CONNECTED"
    assert int(shown["TIME_SINCE_LAST_RECV(seconds)"]) >= 49
    assert pd(pair, B, T0 + 71)["HADR_STATE"] == "DISCONNECTED_PEER"


def test_process_death_is_noticed_at_once() -> None:
    pair = make()
    pair.kill_process(A, T0 + 10)
    assert pd(pair, B, T0 + 10.1)["HADR_STATE"] == "DISCONNECTED_PEER"


def test_normal_shutdown_of_the_standby_opens_no_window() -> None:
    pair = make()
    assert db2(pair, B, "deactivate db XCATDB", T0 + 10).exit_code == 0
    assert pd(pair, A, T0 + 10.1)["HADR_STATE"] == "DISCONNECTED"
    assert pair.is_writable(A)


def test_window_ends_in_remote_catchup_pending_on_the_standby() -> None:
    pair = make()
    pair.kill_host(A, T0 + 10)
    end = pair.nodes[B].window_end
    assert end is not None
    assert pd(pair, B, end - 0.5)["HADR_STATE"] == "DISCONNECTED_PEER"
    assert pd(pair, B, end + 0.5)["HADR_STATE"] == "REMOTE_CATCHUP_PENDING"


def test_primary_blocks_until_its_own_window_end_and_then_writes_alone() -> None:
    pair = make()
    pair.cut_both(T0 + 10)
    rows = pair.nodes[A].log.rows
    pair.tick(T0 + 100)
    own = pair.nodes[A].window_end
    assert own is not None
    assert pair.nodes[A].log.rows == rows
    assert float(pd(pair, A, T0 + 100)["LOG_HADR_WAIT_CUR(seconds)"]) > 80
    pair.tick(own + 10)
    assert pair.nodes[A].log.rows > rows
    assert pd(pair, A, own + 10)["HADR_STATE"] == "DISCONNECTED"
    assert pair.loss(A, B).rows > 30


def test_without_peer_window_the_standby_goes_straight_to_pending() -> None:
    pair, now = isolated_standby(peer_window_s=0)
    shown = pd(pair, B, now)
    assert shown["HADR_STATE"] == "REMOTE_CATCHUP_PENDING"
    assert "PEER_WINDOW_END" not in shown


def test_one_way_cut_is_noticed_by_the_deaf_side_and_told_to_the_other() -> None:
    pair = make()
    pair.cut(A, B, T0 + 10)
    pair.tick(T0 + 69)
    assert pair.nodes[A].connected
    pair.tick(T0 + 72)
    assert not pair.nodes[B].connected
    assert not pair.nodes[A].connected  # the standby's reset still reaches the primary


def test_healed_network_leads_back_to_peer() -> None:
    pair = make()
    pair.cut_both(T0 + 10)
    pair.tick(T0 + 80)
    pair.heal(T0 + 80)
    seen = set()
    for tenth in range(100):
        pair.tick(T0 + 80 + tenth / 10)
        seen.add(state(pair, B))
    assert {HadrState.DISCONNECTED_PEER, HadrState.REMOTE_CATCHUP, HadrState.PEER} <= seen
    assert pair.loss(A, B).rows == 0


def test_superasync_never_reaches_peer_and_ignores_the_window() -> None:
    pair = make(sync_mode=SyncMode.SUPERASYNC)
    pair.tick(T0 + 20)
    assert pd(pair, B, T0 + 20)["HADR_STATE"] == "REMOTE_CATCHUP"
    pair.kill_host(A, T0 + 20)
    pair.tick(T0 + 85)
    assert state(pair, B) is HadrState.REMOTE_CATCHUP_PENDING


@pytest.mark.parametrize(
    ("mode", "loses"),
    [
        (SyncMode.SYNC, False),
        (SyncMode.NEARSYNC, False),
        (SyncMode.ASYNC, True),
        (SyncMode.SUPERASYNC, True),
    ],
)
def test_loss_at_host_death_depends_on_the_sync_mode(mode: SyncMode, loses: bool) -> None:
    pair = make(sync_mode=mode, write_rows_per_s=100.0)
    pair.kill_host(A, T0 + 10.13)
    loss = pair.loss(A, B)
    assert (loss.rows > 0) is loses
    assert loss.bytes == loss.rows * pair.config.row_bytes


def test_gap_averages_disagree_with_equal_positions() -> None:
    pair = make()
    shown = pd(pair, B, T0 + 30)
    assert shown["PRIMARY_LOG_FILE,PAGE,POS"] == shown["STANDBY_LOG_FILE,PAGE,POS"]
    assert int(shown["HADR_LOG_GAP(bytes)"]) > 0


def test_slow_network_is_congested() -> None:
    pair = make()
    pair.slow(1.5, T0 + 10)
    assert pd(pair, B, T0 + 11)["HADR_CONNECT_STATUS"] == "CONGESTED"
    pair.slow(0.0, T0 + 20)
    assert pd(pair, B, T0 + 21)["HADR_CONNECT_STATUS"] == "CONNECTED"


def test_clock_skew_moves_the_window_into_the_primarys_clock() -> None:
    pair = make()
    pair.set_skew(A, 30.0)
    pair.tick(T0 + 40)
    end = pair.nodes[B].window_end
    assert end is not None
    assert end - (T0 + 40) > 120


def test_frozen_primary_that_thaws_after_the_window_writes_again() -> None:
    pair = make()
    pair.freeze(A, T0 + 10)
    pair.tick(T0 + 300)
    assert pair.run(A, ("db2pd",), T0 + 300).duration_s == math.inf
    taken, at = finish(pair, B, "takeover hadr on db XCATDB by force", T0 + 300)
    assert taken.exit_code == 0
    pair.thaw(A, at)
    pair.tick(at + 20)
    assert pair.writable_nodes() == (A, B)  # the split brain that fencing has to prevent


# Takeover: the table of section 8.2.


def test_graceful_takeover_swaps_roles_and_loses_nothing() -> None:
    pair = make()
    reply, at = finish(pair, B, "takeover hadr on db XCATDB", T0 + 10)
    assert reply.exit_code == 0
    assert reply.text.startswith("DB20000I  The TAKEOVER HADR ON DATABASE command completed")
    assert at - T0 == pytest.approx(13.0)
    assert (pair.nodes[A].role, pair.nodes[B].role) == (Role.STANDBY, Role.PRIMARY)
    assert state(pair, A) is state(pair, B) is HadrState.PEER
    assert pair.loss(A, B).rows == 0
    assert pair.writable_nodes() == (B,)


def test_takeover_shows_remaining_applications_only_while_it_runs() -> None:
    pair = make()
    assert "TAKEOVER_APP_REMAINING_PRIMARY" not in pd(pair, B, T0 + 9)
    db2(pair, B, "takeover hadr on db XCATDB", T0 + 10)
    assert pd(pair, B, T0 + 11)["TAKEOVER_APP_REMAINING_PRIMARY"] == "3"
    assert "TAKEOVER_APP_REMAINING_PRIMARY" not in pd(pair, B, T0 + 14)


def test_graceful_takeover_of_a_dead_partner_fails_with_reason_7_when_it_is_noticed() -> None:
    pair = make()
    pair.kill_host(A, T0 + 10)
    forecast = db2(pair, B, "takeover hadr on db XCATDB", T0 + 20)
    reply, at = pair.run_to_end(B, ("db2", "get db cfg for XCATDB"), T0 + 20)
    assert forecast.ticket is not None
    assert pair.answer(forecast.ticket, T0 + 50) is None
    ended = pair.answer(forecast.ticket, T0 + 72)
    assert ended is not None
    assert (ended.exit_code, ended.text.count('Reason code = "7"')) == (4, 1)
    assert pair.nodes[B].role is Role.STANDBY
    assert reply.exit_code == 0
    assert at == pytest.approx(T0 + 20.05)


def test_graceful_takeover_cut_after_the_handover_leaves_two_standbys_never_two_primaries() -> None:
    pair = make()
    forecast = db2(pair, B, "takeover hadr on db XCATDB", T0 + 10)
    pair.cut_both(T0 + 12.5)
    pair.tick(T0 + 90)
    assert forecast.ticket is not None
    ended = pair.answer(forecast.ticket, T0 + 90)
    assert ended is not None
    assert 'Reason code = "7"' in ended.text
    assert (pair.nodes[A].role, pair.nodes[B].role) == (Role.STANDBY, Role.STANDBY)
    assert pair.writable_nodes() == ()


def test_graceful_takeover_is_refused_outside_peer() -> None:
    pair, now = isolated_standby()
    reply, _ = finish(pair, B, "takeover hadr on db XCATDB", now)
    assert reply.exit_code == 4
    assert reply.text.startswith("SQL1770N")
    assert pair.nodes[B].role is Role.STANDBY


def test_peer_window_only_works_until_five_seconds_before_the_end() -> None:
    pair, _ = isolated_standby()
    end = pair.nodes[B].window_end
    assert end is not None
    reply, _ = finish(pair, B, "takeover hadr on db XCATDB by force peer window only", end - 5.1)
    assert reply.exit_code == 0
    assert pair.nodes[B].role is Role.PRIMARY
    assert pair.loss(A, B).rows == 0


def test_peer_window_only_is_refused_with_reason_9_inside_the_last_five_seconds() -> None:
    pair, _ = isolated_standby()
    end = pair.nodes[B].window_end
    assert end is not None
    reply, _ = finish(pair, B, "takeover hadr on db XCATDB by force peer window only", end - 4.9)
    assert (reply.exit_code, 'Reason code = "9"' in reply.text) == (4, True)
    assert pair.nodes[B].role is Role.STANDBY


def test_peer_window_only_judges_by_the_standbys_own_clock() -> None:
    pair, _ = isolated_standby()
    end = pair.nodes[B].window_end
    assert end is not None
    pair.set_skew(B, 10.0)
    reply, _ = finish(pair, B, "takeover hadr on db XCATDB by force peer window only", end - 8)
    assert 'Reason code = "9"' in reply.text


@pytest.mark.parametrize("mode", [SyncMode.ASYNC, SyncMode.SUPERASYNC])
def test_peer_window_only_is_refused_in_asynchronous_modes(mode: SyncMode) -> None:
    pair = make(sync_mode=mode)
    reply, _ = finish(pair, B, "takeover hadr on db XCATDB by force peer window only", T0 + 9)
    assert reply.exit_code == 4
    assert pair.nodes[B].role is Role.STANDBY


def test_plain_force_is_refused_with_reason_10_under_a_cluster_manager() -> None:
    pair, now = isolated_standby(cluster_managed=True)
    reply, _ = finish(pair, B, "takeover hadr on db XCATDB by force", now)
    assert 'Reason code = "10"' in reply.text


@pytest.mark.parametrize(("layout", "allowed"), [(Layout.V9_7, False), (Layout.V11_1, True)])
def test_force_in_remote_catchup_depends_on_the_release(layout: Layout, allowed: bool) -> None:
    pair = make(sync_mode=SyncMode.SUPERASYNC, layout=layout)
    reply, _ = finish(pair, B, "takeover hadr on db XCATDB by force", T0 + 10)
    assert (reply.exit_code == 0) is allowed


def test_force_is_refused_in_local_catchup() -> None:
    pair, now = isolated_standby()
    db2(pair, B, "deactivate db XCATDB", now)
    db2(pair, B, "activate db XCATDB", now + 1)
    assert state(pair, B) is HadrState.LOCAL_CATCHUP
    reply, _ = finish(pair, B, "takeover hadr on db XCATDB by force", now + 1.1)
    assert reply.exit_code == 4


@pytest.mark.parametrize("command", ["", " by force", " by force peer window only"])
def test_takeover_is_refused_on_a_primary_and_on_an_inactive_database(command: str) -> None:
    pair = make()
    assert finish(pair, A, f"takeover hadr on db XCATDB{command}", T0 + 9)[0].exit_code == 4
    db2(pair, B, "deactivate db XCATDB", T0 + 10)
    assert finish(pair, B, f"takeover hadr on db XCATDB{command}", T0 + 11)[0].exit_code == 4


def test_forced_takeover_after_the_window_loses_what_the_primary_wrote_alone() -> None:
    pair = make()
    pair.cut_both(T0 + 10)
    pair.tick(T0 + 250)
    pair.kill_host(A, T0 + 250)
    finish(pair, B, "takeover hadr on db XCATDB by force", T0 + 251)
    loss = pair.loss(A, B)
    assert loss.rows > 100
    assert loss.bytes == loss.rows * pair.config.row_bytes
    assert loss.first_at is not None
    assert loss.first_at > T0 + 130


def test_forced_takeover_poisons_a_reachable_primary_which_keeps_its_role() -> None:
    pair = make()
    finish(pair, B, "takeover hadr on db XCATDB by force", T0 + 10)
    old = pair.nodes[A]
    assert (old.role, old.poisoned) == (Role.PRIMARY, True)
    assert pair.writable_nodes() == (B,)
    assert db2(pair, A, "connect to XCATDB", T0 + 20).text.count('Reason code = "6"') == 1


def test_slow_replay_makes_a_forced_takeover_longer_not_lossy() -> None:
    pair = make(replay_bytes_per_s=500, write_rows_per_s=20.0)
    pair.kill_host(A, T0 + 30)
    pair.tick(T0 + 30)
    shown = pd(pair, B, T0 + 31)
    assert shown["STANDBY_LOG_FILE,PAGE,POS"] != shown["STANDBY_REPLAY_LOG_FILE,PAGE,POS"]
    _, at = finish(pair, B, "takeover hadr on db XCATDB by force", T0 + 31)
    assert at > T0 + 31 + pair.config.takeover_s + 10
    assert pair.loss(A, B).rows == 0


# Starting, stopping, rejoining: section 10.


def test_primary_that_starts_alone_fails_with_reason_7_after_hadr_timeout() -> None:
    pair = make()
    pair.kill_host(B, T0 + 5)
    pair.kill_host(A, T0 + 10)
    pair.power_on(A, T0 + 20, start_instance=True)
    reply, at = finish(pair, A, "start hadr on db XCATDB as primary", T0 + 21)
    assert 'SQL1768N  Unable to start HADR. Reason code = "7".' in reply.text
    assert at == pytest.approx(T0 + 81)
    assert not pair.nodes[A].active


@pytest.mark.parametrize("command", ["activate db XCATDB", "connect to XCATDB"])
def test_activating_an_old_primary_meets_the_same_guard(command: str) -> None:
    pair = make()
    pair.kill_host(A, T0 + 10)
    pair.power_on(A, T0 + 20, start_instance=True)
    pair.kill_host(B, T0 + 20)
    reply, _ = finish(pair, A, command, T0 + 21)
    assert 'SQL1768N  Unable to start HADR. Reason code = "7".' in reply.text


def test_start_as_primary_by_force_defeats_the_guard() -> None:
    pair = make()
    pair.kill_host(A, T0 + 10)
    pair.tick(T0 + 75)
    finish(pair, B, "takeover hadr on db XCATDB by force", T0 + 75)
    pair.power_on(A, T0 + 90, start_instance=True)
    assert db2(pair, A, "start hadr on db XCATDB as primary by force", T0 + 91).exit_code == 0
    assert pair.writable_nodes() == (A, B)


def test_old_primary_without_surplus_rejoins_and_reaches_peer() -> None:
    pair = make()
    pair.kill_host(A, T0 + 10)
    pair.tick(T0 + 75)
    finish(pair, B, "takeover hadr on db XCATDB by force peer window only", T0 + 75)
    pair.set_load(B, 5.0, T0 + 80)
    pair.power_on(A, T0 + 90, start_instance=True)
    reply = db2(pair, A, "start hadr on db XCATDB as standby", T0 + 91)
    assert reply.text.startswith("DB20000I")
    pair.tick(T0 + 110)
    assert state(pair, A) is HadrState.PEER
    assert pair.nodes[A].log.position == pair.nodes[B].log.position


def test_diverged_old_primary_starts_with_success_and_dies_later() -> None:
    pair = make()
    pair.cut_both(T0 + 10)
    pair.tick(T0 + 250)
    pair.kill_host(A, T0 + 250)
    finish(pair, B, "takeover hadr on db XCATDB by force", T0 + 251)
    pair.heal(T0 + 260)
    pair.power_on(A, T0 + 260, start_instance=True)
    reply = db2(pair, A, "start hadr on db XCATDB as standby", T0 + 261)
    assert (reply.exit_code, reply.text[:8]) == (0, "DB20000I")
    pair.tick(T0 + 270)
    assert (pair.nodes[A].active, pair.nodes[A].role) == (False, Role.STANDBY)
    assert "not activated" in pair.run(A, ("db2pd", "-d", "XCATDB", "-hadr"), T0 + 271).text


@pytest.mark.parametrize("command", [("db2", "deactivate db XCATDB"), ("db2stop", "force")])
def test_orderly_shutdown_of_an_isolated_primary_makes_it_diverge(command: tuple[str, ...]) -> None:
    pair = make()
    pair.cut_both(T0 + 10)
    pair.tick(T0 + 75)
    pair.set_load(A, 0.0, T0 + 75)
    assert not pair.has_diverged(A)
    assert pair.run(A, command, T0 + 76).exit_code == 0
    assert pair.has_diverged(A)
    assert pair.loss(A, B).rows == 0  # no transaction is lost, and yet it cannot rejoin


def test_killing_an_isolated_primary_does_not_make_it_diverge() -> None:
    pair = make()
    pair.cut_both(T0 + 10)
    pair.tick(T0 + 75)
    pair.kill_process(A, T0 + 76)
    assert not pair.has_diverged(A)


def test_poisoned_primary_refuses_to_start_and_can_become_a_standby() -> None:
    pair = make()
    finish(pair, B, "takeover hadr on db XCATDB by force", T0 + 10)
    pair.kill_process(A, T0 + 20)
    pair.run(A, ("db2start",), T0 + 21)
    refused, _ = finish(pair, A, "start hadr on db XCATDB as primary", T0 + 22)
    assert 'Reason code = "6"' in refused.text
    assert db2(pair, A, "start hadr on db XCATDB as standby", T0 + 23).exit_code == 0
    pair.tick(T0 + 40)
    assert state(pair, A) is HadrState.PEER


def test_stop_hadr_on_an_active_standby_is_refused_with_reason_2() -> None:
    pair = make()
    reply = db2(pair, B, "stop hadr on db XCATDB", T0 + 5)
    assert 'SQL1769N  Stop HADR cannot complete. Reason code = "2".' in reply.text


def test_stop_hadr_on_an_inactive_standby_ends_in_rollforward_pending_and_can_be_resumed() -> None:
    pair = make()
    db2(pair, B, "deactivate db XCATDB", T0 + 5)
    assert db2(pair, B, "stop hadr on db XCATDB", T0 + 6).exit_code == 0
    assert "SQL1117N" in db2(pair, B, "connect to XCATDB", T0 + 7).text
    assert db2(pair, B, "start hadr on db XCATDB as standby", T0 + 8).exit_code == 0
    pair.tick(T0 + 20)
    assert state(pair, B) is HadrState.PEER


def test_completed_rollforward_ends_the_life_as_a_standby() -> None:
    pair = make()
    db2(pair, B, "deactivate db XCATDB", T0 + 5)
    db2(pair, B, "stop hadr on db XCATDB", T0 + 6)
    assert db2(pair, B, "rollforward db XCATDB complete", T0 + 7).exit_code == 0
    assert db2(pair, B, "start hadr on db XCATDB as standby", T0 + 8).exit_code == 4
    assert pair.nodes[B].role is Role.STANDARD


def test_stop_hadr_on_the_surviving_primary_makes_it_standard_and_online() -> None:
    pair, now = isolated_standby()
    _, at = finish(pair, B, "takeover hadr on db XCATDB by force", now)
    assert db2(pair, B, "stop hadr on db XCATDB", at + 1).exit_code == 0
    assert pair.is_writable(B)
    assert "HADR is not active." in pair.run(B, ("db2pd", "-d", "XCATDB", "-hadr"), at + 2).text


def test_role_survives_power_loss_and_is_read_from_the_configuration() -> None:
    pair = make()
    pair.kill_host(A, T0 + 10)
    pair.power_on(A, T0 + 20)
    assert "SQL1032N" in db2(pair, A, "get db cfg for XCATDB", T0 + 21).text
    pair.run(A, ("db2start",), T0 + 22)
    text = db2(pair, A, "get db cfg for XCATDB", T0 + 23).text
    assert re.search(r"^ HADR database role +=\s*PRIMARY$", text, re.MULTILINE)


# Commands, messages, exit codes: section 8.


def test_start_hadr_twice_is_harmless() -> None:
    pair = make()
    assert "SQL1777N" in db2(pair, B, "start hadr on db XCATDB as standby", T0 + 1).text
    assert "SQL1777N" in db2(pair, A, "start hadr on db XCATDB as primary", T0 + 1).text


def test_plain_standby_refuses_connections() -> None:
    reply = db2(make(), B, "connect to XCATDB", T0 + 1)
    assert (reply.exit_code, reply.text[:8]) == (4, "SQL1776N")


def test_rows_written_on_the_new_primary_can_be_read_back() -> None:
    pair, now = isolated_standby()
    _, at = finish(pair, B, "takeover hadr on db XCATDB by force", now)
    assert "Connection Information" in db2(pair, B, "connect to XCATDB", at).text
    insert = ("db2", "insert into hamnd.probe (k, v) values ('one', 'it''s')")
    assert pair.run(B, insert, at + 1).exit_code == 0
    select = ("db2", "-x", "select v from hamnd.probe where k = 'one'")
    assert pair.run(B, select, at + 2).text == "it's\n"
    nothing = pair.run(B, ("db2", "select v from hamnd.probe where k = 'two'"), at + 3)
    assert nothing.exit_code == 1
    assert pair.rows(A, "hamnd.probe") == {}


def test_insert_on_a_blocked_primary_waits_for_the_window_end() -> None:
    pair = make(write_rows_per_s=0.0)
    db2(pair, A, "connect to XCATDB", T0 + 1)
    pair.cut_both(T0 + 10)
    waiting = pair.run(A, ("db2", "insert into t values ('k', 'v')"), T0 + 20)
    assert waiting.duration_s == math.inf
    assert waiting.ticket is not None
    assert pair.answer(waiting.ticket, T0 + 100) is None
    own = pair.nodes[A].window_end
    assert own is not None
    ended = pair.answer(waiting.ticket, own + 1)
    assert ended is not None
    assert ended.exit_code == 0
    assert [change.key for change in pair.loss(A, B).changes] == ["k"]


def test_db2start_and_db2stop_say_success_with_an_n_and_exit_0() -> None:
    pair = make()
    assert "SQL1025N" in pair.run(B, ("db2stop",), T0 + 1).text
    db2(pair, B, "deactivate db XCATDB", T0 + 2)
    stopped = pair.run(B, ("db2stop",), T0 + 3)
    assert (stopped.exit_code, stopped.text.count("SQL1064N")) == (0, 2)
    assert "SQL1032N" in pair.run(B, ("db2stop",), T0 + 4).text
    started = pair.run(B, ("db2start",), T0 + 5)
    assert (started.exit_code, started.text.count("SQL1063N")) == (0, 2)
    again = pair.run(B, ("db2start",), T0 + 6)
    assert (again.exit_code != 0, "SQL1026N" in again.text) == (True, True)


def test_renamed_host_cannot_start_until_db2gcf_rewrites_db2nodes_cfg() -> None:
    pair = make()
    pair.run(B, ("db2stop", "force"), T0 + 1)
    pair.rename_host(B, A)
    reply = pair.run(B, ("db2start",), T0 + 2)
    assert 'SQL6031N  Error in the db2nodes.cfg file at line number "1".' in reply.text
    assert 'Reason code "10"' in " ".join(reply.text.split())
    assert pair.run(B, ("db2gcf", "-u", "-p", "0", "-i", "xcatdb"), T0 + 3).exit_code == 0
    status = pair.run(B, ("db2gcf", "-s", "-i", "xcatdb"), T0 + 4)
    assert (status.exit_code, status.text) == (0, "\nInstance  : xcatdb\nDB2 State : Available\n")


def test_offline_backup_of_an_active_database_is_refused() -> None:
    reply = db2(make(), A, "backup db XCATDB to /backup", T0 + 1)
    assert (reply.exit_code, reply.text[:8]) == (4, "SQL1035N")
    assert db2(make(), A, "backup db XCATDB online to /backup", T0 + 1).exit_code == 0


def test_messages_are_folded_at_78_with_a_trailing_blank() -> None:
    pair = make()
    text = db2(pair, A, "backup db XCATDB to /backup", T0 + 1).text
    first, second = text.splitlines()[:2]
    assert len(first.rstrip()) <= 78
    assert first.endswith(" ")
    assert not second.endswith(" ")
    assert " ".join(text.split()).startswith("SQL1035N The operation failed because")


def test_deactivate_with_connections_is_only_a_warning() -> None:
    pair = make()
    reply = db2(pair, A, "deactivate db XCATDB", T0 + 1)
    assert (reply.exit_code, reply.text[:8], pair.nodes[A].active) == (2, "SQL1495W", True)
    forced = db2(pair, A, "force applications all", T0 + 2)
    assert "DB21024I" in forced.text
    assert db2(pair, A, "deactivate db XCATDB", T0 + 3).exit_code == 0


def test_argv_with_a_password_is_refused_unless_asked_for() -> None:
    command = "takeover hadr on db XCATDB user xcatdb using secret"
    refused = db2(make(), B, command, T0 + 1)
    assert refused.exit_code not in (0, 1, 2, 4)
    pair = make(may_pass_using=True)
    assert finish(pair, B, command, T0 + 1)[0].exit_code == 0
    assert db2(make(), A, "update db cfg for XCATDB using LOGINDEXBUILD ON", T0 + 1).exit_code == 2


def test_unverified_reason_codes_appear_only_when_named() -> None:
    plain = db2(make(), B, "connect to XCATDB", T0 + 1)
    assert "Reason code" not in plain.text
    pair = make(unverified=frozenset({Unverified.REASON_CODES}))
    assert 'Reason code = "1"' in db2(pair, B, "connect to XCATDB", T0 + 1).text


def test_unknown_database_and_unknown_word_are_errors() -> None:
    pair = make()
    assert "SQL1013N" in db2(pair, A, "connect to OTHER", T0 + 1).text
    assert "SQL0104N" in db2(pair, A, "tekeover hadr on db XCATDB", T0 + 1).text
    assert pair.run(A, ("db2x",), T0 + 1).exit_code == 127


def test_foreign_locale_translates_labels_and_messages() -> None:
    pair = make()
    text = pair.run(B, ("db2", "get db cfg for XCATDB"), T0 + 1, language="zh_CN.UTF-8").text
    assert "HADR database role" not in text
    assert "HADR database role" in pair.run(B, ("db2", "get db cfg for XCATDB"), T0 + 2).text


# Spoilt programs, and the model's own manners.


def test_spoilt_program_hangs_fails_is_cut_and_recovers() -> None:
    pair = make()
    argv = ("db2pd", "-d", "XCATDB", "-hadr")
    whole = pair.run(B, argv, T0 + 1).text
    pair.spoil(B, "db2pd", Spoil(hangs=True, times=1))
    assert pair.run(B, argv, T0 + 1).duration_s == math.inf
    assert pair.run(B, argv, T0 + 1).text == whole
    pair.spoil(B, "db2pd", Spoil(cut_at=300))
    assert pair.run(B, argv, T0 + 1).text == whole[:300]
    pair.spoil(B, "db2pd", Spoil(text="Changing data structure forced command termination.\n"))
    assert "Changing" in pair.run(B, argv, T0 + 1).text
    pair.spoil(B, "db2pd", None)
    assert pair.run(B, argv, T0 + 1).text == whole


def test_prevented_takeover_is_not_carried_out() -> None:
    pair, now = isolated_standby()
    pair.spoil(B, "db2", Spoil(hangs=True))
    db2(pair, B, "takeover hadr on db XCATDB by force", now)
    pair.tick(now + 60)
    assert pair.nodes[B].role is Role.STANDBY


def test_same_seed_gives_the_same_pair_and_another_seed_another() -> None:
    one, two, other = make(seed=7), make(seed=7), make(seed=8)
    for pair in (one, two, other):
        pair.tick(T0 + 33)
    assert one.nodes[A].log.last_at == two.nodes[A].log.last_at
    assert one.nodes[A].log.last_at != other.nodes[A].log.last_at


def test_coarse_and_fine_ticks_give_the_same_pair() -> None:
    coarse, fine = make(), make()
    for pair, steps in ((coarse, 2), (fine, 400)):
        pair.kill_host(A, T0 + 10)
        for step in range(1, steps + 1):
            pair.tick(T0 + 10 + step * 200 / steps)
    for name in (A, B):
        assert state(coarse, name) is state(fine, name)
        assert coarse.nodes[name].log.position == fine.nodes[name].log.position
        assert coarse.nodes[name].status_since == fine.nodes[name].status_since


def test_time_cannot_go_back() -> None:
    pair = make()
    pair.tick(T0 + 10)
    with pytest.raises(ValueError, match="went back"):
        pair.tick(T0 + 9)


def test_long_load_forgets_records_but_no_rows() -> None:
    pair = make(write_rows_per_s=100.0)
    pair.write(A, Change("t", "k", "v"), T0 + 1)
    pair.tick(T0 + 120)
    node = pair.nodes[B]
    assert node.log.forgotten > 0
    assert node.log.rows == pair.nodes[A].log.rows > 11_000
    assert pair.rows(B, "t") == {"k": "v"}


def test_script_is_split_into_statements() -> None:
    script = "-- first\nconnect to XCATDB;\ninsert into t\n values ('a');\n"
    assert list(statements(("db2", "-tvf", "x"), script)) == [
        ("db2", "connect to XCATDB"),
        ("db2", "insert into t values ('a')"),
    ]
    assert list(statements(("db2",), "terminate\n")) == [("db2", "terminate")]


# Who is connected, and where HADR's hosts are.


def test_forced_applications_are_gone_until_they_return() -> None:
    pair = make()
    assert "xcatd" in db2(pair, A, "list applications for db XCATDB", T0 + 1).text
    forced = db2(pair, A, "force applications all", T0 + 2)
    assert "DB21024I" in forced.text
    nobody = db2(pair, A, "list applications for db XCATDB", T0 + 60)
    assert (nobody.text.split()[0], nobody.exit_code) == ("SQL1611W", 2)
    back = make(clients_return_s=1.0)
    db2(back, A, "force applications all", T0 + 2)
    assert "SQL1611W" in db2(back, A, "list applications for db XCATDB", T0 + 2.5).text
    assert "xcatd" in db2(back, A, "list applications for db XCATDB", T0 + 4).text


def test_hadr_starts_only_on_a_host_of_its_own_and_joins_only_where_the_partner_is() -> None:
    """SQL1768N 4, and a standby that waits for a primary at the wrong address (§8.1, §11)."""
    pair = make()
    db2(pair, B, "deactivate db XCATDB", T0 + 1)
    pair.set_addresses(B, "9.114.47.103")
    refused = db2(pair, B, "start hadr on db XCATDB as standby", T0 + 2)
    assert 'Reason code = "4"' in refused.text
    hosts = "HADR_LOCAL_HOST 9.114.47.103 HADR_REMOTE_HOST 9.114.47.104"
    db2(pair, B, f"update db cfg for XCATDB using {hosts}", T0 + 3)
    assert db2(pair, B, "start hadr on db XCATDB as standby", T0 + 4).exit_code == 0
    pair.tick(T0 + 60)
    assert state(pair, B) is HadrState.REMOTE_CATCHUP_PENDING
    pair.set_addresses(A, "9.114.47.104")
    hosts = "HADR_LOCAL_HOST 9.114.47.104 HADR_REMOTE_HOST 9.114.47.103"
    db2(pair, A, f"update db cfg for XCATDB using {hosts}", T0 + 61)
    pair.tick(T0 + 120)
    assert state(pair, B) is HadrState.PEER


def test_the_directory_tells_the_alternate_server_that_was_set() -> None:
    pair = make()
    assert "port number         =\n" in db2(pair, A, "list db directory", T0 + 1).text
    set_now = "update alternate server for db XCATDB using hostname aixmn2 port 60000"
    assert "DB21056W" in db2(pair, A, set_now, T0 + 2).text
    assert "port number         = 60000\n" in db2(pair, A, "list db directory", T0 + 3).text


# Images: backup, restore, and what comes of a restored database.


def image_of(pair: Db2Pair, now: float) -> str:
    told = db2(pair, A, "backup db XCATDB online to /image include logs", now)
    assert told.exit_code == 0, told.text
    stamp = re.search(r"\d{14}", told.text)
    assert stamp is not None
    return stamp[0]


def carried(pair: Db2Pair, stamp: str) -> None:
    """Copy the image to the other machine."""
    path = pair.programs.commands.images.path("/image", stamp)
    files = pair.programs.commands.images.files
    text = files.read(A, path)
    assert text is not None
    files.write(B, path, text)


def test_a_restored_database_is_started_as_standby_and_catches_up() -> None:
    """Rollforward pending until then: no connection, no activation; with its own hosts only."""
    pair = make()
    stamp = image_of(pair, T0 + 1)
    restore = f"restore db XCATDB from /image taken at {stamp} replace history file"
    db2(pair, B, "deactivate db XCATDB", T0 + 2)
    assert "SQL1776N" in db2(pair, B, f"{restore} without prompting", T0 + 3).text
    db2(pair, B, "stop hadr on db XCATDB", T0 + 4)
    assert "SQL2542N" in db2(pair, B, f"{restore} without prompting", T0 + 5).text
    carried(pair, stamp)
    told = db2(pair, B, f"{restore} without prompting", T0 + 6)
    assert (told.text.split()[0], told.exit_code) == ("SQL2540W", 2)
    assert "SQL1117N" in db2(pair, B, "activate db XCATDB", T0 + 7).text
    assert 'Reason code = "4"' in db2(pair, B, "start hadr on db XCATDB as standby", T0 + 8).text
    hosts = "HADR_LOCAL_HOST 9.114.47.104 HADR_REMOTE_HOST 9.114.47.103"
    db2(pair, B, f"update db cfg for XCATDB using {hosts}", T0 + 9)
    assert db2(pair, B, "start hadr on db XCATDB as standby", T0 + 10).exit_code == 0
    pair.tick(T0 + 40)
    assert state(pair, B) is HadrState.PEER
    assert not pair.has_diverged(B)


def test_backups_are_refused_where_db2_refuses_them() -> None:
    pair = make()
    assert "SQL1776N" in db2(pair, B, "backup db XCATDB online to /image", T0 + 1).text
    assert "SQL1035N" in db2(pair, A, "backup db XCATDB to /image", T0 + 2).text
    db2(pair, A, "update db cfg for XCATDB using LOGARCHMETH1 OFF", T0 + 3)
    assert "SQL2413N" in db2(pair, A, "backup db XCATDB online to /image", T0 + 4).text


def test_archived_logs_put_the_database_into_backup_pending() -> None:
    pair = make()
    db2(pair, A, "stop hadr on db XCATDB", T0 + 1)
    db2(pair, A, "update db cfg for XCATDB using LOGARCHMETH1 OFF", T0 + 2)
    db2(pair, A, "update db cfg for XCATDB using LOGARCHMETH1 DISK:/archive", T0 + 3)
    db2(pair, A, "force applications all", T0 + 4)
    db2(pair, A, "deactivate db XCATDB", T0 + 5)
    assert "SQL1116N" in db2(pair, A, "activate db XCATDB", T0 + 6).text
    assert db2(pair, A, "backup db XCATDB to /image", T0 + 7).exit_code == 0
    assert db2(pair, A, "activate db XCATDB", T0 + 8).exit_code == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [("LOGARCHMETH1 OFF", "1"), ("HADR_LOCAL_HOST 9.9.9.9", "4"), ("HADR_LOCAL_SVC nowhere", "5")],
)
def test_hadr_does_not_start_on_a_configuration_that_forbids_it(changes: str, reason: str) -> None:
    pair = make()
    pair.programs.commands.images.files.write(
        B, "/etc/services", "DB2_HADR_1 1/tcp\nDB2_HADR_2 2/tcp"
    )
    db2(pair, B, "deactivate db XCATDB", T0 + 1)
    db2(pair, B, f"update db cfg for XCATDB using {changes}", T0 + 2)
    told = db2(pair, B, "start hadr on db XCATDB as standby", T0 + 3)
    assert f'SQL1768N  Unable to start HADR. Reason code = "{reason}".' in told.text


def test_db2rfpen_makes_a_closed_database_serve_nobody() -> None:
    pair = make()
    db2(pair, A, "stop hadr on db XCATDB", T0 + 1)
    assert pair.run(A, ("db2rfpen", "on", "XCATDB"), T0 + 2).exit_code == 1, "it is active"
    pair.kill_process(A, T0 + 3)
    pair.run(A, ("db2start",), T0 + 4)
    assert pair.run(A, ("db2rfpen", "on", "XCATDB"), T0 + 5).exit_code == 0
    assert "SQL1117N" in db2(pair, A, "connect to XCATDB", T0 + 6).text


def test_two_databases_of_their_own_have_neither_hadr_nor_each_others_rows() -> None:
    pair = make(is_paired=False)
    assert pair.writable_nodes() == (A, B)
    assert "HADR is not active." in pair.run(A, ("db2pd", "-d", "XCATDB", "-hadr"), T0 + 1).text
    assert 'Reason code = "1"' in db2(pair, A, "start hadr on db XCATDB as primary", T0 + 2).text
    db2(pair, A, "update db cfg for XCATDB using LOGARCHMETH1 LOGRETAIN", T0 + 3)
    assert 'Reason code = "8"' in db2(pair, A, "start hadr on db XCATDB as primary", T0 + 4).text
    assert pair.has_diverged(B)


def test_how_far_a_backup_is_can_be_asked_while_it_runs() -> None:
    """And hamnd reads it, whatever part of the text is missing."""
    pair = make(backup_s=100.0)
    look = seeding.progress(site(), A)
    db2(pair, A, "backup db XCATDB online to /image include logs", T0 + 1)
    text = db2(pair, A, "list utilities show detail", T0 + 29).text
    reading = read_look(Looked(look, exited(0, text)))
    assert reading.sentence == "backup: 28 %, 317 of 1132 MiB"
    ended = db2(pair, A, "list utilities show detail", T0 + 102)
    assert "SQL1611W" in ended.text
    assert read_look(Looked(look, exited(2, ended.text))).verdict is Verdict.UNKNOWN
    end = text.index("Completed")
    assert all(
        read_look(Looked(look, exited(0, text[:cut]))).verdict is Verdict.UNKNOWN
        for cut in range(0, end, 7)
    )
