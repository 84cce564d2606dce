"""The operator's confirmation: a plan, not a mood (law 6).

Owns what is refused at confirm and how a run begins. The plan is made anew at confirm, and what
became worse is shown instead of done. Must not move a run by itself (run).
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core import run as runs
from hamnd.core.drafting import draft_of, made, why_moving
from hamnd.core.events import ConfirmRequested
from hamnd.core.gates import blocking, plan_command
from hamnd.core.gates.judging import why_impossible
from hamnd.core.health.evidence import stricter_grade
from hamnd.core.plans.comparing import what_became_worse
from hamnd.core.plans.kinds import KINDS
from hamnd.core.plans.undo import build_undo
from hamnd.core.state import Refusal
from hamnd.core.table import Picture, Trigger
from hamnd.core.turn import Turn
from hamnd.model.names import Mode, Phase, PlanKind, RunStatus, State
from hamnd.model.plan import Plan
from hamnd.model.record import Record

NEW_PRIMARY = (PlanKind.TAKEOVER, PlanKind.SWITCHOVER, PlanKind.DRILL, PlanKind.FAILBACK)
"""Kinds that make a node primary: it is that one's name that the operator types."""


def on_confirm(turn: Turn, event: ConfirmRequested) -> None:
    """Start the confirmed plan if the picture did not become worse since it was shown."""
    shown = next((one for one in turn.state.plans if one.digest == event.digest), None)
    if shown is None:
        told = f"no plan {event.digest} was shown lately"
        turn.refuse(Refusal("plan", told, hint="hamnctl plan takeover"))
        return
    refusal = _why_not_confirm(turn, event, shown)
    if refusal is None and shown.kind is PlanKind.UNDO:
        _start_undo(turn, event, shown)
        return
    if refusal is None:
        refusal = _start(turn, event, shown)
    if refusal is not None:
        turn.refuse(refusal)
        evidence = json.dumps({"sentence": refusal.sentence, "difference": refusal.difference})
        record = Record(
            Phase.DECISION, "confirm_refused", event.actor, shown.digest, evidence=evidence
        )
        turn.record(record)


def _why_not_confirm(turn: Turn, event: ConfirmRequested, shown: Plan) -> Refusal | None:
    site, kind = turn.terms.site, shown.kind
    here = site.partner.name if kind is PlanKind.FAILBACK else site.node
    if turn.state.mode is not Mode.NORMAL:
        told = f"hamnd only observes: {turn.state.mode_reason}"
        return Refusal("mode", told, hint="hamnctl clear --reason …")
    if event.named != here:
        moves = kind in NEW_PRIMARY or shown.request.with_drill
        what = "the new primary is" if moves else "this plan is carried out on"
        told = f"{what} {here}, not {event.named or 'nothing'}: read the card again"
        return Refusal("name", told, hint="hamnctl confirm")
    if not shown.created_at <= turn.now.wall_s <= shown.expires_at:  # or our clock was set back
        hint = plan_command(shown.kind)
        return Refusal("expiry", f"plan {shown.digest} expired", hint=hint)
    return None


def _start(turn: Turn, event: ConfirmRequested, shown: Plan) -> Refusal | None:
    if shown.request.is_successor and (refusal := _why_not_succeed(turn, shown.kind)) is not None:
        return refusal
    draft = draft_of(turn, shown.request, shown)
    impossible = why_impossible(draft.question)
    if impossible is not None:
        return Refusal(impossible.name, impossible.evidence, hint=impossible.clear)
    fresh = made(draft)
    if isinstance(fresh, Refusal):
        return fresh
    worse = what_became_worse(shown, fresh, turn.terms)
    if worse:
        told = f"the picture became worse since plan {shown.digest}"
        return Refusal("plan", told, worse, f"hamnctl explain · {plan_command(shown.kind)}")
    refused = blocking(fresh.gates)
    if refused:
        lines = tuple(f"{one.name}: {one.evidence}" for one in refused)
        hints = " · ".join(dict.fromkeys(one.clear for one in refused if one.clear))
        count = "1 gate blocks it" if len(refused) == 1 else f"{len(refused)} gates block it"
        told = f"{count}: {', '.join(one.name for one in refused)}"
        return Refusal(refused[0].name, told, lines, hints)
    is_successor = shown.request.is_successor
    trigger = KINDS[shown.kind].confirmed
    if trigger is not None and is_successor:
        # The second half of a drill runs beside the state.
        is_beside = turn.state.state is not State.TAKING_OVER
        trigger = None if is_beside else Trigger.SUCCESSOR_CONFIRMED
    picture = Picture(is_plan_current=not worse, has_overridden_all=not refused)
    outcome = None if trigger is None else turn.fire(trigger, picture)
    if outcome is not None:
        return Refusal("state", outcome.because, hint="hamnctl explain")
    stricter = stricter_grade(shown.fence_minimum, fresh.fence_minimum)
    agreed = replace(fresh, steps=shown.steps, digest=shown.digest, fence_minimum=stricter)
    _begin(turn, event, agreed, is_successor)
    return None


