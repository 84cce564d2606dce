"""RELIABILITY.md promises commands: each of them names something that is there to be run."""

from __future__ import annotations

import re
from pathlib import Path

from tests.proof.planted import BUGS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "RELIABILITY.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"\| `([^`]+)` \|$", TEXT, re.MULTILINE)


def test_every_figure_has_a_command_that_exists() -> None:
    assert len(COMMANDS) >= 8
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in COMMANDS:
        words = [word for word in command.split() if not re.match("[A-Z_]+=", word)]
        files = [word for word in words if word.startswith("tests/")]
        modules = [word.replace(".", "/") + ".py" for word in words if word.startswith("tests.")]
        for name in (*files, *modules):
            assert (ROOT / name).is_file(), command
        if words[0] == "make":
            assert f"\n{words[1]}:" in makefile, command
        assert files or modules or words[0] == "make", command


def test_it_tells_as_many_planted_bugs_as_there_are() -> None:
    assert f"| {len(BUGS)} bugs planted on purpose |" in TEXT
