"""What the operator asks for: plan, confirm, retry, skip, abort, conclude, attest, clear.

Owns every answer to a request and every reason to refuse one. Must not move a run by itself (run).
The operator confirms a plan, not a mood (law 6): the plan is made anew at confirm, and what became
worse is shown instead of done.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core import run as runs
from hamnd.core.contradicting import heard_now
from hamnd.core.drafting import draft_of, keep_plan, why_moving
from hamnd.core.events import (
    AbortRequested,
    ConcludeRequested,
    ConfirmRequested,
    PlanRequested,
    RetryRequested,
    SkipRequested,
)
from hamnd.core.gates import OVERRIDABLE, blocking, why_impossible
from hamnd.core.plans import build_takeover, build_undo, what_became_worse
from hamnd.core.progress import Run
from hamnd.core.state import Refusal
from hamnd.core.table import Picture, Trigger
from hamnd.core.turn import Turn
from hamnd.model.names import GRADE_ORDER, Mode, Phase, PlanKind, RunStatus
from hamnd.model.plan import Plan, PlanRequest
from hamnd.model.record import Record


def on_plan(turn: Turn, event: PlanRequested) -> None:
    """Make a plan, keep it for a confirmation and answer it, blocked gates and all."""
    wrong = [one.gate for one in event.request.overrides if one.gate not in OVERRIDABLE]
    if wrong:
        told = f"there is no gate {', '.join(wrong)} to override: {', '.join(OVERRIDABLE)}"
        turn.refuse(Refusal("override", told))
        return
    if event.request.is_successor and (refusal := _why_no_successor(turn)) is not None:
        turn.refuse(refusal)
        return
    draft = draft_of(turn, event.request)
    impossible = why_impossible(draft.question)
    if impossible is not None:
        turn.refuse(Refusal(impossible.name, impossible.evidence, hint=impossible.clear))
        return
    keep_plan(turn, build_takeover(draft), event.actor)


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
        refusal = _start_takeover(turn, event, shown)
    if refusal is not None:
        turn.refuse(refusal)
        evidence = json.dumps({"sentence": refusal.sentence, "difference": refusal.difference})
        record = Record(
            Phase.DECISION, "confirm_refused", event.actor, shown.digest, evidence=evidence
        )
        turn.record(record)


def _why_not_confirm(turn: Turn, event: ConfirmRequested, shown: Plan) -> Refusal | None:
    here = turn.terms.site.node
    if turn.state.mode is not Mode.NORMAL:
        told = f"hamnd only observes: {turn.state.mode_reason}"
        return Refusal("mode", told, hint="hamnctl clear --reason …")
    if event.named != here:
        what = (
            "this undo is carried out on" if shown.kind is PlanKind.UNDO else "the new primary is"
        )
        told = f"{what} {here}, not {event.named or 'nothing'}: read the card again"
        return Refusal("name", told, hint="hamnctl confirm")
    if turn.now.wall_s > shown.expires_at:
        return Refusal("expiry", f"plan {shown.digest} expired", hint="hamnctl plan takeover")
    return None


def _start_takeover(turn: Turn, event: ConfirmRequested, shown: Plan) -> Refusal | None:
    if shown.request.is_successor and (refusal := _why_not_succeed(turn)) is not None:
        return refusal
    draft = draft_of(turn, shown.request, shown)
    impossible = why_impossible(draft.question)
    if impossible is not None:
        return Refusal(impossible.name, impossible.evidence, hint=impossible.clear)
    fresh = build_takeover(draft)
    worse = what_became_worse(shown, fresh, turn.terms)
    if worse:
        told = f"the picture became worse since plan {shown.digest}"
        return Refusal("plan", told, worse, "hamnctl explain · hamnctl plan takeover")
    refused = blocking(fresh.gates)
    if refused:
        lines = tuple(f"{one.name}: {one.evidence}" for one in refused)
        hints = " · ".join(dict.fromkeys(one.clear for one in refused if one.clear))
        count = "1 gate blocks it" if len(refused) == 1 else f"{len(refused)} gates block it"
        told = f"{count}: {', '.join(one.name for one in refused)}"
        return Refusal(refused[0].name, told, lines, hints)
    is_successor = shown.request.is_successor
    trigger = Trigger.SUCCESSOR_CONFIRMED if is_successor else Trigger.TAKEOVER_CONFIRMED
    picture = Picture(is_plan_current=not worse, has_overridden_all=not refused)
    outcome = turn.fire(trigger, picture)
    if outcome is not None:
        return Refusal("state", outcome.because, hint="hamnctl explain")
    stricter = max(shown.fence_minimum, fresh.fence_minimum, key=GRADE_ORDER.__getitem__)
    agreed = replace(fresh, steps=shown.steps, digest=shown.digest, fence_minimum=stricter)
    _begin(turn, event, agreed, is_successor)
    return None


def _why_no_successor(turn: Turn) -> Refusal | None:
    """Only a paused takeover can be continued; an undo that was begun is finished first."""
    run = turn.state.run
    if run is None or run.status is not RunStatus.PAUSED:
        return Refusal("run", "no run is paused", hint="hamnctl status")
    if run.plan.kind is PlanKind.UNDO:
        told = "an undo is under way: finish it by retry or skip, then plan a new takeover"
        return Refusal("run", told, hint="hamnctl status")
    return None


def _why_not_succeed(turn: Turn) -> Refusal | None:
    """A successor begins when its forerunner holds still: what is under way comes home first."""
    return _why_no_successor(turn) or why_moving(turn.state.run)


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
    evidence = json.dumps(
        {
            "kind": plan.kind,
            "from": turn.terms.site.partner.name,
            "to": turn.terms.site.node,
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
        fresh = build_undo(draft, turn.terms, runs.undone_by(old), shown.variant)
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


def on_retry(turn: Turn, event: RetryRequested) -> None:
    """Let a paused run go on."""
    run = turn.state.run
    if run is None or run.status is not RunStatus.PAUSED:
        turn.refuse(Refusal("run", "no run is paused", hint="hamnctl status"))
        return
    if turn.state.mode is not Mode.NORMAL:
        told = f"hamnd only observes: {turn.state.mode_reason}"
        turn.refuse(Refusal("mode", told, hint="hamnctl clear --reason …"))
        return
    heard = heard_now(turn.state, turn.now, turn.terms.policy)
    if heard is not None:
        partner = turn.terms.site.partner.name
        told = f"{partner} is alive ({heard}): this plan was made for a dead one"
        turn.refuse(Refusal("contradicted", told, hint=_way_out(run)))
        return
    turn.state = replace(turn.state, timing=replace(turn.state.timing, resumed=turn.now))
    turn.because = "the operator lets the run go on"
    turn.take(runs.retry(run, event.actor, turn.facts()))


def _way_out(run: Run) -> str:
    """Say what to do with a run whose old primary is alive."""
    if not runs.is_past_no_return(run):
        return "hamnctl abort --reason …"
    return "power it off by hand; then hamnctl retry, or hamnctl conclude --reason …"


def on_skip(turn: Turn, event: SkipRequested) -> None:
    """Leave one step of a paused run out."""
    run = turn.state.run
    if run is None:
        turn.refuse(Refusal("run", "no run is paused", hint="hamnctl status"))
        return
    why_not = runs.why_not_skip(run, event.step)
    if why_not is not None:
        turn.refuse(Refusal("step", why_not, hint="hamnctl status"))
        return
    turn.because = f"the operator skips {event.step}: {event.reason}"
    turn.take(runs.skip(run, event.step, event.reason, event.actor))


def on_abort(turn: Turn, event: AbortRequested) -> None:
    """Answer the plan that undoes a paused run before its point of no return."""
    run = turn.state.run
    if run is None or run.status is not RunStatus.PAUSED:
        turn.refuse(Refusal("run", "no run is paused", hint="hamnctl status"))
        return
    if run.plan.kind is PlanKind.UNDO:
        told = "an undo is under way: finish it by retry or skip"
        turn.refuse(Refusal("run", told, hint="hamnctl status"))
        return
    if runs.is_past_no_return(run):
        told = "the point of no return is passed: there is nothing to go back to"
        turn.refuse(Refusal("no-return", told, hint="hamnctl conclude --reason …"))
        return
    draft = draft_of(turn, PlanRequest(PlanKind.UNDO))
    plan = build_undo(draft, turn.terms, runs.undone_by(run), event.reason)
    keep_plan(turn, plan, event.actor)


def on_conclude(turn: Turn, event: ConcludeRequested) -> None:
    """End a paused run past its point of no return; the open steps stay listed."""
    run = turn.state.run
    if run is None or run.status is not RunStatus.PAUSED:
        turn.refuse(Refusal("run", "no run is paused", hint="hamnctl status"))
        return
    if (refusal := why_moving(run)) is not None:
        turn.refuse(refusal)
        return
    if runs.is_past_no_return(run) and not runs.is_promoted(run):
        told = "whether the database is primary is not known: it cannot be concluded without it"
        turn.refuse(Refusal("promote", told, hint="hamnctl retry (it looks first)"))
        return
    picture = Picture(is_past_no_return=runs.is_past_no_return(run))
    outcome = turn.fire(Trigger.RUN_CONCLUDED, picture)
    if outcome is not None:
        turn.refuse(Refusal("no-return", outcome.because, hint="hamnctl abort --reason …"))
        return
    turn.take(runs.finish(run, RunStatus.CONCLUDED, event.actor, event.reason, turn.now.wall_s))
