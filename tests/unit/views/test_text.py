"""Words and columns: nothing is wider than asked, nothing drives a terminal, nothing lies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.views import text
from hamnd.views.run import render_refusal
from hamnd.views.status import render_status, status_document
from tests.builders import situations

WORDS = st.text(max_size=200) | st.text("更换内核 e\u0301·a", max_size=120)
WIDTHS = st.integers(40, 120)


@given(WORDS, WORDS, WIDTHS)
def test_a_row_is_never_too_wide_and_never_drives_a_terminal(
    told: str, right: str, width: int
) -> None:
    for line in text.row("STATE", "*", told, width, right):
        assert text.columns(line) <= width
        assert line.isprintable()


def test_wide_signs_take_two_columns_and_combining_ones_none() -> None:
    """Given a reason in Chinese, then it is folded where the terminal would wrap it."""
    assert text.columns("更换内核") == 8
    assert text.columns("e\u0301") == 1
    assert text.columns("aixmn1 · 2 s") == 12
    lines = text.row("HOLD", " ", "更换内核，明天早上恢复，" * 8, 80)
    assert len(lines) > 2
    assert all(text.columns(line) <= 80 for line in lines)
    assert text.columns(text.cut("更换内核" * 30, 80)) <= 80


@given(WORDS, WORDS, WIDTHS)
def test_an_item_is_never_too_wide(name: str, told: str, width: int) -> None:
    for line in text.item("!", name, told, width):
        assert text.columns(line) <= width
        assert line.isprintable()


@given(st.lists(WORDS, max_size=6), WORDS.filter(lambda words: len(words) < 30), WIDTHS)
def test_spread_and_flow_are_never_too_wide(told: list[str], right: str, width: int) -> None:
    for line in (*text.spread(told, right, width), *text.flow(told, width, 3)):
        assert text.columns(line) <= width


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        (0, "0 s"), (59.9, "59 s"), (60, "1m"), (111, "1m51s"), (3600, "1h"), (11_400, "3h10m"),
        (86_400, "1d"), (23 * 86_400 + 4 * 3_600, "23d 4h"), (None, "?"), (-5, "0 s"),
    ],
)  # fmt: skip
def test_spans_read_as_people_say_them(seconds: float | None, word: str) -> None:
    assert text.span(seconds) == word


def test_a_time_in_the_future_is_not_shown_as_fresh() -> None:
    assert text.ago(100, 90) == "10 s ago"
    assert text.ago(100, 160) == "in 1m"
    assert text.ago(100, None) == "never"


def test_a_damaged_time_is_unknown_and_not_an_error() -> None:
    for damaged in (-1, 1e18, float("inf")):
        assert "?" in text.stamp(damaged)
        assert text.clock(damaged) == "??:??:??"


def test_an_old_time_carries_its_date() -> None:
    assert text.when(1_795_317_129, 1_795_316_757) == "03:05:57Z"
    assert text.when(1_795_317_129, 1_795_316_757 - 86_400).startswith("2026-11-21 ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
SITUATIONS = situations()
KEYS = sorted(
    {key for one in SITUATIONS.values() for key in status_document(one.state, one.now, one.terms)}
)


@given(st.sampled_from(sorted(SITUATIONS)), st.sampled_from(KEYS))
def test_a_missing_key_costs_only_its_own_row(name: str, key: str) -> None:
    """An older daemon answers a newer hamnctl: whatever is missing, a screen comes out."""
    one = SITUATIONS[name]
    document = status_document(one.state, one.now, one.terms)
    del document[key]
    lines = render_status(document)
    assert lines
    assert max(map(len, lines)) <= text.WIDTH


@given(st.dictionaries(st.sampled_from(["error", "gate", "hint"]), JSON))
def test_any_refusal_can_be_shown(document: dict[str, object]) -> None:
    assert all(len(line) <= text.WIDTH for line in render_refusal(document))
