"""The engine: one event in, one decision out.

Laws of this module: `step` is the only door; it is pure, so the same state, event, instant and
terms give the same decision; it must not know how anything is carried out; it never waits, never
raises but for a broken law, and every command it returns is backed by records in the same decision
(design §2, §9). In order: fold what came home, assess, move the state, move the run, ask what to
look at next, check the laws.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core import (
    acknowledging,
    announcing,
    asking,
    copying,
    holds,
    invariants,
    observing,
    recovering,
    rehearsing,
    routines,
    sampling,
    stages,
    telling,
)
from hamnd.core import run as runs
from hamnd.core.answering import answer
from hamnd.core.assessing import assess
from hamnd.core.commands import WriteReport
from hamnd.core.epochs import follow_epoch, keep_epoch, on_kept
from hamnd.core.events import (
    ActionCompleted,
    ConnectionLost,
    CopyMoved,
    DiskObserved,
    EpochKept,
    Event,
    Halted,
    HookCompleted,
    LookCompleted,
    RoundCompleted,
    RoutineActed,
    RoutineDue,
    Started,
    StepLooked,
    StepRehearsed,
    TermsChanged,
    Ticked,
)
from hamnd.core.following import follow_rows, follow_run, note_progress
from hamnd.core.health.evidence import void_contradicted
from hamnd.core.health.watch import Disk, Watch
from hamnd.core.kept import kept_facts
from hamnd.core.lasting import noted
from hamnd.core.policy import Terms
from hamnd.core.progress import Stage
from hamnd.core.state import Decision, NodeState
from hamnd.core.table import Picture, Trigger
from hamnd.core.turn import Turn
from hamnd.core.whereabouts import credible, forget_own, is_partner_displaced, note_own, present
from hamnd.model.instant import Instant
from hamnd.model.names import Mode, Phase, Rhythm, RunStatus, State
from hamnd.model.record import Record


def step(state: NodeState, event: Event, now: Instant, terms: Terms) -> Decision:
    """Decide on one event.

    Raises:
        InvariantViolation: a law of design §2 would be broken; nothing may be carried out.
    """
    turn = Turn(state, now, present(terms, state))
    _fold(turn, event)
    _note_own(turn, terms)
    turn.state = replace(turn.state, assessment=assess(turn.state, now, turn.terms))
    holds.end_expired(turn)
    _act_on(turn, event)
    follow_epoch(turn)
    acknowledging.learn(turn)
    follow_rows(turn)
    follow_run(turn)
    turn.state = forget_own(state, turn.state, terms)
    turn.state = noted(state, turn.state, now)
    turn.persist |= turn.state.lasting != state.lasting
    routines.yield_to_run(turn)
    rehearsing.follow_rehearsal(turn)
    copying.begin_overdue(turn, event)
    telling.tell_changes(turn)
    announcing.tell_run(turn, event)
    announcing.tell_takeover(turn, event)
    announcing.tell_guard(turn)
    _ask(turn, event)
    _remember(turn)
    decision = turn.decision()
    invariants.check(state, event, decision, turn.terms)
    return decision


def _note_own(turn: Turn, configured: Terms) -> None:
    """From here on the partner is where this node's own addresses say that it is."""
    own = note_own(turn.state, configured)
    if own.is_exchanged != turn.state.is_exchanged:
        turn.state, turn.terms, turn.persist = own, present(configured, own), True


