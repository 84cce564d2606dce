"""Everything that is judged afresh after each event, in one value.

Owns `Assessment`. Must not know how its parts are judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hamnd.core.health.rule import DownRule
from hamnd.core.replication import Promotion
from hamnd.model.health import Condition, FenceEvidence
from hamnd.model.names import LossVerdict, Status, Verdict
from hamnd.model.plan import Loss
from hamnd.model.work import Reading


@dataclass(frozen=True, slots=True)
class Assessment:
    """The picture at one instant."""

    conditions: tuple[Condition, ...] = ()
    rule: DownRule = field(default_factory=DownRule)
    evidence: tuple[FenceEvidence, ...] = ()
    """All evidence that holds now, best first."""
    released: FenceEvidence | None = None
    """What says that the partner is the standby of this pair and serves nothing, if it does."""
    loss: Loss = field(default_factory=lambda: Loss(LossVerdict.UNKNOWN, ("nothing observed yet",)))
    promotion: Promotion = field(
        default_factory=lambda: Promotion("none", Verdict.UNKNOWN, "nothing observed yet")
    )
    yielding: Reading = field(
        default_factory=lambda: Reading(Verdict.UNKNOWN, "nothing observed yet")
    )
    """Whether this node's own database and addresses may give way."""
    is_suspicious: bool = False
    """The primary does not answer as it should: look more often."""
    is_protected: Status = Status.UNKNOWN
    is_ready: Status = Status.UNKNOWN
    advice: str = ""
    """One sentence for `explain`: what to try or not to do."""

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, or None."""
        for condition in self.conditions:
            if condition.type == type_:
                return condition
        return None
