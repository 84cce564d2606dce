"""The control socket's answers: a document for a look, one HTTP status for each ending."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from hamnd.core.engine import step
from hamnd.core.events import Halted, Started
from hamnd.core.snapshot import dump
from hamnd.daemon.executor import Executor, Hooks
from hamnd.daemon.handler import ControlHandler
from hamnd.daemon.ledger import Ledger
from hamnd.daemon.parts import Core, Parts
from hamnd.daemon.runtime import Runtime
from hamnd.model.instant import Instant
from hamnd.model.names import Mode
from hamnd.model.record import Record
from hamnd.ports import Caller, Request, Response
from hamnd.wire import LOOKS, SCHEMAS, Verb
from tests.builders import Pair, pair
from tests.unit.daemon.fakes import (
    LoopClock,
    MemoryJournal,
    NotedSupervisor,
    ScriptedWorld,
    SlowWorker,
    no_word,
)

pytestmark = pytest.mark.looptime

ROOT = Caller(0, 0, 1, "root (login anna)", may_operate=True)
GUEST = Caller(1000, 1000, 2, "guest", may_operate=False)


class Desk:
    """A handler in front of the real engine, in a situation of the builders."""

    def __init__(self, situation: Pair) -> None:
        self.journal = MemoryJournal([])
        self.journal.state = dump(situation.state)
        clock = LoopClock()
        self.ledger = Ledger(lambda: self.journal, SlowWorker(), 2.0)

        async def no_report(digest: str) -> None:
            return None

        executor = Executor(
            ScriptedWorld([]), clock, Hooks(lambda _: None, no_report, no_word, no_word)
        )
        core = Core(step, dump)
        parts = Parts(core, clock, self.ledger, executor, NotedSupervisor(), lambda: 1 << 30)
        self.runtime = Runtime(parts, situation.terms, situation.state)
        self.handler = ControlHandler(self.runtime, clock, self.set_aside)

    def set_aside(self, record: Record, now: Instant) -> None:
        self.journal = MemoryJournal([])
        self.journal.append((record,), None, now)

    async def live(self, body: Callable[[], Awaitable[None]], *begin: Started | Halted) -> None:
        await self.ledger.open()
        await self.runtime.run(begin, body)

    async def look(self, verb: str) -> Response:
        return await self.handler(Request(verb), GUEST)

    async def post(
        self, verb: str, body: Mapping[str, Any] | None = None, caller: Caller = ROOT
    ) -> Response:
        return await self.handler(Request(verb, body or {}, changes=True), caller)

    def mode(self) -> Mode:
        return self.runtime.state.mode


@pytest.mark.parametrize("verb", sorted(LOOKS))
async def test_every_look_is_answered_with_its_schema_and_changes_nothing(verb: Verb) -> None:
    desk = Desk(pair().primary_down())

    async def body() -> None:
        before = desk.runtime.state
        answer = await desk.look(verb)
        assert answer.status == 200
        assert answer.document["schema"] == SCHEMAS[verb]
        json.dumps(answer.document)
        assert desk.runtime.state is before

    await desk.live(body)


async def test_nobody_is_told_the_state_of_a_hamnd_that_died() -> None:
    """Between the restored state and the first decision a run that nobody carries out "runs"."""
    desk = Desk(pair().taking_over("promote"))

    async def body() -> None:
        answer = await desk.look("status")
        assert answer.document["run"]["status"] == "paused"
        first = await anext(desk.handler.watch(Request("watch"), GUEST))
        assert first["run"]["status"] == "paused"

    await desk.live(body, Started("boot-2"))


@pytest.mark.parametrize(
    ("request_", "caller", "status"),
    [
        (Request("nonsense"), ROOT, 404),
        (Request("status", changes=True), ROOT, 405),
        (Request("retry"), ROOT, 405),
        (Request("retry", changes=True), GUEST, 403),
        (Request("clear", {"reason": ""}, changes=True), ROOT, 400),
        (Request("clear", {"raeson": "x"}, changes=True), ROOT, 400),
    ],
)
async def test_what_cannot_be_answered_says_so_and_changes_nothing(
    request_: Request, caller: Caller, status: int
) -> None:
    desk = Desk(pair().in_peer())

    async def body() -> None:
        before = desk.runtime.state
        answer = await desk.handler(request_, caller)
        assert answer.status == status
        assert answer.document["error"]
        assert desk.runtime.state is before

    await desk.live(body)
    assert desk.journal.whats == []


async def test_a_refusal_is_409_with_gate_and_hint() -> None:
    desk = Desk(pair().in_peer())

    async def body() -> None:
        answer = await desk.post("confirm", {"digest": "beef", "named": "aixmn2"})
        assert answer.status == 409
        assert answer.document["gate"] == "plan"
        assert "beef" in answer.document["error"]
        assert answer.document["hint"]

    await desk.live(body)


async def test_a_plan_is_answered_with_its_document() -> None:
    desk = Desk(pair().primary_down())

    async def body() -> None:
        answer = await desk.post("plan", {"kind": "takeover"})
        assert answer.status in (200, 409)
        schema = "hamnd.plan/1" if answer.status == 200 else "hamnd.error/1"
        assert answer.document["schema"] == schema

    await desk.live(body)


async def test_a_broken_journal_is_503_and_says_that_nothing_was_started() -> None:
    desk = Desk(pair().primary_down())

    async def body() -> None:
        desk.journal.fails = "disk full"
        answer = await desk.post("attest", {"how": "seen", "reason": "lights are off"})
        assert answer.status == 503
        assert "nothing was started: disk full" in answer.document["error"]

    await desk.live(body)


async def test_clear_on_a_journal_that_takes_nothing_is_refused() -> None:
    desk = Desk(pair().in_peer())

    async def body() -> None:
        desk.journal.fails = "the disk is full"
        await desk.runtime.ask(Halted("the disk is full"))
        answer = await desk.post("clear", {"reason": "let me"})
        assert answer.status == 409
        assert answer.document["error"] == "hamnd stays observe_only: the disk is full"
        assert "hamnctl clear --reason" in answer.document["hint"]
        assert desk.mode() is Mode.OBSERVE_ONLY

    await desk.live(body)


async def test_a_sound_journal_is_not_restarted() -> None:
    desk = Desk(pair().in_peer())

    async def body() -> None:
        answer = await desk.post("journal-restart", {"reason": "just because"})
        assert answer.status == 409
        assert answer.document["gate"] == "journal"

    await desk.live(body)


async def test_journal_restart_and_then_clear_lead_out_of_observe_only() -> None:
    desk = Desk(pair().in_peer())

    async def body() -> None:
        desk.journal.fails = "the journal is damaged"
        await desk.runtime.ask(Halted("the journal is damaged"))
        assert desk.mode() is Mode.OBSERVE_ONLY
        answer = await desk.post("journal-restart", {"reason": "damaged by a full disk"})
        assert answer.status == 200
        assert desk.mode() is Mode.OBSERVE_ONLY
        assert desk.journal.whats[0] == "journal_restarted"
        assert "a new journal was begun" in desk.runtime.state.mode_reason
        again = await desk.post("journal-restart", {"reason": "it still says damaged"})
        assert again.status == 409
        assert desk.journal.whats[0] == "journal_restarted"
        answer = await desk.post("clear", {"reason": "new journal"})
        assert answer.status == 200
        assert answer.document["mode"] == "normal"
        assert desk.mode() is Mode.NORMAL

    await desk.live(body)


async def test_a_stopping_daemon_takes_no_more_requests_and_still_shows_status() -> None:
    desk = Desk(pair().in_peer())

    async def body() -> None:
        await desk.runtime.drain()
        assert (await desk.post("retry")).status == 503
        assert (await desk.look("status")).status == 200

    await desk.live(body)


async def test_a_watcher_gets_the_status_at_once_and_again_on_a_change() -> None:
    desk = Desk(pair().in_peer())

    async def body() -> None:
        stream = desk.handler.watch(Request("watch"), GUEST)
        first = await anext(stream)
        assert first["mode"] == "normal"
        await desk.runtime.ask(Halted("something broke"))
        second = await anext(stream)
        assert second["mode"] == "observe_only"
        await stream.aclose()

    await desk.live(body)
