"""A rehearsal: every look of a takeover's steps taken once, on a day on which nothing is wrong.

Owns what is known of the latest one. Must not know what is looked at (plans) nor when (schedule).
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.model.names import Verdict


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What the looks of one step told: PASS works, BLOCK would fail, UNKNOWN cannot be told."""

    step: str
    verdict: Verdict
    sentence: str
    looks: int
    took_s: float


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The rehearsal under way, or the latest one; wall seconds."""

    number: int
    actor: str
    started_at: float
    steps: tuple[str, ...]
    """The steps that have something to look at, in the plan's order."""
    results: tuple[Rehearsed, ...] = ()
    finished_at: float | None = None
    outcome: str = ""
    """done | not_done | unknown; empty while it goes on."""
    sentence: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether its looks are being taken."""
        return self.finished_at is None
