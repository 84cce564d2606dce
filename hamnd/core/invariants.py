"""The laws of design §2 that can be checked on a decision, after every step.

Owns the invariants. They are checked in tests, in the simulation and in production, where a broken
one halts all action (runtime). Must not repair anything.
"""

from __future__ import annotations

from hamnd.core.commands import KeepEpoch, PerformAction
from hamnd.core.events import ClearRequested, ConfirmRequested, Event, RetryRequested
from hamnd.core.gates import is_overridden
from hamnd.core.gates.takeover import why_not_promote
from hamnd.core.health.evidence import best_grade, is_enough
from hamnd.core.outliving import is_in_drill
from hamnd.core.policy import Terms
from hamnd.core.progress import Run, StepRun
from hamnd.core.state import Decision, NodeState
from hamnd.dialects import epoch
from hamnd.errors import InvariantViolation
from hamnd.model.health import FenceEvidence
from hamnd.model.names import (
    GRADE_ORDER,
    FenceGrade,
    Mode,
    Outcome,
    Phase,
    PlanKind,
    RunStatus,
    State,
)


def check(before: NodeState, event: Event, decision: Decision, terms: Terms) -> None:
    """Check every law on one decision.

    Raises:
        InvariantViolation: a law would be broken; nothing of the decision may be carried out.
    """
    after = decision.state
    actions = [one for one in decision.commands if isinstance(one, PerformAction)]
    _taking_over_needs_confirmation(before, event, after)
    for action in actions:
        _action_is_confirmed(after, action)
        _intent_comes_first(decision, action)
        _fence_before_identity(after, action, terms)
        _loss_is_accepted(after, action)
    for command in decision.commands:
        if isinstance(command, KeepEpoch):
            _only_own_directory(after, command, terms)
    _epoch_only_rises(before, after)
    if actions and after.mode is not Mode.NORMAL:
        raise InvariantViolation("observe_only", "an action would start although hamnd observes")
    if after.mode is Mode.NORMAL and before.mode is not Mode.NORMAL:
        _require(isinstance(event, ClearRequested), "observe_only", "left without the operator")


def _only_own_directory(after: NodeState, command: KeepEpoch, terms: Terms) -> None:
    """Law 1: unasked, the epoch is written into hamnd's own directory on the two nodes alone."""
    site = terms.site
    is_pair = command.host in (site.node, site.partner.name)
    is_known = command.epoch == after.epoch
    is_it = command.action == epoch.keep(site, command.host, command.epoch)
    _require(is_pair and is_known and is_it, "law 1", f"something else on {command.host} unasked")


def _epoch_only_rises(before: NodeState, after: NodeState) -> None:
    """Who may serve is never decided by an older epoch, and never twice by the same one."""
    old, new = before.epoch, after.epoch
    if old is None or old is new:
        return
    same = new is not None and (new.number, new.owner) == (old.number, old.owner)
    _require(same or (new is not None and new.number > old.number), "epoch", "it went back")


def _require(is_true: bool, law: str, detail: str) -> None:
    if not is_true:
        raise InvariantViolation(law, detail)


def _taking_over_needs_confirmation(before: NodeState, event: Event, after: NodeState) -> None:
    """Law 1: no takeover without a confirmed plan."""
    if after.state is State.TAKING_OVER:
        _require(after.run is not None, "law 1", "TakingOver without a run")
    if before.state is not State.TAKING_OVER and after.state is State.TAKING_OVER:
        is_told = isinstance(event, ConfirmRequested) or _was_confirmed_with_it(before, after)
        _require(is_told, "law 1", "TakingOver without a confirmation")
    started = after.run is not None and (
        before.run is None or before.run.plan.digest != after.run.plan.digest
    )
    if started and after.run is not None and isinstance(event, ConfirmRequested):
        same = after.run.plan.digest == event.digest or after.run.plan.request == next(
            (one.request for one in before.plans if one.digest == event.digest), None
        )
        _require(same, "law 6", "the run's plan is not the confirmed one")
    elif started:
        raise InvariantViolation("law 1", "a run began without a confirmation")
    resumed = (
        before.run is not None
        and after.run is not None
        and before.run.plan.digest == after.run.plan.digest
        and before.run.status is RunStatus.PAUSED
        and after.run.status is RunStatus.RUNNING
    )
    if resumed:
        told = isinstance(event, RetryRequested | ConfirmRequested)
        _require(told, "law 5", "a paused run went on by itself")


def _was_confirmed_with_it(before: NodeState, after: NodeState) -> bool:
    """Whether a confirmed setup came to the drill that its card named (`request.with_drill`)."""
    run, was = after.run, before.run
    if run is None or was is None or run.plan.digest != was.plan.digest:
        return False
    return run.plan.kind is PlanKind.SETUP and is_in_drill(run)


def check_refusal(before: NodeState, refused: NodeState) -> None:
    """Check that a refused request changed nothing; what time alone changes comes after it.

    Raises:
        InvariantViolation: the request moved the state or the run before it was refused.
    """
    same = refused.state is before.state and refused.run == before.run
    _require(same, "refusal", "a refused request changed state or run")


