"""Takeovers of an xCAT over SQLite: what the writer lost, and what hamnd had said (issue: engines).

Owns those stories. What was acknowledged and is missing must never be more than the verdict that
was confirmed.
"""

from __future__ import annotations

import time

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.ledger import Ledger, check_loss
from tests.lab.site.sqlite_pair import SqlitePair

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


def examined(site: SqlitePair) -> str:
    """Return the actual loss once the returned old primary was examined."""
    wait_until(lambda: site.ask("report")["actual_loss"] != "pending", "the examination", 60)
    return str(site.ask("report")["actual_loss"])
