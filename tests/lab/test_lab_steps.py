"""Every step of a takeover besides fence, promote and identity, between real hosts.

Owns the stories of salvage, fuse, shield, the served protocols, the service nodes and the site's
own steps and hooks. That the whole ends in one management node is told in test_lab_takeover.
"""

from __future__ import annotations

import json
import sys

import pytest

from tests.lab.site import services, xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.names import CLUSTER
from tests.lab.site.pair import Db2Pair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    needs_lab("crontab", "rsync", "curl", "in.tftpd", *xcat.PROGRAMS),
]

CA = "/etc/xcat/ca/ca-cert.pem"
LICENCES = """
[hooks]
state_change = ["/usr/local/sbin/tell"]

[[plan.takeover.step]]
id = "licences"
title = "start the licence server"
before = "xcatd"
command = ["touch", "/run/licences"]
check = ["test", "-d", "/run"]
verify = ["test", "-e", "/run/licences"]

[[plan.takeover.step]]
id = "mark"
after = "xcatd"
host = "sn1"
command = ["touch", "/run/mark"]
verify = ["test", "-e", "/run/mark"]
"""
TELL = """\
#!/bin/sh
cat >>/run/told
case $(tail -n 1 /run/told) in *'"to": "PrimaryDown"'*) exec sleep 600 ;; esac
"""


def watched(lab: Lab, more: str = "") -> Db2Pair:
    """The pair in Peer and ready, hamnd with these lines besides."""
    site = Db2Pair(lab)
    site.watch(more=more)
    site.wait_state("Peer", limit_s=120)
    site.wait_ready(120)
    return site


def history(site: Db2Pair) -> str:
    """Everything that the journal tells, on one line."""
    return " ".join(site.hamnctl("history", "--all").out.split())


def take_over(site: Db2Pair) -> dict[str, dict[str, object]]:
    """Plan, confirm and wait for Active; return the steps of the finished run by id."""
    plan = site.ask("plan", "takeover")
    confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=180)
    assert confirmed.code == 0, f"{confirmed.text}\n{site.log()}"
    assert site.wait_state("Active") == "Active"
    return {one["id"]: one for one in plan["steps"]}


@pytest.mark.timeout(300)
def test_what_the_old_primary_still_has_is_salvaged_and_the_sites_steps_run(lab: Lab) -> None:
    """Given mn1 with newer credentials than mn2 and a dead xcatd, its sshd alive, when the operator
    confirms, then mn2 serves with mn1's credentials and keeps its own beside them; the site's own
    steps ran where they belong; and a hook that hangs held nothing."""
    lab["mn2"].write("/usr/local/sbin/tell", TELL, 0o755)
    site = watched(lab, LICENCES)
    lab["mn1"].write(CA, lab["mn1"].run("cat", CA) + "renewed on mn1\n")
    stale = lab["mn2"].run("cat", CA)
    lab["mn1"].run("systemctl", "stop", "xcatd")
    site.wait_state("PrimaryDown")
    steps = take_over(site)
    assert next(iter(steps)) == "salvage"
    assert "declared by the site" in str(steps["licences"]["title"])
    assert lab["mn2"].run("cat", CA).endswith("renewed on mn1\n")
    assert lab["mn2"].run("cat", "/etc/xcat/.hamnd/old/ca/ca-cert.pem") == stale
    assert lab["mn2"].run("stat", "-c", "%a %U", "/etc/xcat/ca/private/ca-key.pem") == "600 root\n"
    lab["mn2"].run("test", "-e", "/run/licences")
    lab["sn1"].run("test", "-e", "/run/mark")
    told = [json.loads(line) for line in lab["mn2"].run("cat", "/run/told").splitlines()]
    assert [one["to"] for one in told][-3:] == ["PrimaryDown", "TakingOver", "Active"]
    assert "predicted loss after the salvage" in history(site)
    assert site.db2.writable() == ("mn2",)


@pytest.mark.timeout(300)
def test_a_salvage_that_cannot_be_verified_switches_nothing_and_holds_nobody(lab: Lab) -> None:
    """Given an mn1 whose credentials are gone, when the operator confirms, then mn2 keeps its own:
    an empty folder is never taken for the last copy."""
    site = watched(lab)
    stale = lab["mn2"].run("cat", CA)
    lab["mn1"].run("sh", "-c", "rm -rf /etc/xcat/ca/*")
    lab["mn1"].run("systemctl", "stop", "xcatd")
    site.wait_state("PrimaryDown")
    take_over(site)
    assert lab["mn2"].run("cat", CA) == stale
    assert "left out: /etc/xcat/ca/ is empty there" in history(site)
    assert "TakeoverIncomplete" not in site.hamnctl("status").out


