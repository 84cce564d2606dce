"""The epoch in plans: its number is always the next one, and an undo gives it back once."""

from __future__ import annotations

from hamnd.model.names import PlanKind, State
from hamnd.model.plan import Plan, Step
from tests.unit.core.story import Story


def step_of(plan: Plan, name: str) -> Step:
    return plan.step(name)


def planned(story: Story, kind: PlanKind) -> Plan:
    plan = story.plan(kind=kind).answer
    assert plan is not None
    return plan


def paused_at(story: Story, kind: PlanKind, step: str, word: str = "fails") -> Story:
    """Confirmed, and held by a step that fails."""
    planned(story, kind)
    story.world.actions = {step: word}
    assert story.confirm().refusal is None
    story.until(lambda: story.state.run is not None and story.state.run.status == "paused", 400.0)
    story.world.actions = {}
    return story


def known(story: Story) -> tuple[int, str]:
    epoch = story.state.epoch
    assert epoch is not None
    return epoch.number, epoch.owner


def raised(story: Story) -> int:
    return sum(record.what == "epoch_raised" for record in story.records)


def lone_and_down() -> Story:
    """Active since a takeover, then rebooted: the database is primary, alone and down."""
    story = Story().taking_over()
    story.until(lambda: story.state.state is State.ACTIVE)
    story.world.reboot_here()
    story.crash(60.0, boot="boot-2")
    return story.live(40.0)


def test_the_number_of_a_plan_follows_the_newest_that_anybody_told() -> None:
    story = Story().in_peer()
    story.world.epochs["sn01"] = "7 aixmn1 boot-x"
    story.live(10.0)
    claims = step_of(planned(story, PlanKind.SWITCHOVER), "epoch").claims
    assert claims is not None
    assert (claims.number, claims.owner, claims.former) == (8, "aixmn2", "aixmn1")


def test_a_node_that_owns_the_epoch_raises_it_all_the_same() -> None:
    story = lone_and_down()
    number, owner = known(story)
    assert owner == "aixmn2"
    claims = step_of(planned(story, PlanKind.RESUME), "epoch").claims
    assert claims is not None
    assert (claims.number, claims.owner, claims.former) == (number + 1, "aixmn2", "aixmn2")


def test_an_aborted_resume_leaves_the_epoch_with_whom_it_was() -> None:
    """An undo beside the state raises one epoch, for whoever owned it when the run began."""
    story = lone_and_down()
    before = known(story)
    paused_at(story, PlanKind.RESUME, "promote", "refused")
    count = raised(story)
    undo = story.abort().answer
    assert undo is not None
    assert [one.id for one in undo.steps if one.claims is not None] == ["undo-epoch"]
    assert story.confirm().refusal is None
    story.until(lambda: story.state.run is None, 60.0)
    assert known(story) == (before[0] + 2, "aixmn2")
    assert raised(story) == count + 1


def test_an_aborted_switchover_gives_the_epoch_back_once() -> None:
    story = paused_at(Story().in_peer(), PlanKind.SWITCHOVER, "release")
    assert known(story) == (1, "aixmn2")
    assert story.abort().answer is not None
    assert story.confirm().refusal is None
    story.until(lambda: story.state.run is None, 60.0)
    assert known(story) == (2, "aixmn1")
    assert story.world.epochs["aixmn2"] == "2 aixmn1 -"
    assert raised(story) == 2


def test_a_way_back_that_leaves_the_epoch_out_leaves_it_here() -> None:
    story = paused_at(Story().in_peer(), PlanKind.SWITCHOVER, "release")
    story.abort()
    story.world.actions = {"undo-epoch": "fails"}
    story.confirm()
    story.until(lambda: story.state.run is not None and story.state.run.status == "paused", 60.0)
    assert story.world.epochs["aixmn2"].split(" ")[1] == "aixmn2"


def test_a_successor_keeps_the_number_that_was_raised() -> None:
    story = paused_at(Story().in_peer(), PlanKind.SWITCHOVER, "release")
    plan = story.plan(kind=PlanKind.SWITCHOVER, is_successor=True).answer
    assert plan is not None
    claims = step_of(plan, "epoch").claims
    assert claims is not None
    assert (claims.number, claims.former) == (1, "aixmn1")


def test_the_primary_of_a_whole_pair_has_its_epoch_on_both_nodes_before_any_takeover() -> None:
    """Given nobody ever raised one, then the guard of the old primary will find its own outdone."""
    story = Story().in_peer()
    story.live(60.0)
    assert story.world.epochs == {"aixmn1": "0 aixmn1 boot-1", "aixmn2": "0 aixmn1 boot-1"}
    assert raised(story) == 0
    claims = step_of(planned(story, PlanKind.SWITCHOVER), "epoch").claims
    assert claims is not None
    assert (claims.number, claims.former) == (1, "aixmn1")


def test_no_epoch_begins_while_the_pair_is_not_whole() -> None:
    """Given the primary is silent before anybody kept an epoch, then who may serve stays open."""
    story = Story()
    story.world.die()
    story.begin().live(60.0)
    assert (story.state.state is State.PEER, story.state.epoch) == (False, None)
    assert story.world.epochs == {}
