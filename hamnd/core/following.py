"""What follows from the picture: moves of the state, and of the run.

Owns the derivation of triggers from the assessment. Must not fold, ask or answer (engine, asking,
requests).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import assert_never

from hamnd.core import examining
from hamnd.core import run as runs
from hamnd.core.asking import PROGRESS
from hamnd.core.assessing import are_required_true, assess, what_was_lost
from hamnd.core.contradicting import heard_against, is_done
from hamnd.core.epochs import set_claim
from hamnd.core.events import LookCompleted
from hamnd.core.health.rule import contradiction
from hamnd.core.outliving import GIVES_WAY, is_begun, is_drilling, is_homeward, is_in_drill
from hamnd.core.policy import Policy
from hamnd.core.progress import Run
from hamnd.core.roles import follow_role
from hamnd.core.state import NodeState
from hamnd.core.table import Picture, Trigger
from hamnd.core.turn import Turn
from hamnd.dialects import readers
from hamnd.model.epoch import EpochDoubt
from hamnd.model.instant import Instant
from hamnd.model.names import Mode, Outcome, Phase, PlanKind, RunStatus, State, Verdict
from hamnd.model.record import Record

MOVING = (PlanKind.RESUME, PlanKind.FAILBACK, PlanKind.DRILL)
"""Kinds that move what serves here beside the state."""
SALVAGING = {PlanKind.TAKEOVER: ("salvage", GIVES_WAY)} | dict.fromkeys(
    (PlanKind.SWITCHOVER, PlanKind.DRILL, PlanKind.FAILBACK), ("salvage",)
)
"""Steps that bring here what the old primary still has, by kind."""


def follow_rows(turn: Turn) -> None:
    """Derive triggers from the picture and fire their rows; what was done by hand goes first."""
    follow_role(turn)
    if _is_held(turn.state):
        return
    match turn.state.state:
        case State.PEER:
            if not are_required_true(turn.state.assessment):
                _lose_peer(turn)
        case State.DEGRADED:
            _follow_degraded(turn)
        case State.PRIMARY_DOWN:
            _follow_primary_down(turn)
        case State.TAKING_OVER | State.ACTIVE:
            pass


def _is_held(state: NodeState) -> bool:
    """While its services move the partner's silence does not decide what this node is."""
    run, has_moved = state.run, state.state in (State.TAKING_OVER, State.ACTIVE)
    return run is not None and (run.plan.kind in MOVING or (has_moved and is_drilling(run)))


def _lose_peer(turn: Turn) -> None:
    why = what_was_lost(turn.state.assessment)
    turn.fire(Trigger.CONDITION_LOST, Picture(), why)
    timing = turn.state.timing
    flaps = (*timing.flaps, turn.now)[-turn.terms.policy.flap_max - 1 :]
    timing = replace(timing, flaps=flaps, all_true_since=None)
    turn.state = replace(turn.state, timing=timing)


def _follow_degraded(turn: Turn) -> None:
    state, policy = turn.state, turn.terms.policy
    rule = state.assessment.rule
    if rule.cause is not None and rule.is_held and rule.since is not None:
        picture = Picture(is_doubted=state.doubt is not EpochDoubt.NONE)
        if turn.fire(Trigger.PRIMARY_DOWN_HELD, picture, "; ".join(rule.basis)) is not None:
            return
        turn.state = replace(
            turn.state,
            cause=rule.cause,
            silence_began=rule.since.wall_s,
            timing=replace(turn.state.timing, down_since=rule.since, all_true_since=None),
        )
        return
    since = state.timing.all_true_since
    if not are_required_true(state.assessment):
        if since is not None:
            turn.state = replace(state, timing=replace(state.timing, all_true_since=None))
        return
    if since is None:
        turn.state = replace(state, timing=replace(state.timing, all_true_since=turn.now))
        return
    if turn.now.since(since) < policy.recover_after_s:
        return
    recent = recent_flaps(state, turn.now, policy)
    turn.fire(Trigger.PEER_PROVEN, Picture(is_flapping=len(recent) >= policy.flap_max))