SERVING = """
[plan.services]
http = true
tftp = "unit"

[plan.osdeploy]
nodes = "cn1,cn2"
state = "boot"

[plan.shield]
sshd_file = "/etc/ssh/lab.d/00-hamnd.conf"

[tools]
sshd = "/usr/local/sbin/sshd-lab"
"""
SSHD = '#!/bin/sh\nexec /usr/sbin/sshd -f /lab/sshd_config -h /etc/ssh/lab_host_key "$@"\n'
RESTORE = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.2; done\n"
PULL = "0 2 * * * root rsync -az mn1:/install /\n"
UNITS = (
    services.Unit(
        "apache2",
        f"{sys.executable} -m http.server 80 --directory /install",
        services.listening(80),
    ),
    services.Unit("tftpd-hpa", "/usr/sbin/in.tftpd --foreground --secure /tftpboot"),
)


@pytest.fixture
def serving(lab: Lab) -> Db2Pair:
    """A pair whose management node serves web and boot files, with jobs that would write on mn2."""
    standby = lab["mn2"]
    standby.write("/usr/local/sbin/sshd-lab", SSHD, 0o755)
    standby.write("/usr/local/bin/pg_restore", RESTORE, 0o755)
    standby.write("/etc/cron.d/sync", f"# copies\n{PULL}")
    for name in ("mn1", "mn2"):
        services.install(lab[name], *UNITS)
        lab[name].run("mkdir", "-p", "/install", "/tftpboot", "/etc/ssh/lab.d")
    return watched(lab, SERVING)


def can_connect(host: Host, port: int) -> bool:
    script = f"exec 3<>/dev/tcp/{CLUSTER.address('mn2')}/{port}"
    return host.ask("timeout", "3", "bash", "-c", script).code == 0


@pytest.mark.timeout(400)
def test_jobs_are_ended_services_come_up_and_the_old_primary_is_shut_out(serving: Db2Pair) -> None:
    """Given a restore that runs on mn2 and a cron file that would pull from mn1, when mn1 dies and
    the operator confirms, then the restore is ended by its number, the file is disarmed, web, tftp
    and boot files are served and asked for from sn1; and a mn1 that comes back reaches mn2 by ssh,
    but neither its daemons nor with copies."""
    site, lab = serving, serving.lab
    standby = lab["mn2"]
    restore = standby.start("pg_restore", "-c", "-d", "xcatdb", "/backup/xcatdb.tar")
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    wait_until(lambda: "hamnd-end" in site.hamnctl("plan", "takeover", "--json").out, "seen", 30)
    steps = take_over(site)
    assert {"fuse", "shield", "http", "tftp", "osdeploy", "verify"} <= set(steps)
    assert not restore.is_running
    assert standby.run("cat", "/etc/cron.d/sync") == f"# copies\n#hamnd-fuse# {PULL}"
    assert "server 10.99.0." in standby.run("cat", "/tftpboot/pxelinux.cfg/cn1")
    said = history(site)
    for word in ("the web server answers", "tftp server answers", "rpower cn1,cn2 boot"):
        assert word in said, said
    site.faults.on("mn1")
    old = lab["mn1"]
    assert old.run("ssh", "mn2", "hostname") == "mn2\n"
    copy = old.ask("rsync", "-a", "/etc/hosts", "mn2:/tmp/")
    assert copy.code != 0
    assert "takes no files from the old one" in copy.text
    assert not can_connect(old, 3001)
    assert can_connect(lab["sn1"], 3001)
    assert lab["sn1"].ask("rsync", "-a", "/etc/hosts", "mn2:/tmp/").code == 0


@pytest.mark.timeout(300)
def test_without_nft_the_shield_is_left_out_and_says_so(lab: Lab) -> None:
    """Given an mn2 without nft, then it is ready all the same, and the condition names what is
    missing; the takeover ends whole."""
    lab["mn2"].write(
        "/usr/local/sbin/no-nft", "#!/bin/sh\necho 'no such thing' >&2\nexit 1\n", 0o755
    )
    site = watched(lab, '[tools]\nnft = "/usr/local/sbin/no-nft"\n')
    found = {one["type"]: one for one in site.ask("status")["conditions"]}
    assert found["StepReady/shield"]["reason"] == "WouldBeLeftOut"
    assert "would be left out: exit code 1: no such thing" in found["StepReady/shield"]["message"]
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    take_over(site)
    assert "left out: " in history(site)
    assert "TakeoverIncomplete" not in site.hamnctl("status").out
