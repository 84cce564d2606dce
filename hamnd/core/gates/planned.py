"""The gates of what is planned or follows a takeover.

Owns what each of them asks of the picture. Must not know which plan asks it (judging).
"""

from __future__ import annotations

from hamnd.core.gates import Question, takeover
from hamnd.model.names import State, Verdict
from hamnd.model.plan import GateResult


def off_or_released(question: Question) -> GateResult:
    """The old primary is a standby that serves nothing, or it is off or can be switched off."""
    released = question.assessment.released
    if released is not None:
        return GateResult("fence", Verdict.PASS, f"{released.grade}: {released.detail}")
    return takeover.fence(question)


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
