"""The control socket with real clients: good, unauthorised, malformed, oversized, silent."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from hamnd.adapters.control import (
    BODY_BYTES_MAX,
    ControlLimits,
    ControlServer,
    ControlSettings,
)
from hamnd.adapters.peer import PeerIdentity
from hamnd.errors import OutcomeUnknown, PermanentError, RequestRefused
from hamnd.ports import Caller, Request, Response
from hamnd.serving import Limits
from hamnd.wire import Malformed

OPERATOR = Caller(0, 0, 1, "root (login anna)", True)
GUEST = Caller(1000, 1000, 1, "bert", False)


@dataclass
class Daemon:
    """Stands for the runtime: writes down what was asked."""

    caller: Caller = OPERATOR
    requests: list[tuple[Request, Caller]] = field(default_factory=list)
    error: Exception | None = None
    is_stuck: bool = False
    watch_ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def identify(self, connection: socket.socket) -> Caller:
        assert connection.family == socket.AF_UNIX
        return self.caller

    async def handle(self, request: Request, caller: Caller) -> Response:
        self.requests.append((request, caller))
        if self.is_stuck:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return Response(200, {"schema": "hamnd.status/1", "state": "Peer", "ü": 1})

    async def watch(
        self, request: Request, caller: Caller
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        number = int(request.body.get("since", "0"))
        try:
            while True:
                number += 1
                yield {"seq": number}
                await asyncio.sleep(0.01)  # a document at least every so often
        finally:
            self.watch_ended.set()


@asynccontextmanager
async def served(
    folder: Path, daemon: Daemon, limits: ControlLimits | None = None
) -> AsyncIterator[Path]:
    path = folder / "hamnd.sock"
    settings = ControlSettings(path, "root", limits or ControlLimits())
    server = ControlServer(settings, daemon.identify, daemon.handle, daemon.watch)
    await server.start()
    try:
        yield path
    finally:
        await server.close()
    assert not path.exists()


async def raw(path: Path, data: bytes) -> tuple[int, dict[str, Any]]:
    """Send bytes, read one answer."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        async with asyncio.timeout(10):
            writer.write(data)
            return await answer(reader)
    finally:
        writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    assert headers["content-type"] == "application/json"
    body = await reader.readexactly(int(headers["content-length"]))
    document = json.loads(body)
    assert isinstance(document, dict)
    return int(head.split()[1]), document


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: hamnd\r\n\r\n".encode()


def post(target: str, body: bytes | dict[str, Any]) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (
        f"POST {target} HTTP/1.1\r\nHost: hamnd\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        + data
    )


async def test_looking_reaches_the_handler_with_its_query(tmp_path: Path) -> None:
    daemon = Daemon(caller=GUEST)
    async with served(tmp_path, daemon) as path:
        status, document = await raw(path, get("/v1/status?verbose=1"))
    assert (status, document["state"]) == (200, "Peer")
    assert daemon.requests == [(Request("status", {"verbose": "1"}, False), GUEST)]


async def test_a_change_by_an_operator_reaches_the_handler(tmp_path: Path) -> None:
    daemon = Daemon()
    async with served(tmp_path, daemon) as path:
        status, _ = await raw(path, post("/v1/confirm", {"digest": "5f1c", "named": "aixmn2"}))
    assert status == 200
    request, caller = daemon.requests[0]
    assert request == Request("confirm", {"digest": "5f1c", "named": "aixmn2"}, True)
    assert caller.actor == "root (login anna)"


async def test_the_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    async with served(tmp_path, Daemon()) as path:
        status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert grp.getgrgid(status.st_gid).gr_name == "root"


CHUNKED = (
    b"POST /v1/confirm HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n"
)

