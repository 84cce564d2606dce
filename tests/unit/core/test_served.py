"""An active node says when it does not serve: its own xcatd is asked as often as its database."""

from __future__ import annotations

from hamnd.model.health import Condition
from hamnd.model.names import State, Status
from tests.unit.core.story import Story


def active() -> Story:
    """This node took over, and serves."""
    story = Story().primary_down()
    story.plan()
    assert story.confirm().refusal is None
    return story.until(lambda: story.state.state is State.ACTIVE).live(15.0)


def serves(story: Story) -> Condition:
    found = story.state.assessment.condition("Serves")
    assert found is not None
    return found


def test_an_xcatd_that_died_on_the_management_node_is_told_within_two_rounds() -> None:
    story = active()
    assert serves(story).status is Status.TRUE
    running = story.world.running
    story.world.running = running - {"xcatd"}
    story.live(2 * story.terms.policy.replication_interval_s)
    assert serves(story).status is Status.FALSE
    assert serves(story).message.startswith("its xcatd is not running: ")
    story.world.running = running
    story.live(2 * story.terms.policy.replication_interval_s)
    assert serves(story).status is Status.TRUE


def test_a_standby_asks_no_xcatd_of_its_own() -> None:
    story = Story().in_peer()
    assert "own_xcatd" not in story.state.timing.last_sent
    assert story.state.assessment.condition("Serves") is None
