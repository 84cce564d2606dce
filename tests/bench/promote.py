"""The promote step of a takeover against the bare statements, between real hosts.

Owns one figure for each engine. Both sides are measured on pairs of their own in the same run: the
primary loses its power under writes, then the standby is promoted. Where no lab can be made the
figure says why.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from tests.lab.site import maria, xcat
from tests.lab.site.faults import Faults
from tests.lab.site.hosts import Lab
from tests.lab.site.maria import PROGRAMS as MARIADB
from tests.lab.site.maria_pair import MariaPair
from tests.lab.site.needs import missing
from tests.lab.site.pg_pair import PostgresPair
from tests.lab.site.postgres import Writer, make_pair

BUDGET_S = 0.5

Figure = Callable[[str, list[float], str, str, bool], dict[str, Any]]


def bench_promote(runs: int, figure: Figure) -> list[dict[str, Any]]:
    """Return the figure of each engine, with both medians beside it."""
    return [
        _measure("pg_promote()", ("postgres",), (_bare_postgres, _step_postgres), runs, figure),
        _measure("STOP, RESET, read_only", MARIADB, (_bare_mariadb, _step_mariadb), runs, figure),
    ]


def _measure(
    bare: str,
    programs: tuple[str, ...],
    sides: tuple[Callable[[], float], Callable[[], float]],
    runs: int,
    figure: Figure,
) -> dict[str, Any]:
    name = f"promote step above a bare {bare}"
    reason = missing("crontab", *programs, *xcat.PROGRAMS)
    if reason is not None:
        return {"name": name, "skipped": reason}
    by_hand = [sides[0]() for _ in range(runs)]
    ours = [sides[1]() for _ in range(runs)]
    floor = statistics.median(by_hand)
    above = [one - floor for one in ours]
    is_met = statistics.median(above) <= BUDGET_S
    document = figure(name, above, "s", f"<= {BUDGET_S}", is_met)
    document["bare_s"] = round(floor, 3)
    document["step_s"] = round(statistics.median(ours), 3)
    return document


def _bare_postgres() -> float:
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


def _bare_mariadb() -> float:
    """Promote by three statements, as at a prompt; return their seconds."""
    with Lab() as lab:
        _, standby = maria.make_pair(lab["mn1"], lab["mn2"])
        maria.Writer(lab["mn1"]).wait(100)
        Faults(lab).off("mn1")
        return standby.promote()


def _step_postgres() -> float:
    with Lab() as lab:
        return _step(PostgresPair(lab), "promote")


def _step_mariadb() -> float:
    """What is drained before belongs to it: the bare STOP REPLICA waits for that too."""
    with Lab() as lab:
        return _step(MariaPair(lab), "drain", "promote")


def _step(site: PostgresPair | MariaPair, *steps: str) -> float:
    """Take over with hamnd; return the seconds from the steps' beginning to their proof."""
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
    done = site.ask("report", plan["digest"])["steps"]
    return sum(float(one["duration_s"]) for one in done if one["id"] in steps)
