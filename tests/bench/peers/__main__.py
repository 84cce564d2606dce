"""`python -m tests.bench.peers`: hamnd beside other tools on the same hosts, database and faults.

Owns which tools and figures there are and in which order they are measured. Must not judge. A tool
that is not installed has a column that says so.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.peers.hamnd import Hamnd
from tests.bench.peers.keepalived import Keepalived
from tests.bench.peers.night import FAULTS, WATCH_S, Night, alarms_in, cost_of, play
from tests.bench.peers.pacemaker import Pacemaker
from tests.bench.peers.patroni import Patroni
from tests.bench.peers.repmgr import Repmgr
from tests.bench.peers.table import Figure, Remark, markdown, plot, write_csv
from tests.bench.peers.tool import Tool
from tests.lab.site.needs import PLACES, missing

TOOLS: tuple[type[Tool], ...] = (Hamnd, Repmgr, Patroni, Pacemaker, Keepalived)
SLOW = "slow line"
IDLE = "idle"
SLOW_FOR_S = 60.0
IDLE_FOR_S = 30.0
ORDER = "order to writable"


def main() -> int:
    """Measure, print the table, write CSV and plot where that is asked for."""
    options = _options()
    if (reason := missing("postgres")) is not None:
        sys.stderr.write(f"bench-peers: {reason}\n")
        return 1
    chosen = [one for one in TOOLS if not options.tool or one.name in options.tool]
    figures: list[Figure] = []
    remarks: list[Remark] = []
    for tool in chosen:
        if (lacking := _lacking(tool)) is not None:
            remarks.append((tool.name, "not measured", lacking))
            continue
        for one in _measured(tool, options.runs, options.only or [*FAULTS, SLOW, IDLE]):
            print(*one.row() if isinstance(one, Figure) else one, sep="; ", file=sys.stderr)
            if isinstance(one, Figure):
                figures.append(one)
            else:
                remarks.append(one)
        remarks += _told_of(tool)
    names = [one.name for one in chosen]
    print(f"Medians of {options.runs}, with the least and the greatest where they differ.\n")
    print(markdown(names, figures, remarks), end="")
    if options.csv:
        write_csv(Path(options.csv), figures)
    if options.plot:
        plot(Path(options.plot), names, [_to_word(one) for one in FAULTS], figures)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="repetitions of each night (5)")
    parser.add_argument("--csv", metavar="FILE", help="write the figures there too")
    parser.add_argument("--plot", metavar="FILE", help="draw them there as SVG (gnuplot)")
    names = [one.name for one in TOOLS]
    parser.add_argument("--tool", action="append", choices=names, help="only this one (repeat)")
    kinds = [*FAULTS, SLOW, IDLE]
    parser.add_argument("--only", action="append", choices=kinds, help="only this one (repeat)")
    return parser.parse_args()


def _lacking(tool: type[Tool]) -> str | None:
    """Return which package is needed for the first program that is not here, or None."""
    for program, package in tool.programs.items():
        if shutil.which(program, path=PLACES) is None:
            return f"needs package {package} ({program})"
    return None


def _to_word(fault: str) -> str:
    return f"{fault} to its word"


def _measured(tool: type[Tool], runs: int, kinds: list[str]) -> Iterator[Figure | Remark]:
    """Yield the figures of one tool, and what it said in words."""
    for fault in (one for one in kinds if one in FAULTS):
        nights, broken = [], ""
        for _ in range(runs):
            try:
                nights.append(play(tool, fault))
            except TimeoutError as error:  # that, too, is a result
                broken = str(error)
        if broken:
            yield tool.name, f"{fault}, nights without an end", broken
        if nights:
            yield from _of(tool, fault, nights)
    if SLOW in kinds:
        what = f"false alarms in {SLOW_FOR_S:.0f} s of 800 ms and 30 % loss each way"
        yield Figure(
            tool.name, what, "", tuple(float(alarms_in(tool, SLOW_FOR_S)) for _ in range(runs))
        )
    if IDLE in kinds:
        costs = [cost_of(tool, IDLE_FOR_S) for _ in range(runs)]
        yield Figure(tool.name, "idle CPU", "% of a core", tuple(one.cpu_percent for one in costs))
        yield Figure(tool.name, "idle memory (PSS)", "MiB", tuple(one.pss_mib for one in costs))


def _of(tool: type[Tool], fault: str, nights: list[Night]) -> Iterator[Figure | Remark]:
    def figure(what: str, unit: str, *values: float) -> Figure:
        return Figure(tool.name, what, unit, values)

    yield figure(_to_word(fault), "s", *(one.told_s for one in nights))
    yield figure(f"{fault}, {ORDER}", "s", *(one.writable_s for one in nights))
    of = f"{fault}, both databases take writes in {2 * WATCH_S:.0f} s"
    yield figure(of, "s", *(one.both_s for one in nights))
    yield figure(f"{fault}, acknowledged and lost", "rows", *(float(one.lost) for one in nights))
    said = dict.fromkeys(one.predicted for one in nights)
    yield tool.name, f"{fault}, loss predicted", "; ".join(said)


def _told_of(tool: type[Tool]) -> list[Remark]:
    return [
        (tool.name, "settings", tool.settings),
        (tool.name, "its word for down", tool.word),
        (tool.name, "the order", tool.order_is),
        (tool.name, "daemons", tool.runs),
        (tool.name, "hosts besides the pair", tool.more_hosts),
    ]


if __name__ == "__main__":
    sys.exit(main())
