"""A confirmed plan under way, as values: the run, its steps, and one move of it.

Owns `Run`, `StepRun`, `Facts` and `Move`, and how what a step brought home is recorded. Must not
know how a run moves (stages, run).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hamnd.core.commands import Command
from hamnd.core.policy import Policy
from hamnd.model.instant import Instant
from hamnd.model.names import LookPurpose, LossVerdict, Outcome, Phase, RunStatus, Verdict
from hamnd.model.plan import Loss, Plan, Step
from hamnd.model.record import Record
from hamnd.model.site import Site
from hamnd.model.work import Reading, Report


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
    may_act_again: bool = False
    """A successor's plan shows its actions: what is certainly no longer true is done again."""
    deadline: Instant | None = None
    told: str = ""
    """How far its actions were when that was last asked (`Step.progress`), in words."""


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


NOTHING_KNOWN = Loss(LossVerdict.UNKNOWN, ())
"""What a takeover would lose, as long as nobody judged it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run needs to know from outside of it."""

    now: Instant
    policy: Policy
    site: Site
    is_fence_proven: bool
    """Evidence that policy accepts holds now, or its gate was overridden by name."""
    fence_sentence: str
    own_release: str | None = None
    """What says that this node itself has let go, or None."""
    has_fence_evidence: bool = False
    """Evidence alone, without any override."""
    loss: Loss = NOTHING_KNOWN
    """What a takeover would lose now, whatever was shown when it was confirmed."""

    def why_not_against(self, step: Step) -> str | None:
        """Return why what a step is against is not proven off, nor to have let go; or None."""
        told = "no fence evidence that policy accepts"
        if not step.needs_fence:
            return None
        if step.against == self.site.node:
            own = f"{told}: {step.against} has not let go of everything itself"
            return None if self.own_release is not None else own
        return None if self.is_fence_proven else f"{told}: {self.fence_sentence}"


@dataclass(frozen=True, slots=True)
class Move:
    """The run after a move, with what to do and what to write down."""

    run: Run
    commands: tuple[Command, ...] = ()
    records: tuple[Record, ...] = ()

    def then(self, later: Move) -> Move:
        """Return both moves as one."""
        return Move(later.run, (*self.commands, *later.commands), (*self.records, *later.records))


def look_record(run: Run, step: Step, purpose: LookPurpose, seen: tuple[Verdict, str]) -> Record:
    """Return the record of looks that decided something (law 5)."""
    verdict, sentence = seen
    word = {Verdict.PASS: "true", Verdict.BLOCK: "not true"}.get(verdict, "unknown")
    told = json.dumps({"purpose": purpose.value, "sentence": sentence})
    digest = run.plan.digest
    return Record(
        Phase.LOOK, "step_looked", run.actor, digest, step.id, outcome=word, evidence=told
    )


def action_record(run: Run, step: Step, report: Report, reading: Reading) -> Record:
    """Return the record of an action that came home."""
    outcome = {Verdict.PASS: "done", Verdict.BLOCK: "not_done"}.get(reading.verdict, "unknown")
    took_s = report.finished.since(report.started)
    evidence = json.dumps({"sentence": reading.sentence, "duration_s": round(took_s, 3)})
    return Record(
        Phase.RESULT,
        "action_finished",
        run.actor,
        run.plan.digest,
        step.id,
        exit_code=report.exit_code,
        outcome=outcome,
        evidence=evidence,
    )
