"""Requests as documents: what is read back, and every problem named at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd import wire
from hamnd.core.events import (
    AbortRequested,
    AckRequested,
    AttestRequested,
    ClearRequested,
    ConcludeRequested,
    ConfirmRequested,
    HoldRequested,
    PlanRequested,
    RehearseRequested,
    RetryRequested,
    SkipRequested,
    UnholdRequested,
)
from hamnd.core.state import Refusal
from hamnd.model.names import LossVerdict, PlanKind
from hamnd.model.plan import Override, PlanRequest
from hamnd.wire import DOCUMENTS, LOOKS, SCHEMAS, Malformed, Verb, decode, problems_of


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"kind": "takeover"}, PlanRequest(PlanKind.TAKEOVER)),
        (
            {
                "kind": "takeover",
                "accept_loss": "unknown",
                "overrides": [{"gate": "fence", "reason": "pulled both cables, rack 12"}],
                "continue": True,
            },
            PlanRequest(
                PlanKind.TAKEOVER,
                accept_loss=LossVerdict.UNKNOWN,
                overrides=(Override("fence", "pulled both cables, rack 12"),),
                is_successor=True,
            ),
        ),
    ],
)
def test_a_plan_request_is_read(body: dict[str, Any], request_: PlanRequest) -> None:
    assert decode(Verb.PLAN, body, "anna") == PlanRequested(request_, "anna")


@pytest.mark.parametrize(
    ("verb", "body", "event"),
    [
        (
            Verb.CONFIRM,
            {"digest": "7f3a", "named": "aixmn2"},
            ConfirmRequested("7f3a", "anna", "aixmn2"),
        ),
        (Verb.RETRY, {}, RetryRequested("anna")),
        (Verb.SKIP, {"step": "dhcp", "reason": "r"}, SkipRequested("dhcp", "r", "anna")),
        (Verb.ABORT, {"reason": "r"}, AbortRequested("r", "anna")),
        (Verb.CONCLUDE, {"reason": "r"}, ConcludeRequested("r", "anna")),
        (Verb.ATTEST, {"how": "seen", "reason": "r"}, AttestRequested("seen", "r", "anna")),
        (Verb.CLEAR, {"reason": "r"}, ClearRequested("r", "anna")),
        (Verb.HOLD, {"until": 1_800_000_000, "reason": "r"}, HoldRequested(1.8e9, "r", "anna")),
        (Verb.UNHOLD, {}, UnholdRequested("anna")),
        (Verb.REHEARSE, {}, RehearseRequested("anna")),
        (Verb.ACK, {"digest": "7f3a"}, AckRequested("7f3a", "anna")),
        (Verb.JOURNAL_RESTART, {"reason": "r"}, wire.JournalRestart("r", "anna")),
    ],
)
def test_each_verb_asks_for_its_event(verb: Verb, body: dict[str, Any], event: object) -> None:
    assert decode(verb, body, "anna") == event


def test_every_problem_is_named_at_once() -> None:
    body = {
        "kind": "failover",
        "accept_loss": 3,
        "overrides": [{"gate": "fence", "why": "x"}, 7],
        "continue": "yes",
        "reasons": "x",
    }
    with pytest.raises(Malformed) as refused:
        decode(Verb.PLAN, body, "anna")
    assert refused.value.problems == (
        "reasons is not known",
        "kind is not one of takeover, setup, switchover, rejoin, failback, drill, resume",
        "accept_loss is not one of zero_proven, zero_likely, bounded, unknown, entire-database",
        "overrides[0].why is not known",
        "overrides[0].reason is empty",
        "overrides[1] is not an object",
        "continue is not true or false",
    )


def test_a_misspelt_key_is_told_with_the_nearest_known_one() -> None:
    problems = problems_of(Verb.SKIP, {"step": "dhcp", "reson": "x"})
    assert problems == ("reson is not known; did you mean reason?", "reason is missing")


@pytest.mark.parametrize("reason", ["", "   ", "two\nlines", "a" * 501, 7, None, ["x"]])
def test_a_reason_is_one_line_of_text(reason: object) -> None:
    assert len(problems_of(Verb.CLEAR, {"reason": reason})) == 1


def test_an_undo_plan_cannot_be_asked_for_by_name() -> None:
    assert problems_of(Verb.PLAN, {"kind": "undo"}) == (
        "kind is not one of takeover, setup, switchover, rejoin, failback, drill, resume",
    )


def test_every_verb_is_a_look_or_has_a_document_and_a_schema() -> None:
    assert set(DOCUMENTS) | LOOKS == set(Verb)
    assert not set(DOCUMENTS) & LOOKS
    assert set(SCHEMAS) == set(Verb)


def test_a_refusal_carries_gate_difference_and_hint() -> None:
    refusal = Refusal("plan", "the picture became worse", ("fence: power_off -> unknown",), "plan")
    document = wire.refusal_document(refusal)
    assert document["error"] == "the picture became worse"
    assert document["gate"] == "plan"
    assert document["difference"] == ["fence: power_off -> unknown"]
    assert document["hint"] == "plan"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["kind", "accept_loss", "overrides", "continue", "digest", "named", "step", "reason", "how"]
)


@given(st.sampled_from(sorted(DOCUMENTS)), st.dictionaries(KEYS | st.text(max_size=8), JSON))
def test_any_document_is_an_event_or_problems(verb: Verb, body: dict[str, Any]) -> None:
    if problems_of(verb, body):
        with pytest.raises(Malformed):
            decode(verb, body, "anna")
    else:
        assert decode(verb, body, "anna") is not None
