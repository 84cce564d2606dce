"""Metrics, JSON and the screen tell the same story, for every situation of the builders."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hamnd.adapters.http import MetricsText
from hamnd.core.engine import step
from hamnd.core.events import Ticked
from hamnd.core.health.watch import XcatdTrack
from hamnd.core.replication import PartnerDatabase
from hamnd.core.snapshot import dump, restore
from hamnd.core.state import FinishedRun, NodeState
from hamnd.model.instant import Instant
from hamnd.model.names import Mode, Rhythm, State
from hamnd.views.samples import Measures, Metric, MetricType, samples
from hamnd.views.status import render_status, status_document
from hamnd.views.text import size, span
from tests.builders import NIGHT, Pair, pair, situations
from tests.unit.core.story import Story

MEASURES = Measures("0.1.0", {"ping": 0.012, "ssh_banner": 2.0}, round_age_s=0.8)
SITUATIONS = situations()
BEFORE = NIGHT.ago(60)
"""Before the takeover of `pair().active()`."""


def document_of(situation: Pair) -> dict[str, Any]:
    return status_document(situation.state, situation.now, situation.terms)


def metrics_of(situation: Pair) -> tuple[Metric, ...]:
    return samples(document_of(situation), situation.state, MEASURES)


def values(metrics: tuple[Metric, ...], name: str) -> dict[tuple[str, ...], float]:
    """Return the series of a metric by the values of their labels."""
    return {
        tuple(metric.labels.values()): metric.value
        for metric in metrics
        if metric.name == f"hamnd_{name}"
    }


def present(metrics: tuple[Metric, ...], name: str) -> tuple[str, ...]:
    """Return the labels of the one series that is 1."""
    hot = [labels for labels, value in values(metrics, name).items() if value == 1]
    assert len(hot) == 1, f"{name} has {len(hot)} present values"
    return hot[0]


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_metrics_and_document_agree(situation: Pair) -> None:
    document, metrics = document_of(situation), metrics_of(situation)
    json.dumps(document)
    assert present(metrics, "state") == (document["state"],)
    assert present(metrics, "mode") == (document["mode"],)
    assert present(metrics, "protected") == (document["protected_status"],)
    assert (present(metrics, "takeover_ready") == ("True",)) == document["ready"]
    assert present(metrics, "loss_verdict") == (document["data_loss"]["verdict"],)
    for condition in document["conditions"]:
        series = values(metrics, "condition")
        assert series[condition["type"], condition["status"]] == 1
    gap = (document["replication"] or {}).get("gap_bytes")
    assert values(metrics, "log_gap_bytes") == ({} if gap is None else {(): gap})
    window = document["data_loss"]["peer_window_remaining_s"]
    told = values(metrics, "peer_window_remaining_seconds")
    assert told == ({} if window is None else {(): window})
    for witness in document["witnesses"]:
        assert values(metrics, "witness_sees")[witness["name"], witness["sees"]] == 1
    grades = {labels[0] for labels, held in values(metrics, "fence_evidence").items() if held == 1}
    assert document["fence"]["grade"] in grades


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_screen_and_metrics_name_the_same_state(situation: Pair) -> None:
    screen = render_status(document_of(situation))
    (state,) = present(metrics_of(situation), "state")
    assert any(state in line for line in screen)


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_every_series_is_named_once_and_helped(situation: Pair) -> None:
    metrics = metrics_of(situation)
    keys = [(metric.name, tuple(sorted(metric.labels.items()))) for metric in metrics]
    assert len(keys) == len(set(keys))
    helps: dict[str, set[str]] = {}
    for metric in metrics:
        assert re.fullmatch(r"hamnd_[a-z0-9_]+", metric.name)
        helps.setdefault(metric.name, set()).add(metric.help)
    assert all(len(texts) == 1 and next(iter(texts)) for texts in helps.values())
    order = [name for name, _ in keys]
    assert all(order.index(n) + order.count(n) - 1 == _last(order, n) for n in set(order))


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_no_sentence_digest_or_name_of_a_person_becomes_a_label(situation: Pair) -> None:
    """Given the same night told in other words, then the series are the same: their number is
    bounded by the configuration."""
    document = document_of(situation)
    told, other = (
        samples(one, situation.state, MEASURES) for one in (document, reworded(document))
    )
    series = {(one.name, *one.labels.items()) for one in told}
    assert {(one.name, *one.labels.items()) for one in other} == series
    assert len(series) < 400
    assert max(len(value) for one in told for value in one.labels.values()) <= 40


FREE = {"message", "because", "sentence", "digest", "actor", "evidence", "reason", "headline"}


def reworded(value: Any, key: str = "") -> Any:
    """Return a document in which every free text is another one."""
    if isinstance(value, dict):
        return {name: reworded(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [reworded(one, key) for one in value]
    return f"{value} in other words" if key in FREE and isinstance(value, str) else value


def _last(order: list[str], name: str) -> int:
    return len(order) - 1 - order[::-1].index(name)


def test_a_healthy_pair_in_numbers() -> None:
    metrics = metrics_of(pair().in_peer())
    assert values(metrics, "unprotected_seconds") == {(): 0}
    assert values(metrics, "unconfirmed_seconds") == {(): 0}
    assert values(metrics, "clock_skew_seconds") == {(): 0.2}
    assert present(metrics, "role_observed") == ("standby",)
    assert present(metrics, "role_expected") == ("standby",)
    assert present(metrics, "old_primary") == ("none",)
    assert present(metrics, "run") == ("none", "none")
    assert values(metrics, "probe_duration_seconds")[("ssh_banner",)] == 2.0
    assert values(metrics, "probe_gap_seconds") == {(): 0.8}
    assert all(value == 1 for value in values(metrics, "step_ready").values())


def test_a_hold_is_told_with_begin_and_end_and_none_is_zero() -> None:
    """Given no hold, then that is a sample too: a silent hamnd leaves the hold as it was."""
    held = pair().in_peer().on_hold()
    assert held.state.hold is not None
    for name, at in (("begin", held.state.hold.since), ("expires", held.state.hold.until)):
        metric = f"hold_{name}_timestamp_seconds"
        assert values(metrics_of(held), metric) == {(): int(at)}
        assert values(metrics_of(pair().in_peer()), metric) == {(): 0}


def test_a_primary_that_is_down_counts_the_seconds_until_somebody_confirms() -> None:
    situation = pair().primary_down()
    metrics = metrics_of(situation)
    waited = int(situation.now.wall_s) - int(situation.state.since)
    assert values(metrics, "unconfirmed_seconds") == {(): waited}
    (unprotected,) = values(metrics, "unprotected_seconds").values()
    assert unprotected > waited


@pytest.mark.parametrize(
    ("partner", "expected"),
    [
        (PartnerDatabase(), {"silent": None}),
        (PartnerDatabase(True, "primary", at=BEFORE), {"silent": None}),
        (PartnerDatabase(True, "primary", at=pair().active().now.ago(60)), {"silent": None}),
        (PartnerDatabase(True, "primary", at=pair().active().now.ago(2)), {"serving": True}),
        (PartnerDatabase(False, "standby", at=pair().active().now.ago(2)), {"silent": False}),
        (PartnerDatabase(False, None, at=pair().active().now.ago(2)), {"silent": False}),
    ],
    ids=["never read", "read before the takeover", "read long ago", "primary", "standby", "down"],
)
def test_only_a_fresh_reading_since_the_takeover_says_that_the_old_primary_serves(
    partner: PartnerDatabase, expected: dict[str, bool | None]
) -> None:
    situation = with_partner(pair().active(), partner)
    ((what, serving),) = expected.items()
    assert document_of(situation)["old_primary"]["serving"] is serving
    assert present(metrics_of(situation), "old_primary") == (what,)


@pytest.mark.parametrize(
    ("xcatd", "expected"),
    [
        (XcatdTrack(failing_since=BEFORE, failing_last=pair().active().now.ago(1)), False),
        (XcatdTrack(good=pair().active().now.ago(1)), True),
        (XcatdTrack(good=BEFORE), None),
        (XcatdTrack(), None),
    ],
    ids=["held off", "it answers", "it answered before the takeover", "never asked"],
)
def test_an_old_primary_whose_data_only_xcatd_opens_serves_only_while_that_answers(
    xcatd: XcatdTrack, expected: bool | None
) -> None:
    """Its tables, or its dump, are the primary's until it is rejoined, whoever keeps it off."""
    partner = PartnerDatabase(True, "primary", at=pair().active().now.ago(2), needs_xcatd=True)
    situation = with_partner(pair().active(), partner, xcatd)
    assert document_of(situation)["old_primary"]["serving"] is expected


