"""HTTP/1.1 for both doors of hamnd: the control socket, and the read-only pages.

Owns aiohttp's server, what one connection may cost, and what becomes of a client that says nothing,
too much or no HTTP, or that goes away. Must not know what is asked nor what is answered: a `Door`
says that. aiohttp is loaded when a server begins to listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import ssl

    from aiohttp import web

log = structlog.get_logger(__name__)

HEADER_BYTES_MAX = 4_096
HEADERS_MAX = 32
BACKLOG = 32


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


class Server:
    """One door, open from `on_unix` or `on_tcp` to `close`."""

    def __init__(self, door: Door, limits: Limits) -> None:
        """Take who answers and what a client may cost; nothing listens yet."""
        self._door = door
        self._limits = limits
        self._listener: asyncio.Server | None = None
        self._server: web.Server | None = None

    async def on_unix(self, listening: socket.socket) -> None:
        """Listen on this bound unix socket. Raises OSError."""
        self._server = _aiohttp_server(self._door, self._limits)
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_unix_server(
            self._server, sock=listening, backlog=BACKLOG
        )

    async def on_tcp(self, host: str | None, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen on this address; None: on all, port 0: on any. Raises OSError."""
        self._server = _aiohttp_server(self._door, self._limits)
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            self._server,
            host,
            port,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self._limits.first_request_s,
        )

    @property
    def port(self) -> int:
        """The TCP port that is listened on; 0 where there is none."""
        if self._listener is None or not self._listener.sockets:
            return 0
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    async def close(self) -> None:
        """Stop listening and end what is open."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        self._server.pre_shutdown()
        await self._server.shutdown(self._limits.shutdown_s)
        self._listener = None


def _aiohttp_server(door: Door, limits: Limits) -> web.Server:
    from aiohttp import web

    loop = asyncio.get_running_loop()

    class Connection(web.RequestHandler):
        """One client: turned away, dropped when it says nothing, told when it speaks no HTTP."""

        has_asked = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            if len(server.connections) > limits.connections_max:
                _turn_away(door, limits, transport)
            else:
                loop.call_later(limits.first_request_s, self.drop_if_silent)

        def drop_if_silent(self) -> None:
            if not self.has_asked and self.transport is not None:
                after_s = limits.first_request_s
                log.warning("silent_connection_closed", door=door.name, after_s=after_s)
                self.transport.abort()

        def handle_error(
            self,
            request: web.BaseRequest,
            status: int = 500,
            exc: BaseException | None = None,
            message: str | None = None,
        ) -> web.StreamResponse:
            return _failed(door, request, status, exc or message)

    class Server(web.Server):
        def __call__(self) -> web.RequestHandler:
            return Connection(
                self,
                loop=loop,
                keepalive_timeout=limits.keepalive_s,
                access_log=None,  # type: ignore[arg-type]  # aiohttp takes None for "off"
                max_line_size=HEADER_BYTES_MAX,
                max_field_size=HEADER_BYTES_MAX,
                max_headers=HEADERS_MAX,
                lingering_time=0.0,
                auto_decompress=False,
            )

    async def asked(request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, Connection):
            request.protocol.has_asked = True
        answer = await door.answer(Asked(request))
        return _sent(answer) if isinstance(answer, Answer) else await _streamed(request, answer)

    return (server := Server(asked))


def _sent(answer: Answer) -> web.Response:
    from aiohttp import web

    headers = {"Content-Type": answer.content_type, **answer.headers}
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    if answer.closes:
        response.force_close()
    return response


async def _streamed(request: web.BaseRequest, stream: Stream) -> web.StreamResponse:
    from aiohttp import web

    headers = {"Content-Type": stream.content_type, **stream.headers}
    response = web.StreamResponse(headers=headers)
    response.force_close()
    await response.prepare(request)
    async with contextlib.aclosing(stream.pieces) as pieces:
        with contextlib.suppress(ConnectionError):
            async for piece in pieces:
                await response.write(piece)
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


def _turn_away(door: Door, limits: Limits, transport: asyncio.BaseTransport) -> None:
    assert isinstance(transport, asyncio.Transport)
    log.warning("connection_refused", door=door.name, connections_max=limits.connections_max)
    answer = door.trouble(503, "too many connections")
    head = (
        f"HTTP/1.1 {answer.status} Service Unavailable\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
    )
    transport.write(head.encode() + answer.body)
    transport.close()
