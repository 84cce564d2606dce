"""File sets between real hosts: what mn1 has comes to mn2, whole, verified and known to be fresh.

Owns the stories of a standby that copies. The direction after a takeover is told in
test_files_direction, the failures in test_files_failures.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Done, Lab, wait_until
from tests.lab.site.pair import NO_FILES, Db2Pair

__all__ = ["lab"]
pytestmark = [pytest.mark.lab, pytest.mark.slow, needs_lab("rsync", *xcat.PROGRAMS)]

CA = "/etc/xcat/ca/ca-cert.pem"
FILES = """\
[files]
sets = ["credentials", "keys", "hosts", "install"]

[[files.set]]
name = "install"
check_cron = "0 4 * * *"
may_delete_percent = 100
"""
OFTEN = FILES.replace("0 4 * * *", "*/10 * * * * *")
"""For a story that waits for a comparison; in any other one it would only be in the way."""
TREE = """
mkdir -p /install/post/scripts /install/custom
echo one >/install/post/scripts/one
ln -f /install/post/scripts/one /install/custom/linked
ln -sf ../post/scripts/one /install/custom/sym
printf x >"/install/custom/$(printf 'two\\nlines')"
printf y >"/install/custom/$(printf 'not\\377utf8')"
truncate -s 1M /install/custom/sparse
"""
LISTED = "cd /install && find . ! -path './.hamnd*' -printf '%y %m %s %n %p\\n' | sort | cksum"


def copying(lab: Lab, files: str = FILES) -> Db2Pair:
    """The pair, its standby looking after these sets."""
    site = Db2Pair(lab, change=lambda text: text.replace(NO_FILES, files))
    lab["mn1"].run("sh", "-c", TREE)
    site.watch()
    return site


def sets(site: Db2Pair) -> dict[str, dict[str, Any]]:
    return {one["set"]: one for one in site.ask("files")["files"]}


def is_fresh(site: Db2Pair, *names: str) -> bool:
    found = sets(site)
    return all(found[name]["fresh_as_of"] is not None for name in names or found)


@pytest.mark.timeout(400)
def test_the_guides_sets_are_here_before_the_standby_says_that_it_protects(lab: Lab) -> None:
    """Given an mn2 that has never copied anything, when hamnd starts, then credentials, keys, hosts
    and /install come over, odd names and hard links and all, and only then it is Peer; a change on
    mn1 is seen as drift, brought by `sync`, and what was replaced is kept."""
    site = copying(lab, OFTEN)
    site.wait_state("Peer", limit_s=120)
    assert is_fresh(site)
    one, two = lab["mn1"], lab["mn2"]
    assert one.run("sh", "-c", LISTED) == two.run("sh", "-c", LISTED)
    status = site.hamnctl("status").out
    assert "FILES *" in status
    found = {each["type"]: each for each in site.ask("status")["conditions"]}
    assert found["FilesIdentical"]["status"] == "True"
    assert found["FilesFresh/install"]["status"] == "True"
    stale = two.run("cat", CA)

    one.run("sh", "-c", "echo 10.99.0.77 cn77 >>/etc/hosts")
    one.run("sh", "-c", "mv /install/post /install/postscripts; rm /install/custom/sym")
    one.write(CA, one.run("cat", CA) + "renewed on mn1\n")
    check = site.ask("files")
    assert check["schema"] == "hamnd.files/1"
    done = sync(site)
    assert done.code == 0, f"{done.text}\n{site.log()}"
    assert "install: done" in done.out
    assert one.run("sh", "-c", LISTED) == two.run("sh", "-c", LISTED)
    assert "cn77" in two.run("cat", "/etc/hosts")
    assert two.run("cat", CA).endswith("renewed on mn1\n")
    assert two.run("cat", "/etc/xcat/.hamnd/old/ca/ca-cert.pem") == stale
    metrics = two.run("curl", "-s", "http://127.0.0.1:9745/metrics")
    assert 'hamnd_sync_age_seconds{set="install"}' in metrics
    assert 'hamnd_sync_duration_seconds{set="install"}' in metrics

    verified = sync(site, "install", "--verify", "--json")
    assert verified.code == 0, verified.text
    two.run("sh", "-c", "printf Z | dd of=/install/custom/linked conv=notrunc status=none")
    lab["mn2"].run("touch", "-r", "/install/custom/sparse", "/install/custom/linked")
    wait_until(lambda: drifted(site), "the drift is seen", 90)
    assert sync(site, "install").code == 0
    assert one.run("sh", "-c", LISTED) == two.run("sh", "-c", LISTED)


def sync(site: Db2Pair, *words: str) -> Done:
    """Have sets copied as soon as no run of the schedule's is under way."""
    done: list[Done] = []

    def is_taken() -> bool:
        done.append(site.hamnctl("sync", *words, timeout_s=120))
        return "is under way" not in done[-1].text

    wait_until(is_taken, "the sync is taken", 120)
    return done[-1]


def drifted(site: Db2Pair) -> bool:
    drift = sets(site)["install"]["drift"]
    return drift is not None and drift["differ"] > 0


@pytest.mark.timeout(300)
def test_credentials_that_nodes_could_not_trust_are_never_switched(lab: Lab) -> None:
    """Given an mn1 whose server credential was signed by nobody and whose key others may read, when
    mn2 copies, then it keeps what it has and says which file is wrong."""
    site = copying(lab)
    site.wait_state("Peer", limit_s=120)
    one, two = lab["mn1"], lab["mn2"]
    before = two.run("sh", "-c", "cat /etc/xcat/cert/* | cksum")
    one.run("chmod", "644", "/etc/xcat/cert/server-cred.pem")
    refused = sync(site, "credentials")
    assert refused.code == 1, refused.text
    assert "is a private key that others may read" in " ".join(refused.out.split())
    one.run("chmod", "600", "/etc/xcat/cert/server-cred.pem")
    one.run("sh", "-c", "sed -i '/BEGIN CERT/,/END CERT/{s/M/N/3}' /etc/xcat/cert/server-cred.pem")
    refused = sync(site, "credentials")
    assert refused.code == 1, refused.text
    assert "server-cred.pem" in refused.out
    assert two.run("sh", "-c", "cat /etc/xcat/cert/* | cksum") == before
