"""The report is made from journal records alone, whatever is missing from them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.model.names import Phase
from hamnd.model.record import Record
from hamnd.ports import Entry
from hamnd.views.history import history_document, render_history, sentence_of
from hamnd.views.offline import journal_status
from hamnd.views.ready import ready_of, render_ready
from hamnd.views.report import (
    render_report_markdown,
    render_report_text,
    report_digests,
    report_document,
)
from hamnd.views.status import render_status
from tests.builders import DIED, DIGEST
from tests.unit.views.journal_entries import CONFIRMED, Writer, night


def test_human_time_and_machine_time_are_kept_apart() -> None:
    report = report_document(night(), DIGEST)
    assert report["human_s"] == int(CONFIRMED) - int(DIED + 6)
    assert report["machine_s"] == 81
    assert report["paused_s"] == 30


def test_the_head_tells_from_the_death_to_managing_again() -> None:
    lines = "\n".join(render_report_text(report_document(night(), DIGEST)))
    for words in (
        "primary fell silent     03:05:57",
        "hamnd said PrimaryDown  03:06:03    +6 s",
        "first looked at         03:09:40",
        "confirmed (anna)        03:12:41    human time 6m38s",
        "managing again          03:14:02    machine time 1m21s",
        "engine 3.0s, xCAT 21.0s",
    ):
        assert words in lines


def test_commands_outcomes_and_attempts_are_told_per_step() -> None:
    steps = {step["id"]: step for step in report_document(night(), DIGEST)["steps"]}
    assert steps["dhcp"]["attempts"] == 2
    assert steps["dhcp"]["outcome"] == "done"
    assert [c["outcome"] for c in steps["dhcp"]["commands"]] == ["not_done", "done"]
    assert steps["promote"]["commands"][0]["preview"].startswith("db2 takeover hadr")


def test_predicted_and_actual_loss_stand_side_by_side() -> None:
    examined = report_document(night(), DIGEST)
    assert examined["predicted_loss"]["verdict"] == "zero_proven"
    assert examined["actual_loss"].startswith("nothing")
    pending = render_report_text(report_document(night(until="done"), DIGEST))
    assert any("actual loss pending" in line for line in pending)


def test_overrides_pauses_and_evidence_are_told() -> None:
    text = render_report_markdown(report_document(night(), DIGEST))
    assert "gate readiness: consoles are not needed tonight (anna)" in text
    assert "03:13:04 at dhcp for 30 s: dhcp said so" in text
    assert "power_off: read twice" in text
    assert "    db2 takeover hadr on db XCATDB by force" in text


@pytest.mark.parametrize(
    ("until", "status"),
    [("confirmed", "running"), ("paused", "paused"), ("done", "done"), ("examined", "done")],
)
def test_a_run_can_be_reported_before_it_ended(until: str, status: str) -> None:
    report = report_document(night(until=until), DIGEST)
    assert report["status"] == status
    assert render_report_text(report)[0].startswith("Takeover 2026-11-22")


def continued() -> list[Entry]:
    """The night in which the run, paused at dhcp, is continued by a plan of its own."""
    writer = Writer()
    writer.entries = night(until="paused")
    told = {"kind": "takeover", "variant": "none", "continues": DIGEST, "from": "a", "to": "b"}
    ours = {"actor": "ben", "digest": "0000-0002"}
    writer.add(CONFIRMED + 60, Phase.DECISION, "plan_confirmed", evidence=told, **ours)
    evidence = {"sentence": "dhcp is up", "duration_s": 4.0}
    writer.add(CONFIRMED + 66, Phase.RESULT, "step_finished",
               step="dhcp", outcome="done", evidence=evidence, **ours)  # fmt: skip
    writer.add(CONFIRMED + 81, Phase.DECISION, "run_finished", outcome="done", **ours)
    writer.change(CONFIRMED + 81, "TakingOver", "Active", "every postcondition holds")
    return writer.entries


def test_the_report_of_a_successor_has_the_steps_and_the_epoch_of_its_forerunner() -> None:
    report = report_document(continued(), "0000-0002")
    steps = {step["id"]: step["outcome"] for step in report["steps"]}
    assert steps == {"promote": "done", "xcatd": "done", "dhcp": "done"}
    assert (report["epoch"], report["status"], report["continues"]) == (4, "done", [DIGEST])
    assert (report["from"], report["to"], report["variant"]) == ("a", "b", "none")
    assert report["times"]["confirmed_at"] == int(CONFIRMED)
    assert report["machine_s"] == 81
    assert report["pauses"][0]["ended_by"] == "ben"
    assert report["predicted_loss"]["verdict"] == "zero_proven"


def test_the_report_of_a_forerunner_names_its_successor() -> None:
    report = report_document(continued(), DIGEST)
    assert (report["status"], report["continued_by"]) == ("continued", "0000-0002")
    assert report["pauses"][0]["lasted_s"] is None


def test_a_circle_of_successors_ends() -> None:
    writer = Writer()
    for digest, before in (("a", "b"), ("b", "a")):
        told = {"continues": before}
        writer.add(CONFIRMED, Phase.DECISION, "plan_confirmed", digest=digest, evidence=told)
    assert report_document(writer.entries, "a")["continues"] == ["b"]


def test_an_aborted_takeover_has_its_report() -> None:
    writer = Writer()
    writer.entries = night(until="confirmed")
    why = "it came back"
    writer.add(CONFIRMED + 9, Phase.DECISION, "run_aborted", digest=DIGEST, evidence=why)
    report = report_document(writer.entries, DIGEST)
    assert (report["status"], report["reason"]) == ("aborted", "it came back")
    assert any("aborted" in line for line in render_report_text(report))


def test_an_unknown_digest_is_said_to_be_unknown() -> None:
    report = report_document(night(), "dead-beef")
    assert report["found"] is False
    assert "knows no confirmed plan dead-beef" in render_report_text(report)[0]


def test_digests_are_those_of_confirmed_plans() -> None:
    assert report_digests(night(until="down")) == []
    assert report_digests(night()) == [DIGEST]


@given(st.sets(st.integers(0, len(night()) - 1)), st.booleans())
def test_whatever_is_missing_costs_only_its_own_fact(gone: set[int], blank: bool) -> None:
    """Records lost, or without their evidence: a report and lines come out all the same."""
    entries: list[Entry] = []
    for index, entry in enumerate(night()):
        if index in gone and not blank:
            continue
        record = replace(entry.record, evidence="") if index in gone else entry.record
        entries.append(replace(entry, record=record))
    report = report_document(entries, DIGEST)
    json.dumps(report)
    assert render_report_text(report)
    assert render_report_markdown(report)
    assert render_history(entries)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_record_reads_as_one_clean_line(what: str, evidence: str) -> None:
    record = Record(Phase.DECISION, what, evidence=evidence, outcome="x", step="s")
    for line in render_history([Entry(1, CONFIRMED, 1.0, "b", record, "h")]):
        assert len(line) <= 80
        assert line.isprintable()


def test_history_names_people_and_not_hamnd_itself() -> None:
    lines = render_history(night())
    assert any("plan 7f3a-91c2 CONFIRMED: takeover [anna]" in line for line in lines)
    assert not any("[hamnd]" in line for line in lines)
    assert any("Degraded -> PrimaryDown because the rule held for 4 s" in line for line in lines)


def test_history_document_decodes_evidence() -> None:
    entries = history_document(night())["entries"]
    assert entries[1]["evidence"]["to"] == "Peer"
    assert {"seq", "at", "what", "actor", "evidence"} <= entries[0].keys()


def test_a_record_of_a_later_version_is_shown_as_it_is() -> None:
    record = Record(Phase.DECISION, "moon_phase_noted", evidence='{"phase": "full"}')
    assert sentence_of(record) == "moon phase noted: phase full"


class TestFromTheJournalAlone:
    """Without a daemon the age comes first, and nothing is ready."""

    def test_the_age_is_the_first_thing_said(self) -> None:
        document = journal_status(None, night(until="down"), DIED + 3606)
        assert render_status(document)[0].startswith("OLD: 1h ago")

    def test_the_state_is_told_in_the_past(self) -> None:
        lines = render_status(journal_status(None, night(until="down"), DIED + 3606))
        assert any("When it was written" in line and "PrimaryDown" in line for line in lines)

    def test_a_state_document_outweighs_the_last_change(self) -> None:
        text = json.dumps({"state": "Active", "since": DIED, "epoch": {"number": 4, "owner": "x"}})
        document = journal_status(text, night(until="down"), DIED + 3606)
        assert document["state"] == "Active"
        assert document["epoch"] == 4

    def test_a_damaged_state_document_falls_back_to_the_records(self) -> None:
        document = journal_status("{not json", night(until="down"), DIED + 3606)
        assert document["state"] == "PrimaryDown"

    def test_it_is_never_ready(self) -> None:
        text = json.dumps({"state": "Peer", "ready": True, "since": DIED})
        document = ready_of(journal_status(text, night(until="down"), DIED + 10))
        assert document["ready"] is False
        assert render_ready(document)[0].startswith("NOT KNOWN")

    def test_what_ran_then_is_unknown_now(self) -> None:
        run = {
            "plan": {"digest": DIGEST, "steps": [{"id": "xcatd", "title": "start"}]},
            "status": "running",
            "steps": {"xcatd": {"outcome": "running", "has_acted": True}},
        }
        text = json.dumps({"state": "TakingOver", "since": DIED, "run": run})
        document = journal_status(text, night(until="confirmed"), CONFIRMED + 60)
        assert document["run"]["steps"][0]["outcome"] == "unknown"
        assert any("PAUSED" in line or "TAKING OVER" in line for line in render_status(document))
