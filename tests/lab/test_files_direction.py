"""A set flows only from the node that is primary to the node that is standby.

Owns the story of the guide's crontab on an old primary that boots after it was taken over from.
"""

from __future__ import annotations

import pytest

from hamnd.demo.db2_node import PairConfig
from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Host, Lab
from tests.lab.site.pair import NO_FILES, Db2Pair
from tests.lab.test_files_copied import FILES, copying

__all__ = ["lab"]
pytestmark = [pytest.mark.lab, pytest.mark.slow, needs_lab("rsync", "nft", *xcat.PROGRAMS)]

GUIDE = (
    "rsync -az /etc/xcat/ca /etc/xcat/cert /etc/xcat/hostkeys mn2:/etc/xcat",
    "rsync -az /root/.xcat mn2:/root/",
    "rsync -az /install mn2:/",
    "rsync -az /etc/hosts /etc/resolv.conf mn2:/etc/",
)
"""The guide's §6, as root's crontab on the primary has it."""
SHIELD = """
[plan.shield]
sshd_file = "/etc/ssh/lab.d/00-hamnd.conf"

[tools]
sshd = "/usr/local/sbin/sshd-lab"
"""
UNHURRIED = PairConfig(hadr_timeout_s=5, peer_window_s=120, takeover_s=0.5)
"""A busy machine may need long between plan and confirm: a plan within the window expires."""
SSHD = '#!/bin/sh\nexec /usr/sbin/sshd -f /lab/sshd_config -h /etc/ssh/lab_host_key "$@"\n'
STATE = "cat /etc/hosts /etc/resolv.conf /etc/xcat/ca/* /root/.xcat/* /install/post/mark | cksum"


def run_crontab(host: Host) -> list[int]:
    """What cron would run at night, now; with the keys and names the guide asks for."""
    return [host.ask("sh", "-c", line, timeout_s=60).code for line in GUIDE]


@pytest.mark.timeout(400)
def test_an_old_primary_that_boots_with_the_guides_crontab_overwrites_nothing(lab: Lab) -> None:
    """Given a pair that copies by hamnd, when mn1 dies, mn2 takes over, and mn1 boots again with
    the guide's crontab and an old hamnd's mind, then none of its copies reaches mn2, and mn2 pulls
    nothing from it, asked or not."""
    lab["mn2"].write("/usr/local/sbin/sshd-lab", SSHD, 0o755)
    lab["mn2"].run("mkdir", "-p", "/etc/ssh/lab.d")
    site = Db2Pair(lab, UNHURRIED, lambda text: text.replace(NO_FILES, FILES + SHIELD))
    lab["mn1"].run("sh", "-c", "mkdir -p /install/post; echo of mn1 >/install/post/mark")
    site.watch()
    site.wait_state("Peer", limit_s=120)
    assert run_crontab(lab["mn1"]) == [0] * len(GUIDE)
    site.wait_ready(120)
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    refused = site.hamnctl("sync")
    assert refused.code == 3
    assert "nothing flows onto it" in refused.out
    plan = site.ask("plan", "takeover")
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=180)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.log()}"
    site.wait_state("Active")

    active, old = lab["mn2"], lab["mn1"]
    active.run("sh", "-c", "echo of mn2 >/install/post/mark; echo 10.99.0.88 new >>/etc/hosts")
    before = active.run("sh", "-c", STATE)
    site.faults.on("mn1")
    assert 0 not in run_crontab(old)
    assert "takes no files from the old one" in old.ask("sh", "-c", GUIDE[2]).text
    assert active.run("sh", "-c", STATE) == before
    refused = site.hamnctl("sync")
    assert refused.code == 3
    assert active.run("sh", "-c", STATE) == before


@pytest.mark.timeout(300)
def test_a_takeover_ends_a_copy_under_way_and_what_is_here_is_whole(lab: Lab) -> None:
    """Given a copy of a large file that is under way over a slow line, when mn1 dies and mn2 takes
    over, then the copy is ended, no half file lies in its place, and the next one would go on."""
    site = copying(lab, FILES.replace('name = "install"', 'name = "install"\nbandwidth_kib = 500'))
    site.wait_state("Peer", limit_s=120)
    site.wait_ready(120)
    lab["mn1"].run("sh", "-c", "head -c 50000000 /dev/urandom >/install/custom/large")
    site.start_hamnctl("sync", "install")
    lab["mn2"].run(
        "sh", "-c", "until ls -A /install/custom | grep -q '^.large'; do sleep 0.1; done"
    )
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    listed = lab["mn2"].run("ls", "/install/custom")
    assert "large" not in listed.split()
    assert "rsync --server" not in lab["mn2"].run("ps", "-e", "-o", "args")
    assert "install" in site.hamnctl("files").out
