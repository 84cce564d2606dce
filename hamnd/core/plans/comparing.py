"""Whether a shown plan still stands: what became worse since the operator looked (law 6).

Owns the comparison. Improvements are accepted; what does less than was shown is no change.
Must not make a plan.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.gates import LOSS_RANK, RANK
from hamnd.core.plans.digest import covered_step
from hamnd.core.policy import Terms
from hamnd.dialects import processes
from hamnd.model.names import PlanKind
from hamnd.model.plan import GateResult, Plan, Step

TOGETHER = (PlanKind.SETUP, PlanKind.SWITCHOVER, PlanKind.DRILL)
"""Kinds that a primary which serves takes part in."""
TAKEN_IN = (PlanKind.REJOIN, PlanKind.FAILBACK)
ANSWERS = "Answers, database answers"
"""How the best class of reachability ends (core.drafting)."""


def what_became_worse(shown: Plan, fresh: Plan, terms: Terms) -> tuple[str, ...]:
    """Return, old -> new, what is worse than when the operator looked; empty means it stands."""
    worse: list[str] = []
    if not _does_no_more(shown, fresh, terms):
        worse.append(
            f"actions: {shown.variant} -> {fresh.variant}, {_changed(shown, fresh, terms)}"
        )
    old_gates = {gate.name: gate for gate in shown.gates}
    for gate in fresh.gates:
        old = old_gates.get(gate.name)
        if old is not None and _rank(gate) > _rank(old):
            worse.append(
                f"{gate.name}: {_verdict(old)} ({old.evidence}) -> "
                f"{_verdict(gate)} ({gate.evidence})"
            )
    if LOSS_RANK[fresh.loss.class_] > LOSS_RANK[shown.loss.class_]:
        basis = "; ".join(fresh.loss.basis)
        worse.append(f"loss: {shown.loss.class_} -> {fresh.loss.class_} ({basis})")
    elif grown := fresh.loss.grew_since(shown.loss):
        worse.append(f"loss: {grown} ({'; '.join(fresh.loss.basis)})")
    if shown.reach_class != fresh.reach_class and not _is_awaited(shown, fresh):
        worse.append(f"primary: {shown.reach_class} -> {fresh.reach_class}")
    return tuple(worse)


def _rank(gate: GateResult) -> tuple[int, int]:
    """An override holds for what was shown: what lies under it must not become worse either."""
    return RANK[gate.verdict], 0 if gate.overridden is None else RANK[gate.overridden]


def _verdict(gate: GateResult) -> str:
    under = "" if gate.overridden is None else f"{gate.overridden.value}, "
    return f"{under}{gate.verdict.value}"


def _does_no_more(shown: Plan, fresh: Plan, terms: Terms) -> bool:
    """The same steps, but for what came to its end by itself since: nothing new is done.

    An old primary that fell silent has nothing to salvage any more, a job that ended needs no end.
    What runs is what was shown; these actions find out that there is nothing to do.
    """
    there = {step.id for step in fresh.steps}
    old = [one for one in shown.steps if one.id in there or not one.is_optional]
    if [one.id for one in old] != [one.id for one in fresh.steps]:
        return False
    return all(
        covered_step(_without_ended(one, new), terms) == covered_step(new, terms)
        for one, new in zip(old, fresh.steps, strict=True)
    )


def _without_ended(old: Step, new: Step) -> Step:
    """Return the step without ending the processes that are no longer there."""
    actions = tuple(
        one for one in old.actions if one in new.actions or not processes.is_end(one.request)
    )
    looks = tuple(
        one for one in old.preconditions if one in new.preconditions or not processes.is_name(one)
    )
    return replace(old, actions=actions, preconditions=looks)


def _is_awaited(shown: Plan, fresh: Plan) -> bool:
    """Whether what is heard now is what this kind of plan waits for, by the same cause.

    A takeover waits for a primary that is silent. What is done together with a primary that serves
    waits for all of its answers; of an old primary that returned neither is an improvement.
    """
    if shown.cause is not fresh.cause:
        return False
    if fresh.request.kind in TOGETHER:
        return fresh.reach_class.endswith(ANSWERS)
    return fresh.request.kind not in TAKEN_IN and fresh.reach_class.endswith("database silent")


def _changed(shown: Plan, fresh: Plan, terms: Terms) -> str:
    old = {step.id: covered_step(step, terms) for step in shown.steps}
    new = {step.id: covered_step(step, terms) for step in fresh.steps}
    names = [one for one in {**old, **new} if old.get(one) != new.get(one)]
    return f"steps that differ: {', '.join(names)}" if names else "in another order"
