"""A setup with the guide's test at its end: what belongs to which part, and how either ends."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from hamnd.core.drafting import draft_of, made
from hamnd.core.events import PlanRequested, Ticked
from hamnd.core.invariants import check
from hamnd.core.plans.trial import BY_HAND, DEFINE
from hamnd.core.progress import Run
from hamnd.core.turn import Turn
from hamnd.errors import InvariantViolation
from hamnd.model.names import Mode, Outcome, PlanKind, Rhythm, RunStatus, State
from hamnd.model.plan import HOME, SETUP, Plan, PlanRequest, Step
from hamnd.views.card import plan_document, render_plan
from tests.unit.core.story import Story


def in_peer() -> Story:
    """In Peer for so long that the partner's interfaces were read."""
    return Story().in_peer().live(90.0)


def shown(story: Story) -> Plan:
    plan = made(draft_of(Turn(story.state, story.now, story.terms), REQUEST))
    assert isinstance(plan, Plan)
    return plan


REQUEST = PlanRequest(PlanKind.SETUP, with_drill=True)


def begun() -> Story:
    """A setup with its test is carried out; what it sets up is so already, but for the node."""
    story = in_peer()
    assert story.feed(PlanRequested(REQUEST, "anna")).refusal is None
    story.confirm()
    return set_up(story)


def set_up(story: Story) -> Story:
    """What the confirmed plan sets up is so; of the story, not of its disk."""
    run = run_of(story)
    steps = tuple(_as_if_done(one) for one in run.plan.steps)
    story.state = replace(story.state, run=replace(run, plan=replace(run.plan, steps=steps)))
    return story


def _as_if_done(step: Step) -> Step:
    """The canned world knows nothing of a setup's own tools: its steps have nothing to look at."""
    if not step.id.startswith(SETUP):
        return step
    return replace(step, actions=(), preconditions=(), postconditions=(), reversible=False)


def run_of(story: Story) -> Run:
    assert story.state.run is not None
    return story.state.run


def paused(story: Story) -> Story:
    story.until(lambda: run_of(story).status is RunStatus.PAUSED, 600.0)
    story.world.actions = {}
    return story.live(5.0)


def test_the_test_comes_after_everything_that_is_set_up() -> None:
    steps = {one.id: one for one in shown(in_peer()).steps}
    first = {one for one in steps if one.startswith(SETUP)}
    assert first == set(steps[DEFINE].depends_on)
    assert {"setup-replicate", "setup-guard", "replicate", f"{HOME}replicate"} <= set(steps)
    for one in steps.values():
        assert {*one.depends_on, *one.after} <= set(steps)


def test_the_units_start_behind_the_guard_that_the_same_plan_installs() -> None:
    ids = [one.id for one in shown(in_peer()).steps]
    assert {"boot", f"{HOME}boot"} <= set(ids)


def test_a_setup_goes_over_and_back_and_is_a_drill_that_ended_well() -> None:
    story = begun()
    assert story.state.state is State.PEER
    story.until(lambda: story.state.state is State.TAKING_OVER, 200.0)
    assert all(
        one.outcome is Outcome.DONE
        for key, one in run_of(story).steps.items()
        if key.startswith(SETUP)
    )
    story.until(lambda: story.state.state is State.ACTIVE, 400.0)
    story.until(lambda: story.state.run is None, 600.0).live(60.0)
    assert story.state.state is State.PEER
    assert story.state.finished[-1].status == RunStatus.DONE
    assert story.state.lasting.drilled_at is not None


@pytest.mark.parametrize("step", ["quiesce", "promote"])
def test_a_test_that_is_held_is_taken_back_with_its_node_and_nothing_of_the_setup(
    step: str,
) -> None:
    story = begun()
    story.world.actions = {step: "refused"}
    paused(story)
    assert story.abort().refusal is None
    ids = [one.id for one in story.shown().steps]
    assert ids[-1] == f"undo-{DEFINE}"
    assert not any(one.startswith(f"undo-{SETUP}") for one in ids)
    assert story.confirm().refusal is None
    story.until(lambda: story.state.run is None, 300.0).live(60.0)
    assert story.state.state is State.PEER


