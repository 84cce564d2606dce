"""The table of `make bench-peers`: what stands where; and whether its tools can be installed."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.bench.peers.__main__ import TOOLS
from tests.bench.peers.table import HEAD, Figure, markdown, write_csv

FIGURES = (
    Figure("hamnd", "frozen to its word", "s", (2.5, 2.25, 4.0)),
    Figure("other", "frozen to its word", "s", (13.0,)),
    Figure("hamnd", "acknowledged and lost", "rows", (0.0, 0.0, 0.0)),
)


def test_each_tool_has_a_column_and_each_figure_a_row() -> None:
    told = markdown(("hamnd", "other"), FIGURES, [("other", "daemons", "two")]).splitlines()
    assert told == [
        "|  | hamnd | other |",
        "| --- | --- | --- |",
        "| frozen to its word, s | 2.50 (2.25 to 4) | 13 |",
        "| acknowledged and lost, rows | 0 |  |",
        "| daemons |  | two |",
    ]


def test_the_file_has_a_row_for_each_figure(tmp_path: Path) -> None:
    write_csv(tmp_path / "peers.csv", FIGURES)
    with (tmp_path / "peers.csv").open(newline="") as file:
        head, first, *rest = csv.reader(file)
    assert head == list(HEAD)
    assert first == ["hamnd", "frozen to its word", "s", "2.50", "2.25", "4.00", "3"]
    assert len(rest) == 2


def test_whatever_a_tool_needs_can_be_installed_from_the_lists(checkout: Path) -> None:
    lists = (checkout / ".ci/packages", checkout / "tests/bench/peers/packages")
    listed = {one for path in lists for one in path.read_text().split()}
    wanted = {one for tool in TOOLS for text in tool.programs.values() for one in text.split(", ")}
    assert wanted - listed == set()
