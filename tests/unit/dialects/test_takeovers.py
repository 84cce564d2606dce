"""What a node tells of the latest takeover of the pair, and how the other one reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamnd.dialects import epoch, takeovers
from hamnd.model.takeovers import PastTakeover
from tests.unit.dialects.reports import exited
from tests.unit.dialects.test_running import told

PLAIN = PastTakeover("mn1", "7f3a-91c2", 1_795_317_129)
SEEN = PastTakeover("mn1", "7f3a-91c2", 1_795_317_129, "anna", 1_795_317_200)


@pytest.mark.parametrize("past", [PLAIN, SEEN, None])
def test_what_is_kept_is_what_the_other_node_reads(
    past: PastTakeover | None, tmp_path: Path
) -> None:
    line = takeovers.line_of(past)
    if line:
        (tmp_path / takeovers.NAME).write_text(f"{line}\n")
    sight = epoch.read_there("mn1", exited(stdout=told(tmp_path)))
    assert sight is not None
    assert sight.takeover == past


def test_a_name_that_sh_could_take_for_something_else_is_told_without_it() -> None:
    named = PastTakeover("mn1", "7f3a-91c2", 5, "DOM\\anna $(id) ä", 6)
    assert takeovers.line_of(named) == "mn1 7f3a-91c2 5 6 DOM_anna___id___"


@pytest.mark.parametrize(
    "line", ["", "mn1", "mn1 7f3a-91c2 5 6", "mn1 7f3a-91c2 five 6 anna", "mn1 7f3a-91c2 5 6 a b"]
)
def test_a_line_of_another_form_tells_nothing(line: str) -> None:
    assert takeovers.parse(line) is None


def test_half_an_acknowledgement_is_none() -> None:
    assert takeovers.parse("mn1 7f3a-91c2 1795317129 1795317200 -") == PLAIN
    assert takeovers.parse("mn1 7f3a-91c2 1795317129 - anna") == PLAIN
