"""Runs programs on this node.

Owns `LocalRunner`: exact argv without a shell, an own session and process group, LANG=C, bounded
output, and the end of everything a program started once its time is over. Must not know what a
program is for (dialects) nor whether it may run (core).

A report never waits for grandchildren: `su` and Db2's back-end process db2bp inherit the pipes and
may keep them open long after the program itself has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import hamnd
from hamnd.dialects.shell import local_argv
from hamnd.model.instant import Instant
from hamnd.model.work import Ending, Exec, Report
from hamnd.ports import Clock

OUTPUT_BYTES_MAX = 1_048_576
"""Kept of each of the two outputs; the rest is read and thrown away."""

PIPE_GRACE_S = 0.25
"""How long the pipes may stay open after the program has ended: what it wrote is read by then."""

TERM_GRACE_S = 1.0
"""Between SIGTERM and SIGKILL."""

KILL_GRACE_S = 1.0
"""How long a killed program may take to go; one in uninterruptible sleep never does."""

INHERITED = ("HOME", "USER", "LOGNAME", "SHELL", "TZ", "TMPDIR", "ODMDIR", "XCATROOT", "XCATCFG")
"""What programs see of our environment, besides HAMND_*: not the supervisor's sockets."""


class _Output:
    """What one pipe delivered, up to the limit."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.truncated = False

    def add(self, data: bytes) -> None:
        room = OUTPUT_BYTES_MAX - len(self.data)
        self.data += data[:room]
        self.truncated = self.truncated or len(data) > room

    def text(self) -> str:
        return self.data.decode("utf-8", errors="replace")


class _Program(asyncio.SubprocessProtocol):
    """One running program: its outputs, and the two moments that matter."""

    def __init__(self, running: set[_Program]) -> None:
        self.outputs = {1: _Output(), 2: _Output()}
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()
        self.pid = 0
        self._open = {1, 2}
        self._running = running

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.pid = cast("asyncio.SubprocessTransport", transport).get_pid()
        self._running.add(self)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.outputs[fd].add(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        self._open.discard(fd)
        if not self._open:
            self.drained.set()

    def process_exited(self) -> None:
        self.exited.set()
        self._running.discard(self)

    def kill(self) -> None:
        """End it at once, with everything it started."""
        if not self.exited.is_set():
            _signal_tree(self.pid, _family(self.pid), signal.SIGKILL)


_Started = tuple[asyncio.SubprocessTransport, _Program]


class LocalRunner:
    """Runs programs on this node (port `CommandRunner`)."""

    def __init__(
        self,
        clock: Clock,
        tool_path: str,
        effective_user: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Take the PATH for every call and the user hamnd runs as.

        `environment` replaces what is inherited from this process by default.
        """
        self._clock = clock
        self._tool_path = tool_path
        self._user = effective_user
        inherited = _inherited(os.environ) if environment is None else dict(environment)
        self._environment = inherited | {"LANG": "C", "LC_ALL": "C", "PATH": tool_path}
        self._running: set[_Program] = set()
        self._starting: set[asyncio.Task[_Started]] = set()
        self._closed = asyncio.Event()

    async def run(self, request: Exec, timeout_s: float) -> Report:
        """Run the program and report; past `timeout_s` everything it started is ended."""
        argv = (*_confined(request.writes_below), *local_argv(request, self._user))
        started = self._clock.now()
        if self._closed.is_set():
            detail = "hamnd is shutting down"
            return Report(Ending.COULD_NOT_RUN, started, started, detail=detail)
        try:
            transport, program = await self._start(argv, has_input=request.stdin is not None)
        except (OSError, ValueError) as error:
            detail = self._why_not(argv[0], error)
            return Report(Ending.COULD_NOT_RUN, started, self._clock.now(), detail=detail)
        try:
            if self._closed.is_set():
                program.kill()
            if request.stdin is not None:
                _feed(transport, request.stdin)
            return await self._follow(transport, program, started, timeout_s)
        finally:
            program.kill()  # cancelled: nobody waits for it any more, so nothing of it may stay
            transport.close()

    async def close(self) -> None:
        """End what still runs, and start nothing more."""
        self._closed.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_GRACE_S):
                if self._starting:
                    await asyncio.wait(self._starting)
                for program in tuple(self._running):
                    program.kill()
                for program in tuple(self._running):
                    await program.exited.wait()

    async def _start(self, argv: tuple[str, ...], *, has_input: bool) -> _Started:
        """Start the program. Cancelled meanwhile, it is ended with all its children once it runs.

        asyncio alone would end the program and leave its children, and does not tell us its number.
        """
        loop = asyncio.get_running_loop()
        pipe = asyncio.subprocess.PIPE
        starting = loop.create_task(
            loop.subprocess_exec(
                lambda: _Program(self._running),
                *argv,
                stdin=pipe if has_input else asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                start_new_session=True,
                env=self._environment,
                cwd="/",
            ),
            name=f"start-{argv[0]}",
        )
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_discard_started)
            raise

    async def _follow(
        self,
        transport: asyncio.SubprocessTransport,
        program: _Program,
        started: Instant,
        timeout_s: float,
    ) -> Report:
        detail = ""
        try:
            async with asyncio.timeout(timeout_s):
                await program.exited.wait()
            ending = Ending.EXITED
        except TimeoutError:
            ending = Ending.TIMED_OUT
            detail = f"ended by hamnd after its limit of {timeout_s:g} s"
            if not await _end(transport.get_pid(), program):
                detail += "; it does not react to SIGKILL (uninterruptible sleep?)"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PIPE_GRACE_S):
                await program.drained.wait()
        exit_code = transport.get_returncode() if ending is Ending.EXITED else None
        if exit_code is not None and exit_code < 0:
            detail = f"ended by signal {_signal_name(-exit_code)}"
            exit_code = 128 - exit_code  # what a shell, and so `su -c` and ssh, would say
        stdout, stderr = program.outputs[1], program.outputs[2]
        return Report(
            ending,
            started,
            self._clock.now(),
            exit_code=exit_code,
            stdout=stdout.text(),
            stderr=stderr.text(),
            truncated=stdout.truncated or stderr.truncated,
            detail=detail,
        )

    def _why_not(self, name: str, error: OSError | ValueError) -> str:
        if isinstance(error, FileNotFoundError):
            if Path(name).is_absolute() and Path(name).exists():
                return f"{name} is there, but the interpreter in its first line is missing"
            where = "" if Path(name).is_absolute() else f" on the path {self._tool_path}"
            return f"{name} was not found{where}"
        if isinstance(error, PermissionError):
            return f"{name} may not be executed: permission denied"
        return f"{name} could not be started: {error}"


