"""Hooks: the site hears every change of state, and nothing ever waits for it."""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.policy import Terms
from hamnd.model.names import RunStatus, State, Status
from hamnd.model.site import Hooks
from hamnd.model.work import Exec
from tests.unit.core.story import Story, story_terms


def told_site() -> Terms:
    here = story_terms()
    site = replace(here.site, hooks=Hooks(("/usr/local/sbin/tell",), 30.0))
    return Terms(site, here.policy)


def test_a_change_of_state_is_told_on_standard_input_and_written_down() -> None:
    story = Story(terms=told_site())
    story.begin()
    story.live(60)
    assert story.state.state is State.PEER
    (hook,) = story.hooks
    request = hook.action.request
    assert isinstance(request, Exec)
    assert request.argv == ("/usr/local/sbin/tell",)
    assert request.stdin is not None
    said = json.loads(request.stdin)
    assert (said["event"], said["from"], said["to"]) == ("state_change", "Degraded", "Peer")
    (record,) = [one for one in story.records if one.what == "hook_finished"]
    assert (record.outcome, record.exit_code) == ("done", 0)
    assert "hunter2" not in str(story.records), "what a hook prints is its own"
    condition = story.state.assessment.condition("SiteTold")
    assert condition is not None
    assert condition.status is Status.TRUE


def test_a_hook_that_fails_or_hangs_holds_no_run() -> None:
    for word, outcome in (("fails", "not_done"), ("hangs", "unknown")):
        story = Story(terms=told_site())
        story.world.hook = word
        story.taking_over()
        story.live(100)
        assert story.state.state is State.ACTIVE
        assert story.state.finished[-1].status == RunStatus.DONE
        ended = [one for one in story.records if one.what == "hook_finished"]
        assert {one.outcome for one in ended} == {outcome}
        condition = story.state.assessment.condition("SiteTold")
        assert condition is not None
        assert condition.status is (Status.FALSE if word == "fails" else Status.UNKNOWN)


def test_hooks_that_do_not_end_are_not_piled_up() -> None:
    here = told_site()
    terms = Terms(
        replace(here.site, hooks=Hooks(("/usr/local/sbin/tell",), 3000.0)),
        replace(here.policy, hooks_max=2),
    )
    story = Story(terms=terms)
    story.world.hook = "hangs"
    story.begin()
    story.live(60)
    for _ in range(2):
        story.world.die()
        story.live(20)
        story.world.come_back()
        story.live(60)
    assert len(story.hooks) == 2
    assert any("hooks have not ended yet" in one.evidence for one in story.records)
    assert story.state.timing.hooks_running == 2


def test_a_site_without_hooks_is_told_nothing() -> None:
    story = Story()
    story.begin()
    story.live(60)
    assert story.state.state is State.PEER
    assert story.hooks == []
