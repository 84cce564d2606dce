"""A daemon that died in a run comes back paused and acts only when it is told to (real engine)."""

from __future__ import annotations

import asyncio

import pytest

from hamnd.core.engine import step
from hamnd.core.events import ClearRequested, Halted, Started
from hamnd.core.snapshot import dump, restore
from hamnd.core.state import NodeState
from hamnd.daemon.executor import Executor, Hooks
from hamnd.daemon.ledger import Ledger
from hamnd.daemon.parts import Core, Parts
from hamnd.daemon.runtime import Runtime
from hamnd.model.names import Mode, Rhythm, RunStatus, State
from tests.builders import pair
from tests.unit.daemon.fakes import (
    LoopClock,
    MemoryJournal,
    NotedSupervisor,
    ScriptedWorld,
    SlowWorker,
    no_word,
)

pytestmark = pytest.mark.looptime
STEPS = ("fence", "promote", "identity", "xcatd", "dns")


class Node:
    """One daemon process on a journal that outlives it."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.journal = journal
        self.world = ScriptedWorld([])
        self.reports: list[str] = []

    async def boot(self, *more: Halted, seconds: float = 20.0) -> Runtime:
        clock, ledger = LoopClock(), Ledger(lambda: self.journal, SlowWorker(), 2.0)
        text, memory = await ledger.open()
        state = NodeState() if text is None else restore(text, memory)

        async def report(digest: str) -> None:
            self.reports.append(digest)

        executor = Executor(self.world, clock, Hooks(lambda _: None, report, no_word, no_word))
        parts = Parts(Core(step, dump), clock, ledger, executor, NotedSupervisor(), lambda: 1 << 30)
        runtime = Runtime(parts, pair().terms, state)

        async def body() -> None:
            for _ in range(int(seconds)):
                for rhythm in Rhythm:
                    runtime.tick(rhythm)
                await asyncio.sleep(1)

        await runtime.run((Started("boot-2"), *more), body)
        return runtime


@pytest.mark.parametrize("under_way", STEPS)
async def test_a_run_that_was_cut_off_by_a_crash_comes_back_paused(under_way: str) -> None:
    journal = MemoryJournal([])
    journal.state = dump(pair().taking_over(under_way).state)
    node = Node(journal)
    runtime = await node.boot()
    assert runtime.state.state is State.TAKING_OVER
    assert runtime.state.run is not None
    assert runtime.state.run.status is RunStatus.PAUSED
    assert "acting" not in node.world.story
    assert runtime.state.mode is Mode.NORMAL


async def test_observe_only_survives_a_restart_until_an_operator_clears_it() -> None:
    journal = MemoryJournal([])
    node = Node(journal)
    await node.boot(Halted("the journal was too slow"))
    runtime = await node.boot()
    assert runtime.state.mode is Mode.OBSERVE_ONLY
    assert runtime.state.mode_reason == "the journal was too slow"
    cleared = step(runtime.state, ClearRequested("seen", "anna"), LoopClock().now(), runtime.terms)
    assert cleared.state.mode is Mode.NORMAL


async def test_a_report_that_was_lost_with_the_process_is_written_at_the_next_start() -> None:
    """The run's end is on disk before its report is written: a crash may come between."""
    journal = MemoryJournal([])
    situation = pair().active()
    journal.state = dump(situation.state)
    node = Node(journal)
    await node.boot(seconds=2)
    assert node.reports == [situation.state.finished[-1].digest]
