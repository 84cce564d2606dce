"""The pages for monitoring: metrics and the status for a browser, made when somebody asks.

Owns what the two pages are made of, and that a bug in making them shows as a metric instead of an
empty scrape. Must not know HTTP (adapters.http). Nothing here changes anything.
"""

from __future__ import annotations

import contextlib
import html
from collections.abc import AsyncIterator

import structlog

from hamnd import __version__
from hamnd.adapters.http import HttpServer, MetricsText
from hamnd.daemon.handler import ControlHandler
from hamnd.daemon.runtime import Runtime
from hamnd.errors import PermanentError
from hamnd.ports import Clock
from hamnd.views.samples import Measures, Metric, samples
from hamnd.views.status import render_status

log = structlog.get_logger(__name__)

REFRESH_S = 5

BUGS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What pure code raises when it is wrong."""


class Pages:
    """Who makes the pages of this moment."""

    def __init__(self, runtime: Runtime, handler: ControlHandler, clock: Clock) -> None:
        self._runtime = runtime
        self._handler = handler
        self._clock = clock

    @contextlib.asynccontextmanager
    async def served(self, listen: str) -> AsyncIterator[None]:
        """Serve on this address while the block runs; "" serves nothing.

        An address that cannot be had costs the pages and nothing else: watching goes on.
        """
        server = HttpServer(listen, MetricsText(self.metrics), self.page) if listen else None
        if server is not None:
            try:
                await server.start()
            except PermanentError as error:
                log.error("pages_not_served", listen=listen, error=str(error))
                server = None
        try:
            yield
        finally:
            if server is not None:
                await server.close()

    def metrics(self) -> tuple[Metric, ...]:
        """Return every metric of this moment, or the one that says that they cannot be made."""
        help_ = "1 when the metrics of this moment could not be made; see the log."
        runtime, now = self._runtime, self._clock.now()
        age_s = None if runtime.round_at is None else now.since(runtime.round_at)
        measures = Measures(__version__, runtime.probe_durations_s, age_s)
        try:
            made = samples(self._handler.status(), runtime.state, measures)
        except BUGS as error:
            log.error("metrics_not_made", exc_info=error)
            return (Metric("hamnd_scrape_error", help_, 1.0),)
        return (*made, Metric("hamnd_scrape_error", help_, 0.0))

    def page(self) -> str:
        """Return the status screen as a page that renews itself."""
        document = self._handler.status()
        screen = html.escape("\n".join(render_status(document)))
        title = html.escape(f"{document['node']}: {document['state']}")
        return (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
            f'<meta http-equiv=refresh content="{REFRESH_S}">'
            "<style>body{background:#111;color:#ddd;font:15px/1.4 monospace;padding:1em}</style>"
            f"<pre>{screen}</pre></html>\n"
        )
