"""What a setup does besides on request: the guide's test at its end, and the move to a service
address.

Owns these two stories. What setup does in any case is test_lab_setup's.
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.guides_way import PRIMARYS
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.maria import PROGRAMS
from tests.lab.site.names import MANAGERS, PRIMARY, SERVICE_NAME, STANDBY
from tests.lab.site.pair import SERVICE_ADDRESS, Pair
from tests.lab.test_lab_identity import holds
from tests.lab.test_lab_setup import make, set_up, wait_plannable, writable

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_lab("crontab", "postgres", "sqlite3", *PROGRAMS, *xcat.PROGRAMS),
]
TEST_NODE = "hamndtest"


def nodes(site: Pair) -> str:
    """What xCAT on the management node knows."""
    return site.lab[PRIMARY].run("lsdef", "-t", "node")


@pytest.mark.parametrize("engine", ["postgresql", "db2", "mariadb", "sqlite"])
def test_a_setup_ends_with_the_guides_own_test(lab: Lab, engine: str) -> None:
    """Given a standby with nothing, when the operator confirms a setup with its drill, then the
    node that was defined on mn1 was found on mn2 and is gone, mn1 serves again and restarts by
    itself, and mn2 is its standby in Peer."""
    site = make(lab, engine)
    site.watch()
    site.wait_state("Degraded")
    wait_plannable(site)
    plan = site.carry_out("setup", STANDBY, "--drill")
    ids = [one["id"] for one in plan["steps"]]
    assert ids.index("setup-guard") < ids.index("test-node") < ids.index("stop")
    assert ids.index("verify") < ids.index("test-found") < ids.index("test-removed")
    assert ids[-1] == "home-test-removed"
    site.wait_state("Peer", limit_s=120)
    assert (writable(site), site.owners()) == ((PRIMARY,), [PRIMARY])
    assert "cn1" in nodes(site)
    assert TEST_NODE not in nodes(site)
    done = {one["id"]: one["outcome"] for one in site.ask("report", plan["digest"])["steps"]}
    assert done["test-found"] == done["home-test-removed"] == "done"
    assert site.lab[PRIMARY].ask("systemctl", "is-enabled", "xcatd").out.strip() == "enabled"
    assert site.ask("status")["last_drill_at"] is not None


def test_an_aborted_test_takes_its_node_back(lab: Lab) -> None:
    """Given a setup of Db2 whose test is held because another machine answers for the address, when
    the operator aborts, then mn1 serves as before, and the test's node is gone; what was set up
    stays."""
    site = make(lab, "db2")
    site.watch()
    site.wait_state("Degraded")
    lab["sn2"].run("ip", "addr", "add", f"{SERVICE_ADDRESS}/32", "dev", "lo")
    wait_plannable(site)
    plan = site.planned("setup", "--drill")
    held = site.hamnctl("confirm", plan["digest"], "--name", STANDBY, timeout_s=300)
    assert held.code != 0
    assert site.ask("status")["run"]["paused_step"] == "release", held.text
    lab["sn2"].run("ip", "addr", "del", f"{SERVICE_ADDRESS}/32", "dev", "lo")
    undo = site.ask("abort", "--reason", "somebody has our address")
    ids = [one["id"] for one in undo["steps"]]
    assert ids[-1] == "undo-test-node"
    assert not any(one.startswith("undo-setup-") for one in ids)
    done = site.hamnctl("confirm", undo["digest"], "--name", STANDBY, timeout_s=240)
    assert done.code == 0, f"{done.text}\n{site.hamnctl('status').text}\n{site.log()[-3000:]}"
    site.wait_state("Peer", limit_s=120)
    assert (writable(site), site.owners()) == ((PRIMARY,), [PRIMARY])
    assert "cn1" in nodes(site)
    assert TEST_NODE not in nodes(site)


ROWS = (
    ("netname=cluster", "networks.net=10.99.0.0", "networks.mask=255.255.255.0"),
    ("netname=cluster", "networks.gateway=<xcatmaster>", f"networks.nameservers={PRIMARYS}"),
    ("node=compute", "noderes.xcatmaster=mn1", f"noderes.nfsserver={PRIMARYS}"),
    ("node=other", "noderes.xcatmaster=sn1"),
    ("priority=1.3", "policy.name=mn1", "policy.rule=trusted"),
)
"""What xCAT's own set-up, and an administrator, leave on a site that has no service address."""


