"""The read-only listener with a real client."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from hamnd.adapters.http import LIMITS, Access, HttpServer, MetricsText, Shown
from hamnd.errors import PermanentError
from hamnd.model.site import MetricsSite
from hamnd.serving import Limits
from hamnd.views.samples import Metric, MetricType

SAMPLES = (
    Metric("hamnd_state", "What this node is.", 1.0, {"state": "Peer"}),
    Metric("hamnd_protected", "Protected.", 1.0, {"status": "true"}),
    Metric("hamnd_state", "What this node is.", 0.0, {"state": "Degraded"}),
    Metric(
        "hamnd_takeovers_total",
        "Finished runs.",
        2.0,
        {"kind": "takeover", "outcome": 'do"ne'},
        MetricType.COUNTER,
    ),
)


def shown(page: Callable[[], str] = lambda: "<html>Peer</html>") -> Shown:
    async def events() -> AsyncGenerator[dict[str, Any], None]:
        yield {"state": "Peer"}
        yield {"state": "Degraded"}

    metrics = MetricsText(lambda: SAMPLES)
    return Shown(metrics, page, "default-src 'none'", lambda: {"state": "Peer"}, events)


@asynccontextmanager
async def served(
    limits: Limits = LIMITS, where: MetricsSite | None = None, what: Shown | None = None
) -> AsyncIterator[HttpServer]:
    server = HttpServer(where or MetricsSite("127.0.0.1:0"), what or shown(), limits, 0.05)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def test_metrics_come_in_the_format_that_was_asked_for() -> None:
    async with served() as server, aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{server.port}/metrics"
        async with client.get(url) as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain")
            text = await response.text()
        assert 'hamnd_state{state="Peer"} 1.0\nhamnd_state{state="Degraded"} 0.0\n' in text
        assert "# TYPE hamnd_state gauge" in text
        assert "# TYPE hamnd_takeovers_total counter" in text
        assert 'hamnd_takeovers_total{kind="takeover",outcome="do\\"ne"} 2.0' in text
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with client.get(url, headers=accept) as response:
            assert response.headers["Content-Type"].startswith("application/openmetrics-text")
            assert (await response.text()).endswith("# EOF\n")


async def test_the_page_is_html_and_runs_nothing() -> None:
    async with (
        served() as server,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{server.port}/") as response,
    ):
        assert response.status == 200
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert await response.text() == "<html>Peer</html>"


@pytest.mark.parametrize("path", ["/", "/metrics", "/v1/confirm"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_can_be_changed_over_tcp(method: str, path: str) -> None:
    async with served() as server, aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{server.port}{path}"
        async with client.request(method, url, data=b"{}") as response:
            assert response.status == 405


async def test_other_paths_are_not_found_and_noise_is_refused() -> None:
    async with served() as server:
        async with aiohttp.ClientSession() as client:
            for path in ("/v1/status", "/etc/passwd", "/metrics/"):
                async with client.get(f"http://127.0.0.1:{server.port}{path}") as response:
                    assert response.status == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\x16\x03\x01\x02\x00 noise\r\n\r\n")
        async with asyncio.timeout(10):
            assert (await reader.read()).startswith(b"HTTP/1.0 400")
        writer.close()


async def test_a_silent_connection_is_closed() -> None:
    async with served(Limits(first_request_s=0.05)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_a_page_that_fails_is_an_error_and_the_server_goes_on() -> None:
    def broken() -> str:
        raise ZeroDivisionError("detail")

    async with served(what=shown(broken)) as server, aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{server.port}/") as response:
            assert response.status == 500
            assert "detail" not in await response.text()
        async with client.get(f"http://127.0.0.1:{server.port}/metrics") as response:
            assert response.status == 200


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:", "127.0.0.1:99999", "192.0.2.1:0"])
async def test_an_unusable_address_is_said(listen: str) -> None:
    with pytest.raises(PermanentError):
        async with served(where=MetricsSite(listen)):
            pass


async def test_an_address_in_use_is_said() -> None:
    async with served() as server:
        with pytest.raises(PermanentError, match="cannot be served"):
            async with served(where=MetricsSite(f"127.0.0.1:{server.port}")):
                pass


async def test_the_stream_is_of_server_sent_events() -> None:
    async with (
        served() as server,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{server.port}/events") as response,
    ):
        assert response.content_type == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        blocks = (await response.text()).split("\n\n")
    assert blocks[0].startswith("retry: ")
    told = [json.loads(block.removeprefix("data: ")) for block in blocks[1:-1]]
    assert told == [{"state": "Peer"}, {"state": "Degraded"}]


# Clients that take without end


def endless() -> Shown:
    """A page whose stream never ends, with more in each piece than a socket holds."""

    async def events() -> AsyncGenerator[dict[str, Any], None]:
        while True:
            yield {"much": "x" * 1_000_000}
            await asyncio.sleep(0)

    return replace(shown(), events=events)


def calm() -> Shown:
    """A page whose stream tells a little, again and again."""

    async def events() -> AsyncGenerator[dict[str, Any], None]:
        while True:
            yield {"state": "Peer"}
            await asyncio.sleep(0.05)

    return replace(shown(), events=events)


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def asking(port: int, path: str) -> Client:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return reader, writer


async def first_line(client: Client) -> bytes:
    async with asyncio.timeout(10):
        return await client[0].readline()


async def test_metrics_are_answered_however_many_pages_are_open() -> None:
    limits = replace(LIMITS, connections_max=8, streams_max=4)
    async with served(limits, what=calm()) as server:
        pages = [await asking(server.port, "/events") for _ in range(4)]
        assert [await first_line(one) for one in pages] == [b"HTTP/1.1 200 OK\r\n"] * 4
        more = [await asking(server.port, "/events") for _ in range(20)]
        assert all([b" 503 " in await first_line(one) for one in more])
        scrape = await asking(server.port, "/metrics")
        assert await first_line(scrape) == b"HTTP/1.1 200 OK\r\n"
        pages.pop()[1].close()
        await opened(server.port)
        for _, writer in (*pages, *more, scrape):
            writer.close()


async def opened(port: int) -> None:
    """Wait until there is room for a page again."""
    async with asyncio.timeout(10):
        while True:
            page = await asking(port, "/events")
            line = await first_line(page)
            page[1].close()
            if b" 200 " in line:
                return


async def test_a_page_that_takes_nothing_is_let_go_and_its_place_is_free() -> None:
    limits = replace(LIMITS, streams_max=1, write_s=0.2)
    async with served(limits, what=endless()) as server:
        deaf = await asking(server.port, "/events")
        assert b" 200 " in await first_line(deaf)
        deaf[1].transport.pause_reading()  # type: ignore[attr-defined]
        await opened(server.port)
        deaf[1].close()


async def test_idle_connections_do_not_keep_a_scrape_out() -> None:
    limits = replace(LIMITS, connections_max=4)
    async with served(limits) as server:
        idle = [await asking(server.port, "/metrics") for _ in range(4)]
        assert [await first_line(one) for one in idle] == [b"HTTP/1.1 200 OK\r\n"] * 4
        scrape = await asking(server.port, "/metrics")
        assert b" 200 " in await first_line(scrape)
        for _, writer in (*idle, scrape):
            writer.close()


async def test_handshakes_that_never_end_cost_no_more_descriptors_than_connections(
    tmp_path: Path,
) -> None:
    """Given hundreds who say nothing to TLS, then a scrape is answered and few are open."""
    where = replace(guarded(tmp_path), users_file=None)
    limits = replace(LIMITS, connections_max=8)
    async with served(limits, where) as server:
        assert await subject(server.port) == "first"
        before = len(os.listdir("/proc/self/fd"))
        with capture_logs() as logs:
            silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
            assert await subject(server.port) == "first"
        assert len(os.listdir("/proc/self/fd")) - before - len(silent) <= 16
        assert len(logs) <= 4, "a line for each of them fills a disk"
        for _, writer in silent:
            writer.close()


async def test_when_everybody_is_at_work_the_next_is_told_so() -> None:
    limits = replace(LIMITS, connections_max=2, streams_max=2)
    async with served(limits, what=calm()) as server:
        pages = [await asking(server.port, "/events") for _ in range(2)]
        assert all([b" 200 " in await first_line(one) for one in pages])
        turned_away = await asking(server.port, "/metrics")
        with suppress(ConnectionError):
            assert b" 503 " in await first_line(turned_away)
        for _, writer in (*pages, turned_away):
            writer.close()


# Who may read


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for loopback and its key, as a site's own authority would."""
    made, key = folder / "metrics.crt", folder / "metrics.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return made, key


