"""What happened, line by line, for a person who reads a failed seed.

Owns the lines. Must not know what matters: who tells it something decides that.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from hamnd.core.state import Decision, NodeState
from hamnd.model.record import Record

QUIET = ("started",)
WIDTH = 110


class Transcript:
    """Collects lines with the seconds since the start."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.lines: list[str] = []

    def say(self, who: str, what: str) -> None:
        """Note one thing."""
        self.lines.append(f"{self._clock():8.2f}  {who:<9} {what}")

    def decided(self, before: NodeState, decision: Decision) -> None:
        """Note what a decision changed and wrote."""
        after = decision.state
        if after.state is not before.state:
            rows = ",".join(decision.rows)
            self.say("STATE", f"{before.state} -> {after.state} [{rows}] {decision.because}")
        for record in decision.records:
            if record.what not in (*QUIET, "state_changed"):
                self.say("journal", _line_of(record))
        if decision.refusal is not None:
            refusal = decision.refusal
            more = "".join(f"\n{'':20}{line[:WIDTH]}" for line in refusal.difference)
            self.say("refused", f"{refusal.gate}: {refusal.sentence}{more}")

    def tail(self, count: int = 60) -> str:
        """Return the last lines."""
        return "\n".join(self.lines[-count:])


def _line_of(record: Record) -> str:
    words = [record.phase.value, record.what, record.step, record.outcome]
    if record.exit_code is not None:
        words.append(f"exit {record.exit_code}")
    tail = record.preview or _sentence_of(record.evidence)
    return " ".join(word for word in words if word) + (f"  {tail[:WIDTH]}" if tail else "")


def _sentence_of(evidence: str) -> str:
    """Return what a record's evidence says, without the braces."""
    if not evidence.startswith("{"):
        return evidence
    known = json.loads(evidence)
    if "sentence" in known:
        return str(known["sentence"])
    return ", ".join(
        f"{key} {value}" for key, value in known.items() if value not in (None, [], "")
    )
