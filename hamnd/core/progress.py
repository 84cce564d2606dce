"""A confirmed plan under way, as values: the run, its steps, and one move of it.

Owns `Run`, `StepRun`, `Facts` and `Move`. Must not know how a run moves (stages, run).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hamnd.core.commands import Command
from hamnd.core.policy import Policy
from hamnd.model.instant import Instant
from hamnd.model.names import LossVerdict, Outcome, RunStatus
from hamnd.model.plan import Plan
from hamnd.model.record import Record
from hamnd.model.site import Site


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
    """The outcome of the action at `index` is unknown: the postconditions decide."""
    must_recheck: bool = False
    """The node was rebooted since it was done: its postconditions are looked at again."""
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
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run needs to know from outside of it."""

    now: Instant
    policy: Policy
    site: Site
    is_fence_proven: bool
    """Evidence that policy accepts holds now, or its gate was overridden by name."""
    fence_sentence: str
    has_fence_evidence: bool = False
    """Evidence alone, without any override."""
    loss: LossVerdict = LossVerdict.UNKNOWN
    """What a takeover would lose now, whatever was shown when it was confirmed."""


@dataclass(frozen=True, slots=True)
class Move:
    """The run after a move, with what to do and what to write down."""

    run: Run
    commands: tuple[Command, ...] = ()
    records: tuple[Record, ...] = ()

    def then(self, later: Move) -> Move:
        """Return both moves as one."""
        return Move(later.run, (*self.commands, *later.commands), (*self.records, *later.records))