def test_a_setup_that_is_held_before_its_test_is_ended_as_a_setup_is() -> None:
    """Given what a setup did cannot be taken back, when it is concluded before its test began,
    then this node is what it was: no management node."""
    story = begun()
    story.world.actions = {"setup-guard": "fails"}
    run = run_of(story)
    failing = tuple(
        replace(one, actions=run.plan.step(DEFINE).actions) if one.id == "setup-guard" else one
        for one in run.plan.steps
    )
    story.state = replace(story.state, run=replace(run, plan=replace(run.plan, steps=failing)))
    paused(story)
    assert run_of(story).paused_step == "setup-guard"
    assert story.conclude().refusal is None
    story.live(5.0)
    assert story.state.state is State.PEER
    assert story.state.finished[-1].kind == PlanKind.SETUP


def test_what_was_left_out_of_the_setup_leaves_its_drill_out_too() -> None:
    """Given an operator skips a step of the setup, then nobody is taken over from, and the run
    ends as a setup that was concluded."""
    story = begun()
    run = run_of(story)
    story.state = replace(
        story.state,
        run=replace(
            run,
            status=RunStatus.PAUSED,
            paused_step="setup-guard",
            steps={
                **run.steps,
                "setup-guard": replace(run.steps["setup-guard"], outcome=Outcome.NOT_DONE),
            },
        ),
    )
    assert story.skip("setup-guard").refusal is None
    assert story.retry().refusal is None
    story.until(lambda: run_of(story).status is RunStatus.PAUSED, 200.0)
    assert run_of(story).paused_step == DEFINE
    assert story.state.state is State.PEER
    assert story.conclude().refusal is None
    story.live(5.0)
    assert story.state.state is State.PEER
    assert story.state.lasting.drilled_at is None


def test_a_setup_that_was_confirmed_without_a_drill_never_takes_over() -> None:
    """Law 1: steps that are named as those of a setup before its drill make none."""
    story = begun()
    run = run_of(story)
    alone = replace(run.plan, request=PlanRequest(PlanKind.SETUP))
    kept = (SETUP, "alone")
    acting = run.plan.step(DEFINE).actions
    first = tuple(
        replace(one, actions=acting) if one.id == "setup-guard" else one
        for one in alone.steps
        if one.id.startswith(kept)
    )
    steps = {one.id: run.steps[one.id] for one in first}
    story.state = replace(
        story.state, run=replace(run, plan=replace(alone, steps=first), steps=steps)
    )
    seen = set()

    def has_ended() -> bool:
        seen.add(story.state.state)
        return story.state.run is None

    story.until(has_ended, 200.0)
    assert seen == {State.PEER}
    assert not story.state.finished[-1].is_drill


def test_a_daemon_that_died_before_the_drill_begins_it_when_it_is_told_to_go_on() -> None:
    """Given what was confirmed outlives the daemon, when it is there again, then nothing is handed
    over until the operator lets the run go on."""
    story = begun()
    set_up(story.crash()).live(60.0)
    assert run_of(story).status is RunStatus.PAUSED
    assert story.state.state is not State.TAKING_OVER
    assert story.retry().refusal is None
    story.until(lambda: story.state.state is State.TAKING_OVER, 200.0)
    story.until(lambda: story.state.run is None, 1000.0)
    assert story.state.finished[-1].is_drill


def test_a_hamnd_that_only_observes_begins_no_drill() -> None:
    story = begun()
    done = {
        key: replace(one, outcome=Outcome.DONE) if key.startswith(SETUP) else one
        for key, one in run_of(story).steps.items()
    }
    story.state = replace(
        story.state, mode=Mode.OBSERVE_ONLY, run=replace(run_of(story), steps=done)
    )
    story.live(10.0)
    assert story.state.state is State.PEER


def test_the_invariant_knows_which_confirmation_named_the_drill() -> None:
    """Given the same move of the state by a run whose card named none, then it is a violation."""
    story = begun()
    story.until(lambda: story.state.state is State.TAKING_OVER, 200.0)
    decision = next(one for one in story.decisions if one.state.state is State.TAKING_OVER)
    after = decision.state
    assert after.run is not None
    before = replace(after, state=State.PEER)
    event = Ticked(Rhythm.REACH)
    check(before, event, replace(decision, commands=(), records=()), story.terms)
    unnamed = replace(after.run.plan, request=PlanRequest(PlanKind.SETUP))
    run = replace(after.run, plan=unnamed)
    with pytest.raises(InvariantViolation, match="without a confirmation"):
        check(
            replace(before, run=run),
            event,
            replace(decision, state=replace(after, run=run), commands=(), records=()),
            story.terms,
        )


