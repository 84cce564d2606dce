"""The whole life of a pair in one story: from an empty standby, through the night, to Peer again.

Owns that the plans fit each other: what one leaves behind is what the next one begins with, the
return guard in between. What each plan does alone is test_lab_setup's and test_lab_life's.
"""

from __future__ import annotations

import os

import pytest

from tests.lab.conftest import MATRIX
from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.guides_way import INTERFACES, OWN, PRIMARYS, primary_address
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.maria import PROGRAMS
from tests.lab.site.maria_truth import start_read_only
from tests.lab.site.names import CLUSTER, MANAGERS, PRIMARY, STANDBY
from tests.lab.site.pair import SERVICE_ADDRESS, Pair
from tests.lab.test_lab_identity import holds
from tests.lab.test_lab_setup import make, set_up, writable

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    needs_lab("crontab", "postgres", "sqlite3", *PROGRAMS, *xcat.PROGRAMS),
]

EVERY = [
    (engine, mode)
    for engine in ("postgresql", "db2", "mariadb", "sqlite")
    for mode in ("service_address", "primary_address")
]
ONE_EACH = [
    ("postgresql", "primary_address"),
    ("db2", "service_address"),
    ("mariadb", "primary_address"),
    ("sqlite", "service_address"),
]
PLAYED = EVERY if os.environ.get(MATRIX) else ONE_EACH
"""The guide's way has every step of the other one, and the exchange of addresses besides."""
SPARE = f"{CLUSTER.prefix}.30"


def exchanging(text: str) -> str:
    """The guide's way, with the address that the old primary takes first."""
    return primary_address(text).replace("confirm_s = 20\n", f'confirm_s = 20\nspare = "{SPARE}"\n')


def in_mode(lab: Lab, engine: str, mode: str) -> Pair:
    """Return the site; in the guide's way each host's own files say who it is at its next boot."""
    if mode == "service_address":
        return make(lab, engine)
    for name in MANAGERS:
        lab[name].write("/etc/network/interfaces", INTERFACES.replace(OWN, CLUSTER.address(name)))
    site = make(lab, engine, exchanging, PRIMARYS)
    for name in MANAGERS:
        cfgloc = lab[name].path("/etc/xcat/cfgloc")
        cfgloc.write_text(cfgloc.read_text().replace(SERVICE_ADDRESS, PRIMARYS))
    return site


def return_as_standby(site: Pair, mode: str) -> None:
    """Its power is back. In the guide's way a person gave it, at its console, what is free now."""
    if mode == "primary_address":
        etc = site.lab.folder / "disks" / PRIMARY / "upper" / "etc"
        site.lab.keep("sed", "-i", f"s/{PRIMARYS}/{OWN}/", str(etc / "network/interfaces"))
        site.lab.keep("sh", "-c", f'echo "{STANDBY}" >"$1"', "name", str(etc / "hostname"))
    site.faults.on(PRIMARY)


def serves(site: Pair, node: str) -> None:
    """Who manages the cluster, by its own truth and a service node's."""
    assert (writable(site), site.owners()) == ((node,), [node])
    where = {"XCATHOST": f"{site.service_address}:3001"}
    assert "cn1" in site.lab["sn1"].run("lsdef", environment=where)


def is_partner_known(site: Pair, mode: str) -> bool:
    """Whether the standby's return guard asks its partner where that is after a takeover."""
    where = OWN if mode == "primary_address" else PRIMARYS
    conf = site.lab[STANDBY].run("cat", "/var/lib/hamnd/guard.conf")
    return f"partner={PRIMARY} root {where} " in conf


@pytest.mark.parametrize(("engine", "mode"), PLAYED)
def test_a_pair_lives_from_an_empty_standby_to_peer_again(lab: Lab, engine: str, mode: str) -> None:
    """Given two hosts, when the operator sets the pair up, rehearses, drills, loses the primary,
    takes over and hands back once it returned, then it is in Peer as configured, and each host has
    its own address and name again."""
    site = in_mode(lab, engine, mode)
    if engine == "mariadb":
        start_read_only(site.lab[PRIMARY])  # it comes back as a replica to be
    site.watch()
    set_up(site)
    site.wait_state("Peer", limit_s=120)
    site.wait_ready(120)
    rehearsed = site.hamnctl("rehearse", timeout_s=120)
    assert rehearsed.code == 0, rehearsed.text
    site.carry_out("drill", STANDBY)
    site.wait_state("Peer", limit_s=120)
    serves(site, PRIMARY)
    site.wait_ready(120)
    site.faults.off(PRIMARY)
    site.wait_state("PrimaryDown", limit_s=120)
    verdict = site.ask("plan", "takeover")["data_loss"]["verdict"]
    words = () if verdict == "zero_proven" else ("--accept-loss", verdict)
    site.carry_out("takeover", STANDBY, *words)
    site.wait_state("Active")
    assert site.owners() == [STANDBY]
    wait_until(lambda: is_partner_known(site, mode), "the guard asks its partner", 30)
    return_as_standby(site, mode)
    wait_until(lambda: "digest" in site.ask("plan", "failback"), "it can be taken in", 180)
    site.carry_out("failback", PRIMARY)
    site.wait_state("Peer", limit_s=180)
    serves(site, PRIMARY)
    for name in MANAGERS:
        assert holds(site.lab, name, CLUSTER.address(name))
        assert not holds(site.lab, name, SPARE)
        assert site.lab[name].run("hostname").strip() == name
