"""The gates of an unplanned takeover (design §4, §5).

Owns what each of them asks of the picture. Must not know which plan asks it (judging).
"""

from __future__ import annotations

from hamnd.core.gates import LOSS_RANK, Question, from_condition
from hamnd.core.health.evidence import best_grade, is_enough
from hamnd.core.readiness import is_proof
from hamnd.model.names import (
    GRADE_ORDER,
    Cause,
    FenceGrade,
    LossVerdict,
    State,
    Status,
    Verdict,
)
from hamnd.model.plan import GateResult, Loss, Plan


def primary_down(question: Question) -> GateResult:
    """The rule holds: the primary is down, and nothing it excludes is heard."""
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


def isolation(question: Question) -> GateResult:
    """This node itself is not cut off."""
    return from_condition("isolation", question.assessment.condition("NotIsolated"))


def fence(question: Question) -> GateResult:
    """The old primary is proven off, or the step fence can turn it off and prove it."""
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
    clear = _by_hand(question)
    if fence.agent is not None:
        clear = f"repair its controller, or {clear}"
    proof = "no proof that it is off" if grade is FenceGrade.NONE else f"the best proof is {grade}"
    return GateResult("fence", Verdict.UNKNOWN, f"{proof}, {needed} needed; {told}", clear)


def _by_hand(question: Question) -> str:
    """Say what clears the gate where nothing here can switch the machine off, and works."""
    if GRADE_ORDER[FenceGrade.OPERATOR] >= GRADE_ORDER[question.terms.policy.fence_minimum]:
        told = "hamnctl attest primary-off --how seen --reason …"
    else:
        told = f"{question.plan} --override fence --reason …"
    return f"switch it off by hand, then {told}"


def _fence_over_ssh(question: Question) -> GateResult:
    """A machine that is silent cannot be told to end: somebody has to see to it (design §4)."""
    if not question.does_ssh_answer:
        heard = question.assessment.condition("PrimaryReachable")
        told = "nothing is known of the primary" if heard is None else heard.message
        evidence = f"{told}; its ssh does not answer now: it cannot be ended over ssh"
        return GateResult("fence", Verdict.UNKNOWN, evidence, _by_hand(question))
    needed = question.terms.policy.fence_minimum
    if GRADE_ORDER[FenceGrade.ORDERLY] < GRADE_ORDER[needed]:
        evidence = f"an end over ssh is {FenceGrade.ORDERLY}, {needed} needed"
        return GateResult("fence", Verdict.UNKNOWN, evidence, _by_hand(question))
    return GateResult("fence", Verdict.PASS, "step fence ends it over ssh")


def fence_truth(question: Question) -> GateResult:
    """Nothing contradicts the fence device."""
    lies = question.assessment.condition("FenceLies")
    if lies is None or lies.status is not Status.TRUE:
        return GateResult("fence-truth", Verdict.PASS, "nothing contradicts the fence device")
    return GateResult("fence-truth", Verdict.BLOCK, lies.message, "hamnctl explain FenceLies")


def loss(question: Question) -> GateResult:
    """Nothing is lost, or the operator accepted the printed class (law 4)."""
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
        return GateResult("loss", Verdict.PASS, f"{loss.class_}: {why}", reason=reason)
    clear = f"{question.plan} --accept-loss {loss.class_}"
    return GateResult("loss", Verdict.BLOCK, f"{loss.class_}: {why}", clear)


def _is_accepted(question: Question) -> bool:
    """The printed class, no other (law 4); what became better since it was shown is accepted."""
    accepted, now = question.request.accept_loss, question.assessment.loss.class_
    if accepted is None or accepted == now:
        return accepted == now
    return question.shown_loss == accepted and LOSS_RANK[now] < LOSS_RANK[accepted]


def disk(question: Question) -> GateResult:
    """There is room to write; the journal's reserve counts as room."""
    found = question.assessment.condition("DiskSpace")
    if found is not None and found.reason == "InReserve":
        return GateResult("disk", Verdict.PASS, found.message)
    return from_condition("disk", found)


def files(question: Question) -> GateResult | None:
    """The CA here is the primary's: with another one no node trusts this management node.

    What was compared last counts: the primary cannot be asked any more.
    """
    found = question.assessment.condition("FilesIdentical")
    return None if found is None else from_condition("files", found)


def acknowledged(question: Question) -> GateResult | None:
    """Somebody looked at the takeover before: two in a row are more often one cause than two."""
    earlier = question.earlier
    if earlier is None:
        return None
    name, digest = "acknowledged", earlier.digest
    if earlier.acknowledged_by:
        told = f"{earlier.acknowledged_by} acknowledged takeover {digest}"
        return GateResult(name, Verdict.PASS, told)
    is_here = earlier.node == question.terms.site.node
    which = f"takeover {digest}" if is_here else f"takeover {digest} to {earlier.node}"
    told = f"{which} ended {earlier.age_s / 60:.0f} min ago, and nobody looked at why"
    where = "" if is_here else f" (on {earlier.node}, once it is up)"
    clear = f"hamnctl report {digest}{where}; hamnctl ack {digest}"
    return GateResult(name, Verdict.BLOCK, told, clear)


def readiness(question: Question) -> GateResult:
    """Every step was proven ready.

    What a gate asks that the operator overrode by its name (`fence`) is not asked here again.
    """
    steps = [one for one in question.assessment.conditions if is_proof(one)]
    settled = {*question.begun, *(one.gate for one in question.request.overrides)}
    failing = [
        one
        for one in steps
        if one.status is not Status.TRUE and one.type.removeprefix("StepReady/") not in settled
    ]
    if question.request.is_successor:
        told = "a run that goes on proves each step by its own looks"
        return GateResult("readiness", Verdict.PASS, told)
    if not steps:
        return GateResult("readiness", Verdict.UNKNOWN, "no step was proven yet", "hamnctl ready")
    if not failing:
        proven = sum(one.status is Status.TRUE for one in steps)
        told = f"{proven}/{len(steps)} steps proven"
        if question.begun:
            told = "every step that has not begun is proven"
        return GateResult("readiness", Verdict.PASS, told)
    worst = Verdict.BLOCK if any(one.status is Status.FALSE for one in failing) else Verdict.UNKNOWN
    names = ", ".join(one.type.removeprefix("StepReady/") for one in failing)
    return GateResult("readiness", worst, f"not proven: {names}", "hamnctl ready")


def why_not_promote(plan: Plan, loss: Loss) -> str | None:
    """Return why this form of promotion is not right with the loss as it is now (law 4), or None.

    The plan was agreed to on a picture that may have become worse while the run was paused.
    """
    worse = "what is lost became worse since it was confirmed"
    if plan.variant == "force-after-proof" and loss.class_ != LossVerdict.ZERO_PROVEN:
        return f"{worse}: {loss.class_}, not zero_proven"
    if plan.variant == "activate" and loss.is_entire and not plan.request.accept_loss:
        return f"{worse}: {loss.class_}"
    if plan.variant == "accepted-force":
        accepted = plan.request.accept_loss
        if accepted is None or LOSS_RANK[loss.class_] > LOSS_RANK[accepted]:
            said = "nothing" if accepted is None else str(accepted)
            return f"{worse}: {loss.class_}, not {said}"
        if loss.class_ == accepted and (grown := loss.grew_since(plan.loss)):
            return f"{worse}: {grown}"
    return None
