"""FuseClear: on the active node nothing may be armed that belongs to a standby."""

from __future__ import annotations

from hamnd.model.health import Condition
from hamnd.model.names import State, Status
from tests.unit.core.story import Story

COPY = "*/30 * * * * rsync -a root@aixmn1:/install/ /install/\n"


def fuse(story: Story) -> Condition | None:
    return story.state.assessment.condition("FuseClear")


def active() -> Story:
    story = Story()
    story.world.crontabs[None] = COPY
    story.taking_over()
    story.until(lambda: story.state.state is State.ACTIVE)
    return story.live(70.0)


def test_after_a_takeover_the_fuse_is_clear() -> None:
    found = fuse(active())
    assert found is not None
    assert (found.status, found.reason) == (Status.TRUE, "Clear")


def test_a_copy_that_somebody_arms_again_is_named_with_what_to_do() -> None:
    story = active()
    story.world.crontabs[None] = COPY
    story.live(70.0)
    found = fuse(story)
    assert found is not None
    assert (found.status, found.reason) == (Status.FALSE, "Armed")
    assert "rsync" in found.message
    assert "-> disarm it here" in found.message
    story.world.crontabs[None] = ""
    story.live(70.0)
    found = fuse(story)
    assert found is not None
    assert found.status is Status.TRUE


def test_on_a_standby_such_jobs_are_what_step_fuse_is_for() -> None:
    story = Story()
    story.world.crontabs[None] = COPY
    story.in_peer()
    assert fuse(story) is None