BAD_REQUESTS = [
    pytest.param(CHUNKED.replace(b"\r\n0\r", b"\r\nzz\r"), 400, OPERATOR, id="bad chunk"),
    pytest.param(post("/v1/confirm", {"digest": "x"}), 403, GUEST, id="unauthorised"),
    pytest.param(get("/v1/nonsense"), 404, OPERATOR, id="unknown verb"),
    pytest.param(get("/metrics"), 404, OPERATOR, id="unknown path"),
    pytest.param(get("/v1/confirm"), 405, OPERATOR, id="looking at a change"),
    pytest.param(post("/v1/status", {}), 405, OPERATOR, id="changing by a look"),
    pytest.param(b"DELETE /v1/status HTTP/1.1\r\nHost: h\r\n\r\n", 405, OPERATOR, id="method"),
    pytest.param(post("/v1/confirm", b"{not json"), 400, OPERATOR, id="no json"),
    pytest.param(post("/v1/confirm", b"[1]"), 400, OPERATOR, id="no object"),
    pytest.param(post("/v1/confirm", b""), 400, OPERATOR, id="empty"),
    pytest.param(post("/v1/confirm", b"\xff\xfe\xfd"), 400, OPERATOR, id="no text"),
    pytest.param(post("/v1/confirm", b"[" * 60_000), 400, OPERATOR, id="nested"),
    pytest.param(
        post("/v1/confirm", b'{"digest": "' + b"x" * BODY_BYTES_MAX + b'"}'),
        413,
        OPERATOR,
        id="oversized",
    ),
    pytest.param(
        b"POST /v1/confirm HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"8000\r\n" + b"x" * 0x8000 + b"\r\n8001\r\n" + b"x" * 0x8001 + b"\r\n0\r\n\r\n",
        413,
        OPERATOR,
        id="oversized in chunks",
    ),
    pytest.param(b"\x16\x03\x01 this is no http\r\n\r\n", 400, OPERATOR, id="no http"),
    pytest.param(
        b"GET /v1/status HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
        400,
        OPERATOR,
        id="large header",
    ),
    pytest.param(get("/v1/status?" + "x" * 9000), 400, OPERATOR, id="long line"),
    pytest.param(
        b"GET /v1/status HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        400,
        OPERATOR,
        id="many headers",
    ),
]


@pytest.mark.parametrize(("data", "expected", "caller"), BAD_REQUESTS)
async def test_a_bad_request_gets_a_json_error_and_a_log_line_and_changes_nothing(
    tmp_path: Path, data: bytes, expected: int, caller: Caller
) -> None:
    daemon = Daemon(caller=caller)
    with capture_logs() as lines:
        async with served(tmp_path, daemon) as path:
            status, document = await raw(path, data)
            assert (await raw(path, get("/v1/ready")))[0] == 200, "the server goes on"
    assert status == expected, document
    assert document["error"]
    assert "hint" in document
    assert [request.verb for request, _ in daemon.requests] == ["ready"]
    refused = [line for line in lines if line["event"] == "request_refused"]
    assert len(refused) == 1
    assert refused[0]["status"] == expected


async def test_a_client_that_leaves_in_mid_request_is_no_error(tmp_path: Path) -> None:
    daemon = Daemon()
    with capture_logs() as lines:
        async with served(tmp_path, daemon) as path:
            for whole in (post("/v1/retry", {"a": 1}), CHUNKED):
                _, writer = await asyncio.open_unix_connection(str(path))
                writer.write(whole[:-4])
                await writer.drain()
                assert (await raw(path, get("/v1/status")))[0] == 200  # so it is being read by now
                writer.transport.abort()
            async with asyncio.timeout(10):
                while [line["event"] for line in lines].count("client_gone") < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    assert [request.verb for request, _ in daemon.requests] == ["status", "status"]
    assert {line["log_level"] for line in lines} == {"info"}


async def test_a_misspelt_verb_gets_a_hint(tmp_path: Path) -> None:
    async with served(tmp_path, Daemon()) as path:
        _, document = await raw(path, get("/v1/statsu"))
    assert "/v1/status" in document["hint"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed("plan", ("kind is missing",)), 400),
        (RequestRefused("plan_is_current", "the primary answers again"), 409),
        (OutcomeUnknown("no decision in time"), 504),
        (PermanentError("the queue is closed"), 503),
    ],
)
async def test_errors_of_the_handler_say_what_the_caller_may_do(
    tmp_path: Path, error: Exception, status: int
) -> None:
    async with served(tmp_path, Daemon(error=error)) as path:
        got, document = await raw(path, post("/v1/plan", {}))
    assert got == status
    assert document["schema"] == "hamnd.error/1"


