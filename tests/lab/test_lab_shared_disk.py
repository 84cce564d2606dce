"""Takeovers on a disk that both nodes reach: only with the power proven off, and never by two.

Owns those stories, on a real ext4 on a loop device. LVM's commands and the reservation are
stand-ins (disk_pair); AIX's volume groups are told in tests/unit/dialects/test_shared_disk.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.site import xcat
from tests.lab.site.disk_pair import POINT, DiskPair, GroupPair, loop_device
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import CLUSTER

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
    """Given a primary that writes all the time, when it loses its power, then what it acknowledged
    is on the disk that mn2 mounts, as the card said; mn2 is protected again once mn1 is taken in,
    and not by its mere return."""
    assert site.holders() == ["mn1"]
    writer = site.write()
    writer.wait(100)
    site.lab["mn1"].run("mkdef", "-t", "node", "-o", "late1", "groups=all")
    site.faults.off("mn1")
    acknowledged = writer.stop()
    site.wait_state("PrimaryDown")
    plan = site.ask("plan", "takeover")
    assert plan["data_loss"]["verdict"] == "zero_proven", plan["data_loss"]
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.hamnctl('status').text}"
    assert site.wait_state("Active") == "Active"
    assert site.holders() == ["mn2"]
    assert site.owners() == ["mn2"]
    assert set(acknowledged) - site.rows("mn2") == set()
    assert "late1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    site.lab["mn2"].run("mkdef", "-t", "node", "-o", "after1", "groups=all")
    assert "after1" in site.lab["mn2"].run("lsdef")
    site.faults.on("mn1")
    site.cable(site.lab["mn1"])
    wait_until(lambda: site.ask("report")["actual_loss"] != "pending", "the examination", 90)
    assert str(site.ask("report")["actual_loss"]).startswith("zero: there is one copy")
    assert site.holders() == ["mn2"]
    assert site.owners() == ["mn2"]
    wait_until(lambda: "digest" in site.ask("plan", "rejoin"), "it can be taken in", 120)
    assert not site.ask("status")["protected"]
    site.carry_out("rejoin", "mn2")
    wait_until(lambda: site.ask("status")["protected"], "it is protected again", 60)
    assert (site.holders(), site.wait_state("Active")) == (["mn2"], "Active")


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


def test_a_rebooted_management_node_has_its_disk_again_by_resume(site: DiskPair) -> None:
    """Given mn2 took over and took mn1 in again, when mn2 loses its power and boots, its disk
    mounted nowhere, then it is the management node still, and says that its disk is not mounted;
    the plan that it names mounts it beside the living mn1, and nothing is asked to be accepted."""
    mn1, mn2 = site.lab["mn1"], site.lab["mn2"]
    mn2.run("systemctl", "enable", "hamnd")
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    site.take_over()
    site.faults.on("mn1")
    site.cable(mn1)
    wait_until(lambda: "digest" in site.ask("plan", "rejoin"), "it can be taken in", 120)
    site.carry_out("rejoin", "mn2")
    site.faults.power_cycle("mn2")
    site.cable(mn2)
    wait_until(lambda: "its disk is not mounted" in site.explained("Serves"), "it says so", 120)
    assert "hamnctl plan resume" in site.explained("Serves")
    status = site.ask("status")
    assert (status["state"], status["epoch_owner"]) == ("Active", "mn2"), status["because"]
    wait_until(lambda: "digest" in site.ask("plan", "resume"), "it can be planned", 60)
    site.carry_out("resume", "mn2")
    assert (site.holders(), site.owners()) == (["mn2"], ["mn2"])
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})


@pytest.fixture
def group(lab: Lab, tmp_path: Path) -> Iterator[GroupPair]:
    with loop_device(tmp_path) as disk, loop_device(tmp_path, "register") as register:
        site = GroupPair(lab, disk, register)
        site.watch()
        site.wait_state("Peer")
        site.wait_ready()
        yield site


def take_over_without_fence(site: GroupPair) -> None:
    """Lose the primary and its controller together; take over with the loss that is shown, and go
    on without the fence."""
    site.faults.cut("bmc")
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")

    def are_blocking() -> bool:
        gates = {one["name"]: one["verdict"] for one in site.ask("plan", "takeover")["gates"]}
        return "pass" not in (gates["fence"], gates["readiness"])

    wait_until(are_blocking, "the controller is known to be gone", 60)
    why = ("--reason", "the disk is reserved")
    named = ("--override", "fence", *why, "--override", "readiness", *why)
    shown = site.ask("plan", "takeover", *named)["data_loss"]["verdict"]
    assert shown == "zero_likely"
    plan = site.ask("plan", "takeover", *named, "--accept-loss", shown)
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
    assert confirmed.code == 4, confirmed.text
    skipped = site.hamnctl("skip", "fence", *why)
    assert skipped.code == 0, skipped.text


def test_a_reservation_that_is_proven_takes_the_place_of_the_power(group: GroupPair) -> None:
    """Given a disk that mn1 has reserved, its volume group active there, when mn1 and its power
    controller fall silent together, then mn2 reserves it for itself alone, sees that it is, and
    only then activates the group and mounts it; mn1 has lost its key when it returns."""
    assert group.is_reserved("mn1")
    take_over_without_fence(group)
    group.retry()
    assert group.wait_state("Active") == "Active"
    assert group.holders() == ["mn2"]
    assert group.is_reserved("mn2")
    assert "cn1" in group.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})
    group.faults.on("mn1")
    group.cable(group.lab["mn1"])
    assert not group.is_reserved("mn1")


def test_a_disk_that_is_not_granted_is_not_mounted(group: GroupPair) -> None:
    """Given a disk that lets nobody take what another node holds, when mn2 would take it over, then
    the run stops before it activated anything, and says what was refused."""
    group.lab["mn2"].write("/etc/refuse-preempt", "")
    take_over_without_fence(group)
    stopped = group.hamnctl("retry", timeout_s=120)
    assert stopped.code == 4, stopped.text
    assert "PAUSED at promote" in stopped.text
    assert "sg_persist --preempt" in " ".join(stopped.text.split())
    assert group.holders() == []
    assert group.lab["mn2"].ask("test", "-e", "/dev/xcatvg/shared").code != 0
    assert not group.is_reserved("mn2")


def test_a_disk_that_a_node_would_mount_at_boot_is_no_protection(site: DiskPair) -> None:
    """Given a pair in Peer, when the disk gets into mn1's table of file systems, then hamnd says
    what its next boot would do; with noauto there it is in Peer again, whatever the line before
    says that is no line."""
    mn1 = site.lab["mn1"]
    line = f"{site.device} {POINT}/ ext4 {{}} 0 2\n"
    mn1.write("/etc/fstab", line.format("defaults,nofail"))
    site.wait_state("Degraded")
    assert f"on mn1 {POINT} is mounted at boot" in site.explained()
    assert "write noauto into its line of /etc/fstab" in site.explained("ReplicationPeer")
    mn1.write("/etc/fstab", f"# {line.format('auto')}{line.format('rw,noauto')}")
    site.wait_state("Peer")


def test_a_disk_that_was_mounted_by_hand_is_adopted(site: DiskPair) -> None:
    """Given a dead primary, when somebody mounts the disk on mn2 and takes the address by hand,
    behind hamnd's back, then hamnd is Active and says so; it runs no step."""
    assert "this node could mount the disk, and does not" in site.explained()
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    site.attach(site.lab["mn2"])
    site.lab["mn2"].run("ip", "addr", "add", f"{CLUSTER.address('mn')}/24", "dev", "eth0")
    site.wait_state("Active", limit_s=180)  # addresses are read in the rhythm of readiness
    status = site.ask("status")
    assert "knows of no takeover" in status["because"], status["because"]
    assert status["run"] is None
