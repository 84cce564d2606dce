"""HTTP/1.1 for both doors of hamnd: the control socket, and the read-only pages.

Owns the accepting of connections, aiohttp's server, what one connection may cost, and what becomes
of a client that says nothing, too much or no HTTP, that does not read, or that goes away. Must not
know what is asked nor what is answered: a `Door` says that. aiohttp is loaded when a server begins
to listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    import ssl

    from aiohttp import web

log = structlog.get_logger(__name__)

HEADER_BYTES_MAX = 4_096
HEADERS_MAX = 32
BACKLOG = 32
ACCEPT_AGAIN_S = 1.0
"""After how long an accept that failed is tried again: no descriptor was left."""
TOLD_EVERY_S = 60.0
"""How often clients that come too often or say nothing are worth a line of the log."""


class ClientGoneError(ConnectionError):
    """Whoever asked went away before the request was whole: nothing was done, nobody listens."""


class TooLargeError(Exception):
    """The body is larger than the door allows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `closes` ends the connection, what else lies on it is not looked at."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """Pieces that are sent as they come; a reader that went away ends them at the next one."""

    pieces: AsyncGenerator[bytes, None]
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Asked:
    """One request: its line, its query, and as much of its body as the door wants."""

    def __init__(self, request: web.BaseRequest) -> None:
        """Show of a request of aiohttp what a door needs."""
        self._request = request
        self.method = request.method[:20]
        self.path = request.path
        self.query = dict(request.query)
        self.accept = request.headers.get("Accept", "")
        self.authorization = request.headers.get("Authorization", "")

    def connection(self) -> socket.socket:
        """Return a copy of the socket on which it came, to be closed. Raises ClientGoneError."""
        transport = self._request.transport
        shown = None if transport is None else transport.get_extra_info("socket")
        if shown is None:
            raise ClientGoneError("the connection has gone")
        # asyncio shows a TransportSocket; what the kernel is asked takes a real one.
        return socket.socket(fileno=os.dup(shown.fileno()))

    async def body(self, bytes_max: int) -> bytes:
        """Return the body. Raises ClientGoneError and TooLargeError."""
        body = bytearray()
        try:
            while piece := await self._request.content.readany():
                body += piece
                if len(body) > bytes_max:
                    raise TooLargeError(f"the request is larger than {bytes_max} bytes")
        except ConnectionError as error:
            raise ClientGoneError(f"it left after {len(body)} bytes of its request") from error
        return bytes(body)


@dataclass(frozen=True, slots=True)
class Door:
    """Who answers: requests, and in its own format what never became one.

    `trouble` takes a status and a sentence: 400 no HTTP, 500 our own fault, 503 too many clients.
    """

    name: str
    answer: Callable[[Asked], Awaitable[Answer | Stream]]
    trouble: Callable[[int, str], Answer]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a door's connections."""

    first_request_s: float = 10.0
    """A connection that has asked nothing by then is closed."""
    keepalive_s: float = 30.0
    shutdown_s: float = 1.0
    """What open requests get when the door closes."""
    connections_max: int = 64
    """Counted when accepted, before TLS; the longest silent one makes room for a new one."""
    streams_max: int = 32
    """How many of them may be streams, which do not end: room is kept for what is asked once."""
    write_s: float = 10.0
    """A client that has taken nothing of its answer for so long is let go."""


