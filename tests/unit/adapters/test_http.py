"""The read-only listener with a real client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from hamnd.adapters.http import LIMITS, HttpServer, MetricsText
from hamnd.errors import PermanentError
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


@asynccontextmanager
async def served(limits: Limits = LIMITS, listen: str = "127.0.0.1:0") -> AsyncIterator[HttpServer]:
    metrics = MetricsText(lambda: SAMPLES)
    server = HttpServer(listen, metrics, lambda: "<html>Peer</html>", limits)
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

    server = HttpServer("127.0.0.1:0", MetricsText(lambda: SAMPLES), broken)
    await server.start()
    try:
        async with aiohttp.ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{server.port}/") as response:
                assert response.status == 500
                assert "detail" not in await response.text()
            async with client.get(f"http://127.0.0.1:{server.port}/metrics") as response:
                assert response.status == 200
    finally:
        await server.close()


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:", "127.0.0.1:99999", "192.0.2.1:0"])
async def test_an_unusable_address_is_said(listen: str) -> None:
    with pytest.raises(PermanentError):
        async with served(listen=listen):
            pass


async def test_an_address_in_use_is_said() -> None:
    async with served() as server:
        with pytest.raises(PermanentError, match="cannot be served"):
            async with served(listen=f"127.0.0.1:{server.port}"):
                pass
