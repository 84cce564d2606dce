"""Fakes of the ports around the runtime, on virtual loop time.

Owns a journal in memory, a worker with adjustable slowness, a world that answers when told to, and
a core of a few lines, so that the order of work can be seen from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hamnd.core.commands import PerformAction, ProbeRound
from hamnd.core.events import (
    ActionCompleted,
    ClearRequested,
    Event,
    Halted,
    RetryRequested,
    RoundCompleted,
    Started,
    Ticked,
)
from hamnd.core.policy import Policy, Terms
from hamnd.core.state import Decision, NodeState, Refusal
from hamnd.daemon.executor import Executor, Hooks
from hamnd.daemon.ledger import Ledger
from hamnd.daemon.parts import Core, Limits, Parts
from hamnd.daemon.runtime import Runtime
from hamnd.errors import InvariantViolation, JournalError
from hamnd.model.instant import Instant
from hamnd.model.names import Mode, Phase, Probe
from hamnd.model.record import Record
from hamnd.model.site import Db2Site, Node, Platform, Site
from hamnd.model.work import Action, Ending, Exec, Look, Reach, Report

SITE = Site(
    cluster="c1",
    node="mn2",
    platform=Platform.LINUX,
    primary=Node("mn1", "127.0.0.1"),
    standby=Node("mn2", "127.0.0.2"),
    identity=(),
    gateway="127.0.0.3",
    db2=Db2Site("XCATDB", "xcatdb"),
)
TERMS = Terms(SITE, Policy())
PING = Look(Reach("mn1", "127.0.0.1", Probe.PING), "reach.answer", "an answer", timeout_s=2.0)
ACTION = Action(Exec("mn2", ("true",)))


async def no_word(*_: str) -> None:
    """Write nothing of what hamnd tells of itself."""


class LoopClock:
    """Both clocks are the loop's time."""

    def now(self) -> Instant:
        seconds = asyncio.get_running_loop().time()
        return Instant(seconds, 1_000_000.0 + seconds)


@dataclass
class MemoryJournal:
    """A journal in memory; `fails` makes every write fail, `story` is shared with the world."""

    story: list[str]
    records: list[Record] = field(default_factory=list)
    state: str | None = None
    facts: dict[str, tuple[str, float]] = field(default_factory=dict)
    fails: str = ""
    is_closed: bool = False

    def append(self, records: tuple[Record, ...], state: str | None, now: Instant) -> int:
        if self.fails:
            raise JournalError(self.fails)
        self.records.extend(records)
        self.story.extend(f"written {record.what}" for record in records)
        if state is not None:
            self.state = state
        return len(self.records)

    def remember(self, facts: Mapping[str, str], now: Instant) -> None:
        if self.fails:
            raise JournalError(self.fails)
        self.facts.update({key: (value, now.wall_s) for key, value in facts.items()})

    def load(self) -> tuple[str | None, Mapping[str, tuple[str, float]]]:
        return self.state, self.facts

    def reserve_left(self) -> float:
        return 1.0

    def close(self) -> None:
        self.is_closed = True

    @property
    def whats(self) -> list[str]:
        return [record.what for record in self.records]


@dataclass
class SlowWorker:
    """Runs each call after a delay of virtual time, in order, as one thread would."""

    delay_s: float = 0.0
    is_closed: bool = False
    tail: asyncio.Task[Any] | None = None

    def submit(self, call: Callable[[], Any]) -> Awaitable[Any]:
        before, delay_s = self.tail, self.delay_s

        async def later() -> Any:
            if before is not None:
                await asyncio.wait({before})
            await asyncio.sleep(delay_s)
            return call()

        self.tail = asyncio.get_running_loop().create_task(later())
        return self.tail

    def close(self) -> None:
        self.is_closed = True


@dataclass
class ScriptedWorld:
    """A world whose actions take `action_s`; `broken` makes adapters raise, `deaf` never answer."""

    story: list[str]
    action_s: float = 1.0
    look_s: float = 0.1
    broken: bool = False
    deaf: bool = False

    async def perform(self, action: Action, timeout_s: float) -> Report:
        self.story.append("acting")
        return await self._answer(self.action_s)

    async def look(self, look: Look) -> Report:
        return await self._answer(self.look_s)

    async def _answer(self, seconds: float) -> Report:
        started = LoopClock().now()
        if self.broken:
            raise KeyError("an adapter's bug")
        if self.deaf:
            await never_ends()
        await asyncio.sleep(seconds)
        return Report(Ending.EXITED, started, LoopClock().now(), exit_code=0)


