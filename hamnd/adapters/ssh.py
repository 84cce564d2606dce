"""Runs programs on another host over one persistent ssh connection, with asyncssh.

Owns `AsyncsshRunner`; the only module that knows asyncssh, which is loaded when the first
connection is opened (it is the heaviest import of all, dependencies.md §1). Must not know what a
program is for, nor what a lost connection proves: nothing, it is a hint to look now (design §3).

What the ends mean: before the command was handed over, nothing was sent (COULD_NOT_RUN, or REFUSED
when the host says that no sshd listens). Afterwards silence within the limit is NO_REPLY, a broken
connection LOST: the command may have run.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from hamnd.dialects.shell import endpoint, remote_line
from hamnd.model.instant import Instant
from hamnd.model.site import Site
from hamnd.model.work import Ending, Exec, Report
from hamnd.ports import Clock, Placed, as_configured

if TYPE_CHECKING:
    import asyncssh

OUTPUT_BYTES_MAX = 1_048_576
"""Kept of each of the two outputs; the rest is received and thrown away."""
SESSIONS_MAX = 8
"""At once over one connection; sshd allows ten by default (MaxSessions)."""
NO_PLACE_PAUSES_S = (0.1, 0.3, 0.6)
"""How long to wait before a session is asked for again that sshd had no place for."""
KEEPALIVE_INTERVAL_S = 5.0
"""A silent end is noticed by the reach rounds long before; this only clears the connection away."""
KEEPALIVE_MISSED_MAX = 2
CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Offered first: asyncssh's own first choice, ChaCha20, takes five calls for each packet."""
CLOSE_GRACE_S = 0.25
"""How long a channel may stay open after the exit status: grandchildren may hold it for ever."""
BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 5.0


