"""A site that keeps its own cron is told how fresh its copies are; DHCP's leases come along.

Owns the story of a standby that only compares, between real hosts, and of what it knows of its
files when the primary is gone.
"""

from __future__ import annotations

import re

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.pair import NO_FILES, Db2Pair
from tests.lab.test_files_copied import CA, sets

__all__ = ["lab"]
pytestmark = [pytest.mark.lab, pytest.mark.slow, needs_lab("rsync", *xcat.PROGRAMS)]

LEASES = "/srv/dhcpd.leases"  # the lab has a dhcpd that writes its own
FILES = f"""\
[files]
sets = ["credentials", "install", "leases"]

[[files.set]]
name = "credentials"
mode = "observe"
cron = "0 1 * * *"
check_cron = "*/3 * * * * *"

[[files.set]]
name = "install"
mode = "observe"
check_cron = "*/3 * * * * *"

[plan.services]
dhcp_leases = "{LEASES}"
"""
CREDENTIALS = """\
rsync -az /etc/xcat/ca /etc/xcat/cert /etc/xcat/hostkeys mn2:/etc/xcat
rsync -az $HOME/.xcat mn2:$HOME/
"""
"""The guide's first lines (§6)."""
LEASE = "lease 10.99.0.50 {\n  binding state active;\n}\n"


@pytest.mark.timeout(400)
def test_a_cron_job_that_succeeds_is_not_believed_what_was_compared_is(lab: Lab) -> None:
    """Given a site whose cron copies /install but leaves a folder out, when the job has succeeded,
    then hamnd says what is missing and does not protect; once the guide's own line ran it is fresh,
    as of a moment that is proven. The leases are here, for the step that makes DHCP. When somebody
    changes mn2's CA and mn1 then dies, the takeover is blocked, and the files that differ are told
    as they were known."""
    one, two = lab["mn1"], lab["mn2"]
    one.run("sh", "-c", "mkdir -p /install/post /install/custom; echo 1 >/install/post/one")
    one.run("sh", "-c", "echo 2 >/install/custom/two; mkdir -p /srv")
    one.write(LEASES, LEASE)
    site = Db2Pair(lab, change=lambda text: text.replace(NO_FILES, FILES))
    one.run("rsync", "-az", "--exclude=/install/custom/two", "/install", "mn2:/")
    one.run("sh", "-c", CREDENTIALS)
    site.watch()
    site.wait_state("Degraded")
    wait_until(lambda: sets(site)["install"]["drift"] is not None, "it was compared", 90)
    found = sets(site)["install"]
    assert found["fresh_as_of"] is None
    assert "custom/two" in " ".join(found["drift"]["examples"])
    refused = site.hamnctl("sync", "install")
    assert refused.code == 3, refused.text
    assert "this site copies it by other means" in " ".join(refused.out.split())
    assert two.ask("test", "-e", "/install/custom/two").code != 0

    one.run("rsync", "-az", "/install", "mn2:/")
    wait_until(lambda: sets(site)["install"]["fresh_as_of"] is not None, "it is fresh", 120)
    assert sets(site)["leases"]["fresh_as_of"] is not None
    assert two.run("cat", "/var/lib/hamnd/files/dhcp.leases") == LEASE
    assert two.ask("test", "-e", LEASES).code != 0
    site.wait_state("Peer", limit_s=60)

    two.run("sh", "-c", f"echo another one >>{CA}")
    wait_until(lambda: sets(site)["credentials"]["identical"] is False, "it is seen", 60)
    site.faults.off("mn1")
    site.wait_state("PrimaryDown")
    plan = site.ask("plan", "takeover")
    gate = {one["name"]: one for one in plan["gates"]}["files"]
    assert gate["verdict"] == "block"
    assert "nodes would not trust this node" in gate["evidence"]
    assert site.hamnctl("confirm", plan["digest"], "--name", "mn2").code == 3
    told = " ".join(site.hamnctl("files").out.split())
    assert "its CA is NOT the primary's" in told
    assert re.search(r"1 differ \(known at [^)]+\): \S*ca-cert.pem", told), told
