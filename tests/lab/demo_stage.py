"""A demo's world in this process and the real daemon on it as a child: the stage of the stories.

Owns `Stage` (start, ask, kill, start again, look at the journal) and `WatchedWorld`, which writes
down every program call and can hold one. Must not know any story. Nothing is simulated in here but
what `hamnd.demo` simulates; only processes that were started from here are ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hamnd.cli.client import Answer as Reply
from hamnd.cli.client import Client, Unreachable
from hamnd.demo.answers import Answer
from hamnd.demo.calls import Call, Calls
from hamnd.demo.machines import STANDBY
from hamnd.demo.site import DemoDirectory, Times, lay_out
from hamnd.demo.world import World
from hamnd.errors import JournalError
from hamnd.journal import Stored, open_journal

LIMIT_S = 60.0
"""How long anything may take; generous, for two cores that others use as well."""

POLL_S = 0.02
CLOSE_POLL_S = 0.002
"""How often the journal is looked at for a record that decides when to kill."""

AGREEMENTS_MAX = 5

QUICK = Times(hadr_timeout_s=2, peer_window_s=120, takeover_s=0.3, xcat_scale=0.05)

QUICK_WATCH = {
    "reach_interval_s = 0.5": "reach_interval_s = 0.25",
    "reach_suspicion_interval_s = 0.2": "reach_suspicion_interval_s = 0.15",
    "replication_interval_s = 1.0": "replication_interval_s = 0.5",
    "readiness_interval_s = 5.0": "readiness_interval_s = 1.0",
    "down_after_s = 2.0": "down_after_s = 1.0",
    "recover_after_s = 2.0": "recover_after_s = 0.3",
}


WITH_US = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1  # prctl(2); it survives exec
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Begins a program that ends with us, even when nobody is left to end it."""


class StageFailed(AssertionError):
    """A story could not be told to its end; the message carries the log and the status."""


@dataclass(slots=True)
class Entry:
    """One program call on the simulated site; wall seconds."""

    call: Call
    began: float
    ended: float | None = None
    """When its effect was there and its answer was on its way."""

    def __str__(self) -> str:
        return f"{self.call.machine}: {self.call.tool} {' '.join(self.call.argv)}".rstrip()


@dataclass(eq=False)
class Hold:
    """Calls that wait at their beginning until they are let go, carried out or not."""

    catches: Callable[[Call], bool]
    caught: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    is_carried_out: bool = True

    def release(self, *, carried_out: bool = True) -> None:
        """Let the held calls go on, or have them end without any effect."""
        self.is_carried_out = carried_out
        self.released.set()


class WatchedCalls(Calls):
    """Answers as the demo does, writes every call down, and holds those that are to be held."""

    def __init__(self, calls: Calls, scale: float) -> None:
        super().__init__(calls.site, calls._now, scale)
        self.log: list[Entry] = []
        self.holds: list[Hold] = []

    async def answer(self, call: Call) -> Answer:
        """Hold the call where it is asked for, then carry it out."""
        for hold in list(self.holds):
            if hold.catches(call):
                hold.caught.set()
                await hold.released.wait()
                if not hold.is_carried_out:
                    return Answer(exit_code=255)
        entry = Entry(call, self._now())
        self.log.append(entry)
        answer = await super().answer(call)
        entry.ended = self._now()
        return answer


class WatchedWorld(World):
    """The demo's world with calls that can be counted and held."""

    def __init__(self, layout: DemoDirectory) -> None:
        super().__init__(layout, openssh=False)
        self.watched = WatchedCalls(self.calls, layout.times.xcat_scale)
        self.calls = self.watched

    @contextlib.contextmanager
    def holding(self, catches: Callable[[Call], bool]) -> Iterator[Hold]:
        """Hold what is caught inside this block; at its end everything held goes on."""
        hold = Hold(catches)
        self.watched.holds.append(hold)
        try:
            yield hold
        finally:
            self.watched.holds.remove(hold)
            hold.released.set()

    def calls_of(self, catches: Callable[[Call], bool]) -> list[Entry]:
        """Return the calls that were carried out and are caught by this."""
        return [entry for entry in self.watched.log if catches(entry.call)]


