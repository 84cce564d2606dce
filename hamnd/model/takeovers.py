"""A takeover of this pair as both nodes know it: who carried it out, and who looked at it since.

Owns that value. Must not know how it is told (dialects.takeovers) nor what asks for it (core).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PastTakeover:
    """A takeover that was carried through; wall seconds of the node that carried it out."""

    node: str
    digest: str
    finished_at: int
    acknowledged_by: str = ""
    """Who looked at it; empty: nobody is known to have."""
    acknowledged_at: int | None = None

    def is_same(self, other: PastTakeover) -> bool:
        """Whether both are about one run; a digest alone may come again on another night."""
        ours = (self.node, self.digest, self.finished_at)
        return ours == (other.node, other.digest, other.finished_at)
