"""The gates of what is planned or follows a takeover.

Owns what each of them asks of the picture. Must not know which plan asks it (judging).
"""

from __future__ import annotations

from hamnd.core.gates import Question, from_condition, plan_command, takeover
from hamnd.model.names import PlanKind, State, Status, Verdict
from hamnd.model.plan import HOME, GateResult


def off_or_released(question: Question) -> GateResult:
    """The old primary is a standby that serves nothing, or it is off or can be switched off."""
    released = question.assessment.released
    if released is not None:
        return GateResult("fence", Verdict.PASS, f"{released.grade}: {released.detail}")
    return takeover.fence(question)


def peer(question: Question) -> GateResult:
    """The pair replicates in its best state: what the primary hands over arrives."""
    if "quiesce" in question.begun:
        return GateResult("peer", Verdict.PASS, "the primary was asked to hand over before")
    return from_condition("peer", question.assessment.condition("ReplicationPeer"))


def partner(question: Question) -> GateResult:
    """The primary answers, over ssh too: all that it lets go of is done and read over there."""
    over_ssh = partner_over_ssh(question)
    if over_ssh.verdict is not Verdict.PASS or "stop" in question.begun:
        return over_ssh  # what does not serve over there was stopped by this run
    return from_condition("partner", question.assessment.condition("PrimaryReachable"))


def partner_over_ssh(question: Question) -> GateResult:
    """The other node's ssh answers: what is done there is done and read over ssh."""
    name = question.terms.site.partner.name
    if question.does_ssh_answer:
        return GateResult("partner", Verdict.PASS, f"ssh of {name} answers")
    told = f"ssh of {name} does not answer"
    return GateResult("partner", Verdict.UNKNOWN, told, "hamnctl explain PrimaryReachable")


def idle(question: Question) -> GateResult:
    """The partner's own hamnd carries out no plan: two at once would move against each other."""
    return from_condition("idle", question.assessment.condition("PartnerIdle"))


def idle_if_told(question: Question) -> GateResult | None:
    """The same for what is done about a partner that need not answer: only its word blocks."""
    found = idle(question)
    return found if found.verdict is Verdict.BLOCK else None


def standby(question: Question) -> GateResult:
    """Only the configured standby is made one, and only while the cluster has nothing there."""
    name, site = "standby", question.terms.site
    if not site.is_on_standby:
        told, clear = f"{site.node} is the configured primary", f"on {site.standby.name}: "
        return GateResult(name, Verdict.BLOCK, told, f"{clear}{question.plan}")
    if question.state is State.ACTIVE or question.is_owner is True:
        told = "this node is the management node: its database must not give way"
        return GateResult(name, Verdict.BLOCK, told, plan_command(PlanKind.REJOIN))
    found = question.assessment.yielding
    told = f"{site.node} is the configured standby; {found.sentence}"
    clear = "" if found.verdict is Verdict.PASS else "hamnctl status"
    return GateResult(name, found.verdict, told, clear)


def active(question: Question) -> GateResult:
    """This node is the management node: the other one follows it, not the reverse."""
    if question.state is State.ACTIVE:
        return GateResult("active", Verdict.PASS, "this node is the management node")
    if _is_handing_over(question):
        return GateResult("active", Verdict.PASS, "this node began to hand over before")
    told = f"this node is {question.state}: only the management node takes a standby in"
    return GateResult("active", Verdict.BLOCK, told, f"on the management node: {question.plan}")


def _is_handing_over(question: Question) -> bool:
    return any(one.startswith(HOME) for one in question.begun)


def preserve_diverged(question: Question) -> GateResult:
    """What only the old primary has is kept before it follows; who overrides it gives that up."""
    name, finding = "preserve_diverged", question.finding
    if _is_handing_over(question):
        return GateResult(name, Verdict.PASS, "this node began to hand over before")
    if question.assessment.is_protected is Status.TRUE:
        return GateResult(name, Verdict.PASS, "the other node is a standby in its best state")
    if finding is None or finding.rejoin is None:
        told = "the old primary's data was not examined"
        return GateResult(name, Verdict.UNKNOWN, told, "hamnctl explain OldPrimaryReturned")
    task = finding.rejoin
    what = task.diverged or "nothing that is known to have diverged"
    if any(one.gate == name for one in question.request.overrides):
        return GateResult(name, Verdict.BLOCK, f"given up, not kept: {what}")
    return GateResult(name, Verdict.PASS, f"kept as {task.kept_as}: {what}")


def ownership(question: Question) -> GateResult:
    """This node is the management node: by its state, or by the newest epoch that is known."""
    name = "ownership"
    if question.state is State.ACTIVE or question.is_owner is True:
        return GateResult(name, Verdict.PASS, "this node is the management node")
    if question.is_owner is None:
        told = "nobody knows which node may serve: there is no epoch"
        return GateResult(name, Verdict.UNKNOWN, told, "hamnctl explain")
    told = "the newest epoch names the other node"
    return GateResult(name, Verdict.BLOCK, told, "hamnctl plan takeover")