def guarded(folder: Path) -> MetricsSite:
    made, key = certificate(folder, "first")
    users = folder / "users"
    users.write_text("# who may read\nprometheus:se:cret\nboard:other\n")
    return MetricsSite("127.0.0.1:0", str(made), str(key), str(users))


def basic(name: str, password: str) -> str:
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


async def test_with_a_certificate_only_tls_is_spoken(tmp_path: Path) -> None:
    where = replace(guarded(tmp_path), users_file=None)
    trusted = ssl.create_default_context(cafile=where.certificate_file)
    async with served(where=where) as server, aiohttp.ClientSession() as client:
        address = f"127.0.0.1:{server.port}/metrics"
        async with client.get(f"https://{address}", ssl=trusted) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await client.get(f"http://{address}")


async def test_a_renewed_certificate_is_taken_up_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    where = replace(guarded(tmp_path), users_file=None)
    async with served(where=where) as server:
        assert await subject(server.port) == "first"
        certificate(tmp_path, "second")
        await presented(server.port, "second")
        Path(str(where.certificate_file)).write_text("damaged")
        with capture_logs() as logs:
            await logged(logs, "access_not_renewed")
        assert await subject(server.port) == "second"


async def test_half_a_renewed_pair_keeps_the_pair_before_until_its_key_comes(
    tmp_path: Path,
) -> None:
    """Given a certificate that was put in place before its key, then every client goes on."""
    where = replace(guarded(tmp_path), users_file=None)
    (away := tmp_path / "away").mkdir()
    new, key = certificate(away, "second")
    async with served(where=where) as server:
        with capture_logs() as logs:
            os.replace(new, str(where.certificate_file))
            await logged(logs, "access_not_renewed")
        for _ in range(3):
            assert await subject(server.port) == "first"
        os.replace(key, str(where.key_file))
        await presented(server.port, "second")


