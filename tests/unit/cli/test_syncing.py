"""`hamnctl sync`: what is asked for, what is drawn meanwhile, and what its exit code says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.unit.cli.conftest import Hamnctl, in_terminal
from tests.unit.cli.fake_daemon import FakeDaemon

NOW = 1_795_310_000
GOING = {
    "number": 7,
    "kind": "copy",
    "elapsed_s": 10.0,
    "phase": "copying",
    "files": 120,
    "files_total": 480,
    "bytes": 2_500_000,
    "bytes_total": 10_000_000,
}


def files(run: dict[str, Any] | None, outcome: str = "done", **more: object) -> dict[str, Any]:
    """What the daemon tells of one set that is copied, or was."""
    told = "mn1: it refused the ssh connection" if outcome != "done" else "2 copied"
    last = {"outcome": outcome, "sentence": told, "ended_at": NOW, "duration_s": 2.5}
    part = {"set": "install", "fresh_as_of": NOW - 60, "stale_after_s": 10_800, "last_run": last}
    return {"generated_at": NOW, "partner": "mn1", "files": [{**part, "run": run, **more}]}


def copying(daemon: FakeDaemon, end: dict[str, Any]) -> None:
    daemon.changes["sync"] = (200, files(GOING))
    daemon.watch = [files(GOING), files({**GOING, "bytes": 5_000_000}), end]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (files(None), 0),
        (files(None, "not_done"), 1),
        (files(None, "not_done", question="mn1 no longer has 3 of 4 entries"), 3),
        (files(None, "unknown"), 5),
    ],
    ids=["done", "not done", "asks", "unknown"],
)
def test_it_waits_for_the_end_and_its_exit_code_tells_it(
    hamnctl: Hamnctl, daemon: FakeDaemon, end: dict[str, Any], code: int
) -> None:
    copying(daemon, end)
    ended = hamnctl("sync", "install")
    assert ended.code == code, ended
    assert daemon.asked == [("sync", {"sets": ["install"]})]
    assert re.search(r"install: [a-z ]+ in 2\.5s", ended.out)


def test_what_may_be_asked_for_besides(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    copying(daemon, files(None))
    ended = hamnctl("sync", "--verify", "--accept-deletions", "--json")
    assert daemon.asked == [("sync", {"sets": [], "verify": True, "accept_deletions": True})]
    assert json.loads(ended.out)["files"][0]["last_run"]["outcome"] == "done"


def test_a_terminal_has_a_bar_with_files_bytes_rate_and_the_time_left(
    hamnctl: Hamnctl, daemon: FakeDaemon
) -> None:
    copying(daemon, files(None))
    code, drawn = in_terminal(hamnctl, "sync", "install")
    assert code == 0, drawn
    plain = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn).split())
    assert "━" in plain
    assert "install: copying, 120 of 480 files" in plain
    assert "2.4 MiB of 9.5 MiB, 244.1 KiB/s, 30 s left" in plain
    assert "4.8 MiB of 9.5 MiB, 488.3 KiB/s, 10 s left" in plain
    assert "install: done in 2.5s: 2 copied" in plain


def test_a_daemon_that_goes_away_leaves_the_outcome_open(
    hamnctl: Hamnctl, daemon: FakeDaemon
) -> None:
    daemon.changes["sync"] = (200, files(GOING))
    daemon.watch = [files(GOING)]
    ended = hamnctl("sync")
    assert ended.code == 5
    assert "hamnctl files" in ended.err + ended.out
