"""Every planted bug is found: what finds nothing in a broken hamnd proves nothing in a whole one.

Owns which bugs are hunted in every run of the tests; `make matrix` hunts all of them. That a bug
can still be planted is checked for all: the code it breaks may have moved.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.lab.conftest import MATRIX
from tests.proof.planted import BUGS, Bug, copy, hunt, plant

QUICK = ("unknown-taken-as-down", "promote-can-be-skipped", "a-run-goes-on-by-itself")
"""Found within seconds."""
HUNTED = [bug for bug in BUGS if os.environ.get(MATRIX) or bug.name in QUICK]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_be_planted(bug: Bug, tmp_path: Path) -> None:
    copy(tmp_path)
    plant(bug, tmp_path)
    path = tmp_path / "hamnd" / "core" / bug.file
    compile(path.read_text(), str(path), "exec")


@pytest.mark.sim
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", HUNTED, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    """Given a hamnd in which one law is no longer kept, when the search looks at it, then it says
    so before it has looked at everything."""
    said, took_s = hunt(bug)
    sys.stdout.write(f"\n{bug.name}: {took_s:.0f} s: {said}\n")
    assert bug.law in said


@pytest.mark.sim
@pytest.mark.timeout(0)
@pytest.mark.skipif(not os.environ.get(MATRIX), reason="minutes: with HAMND_MATRIX=1")
def test_where_nothing_was_planted_nothing_is_found() -> None:
    """Given a copy of hamnd as it is, when the search looks at all of it, then it says nothing."""
    assert hunt(None, limit_s=3600.0)[0] == ""
