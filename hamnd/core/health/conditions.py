"""What is true of the pair right now, as conditions with reason, evidence and age.

Owns `Assessment` (and, below, how conditions are judged). Must not decide what follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hamnd.model.health import Condition, FenceEvidence
from hamnd.model.instant import Instant
from hamnd.model.names import Cause, LossVerdict, Status
from hamnd.model.plan import Loss


@dataclass(frozen=True, slots=True)
class DownRule:
    """The primary-down rule of design §3 as it stands."""

    cause: Cause | None = None
    """Set while the rule is true."""
    since: Instant | None = None
    """When the silence (or failure) began that makes it true."""
    is_held: bool = False
    """True for as long as policy demands."""
    basis: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    """Why it is not true, or not yet."""
    contradiction: str | None = None
    """An answer newer than the silence, for a state that already counts the primary as down."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that is judged afresh after each event."""

    conditions: tuple[Condition, ...] = ()
    rule: DownRule = field(default_factory=DownRule)
    evidence: tuple[FenceEvidence, ...] = ()
    """All evidence that holds now, best first."""
    loss: Loss = field(default_factory=lambda: Loss(LossVerdict.UNKNOWN, ("nothing observed yet",)))
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
