"""Which of the two nodes follows which: what the steps of set-up, rejoin and switchover are about.

Owns that value, the same for every engine that replicates. Must not know a step.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.core.policy import Terms
from hamnd.model.site import Node, Site

HAND_OVER_S = 30.0
"""How long a takeover waits at most for a primary that still answers to hand over what it has."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which node follows which."""

    terms: Terms
    source: Node
    """Its database serves, and is primary or becomes it."""
    standby: Node

    @property
    def site(self) -> Site:
        """The site of both."""
        return self.terms.site

    def limit_s(self, step_id: str, default_s: float) -> float:
        """Return the time limit of a step."""
        return self.terms.policy.step_timeout_s(step_id, default_s)
