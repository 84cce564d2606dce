"""A whole takeover of a real MariaDB pair: what the writer lost, and what hamnd had said.

Owns those stories, asynchronous and semi-synchronous, and the three ways in which a primary can be
down. What was acknowledged and is missing must never be more than the verdict that was confirmed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from hamnd.core.replication.mariadb import ENGINE
from hamnd.dialects.shielding import TABLE
from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.ledger import Ledger, check_loss
from tests.lab.site.maria import DATABASE, PROGRAMS, SOCKET
from tests.lab.site.maria_pair import MariaPair
from tests.lab.site.maria_truth import examine, start_read_only
from tests.lab.site.names import CLUSTER
from tests.lab.site.stepping import StepFailed, carry_out, terms_of

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", *PROGRAMS, *xcat.PROGRAMS),
]

Fault = Callable[[MariaPair], None]


@pytest.fixture(params=[False, True], ids=["async", "semi_sync"])
def site(lab: Lab, request: pytest.FixtureRequest) -> MariaPair:
    site = MariaPair(lab, semi_sync=request.param)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    return site


def power_cut(site: MariaPair) -> None:
    site.faults.off("mn1")


def freeze(site: MariaPair) -> None:
    site.faults.freeze("mn1")


def kill_database(site: MariaPair) -> None:
    site.first.kill()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (power_cut, ("bounded", "zero_proven")),
        (kill_database, ("unknown", "zero_likely")),
        (freeze, ("unknown", "zero_likely")),
    ],
)
def test_a_takeover_loses_no_more_than_was_said(
    site: MariaPair, fault: Fault, said: tuple[str, str]
) -> None:
    """Given a pair in Peer under writes, when the primary goes down and the operator confirms the
    plan with the loss that it shows, then that is as good as its end could be proven for a pair
    that does not wait and for one that does, mn2 is Active and alone, and what is missing is no
    more."""
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
    assert plan["data_loss"]["verdict"] == said[site.semi_sync], plan["data_loss"]
    site.second.sql("INSERT INTO xcatdb.lab_rows VALUES (0)")
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    service = CLUSTER.address("mn")
    assert site.lab["sn1"].run("dig", "+short", f"@{service}", "mn.cluster.test").strip() == service


def test_what_was_written_without_the_standby_is_in_the_verdict(site: MariaPair) -> None:
    """Given a pair whose replication alone is cut, the primary written to on and on (a waiting one
    after somebody there ended the waiting), when it loses its power, then the plan says how many
    seconds are lost, and no more are missing."""
    ledger = Ledger(site.write())
    ledger.writer.wait(100)
    site.faults.drop_port("mn1", 3306, "mn2")
    if site.semi_sync:
        site.first.sql("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
    ledger.writer.wait(100)
    wait_until(lambda: site.ask("status")["replication"]["state"] == "stale", "stale", 60)
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


def test_what_workers_have_not_applied_yet_is_waited_for(lab: Lab) -> None:
    """Given a semi-synchronous pair, the standby's four workers held by a lock on one row, when the
    primary dies under writes and the takeover is confirmed, then it waits for them, although the
    applier says that it has read all; the lock gone, every acknowledged row is there."""
    site = MariaPair(lab, semi_sync=True)
    site.second.sql("STOP SLAVE; SET GLOBAL slave_parallel_threads = 4; START SLAVE")
    site.first.sql(f"INSERT INTO {DATABASE}.lab_rows VALUES (-1)")
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    wait_until(lambda: site.second.rows() == {-1}, "the row is on mn2")
    lock = f"BEGIN; SELECT n FROM {DATABASE}.lab_rows WHERE n = -1 FOR UPDATE; SELECT SLEEP(90)"
    holder = lab["mn2"].start("mariadb", f"--socket={SOCKET}", "--unbuffered", "-e", lock)
    wait_until(lambda: "-1" in holder.text(), "the row is locked")
    site.first.sql(f"UPDATE {DATABASE}.lab_rows SET n = -2 WHERE n = -1")
    writer = site.write()
    writer.wait(100)
    site.faults.off("mn1")
    acknowledged = set(writer.stop())
    assert site.second.rows() == {-1}
    assert "has read all relay log" in site.second.sql("SHOW ALL SLAVES STATUS")
    site.wait_state("PrimaryDown")
    plan = site.ask("plan", "takeover")
    assert plan["data_loss"]["verdict"] == "zero_proven"
    site.start_hamnctl("confirm", plan["digest"], "--name", "mn2")
    wait_until(lambda: "being applied: domain 0" in site.hamnctl("status").text, "it waits", 60)
    assert site.writable() == ()
    holder.kill()
    assert site.wait_state("Active") == "Active"
    assert acknowledged | {-2} <= site.second.rows()


def test_what_a_restarted_standby_threw_away_is_not_promised(lab: Lab) -> None:
    """Given a semi-synchronous pair whose standby receives and acknowledges while its applier
    stands still, when the primary loses its power and the standby's server is restarted, which
    throws away what it had not applied, then no verdict says that nothing is lost."""
    site = MariaPair(lab, semi_sync=True)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    writer = site.write()
    writer.wait(50)
    site.second.sql("STOP SLAVE SQL_THREAD")
    site.wait_state("Degraded")
    writer.wait(50)
    site.faults.off("mn1")
    acknowledged = set(writer.stop())
    lab["mn2"].run("systemctl", "restart", "mariadb", timeout_s=90)
    missing = acknowledged - site.second.rows()
    assert len(missing) >= 50, "the lab's own truth"
    site.wait_state("PrimaryDown")
    site.wait_ready()
    loss = site.ask("plan", "takeover")["data_loss"]
    assert loss["verdict"] == "unknown", loss


def test_an_old_primary_that_returns_is_held_off_examined_and_rejoined(lab: Lab) -> None:
    """Given an asynchronous pair cut apart under writes, mn1 then killed and taken over from, when
    mn1 comes back and serves its database to itself as it was told to at boot, then it holds no
    address of the management node and is refused by the shield; its transactions are told, no
    fewer than are missing, and the report says so; rejoined, it follows mn2."""
    site = MariaPair(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    ledger = Ledger(site.write())
    ledger.writer.wait(100)
    site.faults.pair_cut()
    ledger.writer.wait(100)
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    site.take_over()
    missing = set(ledger.close()) - site.second.rows()
    assert len(missing) > 50
    site.second.sql("INSERT INTO xcatdb.lab_rows VALUES (0)")
    site.faults.heal()
    site.faults.on("mn1")
    wait_until(lambda: "actual loss" in site.hamnctl("history", "--all").text, "it is examined", 90)
    told = " ".join(site.hamnctl("report").text.split())
    counted = re.search(r"at most (\d+) transactions, domain 0: (\d+) to (\d+)", told)
    assert counted is not None, told
    assert int(counted[1]) >= len(missing)
    assert site.owners() == ["mn2"]
    found = examine(lab["mn2"])
    assert found.rejoin is not None
    steps = ENGINE.steps(terms_of(lab["mn2"]), found.rejoin)
    with pytest.raises(StepFailed, match="shielded"):
        carry_out(lab["mn2"], steps)
    lab["mn2"].run("nft", "delete", "table", "inet", TABLE)
    start_read_only(lab["mn1"])
    carry_out(lab["mn2"], steps)
    assert site.writable() == ("mn2",)
    wait_until(lambda: site.first.rows() == site.second.rows(), "mn1 follows")


def test_a_database_that_was_promoted_by_hand_is_adopted(lab: Lab) -> None:
    """Given a dead primary, when somebody promotes mn2's database and takes the address by hand,
    behind hamnd's back, then hamnd is Active and says so; it runs no step and takes over nothing
    again."""
    site = MariaPair(lab)
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
    assert refused.code == 3, refused.text
    assert site.writable() == ("mn2",)


def test_a_management_node_whose_server_starts_read_only_is_opened_by_resume(lab: Lab) -> None:
    """Given mn2 Active after a takeover, its option files saying read_only, when it loses its power
    and boots, then hamnd says that it does not serve and why, and the plan that it names lets the
    database take writes and brings the address back."""
    site = MariaPair(lab)
    site.watch()
    lab["mn2"].run("systemctl", "enable", "hamnd")
    site.wait_state("Peer")
    site.wait_ready()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    site.take_over()
    site.second.sql("INSERT INTO xcatdb.lab_rows VALUES (1)")
    site.faults.power_cycle("mn2")
    wait_until(
        lambda: "takes no writes" in site.hamnctl("explain", "Serves").text, "it says so", 90
    )
    assert site.writable() == ()
    wait_until(lambda: "digest" in site.ask("plan", "resume"), "it can be planned", 60)
    plan = site.ask("plan", "resume")
    assert plan["variant"] == "activate"
    done = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=180)
    assert done.code == 0, f"{done.text}\n{site.hamnctl('status').text}"
    assert (site.writable(), site.owners()) == (("mn2",), ["mn2"])
    assert site.second.rows() == {1}
    assert "cn1" in lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
