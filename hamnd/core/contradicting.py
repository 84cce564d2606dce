"""Which answer of the old primary contradicts a run (design §3).

Owns the question from when on which answers count. Must not hold or refuse anything (following,
requests). Before `identity` is done an answer counts that the run's cause excludes; from a
completed `fence` on, any answer.
"""

from __future__ import annotations

from hamnd.core.health.rule import contradiction, freshness_s
from hamnd.core.policy import Policy
from hamnd.core.state import NodeState
from hamnd.model.instant import Instant
from hamnd.model.names import Cause, Outcome, PlanKind


def heard_against(state: NodeState, not_before: Instant | None) -> str | None:
    """Return what was heard of the old primary, later than `not_before`, that the run excludes."""
    run, timing = state.run, state.timing
    if run is None or run.plan.kind is PlanKind.UNDO or is_fencing_again(state):
        return None
    if timing.fence_done is not None:
        since = _later(timing.fence_done, not_before)
        return contradiction(state.watch, Cause.HOST, since)
    if run.plan.cause is not None and not is_done(state, "identity"):
        since = _later(timing.down_since, not_before)
        return contradiction(state.watch, run.plan.cause, since)
    return None


def heard_now(state: NodeState, now: Instant, policy: Policy) -> str | None:
    """Return what the old primary answers at this very time although the run excludes it.

    What it said earlier is the operator's to weigh; while it answers, going on would be a race of
    the next action against the next probe.
    """
    return None if _can_fence(state) else heard_against(state, now.ago(freshness_s(policy)))


def is_fencing_again(state: NodeState) -> bool:
    """Our database is promoted, the old primary answers and the operator let the run go on.

    Then nothing is more urgent than its fence: the answers that call for it must not hold it. What
    needs evidence waits for it anyway; a fence that was skipped is no fence under way.
    """
    return _can_fence(state) and not is_done(state, "fence")


def _can_fence(state: NodeState) -> bool:
    """Whether a promoted database waits for a fence that the run itself can carry out."""
    run = state.run
    promote = None if run is None else run.steps.get("promote")
    fence = None if run is None else run.steps.get("fence")
    if run is None or promote is None or fence is None or not promote.has_acted:
        return False
    return fence.outcome is not Outcome.SKIPPED and len(run.plan.step("fence").actions) > 0


def is_done(state: NodeState, step_id: str) -> bool:
    """Whether that step of the run is done."""
    run = state.run
    one = None if run is None else run.steps.get(step_id)
    return one is not None and one.outcome is Outcome.DONE


def _later(one: Instant | None, other: Instant | None) -> Instant:
    moments = [moment for moment in (one, other) if moment is not None]
    return max(moments) if moments else Instant(0.0, 0.0)
