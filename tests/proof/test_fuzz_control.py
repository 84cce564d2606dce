"""Anything at all on the control socket of a real daemon: the next good client is answered.

Owns the fuzz of the protocol: noise, halves, endless requests, documents of every verb with any
values. What each request means is tested beside wire, control and handler.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.wire import DOCUMENTS, LOOKS, PLAN_KINDS, Field, Form, Verb
from tests.lab.daemon_process import DaemonProcess, daemon_in
from tests.proof.budget import FUZZ, fuzz

pytestmark = pytest.mark.lab

ANSWER_S = 30.0
QUIET_S = 0.1
"""A request that is whole is answered in a hundredth of it; halves are waited for so long."""
ENDLESS_BYTES_MAX = 1_048_576
GROWS_MAX_KIB = 12_288
DESCRIPTORS_MAX = 8
TOLD = {200, 400, 403, 404, 405, 409, 413, 503, 504}
"""Every status that the protocol knows; 500 is an error of ours."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
WATCHED = Verb.WATCH
"""Its answer has no end: what comes first is enough."""


OBSERVED = (("Degraded", None), ("PrimaryDown", "service"))
"""Its primary's host refuses connections: whatever is asked, this is what there is to see."""


class Served:
    """The daemon, and what the kernel counts for it."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon
        self.path = str(daemon.socket)

    def is_well(self) -> None:
        """A good client is answered, and nothing was done that nobody asked for."""
        status, document = self.ask(b"GET /v1/status HTTP/1.1\r\nHost: h\r\n\r\n")
        assert status == 200
        assert document["schema"] == "hamnd.status/1"
        assert document["run"] is None
        assert (document["state"], document["cause"]) in OBSERVED

    def ask(self, request: bytes) -> tuple[int, dict[str, Any]]:
        """Send one whole request and return its answer."""
        with self.connected() as it:
            it.sendall(request)
            data = b""
            while not (told := _answers(data)):
                piece = it.recv(65_536)
                assert piece, "it was closed without an answer"
                data += piece
            return told[0]

    def send(self, request: bytes) -> list[tuple[int, dict[str, Any]]]:
        """Send bytes as far as they are taken; return what is answered before it is quiet."""
        data = b""
        with self.connected() as it:
            it.settimeout(QUIET_S)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
                it.sendall(request)
            with contextlib.suppress(ConnectionResetError, TimeoutError):
                while piece := it.recv(65_536):
                    data += piece
        return _answers(data)

    def leave(self, data: bytes) -> None:
        """Send bytes and go."""
        with self.connected() as it, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            it.sendall(data)

    @contextlib.contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as it:
            it.settimeout(ANSWER_S)
            it.connect(self.path)
            yield it

    def counted(self) -> tuple[int, int]:
        """Return open descriptors and resident KiB."""
        assert self.daemon.process is not None
        place = Path(f"/proc/{self.daemon.process.pid}")
        resident = next(
            int(line.split()[1])
            for line in (place / "status").read_text().splitlines()
            if line.startswith("VmRSS")
        )
        return len(list((place / "fd").iterdir())), resident


def _answers(data: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Take whole answers apart, as strictly as HTTP wants them."""
    found = []
    while data := data.removeprefix(CONTINUE):
        answer = http.client.HTTPResponse(_Given(data))  # type: ignore[arg-type]  # all it needs
        try:
            answer.begin()
            body = answer.read()
        except http.client.IncompleteRead:
            break
        found.append((answer.status, json.loads(body)))
        data = data[data.index(b"\r\n\r\n") + 4 + len(body) :]
    return found


@dataclass
class _Given:
    """What `http.client` takes for a socket."""

    data: bytes

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self.data)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("d")
    with asyncio.Runner() as runner:
        opened = daemon_in(folder, getpass.getuser())
        daemon = runner.run(opened.__aenter__())
        try:
            runner.run(daemon.start())
            runner.run(daemon.until(lambda: "READY=1" in daemon.notifications()))
            one = Served(daemon)
            one.is_well()
            descriptors, resident = one.counted()
            yield one
            one.is_well()
            runner.run(daemon.until(lambda: one.counted()[0] <= descriptors + DESCRIPTORS_MAX))
            assert one.counted()[1] <= resident + GROWS_MAX_KIB * (1 + FUZZ // 50)
            failed = [line for line in daemon.every_line() if line.get("level") == "error"]
            assert failed == []
            assert runner.run(daemon.end()) == 0
        finally:
            runner.run(opened.__aexit__(None, None, None))


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ("", " ", "x" * 501, "a\nb", "\x1b[2J", "\ud800", "5f1c-0001", "mn1", "promote", "seen")
    ),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def _value(field: Field) -> st.SearchStrategy[Any]:
    """Return mostly what the field wants, so that requests come as far as the core."""
    reasons = st.lists(st.fixed_dictionaries({"gate": TEXTS, "reason": TEXTS}), max_size=3)
    wanted: dict[Form, st.SearchStrategy[Any]] = {
        Form.TEXT: TEXTS,
        Form.WORD: st.sampled_from((*field.words, "nonsense")),
        Form.FLAG: st.booleans(),
        Form.MOMENT: st.integers(0, 2**64),
        Form.OVERRIDES: reasons,
        Form.NAMES: st.lists(TEXTS, max_size=3),
    }
    return st.one_of(wanted[field.form], wanted[field.form], JSON)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Verb, bytes]:
    """Draw a verb and a document that is nearly right for it."""
    verb = draw(st.sampled_from([one for one in Verb if one is not WATCHED]))
    body = {
        field.name: draw(_value(field))
        for field in DOCUMENTS.get(verb, ())
        if draw(st.integers(0, 9))
    }
    if draw(st.integers(0, 5)) == 0:
        body[draw(TEXTS)] = draw(JSON)
    return verb, json.dumps(body).encode()


