"""Asks the daemon: HTTP/1.1 with JSON over its unix socket, bounded in time and size.

Owns the exchange of one request and of one stream. Must not know what is asked or shown. Standard
library only, and of that only sockets: `hamnctl status` has 150 ms, http.client alone takes a
fifth of it.

Unreachable means that nothing was asked, or that only looking failed. A change that was sent and
not answered raises OutcomeUnknown: it may have happened, so it is never sent again from here.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hamnd.cli import moments
from hamnd.errors import HamndError, OutcomeUnknown

PREFIX = "/v1/"
ANSWER_BYTES_MAX = 8 * 1024 * 1024
HEAD_BYTES_MAX = 64 * 1024
LINE_BYTES_MAX = 4 * 1024 * 1024
CONNECT_S = 2.0
LOOK_S = 5.0
CHANGE_S = 30.0
LEAST_S = 0.001
"""The shortest wait for a piece: 0 would mean not to wait at all."""
QUIET_S = 20.0
"""A watch stream carries a document at least every five seconds; silence of this length is loss."""

PEER = struct.Struct("3i")
"""What SO_PEERCRED tells on Linux: process, user, group (unix(7))."""

START_IT = "systemctl start hamnd (AIX: startsrc -s hamnd)"
RESTART_IT = "systemctl restart hamnd (AIX: stopsrc -f -s hamnd, then startsrc -s hamnd)"
NO_HAMND = "hamnctl and hamnd may differ in version, or --socket names something else"
HANGS = f"{RESTART_IT}; it hangs or is stopped, and a restart runs no step again"


class Unreachable(HamndError):
    """The daemon does not answer; nothing was changed. `hint` says what leads on."""

    def __init__(self, sentence: str, hint: str) -> None:
        """Take what was seen, and what the operator can do about it."""
        super().__init__(sentence)
        self.hint = hint


class Answer(NamedTuple):
    """What came back: HTTP status and a JSON object."""

    status: int
    document: dict[str, Any]


class Client:
    """One daemon, by the path of its socket; every call is its own connection."""

    def __init__(self, path: str) -> None:
        """Remember where to ask; nothing is connected yet."""
        self.path = path

    def get(self, verb: str) -> Answer:
        """Look. Raises Unreachable."""
        try:
            return self._exchange("GET", verb, None, LOOK_S)
        except OutcomeUnknown as error:
            raise Unreachable(str(error), _hint(error.__cause__)) from error

    def post(self, verb: str, body: Mapping[str, Any]) -> Answer:
        """Ask for a change. Raises Unreachable (nothing sent) and OutcomeUnknown."""
        return self._exchange("POST", verb, body, CHANGE_S)

    def stream(self, verb: str) -> Iterator[dict[str, Any]]:
        """Yield the documents of a stream until it ends. Raises Unreachable."""
        with self._connect() as connection:
            self._send(connection, "GET", verb, None)
            reader = _Reader(connection, None)
            try:
                status, headers = reader.head()
                if status != 200:
                    told = f"hamnd at {self.path} has no stream {verb} ({status})"
                    raise Unreachable(told, NO_HAMND)
                for line in reader.lines(headers):
                    yield _decode(line, self.path)
            except (OSError, _Cut) as error:
                told = f"the stream of hamnd{_process(connection)} at {self.path} broke: {error}"
                raise Unreachable(told, _hint(error)) from error

    def _exchange(
        self, method: str, verb: str, body: Mapping[str, Any] | None, limit_s: float
    ) -> Answer:
        with self._connect() as connection:
            try:
                self._send(connection, method, verb, body)
                reader = _Reader(connection, limit_s)
                status, headers = reader.head()
                text = reader.body(headers)
            except (OSError, _Cut) as error:
                who = f"hamnd{_process(connection)} at {self.path}"
                told = f"{who} took the request {verb} and did not answer: {error}"
                raise OutcomeUnknown(told) from error
        return Answer(status, _decode(text, self.path))

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(self.path)
        except (OSError, ValueError) as error:
            connection.close()
            told = f"hamnd does not answer at {self.path}: {_reason(error)}"
            raise Unreachable(told, _hint(error)) from error
        return connection

    def _send(
        self, connection: socket.socket, method: str, verb: str, body: Mapping[str, Any] | None
    ) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        head = [
            f"{method} {PREFIX}{verb} HTTP/1.1",
            "Host: localhost",
            "Accept: application/json",
            "Connection: close",
        ]
        if body is not None:
            head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + content)


def _reason(error: Exception) -> str:
    """Return the operating system's words, in ours where they are well known."""
    match error:
        case FileNotFoundError():
            return "there is no such socket, so hamnd does not run"
        case ConnectionRefusedError():
            return "nobody listens there; hamnd does not run"
        case PermissionError():
            return "you may not use it: become root or join the operators' group"
        case TimeoutError() | BlockingIOError():
            return "it runs and takes no more connections"
        case OSError():
            return error.strerror or str(error)
        case _:
            return str(error)


