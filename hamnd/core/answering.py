"""Which module answers which request of the operator.

Owns the table of requests alone. Must not answer one itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from hamnd.core import (
    acknowledging,
    confirming,
    copying,
    declaring,
    holds,
    rehearsing,
    requests,
)
from hamnd.core.assessing import assess
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
    Request,
    RetryRequested,
    SkipRequested,
    SyncRequested,
    UnholdRequested,
)
from hamnd.core.turn import Turn

Beside = (
    AttestRequested
    | ClearRequested
    | SyncRequested
    | HoldRequested
    | UnholdRequested
    | AckRequested
    | RehearseRequested
)


def answer(turn: Turn, event: Request) -> None:
    """Answer an operator's request, or refuse it."""
    match event:
        case PlanRequested():
            requests.on_plan(turn, event)
        case ConfirmRequested():
            confirming.on_confirm(turn, event)
        case RetryRequested():
            requests.on_retry(turn, event)
        case SkipRequested():
            requests.on_skip(turn, event)
        case AbortRequested():
            requests.on_abort(turn, event)
        case ConcludeRequested():
            requests.on_conclude(turn, event)
        case _:
            _answer_beside(turn, event)


def _answer_beside(turn: Turn, event: Beside) -> None:
    """Answer what is asked beside plans and runs."""
    match event:
        case AttestRequested():
            declaring.on_attest(turn, event)
            turn.state = replace(turn.state, assessment=assess(turn.state, turn.now, turn.terms))
        case ClearRequested():
            declaring.on_clear(turn, event)
        case SyncRequested():
            copying.on_sync(turn, event)
        case HoldRequested():
            holds.on_hold(turn, event)
        case UnholdRequested():
            holds.on_unhold(turn, event)
        case AckRequested():
            acknowledging.on_ack(turn, event)
        case RehearseRequested():
            rehearsing.on_request(turn, event)
        case _:
            assert_never(event)
