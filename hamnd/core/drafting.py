"""What a plan is made from right now, and whether a run stands still: shared by every request.

Owns how the engine's state becomes a draft, and the plans that were shown. Must not answer a
request (requests) nor build a plan (plans).
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core import run as runs
from hamnd.core.asking import platform_steps, seen_here, seen_there
from hamnd.core.examining import finding_of
from hamnd.core.gates import Earlier, Question
from hamnd.core.guarding import newest_epoch
from hamnd.core.health.rule import database_health, does_answer
from hamnd.core.plans import Draft
from hamnd.core.plans.kinds import KINDS
from hamnd.core.policy import Terms
from hamnd.core.progress import Run
from hamnd.core.state import FinishedRun, NodeState, Refusal
from hamnd.core.turn import Turn
from hamnd.errors import PermanentError
from hamnd.model.epoch import Claim, Epoch
from hamnd.model.instant import Instant
from hamnd.model.names import Outcome, Phase, Probe, RunStatus
from hamnd.model.plan import Plan, PlanRequest
from hamnd.model.record import Record
from hamnd.model.site import Site
from hamnd.model.takeovers import PastTakeover


def made(draft: Draft) -> Plan | Refusal:
    """Return the plan of a draft, or why it cannot be made on this site at all."""
    kind = draft.question.request.kind
    try:
        return KINDS[kind].build(draft)
    except PermanentError as error:
        return Refusal(str(kind), str(error), hint="hamnctl explain")


def keep_plan(turn: Turn, plan: Plan, actor: str) -> None:
    """Keep a plan for its confirmation, and answer it."""
    kept = [one for one in turn.state.plans if one.digest != plan.digest]
    plans = (*kept, plan)[-turn.terms.policy.plans_max :]
    turn.state = replace(turn.state, plans=plans)
    turn.answer = plan
    turn.because = f"plan {plan.digest} was made"
    evidence = json.dumps({"kind": plan.kind, "variant": plan.variant, "loss": plan.loss.verdict})
    turn.record(Record(Phase.DECISION, "plan_shown", actor, plan.digest, evidence=evidence))


def draft_of(turn: Turn, request: PlanRequest, shown: Plan | None = None) -> Draft:
    """Return what a plan for this request is made from; `shown` is the one that is confirmed."""
    state = turn.state
    kept = state.run if request.is_successor else None
    return Draft(
        question_of(state, turn.now, turn.terms, request, shown),
        platform_steps(state, turn.terms),
        state.cause,
        reach_class(turn),
        turn.now.wall_s,
        newest_epoch(state, turn.terms),
        seen=seen_here(state),
        their_seen=seen_there(state),
        claims={} if kept is None else _claims(kept, newest_epoch(state, turn.terms)),
        continues="" if kept is None else kept.plan.digest,
        settled_loss=None if kept is None else runs.settled_loss(kept),
    )


def _claims(kept: Run, newest: Epoch) -> dict[str, Claim]:
    """Return what a paused run claims; whoever owned the epoch when it began is remembered."""
    return {
        step.id: step.claims
        if kept.steps[step.id].outcome is Outcome.DONE
        else replace(step.claims, number=newest.number + 1)
        for step in kept.plan.steps
        if step.claims is not None
    }


def question_of(
    state: NodeState, now: Instant, terms: Terms, request: PlanRequest, shown: Plan | None = None
) -> Question:
    """Return what the gates of this request look at, at this moment."""
    kept = state.run if request.is_successor else None
    is_owner = None if state.epoch is None else state.epoch.owner == terms.site.node
    return Question(
        state=state.state,
        mode=state.mode,
        mode_reason=state.mode_reason,
        assessment=state.assessment,
        request=request,
        has_run=is_open(state),
        terms=terms,
        cause=state.cause,
        begun=frozenset() if kept is None else runs.begun_steps(kept),
        does_ssh_answer=does_answer(state.watch, Probe.SSH_BANNER, now, terms.policy),
        does_database_answer=database_health(state.watch, now, terms.policy) is True,
        shown_loss=None if shown is None else shown.loss.class_,
        earlier=earlier_takeover(state, now, terms),
        finding=finding_of(state, terms),
        is_old_one_out=state.last_takeover is not None or is_owner is False,
        is_owner=is_owner,
    )


def earlier_takeover(state: NodeState, now: Instant, terms: Terms) -> Earlier | None:
    """Return the takeover before, as long as policy wants somebody to have looked at it."""
    last = latest_takeover(state, terms.site)
    if last is None:
        return None
    age_s = max(0.0, now.wall_s - last.finished_at)
    if age_s > terms.policy.acknowledge_window_s:
        return None
    return Earlier(last.node, last.digest, age_s, last.acknowledged_by)


def latest_takeover(state: NodeState, site: Site) -> PastTakeover | None:
    """Return the latest takeover of the pair that was carried through, whichever node did it."""
    ours, theirs = state.last_made_active, state.elsewhere
    if ours is None:
        return theirs
    here = past_takeover(ours, site.node)
    return theirs if theirs is not None and theirs.finished_at > here.finished_at else here


def past_takeover(run: FinishedRun, node: str) -> PastTakeover:
    """Return a run of this node as the partner is told of it."""
    at = None if run.acknowledged_at is None else int(run.acknowledged_at)
    return PastTakeover(node, run.digest, int(run.finished_at), run.acknowledged_by, at)


def is_open(state: NodeState) -> bool:
    """Whether a run is under way or waits for the operator."""
    run = state.run
    return run is not None and run.status in (RunStatus.RUNNING, RunStatus.PAUSED)


def reach_class(turn: Turn) -> str:
    """Return the reachability class that a digest covers: cause, and what answers (design §12)."""
    state = turn.state
    cause = "none" if state.cause is None else state.cause.value
    found = state.assessment.condition("PrimaryReachable")
    heard = "unknown" if found is None else found.reason
    health = database_health(state.watch, turn.now, turn.terms.policy)
    database = {True: "answers", False: "fails", None: "unknown"}[health]
    if heard == "Silent":
        database = "silent"
    return f"{cause}, {heard}, database {database}"


def why_moving(run: Run | None) -> Refusal | None:
    """Nothing ends or replaces a run while one of its steps is under way: its report must count."""
    if run is None:
        return None
    moving = [key for key, one in run.steps.items() if one.outcome is Outcome.RUNNING]
    if not moving:
        return None
    told = f"step {', '.join(moving)} is still under way: wait until it has come home"
    return Refusal("run", told, hint="hamnctl status")
