"""Plans: from the picture to steps, gates and a digest; one module per kind.

Owns `Draft`, what every plan is made from. How a plan is put together is its own module's
(takeover, resume, undo), what its digest covers `digest`, whether a shown plan still stands
`comparing`, and what the kinds have in common `kinds`. None of them may know how a plan runs (run).
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.core.gates import Question
from hamnd.model.names import Cause
from hamnd.model.plan import Loss, Step


@dataclass(frozen=True, slots=True)
class Draft:
    """What a plan is made from, besides the gates' question."""

    question: Question
    platform_steps: tuple[Step, ...]
    cause: Cause | None
    reach_class: str
    now_wall_s: float
    epoch_number: int = 1
    """Number of the epoch under which this node would serve."""
    continues: str = ""
    """Digest of the paused run that this plan continues: a successor has a digest of its own."""
    settled_loss: Loss | None = None
    """What the forerunner's promote lost, once that step acted; nothing is lost twice."""
