"""A night that failed is kept as a short schedule, and played again for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.play import play
from tests.sim.schedule import read, shorter, written
from tests.sim.universe import FaultKind, Universe, draw, plain

NIGHTS = sorted((Path(__file__).parent / "nights").glob("*.json"))


def test_a_schedule_is_read_as_it_was_written() -> None:
    for seed in range(50):
        drawn = draw(seed)
        again = read(written(drawn))
        assert written(again) == written(drawn)
        assert (again.faults, again.crashes) == (drawn.faults, drawn.crashes)
        assert again.terms.site == drawn.terms.site


def test_of_a_failing_schedule_only_what_makes_it_fail_remains() -> None:
    """Given a night of many troubles that fails when the primary is killed and its controller does
    not do as it is told, when it is made shorter, then only that is left of it."""

    def fails(universe: Universe) -> bool:
        kinds = [fault.kind for fault in universe.faults]
        return FaultKind.KILL in kinds and FaultKind.CONTROLLER in kinds

    seed = next(seed for seed in range(1000) if fails(draw(seed)) and len(draw(seed).faults) > 3)
    least = shorter(draw(seed), fails)
    assert [fault.kind for fault in least.faults] in (
        [FaultKind.KILL, FaultKind.CONTROLLER],
        [FaultKind.CONTROLLER, FaultKind.KILL],
    )
    calm = plain(faults=least.faults, terms=least.terms, seed=seed)
    assert least.crashes == calm.crashes
    assert (least.mood, least.character, least.skew_s) == (calm.mood, calm.character, calm.skew_s)
    assert least.terms.policy == plain().terms.policy


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.stem)
def test_a_night_that_once_failed_ends_well(night: Path) -> None:
    play(read(night.read_text()))
