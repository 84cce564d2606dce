"""A confirmed plan under way: which steps may start, and how a run pauses, resumes and ends.

Owns the moves of the whole run; the moves within one step are `core.stages`. Must not
know states or gates. Law 5: the intent is recorded before the action; an unknown outcome is looked
at, never blindly run again.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core import stages
from hamnd.core.outliving import (
    ENDED,
    is_decided_later,
    is_homeward,
    is_in_drill,
    is_in_setup,
    is_outlived,
)
from hamnd.core.progress import Facts, Move, Run, Stage, StepRun
from hamnd.model.names import Outcome, Phase, PlanKind, RunStatus
from hamnd.model.plan import HOME, SETUP, Loss, Plan, Step
from hamnd.model.record import Record

FAILED = (Outcome.NOT_DONE, Outcome.UNKNOWN)


def begin(plan: Plan, actor: str, wall_s: float, kept: Run | None) -> Run:
    """Return a new run of this plan; a successor keeps what its forerunner did and does not know.

    Steps that were finished stay so. Of the others it stays known that they acted (the point of no
    return), that their outcome is unknown (law 5) and how often they were tried: a report of the
    forerunner that comes home late must not be taken for one of its successor.
    """
    before = {} if kept is None else kept.steps
    steps = {step.id: _inherited(step, before.get(step.id)) for step in plan.steps}
    return Run(plan=plan, status=RunStatus.RUNNING, actor=actor, started_at=wall_s, steps=steps)


def _inherited(step: Step, before: StepRun | None) -> StepRun:
    if before is None:
        return StepRun()
    if before.outcome is Outcome.DONE and not before.must_recheck:
        # What was disarmed or taken is no longer planned: the new step may have fewer actions.
        return replace(before, index=len(step.actions))
    if before.outcome is Outcome.DONE:
        # Done before the reboot: looked at first, and done again by the plan that shows it.
        return StepRun(
            attempt=before.attempt, has_acted=True, must_recheck=True, may_act_again=True
        )
    # A step with nothing left to do has nothing whose outcome could be unknown.
    is_unknown = before.is_unknown and bool(step.actions)
    return StepRun(attempt=before.attempt, has_acted=before.has_acted, is_unknown=is_unknown)


def unproven(run: Run, facts: Facts) -> Run:
    """Take back that the fence is done when its evidence no longer holds: it is done again."""
    if facts.is_fence_proven:
        return run
    steps = {
        step.id: replace(run.steps[step.id], outcome=Outcome.PENDING, stage=Stage.IDLE, index=0)
        for step in run.plan.steps
        if step.proves_fence and run.steps[step.id].outcome is Outcome.DONE
    }
    return replace(run, steps={**run.steps, **steps})


def begun_steps(run: Run) -> frozenset[str]:
    """Return the steps that a successor inherits as done or acted."""
    return frozenset(
        key for key, one in run.steps.items() if one.has_acted or one.outcome is Outcome.DONE
    )


def settled_loss(run: Run) -> Loss | None:
    """Return what the run's promote lost, once it acted, or None.

    A way home loses nothing; what it tells of the rejoin before it holds to its end.
    """
    if run.plan.kind is PlanKind.FAILBACK:
        return run.plan.loss
    promote = run.steps.get("promote")
    is_settled = promote is not None and promote.has_acted and promote.outcome is Outcome.DONE
    return run.plan.loss if is_settled else None


def advance(run: Run, facts: Facts) -> Move:
    """Start every step that is ready, and pause or finish when nothing moves any more."""
    move = Move(run)
    while move.run.status is RunStatus.RUNNING:
        ready = next((step for step in run.plan.steps if _is_ready(move.run, step)), None)
        if ready is None:
            return _settle(move, facts)
        move = move.then(stages.start(move.run, ready, facts))
    return move


def _is_ready(run: Run, step: Step) -> bool:
    if run.steps[step.id].outcome is not Outcome.PENDING:
        return False
    return all(is_met(run, one) for one in step.depends_on) and all(
        run.steps[one].outcome in ENDED for one in step.after
    )


def is_met(run: Run, step_id: str) -> bool:
    """Whether a dependency is met: done, or the fence, whose skipping overrides its gate."""
    outcome = run.steps[step_id].outcome
    if outcome is Outcome.SKIPPED:
        return run.plan.step(step_id).proves_fence
    return outcome is Outcome.DONE


def _settle(move: Move, facts: Facts) -> Move:
    """Nothing is ready: the run goes on, is blocked by a skipped step, or is finished."""
    run = move.run
    outcomes = [step_run.outcome for step_run in run.steps.values()]
    if any(outcome is Outcome.RUNNING for outcome in outcomes):
        return move
    if all(outcome in ENDED for outcome in outcomes):
        return move.then(_finished(run, facts))
    waiting = next(step for step in run.plan.steps if run.steps[step.id].outcome not in ENDED)
    missing = [one for one in waiting.depends_on if not is_met(run, one)]
    reason = f"waits for {', '.join(missing)}, which was skipped and is not observed true"
    return move.then(stages.pause(run, waiting.id, reason))


def _finished(run: Run, facts: Facts) -> Move:
    """Every step ended: done and verified, or concluded where one was left out."""
    left_out = [
        step.id
        for step in run.plan.steps
        if run.steps[step.id].outcome is Outcome.SKIPPED
        and not (step.proves_fence or step.is_optional)
    ]
    status = RunStatus.CONCLUDED if left_out else RunStatus.DONE
    reason = f"left out: {', '.join(left_out)}" if left_out else ""
    ended = replace(run, status=status, reason=reason, finished_at=facts.now.wall_s)
    record = Record(
        Phase.DECISION,
        "run_finished",
        digest=run.plan.digest,
        outcome=status.value,
        evidence=reason,
    )
    return Move(ended, records=(record,))


def interrupt(run: Run, reason: str) -> Move:
    """Hold a running run: nothing new starts, what is under way comes home and is recorded."""
    if run.status is not RunStatus.RUNNING:
        return Move(run)
    return stages.pause(run, run.paused_step, reason)


def retry(run: Run, actor: str, facts: Facts) -> Move:
    """Let a paused run go on: failed steps are looked at first, then tried again."""
    steps = {key: _retried(run, key, one) for key, one in run.steps.items()}
    resumed = replace(run, steps=steps, status=RunStatus.RUNNING, reason="", paused_step="")
    resumed = unproven(resumed, facts)
    record = Record(Phase.DECISION, "run_resumed", actor, run.plan.digest)
    return Move(resumed, records=(record,)).then(advance(resumed, facts))


def _retried(run: Run, key: str, one: StepRun) -> StepRun:
    """What another machine let go of is read there again before anything is built on it."""
    if one.outcome is Outcome.DONE and run.plan.step(key).lets_go and not is_outlived(run, key):
        one = replace(one, must_recheck=True)
    is_doubted = one.outcome is Outcome.DONE and one.must_recheck
    if one.outcome in FAILED or (is_doubted and not is_decided_later(run, key)):
        return replace(one, outcome=Outcome.PENDING, stage=Stage.IDLE, deadline=None)
    return one


def why_not_skip(run: Run, step_id: str) -> str | None:
    """Return why this step cannot be skipped, or None."""
    if run.status is not RunStatus.PAUSED:
        return "only a paused run has steps to skip"
    if step_id not in run.steps:
        return f"this plan has no step {step_id}: {', '.join(run.steps)}"
    if step_id.removeprefix(HOME) == "promote":
        return "promote cannot be skipped: without it there is no database to manage with"
    if run.steps[step_id].outcome in (*ENDED, Outcome.RUNNING):
        return f"step {step_id} is {run.steps[step_id].outcome.value}"
    return None


def skip(run: Run, step_id: str, reason: str, actor: str) -> Move:
    """Leave a step out; its dependants run only when its postconditions are observed true."""
    one = replace(run.steps[step_id], outcome=Outcome.SKIPPED, sentence=f"skipped: {reason}")
    steps = {**run.steps, step_id: one}
    phase = Phase.OVERRIDE if run.plan.step(step_id).proves_fence else Phase.DECISION
    record = Record(
        phase, "step_skipped", actor, run.plan.digest, step_id, outcome="skipped", evidence=reason
    )
    return Move(replace(run, steps=steps), records=(record,)).then(
        stages.look_at_skipped(replace(run, steps=steps), run.plan.step(step_id))
    )


def finish(run: Run, status: RunStatus, actor: str, reason: str, wall_s: float) -> Move:
    """End a run on the operator's word: aborted or concluded."""
    ended = replace(run, status=status, reason=reason, finished_at=wall_s)
    record = Record(Phase.DECISION, f"run_{status.value}", actor, run.plan.digest, evidence=reason)
    return Move(ended, records=(record,))


