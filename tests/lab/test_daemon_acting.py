"""A real action under way when the daemon is told to end, or dies: what is written, what runs on.

Each story begins with a journal in which a takeover is paused before `consoles`, and a primary that
stays silent; `retry` runs the slow fake `makeconservercf`.
"""

from __future__ import annotations

import getpass
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.core.progress import StepRun
from hamnd.core.snapshot import dump
from hamnd.core.state import NodeState
from hamnd.model.instant import Instant
from hamnd.model.plan import Step
from hamnd.model.work import Exec
from tests.builders import NIGHT, pair
from tests.lab.daemon_process import DaemonProcess, daemon_in

pytestmark = pytest.mark.lab


@pytest.fixture
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DaemonProcess]:
    async with daemon_in(Path(tmp_path_factory.mktemp("d")), getpass.getuser()) as process:
        seed(process)
        with silent_port() as port:
            process.reconfigure(
                "ssh_port = 2\nxcatd_port = 3", f"ssh_port = {port}\nxcatd_port = {port}"
            )
            yield process


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a loopback port whose queue is full: the kernel drops what comes, like a dead host."""
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.2", 0))
        deaf.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        yield deaf.getsockname()[1]


def here(step: Step) -> Step:
    """Return a step of the builders' plan whose programs run on this test's node."""
    actions = tuple(
        replace(action, request=replace(action.request, host="mn2"))
        if isinstance(action.request, Exec)
        else action
        for action in step.actions
    )
    return replace(step, host="mn2", actions=actions)


def paused() -> NodeState:
    state = pair().paused_at("dhcp").state
    assert state.run is not None
    plan = replace(state.run.plan, steps=tuple(here(step) for step in state.run.plan.steps))
    every = {step.id: StepRun() for step in plan.steps} | dict(state.run.steps)
    return replace(state, run=replace(state.run, plan=plan, steps=every))


def seed(daemon: DaemonProcess) -> None:
    """Leave a journal as a daemon that paused before consoles leaves it."""
    settings = JournalSettings(daemon.state, "boot-0", reserve_bytes=0)
    lock = StateLock(settings)
    journal = SqliteJournal(settings, lock)
    journal.append((), dump(paused()), Instant(1.0, NIGHT.wall_s))
    journal.close()
    lock.release()


def slow(daemon: DaemonProcess, seconds: float) -> None:
    program = daemon.folder / "bin" / "makeconservercf"
    program.write_text(
        f"#!/bin/sh\necho makeconservercf began >> {daemon.calls}\nsleep {seconds}\n"
        f"echo makeconservercf ended >> {daemon.calls}\n"
    )


def called(daemon: DaemonProcess, what: str) -> int:
    text = daemon.calls.read_text() if daemon.calls.exists() else ""
    return text.splitlines().count(f"makeconservercf {what}")


def records(daemon: DaemonProcess) -> list[tuple[str, str]]:
    """Return phase and outcome of the records of step consoles, oldest first."""
    query = "SELECT phase, outcome FROM journal WHERE step = 'consoles' ORDER BY seq"
    with closing(sqlite3.connect(daemon.state / "journal.db")) as connection:
        return [(str(phase), str(outcome)) for phase, outcome in connection.execute(query)]


async def retry(daemon: DaemonProcess) -> None:
    status = await daemon.status()
    assert status["run"]["status"] == "paused"
    code, document = await daemon.ask("retry", {})
    assert code == 200, document
    await daemon.until(lambda: called(daemon, "began") == 1)


async def test_sigterm_lets_the_running_action_end_and_journals_its_result(
    daemon: DaemonProcess,
) -> None:
    slow(daemon, 3)
    await daemon.start()
    await retry(daemon)
    assert await daemon.end() == 0
    assert called(daemon, "ended") == 1
    phases = [phase for phase, _ in records(daemon)]
    assert phases.index("intent") < phases.index("result")
    await daemon.start()
    assert (await daemon.status())["run"]["status"] == "paused"
    assert called(daemon, "began") == 1


async def test_an_action_that_outlives_the_patience_is_left_to_itself(
    daemon: DaemonProcess,
) -> None:
    slow(daemon, 6)
    await daemon.start(drain_s=0.5)
    await retry(daemon)
    assert await daemon.end() == 0
    assert called(daemon, "ended") == 0
    assert [phase for phase, _ in records(daemon)][-1] == "intent"
    await daemon.start()
    run = (await daemon.status())["run"]
    assert run["status"] == "paused"
    await daemon.until(lambda: called(daemon, "ended") == 1)
    assert called(daemon, "began") == 1


async def test_after_a_kill_the_action_is_unknown_and_not_run_again_unasked(
    daemon: DaemonProcess,
) -> None:
    slow(daemon, 3)
    await daemon.start()
    await retry(daemon)
    assert await daemon.end(signal.SIGKILL) == -signal.SIGKILL
    assert [phase for phase, _ in records(daemon)][-1] == "intent"
    await daemon.start()
    run = (await daemon.status())["run"]
    assert run["status"] == "paused"
    (step,) = [step for step in run["steps"] if step["id"] == "consoles"]
    assert step["outcome"] in ("unknown", "not_done")
    await daemon.until(lambda: called(daemon, "ended") == 1)
    assert called(daemon, "began") == 1
    assert await daemon.end() == 0
