"""Plans: from the picture to steps, gates and a digest; one module per kind.

Owns `Draft`, what every plan is made from. How a plan is put together is its own module's
(takeover, resume, undo), what its digest covers `digest`, whether a shown plan still stands
`comparing`, and what the kinds have in common `kinds`. None of them may know how a plan runs (run).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hamnd.core.gates import Question
from hamnd.core.raising import RAISED
from hamnd.model.epoch import Claim, Epoch
from hamnd.model.names import Cause
from hamnd.model.plan import Loss, Step
from hamnd.model.work import Report


@dataclass(frozen=True, slots=True)
class Draft:
    """What a plan is made from, besides the gates' question."""

    question: Question
    platform_steps: tuple[Step, ...]
    cause: Cause | None
    reach_class: str
    now_wall_s: float
    epoch: Epoch
    """The newest epoch that is known."""
    seen: Mapping[str, Report] = field(default_factory=dict)
    """What was last seen of this node, by the platform's keys."""
    their_seen: Mapping[str, Report] = field(default_factory=dict)
    """The same of the partner."""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    """What the forerunner claimed, by step; the number is the next one where that is not done."""
    continues: str = ""
    """Digest of the paused run that this plan continues: a successor has a digest of its own."""
    settled_loss: Loss | None = None
    """What the forerunner's promote lost, once that step acted; nothing is lost twice."""

    @property
    def claim(self) -> Claim:
        """The claim by which this node serves."""
        node = self.question.terms.site.node
        return self.claims.get(RAISED) or Claim(self.epoch.number + 1, node, self.epoch.owner)
