"""A primary whose xcatd is broken is handed over when that gate is overridden."""

from __future__ import annotations

from hamnd.model.names import PlanKind, Probe, State
from tests.unit.core.story import Story, story_terms


def test_who_overrides_that_xcatd_does_not_serve_over_there_is_not_held_by_it() -> None:
    """Given mn1's xcatd refusing requests, its database and sshd well, when a switchover is
    confirmed, then it is refused for that; the gate named, it comes to its end."""
    terms = story_terms()
    story = Story(terms).with_policy(service_down_after_s=10_000.0).in_peer()
    story.world.there.running.remove("xcatd")
    story.world.probes = {**story.world.probes, Probe.XCATD: "refused"}
    story.live(12.0)
    assert story.state.state is State.DEGRADED
    story.plan(kind=PlanKind.SWITCHOVER)
    refusal = story.confirm().refusal
    assert refusal is not None
    assert refusal.gate == "partner"
    story.plan(kind=PlanKind.SWITCHOVER, overrides=("partner",))
    assert story.confirm().refusal is None
    story.until(lambda: story.state.state is State.ACTIVE, 300.0)
    assert story.world.there.running.isdisjoint({"xcatd", "dns", "dhcp", "consoles"})
