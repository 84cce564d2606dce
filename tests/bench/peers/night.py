"""One night with one tool: a fault, its word, the order, the promotion, and what came of it.

Owns how each is timed and counted. Must not know any one tool, nor judge. Each night has a lab of
its own. After the promotion the fault lasts for a while, is mended, and is watched once more: what
was cut off or frozen comes back as nobody expects it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.idle import cpu_s, descendants, pss_mib
from tests.bench.peers.tool import LIMIT_S, Tool
from tests.lab.site.hosts import Lab
from tests.lab.site.names import PRIMARY
from tests.lab.site.postgres import Writer
from tests.lab.site.wire import Delay

Make = Callable[[Lab], Tool]

POLL_S = 0.01
ROWS = 100
"""Acknowledged before the fault strikes."""
WATCH_S = 10.0
"""For so long the two databases are watched before the fault is mended, and after it."""
SLOW = Delay(delay_ms=400, loss_percent=30)
"""In each direction, as in design §11."""
FAULTS = {
    "power cut": "off",
    "processes killed": "kill_host",
    "frozen": "freeze",
    "cut without carrier": "cut",
    "cut with carrier": "cut_silently",
}
_pause = threading.Event()


@dataclass(frozen=True, slots=True)
class Night:
    """What one fault came to."""

    told_s: float
    """From the fault to the tool's word."""
    writable_s: float
    """From the order to a standby that takes writes; from the tool's word where it acts alone."""
    both_s: float
    """For so long both databases took writes, of twice WATCH_S."""
    lost: int
    """Rows that the old primary acknowledged and the new one has not."""
    predicted: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a tool takes while nothing happens, all its processes on all hosts."""

    cpu_percent: float
    """Of one core."""
    pss_mib: float


def play(make: Make, fault: str) -> Night:
    """Let one fault strike a healthy pair under writes. Raises TimeoutError."""
    with Lab() as lab:
        tool = make(lab)
        writer = Writer(lab[PRIMARY])
        writer.wait(ROWS)
        began = time.monotonic()
        getattr(tool.faults, FAULTS[fault])(PRIMARY)
        _until(lambda: tool.times_told() > 0, f"{tool.name} tells of: {fault}")
        told = time.monotonic()
        predicted = tool.predicted()
        ordered = time.monotonic()
        if not tool.order():
            ordered = told
        _until(lambda: tool.is_writable, f"the database that {tool.name} promotes takes writes")
        writable = time.monotonic()
        is_frozen = fault == "frozen"
        both_s = 0.0 if is_frozen else _both_writable_s(tool)
        tool.faults.heal()
        both_s += _both_writable_s(tool)
        lost = set(writer.acknowledged) - tool.servers[1].rows()
        return Night(told - began, writable - ordered, both_s, len(lost), predicted)


def _until(is_true: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not is_true():
        if time.monotonic() - began > LIMIT_S:
            raise TimeoutError(f"{what}: not within {LIMIT_S:g} s")
        _pause.wait(POLL_S)


def _both_writable_s(tool: Tool) -> float:
    """Return for how long of WATCH_S both databases took writes."""
    began = before = time.monotonic()
    total = 0.0
    while before - began < WATCH_S:
        are_both = all(one.host.is_up and one.accepts_writes for one in tool.servers)
        now = time.monotonic()
        total += (now - before) * are_both
        before = now
    return total


def alarms_in(make: Make, seconds: float) -> int:
    """Return how often the tool called a slow primary down."""
    with Lab() as lab:
        tool = make(lab)
        tool.faults.slow(PRIMARY, SLOW)
        began, before, alarms = time.monotonic(), tool.times_told(), 0
        while time.monotonic() - began < seconds:
            now = tool.times_told()
            alarms += max(0, now - before)
            before = now
            _pause.wait(POLL_S)
        return alarms


def cost_of(make: Make, seconds: float) -> Cost:
    """Return what the tool takes in so long while nothing happens."""
    with Lab() as lab:
        tool = make(lab)
        own = sorted(_processes(lab, tool.processes))
        before = _cpu_s(own)
        began = time.monotonic()
        _pause.wait(seconds)
        took = time.monotonic() - began
        spent = _cpu_s(own) - before
        now = {*own, *(below for one in own for below in descendants(one))}
        return Cost(100 * spent / took, sum(pss_mib(one) for one in sorted(now)))


def _cpu_s(processes: list[int]) -> float:
    """Return the seconds of these processes and of the children that they have waited for."""
    return sum(sum(cpu_s(one)) for one in processes)


def _processes(lab: Lab, pattern: str) -> Iterator[int]:
    """Yield the processes of all hosts whose command line matches."""
    for host in lab:
        for number in (host.cgroup / "cgroup.procs").read_text().split():
            line = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if re.search(pattern, line):
                yield int(number)