def why_no_successor(turn: Turn, kind: PlanKind) -> Refusal | None:
    """Only a paused run can be continued, by its own kind; an undo is finished first."""
    run = turn.state.run
    if run is None or run.status is not RunStatus.PAUSED:
        return Refusal("run", "no run is paused", hint="hamnctl status")
    if run.plan.kind is PlanKind.UNDO:
        told = "an undo is under way: finish it by retry or skip, then plan a new takeover"
        return Refusal("run", told, hint="hamnctl status")
    if run.plan.kind is not kind:
        told = f"the paused run is a {run.plan.kind}, no {kind}"
        return Refusal("run", told, hint=f"{plan_command(run.plan.kind)} --continue")
    return None


def _why_not_succeed(turn: Turn, kind: PlanKind) -> Refusal | None:
    """A successor begins when its forerunner holds still: what is under way comes home first."""
    return why_no_successor(turn, kind) or why_moving(turn.state.run)


def _begin(turn: Turn, event: ConfirmRequested, plan: Plan, is_successor: bool) -> None:
    kept = turn.state.run if is_successor else None
    run = runs.begin(plan, event.actor, turn.now.wall_s, kept)
    if kept is not None:
        run = runs.unproven(run, turn.facts())
    turn.state = replace(turn.state, run=run, plans=())
    resumed = turn.now if is_successor else None
    fence_done = turn.state.timing.fence_done if is_successor else None
    timing = replace(turn.state.timing, resumed=resumed, fence_done=fence_done)
    turn.state = replace(turn.state, timing=timing)
    for override in plan.request.overrides:
        evidence = json.dumps({"gate": override.gate, "reason": override.reason})
        turn.record(
            Record(Phase.OVERRIDE, "gate_overridden", event.actor, plan.digest, evidence=evidence)
        )
    loss = {
        "verdict": plan.loss.verdict,
        "basis": plan.loss.basis,
        "seconds": plan.loss.seconds,
        "accepted": plan.request.accept_loss,
    }
    turn.record(
        Record(
            Phase.DECISION, "loss_predicted", event.actor, plan.digest, evidence=json.dumps(loss)
        )
    )
    site, is_homeward = turn.terms.site, plan.kind is PlanKind.FAILBACK
    evidence = json.dumps(
        {
            "kind": plan.kind,
            "from": site.node if is_homeward else site.partner.name,
            "to": site.partner.name if is_homeward else site.node,
            "continues": None if kept is None else kept.plan.digest,
            "variant": plan.variant,
            "down_since": turn.state.silence_began,
            "cause": turn.state.cause,
            "steps": [step.id for step in plan.steps],
            "fence": [f"{one.grade}: {one.detail}" for one in turn.state.assessment.evidence],
            "position": turn.state.watch.standby_end,
        }
    )
    record = Record(Phase.DECISION, "plan_confirmed", event.actor, plan.digest, evidence=evidence)
    turn.record(record)


def _start_undo(turn: Turn, event: ConfirmRequested, shown: Plan) -> None:
    old = turn.state.run
    if old is None or old.status is not RunStatus.PAUSED or runs.is_past_no_return(old):
        told = "there is no paused run before its point of no return to undo"
        turn.refuse(Refusal("run", told, hint="hamnctl status"))
        return
    refusal = why_moving(old)
    if refusal is None:
        draft = draft_of(turn, shown.request)
        fresh = build_undo(draft, runs.undone_by(old), shown.variant)
        if fresh.steps != shown.steps:
            told = "the run went on since this way back was shown"
            refusal = Refusal("plan", told, hint="hamnctl abort --reason …")
    if refusal is not None:
        turn.refuse(refusal)
        return
    ended = runs.finish(old, RunStatus.ABORTED, event.actor, shown.variant, turn.now.wall_s)
    turn.take(ended)
    turn.note_finished(ended.run)
    run = runs.begin(shown, event.actor, turn.now.wall_s, None)
    turn.state = replace(turn.state, run=run, plans=())
    evidence = json.dumps(
        {"kind": shown.kind, "undoes": old.plan.digest, "steps": [step.id for step in shown.steps]}
    )
    record = Record(Phase.DECISION, "plan_confirmed", event.actor, shown.digest, evidence=evidence)
    turn.record(record)
