"""Takeovers of an xCAT over SQLite: what the writer lost, and what hamnd had said (issue: engines).

Owns those stories. What was acknowledged and is missing must never be more than the verdict that
was confirmed.
"""

from __future__ import annotations

import time

import pytest

from hamnd.dialects.shell import preview
from hamnd.dialects.sqlite import commands
from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.ledger import Ledger, check_loss
from tests.lab.site.names import CLUSTER
from tests.lab.site.sqlite_pair import SqlitePair
from tests.lab.site.stepping import terms_of

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    needs_lab("crontab", "sqlite3", *xcat.PROGRAMS),
]


@pytest.fixture
def site(lab: Lab) -> SqlitePair:
    site = SqlitePair(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    return site


def test_a_takeover_loses_no_more_than_was_said(site: SqlitePair) -> None:
    """Given copies every two seconds under writes, when the primary loses its power and the
    operator accepts the bound, then mn2 serves what the last copy had, no more is missing than the
    bound, and the old primary, when it returns, is examined."""
    ledger = Ledger(site.write())
    ledger.writer.wait(200)
    broken = time.perf_counter()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    plan = site.ask("plan", "takeover")
    assert plan["data_loss"]["verdict"] == "bounded", plan["data_loss"]
    plan = site.ask("plan", "takeover", "--accept-loss", "bounded")
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.hamnctl('status').text}"
    assert site.wait_state("Active") == "Active"
    acknowledged = ledger.close()
    missing = set(acknowledged) - site.rows()
    check_loss(plan["data_loss"], missing, acknowledged, (ledger, broken))
    assert site.writable() == ("mn2",)
    assert site.owners() == ["mn2"]
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    site.faults.on("mn1")
    actual = examined(site)
    assert "lab_rows" in actual, actual
    assert site.owners() == ["mn2"]
    assert site.wait_state("Active") == "Active"


def examined(site: SqlitePair) -> str:
    """Return the actual loss once the returned old primary was examined."""
    wait_until(lambda: site.ask("report")["actual_loss"] != "pending", "the examination", 60)
    return str(site.ask("report")["actual_loss"])


def test_a_copy_that_was_switched_in_by_hand_is_adopted(site: SqlitePair) -> None:
    """Given a dead primary, when somebody carries out the lines that hamnd shows for promote and
    takes the address by hand, behind hamnd's back, then hamnd is Active and says so; it runs no
    step."""
    mn2 = site.lab["mn2"]
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    here = terms_of(mn2).site
    for action in (commands.stage(here, "primary"), commands.switch(here)):
        mn2.run("sh", "-c", preview(action.request, here))
    mn2.run("ip", "addr", "add", f"{CLUSTER.address('mn')}/24", "dev", "eth0")
    site.wait_state("Active")
    status = site.ask("status")
    assert "knows of no takeover" in status["because"], status["because"]
    assert status["run"] is None
    assert status["replication"]["role"] == "primary"


def test_a_primary_that_still_answers_ssh_gives_its_last_copy(lab: Lab) -> None:
    """Given copies once a night and one from the start, when only xcatd of the primary fails, then
    the takeover's first step takes a last copy, and what was written long after the first one is
    there."""
    site = SqlitePair(lab, schedule="0 3 * * *", stale_after_s=3600)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    writer = site.write()
    writer.wait(50)
    lab["mn1"].run("systemctl", "stop", "xcatd")
    site.wait_state("PrimaryDown")
    written = set(writer.acknowledged)
    plan = site.ask("plan", "takeover", "--accept-loss", "unknown")
    assert plan["steps"][0]["id"] == "salvage"
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.hamnctl('status').text}"
    assert written <= site.rows()
    assert site.writable() == ("mn2",)


def test_what_keeps_copies_from_coming_is_said_in_its_own_words(site: SqlitePair) -> None:
    """Given good copies, when no more can be taken, then hamnd says why and what to do, keeps the
    last good one, and is no Peer once that is too old."""
    mn1, mn2 = site.lab["mn1"], site.lab["mn2"]

    def told() -> str:
        return site.hamnctl("explain", "Scheduled/copy:sqlite").text

    mn1.write("/usr/local/bin/python3", "#!/bin/sh\nexit 1\n", 0o755)
    mn1.run("sh", "-c", "mkdir /hidden && mv /usr/bin/sqlite3 /usr/bin/python3* /hidden")
    wait_until(lambda: "neither python3" in told() and "install one of them" in told(), "", 60)
    mn1.run("sh", "-c", "mv /hidden/* /usr/bin")
    wait_until(lambda: "verified" in told(), "copies come again", 60)
    mn2.run("mount", "-t", "tmpfs", "-o", "size=48k", "none", "/var/lib/hamnd/sqlite")
    wait_until(lambda: "No space left on device" in told(), "", 60)
    mn2.run("umount", "-l", "/var/lib/hamnd/sqlite")
    wait_until(lambda: "verified" in told(), "copies come again", 60)
    mn1.run("sh", "-c", "printf garbage | dd of=/etc/xcat/node.sqlite bs=1 seek=4096 conv=notrunc")
    wait_until(lambda: "node.sqlite" in told(), "", 60)
    assert site.wait_state("Degraded") == "Degraded"
    wait_until(lambda: site.ask("status")["replication"]["state"] == "stale", "it is too old", 60)
    assert "SQLite Stale" in site.hamnctl("status").text
    screen = site.hamnctl("explain", "replication").text
    assert "too old to protect" in screen
