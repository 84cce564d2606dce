"""What the operator asks for besides a confirmation: plan, retry, skip, abort, conclude.

Owns every answer to these requests and every reason to refuse one; what is confirmed begins in
`confirming`. Must not move a run by itself (run).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core import run as runs
from hamnd.core.confirming import why_no_successor
from hamnd.core.contradicting import heard_now
from hamnd.core.drafting import draft_of, keep_plan, made, why_moving
from hamnd.core.events import (
    AbortRequested,
    ConcludeRequested,
    PlanRequested,
    RetryRequested,
    SkipRequested,
)
from hamnd.core.gates.judging import overridable, why_impossible
from hamnd.core.outliving import is_homeward
from hamnd.core.plans.undo import build_undo
from hamnd.core.progress import Run
from hamnd.core.state import Refusal
from hamnd.core.table import Picture, Trigger
from hamnd.core.turn import Turn
from hamnd.core.whereabouts import parked_until
from hamnd.model.names import Mode, PlanKind, RunStatus, State
from hamnd.model.plan import PlanRequest
from hamnd.model.site import Site


def on_plan(turn: Turn, event: PlanRequested) -> None:
    """Make a plan, keep it for a confirmation and answer it, blocked gates and all."""
    kind = event.request.kind
    known = overridable(kind)
    wrong = [one.gate for one in event.request.overrides if one.gate not in known]
    if wrong:
        told = f"there is no gate {', '.join(wrong)} to override: {', '.join(known)}"
        turn.refuse(Refusal("override", told))
        return
    if event.request.is_successor and (refusal := why_no_successor(turn, kind)) is not None:
        turn.refuse(refusal)
        return
    request = _whole(turn, event.request)
    if (request.with_drill or request.with_conversion) and kind is not PlanKind.SETUP:
        told = f"a drill at the end and a conversion are parts of a setup, not of a {kind}"
        turn.refuse(Refusal("setup", told, hint="hamnctl plan setup --convert --drill"))
        return
    if _has_more(event.request, request):
        told = "what goes on ends as it began: it has no drill or conversion that it began without"
        hint = "hamnctl plan setup --continue; then plan setup with the rest"
        turn.refuse(Refusal("setup", told, hint=hint))
        return
    draft = draft_of(turn, request)
    impossible = why_impossible(draft.question)
    if impossible is not None:
        turn.refuse(Refusal(impossible.name, impossible.evidence, hint=impossible.clear))
        return
    plan = made(draft)
    if isinstance(plan, Refusal):
        turn.refuse(plan)
        return
    keep_plan(turn, plan, event.actor)


def _whole(turn: Turn, request: PlanRequest) -> PlanRequest:
    """What goes on has the parts that it began with: a drill under way is not left out."""
    run = turn.state.run
    if not request.is_successor or run is None:
        return request
    asked = run.plan.request
    return replace(request, with_drill=asked.with_drill, with_conversion=asked.with_conversion)


def _has_more(asked: PlanRequest, whole: PlanRequest) -> bool:
    """Whether a part is asked for that what goes on does not have."""
    has_drill = asked.with_drill and not whole.with_drill
    return has_drill or (asked.with_conversion and not whole.with_conversion)


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
    plan = build_undo(draft, runs.undone_by(run), event.reason)
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
    if (refusal := _why_parked(run, turn.terms.site)) is not None:
        turn.refuse(refusal)
        return
    if runs.is_past_no_return(run) and runs.is_promoted(run) is False:
        told = "whether the database is primary is not known: it cannot be concluded without it"
        turn.refuse(Refusal("promote", told, hint="hamnctl retry (it looks first)"))
        return
    # A promotion that could be taken back is as good a point: this node's database is primary.
    picture = Picture(
        is_past_no_return=runs.is_past_no_return(run) or runs.is_promoted(run) is True
    )
    if (why_not := _why_not_conclude(turn, run, picture)) is not None:
        turn.refuse(Refusal("no-return", why_not, hint="hamnctl abort --reason …"))
        return
    turn.take(runs.finish(run, RunStatus.CONCLUDED, event.actor, event.reason, turn.now.wall_s))


def _why_parked(run: Run, site: Site) -> Refusal | None:
    """A node that is at the spare address is lost with the run that knows it."""
    step_id = parked_until(run)
    if step_id is None:
        return None
    host = run.plan.step(step_id).host
    told = (
        f"until step {step_id} is done {host} may have no address but {site.identity_spare}: "
        "without this run nobody knows, and it would be looked for where it is not"
    )
    hint = f"hamnctl retry; if {host} is gone for good: hamnctl skip {step_id} --reason …"
    return Refusal("exchange", told, hint=hint)


def _why_not_conclude(turn: Turn, run: Run, picture: Picture) -> str | None:
    """Return why the run is aborted rather than concluded, or None; where the table says, ask it.

    A way home that nobody was promoted by has stopped what serves here: only an undo starts it.
    """
    if turn.state.state is State.TAKING_OVER:
        outcome = turn.fire(Trigger.RUN_CONCLUDED, picture)
        return None if outcome is None else outcome.because
    if is_homeward(run) and not picture.is_past_no_return:
        return "the way home promoted nobody yet: abort it instead, so that this node serves again"
    return None
