"""Takeovers on a disk that both nodes reach: only with the power proven off, and never by two.

Owns those stories, on a real ext4 on a loop device. LVM and AIX's volume groups cannot run here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.site import xcat
from tests.lab.site.disk_pair import DiskPair, loop_device
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    needs_lab("crontab", "sqlite3", "losetup", "mkfs.ext4", *xcat.PROGRAMS),
]


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[DiskPair]:
    with loop_device(tmp_path) as device:
        site = DiskPair(lab, device)
        site.watch()
        site.wait_state("Peer")
        site.wait_ready()
        yield site


def test_the_disk_is_mounted_once_the_power_is_proven_off_and_nothing_is_lost(
    site: DiskPair,
) -> None:
    assert site.holders() == ["mn1"]
    site.lab["mn1"].run("mkdef", "-t", "node", "-o", "late1", "groups=all")
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    plan = site.ask("plan", "takeover")
    assert plan["data_loss"]["verdict"] == "zero_proven", plan["data_loss"]
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.hamnctl('status').text}"
    assert site.wait_state("Active") == "Active"
    assert site.holders() == ["mn2"]
    assert site.owners() == ["mn2"]
    assert "late1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    site.lab["mn2"].run("mkdef", "-t", "node", "-o", "after1", "groups=all")
    assert "after1" in site.lab["mn2"].run("lsdef")
    site.faults.on("mn1")
    wait_until(lambda: site.ask("report")["actual_loss"] != "pending", "the examination", 90)
    assert str(site.ask("report")["actual_loss"]).startswith("zero: there is one copy")


def test_without_proof_of_its_power_only_the_entire_database_can_be_accepted(
    site: DiskPair,
) -> None:
    """Given a power controller that does not answer, when the primary falls silent, then no class
    of loss but entire-database lets the disk be mounted, whatever is overridden."""
    site.faults.cut("bmc")
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    named = ("--override", "fence", "--reason", "cable pulled", "--accept-loss")
    weaker = site.ask("plan", "takeover", *named, "unknown")
    loss = {gate["name"]: gate for gate in weaker["gates"]}["loss"]
    assert loss["verdict"] == "block"
    assert "entire-database" in loss["evidence"]
    refused = site.hamnctl("confirm", weaker["digest"], "--name", "mn2")
    assert refused.code == 3, refused.text
    assert site.holders() == []
