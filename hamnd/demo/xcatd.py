"""The stand-in xcatd: a TLS server that answers an XML request as xcatd does.

Owns the server side of xCAT's client protocol (perl-xCAT/xCAT/Client.pm): a request is one
`<xcatrequest>` element; answers are `<xcatresponse>` elements, the last of which holds
`<serverdone>`. One server per management node, on a unix socket behind that node's wire. MUST NOT
know whether its machine is alive: the wire does.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from hamnd.demo.certificate import write_certificate
from hamnd.demo.listening import close_server
from hamnd.demo.site import DemoDirectory

REQUEST_BYTES_MAX = 65536
REQUEST_S = 30.0
DONE = "<xcatresponse>\n  <serverdone></serverdone>\n</xcatresponse>\n"

_COMMAND = re.compile(r"<command>([^<]*)</command>")
_ARGUMENT = re.compile(r"<arg>([^<]*)</arg>")

Respond = Callable[[str, tuple[str, ...]], "Response"]


class Response:
    """What xcatd says to one command: lines of data, or an error with its code."""

    def __init__(self, data: str = "", error: str = "") -> None:
        self.data = data
        self.error = error

    def xml(self) -> str:
        """Return the answer as XMLout writes it, `serverdone` last."""
        lines = [f"  <data>{escape(line)}</data>\n" for line in self.data.splitlines()]
        if self.error:
            lines.append(f"  <error>{escape(self.error)}</error>\n  <errorcode>1</errorcode>\n")
        body = f"<xcatresponse>\n{''.join(lines)}</xcatresponse>\n" if lines else ""
        return body + DONE


class XcatdServer:
    """The TLS server of one management node's xcatd."""

    def __init__(self, layout: DemoDirectory, machine: str, respond: Respond) -> None:
        self._path = layout.xcatd_socket(machine)
        self._certificate = layout.lib / f"{machine}.xcatd.pem"
        self._machine = machine
        self._respond = respond
        self._server: asyncio.Server | None = None
        self._talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        """Make the certificate and listen."""
        write_certificate(self._certificate, self._machine, datetime.now(UTC))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._server = await asyncio.start_unix_server(
            self._handle, path=str(self._path), ssl=context, limit=REQUEST_BYTES_MAX
        )

    async def close(self) -> None:
        """Stop listening and end every conversation."""
        if self._server is not None:
            await close_server(self._server)
        for writer in self._talks.values():
            writer.transport.abort()  # asyncio's streams log a cancelled handler as failed
        await asyncio.gather(*self._talks, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._talks[task] = writer
            task.add_done_callback(self._talks.pop)
        try:
            async with asyncio.timeout(REQUEST_S):
                request = await reader.readuntil(b"</xcatrequest>")
                response = self._answer(request.decode("utf-8", errors="replace"))
                writer.write(response.xml().encode())
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            pass  # the client went away, or sent what no xCAT client sends
        finally:
            writer.transport.abort()

    def _answer(self, request: str) -> Response:
        command = _COMMAND.search(request)
        if command is None:
            return Response(error="No command")
        return self._respond(command.group(1), tuple(_ARGUMENT.findall(request)))
