"""The documents keep their contracts (design §12), in every situation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hamnd.core.health.conditions import REQUIRED
from hamnd.core.policy import Terms
from hamnd.core.readiness import READY_PREFIX
from hamnd.core.state import FinishedRun
from hamnd.model.filesets import FileSet
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, Probe, State, Verdict
from hamnd.views import explain, facts
from hamnd.views.card import plan_document
from hamnd.views.explain import explain_document, has_condition
from hamnd.views.ready import ready_document
from hamnd.views.run import run_document
from hamnd.views.run_facts import eta_of
from hamnd.views.status import render_status, status_document
from hamnd.views.text import span
from hamnd.views.witnesses import witnesses_document
from tests.builders import (
    DIED,
    NIGHT,
    STEP_IDS,
    Pair,
    gates,
    overridden_plan,
    pair,
    plan,
    site,
    situations,
)
from tests.unit.core.story import Story, story_terms

SITUATIONS = situations()

STATUS_KEYS = {
    "node", "state", "since", "cause", "because", "mode", "protected", "ready", "conditions",
    "replication", "data_loss", "fence", "witnesses", "files", "run", "hold", "old_primary",
    "epoch",
}  # fmt: skip
PARTS: dict[str, set[str]] = {
    "conditions": {"type", "status", "reason", "message", "since", "observed_at", "source"},
    "replication": {
        "engine", "role", "state", "connected", "sync_mode", "positions", "gap_bytes",
        "replay_gap_bytes", "since", "observed_at",
    },
    "data_loss": {"verdict", "bytes", "seconds", "basis", "peer_window_remaining_s"},
    "fence": {"grade", "evidence"},
    "witnesses": {"name", "sees", "observed_at"},
    "run": {"digest", "kind", "status", "steps"},
    "old_primary": {"seen", "serving", "epoch"},
}  # fmt: skip
STEP_KEYS = {"id", "title", "outcome", "started_at", "duration_s", "reversible"}


def status_of(one: Pair) -> dict[str, Any]:
    return status_document(one.state, one.now, one.terms)


@pytest.mark.parametrize("name", SITUATIONS)
def test_status_has_every_key_of_its_contract(name: str) -> None:
    document = status_of(SITUATIONS[name])
    assert document["schema"] == "hamnd.status/1"
    assert document.keys() >= STATUS_KEYS
    for key, keys in PARTS.items():
        parts = document[key] if isinstance(document[key], list) else [document[key]]
        for part in parts:
            assert part is None or part.keys() >= keys
    if document["run"] is not None:
        assert all(step.keys() >= STEP_KEYS for step in document["run"]["steps"])
    assert type(document["ready"]) is bool
    assert type(document["protected"]) is bool


TIMES = ("since", "at", "_at", "_end")


def _times(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [
            found
            for key, one in value.items()
            for found in (
                [(f"{path}.{key}", one)]
                if key in ("since", "at") or key.endswith(("_at", "_end", "_since"))
                else _times(one, f"{path}.{key}")
            )
        ]
    if isinstance(value, list):
        return [found for one in value for found in _times(one, path)]
    return []


@pytest.mark.parametrize("name", SITUATIONS)
def test_times_are_integer_utc_seconds_or_null(name: str) -> None:
    document = status_of(SITUATIONS[name])
    wrong = [(path, t) for path, t in _times(document) if t is not None and type(t) is not int]
    assert wrong == []
    json.dumps(document)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_screen_needs_nothing_but_the_document(name: str) -> None:
    """Text is rendered from what JSON carries: a round trip through JSON changes no line."""
    document = status_of(SITUATIONS[name])
    assert render_status(json.loads(json.dumps(document))) == render_status(document)


def test_ready_is_false_in_observe_only_whatever_was_judged() -> None:
    assert status_of(pair().in_peer())["ready"] is True
    assert status_of(pair().in_peer().observe_only())["ready"] is False


def test_a_stepped_clock_moves_no_fact_into_the_future() -> None:
    """Ages come from the monotonic clock: an hour back on the wall keeps them."""
    one = pair().in_peer()
    stepped = Instant(one.now.monotonic_s, one.now.wall_s - 3600)
    document = status_document(one.state, stepped, one.terms)
    age = document["generated_at"] - document["replication"]["observed_at"]
    assert 1 <= age <= 3


def test_a_witness_that_answered_long_ago_is_unknown_now() -> None:
    one = pair().in_peer()
    later = Instant(one.now.monotonic_s + 60, one.now.wall_s + 60)
    document = status_document(one.state, later, one.terms)
    assert {witness["sees"] for witness in document["witnesses"]} == {"unknown"}


def test_a_probe_that_could_not_run_is_unknown_and_not_silent() -> None:
    from hamnd.core.health.watch import Track

    one = pair().in_peer()
    track = Track(answered=one.now.ago(5), unknown_last=one.now.ago(1))
    assert facts.track_part("ping", track, one.now)["answer"] == Answer.UNKNOWN.value
    silent = Track(silent_since=one.now.ago(9), silent_last=one.now.ago(1))
    assert facts.track_part("ping", silent, one.now)["answer"] == Answer.SILENT.value
    lost = Track(silent_since=one.now.ago(9), silent_last=one.now.ago(5), unknown_last=one.now)
    assert facts.track_part("ping", lost, one.now)["answer"] == Answer.UNKNOWN.value
    assert facts.track_part("ping", None, one.now)["answer"] == Answer.UNKNOWN.value


def test_every_probe_is_told() -> None:
    probes = {probe["probe"] for probe in status_of(pair().in_peer())["seen"]["probes"]}
    assert probes == {probe.value for probe in Probe} - {"gateway"}


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        ({}, True),
        ({"expires_at": NIGHT.wall_s - 1}, False),
        ({"created_at": DIED}, False),
        ({"gates": (replace(gates()[0], verdict=Verdict.UNKNOWN),)}, False),
    ],
)
def test_a_plan_is_offered_only_if_a_confirmation_would_start_it(
    change: dict[str, Any], waits: bool
) -> None:
    down = pair().primary_down()
    shown = plan(**{"created_at": NIGHT.wall_s - 1, **change})
    document = status_of(replace(down, state=replace(down.state, plans=(shown,))))
    assert (document["plan"] is not None) is waits
    assert ("confirm 7f3a-91c2" in document["next"][0]) is waits


PLAN_KEYS = {
    "digest", "kind", "created_at", "expires_at", "data_loss", "gates", "steps", "eta",
}  # fmt: skip
PLAN_STEP_KEYS = {
    "id", "title", "guide", "host", "depends_on", "reversible", "timeout_s", "actions", "looks",
}  # fmt: skip


@pytest.mark.parametrize("made", [plan(), overridden_plan()])
def test_plan_has_every_key_of_its_contract(made: Any) -> None:
    document = plan_document(made, NIGHT.wall_s, site())
    json.dumps(document)
    assert document["schema"] == "hamnd.plan/1"
    assert document.keys() >= PLAN_KEYS
    assert document["eta"].keys() >= {"p50_s", "p95_s", "n"}
    for gate in document["gates"]:
        assert gate.keys() >= {"name", "verdict", "evidence", "reason"}
    for step in document["steps"]:
        assert step.keys() >= PLAN_STEP_KEYS
        for action in step["actions"]:
            assert action.keys() >= {"kind", "host", "user", "argv", "preview"}


def test_a_fence_action_has_no_argv_and_no_secret() -> None:
    steps = {step["id"]: step for step in plan_document(plan(), NIGHT.wall_s, site())["steps"]}
    (action,) = steps["fence"]["actions"]
    assert action["kind"] == "fence"
    assert action["argv"] is None


def test_the_bar_stands_before_the_first_irreversible_step() -> None:
    from hamnd.views.card import NO_WAY_BACK, render_card

    lines = render_card(plan_document(plan(), NIGHT.wall_s, site()))
    bar = next(index for index, line in enumerate(lines) if NO_WAY_BACK in line)
    assert "fence" in lines[bar - 1]
    assert "promote" in lines[bar + 1]


def test_other_looks_have_their_schemas() -> None:
    one = pair().taking_over()
    state, now, terms = one.state, one.now, one.terms
    assert ready_document(state, now, terms)["schema"] == "hamnd.ready/1"
    assert explain_document(state, now, terms)["schema"] == "hamnd.explain/1"
    assert witnesses_document(state, now, terms)["schema"] == "hamnd.witnesses/1"
    document = run_document(state.run, now, terms.site)
    assert document["schema"] == "hamnd.run/1"
    assert document["run"]["passed_point_of_no_return"] == "promote"
    assert run_document(None, now, terms.site)["run"] is None


def test_words_shared_with_the_core_are_the_core_s() -> None:
    assert explain.PEER_NEEDS == REQUIRED
    assert explain.STEP_READY == READY_PREFIX
    assert facts.step_of(f"{READY_PREFIX}dns") == "dns"


def test_readiness_names_only_conditions_that_the_core_makes() -> None:
    credentials = FileSet("credentials", ("/etc/xcat/ca/",), holds_identity=True)
    here = replace(story_terms().site, file_sets=(credentials,))
    story = Story(terms=Terms(here, story_terms().policy))
    made = {one.type for one in story.in_peer().state.assessment.conditions}
    assert made >= facts.READINESS_TYPES


@pytest.mark.parametrize("skew_s", [4.0, -4.0])
def test_status_and_plan_tell_the_peer_window_on_the_same_clock(skew_s: float) -> None:
    story = Story()
    story.world.skew_s = skew_s
    story.primary_down().plan()
    told = [status_document(story.state, story.now, story.terms)["data_loss"]]
    told += [plan_document_of(story)["data_loss"]]
    assert told[0]["peer_window_end"] == told[1]["peer_window_end"] is not None
    assert told[0]["peer_window_remaining_s"] == told[1]["peer_window_remaining_s"] > 0


def plan_document_of(story: Story) -> dict[str, Any]:
    skew_s = facts.skew_s(story.state.watch)
    return plan_document(story.shown(), story.now.wall_s, story.terms.site, skew_s=skew_s)


def test_a_skew_that_was_stored_with_the_sample_moves_the_window_too() -> None:
    story = Story()
    story.world.skew_s = 4.0
    story.primary_down()
    before = status_document(story.state, story.now, story.terms)["data_loss"]["peer_window_end"]
    story.crash(0.0)
    assert story.state.watch.skew is None
    after = status_document(story.state, story.now, story.terms)["data_loss"]["peer_window_end"]
    assert abs(after - before) <= 1


def flapping() -> Story:
    """All is in order again, for the third time in two minutes."""
    story = Story().with_policy(flap_max=2).in_peer()
    for _ in range(3):
        story.world.database.flags = "STANDBY_LOG_RETRIEVAL_ERROR"
        story.live(8.0)
        story.world.database.flags = "TCP_PROTOCOL"
        story.live(20.0)
    return story


def test_a_pair_that_flaps_is_told_why_it_is_not_yet_peer() -> None:
    story = flapping()
    assert story.state.state is State.DEGRADED
    document = explain_document(story.state, story.now, story.terms)
    assert "the pair flaps" in document["held_back"]
    assert "the pair flaps" in document["exits"][0]
    assert any("the pair flaps" in line for line in document["headline"])


def test_the_pair_is_peer_when_the_time_that_was_told_is_over() -> None:
    story = flapping()
    story.until(lambda: story.state.state is State.PEER, 400.0)
    told = story.now_s
    again = flapping()
    document = status_document(again.state, again.now, again.terms)
    assert document["held_back"].endswith(f": {span(told - again.now_s)} to go")


def test_a_pair_that_does_not_flap_is_not_held_back() -> None:
    story = Story().begin().live(3.0)
    assert status_document(story.state, story.now, story.terms)["held_back"] is None


def test_a_condition_is_found_by_name_and_a_step_by_its_id() -> None:
    one = pair().not_ready()
    document = explain_document(one.state, one.now, one.terms)
    assert has_condition(document, "replicationpeer")
    assert has_condition(document, "consoles")
    assert not has_condition(document, "weather")


def test_eta_comes_from_finished_runs_of_the_same_kind() -> None:
    def finished(took_s: float, status: str = "done", kind: str = "takeover") -> FinishedRun:
        return FinishedRun("d", kind, status, 1000.0, 1000.0 + took_s)

    runs = [finished(took) for took in (90.0, 60.0, 130.0)]
    others = [finished(5.0, kind="undo"), finished(7.0, status="concluded")]
    assert eta_of([*runs, *others], plan()) == {
        "p50_s": 90.0,
        "p95_s": 130.0,
        "n": 3,
        "unknown": [],
    }
    assert eta_of(others, plan()) is None


def test_a_connection_that_db2_believes_in_is_no_good_mark_while_the_primary_is_silent() -> None:
    night = pair().primary_silent(for_s=3)
    document = status_document(night.state, night.now, night.terms)
    document["replication"]["connected"] = True
    document["replication"]["is_protecting"] = True
    (line,) = [one for one in render_status(document) if one.startswith("REPL")][:1]
    assert not line.startswith("REPL  *")
    assert "as the database last knew" in " ".join(render_status(document))


def test_explain_tells_the_whole_chain_from_a_takeover_back_to_what_forbids_it() -> None:
    one = pair().gates_block()
    document = explain_document(one.state, one.now, one.terms)
    names = [gate["name"] for gate in document["takeover"]["gates"]]
    assert names == ["fence", "loss"]
    text = " ".join(" ".join(explain.render_explain(document)).split())
    assert "Why no takeover would be confirmed now:" in text
    for gate in document["takeover"]["gates"]:
        assert f"-> {gate['clear'].split(',')[0][:20]}" in text
    unready = pair().not_ready()
    told = explain.render_explain(explain_document(unready.state, unready.now, unready.terms))
    assert "What is not proven to work (2):" in told
    assert any(line.strip() == "-> give the right" for line in told)


def test_the_time_to_expect_is_the_longest_way_through_the_steps_whoever_did_them() -> None:
    """dns, dhcp and consoles go side by side; a pause of an hour is nobody's duration."""
    seconds = {
        "fence": 2.0,
        "promote": 3.0,
        "identity": 1.0,
        "xcatd": 10.0,
        "dns": 4.0,
        "dhcp": 7.0,
    }
    seconds |= {"fuse": 1.0, "consoles": 2.0, "verify": 5.0}
    one = FinishedRun("d", "takeover", "done", 0.0, 3_600.0, steps_s=seconds)
    slow = replace(one, kind="switchover", steps_s={**seconds, "xcatd": 20.0, "dns": 30.0})
    whole = 1 + 2 + 3 + 1 + 10 + 7 + 5
    assert eta_of([one], plan()) == {"p50_s": whole, "p95_s": whole, "n": 1, "unknown": []}
    assert eta_of([one, slow], plan()) == {
        "p50_s": whole,
        "p95_s": 1 + 2 + 3 + 1 + 20 + 30 + 5,
        "n": 2,
        "unknown": [],
    }


def test_a_step_that_was_never_done_here_is_named_beside_the_expected_time() -> None:
    drill = FinishedRun(
        "d", "switchover", "done", 0.0, 60.0, steps_s={"promote": 3.0, "xcatd": 9.0}
    )
    eta = eta_of([drill], plan())
    assert eta is not None
    assert (eta["p50_s"], eta["n"]) == (12.0, 1)
    assert set(eta["unknown"]) == {*STEP_IDS} - {"promote", "xcatd"}
