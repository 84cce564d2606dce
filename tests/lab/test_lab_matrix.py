"""Every fault in every phase of a takeover between real hosts, watched over from beside it.

Owns what must hold of each night: it ends Active, where it stood still hamnd said so truly, nobody
ever saw two databases accept writes or two owners of the address, and what was lost is never more
than what was shown when the operator confirmed. A few nights, in which every row has its turn, are
played in every run of the tests; `make matrix` plays each cell alone.
"""

from __future__ import annotations

import os

import pytest

from tests.lab.conftest import MATRIX
from tests.lab.lab_nights import EVERY_CELL, ROW, ROWS, Cell, Phase, Told, pair_in_peer, play
from tests.lab.site import xcat
from tests.lab.site.fixtures import needs_lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    needs_lab("crontab", "faketime", *xcat.PROGRAMS),
]

Night = tuple[Cell, ...]

REPRESENTATIVES: tuple[Night, ...] = (
    (
        Cell("pair cut", Phase.BEFORE),
        Cell("one way", Phase.DURING),
        Cell("one process", Phase.AFTER),
    ),
    (Cell("frozen", Phase.BEFORE), Cell("names", Phase.DURING), Cell("power", Phase.AFTER)),
    (Cell("clock", Phase.BEFORE), Cell("cable out", Phase.DURING), Cell("no sshd", Phase.AFTER)),
    (
        Cell("all processes", Phase.BEFORE),
        Cell("read-only", Phase.DURING),
        Cell("primary returns", Phase.AFTER),
    ),
    (Cell("slow", Phase.BEFORE), Cell("disk full", Phase.DURING), Cell("host key", Phase.AFTER)),
    (Cell("frames lost", Phase.BEFORE),),
)
"""Nights in which several faults follow each other, each mended before the next."""

NIGHTS: tuple[Night, ...] = (
    tuple((cell,) for cell in EVERY_CELL) if os.environ.get(MATRIX) else REPRESENTATIVES
)

NONE_LOST = ("zero_proven", "zero_likely")


def _name(night: Night) -> str:
    return "-then-".join(str(cell) for cell in night)


@pytest.mark.parametrize("night", NIGHTS, ids=_name)
def test_a_night_ends_with_one_management_node_and_true_words(night: Night) -> None:
    """Given Peer under writes, when these faults strike and the primary is lost, then the operator
    who confirms, mends and retries has one management node, and was told the truth throughout."""
    with pair_in_peer() as site:
        told = play(site, *night)
    assert told.violations == []
    assert told.is_met, "the takeover was over before it was struck"
    assert (told.state, told.writers, told.owners) == ("Active", ("mn2",), ["mn2"])
    _lost_no_more_than_shown(told)
    for cell in night:
        _said_what_was_so(told, cell)


def _lost_no_more_than_shown(told: Told) -> None:
    assert told.lost >= 0
    if told.verdict in NONE_LOST:
        assert told.lost == 0, told.verdict
    if told.verdict == "bounded":
        assert told.bound_s is not None
        assert told.lost_over_s <= told.bound_s


def _said_what_was_so(told: Told, cell: Cell) -> None:
    """What must be read while the fault is there; a paused run says where and why."""
    said = told.said.get(cell.phase, "")
    wanted = ROW[cell.row].says.get(cell.phase)
    if wanted is not None:
        assert wanted in said, said
    if cell.phase is Phase.DURING and told.pauses:
        why = ("is BACK", "Two primaries") if "is BACK" in said else ("PAUSED at", "Because: ")
        assert all(one in said for one in (*why, "hamnctl retry")), said


def test_every_row_has_a_representative() -> None:
    played = {cell.row for night in REPRESENTATIVES for cell in night}
    assert played == {row.name for row in ROWS}