def open_steps(run: Run) -> tuple[str, ...]:
    """Return the ids of the steps that are not done and are missed.

    A way home that was given up leaves nothing open: this node goes on as it did before it.
    """
    is_given_up = run.status is RunStatus.ABORTED and is_homeward(run)
    return tuple(
        key
        for key, one in run.steps.items()
        if one.outcome is not Outcome.DONE
        and not (one.outcome is Outcome.SKIPPED and run.plan.step(key).is_optional)
        and not (is_given_up and key.startswith(HOME))
    )


def _at_stake(run: Run) -> tuple[Step, ...]:
    """Return the steps that an undo may take back: of several parts of a run the one under way."""
    steps = run.plan.steps
    if is_homeward(run):
        return tuple(step for step in steps if step.id.startswith(HOME))
    if is_in_drill(run):
        return tuple(step for step in steps if not step.id.startswith(SETUP))
    return steps


def is_past_no_return(run: Run) -> bool:
    """Whether something irreversible is true, was begun, or may have been."""
    return bool(irrevocable_steps(run))


def irrevocable_steps(run: Run) -> tuple[str, ...]:
    """Return the irreversible steps that are true, were begun, or may have been.

    A first action that was definitely refused changed nothing (law 5: not done is not unknown).
    """
    return tuple(
        step.id
        for step in _at_stake(run)
        if not step.reversible and _is_irrevocable(run.steps[step.id])
    )


def _is_irrevocable(one: StepRun) -> bool:
    if one.outcome is Outcome.DONE:
        return True
    was_refused = one.outcome is Outcome.NOT_DONE and not one.is_unknown and one.index == 0
    return one.has_acted and not was_refused


def is_promoted(run: Run) -> bool | None:
    """Whether the database that the half under way makes primary is so; None: it makes none."""
    promote = run.steps.get(f"{HOME}promote" if is_homeward(run) else "promote")
    return None if promote is None or is_in_setup(run) else promote.outcome is Outcome.DONE


def undone_by(run: Run) -> tuple[Step, ...]:
    """Return the steps whose actions a plan `undo` takes back, the latest first."""
    acted = [step for step in _at_stake(run) if run.steps[step.id].has_acted]
    return tuple(reversed(acted))
