"""Runs and plans as parts of a document: one under way, those that ended, how long they take.

Owns how a run of the core becomes a part of a document (design §12). Must not know text; nothing
here is rendered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hamnd.core.run import irrevocable_steps
from hamnd.model.names import Outcome
from hamnd.views.facts import Part, seconds

if TYPE_CHECKING:
    from hamnd.core.progress import Run, StepRun
    from hamnd.core.state import FinishedRun
    from hamnd.model.plan import GateResult, Plan, PlanRequest, Step

Eta = Mapping[str, Any]
_OF = re.compile(r"(?P<done>\d+) of (?P<total>\d+) MiB")
"""How engines say how much of a copy is there (Step.progress)."""


def eta_of(finished: Sequence[FinishedRun], plan: Plan) -> Eta | None:
    """Return how long a plan is expected to take, in seconds: median and 95th percentile.

    From its steps where they were done before, in any kind of run: a drill tells of a takeover, and
    the hour in which a paused run waited for somebody is not in it. Steps side by side count once.
    `n` is how often the rarest of them was done, `unknown` those that never were.
    """
    told: dict[str, list[float]] = {}
    for run in finished:
        for step, took in run.steps_s.items():
            told.setdefault(step, []).append(took)
    acting = [step.id for step in plan.steps if step.actions]
    known = [step for step in acting if step in told]
    if not known:
        return _eta_of_runs(finished, plan.kind.value)
    return {
        "p50_s": round(_longest(plan, {step: _median(told[step]) for step in told}), 1),
        "p95_s": round(_longest(plan, {step: _late(sorted(told[step])) for step in told}), 1),
        "n": min(len(told[step]) for step in known),
        "unknown": [step for step in acting if step not in told],
    }


def _longest(plan: Plan, took_s: Mapping[str, float]) -> float:
    """Return the length of the longest way through the steps, which stand in order."""
    ends: dict[str, float] = {}
    for step in plan.steps:
        began = max((ends.get(one, 0.0) for one in (*step.depends_on, *step.after)), default=0.0)
        ends[step.id] = began + took_s.get(step.id, 0.0)
    return max(ends.values(), default=0.0)


def _eta_of_runs(finished: Sequence[FinishedRun], kind: str) -> Eta | None:
    """Of runs whose steps were not written down only the whole is known."""
    took = [
        one.finished_at - one.started_at
        for one in finished
        if one.kind == kind and one.status == "done"
    ]
    if not took:
        return None
    p50, p95 = _median(took), _late(sorted(took))
    return {"p50_s": round(p50, 1), "p95_s": round(p95, 1), "n": len(took), "unknown": []}


def _median(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def people_part(confirmed_s: Sequence[float]) -> Part:
    """Return how long people took to confirm a takeover, over those that are remembered."""
    p95_s = round(_late(sorted(confirmed_s)), 1) if confirmed_s else None
    return {"confirm_p95_s": p95_s, "n": len(confirmed_s)}


def _late(ordered: Sequence[float]) -> float:
    """Return the 95th percentile of ordered values: the nearest of them, never one between."""
    return ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]


def run_part(run: Run | None, finished: Sequence[FinishedRun] = ()) -> Part | None:
    """Return a run with every step of its plan, and how long those before it took; or null."""
    if run is None:
        return None
    plan = run.plan
    steps = [_step_part(step, run.steps.get(step.id)) for step in plan.steps]
    irreversible = [step.id for step in plan.steps if not step.reversible]
    passed = irrevocable_steps(run)
    eta = eta_of(finished, plan)
    return {
        "digest": plan.digest,
        "kind": plan.kind.value,
        "status": run.status.value,
        "variant": plan.variant,
        "actor": run.actor,
        "started_at": int(run.started_at),
        "finished_at": seconds(run.finished_at),
        "paused_step": run.paused_step or None,
        "reason": run.reason,
        "point_of_no_return": irreversible[0] if irreversible else None,
        "passed_point_of_no_return": passed[0] if passed else None,
        "predicted_loss": plan.loss.verdict.value,
        "eta": dict(eta) if eta else None,
        "steps": steps,
    }


def _step_part(step: Step, run: StepRun | None) -> Part:
    started = None if run is None else run.started_at
    return {
        "id": step.id,
        "title": step.title,
        "host": step.host,
        "outcome": (Outcome.PENDING if run is None else run.outcome).value,
        "started_at": seconds(started),
        "duration_s": None if run is None else run.duration_s,
        "reversible": step.reversible,
        "depends_on": list(step.depends_on),
        "timeout_s": step.timeout_s + step.wait_s,
        "stage": None if run is None else run.stage.value,
        "sentence": "" if run is None else run.sentence,
        "has_acted": run is not None and run.has_acted,
        "has_actions": bool(step.actions),
        "progress": _progress_part(run),
    }


def _progress_part(run: StepRun | None) -> Part | None:
    """Return how far the actions of a step under way are: in words, and their share where told."""
    if run is None or not run.told or run.outcome is not Outcome.RUNNING:
        return None
    share = None
    if found := _OF.search(run.told):
        done, total = int(found["done"]), int(found["total"])
        share = round(min(1.0, done / total), 3) if total else None
    return {"sentence": run.told, "share": share}


def finished_part(finished: FinishedRun) -> Part:
    """Return what remains of a finished run."""
    return {
        "digest": finished.digest,
        "kind": finished.kind,
        "status": finished.status,
        "started_at": int(finished.started_at),
        "finished_at": int(finished.finished_at),
        "open_steps": list(finished.open_steps),
        "predicted_loss": finished.predicted,
        "actual_loss": finished.actual,
        "acknowledged_by": finished.acknowledged_by or None,
        "acknowledged_at": seconds(finished.acknowledged_at),
    }


def request_part(request: PlanRequest) -> Part:
    """Return what the operator asked for besides the plan itself."""
    accepted = request.accept_loss
    return {
        "is_successor": request.is_successor,
        "with_drill": request.with_drill,
        "with_conversion": request.with_conversion,
        "accept_loss": None if accepted is None else str(accepted),
        "overrides": [{"gate": one.gate, "reason": one.reason} for one in request.overrides],
    }


def gate_part(gate: GateResult) -> Part:
    """Return one gate with its verdict."""
    return {
        "name": gate.name,
        "verdict": gate.verdict.value,
        "evidence": gate.evidence,
        "reason": gate.reason,
        "clear": gate.clear,
    }


def plan_hint(plan: Plan) -> Part:
    """Return what `status` tells of a plan that waits to be confirmed."""
    return {
        "digest": plan.digest,
        "kind": plan.kind.value,
        "created_at": int(plan.created_at),
        "expires_at": int(plan.expires_at),
    }