def with_partner(
    situation: Pair, partner: PartnerDatabase, xcatd: XcatdTrack | None = None
) -> Pair:
    watch = replace(situation.state.watch, partner=partner)
    if xcatd is not None:
        watch = replace(watch, xcatd=xcatd)
    return replace(situation, state=replace(situation.state, watch=watch))


def test_an_old_primary_that_answers_is_seen_and_one_that_answered_long_ago_is_not() -> None:
    back = pair().active(returned=True)
    assert present(metrics_of(back), "old_primary") == ("seen",)
    later = replace(back, now=Instant(back.now.monotonic_s + 600, back.now.wall_s + 600))
    assert present(metrics_of(later), "old_primary") == ("unknown",)


def test_after_a_takeover_the_metric_is_silent_and_follows_the_old_primary() -> None:
    story = Story().taking_over()
    story.live(60.0)
    assert story.state.state is State.ACTIVE
    assert _what(story) == "silent"
    story.world.come_back()
    story.live(30.0)
    assert _what(story) == "serving"
    story.world.partner = "down"
    story.live(30.0)
    assert _what(story) == "seen"


def _what(story: Story) -> str:
    document = status_document(story.state, story.now, story.terms)
    (what,) = present(samples(document, story.state, MEASURES), "old_primary")
    return what


