"""Scheduled work: which there is, whether it may start now, and what came of it.

Owns the rules of law 1 for what hamnd does unasked. Must not know a clock (adapters.scheduler) nor
what a routine copies (engines, file sets). One run at a time for each name. Data flows only from
the node that is primary to the node that is standby: nothing starts here while this node is active
or takes over, while the primary counts as down, or while a run is open; what is under way when a
run begins is ended.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

from hamnd.core.commands import EndRoutine, PerformRoutine
from hamnd.core.copies import file_routines
from hamnd.core.events import RoutineActed, RoutineDue
from hamnd.core.papers import paper_routines
from hamnd.core.policy import Terms
from hamnd.core.replication.registry import ROUTINES
from hamnd.core.state import NodeState
from hamnd.core.turn import Turn
from hamnd.dialects import readers, shell
from hamnd.model.names import Mode, Phase, State, Verdict
from hamnd.model.record import Record
from hamnd.model.routine import Routine, RoutineRun
from hamnd.model.work import Report

WORDS = {Verdict.PASS: "done", Verdict.BLOCK: "not_done"}
TERMS_KEPT = 4
CATCH_UP_PAUSE_S = 60.0
LOST_AFTER_S = 60.0
"""A run that did not come home within its limit and this much more is given up."""


@lru_cache(maxsize=TERMS_KEPT)
def routines_of(terms: Terms) -> tuple[Routine, ...]:
    """Return all scheduled work of a site, by the terms."""
    return (*_fetching(terms), *paper_routines(terms))


def _fetching(terms: Terms) -> tuple[Routine, ...]:
    """Return the work that brings something here."""
    of_engine = ROUTINES.get(terms.site.engine)
    return (*(() if of_engine is None else of_engine(terms)), *file_routines(terms))


def on_due(turn: Turn, event: RoutineDue) -> None:
    """Start what is due, where law 1 lets it; a beat that finds it running is left out."""
    routine = named(turn.terms, event.name)
    if routine is None or why_not(turn.state, turn.terms) is not None:
        return
    if begin(turn, routine):
        turn.because = f"scheduled: {routine.title}"


def begin(turn: Turn, routine: Routine, actor: str = "hamnd") -> bool:
    """Begin a routine; False where its group is at work. Whether it may is asked before."""
    if is_at_work(turn, routine):
        return False
    before = turn.state.routines.get(routine.name, RoutineRun())
    run = replace(
        before,
        number=before.number + 1,
        is_running=True,
        actor=actor,
        index=0,
        began=turn.now,
        started_at=turn.now.wall_s,
    )
    _perform(turn, routine, run)
    return True


def is_at_work(turn: Turn, routine: Routine) -> bool:
    """Whether this routine, or another one of its group, is under way."""
    group = routine.group or routine.name
    for one in routines_of(turn.terms):
        run = turn.state.routines.get(one.name)
        if run is None or not run.is_running or (one.group or one.name) != group:
            continue
        if not _is_lost(run, one, turn):
            return True
    return False


def catch_up(turn: Turn) -> None:
    """Start what has nothing to show at all without waiting for its hour: a new pair, a new disk.

    What was tried lately is not tried again and again.
    """
    reading = turn.state.watch.replication
    if reading is None or reading.has_link or reading.state != "none":
        return
    for routine in _fetching(turn.terms):
        run = turn.state.routines.get(routine.name, RoutineRun())
        tried = run.began is not None and turn.now.since(run.began) < CATCH_UP_PAUSE_S
        if not run.is_running and not tried:
            on_due(turn, RoutineDue(routine.name))


def why_not(state: NodeState, terms: Terms) -> str | None:
    """Return why no scheduled work may start on this node now, or None."""
    if state.mode is not Mode.NORMAL:
        return "hamnd only observes"
    if state.run is not None:
        return "a run is open"
    if state.state not in (State.PEER, State.DEGRADED):
        return f"this node is {state.state}: nothing flows onto it"
    epoch, reading = state.epoch, state.watch.replication
    if epoch is not None and epoch.owner == terms.site.node:
        return "this node owns the epoch: nothing flows onto it"
    if reading is None or reading.role != "standby":
        return "this node is not known to be the standby"
    if state.watch.partner.role == "standby":
        return f"the database on {terms.site.partner.name} is a standby too: who is primary?"
    return None


def _is_wrong_way(state: NodeState, terms: Terms) -> bool:
    """Whether this node has become what is copied from: what is under way must not go on.

    What is only unknown for a while ends nothing; it keeps the next run from beginning.
    """
    epoch, reading = state.epoch, state.watch.replication
    return (
        state.run is not None
        or state.state not in (State.PEER, State.DEGRADED)
        or (epoch is not None and epoch.owner == terms.site.node)
        or (reading is not None and reading.role == "primary")
    )


def on_acted(turn: Turn, event: RoutineActed) -> None:
    """Go on with the next action, or note how the run ended."""
    routine = named(turn.terms, event.name)
    run = turn.state.routines.get(event.name)
    if run is None or not run.is_running or (run.number, run.index) != (event.number, event.index):
        return
    if routine is None or run.index >= len(routine.actions):
        # The terms changed under it: what it did is told, and nothing more of it is done.
        told = "its part of the configuration changed while it ran"
        _end(turn, event, run, ("unknown", told))
        return
    reading = readers.read_action(routine.actions[run.index], event.report)
    is_last = run.index + 1 == len(routine.actions)
    if reading.verdict is not Verdict.PASS or is_last:
        _end(turn, event, run, (WORDS.get(reading.verdict, "unknown"), reading.sentence))
    elif why_not(turn.state, turn.terms) is not None:
        _end(turn, event, run, ("not_done", "left in the middle: a run began"))
    else:
        _perform(turn, routine, replace(run, index=run.index + 1))


def yield_to_run(turn: Turn) -> None:
    """End what is under way once a run is open, or nothing may flow onto this node any more.

    In a run the plan's own steps write here.
    """
    if _is_wrong_way(turn.before, turn.terms) or not _is_wrong_way(turn.state, turn.terms):
        return
    for name, run in sorted(turn.state.routines.items()):
        if run.is_running:
            turn.commands.append(EndRoutine(name))


def named(terms: Terms, name: str) -> Routine | None:
    """Return the routine of that name, or None."""
    return next((one for one in routines_of(terms) if one.name == name), None)


def _is_lost(run: RoutineRun, routine: Routine, turn: Turn) -> bool:
    limit_s = routine.timeout_s * len(routine.actions) + LOST_AFTER_S
    return run.began is None or turn.now.since(run.began) > limit_s


def _perform(turn: Turn, routine: Routine, run: RoutineRun) -> None:
    """Command one action, its intent written in the same decision (law 5)."""
    action = routine.actions[run.index]
    record = Record(
        Phase.INTENT,
        "routine_started",
        run.actor,
        step=routine.name,
        preview=shell.preview(action.request, turn.terms.site),
        evidence=routine.title,
    )
    turn.record(record)
    command = PerformRoutine(routine.name, run.number, run.index, action, routine.timeout_s)
    turn.commands.append(command)
    _keep(turn, routine.name, run)


def _end(turn: Turn, event: RoutineActed, run: RoutineRun, said: tuple[str, str]) -> None:
    outcome, sentence = said
    report: Report = event.report
    at = turn.now.wall_s
    began = report.started if run.began is None else run.began
    took_s = round(report.finished.since(began), 3)
    turn.record(
        Record(
            Phase.RESULT,
            "routine_finished",
            run.actor,
            step=event.name,
            exit_code=report.exit_code,
            outcome=outcome,
            evidence=json.dumps({"sentence": sentence, "duration_s": took_s}),
        )
    )
    turn.because = f"{event.name}: {sentence}"
    ended = replace(run, is_running=False, finished_at=at, outcome=outcome, sentence=sentence)
    if outcome == "done":
        ended = replace(ended, done_at=at)
    _keep(turn, event.name, ended)


def _keep(turn: Turn, name: str, run: RoutineRun) -> None:
    turn.state = replace(turn.state, routines={**turn.state.routines, name: run})