async def never_ends() -> None:
    """Swallow the first cancellation, as a misbehaving adapter does; obey the second."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(10_000)
    await asyncio.sleep(10_000)


@dataclass
class NotedSupervisor:
    """Writes down what it is told."""

    told: list[str] = field(default_factory=list)

    def ready(self) -> None:
        self.told.append("ready")

    def status(self, sentence: str) -> None:
        self.told.append(f"status {sentence}")

    def alive(self) -> None:
        self.told.append("alive")

    def reloading(self) -> None:
        self.told.append("reloading")

    def stopping(self) -> None:
        self.told.append("stopping")


def perform(index: int) -> PerformAction:
    return PerformAction("d1", "promote", 1, index, ACTION, timeout_s=30.0)


def toy_step(state: NodeState, event: Event, now: Instant, terms: Terms) -> Decision:
    """A core of a few lines: a retry acts, its completion is recorded, a violation can be asked."""
    match event:
        case Started():
            return Decision(replace(state, boot_id=event.boot_id), persist=True)
        case Halted():
            halted = replace(state, mode=Mode.OBSERVE_ONLY, mode_reason=event.reason)
            record = Record(Phase.DECISION, "action_halted", evidence=event.reason)
            return Decision(halted, records=(record,), persist=True)
        case ClearRequested():
            record = Record(Phase.DECISION, "mode_cleared", event.actor, evidence=event.reason)
            normal = replace(state, mode=Mode.NORMAL, mode_reason="")
            return Decision(normal, records=(record,), persist=True)
        case RetryRequested(actor="bug"):
            raise InvariantViolation("4", "two nodes told to be primary")
        case RetryRequested(actor="crash"):
            raise ZeroDivisionError("a bug of the core")
        case RetryRequested(actor="careless"):
            return Decision(state, commands=(perform(0),))
        case RetryRequested() if state.mode is Mode.OBSERVE_ONLY:
            return Decision(state, refusal=Refusal("mode", "hamnd only observes"))
        case RetryRequested():
            return _intent(replace(state, because="acting"), 0)
        case ActionCompleted():
            done = Record(
                Phase.RESULT, "action_finished", step="promote", outcome=event.report.ending
            )
            return Decision(replace(state, because="acted"), records=(done,), persist=True)
        case Ticked():
            number = state.timing.round_number + 1
            timing = replace(state.timing, round_number=number)
            probes = ProbeRound(number, ((Probe.PING, PING),))
            return Decision(replace(state, timing=timing), commands=(probes,))
        case RoundCompleted():
            seen = replace(state, because=f"round {event.number}")
            return Decision(seen, remember={"round": json.dumps(event.number)})
        case _:
            return Decision(state)


def _intent(state: NodeState, index: int) -> Decision:
    record = Record(Phase.INTENT, "action_started", step="promote")
    return Decision(state, (perform(index),), (record,), persist=True)


def toy_dump(state: NodeState) -> str:
    return json.dumps([state.because, str(state.mode), state.mode_reason])


@dataclass
class Bench:
    """A runtime with fakes all around it."""

    story: list[str] = field(default_factory=list)
    supervisor: NotedSupervisor = field(default_factory=NotedSupervisor)
    worker: SlowWorker = field(default_factory=SlowWorker)
    intervals: list[float] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    step: Callable[[NodeState, Event, Instant, Terms], Decision] = toy_step

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(self.story)
        self.world = ScriptedWorld(self.story)
        self.clock = LoopClock()
        self.ledger = Ledger(lambda: self.journal, self.worker, limit_s=5.0)
        hooks = Hooks(self.intervals.append, self._report, no_word, no_word)
        self.executor = Executor(self.world, self.clock, hooks)
        parts = Parts(
            Core(self.step, toy_dump),
            self.clock,
            self.ledger,
            self.executor,
            self.supervisor,
            lambda: 1 << 30,
            self.limits,
        )
        self.runtime = Runtime(parts, TERMS, NodeState())

    async def _report(self, digest: str) -> None:
        self.reports.append(digest)

    def mode(self) -> Mode:
        return self.runtime.state.mode

    async def live(self, body: Callable[[], Awaitable[None]]) -> None:
        """Open the journal and run the loop for as long as `body` takes."""
        await self.ledger.open()
        await self.runtime.run((Started("boot-1"),), body)

    async def until(self, condition: Callable[[], bool], limit_s: float = 60.0) -> None:
        """Wait, in virtual time, until something became true."""
        async with asyncio.timeout(limit_s):
            while not condition():  # noqa: ASYNC110 - conditions are plain reads, time is virtual
                await asyncio.sleep(0.05)