async def test_a_bug_behind_the_handler_shows_nothing_of_itself(tmp_path: Path) -> None:
    with capture_logs() as lines:
        async with served(tmp_path, Daemon(error=ZeroDivisionError("secret detail"))) as path:
            status, document = await raw(path, get("/v1/status"))
    assert status == 500
    assert "secret" not in json.dumps(document)
    assert any(line["event"] == "request_failed" for line in lines)


async def test_a_stuck_handler_is_an_unknown_outcome(tmp_path: Path) -> None:
    limits = ControlLimits(request_s=0.1)
    async with served(tmp_path, Daemon(is_stuck=True), limits) as path:
        status, document = await raw(path, post("/v1/retry", {}))
    assert status == 504
    assert "unknown" in document["error"]


async def test_a_body_that_never_comes_ends_with_the_limit(tmp_path: Path) -> None:
    daemon = Daemon()
    async with served(tmp_path, daemon, ControlLimits(request_s=0.1)) as path:
        status, _ = await raw(
            path, b"POST /v1/retry HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{"
        )
    assert status == 504
    assert daemon.requests == []


async def test_a_connection_that_asks_nothing_is_closed(tmp_path: Path) -> None:
    async with served(
        tmp_path, Daemon(), ControlLimits(connection=Limits(first_request_s=0.05))
    ) as path:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET /v1/status HT")  # and then nothing: neither this nor that
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_the_longest_silent_connection_makes_room_for_a_new_one(tmp_path: Path) -> None:
    """Given as many idle connections as there may be, then who comes next is answered."""
    limits = ControlLimits(connection=Limits(connections_max=4))
    async with served(tmp_path, Daemon(), limits) as path:
        kept = []
        for _ in range(4):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(get("/v1/status"))
            assert (await answer(reader))[0] == 200
            kept.append((reader, writer))
        assert (await raw(path, get("/v1/status")))[0] == 200
        async with asyncio.timeout(10):
            assert await kept[0][0].read() == b""
        kept[1][1].write(get("/v1/status"))
        assert (await answer(kept[1][0]))[0] == 200
        for _, writer in kept:
            writer.close()


async def test_one_connection_carries_many_requests(tmp_path: Path) -> None:
    async with served(tmp_path, Daemon()) as path:
        reader, writer = await asyncio.open_unix_connection(str(path))
        for _ in range(3):
            writer.write(get("/v1/status"))
            assert (await answer(reader))[0] == 200
        writer.close()


async def test_watch_is_a_stream_of_lines_that_ends_with_its_reader(tmp_path: Path) -> None:
    daemon = Daemon(caller=GUEST)
    async with served(tmp_path, daemon) as path:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET /v1/watch?since=41 HTTP/1.0\r\n\r\n")
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"application/x-ndjson" in head
            assert [json.loads(await reader.readline())["seq"] for _ in range(3)] == [42, 43, 44]
            writer.close()
            await daemon.watch_ended.wait()


async def test_closing_the_server_ends_its_streams(tmp_path: Path) -> None:
    daemon = Daemon()
    async with served(tmp_path, daemon, ControlLimits(connection=Limits(shutdown_s=0.1))) as path:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(get("/v1/watch"))
        await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(10):
        await daemon.watch_ended.wait()
    writer.close()


async def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "hamnd.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with served(tmp_path, Daemon()):
        second = ControlServer(ControlSettings(path, "root"), Daemon().identify, Daemon().handle)
        with pytest.raises(PermanentError, match="another hamnd answers"):
            await second.start()
        assert (await raw(path, get("/v1/status")))[0] == 200


async def test_a_socket_nobody_accepts_on_is_not_stale(tmp_path: Path) -> None:
    path = tmp_path / "hamnd.sock"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        server = ControlServer(ControlSettings(path, "root"), Daemon().identify, Daemon().handle)
        with pytest.raises(PermanentError):
            await server.start()
    assert path.exists()


