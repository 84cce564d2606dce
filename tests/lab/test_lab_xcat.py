"""xCAT on lab hosts behaves as measured (xcat-hamn.md §4.4, §9), over either database.

Owns one story per measured trap. MUST NOT test hamnd.
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.db2 import Db2
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import CLUSTER, DOMAIN
from tests.lab.site.postgres import Postgres, make_pair

__all__ = ["faults", "lab"]
pytestmark = [pytest.mark.lab, needs_lab("postgres", *xcat.PROGRAMS)]


@pytest.fixture
def pair(lab: Lab) -> tuple[Postgres, Postgres]:
    """A PostgreSQL pair with xCAT's definitions; xcatd runs on mn1."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    xcat.in_postgres(first)
    xcat.install(lab, "pg")
    lab["mn1"].run("systemctl", "start", "xcatd")
    return first, second


def test_definitions_live_in_the_database_and_reach_the_standby(
    lab: Lab, pair: tuple[Postgres, Postgres]
) -> None:
    primary = lab["mn1"]
    assert "Version 2.16.5" in primary.run("lsxcatd", "-v")
    primary.run("mkdef", "-t", "node", "-o", "cn9", "groups=all")
    assert "    groups=all" in primary.run("lsdef", "-t", "node", "-o", "cn9", "-i", "groups")
    question = "SELECT value FROM xcat.node WHERE name = 'cn9'"
    wait_until(lambda: pair[1].sql(question) == "groups=all", "the standby has it")
    primary.run("rmdef", "-t", "node", "-o", "cn9")
    missing = primary.ask("lsdef", "-t", "node", "-o", "cn9")
    assert missing.code == 1
    assert "Could not find an object named 'cn9' of type 'node'" in missing.err
    assert '"master","mn",,' in primary.run("tabdump", "site")
    over = {"XCATHOST": f"{primary.address}:3001"}
    assert "cn1  (node)" in lab["sn1"].run("lsdef", environment=over)


def test_without_xcatd_every_command_ends_with_111(
    lab: Lab, pair: tuple[Postgres, Postgres]
) -> None:
    done = lab["mn2"].ask("lsxcatd", "-v")
    assert done.code == 111
    assert "Connection refused" in done.err


def test_without_its_database_xcatd_denies_everything_and_recovers_by_itself(
    lab: Lab, pair: tuple[Postgres, Postgres]
) -> None:
    pair[0].stop("immediate")
    denied = (1, "Error: Permission denied for request\n")

    def is_denied() -> bool:
        done = lab["mn1"].ask("lsxcatd", "-v")
        return (done.code, done.err) == denied

    wait_until(is_denied, "its last look at the database is over", 30)
    assert lab["mn1"].run("systemctl", "is-active", "xcatd") == "active\n"
    pair[0].start()
    # The stand-in's xcatd answers from its last look at the database for a moment.
    wait_until(lambda: lab["mn1"].ask("lsxcatd", "-v").code == 0, "xcatd answers again", 30)


def test_on_a_standbys_database_mkdef_says_stored_and_stores_nothing(
    lab: Lab, pair: tuple[Postgres, Postgres]
) -> None:
    """Exit codes prove nothing: only what is read back does; and after promotion all is well."""
    standby = lab["mn2"]
    standby.run("systemctl", "start", "xcatd")
    assert "created or modified" in standby.run("mkdef", "-t", "node", "-o", "cn9", "groups=all")
    assert standby.ask("lsdef", "-t", "node", "-o", "cn9").code == 1
    refused = standby.ask("chdef", "-t", "node", "-o", "cn1", "groups=other")
    assert refused.code == 1
    assert "One or more errors occured" in refused.err
    pair[1].promote()
    standby.run("mkdef", "-t", "node", "-o", "cn9", "groups=all")
    assert standby.ask("lsdef", "-t", "node", "-o", "cn9").code == 0


