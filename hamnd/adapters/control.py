"""The control socket: HTTP and JSON over a unix socket.

Owns the socket file, who may ask, and the errors of a request. Must not know what a verb means: a
request that is well formed and permitted goes to the handler, everything else is answered here,
logged, and changes nothing. Looking (GET) needs the permission to connect; a change (POST) needs an
operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import json
import os
import pwd
import socket
import stat
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import structlog

from hamnd.errors import HamndError, OutcomeUnknown, PermanentError, RequestRefused
from hamnd.ports import Caller, Handler, Request, Response
from hamnd.serving import Answer, Asked, Door, Limits, Server, Stream, TooLargeError
from hamnd.wire import LOOKS, PREFIX, Malformed, Verb, error_document, problems_document

log = structlog.get_logger(__name__)

Identify = Callable[[socket.socket], Awaitable[Caller]]
Watch = Callable[[Request, Caller], AsyncGenerator[Mapping[str, Any], None]]

BODY_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """Limits of the socket; those of a connection are `serving`'s."""

    request_s: float = 30.0
    """Above the runtime's own limit for a decision, so that its answer comes first."""
    stale_check_s: float = 2.0
    connection: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where the socket lies, and the group that may connect to it."""

    path: Path
    group: str
    limits: ControlLimits = ControlLimits()
    users: tuple[str, ...] = ()
    """Further users who may connect; each gets an entry of his own in the socket's ACL (acl(5))."""


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
        door = Door("control", self._answer, _trouble)
        self._server = Server(door, settings.limits.connection)
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
            _let_in(path, self._settings.users)
        except OSError as error:
            raise PermanentError(f"the control socket {path} cannot be made: {error}") from error
        self._inode = path.stat().st_ino
        await self._server.on_unix(listening)

    async def close(self) -> None:
        """Stop listening, end what is open, and remove the socket file if it is still ours."""
        if not self._server.is_open:
            return
        await self._server.close()
        with contextlib.suppress(FileNotFoundError):
            if self._settings.path.stat().st_ino == self._inode:
                self._settings.path.unlink()

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

    async def _answer(self, asked: Asked) -> Answer | Stream:
        caller: Caller | None = None
        try:
            async with asyncio.timeout(self._limits.request_s):
                with asked.connection() as connection:
                    caller = await self._identify(connection)
                verb = _verb_of(asked)
                if asked.method == "POST" and not caller.may_operate:
                    raise _RefusedError(
                        403,
                        f"{caller.name} may not change anything: neither root nor an operator "
                        f"(group {self._settings.group})",
                        "ask an operator, or run it with sudo",
                        "operators",
                    )
                wanted = await _wanted(asked, verb)
                if verb is Verb.WATCH and self._watch is not None:
                    return Stream(_lines(self._watch(wanted, caller)), "application/x-ndjson")
                response = await self._handled(wanted, caller)
                return _json(response.status, response.document)
        except _RefusedError as refused:
            return _refuse(asked, caller, refused.status, refused.document)
        except TimeoutError:
            document = error_document(
                f"no answer within {self._limits.request_s:g} s; the outcome is unknown",
                hint="look before you ask again: hamnctl status",
            )
            return _refuse(asked, caller, 504, document)

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


ACL = "system.posix_acl_access"
_ACL_VERSION, _NO_ID = 2, 0xFFFF_FFFF
_OWNER, _USER, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
_READ_WRITE = 6


def _let_in(path: Path, users: tuple[str, ...]) -> None:
    """Let further users connect, whose group is not the socket's.

    The ACL as Linux keeps it (include/uapi/linux/posix_acl_xattr.h): no program is needed for it.
    Where there is none (AIX, some file systems) the group alone connects, and that is told.
    """
    known = sorted({pwd.getpwnam(name).pw_uid for name in users if _is_user(name)})
    if not known:
        return
    entries = [(_OWNER, _READ_WRITE, _NO_ID)]
    entries += [(_USER, _READ_WRITE, uid) for uid in known]
    entries += [(_GROUP, _READ_WRITE, _NO_ID), (_MASK, _READ_WRITE, _NO_ID), (_OTHERS, 0, _NO_ID)]
    packed = struct.pack("<I", _ACL_VERSION)
    packed += b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, ACL, packed)
    except (AttributeError, OSError) as error:
        log.warning("users_not_let_in", users=users, path=str(path), error=str(error))


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _verb_of(asked: Asked) -> Verb:
    name = asked.path.removeprefix(PREFIX)
    if name == asked.path or name not in tuple(Verb):
        meant = get_close_matches(name, tuple(Verb), n=1)
        raise _RefusedError(
            404,
            f"{asked.path[:100]} is not known here",
            f"did you mean {PREFIX}{meant[0]}?" if meant else "",
        )
    verb = Verb(name)
    method = "GET" if verb in LOOKS else "POST"
    if asked.method != method:
        raise _RefusedError(405, f"{verb} is asked with {method}, not {asked.method}")
    return verb


async def _wanted(asked: Asked, verb: Verb) -> Request:
    if asked.method == "GET":
        return Request(verb=verb, body=asked.query, changes=False)
    try:
        document = json.loads(await asked.body(BODY_BYTES_MAX))
    except TooLargeError as error:
        raise _RefusedError(413, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, f"the request is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _RefusedError(400, "the request is not a JSON object")
    return Request(verb=verb, body=document, changes=True)


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), default=str).encode()


async def _lines(
    documents: AsyncGenerator[Mapping[str, Any], None],
) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(documents):
        async for document in documents:
            yield _dump(document) + b"\n"


def _json(status: int, document: Mapping[str, Any], *, closes: bool = False) -> Answer:
    return Answer(status, _dump(document), "application/json", closes=closes)


def _trouble(status: int, sentence: str) -> Answer:
    """Answer what never became a request."""
    hint = "try again" if status == 503 else ""
    return _json(status, error_document(sentence, gate="request", hint=hint), closes=True)


def _refuse(
    asked: Asked, caller: Caller | None, status: int, document: Mapping[str, Any]
) -> Answer:
    log.warning(
        "request_refused",
        method=asked.method,
        path=asked.path[:100],
        status=status,
        actor="unknown" if caller is None else caller.actor,
        error=document["error"],
    )
    return _json(status, document, closes=True)
