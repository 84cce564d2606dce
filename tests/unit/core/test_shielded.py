"""Shielded: what refuses a returned old primary is up until it rejoined, or is told to be down."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Terms
from hamnd.model.health import Condition
from hamnd.model.names import PlanKind, State, Status
from hamnd.model.site import Shield
from tests.unit.core.story import Story, story_terms


def shielding() -> Terms:
    terms = story_terms()
    return replace(terms, site=replace(terms.site, shield=Shield(packets=True)))


def shielded(story: Story) -> Condition | None:
    return story.state.assessment.condition("Shielded")


def active(terms: Terms) -> Story:
    story = Story(terms).taking_over()
    story.until(lambda: story.state.state is State.ACTIVE)
    return story.live(70.0)


def status(story: Story) -> Status | None:
    found = shielded(story)
    return None if found is None else found.status


def test_a_shield_that_a_reboot_or_a_flush_took_down_is_told_and_put_up_again_by_a_plan() -> None:
    """Given mn2 took over, when its packet filter was flushed, then the condition says so and names
    the plan; when that is confirmed, the shield is up again."""
    story = active(shielding())
    assert status(story) is Status.TRUE
    story.world.running.remove("shield")
    story.live(70.0)
    found = shielded(story)
    assert found is not None
    assert (found.status, "no shield is up" in found.message) == (Status.FALSE, True)
    assert found.message.endswith(
        "-> hamnctl plan resume while the old primary is off, hamnctl plan rejoin once it is back"
    )
    story.plan(kind=PlanKind.RESUME)
    story.confirm()
    story.until(lambda: story.state.run is None)
    assert "shield" in story.world.running
    story.live(70.0)
    assert status(story) is Status.TRUE


def test_nothing_is_said_of_a_shield_before_a_takeover_nor_where_the_site_has_none() -> None:
    assert shielded(Story(shielding()).in_peer().live(70.0)) is None
    assert shielded(active(story_terms())) is None


def test_a_standby_in_order_is_not_refused_when_its_primary_is_brought_up_again() -> None:
    """Given mn1 rejoined after the takeover, when mn2 is resumed, with mn1 there or still off, then
    nothing shuts mn1 out of the database that it follows."""
    story = active(shielding())
    rejoined = replace(story.state.finished[-1], kind=PlanKind.REJOIN.value, digest="0000-0001")
    story.state = replace(story.state, finished=(*story.state.finished, rejoined))
    plan = story.plan(kind=PlanKind.RESUME).answer
    assert plan is not None
    assert "shield" not in [one.id for one in plan.steps]
    assert "shield" not in [name for one in plan.steps for name in (*one.after, *one.depends_on)]
