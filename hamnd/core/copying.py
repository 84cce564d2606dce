"""File sets: what the end of a run says about them, and what the operator asks for.

Owns how fresh a set is known to be. Must not know how anything is copied, nor whether a routine may
begin (routines): a set flows only from the node that is primary to the node that is standby.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from hamnd.core import routines
from hamnd.core.commands import Command, PerformRoutine
from hamnd.core.copies import declared_copies, is_file_set, routine_name
from hamnd.core.events import CopyMoved, Event, RoutineActed, SyncRequested, Ticked
from hamnd.core.replication.registry import engine_of
from hamnd.core.state import CopyState, Refusal
from hamnd.core.turn import Turn
from hamnd.dialects.copying import merged, read_facts
from hamnd.model.copying import Copy, CopyEnd, CopyFacts, CopyKind, Drift
from hamnd.model.names import Phase, Rhythm
from hamnd.model.record import Record
from hamnd.model.routine import RoutineRun
from hamnd.model.work import Pull, Report


def on_sync(turn: Turn, event: SyncRequested) -> None:
    """Begin the copies that the operator asked for: all of them, or none."""
    known = declared_copies(turn.terms)
    unknown = [name for name in event.names if name not in known]
    if unknown or not known:
        told = "there are no file sets"
        if unknown:
            told = f"no file set is called {', '.join(unknown)}"
        turn.refuse(Refusal("files", told, hint=f"known: {', '.join(known)}" if known else ""))
        return
    named = [known[name] for name in event.names or tuple(known)]
    wanted = [one for one in named if event.kind in one.work]
    watched = [one.name for one in named if event.kind not in one.work]
    if watched and (event.names or not wanted):
        told = f"{', '.join(watched)}: this site copies it by other means; hamnd only compares"
        turn.refuse(Refusal("files", told, hint="hamnctl files"))
        return
    why_not = routines.why_not(turn.state, turn.terms) or _busy(turn, wanted, event.kind)
    if why_not is not None:
        turn.refuse(Refusal("direction", f"nothing is copied: {why_not}", hint="hamnctl files"))
        return
    for one in wanted:
        if event.accepts_deletions:
            _accept(turn, one.name, event.actor)
        _begin(turn, one.name, event.kind, event.actor)
    turn.because = f"copying {', '.join(one.name for one in wanted)}"


def _busy(turn: Turn, wanted: list[Copy], kind: CopyKind) -> str | None:
    for one in wanted:
        routine = routines.named(turn.terms, routine_name(one.name, kind))
        if routine is not None and routines.is_at_work(turn, routine):
            return f"a run of {one.name} is under way"
    return None


def _accept(turn: Turn, name: str, actor: str) -> None:
    """The operator says yes to what a run asked."""
    state = _state(turn, name)
    if state.question:
        evidence = json.dumps({"set": name, "sentence": state.question})
        turn.record(Record(Phase.DECISION, "deletions_accepted", actor, evidence=evidence))
        _put(turn, name, replace(state, accepted=True))


def _begin(turn: Turn, name: str, kind: CopyKind, actor: str) -> None:
    routine = routines.named(turn.terms, routine_name(name, kind))
    if routine is None or not routines.begin(turn, routine, actor):
        return
    state = _state(turn, name)
    _put(turn, name, replace(state, facts=CopyFacts(), progress=None))
    if state.accepted:
        turn.commands.append(_as_accepted(turn.commands.pop()))


def _as_accepted(command: Command) -> Command:
    """A pull may delete what the operator said it may, once."""
    if not isinstance(command, PerformRoutine) or not isinstance(command.action.request, Pull):
        return command
    request = replace(command.action.request, may_delete_percent=100.0)
    return replace(command, action=replace(command.action, request=request))


def begin_overdue(turn: Turn, event: Event) -> None:
    """Begin what was never copied, or is stale, without waiting for its hour.

    Once per process and set: what fails then waits for its schedule.
    """
    if not isinstance(event, Ticked) or event.rhythm is not Rhythm.REPLICATION:
        return
    asked = engine_of(turn.terms).partner_looks(turn.terms)
    if any(topic in turn.state.timing.in_flight for topic in asked):
        return  # who is primary there is being asked at this very time
    for name, copy in declared_copies(turn.terms).items():
        kind = CopyKind.CHECK if copy.is_watched_only else CopyKind.COPY
        if routine_name(name, kind) in turn.state.routines or not _is_stale(turn, copy):
            continue
        if routines.why_not(turn.state, turn.terms) is None:
            _begin(turn, name, kind, "hamnd")


def _is_stale(turn: Turn, copy: Copy) -> bool:
    fresh = _state(turn, copy.name).fresh_as_of
    return fresh is None or turn.now.wall_s - fresh > copy.stale_after_s


def on_moved(turn: Turn, event: CopyMoved) -> None:
    """Keep how far a run is."""
    if event.name in turn.state.copies:
        state = replace(_state(turn, event.name), progress=event.progress)
        _put(turn, event.name, state)


def on_acted(turn: Turn, event: RoutineActed) -> None:
    """Keep what an action told, and at the end of the run what it says about the set."""
    if not is_file_set(event.name):
        return
    before, run = turn.before.routines.get(event.name), turn.state.routines.get(event.name)
    if before is None or run is None or not before.is_running:
        return
    if (before.number, before.index) != (event.number, event.index):
        return
    name, kind = _set_of(event.name)
    state = _state(turn, name)
    facts = state.facts if before.index else CopyFacts()
    told = _facts(turn, event.report)
    facts = replace(merged(facts, told), question=told.question)
    if run.outcome != "done" and not run.is_running:
        facts = replace(facts, sentence=told.sentence)  # what went well before says nothing of it
    _put(turn, name, replace(state, facts=facts))
    if not run.is_running:
        _end(turn, name, kind, run)


def _set_of(routine: str) -> tuple[str, CopyKind]:
    name, _, kind = routine.partition(":")[2].partition("/")
    return name, CopyKind(kind) if kind else CopyKind.COPY


def _facts(turn: Turn, report: Report) -> CopyFacts:
    """Return what a report tells, its moment on this node's clock."""
    facts = read_facts(report)
    skew = turn.state.watch.skew
    if facts.as_of is None or skew is None:
        return facts
    return replace(facts, as_of=facts.as_of - skew.seconds)


