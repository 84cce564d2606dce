"""What a watching hamnd costs: CPU of the daemon apart from its children, PSS of its process tree.

Owns the site on which it idles (the demo's world with the default rhythms) and how the kernel's
counters are read. Must not judge. Only Linux tells these figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from hamnd.cli.client import Client, Unreachable
from hamnd.demo.site import DemoDirectory, Times, lay_out
from hamnd.demo.world import World

START_S = 120.0
SAMPLE_S = 2.0
SCRAPES = 500
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
TIMES = Times(hadr_timeout_s=60, peer_window_s=120, xcat_scale=0.05)


@dataclass(frozen=True, slots=True)
class Idle:
    """One measurement."""

    seconds: float
    cpu_percent: float
    """Of one core, the daemon alone."""
    children_percent: float
    """Of one core, everything it started and waited for."""
    pss_mib: float
    """Median of the process tree."""
    scrapes_ms: tuple[float, ...]
    """How long each read of /metrics took."""


def measure(seconds: float, settle_s: float) -> Idle:
    """Let a daemon watch a healthy pair, and count for a while after it has settled."""
    return asyncio.run(_measure(seconds, settle_s))


async def _measure(seconds: float, settle_s: float) -> Idle:
    root = Path(tempfile.mkdtemp(prefix="hb-"))
    try:
        layout = lay_out(root, TIMES)
        layout.config.write_text(_at_default_rhythms(layout.config.read_text()))
        async with World(layout, openssh=False), _daemon(layout) as pid:
            await _until_ready(layout)
            await asyncio.sleep(settle_s)
            return await asyncio.to_thread(_count, pid, seconds, layout.metrics_port)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _at_default_rhythms(text: str) -> str:
    """Take away the demo's haste and its `ping`: the kernel answers on loopback."""
    text = re.sub(r"(?m)^\[watch\]\n(.+\n)*", "", text)
    return re.sub(r"(?m)^ping = .*\n", "", text)


@contextlib.asynccontextmanager
async def _daemon(layout: DemoDirectory) -> AsyncIterator[int]:
    """Run the real daemon and give its process number."""
    with (layout.root / "hamnd.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "hamnd", "--config", str(layout.config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **layout.environment},
        )
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _until_ready(layout: DemoDirectory) -> None:
    client = Client(str(layout.control_socket))
    async with asyncio.timeout(START_S):
        while True:
            with contextlib.suppress(Unreachable):
                status = (await asyncio.to_thread(client.get, "status")).document
                if status.get("state") == "Peer":
                    return
            await asyncio.sleep(0.5)


def _count(pid: int, seconds: float, metrics_port: int) -> Idle:
    """Read the kernel's counters over a while. Blocking."""
    own, children = cpu_s(pid)
    began = time.monotonic()
    trees = []
    while (spent := time.monotonic() - began) < seconds:
        threading.Event().wait(min(SAMPLE_S, seconds - spent))
        trees.append(sum(pss_mib(one) for one in (pid, *descendants(pid))))
    took = time.monotonic() - began
    own_after, children_after = cpu_s(pid)
    return Idle(
        seconds=took,
        cpu_percent=100 * (own_after - own) / took,
        children_percent=100 * (children_after - children) / took,
        pss_mib=statistics.median(trees),
        scrapes_ms=tuple(_scrapes_ms(metrics_port)),
    )


def _scrapes_ms(port: int) -> Iterator[float]:
    """Read /metrics as Prometheus does, over one connection, and yield how long each read took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        for _ in range(SCRAPES):
            began = time.perf_counter()
            connection.request("GET", "/metrics")
            connection.getresponse().read()
            yield 1000 * (time.perf_counter() - began)


def cpu_s(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of a process, and of the children it has waited for (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(one) / TICKS_PER_S for one in fields[11:15])
    return utime + stime, cutime + cstime


def pss_mib(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0  # it has ended meanwhile


def descendants(pid: int) -> Iterator[int]:
    """Yield the number of every process below this one."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(folder.name))
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            yield child
            waiting.append(child)
