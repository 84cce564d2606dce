"""The pages for monitoring: metrics and the status for a browser, made when somebody asks.

Owns what the pages are made of, the ring of the latest gaps, and that a bug in making the metrics
shows as a metric instead of an empty scrape. Must not know HTTP (adapters.http) nor markup
(views.page). Nothing here changes anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import structlog

from hamnd import __version__
from hamnd.adapters.http import HttpServer, MetricsText, Shown
from hamnd.daemon.handler import ControlHandler
from hamnd.daemon.runtime import Runtime
from hamnd.errors import PermanentError
from hamnd.model.instant import Instant
from hamnd.model.site import MetricsSite
from hamnd.ports import Clock
from hamnd.views.facts import replication_part
from hamnd.views.page import Dress, Point, page_document, render_page
from hamnd.views.samples import Measures, Metric, samples

log = structlog.get_logger(__name__)

POINTS_MAX = 720
"""The gaps of an hour at the default rhythm of replication."""
EVENT_INTERVAL_S = 2.0
"""How often an open page is told at least; it counts the seconds between by itself."""

BUGS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What pure code raises when it is wrong."""


@cache
def _dress() -> Dress:
    web = files("hamnd.daemon") / "web"
    return Dress((web / "page.css").read_text("utf-8"), (web / "page.js").read_text("utf-8"))


@cache
def _policy() -> str:
    """Return the page's Content-Security-Policy: its own style and script by their hashes."""

    def named(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    dress = _dress()
    return (
        f"default-src 'none'; style-src {named(dress.style)}; script-src {named(dress.script)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    )


class Pages:
    """Who makes the pages of this moment."""

    def __init__(self, runtime: Runtime, handler: ControlHandler, clock: Clock) -> None:
        self._runtime = runtime
        self._handler = handler
        self._clock = clock
        self._points: deque[Point] = deque(maxlen=POINTS_MAX)
        self._read_at: Instant | None = None
        self._began = clock.now()
        self._told: tuple[tuple[int, int], dict[str, Any]] | None = None

    @contextlib.asynccontextmanager
    async def served(self, where: MetricsSite) -> AsyncIterator[None]:
        """Serve as configured while the block runs; an empty address serves nothing.

        An address that cannot be had costs the pages and nothing else: watching goes on.
        """
        server = HttpServer(where, self._shown()) if where.listen else None
        if server is not None:
            try:
                await server.start()
            except PermanentError as error:
                log.error("pages_not_served", listen=where.listen, error=str(error))
                server = None
            else:
                self._runtime.spawn(self._remember(), "gaps")
        try:
            yield
        finally:
            if server is not None:
                await server.close()

    def _shown(self) -> Shown:
        return Shown(
            MetricsText(self.metrics), self.page, _policy(), self._handler.status, self.events
        )

    async def _remember(self) -> None:
        """Keep the gaps of the latest readings, bounded."""
        while True:
            self._note()
            await asyncio.sleep(self._runtime.terms.policy.replication_interval_s)

    def _note(self) -> None:
        view = self._runtime.state.watch.replication
        if view is None or view.observed == self._read_at:
            return
        self._read_at = view.observed
        part = replication_part(view, self._clock.now()) or {}
        point = Point(int(part["observed_at"]), part["gap_bytes"], part["replay_gap_bytes"])
        self._points.append(point)

    def metrics(self) -> tuple[Metric, ...]:
        """Return every metric of this moment, or the one that says that they cannot be made."""
        help_ = "1 when the metrics of this moment could not be made; see the log."
        runtime, now = self._runtime, self._clock.now()
        # A first round that never comes home is a gap as well, and the worst one.
        age_s = now.since(runtime.round_at or self._began)
        measures = Measures(
            __version__, runtime.probe_durations_s, age_s, runtime.answer_gaps.told()
        )
        try:
            made = samples(self._handler.status(), runtime.state, measures)
        except BUGS as error:
            log.error("metrics_not_made", exc_info=error)
            return (Metric("hamnd_scrape_error", help_, 1.0),)
        return (*made, Metric("hamnd_scrape_error", help_, 0.0))

    def page(self) -> str:
        """Return the whole page."""
        self._note()
        return render_page(self._handler.status(), tuple(self._points), _dress())

    def _parts(self) -> dict[str, Any]:
        """Return the page's parts; made once for every page that is open at that moment."""
        moment = self._runtime.version, int(self._clock.now().wall_s)
        if self._told is None or self._told[0] != moment:
            self._told = moment, page_document(self._handler.status(), tuple(self._points))
        return self._told[1]

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the page's parts on every change, and at least every `EVENT_INTERVAL_S`."""
        runtime = self._runtime
        while not runtime.is_draining:
            version = runtime.version
            self._note()
            yield self._parts()
            await runtime.wait_changed(version, EVENT_INTERVAL_S)
