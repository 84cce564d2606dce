"""Somebody sets this node's clock in the middle of the night: what it proved is proof no more."""

from __future__ import annotations

import pytest

from hamnd.model.names import LossVerdict
from tests.unit.core.story import Story


def proven_off(clock_s: float) -> Story:
    """Dead at 20, our clock set, and the controller says off only long after the window's end."""
    story = Story()
    story.world.fence = "unreadable"
    story.in_peer()
    story.world.die()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    story.set_clock(clock_s)
    story.live(400.0)
    story.world.fence = "off"
    return story.live(20.0)


def test_off_long_after_the_window_is_bounded() -> None:
    assert proven_off(0.0).state.assessment.loss.verdict is LossVerdict.BOUNDED


@pytest.mark.parametrize("clock_s", [-600.0, -5.0, 5.0, 600.0])
def test_on_a_clock_that_was_set_nothing_is_proven_and_nothing_bounded(clock_s: float) -> None:
    loss = proven_off(clock_s).state.assessment.loss
    assert loss.verdict in (LossVerdict.ZERO_LIKELY, LossVerdict.UNKNOWN)


def test_once_the_clocks_are_compared_again_the_proof_counts_again() -> None:
    story = Story().in_peer()
    story.set_clock(-3.0)
    story.live(30.0)
    story.world.die()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    story.world.power_off()
    story.live(10.0)
    assert story.state.assessment.loss.verdict is LossVerdict.ZERO_PROVEN
