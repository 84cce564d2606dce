"""Every gate of a takeover overridden by name between real hosts, and every kind of word for "off".

Owns the nights in which the operator knows better than a gate: it blocked or did not know, its name
and a reason let the plan pass, and both stand in the report. Accepted losses are the matrix's and
the engines'; gates of other plans are test_lab_overrides_planned's. A few are played in every run,
all in `make matrix`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from hamnd.core.gates.judging import overridable
from hamnd.model.names import PlanKind
from tests.lab.conftest import MATRIX
from tests.lab.lab_nights import TIMES
from tests.lab.site import xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import GATEWAY, PRIMARY, STANDBY, WITNESSES
from tests.lab.site.pair import NO_FILES, Db2Pair
from tests.lab.site.watcher import Watcher
from tests.lab.test_files_copied import CA

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_lab("crontab", "rsync", *xcat.PROGRAMS),
]

WHY = "rack 12, I stood before it"
WORDS = {"seen": "seen switched off", "pulled": "power cable pulled", "facility": "feed cut"}
"""What the report says of each kind of word that an operator gives."""
SWITCH_OFF = "ip=10.99.0.5\nusername=admin\npassword=only-in-the-lab\nplug=mn1\naction=off\n"


def _alone(site: Db2Pair) -> None:
    """Whoever could tell mn2 that it is not the one cut off dies with mn1."""
    for name in (GATEWAY, *WITNESSES, PRIMARY):
        site.faults.off(name)


def _around_again(site: Db2Pair) -> None:
    for name in (GATEWAY, *WITNESSES):
        site.faults.on(name)


def _found_out(site: Db2Pair) -> None:
    """The controller says off while mn1 answers; then mn1 really dies."""
    site.lab[STANDBY].write("/root/off", SWITCH_OFF, 0o600)
    site.lab[STANDBY].run("sh", "-c", "fence_lab_lies </root/off")
    wait_until(lambda: _condition(site, "FenceLies") == "True", "the liar is found out", 60)
    site.faults.off(PRIMARY)


def _apart(site: Db2Pair) -> None:
    """The pair's link is cut; in Peer, which lasts a moment longer, nothing can be confirmed."""
    site.faults.pair_cut()
    Desk(site).wait_state("Degraded")


OBSERVED = """\
[files]
sets = ["credentials"]

[[files.set]]
name = "credentials"
mode = "observe"
check_cron = "* * * * *"
"""
BY_CRON = (
    "cd /etc/xcat && rsync -az ca cert hostkeys mn2:/etc/xcat/ && rsync -az /root/.xcat mn2:/root/"
)
"""This site copies its credentials by its own means."""


def _another_authority(site: Db2Pair) -> None:
    """The CA of mn1 was made anew, and nobody copied it."""
    site.lab[PRIMARY].write(CA, "a CA of another day\n")
    wait_until(lambda: _condition(site, "FilesIdentical") == "False", "the CAs differ", 90)
    site.faults.off(PRIMARY)
    Desk(site).wait_state("PrimaryDown")


def _not_ready(site: Db2Pair) -> None:
    """A program that one step needs is gone."""
    site.lab[STANDBY].run("mv", MAKEGOCONS, f"{MAKEGOCONS}.away")
    wait_until(lambda: site.hamnctl("ready").code != 0, "readiness names it", 90)
    site.faults.off(PRIMARY)
    Desk(site).wait_state("PrimaryDown")


def _ready_again(site: Db2Pair) -> None:
    site.lab[STANDBY].run("mv", f"{MAKEGOCONS}.away", MAKEGOCONS)


MAKEGOCONS = "/opt/xcat/bin/makeconservercf"
XCATD = f"{xcat.FOLDER}/xcatd.py"