def test_what_is_not_known_is_left_out_and_never_zero() -> None:
    metrics = metrics_of(pair().starting())
    for name in ("log_gap_bytes", "clock_skew_seconds", "loss_bytes_bound", "epoch"):
        assert values(metrics, name) == {}
    assert present(metrics, "role_observed") == ("unknown",)
    assert present(metrics, "protected") == ("Unknown",)


def test_a_mode_that_forbids_actions_is_never_ready() -> None:
    situation = pair().in_peer().observe_only()
    metrics = metrics_of(situation)
    assert present(metrics, "mode") == (str(Mode.OBSERVE_ONLY),)
    assert present(metrics, "takeover_ready") == ("False",)


def test_a_run_is_told_with_the_age_of_its_step() -> None:
    metrics = metrics_of(pair().taking_over("xcatd"))
    assert present(metrics, "run") == ("takeover", "running")
    (age,) = values(metrics, "run_step_age_seconds").values()
    assert age > 0


def test_finished_runs_are_counted() -> None:
    situation = pair().active()
    metrics = metrics_of(situation)
    assert present(metrics, "role_expected") == ("primary",)
    totals = [metric for metric in metrics if metric.name == "hamnd_takeovers_total"]
    assert all(total.type is MetricType.COUNTER for total in totals)
    assert sum(total.value for total in totals) == len(situation.state.finished)


def test_the_counter_goes_on_when_old_runs_are_forgotten() -> None:
    story = Story().taking_over()
    story.live(60.0)
    state = replace(story.state, finished=(), ended={"takeover done": 40, "drill done": 2})
    document = status_document(state, story.now, story.terms)
    told = values(samples(document, state, MEASURES), "takeovers_total")
    assert told["takeover", "done"] == 40
    assert told["takeover", "aborted"] == 0
    assert told["drill", "done"] == 2


def test_a_run_that_ends_is_counted_and_the_count_survives_a_restart() -> None:
    story = Story().taking_over()
    story.live(60.0)
    assert story.state.ended == {"takeover done": 1}
    assert restore(dump(story.state), {}).ended == {"takeover done": 1}


def test_unprotected_counts_from_the_reading_that_ended_protection() -> None:
    """Given an Active that was protected for 90 days, then one lost reading counts from it."""
    active = pair().active()
    lost_at = Instant(active.now.monotonic_s + 90 * 86400, active.now.wall_s + 90 * 86400)
    protected = step(read_as(active.state, protecting=True), TICK, active.now, active.terms).state
    assert unprotected_s(protected, active, active.now) == 0
    assert protected.lasting.unprotected_since is None
    lost = step(read_as(protected, protecting=False), TICK, lost_at, active.terms)
    assert lost.persist
    assert unprotected_s(lost.state, active, lost_at) == 0
    later = Instant(lost_at.monotonic_s + 30, lost_at.wall_s + 30)
    still = step(lost.state, TICK, later, active.terms).state
    assert unprotected_s(still, active, later) == 30
    assert unprotected_s(restore(dump(still), {}), active, later) == 30
    back = step(read_as(still, protecting=True), TICK, later, active.terms).state
    assert unprotected_s(back, active, later) == 0


TICK = Ticked(Rhythm.READINESS)


def read_as(state: NodeState, *, protecting: bool) -> NodeState:
    view = state.watch.replication
    assert view is not None
    return replace(
        state, watch=replace(state.watch, replication=replace(view, is_protecting=protecting))
    )


def unprotected_s(state: NodeState, situation: Pair, now: Instant) -> float:
    document = status_document(state, now, situation.terms)
    (told,) = values(samples(document, state, MEASURES), "unprotected_seconds").values()
    return told


def test_people_and_drill_are_remembered_when_changes_and_runs_are_forgotten() -> None:
    story = Story().taking_over()
    story.live(60.0)
    drill = FinishedRun("sha256:d", "drill", "done", 1.0, 2000.0)
    story.state = replace(story.state, finished=(*story.state.finished, drill))
    story.live(5.0)
    told = status_document(story.state, story.now, story.terms)
    assert told["people"]["n"] == 1
    assert told["last_drill_at"] == 2000
    story.state = restore(dump(replace(story.state, changes=(), finished=())), {})
    again = status_document(story.state, story.now, story.terms)
    assert again["people"] == told["people"]
    assert again["last_drill_at"] == 2000


