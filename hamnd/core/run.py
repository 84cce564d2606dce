"""A confirmed plan under way: which steps may start, what a report means for them.

Owns `Run` and `StepRun` and every move of theirs. Must not know states, gates or how a step's
commands are carried out. Law 5: the intent is recorded before the action, an unknown outcome is
looked at, never blindly run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hamnd.model.instant import Instant
from hamnd.model.names import Outcome, RunStatus
from hamnd.model.plan import Plan


class Stage(StrEnum):
    """Where a running step stands."""

    IDLE = "idle"
    ALREADY = "already"
    BEFORE = "before"
    ACTING = "acting"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step of a run. Wall seconds, but `deadline`, which is volatile."""

    outcome: Outcome = Outcome.PENDING
    stage: Stage = Stage.IDLE
    attempt: int = 0
    index: int = 0
    """The action that is under way or comes next."""
    started_at: float | None = None
    duration_s: float | None = None
    sentence: str = ""
    has_acted: bool = False
    """An intent of this step was recorded: something may have happened."""
    is_unknown: bool = False
    """The last action's outcome is unknown: the postconditions decide."""
    deadline: Instant | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A confirmed plan being carried out."""

    plan: Plan
    status: RunStatus
    actor: str
    started_at: float
    steps: Mapping[str, StepRun] = field(default_factory=dict)
    paused_step: str = ""
    reason: str = ""
    """Why it is paused: a step's sentence, contradicted, restarted…"""
    reserved_epoch: int = 0
    finished_at: float | None = None