def _action_is_confirmed(after: NodeState, action: PerformAction) -> None:
    """Law 1: no step beyond the confirmed plan."""
    run = after.run
    _require(
        run is not None and run.plan.digest == action.digest, "law 1", "action without its run"
    )
    assert run is not None
    _require(run.status is RunStatus.RUNNING, "law 1", "an action would start in a held run")
    step = run.plan.step(action.step)
    _require(step.actions[action.index] == action.action, "law 6", "the action is not the plan's")
    for needed in step.depends_on:
        outcome = run.steps[needed].outcome
        skipped = outcome is Outcome.SKIPPED and run.plan.step(needed).proves_fence
        done = outcome is Outcome.DONE or skipped
        _require(done, "order", f"{action.step} would start before {needed} is done")


def _intent_comes_first(decision: Decision, action: PerformAction) -> None:
    """Law 5: intent before action, in the same transaction."""
    found = any(
        record.phase is Phase.INTENT and record.step == action.step for record in decision.records
    )
    _require(found and decision.persist, "law 5", f"{action.step} would act without an intent")


def _fence_before_identity(after: NodeState, action: PerformAction, terms: Terms) -> None:
    """Law 3: what needs the old primary off starts on evidence, or on an override by name."""
    run = after.run
    assert run is not None
    step = run.plan.step(action.step)
    if not step.needs_fence:
        return
    if step.against == terms.site.node:
        _require(own_release(after, terms) is not None, "law 3", f"{step.id}: nobody let go")
        return
    proven = has_evidence_for(run, after, terms) or is_fence_overridden(run)
    _require(proven, "law 3", f"{action.step} would start without fence evidence")


def has_evidence_for(run: Run | None, state: NodeState, terms: Terms) -> bool:
    """Whether evidence reaches what policy demands, and what was agreed to at confirm (law 6).

    In a plan that was agreed to on `released` the partner's own word takes the fence's place.
    """
    evidence = state.assessment.evidence
    agreed = FenceGrade.NONE if run is None else run.plan.fence_minimum
    if agreed is FenceGrade.RELEASED:
        return released_by(run, state, terms) is not None
    reached = GRADE_ORDER[best_grade(evidence)] >= GRADE_ORDER[agreed]
    return reached and is_enough(evidence, terms)


def released_by(run: Run | None, state: NodeState, terms: Terms) -> FenceEvidence | None:
    """Return what says that the old primary let go (law 3), or None.

    Either this very run has it let go, each step read on the old primary itself, and nothing that
    was heard since says otherwise; or it says itself that it is a standby and serves nothing.
    """
    partner, watch = terms.site.partner.name, state.watch
    letting_go = () if run is None else _letting_go(run, partner)
    if run is None or not letting_go:
        return state.assessment.released
    ends = [_ended_at(run.steps[one]) for one in letting_go]
    if None in ends:
        return None
    since = max(end for end in ends if end is not None)
    role, good = watch.partner, watch.xcatd.good
    is_primary = role.role == "primary" and role.at is not None and role.at.wall_s > since
    if is_primary or (good is not None and good.wall_s > since):
        return None
    detail = f"{partner} gave up its services and addresses in this run, read there"
    return FenceEvidence(FenceGrade.RELEASED, since, "run", detail)


def own_release(state: NodeState, terms: Terms) -> str | None:
    """Return what says at this time that this node itself let go in its run, or None."""
    run, reading, node = state.run, state.watch.replication, terms.site.node
    letting_go = () if run is None else _letting_go(run, node)
    if run is None or not letting_go:
        return None
    ends = [_ended_at(run.steps[one]) for one in letting_go]
    if None in ends:
        return None
    since = max(end for end in ends if end is not None)
    is_newer = reading is not None and reading.observed.wall_s > since
    if is_newer and reading is not None and reading.role == "primary":
        return None
    return f"{node} gave up its services and addresses in this run, read here"


def _letting_go(run: Run, host: str) -> tuple[str, ...]:
    return tuple(step.id for step in run.plan.steps if step.lets_go and step.host == host)


def _ended_at(one: StepRun) -> float | None:
    """Return when a step was done, in wall seconds; None where it is not."""
    if one.outcome is not Outcome.DONE or one.started_at is None:
        return None
    return one.started_at + (one.duration_s or 0.0)


def is_fence_overridden(run: Run) -> bool:
    """Whether the operator overrode the fence gate, in the plan or by skipping its step."""
    skipped = any(
        step.proves_fence and run.steps[step.id].outcome is Outcome.SKIPPED
        for step in run.plan.steps
    )
    return skipped or is_overridden(run.plan.gates, "fence")


def _loss_is_accepted(after: NodeState, action: PerformAction) -> None:
    """Law 4: plain BY FORCE on proof, or on the loss class that the operator accepted."""
    run = after.run
    assert run is not None
    if run.plan.kind is PlanKind.TAKEOVER and action.step == "promote":
        why_not = why_not_promote(run.plan, after.assessment.loss)
        _require(why_not is None, "law 4", why_not or "")
