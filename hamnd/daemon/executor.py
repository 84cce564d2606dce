"""Turns commands into awaits on the world, and brings every one of them home as its event.

Owns the tasks of running commands and their outer time limits. Must not decide anything: not
whether a command is due, nor what its report means. An adapter that raises, hangs or swallows its
time limit still yields a report, the one that claims least; only a shutdown ends a command without
an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, assert_never

import structlog

from hamnd.core.commands import (
    Command,
    EndRoutine,
    KeepEpoch,
    LookAtStep,
    PerformAction,
    PerformRoutine,
    ProbeRound,
    RehearseStep,
    RunHook,
    SetReachInterval,
    TakeLook,
    TellGuard,
    TellRun,
    TellTakeover,
    WriteReport,
)
from hamnd.core.events import (
    ActionCompleted,
    EpochKept,
    Event,
    HookCompleted,
    LookCompleted,
    RoundCompleted,
    RoutineActed,
    StepLooked,
    StepRehearsed,
)
from hamnd.dialects import running, takeovers
from hamnd.model.instant import Instant
from hamnd.model.work import Action, Ending, Look, Looked, Report
from hamnd.ports import Clock, World

log = structlog.get_logger(__name__)

GRACE_S = 4.0
"""What an adapter gets above its own time limit to end a process group (about 2 s) and say so."""

KEEP_S = 10.0
"""Limit for writing the epoch to one node."""

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]
Deliver = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is not asked of the world: the scheduler's reach rhythm, and hamnd's own files."""

    set_reach_interval: Callable[[float], None]
    write_report: Callable[[str], Awaitable[None]]
    tell_partner: Callable[[str, str], Awaitable[None]]
    """Name and line of a file that the partner's hamnd reads."""
    tell_guard: Callable[[], Awaitable[None]]


