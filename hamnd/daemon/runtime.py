"""The loop: one queue, one consumer; decide, persist, act, answer.

Owns the state of the node, the order of work and every task of the daemon. Must not decide
anything: `step` decides, the executor acts, the ledger remembers. Laws of this file:

1. An event is taken, decided, written and only then acted upon. `PerformAction` never starts before
   its intent is on disk.
2. What cannot be decided or written halts action: mode observe_only, in memory at once, on disk as
   soon as the journal takes it. Monitoring and status go on; a restart does not clear it.
3. The state that others see is the one that was written, or, while halted, what is observed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import structlog

from hamnd.core.commands import PerformAction
from hamnd.core.events import (
    DiskObserved,
    Event,
    Halted,
    RoundCompleted,
    Ticked,
)
from hamnd.core.policy import Terms
from hamnd.core.state import Decision, NodeState
from hamnd.daemon.configuration import RefusedReload
from hamnd.daemon.ledger import Page
from hamnd.daemon.notable import (
    binding_of,
    headline,
    is_alarming,
    is_notable,
    is_worth_a_line,
    line_of,
    reason_of,
    unexpected,
)
from hamnd.daemon.parts import Backlog, Failure, Item, Parts
from hamnd.errors import (
    HamndError,
    InvariantViolation,
    JournalError,
    OutcomeUnknown,
    PermanentError,
)
from hamnd.model.instant import Instant
from hamnd.model.names import Mode, Phase, Rhythm
from hamnd.model.record import Record
from hamnd.views.gaps import AnswerGaps

log = structlog.get_logger(__name__)

DRAIN_POLL_S = 0.2
"""How often draining looks whether the last action came home without an event of its own."""

SetAside = Callable[[Record, Instant], object]
"""Sets a closed journal aside and begins a new one with this record; blocking."""


class Runtime:
    """One node's loop. Made stopped; `run` owns it from beginning to end."""

    def __init__(self, parts: Parts, terms: Terms, state: NodeState) -> None:
        self.terms = terms
        self.state = state
        self.version = 0
        """Grows with every notable change of the state."""
        self.probe_durations_s: Mapping[str, float] = {}
        self.round_at: Instant | None = None
        self.answer_gaps = AnswerGaps()
        self.refused_reload: RefusedReload | None = None
        """The file that the last reload refused, None where it is in force."""
        self._parts = parts
        self._limits = parts.limits
        self._queue: asyncio.Queue[Item] = asyncio.Queue(parts.limits.queue_max)
        self._urgent: deque[Item] = deque()
        self._queued_beats: set[Rhythm] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._changed = asyncio.Event()
        self._round_home = asyncio.Event()
        self._backlog = Backlog(deque(maxlen=parts.limits.unwritten_max))
        self._handled = asyncio.Event()
        self._begun = asyncio.Event()
        self._is_handling = False
        self._is_draining = False
        self._beat_at = 0.0
        self._headline = ""
        self._events = 0

    @property
    def is_draining(self) -> bool:
        """Whether hamnd is stopping and takes no more requests."""
        return self._is_draining

    def tick(self, rhythm: Rhythm) -> None:
        """Beat a rhythm; a beat that is still waiting in the queue swallows the next one."""
        if rhythm in self._queued_beats or self._is_draining:
            return
        self._queued_beats.add(rhythm)
        self.post(Ticked(rhythm))

    def post(self, event: Event) -> None:
        """Queue an event that nobody waits for and that may be lost: a beat, a hint."""
        try:
            self._queue.put_nowait(Item(event))
        except asyncio.QueueFull:
            log.error("event_dropped", event_kind=type(event).__name__)
            if isinstance(event, Ticked):
                self._queued_beats.discard(event.rhythm)

    async def deliver(self, event: Event) -> None:
        """Queue a completion; it is never lost, the sender waits for room instead."""
        await self._queue.put(Item(event))

    async def ask(self, event: Event) -> Decision:
        """Queue a request and return its decision.

        Raises:
            OutcomeUnknown: no decision in time.
            JournalError: it could not be written; nothing was started.
            HamndError: it could not be decided; nothing was started.
        """
        return await self.decide(Item(event))

    def tell_reload(self, refused: RefusedReload | None) -> None:
        """Keep how the last reload went, for everybody who looks."""
        if refused is not self.refused_reload:
            self.refused_reload = refused
            self._moved()

    async def restart_journal(self, set_aside: SetAside, reason: str, actor: str) -> Decision:
        """Set the journal aside and go on in a fresh one, between two events.

        Raises:
            OutcomeUnknown: not done in time; look at the status again.
            JournalError: the old one could not be set aside or the new one not be written.
        """

        async def job() -> None:
            now = self._parts.clock.now()
            record = Record(Phase.DECISION, "journal_restarted", actor, evidence=reason)
            await self._parts.ledger.reopen(lambda: set_aside(record, now))
            told = f"a new journal was begun, because {self.state.mode_reason or reason}"
            self.state = replace(self.state, mode_reason=told)
            await self._rewrite()

        return await self.decide(Item(None, job=job))

    @property
    def has_journal(self) -> bool:
        """Whether there is a journal to write to; False where it is damaged or was never opened."""
        return self._parts.ledger.is_open

    @property
    def is_journal_sound(self) -> bool:
        """Whether the journal is open and everything that had to be written is in it."""
        return self._parts.ledger.is_open and not self._backlog.is_behind

    async def has_begun(self) -> None:
        """Wait for the first decisions: until then the state is that of a hamnd that died."""
        await self._begun.wait()

    async def wait_changed(self, version: int, limit_s: float) -> int:
        """Return the version of the state once it differs from `version`, or after `limit_s`."""
        if self.version == version:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await self._changed.wait()
        return self.version

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a named task in the runtime's group."""
        if self._group is None:
            work.close()
            raise RuntimeError("the runtime does not run")
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # The life of the loop

    async def run(self, begin: tuple[Event, ...], body: Callable[[], Awaitable[None]]) -> None:
        """Own every task while `body` runs, then end them; `begin` are the very first events."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._parts.starter.attach(self.spawn, self.deliver)
            self._urgent.extend(Item(event) for event in begin)
            self._note_begun()
            self._beat_at = asyncio.get_running_loop().time()
            self.spawn(self._consume(), "consumer")
            self.spawn(self._feed_watchdog(), "watchdog")
            self.spawn(self._watch_disk(), "disk")
            self.spawn(self._say_ready(), "readiness")
            try:
                await body()
            finally:
                for task in tuple(self._tasks):
                    task.cancel()
        if self._backlog.is_behind:
            with contextlib.suppress(JournalError):
                await self._rewrite()

    async def drain(self) -> bool:
        """Start nothing more and let what acts come home; False when the limit ran out first."""
        self._is_draining = True
        self._changed.set()
        self._parts.supervisor.stopping()
        self._parts.starter.drain()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.drain_s
        while self._parts.starter.is_acting or self._is_handling or not self._is_empty:
            if loop.time() >= deadline:
                return False
            self._handled.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_POLL_S):
                    await self._handled.wait()
        return True

    @property
    def _is_empty(self) -> bool:
        return self._queue.empty() and not self._urgent

    async def decide(self, item: Item) -> Decision:
        """Queue an item and return its decision; raises what `ask` raises, and its refusal."""
        item.answer = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._limits.answer_s):
                await self._queue.put(item)
                answer = await item.answer
        except TimeoutError as error:
            raise OutcomeUnknown(
                f"no decision within {self._limits.answer_s:g} s; look at the status again"
            ) from error
        if isinstance(answer, Failure):
            raise answer.error
        return answer

    async def _consume(self) -> None:
        while True:
            item = self._urgent.popleft() if self._urgent else await self._queue.get()
            self._is_handling = True
            try:
                await self._handle(item)
            except Exception as error:  # the one place: action ends, status goes on
                self._fail(item, error)
            finally:
                self._is_handling = False
                self._handled.set()
                self._note_begun()

    def _note_begun(self) -> None:
        if not self._urgent:
            self._begun.set()

    async def _handle(self, item: Item) -> None:
        if item.job is not None:
            await item.job()
            item.settle(Decision(self.state))
            return
        event = item.event
        if event is None:
            return
        if item.refusal is not None and (error := item.refusal(self.state)) is not None:
            item.settle(Failure(error))
            return
        if isinstance(event, Ticked):
            self._queued_beats.discard(event.rhythm)
        self._events += 1
        with structlog.contextvars.bound_contextvars(event_id=self._events, **binding_of(event)):
            await self._decide(item, event)

    async def _decide(self, item: Item, event: Event) -> None:
        now = self._parts.clock.now()
        before, terms = self.state, item.terms or self.terms
        decision = self._parts.core.step(before, event, now, terms)
        if isinstance(event, Halted) and decision.state.mode is not Mode.OBSERVE_ONLY:
            decision = replace(decision, state=_halted(decision.state, event.reason), persist=True)
        _check_actions(decision)
        await self._persist(decision, now)
        item.is_adopted = True
        self.state, self.terms = decision.state, terms
        if item.apply is not None:
            item.apply()
        for command in decision.commands:
            self._parts.starter.start(command)
        item.settle(decision)
        self._observe(event, now)
        self._tell(event, before, decision, now)

    async def _persist(self, decision: Decision, now: Instant) -> None:
        """Write what the decision wants on disk, together with what could not be written before.

        Raises:
            JournalError: not written. While halted it is kept for later instead: the mode is in
                force in memory, and no action can be waiting for the write.
        """
        is_halted = decision.state.mode is Mode.OBSERVE_ONLY
        backlog = self._backlog
        if is_halted and backlog.is_behind and asyncio.get_running_loop().time() < backlog.retry_at:
            backlog.keep(decision)
            return
        is_due = decision.persist or backlog.is_behind
        page = Page(
            (*backlog.records, *decision.records),
            self._parts.core.dump(decision.state) if is_due else None,
            {**backlog.facts, **decision.remember},
        )
        if page.is_empty:
            return
        try:
            await self._parts.ledger.write(page, now)
        except JournalError as error:
            if not is_halted:
                raise
            if not backlog.is_behind:
                log.critical("journal_not_written", error=str(error))
            backlog.keep(decision)
            backlog.retry_at = asyncio.get_running_loop().time() + self._limits.rewrite_s
        else:
            backlog.clear()

    async def _rewrite(self) -> None:
        """Write the whole state and the backlog. Raises JournalError."""
        page = Page(
            tuple(self._backlog.records),
            self._parts.core.dump(self.state),
            dict(self._backlog.facts),
        )
        await self._parts.ledger.write(page, self._parts.clock.now())
        self._backlog.clear()

    def _fail(self, item: Item, error: Exception) -> None:
        """Halt action after an event that could not be decided, written or started."""
        kind = "job" if item.event is None else type(item.event).__name__
        reason = reason_of(error, kind)
        log.critical("event_failed", event_kind=kind, reason=reason, exc_info=unexpected(error))
        item.settle(Failure(error if isinstance(error, HamndError) else PermanentError(reason)))
        if item.event is None:
            return
        if isinstance(item.event, Halted):
            self.state = _halted(self.state, item.event.reason)
            self._backlog.keep(Decision(self.state, records=(_halt_record(item.event.reason),)))
            self._moved()
        elif self.state.mode is not Mode.OBSERVE_ONLY:
            self._urgent.append(Item(Halted(reason)))
            if item.answer is None and not item.is_adopted:
                self._urgent.append(item)

    # After a decision

    def _observe(self, event: Event, now: Instant) -> None:
        """Keep what only the loop itself can measure."""
        if isinstance(event, Ticked) and event.rhythm is Rhythm.REACH:
            self._beat_at = asyncio.get_running_loop().time()
        elif isinstance(event, RoundCompleted):
            self.round_at = now
            self._round_home.set()
            self.answer_gaps.heard(event.looked)
            self.probe_durations_s = {
                str(probe): looked.report.finished.since(looked.report.started)
                for probe, looked in event.looked
            }

    def _tell(self, event: Event, before: NodeState, decision: Decision, now: Instant) -> None:
        if is_worth_a_line(before, decision):
            spent_ms = round(self._parts.clock.now().since(now) * 1000, 1)
            say = log.warning if is_alarming(before, decision.state) else log.info
            say("decided", **line_of(event, before, decision), duration_ms=spent_ms)
        if is_notable(before, decision.state):
            self._moved()

    def _moved(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()
        self._publish()

    def _publish(self) -> None:
        """Tell the service manager the headline where it changed."""
        told = headline(self.state)
        if told != self._headline:
            self._headline = told
            self._parts.supervisor.status(told)

    # Tasks beside the consumer

    async def _say_ready(self) -> None:
        """Report readiness after the first round, or late rather than never where none is sent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.ready_after_s):
                await self._round_home.wait()
        self._parts.supervisor.ready()
        self._publish()
        log.info("monitoring_started", state=str(self.state.state), mode=str(self.state.mode))

    async def _feed_watchdog(self) -> None:
        """Feed the watchdog only while reach beats are handled: ticks and consumer both live."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._limits.heartbeat_s)
            stall_s = max(self._limits.stall_s, 3 * self.terms.policy.reach_interval_s)
            if self._is_draining or loop.time() - self._beat_at < stall_s:
                self._parts.supervisor.alive()
            else:
                log.error("loop_stalled", silent_s=round(loop.time() - self._beat_at, 1))

    async def _watch_disk(self) -> None:
        """Tell the core at intervals how much room the journal has."""
        ledger = self._parts.ledger
        while True:
            try:
                reserve = await ledger.reserve_left()
            except JournalError:
                reserve = 0.0
            with contextlib.suppress(JournalError):
                free = await ledger.blocking(self._parts.free_bytes)
                await self.deliver(DiskObserved(reserve, free))
            await asyncio.sleep(self._limits.disk_interval_s)


def _halted(state: NodeState, reason: str) -> NodeState:
    return replace(state, mode=Mode.OBSERVE_ONLY, mode_reason=reason)


def _halt_record(reason: str) -> Record:
    return Record(Phase.DECISION, "action_halted", evidence=reason)


def _check_actions(decision: Decision) -> None:
    """Refuse to start what this file must never start (laws 1 and 2)."""
    actions = [one for one in decision.commands if isinstance(one, PerformAction)]
    if not actions:
        return
    if decision.state.mode is Mode.OBSERVE_ONLY:
        raise InvariantViolation("observe_only", f"{len(actions)} actions decided while halted")
    intents = {record.step for record in decision.records if record.phase is Phase.INTENT}
    bare = [action.step for action in actions if action.step not in intents]
    if bare:
        raise InvariantViolation("5", f"action without a recorded intent in step {', '.join(bare)}")
