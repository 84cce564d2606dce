"""Every way that few moves lead: no law is broken on it, and an operator gets out of each moment.

Owns how deep is searched. How many moments and moves were explored is said at the end of the tests;
HAMND_DEPTH searches deeper (`make proofs`).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.conftest import EXPLORED
from tests.proof.ways import (
    ACTING,
    ROOTS,
    TAKEOVERS,
    crash_before_it_is_done,
    crash_everywhere,
    explore,
    is_at_rest,
    way_out,
)

DEPTH = int(os.environ.get("HAMND_DEPTH", "1"))


@pytest.mark.sim
@pytest.mark.timeout(0)
@pytest.mark.parametrize("root", ROOTS)
def test_no_way_breaks_a_law_and_out_of_every_moment_leads_one(
    root: str, record_property: Callable[[str, object], None]
) -> None:
    """Given a moment of a pair's life, when anything that may happen happens, in any order, then
    the onlooker sees no law broken, and whoever does what hamnd offers ends served."""
    explored = explore(DEPTH, (root,))
    record_property(
        EXPLORED,
        f"{root}: {len(explored.moments)} moments, {explored.edges} moves, "
        f"{', '.join(f'{name} {count}' for name, count in sorted(explored.by_state.items()))}",
    )
    assert len(explored.moments) > 10
    for moment in explored.moments:
        assert is_at_rest(way_out(moment))


@pytest.mark.sim
@pytest.mark.parametrize("root", TAKEOVERS)
def test_a_crash_at_every_decision_of_a_takeover_ends_the_same(root: str) -> None:
    """Given a takeover at a step, when hamnd dies after any of the next decisions and the operator
    retries, then the run ends as the one that nobody disturbed."""
    crash_everywhere(root)


@pytest.mark.sim
@pytest.mark.parametrize("step", ACTING)
def test_what_had_done_nothing_yet_when_hamnd_died_is_done_in_the_end(step: str) -> None:
    """Given an action that did nothing yet, when hamnd dies with it and the operator retries, then
    the run ends as the one that nobody disturbed."""
    crash_before_it_is_done(step)
