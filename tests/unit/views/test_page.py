"""The status page says what the screen says, in markup that reads well without colour or script."""

from __future__ import annotations

import html
import re

import pytest

from hamnd.core.table import TABLE
from hamnd.views.page import ARROWS, STATES, Dress, Point, page_document, render_page, tone
from hamnd.views.status import render_status, status_document
from hamnd.views.text import WIDTH, Document
from tests.builders import Pair, pair, situations

SITUATIONS = situations()
POINTS = (Point(100, 0, 5), Point(105, None, None), Point(110, 4096, 0))
DRESS = Dress("p{}", "tick();")


def document_of(situation: Pair) -> Document:
    return status_document(situation.state, situation.now, situation.terms)


def words(markup: str) -> str:
    """Return what is read of some markup, blanks collapsed."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", markup)).split())


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_the_verdict_and_the_state_stand_on_the_page(situation: Pair) -> None:
    document = document_of(situation)
    page = words(render_page(document, POINTS, DRESS))
    for sentence in document["headline"]:
        assert " ".join(sentence.split()) in page
    assert f"{document['state']} (now)" in page


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_the_page_and_the_screen_have_the_same_rows(situation: Pair) -> None:
    document = document_of(situation)
    parts = page_document(document, POINTS)["parts"]
    rows, lede = parts["rows"], parts["lede"]
    labels = re.findall(r"(?m)^[A-Z]{2,6}(?= )", "\n".join(render_status(document, WIDTH, 1000)))
    # The headline may begin in capitals as well: SPLIT BRAIN is no row.
    facts = [label for label in labels if label not in ("STATE", "NEXT", "SPLIT")]
    assert rows.count("<dt>") == len(facts)
    assert lede.count('class="next"') == labels.count("NEXT")


def test_what_to_run_stands_beside_the_verdict() -> None:
    document = document_of(SITUATIONS["down_host"])
    assert "hamnctl plan takeover" in words(page_document(document, POINTS)["parts"]["lede"])


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_the_markup_is_well_formed_and_every_part_has_its_place(situation: Pair) -> None:
    document = document_of(situation)
    page = render_page(document, POINTS, DRESS)
    opened: list[str] = []
    for slash, name in re.findall(r"<(/?)([a-z0-9]+)[^>]*>", page, re.IGNORECASE):
        if name in ("meta", "link", "br", "path", "polyline"):
            continue
        if slash:
            assert opened.pop() == name
        else:
            opened.append(name)
    assert opened == []
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(page_document(document, POINTS)["parts"]) <= set(ids)
    assert page.count("<h1>") == 1


def test_what_a_tool_said_is_never_markup() -> None:
    document = document_of(pair().paused_at("dhcp"))
    document["run"]["reason"] = "<script>alert(1)</script>"
    page = render_page(document, (), DRESS)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_node_named_in_capitals_is_no_row_and_a_digest_is_no_markup() -> None:
    document = dict(document_of(pair().link_cut()))
    document |= {"node": "MN", "headline": ["MN is STANDBY and protects MN1.", "MN is seen."]}
    assert "<dt>MN</dt>" not in render_page(document, (), DRESS)
    running = dict(document_of(pair().taking_over("xcatd")))
    running["run"] = {**running["run"], "digest": "<q>"}
    assert "<q>" not in page_document(running, ())["parts"]["run"]


def test_the_arrows_are_moves_of_the_table() -> None:
    moves = {(row.source.value, row.target.value) for row in TABLE}
    for here, arrow, there in zip(STATES, ARROWS, STATES[1:], strict=False):
        assert (here, there) in moves
        assert (arrow == "⇄") is ((there, here) in moves)


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (pair().in_peer(), "good"),
        (pair().not_ready(), "warn"),
        (pair().link_cut(), "warn"),
        (pair().primary_down(), "bad"),
        (pair().taking_over(), "warn"),
        (pair().paused_at(), "bad"),
        (pair().active(), "warn"),
        (pair().active(returned=True), "bad"),
        (pair().in_peer().observe_only(), "bad"),
    ],
)
def test_the_tone_is_as_loud_as_the_trouble(situation: Pair, expected: str) -> None:
    assert tone(document_of(situation)) == expected


def test_the_plot_has_its_numbers_in_words_and_a_gap_where_nothing_was_known() -> None:
    plot = page_document(document_of(pair().in_peer()), POINTS)["parts"]["plot"]
    assert "now 4.0 KiB, at most 4.0 KiB in the last 10 s; replay gap now 0 B" in words(plot)
    assert plot.count('<polyline class="gap"') == 2
    assert 'aria-hidden="true"' in plot
    nothing = page_document(document_of(pair().in_peer()), ())["parts"]["plot"]
    assert words(nothing) == "No gap was read yet."
