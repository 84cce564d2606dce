"""What survives a restart comes back as it was; anything else is refused as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamnd.core.health.watch import FenceReading, OffSeries, Watch
from hamnd.core.sampling import sample_fact
from hamnd.core.snapshot import dump, durable, restore
from hamnd.core.state import NodeState
from hamnd.model.names import FenceGrade, Mode, Outcome
from tests.unit.core.builders import act, at, sample
from tests.unit.core.story import Story


def paused() -> Story:
    story = Story()
    story.world.actions["dhcp"] = "fails"
    story.taking_over().live(30.0)
    assert story.outcome("dhcp") == "not_done"
    return story


def concluded() -> Story:
    story = paused()
    assert story.conclude().refusal is None
    return story


def undoing() -> Story:
    story = Story()
    story.world.actions["fence"] = "fails"
    story.taking_over().live(30.0)
    story.abort()
    assert story.confirm().refusal is None
    return story


def halted() -> Story:
    story = Story().primary_down()
    state = replace(story.state, mode=Mode.OBSERVE_ONLY, mode_reason="journal slow")
    story.state = state
    return story


SITUATIONS: dict[str, Callable[[], Story]] = {
    "new": Story,
    "starting": lambda: Story().begin(),
    "peer": lambda: Story().in_peer(),
    "down": lambda: Story().primary_down(),
    "fencing": lambda: Story().taking_over("fence"),
    "promoting": lambda: Story().taking_over("promote"),
    "in_parallel": lambda: Story().taking_over("dns"),
    "paused": paused,
    "concluded": concluded,
    "undoing": undoing,
    "active": lambda: Story().taking_over().live(30.0),
    "halted": halted,
}


@pytest.fixture(scope="module", params=SITUATIONS)
def state(request: pytest.FixtureRequest) -> NodeState:
    return SITUATIONS[request.param]().state


def test_what_is_durable_comes_back_as_it_was(state: NodeState) -> None:
    again = restore(dump(state), {})
    assert durable(state) == durable(again)
    assert dump(state) == dump(again)


def test_a_run_comes_back_with_its_actions_and_looks(state: NodeState) -> None:
    again = restore(dump(state), {})
    assert (state.run is None) is (again.run is None)
    if state.run is not None and again.run is not None:
        assert state.run.plan == again.run.plan


def test_nothing_monotonic_reaches_the_disk(state: NodeState) -> None:
    assert "monotonic" not in dump(state)


def test_what_is_observed_begins_again(state: NodeState) -> None:
    watch = restore(dump(state), {}).watch
    assert watch.tracks == {}
    assert watch.replication is None
    assert watch.off is None


def test_a_liar_is_remembered_and_no_act_that_proved_the_primary_off() -> None:
    watch = Watch(
        lie="ping was answered",
        off=OffSeries(at(1.0), at(2.0), at(2.0)),
        fence=(FenceReading(True, at(2.0), "off"),),
        acts=(act(FenceGrade.AGENT_OFF, 3.0),),
        first_off=4.0,
    )
    again = restore(dump(NodeState(watch=watch)), {}).watch
    assert (again.lie, again.first_off, again.first_off_moment) == (watch.lie, 4.0, None)
    assert again.acts == ()


def test_a_document_from_before_a_field_was_added_is_still_read() -> None:
    document = json.loads(dump(NodeState()))
    del document["lie"]
    assert restore(json.dumps(document), {}).watch.lie == ""


# ---- the journal's memory ----------------------------------------------------------------------
def remembered(wall: float) -> dict[str, tuple[str, float]]:
    fact = sample_fact(Watch(sample=sample(wall), frozen_window_end=int(wall)))
    assert fact is not None
    return {"sample": (fact, wall)}


def test_the_newer_of_two_samples_counts() -> None:
    kept = NodeState(watch=Watch(sample=sample(50.0), frozen_window_end=170))
    newer = restore(dump(kept), remembered(90.0)).watch
    assert (newer.sample, newer.frozen_window_end) == (sample(90.0), 90)
    older = restore(dump(kept), remembered(10.0)).watch
    assert (older.sample, older.frozen_window_end) == (sample(50.0), 170)


def test_a_window_that_was_found_void_does_not_come_back_from_memory() -> None:
    kept = NodeState(watch=Watch(sample=sample(50.0), frozen_window_end=None))
    assert restore(dump(kept), remembered(50.0)).watch.frozen_window_end is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", "null", '{"frozen_window_end": 1}', "\x00"])
def test_a_damaged_fact_is_as_good_as_none(text: str) -> None:
    kept = NodeState(watch=Watch(sample=sample(50.0), frozen_window_end=170))
    assert restore(dump(kept), {"sample": (text, 0.0)}).watch.sample == sample(50.0)


# ---- damage ------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", "3", '"x"', "[" * 100_000])
def test_what_is_no_document_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="state document"):
        restore(text, {})


def test_a_document_of_another_format_is_a_value_error() -> None:
    document = json.loads(dump(NodeState()))
    with pytest.raises(ValueError, match="format 2"):
        restore(json.dumps({**document, "format": 2}), {})


def test_a_run_whose_steps_are_not_its_plans_is_a_value_error() -> None:
    document = json.loads(dump(paused().state))
    del document["run"]["steps"]["dhcp"]
    with pytest.raises(ValueError, match="steps"):
        restore(json.dumps(document), {})


def test_a_step_that_points_past_its_actions_is_a_value_error() -> None:
    document = json.loads(dump(paused().state))
    document["run"]["steps"]["dhcp"]["index"] = 9
    with pytest.raises(ValueError, match="dhcp"):
        restore(json.dumps(document), {})


def test_taking_over_without_a_run_is_a_value_error() -> None:
    document = json.loads(dump(paused().state))
    with pytest.raises(ValueError, match="without a run"):
        restore(json.dumps({**document, "run": None}), {})


GOOD = json.loads(dump(paused().state))
JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        inner = [path for key in value for path in paths(value[key], (*here, key))]
    elif isinstance(value, list):
        inner = [path for n, one in enumerate(value) for path in paths(one, (*here, n))]
    return [here, *inner] if here else inner


PATHS = paths(GOOD)


@given(path=st.sampled_from(PATHS), junk=JUNK, gone=st.booleans())
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
def test_damage_anywhere_is_refused_or_read_but_never_anything_else(
    path: tuple[Any, ...], junk: Any, gone: bool
) -> None:
    document = json.loads(json.dumps(GOOD))
    place = document
    for key in path[:-1]:
        place = place[key]
    if gone:
        del place[path[-1]]
    else:
        place[path[-1]] = junk
    try:
        state = restore(json.dumps(document), {})
    except ValueError:
        return
    assert dump(state)
    run = state.run
    assert run is None or all(isinstance(one.outcome, Outcome) for one in run.steps.values())
