"""What an operator has to give a word or a name for, between real hosts: attest, override, a liar.

Owns the nights in which no device proves the old primary off. MUST NOT repeat the matrix's faults.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.lab_nights import TIMES
from tests.lab.site import xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.pair import SERVICE_ADDRESS, Db2Pair
from tests.lab.site.watcher import Watcher

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", *xcat.PROGRAMS),
]


def _watching(lab: Lab, agent: str) -> tuple[Db2Pair, Desk]:
    site = Db2Pair(lab, TIMES)
    site.watch(agent=agent)
    desk = Desk(site)
    desk.wait_state("Peer")
    return site, desk


def _fence_gate(desk: Desk) -> str:
    return next(str(gate["verdict"]) for gate in desk.plan()["gates"] if gate["name"] == "fence")


def _planned_on_a_word(site: Db2Pair, desk: Desk, why: str) -> dict[str, Any]:
    """Say that the primary is off, and plan past the gate, whatever loss is shown then accepted."""
    word = ("attest", "primary-off", "--how", "seen", "--reason", why)
    assert site.hamnctl(*word).code == 0
    override = ("--override", "fence", "--reason", why)
    return desk.plan("--accept-loss", desk.plan(*override)["data_loss"]["verdict"], *override)


def _goes_on_without_fence(site: Db2Pair, desk: Desk, watcher: Watcher, why: str) -> None:
    skipped = site.hamnctl("skip", "fence", "--reason", why)
    assert skipped.code == 0, skipped.text
    desk.retry_to_the_end()
    assert desk.wait_state("Active") == "Active"
    watcher.settle()
    assert (site.db2.writable(), site.owners()) == (("mn2",), ["mn2"])


def test_controller_and_primary_dark_together_need_a_word_and_a_named_override(lab: Lab) -> None:
    """Given the controller loses its power with mn1, when the operator has looked at the machine
    and overrides the fence gate by name, then the takeover asks the controller once more, goes on
    when that step is skipped, and the report has the reason."""
    site, desk = _watching(lab, "fence_lab")
    with Watcher(lab, site.db2.writable) as watcher:
        site.faults.off("bmc")
        site.faults.off("mn1")
        desk.wait_state("PrimaryDown")
        # What the controller said last still counts until it is found to be silent.
        wait_until(lambda: _fence_gate(desk) in ("block", "unknown"), "the fence gate forbids", 60)
        refused = site.hamnctl("confirm", desk.plan()["digest"], "--name", "mn2")
        assert refused.code == 3, refused.text
        why = "the LEDs are dark, rack 12"
        plan = _planned_on_a_word(site, desk, why)
        assert plan["data_loss"]["verdict"] != "zero_proven", "a word proves no time of death"
        confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
        # It is asked once more, for a fence that works would be better than any word.
        assert confirmed.code == 4, f"{confirmed.text}\n{desk.told()}"
        assert "PAUSED at fence" in confirmed.text
        _goes_on_without_fence(site, desk, watcher, why)
    assert watcher.violations == []
    assert why in site.hamnctl("report").text
    assert site.db2.lost("mn1", "mn2") == 0


def test_a_controller_that_lies_about_a_primary_that_answers_is_found_out(lab: Lab) -> None:
    """Given an agent that says off and does nothing, when it is told to switch mn1 off while mn1
    answers, then hamnd says that it lies, and nothing is taken over."""
    site, desk = _watching(lab, "fence_lab_lies")
    off = site.lab["mn2"].path("/root/off-mn1")
    off.write_text("ip=10.99.0.5\nusername=admin\npassword=only-in-the-lab\nplug=mn1\naction=off\n")
    site.lab["mn2"].run("sh", "-c", "fence_lab_lies </root/off-mn1")

    def is_found_out() -> bool:
        status = desk.status() or {"conditions": []}
        found = {one["type"]: one["status"] for one in status["conditions"]}
        return found.get("FenceLies") == "True"

    wait_until(is_found_out, "hamnd finds the liar out", 60)
    assert desk.state() in ("Peer", "Degraded")
    assert site.db2.writable() == ("mn1",)
    assert site.owners() == ["mn1"]


def test_an_agent_that_switches_another_host_off_is_found_out(lab: Lab) -> None:
    """Given a controller whose plugs are crossed and mn1 frozen, when the takeover has mn1 switched
    off, then sn2 is; mn1's kernel still answers, and nothing is promoted beside it."""
    site, desk = _watching(lab, "fence_lab_crossed")
    with Watcher(lab, site.db2.writable) as watcher:
        site.faults.freeze("mn1")
        desk.wait_state("PrimaryDown")
        plan = desk.plan()
        plan = desk.plan("--accept-loss", plan["data_loss"]["verdict"])
        confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
        assert confirmed.code == 4, f"{confirmed.text}\n{desk.told()}"
        assert "contradicted: ping was answered" in confirmed.text
        assert not lab["sn2"].is_up
        assert f" {SERVICE_ADDRESS}/" not in lab["mn2"].run("ip", "-o", "addr", "show")
        assert "promote" not in {one.step for one in desk.entries() if one.what == "step_finished"}
        site.faults.heal()
        wait_until(lambda: site.db2.writable() == ("mn1",), "mn1 goes on alone", 60)
        watcher.settle()
    assert watcher.violations == []


def test_an_agent_that_hangs_is_ended_and_what_it_did_is_not_known(lab: Lab) -> None:
    """Given an agent that never ends, when mn1 is dead and the operator says so and overrides the
    gate, then the step ends in its time, its outcome unknown; skipped, the takeover goes on."""
    site, desk = _watching(lab, "fence_lab_hangs")
    with Watcher(lab, site.db2.writable) as watcher:
        site.faults.off("mn1")
        desk.wait_state("PrimaryDown")
        wait_until(lambda: _fence_gate(desk) in ("block", "unknown"), "the fence gate forbids", 60)
        why = "the machine is dark, I stood before it"
        plan = _planned_on_a_word(site, desk, why)
        confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=200)
        assert confirmed.code in (4, 5), f"{confirmed.text}\n{desk.told()}"
        assert "PAUSED at fence" in confirmed.text
        assert site.db2.writable() == ()
        _goes_on_without_fence(site, desk, watcher, why)
    assert watcher.violations == []
