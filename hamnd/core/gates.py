"""The gates of a plan: what must be true before a takeover may begin.

Owns the gates, their verdicts and how the operator's overrides meet them. Must not know steps or
states' rows. A gate that cannot see says UNKNOWN, and UNKNOWN blocks; every gate can be overridden
by name and with a reason (law 11); loss is overridden by accepting its class (law 4).

Apart from gates there is what makes a plan impossible, whoever wants it: `why_impossible`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hamnd.core.health.assessment import Assessment
from hamnd.core.health.evidence import best_grade, is_enough
from hamnd.core.policy import Terms
from hamnd.core.readiness import is_proof
from hamnd.model.health import Condition
from hamnd.model.names import (
    GRADE_ORDER,
    Cause,
    FenceGrade,
    LossVerdict,
    Mode,
    State,
    Status,
    Verdict,
)
from hamnd.model.plan import GateResult, PlanRequest

RANK = {Verdict.PASS: 0, Verdict.OVERRIDDEN: 1, Verdict.UNKNOWN: 2, Verdict.BLOCK: 3}
"""How bad a verdict is; a gate that got a higher rank became worse."""

PLAN_TAKEOVER = "hamnctl plan takeover"
"""What clears a gate by an option of a plan begins so; screens put such options together."""

LOSS_RANK = {
    LossVerdict.ZERO_PROVEN: 0,
    LossVerdict.ZERO_LIKELY: 1,
    LossVerdict.BOUNDED: 2,
    LossVerdict.UNKNOWN: 3,
}


@dataclass(frozen=True, slots=True)
class Question:
    """What the gates of a takeover look at."""

    state: State
    mode: Mode
    mode_reason: str
    assessment: Assessment
    request: PlanRequest
    has_run: bool
    """Another run is under way; a successor continues it and is no other run."""
    terms: Terms
    cause: Cause | None = None
    begun: frozenset[str] = frozenset()
    """Steps that a successor inherits as done or acted: their readiness is history."""
    does_ssh_answer: bool = False
    """The old primary's ssh port answered lately: whoever is there can be told to end."""
    shown_loss: LossVerdict | None = None
    """At confirm: the class that the operator saw and, where he had to, accepted."""


def judge_gates(question: Question) -> tuple[GateResult, ...]:
    """Return every gate with its verdict, overrides applied."""
    overrides = {one.gate: one.reason for one in question.request.overrides}
    return tuple(_overridden(gate(question), overrides) for gate in GATES.values())


def _overridden(result: GateResult, overrides: dict[str, str]) -> GateResult:
    reason = overrides.get(result.name)
    if reason is None or result.verdict is Verdict.PASS or result.name == ACCEPTED_BY_CLASS:
        return result
    return replace(result, verdict=Verdict.OVERRIDDEN, reason=reason)


def blocking(gates: tuple[GateResult, ...]) -> tuple[GateResult, ...]:
    """Return the gates that forbid the plan."""
    return tuple(one for one in gates if RANK[one.verdict] > RANK[Verdict.OVERRIDDEN])


def is_overridden(gates: tuple[GateResult, ...], name: str) -> bool:
    """Whether the operator overrode this gate by name."""
    return any(one.name == name and one.verdict is Verdict.OVERRIDDEN for one in gates)


def why_impossible(question: Question) -> GateResult | None:
    """Return why no plan can be made at all, or None: nothing here could be overridden."""
    if question.mode is not Mode.NORMAL:
        evidence = f"hamnd only observes: {question.mode_reason}"
        return GateResult("mode", Verdict.BLOCK, evidence, "hamnctl clear --reason …")
    if question.has_run and not question.request.is_successor:
        clear = "hamnctl status; then retry, skip, abort or conclude it, or plan --continue"
        return GateResult("run", Verdict.BLOCK, "another run is under way", clear)
    promotion = question.assessment.promotion
    if promotion.verdict is not Verdict.PASS:
        return GateResult("database", promotion.verdict, promotion.sentence, promotion.clear)
    return None


def _primary_down(question: Question) -> GateResult:
    state, rule = question.state, question.assessment.rule
    is_successor = state is State.TAKING_OVER and question.request.is_successor
    if is_successor and (heard := _excluded_answer(question)) is not None:
        return GateResult("primary-down", Verdict.BLOCK, heard, "hamnctl explain")
    if state is State.PRIMARY_DOWN or is_successor:
        return GateResult("primary-down", Verdict.PASS, "; ".join(rule.basis) or f"state {state}")
    if state is State.ACTIVE:
        return GateResult("primary-down", Verdict.BLOCK, "this node is already active")
    why = "; ".join(rule.blockers) or "the rule does not hold long enough"
    return GateResult("primary-down", Verdict.BLOCK, why, "hamnctl explain")


def _excluded_answer(question: Question) -> str | None:
    """Return what the primary answers now although its cause excludes that it does."""
    heard = question.assessment.condition("PrimaryReachable")
    if heard is None or question.cause is Cause.SERVICE:
        return None
    answers = heard.status is Status.TRUE or heard.reason == "XcatdFails"
    return heard.message if answers else None


def _isolation(question: Question) -> GateResult:
    return _from_condition("isolation", question.assessment.condition("NotIsolated"))


def _fence(question: Question) -> GateResult:
    evidence = question.assessment.evidence
    if is_enough(evidence, question.terms):
        best = evidence[0]
        return GateResult("fence", Verdict.PASS, f"{best.grade}: {best.detail}")
    ready = question.assessment.condition("FenceReady")
    if ready is not None and ready.status is Status.TRUE:
        return GateResult("fence", Verdict.PASS, f"{ready.message}; step fence turns it off")
    fence = question.terms.site.fence
    if fence.ssh and fence.agent is None:
        return _fence_over_ssh(question)
    grade, needed = best_grade(evidence), question.terms.policy.fence_minimum
    told = ready.message if ready is not None else "the fence device was not read"
    clear = _by_hand(question.terms)
    if fence.agent is not None:
        clear = f"repair its controller, or {clear}"
    proof = "no proof that it is off" if grade is FenceGrade.NONE else f"the best proof is {grade}"
    return GateResult("fence", Verdict.UNKNOWN, f"{proof}, {needed} needed; {told}", clear)


