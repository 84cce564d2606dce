"""What a screen tells the operator to run works: the engine itself takes it."""

from __future__ import annotations

import json

import pytest

from hamnd.core.state import Decision
from hamnd.model.names import LossVerdict, RunStatus, State
from hamnd.views.report_text import loss_line
from hamnd.views.run import render_run, run_document
from hamnd.views.status import render_status, status_document
from hamnd.views.text import Document
from hamnd.views.ways import ways_out
from tests.unit.core.story import Story


def document_of(story: Story) -> Document:
    return status_document(story.state, story.now, story.terms)


def paused(story: Story) -> bool:
    run = story.state.run
    return run is not None and run.status is RunStatus.PAUSED


def contradicted(step: str) -> Story:
    """The primary is switched on again while that step is under way."""
    story = Story().taking_over(step)
    story.world.come_back()
    story.world.fence = "on"
    story.until(lambda: paused(story))
    return story.live(2.0)


def failed(step: str, how: str = "fails") -> Story:
    """What ran beside it has come home."""
    story = Story()
    story.world.actions[step] = how
    story.taking_over()
    return story.until(lambda: paused(story)).live(5.0)


def lost(step: str) -> Story:
    story = Story().taking_over(step)
    return story.crash().live(5.0)


STORIES = {
    "contradicted while promote runs": lambda: contradicted("promote"),
    "contradicted after promote": lambda: contradicted("identity"),
    "fuse failed": lambda: failed("fuse"),
    "promote failed": lambda: failed("promote", "refused"),
    "dhcp failed": lambda: failed("dhcp"),
    "restarted in promote": lambda: lost("promote"),
    "restarted in xcatd": lambda: lost("xcatd"),
}


def do(story: Story, command: str) -> Decision:
    match command.split():
        case ["retry"]:
            return story.retry()
        case ["skip", step, *_]:
            return story.skip(step)
        case ["abort", *_]:
            return story.abort()
        case ["conclude", *_]:
            return story.conclude()
        case ["plan", "takeover", "--continue"]:
            return story.plan(is_successor=True)
    raise AssertionError(f"{command} is not known here")


@pytest.mark.parametrize("name", STORIES)
def test_every_way_out_that_is_named_is_taken(name: str) -> None:
    """One life for each: what is shown as refused is refused, and nothing else is."""
    document = document_of(STORIES[name]())
    ways = ways_out(document, document["run"])
    assert ways
    for command, meaning in ways:
        story = STORIES[name]()
        decision = do(story, command)
        is_refused = decision.refusal is not None
        assert is_refused == meaning.startswith("refused"), (command, decision.because)


def test_in_a_contradicted_run_the_way_back_comes_first_and_promote_cannot_be_skipped() -> None:
    story = Story().taking_over("fuse")
    story.world.come_back()
    story.world.fence = "on"
    story.until(lambda: paused(story)).live(2.0)
    document = document_of(story)
    assert document["headline"][0].startswith("aixmn1 is BACK")
    assert document["next"][0].startswith("hamnctl abort")
    screens = "\n".join(
        [
            *render_status(document),
            *render_run(run_document(story.state.run, story.now, story.terms.site)),
        ]
    )
    assert "skip" not in screens
    assert screens.count("hamnctl retry") == 2
    assert "refused while aixmn1 answers" in screens


def test_after_promote_a_retry_is_announced_as_the_fence_that_it_is() -> None:
    story = contradicted("identity")
    document = document_of(story)
    assert document["run"]["passed_point_of_no_return"] == "promote"
    assert "POWER OFF aixmn1 by hand" in document["next"][0]
    assert "fences aixmn1 again first" in document["next"][0]
    assert story.retry().refusal is None
    assert story.outcome("fence") == "running"


def test_a_promote_that_was_refused_has_passed_nothing() -> None:
    """The document said that the point of no return was passed, and named conclude."""
    document = document_of(failed("promote", "refused"))
    assert document["run"]["passed_point_of_no_return"] is None
    assert "abort" in document["next"][0]
    assert "skip promote" not in document["next"][0]


def test_an_undo_that_is_paused_can_only_go_on() -> None:
    story = failed("fuse")
    story.abort()
    story.world.actions["undo-fuse"] = "fails"
    story.confirm()
    story.until(lambda: paused(story))
    document = document_of(story)
    assert document["run"]["kind"] == "undo"
    names = [command.split()[0] for command, _ in ways_out(document, document["run"])]
    assert names == ["retry", "skip"]
    assert document["headline"][0].startswith("The undo")


# ---- what forbids a takeover -------------------------------------------------------------------
def dark() -> Story:
    """Controller and primary fell silent together, and the peer window is over."""
    story = Story()
    story.world.database.window_s = 20.0
    story.in_peer()
    story.world.fence = "unreadable"
    story.world.die()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    story.live(20.0)
    story.world.end_window()
    return story.live(5.0)


def test_status_names_the_gates_that_forbid_a_takeover_and_one_command_that_works() -> None:
    story = dark()
    document = document_of(story)
    assert document["state"] == State.PRIMARY_DOWN.value
    assert [gate["name"] for gate in document["takeover"]["gates"]] == ["fence", "loss"]
    assert document["plan"] is None
    (told,) = document["next"]
    assert "hamnctl plan takeover --override fence --reason … --accept-loss unknown" in told
    story.plan(LossVerdict.UNKNOWN, ("fence",))
    document = document_of(story)
    assert document["takeover"]["gates"] == []
    assert document["next"][0].startswith(f"hamnctl confirm {story.shown().digest}")
    assert story.confirm().refusal is None


def test_what_was_given_with_a_plan_stays_given_in_the_command_that_is_named() -> None:
    story = dark()
    story.plan(overrides=("fence",))
    (told,) = document_of(story)["next"]
    words = "hamnctl plan takeover --override fence --reason 'seen by anna' --accept-loss unknown"
    assert told == words


def test_a_plan_whose_picture_became_worse_is_not_offered_for_confirmation() -> None:
    story = Story().primary_down()
    story.plan()
    assert document_of(story)["plan"] is not None
    story.world.fence = "unreadable"
    story.live(60.0)
    document = document_of(story)
    assert document["plan"] is None
    assert "fence" in [gate["name"] for gate in document["takeover"]["gates"]]


# ---- after it was concluded --------------------------------------------------------------------
def test_right_after_conclude_the_old_primary_is_named_and_to_be_powered_off() -> None:
    """Its fence was skipped, it answers: the calm word "incomplete" would cost the cluster."""
    story = contradicted("identity")
    assert story.conclude().refusal is None
    document = document_of(story)
    assert document["state"] == "Active"
    assert "aixmn1" in document["headline"][0]
    assert "SPLIT BRAIN" in " ".join(document["headline"])
    assert document["next"][0].startswith("POWER OFF aixmn1 NOW")


def test_an_undo_is_recorded_as_one_and_its_report_speaks_of_no_loss() -> None:
    story = failed("fuse")
    story.abort()
    story.confirm()
    confirmed = [one for one in story.records if one.what == "plan_confirmed"][-1]
    assert json.loads(confirmed.evidence)["kind"] == "undo"
    assert loss_line({"kind": "undo"}).startswith("nothing is lost")