def _left_over(site: Db2Pair) -> None:
    """mn1's xcatd is gone for good; who tried to bring it up again there left that plan open."""
    old = site.lab[PRIMARY]
    site.watch(PRIMARY)
    desk = Desk(site, PRIMARY)
    desk.wait_state("Active")
    old.run("mv", XCATD, f"{XCATD}.away")
    old.run("systemctl", "stop", "xcatd")

    def is_planned() -> bool:
        # On mn2's own word that it is a standby nobody has to be switched off.
        steps = site.ask("plan", "resume", node=PRIMARY).get("steps", ())
        return "release" in [one["id"] for one in steps]

    wait_until(is_planned, "it can be brought up again", 60)
    plan = site.ask("plan", "resume", node=PRIMARY)
    tried = site.hamnctl("confirm", plan["digest"], "--name", PRIMARY, node=PRIMARY, timeout_s=180)
    assert tried.code == 4, f"{tried.text}\n{desk.told()}"
    assert "PAUSED at xcatd" in tried.text
    Desk(site).wait_state("PrimaryDown")


def _second_night(site: Db2Pair) -> None:
    """The node was taken over from this very day, and handed back to; nobody looked at why."""
    site.faults.off(PRIMARY)
    site.wait_state("PrimaryDown")
    site.take_over()
    site.faults.on(PRIMARY)
    wait_until(lambda: "digest" in site.ask("plan", "failback"), "it can be taken in", 180)
    site.carry_out("failback", PRIMARY)
    site.wait_state("Peer", limit_s=180)
    site.wait_ready(120)
    site.faults.off(PRIMARY)
    Desk(site).wait_state("PrimaryDown")


@dataclass(frozen=True, slots=True)
class Wilful:
    """What makes the gate stand in the way, and what an operator who overrides it has to mend."""

    gate: str
    strike: Callable[[Db2Pair], None]
    mend: Callable[[Db2Pair], None] = lambda site: site.faults.heal()
    also: tuple[str, ...] = ()
    """Gates that stand in the way for the same reason."""
    skips_fence: bool = False
    """Its step asks the device once more and cannot believe it: naming the gate is no proof."""
    agent: str = "fence_lab"
    files: str = NO_FILES


WILFUL = (
    Wilful("primary-down", _apart),
    Wilful("isolation", _alone, _around_again, also=("primary-down",)),
    Wilful(
        "fence-truth",
        _found_out,
        also=("fence", "primary-down"),
        skips_fence=True,
        agent="fence_lab_lies",
    ),
    Wilful("files", _another_authority, files=OBSERVED),
    Wilful("readiness", _not_ready, _ready_again),
    Wilful("idle", _left_over),
    Wilful("acknowledged", _second_night),
)
IS_WHOLE = bool(os.environ.get(MATRIX))
NIGHTS = WILFUL if IS_WHOLE else tuple(one for one in WILFUL if one.gate == "primary-down")
HOWS = tuple(WORDS) if IS_WHOLE else ("seen",)


ELSEWHERE = {
    "fence": "under a dark controller: test_lab_words",
    "disk": "speaks only when the journal's reserve is spent: then nothing could be written down, "
    "the override neither, and no name changes that",
}
"""The gates that no night here overrides, and why."""


def test_every_gate_that_has_a_name_is_overridden_or_said_why_not() -> None:
    played = {night.gate for night in WILFUL}
    assert played.isdisjoint(ELSEWHERE)
    assert played | set(ELSEWHERE) == set(overridable(PlanKind.TAKEOVER))


def _condition(site: Db2Pair, type_: str) -> str:
    found = {one["type"]: one["status"] for one in site.ask("status")["conditions"]}
    return str(found.get(type_, "absent"))


def _verdicts(plan: dict[str, Any]) -> dict[str, str]:
    return {gate["name"]: gate["verdict"] for gate in plan["gates"]}