def recent_flaps(state: NodeState, now: Instant, policy: Policy) -> tuple[Instant, ...]:
    """Return when this node left Peer within the flap window, the latest last."""
    return tuple(at for at in state.timing.flaps if now.since(at) <= policy.flap_window_s)


def _follow_primary_down(turn: Turn) -> None:
    state = turn.state
    since = state.timing.down_since
    if since is None or state.cause is None:
        return
    heard = contradiction(state.watch, state.cause, since)
    if heard is None:
        _follow_cause(turn)
        return
    turn.fire(Trigger.PRIMARY_SEEN, Picture(), heard)
    turn.state = replace(
        turn.state,
        cause=None,
        silence_began=None,
        timing=replace(turn.state.timing, down_since=None),
    )


def _follow_cause(turn: Turn) -> None:
    """A primary whose services failed may die altogether: then it is down by its new cause."""
    rule = turn.state.assessment.rule
    if not rule.is_held or rule.since is None or rule.cause in (None, turn.state.cause):
        return
    turn.because = "; ".join(rule.basis)
    turn.state = replace(
        turn.state,
        cause=rule.cause,
        silence_began=rule.since.wall_s,
        because=turn.because,
        timing=replace(turn.state.timing, down_since=rule.since),
    )
    evidence = json.dumps({"cause": rule.cause, "because": turn.because})
    turn.record(Record(Phase.DECISION, "cause_changed", evidence=evidence))


def follow_run(turn: Turn) -> None:
    """Hold a contradicted run, start what is ready, and end what is finished."""
    if turn.state.run is None:
        examining.enter_loss(turn)
        return
    _note_fence(turn)
    _note_salvage(turn)
    _hold_contradicted(turn)
    _begin_drill(turn)
    _advance(turn)
    _raise_epoch(turn)
    _end_first_half(turn)
    _end_run(turn)


def _advance(turn: Turn) -> None:
    run = turn.state.run
    if run is not None and run.status is RunStatus.RUNNING and turn.state.mode is Mode.NORMAL:
        turn.take(runs.advance(run, turn.facts()))


def _hold_contradicted(turn: Turn) -> None:
    """An answer of the old primary that the plan excludes holds the run (design §3)."""
    run = turn.state.run
    if run is None or run.status is not RunStatus.RUNNING:
        return
    heard = heard_against(turn.state, turn.state.timing.resumed)
    if heard is None:
        return
    turn.fire(Trigger.RUN_CONTRADICTED, Picture(), f"contradicted: {heard}")
    turn.take(runs.interrupt(run, f"contradicted: {heard}"))


def note_progress(turn: Turn, event: LookCompleted) -> None:
    """Keep how far a step under way is; nothing depends on it, and no journal has it."""
    run, step = turn.state.run, event.topic.removeprefix(PROGRESS)
    if not event.topic.startswith(PROGRESS) or run is None or step not in run.steps:
        return
    reading = readers.read_look(event.looked)
    if reading.verdict is Verdict.PASS and run.steps[step].outcome is Outcome.RUNNING:
        steps = {**run.steps, step: replace(run.steps[step], told=reading.sentence)}
        turn.state = replace(turn.state, run=replace(run, steps=steps))


def _note_fence(turn: Turn) -> None:
    """From a completed fence on any answer contradicts; one that is done again begins anew."""
    before = turn.state.timing.fence_done
    after = (before or turn.now) if is_done(turn.state, "fence") else None
    if after != before:
        turn.state = replace(turn.state, timing=replace(turn.state.timing, fence_done=after))


def _note_salvage(turn: Turn) -> None:
    """Once the last that it had is here the loss is judged again: what was shown is outdated."""
    before, run = turn.before.run, turn.state.run
    if run is None or before is None or run.plan.kind not in SALVAGING:
        return
    if not any(_has_ended_well(before, run, key) for key in SALVAGING[run.plan.kind]):
        return
    loss = assess(turn.state, turn.now, turn.terms).loss
    evidence = json.dumps({"verdict": loss.verdict, "basis": loss.basis, "seconds": loss.seconds})
    turn.record(
        Record(Phase.DECISION, "loss_judged_again", digest=run.plan.digest, evidence=evidence)
    )


