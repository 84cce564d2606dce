"""A primary whose services alone failed hands over what its database has, and only then is off.

Owns that story between real hosts, over the engines whose primary can be asked for it. That a
primary which does not answer is not waited for is every other takeover's.
"""

from __future__ import annotations

import os

import pytest

from tests.lab.conftest import MATRIX
from tests.lab.site import xcat
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.hosts import Lab
from tests.lab.site.maria import PROGRAMS
from tests.lab.site.maria_pair import MariaPair
from tests.lab.site.names import PRIMARY, STANDBY
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.watcher import Watcher

__all__ = ["lab"]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_lab("crontab", "postgres", *PROGRAMS, *xcat.PROGRAMS),
]

EVERY: tuple[type[PostgresPair] | type[MariaPair], ...] = (PostgresPair, MariaPair)
PLAYED = EVERY if os.environ.get(MATRIX) else EVERY[:1]


@pytest.mark.parametrize("pair", PLAYED, ids=lambda pair: pair.__name__)
def test_what_was_written_until_the_takeover_is_handed_over(
    lab: Lab, pair: type[PostgresPair] | type[MariaPair]
) -> None:
    """Given an asynchronous pair under writes whose primary lost its xcatd for good, when the
    operator accepts that what is lost is not known, then the primary's server takes its last write
    before it is switched off, nothing that was acknowledged is missing, and the journal says so."""
    site = pair(lab)
    site.watch()
    site.wait_state("Peer")
    site.wait_ready()
    writer = site.write()
    writer.wait(200)
    with Watcher(lab, site.writable) as watcher:
        lab[PRIMARY].run("systemctl", "stop", "xcatd")
        site.wait_state("PrimaryDown")
        assert site.ask("status")["cause"] == "service"
        writer.wait(50)
        plan = site.take_over()
        watcher.settle()
    assert watcher.violations == []
    assert plan["data_loss"]["verdict"] == "unknown", "nobody can promise it before it is done"
    steps = [one["id"] for one in plan["steps"]]
    assert steps.index("salvage") < steps.index("quiesce") < steps.index("fence")
    acknowledged = set(writer.stop())
    assert acknowledged <= site.second.rows()
    assert (site.writable(), site.owners()) == ((STANDBY,), [STANDBY])
    told = " ".join(site.hamnctl("history", "--all").text.split())
    assert "quiesce: step done" in told, told[-4000:]
    assert "predicted loss after the salvage: zero likely" in told, told[-4000:]
