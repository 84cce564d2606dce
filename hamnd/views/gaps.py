"""How long it takes from one answer of the primary to the next, as a histogram for each probe.

Owns the buckets and what is counted. Must not know who probes, nor Prometheus' text. It is what the
thresholds of a site are chosen by: `watch.down_after_s` below the gaps that a living primary shows
raises false alarms, far above them costs seconds of the night.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hamnd.model.work import Ending

if TYPE_CHECKING:
    from hamnd.model.names import Probe
    from hamnd.model.work import Looked

BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 60.0)
"""From half of the fastest rhythm to where nobody would wait any longer."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What one probe's answers left between them: how many up to each bound, and all together."""

    counts: Sequence[int]
    """Not cumulative; one more than `BOUNDS_S`, for what is longer."""
    sum_s: float

    @property
    def cumulative(self) -> list[tuple[str, float]]:
        """Return the buckets as Prometheus counts them, the last being all."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets


class AnswerGaps:
    """Counts on as answers come; bounded, whatever comes."""

    def __init__(self) -> None:
        """Begin with nothing heard: the first answer ends no gap."""
        self._last: dict[str, float] = {}
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def heard(self, looked: Iterable[tuple[Probe, Looked]]) -> None:
        """Count what a round of probes brought; a refusal is an answer too."""
        for probe, one in looked:
            if one.report.ending in (Ending.EXITED, Ending.REFUSED):
                self.answered(str(probe), one.report.finished.monotonic_s)

    def answered(self, probe: str, monotonic_s: float) -> None:
        """Count the gap that an answer of this probe ends; rounds may overtake each other."""
        last = self._last.get(probe)
        if last is not None and monotonic_s <= last:
            return
        self._last[probe] = monotonic_s
        if last is None:
            return
        gap_s = monotonic_s - last
        counts = self._counts.setdefault(probe, [0] * (len(BOUNDS_S) + 1))
        counts[next((n for n, bound in enumerate(BOUNDS_S) if gap_s <= bound), -1)] += 1
        self._sums[probe] = self._sums.get(probe, 0.0) + gap_s

    def told(self) -> Mapping[str, Gaps]:
        """Return what was counted since this process began, by probe."""
        return {probe: Gaps(tuple(counts), self._sums[probe])
                for probe, counts in sorted(self._counts.items())}  # fmt: skip
