"""The moves within one step of a run: already true? - may it start? - act - is it true now?

Owns what a report does to a step. Must not know the order of steps (run) nor how a request is
carried out. Nothing here starts an action without recording its intent in the same move; one whose
outcome is unknown is followed by a look, and only actions that were never started follow it.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.commands import LookAtStep, PerformAction
from hamnd.core.gates.takeover import why_not_promote
from hamnd.core.outliving import begun_again, to_look_at_before
from hamnd.core.progress import Facts, Move, Run, Stage, StepRun, action_record, look_record
from hamnd.core.readings import COMES_BACK, combine
from hamnd.dialects import readers, shell
from hamnd.model.instant import Instant
from hamnd.model.names import LookPurpose, Outcome, Phase, RunStatus, Verdict
from hamnd.model.plan import Step
from hamnd.model.record import Record
from hamnd.model.work import Looked, Report


def start(run: Run, step: Step, facts: Facts) -> Move:
    """Begin a step: first look whether it is true already."""
    before = run.steps[step.id]
    one = replace(
        before,
        outcome=Outcome.RUNNING,
        attempt=before.attempt + 1,
        started_at=facts.now.wall_s,
        duration_s=None,
        sentence="",
        deadline=None,
    )
    if step.proves_fence and facts.has_fence_evidence:
        return _end(run, step, one, (Outcome.DONE, facts.fence_sentence), facts)
    may_be_done = step.skip_if_done or before.has_acted or before.must_recheck
    if may_be_done and step.postconditions:
        return _look(run, step, one, LookPurpose.ALREADY)
    if may_be_done and step.proves_fence and facts.is_fence_proven:
        return _end(run, step, one, (Outcome.SKIPPED, facts.fence_sentence), facts)
    if before.is_unknown:
        told = "its outcome is unknown and nothing can be looked at: check it by hand, then skip it"
        return _end(run, step, one, (Outcome.UNKNOWN, told), facts)
    return _enter_before(run, step, one, facts)


def on_looked(
    run: Run, step: Step, looked: tuple[LookPurpose, tuple[Looked, ...]], facts: Facts
) -> Move:
    """Take in the looks of a step and go on, wait or end it; what was seen is recorded (law 5)."""
    purpose, answers = looked
    seen = combine(answers)
    move = _on_seen(run, step, purpose, seen, facts)
    if purpose is LookPurpose.AFTER and move.run.steps[step.id].stage is Stage.AFTER:
        return move  # it waits: only the look that decides is worth a record
    return Move(move.run, records=(look_record(run, step, purpose, seen),)).then(move)


def _on_seen(
    run: Run, step: Step, purpose: LookPurpose, seen: tuple[Verdict, str], facts: Facts
) -> Move:
    one = run.steps[step.id]
    verdict, sentence = seen
    if one.outcome is Outcome.SKIPPED:
        return _on_skipped_look(run, step, verdict, sentence)
    match purpose:
        case LookPurpose.ALREADY:
            return _on_already(run, step, (verdict, sentence), facts)
        case LookPurpose.BEFORE:
            if verdict is Verdict.PASS:
                return _act(run, step, one, facts)
            word = "not done" if verdict is Verdict.BLOCK else "not done, it could not be checked"
            return _end(run, step, one, (Outcome.NOT_DONE, f"{word}: {sentence}"), facts)
        case LookPurpose.AFTER:
            return _on_after(run, step, (verdict, sentence), facts)


def on_action(run: Run, step: Step, report: Report, facts: Facts) -> Move:
    """Take in the report of an action: done, not done, or unknown (law 5)."""
    one = run.steps[step.id]
    action = step.actions[one.index]
    reading = readers.read_action(action, report)
    record = action_record(run, step, report, reading)
    if reading.verdict is Verdict.PASS:
        done = replace(one, index=one.index + 1, sentence=reading.sentence, is_unknown=False)
        return Move(run, records=(record,)).then(_act(run, step, done, facts))
    if reading.verdict is Verdict.BLOCK:
        failed = replace(one, is_unknown=False)
        is_half_way = _is_unkept(step, one) and one.index > 0
        told = f"{reading.sentence}: {COMES_BACK}" if is_half_way else reading.sentence
        ended = _end(run, step, failed, (Outcome.NOT_DONE, told), facts)
        return Move(run, records=(record,)).then(ended)
    unknown = replace(one, is_unknown=True, sentence=reading.sentence)
    return Move(run, records=(record,)).then(_enter_after(run, step, unknown, facts))


def pause(run: Run, step_id: str, reason: str) -> Move:
    """Hold the run: no step and no action starts until the operator says so."""
    paused = replace(run, status=RunStatus.PAUSED, paused_step=step_id, reason=reason)
    record = Record(
        Phase.DECISION, "run_paused", digest=run.plan.digest, step=step_id, evidence=reason
    )
    return Move(paused, records=(record,))


def look_at_skipped(run: Run, step: Step) -> Move:
    """See whether a skipped step is true all the same; then its dependants may run.

    A skipped fence stays skipped: that is how its gate is overridden, and a controller's word that
    did not suffice as evidence before must not take the override back.
    """
    if not step.postconditions or step.proves_fence:
        return Move(run)
    one = run.steps[step.id]
    command = LookAtStep(
        run.plan.digest, step.id, one.attempt, LookPurpose.ALREADY, step.postconditions
    )
    return Move(run, (command,))


def _on_skipped_look(run: Run, step: Step, verdict: Verdict, sentence: str) -> Move:
    if verdict is not Verdict.PASS:
        return Move(run)
    one = replace(run.steps[step.id], outcome=Outcome.DONE, sentence=f"observed: {sentence}")
    return Move(replace(run, steps={**run.steps, step.id: one}))


def _on_already(run: Run, step: Step, seen: tuple[Verdict, str], facts: Facts) -> Move:
    verdict, sentence = seen
    one = run.steps[step.id]
    holds = verdict is Verdict.PASS and (not step.proves_fence or facts.is_fence_proven)
    if holds and _may_be_missing(step, one):
        return _act(run, step, replace(one, is_unknown=False), facts)
    if holds and one.is_unknown and one.index + 1 < len(step.actions):
        return _act(run, step, replace(one, index=one.index + 1, is_unknown=False), facts)
    if holds and _is_unkept(step, one):
        return _act(run, step, one, facts)
    if holds:
        one = replace(one, is_unknown=False, must_recheck=False)
        return _end(run, step, one, (Outcome.DONE, sentence), facts)
    if one.must_recheck and verdict is Verdict.UNKNOWN:
        told = f"done before the reboot, cannot be seen now, so it is not run again: {sentence}"
        return _end(run, step, one, (Outcome.UNKNOWN, told), facts)
    one = replace(one, must_recheck=False)
    if run.steps[step.id].must_recheck and not one.may_act_again:
        return _end(run, step, one, (Outcome.NOT_DONE, f"no longer true: {sentence}"), facts)
    if one.is_unknown and verdict is Verdict.UNKNOWN and not _is_unkept(step, one):
        told = f"still unknown, so it is not run again: {sentence}"
        return _end(run, step, one, (Outcome.UNKNOWN, told), facts)
    if (first := to_look_at_before(run, step.id)) is not None:
        return Move(begun_again(run, first, step.id))
    again = replace(one, is_unknown=False)
    was_whole = verdict is Verdict.BLOCK and one.index >= len(step.actions) and step.reversible
    if was_whole or step.keeps_at is not None:
        # Carried out and certainly not so, or taken back meanwhile: again from the beginning.
        again = replace(again, index=0)
    return _enter_before(run, step, again, facts)


def _on_after(run: Run, step: Step, seen: tuple[Verdict, str], facts: Facts) -> Move:
    verdict, sentence = seen
    one = run.steps[step.id]
    if verdict is Verdict.PASS and _may_be_missing(step, one):
        told = f"the outcome of its last action is unknown, retry does it again: {one.sentence}"
        return _end(run, step, one, (Outcome.UNKNOWN, told), facts)
    if verdict is Verdict.PASS and one.is_unknown and one.index + 1 < len(step.actions):
        return _act(run, step, replace(one, index=one.index + 1, is_unknown=False), facts)
    if verdict is Verdict.PASS and one.index == step.keeps_at:
        return _act(run, step, one, facts, is_proven=True)
    if verdict is Verdict.PASS and step.proves_fence and not facts.is_fence_proven:
        verdict, sentence = Verdict.BLOCK, facts.fence_sentence
    if verdict is Verdict.PASS:
        done = replace(one, is_unknown=False)
        return _end(run, step, done, (Outcome.DONE, sentence or one.sentence), facts)
    if one.deadline is None or facts.now < one.deadline:
        waiting = replace(one, sentence=sentence)
        return _look(run, step, waiting, LookPurpose.AFTER, facts.policy.look_pause_s)
    if _is_unkept(step, one):
        told = f"{sentence}: not proven, {COMES_BACK}"
        return _end(run, step, replace(one, is_unknown=False), (Outcome.NOT_DONE, told), facts)
    if one.is_unknown or verdict is Verdict.UNKNOWN:
        return _end(run, step, one, (Outcome.UNKNOWN, f"outcome unknown: {sentence}"), facts)
    return _end(run, step, one, (Outcome.NOT_DONE, sentence), facts)


def _may_be_missing(step: Step, one: StepRun) -> bool:
    """Whether an action of unknown outcome may be missing although every look is content."""
    return one.is_unknown and step.actions[one.index].is_repeatable


def _is_unkept(step: Step, one: StepRun) -> bool:
    """Whether this step acted, and what makes it final was not reached."""
    return step.keeps_at is not None and one.has_acted and one.index <= step.keeps_at


def _enter_before(run: Run, step: Step, one: StepRun, facts: Facts) -> Move:
    if step.preconditions:
        return _look(run, step, one, LookPurpose.BEFORE)
    return _act(run, step, one, facts)


def _act(run: Run, step: Step, one: StepRun, facts: Facts, is_proven: bool = False) -> Move:
    """Record the intent of the next action and command it; without one, verify."""
    if one.index >= len(step.actions) or (one.index == step.keeps_at and not is_proven):
        return _enter_after(run, step, one, facts)
    if run.status is not RunStatus.RUNNING:
        # Not failed, only held: it begins again with the run.
        held = replace(one, outcome=Outcome.PENDING, stage=Stage.IDLE, deadline=None)
        return Move(_with(run, step, held))
    if (told := facts.why_not_against(step)) is not None:
        return _end(run, step, one, (Outcome.NOT_DONE, told), facts)
    if step.id == "promote" and (why_not := why_not_promote(run.plan, facts.loss)) is not None:
        told = f"{why_not}: hamnctl plan takeover --continue"
        return _end(run, step, one, (Outcome.NOT_DONE, told), facts)
    action = step.actions[one.index]
    timeout_s = facts.policy.step_timeout_s(step.id, step.timeout_s)
    acting = replace(one, stage=Stage.ACTING, has_acted=True, is_unknown=False)
    record = Record(
        Phase.INTENT,
        "action_started",
        run.actor,
        run.plan.digest,
        step.id,
        shell.preview(action.request, facts.site),
    )
    command = PerformAction(run.plan.digest, step.id, one.attempt, one.index, action, timeout_s)
    return Move(_with(run, step, acting), (command,), (record,))


def _enter_after(run: Run, step: Step, one: StepRun, facts: Facts) -> Move:
    if not step.postconditions:
        if one.is_unknown:
            return _end(run, step, one, (Outcome.UNKNOWN, one.sentence), facts)
        if step.proves_fence and not facts.is_fence_proven:
            return _end(run, step, one, (Outcome.NOT_DONE, facts.fence_sentence), facts)
        if step.proves_fence and not facts.has_fence_evidence:
            return _end(run, step, one, (Outcome.SKIPPED, facts.fence_sentence), facts)
        return _end(run, step, one, (Outcome.DONE, one.sentence or "done"), facts)
    wait_s = facts.policy.step_timeout_s(step.id, step.timeout_s) if one.is_unknown else step.wait_s
    deadline = Instant(facts.now.monotonic_s + wait_s, facts.now.wall_s + wait_s)
    return _look(run, step, replace(one, deadline=deadline), LookPurpose.AFTER)


STAGE_OF = {
    LookPurpose.ALREADY: Stage.ALREADY,
    LookPurpose.BEFORE: Stage.BEFORE,
    LookPurpose.AFTER: Stage.AFTER,
}


def _look(run: Run, step: Step, one: StepRun, purpose: LookPurpose, pause_s: float = 0.0) -> Move:
    looks = step.preconditions if purpose is LookPurpose.BEFORE else step.postconditions
    command = LookAtStep(run.plan.digest, step.id, one.attempt, purpose, looks, pause_s)
    return Move(_with(run, step, replace(one, stage=STAGE_OF[purpose])), (command,))


def _end(run: Run, step: Step, one: StepRun, result: tuple[Outcome, str], facts: Facts) -> Move:
    """End the step with an outcome; what is neither done nor overridden pauses the run."""
    outcome, sentence = result
    if step.is_optional and outcome in (Outcome.NOT_DONE, Outcome.UNKNOWN):
        outcome, sentence = Outcome.SKIPPED, f"left out: {sentence}"
    duration_s = None if one.started_at is None else max(0.0, facts.now.wall_s - one.started_at)
    ended = replace(
        one, outcome=outcome, stage=Stage.IDLE, sentence=sentence, duration_s=duration_s
    )
    evidence = json.dumps({"sentence": sentence, "duration_s": duration_s})
    record = Record(
        Phase.RESULT,
        "step_finished",
        run.actor,
        run.plan.digest,
        step.id,
        outcome=outcome.value,
        evidence=evidence,
    )
    move = Move(_with(run, step, ended), records=(record,))
    if outcome in (Outcome.DONE, Outcome.SKIPPED) or run.status is not RunStatus.RUNNING:
        return move
    return move.then(pause(move.run, step.id, sentence))


def _with(run: Run, step: Step, one: StepRun) -> Run:
    return replace(run, steps={**run.steps, step.id: one})
