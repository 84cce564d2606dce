"""The live screen: fits every terminal, keeps what matters, and says when it is not live."""

from __future__ import annotations

import pytest

from hamnd.views.status import status_document
from hamnd.views.text import Document
from hamnd.views.watch import render_watch
from tests.builders import Pair, pair, situations

SITUATIONS = situations()


def document_of(situation: Pair) -> Document:
    return status_document(situation.state, situation.now, situation.terms)


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (100, 30), (160, 50), (200, 50)], ids=str)
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
@pytest.mark.parametrize("trouble", ["", "NOT LIVE for 3 s: " + "nobody answers " * 20])
def test_it_fills_the_terminal_and_no_more(
    situation: Pair, size: tuple[int, int], trouble: str
) -> None:
    width, height = size
    lines = render_watch(document_of(situation), width, height, trouble)
    assert len(lines) == height
    assert max(len(line) for line in lines) <= width
    assert lines[-1].startswith("q quits")


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_on_80x24_the_verdict_stands_first_and_the_next_command_is_there(situation: Pair) -> None:
    document = document_of(situation)
    lines = render_watch(document, 80, 24)
    assert lines[0].startswith(document["headline"][0][:40])
    assert any(line.startswith("NEXT") for line in lines)
    moves = document["history_tail"]
    assert ("Recently:" in lines) is bool(moves)
    if moves:
        assert any(f"-> {moves[-1]['to']}" in line for line in lines[-4:])


def test_observed_stands_beside_expected() -> None:
    lines = render_watch(document_of(pair().in_peer()), 80, 24)
    assert " * database     standby            standby" in lines
    assert " * the partner  answers            answers" in lines
    silent = render_watch(document_of(pair().link_cut()), 80, 24)
    assert " ! the partner  silent             answers" in silent
    starting = render_watch(document_of(pair().starting()), 80, 24)
    assert " ? database     ?                  standby" in starting


def test_columns_appear_with_width() -> None:
    document = document_of(pair().in_peer())
    narrow, wide = render_watch(document, 80, 24), render_watch(document, 140, 24)
    assert not any(" | " in line for line in narrow)
    assert "observed" in wide[0]


def test_a_wide_and_high_terminal_has_the_conditions_with_their_ages_troubles_first() -> None:
    lines = render_watch(document_of(pair().link_cut()), 200, 50)
    right = [line.partition(" | ")[2] for line in lines]
    first = right[right.index("Conditions:") + 1]
    assert first.startswith(" ! ")
    assert first.endswith(" ago")
    assert any(line.startswith(" * NotIsolated ") for line in right)
    assert lines[-2].startswith("  "), "the latest events keep their place"
    low = render_watch(document_of(pair().link_cut()), 140, 12)
    assert not any("Conditions:" in line for line in low)


def test_what_goes_on_has_a_bar_and_its_number() -> None:
    document = dict(document_of(pair().taking_over("xcatd")))
    document["files"] = [
        {"set": "install", "run": {"kind": "pull", "bytes": 3, "bytes_total": 4, "files": 7}},
        {"set": "hosts", "run": {"kind": "pull", "bytes": None, "bytes_total": None}},
    ]
    text = "\n".join(render_watch(document, 80, 24))
    assert "takeover     [##########..............]  44% 4/9 steps" in text
    assert "install      [##################......]  75%" in text
    assert "hosts        [????????????????????????]" in text


def test_trouble_stands_above_everything() -> None:
    lines = render_watch(document_of(pair().in_peer()), 80, 24, "NOT LIVE for 3 s: gone")
    assert lines[0] == "! NOT LIVE for 3 s: gone"
    assert "protects" in lines[1]
