"""Probes an address from this node: TCP connect, ssh banner, xcatd request.

Owns `SocketReacher`. Must not know what an answer means (dialects) nor how often to ask (core).
A frozen machine still completes TCP connects (lab.md §4), so a probe that matters reads an answer.

How an end is told (design law 2): only an answer or a refusal says that the host lives. What failed
on our own side (no route, no socket, a local firewall) is COULD_NOT_RUN and says nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from hamnd.model.names import Probe
from hamnd.model.work import Ending, Reach, Report
from hamnd.ports import Clock

BANNER_BYTES_MAX = 8_192
BANNER_LINES_MAX = 50
ANSWER_BYTES_MAX = 65_536

DEFAULT_PORTS = {Probe.SSH_BANNER: 22, Probe.XCATD: 3001}

SILENT = "connected, then silent"

XCATD_REQUEST = (
    b"<xcatrequest>\n"
    b"  <clienttype>cli</clienttype>\n"
    b"  <command>lsxcatd</command>\n"
    b"  <arg>-v</arg>\n"
    b"  <noderange></noderange>\n"
    b"</xcatrequest>\n"
)
"""What `lsxcatd -v` sends (xcat-core, perl-xCAT/xCAT/Client.pm); the cheapest request there is."""

NOT_REACHED = frozenset({errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN})
"""ARP, or a router on the way, got no reply from the host: as good as silence."""

CLOSED = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})


@dataclass(frozen=True, slots=True)
class _End:
    ending: Ending
    exit_code: int | None = None
    stdout: str = ""
    detail: str = ""


class SocketReacher:
    """Sends one probe per call over an own socket (port `Reacher`)."""

    def __init__(self, clock: Clock, client_credential: Path | None = None) -> None:
        """Take the file with root's xCAT certificate and key (~/.xcat/client-cred.pem).

        It is presented to xcatd when it exists; without it xcatd answers "Permission denied",
        which proves its life as well.
        """
        self._clock = clock
        self._credential = client_credential
        self._context: tuple[float | None, ssl.SSLContext] | None = None

    async def reach(self, request: Reach, timeout_s: float) -> Report:
        """Probe once; see the module for how each end is told."""
        started = self._clock.now()
        end = await self._probe(request, timeout_s)
        return Report(
            end.ending,
            started,
            self._clock.now(),
            exit_code=end.exit_code,
            stdout=end.stdout,
            detail=end.detail,
        )

    async def _probe(self, request: Reach, timeout_s: float) -> _End:
        port = request.port or DEFAULT_PORTS.get(request.probe)
        if request.probe in (Probe.PING, Probe.GATEWAY):
            return _End(Ending.COULD_NOT_RUN, detail="ping is a program, not a socket probe")
        if port is None:
            return _End(Ending.COULD_NOT_RUN, detail=f"no port to probe on {request.address}")
        connection: socket.socket | None = None
        is_connected = False
        try:
            async with asyncio.timeout(timeout_s):
                family, address = await _resolve(request.address, port)
                connection = socket.socket(family, socket.SOCK_STREAM)
                connection.setblocking(False)
                await asyncio.get_running_loop().sock_connect(connection, address)
                is_connected = True
                return await self._converse(request.probe, connection)
        except TimeoutError:
            within = f"within {timeout_s:g} s"
            what = f"{SILENT} {within}" if is_connected else f"no answer to connect {within}"
            return _End(Ending.NO_REPLY, detail=what)
        except OSError as error:
            return _after_error(error, is_connected)
        finally:
            if connection is not None:
                connection.close()

    async def _converse(self, probe: Probe, connection: socket.socket) -> _End:
        if probe is Probe.SSH_BANNER:
            return await _read_banner(connection)
        if probe is Probe.XCATD:
            return await self._ask_xcatd(connection)
        return _End(Ending.EXITED, exit_code=0, stdout="connected")

    async def _ask_xcatd(self, connection: socket.socket) -> _End:
        # A copy of the descriptor, for asyncio takes the socket it is given for its own.
        reader, writer = await asyncio.open_connection(
            sock=connection.dup(),
            ssl=self._tls(),
            server_hostname="",
            limit=ANSWER_BYTES_MAX,
        )
        try:
            writer.write(XCATD_REQUEST)
            answer = bytearray()
            while len(answer) < ANSWER_BYTES_MAX and not _is_complete(answer):
                piece = await reader.read(ANSWER_BYTES_MAX)
                if not piece:
                    break
                answer += piece
        finally:
            writer.transport.abort()  # a polite TLS farewell may wait for a frozen partner
        text = answer.decode("utf-8", errors="replace")
        if not text:
            return _End(Ending.REFUSED, detail="connected, then closed without an answer")
        if "<xcatresponse>" not in text:
            return _End(Ending.EXITED, 1, text, "answered, but not as xcatd does")
        if not _is_complete(answer):
            return _End(Ending.EXITED, 1, text, "xcatd's answer broke off")
        return _End(Ending.EXITED, 0, text)

    def _tls(self) -> ssl.SSLContext:
        """Return the context, made anew when the credential file changed.

        Nothing is verified and old protocols are welcome: the question is whether xcatd lives, and
        a certificate that expired last night must not make it look dead.
        """
        stamp: float | None = None
        if self._credential is not None:
            with contextlib.suppress(OSError):
                stamp = self._credential.stat().st_mtime
        if self._context is None or self._context[0] != stamp:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            with contextlib.suppress(ssl.SSLError):  # not every TLS library knows security levels
                context.set_ciphers("ALL:@SECLEVEL=0")
            if stamp is not None and self._credential is not None:
                with contextlib.suppress(OSError):  # also ssl.SSLError: then without a certificate
                    context.load_cert_chain(self._credential)
            self._context = (stamp, context)
        return self._context[1]


def _is_complete(answer: bytearray) -> bool:
    """Whether xcatd said that it is done (`serverdone`) and closed the element.

    XMLout writes an empty hash as `<serverdone></serverdone>`; other senders may shorten it.
    """
    return b"<serverdone" in answer and answer.rstrip().endswith(b"</xcatresponse>")


async def _resolve(
    address: str, port: int
) -> tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]:
    with contextlib.suppress(ValueError):
        version = ipaddress.ip_address(address.partition("%")[0]).version
        if version == 4:
            return socket.AF_INET, (address, port)
    found = await asyncio.get_running_loop().getaddrinfo(address, port, type=socket.SOCK_STREAM)
    family, _, _, _, where = found[0]
    if family not in (socket.AF_INET, socket.AF_INET6):
        raise OSError(errno.EAFNOSUPPORT, f"{address} is neither IPv4 nor IPv6")
    return family, where  # type: ignore[return-value]  # typeshed adds a shape for other families


async def _read_banner(connection: socket.socket) -> _End:
    """Read up to the line that starts with SSH-; others may come before it (RFC 4253 §4.2)."""
    loop = asyncio.get_running_loop()
    heard = bytearray()
    while len(heard) < BANNER_BYTES_MAX:
        piece = await loop.sock_recv(connection, BANNER_BYTES_MAX)
        heard += piece
        *lines, rest = heard.decode("utf-8", errors="replace").split("\n")
        for line in lines:
            if line.startswith("SSH-"):
                return _End(Ending.EXITED, 0, line.rstrip("\r"))
        if len(lines) > BANNER_LINES_MAX:
            break
        if not piece:
            if rest.startswith("SSH-"):
                return _End(Ending.EXITED, 0, rest.rstrip("\r"))
            break
    if not heard:
        # sshd drops surplus logins this way; whoever closes a connection is alive.
        return _End(Ending.REFUSED, detail="connected, then closed without a banner")
    text = heard.decode("utf-8", errors="replace")
    return _End(Ending.EXITED, 1, text, "answered, but not as ssh does")


def _after_error(error: OSError, is_connected: bool) -> _End:
    if isinstance(error, ssl.SSLError):
        return _End(Ending.EXITED, 1, detail=f"answered, but not with TLS: {error.reason}")
    if is_connected and (error.errno in CLOSED or isinstance(error, ConnectionError)):
        return _End(Ending.REFUSED, detail="connected, then closed by the host")
    if isinstance(error, ConnectionError):
        return _End(Ending.REFUSED, detail="connection refused: nothing listens on that port")
    if error.errno in NOT_REACHED:
        return _End(Ending.NO_REPLY, detail=f"the host was not reached: {error.strerror}")
    if isinstance(error, socket.gaierror):
        return _End(Ending.COULD_NOT_RUN, detail=f"the name does not resolve: {error.strerror}")
    return _End(Ending.COULD_NOT_RUN, detail=f"nothing was sent: {error.strerror or error}")
