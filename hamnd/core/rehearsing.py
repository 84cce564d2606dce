"""Rehearsals: every step's looks, carried out with the real user, programs, keys and fence device.

Owns when one may be held, what it looks at and what it proves. Must not change anything: it is made
of `Look`s alone (law 10). The readiness looks have to tell what a takeover needs; all others, which
can be true only in a takeover, have to be able to tell. One step at a time, so that a rehearsal is
never more than a few programs at once; a run or a hold ends it.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.asking import platform_steps
from hamnd.core.commands import RehearseStep
from hamnd.core.drafting import is_open
from hamnd.core.events import RehearseRequested, RoutineDue, StepRehearsed
from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState, Refusal
from hamnd.core.turn import Turn
from hamnd.dialects import readers
from hamnd.model.names import Mode, Phase, State, Verdict
from hamnd.model.plan import Step
from hamnd.model.record import Record
from hamnd.model.rehearsal import Rehearsal, Rehearsed
from hamnd.model.work import Ending, FenceStatus, Look, Looked, Reach, Reading

ROUTINE = "rehearsal"
"""Its name among scheduled work."""
OUTCOMES = {Verdict.PASS: "done", Verdict.BLOCK: "not_done", Verdict.UNKNOWN: "unknown"}
BADNESS = (Verdict.PASS, Verdict.UNKNOWN, Verdict.BLOCK)
NOT_A_PROGRAM = (126, 127)
"""What sh says of a program that it may not run, or does not find."""


def on_request(turn: Turn, event: RehearseRequested) -> None:
    """Begin one at the operator's word."""
    why_not = _why_not(turn.state)
    if why_not is not None:
        turn.refuse(Refusal("rehearsal", f"nothing is rehearsed: {why_not[0]}", hint=why_not[1]))
        return
    _begin(turn, event.actor)


def on_due(turn: Turn, event: RoutineDue) -> None:
    """Begin the scheduled one, where it may be held."""
    if event.name == ROUTINE and _why_not(turn.state) is None:
        _begin(turn, "hamnd")


def _why_not(state: NodeState) -> tuple[str, str] | None:
    """Return why nothing may be rehearsed now, and what leads on; or None."""
    if state.rehearsal is not None and state.rehearsal.is_under_way:
        return "a rehearsal is under way", "hamnctl rehearse --last"
    return _why_end(state)


def _why_end(state: NodeState) -> tuple[str, str] | None:
    if state.mode is not Mode.NORMAL:
        return f"hamnd only observes: {state.mode_reason}", "hamnctl clear --reason …"
    if is_open(state):
        return "a run is open", "hamnctl status"
    if state.state is State.PRIMARY_DOWN:
        return "the primary is down", "hamnctl plan takeover"
    if state.state not in (State.PEER, State.DEGRADED):
        return f"this node is {state.state}: a takeover is rehearsed on the standby", ""
    if state.hold is not None:
        return f"the pair is on hold ({state.hold.owner}: {state.hold.reason})", "hamnctl unhold"
    return None


def _begin(turn: Turn, actor: str) -> None:
    steps = [one for one in _steps(turn.state, turn.terms) if looks_of(one)]
    before = turn.state.rehearsal
    number = 1 if before is None else before.number + 1
    names = tuple(step.id for step in steps)
    rehearsal = Rehearsal(number, actor, turn.now.wall_s, names)
    turn.state = replace(turn.state, rehearsal=rehearsal)
    turn.because = f"{actor} rehearses a takeover"
    told = f"{len(names)} steps, nothing is changed"
    evidence = json.dumps({"sentence": told, "steps": names})
    turn.record(Record(Phase.DECISION, "rehearsal_began", actor, evidence=evidence))
    _look_at_next(turn)


def _steps(state: NodeState, terms: Terms) -> tuple[Step, ...]:
    """Return the steps of a takeover, planned on the picture as it is."""
    return takeover_steps(terms, state.assessment.promotion, platform_steps(state, terms))


def looks_of(step: Step) -> tuple[Look, ...]:
    """Return everything that a step ever looks at, each look once."""
    told = () if step.progress is None else (step.progress,)
    looks = (*step.readiness, *step.preconditions, *step.postconditions, *step.undone, *told)
    return tuple(dict.fromkeys(looks))


def _look_at_next(turn: Turn) -> None:
    """Take the looks of the first step that was not looked at; without one it is over."""
    rehearsal = turn.state.rehearsal
    assert rehearsal is not None
    there = {step.id: step for step in _steps(turn.state, turn.terms)}
    done = len(rehearsal.results)
    for name in rehearsal.steps[done:]:
        step = there.get(name)
        if step is not None and (looks := looks_of(step)):
            turn.commands.append(RehearseStep(rehearsal.number, name, looks))
            return
        # The configuration, or the picture, changed under it: there is no such step any more.
        gone = Rehearsed(name, Verdict.UNKNOWN, "the plan has no such step any more", 0, 0.0)
        rehearsal = replace(rehearsal, results=(*rehearsal.results, gone))
        turn.state = replace(turn.state, rehearsal=rehearsal)
    _end(turn)


