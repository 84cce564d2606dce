"""The figures of all tools beside each other: as Markdown, as CSV and as a plot.

Owns their form. Must not know how they were measured.
"""

from __future__ import annotations

import csv
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HEAD = ("tool", "what", "unit", "median", "least", "greatest", "N")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one tool, with what every run said."""

    tool: str
    what: str
    unit: str
    values: tuple[float, ...]

    @property
    def middle(self) -> tuple[float, float, float]:
        """Median, least, greatest."""
        return statistics.median(self.values), min(self.values), max(self.values)

    def row(self) -> tuple[str, ...]:
        """Return the row for a CSV file, as HEAD names it."""
        numbers = (f"{one:.2f}" for one in self.middle)
        return (self.tool, self.what, self.unit, *numbers, str(len(self.values)))

    def cell(self) -> str:
        """Return median and spread for people."""
        middle, least, greatest = (_short(one) for one in self.middle)
        return middle if least == greatest else f"{middle} ({least} to {greatest})"


Remark = tuple[str, str, str]
"""Tool, what, and a sentence instead of a figure."""


def _short(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def markdown(tools: Sequence[str], figures: Sequence[Figure], remarks: Sequence[Remark]) -> str:
    """Return a table with a column for each tool and a row for each figure."""
    cells = {(one.tool, one.what): one.cell() for one in figures}
    cells |= {(tool, what): said for tool, what, said in remarks}
    units = {one.what: f", {one.unit}" for one in figures}
    whats = dict.fromkeys([*(one.what for one in figures), *(what for _, what, _ in remarks)])
    lines = [("", *tools), ("---",) * (len(tools) + 1)]
    for what in whats:
        name = f"{what}{units.get(what, '')}"
        lines.append((name, *(cells.get((tool, what), "") for tool in tools)))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_csv(path: Path, figures: Sequence[Figure]) -> None:
    """Write every figure as a row."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEAD, *(one.row() for one in figures)])


def plot(path: Path, tools: Sequence[str], whats: Sequence[str], figures: Sequence[Figure]) -> None:
    """Draw these figures of all tools as SVG: medians with their spread, on a logarithmic scale.

    Raises OSError or CalledProcessError where gnuplot does not.
    """
    subprocess.run(["gnuplot"], input=_script(path, tools, whats, figures), text=True, check=True)


def _script(
    path: Path, tools: Sequence[str], whats: Sequence[str], figures: Sequence[Figure]
) -> str:
    lines = [
        "set terminal svg size 960,420 font 'sans,12' background 'white'",
        f"set output '{path}'",
        "set logscale y",
        "set ylabel 'seconds'",
        "set grid ytics",
        "set key outside",
        f"set xrange [-0.5:{len(whats) - 0.5}]",
        "set xtics (" + ", ".join(f"'{what}' {n}" for n, what in enumerate(whats)) + ")",
    ]
    series = []
    for number, tool in enumerate(tools):
        points = [
            f"{whats.index(one.what) + 0.12 * (number - (len(tools) - 1) / 2):.2f} "
            + " ".join(f"{value:.3f}" for value in one.middle)
            for one in figures
            if one.tool == tool and one.what in whats
        ]
        if points:
            lines += [f"$data{number} << END", *points, "END"]
            series.append(f"$data{number} using 1:2:3:4 with yerrorbars pt 7 title '{tool}'")
    return "\n".join([*lines, "plot " + ", ".join(series), ""])
