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
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.maria import PROGRAMS
from tests.lab.site.maria_truth import start_read_only
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pair import Pair
from tests.lab.test_lab_setup import make, set_up, writable

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    needs_lab("crontab", "postgres", "sqlite3", *PROGRAMS, *xcat.PROGRAMS),
]

ENGINES = ["postgresql", "db2", "mariadb", "sqlite"] if os.environ.get(MATRIX) else ["postgresql"]


def serves(site: Pair, node: str) -> None:
    """Who manages the cluster, by its own truth and a service node's."""
    assert (writable(site), site.owners()) == ((node,), [node])
    assert "cn1" in site.lab["sn1"].run("lsdef", environment={"XCATHOST": "mn:3001"})


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pair_lives_from_an_empty_standby_to_peer_again(lab: Lab, engine: str) -> None:
    """Given two hosts, when the operator sets the pair up, drills, loses the primary, takes over
    and hands back once it returned, then it is in Peer as configured, and at no time were two
    databases writable for the operator to choose from."""
    site = make(lab, engine)
    if engine == "mariadb":
        start_read_only(site.lab[PRIMARY])  # it comes back as a replica to be
    site.watch()
    set_up(site)
    site.wait_state("Peer", limit_s=120)
    site.wait_ready(120)
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
    site.faults.on(PRIMARY)
    wait_until(lambda: "digest" in site.ask("plan", "failback"), "it can be taken in", 180)
    site.carry_out("failback", PRIMARY)
    site.wait_state("Peer", limit_s=180)
    serves(site, PRIMARY)