def test_a_standby_tells_since_when_and_an_active_node_does_not() -> None:
    standby = metrics_of(pair().in_peer())
    assert values(standby, "standby_since_timestamp_seconds") != {}
    assert values(standby, "watched_since_timestamp_seconds") != {}
    assert values(metrics_of(pair().active()), "standby_since_timestamp_seconds") == {}


def test_human_time_runs_from_primary_down_to_the_confirmation() -> None:
    story = Story().taking_over()
    moves = {change.target: change.at for change in story.state.changes}
    took = moves[State.TAKING_OVER] - moves[State.PRIMARY_DOWN]
    document = status_document(story.state, story.now, story.terms)
    assert document["people"] == {"confirm_p95_s": round(took, 1), "n": 1}
    told = values(samples(document, story.state, MEASURES), "confirm_seconds_p95")
    assert told == {(): round(took, 1)}


def test_file_sets_hold_and_drill_are_told_as_soon_as_the_document_has_them() -> None:
    document = document_of(pair().in_peer())
    document |= {
        "files": [
            {"set": "hosts", "fresh_as_of": None, "stale_after_s": 300, "last_run": None},
            {
                "set": "install",
                "fresh_as_of": document["generated_at"] - 90,
                "stale_after_s": 86400,
                "last_run": {"duration_s": 2.5},
            },
        ],
        "hold": {"since": 4000, "until": 5000},
        "last_drill_at": 1000,
        "last_rehearsal_at": 2000,
    }
    metrics = samples(document, pair().in_peer().state, MEASURES)
    assert values(metrics, "sync_age_seconds") == {("install",): 90}
    assert values(metrics, "sync_age_limit_seconds") == {("hosts",): 300, ("install",): 86400}
    assert values(metrics, "sync_duration_seconds") == {("install",): 2.5}
    assert values(metrics, "hold_expires_timestamp_seconds") == {(): 5000}
    assert values(metrics, "last_drill_timestamp_seconds") == {(): 1000}
    assert values(metrics, "last_rehearsal_timestamp_seconds") == {(): 2000}


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_screen_document_and_what_prometheus_reads_tell_the_same(situation: Pair) -> None:
    """By the text that is really scraped, read by Prometheus' own parser."""
    document = document_of(situation)
    screen = " ".join(" ".join(render_status(document, 400, 100)).split())
    scraped: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    body = MetricsText(lambda: metrics_of(situation))("")[1].decode()
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            key = frozenset(sample.labels.items())
            scraped.setdefault(sample.name, {})[key] = sample.value

    def number(name: str) -> float | None:
        return scraped.get(f"hamnd_{name}", {}).get(frozenset())

    def word(name: str) -> set[str]:
        found = scraped[f"hamnd_{name}"].items()
        return {next(iter(labels))[1] for labels, value in found if value == 1}

    assert word("state") == {document["state"]}
    assert word("loss_verdict") == {document["data_loss"]["verdict"]}
    assert number("epoch") == document["epoch"]
    replication = document["replication"] or {}
    for name, fact in (("log_gap_bytes", "gap_bytes"), ("replay_gap_bytes", "replay_gap_bytes")):
        assert number(name) == replication.get(fact)
        if "REPL" in screen and replication and replication.get(fact) is not None:
            assert f"{name.split('_')[0]} gap {size(replication[fact])}" in screen
    assert (
        number("peer_window_remaining_seconds") == document["data_loss"]["peer_window_remaining_s"]
    )
    if document["state"] == "PrimaryDown":
        assert f"unconfirmed {span(number('unconfirmed_seconds'))}" in screen
    else:
        assert number("unconfirmed_seconds") == 0
    assert (number("unprotected_seconds") == 0) is document["protected"]
    steps = [one for one in document["conditions"] if one["type"].startswith("StepReady/")]
    proven = sum(scraped.get("hamnd_step_ready", {}).values())
    assert proven == sum(one["status"] == "True" for one in steps)
    if "READY" in screen and document["mode"] == "normal":
        assert f"{int(proven)}/{len(steps)} steps proven" in screen
    sights = scraped.get("hamnd_witness_sees", {})
    reached = sum(v for labels, v in sights.items() if ("answer", "reached") in labels)
    assert reached == sum(one["sees"] == "reached" for one in document["witnesses"])
    if "SEEN" in screen and document["witnesses"]:
        assert f"{int(reached)}/{len(document['witnesses'])} service node" in screen
