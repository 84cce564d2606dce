"""Gates of plans other than a takeover, overridden by name between real hosts.

Owns those nights over PostgreSQL, and the table of every gate that has a name. Those of a takeover
are test_lab_overrides'.
"""

from __future__ import annotations

import pytest

from hamnd.core.gates.judging import overridable
from hamnd.model.names import PlanKind
from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.watcher import Watcher

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    needs_lab("crontab", "postgres", *xcat.PROGRAMS),
]

WHY = "we know better tonight"
PLAYED = {"partner", "ownership", "preserve_diverged"}
ELSEWHERE = {
    "peer": "its own steps forbid what the gate forbids: nothing is handed over to a database that "
    "does not follow",
    "active": "a node that is not the management node knows of no old primary: no plan comes of it",
    "standby": "a pair is set up from a primary that serves; without one its steps copy nothing",
}
"""Names that only plans besides a takeover have, which no night here overrides, and why."""


def test_every_gate_of_every_plan_is_overridden_or_said_why_not() -> None:
    taken_over = set(overridable(PlanKind.TAKEOVER))
    names = {name for kind in PlanKind for name in overridable(kind)} - taken_over
    assert PLAYED.isdisjoint(ELSEWHERE)
    assert PLAYED | set(ELSEWHERE) == names


def in_peer(lab: Lab, services_fail_after_s: float = 8.0) -> PostgresPair:
    """The pair under hamnd, asynchronous, and ready."""
    default = "service_down_after_s = 8.0"
    patient = f"service_down_after_s = {services_fail_after_s}"
    site = PostgresPair(lab, lambda text: text.replace(default, patient))
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    return site


def refused_for(site: PostgresPair, kind: str, gate: str) -> bool:
    """Whether this plan, confirmed now, is refused for this gate."""
    plan = site.ask("plan", kind)
    verdicts = {one["name"]: one["verdict"] for one in plan.get("gates", ())}
    if verdicts.get(gate) not in ("block", "unknown"):
        return False
    refused = site.hamnctl("confirm", plan["digest"], "--name", STANDBY)
    return refused.code == 3 and gate in refused.text


def carry_out_with(site: PostgresPair, kind: str, gate: str) -> None:
    """Confirm the plan with this gate overridden; the report has name and reason."""
    plan = site.carry_out(kind, STANDBY, "--override", gate, "--reason", WHY)
    assert {one["name"]: one["verdict"] for one in plan["gates"]}[gate] == "overridden"
    report = site.hamnctl("report", plan["digest"]).text
    assert gate in report
    assert WHY in report


def serves_after(site: PostgresPair, kind: str, gate: str) -> None:
    """With the gate overridden mn2 serves, and at no moment both did."""
    with Watcher(site.lab, site.writable) as watcher:
        carry_out_with(site, kind, gate)
        site.wait_state("Active")
        watcher.settle()
    assert watcher.violations == []
    assert (site.writable(), site.owners()) == ((STANDBY,), [STANDBY])


def test_a_primary_whose_xcatd_is_broken_is_handed_over_all_the_same(lab: Lab) -> None:
    """Given mn1's xcatd failing for good while its database serves, when the gate `partner` is
    overridden, then it is handed over in order, and nothing that was written is missing."""
    site = in_peer(lab, services_fail_after_s=600.0)
    writer = site.write()
    writer.wait(100)
    lab[PRIMARY].run("systemctl", "stop", "xcatd")
    wait_until(lambda: refused_for(site, "switchover", "partner"), "the gate is in the way", 60)
    serves_after(site, "switchover", "partner")
    assert set(writer.stop()) <= site.second.rows()


def test_a_database_that_was_promoted_by_hand_is_brought_into_service_by_name(lab: Lab) -> None:
    """Given mn1 dead and mn2's database promoted by hand, the newest epoch naming mn1, when the
    gate `ownership` is overridden, then the plan resume brings up address and services here."""
    site = in_peer(lab)
    site.faults.off(PRIMARY)
    site.wait_state("PrimaryDown")
    site.second.promote()
    wait_until(lambda: refused_for(site, "resume", "ownership"), "the gate is in the way", 60)
    serves_after(site, "resume", "ownership")
    assert "cn1" in lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})


def test_what_only_the_old_primary_has_is_given_up_by_name(lab: Lab) -> None:
    """Given an old primary that returned with transactions of its own, when the gate
    `preserve_diverged` is overridden, then it is made a standby and nothing of them is kept."""
    site = in_peer(lab)
    writer = site.write()
    writer.wait(100)
    site.faults.pair_cut()
    writer.wait(100)
    site.faults.off(PRIMARY)
    site.wait_state("PrimaryDown")
    site.take_over()
    missing = set(writer.stop()) - site.second.rows()
    assert len(missing) > 50, "the lab's own truth"
    site.faults.heal()
    site.faults.on(PRIMARY)
    wait_until(lambda: "digest" in site.ask("plan", "rejoin"), "it can be taken in", 120)
    carry_out_with(site, "rejoin", "preserve_diverged")
    wait_until(lambda: site.ask("status")["protected"] is True, "mn1 protects mn2", 60)
    wait_until(lambda: site.first.rows() == site.second.rows(), "mn1 follows", 30)
    assert (site.writable(), site.owners()) == ((STANDBY,), [STANDBY])
    beside = lab[PRIMARY].run("sh", "-c", f"ls -d {site.first.data}.hamnd-* 2>/dev/null || :")
    assert "hamnd-kept" not in beside
