"""Virtual time: what happens next, and nothing in between.

Owns the event heap and the true time of the simulated site, in seconds. Must not know what an
event does. Two events of one moment happen in the order in which they were made, so that a seed
always tells the same story.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

Happening = Callable[[], None]


class Heap:
    """Future events by true time."""

    def __init__(self, start: float) -> None:
        self.now = start
        self.began = start
        self.count = 0
        """Events that happened."""
        self._events: list[tuple[float, int, Happening]] = []
        self._made = 0

    def at(self, when: float, happening: Happening) -> None:
        """Let something happen at a true time; what lies at infinity never happens."""
        if when == math.inf:
            return
        self._made += 1
        heapq.heappush(self._events, (max(when, self.now), self._made, happening))

    def after(self, seconds: float, happening: Happening) -> None:
        """Let something happen so many seconds from now."""
        self.at(self.now + seconds, happening)

    def step(self) -> None:
        """Move to the next event and let it happen."""
        self.now, _, happening = heapq.heappop(self._events)
        self.count += 1
        happening()
