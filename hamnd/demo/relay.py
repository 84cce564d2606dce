"""The wire in front of every simulated service: a TCP relay that can fall silent like a dead host.

Owns listening sockets on loopback and the connections through them. `UP` relays. `SILENT` looks
like a machine without power, and needs no privilege: the relay stops accepting, shrinks its queue
to nothing and fills it with connections of its own, so that the kernel drops every further SYN and
a connect times out; what was connected merely stalls. `FROZEN` lets connects succeed and never
answers. `REFUSING` closes the port. MUST NOT know which service is behind a wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import StrEnum

QUEUE = 128
FILLERS = 4
"""Own connections that fill a queue of length zero: it holds one, the rest make sure."""
CHUNK = 65536

Connector = Callable[[], Awaitable[socket.socket]]
"""Opens a new connection to the service behind a wire; raises OSError when it cannot."""


class WireState(StrEnum):
    """How a wire behaves now."""

    UP = "up"
    SILENT = "silent"
    FROZEN = "frozen"
    REFUSING = "refusing"


class Wire:
    """One listening address and port, with everything that is connected through it."""

    def __init__(self, address: str, port: int, connect: Connector) -> None:
        self.address = address
        self.port = port
        self.state = WireState.REFUSING
        self.delay_s = 0.0
        self._connect = connect
        self._listener: socket.socket | None = None
        self._is_accepting = False
        self._fillers: list[socket.socket] = []
        self._flowing = asyncio.Event()
        self._links: set[asyncio.Task[None]] = set()
        self._clients: set[socket.socket] = set()

    def set(self, state: WireState) -> None:
        """Change the behaviour now. Raises OSError when the address cannot be bound."""
        if state is self.state:
            return
        self.state = state
        self._stop_accepting()
        if state is WireState.REFUSING:
            self._flowing.clear()
            self._close_listener()
            self.reset()
            return
        listener = self._open_listener()
        if state is WireState.SILENT:
            self._flowing.clear()
            listener.listen(0)
            self._fill()
            return
        listener.listen(QUEUE)
        self._drop_fillers()
        if state is WireState.FROZEN:
            self._flowing.clear()
            return
        self._flowing.set()
        self._is_accepting = True
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def reset(self) -> None:
        """Reset every connection: the machine behind it has no memory of them."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        for link in list(self._links):
            link.cancel()

    async def close(self) -> None:
        """Close the port and every connection."""
        self._stop_accepting()
        self.reset()
        self._close_listener()
        await asyncio.gather(*self._links, return_exceptions=True)

    def _open_listener(self) -> socket.socket:
        if self._listener is None:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setblocking(False)
            try:
                listener.bind((self.address, self.port))
            except OSError:
                listener.close()
                raise
            self._listener = listener
        return self._listener

    def _close_listener(self) -> None:
        self._drop_fillers()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _stop_accepting(self) -> None:
        if self._is_accepting and self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
        self._is_accepting = False

    def _fill(self) -> None:
        for _ in range(FILLERS):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            with contextlib.suppress(OSError):
                filler.connect((self.address, self.port))
            self._fillers.append(filler)

    def _drop_fillers(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    def _accept(self, listener: socket.socket) -> None:
        """Take one connection; no task does it, for a cancelled one would lose the socket."""
        try:
            client, _ = listener.accept()
        except OSError:
            return  # it went away again
        client.setblocking(False)
        self._clients.add(client)
        link = asyncio.get_running_loop().create_task(self._link(client), name=f"link-{self.port}")
        self._links.add(link)
        link.add_done_callback(lambda _: self._ended(link, client))

    def _ended(self, link: asyncio.Task[None], client: socket.socket) -> None:
        self._links.discard(link)
        self._clients.discard(client)
        client.close()

    async def _link(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        try:
            server = await self._connect()
            server.setblocking(False)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(client, server))
                group.create_task(self._pump(server, client))
        except (OSError, ExceptionGroup):
            pass  # either end went away, which is what relayed connections do
        finally:
            if server is not None:
                server.close()

    async def _pump(self, source: socket.socket, target: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._flowing.wait()
            data = await loop.sock_recv(source, CHUNK)
            if self.delay_s > 0:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            if not data:
                with contextlib.suppress(OSError):
                    target.shutdown(socket.SHUT_WR)
                return
            await loop.sock_sendall(target, data)
