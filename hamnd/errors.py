"""The error tree, ordered by what the caller may do about it.

Owns every exception class of hamnd. Must not know any other module.
A message says what failed, on which node, what hamnd did about it and what the operator can run.
"""

from __future__ import annotations


class HamndError(Exception):
    """Base of all errors that hamnd raises on purpose."""


class PermanentError(HamndError):
    """The same call will fail again until somebody changes something."""


class OutcomeUnknown(HamndError):
    """A request was sent and not answered: look at the world again, never send it blindly twice."""


class RequestRefused(HamndError):
    """An operator's request was refused, and nothing changed."""

    def __init__(self, gate: str, evidence: str) -> None:
        """Name the gate that refused and the evidence it saw."""
        super().__init__(f"{gate}: {evidence}")
        self.gate = gate
        self.evidence = evidence


class JournalError(PermanentError):
    """The journal is damaged or could not be written; hamnd starts no action without it."""


class InvariantViolation(HamndError):
    """A law of design §2 would have been broken: a bug. Caught only in the runtime, which halts."""

    def __init__(self, law: str, detail: str) -> None:
        """Name the broken law and the facts that break it."""
        super().__init__(f"{law}: {detail}")
        self.law = law
        self.detail = detail