def _request(method: str, target: str, body: bytes, *headers: str) -> bytes:
    lines = (f"{method} {target} HTTP/1.1", "Host: h", *headers, f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode(errors="replace") + body


HEADERS = st.sampled_from(
    (
        *("Content-Length: -1", "Content-Length: 99999999999", "Content-Length: 5, 6"),
        *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Expect: 100-continue"),
        *("Connection: upgrade\r\nUpgrade: websocket", "Connection: close", "Host: ", ": x", "X"),
        *("Content-Encoding: gzip", "Cookie: " + "a=b;" * 100, "X: \x00", "X: \x1b[2J", " folded"),
    )
)
TARGETS = st.one_of(
    st.sampled_from([f"/v1/{one}" for one in Verb if one is not WATCHED]),
    st.sampled_from(
        (
            "*",
            "/",
            "//v1/status",
            "/v1/../v1/status",
            "/v1/status?" + "a=b&" * 200,
            "http://h/v1/run",
        )
    ),
    st.text(max_size=20).map(lambda text: "/v1/" + text.replace(" ", "")),
)
METHODS = st.sampled_from(("GET", "POST", "PUT", "OPTIONS", "CONNECT", "get", "PRI", "G\x00T"))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Draw the bytes of one or some requests, whole or broken."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return draw(st.binary(min_size=1, max_size=500))
    if kind == 1:
        headers = draw(st.lists(HEADERS, max_size=3))
        data = draw(st.binary(max_size=60))
        return _request(draw(METHODS), draw(TARGETS), data, *headers)
    verb, body = draw(documents())
    one = _request("GET" if verb in LOOKS else "POST", f"/v1/{verb}", body)
    if kind == 2:
        at = draw(st.integers(0, len(one) - 1))
        return one[:at] + draw(st.binary(max_size=9)) + one[at + draw(st.integers(0, 9)) :]
    if kind == 3:
        return one * draw(st.integers(2, 5))
    if kind == 4:
        return one[: draw(st.integers(1, len(one)))]
    return one


@fuzz(80)
@given(data=requests())
def test_no_bytes_make_the_daemon_fail_or_hang(served: Served, data: bytes) -> None:
    for status, document in served.send(data):
        assert status in TOLD, (status, document)
        assert document["schema"].startswith("hamnd.")
        if status >= 400:
            assert document["error"]
    served.is_well()


@fuzz(30)
@given(data=requests())
def test_who_leaves_in_the_middle_leaves_nothing_behind(served: Served, data: bytes) -> None:
    served.leave(data)
    served.is_well()


@fuzz(50)
@given(asked=documents())
def test_a_document_is_done_refused_or_wrong_and_says_which(
    served: Served, asked: tuple[Verb, bytes]
) -> None:
    verb, body = asked
    method = "GET" if verb in LOOKS else "POST"
    status, document = served.ask(_request(method, f"/v1/{verb}", body))
    assert status in {200, 400, 409}, document
    if status == 400:
        assert document["problems"]
    served.is_well()


_POST = b"POST /v1/plan HTTP/1.1\r\nHost: h\r\n"
ENDLESS = {
    "a line": (b"GET /v1/", b"a"),
    "a header": (b"GET /v1/status HTTP/1.1\r\nX: ", b"a"),
    "headers": (b"GET /v1/status HTTP/1.1\r\n", b"X: y\r\n"),
    "a body": (_POST + b"Content-Length: 99999999999\r\n\r\n", b"["),
    "chunks": (_POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n[\r\n"),
    "a chunk": (_POST + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", b"["),
    "requests": (b"", b"GET /v1/none HTTP/1.1\r\nHost: h\r\n\r\n"),
    "blank lines": (b"", b"\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_is_ended(served: Served, what: str) -> None:
    """The daemon lets go of a client that goes on for ever, long before its own memory does."""
    first, more = ENDLESS[what]
    piece = more * (16_384 // len(more))
    sent, is_over = 0, False
    with served.connected() as it:
        it.settimeout(2.0)
        try:
            it.sendall(first)
            while sent < ENDLESS_BYTES_MAX:
                it.sendall(piece)
                sent += len(piece)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            is_over = True
    # What HTTP has skipped before a request costs nothing, and ends with the time for a first one.
    assert is_over or what == "blank lines", f"{what}: {sent} bytes"
    served.is_well()


def test_many_problems_are_told_without_keeping_the_others_waiting(served: Served) -> None:
    """A document of thousands of unknown keys is refused at once, and the loop goes on."""
    body = json.dumps({f"k{n:x}": 1 for n in range(5000)}).encode()[:65_000]
    body = body[: body.rindex(b",")] + b"}"
    status, document = served.ask(_request("POST", "/v1/plan", body))
    assert status == 400
    assert len(document["problems"]) < 200
    served.is_well()


def test_every_kind_of_plan_can_be_asked_for(served: Served) -> None:
    """The requests above reach the core: a plan of each kind is shown or refused by name."""
    for kind in PLAN_KINDS:
        body = json.dumps({"kind": kind}).encode()
        status, document = served.ask(_request("POST", "/v1/plan", body))
        assert status in (200, 409), document
