"""Rehearsals: all looks of all steps, nothing changed, and what would fail is named."""

from __future__ import annotations

import json

import pytest

from hamnd.core.commands import PerformAction, PerformRoutine, RehearseStep
from hamnd.core.events import Event, HoldRequested, RehearseRequested, RoutineDue, StepRehearsed
from hamnd.core.rehearsing import ROUTINE
from hamnd.core.state import Decision, NodeState
from hamnd.model.names import State, Status, Verdict
from hamnd.model.rehearsal import Rehearsal
from hamnd.model.work import Ending, Look, Looked, Report
from tests.unit.core.story import Story


def rehearse(story: Story) -> Decision:
    return story.feed(RehearseRequested("anna"))


def ended(story: Story) -> Rehearsal:
    """Begin one and let it come to its end."""
    assert rehearse(story).refusal is None
    story.until(lambda: story.state.rehearsal is not None and story.state.rehearsal.outcome != "")
    assert story.state.rehearsal is not None
    return story.state.rehearsal


def test_every_step_of_a_takeover_is_looked_at_and_nothing_is_done() -> None:
    story = Story().in_peer()
    told: list[object] = []

    def watch(_before: NodeState, _event: Event, decision: Decision) -> None:
        told.extend(decision.commands)

    story.check = watch
    rehearsal = ended(story)
    assert (rehearsal.outcome, rehearsal.actor) == ("done", "anna"), rehearsal.sentence
    looked_at = [one.step for one in told if isinstance(one, RehearseStep)]
    assert looked_at == list(rehearsal.steps)
    assert {"fuse", "fence", "promote", "identity", "xcatd", "verify"} <= set(looked_at)
    assert not [one for one in told if isinstance(one, PerformAction | PerformRoutine)]
    looks = [look for one in told if isinstance(one, RehearseStep) for look in one.looks]
    assert all(isinstance(look, Look) for look in looks)
    assert story.state.rehearsed_at == story.now.wall_s
    story.live(1.0)
    condition = story.state.assessment.condition("Rehearsed")
    assert condition is not None
    assert condition.status is Status.TRUE


def test_what_it_told_is_journalled_and_survives_a_restart() -> None:
    story = Story().in_peer()
    rehearsal = ended(story)
    whats = [one.what for one in story.records]
    assert whats.count("step_rehearsed") == len(rehearsal.steps)
    (end,) = [one for one in story.records if one.what == "rehearsal_finished"]
    assert (end.outcome, json.loads(end.evidence)["sentence"]) == ("done", rehearsal.sentence)
    at = story.state.rehearsed_at
    story.crash()
    assert (story.state.rehearsal, story.state.rehearsed_at) == (rehearsal, at)


def test_a_step_that_would_fail_is_named_and_nothing_counts_as_rehearsed() -> None:
    story = Story().in_peer()
    story.world.fence = "fails"
    rehearsal = ended(story)
    assert rehearsal.outcome == "not_done"
    assert "fence:" in rehearsal.sentence
    assert [one.step for one in rehearsal.results] == list(rehearsal.steps), "all are told at once"
    assert story.state.rehearsed_at is None
    story.live(1.0)
    condition = story.state.assessment.condition("Rehearsed")
    assert condition is not None
    assert (condition.status, condition.reason) == (Status.FALSE, "WouldFail")


def test_a_look_that_hangs_is_unknown_never_a_failure() -> None:
    story = Story().in_peer()
    story.world.looks["xcat.answers"] = "unknown"
    rehearsal = ended(story)
    assert rehearsal.outcome == "unknown"
    assert "xcatd: cannot look whether" in rehearsal.sentence


def test_the_schedule_begins_one_by_itself() -> None:
    story = Story().in_peer()
    assert story.feed(RoutineDue("something else")).state.rehearsal is None
    begun = story.feed(RoutineDue(ROUTINE)).state.rehearsal
    assert begun is not None
    assert begun.actor == "hamnd"


def test_a_hold_suspends_them() -> None:
    story = Story().in_peer()
    story.feed(HoldRequested(story.now.wall_s + 3600, "new kernel", "bert"))
    refusal = rehearse(story).refusal
    assert refusal is not None
    assert "bert" in refusal.sentence
    assert refusal.hint == "hamnctl unhold"
    story.feed(RoutineDue(ROUTINE))
    assert story.state.rehearsal is None


def test_a_hold_ends_the_one_under_way() -> None:
    story = Story().in_peer()
    rehearse(story)
    story.feed(HoldRequested(story.now.wall_s + 3600, "new kernel", "bert"))
    assert story.state.rehearsal is not None
    assert story.state.rehearsal.outcome == "unknown"
    before = story.state.rehearsal
    story.live(30.0)
    assert story.state.rehearsal == before, "looks that come home late count for nothing"


@pytest.mark.parametrize("state", [State.PRIMARY_DOWN, State.TAKING_OVER, State.ACTIVE])
def test_where_a_takeover_is_near_or_over_nothing_is_rehearsed(state: State) -> None:
    story = Story().primary_down() if state is State.PRIMARY_DOWN else Story().taking_over()
    if state is State.ACTIVE:
        story.until(lambda: story.state.state is State.ACTIVE)
    assert story.state.state is state
    assert rehearse(story).refusal is not None
    assert story.state.rehearsal is None


def test_a_death_of_the_primary_ends_it() -> None:
    story = Story().in_peer()
    story.world.looks["xcat.answers"] = "unknown"
    rehearse(story)
    story.world.die()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    story.until(lambda: story.state.state is State.PRIMARY_DOWN)
    assert story.state.rehearsal is not None
    assert story.state.rehearsal.finished_at is not None


def test_two_at_once_are_refused() -> None:
    story = Story().in_peer()
    rehearse(story)
    refusal = rehearse(story).refusal
    assert refusal is not None
    assert "under way" in refusal.sentence


def test_one_that_hamnd_left_in_the_middle_proves_nothing() -> None:
    story = Story().in_peer()
    rehearse(story)
    story.crash()
    assert story.state.rehearsal is not None
    assert story.state.rehearsal.outcome == "unknown"
    assert "restarted" in story.state.rehearsal.sentence
    assert rehearse(story).refusal is None, "and the next one may begin"


def test_what_a_program_printed_is_told_in_its_reader_s_words_alone() -> None:
    story = Story().in_peer()
    (command,) = [one for one in rehearse(story).commands if isinstance(one, RehearseStep)]
    assert command.step == "fuse"
    report = Report(Ending.EXITED, story.now, story.now, 127, "PASSWORD=hunter2", "not found")
    crontabs = [look for look in command.looks if look.reads.startswith("jobs.crontab")]
    assert crontabs, "a crontab may hold a password"
    looked = tuple(Looked(look, report) for look in crontabs)
    story.feed(StepRehearsed(command.number, command.step, looked))
    assert story.state.rehearsal is not None
    (result,) = story.state.rehearsal.results
    assert result.verdict is not Verdict.PASS
    assert "hunter2" not in result.sentence
    assert "hunter2" not in str(story.records)
