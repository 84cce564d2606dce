"""What is worth a log line, a wake-up, an alarm."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.commands import PerformAction
from hamnd.core.events import ActionCompleted, Ticked
from hamnd.core.state import Decision
from hamnd.daemon.notable import (
    binding_of,
    headline,
    is_alarming,
    is_notable,
    is_worth_a_line,
    line_of,
)
from hamnd.model.instant import Instant
from hamnd.model.names import Rhythm
from hamnd.model.work import Ending, Report
from tests.builders import pair
from tests.unit.daemon.fakes import perform


def test_a_round_that_only_makes_facts_newer_is_no_change() -> None:
    peer = pair().in_peer().state
    newer = replace(peer, timing=replace(peer.timing, round_number=7))
    assert not is_notable(peer, newer)
    assert not is_worth_a_line(peer, Decision(newer))


def test_a_condition_that_turns_is_a_change_and_is_named() -> None:
    before, after = pair().in_peer().state, pair().not_ready().state
    assert is_notable(before, after)
    line = line_of(Ticked(Rhythm.READINESS), before, Decision(after))
    assert any("fence=False(Refused)" in condition for condition in line["conditions"])


def test_starting_an_action_is_always_told() -> None:
    state = pair().taking_over("xcatd").state
    assert is_worth_a_line(state, Decision(state, commands=(perform(0),)))
    assert isinstance(perform(0), PerformAction)


def test_a_dead_primary_and_a_paused_run_alarm_once() -> None:
    peer, down = pair().in_peer().state, pair().primary_down().state
    assert is_alarming(peer, down)
    assert not is_alarming(down, down)
    running, paused = pair().taking_over("dhcp").state, pair().paused_at("dhcp").state
    assert is_alarming(running, paused)
    assert not is_alarming(paused, paused)


def test_lines_within_a_step_carry_its_plan_and_name() -> None:
    now = Instant(1.0, 1.0)
    report = Report(Ending.EXITED, now, now, 0)
    event = ActionCompleted("d1", "promote", 1, 0, report)
    assert binding_of(event) == {"digest": "d1", "step": "promote"}


def test_the_service_manager_reads_state_run_and_mode() -> None:
    assert headline(pair().in_peer().state).startswith("Peer: ")
    assert headline(pair().paused_at("dhcp").state) == "TakingOver: takeover paused"
    assert "observe only" in headline(pair().in_peer().observe_only("disk full").state)
