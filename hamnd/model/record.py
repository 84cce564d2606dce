"""A journal record as the core writes it.

Owns `Record`. Must not know how it is stored: sequence number, clocks, boot id and chain hash are
added by the journal adapter.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.model.names import Phase


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the append-only journal (design §12)."""

    phase: Phase
    what: str
    """Constant snake_case phrase, past tense: state_changed, action_started, plan_confirmed…"""
    actor: str = "hamnd"
    digest: str = ""
    step: str = ""
    preview: str = ""
    exit_code: int | None = None
    outcome: str = ""
    evidence: str = ""
    """Sentence or JSON that says what was seen; masked, never a secret."""
