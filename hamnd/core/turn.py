"""One turn of the engine: what is collected between an event and its decision.

Owns `Turn`, the only mutable thing of the core; it lives for one call of `step`. Must not decide.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core import fsm
from hamnd.core.commands import Command, WriteReport
from hamnd.core.health.evidence import best_grade
from hamnd.core.invariants import (
    check_refusal,
    has_evidence_for,
    is_fence_overridden,
    own_release,
    released_by,
)
from hamnd.core.policy import Terms
from hamnd.core.progress import Facts, Move, Run
from hamnd.core.run import open_steps
from hamnd.core.state import Change, Decision, FinishedRun, NodeState, Refusal
from hamnd.core.table import Picture, Trigger
from hamnd.model.instant import Instant
from hamnd.model.names import FenceGrade, Outcome, Phase, PlanKind, State
from hamnd.model.plan import Plan
from hamnd.model.record import Record

FINISHED_MAX = 16
"""How many ended takeovers are remembered; the journal keeps them all."""


class Turn:
    """Collects state, commands and records while one event is decided."""

    def __init__(self, state: NodeState, now: Instant, terms: Terms) -> None:
        """Begin with the state before the event."""
        self.before = state
        self.state = state
        self.now = now
        self.terms = terms
        self.commands: list[Command] = []
        self.records: list[Record] = []
        self.remember: dict[str, str] = {}
        self.rows: list[str] = []
        self.because = ""
        self.refusal: Refusal | None = None
        self.answer: Plan | None = None
        self.persist = False

    def record(self, record: Record) -> None:
        """Write a record, and the state with it."""
        self.records.append(record)
        self.persist = True

    def refuse(self, refusal: Refusal) -> None:
        """Refuse the request: nothing changes. Raises InvariantViolation where something did."""
        check_refusal(self.before, self.state)
        self.refusal = refusal
        self.because = refusal.sentence

    def take(self, move: Move) -> None:
        """Take over what a run's move brought."""
        if move.run != self.state.run:
            self.persist = True
        self.state = replace(self.state, run=move.run)
        self.commands.extend(move.commands)
        for record in move.records:
            self.record(record)

    def facts(self) -> Facts:
        """Return what a run needs to know, as it is now."""
        run, evidence = self.state.run, self.state.assessment.evidence
        has_evidence = proven = has_evidence_for(run, self.state, self.terms)
        needed = self.terms.policy.fence_minimum
        if run is not None and run.plan.fence_minimum is FenceGrade.RELEASED:
            needed = FenceGrade.RELEASED
            released = released_by(run, self.state, self.terms)
            evidence = () if released is None else (released,)
        sentence = f"{best_grade(evidence)}, {needed} needed"
        if evidence:
            sentence = f"{evidence[0].grade}: {evidence[0].detail}"
        if evidence and not proven:
            sentence = f"{sentence}; {needed} needed"
        if not proven and (lie := self.state.watch.lie):
            sentence = f"{sentence}; the controller is not believed: {lie} while it said off"
        if not proven and run is not None and is_fence_overridden(run):
            proven, sentence = True, "the fence gate was overridden by the operator"
        here, loss = self.terms, self.state.assessment.loss
        own = own_release(self.state, here)
        return Facts(self.now, here.policy, here.site, proven, sentence, own, has_evidence, loss)

    def note_finished(self, run: Run) -> None:
        """Remember a run that ended, however it ended, and have its report written."""
        assert run.finished_at is not None
        done = FinishedRun(
            digest=run.plan.digest,
            kind=run.plan.kind.value,
            status=run.status.value,
            started_at=run.started_at,
            finished_at=run.finished_at,
            open_steps=open_steps(run),
            predicted=run.plan.loss.verdict.value,
            position=self.state.watch.standby_end,
            actual="pending" if run.plan.kind is PlanKind.TAKEOVER else "",
            steps_s={
                key: one.duration_s
                for key, one in run.steps.items()
                if one.outcome is Outcome.DONE and one.duration_s is not None
            },
        )
        finished = (*self.state.finished, done)[-FINISHED_MAX:]
        key = f"{done.kind} {done.status}"
        ended = {**self.state.ended, key: self.state.ended.get(key, 0) + 1}
        self.state = replace(self.state, finished=finished, ended=ended)
        self.commands.append(WriteReport(run.plan.digest))

    def fire(self, trigger: Trigger, picture: Picture, why: str = "") -> fsm.Refused | None:
        """Move the state by a row of the table, or return why it does not move.

        `why` says what made it so this time; the row's own sentence is shown where there is none.
        """
        outcome = fsm.fire(self.state.state, trigger, picture)
        if isinstance(outcome, fsm.Refused):
            return outcome
        self.rows.append(outcome.id)
        self.because = why or outcome.because
        if outcome.target is self.state.state:
            return None
        change = Change(self.now.wall_s, self.state.state, outcome.target, outcome.id, self.because)
        history = (*self.state.changes, change)[-self.terms.policy.history_max :]
        self.state = replace(
            self.state,
            state=outcome.target,
            since=self.now.wall_s,
            because=self.because,
            changes=history,
            timing=replace(self.state.timing, all_true_since=None),
        )
        if outcome.target not in (State.PRIMARY_DOWN, State.TAKING_OVER):
            # Why and since when it was down says nothing about a later silence.
            timing = replace(self.state.timing, down_since=None)
            self.state = replace(self.state, cause=None, silence_began=None, timing=timing)
        self.record(state_changed(change))
        return None

    def decision(self) -> Decision:
        """Return what was decided."""
        return Decision(
            state=self.state,
            commands=tuple(self.commands),
            records=tuple(self.records),
            remember=self.remember,
            because=self.because,
            rows=tuple(self.rows),
            refusal=self.refusal,
            answer=self.answer,
            persist=self.persist,
        )


def state_changed(change: Change) -> Record:
    """Return the journal record of a move between states."""
    evidence = {
        "from": change.source.value,
        "to": change.target.value,
        "row": change.row,
        "because": change.because,
    }
    return Record(Phase.DECISION, "state_changed", evidence=json.dumps(evidence))