def _fold(turn: Turn, event: Event) -> None:
    """Fold what came home into the watch; everything else leaves it alone."""
    state, terms = turn.state, turn.terms
    watch = state.watch
    if isinstance(event, LookCompleted):
        state = asking.landed(state, event.topic)
    told = credible(state, event, terms)
    if told is None or observing.is_outdated(watch, event):
        turn.state = state
        return
    event = told
    match event:
        case TermsChanged() if event.is_site_changed:
            watch = observing.begun_again(watch, turn.now)
        case RoundCompleted():
            is_beside = not is_partner_displaced(state, terms)
            watch = observing.fold_round(watch, event, terms.policy, is_beside)
        case LookCompleted():
            watch = observing.fold_look(watch, event, terms)
        case StepLooked():
            watch = observing.fold_step_looks(watch, event)
        case ActionCompleted() if state.run is not None and state.run.plan.digest == event.digest:
            watch = observing.fold_action(watch, state.run.plan.step(event.step), event, terms)
        case DiskObserved():
            watch = replace(watch, disk=Disk(event.reserve_left, event.free_bytes))
        case _:
            return
    before = turn.state.watch
    watch = void_contradicted(watch, turn.now, terms)
    if _proofs(watch) != _proofs(before):
        turn.persist = True
    if watch.first_off is not None and before.first_off is None:
        # Died no later than this (design §4): the journal tells when it was read, and by what.
        evidence = json.dumps({"sentence": watch.fence[-1].detail, "at": watch.first_off})
        turn.record(Record(Phase.LOOK, "fence_read_off", evidence=evidence))
    turn.state = replace(state, watch=watch)


def _proofs(watch: Watch) -> tuple[object, ...]:
    """Return what must be on disk as soon as it changes: what proves, and what no longer does."""
    is_window_bound = watch.frozen_window_end is not None
    return watch.acts, watch.first_off, watch.lie, is_window_bound


def _act_on(turn: Turn, event: Event) -> None:
    """Do what the event itself demands, before anything that follows from the picture."""
    match event:
        case Started():
            _on_started(turn, event)
        case Halted():
            _on_halted(turn, event)
        case StepLooked() | ActionCompleted():
            _on_run_event(turn, event)
        case LookCompleted():
            routines.catch_up(turn)
            note_progress(turn, event)
        case RoutineDue() | RoutineActed() | CopyMoved() | StepRehearsed():
            _on_scheduled(turn, event)
        case EpochKept():
            on_kept(turn, event)
        case HookCompleted():
            telling.on_hook(turn, event)
        case TermsChanged():
            turn.because = "the configuration was read again"
            turn.record(Record(Phase.DECISION, "terms_changed", evidence=event.summary))
        case Ticked() | RoundCompleted() | ConnectionLost() | DiskObserved():
            pass
        case _:
            answer(turn, event)


def _on_scheduled(turn: Turn, event: RoutineDue | RoutineActed | CopyMoved | StepRehearsed) -> None:
    """Begin what is due, and go on with what came home of it."""
    match event:
        case RoutineDue():
            routines.on_due(turn, event)
            rehearsing.on_due(turn, event)
        case RoutineActed():
            routines.on_acted(turn, event)
            copying.on_acted(turn, event)
        case CopyMoved():
            copying.on_moved(turn, event)
        case StepRehearsed():
            rehearsing.on_rehearsed(turn, event)


def _on_started(turn: Turn, event: Started) -> None:
    """Nothing is proven until seen again; what was under way is unknown (law 5)."""
    has_rebooted = turn.state.boot_id not in ("", event.boot_id)
    turn.because = "hamnd started"
    turn.record(Record(Phase.DECISION, "started", evidence=json.dumps({"boot": event.boot_id})))
    rehearsing.forget_broken(turn)
    run = turn.state.run
    if run is not None and run.status in (RunStatus.RUNNING, RunStatus.PAUSED):
        turn.take(recovering.recover(run, has_rebooted))
    timing = turn.state.timing
    timing = replace(timing, down_since=turn.now, resumed=turn.now)
    if run is not None and (fence := run.steps.get("fence")) is not None:
        timing = replace(timing, fence_done=turn.now if fence.outcome.value == "done" else None)
    watch = replace(turn.state.watch, watched_since=turn.now)
    turn.state = replace(turn.state, boot_id=event.boot_id, timing=timing, watch=watch)
    if turn.state.state in (State.PEER, State.DEGRADED, State.PRIMARY_DOWN):
        # What was silent then may have spoken since; the rule begins its windows again.
        turn.state = replace(turn.state, cause=None, silence_began=None)
    if turn.state.since == 0.0:
        turn.state = replace(turn.state, since=turn.now.wall_s)
    else:
        turn.fire(Trigger.RESTARTED, Picture())
    if turn.state.finished:
        # Its report may have been lost with the process that finished it.
        turn.commands.append(WriteReport(turn.state.finished[-1].digest))