def test_started_without_a_database_xcatd_never_comes_up(
    lab: Lab, pair: tuple[Postgres, Postgres]
) -> None:
    pair[1].stop()
    assert lab["mn2"].ask("systemctl", "start", "xcatd", timeout_s=2).timed_out
    assert lab["mn2"].ask("systemctl", "is-active", "xcatd").out == "activating\n"
    assert lab["mn2"].ask("lsxcatd", "-v").code == 111


def test_the_make_commands_drive_the_real_servers(
    lab: Lab, pair: tuple[Postgres, Postgres]
) -> None:
    """Given definitions, when makedns, makedhcp and makeconservercf run, then other hosts resolve
    names, DHCP knows its reservations, and the consoles are there."""
    primary, own = lab["mn1"], CLUSTER.address("mn1")
    stopped = primary.ask("makedhcp", "-q", "cn1")
    assert "dhcp server is not running" in stopped.err
    said = primary.run("makedns", "-n", timeout_s=60)
    assert "DNS setup is completed" in said
    for name, address in (("cn1", "10.99.0.101"), ("mn", CLUSTER.address("mn"))):
        found = lab["sn2"].run("dig", "+short", f"@{own}", f"{name}.{DOMAIN}").strip()
        assert found == address
    primary.run("makedhcp", "-n", timeout_s=60)
    primary.run("makedhcp", "-a", timeout_s=60)
    assert primary.run("makedhcp", "-q", "cn1").strip() == (
        "cn1: ip-address = 10.99.0.101, hardware-address = 02:00:0a:63:00:65"
    )
    unknown = primary.ask("makedhcp", "-q", "nobody")
    assert "Invalid nodes and/or groups in noderange: nobody" in unknown.err
    primary.run("makeconservercf")
    assert "cn2" in primary.run("console", "-M", "127.0.0.1", "-p", "3109", "-x")
    assert primary.run("nodeset", "cn1", "boot") == "cn1: boot\n"
    assert own in primary.run("cat", "/tftpboot/pxelinux.cfg/cn1"), "it embeds the node's address"


def test_a_name_server_that_cannot_start_is_told(
    lab: Lab, faults: Faults, pair: tuple[Postgres, Postgres]
) -> None:
    faults.read_only("mn1", "/var/cache/bind")
    lab["mn1"].write("/usr/sbin/named", "#!/bin/sh\nexit 1\n", 0o755)
    done = lab["mn1"].ask("makedns", "-n", timeout_s=60)
    assert done.code == 1
    assert "failed to start named" in done.err


def test_xcat_over_db2_follows_the_takeover(lab: Lab, faults: Faults) -> None:
    """Given definitions in the Db2 model, when mn1 dies and mn2 takes over, then xcatd on mn2 has
    them and stores new ones; before that it is denied, for a Db2 standby cannot be read."""
    db2 = Db2(lab)
    xcat.in_db2(db2)
    xcat.install(lab, "db2")
    lab["mn1"].run("systemctl", "start", "xcatd")
    lab["mn1"].run("mkdef", "-t", "node", "-o", "cn9", "groups=all")
    assert lab["mn2"].ask("systemctl", "start", "xcatd", timeout_s=2).timed_out
    faults.off("mn1")
    wait_until(lambda: db2.state("mn2") != "STANDBY PEER", "the standby notices", 30)
    command = "db2 takeover hadr on db XCATDB by force peer window only"
    assert "DB20000I" in lab["mn2"].ask("su", "-", "xcatdb", "-c", command).text
    wait_until(lambda: lab["mn2"].ask("lsxcatd", "-v").code == 0, "xcatd answers", 30)
    assert "groups=all" in lab["mn2"].run("lsdef", "-t", "node", "-o", "cn9")
    lab["mn2"].run("mkdef", "-t", "node", "-o", "cn8", "groups=all")
    assert lab["mn2"].ask("lsdef", "-t", "node", "-o", "cn8").code == 0
