"""What a writer had acknowledged when, and a loss verdict held against it.

Owns the count over time. MUST NOT know any database: a writer tells which rows were acknowledged.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol


class CountingWriter(Protocol):
    """Writes numbered rows and knows which of them were acknowledged."""

    @property
    def acknowledged(self) -> list[int]:
        """Their numbers, in order."""
        ...

    def wait(self, count: int) -> None:
        """Wait until so many more are acknowledged."""
        ...

    def stop(self) -> list[int]:
        """End it and return what was acknowledged."""
        ...


class Ledger:
    """Notes every tenth of a second how many rows of a writer are acknowledged."""

    def __init__(self, writer: CountingWriter) -> None:
        self.writer = writer
        self._notes: list[tuple[float, int]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._note, daemon=True)
        self._thread.start()

    def _note(self) -> None:
        while not self._ended.wait(0.1):
            self._notes.append((time.perf_counter(), len(self.writer.acknowledged)))

    def close(self) -> list[int]:
        """End it and the writer; return all that was acknowledged, in order."""
        self._ended.set()
        self._thread.join()
        return self.writer.stop()

    def count_at(self, moment: float) -> int:
        """Return how many rows were certainly acknowledged at a moment of the performance clock."""
        return max((count for at, count in self._notes if at <= moment), default=0)


def check_loss(
    loss: dict[str, Any],
    missing: set[int],
    acknowledged: list[int],
    clocked: tuple[Ledger, float],
) -> None:
    """The missing rows against the verdict: none, or only those of the last seconds."""
    ledger, broken = clocked
    match loss["verdict"]:
        case "zero_proven" | "zero_likely":
            assert missing == set()
        case "bounded":
            # It was off at the earliest when it was broken, and had everything that long before.
            kept = ledger.count_at(broken - loss["seconds"])
            assert missing <= set(acknowledged[kept:])
        case "unknown":
            # It promises nothing of how much; what is missing are the last writes all the same.
            assert loss["estimated_bytes"] is None or loss["estimated_bytes"] >= 0
            assert missing == set(acknowledged[len(acknowledged) - len(missing) :])
        case other:
            raise AssertionError(other)
