"""Every transcript plays as it is written, and together they show every row and every gate."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from hamnd.core.gates.judging import GATES
from hamnd.core.table import TABLE
from hamnd.model.names import PlanKind
from tests.scenarios.runner import Player, parse, render

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.txt"))
IS_REWRITTEN = "scenarios" in os.environ.get("HAMND_REWRITE", "")
STORY_WORDS_MIN = 15
COPIED = ("files",)
"""Gates that need a scheduled copy, which no story has: tests/unit/core/test_copying.py."""
BETWEEN_HOSTS = (PlanKind.REJOIN, PlanKind.FAILBACK, PlanKind.SETUP)
"""Kinds whose stories need hosts with data of their own: tests/lab/test_lab_{life,setup}.py."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_story_ends_as_it_is_told(path: Path) -> None:
    text = path.read_text()
    story, blocks = parse(text)
    player = Player()
    for block in blocks:
        played = player.play(block)
        if IS_REWRITTEN:
            block.expected = played
        assert block.expected == played, f"{path.name}, after: {'; '.join(block.commands)}"
    if IS_REWRITTEN:
        path.write_text(render(story, blocks))
    else:
        assert render(story, blocks) == text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_transcript_opens_with_its_story(path: Path) -> None:
    story, blocks = parse(path.read_text())
    assert len(story.split()) >= STORY_WORDS_MIN
    assert blocks


def test_every_row_is_shown_in_some_story() -> None:
    shown = set(re.findall(r"\bT\d\d\b", " ".join(path.read_text() for path in FILES)))
    assert {row.id for row in TABLE} <= shown


def test_every_gate_is_shown_in_some_story() -> None:
    told = " ".join(path.read_text() for path in FILES)
    played = (gates for kind, gates in GATES.items() if kind not in BETWEEN_HOSTS)
    names = {name: None for gates in played for name in gates if name not in COPIED}
    assert [name for name in names if not re.search(rf"(gate|by) {name}\b", told)] == []
