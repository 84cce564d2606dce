"""The report as a page: complete, needs nothing but itself, and whatever was said stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hamnd.model.names import Phase
from hamnd.ports import Entry
from hamnd.views.report import render_report_html, render_report_text, report_document
from tests.builders import DIGEST
from tests.unit.views.journal_entries import CONFIRMED, Writer, night

VOID = ("meta", "br")


class Page(HTMLParser):
    """Counts what is open, and collects words, bars and references."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.bars: list[str] = []
        self.references: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        given = dict(attrs)
        if tag == "i" and given.get("data-kind"):
            self.bars.append(str(given["style"]))
        self.references += [key for key in given if key in ("src", "href", "onload", "onclick")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def drawn(until: str = "examined") -> Page:
    return Page(render_report_html(report_document(night(until=until), DIGEST)))


def test_the_page_is_whole_and_loads_nothing() -> None:
    html = render_report_html(report_document(night(), DIGEST))
    page = Page(html)
    assert page.open == []
    assert page.references == []
    assert "url(" not in html
    assert "<script" not in html


def test_it_says_what_the_report_says() -> None:
    text = drawn().text
    for words in (
        "predicted loss zero proven · actual loss nothing: both logs end at 262440605",
        "6m38s human: until somebody confirmed",
        "30.0s paused: the run waited for a person",
        "03:12:43: done, exit 0, 3.0s db2 takeover hadr on db XCATDB by force",
        "power_off: read twice",
        "gate readiness: consoles are not needed tonight (anna)",
        "[anna]",
    ):
        assert words in text


def test_every_command_has_a_bar_inside_of_its_track() -> None:
    page, report = drawn(), report_document(night(), DIGEST)
    placed = [
        [float(number) for number in re.findall(r":([\d.]+)%", style)]
        for style in page.bars
        if "left" in style
    ]
    commands = sum(len(step["commands"]) for step in report["steps"])
    assert len(placed) == commands + len(report["steps"])
    assert all(left >= 0 and width > 0 and left + width <= 100.01 for left, width in placed)


def test_what_somebody_typed_is_text_and_no_markup() -> None:
    entries = [
        replace(one, record=replace(one.record, actor="<img src=x onerror=alert(1)>"))
        if one.record.what == "plan_confirmed"
        else one
        for one in night()
    ]
    html = render_report_html(report_document(entries, DIGEST))
    assert "<img" not in html
    assert "&lt;img src=x" in html


@pytest.mark.parametrize("until", ["confirmed", "paused", "done", "examined"])
def test_a_run_is_drawn_at_any_moment(until: str) -> None:
    page = drawn(until)
    assert page.open == []
    assert "What was lost" in page.text


def test_a_run_that_nobody_knows_is_said_to_be_none() -> None:
    assert "knows no such plan" in Page(render_report_html(report_document(night(), "0" * 8))).text


def test_only_a_death_that_is_known_is_drawn_as_one() -> None:
    """Given a plan that nobody died for, then what is drawn begins with its confirmation."""
    assert "From the death to managing again" in drawn().text
    assert (
        "From the death to the end"
        in Page(render_report_html(report_document(ended("run_aborted"), DIGEST))).text
    )
    document = report_document(night(), DIGEST)
    unknown = {**document["times"], "died_at": None, "primary_down_at": None}
    text = Page(render_report_html({**document, "times": unknown})).text
    assert "From the confirmation to managing again" in text
    assert "the death" not in text


def test_what_happened_on_another_day_is_told_with_its_day() -> None:
    document = report_document(night(), DIGEST)
    before = {**document["times"], "died_at": document["times"]["died_at"] - 86_400}
    told = {**document, "times": before}
    assert "2026-11-21 03:05:57" in Page(render_report_html(told)).text
    assert "2026-11-21 03:05:57" in "\n".join(render_report_text(told))
    assert "2026-11-22 03:05:57" not in Page(render_report_html(document)).text


def test_a_document_that_lies_about_its_words_breaks_no_markup() -> None:
    document = report_document(night(), DIGEST)
    bad = '"><script>'
    steps = [{**one, "kind": bad, "outcome": bad} for one in document["steps"]]
    html = render_report_html({**document, "steps": steps})
    assert "<script" not in html
    assert Page(html).open == []


# ---- what it is made of ------------------------------------------------------------------------
def test_hamnd_s_own_time_is_what_no_command_and_no_person_took() -> None:
    report = report_document(night(), DIGEST)
    commands = 3.0 + 12.0 + 5.0 + 4.0
    assert report["machine_s"] == 81
    assert report["spent"]["hamnd_s"] == pytest.approx(81 - 30 - commands, abs=1.5)


def test_what_is_left_to_do_ends_with_who_did_it() -> None:
    told = report_document(night(until="done"), DIGEST)["follow_ups"]
    assert [one.split(":")[0] for one in told] == [
        "the old primary was not examined",
        "nobody has acknowledged it",
        "gate readiness was overridden",
        "the run was held at dhcp for 30 s",
    ]
    later = report_document(night(), DIGEST)["follow_ups"]
    assert not any("not examined" in one for one in later)
    assert report_document(night(until="confirmed"), DIGEST)["follow_ups"] == []


def ended(what: str, until: str = "paused") -> list[Entry]:
    """The night in which the run, paused at dhcp, ends in another way."""
    writer = Writer()
    writer.entries = night(until=until)
    why = {"sentence": "anna: the old primary is back"}
    ours = {"actor": "anna", "digest": DIGEST}
    writer.add(CONFIRMED + 60, Phase.DECISION, what, evidence=why, **ours)
    target = "Active" if what == "run_concluded" else "Degraded"
    writer.change(CONFIRMED + 60, "TakingOver", target, "somebody ended the run")
    return writer.entries


def advice(entries: list[Entry]) -> str:
    return "\n".join(report_document(entries, DIGEST)["follow_ups"])


def test_a_run_that_waits_wants_a_decision_and_nothing_else() -> None:
    (told,) = report_document(night(until="paused"), DIGEST)["follow_ups"]
    assert told.startswith("it is paused at dhcp: hamnctl retry")


def test_a_run_paused_because_the_old_primary_answers_is_not_retried() -> None:
    writer = Writer()
    writer.entries = night(until="confirmed")
    why = "contradicted: aixmn1 answers on ssh"
    writer.add(CONFIRMED + 9, Phase.DECISION, "run_paused", digest=DIGEST, evidence=why)
    assert "retry" not in advice(writer.entries)
    assert advice(writer.entries).startswith("it is paused, the old primary answers")


def test_after_an_abort_there_is_nothing_to_rejoin_or_to_acknowledge() -> None:
    told = advice(ended("run_aborted"))
    assert "gate readiness was overridden" in told
    for command in ("rejoin", "ack", "resume", "retry"):
        assert f"hamnctl {command}" not in told.replace("plan ", "")


def test_open_steps_are_resumed_by_the_node_that_serves_and_by_hand_elsewhere() -> None:
    told = "step dhcp is not done: finish it by hand"
    concluded = ended("run_concluded")
    assert f"{told}, or hamnctl plan resume" in advice(concluded)
    writer = Writer()
    writer.entries = concluded
    writer.change(CONFIRMED + 9000, "Active", "Degraded", "it is a standby again")
    assert told in advice(writer.entries)
    assert "plan resume" not in advice(writer.entries)
