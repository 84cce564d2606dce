"""Which gates each kind of plan has, their verdicts with overrides applied, and the impossible.

Owns `GATES` and the order in which they are shown. Apart from gates there is what makes a plan
impossible, whoever wants it: `why_impossible`. Must not know what a gate asks of the picture.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.gates import Gate, Question, plan_command, planned, takeover
from hamnd.model.names import Mode, PlanKind, State, Verdict
from hamnd.model.plan import GateResult

HANDING_OVER: dict[str, Gate] = {
    "peer": planned.peer,
    "partner": planned.partner,
    "idle": planned.idle,
    "isolation": takeover.isolation,
    "disk": takeover.disk,
    "readiness": takeover.readiness,
}

TAKING_IN: dict[str, Gate] = {
    "active": planned.active,
    "partner": planned.partner_over_ssh,
    "idle": planned.idle,
    "preserve_diverged": planned.preserve_diverged,
    "isolation": takeover.isolation,
    "disk": takeover.disk,
}

SETTING_UP: dict[str, Gate] = {
    "standby": planned.standby,
    "partner": planned.partner_over_ssh,
    "idle": planned.idle,
    "isolation": takeover.isolation,
    "disk": takeover.disk,
}

GATES: dict[PlanKind, dict[str, Gate]] = {
    PlanKind.TAKEOVER: {
        "primary-down": takeover.primary_down,
        "idle": planned.idle_if_told,
        "isolation": takeover.isolation,
        "fence": takeover.fence,
        "fence-truth": takeover.fence_truth,
        "loss": takeover.loss,
        "disk": takeover.disk,
        "files": takeover.files,
        "acknowledged": takeover.acknowledged,
        "readiness": takeover.readiness,
    },
    PlanKind.SETUP: SETTING_UP,
    PlanKind.SWITCHOVER: HANDING_OVER,
    PlanKind.DRILL: HANDING_OVER,
    PlanKind.REJOIN: TAKING_IN,
    PlanKind.FAILBACK: TAKING_IN,
    PlanKind.RESUME: {
        "ownership": planned.ownership,
        "idle": planned.idle_if_told,
        "isolation": takeover.isolation,
        "fence": planned.off_or_released,
        "fence-truth": takeover.fence_truth,
        "disk": takeover.disk,
    },
    PlanKind.UNDO: {},
}

ACCEPTED_BY_CLASS = "loss"
"""This gate is overridden by `--accept-loss CLASS`, never by its name (law 4)."""


def _handing_over(question: Question) -> GateResult | None:
    """Only a standby can be handed over to."""
    is_going_on = question.request.is_successor
    if question.state not in (State.ACTIVE, State.PRIMARY_DOWN) or is_going_on:
        return None
    told = "this node is the management node already"
    clear = f"on the other node: {question.plan}"
    if question.state is State.PRIMARY_DOWN:
        told, clear = "nobody is there to hand over", plan_command(PlanKind.TAKEOVER)
    return GateResult("state", Verdict.BLOCK, told, clear)


OWN = ("none", "start-as-primary", "start-with-standby", "activate")
"""Promotion variants of a database that is primary, up or down."""


def overridable(kind: PlanKind) -> tuple[str, ...]:
    """Return the gates of this kind that can be overridden by name."""
    return tuple(name for name in GATES[kind] if name != ACCEPTED_BY_CLASS)


def judge_gates(question: Question) -> tuple[GateResult, ...]:
    """Return every gate with its verdict, overrides applied."""
    overrides = {one.gate: one.reason for one in question.request.overrides}
    results = (gate(question) for gate in GATES[question.request.kind].values())
    return tuple(_overridden(one, overrides) for one in results if one is not None)


def _overridden(result: GateResult, overrides: dict[str, str]) -> GateResult:
    reason = overrides.get(result.name)
    if reason is None or result.verdict is Verdict.PASS or result.name == ACCEPTED_BY_CLASS:
        return result
    return replace(result, verdict=Verdict.OVERRIDDEN, reason=reason, overridden=result.verdict)


def why_impossible(question: Question) -> GateResult | None:
    """Return why no plan can be made at all, or None: nothing here could be overridden."""
    if question.mode is not Mode.NORMAL:
        evidence = f"hamnd only observes: {question.mode_reason}"
        return GateResult("mode", Verdict.BLOCK, evidence, "hamnctl clear --reason …")
    if question.has_run and not question.request.is_successor:
        clear = "hamnctl status; then retry, skip, abort or conclude it, or plan --continue"
        return GateResult("run", Verdict.BLOCK, "another run is under way", clear)
    return _database(question)


def _database(question: Question) -> GateResult | None:
    """The database can become primary now, or is it already where nothing is to be taken over."""
    match question.request.kind:
        case PlanKind.SWITCHOVER | PlanKind.DRILL:
            return _handing_over(question)
        case PlanKind.REJOIN | PlanKind.FAILBACK | PlanKind.SETUP:
            return None
        case _:
            return _promotion(question)


def _promotion(question: Question) -> GateResult | None:
    promotion = question.assessment.promotion
    if promotion.verdict is not Verdict.PASS:
        return GateResult("database", promotion.verdict, promotion.sentence, promotion.clear)
    if question.request.kind is PlanKind.RESUME and promotion.variant not in OWN:
        told = "this node's database is a standby's: there is nothing to resume"
        return GateResult("database", Verdict.BLOCK, told, plan_command(PlanKind.TAKEOVER))
    return None
