"""The control socket: HTTP and JSON over a unix socket.

Owns the listener, its limits and the errors of the transport. Must not know what a verb means: a
request that is well formed and permitted goes to the handler, everything else is answered here,
logged, and changes nothing. Looking (GET) needs the permission to connect; a change (POST) needs an
operator. aiohttp is loaded when the server starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import json
import os
import socket
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from hamnd.errors import HamndError, OutcomeUnknown, PermanentError, RequestRefused
from hamnd.ports import Caller, Handler, Request, Response
from hamnd.wire import LOOKS, PREFIX, Malformed, Verb, error_document, problems_document

if TYPE_CHECKING:
    from aiohttp import web

log = structlog.get_logger(__name__)

Identify = Callable[[socket.socket], Awaitable[Caller]]
Watch = Callable[[Request, Caller], AsyncGenerator[Mapping[str, Any], None]]

BODY_BYTES_MAX = 65_536
HEADER_BYTES_MAX = 4_096
HEADERS_MAX = 32
CONNECTIONS_MAX = 64
BACKLOG = 32


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """Limits in seconds."""

    first_request_s: float = 10.0
    """A connection that has asked nothing by then is closed."""
    keepalive_s: float = 30.0
    request_s: float = 30.0
    """Above the runtime's own limit for a decision, so that its answer comes first."""
    stale_check_s: float = 2.0
    shutdown_s: float = 1.0


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where the socket lies, and the group that may connect to it."""

    path: Path
    group: str
    limits: ControlLimits = ControlLimits()


class _RefusedError(Exception):
    """A request that is answered here."""

    def __init__(self, status: int, sentence: str, hint: str = "", gate: str = "request") -> None:
        super().__init__(sentence)
        self.status = status
        self.document = error_document(sentence, gate=gate, hint=hint)


class ControlServer:
    """Listens on the control socket from `start` to `close`."""

    def __init__(
        self,
        settings: ControlSettings,
        identify: Identify,
        handler: Handler,
        watch: Watch | None = None,
    ) -> None:
        """Take who tells callers apart, who answers requests, and who makes the watch stream."""
        self._settings = settings
        self._limits = settings.limits
        self._identify = identify
        self._handler = handler
        self._watch = watch
        self._listener: asyncio.Server | None = None
        self._server: web.Server | None = None
        self._inode = 0

    async def start(self) -> None:
        """Listen; a stale socket file is replaced.

        Raises:
            PermanentError: another process answers there, or the path cannot be used.
        """
        path = self._settings.path
        await self._clear_the_way()
        try:
            listening = _bind(path, self._settings.group)
        except OSError as error:
            raise PermanentError(f"the control socket {path} cannot be made: {error}") from error
        self._inode = path.stat().st_ino
        self._server = _http_server(self._answer, self._limits)
        self._listener = await asyncio.get_running_loop().create_unix_server(
            self._server, sock=listening, backlog=BACKLOG
        )

    async def close(self) -> None:
        """Stop listening, end what is open, and remove the socket file if it is still ours."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        self._server.pre_shutdown()
        await self._server.shutdown(self._limits.shutdown_s)
        with contextlib.suppress(FileNotFoundError):
            if self._settings.path.stat().st_ino == self._inode:
                self._settings.path.unlink()
        self._listener = None

    async def _clear_the_way(self) -> None:
        path = self._settings.path
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise PermanentError(f"{path} exists and is no socket; hamnd does not remove it")
            async with asyncio.timeout(self._limits.stale_check_s):
                _, writer = await asyncio.open_unix_connection(path)
            writer.transport.abort()
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)  # nobody listens: its owner died
            return
        except TimeoutError:
            pass  # somebody holds it and is too busy to accept
        except OSError as error:
            raise PermanentError(f"the control socket {path} cannot be used: {error}") from error
        raise PermanentError(f"another hamnd answers on {path}; this one does not start")

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        caller: Caller | None = None
        try:
            async with asyncio.timeout(self._limits.request_s):
                caller = await self._identified(request)
                verb = _verb_of(request)
                if request.method == "POST" and not caller.may_operate:
                    raise _RefusedError(
                        403,
                        f"{caller.name} may not change anything: neither root nor an operator "
                        f"(group {self._settings.group})",
                        "ask an operator, or run it with sudo",
                        "operators",
                    )
                wanted = await _wanted(request, verb)
                if verb is not Verb.WATCH or self._watch is None:
                    response = await self._handled(wanted, caller)
                    return _json(response.status, response.document)
            return await self._stream(request, self._watch(wanted, caller))
        except _RefusedError as refused:
            return _refuse(request, caller, refused.status, refused.document)
        except TimeoutError:
            document = error_document(
                f"no answer within {self._limits.request_s:g} s; the outcome is unknown",
                hint="look before you ask again: hamnctl status",
            )
            return _refuse(request, caller, 504, document)

    async def _handled(self, wanted: Request, caller: Caller) -> Response:
        """Pass the request on, and answer for errors that say what the caller may do."""
        try:
            return await self._handler(wanted, caller)
        except Malformed as error:
            return Response(400, problems_document(error))
        except RequestRefused as error:
            return Response(409, error_document(error.evidence, gate=error.gate))
        except OutcomeUnknown as error:
            return Response(504, error_document(str(error)))
        except HamndError as error:
            return Response(503, error_document(str(error)))

    async def _identified(self, request: web.BaseRequest) -> Caller:
        connection = (
            None if request.transport is None else request.transport.get_extra_info("socket")
        )
        if connection is None:
            raise _RefusedError(400, "the connection has gone")
        # asyncio shows a TransportSocket; what the kernel is asked takes a real one.
        with socket.socket(fileno=os.dup(connection.fileno())) as real:
            return await self._identify(real)

    async def _stream(
        self, request: web.BaseRequest, documents: AsyncGenerator[Mapping[str, Any], None]
    ) -> web.StreamResponse:
        from aiohttp import web

        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        response.force_close()
        await response.prepare(request)
        # A reader that went away ends the stream at the next line.
        async with contextlib.aclosing(documents) as lines:
            with contextlib.suppress(ConnectionError):
                async for document in lines:
                    await response.write(_dump(document) + b"\n")
        return response


