"""A takeover is known on both nodes, and so is who looked at it.

Owns that story between two real daemons; what a node makes of it is the core's.
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.test_lab_life import lose_primary

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    needs_lab("crontab", "postgres", *xcat.PROGRAMS),
]


def waiting(site: PostgresPair, node: str) -> str | None:
    """Which takeover waits to be acknowledged, as this node says."""
    found: str | None = site.ask("status", node=node)["acknowledge"]
    return found


def gate(site: PostgresPair) -> str:
    """How mn1 judges a takeover of its own after that one."""
    gates = site.ask("plan", "takeover", node=PRIMARY)["gates"]
    return str(next(one["verdict"] for one in gates if one["name"] == "acknowledged"))


def test_a_takeover_of_the_other_node_wants_a_look_and_the_word_is_known_on_both(lab: Lab) -> None:
    """Given mn2 took over and mn1 became its standby, then mn1 knows of it; when mn2 dies, mn1's
    takeover waits until somebody acknowledged that one; it is said on mn1, and mn2 learns it."""
    site = PostgresPair(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    lose_primary(site)
    digest = waiting(site, STANDBY)
    assert digest is not None
    site.faults.on(PRIMARY)
    wait_until(lambda: "digest" in site.ask("plan", "rejoin"), "it can be taken in", 120)
    site.carry_out("rejoin", STANDBY)
    site.watch(PRIMARY)
    site.wait_state("Peer", limit_s=120, node=PRIMARY)
    wait_until(lambda: waiting(site, PRIMARY) == digest, "mn1 knows of mn2's takeover", 60)
    site.faults.cut(STANDBY)
    site.wait_state("PrimaryDown", node=PRIMARY)
    assert gate(site) == "block"
    assert site.hamnctl("ack", digest, node=PRIMARY).code == 0
    assert gate(site) == "pass"
    site.faults.heal()
    wait_until(lambda: waiting(site, STANDBY) is None, "mn2 knows who looked at it", 60)
    entries = site.ask("history", node=STANDBY)["entries"]
    assert any(one["what"] == "takeover_acknowledged" for one in entries)
