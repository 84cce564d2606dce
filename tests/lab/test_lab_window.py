"""A takeover inside Db2's peer window, which is over before anybody, or the run, has come to it.

Owns the two nights between real hosts in which a window plan is overtaken by the clock: nothing is
promoted by it any more, hamnd says so, and the next form of the takeover leads on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.lab.lab_nights import TIMES
from tests.lab.site import xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pair import Db2Pair
from tests.lab.site.watcher import Watcher

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", *xcat.PROGRAMS),
]

WINDOW_S = 45
"""Long enough to plan in it on a busy machine, short enough to wait for its end."""
BEFORE_END_S = 10.0
"""A plan expires so long before the window's end at the latest (design §5): margin and steps."""
SAYS_GO = "/run/go"
WAITING = f"""
[[plan.takeover.step]]
id = "say-go"
title = "somebody has to say go"
before = "promote"
command = ["test", "-e", "{SAYS_GO}"]
verify = ["test", "-e", "{SAYS_GO}"]
"""


def in_peer(lab: Lab, more: str = "") -> tuple[Db2Pair, Desk]:
    site = Db2Pair(lab, replace(TIMES, peer_window_s=WINDOW_S))
    site.watch(more=more)
    desk = Desk(site)
    desk.wait_state("Peer")
    site.wait_ready(120)
    return site, desk


def is_in_window(plan: dict[str, Any]) -> bool:
    """Whether it promotes by TAKEOVER … PEER WINDOW ONLY."""
    promote = next(one for one in plan["steps"] if one["id"] == "promote")
    return any("peer window only" in action["preview"].lower() for action in promote["actions"])


def clock(desk: Desk) -> int:
    """The wall clock as hamnd tells it."""
    status = desk.status()
    return 0 if status is None else int(status["generated_at"])


def lose_primary(site: Db2Pair, desk: Desk) -> dict[str, Any]:
    """mn1 loses its power; return the plan that is made at once."""
    site.faults.off(PRIMARY)
    desk.wait_state("PrimaryDown")
    plan = desk.plan()
    assert is_in_window(plan), plan
    return plan


def goes_on(site: Db2Pair, desk: Desk, plan: dict[str, Any]) -> None:
    """Confirm what is offered after the window: by force, for the controller proved the end."""
    assert not is_in_window(plan)
    assert plan["data_loss"]["verdict"] == "zero_proven"
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", STANDBY, timeout_s=120)
    assert confirmed.code == 0, f"{confirmed.text}\n{desk.told()}"
    assert desk.wait_state("Active") == "Active"


def test_a_window_plan_that_nobody_confirmed_in_time_expires_and_the_next_form_is_offered(
    lab: Lab,
) -> None:
    """Given a plan inside the peer window, when it is confirmed too late, then it is refused as
    expired and nothing began; planned anew it is a takeover by force after proof, and loses
    nothing."""
    site, desk = in_peer(lab)
    with Watcher(lab, site.db2.writable) as watcher:
        plan = lose_primary(site, desk)
        assert plan["expires_at"] - plan["created_at"] < WINDOW_S
        wait_until(lambda: clock(desk) > plan["expires_at"] + 1, "it is too late", WINDOW_S)
        refused = site.hamnctl("confirm", plan["digest"], "--name", STANDBY)
        assert refused.code == 3, refused.text
        assert "expired" in refused.text
        assert desk.count("plan_confirmed") == 0
        assert site.db2.writable() == ()
        goes_on(site, desk, desk.plan())
        watcher.settle()
    assert watcher.violations == []
    assert (site.db2.writable(), site.owners()) == ((STANDBY,), [STANDBY])
    assert site.db2.lost(PRIMARY, STANDBY) == 0


def test_a_run_whose_window_is_over_is_led_on_by_a_successor(lab: Lab) -> None:
    """Given a run inside the peer window that waits for a step of the site's own, when it goes on
    only after the window, then Db2 refuses that form, nobody accepts writes, and a successor
    promotes by force after proof, without fencing or losing anything twice."""
    site, desk = in_peer(lab, WAITING)
    with Watcher(lab, site.db2.writable) as watcher:
        plan = lose_primary(site, desk)
        desk.confirm(plan["digest"])
        wait_until(lambda: desk.count("plan_confirmed") > 0, "it is confirmed", 30)
        run = desk.wait_rest()
        assert run is not None
        assert run["paused_step"] == "say-go", run
        end = plan["expires_at"] + BEFORE_END_S
        wait_until(lambda: clock(desk) > end + 1, "the window is over", WINDOW_S)
        lab[STANDBY].write(SAYS_GO, "")
        told = site.hamnctl("retry", timeout_s=120)
        assert told.code == 4, told.text
        run = desk.wait_rest()
        assert run is not None
        assert run["paused_step"] == "promote", run
        assert "SQL1770N" in run["reason"], run
        assert site.db2.writable() == ()
        fenced = desk.count("action_started", "fence")
        goes_on(site, desk, desk.plan("--continue"))
        assert desk.count("action_started", "fence") == fenced
        watcher.settle()
    assert watcher.violations == []
    assert (site.db2.writable(), site.owners()) == ((STANDBY,), [STANDBY])
    assert site.db2.lost(PRIMARY, STANDBY) == 0
