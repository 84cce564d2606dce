"""The read-only pages over TCP: `/metrics` for Prometheus and `/` for people.

Owns the listener, its limits and Prometheus' text formats. Must not know what is shown: callables
give the samples and the page. Nothing that changes anything is reachable here (design §8). aiohttp
and prometheus_client are loaded when they are first needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import structlog

from hamnd.errors import PermanentError
from hamnd.views.samples import Metric, MetricType

if TYPE_CHECKING:
    from aiohttp import web
    from prometheus_client.core import Metric as Family

log = structlog.get_logger(__name__)

Metrics = Callable[[str], tuple[str, bytes]]
"""Takes the Accept header; returns content type and body."""

HEADER_BYTES_MAX = 4_096
HEADERS_MAX = 32
CONNECTIONS_MAX = 32
BACKLOG = 32


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits in seconds."""

    first_request_s: float = 10.0
    keepalive_s: float = 75.0
    """Above the usual scrape interval, so that Prometheus keeps its connection."""
    shutdown_s: float = 1.0


class HttpServer:
    """Listens on one TCP address from `start` to `close`."""

    def __init__(
        self,
        listen: str,
        metrics: Metrics,
        page: Callable[[], str],
        limits: HttpLimits | None = None,
    ) -> None:
        """Take `host:port` (IPv6 in brackets; port 0: any) and who makes the two pages."""
        self._listen = listen
        self._metrics = metrics
        self._page = page
        self._limits = limits or HttpLimits()
        self._listener: asyncio.Server | None = None
        self._server: web.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before `start`."""
        if self._listener is None or not self._listener.sockets:
            return 0
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen.

        Raises:
            PermanentError: the address is malformed, not ours, or in use.
        """
        host, _, port = self._listen.rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            raise PermanentError(f"metrics.listen {self._listen!r} is not HOST:PORT")
        self._server = _http_server(self._answer, self._limits)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._server, host.strip("[]") or None, int(port), backlog=BACKLOG
            )
        except OSError as error:
            raise PermanentError(
                f"metrics cannot be served on {self._listen}: {error.strerror or error}"
            ) from error

    async def close(self) -> None:
        """Stop listening and close all connections."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        self._server.pre_shutdown()
        await self._server.shutdown(self._limits.shutdown_s)
        self._listener = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        if request.method not in ("GET", "HEAD"):
            log.warning("request_refused", method=request.method[:20], path=request.path[:100])
            response = web.Response(status=405, text="read-only\n", headers={"Allow": "GET, HEAD"})
            response.force_close()
            return response
        if request.path == "/metrics":
            content_type, body = self._metrics(request.headers.get("Accept", ""))
            return web.Response(body=body, headers={"Content-Type": content_type})
        if request.path == "/":
            return web.Response(
                text=self._page(),
                content_type="text/html",
                headers={
                    "Cache-Control": "no-store",
                    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
                    "X-Content-Type-Options": "nosniff",
                },
            )
        return web.Response(status=404, text="try /metrics or /\n")


def _http_server(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], limits: HttpLimits
) -> web.Server:
    from aiohttp import web

    loop = asyncio.get_running_loop()

    class Connection(web.RequestHandler):
        """One client; dropped when it says nothing or when there are too many."""

        has_asked = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            assert isinstance(transport, asyncio.Transport)
            if len(server.connections) > CONNECTIONS_MAX:
                log.warning("connection_refused", connections_max=CONNECTIONS_MAX)
                transport.abort()
                return
            loop.call_later(limits.first_request_s, self.drop_if_silent)

        def drop_if_silent(self) -> None:
            if not self.has_asked and self.transport is not None:
                self.transport.abort()

        def handle_error(
            self,
            request: web.BaseRequest,
            status: int = 500,
            exc: BaseException | None = None,
            message: str | None = None,  # noqa: ARG002  (aiohttp's signature)
        ) -> web.StreamResponse:
            if status >= 500 and exc is not None:
                log.error("page_failed", path=request.path[:100], exc_info=exc)
            if request.writer.output_size > 0:
                raise ConnectionError("the answer had already begun")
            response = web.Response(status=status, text="failed\n")
            response.force_close()
            return response

    class Server(web.Server):
        def __call__(self) -> web.RequestHandler:
            return Connection(
                self,
                loop=loop,
                keepalive_timeout=limits.keepalive_s,
                access_log=None,  # type: ignore[arg-type]  # aiohttp takes None for "off"
                max_line_size=HEADER_BYTES_MAX,
                max_field_size=HEADER_BYTES_MAX,
                max_headers=HEADERS_MAX,
                lingering_time=0.0,
                auto_decompress=False,
            )

    async def asked(request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, Connection):
            request.protocol.has_asked = True
        return await answer(request)

    return (server := Server(asked))


class MetricsText:
    """Turns samples into what Prometheus reads, in the format that it asks for."""

    def __init__(self, samples: Callable[[], Iterable[Metric]]) -> None:
        """Take who makes the samples of this moment."""
        self._samples = samples

    def __call__(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body for an Accept header."""
        from prometheus_client.exposition import choose_encoder
        from prometheus_client.registry import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        encode, content_type = choose_encoder(accept)
        body: bytes = encode(registry)
        return content_type, body

    def collect(self) -> Iterator[Family]:
        """Yield the families; called by the registry on every scrape."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        ordered = sorted(self._samples(), key=lambda sample: sample.name)
        for name, group in groupby(ordered, key=lambda sample: sample.name):
            metrics = list(group)
            labels = sorted({label for metric in metrics for label in metric.labels})
            is_counter = metrics[0].type is MetricType.COUNTER
            kind = CounterMetricFamily if is_counter else GaugeMetricFamily
            family = kind(name, metrics[0].help, labels=labels)
            for metric in metrics:
                values = [metric.labels.get(label, "") for label in labels]
                family.add_metric(values, metric.value)
            yield family