class Stage:
    """One site with its daemon. Use `stage()`."""

    def __init__(self, layout: DemoDirectory, world: WatchedWorld) -> None:
        self.layout = layout
        self.world = world
        self.log = layout.root / "hamnd.log"
        self.daemon: asyncio.subprocess.Process | None = None
        self._client = Client(str(layout.control_socket))

    # The daemon

    async def start(self) -> None:
        """Start the daemon and wait until it answers."""
        self.daemon = await self.spawn("-m", "hamnd", "--config", str(self.layout.config))
        await self.until(self._answers, "hamnd to answer on its socket")

    async def spawn(self, *argv: str, log: Path | None = None) -> asyncio.subprocess.Process:
        """Start a Python process of ours in the demo's environment, writing to a log."""
        with (log or self.log).open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", WITH_US, "-P", *argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **self.layout.environment, **self._without()},
                start_new_session=True,
            )

    def _without(self) -> dict[str, str]:
        """Have a daemon on AIX live without what AIX lacks."""
        hidden = Path(__file__).with_name("without")
        return {"PYTHONPATH": str(hidden)} if self.layout.platform == "aix" else {}

    async def kill(self) -> None:
        """Kill the daemon on the spot, by its own number; what it started lives on."""
        assert self.daemon is not None
        os.kill(self.daemon.pid, signal.SIGKILL)
        code = await self._ended()
        self.daemon = None
        if code != -signal.SIGKILL:
            raise StageFailed(f"hamnd had ended by itself with {code}\n{await self.told()}")

    async def signal(self, number: signal.Signals) -> None:
        """Send the daemon a signal."""
        assert self.daemon is not None
        os.kill(self.daemon.pid, number)

    async def end(self) -> int:
        """End the daemon in order and return its exit code."""
        await self.signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the daemon's end and return its exit code."""
        code = await self._ended()
        self.daemon = None
        return code

    async def _ended(self) -> int:
        assert self.daemon is not None
        async with asyncio.timeout(LIMIT_S):
            return await self.daemon.wait()

    async def close(self) -> None:
        """Leave no daemon behind."""
        if self.daemon is not None and self.daemon.returncode is None:
            os.kill(self.daemon.pid, signal.SIGKILL)
            await self._ended()

    # What an operator does

    async def ask(self, verb: str, body: dict[str, Any] | None = None) -> Reply:
        """Ask over the control socket; a body makes it a change."""
        if body is None:
            return await asyncio.to_thread(self._client.get, verb)
        return await asyncio.to_thread(self._client.post, verb, body)

    async def must(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask, and fail where it is refused."""
        answer = await self.ask(verb, body)
        if answer.status != 200:
            raise StageFailed(f"{verb} was refused: {answer.document}\n{await self.told()}")
        return answer.document

    async def status(self) -> dict[str, Any]:
        """Return the status document."""
        return await self.must("status")

    async def until_status(
        self, is_so: Callable[[dict[str, Any]], Any], what: str, limit_s: float = LIMIT_S
    ) -> dict[str, Any]:
        """Wait for a status that is so, and return it."""
        found: list[dict[str, Any]] = []

        async def look() -> bool:
            try:
                found[:] = [await self.status()]
            except Unreachable:  # alive, or `until` ends it: this machine has others to serve
                return False
            return bool(is_so(found[0]))

        await self.until(look, what, limit_s=limit_s)
        return found[0]

    async def until(
        self,
        is_so: Callable[[], Awaitable[Any]],
        what: str,
        poll_s: float = POLL_S,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Wait until something is so; fail with everything known when it does not come."""
        try:
            async with asyncio.timeout(limit_s):
                while not await is_so():
                    if self.daemon is not None and self.daemon.returncode is not None:
                        raise StageFailed(f"hamnd ended while waiting for {what}{self._tail()}")
                    await asyncio.sleep(poll_s)
        except TimeoutError:
            told = await self.told()
            raise StageFailed(f"waited {limit_s:.0f} s in vain for {what}\n{told}") from None

    async def _answers(self) -> bool:
        try:
            return (await self.ask("status")).status == 200
        except Unreachable:
            return False

    # What is known

    def entries(self, step: str | None = None) -> list[Stored]:
        """Return the journal's entries, of one step only where it is named."""
        try:
            with open_journal(self.layout.state) as journal:
                found = journal.entries()
        except (JournalError, sqlite3.Error):
            return []  # not there yet, or just being opened
        return [entry for entry in found if step is None or entry.record.step == step]

    def count(self, what: str, step: str | None = None) -> int:
        """Return how many records of a kind there are."""
        return sum(entry.record.what == what for entry in self.entries(step))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the daemon's log lines of one event."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line.get("event") == event]

    async def told(self) -> str:
        """Return what helps to understand a failure: status, journal and the end of the log."""
        try:
            status = json.dumps((await self.ask("status")).document, indent=1)[:6000]
        except Exception as error:  # noqa: BLE001  (a message about a failure must not fail)
            status = f"no status: {error!r}"
        journal = "\n".join(
            f"{one.seq:4} {one.record.phase} {one.record.what} {one.record.step} "
            f"{one.record.outcome} {one.record.evidence[:160]}"
            for one in self.entries()[-40:]
        )
        return f"--- status\n{status}\n--- journal\n{journal}{self._tail()}"

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-25:] if self.log.exists() else []
        return "\n--- hamnd.log\n" + "\n".join(line[:600] for line in lines)


