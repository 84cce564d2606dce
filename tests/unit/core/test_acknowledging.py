"""Acknowledging: a second takeover within the window needs somebody who looked at the first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.events import AckRequested
from hamnd.core.state import FinishedRun, Refusal
from hamnd.model.names import State, Verdict
from hamnd.model.plan import GateResult
from tests.unit.core.story import Story

DIGEST = "7f3a-91c2"


def earlier(kind: str = "takeover", status: str = "done", hours_ago: float = 3.0) -> Story:
    """The primary is down, and a run ended here some hours ago."""
    story = Story().primary_down()
    ended = story.now.wall_s - hours_ago * 3600
    one = FinishedRun(DIGEST, kind, status, ended - 90, ended)
    story.state = replace(story.state, finished=(one,))
    return story


def gate_of(story: Story) -> GateResult | None:
    plan = story.plan().answer
    assert plan is not None
    return next((one for one in plan.gates if one.name == "acknowledged"), None)


def ack(story: Story, digest: str = DIGEST) -> Refusal | None:
    return story.feed(AckRequested(digest, "anna")).refusal


def test_a_second_takeover_within_the_window_is_refused_until_the_first_is_acknowledged() -> None:
    story = earlier()
    gate = gate_of(story)
    assert gate is not None
    assert gate.verdict is Verdict.BLOCK
    assert f"hamnctl ack {DIGEST}" in gate.clear
    refusal = story.confirm().refusal
    assert refusal is not None
    assert refusal.gate == "acknowledged"
    assert ack(story) is None
    assert gate_of(story) == GateResult(
        "acknowledged", Verdict.PASS, f"anna acknowledged takeover {DIGEST}"
    )
    assert story.confirm().refusal is None
    story.until(lambda: story.state.state is State.ACTIVE)


def test_who_acknowledged_survives_a_restart() -> None:
    story = earlier()
    ack(story)
    story.crash()
    (one,) = story.state.finished
    assert one.acknowledged_by == "anna"
    assert [one.what for one in story.records].count("takeover_acknowledged") == 1


def test_the_gate_can_be_overridden_by_name() -> None:
    story = earlier()
    story.plan(overrides=("acknowledged",))
    assert story.confirm().refusal is None


@pytest.mark.parametrize(
    ("kind", "status", "hours_ago"),
    [
        ("takeover", "done", 25.0),
        ("takeover", "aborted", 1.0),
        ("switchover", "done", 1.0),
        ("resume", "done", 1.0),
    ],
)
def test_nothing_else_asks_for_it(kind: str, status: str, hours_ago: float) -> None:
    assert gate_of(earlier(kind, status, hours_ago)) is None


def test_a_concluded_takeover_asks_for_it_too() -> None:
    assert gate_of(earlier(status="concluded")) is not None


def test_a_window_of_nothing_never_asks() -> None:
    assert gate_of(earlier().with_policy(acknowledge_window_s=0.0)) is None


@pytest.mark.parametrize("digest", ["7f3a", "7F3A91", "7f3a-91c2"])
def test_the_beginning_of_a_digest_names_it(digest: str) -> None:
    assert ack(earlier(), digest) is None


@pytest.mark.parametrize("digest", ["7f3", "0000", "-"])
def test_what_names_no_takeover_is_refused_with_those_there_are(digest: str) -> None:
    refusal = ack(earlier(), digest)
    assert refusal is not None
    assert DIGEST in refusal.hint


def test_nobody_acknowledges_twice() -> None:
    story = earlier()
    assert ack(story) is None
    refusal = ack(story)
    assert refusal is not None
    assert "anna" in refusal.sentence
