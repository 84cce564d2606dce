"""What many nights have seen together, in numbers and in words.

Owns the sums. Must not judge whether it is enough (test_seeds).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

from tests.sim.play import Outcome

YEAR_S = 365.25 * 86_400.0


@dataclass
class Explored:
    """Sums over nights; every field can be added up."""

    nights: int = 0
    events: int = 0
    steps: int = 0
    seconds: float = 0.0
    """Virtual time."""
    checks: int = 0
    actions: int = 0
    unknown: int = 0
    refusals: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    excuses: Counter[str] = field(default_factory=Counter)
    excused: int = 0
    """Nights in which some risk was taken by a person or a lying device."""
    verdicts: Counter[str] = field(default_factory=Counter)
    variants: Counter[str] = field(default_factory=Counter)
    examined: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one night."""
        counts = outcome.laws.counts
        self.join(
            Explored(
                1,
                outcome.events,
                outcome.steps,
                outcome.seconds,
                counts.checks,
                counts.actions,
                counts.unknown_actions,
                counts.refusals,
                Counter([outcome.state.value]),
                counts.rows,
                counts.excuses,
                int(bool(counts.excuses)),
                counts.verdicts,
                counts.variants,
                counts.examined,
            )
        )

    def join(self, other: Explored) -> None:
        """Count what others have seen."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def time(self) -> str:
        """Virtual time in words, long enough to be told in years."""
        return f"{self.seconds / 3600:.1f} h = {self.seconds / YEAR_S:.4f} years of virtual time"

    def tell(self) -> str:
        """Return all of it for people."""

        def words(counter: Counter[str]) -> str:
            return ", ".join(f"{key} {count}" for key, count in sorted(counter.items()))

        return (
            f"\n{self.nights} nights, {self.time}: "
            f"{self.events} events, {self.steps} decisions, {self.checks} checks of the truth\n"
            f"  ended: {words(self.ends)}\n"
            f"  {self.actions} actions, {self.unknown} with unknown outcome, "
            f"{self.refusals} refused requests\n"
            f"  rows of the table: {words(self.rows)}\n"
            f"  promotions confirmed: {words(self.variants)}; promised: {words(self.verdicts)}\n"
            f"  actual losses compared with the truth: {words(self.examined)}\n"
            f"  laws excused in {self.excused} nights: {words(self.excuses)}\n"
        )