def on_rehearsed(turn: Turn, event: StepRehearsed) -> None:
    """Judge the looks of a step, and go on with the next."""
    rehearsal = turn.state.rehearsal
    if rehearsal is None or not rehearsal.is_under_way or rehearsal.number != event.number:
        return
    if rehearsal.steps[len(rehearsal.results)] != event.step:
        return
    step = next((one for one in _steps(turn.state, turn.terms) if one.id == event.step), None)
    needed = () if step is None else step.readiness
    result = _judged(event, needed, turn.terms.site.node)
    turn.state = replace(
        turn.state, rehearsal=replace(rehearsal, results=(*rehearsal.results, result))
    )
    evidence = json.dumps({"sentence": result.sentence, "duration_s": round(result.took_s, 3)})
    outcome = OUTCOMES[result.verdict]
    turn.record(
        Record(Phase.LOOK, "step_rehearsed", step=event.step, outcome=outcome, evidence=evidence)
    )
    _look_at_next(turn)


def _judged(event: StepRehearsed, needed: tuple[Look, ...], here: str) -> Rehearsed:
    """Return the worst of what the looks of a step tell."""
    readings = [
        readers.read_look(one) if one.look in needed else _taken(one, here) for one in event.looked
    ]
    readings = _within_groups(event.looked, readings)
    worst = max(readings, key=lambda one: BADNESS.index(one.verdict))
    sentence = worst.sentence
    if worst.verdict is Verdict.PASS:
        sentence = "1 look taken" if len(readings) == 1 else f"{len(readings)} looks taken"
    began = min(one.report.started for one in event.looked)
    took_s = max(one.report.finished.since(began) for one in event.looked)
    return Rehearsed(event.step, worst.verdict, sentence, len(readings), took_s)


def _within_groups(looked: tuple[Looked, ...], readings: list[Reading]) -> list[Reading]:
    """Of the looks that stand for each other one has to tell; a definite no stands (model.work)."""
    told = {
        one.look.one_of
        for one, reading in zip(looked, readings, strict=True)
        if one.look.one_of and reading.verdict is Verdict.PASS
    }
    return [
        replace(reading, verdict=Verdict.PASS)
        if one.look.one_of in told and reading.verdict is Verdict.UNKNOWN
        else reading
        for one, reading in zip(looked, readings, strict=True)
    ]


def _taken(looked: Looked, here: str) -> Reading:
    """Whether a look that can only be true in a takeover is able to tell at all.

    What a program printed is told in its reader's words alone: the reader knows what may be a
    secret (law 7).
    """
    report, what, request = looked.report, looked.look.expects, looked.look.request
    told = readers.read_look(looked)
    if isinstance(request, FenceStatus) and told.verdict is Verdict.UNKNOWN:
        return replace(told, verdict=Verdict.BLOCK)
    if report.ending is Ending.REFUSED:
        return Reading(Verdict.PASS, what)
    if isinstance(request, Reach) and report.ending is Ending.NO_REPLY:
        return Reading(Verdict.PASS, what)
    if report.ending is Ending.EXITED and report.exit_code not in NOT_A_PROGRAM:
        return Reading(Verdict.PASS, what)
    # What another host could not be asked says nothing about it (law 2).
    is_here = isinstance(request, FenceStatus) or request.host == here
    is_unable = report.ending is Ending.COULD_NOT_RUN and is_here
    is_certain = is_unable or report.ending is Ending.EXITED
    verdict = Verdict.BLOCK if is_certain else Verdict.UNKNOWN
    return Reading(verdict, f"cannot look whether {what}: {told.sentence}")


def follow_rehearsal(turn: Turn) -> None:
    """End it where it may not go on: the looks under way come home and count for nothing."""
    rehearsal = turn.state.rehearsal
    if rehearsal is None or not rehearsal.is_under_way:
        return
    why = _why_end(turn.state)
    if why is not None:
        _finish(turn, Verdict.UNKNOWN, f"left in the middle: {why[0]}")


def forget_broken(turn: Turn) -> None:
    """What was under way when hamnd ended told nothing."""
    rehearsal = turn.state.rehearsal
    if rehearsal is not None and rehearsal.is_under_way:
        _finish(turn, Verdict.UNKNOWN, "left in the middle: hamnd was restarted")


def _end(turn: Turn) -> None:
    rehearsal = turn.state.rehearsal
    assert rehearsal is not None
    bad = [one for one in rehearsal.results if one.verdict is not Verdict.PASS]
    if not bad:
        count = sum(one.looks for one in rehearsal.results)
        told = f"{len(rehearsal.results)} steps, {count} looks: a takeover could be carried out"
        _finish(turn, Verdict.PASS, told)
        return
    worst = max(bad, key=lambda one: BADNESS.index(one.verdict)).verdict
    _finish(turn, worst, "; ".join(f"{one.step}: {one.sentence}" for one in bad))


def _finish(turn: Turn, verdict: Verdict, sentence: str) -> None:
    rehearsal = turn.state.rehearsal
    assert rehearsal is not None
    now_s, outcome = turn.now.wall_s, OUTCOMES[verdict]
    ended = replace(rehearsal, finished_at=now_s, outcome=outcome, sentence=sentence)
    turn.state = replace(turn.state, rehearsal=ended)
    if verdict is Verdict.PASS:
        turn.state = replace(turn.state, rehearsed_at=now_s)
    turn.because = f"rehearsal: {sentence}"
    evidence = json.dumps({"sentence": sentence, "duration_s": round(now_s - ended.started_at, 3)})
    turn.record(
        Record(Phase.RESULT, "rehearsal_finished", ended.actor, outcome=outcome, evidence=evidence)
    )
