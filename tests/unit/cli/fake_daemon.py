"""A daemon for tests: real HTTP on a real unix socket, answers from a script.

Owns the answers and what was asked. Documents come from the same views as the real daemon's.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from hamnd.views.explain import explain_document
from hamnd.views.ready import ready_document
from hamnd.views.run import run_document
from hamnd.views.status import status_document
from hamnd.views.witnesses import witnesses_document
from tests.builders import Pair

Reply = tuple[int, Any]


class FakeDaemon:
    """What is answered to each verb, and what was asked."""

    def __init__(self) -> None:
        self.looks: dict[str, Reply] = {}
        self.changes: dict[str, Reply] = {}
        self.watch: list[dict[str, Any]] = []
        self.watches: list[list[dict[str, Any]]] = []
        """What successive watch streams carry before they break; then `watch` does."""
        self.after_change: dict[str, Reply] = {}
        """Looks that are answered differently once a change was asked for."""
        self.chunked = False
        self.raw: bytes | None = None
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def shows(self, pair: Pair) -> None:
        """Answer every look as the daemon would in this situation."""
        state, now, terms = pair.state, pair.now, pair.terms
        status = status_document(state, now, terms)
        self.looks["status"] = (200, status)
        self.looks["ready"] = (200, ready_document(state, now, terms))
        self.looks["explain"] = (200, explain_document(state, now, terms))
        self.looks["witnesses"] = (200, witnesses_document(state, now, terms))
        self.looks["run"] = (200, run_document(state.run, now, terms.site))
        self.looks["plans"] = (200, {"schema": "hamnd.plans/1", "plans": []})
        self.watch = [status]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        verb = self.path.removeprefix("/v1/")
        daemon = self.server.daemon_values
        if daemon.raw is not None:
            self.wfile.write(daemon.raw)
            self.close_connection = True
        elif verb == "watch":
            self._stream(daemon)
        else:
            looks = {**daemon.looks, **(daemon.after_change if daemon.asked else {})}
            self._reply(*looks.get(verb, (404, {"error": f"no verb {verb}"})))

    def do_POST(self) -> None:
        verb = self.path.removeprefix("/v1/")
        length = int(self.headers.get("Content-Length", "0"))
        body = json.loads(self.rfile.read(length) or b"{}")
        daemon = self.server.daemon_values
        daemon.asked.append((verb, body))
        status, document = daemon.changes.get(verb, (404, {"error": f"no verb {verb}"}))
        if status == 0:  # taken and never answered
            self.close_connection = True
            return
        self._reply(status, document)

    def _reply(self, status: int, document: Any) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if self.server.daemon_values.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(content), 1000):
                self._chunk(content[start : start + 1000])
            self._chunk(b"")
        else:
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        self.close_connection = True

    def _stream(self, daemon: FakeDaemon) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for document in daemon.watches.pop(0) if daemon.watches else daemon.watch:
            self._chunk(json.dumps(document).encode() + b"\n")
        self._chunk(b"")
        self.close_connection = True

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        return


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = True

    def __init__(self, path: str, values: FakeDaemon) -> None:
        self.daemon_values = values
        super().__init__(path, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that went away (ctrl-C, head) is no trouble of the daemon."""


@contextmanager
def serving(path: Path) -> Iterator[FakeDaemon]:
    """Serve on this path until the block ends."""
    values = FakeDaemon()
    with _Server(str(path), values) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield values
        finally:
            server.shutdown()
            thread.join()
