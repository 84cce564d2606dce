"""A moment, on two clocks.

Owns `Instant`. Must not read a clock: the adapter `clock` makes instants, everybody else receives
them. Monotonic seconds order events and measure durations within one boot of one process and never
reach disk; wall seconds (UTC, epoch) are for people, foreign tools and the journal.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """One moment; ordered by the monotonic clock."""

    monotonic_s: float
    wall_s: float

    def since(self, earlier: Instant) -> float:
        """Return the seconds that passed since `earlier`, measured on the monotonic clock."""
        return self.monotonic_s - earlier.monotonic_s

    def ago(self, seconds: float) -> Instant:
        """Return the moment that lies `seconds` before this one."""
        return Instant(self.monotonic_s - seconds, self.wall_s - seconds)
