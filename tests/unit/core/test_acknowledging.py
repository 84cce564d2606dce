"""Acknowledging: a second takeover within the window needs somebody who looked at the first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.commands import TellTakeover
from hamnd.core.events import AckRequested
from hamnd.core.state import FinishedRun, Refusal
from hamnd.model.names import State, Verdict
from hamnd.model.plan import GateResult
from hamnd.views.status import status_document
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


def waits_until_acknowledged(story: Story) -> GateResult:
    """The takeover is refused until anna says that she looked; what stood in its way."""
    gate = gate_of(story)
    assert gate is not None
    assert gate.verdict is Verdict.BLOCK
    refusal = story.confirm().refusal
    assert refusal is not None
    assert refusal.gate == "acknowledged"
    assert ack(story) is None
    assert gate_of(story) == GateResult(
        "acknowledged", Verdict.PASS, f"anna acknowledged takeover {DIGEST}"
    )
    return gate


def test_a_second_takeover_within_the_window_is_refused_until_the_first_is_acknowledged() -> None:
    story = earlier()
    gate = waits_until_acknowledged(story)
    assert f"hamnctl ack {DIGEST}" in gate.clear
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


def told_by_partner(hours_ago: float = 3.0, who: str = "") -> Story:
    """In Peer; mn1 tells by day of a takeover that it carried out some hours ago."""
    story = Story().in_peer()
    ended = int(story.now.wall_s - hours_ago * 3600)
    acknowledged = f"{ended + 60} {who}" if who else "- -"
    story.world.takeovers["aixmn1"] = f"aixmn1 {DIGEST} {ended} {acknowledged}"
    return story.live(10.0)


def primary_dies(story: Story) -> Story:
    """The primary is down, and nobody can be asked what it did."""
    story.world.die()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    return story.until(lambda: story.state.state is State.PRIMARY_DOWN)


def test_a_takeover_that_the_partner_carried_out_asks_for_it_too() -> None:
    """Given mn1 took over hours ago and told so while it lived, when it dies, then the next
    takeover waits until somebody looked at that one; here is good enough."""
    story = primary_dies(told_by_partner())
    gate = waits_until_acknowledged(story)
    assert "to aixmn1" in gate.evidence
    assert "on aixmn1, once it is up" in gate.clear


def test_who_acknowledged_over_there_is_known_here_after_its_death_and_a_restart() -> None:
    story = told_by_partner(who="berta")
    story.crash()
    gate = gate_of(primary_dies(story.live(20.0)))
    assert gate == GateResult("acknowledged", Verdict.PASS, f"berta acknowledged takeover {DIGEST}")
    assert [one.actor for one in story.records if one.what == "takeover_acknowledged"] == ["berta"]


@pytest.mark.parametrize(
    "line", ["", "aixmn1 7f3a-91c2 when? 5 berta", "aixmn1 7f3a-91c2", "aixmn9 7f3a-91c2 5 5 berta"]
)
def test_what_cannot_be_read_acknowledges_nothing_and_forgets_nothing(line: str) -> None:
    story = told_by_partner()
    story.world.takeovers["aixmn1"] = line
    gate = gate_of(primary_dies(story.live(10.0)))
    assert gate is not None
    assert gate.verdict is Verdict.BLOCK


def test_the_partner_is_told_of_a_takeover_here_and_its_word_comes_back() -> None:
    """Given mn2 took over and told so, when somebody acknowledges that on mn1, then mn2 learns it
    from there and tells it on."""
    story = Story().in_peer()
    ended = story.now.wall_s - 3600
    one = FinishedRun(DIGEST, "takeover", "done", ended - 90, ended)
    story.state = replace(story.state, finished=(one,))
    story.world.takeovers["aixmn1"] = f"aixmn2 {DIGEST} {int(ended)} {int(ended) + 60} carla"
    told: list[str] = []
    story.check = lambda _before, _event, decision: told.extend(
        command.line for command in decision.commands if isinstance(command, TellTakeover)
    )
    story.live(10.0)
    assert told == [f"aixmn2 {DIGEST} {int(ended)} {int(ended) + 60} carla"]
    (one,) = story.state.finished
    assert one.acknowledged_by == "carla"


def test_the_word_on_another_night_of_the_same_plan_is_not_this_ones() -> None:
    story = Story().in_peer()
    ended = story.now.wall_s - 3600
    one = FinishedRun(DIGEST, "takeover", "done", ended - 90, ended)
    story.state = replace(story.state, finished=(one,))
    story.world.takeovers["aixmn1"] = f"aixmn2 {DIGEST} {int(ended) - 7200} 5 carla"
    story.live(10.0)
    (one,) = story.state.finished
    assert one.acknowledged_by == ""


def test_what_the_partner_did_waits_in_the_status_until_somebody_looked() -> None:
    story = told_by_partner()
    document = status_document(story.state, story.now, story.terms)
    assert document["acknowledge"] == DIGEST
    assert ack(story) is None
    document = status_document(story.state, story.now, story.terms)
    assert document["acknowledge"] is None
