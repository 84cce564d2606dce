"""hamnd killed, and its whole host without power, at every step of a takeover between real hosts.

Owns what must hold: the run is there again and paused, nothing went on by itself, and an operator
who retries, or lets a successor lead on, ends Active with one database and one owner. A few points
are played in every run of the tests; `make matrix` plays all.
"""

from __future__ import annotations

import os

import pytest

from tests.lab.conftest import MATRIX
from tests.lab.lab_crashes import EVERY_CRASH, REPRESENTATIVES, Crash, End, play
from tests.lab.site import xcat
from tests.lab.site.fixtures import needs_lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    needs_lab("crontab", *xcat.PROGRAMS),
]

CRASHES = EVERY_CRASH if os.environ.get(MATRIX) else REPRESENTATIVES


@pytest.mark.parametrize("crash", CRASHES, ids=str)
def test_a_crash_in_a_takeover_is_led_on_to_the_same_end(crash: Crash) -> None:
    """Given a confirmed takeover, when hamnd or its host ends at this step, then it comes back with
    the run paused and says so, and the operator leads it to Active."""
    led = play(crash)
    assert led.violations == []
    assert (led.state, led.writers, led.owners) == ("Active", ("mn2",), ["mn2"])
    assert led.lost == 0
    assert led.promotions <= 1, "what was promoted is never promoted again"
    if crash.is_too_late:
        return  # it was over
    assert led.met
    assert led.first["status"] == "paused"
    assert "restarted" in led.first["reason"] or "reboot" in led.first["reason"]
    assert "PAUSED" in led.screen
    assert "hamnctl retry" in led.screen or "hamnctl plan takeover --continue" in led.screen
    if crash.end is End.DAEMON:
        assert not any(way.startswith("continue") for way in led.ways)
