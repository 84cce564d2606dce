"""hold and ack at the terminal: how a span or a moment is typed, and what is asked."""

from __future__ import annotations

import pytest

from hamnd.cli import moments
from hamnd.cli.holds import moment_s, span_s
from tests.builders import pair
from tests.unit.cli.conftest import Hamnctl
from tests.unit.cli.fake_daemon import FakeDaemon

DONE = {
    "schema": "hamnd.done/1",
    "done": "anna holds the pages of this pair: new kernel",
    "hold": {"owner": "anna", "reason": "new kernel", "since": 1, "until": 4_000_000_000},
}


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("4h", 14_400), ("1d12h", 129_600), ("7d", 604_800)]
)
def test_a_span_is_read(text: str, seconds: int) -> None:
    assert span_s(text) == seconds


@pytest.mark.parametrize("text", ["4", "h", "4 h", "-4h", "4hours", ""])
def test_what_is_no_span_asks_nothing(hamnctl: Hamnctl, daemon: FakeDaemon, text: str) -> None:
    ended = hamnctl("hold", f"--for={text}", "--reason", "x")
    assert (ended.code, daemon.asked) == (2, [])
    assert "30m, 4h or 1d12h" in ended.err


def test_a_moment_is_utc_unless_it_says_otherwise() -> None:
    assert moment_s("2026-11-30T18:00") == moment_s("2026-11-30T19:00+01:00") == 1_796_061_600


def test_a_clock_time_is_the_next_one() -> None:
    left = moment_s("18:00") - moments.wall_s()
    assert 0 < left <= 86_400


def test_hold_says_what_it_does_and_how_to_end_it(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.changes["hold"] = (200, DONE)
    ended = hamnctl("hold", "--until", "2026-11-30T18:00", "--reason", "new kernel")
    assert ended.code == 0
    assert daemon.asked == [("hold", {"until": 1_796_061_600, "reason": "new kernel"})]
    assert "HOLD" in ended.out
    assert "hamnctl unhold" in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["hold", "--for", "4h"],
        ["hold", "--reason", "x"],
        ["hold", "--for", "4h", "--until", "18:00", "--reason", "x"],
    ],
)
def test_reason_and_one_end_are_needed(
    hamnctl: Hamnctl, daemon: FakeDaemon, arguments: list[str]
) -> None:
    assert hamnctl(*arguments).code == 2
    assert daemon.asked == []


def test_ack_without_a_name_means_the_one_that_waits(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().active())
    daemon.changes["ack"] = (200, {"schema": "hamnd.done/1", "done": "anna acknowledged it"})
    assert hamnctl("ack").code == 0
    assert daemon.asked == [("ack", {"digest": pair().active().state.finished[-1].digest})]


def test_ack_with_nothing_to_acknowledge_asks_nothing(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().in_peer())
    assert hamnctl("ack").code == 3
    assert daemon.asked == []
