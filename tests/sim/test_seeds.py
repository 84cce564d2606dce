"""Two hundred nights, each drawn from a seed: first everything breaks, then all must end well.

`python -m tests.sim SEED` tells the story of one night. Run with `-s` to see what was explored.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field

import pytest

from hamnd.core.table import TABLE
from hamnd.model.names import State
from tests.sim.play import Outcome, play
from tests.sim.universe import draw

SEEDS = range(200)
CHUNKS = 10
"""Tests that share the seeds, so that a failure names its neighbourhood and workers can share."""


@dataclass
class Explored:
    """What all seeds together have seen."""

    seeds: int = 0
    events: int = 0
    steps: int = 0
    seconds: float = 0.0
    checks: int = 0
    actions: int = 0
    unknown: int = 0
    refusals: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    excuses: Counter[str] = field(default_factory=Counter)
    excused: int = 0
    """Nights in which some risk was taken by a person or a lying device."""
    verdicts: Counter[str] = field(default_factory=Counter)
    variants: Counter[str] = field(default_factory=Counter)
    examined: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        counts = outcome.laws.counts
        self.seeds += 1
        self.events += outcome.events
        self.steps += outcome.steps
        self.seconds += outcome.seconds
        self.checks += counts.checks
        self.actions += counts.actions
        self.unknown += counts.unknown_actions
        self.refusals += counts.refusals
        self.ends[outcome.state.value] += 1
        self.rows += counts.rows
        self.excuses += counts.excuses
        self.excused += bool(counts.excuses)
        self.verdicts += counts.verdicts
        self.variants += counts.variants
        self.examined += counts.examined

    def tell(self) -> str:
        def words(counter: Counter[str]) -> str:
            return ", ".join(f"{key} {count}" for key, count in sorted(counter.items()))

        return (
            f"\n{self.seeds} nights, {self.seconds / 3600:.1f} h of virtual time: "
            f"{self.events} events, {self.steps} decisions, {self.checks} checks of the truth\n"
            f"  ended: {words(self.ends)}\n"
            f"  {self.actions} actions, {self.unknown} with unknown outcome, "
            f"{self.refusals} refused requests\n"
            f"  rows of the table: {words(self.rows)}\n"
            f"  promotions confirmed: {words(self.variants)}; promised: {words(self.verdicts)}\n"
            f"  actual losses compared with the truth: {words(self.examined)}\n"
            f"  laws excused in {self.excused} nights: {words(self.excuses)}\n"
        )


@pytest.fixture(scope="module")
def explored() -> Explored:
    return Explored()


@pytest.mark.sim
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_seed_breaks_a_law_and_every_seed_ends(chunk: int, explored: Explored) -> None:
    for seed in SEEDS[chunk::CHUNKS]:
        outcome = play(draw(seed))
        assert outcome.state in (State.ACTIVE, State.PEER)
        explored.add(outcome)


@pytest.mark.sim
def test_the_seeds_see_enough_of_the_world(explored: Explored) -> None:
    """Laws that nothing tempts prove nothing."""
    sys.stdout.write(explored.tell())
    if explored.seeds < len(SEEDS):
        pytest.skip("the seeds ran elsewhere")
    by_hand = {"T12", "T13", "T14", "T15"}
    asserted = {"T19", "T20", "T21"}  # what becomes of an epoch is told in tests/scenarios
    planned = {"T31", "T32"}  # nobody hands over in these nights: tests/scenarios, tests/lab
    missing = {row.id for row in TABLE} - by_hand - asserted - planned - set(explored.rows)
    assert not missing, f"no seed ever took {missing}"
    assert by_hand & set(explored.rows), "nobody ever promoted at the console"
    assert {"graceful", "peer-window-only", "force-after-proof", "accepted-force"} <= set(
        explored.variants
    )
    assert explored.examined["zero"] >= 10
    assert explored.unknown >= 10
    assert explored.ends["Active"] >= 50
    assert explored.ends["Peer"] >= 20
    assert explored.excused < len(SEEDS) / 2


def test_a_seed_tells_the_same_story_twice() -> None:
    first, second = play(draw(7)), play(draw(7))
    assert first.transcript.lines == second.transcript.lines
    assert first.transcript.lines


def test_a_seed_tells_the_same_story_whatever_the_order_of_sets() -> None:
    """`step()` may not hang on the order in which Python happens to keep a set.

    Seed 9 once ended well in one process and never in another.
    """

    def tell(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "tests.sim", "9"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout

    assert len({tell("0"), tell("1"), tell("5")}) == 1
