"""Scheduled work: when it may start, one run at a time, journalled, and ended by a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.commands import EndRoutine, PerformRoutine
from hamnd.core.events import RoutineActed, RoutineDue
from hamnd.core.progress import Run
from hamnd.core.routines import catch_up, on_acted, on_due, routines_of, yield_to_run
from hamnd.core.state import NodeState
from hamnd.core.turn import Turn
from hamnd.model.epoch import Epoch
from hamnd.model.names import Mode, Phase, RunStatus, State
from hamnd.model.work import Ending
from tests import builders
from tests.unit.core.builders import at, replication, report, site, terms

TERMS = terms(site(engine="dump"))
NAME = "copy:dump"
QUIET = replace(
    NodeState(state=State.PEER),
    watch=replace(NodeState().watch, replication=replication(0.0, engine="dump")),
)


def due(state: NodeState, seconds: float = 1.0) -> Turn:
    turn = Turn(state, at(seconds), TERMS)
    on_due(turn, RoutineDue(NAME))
    return turn


def home(state: NodeState, number: int, index: int, code: int = 0, seconds: float = 2.0) -> Turn:
    turn = Turn(state, at(seconds), TERMS)
    on_acted(turn, RoutineActed(NAME, number, index, report(exit_code=code, stderr="disk full")))
    return turn


def test_what_is_due_starts_with_its_intent_in_the_same_decision() -> None:
    turn = due(QUIET)
    (command,) = turn.commands
    assert isinstance(command, PerformRoutine)
    assert (command.name, command.number, command.index) == (NAME, 1, 0)
    assert [(one.phase, one.what, one.step) for one in turn.records] == [
        (Phase.INTENT, "routine_started", NAME)
    ]
    assert turn.persist
    assert "hamnd-send" in turn.records[0].preview


def test_its_actions_follow_each_other_and_the_last_ends_it() -> None:
    first = home(due(QUIET).state, 1, 0)
    (command,) = first.commands
    assert isinstance(command, PerformRoutine)
    assert command.index == 1
    ended = home(first.state, 1, 1).state.routines[NAME]
    assert (ended.is_running, ended.outcome, ended.done_at) == (False, "done", at(2.0).wall_s)


def test_an_action_that_fails_ends_it_with_its_own_words() -> None:
    turn = home(due(QUIET).state, 1, 0, code=1)
    assert turn.commands == []
    ended = turn.state.routines[NAME]
    assert (ended.outcome, ended.sentence) == ("not_done", "disk full")
    assert turn.records[-1].what == "routine_finished"


def test_one_run_at_a_time_and_one_that_never_came_home_is_given_up() -> None:
    running = due(QUIET).state
    assert due(running, 60.0).commands == []
    limit_s = sum(one.timeout_s * len(one.actions) for one in routines_of(TERMS))
    assert due(running, limit_s + 100.0).commands != []


def test_what_comes_home_of_an_earlier_run_is_left_aside() -> None:
    running = due(QUIET).state
    for number, index in ((0, 0), (2, 0), (1, 1)):
        assert home(running, number, index).state.routines == running.routines


@pytest.mark.parametrize(
    "state",
    [
        replace(QUIET, mode=Mode.OBSERVE_ONLY),
        replace(QUIET, state=State.PRIMARY_DOWN),
        replace(QUIET, state=State.ACTIVE),
        replace(QUIET, state=State.TAKING_OVER),
        replace(QUIET, epoch=Epoch(3, TERMS.site.node, "boot-1")),
        replace(QUIET, watch=replace(QUIET.watch, replication=None)),
        replace(
            QUIET,
            watch=replace(QUIET.watch, replication=replication(0.0, role="primary")),
        ),
    ],
    ids=["observe_only", "down", "active", "taking", "epoch", "unread", "primary"],
)
def test_nothing_flows_onto_a_node_that_is_not_the_standby(state: NodeState) -> None:
    turn = due(state)
    assert (turn.commands, turn.records) == ([], [])
    assert turn.state is state


def test_a_run_ends_what_is_under_way() -> None:
    running = due(QUIET).state
    turn = Turn(running, at(3.0), TERMS)
    turn.state = replace(running, run=builders.pair().taking_over("fuse").state.run)
    yield_to_run(turn)
    assert turn.commands == [EndRoutine(NAME)]
    assert isinstance(turn.state.run, Run)
    assert turn.state.run.status is RunStatus.RUNNING
    lost = Turn(turn.state, at(4.0), TERMS)
    ended = report(Ending.LOST)
    on_acted(lost, RoutineActed(NAME, 1, 0, ended))
    assert lost.state.routines[NAME].outcome == "unknown"


def test_a_standby_without_any_copy_does_not_wait_for_its_hour_nor_try_without_end() -> None:
    none = replication(0.0, engine="dump", state="none", has_link=False)
    state = replace(QUIET, watch=replace(QUIET.watch, replication=none))

    def caught(state: NodeState, seconds: float) -> Turn:
        turn = Turn(state, at(seconds), TERMS)
        catch_up(turn)
        return turn

    assert caught(QUIET, 1.0).commands == []
    first = caught(state, 1.0)
    assert len(first.commands) == 1
    failed = home(first.state, 1, 0, code=1).state
    assert caught(failed, 50.0).commands == []
    assert len(caught(failed, 62.0).commands) == 1
