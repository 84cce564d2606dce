"""The MariaDB pair across two hosts, and a writer that proves what was lost.

Owns the proof that the lab's own count is right. MUST NOT test hamnd.
"""

from __future__ import annotations

import pytest

from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.maria import PROGRAMS, Writer, make_pair

__all__ = ["faults", "lab"]
pytestmark = [pytest.mark.lab, needs_lab(*PROGRAMS)]


def test_a_semi_synchronous_pair_loses_nothing_to_a_power_cut(lab: Lab, faults: Faults) -> None:
    """Given a semi-synchronous pair under writes, when mn1 loses its power and mn2 is promoted,
    then every acknowledged row is there; and mn1, copied anew, follows mn2."""
    first, second = make_pair(lab["mn1"], lab["mn2"], semi_sync=True)
    assert first.accepts_writes
    assert not second.accepts_writes
    writer = Writer(lab["mn1"])
    writer.wait(100)
    faults.off("mn1")
    acknowledged = set(writer.acknowledged)
    assert len(acknowledged) >= 100
    assert second.promote() < 10
    assert acknowledged <= second.rows()
    faults.on("mn1")
    wait_until(lambda: first.accepts_writes, "mn1's database is back")
    first.stop()
    first.clone(lab["mn2"])
    assert first.rows() == second.rows()


def test_an_asynchronous_pair_that_is_cut_loses_what_was_written_since(
    lab: Lab, faults: Faults
) -> None:
    """Given an asynchronous pair, when only the pair's link is cut and mn1 is written to, then a
    promoted mn2 lacks just those rows, and both accept writes: the split-brain that hamnd must
    never make."""
    first, second = make_pair(lab["mn1"], lab["mn2"])
    writer = Writer(lab["sn1"], lab["mn1"].address)
    writer.wait(50)
    faults.pair_cut()
    before = set(writer.acknowledged)
    writer.wait(50)
    acknowledged = set(writer.stop())
    second.promote()
    lost = acknowledged - second.rows()
    assert len(lost) >= 50
    assert min(lost) > max(before) - 50, "only what came around the cut and after it"
    assert first.accepts_writes
    assert second.accepts_writes
