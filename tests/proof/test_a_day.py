"""A day of polls in accelerated time: what a daemon keeps does not grow with how long it watches.

Owns the day of the core (its rounds in virtual time; HAMND_HOURS says how much of a day), and the
hurried minutes of a real daemon whose every rhythm is shortened.
"""

from __future__ import annotations

import gc
import getpass
import os
import tracemalloc
from pathlib import Path
from typing import NamedTuple

import pytest

from hamnd.core.snapshot import dump
from tests.lab.daemon_process import DaemonProcess, daemon_in
from tests.unit.core.story import Story

HOURS = float(os.environ.get("HAMND_HOURS", "0.3"))
SETTLED_S = 300.0
GROWS_MAX_B = 64 * 1024
"""Between the first minutes and the end; a leak of one float a round would be more."""

HASTY = """
[watch]
reach_interval_s = 0.05
reach_suspicion_interval_s = 0.05
probe_timeout_s = 0.5
replication_interval_s = 0.2
readiness_interval_s = 1.0
"""
ROUNDS = 120
LIMIT_S = 240.0


@pytest.mark.sim
@pytest.mark.timeout(0)
def test_a_day_of_polls_leaves_the_state_as_small_as_its_first_minutes() -> None:
    """Given Peer, when hours of polls go by, then neither the state that is written nor the memory
    that it holds has grown."""
    story = Story().in_peer()
    _live(story, SETTLED_S)
    tracemalloc.start()
    try:
        written, held = len(dump(story.state)), _held()
        for _ in range(round(HOURS * 3600.0 / SETTLED_S)):
            _live(story, SETTLED_S)
        assert len(dump(story.state)) <= written + 64
        assert _held() - held < GROWS_MAX_B
    finally:
        tracemalloc.stop()
    assert story.state.state.value == "Peer"


def _live(story: Story, seconds: float) -> None:
    story.live(seconds)
    for kept in (story.decisions, story.records, story.reports, story.hooks, story.routines):
        kept.clear()


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.lab
@pytest.mark.timeout(300)
async def test_hurried_rounds_leave_no_descriptor_thread_or_memory_behind(tmp_path: Path) -> None:
    """Given a daemon whose rhythms are twenty times as fast, when a hundred readings have gone by,
    then it has as many descriptors, threads and as much memory as after the first of them."""
    async with daemon_in(tmp_path, getpass.getuser()) as daemon:
        daemon.configure(daemon.file.read_text() + HASTY)
        await daemon.start()
        await daemon.until(lambda: _calls(daemon) > ROUNDS // 8, LIMIT_S)
        first = await _least_until(daemon, ROUNDS // 4)
        await daemon.until(lambda: _calls(daemon) > ROUNDS, LIMIT_S)
        last = await _least_until(daemon, ROUNDS + ROUNDS // 8)
        assert await daemon.end() == 0
    assert last.descriptors <= first.descriptors + 4
    assert last.threads <= first.threads + 2
    assert last.resident_kib <= first.resident_kib * 1.1


class Things(NamedTuple):
    """What the kernel counts for a process."""

    descriptors: int
    threads: int
    resident_kib: int


async def _least_until(daemon: DaemonProcess, readings: int) -> Things:
    """Return the least of each until then: what is under way comes and goes, a leak stays."""
    seen: list[Things] = []

    def is_over() -> bool:
        seen.append(_things_of(daemon))
        return _calls(daemon) > readings

    await daemon.until(is_over, LIMIT_S)
    return Things(*(min(column) for column in zip(*seen, strict=True)))


def _things_of(daemon: DaemonProcess) -> Things:
    assert daemon.process is not None
    place = Path("/proc") / str(daemon.process.pid)
    status = dict(
        line.split(":", 1) for line in (place / "status").read_text().splitlines() if ":" in line
    )
    resident = int(status["VmRSS"].split()[0])
    return Things(len(list((place / "fd").iterdir())), int(status["Threads"]), resident)


def _calls(daemon: DaemonProcess) -> int:
    return daemon.calls.read_text().count("db2pd") if daemon.calls.exists() else 0