def on_its_own_address(lab: Lab) -> Pair:
    """Return a site whose tables and cfgloc name mn1 itself; nobody has a service address."""
    site = make(lab, "postgresql", str, PRIMARYS)
    primary = site.lab[PRIMARY]
    for row in ROWS:
        primary.run("chtab", *row)
    primary.run("chdef", "-t", "site", f"master={PRIMARY}", f"nameservers={PRIMARYS}")
    for name in MANAGERS:
        cfgloc = lab[name].path("/etc/xcat/cfgloc")
        cfgloc.write_text(cfgloc.read_text().replace(SERVICE_ADDRESS, PRIMARYS))
        hosts = lab[name].path("/etc/hosts")
        kept = (one for one in hosts.read_text().splitlines() if SERVICE_ADDRESS not in one)
        hosts.write_text("".join(f"{one}\n" for one in kept))
    return site


def card_of(site: Pair) -> str:
    """What the operator reads before the conversion, in one line."""
    return " ".join(site.hamnctl("plan", "setup", "--convert", "--drill").text.split())


def test_a_site_is_moved_to_its_service_address_and_proven_there(lab: Lab) -> None:
    """Given a site whose tables, database file and names are the primary's own, when the operator
    confirms a setup with conversion and drill, then each row was shown before and after, all of
    them and cfgloc on both nodes name what moves, nodes are answered there, and it was taken over
    and back; what names others stays."""
    site = on_its_own_address(lab)
    before = lab[PRIMARY].run("tabdump", "noderes")
    site.watch()
    site.wait_state("Degraded")
    wait_until(lambda: "table noderes" in card_of(site), "its tables were read", 120)
    card = card_of(site)
    assert f"master mn1 -> {SERVICE_NAME}" in card
    assert f"compute.nfsserver {PRIMARYS} -> {SERVICE_ADDRESS}" in card
    assert f"cluster.tftpserver (none) -> {SERVICE_ADDRESS}" in card
    set_up(site, "--convert", "--drill")
    site.wait_state("Peer", limit_s=120)
    tables = {one: lab[PRIMARY].run("tabdump", one) for one in ("site", "networks", "noderes")}
    assert f'"master","{SERVICE_NAME}"' in tables["site"]
    assert not any(PRIMARYS in one or '"mn1"' in one for one in tables.values())
    assert [one for one in before.splitlines() if "sn1" in one] == [
        one for one in tables["noderes"].splitlines() if "sn1" in one
    ]
    policy = lab[PRIMARY].run("tabdump", "policy")
    assert all(f'"{one}"' in policy for one in (*MANAGERS, SERVICE_NAME))
    assert '"1.3","mn1"' in policy
    for name in MANAGERS:
        assert f"host={SERVICE_ADDRESS}|" in lab[name].path("/etc/xcat/cfgloc").read_text()
        assert SERVICE_ADDRESS in lab[name].run("getent", "hosts", SERVICE_NAME)
    assert holds(lab, PRIMARY, SERVICE_ADDRESS)
    assert holds(lab, PRIMARY, PRIMARYS)
    where = {"XCATHOST": f"{SERVICE_ADDRESS}:3001"}
    assert "cn1" in lab["sn1"].run("lsdef", environment=where)
    assert writable(site) == (PRIMARY,)
    assert xcat.CFGLOC_PASSWORD not in site.log()
    assert xcat.CFGLOC_PASSWORD not in site.hamnctl("--json", "history").text


def test_a_database_that_refuses_the_service_address_changes_nothing_of_cfgloc(lab: Lab) -> None:
    """Given a server that takes xCAT's user at mn1's own address alone, when the conversion comes
    to it, then it waits there with the server's word, xcatd runs on, and an abort leaves tables,
    names of the database and addresses as they were."""
    site = on_its_own_address(lab)
    tables = ("site", "networks", "noderes", "policy")
    before = {one: lab[PRIMARY].run("tabdump", one) for one in tables}
    site.watch()
    site.wait_state("Degraded")
    set_up(site)
    site.wait_state("Peer", limit_s=120)
    site.faults.refuse_address(PRIMARY, SERVICE_ADDRESS, 5432)
    wait_plannable(site)
    plan = site.planned("setup", "--convert")
    held = site.hamnctl("confirm", plan["digest"], "--name", STANDBY, timeout_s=300)
    assert held.code != 0
    assert site.ask("status")["run"]["paused_step"] == "move-database", held.text
    assert PRIMARYS in lab[PRIMARY].path("/etc/xcat/cfgloc").read_text()
    assert lab[PRIMARY].ask("systemctl", "is-active", "xcatd").out.strip() == "active"
    undo = site.ask("abort", "--reason", "the database first")
    done = site.hamnctl("confirm", undo["digest"], "--name", STANDBY, timeout_s=240)
    assert done.code == 0, f"{done.text}\n{site.hamnctl('status').text}\n{site.log()[-3000:]}"
    assert {one: lab[PRIMARY].run("tabdump", one) for one in tables} == before
    assert not holds(lab, PRIMARY, SERVICE_ADDRESS)