def _is_refused_for(desk: Desk, gate: str) -> bool:
    """Whether a plan made now is refused for this gate; while the picture moves, for that."""
    plan = desk.plan()
    refused = desk.site.hamnctl("confirm", plan["digest"], "--name", STANDBY)
    assert refused.code == 3, refused.text
    return _verdicts(plan).get(gate) in ("block", "unknown") and gate in refused.text


def _overriding(*gates: str) -> tuple[str, ...]:
    return tuple(word for gate in gates for word in ("--override", gate, "--reason", WHY))


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.gate)
def test_an_operator_who_knows_better_names_the_gate_and_says_why(lab: Lab, night: Wilful) -> None:
    """Given a gate in the way, when the operator confirms without its name, then it is refused;
    when the gate is named with a reason, there is one management node, and the report has both."""
    site = Db2Pair(lab, TIMES, lambda text: text.replace(NO_FILES, night.files))
    if night.files == OBSERVED:
        lab[PRIMARY].run("sh", "-c", BY_CRON)
    site.watch(agent=night.agent)
    desk = Desk(site)
    desk.wait_state("Peer")
    site.wait_ready(120)
    with Watcher(site.lab, site.db2.writable) as watcher:
        night.strike(site)
        wait_until(lambda: _is_refused_for(desk, night.gate), "the gate is in the way", 90)
        words = _overriding(night.gate, *night.also)
        plan = desk.plan(*words)
        plan = desk.plan("--accept-loss", plan["data_loss"]["verdict"], *words)
        assert _verdicts(plan)[night.gate] == "overridden"
        process = desk.confirm(plan["digest"])
        desk.wait_confirmed(process)
        desk.wait_rest()
        night.mend(site)
        if night.skips_fence:
            skipped = site.hamnctl("skip", "fence", "--reason", WHY)
            assert skipped.code == 0, skipped.text
        desk.retry_to_the_end()
        desk.wait_state("Active")
        watcher.settle()
        assert (site.db2.writable(), site.owners()) == ((STANDBY,), [STANDBY])
    assert watcher.violations == []
    report = site.hamnctl("report").text
    assert night.gate in report
    assert WHY in report


@pytest.mark.parametrize("how", HOWS)
def test_where_a_word_is_enough_each_kind_of_it_lets_the_takeover_go_on(lab: Lab, how: str) -> None:
    """Given a site without controller and witnesses that believes its operator, when mn1 is dead,
    nothing is taken over before somebody says how he knows, and the report has his words."""
    site = Db2Pair(lab, TIMES, _by_word)
    site.watch()
    desk = Desk(site)
    desk.wait_state("Peer")
    with Watcher(site.lab, site.db2.writable) as watcher:
        site.faults.off(PRIMARY)
        desk.wait_state("PrimaryDown")
        wait_until(lambda: _is_refused_for(desk, "fence"), "the gate is in the way", 60)
        told = site.hamnctl("attest", "primary-off", "--how", how, "--reason", WHY)
        assert told.code == 0, told.text
        plan = desk.plan()
        plan = desk.plan("--accept-loss", plan["data_loss"]["verdict"])
        assert _verdicts(plan)["fence"] == "pass"
        assert plan["data_loss"]["verdict"] != "zero_proven", "a word proves no time of death"
        confirmed = site.hamnctl("confirm", plan["digest"], "--name", STANDBY, timeout_s=120)
        assert confirmed.code == 0, f"{confirmed.text}\n{desk.told()}"
        watcher.settle()
        assert (site.db2.writable(), site.owners()) == ((STANDBY,), [STANDBY])
    assert watcher.violations == []
    report = site.hamnctl("report").text
    assert WHY in report
    assert WORDS[how] in report


def _by_word(text: str) -> str:
    """Nothing proves mn1 off: the operator's word is all there is."""
    before, _, rest = text.partition("[fence]")
    _, _, after = rest.partition("[ssh]")
    return f'{before}[fence]\nminimum = "operator"\n\n[witnesses]\nmin = 0\n\n[ssh]{after}'