def _confined(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a command that may write in these folders alone is started by."""
    if not folders:
        return ()
    where = f"PYTHONPATH={Path(hamnd.__file__).parent.parent}"
    return ("env", where, sys.executable, "-m", "hamnd.pulling.confining", *folders, "--")


def _discard_started(starting: asyncio.Task[_Started]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        transport, program = starting.result()
        program.kill()
        transport.close()


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name in INHERITED or name.startswith("HAMND_")
    }


def _feed(transport: asyncio.SubprocessTransport, text: str) -> None:
    """Hand over the whole standard input; the transport buffers what the pipe does not take yet."""
    pipe = cast("asyncio.WriteTransport | None", transport.get_pipe_transport(0))
    if pipe is not None:
        pipe.write(text.encode())
        pipe.close()  # after what is buffered


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


async def _end(pid: int, program: _Program) -> bool:
    """TERM, a short grace, KILL, for everything it started; False when it survives even that."""
    seen = _family(pid)
    _signal_tree(pid, seen, signal.SIGTERM)
    if await _gone(pid, seen, program, TERM_GRACE_S):
        return True
    seen |= _family(pid)
    _signal_tree(pid, seen, signal.SIGKILL)
    return await _gone(pid, seen, program, KILL_GRACE_S)


async def _gone(pid: int, seen: set[tuple[int, str]], program: _Program, limit_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await program.exited.wait()
            while _lives(pid, seen):  # noqa: ASYNC110  (nobody tells us that a grandchild ended)
                await asyncio.sleep(0.02)
            return True
    return False


def _lives(pid: int, seen: set[tuple[int, str]]) -> bool:
    if _stat(os.getpid()) is not None:
        return any(_is_same(member) for member in seen)
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal_tree(pid: int, family: set[tuple[int, str]], number: signal.Signals) -> None:
    """Signal the group of `pid`, and those of its family that left the group.

    `su -c` puts its command into a session of its own, which a signal to our group never reaches.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
    for member in family:
        if _is_same(member):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member[0], number)


def _is_same(member: tuple[int, str]) -> bool:
    """Whether the process still lives and its number was not given to another one."""
    stat = _stat(member[0])
    return stat is not None and stat.start == member[1] and stat.state != "Z"


def _family(pid: int) -> set[tuple[int, str]]:
    """Return (pid, start time) of all below `pid` or in its session, as far as /proc tells (Linux).

    AIX's /proc is binary; there the group and su's own forwarding of SIGTERM must do.
    """
    found: set[tuple[int, str]] = set()
    children: dict[int, list[tuple[int, str]]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            stat = _stat(int(name)) if name.isdigit() else None
            if stat is not None and int(name) != pid:
                children.setdefault(stat.parent, []).append((int(name), stat.start))
                if stat.session == pid:
                    found.add((int(name), stat.start))
    waiting = [pid, *(member for member, _ in found)]
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in found:
                found.add(child)
                waiting.append(child[0])
    return found


class _Stat(NamedTuple):
    parent: int
    session: int
    start: str
    state: str


def _stat(pid: int) -> _Stat | None:
    """Read /proc/PID/stat (proc(5)); None where there is none of that form."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
        return _Stat(int(fields[1]), int(fields[3]), fields[19], fields[0])
    except (OSError, IndexError, ValueError):
        return None