def _has_ended_well(before: Run, run: Run, key: str) -> bool:
    was, one = before.steps.get(key), run.steps.get(key)
    if was is None or one is None:
        return False
    return one.outcome is Outcome.DONE and was.outcome is not Outcome.DONE


def _raise_epoch(turn: Turn) -> None:
    """The epoch is raised with the intent to write it down, or at the latest to promote."""
    run = turn.state.run
    if run is None:
        return
    before = {} if turn.before.run is None else turn.before.run.steps
    for step in run.plan.steps:
        begins = is_begun(run.steps[step.id]) and not is_begun(before.get(step.id))
        if step.claims is not None and begins:
            set_claim(turn, step.claims, run.plan.digest)


def _begin_drill(turn: Turn) -> None:
    """What was set up is whole: from here on the primary hands over, as the operator confirmed."""
    run = turn.state.run
    if run is None or run.status is not RunStatus.RUNNING or not is_in_drill(run):
        return
    if turn.state.state in (State.TAKING_OVER, State.ACTIVE) or is_homeward(run):
        return
    if turn.state.mode is not Mode.NORMAL:
        return  # no action starts
    picture = Picture(is_plan_current=True)  # confirmed with the whole plan
    told = "the pair is set up; its drill begins"
    refused = turn.fire(Trigger.SWITCHOVER_CONFIRMED, picture, told)
    if refused is not None:
        turn.take(runs.interrupt(run, f"no drill now: {refused.because}"))


def _end_first_half(turn: Turn) -> None:
    """A drill's first half makes active as any switchover does; the run goes on (design §3)."""
    run = turn.state.run
    if run is None or not is_drilling(run):
        return
    if turn.state.state is State.TAKING_OVER and is_homeward(run):
        is_verified = run.steps["verify"].outcome is Outcome.DONE
        how = "is verified" if is_verified else "is over, its verification was skipped"
        turn.fire(Trigger.RUN_VERIFIED, Picture(), f"the first half of the drill {how}")


def _end_run(turn: Turn) -> None:
    """A finished run leaves its memory; the state follows it."""
    state = turn.state
    run = state.run
    if run is None or run.finished_at is None:
        return
    if run.plan.kind is not PlanKind.UNDO:
        turn.note_finished(run)
    match run.plan.kind:
        case PlanKind.TAKEOVER | PlanKind.SWITCHOVER:
            _become_active(turn, run)
        case PlanKind.FAILBACK | PlanKind.DRILL:
            _become_standby(turn, run)
        case PlanKind.SETUP if is_in_drill(run):
            _become_standby(turn, run)
        case PlanKind.RESUME | PlanKind.REJOIN | PlanKind.SETUP:
            pass  # beside the state
        case PlanKind.UNDO:
            _follow_undo(turn, run)
        case _:
            assert_never(run.plan.kind)
    timing = replace(turn.state.timing, fence_done=None, resumed=None, down_since=None)
    turn.state = replace(turn.state, run=None, cause=None, silence_began=None, timing=timing)
    turn.persist = True


def _become_active(turn: Turn, run: Run) -> None:
    """A verified run makes active; a concluded one has done so when the operator said it."""
    if run.status is RunStatus.DONE:
        turn.fire(Trigger.RUN_VERIFIED, Picture())
    elif turn.state.state is State.TAKING_OVER:
        turn.fire(Trigger.RUN_CONCLUDED, Picture(is_past_no_return=True), run.reason)


def _become_standby(turn: Turn, run: Run) -> None:
    """A verified way home ends as a standby; a concluded one is what is seen of it."""
    if run.status is RunStatus.DONE:
        turn.fire(Trigger.STANDBY_HERE, Picture(), "this node handed over and is the standby now")
        turn.state = replace(turn.state, doubt=EpochDoubt.NONE)
    elif turn.state.state is State.TAKING_OVER:
        turn.fire(Trigger.RUN_CONCLUDED, Picture(is_past_no_return=True), run.reason)


def _follow_undo(turn: Turn, run: Run) -> None:
    """What was undone beside the state leaves it where it was."""
    if turn.state.state is State.TAKING_OVER:
        turn.fire(Trigger.RUN_UNDONE, Picture(is_past_no_return=runs.is_past_no_return(run)))
