"""SIGKILL at every point of a takeover: after `retry` it ends as if nothing had happened.

A few points, one for each phase, are played in every run of the tests; `make matrix` plays all and
prints a table. Stories are told side by side, one for each core.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab.conftest import MATRIX, PLAYED
from tests.lab.demo_kills import (
    REPRESENTATIVES,
    UNDISTURBED,
    Phase,
    Played,
    Point,
    every_point,
    play,
)
from tests.lab.demo_theatre import Theatre, selected

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

POINTS = every_point() if os.environ.get(MATRIX) else REPRESENTATIVES

LAST_RECORD = {
    Phase.BEGUN: "none",
    Phase.ACTING: "action_started",
    Phase.LOST: "action_started",
    Phase.RESULT: "action_finished",
    Phase.LOOKING: "action_finished",
    Phase.FINISHED: "step_finished",
}
"""The step's last record when the daemon is dead: proof that it died where it should."""

UNKNOWN = {
    Phase.ACTING: "interrupted while it ran: outcome unknown",
    Phase.LOST: "interrupted while it ran: outcome unknown",
    Phase.RESULT: "interrupted before its result was verified",
    Phase.LOOKING: "interrupted before its result was verified",
}
"""What the status has to say of the step after the restart."""

NEVER_TWICE = (
    "db2 takeover hadr on db XCATDB by force peer window only",
    "fence off",
    "ip addr add 127.0.47.110/26 dev lo",
)
"""Changes whose postcondition tells for certain that they were made."""

SEEN = ("crontab -", "crontab -u root -", "systemctl start conserver")
"""Changes that may be left out where the step's looks find that another one has made it so."""


Stories = Theatre[Point, Played]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stories(request: pytest.FixtureRequest) -> AsyncIterator[Stories]:
    """Begin the undisturbed story, then every one that was selected."""
    theatre = Theatre(play, [UNDISTURBED, *selected(request, "point")])
    yield theatre
    await theatre.close()


async def test_nobody_kills_it_and_the_standby_becomes_the_management_node(
    stories: Stories, request: pytest.FixtureRequest
) -> None:
    played = await stories.told(UNDISTURBED)
    request.config.stash[PLAYED].append(played)
    end = played.end
    assert (end.state, end.mode, end.run, end.open_steps) == ("Active", "normal", "done", ())
    assert (end.epoch, end.epoch_owner) == (1, "aixmn2")
    assert end.roles["aixmn2"] == "PRIMARY"
    assert end.power == {"aixmn1": "off", "aixmn2": "up"}
    assert end.holders == ("aixmn2",)
    assert end.units == ("xcatd", "named", "dhcpd", "conserver")
    assert end.crontab is not None
    dangerous = [line for line in end.crontab.splitlines() if "rsync" in line]
    assert len(dangerous) == 2
    assert all(line.startswith("#") for line in dangerous)
    assert {"xcatmn", "cn01", "cn02"} <= set(end.names)
    assert end.reservations == ("cn01", "cn02", "sn01", "sn02")
    assert end.objects == ("cn01", "cn02", "sn01", "sn02"), "no probe is left behind"
    assert (end.predicted, end.report, end.variant) == ("zero_likely", "done", "peer-window-only")
    assert (end.confirmations, end.predictions, end.raised, end.chain) == (1, 1, 1, None)
    assert played.retries == 0
    assert [played.changes[name] for name in NEVER_TWICE] == [1, 1, 1]


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_killed_daemon_is_retried_to_the_same_end(
    stories: Stories, point: Point, request: pytest.FixtureRequest
) -> None:
    plain = await stories.told(UNDISTURBED)
    story = await stories.told(point)
    request.config.stash[PLAYED].append(story)
    assert story.last_record == LAST_RECORD[point.phase]
    _says_what_is_unknown(story)
    _was_let_go_on(story)
    assert story.end == plain.end
    _did_nothing_blindly(story, plain)


def _says_what_is_unknown(story: Played) -> None:
    """It came up again without moving, and told the truth."""
    run = story.paused["run"]
    if story.point == Point("verify", Phase.FINISHED):
        assert (story.paused["state"], run) == ("Active", None)
        return
    assert (story.paused["state"], run["status"]) == ("TakingOver", "paused")
    assert "restarted" in run["reason"]
    (step,) = [step for step in run["steps"] if step["id"] == story.point.step]
    screen = "\n".join(story.screen)
    assert "PAUSED" in screen
    assert "hamnctl retry" in screen
    match story.point.phase:
        case Phase.BEGUN:
            assert step["outcome"] == "pending"
        case Phase.FINISHED:
            assert step["outcome"] == "done"
        case phase:
            assert (step["outcome"], step["sentence"]) == ("unknown", UNKNOWN[phase])
            assert story.point.step in screen


def _was_let_go_on(story: Played) -> None:
    """One retry is enough, unless what was unknown is still unknown."""
    expected = 0 if story.paused["run"] is None else 1
    assert story.retries >= expected
    assert [reason for reason in story.pauses if "unknown" not in reason] == []


def _did_nothing_blindly(story: Played, plain: Played) -> None:
    """Nothing was left out, nothing was done again but what was looked at and found not done."""
    assert story.unlooked == ()
    for name, times in plain.changes.items():
        more = story.changes[name] - times
        most = 1 if name in story.redone and name not in NEVER_TWICE else 0
        least = -1 if name in story.redone and name in SEEN else 0
        assert least <= more <= most, f"{name}: {story.changes[name]} instead of {times}"
    assert set(story.changes) <= set(plain.changes)