def test_the_card_names_the_drill_and_asks_for_the_new_primary() -> None:
    story = in_peer()
    plan = shown(story)
    card = " ".join(
        " ".join(render_plan(plan_document(plan, plan.created_at, story.terms.site), False)).split()
    )
    assert "SET UP aixmn2 as standby of aixmn1, then a drill" in card
    assert "hands over to aixmn2 once the pair is set up, and takes back" in card
    assert story.feed(PlanRequested(REQUEST, "anna")).refusal is None
    refusal = story.confirm(named="aixmn1").refusal
    assert refusal is not None
    assert "the new primary is aixmn2" in refusal.sentence


def test_a_primary_that_is_down_by_then_is_not_asked_to_hand_over() -> None:
    story = begun()
    story.state = replace(story.state, state=State.PRIMARY_DOWN)
    story.until(lambda: run_of(story).status is RunStatus.PAUSED, 60.0)
    assert "no drill now" in run_of(story).reason
    assert story.state.state is not State.TAKING_OVER


def with_setup_done(story: Story, status: RunStatus) -> Story:
    """All that is set up is done, and nothing of the drill has begun."""
    run = run_of(story)
    steps = {
        key: replace(one, outcome=Outcome.DONE) if key.startswith(SETUP) or key == "alone" else one
        for key, one in run.steps.items()
    }
    story.state = replace(story.state, run=replace(run, steps=steps, status=status))
    return story


def test_a_primary_that_dies_before_the_drill_of_a_paused_setup_is_down() -> None:
    story = with_setup_done(begun(), RunStatus.PAUSED).primary_down()
    assert story.state.state is State.PRIMARY_DOWN


def test_a_primary_that_is_back_is_asked_to_hand_over_once_the_setup_is_retried() -> None:
    """Given a setup whose drill found the primary down, when that answers again, then the state
    says so, and the retry begins the drill."""
    story = begun()
    alive = deepcopy(story.world)
    story.state = replace(story.state, run=replace(run_of(story), status=RunStatus.PAUSED))
    story.primary_down()
    with_setup_done(story, RunStatus.RUNNING).until(
        lambda: run_of(story).status is RunStatus.PAUSED, limit_s=60.0
    )
    assert "no drill now" in run_of(story).reason
    story.world = alive
    story.until(lambda: story.state.state is State.PEER, 120.0)
    assert story.retry().refusal is None
    story.until(lambda: story.state.state is State.TAKING_OVER, 60.0)


def test_what_goes_on_has_the_test_that_it_began_with() -> None:
    story = begun()
    story.world.actions = {"quiesce": "refused"}
    paused(story)
    assert story.plan(kind=PlanKind.SETUP, is_successor=True).refusal is None
    assert story.shown().request.with_drill
    assert DEFINE in [one.id for one in story.shown().steps]


def test_what_goes_on_gets_no_drill_that_it_began_without() -> None:
    """Given a setup without a drill is paused, when it is continued with one, then that is refused
    rather than left out in silence."""
    story = begun()
    run = run_of(story)
    alone = replace(run.plan, request=PlanRequest(PlanKind.SETUP))
    held = replace(run, plan=alone, status=RunStatus.PAUSED, paused_step="setup-guard")
    story.state = replace(story.state, run=held)
    asked = PlanRequest(PlanKind.SETUP, is_successor=True, with_drill=True)
    refusal = story.feed(PlanRequested(asked, "anna")).refusal
    assert refusal is not None
    assert "began without" in refusal.sentence


def test_only_a_setup_has_such_an_end() -> None:
    request = PlanRequest(PlanKind.SWITCHOVER, with_drill=True)
    refusal = Story().in_peer().feed(PlanRequested(request, "anna")).refusal
    assert refusal is not None
    assert "not of a switchover" in refusal.sentence


def test_what_a_person_types_names_the_node() -> None:
    assert BY_HAND == "rmdef -t node -o hamndtest"