def _by_hand(terms: Terms) -> str:
    """Say what clears the gate where nothing here can switch the machine off, and works."""
    if GRADE_ORDER[FenceGrade.OPERATOR] >= GRADE_ORDER[terms.policy.fence_minimum]:
        told = "hamnctl attest primary-off --how seen --reason …"
    else:
        told = f"{PLAN_TAKEOVER} --override fence --reason …"
    return f"switch it off by hand, then {told}"


def _fence_over_ssh(question: Question) -> GateResult:
    """A machine that is silent cannot be told to end: somebody has to see to it (design §4)."""
    if not question.does_ssh_answer:
        heard = question.assessment.condition("PrimaryReachable")
        told = "nothing is known of the primary" if heard is None else heard.message
        evidence = f"{told}; its ssh does not answer now: it cannot be ended over ssh"
        return GateResult("fence", Verdict.UNKNOWN, evidence, _by_hand(question.terms))
    needed = question.terms.policy.fence_minimum
    if GRADE_ORDER[FenceGrade.ORDERLY] < GRADE_ORDER[needed]:
        evidence = f"an end over ssh is {FenceGrade.ORDERLY}, {needed} needed"
        return GateResult("fence", Verdict.UNKNOWN, evidence, _by_hand(question.terms))
    return GateResult("fence", Verdict.PASS, "step fence ends it over ssh")


def _fence_truth(question: Question) -> GateResult:
    lies = question.assessment.condition("FenceLies")
    if lies is None or lies.status is not Status.TRUE:
        return GateResult("fence-truth", Verdict.PASS, "nothing contradicts the fence device")
    return GateResult("fence-truth", Verdict.BLOCK, lies.message, "hamnctl explain FenceLies")


def _loss(question: Question) -> GateResult:
    loss, promotion = question.assessment.loss, question.assessment.promotion
    why = "; ".join(loss.basis)
    if promotion.variant in ("graceful", "peer-window-only", "start-as-primary"):
        return GateResult("loss", Verdict.PASS, f"{promotion.variant}: {why}")
    if promotion.variant == "none" and promotion.verdict is Verdict.PASS:
        return GateResult("loss", Verdict.PASS, promotion.sentence)
    if loss.verdict is LossVerdict.ZERO_PROVEN:
        return GateResult("loss", Verdict.PASS, f"zero (proven): {why}")
    if _is_accepted(question):
        reason = "accepted by the operator"
        return GateResult("loss", Verdict.PASS, f"{loss.verdict.value}: {why}", reason=reason)
    clear = f"{PLAN_TAKEOVER} --accept-loss {loss.verdict.value}"
    return GateResult("loss", Verdict.BLOCK, f"{loss.verdict.value}: {why}", clear)


def _is_accepted(question: Question) -> bool:
    """The printed class, no other (law 4); what became better since it was shown is accepted."""
    accepted, verdict = question.request.accept_loss, question.assessment.loss.verdict
    if accepted is None or accepted is verdict:
        return accepted is verdict
    return question.shown_loss is accepted and LOSS_RANK[verdict] < LOSS_RANK[accepted]


def _disk(question: Question) -> GateResult:
    found = question.assessment.condition("DiskSpace")
    if found is not None and found.reason == "InReserve":
        return GateResult("disk", Verdict.PASS, found.message)
    return _from_condition("disk", found)


def _readiness(question: Question) -> GateResult:
    steps = [one for one in question.assessment.conditions if is_proof(one)]
    failing = [
        one
        for one in steps
        if one.status is not Status.TRUE
        and one.type.removeprefix("StepReady/") not in question.begun
    ]
    if question.request.is_successor:
        told = "a run that goes on proves each step by its own looks"
        return GateResult("readiness", Verdict.PASS, told)
    if not steps:
        return GateResult("readiness", Verdict.UNKNOWN, "no step was proven yet", "hamnctl ready")
    if not failing:
        told = f"{len(steps)}/{len(steps)} steps proven"
        if question.begun:
            told = "every step that has not begun is proven"
        return GateResult("readiness", Verdict.PASS, told)
    worst = Verdict.BLOCK if any(one.status is Status.FALSE for one in failing) else Verdict.UNKNOWN
    names = ", ".join(one.type.removeprefix("StepReady/") for one in failing)
    return GateResult("readiness", worst, f"not proven: {names}", "hamnctl ready")


def _from_condition(name: str, found: Condition | None) -> GateResult:
    if found is None or found.status is Status.UNKNOWN:
        evidence = "not known" if found is None else found.message
        return GateResult(name, Verdict.UNKNOWN, evidence, "hamnctl explain")
    verdict = Verdict.PASS if found.status is Status.TRUE else Verdict.BLOCK
    return GateResult(name, verdict, found.message, f"hamnctl explain {found.type}")


GATES: dict[str, Callable[[Question], GateResult]] = {
    "primary-down": _primary_down,
    "isolation": _isolation,
    "fence": _fence,
    "fence-truth": _fence_truth,
    "loss": _loss,
    "disk": _disk,
    "readiness": _readiness,
}

ACCEPTED_BY_CLASS = "loss"
"""This gate is overridden by `--accept-loss CLASS`, never by its name (law 4)."""

OVERRIDABLE = tuple(name for name in GATES if name != ACCEPTED_BY_CLASS)