def _bind(path: Path, group: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        old = os.umask(0o177)  # nobody may connect before group and mode are right
        try:
            listening.bind(str(path))
        finally:
            os.umask(old)
        with contextlib.suppress(KeyError, PermissionError):  # the demo runs without root
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
        path.chmod(0o660)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def _http_server(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], limits: ControlLimits
) -> web.Server:
    from aiohttp import web

    loop = asyncio.get_running_loop()

    class Connection(web.RequestHandler):
        """One client: dropped when it says nothing, answered in JSON when it speaks no HTTP."""

        has_asked = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            if len(server.connections) > CONNECTIONS_MAX:
                _turn_away(transport)
            else:
                loop.call_later(limits.first_request_s, self.drop_if_silent)

        def drop_if_silent(self) -> None:
            if not self.has_asked and self.transport is not None:
                log.warning("silent_connection_closed", after_s=limits.first_request_s)
                self.transport.abort()

        def handle_error(
            self,
            request: web.BaseRequest,
            status: int = 500,
            exc: BaseException | None = None,
            message: str | None = None,
        ) -> web.StreamResponse:
            return _transport_error(request, status, exc, message)

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
        return await answer(request)

    server = Server(asked)
    return server


def _turn_away(transport: asyncio.BaseTransport) -> None:
    log.warning("connection_refused", connections_max=CONNECTIONS_MAX)
    body = _dump(error_document("too many connections", hint="try again"))
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    assert isinstance(transport, asyncio.Transport)
    transport.write(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    transport.close()


def _transport_error(
    request: web.BaseRequest, status: int, error: BaseException | None, message: str | None
) -> web.Response:
    """Answer what is no HTTP, and errors that are ours, in JSON."""
    if request.writer.output_size > 0:
        raise ConnectionError("the answer had already begun")
    if status >= 500 and error is not None:
        log.error("request_failed", path=request.path[:100], exc_info=error)
        sentence = "hamnd failed at this request; its log says how"
    else:
        sentence = f"this is no request hamnd understands: {message or error}"[:300]
    return _refuse(request, None, status, error_document(sentence, gate="request"))


def _verb_of(request: web.BaseRequest) -> Verb:
    name = request.path.removeprefix(PREFIX)
    if name == request.path or name not in tuple(Verb):
        meant = get_close_matches(name, tuple(Verb), n=1)
        raise _RefusedError(
            404,
            f"{request.path[:100]} is not known here",
            f"did you mean {PREFIX}{meant[0]}?" if meant else "",
        )
    verb = Verb(name)
    method = "GET" if verb in LOOKS else "POST"
    if request.method != method:
        raise _RefusedError(405, f"{verb} is asked with {method}, not {request.method[:20]}")
    return verb


async def _wanted(request: web.BaseRequest, verb: Verb) -> Request:
    if request.method == "GET":
        return Request(verb=verb, body=dict(request.query), changes=False)
    body = bytearray()
    while piece := await request.content.readany():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise _RefusedError(413, f"the request is larger than {BODY_BYTES_MAX} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, f"the request is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _RefusedError(400, "the request is not a JSON object")
    return Request(verb=verb, body=document, changes=True)


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), default=str).encode()


def _json(status: int, document: Mapping[str, Any]) -> web.Response:
    from aiohttp import web

    return web.Response(status=status, body=_dump(document), content_type="application/json")


def _refuse(
    request: web.BaseRequest, caller: Caller | None, status: int, document: Mapping[str, Any]
) -> web.Response:
    log.warning(
        "request_refused",
        method=request.method[:20],
        path=request.path[:100],
        status=status,
        actor="unknown" if caller is None else caller.actor,
        error=document["error"],
    )
    response = _json(status, document)
    response.force_close()  # what else lies on the connection is not looked at
    return response
