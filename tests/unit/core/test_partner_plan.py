"""A plan that the partner's hamnd left in the middle forbids a takeover, until it is overridden."""

from __future__ import annotations

from hamnd.model.names import Probe, State, Verdict
from tests.unit.core.story import Story


def verdict(story: Story) -> Verdict:
    return next(one.verdict for one in story.shown().gates if one.name == "idle")


def test_a_plan_that_was_left_over_there_can_be_overridden_by_name() -> None:
    """Given mn1's xcatd fails and its sshd tells of a plan that is held there, when a takeover is
    confirmed, then it is refused for that; named, it goes on without asking mn1 once more."""
    story = Story().in_peer()
    story.world.runs["aixmn1"] = "setup paused"
    story.world.probes[Probe.XCATD] = "refused"
    story.until(lambda: story.state.state is State.PRIMARY_DOWN, 300.0)
    story.plan()
    assert verdict(story) is Verdict.BLOCK
    refusal = story.confirm().refusal
    assert refusal is not None
    assert refusal.gate == "idle"
    story.plan(overrides=("idle",))
    assert verdict(story) is Verdict.OVERRIDDEN
    assert "alone" not in [one.id for one in story.shown().steps]
    assert story.confirm().refusal is None
    story.until(lambda: story.state.state is State.ACTIVE)
