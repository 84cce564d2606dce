"""The real Prometheus and Alertmanager on the delivered rules and samples, and who gets the pages.

Owns both processes, the webhook receiver, and how Prometheus is asked. Must not know what is asked.
Everything listens on loopback; the delivered files are taken as they are, only addresses and the
two intervals that a story cannot wait for are replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from hamnd.adapters.clock import SystemClock

CONFIG = Path(__file__).resolve().parents[2] / "config"
RULES = CONFIG / "prometheus/hamnd.rules.yml"
LIMIT_S = 60.0
POLL_S = 0.1


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Receiver:
    """Takes what Alertmanager sends, as a pager does."""

    port: int = 0
    pages: list[tuple[str, str, str]] = field(default_factory=list)
    """(receiver, alert, firing or resolved) in the order in which they came."""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Take one message."""
        body = await request.json()
        self.bodies.append(body)
        self.pages += [
            (request.path.strip("/"), alert["labels"]["alertname"], alert["status"])
            for alert in body["alerts"]
        ]
        return web.Response()

    async def until(self, *page: str) -> None:
        """Wait for a page. Raises AssertionError with those that came."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while page not in self.pages:  # noqa: ASYNC110  (a list tells nobody)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"no page {page}; these came: {self.pages}") from None


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._session = session

    async def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of one call of its API."""
        async with self._session.get(f"{self.url}/api/v1/{path}", params=parameters) as answer:
            told = await answer.json()
        assert told["status"] == "success", (parameters, told)
        return told["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression gives now."""
        found: list[dict[str, Any]] = (await self.ask("query", query=expression))["result"]
        return found

    async def over(self, expression: str, begin: float, end: float) -> list[dict[str, Any]]:
        """Return what an expression gave at any second of a while."""
        told = await self.ask(
            "query_range", query=expression, start=str(begin), end=str(end), step="1"
        )
        found: list[dict[str, Any]] = told["result"]
        return found

    async def until(self, expression: str) -> list[dict[str, Any]]:
        """Wait until an expression gives something."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while True:
                    with contextlib.suppress(aiohttp.ClientError):
                        if found := await self.query(expression):
                            return found
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            targets = await self.ask("targets")
            raise AssertionError(
                f"nothing for {expression}: {json.dumps(targets)[:3000]}"
            ) from None


@dataclass(frozen=True)
class Monitoring:
    """All three."""

    prometheus: Prometheus
    receiver: Receiver
    alertmanager: str
    """Where Alertmanager's API is."""

    def since(self, began: float) -> Callable[[str], Awaitable[list[dict[str, Any]]]]:
        """Return what answers an expression with all that it gave from then to now."""
        until = SystemClock().now().wall_s
        return lambda expression: self.prometheus.over(expression, began, until)

    async def every_rule_is_healthy(self) -> None:
        """Raise AssertionError with a rule that Prometheus could not evaluate."""
        for group in (await self.prometheus.ask("rules"))["groups"]:
            assert all(one["health"] == "ok" for one in group["rules"]), group


@contextlib.asynccontextmanager
async def monitored(
    folder: Path, targets: Sequence[Mapping[str, Any]], scrape: str = "", interval: str = "1s"
) -> AsyncIterator[Monitoring]:
    """Scrape these targets (as in a file of file_sd) and page; `scrape` is put into the job."""
    receiver = Receiver(free_port())
    ports = free_port(), free_port()
    _write(folder, targets, scrape, interval)
    _address(folder, ports[1], receiver.port)
    application = web.Application()
    application.router.add_post("/{receiver}", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", receiver.port).start()
    try:
        async with (
            _running(folder, "prometheus-alertmanager", "--config.file=alertmanager.yml",
                     "--storage.path=alertmanager.data", "--cluster.listen-address=",
                     f"--web.listen-address=127.0.0.1:{ports[1]}"),
            _running(folder, "prometheus", "--config.file=prometheus.yml",
                     "--storage.tsdb.path=prometheus.data",
                     f"--web.listen-address=127.0.0.1:{ports[0]}"),
            aiohttp.ClientSession() as session,
        ):  # fmt: skip
            prometheus = Prometheus(ports[0], session)
            await prometheus.until("vector(1)")
            alertmanager = f"http://127.0.0.1:{ports[1]}/api/v2"
            await _answers(session, f"{alertmanager}/status")
            yield Monitoring(prometheus, receiver, alertmanager)
    finally:
        await runner.cleanup()


async def _answers(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until somebody answers there. Raises TimeoutError."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(POLL_S)


def _write(folder: Path, targets: Sequence[Mapping[str, Any]], scrape: str, interval: str) -> None:
    text = (CONFIG / "prometheus/prometheus.yml").read_text()
    text = re.sub(r"(scrape_interval|evaluation_interval): \S+", rf"\1: {interval}", text)
    assert text.rstrip().endswith("password")
    (folder / "prometheus.yml").write_text(f"{text}{scrape}")
    shutil.copy(RULES, folder)
    (folder / "targets").mkdir()
    (folder / "targets/pairs.yml").write_text(json.dumps(list(targets)))


def _address(folder: Path, alertmanager: int, receiver: int) -> None:
    for name, old, new in (
        ("prometheus/prometheus.yml", "127.0.0.1:9093", f"127.0.0.1:{alertmanager}"),
        ("alertmanager/alertmanager.yml", "127.0.0.1:9095", f"127.0.0.1:{receiver}"),
    ):
        place = folder / Path(name).name
        text = place.read_text() if place.exists() else (CONFIG / name).read_text()
        assert old in text
        place.write_text(text.replace(old, new))
    place = folder / "alertmanager.yml"
    text = place.read_text()
    for slow, quick in {
        "group_wait: 10s": "group_wait: 1s",
        "group_interval: 1m": "group_interval: 1s",
    }.items():
        assert slow in text
        text = text.replace(slow, quick)
    place.write_text(text)


@contextlib.asynccontextmanager
async def _running(folder: Path, *argv: str) -> AsyncIterator[None]:
    """Run a program while the block runs; its log is beside its data."""
    with (folder / f"{argv[0]}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, env={**os.environ, "GOMAXPROCS": "1"},
        )  # fmt: skip
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