class Executor:
    """Starts commands; `attach` says where its tasks live and where events go."""

    def __init__(self, world: World, clock: Clock, hooks: Hooks) -> None:
        self.world = world
        """Replaced whole by a reload; what is under way keeps the one it began with."""
        self._clock = clock
        self._hooks = hooks
        self._spawn: Spawn | None = None
        self._deliver: Deliver | None = None
        self._acting = 0
        self._busy: dict[int, int] = {}
        self._routines: dict[str, asyncio.Task[None]] = {}
        """What of each routine is under way; cancelled, its programs end."""
        self._draining = False

    def attach(self, spawn: Spawn, deliver: Deliver) -> None:
        """Say who owns the tasks and who takes the events."""
        self._spawn = spawn
        self._deliver = deliver

    @property
    def is_acting(self) -> bool:
        """Whether an action is under way whose result is not yet delivered."""
        return self._acting > 0

    def is_using(self, world: World) -> bool:
        """Whether something is still under way on that world."""
        return self._busy.get(id(world), 0) > 0

    def drain(self) -> None:
        """Start no further action: each comes home at once as not started."""
        self._draining = True

    def start(self, command: Command) -> None:
        """Start one command; it comes home as its event."""
        world = self.world
        match command:
            case ProbeRound():
                self._launch(self._probe(command, world), f"round-{command.number}")
            case TakeLook():
                self._launch(self._take(command, world), f"look-{command.topic}")
            case LookAtStep() | RehearseStep():
                self._launch(self._look_at(command, world), f"look-{command.step}")
            case PerformAction():
                self._acting += 1
                task = self._launch(
                    self._act(command, world), f"action-{command.step}-{command.index}"
                )
                task.add_done_callback(self._acted)
            case SetReachInterval():
                self._hooks.set_reach_interval(command.seconds)
            case RunHook():
                self._launch(self._hook(command, world), "hook")
            case PerformRoutine():
                self._launch(self._routine(command, world), f"routine-{command.name}")
            case EndRoutine():
                if command.name in self._routines:
                    self._routines[command.name].cancel()
            case KeepEpoch():
                self._launch(self._keep(command, world), f"epoch-{command.host}")
            case WriteReport() | TellRun() | TellTakeover() | TellGuard():
                self._launch(self._write(command), "own-file")
            case _:
                assert_never(command)

    def _launch(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self._spawn is None:
            raise RuntimeError("the executor is not attached")
        key = id(self.world)
        self._busy[key] = self._busy.get(key, 0) + 1
        task = self._spawn(work, name)
        task.add_done_callback(lambda _: self._left(key))
        return task

    def _left(self, key: int) -> None:
        self._busy[key] -= 1
        if not self._busy[key]:
            del self._busy[key]

    def _acted(self, _: asyncio.Task[None]) -> None:
        self._acting -= 1

    async def _bring(self, event: Event) -> None:
        if self._deliver is None:
            raise RuntimeError("the executor is not attached")
        await self._deliver(event)

    async def _probe(self, command: ProbeRound, world: World) -> None:
        looked = await asyncio.gather(*(self._look(world, look) for _, look in command.probes))
        pairs = tuple((probe, one) for (probe, _), one in zip(command.probes, looked, strict=True))
        await self._bring(RoundCompleted(command.number, pairs))

    async def _take(self, command: TakeLook, world: World) -> None:
        looked = await self._look(world, command.look)
        await self._bring(LookCompleted(command.topic, looked))

    async def _look_at(self, command: LookAtStep | RehearseStep, world: World) -> None:
        if isinstance(command, LookAtStep):
            await asyncio.sleep(command.pause_s)
        looked = tuple(await asyncio.gather(*(self._look(world, one) for one in command.looks)))
        if isinstance(command, RehearseStep):
            await self._bring(StepRehearsed(command.number, command.step, looked))
            return
        await self._bring(
            StepLooked(command.digest, command.step, command.attempt, command.purpose, looked)
        )

    async def _act(self, command: PerformAction, world: World) -> None:
        report = await self._perform(world, command.action, command.timeout_s)
        await self._bring(
            ActionCompleted(command.digest, command.step, command.attempt, command.index, report)
        )

    async def _perform(self, world: World, action: Action, timeout_s: float) -> Report:
        started = self._clock.now()
        if self._draining:
            return self._made(Ending.COULD_NOT_RUN, started, "hamnd is stopping: not started")
        return await self._bounded(
            lambda: world.perform(action, timeout_s), timeout_s + GRACE_S, Ending.LOST
        )

    async def _look(self, world: World, look: Look) -> Looked:
        limit_s = look.timeout_s + GRACE_S
        return Looked(
            look, await self._bounded(lambda: world.look(look), limit_s, Ending.TIMED_OUT)
        )

    async def _hook(self, command: RunHook, world: World) -> None:
        limit_s = command.timeout_s + GRACE_S
        report = await self._bounded(
            lambda: world.perform(command.action, command.timeout_s), limit_s, Ending.TIMED_OUT
        )
        await self._bring(HookCompleted(command.about, report))

    async def _routine(self, command: PerformRoutine, world: World) -> None:
        """Carry out one action of a routine; ended early, its programs are ended with it."""
        if self._spawn is None:
            raise RuntimeError("the executor is not attached")
        started = self._clock.now()
        home: list[Report] = []

        async def performed() -> None:
            home.append(await self._perform(world, command.action, command.timeout_s))

        task = self._routines[command.name] = self._spawn(performed(), f"call-{command.name}")
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._routines.pop(command.name, None)
        report = home[0] if home else self._made(Ending.LOST, started, "ended: a run began")
        await self._bring(RoutineActed(command.name, command.number, command.index, report))

    async def _keep(self, command: KeepEpoch, world: World) -> None:
        report = await self._perform(world, command.action, KEEP_S)
        await self._bring(EpochKept(command, report))

    async def _write(self, command: WriteReport | TellRun | TellTakeover | TellGuard) -> None:
        """Write one of hamnd's own files; that it cannot be written holds nothing."""
        match command:
            case WriteReport():
                what, work = "report", self._hooks.write_report(command.digest)
            case TellRun():
                what, work = "run", self._hooks.tell_partner(running.NAME, command.line)
            case TellTakeover():
                what = takeovers.NAME
                work = self._hooks.tell_partner(takeovers.NAME, command.line)
            case TellGuard():
                what, work = "guard", self._hooks.tell_guard()
            case _:
                assert_never(command)
        outcome = await asyncio.gather(work, return_exceptions=True)
        if isinstance(outcome[0], Exception):
            log.error("file_not_written", what=what, of=command, error=str(outcome[0]))

    async def _bounded(
        self, call: Callable[[], Awaitable[Report]], limit_s: float, overdue: Ending
    ) -> Report:
        """Await an adapter for at most `limit_s`; `overdue` is what its silence is called.

        Waiting does not depend on the adapter's obedience: one that swallows its cancellation is
        left behind in the task group and its late answer is dropped.
        """
        if self._spawn is None:
            raise RuntimeError("the executor is not attached")
        started = self._clock.now()
        home: list[Report | BaseException] = []

        async def captured() -> None:
            home.extend(await asyncio.gather(call(), return_exceptions=True))

        task = self._spawn(captured(), "adapter-call")
        try:
            await asyncio.wait({task}, timeout=limit_s)
        finally:
            task.cancel()
        match home:
            case [Report() as report]:
                return report
            case [error]:
                log.error("adapter_failed", error=repr(error))
                detail = f"the adapter failed: {type(error).__name__}: {error}"
                lost = overdue if overdue is Ending.LOST else Ending.COULD_NOT_RUN
                return self._made(lost, started, detail)
            case _:
                log.error("adapter_overdue", limit_s=limit_s)
                return self._made(overdue, started, f"no answer within {limit_s:g} s")

    def _made(self, ending: Ending, started: Instant, detail: str) -> Report:
        return Report(ending, started, self._clock.now(), detail=detail)
