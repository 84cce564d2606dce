"""A whole takeover of a real PostgreSQL pair: what the writer lost, and what hamnd had said.

Owns those stories, asynchronous and synchronous, and the three ways in which a primary can be down.
What was acknowledged and is missing must never be more than the verdict that was confirmed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from hamnd.core.replication.postgresql import ENGINE
from hamnd.dialects.shielding import TABLE
from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.ledger import Ledger, check_loss
from tests.lab.site.names import CLUSTER
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.pg_truth import examine
from tests.lab.site.stepping import StepFailed, carry_out, terms_of

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", "postgres", *xcat.PROGRAMS),
]

Fault = Callable[[PostgresPair], None]


@pytest.fixture(params=[False, True], ids=["async", "sync"])
def site(lab: Lab, request: pytest.FixtureRequest) -> PostgresPair:
    site = PostgresPair(lab, synchronous=request.param)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    return site


def power_cut(site: PostgresPair) -> None:
    site.faults.off("mn1")


def freeze(site: PostgresPair) -> None:
    site.faults.freeze("mn1")


def kill_database(site: PostgresPair) -> None:
    site.first.stop("immediate")


SAID: dict[bool, dict[Fault, str]] = {
    True: {power_cut: "zero_proven", kill_database: "zero_likely", freeze: "zero_likely"},
    False: {power_cut: "bounded", kill_database: "unknown", freeze: "unknown"},
}
"""What can be said of a pair, synchronous or not: only a primary that is proven off has an end."""


@pytest.mark.parametrize("fault", [power_cut, kill_database, freeze])
def test_a_takeover_loses_no_more_than_was_said(site: PostgresPair, fault: Fault) -> None:
    """Given a pair in Peer under writes, when the primary goes down and the operator confirms the
    plan with the loss that it shows, then mn2 is Active and alone, and what is missing is no more
    than that loss."""
    ledger = Ledger(site.write())
    ledger.writer.wait(200)
    broken = time.perf_counter()
    fault(site)
    site.wait_state("PrimaryDown")
    plan = site.take_over()
    acknowledged = ledger.close()
    assert site.writable() == ("mn2",)
    assert site.owners() == ["mn2"]
    missing = set(acknowledged) - site.second.rows()
    check_loss(plan["data_loss"], missing, acknowledged, (ledger, broken))
    assert plan["data_loss"]["verdict"] == SAID[site.synchronous][fault]
    site.second.sql("INSERT INTO lab_rows VALUES (0)")
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    service = CLUSTER.address("mn")
    assert site.lab["sn1"].run("dig", "+short", f"@{service}", "mn.cluster.test").strip() == service


def test_what_was_written_without_the_standby_is_in_the_verdict(site: PostgresPair) -> None:
    """Given a pair whose replication alone is cut, the primary written to on and on (a waiting one
    after somebody there ended the waiting), when it loses its power, then the plan says how many
    seconds are lost, and no more are missing."""
    ledger = Ledger(site.write())
    ledger.writer.wait(100)
    site.faults.drop_port("mn1", 5432, "mn2")
    if site.synchronous:
        site.first.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        site.first.sql("SELECT pg_reload_conf()")
    ledger.writer.wait(100)
    wait_until(lambda: site.ask("status")["replication"]["state"] == "stale", "a stale link", 60)
    assert site.wait_state("Degraded") == "Degraded"
    broken = time.perf_counter()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    plan = site.take_over()
    assert plan["data_loss"]["verdict"] == "bounded"
    acknowledged = ledger.close()
    missing = set(acknowledged) - site.second.rows()
    assert len(missing) > 50, "the lab's own truth"
    check_loss(plan["data_loss"], missing, acknowledged, (ledger, broken))


def test_an_old_primary_that_returns_is_held_off_examined_and_rejoined(lab: Lab) -> None:
    """Given an asynchronous pair cut apart under writes, mn1 then killed and taken over from, when
    mn1 comes back and serves its database to itself as it was told to at boot, then it holds no
    address of the management node and is refused by the shield; its own log tells no fewer
    transactions than are missing, and the report says so; rejoined, it follows mn2."""
    site = PostgresPair(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    matches = {one["type"]: one["status"] for one in site.ask("status")["conditions"]}
    assert matches["CfglocMatches"] == "True"
    ledger = Ledger(site.write())
    ledger.writer.wait(100)
    site.faults.pair_cut()
    ledger.writer.wait(100)
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    site.take_over()
    missing = set(ledger.close()) - site.second.rows()
    assert len(missing) > 50
    site.second.sql("INSERT INTO lab_rows VALUES (0)")
    site.faults.heal()
    site.faults.on("mn1")
    wait_until(lambda: "actual loss" in site.hamnctl("history", "--all").text, "it is examined", 90)
    told = " ".join(site.hamnctl("report").text.split())
    counted = re.search(r"at most (\d+) transactions, committed", told)
    assert counted is not None, told
    assert int(counted[1]) >= len(missing)
    assert site.owners() == ["mn2"]
    assert xcat.CFGLOC_PASSWORD not in site.log() + told
    found = examine(lab["mn2"])
    assert found.rejoin is not None
    steps = ENGINE.steps(terms_of(lab["mn2"]), found.rejoin)
    with pytest.raises(StepFailed, match="shielded"):
        carry_out(lab["mn2"], steps)
    lab["mn2"].run("nft", "delete", "table", "inet", TABLE)
    carry_out(lab["mn2"], steps)
    assert site.writable() == ("mn2",)
    wait_until(lambda: site.first.rows() == site.second.rows(), "mn1 follows")


def test_a_database_that_was_promoted_by_hand_is_adopted(lab: Lab) -> None:
    """Given a dead primary, when somebody promotes mn2's database and takes the address by hand,
    behind hamnd's back, then hamnd is Active and says so; it runs no step and takes over nothing
    again."""
    site = PostgresPair(lab)
    site.watch()
    site.wait_state("Peer")
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    site.second.promote()
    lab["mn2"].run("ip", "addr", "add", f"{CLUSTER.address('mn')}/24", "dev", "eth0")
    site.wait_state("Active")
    status = site.ask("status")
    assert "knows of no takeover" in status["because"], status["because"]
    assert status["run"] is None
    refused = site.hamnctl("--json", "plan", "takeover")
    assert refused.code == 3 or '"verdict": "block"' in refused.out
    assert site.writable() == ("mn2",)


def test_on_an_idle_pair_a_heartbeat_is_missed_at_once(lab: Lab) -> None:
    """Given a pair on which nobody works and a heartbeat of five seconds, then it stays in Peer
    while all is well; and when the log alone is cut off, in silence, the receiver that
    goes on saying "streaming" is called stale long before its own limit of 35 s."""
    site = PostgresPair(lab, more="heartbeat_s = 5")
    site.watch()
    site.wait_state("Peer")
    beats = "SELECT count(*) FROM hamnd.heartbeat WHERE at > now() - interval '20 s'"
    wait_until(lambda: site.second.ask(beats).out.strip() == "1", "the beat is on mn2", 30)
    assert site.ask("status")["replication"]["state"] == "streaming"
    rules = (
        "table inet cut {\n chain in {\n type filter hook input priority -5;\n"
        f" ip saddr {lab['mn1'].address} tcp sport 5432 drop\n }}\n}}\n"
    )
    lab["mn2"].run("nft", "-f", "-", stdin=rules)
    took_s = wait_until(
        lambda: site.ask("status")["replication"]["state"] == "stale", "a stale link", 25
    )
    assert took_s < 25
    assert site.second.sql("SELECT status FROM pg_stat_wal_receiver") == "streaming"
    assert "says streaming, but nothing came" in site.explained()
    assert "heartbeat:postgresql" in site.hamnctl("history", "--all").text
