"""The promote step of a takeover against a bare `pg_promote()`, between real hosts.

Owns this one figure. Both are measured on pairs of their own in the same run: the primary loses its
power under writes, then the standby is promoted. Where no lab can be made the figure says why.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from tests.lab.site import xcat
from tests.lab.site.faults import Faults
from tests.lab.site.hosts import Lab
from tests.lab.site.needs import missing
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.postgres import Writer, make_pair

BUDGET_S = 0.5
NAME = "promote step above a bare pg_promote()"

Figure = Callable[[str, list[float], str, str, bool], dict[str, Any]]


def bench_promote(runs: int, figure: Figure) -> list[dict[str, Any]]:
    """Return the figure, with both medians beside it."""
    reason = missing("crontab", "postgres", *xcat.PROGRAMS)
    if reason is not None:
        return [{"name": NAME, "skipped": reason}]
    bare = [_bare() for _ in range(runs)]
    ours = [_step() for _ in range(runs)]
    floor = statistics.median(bare)
    above = [one - floor for one in ours]
    is_met = statistics.median(above) <= BUDGET_S
    document = figure(NAME, above, "s", f"<= {BUDGET_S}", is_met)
    document["bare_s"] = round(floor, 3)
    document["step_s"] = round(statistics.median(ours), 3)
    return [document]


def _bare() -> float:
    """Promote by one statement, as at a prompt; return its seconds."""
    with Lab() as lab:
        _, standby = make_pair(lab["mn1"], lab["mn2"])
        writer = Writer(lab["mn1"])
        writer.wait(100)
        Faults(lab).off("mn1")
        psql = (str(standby.bin / "psql"), "-X", "-A", "-t", "-d", "xcatdb")
        done = lab["mn2"].ask(*psql, "-c", "SELECT pg_promote(true, 60)", user="postgres")
        if done.code != 0 or done.out.strip() != "t":
            raise RuntimeError(done.text)
        return done.seconds


def _step() -> float:
    """Take over with hamnd; return the seconds from the step's beginning to its proof."""
    with Lab() as lab:
        site = PostgresPair(lab)
        site.watch()
        site.wait_state("Peer")
        site.wait_ready()
        site.write().wait(100)
        site.faults.off("mn1")
        site.wait_state("PrimaryDown")
        plan = site.ask("plan", "takeover", "--accept-loss", "bounded")
        confirmed = site.hamnctl("confirm", plan["digest"], "--name", "mn2", timeout_s=120)
        if confirmed.code != 0:
            raise RuntimeError(confirmed.text)
        steps = site.ask("report", plan["digest"])["steps"]
        return float(next(one["duration_s"] for one in steps if one["id"] == "promote"))