async def test_another_kind_of_file_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "hamnd.sock"
    path.write_text("precious")
    server = ControlServer(ControlSettings(path, "root"), Daemon().identify, Daemon().handle)
    with pytest.raises(PermanentError, match="is no socket"):
        await server.start()
    assert path.read_text() == "precious"


def test_aiohttp_is_loaded_only_when_a_server_starts() -> None:
    code = (
        "import sys; import hamnd.adapters.control; import hamnd.adapters.http; "
        "import hamnd.adapters.peer; sys.exit('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- who it is -------------------------------------------------------------------------------

ASK = """
import os, socket, sys
groups, uid = [int(g) for g in sys.argv[2].split(",") if g], int(sys.argv[3])
os.setgroups(groups); os.setgid(int(sys.argv[4])); os.setuid(uid)
with socket.socket(socket.AF_UNIX) as it:
    it.connect(sys.argv[1])
    print(it.recv(1000).decode())
"""


async def identified(
    path: Path, identity: PeerIdentity, *argv: str, env: dict[str, str] | None = None
) -> Caller:
    """Connect from another process and return what is known of it."""
    found: asyncio.Future[Caller] = asyncio.get_running_loop().create_future()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport_socket = writer.get_extra_info("socket")
        with socket.socket(fileno=os.dup(transport_socket.fileno())) as real:
            found.set_result(await identity.identify(real))
        writer.write(b"seen")
        writer.close()

    server = await asyncio.start_unix_server(serve, str(path))
    path.chmod(0o777)
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ASK, str(path), *argv, env=env
        )
        async with asyncio.timeout(20):
            assert await process.wait() == 0
            return await found
    finally:
        server.close()


@pytest.fixture
def open_path() -> Any:
    """A place that other users can reach, which pytest's folders are not."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="hamnd-peer-"))
    folder.chmod(0o755)
    yield folder / "s"
    shutil.rmtree(folder)


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
OPERATORS_GID = grp.getgrnam("daemon").gr_gid


@needs_root
async def test_root_may_operate_and_is_called_by_the_login_behind_it(open_path: Path) -> None:
    identity = PeerIdentity("daemon")
    env = {"PATH": os.environ["PATH"], "SUDO_USER": "daemon"}
    caller = await identified(open_path, identity, "", "0", "0", env=env)
    assert (caller.uid, caller.may_operate) == (0, True)
    login_uid = Path("/proc/self/loginuid")
    if login_uid.exists() and int(login_uid.read_text()) != 4_294_967_295:
        pytest.skip("this test runs in a login session, whose name counts")
    assert caller.actor == "root (login daemon)"


@needs_root
@pytest.mark.parametrize(
    ("groups", "gid", "may_operate"),
    [
        (str(OPERATORS_GID), "65534", True),  # by a further group, as the kernel knows it
        ("", str(OPERATORS_GID), True),  # by the first group
        ("", "65534", False),
    ],
)
async def test_membership_in_the_group_decides(
    open_path: Path, groups: str, gid: str, may_operate: bool
) -> None:
    caller = await identified(open_path, PeerIdentity("daemon"), groups, "65534", gid)
    assert (caller.uid, caller.name.split()[0]) == (65534, "nobody")
    assert caller.may_operate is may_operate


@needs_root
async def test_a_named_user_may_operate_and_an_unknown_group_lets_nobody_in(
    open_path: Path,
) -> None:
    named = PeerIdentity("no-such-group", ("nobody",))
    assert (await identified(open_path, named, "", "65534", "65534")).may_operate
    unnamed = PeerIdentity("no-such-group")
    caller = await identified(open_path, unnamed, "", "54321", "54321")
    assert not caller.may_operate
    assert caller.name.startswith("uid 54321")


async def test_without_peer_credentials_the_mode_of_the_socket_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AIX: whoever could connect is in the group of the socket."""
    monkeypatch.delattr(socket, "SO_PEERCRED")
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        caller = await PeerIdentity("system").identify(ours)
    assert caller.may_operate
    assert "system" in caller.actor
