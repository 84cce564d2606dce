"""Every command comes home as its event, whatever an adapter does; only a shutdown is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from hamnd.core.commands import (
    EndRoutine,
    LookAtStep,
    PerformRoutine,
    ProbeRound,
    SetReachInterval,
    TakeLook,
    WriteReport,
)
from hamnd.core.events import (
    ActionCompleted,
    Event,
    LookCompleted,
    RoundCompleted,
    RoutineActed,
    StepLooked,
)
from hamnd.daemon.executor import Executor, Hooks
from hamnd.model.names import LookPurpose, Probe
from hamnd.model.work import Ending
from tests.unit.daemon.fakes import ACTION, PING, LoopClock, ScriptedWorld, no_word, perform

pytestmark = pytest.mark.looptime


@dataclass
class Yard:
    """An executor with a world, and the events that came home."""

    events: list[Event] = field(default_factory=list)
    intervals: list[float] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = ScriptedWorld([])
        self.executor = Executor(
            self.world, LoopClock(), Hooks(self.intervals.append, self.write, no_word, no_word)
        )

    async def write(self, digest: str) -> None:
        if digest == "broken":
            raise OSError("no space left on device")
        self.reports.append(digest)

    async def live(self, body: Callable[[], Awaitable[None]]) -> None:
        async def home(event: Event) -> None:
            self.events.append(event)

        tasks = []
        async with asyncio.TaskGroup() as group:

            def spawn(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
                tasks.append(group.create_task(work, name=name))
                return tasks[-1]

            self.executor.attach(spawn, home)
            await body()
            for task in tasks:
                task.cancel()

    async def first(self, limit_s: float = 60.0) -> Event:
        async with asyncio.timeout(limit_s):
            while not self.events:  # noqa: ASYNC110 - time is virtual
                await asyncio.sleep(0.05)
        return self.events[0]


async def test_the_probes_of_a_round_start_together_and_come_home_as_one() -> None:
    yard = Yard()
    probes = tuple((probe, PING) for probe in Probe)

    async def body() -> None:
        yard.world.look_s = 1.5
        yard.executor.start(ProbeRound(7, probes))
        event = await yard.first()
        assert isinstance(event, RoundCompleted)
        assert event.number == 7
        assert [probe for probe, _ in event.looked] == list(Probe)
        assert asyncio.get_running_loop().time() < 2.0

    await yard.live(body)


async def test_rounds_may_overlap() -> None:
    yard = Yard()

    async def body() -> None:
        yard.world.look_s = 3.0
        yard.executor.start(ProbeRound(1, ((Probe.PING, PING),)))
        await asyncio.sleep(1)
        yard.world.look_s = 0.1
        yard.executor.start(ProbeRound(2, ((Probe.PING, PING),)))
        await asyncio.sleep(10)

    await yard.live(body)
    assert [event.number for event in yard.events if isinstance(event, RoundCompleted)] == [2, 1]


async def test_an_adapter_that_raises_in_a_look_says_nothing_about_the_primary() -> None:
    yard = Yard()
    yard.world.broken = True

    async def body() -> None:
        yard.executor.start(TakeLook("db2pd", PING))
        event = await yard.first()
        assert isinstance(event, LookCompleted)
        assert event.topic == "db2pd"
        assert event.looked.report.ending is Ending.COULD_NOT_RUN
        assert "KeyError" in event.looked.report.detail

    await yard.live(body)


async def test_a_look_that_never_answers_is_cut_off_and_is_not_silence() -> None:
    yard = Yard()
    yard.world.deaf = True

    async def body() -> None:
        yard.executor.start(ProbeRound(1, ((Probe.PING, PING),)))
        event = await yard.first(limit_s=10.0)
        assert isinstance(event, RoundCompleted)
        assert event.looked[0][1].report.ending is Ending.TIMED_OUT

    await yard.live(body)


@pytest.mark.parametrize("trouble", ["broken", "deaf"])
async def test_an_action_that_was_sent_and_told_nothing_has_an_unknown_outcome(
    trouble: str,
) -> None:
    yard = Yard()
    setattr(yard.world, trouble, True)

    async def body() -> None:
        yard.executor.start(perform(3))
        assert yard.executor.is_acting
        event = await yard.first()
        assert isinstance(event, ActionCompleted)
        assert (event.digest, event.step, event.attempt, event.index) == ("d1", "promote", 1, 3)
        assert event.report.ending is Ending.LOST
        await asyncio.sleep(0)
        assert not yard.executor.is_acting

    await yard.live(body)


async def test_the_looks_of_a_step_wait_their_pause_and_come_home_together() -> None:
    yard = Yard()

    async def body() -> None:
        yard.executor.start(
            LookAtStep("d1", "xcatd", 2, LookPurpose.AFTER, (PING, PING), pause_s=3.0)
        )
        event = await yard.first()
        assert isinstance(event, StepLooked)
        assert len(event.looked) == 2
        assert asyncio.get_running_loop().time() == pytest.approx(3.1, abs=0.1)

    await yard.live(body)


async def test_a_step_without_looks_still_comes_home() -> None:
    yard = Yard()

    async def body() -> None:
        yard.executor.start(LookAtStep("d1", "fuse", 1, LookPurpose.BEFORE, ()))
        assert isinstance(await yard.first(), StepLooked)

    await yard.live(body)


async def test_a_shutdown_ends_commands_without_an_event() -> None:
    yard = Yard()

    async def body() -> None:
        yard.executor.start(perform(0))
        yard.executor.start(TakeLook("fence", PING))
        await asyncio.sleep(0)

    await yard.live(body)
    assert yard.events == []


async def test_the_reach_interval_goes_to_the_scheduler_and_the_report_to_its_writer() -> None:
    yard = Yard()

    async def body() -> None:
        yard.executor.start(SetReachInterval(0.2))
        yard.executor.start(WriteReport("broken"))
        yard.executor.start(WriteReport("d1"))
        await asyncio.sleep(1)

    await yard.live(body)
    assert yard.intervals == [0.2]
    assert yard.reports == ["d1"]


async def test_what_is_under_way_keeps_the_world_that_it_began_with() -> None:
    yard = Yard()
    old, new = yard.world, ScriptedWorld([])

    async def body() -> None:
        yard.executor.start(perform(0))
        yard.executor.world = new
        assert yard.executor.is_using(old)
        await yard.first()
        await asyncio.sleep(0)
        assert not yard.executor.is_using(old)

    await yard.live(body)
    assert old.story == ["acting"]
    assert new.story == []


async def test_a_routine_comes_home_with_its_number() -> None:
    yard = Yard()

    async def body() -> None:
        yard.executor.start(PerformRoutine("copy:sqlite", 3, 1, ACTION, 60.0))
        event = await yard.first()
        assert isinstance(event, RoutineActed)
        assert (event.name, event.number, event.index) == ("copy:sqlite", 3, 1)
        assert event.report.ending is Ending.EXITED

    await yard.live(body)


async def test_a_routine_that_is_ended_comes_home_lost_and_its_program_with_it() -> None:
    yard = Yard()

    async def body() -> None:
        yard.world.action_s = 50.0
        yard.executor.start(PerformRoutine("copy:sqlite", 1, 0, ACTION, 60.0))
        await asyncio.sleep(1.0)
        yard.executor.start(EndRoutine("copy:sqlite"))
        yard.executor.start(EndRoutine("copy:other"))
        event = await yard.first()
        assert isinstance(event, RoutineActed)
        assert event.report.ending is Ending.LOST
        assert event.report.detail == "ended: a run began"
        assert asyncio.get_running_loop().time() < 3.0

    await yard.live(body)
