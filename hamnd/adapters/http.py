"""The read-only pages over TCP: `/metrics` for Prometheus, `/` and its stream for people.

Owns the address, who may read (`Access`), which page is where, and Prometheus' text formats. Must
not know what is shown: callables give samples, page and events. Nothing that changes anything is
reachable here (design §8). prometheus_client and ssl are loaded when they are first needed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from hamnd.errors import PermanentError
from hamnd.model.site import MetricsSite
from hamnd.serving import Answer, Asked, Door, Limits, Server, Stream
from hamnd.views.samples import Metric, MetricType

if TYPE_CHECKING:
    import ssl

    from prometheus_client.core import Metric as Family

log = structlog.get_logger(__name__)

Metrics = Callable[[str], tuple[str, bytes]]
"""Takes the Accept header; returns content type and body."""

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"

RETRY_MS = 1000
"""After how long a browser asks again when the stream ended: the daemon may be starting."""
USERS_BYTES_MAX = 65_536

REFRESH_S = 2.0
"""How often the files of the access are looked at: a handshake that fails asks nothing."""

Stamps = tuple[tuple[int, int] | None, ...]

LIMITS = Limits(keepalive_s=75.0, connections_max=32, streams_max=16)
"""Connections live above the usual scrape interval, so that Prometheus keeps its own; however many
pages are open, half of them are left for what is scraped."""

SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the pages show: each callable gives it as it is at that moment."""

    metrics: Metrics
    page: Callable[[], str]
    policy: str
    """Content-Security-Policy of the page: what may run in it, and nothing else."""
    status: Callable[[], Mapping[str, Any]]
    events: Callable[[], AsyncGenerator[Mapping[str, Any], None]]


