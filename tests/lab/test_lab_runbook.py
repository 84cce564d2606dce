"""The break-glass runbook, carried out word by word on a node on which no hamnd is any more.

Owns the proof of law 8: what hamnd left on the standby's disk by day is all that a person needs at
night. A line with $ is run as root, a line with ? is looked at, in the order in which they stand;
what is judged is the truth of the lab, never what the lines say.
"""

from __future__ import annotations

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Done, Lab
from tests.lab.site.maria import PROGRAMS
from tests.lab.site.maria_pair import MariaPair
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pair import Db2Pair, Pair
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.sqlite_pair import SqlitePair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", "postgres", "sqlite3", *PROGRAMS, *xcat.PROGRAMS),
]

RUNBOOK = "/var/lib/hamnd/runbook.txt"
NOT_A_PROGRAM = (126, 127)


def lines_of(text: str) -> list[tuple[str, str]]:
    """Return the lines to run or to look at, in their order: ("$" or "?", line)."""
    found = [line[3:].partition(" ") for line in text.splitlines() if line[:3] == "   "]
    return [(mark, line) for mark, _, line in found if mark in ("$", "?")]


def carry_out(site: Pair, text: str) -> list[str]:
    """Do what the runbook says on the standby, as root; return what was not done."""
    host, failed = site.lab[STANDBY], []
    for mark, line in lines_of(text):
        done: Done = host.ask("sh", "-c", line, timeout_s=120)
        is_bad = done.code != 0 if mark == "$" else done.code in NOT_A_PROGRAM
        if is_bad or done.timed_out:
            failed.append(f"{mark} {line}\n{done.code}: {done.text}")
    return failed


def writable(site: Pair) -> tuple[str, ...]:
    if isinstance(site, Db2Pair):
        return site.db2.writable()
    assert isinstance(site, PostgresPair | MariaPair | SqlitePair)
    return site.writable()


@pytest.mark.parametrize("kind", [PostgresPair, Db2Pair, MariaPair, SqlitePair])
def test_the_runbook_alone_makes_the_standby_the_management_node(
    lab: Lab, kind: type[Pair]
) -> None:
    """Given a pair whose hamnd is gone, when the primary loses its power and a person does what
    the paper says, then the standby is the management node: nodes find xcatd, DNS and DHCP at the
    service address, and a hamnd that comes back adopts it."""
    site = kind(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    primary, standby = site.lab[PRIMARY], site.lab[STANDBY]
    text = standby.run("cat", RUNBOOK)
    standby.run("systemctl", "stop", "hamnd", timeout_s=60)
    standby.run("rm", "-f", "/run/hamnd/hamnd.sock")
    site.faults.off(PRIMARY)
    assert not primary.is_up

    failed = carry_out(site, text)
    assert not failed, "\n\n".join(failed)
    assert site.owners() == [STANDBY]
    assert writable(site) == (STANDBY,)
    there = {"XCATHOST": "mn:3001"}
    third = site.lab["sn1"]
    assert "cn1" in third.run("lsdef", environment=there)
    third.run("mkdef", "-t", "node", "-o", "cn9", "groups=compute", environment=there)
    assert "cn9" in third.run("lsdef", environment=there)

    standby.run("systemctl", "start", "hamnd", timeout_s=60)
    site.wait_state("Active")
    assert "knows of no takeover" in site.ask("status")["because"]
