"""What was changed on this side after a pull is told apart from what the pull itself wrote."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hamnd.dialects import rsync
from hamnd.pulling.memory import Memory

ROUNDS = 200


def changed(tree: Path, since_s: float) -> bool:
    """Whether the listing tells an entry; every other one is a dot."""
    argv = rsync.find_changed(str(tree), (), since_s)
    return subprocess.run(argv, check=True, capture_output=True).stdout.strip(b".\0\n") != b""


def test_a_moment_lies_between_what_was_written_before_it_and_after_it(tmp_path: Path) -> None:
    """Given stamps as fine as this kernel makes them, then find itself keeps the two apart."""
    tree, state = tmp_path / "tree", tmp_path / "state"
    tree.mkdir()
    state.mkdir()
    memory = Memory(state, 0)
    wrong = []
    for number in range(ROUNDS):
        (tree / "file").write_text(f"ours {number}\n")
        (tree / "file").stat()
        moment = memory.moment()
        (tree / "file").stat()
        if changed(tree, moment):
            wrong.append("ours")
        (tree / "file").write_text(f"theirs {number}\n")
        if not changed(tree, moment):
            wrong.append("theirs")
    assert wrong == []
