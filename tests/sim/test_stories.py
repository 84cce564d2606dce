"""Nights with a known end: what must never be called death, and what must."""

from __future__ import annotations

import pytest

from hamnd.core.policy import Policy, Terms
from hamnd.model.names import Cause, Mode, State
from tests.sim.play import Play
from tests.sim.universe import Fault, FaultKind, plain, site, witnesses


def terms(count: int = 2, **policy: object) -> Terms:
    numbers: dict[str, object] = {"witnesses_min": min(count, 1), **policy}
    return Terms(site(witnesses=witnesses(count)), Policy(**numbers))  # type: ignore[arg-type]  # fields by name


def states_of(story: Play) -> list[State]:
    story.run()
    return [change.target for change in story.daemon.state.changes]


def play_to(story: Play, state: State) -> None:
    story.begin()
    while story.daemon.state.state is not state:
        assert story.heap.now - story.heap.began < 190.0, story.transcript.tail()
        story.step()


def test_a_cut_between_the_pair_alone_is_no_death_even_where_no_witness_is_demanded() -> None:
    cut = (Fault(FaultKind.CUT_PAIR, 20.0),)
    for least in (0, 1):
        story = Play(plain(faults=cut, heal_at_s=60.0, terms=terms(witnesses_min=least)))
        assert State.PRIMARY_DOWN not in states_of(story)


def test_a_standby_that_is_cut_off_calls_nobody_dead() -> None:
    story = Play(plain(faults=(Fault(FaultKind.CUT_STANDBY, 20.0),), heal_at_s=60.0))
    assert State.PRIMARY_DOWN not in states_of(story)


@pytest.mark.sim
@pytest.mark.timeout(300)
def test_an_hour_of_a_slow_and_lossy_network_raises_no_false_alarm() -> None:
    """800 ms added to the round trip and 30 % loss, default settings (design §11)."""
    faults = (
        Fault(FaultKind.SLOW, 15.0, None, 0.8),
        Fault(FaultKind.LOSS, 15.0, None, 0.3),
    )
    night = plain(faults=faults, heal_at_s=3600.0, end_at_s=3900.0, terms=terms(3))
    story = Play(night)
    assert State.PRIMARY_DOWN not in states_of(story)


@pytest.mark.parametrize("kind", [FaultKind.FREEZE, FaultKind.FREEZE_SOLID])
def test_a_frozen_primary_is_fenced_and_taken_over(kind: FaultKind) -> None:
    story = Play(plain(faults=(Fault(kind, 20.0),), heal_at_s=200.0))
    play_to(story, State.PRIMARY_DOWN)
    expected = Cause.FROZEN if kind is FaultKind.FREEZE else Cause.HOST
    assert story.daemon.state.cause is expected
    play_to(story, State.ACTIVE)
    assert story.ground.power("aixmn1").value == "off"


def test_a_death_is_called_one_within_the_time_that_policy_sets() -> None:
    """Budget: two seconds over `down_after_s`, and at most six in all (design §11)."""
    story = Play(plain(terms=terms(2), heal_at_s=200.0))
    play_to(story, State.PRIMARY_DOWN)
    took_s = story.heap.now - story.heap.began - 20.0
    assert took_s <= Policy().down_after_s + 2.0


def test_a_slow_journal_in_a_takeover_ends_well_once_somebody_clears_it() -> None:
    """Given a takeover under way, when a page takes too long, then hamnd only observes, and goes on
    with the operator's word."""
    story = Play(plain(heal_at_s=200.0))
    play_to(story, State.TAKING_OVER)
    story.daemon.halt()
    assert story.daemon.state.mode_reason == "the journal is slow"
    play_to(story, State.ACTIVE)
    assert story.daemon.state.mode is Mode.NORMAL
