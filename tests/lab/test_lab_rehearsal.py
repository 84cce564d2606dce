"""Rehearsals between real hosts: every look of every step, on the engines' real servers.

Owns the proof that nothing but looks is done: afterwards both nodes are as they were before.
"""

from __future__ import annotations

import json

import pytest

from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab
from tests.lab.site.maria_pair import MariaPair
from tests.lab.site.pair import Db2Pair, Pair
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.sqlite_pair import SqlitePair

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", "postgres", "mariadbd", "sqlite3", *xcat.PROGRAMS),
]

SHOWN = (("ip", "-o", "address"), ("crontab", "-l"), ("ls", "/etc/xcat", "/etc/cron.d"))
"""What a step that acted by mistake would leave behind."""


def picture(site: Pair) -> list[str]:
    """Return what can be seen of both nodes."""
    hosts = (site.lab["mn1"], site.lab["mn2"])
    return [host.ask(*argv).text for host in hosts for argv in SHOWN]


@pytest.mark.parametrize("kind", [Db2Pair, PostgresPair, MariaPair, SqlitePair])
def test_a_healthy_pair_is_rehearsed_and_nothing_is_changed(lab: Lab, kind: type[Pair]) -> None:
    """Given a pair in Peer, when a takeover is rehearsed, every step could be carried out."""
    site = kind(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    before = picture(site)
    done = site.hamnctl("--json", "rehearse", timeout_s=120.0)
    told = json.loads(done.out)["rehearsal"]
    assert (done.code, told["outcome"]) == (0, "done"), told["sentence"]
    assert {"fuse", "fence", "promote", "identity", "xcatd"} <= {one["id"] for one in told["steps"]}
    assert picture(site) == before
    assert site.ask("status")["last_rehearsal_at"] is not None
