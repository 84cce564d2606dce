"""The clock of a running process is set by an hour, or the process stands still.

Owns real processes on a clock of their own (libfaketime), which nobody else on this machine sees.
What a wrong clock does to evidence and verdicts is told in tests/unit/core/test_clock.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.demo_stage import stage, until_ready
from tests.lab.site.fixtures import needs

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180), needs("faketime")]

HOUR_S = 3600
STOPPED_S = 6.0
"""Six times what the demo's pair takes to call its primary down."""


def _library() -> str:
    return str(next(Path("/usr/lib").rglob("faketime/libfaketime.so.1")))


SET = """
import asyncio, sys, time
from pathlib import Path
from hamnd.adapters.clock import SystemClock
from hamnd.adapters.scheduler import TickSource

async def live():
    beats = []
    source = TickSource(SystemClock(), compare_s=0.1)
    source.every("reach", 0.1, lambda: beats.append(1))
    source.at("copy", "*/5 * * * *", 0.0, lambda: None)
    source.start()
    for ahead in sys.argv[2:]:
        await asyncio.sleep(0.5)
        seen = len(beats)
        Path(sys.argv[1]).write_text(ahead)
        await asyncio.sleep(1.5)
        print("SEEN", len(beats) - seen, source.next_at("copy") - time.time())
    source.stop()

asyncio.run(live())
"""
"""What gives hamnd its rhythms and schedules, in a process whose clock is set meanwhile."""


@pytest.mark.parametrize("first", [-HOUR_S, HOUR_S])
def test_whoever_sets_the_clock_stops_no_rhythm_and_no_schedule(tmp_path: Path, first: int) -> None:
    """Given a rhythm and a schedule, when the clock is set by an hour and back again, then the one
    goes on as if nothing had been, and the other means the new time."""
    ahead = tmp_path / "ahead"
    ahead.write_text("+0s")
    clock = {
        "LD_PRELOAD": _library(),
        "FAKETIME_TIMESTAMP_FILE": str(ahead),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SET, str(ahead), f"{first:+d}s", "+0s"],
        env={**os.environ, **clock},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("SEEN")]
    assert len(told) == 2
    for beats, pause_s in told:
        assert int(beats) >= 3
        assert 0.0 <= float(pause_s) <= 300.0
    assert done.stdout.count("clock_was_set") == 2


async def test_a_daemon_that_was_stopped_for_a_while_calls_nobody_dead() -> None:
    """Given a pair in Peer, when hamnd is stopped for longer than any silence may last and goes on,
    then it looks before it judges: what it missed was its own fault."""
    async with stage() as one:
        await until_ready(one)
        for _ in range(3):
            await one.signal(signal.SIGSTOP)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(STOPPED_S):
                    await one.ended()
            await one.signal(signal.SIGCONT)
            await until_ready(one)
        told = [str(entry.record.evidence) for entry in one.entries()]
        assert not [text for text in told if "PrimaryDown" in text]
        assert (await one.status())["mode"] == "normal"