@contextlib.asynccontextmanager
async def stage(
    times: Times = QUICK,
    platform: str = "linux",
    mode: str = "service_address",
    more: str = "",
) -> AsyncIterator[Stage]:
    """Give a site with a daemon that answers, and leave nothing behind.

    Its path is short, for unix sockets. `more` is put at the end of the configuration, which is the
    table of the pages.
    """
    root = Path(tempfile.mkdtemp(prefix="hd-"))
    try:
        layout = lay_out(root, times, platform, mode)
        _hasten(layout)
        with layout.config.open("a") as config:
            config.write(more)
        async with WatchedWorld(layout) as world:
            one = Stage(layout, world)
            try:
                await one.start()
                yield one
            finally:
                await one.close()
        await _until_alone(root)
    finally:
        shutil.rmtree(root)


def _hasten(layout: DemoDirectory) -> None:
    text = layout.config.read_text()
    for slow, quick in QUICK_WATCH.items():
        assert slow in text, slow
        text = text.replace(slow, quick)
    if layout.platform == "aix":  # a connection for each command, on a machine that others use too
        text = text.replace("connect_timeout_s = 2", "connect_timeout_s = 15")
    layout.config.write_text(text)


def processes_of(root: Path) -> list[str]:
    """Return the processes whose command line or environment names this directory."""
    mark = os.fsencode(str(root))
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes()
            if mark in line or mark in (folder / "environ").read_bytes():
                words = line.decode(errors="replace").split("\0")
                found.append(f"{folder.name}: {' '.join(words)}")
    return found


async def _until_alone(root: Path) -> None:
    """The world is over: whatever still called it has to notice, and nothing may stay."""
    left: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            while left := processes_of(root):  # noqa: ASYNC110  (nobody tells us of their end)
                await asyncio.sleep(POLL_S)
    if left:
        raise StageFailed("processes were left behind:\n" + "\n".join(left))


# Stories that every test begins with


async def until_ready(one: Stage) -> None:
    """Given a pair in Peer, with every step proven ready and the two clocks compared."""

    def is_ready(status: dict[str, Any]) -> bool:
        return status["state"] == "Peer" and status["ready"] and status["clock_skew"] is not None

    await one.until_status(is_ready, "Peer, ready for a takeover")


async def lose_primary(one: Stage) -> None:
    """When the primary's network is cut, it counts as down; it runs on, so a fence has to act."""
    one.world.fault("cut")
    await one.until_status(lambda status: status["state"] == "PrimaryDown", "PrimaryDown")


async def plan(one: Stage) -> dict[str, Any]:
    """When the operator asks for the takeover plan, it is shown."""
    return await one.must("plan", {"kind": "takeover"})


async def confirm(one: Stage, shown: dict[str, Any]) -> None:
    """When he types the new primary's name, the run begins."""
    await one.must("confirm", {"digest": shown["digest"], "named": STANDBY})


async def agree(one: Stage) -> dict[str, Any]:
    """Plan and confirm, anew where the picture became worse in between: a busy machine makes a
    probe late, and hamnd calls what it does not know by its name. Return what was confirmed.
    """
    refusals: list[dict[str, Any]] = []
    while len(refusals) < AGREEMENTS_MAX:
        shown = await plan(one)
        answer = await one.ask("confirm", {"digest": shown["digest"], "named": STANDBY})
        if answer.status == 200:
            return shown
        refusals.append(answer.document)
        await one.until_status(lambda status: status["state"] == "PrimaryDown", "PrimaryDown")
    raise StageFailed(f"confirm was refused: {refusals}\n{await one.told()}")


def is_resting(status: dict[str, Any]) -> bool:
    """Whether no run goes on: paused, or over."""
    run = status["run"]
    return run is None or run["status"] != "running"
