"""What of a decision is worth a log line and a wake-up of whoever watches.

Owns the comparison of two states, the words of the canonical line and those of a failure. Must not
know the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hamnd.core.commands import PerformAction
from hamnd.core.events import ActionCompleted, Event, StepLooked
from hamnd.core.state import Decision, NodeState
from hamnd.errors import InvariantViolation, JournalError
from hamnd.model.names import Mode, RunStatus, State


def _facets(state: NodeState) -> tuple[object, ...]:
    """Everything a person would call a change; ages, counters and raw observations are not."""
    assessment = state.assessment
    return (
        state.state,
        state.because,
        state.cause,
        state.mode,
        state.mode_reason,
        state.epoch,
        state.run,
        state.finished,
        state.hold,
        state.rehearsal,
        tuple(plan.digest for plan in state.plans),
        assessment.loss.verdict,
        assessment.is_protected,
        assessment.is_ready,
        tuple(evidence.grade for evidence in assessment.evidence),
        tuple((one.type, one.status, one.reason) for one in assessment.conditions),
        {name: sight.sees for name, sight in state.watch.witnesses.items()},
    )


def is_notable(before: NodeState, after: NodeState) -> bool:
    """Whether something changed that a person would want to see at once."""
    return before is not after and _facets(before) != _facets(after)


def is_worth_a_line(before: NodeState, decision: Decision) -> bool:
    """Whether a decision gets its canonical log line."""
    return (
        bool(decision.records or decision.rows)
        or decision.refusal is not None
        or any(isinstance(command, PerformAction) for command in decision.commands)
        or is_notable(before, decision.state)
    )


def is_alarming(before: NodeState, after: NodeState) -> bool:
    """Whether a human should know: the primary is down, or a run stopped and waits."""
    is_down = after.state is State.PRIMARY_DOWN and before.state is not State.PRIMARY_DOWN
    return is_down or (_is_paused(after) and not _is_paused(before))


def _is_paused(state: NodeState) -> bool:
    return state.run is not None and state.run.status is RunStatus.PAUSED


def line_of(event: Event, before: NodeState, decision: Decision) -> Mapping[str, Any]:
    """Return the keys of the canonical line; empty ones are left out."""
    after = decision.state
    keys: dict[str, Any] = {
        "event_kind": type(event).__name__,
        "old_state": str(before.state),
        "new_state": str(after.state),
        "because": decision.because,
        "rows": list(decision.rows),
        "commands": [type(command).__name__ for command in decision.commands],
        "records": [record.what for record in decision.records],
        "mode": "" if after.mode is Mode.NORMAL else after.mode.value,
        "refused_by": "" if decision.refusal is None else decision.refusal.gate,
        "refusal": "" if decision.refusal is None else decision.refusal.sentence,
        "conditions": _moved(before, after),
    }
    return {key: value for key, value in keys.items() if value not in ("", [])}


def _moved(before: NodeState, after: NodeState) -> list[str]:
    """Return the conditions whose status or reason changed, as `Type=Status(Reason)`."""
    old = {one.type: (one.status, one.reason) for one in before.assessment.conditions}
    return [
        f"{one.type}={one.status.value}({one.reason})"
        for one in after.assessment.conditions
        if old.get(one.type) != (one.status, one.reason)
    ]


def binding_of(event: Event) -> Mapping[str, str]:
    """Return what every log line within this event carries."""
    if isinstance(event, ActionCompleted | StepLooked):
        return {"digest": event.digest, "step": event.step}
    return {}


def headline(state: NodeState) -> str:
    """Return the one line that the service manager shows."""
    if state.mode is not Mode.NORMAL:
        return f"observe only ({state.mode_reason}); state {state.state}: {state.because}"
    if state.run is not None:
        return f"{state.state}: {state.run.plan.kind} {state.run.status}"
    return f"{state.state}: {state.because}"


def unexpected(error: Exception) -> Exception | None:
    """Return the error where its traceback helps: a bug, not a full disk."""
    return None if isinstance(error, JournalError) else error


def reason_of(error: Exception, kind: str) -> str:
    """Return in one sentence why no action starts any more; `kind` is the event that failed."""
    match error:
        case JournalError():
            return str(error)
        case InvariantViolation():
            return f"a law of hamnd would have been broken ({error}) at {kind}"
        case _:
            return f"hamnd failed at {kind}: {type(error).__name__}: {error}"
