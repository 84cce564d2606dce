"""The read-only pages over TCP: `/metrics` for Prometheus and `/` for people.

Owns the address, which page is where, and Prometheus' text formats. Must not know what is shown:
callables give the samples and the page. Nothing that changes anything is reachable here (design
§8). prometheus_client is loaded when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import structlog

from hamnd.errors import PermanentError
from hamnd.serving import Answer, Asked, Door, Limits, Server
from hamnd.views.samples import Metric, MetricType

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

log = structlog.get_logger(__name__)

Metrics = Callable[[str], tuple[str, bytes]]
"""Takes the Accept header; returns content type and body."""

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

LIMITS = Limits(keepalive_s=75.0, connections_max=32)
"""Connections live above the usual scrape interval, so that Prometheus keeps its own."""

PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


class HttpServer:
    """Listens on one TCP address from `start` to `close`."""

    def __init__(
        self,
        listen: str,
        metrics: Metrics,
        page: Callable[[], str],
        limits: Limits = LIMITS,
    ) -> None:
        """Take `host:port` (IPv6 in brackets; port 0: any) and who makes the two pages."""
        self._listen = listen
        self._metrics = metrics
        self._page = page
        self._server = Server(Door("pages", self._answer, _trouble), limits)

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before `start`."""
        return self._server.port

    async def start(self) -> None:
        """Listen.

        Raises:
            PermanentError: the address is malformed, not ours, or in use.
        """
        host, _, port = self._listen.rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            raise PermanentError(f"metrics.listen {self._listen!r} is not HOST:PORT")
        try:
            await self._server.on_tcp(host.strip("[]") or None, int(port))
        except OSError as error:
            raise PermanentError(
                f"metrics cannot be served on {self._listen}: {error.strerror or error}"
            ) from error

    async def close(self) -> None:
        """Stop listening and close all connections."""
        await self._server.close()

    async def _answer(self, asked: Asked) -> Answer:
        if asked.method not in ("GET", "HEAD"):
            log.warning("request_refused", method=asked.method, path=asked.path[:100])
            return Answer(405, b"read-only\n", TEXT, {"Allow": "GET, HEAD"}, closes=True)
        if asked.path == "/metrics":
            content_type, body = self._metrics(asked.accept)
            return Answer(200, body, content_type)
        if asked.path == "/":
            return Answer(200, self._page().encode(), HTML, PAGE_HEADERS)
        return Answer(404, b"try /metrics or /\n", TEXT)


def _trouble(status: int, sentence: str) -> Answer:
    """Answer what never became a request."""
    return Answer(status, f"{sentence}\n".encode(), TEXT, closes=True)


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
