"""Holds: who silences the pages, why and until when; and what a hold never does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hamnd.core.events import HoldRequested, UnholdRequested
from hamnd.core.holds import HOLD_MAX_S
from hamnd.core.policy import Terms
from hamnd.core.state import Decision, Hold
from hamnd.model.names import State
from hamnd.model.site import Hooks
from hamnd.model.work import Exec
from tests.unit.core.story import Story, story_terms

HOUR = 3600.0


def hold(story: Story, seconds: float, actor: str = "anna") -> Decision:
    return story.feed(HoldRequested(story.now.wall_s + seconds, "new kernel", actor))


def test_a_hold_tells_who_why_and_until_when_and_survives_a_restart() -> None:
    story = Story().in_peer()
    began = story.now.wall_s
    hold(story, HOUR)
    wanted = Hold("anna", "new kernel", began, began + HOUR)
    assert story.state.hold == wanted
    (record,) = [one for one in story.records if one.what == "hold_began"]
    assert (record.actor, json.loads(record.evidence)["reason"]) == ("anna", "new kernel")
    story.crash()
    assert story.state.hold == wanted


def test_a_hold_ends_at_its_time_also_while_hamnd_was_down() -> None:
    story = Story().in_peer()
    hold(story, 60.0)
    story.live(59.0)
    assert [one.what for one in story.records].count("hold_expired") == 0
    story.crash(down_s=2.0)
    assert story.state.hold is None
    assert [one.what for one in story.records].count("hold_expired") == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0, HOLD_MAX_S + 1.0])
def test_a_hold_of_no_time_or_of_more_than_a_week_is_refused(seconds: float) -> None:
    story = Story().in_peer()
    refusal = hold(story, seconds).refusal
    assert refusal is not None
    assert refusal.gate == "hold"
    assert "hamnctl hold" in refusal.hint
    assert story.state.hold is None


def test_a_clock_that_was_set_back_leaves_no_hold_for_ever() -> None:
    story = Story().in_peer()
    hold(story, HOUR)
    story.set_clock(-2 * HOLD_MAX_S)
    story.live(2.0)
    assert story.state.hold is None


def test_a_second_hold_replaces_the_first_and_says_whose_it_was() -> None:
    story = Story().in_peer()
    hold(story, HOUR)
    decision = hold(story, 2 * HOUR, "bert")
    assert "anna" in decision.because
    assert story.state.hold is not None
    assert story.state.hold.owner == "bert"


def test_unhold_ends_it_and_without_one_there_is_nothing_to_end() -> None:
    story = Story().in_peer()
    refusal = story.feed(UnholdRequested("anna")).refusal
    assert refusal is not None
    hold(story, HOUR)
    assert story.feed(UnholdRequested("bert")).refusal is None
    assert story.state.hold is None
    (record,) = [one for one in story.records if one.what == "hold_ended"]
    assert (record.actor, json.loads(record.evidence)["owner"]) == ("bert", "anna")


def test_a_hold_never_blocks_a_takeover() -> None:
    story = Story().in_peer()
    hold(story, HOUR)
    story.world.die()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    story.until(lambda: story.state.state is State.PRIMARY_DOWN)
    story.plan()
    assert story.confirm().refusal is None
    story.until(lambda: story.state.state is State.ACTIVE)
    assert story.state.hold is not None


def test_the_site_s_own_program_is_told_that_nobody_is_to_be_paged() -> None:
    here = story_terms()
    site = replace(here.site, hooks=Hooks(("/usr/local/sbin/tell",), 30.0))
    story = Story(terms=Terms(site, here.policy)).in_peer()
    hold(story, HOUR)
    story.world.die()
    story.live(20.0)
    told = []
    for one in story.hooks:
        request = one.action.request
        assert isinstance(request, Exec)
        assert request.stdin is not None
        told.append(json.loads(request.stdin)["hold"])
    assert told[0] is None
    assert told[-1]["owner"] == "anna"
