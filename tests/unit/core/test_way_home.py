"""Runs of two halves, `failback` and `drill`: what ends them, restarts in their middle, epochs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.drafting import draft_of
from hamnd.core.plans.homeward import build_failback
from hamnd.core.progress import Run, Stage
from hamnd.core.replication import Finding, Rejoin, Way
from hamnd.core.turn import Turn
from hamnd.model.epoch import Epoch, EpochDoubt
from hamnd.model.names import PlanKind, RunStatus, State, Status
from hamnd.model.plan import HOME, PlanRequest
from hamnd.model.work import Exec
from tests.unit.core.builders import at
from tests.unit.core.story import Story

TARGET = {PlanKind.FAILBACK: "aixmn1"}


def switched() -> Story:
    """This node became the management node in order; the partner follows."""
    story = begun(Story().in_peer(), PlanKind.SWITCHOVER)
    return story.until(lambda: story.state.run is None, 200.0).live(30.0)


def begun(story: Story, kind: PlanKind, is_successor: bool = False) -> Story:
    assert story.plan(kind=kind, is_successor=is_successor).refusal is None
    assert story.confirm(named=TARGET.get(kind, "aixmn2")).refusal is None
    return story


def final(story: Story) -> Story:
    """No promotion of the run can be taken back, as with most engines."""
    run = run_of(story)
    steps = tuple(replace(one, reversible=not one.id.endswith("promote")) for one in run.plan.steps)
    story.state = replace(story.state, run=replace(run, plan=replace(run.plan, steps=steps)))
    return story


def run_of(story: Story) -> Run:
    assert story.state.run is not None
    return story.state.run


def held(story: Story, kind: PlanKind, step: str, how: str = "fails") -> Story:
    """A run that is held at a step, whose cause is gone since."""
    story.world.actions = {step: how}
    return paused(begun(story, kind))


def paused(story: Story) -> Story:
    story.until(lambda: run_of(story).status is RunStatus.PAUSED, 600.0)
    story.world.actions = {}
    return story.live(5.0)


# ---- what ends them ----------------------------------------------------------------------------
def test_a_first_half_that_promoted_for_good_is_concluded_as_a_switchover_is() -> None:
    story = Story().in_peer()
    story.world.actions = {"release": "fails"}
    paused(final(begun(story, PlanKind.DRILL)))
    assert run_of(story).paused_step == "release"
    assert story.conclude().refusal is None
    story.live(5.0)
    assert (story.state.state, story.state.run) == (State.ACTIVE, None)
    assert "release" in story.state.finished[-1].open_steps


@pytest.mark.parametrize("step", ["home-quiesce", "home-promote"])
def test_a_way_home_that_promoted_nobody_is_aborted_and_not_concluded(step: str) -> None:
    story = held(switched(), PlanKind.FAILBACK, step, "refused")
    assert run_of(story).paused_step == step
    refusal = story.conclude().refusal
    assert refusal is not None
    assert (refusal.gate, refusal.hint) == ("no-return", "hamnctl abort --reason …")
    assert story.abort().refusal is None
    assert story.confirm().refusal is None
    story.until(lambda: story.state.run is None, 300.0).live(60.0)
    assert story.state.state is State.ACTIVE
    assert {"xcatd", "dns", "dhcp"} <= story.world.running


def test_what_is_looked_at_over_there_has_time_for_its_connection_too() -> None:
    """A ping from the partner is asked for over ssh: cut off, it would tell nothing."""
    story = begun(switched(), PlanKind.FAILBACK)
    connect_s = story.terms.site.ssh.connect_timeout_s
    looks = [
        look
        for step in run_of(story).plan.steps
        if step.id.startswith(HOME)
        for look in (*step.readiness, *step.preconditions, *step.postconditions, *step.undone)
        if isinstance(look.request, Exec) and look.request.host == "aixmn1"
    ]
    assert min(look.timeout_s for look in looks) > connect_s + 1.0


def test_a_way_home_that_promoted_the_partner_is_concluded() -> None:
    story = held(switched(), PlanKind.FAILBACK, "home-release")
    assert run_of(story).paused_step == "home-release"
    assert story.conclude().refusal is None


@pytest.mark.parametrize(
    ("is_skipped", "said"), [(False, "is verified"), (True, "its verification was skipped")]
)
def test_a_first_half_is_called_verified_only_if_it_was(is_skipped: bool, said: str) -> None:
    story = held(Story().in_peer(), PlanKind.DRILL, "release")
    if is_skipped:
        assert story.skip("verify").refusal is None
    assert story.retry().refusal is None
    story.until(lambda: story.state.state is State.ACTIVE, 400.0)
    assert said in story.state.changes[-1].because


# ---- restarts in their middle ------------------------------------------------------------------
@pytest.mark.parametrize("is_final", [False, True], ids=["reversible", "final"])
@pytest.mark.parametrize(
    ("kind", "step", "ends"),
    [
        (PlanKind.SWITCHOVER, "promote", State.ACTIVE),
        (PlanKind.FAILBACK, "home-promote", State.PEER),
        (PlanKind.DRILL, "promote", State.PEER),
        (PlanKind.DRILL, "home-stop", State.PEER),
        (PlanKind.DRILL, "home-promote", State.PEER),
        (PlanKind.DRILL, "home-identity", State.PEER),
    ],
)
@pytest.mark.parametrize("boot", ["boot-9", ""], ids=["reboot", "restart"])
def test_a_restart_in_the_middle_is_led_out_by_retry(
    kind: PlanKind, step: str, ends: State, boot: str, is_final: bool
) -> None:
    story = switched() if kind is PlanKind.FAILBACK else Story().in_peer()
    begun(story, kind)
    if is_final:
        final(story)
    story.until(lambda: story.outcome(step) == "done", 400.0)
    story.crash(20.0, boot=boot).live(20.0)
    for _ in range(3):  # it may be held once for what only this one machine shows
        if story.state.run is None:
            break
        assert story.retry().refusal is None
        story.until(
            lambda: story.state.run is None or story.state.run.status is RunStatus.PAUSED, 400.0
        )
    assert story.state.run is None, run_of(story).reason
    story.live(60.0)
    assert story.state.state is ends


# ---- epochs ------------------------------------------------------------------------------------
@pytest.mark.parametrize("step", ["quiesce", "epoch"])
def test_a_drill_that_goes_on_before_its_first_epoch_has_one_number_for_each_owner(
    step: str,
) -> None:
    story = held(Story().in_peer(), PlanKind.DRILL, step)
    begun(story, PlanKind.DRILL, is_successor=True)
    claims = {one.id: one.claims for one in run_of(story).plan.steps if one.claims is not None}
    first, second = claims["epoch"], claims[f"{HOME}epoch"]
    assert (first.owner, second.owner) == ("aixmn2", "aixmn1")
    assert second.number == first.number + 1
    story.until(lambda: story.state.run is None, 600.0).live(60.0)
    assert story.state.state is State.PEER
    assert story.state.epoch is not None
    assert (story.state.epoch.number, story.state.epoch.owner) == (second.number, "aixmn1")


@pytest.mark.parametrize(
    ("step", "stage"),
    [
        ("home-stop", Stage.ALREADY),
        ("home-stop", Stage.ACTING),
        ("home-quiesce", Stage.BEFORE),
        ("home-quiesce", Stage.ACTING),
    ],
)
def test_a_way_home_is_held_before_its_next_action_when_another_may_serve(
    step: str, stage: Stage
) -> None:
    story = begun(switched(), PlanKind.FAILBACK)
    story.until(lambda: run_of(story).steps[step].stage is stage, 300.0)
    story.state = replace(story.state, epoch=Epoch(9, "sn01", "-"))
    story.live(5.0)
    assert run_of(story).status is RunStatus.PAUSED
    assert story.state.doubt is EpochDoubt.SUPERSEDED


# ---- what it loses -----------------------------------------------------------------------------
def test_a_failback_tells_what_its_rejoin_keeps_besides_what_is_handed_over() -> None:
    story = switched()
    unprotected = replace(story.state.assessment, is_protected=Status.FALSE)
    turn = Turn(replace(story.state, assessment=unprotected), at(story.now_s), story.terms)
    draft = draft_of(turn, PlanRequest(PlanKind.FAILBACK))
    found = Finding(rejoin=Rejoin(Way.RESEED, "5000", "bytes 5000 to 7000"))
    draft = replace(draft, question=replace(draft.question, finding=found))
    basis = build_failback(draft).loss.basis
    assert basis[-1].startswith("the primary hands over")
    assert "only over there: bytes 5000 to 7000" in basis