@dataclass(eq=False, slots=True)
class _Guest:
    """One accepted connection; silent: it has asked nothing, or nothing since its last answer."""

    socket: socket.socket
    silent_since_s: float | None
    has_asked: bool = False

    def end(self) -> None:
        """End it, in whatever state it is: its own transport reads the end and cleans up."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class _Room:
    """Who is in, and what was not said of those who came too often."""

    def __init__(self, door: Door, limits: Limits) -> None:
        self.door = door
        self.limits = limits
        self.streams = 0
        self._guests: dict[_Guest, None] = {}
        self._told: dict[str, tuple[float, int]] = {}

    def enter(self, accepted: socket.socket) -> _Guest | None:
        """Let a connection in; None: everyone who is in is at work."""
        now_s = asyncio.get_running_loop().time()
        if len(self._guests) >= self.limits.connections_max:
            silent = [(one.silent_since_s, one) for one in self._guests if one.silent_since_s]
            if not silent:
                return None
            _, longest = min(silent, key=lambda one: one[0])
            self.leave(longest)
            longest.end()
            self.tell("connection_made_room", connections_max=self.limits.connections_max)
        guest = _Guest(accepted, now_s)
        self._guests[guest] = None
        return guest

    def leave(self, guest: _Guest) -> None:
        """Forget a connection that ended; nothing where it is forgotten already."""
        self._guests.pop(guest, None)

    def tell(self, event: str, **facts: object) -> None:
        """Log an event that a client can cause at will: seldom, with how many were not logged."""
        now_s = asyncio.get_running_loop().time()
        told_s, unsaid = self._told.get(event, (-TOLD_EVERY_S, 0))
        if now_s - told_s < TOLD_EVERY_S:
            self._told[event] = told_s, unsaid + 1
            return
        self._told[event] = now_s, 0
        log.warning(event, door=self.door.name, **facts, unsaid=unsaid)


class Server:
    """One door, open from `on_unix` or `on_tcp` to `close`."""

    def __init__(self, door: Door, limits: Limits) -> None:
        """Take who answers and what a client may cost; nothing listens yet."""
        self._room = _Room(door, limits)
        self._listening: list[socket.socket] = []
        self._server: web.Server | None = None
        self._tls: ssl.SSLContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def on_unix(self, listening: socket.socket) -> None:
        """Listen on this bound unix socket. Raises OSError."""
        self._open([listening])

    async def on_tcp(self, host: str | None, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen on this address; None: on all, port 0: on any. Raises OSError."""
        self._tls = tls
        self._open(await _bound(host, port))

    def _open(self, listening: list[socket.socket]) -> None:
        self._server = _aiohttp_server(self._room)
        for one in listening:
            one.listen(BACKLOG)
            one.setblocking(False)
            self._listening.append(one)
            self._spawn(self._accept(one, self._server), "accept")

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket, server: web.Server) -> None:
        """Count every connection when it is accepted: a handshake costs a descriptor too."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:
                self._room.tell("accept_failed", error=str(error))
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            accepted.setblocking(False)
            guest = self._room.enter(accepted)
            if guest is not None:
                self._spawn(self._greet(guest, server), "greet")
                continue
            _turn_away(self._room, accepted, is_plain=self._tls is None)

    async def _greet(self, guest: _Guest, server: web.Server) -> None:
        loop, limits = asyncio.get_running_loop(), self._room.limits

        def connection() -> web.RequestHandler:
            handler = server()
            handler.guest = guest  # type: ignore[attr-defined]  # of our own kind: Connection
            return handler

        try:
            await loop.connect_accepted_socket(
                connection,
                guest.socket,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else limits.first_request_s,
                ssl_shutdown_timeout=None if self._tls is None else limits.shutdown_s,
            )
        except OSError as error:  # a handshake that fails, comes too late or is broken off
            self._room.leave(guest)
            self._room.tell("handshake_failed", error=str(error))
            guest.socket.close()

    @property
    def port(self) -> int:
        """The TCP port that is listened on; 0 where there is none."""
        if not self._listening:
            return 0
        return int(self._listening[0].getsockname()[1])

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return bool(self._listening)

    async def close(self) -> None:
        """Stop listening and end what is open."""
        if self._server is None or not self._listening:
            return
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in self._listening:
            one.close()
        self._listening.clear()
        self._server.pre_shutdown()
        await self._server.shutdown(self._room.limits.shutdown_s)


async def _bound(host: str | None, port: int) -> list[socket.socket]:
    """Bind a socket to each address of that name, or to none of them. Raises OSError."""
    ask = asyncio.get_running_loop().getaddrinfo
    found = await ask(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            one = socket.socket(family, socket.SOCK_STREAM)
            bound.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
    except OSError:
        for one in bound:
            one.close()
        raise
    return bound


def _connection_kind(room: _Room) -> type[Any]:
    from aiohttp import web

    loop = asyncio.get_running_loop()
    door, limits = room.door, room.limits

    class Connection(web.RequestHandler):
        """One client: dropped when it says or takes nothing, told when it speaks no HTTP."""

        guest: _Guest
        stuck: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            loop.call_later(limits.first_request_s, self.drop_if_silent)

        def connection_lost(self, exc: BaseException | None) -> None:
            room.leave(self.guest)
            super().connection_lost(exc)

        def drop_if_silent(self) -> None:
            if not self.guest.has_asked and self.transport is not None:
                room.tell("silent_connection_closed", after_s=limits.first_request_s)
                self.transport.abort()

        def pause_writing(self) -> None:
            super().pause_writing()
            self.stuck = loop.call_later(limits.write_s, self.drop_if_stuck)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.stuck is not None:
                self.stuck.cancel()

        def drop_if_stuck(self) -> None:
            if self.transport is not None:
                room.tell("unread_connection_closed", after_s=limits.write_s)
                self.transport.abort()

        def handle_error(
            self,
            request: web.BaseRequest,
            status: int = 500,
            exc: BaseException | None = None,
            message: str | None = None,
        ) -> web.StreamResponse:
            return _failed(door, request, status, exc or message)

    return Connection


def _aiohttp_server(room: _Room) -> web.Server:
    from aiohttp import web

    limits, connection_kind = room.limits, _connection_kind(room)
    loop = asyncio.get_running_loop()

    class Server(web.Server):
        def __call__(self) -> web.RequestHandler:
            made: web.RequestHandler = connection_kind(
                self,
                loop=loop,
                keepalive_timeout=limits.keepalive_s,
                access_log=None,  # aiohttp takes None for "off"
                max_line_size=HEADER_BYTES_MAX,
                max_field_size=HEADER_BYTES_MAX,
                max_headers=HEADERS_MAX,
                lingering_time=0.0,
                auto_decompress=False,
            )
            return made

    async def asked(request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, connection_kind)
        connection.guest.has_asked, connection.guest.silent_since_s = True, None
        try:
            answer = await room.door.answer(Asked(request))
            if isinstance(answer, Answer):
                return _sent(answer)
            return await _streamed(room, request, answer)
        finally:
            connection.guest.silent_since_s = loop.time()

    return Server(asked)


def _sent(answer: Answer) -> web.Response:
    from aiohttp import web

    headers = {"Content-Type": answer.content_type, **answer.headers}
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    if answer.closes:
        response.force_close()
    return response


async def _streamed(room: _Room, request: web.BaseRequest, stream: Stream) -> web.StreamResponse:
    from aiohttp import web

    if room.streams >= room.limits.streams_max:
        await stream.pieces.aclose()
        room.tell("stream_refused", streams_max=room.limits.streams_max)
        return _sent(room.door.trouble(503, "too many streams"))
    headers = {"Content-Type": stream.content_type, **stream.headers}
    response = web.StreamResponse(headers=headers)
    response.force_close()
    room.streams += 1
    try:
        await response.prepare(request)
        async with contextlib.aclosing(stream.pieces) as pieces:
            with contextlib.suppress(ConnectionError):
                async for piece in pieces:
                    await response.write(piece)
    finally:
        room.streams -= 1
    return response


def _failed(
    door: Door, request: web.BaseRequest, status: int, error: BaseException | str | None
) -> web.StreamResponse:
    """Answer what is no HTTP, and errors that are ours; nobody is answered who has gone."""
    from aiohttp.http_exceptions import HttpProcessingError

    path = request.path[:100]
    if isinstance(error, ClientGoneError):
        log.info("client_gone", door=door.name, path=path, outcome=str(error))
        raise error
    if request.writer.output_size > 0:
        raise ConnectionError("the answer had already begun")
    if isinstance(error, HttpProcessingError):  # a body that breaks the rules of its encoding
        status = 400
    elif status >= 500 and isinstance(error, BaseException):
        log.error("request_failed", door=door.name, path=path, exc_info=error)
        return _sent(door.trouble(500, "hamnd failed at this request; its log says how"))
    told = f"this is no request hamnd understands: {error}"[:300]
    log.warning("request_refused", door=door.name, path=path, status=status, error=told)
    return _sent(door.trouble(status, told))


def _turn_away(room: _Room, accepted: socket.socket, *, is_plain: bool) -> None:
    """Refuse a connection; in words where words can be read before a handshake."""
    room.tell("connection_refused", connections_max=room.limits.connections_max)
    answer = room.door.trouble(503, "too many connections")
    head = (
        f"HTTP/1.1 {answer.status} Service Unavailable\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
    )
    with accepted, contextlib.suppress(OSError):
        if is_plain:
            accepted.send(head.encode() + answer.body)