def _hint(error: BaseException | None) -> str:
    """Return what the operator can do where a daemon did not answer in this way."""
    match error:
        case TimeoutError() | BlockingIOError():
            return HANGS
        case PermissionError():
            return "sudo hamnctl status"
        case _:
            return START_IT


def _process(connection: socket.socket) -> str:
    """Return ` (process NUMBER)` of whoever listens, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return ""
    try:
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
    except OSError:
        return ""
    return f" (process {PEER.unpack(told)[0]})"


def _decode(text: bytes, path: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Unreachable(f"what answers at {path} is not hamnd: {error}", NO_HAMND) from error
    if not isinstance(document, dict):
        raise Unreachable(f"what answers at {path} is not hamnd: no JSON object", NO_HAMND)
    return document


class _Cut(Exception):
    """The answer ended early, or is larger than any answer of hamnd."""


class _Reader:
    """Reads one answer within `limit_s`; with None, only the quiet between two pieces counts."""

    def __init__(self, connection: socket.socket, limit_s: float | None) -> None:
        self._connection = connection
        self._limit_s = limit_s
        self._deadline_s = None if limit_s is None else moments.monotonic_s() + limit_s
        self._held = b""

    def head(self) -> tuple[int, dict[str, str]]:
        """Return the status code and the headers, lower case."""
        while b"\r\n\r\n" not in self._held:
            if len(self._held) > HEAD_BYTES_MAX:
                raise _Cut("no end of its headers")
            self._more()
        text, _, self._held = self._held.partition(b"\r\n\r\n")
        first, *rest = text.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise _Cut("it does not speak HTTP")
        pairs = (line.partition(":") for line in rest)
        return int(words[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}

    def body(self, headers: Mapping[str, str]) -> bytes:
        """Return the whole content."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            content = b""
            for chunk in self._chunks():
                content += chunk
                if len(content) > ANSWER_BYTES_MAX:
                    raise _Cut("the answer is too large")
            return content
        length = headers.get("content-length")
        if length is None:
            return self._until_close()
        if not length.isdigit() or int(length) > ANSWER_BYTES_MAX:
            raise _Cut("the answer is too large")
        return self._exactly(int(length))

    def lines(self, headers: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the lines of a stream as they come; empty ones keep the connection alive."""
        rest = b""
        is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        for chunk in self._chunks() if is_chunked else self._pieces():
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_BYTES_MAX:
                raise _Cut("a line of the stream is too large")
            yield from (line for line in whole if line.strip())

    def _pieces(self) -> Iterator[bytes]:
        while True:
            if self._held:
                held, self._held = self._held, b""
                yield held
            try:
                self._more()
            except _Cut:
                return

    def _chunks(self) -> Iterator[bytes]:
        while True:
            while b"\r\n" not in self._held:
                self._more()
            length_text, _, self._held = self._held.partition(b"\r\n")
            try:
                length = int(length_text.partition(b";")[0], 16)
            except ValueError as error:
                raise _Cut("a chunk without length") from error
            if length == 0:
                return
            if length > ANSWER_BYTES_MAX:
                raise _Cut("the answer is too large")
            chunk = self._exactly(length + 2)
            yield chunk[:-2]

    def _exactly(self, length: int) -> bytes:
        while len(self._held) < length:
            self._more()
        content, self._held = self._held[:length], self._held[length:]
        return content

    def _until_close(self) -> bytes:
        while len(self._held) <= ANSWER_BYTES_MAX:
            try:
                self._more()
            except _Cut:
                return self._held
        raise _Cut("the answer is too large")

    def _more(self) -> None:
        whole_s = QUIET_S if self._limit_s is None else self._limit_s
        left_s = QUIET_S
        if self._deadline_s is not None:
            left_s = self._deadline_s - moments.monotonic_s()
        self._connection.settimeout(max(left_s, LEAST_S))
        try:
            piece = self._connection.recv(65536)
        except TimeoutError as error:
            raise TimeoutError(f"nothing came within {whole_s:g} s") from error
        if not piece:
            raise _Cut("the connection was closed")
        self._held += piece
