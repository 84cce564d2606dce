"""rehearse at the terminal: each step as it comes home, the verdict, the exit code."""

from __future__ import annotations

from typing import Any

import pytest

from hamnd.views.rehearsal import rehearsal_of
from hamnd.views.status import status_document
from tests.builders import Pair, pair
from tests.unit.cli.conftest import Hamnctl
from tests.unit.cli.fake_daemon import FakeDaemon


def status_of(one: Pair) -> dict[str, Any]:
    return status_document(one.state, one.now, one.terms)


def rehearses(daemon: FakeDaemon, failing: str = "") -> None:
    """The daemon begins a rehearsal; the stream tells of it half way, and at its end."""
    begun = status_of(pair().in_peer().rehearsed(failing, is_over=False))
    ended = status_of(pair().in_peer().rehearsed(failing))
    daemon.changes["rehearse"] = (200, rehearsal_of(begun))
    daemon.watch = [begun, begun, ended]


def test_every_step_is_told_once_and_then_the_verdict(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    rehearses(daemon)
    ended = hamnctl("rehearse")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith(" * ")] == [
        *("fuse", "fence", "promote", "identity", "xcatd", "dns", "dhcp", "consoles", "verify")
    ]
    assert any(line.startswith("REHEARSED") for line in lines)
    assert daemon.asked == [("rehearse", {})]


def test_what_would_fail_is_exit_3(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    rehearses(daemon, "fence")
    ended = hamnctl("rehearse")
    assert ended.code == 3
    assert "A TAKEOVER WOULD FAIL" in ended.out
    assert " ! fence " in ended.out


def test_a_daemon_that_goes_away_in_the_middle_is_exit_5(
    hamnctl: Hamnctl, daemon: FakeDaemon
) -> None:
    rehearses(daemon)
    daemon.watch = daemon.watch[:1]
    ended = hamnctl("rehearse")
    assert ended.code == 5
    assert "hamnctl rehearse --last" in ended.err


@pytest.mark.parametrize(("failing", "code"), [("", 0), ("fence", 3)])
def test_last_shows_the_latest_and_begins_none(
    hamnctl: Hamnctl, daemon: FakeDaemon, failing: str, code: int
) -> None:
    daemon.shows(pair().in_peer().rehearsed(failing))
    ended = hamnctl("rehearse", "--last")
    assert (ended.code, daemon.asked) == (code, [])
    assert "9h43m ago" in ended.out


def test_before_the_first_there_is_nothing_to_show(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().in_peer())
    ended = hamnctl("rehearse", "--last")
    assert ended.code == 3
    assert "hamnctl rehearse" in ended.out


def test_as_json_it_is_one_document(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    rehearses(daemon)
    ended = hamnctl("rehearse", "--json")
    assert ended.code == 0
    assert ended.out.count('"schema": "hamnd.rehearsal/1"') == 1
