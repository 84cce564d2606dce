"""The simulated site as a running service: it owns the pair, ticks by the wall clock and answers.

Owns the unix socket behind every stand-in program, the wires in front of ssh and xcatd, and the
one moment at which a fault changes all of them together. Use it as

    layout = lay_out(directory)
    async with World(layout) as world:
        ...                                    # programs in layout.bin answer now
        world.fault("kill", "aixmn1")          # or the program `fault kill`

MUST NOT know hamnd. It listens on loopback and unix sockets only, starts nothing but sshd and what
is asked for over ssh, and ends all of it on leaving.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from hamnd.demo import executables, sshd
from hamnd.demo.aix_host import dress
from hamnd.demo.answers import Answer
from hamnd.demo.calls import Call, Calls
from hamnd.demo.db2_model import Db2Pair
from hamnd.demo.db2_node import HostPower, NodeConfig, PairConfig
from hamnd.demo.listening import close_server
from hamnd.demo.machines import (
    GATEWAY,
    MANAGERS,
    OWN_ADDRESSES,
    PRIMARY,
    SERVICE_ADDRESS,
    SERVICE_NAME,
    SPARE,
    SPARE_ADDRESS,
    STANDBY,
    WITNESSES,
    DatabaseAccess,
    Site,
    UnitState,
)
from hamnd.demo.relay import Wire, WireState
from hamnd.demo.site import VIEWS, DemoDirectory
from hamnd.demo.standins_xcat import VERSION
from hamnd.demo.xcatd import Respond, Response, XcatdServer

SESSION_ROUNDS = 40
T = TypeVar("T")

TICK_S = 0.05
REQUEST_BYTES_MAX = 4_194_304
WARM_UP_S = 30.0
"""How long the pair has been in PEER when a demo begins, so that nothing looks freshly made."""


class World:
    """The simulated site of one demo directory."""

    def __init__(
        self, layout: DemoDirectory, config: PairConfig | None = None, openssh: bool = True
    ) -> None:
        self.layout = layout
        self._openssh = openssh
        times = layout.times
        self._last = time.time()
        base = config or PairConfig(
            hadr_timeout_s=times.hadr_timeout_s,
            peer_window_s=times.peer_window_s,
            takeover_s=times.takeover_s,
            write_rows_per_s=times.rows_per_s,
        )
        base = replace(
            base,
            primary=NodeConfig(PRIMARY, OWN_ADDRESSES[PRIMARY], "DB2_HADR_1"),
            standby=NodeConfig(STANDBY, OWN_ADDRESSES[STANDBY], "DB2_HADR_2"),
            instance=layout.user,
        )
        began = self._last - WARM_UP_S
        self.pair = Db2Pair(base, began)
        self.site = Site(self.pair, began, times.rows_per_s)
        if layout.platform == "aix":
            gateway = OWN_ADDRESSES[GATEWAY]
            dress(self.site, layout.mode, gateway, times.xcat_scale, began)
        self.calls = Calls(self.site, self.now, times.xcat_scale)
        self.wires: dict[tuple[str, str, str], Wire] = {}
        self.ssh_server: sshd.SshServer = sshd.OpenSshServer("sshd", layout)
        self.ssh_note = ""
        self._xcatds: list[XcatdServer] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._serving: set[asyncio.Task[Any]] = set()
        self._is_closing = False
        self._powers = dict.fromkeys(MANAGERS, HostPower.UP)

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.close)
            await self._start()
            stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def now(self) -> float:
        """Return true time, which never goes back even when the host's clock is set."""
        self._last = max(self._last, time.time())
        return self._last

    async def _start(self) -> None:
        layout = self.layout
        executables.write_programs(layout)
        sshd.write_keys(layout, [*MANAGERS, *WITNESSES])
        self.ssh_server, self.ssh_note = await sshd.choose(layout, PRIMARY, self._openssh)
        for name in MANAGERS:
            server = XcatdServer(layout, name, self._xcatd_responder(name))
            self._xcatds.append(server)
            await server.start()
        self._make_wires()
        self.pair.tick(self.now())
        self.rewire()
        self._server = await asyncio.start_unix_server(
            self._serve, path=str(layout.world_socket), limit=REQUEST_BYTES_MAX
        )
        layout.world_socket.chmod(0o600)
        self._spawn(self._tick_for_ever(), "world-tick")

    async def close(self) -> None:
        """End everything that was started."""
        self._is_closing = True
        if self._server is not None:
            await close_server(self._server)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._serving, return_exceptions=True)
        for wire in self.wires.values():
            await wire.close()
        for server in self._xcatds:
            await server.close()
        await self.ssh_server.close()
        for machine in OWN_ADDRESSES:
            sshd.end_processes(self.layout, machine)
        self.layout.world_socket.unlink(missing_ok=True)
        await asyncio.sleep(0)  # transports close their sockets in the loop's next round

    def _spawn(self, work: Coroutine[None, None, T], name: str) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _tick_for_ever(self) -> None:
        rounds = 0
        while True:
            rounds += 1
            self.site.tick(self.now())
            if rounds % SESSION_ROUNDS == 0:
                for node, shell in self.pair.sessions():
                    if not _is_alive(shell):
                        self.pair.end_session(node, shell)
            self.rewire()
            await asyncio.sleep(TICK_S)

    # Wires: who reaches which service, and how it looks when nobody does.

    def _make_wires(self) -> None:
        for source in VIEWS:
            for target in (PRIMARY, SPARE):
                self._add_wire(source, target, "ssh")
            for target in (PRIMARY, STANDBY, SERVICE_NAME):
                self._add_wire(source, target, "xcatd")
        for witness in WITNESSES:
            self._add_wire(STANDBY, witness, "ssh")
        self._add_wire(PRIMARY, STANDBY, "ssh")

    def _add_wire(self, source: str, target: str, service: str) -> None:
        layout = self.layout
        address = layout.address(target, seen_from=source)
        port = layout.ssh_port if service == "ssh" else layout.xcatd_port

        async def connect() -> socket.socket:
            owner = self._owner(source, target)
            if owner is None:
                raise OSError("nobody holds this address")
            if service == "ssh":
                return await self.ssh_server.connect(owner)
            return await self._connect_xcatd(owner)

        self.wires[source, target, service] = Wire(address, port, connect)

    def _owner(self, source: str, target: str) -> str | None:
        """Return the machine behind an address: whoever holds it now."""
        nobodys = {SERVICE_NAME: SERVICE_ADDRESS, SPARE: SPARE_ADDRESS}
        return self.site.holder(nobodys.get(target) or OWN_ADDRESSES[target], source)

    async def _connect_xcatd(self, machine: str) -> socket.socket:
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.setblocking(False)
        with contextlib.ExitStack() as stack:
            stack.callback(end.close)
            path = str(self.layout.xcatd_socket(machine))
            await asyncio.get_running_loop().sock_connect(end, path)
            stack.pop_all()
        return end

    def rewire(self) -> None:
        """Bring every wire into the state that power, network and services ask for."""
        for name in MANAGERS:
            power = self.site.power(name)
            if power is not self._powers[name] and self._powers[name] is HostPower.OFF:
                for (_, target, _), wire in self.wires.items():
                    if target == name:
                        wire.reset()
            if power is HostPower.OFF and self._powers[name] is not HostPower.OFF:
                self.ssh_server.hang_up(name)
                sshd.end_processes(self.layout, name)
            self._powers[name] = power
        for (source, target, service), wire in self.wires.items():
            wire.delay_s = self.pair.link.delay_s
            wire.set(self._wire_state(source, target, service))

    def _wire_state(self, source: str, target: str, service: str) -> WireState:
        site = self.site
        owner = self._owner(source, target)
        if owner is None or not site.pings(source, owner):
            return WireState.SILENT
        if not site.talks(source, owner):
            return WireState.FROZEN
        if service == "xcatd":
            unit = site.unit(owner, "xcatd")
            if unit is None or unit.state is not UnitState.ACTIVE:
                return WireState.REFUSING
            if unit.hangs:
                return WireState.FROZEN
        return WireState.UP

    def _xcatd_responder(self, machine: str) -> Respond:
        def respond(command: str, arguments: tuple[str, ...]) -> Response:
            if self.site.database(machine) is DatabaseAccess.DOWN:
                return Response(error="Permission denied for request")
            if command != "lsxcatd":
                return Response(error=f"Unknown command: {command}")
            kinds = {"-v": VERSION, "-t": "This is a Management Node", "-d": "dbengine=DB2"}
            wanted = kinds if "-a" in arguments else arguments
            return Response("\n".join(kinds[one] for one in wanted if one in kinds))

        return respond

    # Programs.

    def fault(self, *words: str) -> str:
        """Carry out one fault verb now. Raises ValueError with its message when it is refused."""
        answer = self.calls.fault(words)
        self.rewire()
        if answer.exit_code:
            raise ValueError(answer.stderr or answer.stdout)
        return answer.stdout.strip()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one call. Never cancelled itself: asyncio's streams log that as a failure."""
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        if self._is_closing:
            writer.close()
            return
        received = self._spawn(_receive(reader), "receive")
        await asyncio.wait({received})
        call = None if received.cancelled() else received.result()
        if call is None or self._is_closing:
            writer.close()
            return
        # The call goes on when its caller goes away: what systemd or Db2 began is not taken back.
        answered = self._spawn(self._carry_out(call), f"call-{call.tool}")
        gone = self._spawn(_until_closed(reader), "caller")
        try:
            await asyncio.wait({answered, gone}, return_when=asyncio.FIRST_COMPLETED)
            if answered.done() and not answered.cancelled():
                error = answered.exception()
                failed = Answer("", 70, stderr=f"{error!r}\n")
                with contextlib.suppress(OSError):
                    await _send(writer, answered.result() if error is None else failed)
        finally:
            gone.cancel()
            writer.close()

    async def _carry_out(self, call: Call) -> Answer:
        answer = await self.calls.answer(call)
        self.rewire()
        return answer


async def _receive(reader: asyncio.StreamReader) -> Call | None:
    """Read one request frame (see `executables`); None when it is not one."""
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        if size > REQUEST_BYTES_MAX:
            return None
        text = (await reader.readexactly(size)).decode(errors="surrogateescape")
        tool, machine, shell, language, xcat_host, stdin, *argv = text.split("\0")
    except (OSError, asyncio.IncompleteReadError, ValueError):
        return None
    return Call(tool, machine, tuple(argv), shell, language, xcat_host, stdin)


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    for kind, text in ((b"o", answer.stdout), (b"e", answer.stderr), (b"x", str(answer.exit_code))):
        if text:
            body = text.encode(errors="surrogateescape")
            writer.write(kind + len(body).to_bytes(4, "big") + body)
    await writer.drain()


async def _until_closed(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass


def _is_alive(shell: str) -> bool:
    """Whether a calling shell still exists; what is no process number is taken to live."""
    try:
        os.kill(int(shell), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError, OverflowError):
        return True
    return True
