"""The loop: what is written before what is done, and what happens when it cannot be written."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from hamnd.core.events import ClearRequested, RetryRequested, TermsChanged
from hamnd.core.policy import Policy, Terms
from hamnd.core.state import Decision, NodeState
from hamnd.daemon.parts import Item
from hamnd.errors import InvariantViolation, JournalError, OutcomeUnknown, PermanentError
from hamnd.model.instant import Instant
from hamnd.model.names import Mode, Rhythm
from hamnd.model.record import Record
from tests.unit.daemon.fakes import SITE, Bench, MemoryJournal, toy_step

pytestmark = pytest.mark.looptime


async def test_an_action_starts_only_after_its_intent_is_on_disk() -> None:
    bench = Bench()
    bench.worker.delay_s = 2.0

    async def body() -> None:
        await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: "written action_finished" in bench.story)

    await bench.live(body)
    assert bench.story == ["written action_started", "acting", "written action_finished"]


async def test_a_crash_between_write_and_act_leaves_an_intent_and_no_action() -> None:
    bench = Bench()
    bench.worker.delay_s = 1.0

    async def body() -> None:
        await bench.until(lambda: bench.runtime.state.boot_id == "boot-1")
        asking = asyncio.get_running_loop().create_task(bench.runtime.ask(RetryRequested("anna")))
        await asyncio.sleep(0.5)  # virtual: the write is under way
        asking.cancel()

    await bench.live(body)
    await asyncio.sleep(5)
    assert bench.journal.whats == ["action_started"]
    assert "acting" not in bench.story


async def test_a_failed_write_starts_nothing_refuses_the_request_and_halts() -> None:
    bench = Bench()

    async def body() -> None:
        await bench.until(lambda: bench.journal.state is not None)
        bench.journal.fails = "disk full"
        with pytest.raises(JournalError, match="disk full"):
            await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: bench.runtime.state.mode is Mode.OBSERVE_ONLY)
        assert bench.runtime.state.mode_reason == "disk full"
        assert bench.runtime.state.because != "acting"

    await bench.live(body)
    assert "acting" not in bench.story


async def test_a_slow_journal_halts_and_the_mode_is_written_once_it_is_back() -> None:
    bench = Bench()

    async def body() -> None:
        await bench.until(lambda: bench.journal.state is not None)
        bench.worker.delay_s = 30.0
        with pytest.raises(JournalError, match="within 5 s"):
            await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: bench.runtime.state.mode is Mode.OBSERVE_ONLY)
        bench.worker.delay_s = 0.0
        for _ in range(60):
            bench.runtime.tick(Rhythm.REACH)
            await asyncio.sleep(1)

    await bench.live(body)
    assert "acting" not in bench.story
    assert bench.journal.whats[-1] == "action_halted"
    assert bench.journal.state is not None
    assert "observe_only" in bench.journal.state


async def test_monitoring_goes_on_in_memory_while_nothing_can_be_written() -> None:
    bench = Bench()

    async def body() -> None:
        await bench.until(lambda: bench.journal.state is not None)
        bench.journal.fails = "database disk image is malformed"
        bench.runtime.tick(Rhythm.REACH)
        await bench.until(lambda: bench.runtime.state.because == "round 1")
        assert bench.runtime.state.mode is Mode.OBSERVE_ONLY
        bench.runtime.tick(Rhythm.REACH)
        await bench.until(lambda: bench.runtime.state.because == "round 2")

    await bench.live(body)


async def test_clearing_is_refused_while_the_journal_is_still_broken() -> None:
    bench = Bench()

    async def body() -> None:
        await bench.until(lambda: bench.journal.state is not None)
        bench.journal.fails = "disk full"
        with pytest.raises(JournalError):
            await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: bench.runtime.state.mode is Mode.OBSERVE_ONLY)
        with pytest.raises(JournalError, match="disk full"):
            await bench.runtime.ask(ClearRequested("mended", "anna"))
        assert bench.mode() is Mode.OBSERVE_ONLY
        bench.journal.fails = ""
        await bench.runtime.ask(ClearRequested("mended", "anna"))
        assert bench.mode() is Mode.NORMAL

    await bench.live(body)
    assert bench.journal.whats == ["action_halted", "mode_cleared"]


@pytest.mark.parametrize("actor", ["bug", "crash", "careless"])
async def test_whatever_the_core_does_wrong_halts_action_and_nothing_else(actor: str) -> None:
    bench = Bench()

    async def body() -> None:
        with pytest.raises((InvariantViolation, PermanentError)):
            await bench.runtime.ask(RetryRequested(actor))
        await bench.until(lambda: bench.runtime.state.mode is Mode.OBSERVE_ONLY)
        bench.runtime.tick(Rhythm.REACH)
        await bench.until(lambda: bench.runtime.state.because == "round 1")
        refused = await bench.runtime.ask(RetryRequested("anna"))
        assert refused.refusal is not None

    await bench.live(body)
    assert bench.journal.whats == ["action_halted"]
    assert "acting" not in bench.story


async def test_a_core_that_cannot_even_halt_is_halted_by_the_loop() -> None:
    def broken(state, event, now, terms):  # type: ignore[no-untyped-def]
        if type(event).__name__ in {"Halted", "RetryRequested"}:
            raise ZeroDivisionError
        return toy_step(state, event, now, terms)

    bench = Bench(step=broken)

    async def body() -> None:
        with pytest.raises(PermanentError):
            await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: bench.runtime.state.mode is Mode.OBSERVE_ONLY)
        bench.runtime.tick(Rhythm.REACH)
        await bench.until(lambda: bench.runtime.state.because == "round 1")

    await bench.live(body)
    assert "action_halted" in bench.journal.whats
    assert bench.journal.state is not None
    assert "observe_only" in bench.journal.state


async def test_events_are_handled_in_the_order_in_which_they_came() -> None:
    order: list[str] = []

    def noted(state, event, now, terms):  # type: ignore[no-untyped-def]
        order.append(getattr(event, "actor", type(event).__name__))
        return Decision(state)

    bench = Bench(step=noted)

    async def body() -> None:
        await asyncio.gather(*(bench.runtime.ask(RetryRequested(str(n))) for n in range(20)))

    await bench.live(body)
    assert [one for one in order if one != "DiskObserved"] == ["Started", *map(str, range(20))]


async def test_beats_do_not_pile_up_behind_a_slow_write() -> None:
    bench = Bench()

    async def body() -> None:
        await bench.until(lambda: bench.journal.state is not None)
        bench.worker.delay_s = 4.0
        asking = asyncio.get_running_loop().create_task(bench.runtime.ask(RetryRequested("anna")))
        await asyncio.sleep(0.1)
        for _ in range(50):
            bench.runtime.tick(Rhythm.REACH)
        await asking
        await bench.until(lambda: bench.runtime.state.timing.round_number > 0)
        await asyncio.sleep(1)
        assert bench.runtime.state.timing.round_number == 1

    await bench.live(body)


async def test_draining_lets_the_running_action_end_and_journals_its_result() -> None:
    bench = Bench()
    bench.world.action_s = 20.0

    async def body() -> None:
        await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: "acting" in bench.story)
        assert await bench.runtime.drain()
        bench.runtime.tick(Rhythm.REACH)

    await bench.live(body)
    assert bench.story == ["written action_started", "acting", "written action_finished"]
    assert "stopping" in bench.supervisor.told
    assert bench.runtime.state.timing.round_number == 0


async def test_draining_gives_up_on_an_action_that_outlives_its_limit() -> None:
    bench = Bench()
    bench.world.action_s = 29.0
    bench.limits = replace(bench.limits, drain_s=5.0)
    bench.__post_init__()
    bench.world.action_s = 29.0

    async def body() -> None:
        await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: "acting" in bench.story)
        assert not await bench.runtime.drain()

    await bench.live(body)
    assert bench.journal.whats == ["action_started"]


async def test_no_action_starts_while_draining_and_the_journal_says_why() -> None:
    bench = Bench()

    async def body() -> None:
        bench.executor.drain()
        await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: "written action_finished" in bench.story)

    await bench.live(body)
    assert "acting" not in bench.story
    assert bench.journal.records[-1].outcome == "could_not_run"


async def test_a_request_without_a_decision_in_time_has_an_unknown_outcome() -> None:
    bench = Bench(limits=replace(Bench().limits, answer_s=3.0))

    async def body() -> None:
        await bench.until(lambda: bench.journal.state is not None)
        bench.worker.delay_s = 4.0
        with pytest.raises(OutcomeUnknown):
            await bench.runtime.ask(RetryRequested("anna"))

    await bench.live(body)


async def test_new_terms_are_in_force_from_their_event_on_and_swap_the_adapters_then() -> None:
    seen: list[float] = []

    def noted(state, event, now, terms):  # type: ignore[no-untyped-def]
        if isinstance(event, TermsChanged | RetryRequested):
            seen.append(terms.policy.down_after_s)
        return Decision(state)

    bench = Bench(step=noted)
    swapped: list[int] = []

    async def body() -> None:
        await bench.runtime.ask(RetryRequested("anna"))
        terms = Terms(SITE, Policy(down_after_s=9.0))
        event = TermsChanged("down_after_s 4 -> 9")
        swap = partial(swapped.append, 1)
        await bench.runtime.decide(
            Item(event, terms=terms, apply=lambda: swapped.append(len(seen)))
        )
        await bench.runtime.ask(RetryRequested("anna"))
        refused = Item(event, terms=terms, apply=swap, refusal=lambda _: PermanentError("not now"))
        with pytest.raises(PermanentError, match="not now"):
            await bench.runtime.decide(refused)
        assert bench.runtime.state.mode is Mode.NORMAL

    await bench.live(body)
    assert seen == [4.0, 9.0, 9.0]
    assert swapped == [2]


async def test_the_watchdog_is_fed_while_beats_are_handled_and_not_after() -> None:
    bench = Bench()

    async def body() -> None:
        for _ in range(60):
            bench.runtime.tick(Rhythm.REACH)
            await asyncio.sleep(1)
        fed = bench.supervisor.told.count("alive")
        assert fed >= 10
        await asyncio.sleep(60)
        assert bench.supervisor.told.count("alive") <= fed + 3

    await bench.live(body)


async def test_readiness_is_reported_after_the_first_round() -> None:
    bench = Bench()

    async def body() -> None:
        await asyncio.sleep(1)
        assert "ready" not in bench.supervisor.told
        bench.runtime.tick(Rhythm.REACH)
        await asyncio.sleep(1)
        assert "ready" in bench.supervisor.told

    await bench.live(body)


async def test_a_watcher_wakes_on_a_change_and_at_the_latest_after_its_limit() -> None:
    bench = Bench()

    async def body() -> None:
        await bench.until(lambda: bench.journal.state is not None)
        loop = asyncio.get_running_loop()
        version, began = bench.runtime.version, loop.time()
        assert await bench.runtime.wait_changed(version, 5.0) == version
        assert loop.time() - began == pytest.approx(5.0)
        bench.runtime.tick(Rhythm.REACH)
        assert await bench.runtime.wait_changed(version, 5.0) > version
        assert loop.time() - began < 6.0

    await bench.live(body)


async def test_a_restarted_journal_gets_the_whole_state_and_the_mode_stays() -> None:
    bench = Bench()

    async def body() -> None:
        await bench.until(lambda: bench.journal.state is not None)
        bench.journal.fails = "malformed"
        with pytest.raises(JournalError):
            await bench.runtime.ask(RetryRequested("anna"))
        await bench.until(lambda: bench.runtime.state.mode is Mode.OBSERVE_ONLY)

        def set_aside(record: Record, now: Instant) -> None:
            bench.journal = MemoryJournal(bench.story)
            bench.journal.append((record,), None, now)

        await bench.runtime.restart_journal(set_aside, "damaged", "anna")
        assert bench.runtime.state.mode is Mode.OBSERVE_ONLY
        await bench.runtime.ask(ClearRequested("new journal", "anna"))
        assert bench.mode() is Mode.NORMAL

    await bench.live(body)
    assert bench.journal.whats == ["journal_restarted", "action_halted", "mode_cleared"]


async def test_nothing_runs_before_run() -> None:
    bench = Bench()

    async def work() -> None:
        return None

    with pytest.raises(RuntimeError):
        bench.runtime.spawn(work(), "early")
    assert bench.runtime.state == NodeState()