def _on_halted(turn: Turn, event: Halted) -> None:
    """Start no action any more, go on watching; only the operator ends it."""
    if turn.state.mode is Mode.OBSERVE_ONLY:
        return
    turn.state = replace(turn.state, mode=Mode.OBSERVE_ONLY, mode_reason=event.reason)
    turn.because = f"hamnd only observes from now on: {event.reason}"
    evidence = json.dumps({"mode": "observe_only", "reason": event.reason})
    turn.record(Record(Phase.DECISION, "mode_changed", evidence=evidence))
    run = turn.state.run
    if run is not None:
        turn.take(runs.interrupt(run, f"observe_only: {event.reason}"))


def _on_run_event(turn: Turn, event: StepLooked | ActionCompleted) -> None:
    """Hand a report to its step, if it still belongs to the run and attempt under way.

    An epoch that holds the run is heeded first: no action starts in the decision that holds it.
    """
    follow_epoch(turn)
    run = turn.state.run
    if run is None or run.plan.digest != event.digest or event.step not in run.steps:
        return
    one, plan_step = run.steps[event.step], run.plan.step(event.step)
    if one.attempt != event.attempt:
        return
    if isinstance(event, StepLooked):
        is_awaited = one.stage is stages.STAGE_OF[event.purpose]
        if is_awaited or one.outcome.value == "skipped":
            seen = (event.purpose, event.looked)
            turn.take(stages.on_looked(run, plan_step, seen, turn.facts()))
    elif one.stage is Stage.ACTING and one.index == event.index:
        turn.take(stages.on_action(run, plan_step, event.report, turn.facts()))


def _ask(turn: Turn, event: Event) -> None:
    """Send what is due, and beat faster or calmer as the picture demands."""
    match event:
        case Started():
            for rhythm in Rhythm:
                turn.state, more = asking.on_tick(turn.state, rhythm, turn.now, turn.terms)
                turn.commands.extend(more)
        case Ticked():
            turn.state, more = asking.on_tick(turn.state, event.rhythm, turn.now, turn.terms)
            turn.commands.extend(more)
            if event.rhythm is Rhythm.REPLICATION:
                keep_epoch(turn)
        case ConnectionLost():
            turn.because = f"the connection to {event.host} broke: look now"
            turn.state, more = asking.on_tick(turn.state, Rhythm.REACH, turn.now, turn.terms)
            turn.commands.extend(more)
        case _:
            pass
    if turn.before.run is not None and turn.state.run is None:
        # What was seen of this node before the run is no longer so: the next plan is built on it.
        turn.state, more = asking.on_tick(turn.state, Rhythm.READINESS, turn.now, turn.terms)
        turn.commands.extend(more)
    turn.state, paced = asking.pace(turn.state, turn.state.assessment, turn.terms)
    turn.commands.extend(paced)


def _remember(turn: Turn) -> None:
    """Write the last sample in Peer on change of class and at most once a minute (design §12)."""
    turn.remember.update(kept_facts(turn.state.watch, turn.before.watch))
    sample = turn.state.watch.sample
    if sample is None:
        return
    at = turn.state.timing.remembered
    is_due = at is None or turn.now.since(at) >= turn.terms.policy.memory_interval_s
    if not is_due and not turn.persist:
        return
    fact = sampling.sample_fact(turn.state.watch)
    if fact is not None:
        turn.remember["sample"] = fact
        timing = replace(turn.state.timing, remembered=turn.now)
        turn.state = replace(turn.state, timing=timing)