class _NotConnectedError(Exception):
    """There is no connection, and nothing was sent."""

    def __init__(self, detail: str, is_refused: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.is_refused = is_refused


@dataclass(frozen=True, slots=True)
class _Failure:
    error: _NotConnectedError
    at: Instant
    pause_s: float


class _Session:
    """One remote command; asyncssh calls these methods (SSHClientSession)."""

    def __init__(self) -> None:
        self.outputs = (bytearray(), bytearray())
        self.is_truncated = False
        self.is_open = False  # the channel is there; the command is being handed over
        self.is_started = False  # the server has confirmed the command
        self.is_lost = False
        self.exit_code: int | None = None
        self.detail = ""
        self.ended = asyncio.Event()
        self.closed = asyncio.Event()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        self.is_open = True

    def session_started(self) -> None:
        self.is_started = True

    def data_received(self, data: bytes, datatype: int | None) -> None:
        output = self.outputs[0 if datatype is None else 1]
        room = OUTPUT_BYTES_MAX - len(output)
        output += data[:room]
        self.is_truncated = self.is_truncated or len(data) > room

    def eof_received(self) -> bool:
        return False

    def exit_status_received(self, status: int) -> None:
        self.exit_code = status
        self.ended.set()

    def exit_signal_received(self, name: str, core_dumped: bool, msg: str, lang: str) -> None:  # noqa: ARG002  (asyncssh's signature)
        number = signal.Signals.__members__.get("SIG" + name)
        self.exit_code = 128 + (0 if number is None else int(number))
        self.detail = f"ended by signal SIG{name}"
        self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = self.exit_code is None
        if self.is_lost:
            self.detail = str(exc) if exc else "the channel was closed without an exit status"
        self._channel = None
        self.ended.set()
        self.closed.set()

    def pause_writing(self) -> None:
        """The channel buffers what the window does not take."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    def xon_xoff_requested(self, client_can_do: bool) -> None:
        """Without a terminal there is no flow control to mind."""

    def feed(self, text: str | None) -> None:
        if self._channel is not None:
            if text:
                self._channel.write(text.encode())
            self._channel.write_eof()

    def drop(self) -> None:
        """Ask for the end of a command that nobody waits for any more, and close the channel."""
        if self._channel is not None:
            with contextlib.suppress(OSError):
                if self.exit_code is None:
                    self._channel.terminate()
                self._channel.abort()


class _Line:
    """One connection and who uses it; retired, it is closed when the last user leaves."""

    def __init__(self) -> None:
        self.connection: asyncssh.SSHClientConnection | None = None
        self.is_retired = False
        self.users = 0

    def is_home(self) -> bool:
        """Whether this host still has the address that it goes out from: else nobody answers."""
        assert self.connection is not None
        own = self.connection.get_extra_info("sockname")
        family = socket.AF_INET6 if ":" in own[0] else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            probe.bind((own[0], 0, *own[2:]))
            return True
        return False

    def retire(self) -> None:
        self.is_retired = True
        if self.users == 0 and self.connection is not None:
            self.connection.abort()


class AsyncsshRunner:
    """Runs programs on one host (port `CommandRunner`)."""

    def __init__(
        self,
        site: Site,
        host: str,
        clock: Clock,
        on_lost: Callable[[str], None] | None = None,
        placed: Placed = as_configured,
    ) -> None:
        """Take the host's name; `on_lost(host)` is called when its connection breaks.

        `placed` tells at any time where the hosts of the site are.

        Raises:
            PermanentError: the site has no host of that name.
        """
        self._endpoint = endpoint(site, host)
        self._site = site
        self._placed = placed
        self._host = host
        self._ssh = site.ssh
        self._clock = clock
        self._on_lost = on_lost
        self._line: _Line | None = None
        self._failure: _Failure | None = None
        self._opening: asyncio.Task[None] | None = None
        self._places = asyncio.Semaphore(SESSIONS_MAX)

    async def run(self, request: Exec, timeout_s: float) -> Report:
        """Run the program there; past `timeout_s` its channel is closed and NO_REPLY reported."""
        started = self._clock.now()
        session = _Session()
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._places,
                self._connected(session, timeout_s) as connection,
            ):
                await self._command(connection, session, request)
            ending = Ending.LOST if session.is_lost else Ending.EXITED
            detail = session.detail
        except TimeoutError:
            ending = Ending.NO_REPLY if session.is_open else Ending.COULD_NOT_RUN
            detail = self._overdue(session, timeout_s)
        except _NotConnectedError as error:
            ending = Ending.REFUSED if error.is_refused else Ending.COULD_NOT_RUN
            detail = error.detail
        finally:
            session.drop()
        return Report(
            ending,
            started,
            self._clock.now(),
            exit_code=session.exit_code if ending is Ending.EXITED else None,
            stdout=session.outputs[0].decode("utf-8", errors="replace"),
            stderr=session.outputs[1].decode("utf-8", errors="replace"),
            truncated=session.is_truncated,
            detail=detail,
        )

    async def close(self) -> None:
        """Close the connection; commands still running there are LOST."""
        if (opening := self._opening) is not None:
            opening.cancel()
            await asyncio.wait({opening})
        line, self._line = self._line, None
        if line is not None and line.connection is not None:
            line.is_retired = True
            line.connection.abort()
            await line.connection.wait_closed()

    async def _command(
        self, connection: asyncssh.SSHClientConnection, session: _Session, request: Exec
    ) -> None:
        import asyncssh

        try:
            await self._start(connection, session, request)
        except (asyncssh.Error, OSError) as error:
            if session.is_open and (session.is_lost or not isinstance(error, asyncssh.Error)):
                session.is_lost = True
                session.detail = f"the connection broke: {error}"
                return
            raise _NotConnectedError(
                f"{self._host}: sshd refused to run a command: {error}"
            ) from error
        session.feed(request.stdin)
        await session.ended.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.closed.wait(), CLOSE_GRACE_S)

    async def _start(
        self, connection: asyncssh.SSHClientConnection, session: _Session, request: Exec
    ) -> None:
        """Open the session; one that sshd has no place for is asked for again a few times.

        A session that we left counts there until its program has ended: a busy host may be out of
        places although we are within ours. Nothing was started then.
        """
        import asyncssh

        factory = cast("Callable[[], asyncssh.SSHClientSession[bytes]]", lambda: session)
        for pause_s in (*NO_PLACE_PAUSES_S, None):
            try:
                await connection.create_session(
                    factory,
                    remote_line(request, self._site),
                    encoding=None,
                    env={"LANG": "C", "LC_ALL": "C"},  # where sshd accepts it
                )
            except asyncssh.ChannelOpenError:
                if session.is_open or pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
            else:
                return

    @contextlib.asynccontextmanager
    async def _connected(
        self, session: _Session, timeout_s: float
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        line = await self._open(timeout_s)
        assert line.connection is not None
        line.users += 1
        try:
            yield line.connection
        except asyncio.CancelledError:
            if not session.is_started:
                # It stalls, or the channel opens after we left: use this connection no more.
                self._retire(line)
            raise
        finally:
            line.users -= 1
            if line.is_retired:
                line.retire()

    def _retire(self, line: _Line) -> None:
        if self._line is line:
            self._line = None
        line.retire()

    async def _open(self, timeout_s: float) -> _Line:
        """Return the connection, opened when there is none.

        The attempt is shared by all calls and outlives them: over a slow line a connection takes
        longer than the limit of a probe. After a failure the next attempt waits a little; a call
        that cannot wait gets the last reason.
        """
        now = endpoint(self._placed(self._site), self._host)
        is_moved = now != self._endpoint
        if is_moved:
            self._endpoint, self._failure = now, None
        if self._line is not None and (is_moved or not self._line.is_home()):
            self._retire(self._line)
        if self._line is not None:
            return self._line
        if self._opening is None:
            pause_s = 0.0
            if self._failure is not None:
                ago_s = self._clock.now().since(self._failure.at)
                pause_s = max(0.0, self._failure.pause_s - ago_s)
                if pause_s > timeout_s / 2:
                    raise _NotConnectedError(
                        f"{self._failure.error.detail} (tried {ago_s:.1f} s ago)",
                        self._failure.error.is_refused,
                    )
            self._opening = asyncio.get_running_loop().create_task(
                self._attempt(pause_s), name=f"ssh-connect-{self._host}"
            )
        await asyncio.wait({self._opening})  # does not cancel the attempt when we are cancelled
        return self._result()

    def _result(self) -> _Line:
        if self._line is not None:
            return self._line
        if self._failure is not None:
            raise self._failure.error
        raise _NotConnectedError(f"{self._host}: the connection was lost as soon as it was open")

    async def _attempt(self, pause_s: float) -> None:
        """Connect once; the result is in `_line` or `_failure`."""
        try:
            await asyncio.sleep(pause_s)
            self._line = await self._connect()
            self._failure = None
        except _NotConnectedError as error:
            last_s = BACKOFF_MIN_S / 2 if self._failure is None else self._failure.pause_s
            self._failure = _Failure(error, self._clock.now(), min(2 * last_s, BACKOFF_MAX_S))
        finally:
            self._opening = None

    async def _connect(self) -> _Line:
        import asyncssh

        line = _Line()
        on_end = self._lost

        class Client(asyncssh.SSHClient):
            """Tells when the connection is there and when it has gone."""

            def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
                line.connection = conn

            def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncssh's signature)
                on_end(line)

        limit_s = self._ssh.connect_timeout_s
        try:
            known = asyncssh.read_known_hosts(self._ssh.known_hosts_file)
            key = asyncssh.read_private_key(self._ssh.key_file)
        except (OSError, ValueError, asyncssh.Error) as error:
            raise _NotConnectedError(f"{self._host}: nothing was sent: {error}") from error
        try:
            async with asyncio.timeout(limit_s):
                await asyncssh.connect(
                    self._endpoint.address,
                    self._endpoint.port,
                    username=self._endpoint.user,
                    client_factory=Client,
                    known_hosts=self._pinned(known),
                    client_keys=[key],
                    agent_path=None,
                    config=None,
                    preferred_auth=("publickey",),
                    gss_host=None,
                    x509_trusted_certs=None,
                    connect_timeout=limit_s,
                    login_timeout=limit_s,
                    encryption_algs=CIPHERS,
                    keepalive_interval=KEEPALIVE_INTERVAL_S,
                    keepalive_count_max=KEEPALIVE_MISSED_MAX,
                )
        except asyncssh.HostKeyNotVerifiable as error:
            raise _NotConnectedError(self._host_key_problem(known)) from error
        except asyncssh.PermissionDenied as error:
            raise _NotConnectedError(
                f"{self._host}: ssh login as {self._endpoint.user} was refused: {error.reason}"
            ) from error
        except ConnectionRefusedError as error:
            raise _NotConnectedError(
                f"{self._host}: connection refused, no sshd listens on port {self._endpoint.port}",
                is_refused=True,
            ) from error
        except TimeoutError as error:
            raise _NotConnectedError(
                f"{self._host}: nothing was sent: no ssh connection within {limit_s:g} s"
            ) from error
        except (asyncssh.Error, OSError, ValueError) as error:
            raise _NotConnectedError(f"{self._host}: nothing was sent: {error}") from error
        return line

    def _pinned(self, known: asyncssh.SSHKnownHosts) -> Any:
        """Return what the host's key is compared with: those of its alias alone, if it has one.

        asyncssh itself would take the key of whoever is known by that address, too.
        """
        alias = self._endpoint.key_alias
        return known.match(alias, "", None) if alias else known

    def _lost(self, line: _Line) -> None:
        """Forget a connection that broke; one that never served or that we gave up is no news."""
        is_news = self._line is line and not line.is_retired
        self._retire(line)
        if is_news and self._on_lost is not None:
            self._on_lost(self._host)

    def _host_key_problem(self, known: asyncssh.SSHKnownHosts) -> str:
        address, port = self._endpoint.address, self._endpoint.port
        alias = self._endpoint.key_alias
        keys = known.match(alias, "", None)[0] if alias else known.match(address, address, port)[0]
        file = self._ssh.known_hosts_file
        if keys:
            return (
                f"{self._host}: the host key of {address} is not the one in {file}: "
                "another machine answers there, or it was installed anew; nothing was sent"
            )
        return (
            f"{self._host}: {file} has no key for {alias or address}; nothing was sent "
            f"(compare and add: ssh-keyscan -p {port} {address})"
        )

    def _overdue(self, session: _Session, timeout_s: float) -> str:
        within = f"within {timeout_s:g} s"
        if session.is_started:
            return f"{self._host}: the command has not ended {within}; its channel was closed"
        if session.is_open:
            return f"{self._host}: the command was sent and not confirmed {within}"
        return f"{self._host}: nothing was sent {within}: no connection or no free session"
