"""What two nodes need of each other, asked all the time: real packages, names, keys and tables.

Owns the story of a pair that was neglected by day, and of what is still known of it at night.
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Host, Lab, wait_until
from tests.lab.site.names import CLUSTER, PRIMARY, STANDBY
from tests.lab.site.pair import Pair
from tests.lab.site.pg_pair import PostgresPair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", "postgres", "dpkg-deb", *xcat.PROGRAMS),
]

CONTROL = """\
Package: xcat-server
Version: {version}
Architecture: all
Maintainer: the lab <root@localhost>
Description: stands for xCAT's own package
"""
NEGLECTED = {
    "ParityXcat": "xcat-server 2.16.4 here, 2.16.5 there",
    "NamesResolve": f"on {PRIMARY} {STANDBY} is 10.9.9.9, and not {CLUSTER.address(STANDBY)}",
    "SshBothWays": f"{PRIMARY} does not get into {STANDBY} by ssh",
    "StandbyQuiet": "starts at boot: xcatd",
    "TableAddresses": f"site nameservers is {CLUSTER.address(PRIMARY)}, {PRIMARY}'s own",
}


def install(host: Host, version: str) -> None:
    """Install a package of xCAT's name as a person does."""
    host.write("/tmp/deb/DEBIAN/control", CONTROL.format(version=version))
    host.run("sh", "-c", "dpkg-deb --build /tmp/deb /tmp/one.deb && dpkg -i /tmp/one.deb")


def conditions(site: Pair) -> dict[str, dict[str, object]]:
    return {one["type"]: one for one in site.ask("status")["conditions"]}


def wait_told(site: Pair, wanted: dict[str, str]) -> None:
    """Wait until each condition is not so, with these words."""

    def are_told() -> bool:
        found = {name: conditions(site).get(name, {}) for name in wanted}
        return all(
            found[name].get("status") == "False" and words in str(found[name].get("message"))
            for name, words in wanted.items()
        )

    try:
        wait_until(are_told, "", 60)
    except TimeoutError:
        raise TimeoutError(str([conditions(site).get(name) for name in wanted])) from None


def test_what_was_neglected_is_named_and_what_differs_is_known_after_the_primary_s_death(
    lab: Lab,
) -> None:
    """Given a pair with two versions of xCAT, a wrong name, a lost key, an xcatd that would start
    and a table that names a machine, hamnd names each of them; the versions are known to differ
    when the primary is dead and hamnd was restarted."""
    site = PostgresPair(lab)
    primary, standby = site.lab[PRIMARY], site.lab[STANDBY]
    install(primary, "2.16.5")
    install(standby, "2.16.4")
    names = primary.run("cat", "/etc/hosts").replace(CLUSTER.address(STANDBY), "10.9.9.9")
    primary.write("/etc/hosts", names)
    keys = standby.run("cat", "/root/.ssh/authorized_keys").splitlines()
    kept = [one for one in keys if f"root@{PRIMARY}" not in one]
    assert len(kept) == len(keys) - 1
    standby.write("/root/.ssh/authorized_keys", "\n".join(kept) + "\n", 0o600)
    standby.ask("systemctl", "enable", "xcatd")
    primary.run("chdef", "-t", "site", f"nameservers={CLUSTER.address(PRIMARY)}")
    site.watch()
    site.wait_state("Peer")
    wait_told(site, NEGLECTED)
    found = conditions(site)
    assert found["ParityOs"]["status"] == "True"
    assert found["ParityDatabase"]["status"] == "True"
    assert found["SameSubnet"]["status"] == "True"
    told = site.hamnctl("ready")
    assert told.code == 3
    assert "xcat-server 2.16.4" in told.text

    known_at = found["ParityXcat"]["observed_at"]
    site.faults.off(PRIMARY)
    site.wait_state("PrimaryDown")
    site.kill_hamnd()
    standby.ask("systemctl", "restart", "hamnd", timeout_s=60)
    wait_told(site, {"ParityXcat": NEGLECTED["ParityXcat"]})
    assert conditions(site)["ParityXcat"]["observed_at"] == known_at