def _end(turn: Turn, name: str, kind: CopyKind, run: RoutineRun) -> None:
    state = _state(turn, name)
    facts, now = state.facts, turn.now.wall_s
    end = CopyEnd(
        kind,
        run.outcome,
        facts.question or facts.sentence or run.sentence,
        now if run.started_at is None else run.started_at,
        now,
        facts.entries,
        facts.bytes,
        facts.changed,
        facts.deleted,
    )
    state = replace(state, last=end, drift=facts.drift or state.drift, progress=None)
    if kind is not CopyKind.CHECK:
        state = replace(state, last_copy=end, question=facts.question, accepted=False)
    if facts.identical is not None:
        # What a copy told first was of the one that it replaces.
        is_here = run.outcome == "done" and kind is not CopyKind.CHECK
        state = replace(state, identical=facts.identical or is_here)
    if run.outcome == "done":
        copy = declared_copies(turn.terms).get(name)
        keeps = copy is not None and copy.is_watched_only
        state = _freshened(state, kind, facts, keeps)
    _put(turn, name, state)
    turn.because = f"file set {name}: {run.outcome.replace('_', ' ')}: {end.sentence}"
    told = {key: value for key, value in asdict(facts).items() if value not in (None, "")}
    evidence = json.dumps({"set": name, "kind": kind, **told, "sentence": end.sentence})
    turn.record(Record(Phase.LOOK, "file_set_told", outcome=run.outcome, evidence=evidence))


def _freshened(state: CopyState, kind: CopyKind, facts: CopyFacts, keeps: bool) -> CopyState:
    """A whole copy is as of its beginning; so is one that was compared and differs in nothing.

    `keeps`: it is copied by the site, whose rsync need not delete (the guide's lines do not, §6):
    what is here besides does not make it less whole.
    """
    if facts.as_of is None:
        return state
    drift = facts.drift
    if kind is not CopyKind.CHECK:
        return replace(state, fresh_as_of=facts.as_of, drift=drift or Drift(at=facts.as_of))
    if drift is None or not drift.is_whole:
        return state
    if drift.differ or drift.missing or (drift.extra and not keeps):
        return state
    return replace(state, fresh_as_of=max(facts.as_of, state.fresh_as_of or 0.0))


def _state(turn: Turn, name: str) -> CopyState:
    return turn.state.copies.get(name, CopyState())


def _put(turn: Turn, name: str, state: CopyState) -> None:
    copies: Mapping[str, CopyState] = {**turn.state.copies, name: state}
    turn.state = replace(turn.state, copies=copies)