class Access:
    """Who may read: a certificate and a list of users, each from its own files.

    Files that changed are read anew; what cannot be used then is said, and what was read before
    stays in force. The two do not wait for each other: a user who was taken from the list is out
    although a certificate is damaged.
    """

    def __init__(self, where: MetricsSite) -> None:
        """Take the files' names; nothing is read yet."""
        self._where = where
        self._context: ssl.SSLContext | None = None
        self._users: dict[str, bytes] = {}
        self._certificate_stamps: Stamps = ()
        self._users_stamps: Stamps = ()

    def context(self) -> ssl.SSLContext | None:
        """Read the files and return what TLS is spoken with; None for plain HTTP.

        Every handshake presents the pair that was read last as a whole.

        Raises:
            PermanentError: a file cannot be used; the message names it.
        """
        where = self._where
        self._users_stamps = _stamps(where.users_file)
        self._certificate_stamps = _stamps(where.certificate_file, where.key_file)
        self._read_users()
        self._read_certificate()
        listening = self._context
        if listening is not None:
            listening.sni_callback = self._present
        return listening

    def refresh(self) -> None:
        """Read again what changed."""
        where = self._where
        stamps = _stamps(where.users_file)
        if stamps != self._users_stamps:
            self._users_stamps = stamps
            _renewed(self._read_users, "users")
        stamps = _stamps(where.certificate_file, where.key_file)
        if stamps != self._certificate_stamps:
            self._certificate_stamps = stamps
            _renewed(self._read_certificate, "certificate")

    def admits(self, authorization: str) -> bool:
        """Whether this Authorization header names a user with his password (RFC 7617)."""
        if self._where.users_file is None:
            return True
        scheme, _, told = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, _, password = base64.b64decode(told, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        known = self._users.get(name.decode(errors="replace"))
        # Compared also where there is no such user: the time taken tells nobody who exists.
        is_right = hmac.compare_digest(known if known is not None else b"", password)
        return is_right and known is not None

    def _read_users(self) -> None:
        name = self._where.users_file
        self._users = {} if name is None else _users(Path(name))

    def _read_certificate(self) -> None:
        """Take certificate and key into a context of their own: half a pair never counts."""
        where = self._where
        if where.certificate_file is None:
            return
        import ssl

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(where.certificate_file, where.key_file)
        except (OSError, ssl.SSLError) as error:
            raise PermanentError(
                f"metrics.certificate_file {where.certificate_file} and metrics.key_file "
                f"cannot be used: {error.strerror or error}"
            ) from error
        self._context = context

    def _present(self, client: ssl.SSLObject, _name: str | None, _listening: object) -> None:
        """Called in every handshake, also without a server name (Python's ssl, sni_callback)."""
        if self._context is not None:
            client.context = self._context


def _renewed(read: Callable[[], None], what: str) -> None:
    try:
        read()
    except PermanentError as error:
        outcome = "the one before is in force"
        log.error("access_not_renewed", what=what, error=str(error), outcome=outcome)
    else:
        log.info("access_renewed", what=what)


def _stamps(*names: str | None) -> Stamps:
    """Return what changes with the files; also a mode that lets them be read at last."""
    return tuple(None if name is None else _stamp(Path(name)) for name in names)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes with a file, or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ctime_ns, found.st_ino


def _users(path: Path) -> dict[str, bytes]:
    """Return the passwords by user. Raises PermanentError; the message shows none of them."""
    try:
        with path.open("rb") as file:
            text = file.read(USERS_BYTES_MAX + 1)
    except OSError as error:
        raise PermanentError(
            f"metrics.users_file {path} cannot be read: {error.strerror or error}"
        ) from error
    if len(text) > USERS_BYTES_MAX:
        raise PermanentError(f"metrics.users_file {path} is larger than {USERS_BYTES_MAX} bytes")
    users = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        name, colon, password = line.partition(b":")
        if not (name and colon and password):
            raise PermanentError(f"metrics.users_file {path}: line {number} is not NAME:PASSWORD")
        users[name.decode(errors="replace")] = password
    if not users:
        raise PermanentError(f"metrics.users_file {path} names nobody")
    return users


class HttpServer:
    """Listens on one TCP address from `start` to `close`."""

    def __init__(
        self,
        where: MetricsSite,
        shown: Shown,
        limits: Limits = LIMITS,
        refresh_s: float = REFRESH_S,
    ) -> None:
        """Take `host:port` (IPv6 in brackets; port 0: any), its guards, and what is shown."""
        self._listen = where.listen
        self._access = Access(where)
        self._shown = shown
        self._refresh_s = refresh_s
        self._refreshing: asyncio.TimerHandle | None = None
        self._server = Server(Door("pages", self._answer, _trouble), limits)

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before `start`."""
        return self._server.port

    async def start(self) -> None:
        """Listen.

        Raises:
            PermanentError: the address is malformed, not ours, or in use; or a file of its access
                cannot be used: nothing is served rather than to everybody.
        """
        host, _, port = self._listen.rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            raise PermanentError(f"metrics.listen {self._listen!r} is not HOST:PORT")
        context = self._access.context()
        try:
            await self._server.on_tcp(host.strip("[]") or None, int(port), context)
        except OSError as error:
            raise PermanentError(
                f"metrics cannot be served on {self._listen}: {error.strerror or error}"
            ) from error
        self._refresh()

    def _refresh(self) -> None:
        self._access.refresh()
        loop = asyncio.get_running_loop()
        self._refreshing = loop.call_later(self._refresh_s, self._refresh)

    async def close(self) -> None:
        """Stop listening and close all connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self._server.close()

    async def _answer(self, asked: Asked) -> Answer | Stream:
        self._access.refresh()
        if not self._access.admits(asked.authorization):
            asks = {"WWW-Authenticate": 'Basic realm="hamnd", charset="UTF-8"'}
            return Answer(401, b"name and password are needed\n", TEXT, asks, closes=True)
        if asked.method not in ("GET", "HEAD"):
            log.warning("request_refused", method=asked.method, path=asked.path[:100])
            return Answer(405, b"read-only\n", TEXT, {"Allow": "GET, HEAD"}, closes=True)
        match asked.path:
            case "/metrics":
                content_type, body = self._shown.metrics(asked.accept)
                return Answer(200, body, content_type)
            case "/":
                headers = {**SAFE, "Content-Security-Policy": self._shown.policy}
                return Answer(200, self._shown.page().encode(), HTML, headers)
            case "/status.json":
                return Answer(200, json.dumps(self._shown.status()).encode(), JSON, SAFE)
            case "/events" if asked.method == "GET":
                return Stream(_as_events(self._shown.events()), EVENTS, SAFE)
        return Answer(404, b"try /metrics, / or /status.json\n", TEXT)


async def _as_events(documents: AsyncGenerator[Mapping[str, Any], None]) -> AsyncGenerator[bytes]:
    """Write documents as server-sent events (HTML standard, section 9.2)."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    try:
        async for document in documents:
            yield f"data: {json.dumps(document)}\n\n".encode()
    finally:
        await documents.aclose()


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
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        ordered = sorted(self._samples(), key=lambda sample: sample.name)
        for name, group in groupby(ordered, key=lambda sample: sample.name):
            metrics = list(group)
            labels = sorted({label for metric in metrics for label in metric.labels})
            if metrics[0].type is MetricType.HISTOGRAM:
                histogram = HistogramMetricFamily(name, metrics[0].help, labels=labels)
                for metric in metrics:
                    values = [metric.labels.get(label, "") for label in labels]
                    histogram.add_metric(values, metric.buckets, metric.value)
                yield histogram
                continue
            is_counter = metrics[0].type is MetricType.COUNTER
            kind = CounterMetricFamily if is_counter else GaugeMetricFamily
            family = kind(name, metrics[0].help, labels=labels)
            for metric in metrics:
                values = [metric.labels.get(label, "") for label in labels]
                family.add_metric(values, metric.value)
            yield family