async def presented(port: int, name: str) -> None:
    """Wait until new connections are shown that certificate; every one on the way is answered."""
    async with asyncio.timeout(10):
        while await subject(port) != name:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.01)


async def logged(logs: Sequence[Mapping[str, Any]], event: str) -> None:
    async with asyncio.timeout(10):
        while not any(line["event"] == event for line in logs):  # noqa: ASYNC110  (a list tells nobody)
            await asyncio.sleep(0.01)


def test_a_user_who_was_removed_is_out_although_the_certificate_is_damaged(tmp_path: Path) -> None:
    where = guarded(tmp_path)
    access = Access(where)
    access.context()
    board = basic("board", "other")
    assert access.admits(board)
    Path(str(where.certificate_file)).write_text("damaged")
    Path(str(where.users_file)).write_text("prometheus:secret\n")
    access.refresh()
    assert not access.admits(board)


async def test_a_users_file_that_is_too_long_serves_nobody(tmp_path: Path) -> None:
    """Given one user more than is read, then he is not left out in silence."""
    where = replace(guarded(tmp_path), certificate_file=None, key_file=None)
    Path(str(where.users_file)).write_text("user:secret\n" * 6000)
    with pytest.raises(PermanentError, match="larger than"):
        async with served(where=where):
            pass


async def subject(port: int) -> str:
    """Ask for the metrics over a connection of its own; return whom the certificate names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown_der = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    return "second" if b"second" in shown_der else "first"


@pytest.mark.parametrize(
    ("user", "status"),
    [
        (("prometheus", "se:cret"), 200),
        (("board", "other"), 200),
        (("board", "se:cret"), 401),
        (("nobody", ""), 401),
        (("", ""), 401),
        (None, 401),
    ],
)
async def test_only_who_is_named_with_his_password_may_read(
    tmp_path: Path, user: tuple[str, str] | None, status: int
) -> None:
    where = replace(guarded(tmp_path), certificate_file=None, key_file=None)
    told = {} if user is None else {"Authorization": basic(*user)}
    async with served(where=where) as server, aiohttp.ClientSession(headers=told) as client:
        for path in ("/", "/metrics", "/events", "/status.json", "/other"):
            async with client.get(f"http://127.0.0.1:{server.port}{path}") as response:
                assert response.status == (404 if (path, status) == ("/other", 200) else status)
                if status == 401:
                    assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", ["", "Basic", "Basic %%%", "Basic YQ==", "Bearer YTpi", "x y"])
def test_what_is_no_name_with_a_password_admits_nobody(tmp_path: Path, header: str) -> None:
    where = guarded(tmp_path)
    access = Access(where)
    access.context()
    assert not access.admits(header)


def test_a_changed_users_file_counts_at_once(tmp_path: Path) -> None:
    where = replace(guarded(tmp_path), certificate_file=None, key_file=None)
    access = Access(where)
    access.context()
    board = basic("board", "other")
    assert access.admits(board)
    users = Path(str(where.users_file))
    new = users.with_name("new")
    new.write_text("prometheus:secret\n")
    os.replace(new, users)
    access.refresh()
    assert not access.admits(board)


@pytest.mark.parametrize("text", ["", "# nobody\n", "prometheus\n", ":secret\n", "prometheus:\n"])
async def test_a_users_file_that_names_nobody_serves_nobody(tmp_path: Path, text: str) -> None:
    where = replace(guarded(tmp_path), certificate_file=None, key_file=None)
    Path(str(where.users_file)).write_text(text)
    with pytest.raises(PermanentError, match="users_file") as refused:
        async with served(where=where):
            pass
    assert "secret" not in str(refused.value)


async def test_a_missing_certificate_serves_nobody(tmp_path: Path) -> None:
    where = replace(guarded(tmp_path), certificate_file=str(tmp_path / "none"))
    with pytest.raises(PermanentError, match="certificate_file"):
        async with served(where=where):
            pass
