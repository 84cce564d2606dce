"""Conditions and the two summaries: what is told, since when, and what must not be guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.health.conditions import carry_since, judge_conditions
from hamnd.core.health.watch import Disk, Watch, fold_fence
from hamnd.core.policy import Terms
from hamnd.core.readiness import judge_steps
from hamnd.core.replication import Skew
from hamnd.model.health import Condition, Replication
from hamnd.model.names import Answer, Probe, State, Status
from hamnd.model.site import FenceSite
from tests.unit.core.builders import (
    ALIVE,
    DEAD,
    at,
    blind,
    heard,
    lost_link,
    power,
    replication,
    service_nodes,
    sight,
    site,
    terms,
)
from tests.unit.core.story import Story

TERMS = terms(site(witnesses=service_nodes(2)), witnesses_min=1)


def found(
    watch: Watch,
    type_: str,
    moment: float,
    before: tuple[Condition, ...] = (),
    on: Terms = TERMS,
) -> Condition:
    judged = carry_since(judge_conditions(watch, at(moment), on), before)
    return next(one for one in judged if one.type == type_)


def told(watch: Watch, type_: str, moment: float, on: Terms = TERMS) -> tuple[Status, str]:
    one = found(watch, type_, moment, on=on)
    return one.status, one.reason


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (replication(0.0), (Status.TRUE, "InPeer")),
        (replication(0.0, role="primary"), (Status.FALSE, "WeArePrimary")),
        (replication(0.0, bad_flags=("X_ERROR",)), (Status.FALSE, "BadFlags")),
        (lost_link(0.0), (Status.FALSE, "LinkLost")),
        (
            replication(0.0, state="remote_catchup", is_protecting=False),
            (Status.FALSE, "NotInPeer"),
        ),
        (blind(0.0), (Status.UNKNOWN, "Unreadable")),
        (replace(blind(0.0), role="standby", is_database_up=False), (Status.FALSE, "DatabaseDown")),
        (None, (Status.UNKNOWN, "NotReadYet")),
    ],
)
def test_replication_is_told_as_it_was_read(
    reading: Replication | None, expected: tuple[Status, str]
) -> None:
    assert told(Watch(replication=reading), "ReplicationPeer", 1.0) == expected


def test_a_reading_that_is_too_old_says_nothing_about_now() -> None:
    watch = Watch(replication=replication(0.0))
    assert told(watch, "ReplicationPeer", 13.0)[0] is Status.TRUE
    assert told(watch, "ReplicationPeer", 13.1) == (Status.UNKNOWN, "ReadingStale")


@pytest.mark.parametrize(("gap", "status"), [(1_048_576, Status.TRUE), (1_048_577, Status.FALSE)])
def test_the_gap_is_measured_against_its_limit(gap: int, status: Status) -> None:
    watch = Watch(replication=replication(0.0, gap_bytes=gap))
    assert told(watch, "ReplicationGap", 1.0)[0] is status


def test_a_gap_that_nobody_knows_is_unknown() -> None:
    nothing = replication(0.0, gap_bytes=None, replay_gap_bytes=None)
    watch = Watch(replication=nothing)
    assert told(watch, "ReplicationGap", 1.0)[0] is Status.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (Status.TRUE, "Answers")),
        ({Probe.XCATD: "failing"}, (Status.FALSE, "XcatdFails")),
        ({Probe.XCATD: "refused"}, (Status.FALSE, "XcatdFails")),
        ({Probe.SSH_BANNER: "silent", Probe.XCATD: "silent"}, (Status.FALSE, "Silent")),
        ({Probe.PING: "silent"}, (Status.TRUE, "Answers")),
        (dict.fromkeys(Probe, "silent"), (Status.UNKNOWN, "NoFreshAnswer")),
    ],
)
def test_reachability_is_told_as_it_was_heard(
    changes: dict[Probe, str], expected: tuple[Status, str]
) -> None:
    assert told(heard({**ALIVE, **changes}, 0.0), "PrimaryReachable", 2.1) == expected


def test_an_answer_that_is_too_old_says_nothing_about_now() -> None:
    assert told(heard(ALIVE, 0.0), "PrimaryReachable", 5.1)[0] is Status.UNKNOWN


@pytest.mark.parametrize(
    ("words", "sees", "expected"),
    [
        (ALIVE, Answer.UNKNOWN, (Status.TRUE, "GatewayAnswers")),
        (dict.fromkeys(Probe, "silent"), Answer.SILENT, (Status.TRUE, "WitnessAnswers")),
        (dict.fromkeys(Probe, "silent"), Answer.UNKNOWN, (Status.FALSE, "Isolated")),
        ({**DEAD, Probe.GATEWAY: "cut"}, Answer.UNKNOWN, (Status.UNKNOWN, "NotProvenYet")),
    ],
)
def test_isolation_is_told_by_gateway_and_witnesses(
    words: dict[Probe, str], sees: Answer, expected: tuple[Status, str]
) -> None:
    watch = replace(heard(words, 0.0), witnesses={"sn01": sight("sn01", sees, 1.0)})
    assert told(watch, "NotIsolated", 2.1) == expected


@pytest.mark.parametrize(
    ("sees", "expected"),
    [
        (Answer.ANSWERED, (Status.TRUE, "Reached")),
        (Answer.SILENT, (Status.FALSE, "NoneReaches")),
        (Answer.UNKNOWN, (Status.UNKNOWN, "TooFewAnswers")),
    ],
)
def test_witnesses_are_told_as_they_said(sees: Answer, expected: tuple[Status, str]) -> None:
    watch = Watch(witnesses={"sn01": sight("sn01", sees, 0.0)})
    assert told(watch, "WitnessView", 1.0) == expected
    assert told(watch, "WitnessView", 13.1) == (Status.UNKNOWN, "TooFewAnswers")


@pytest.mark.parametrize(
    ("is_off", "expected"),
    [
        (True, (Status.TRUE, "ControllerAnswers")),
        (False, (Status.TRUE, "ControllerAnswers")),
        (None, (Status.UNKNOWN, "ControllerFails")),
    ],
)
def test_the_fence_is_ready_when_its_device_answers(
    is_off: bool | None, expected: tuple[Status, str]
) -> None:
    watch = fold_fence(Watch(), power(is_off, 0.0))
    assert told(watch, "FenceReady", 1.0) == expected
    assert told(watch, "FenceReady", 30.1) == (Status.UNKNOWN, "NotReadLately")


def test_a_site_without_a_device_says_so() -> None:
    none = terms(site(fence=FenceSite(agent=None)))
    assert told(Watch(), "FenceReady", 1.0, none) == (Status.FALSE, "NoDevice")


@pytest.mark.parametrize(
    ("seconds", "uncertainty", "status"),
    [(4.8, 0.1, Status.TRUE), (-4.8, 0.1, Status.TRUE), (4.8, 0.3, Status.FALSE)],
)
def test_the_skew_counts_with_its_uncertainty(
    seconds: float, uncertainty: float, status: Status
) -> None:
    watch = Watch(skew=Skew(seconds, uncertainty, at(0.0)))
    assert told(watch, "ClockSkew", 1.0)[0] is status


@pytest.mark.parametrize(
    ("disk", "expected"),
    [
        (None, (Status.UNKNOWN, "NotReadYet")),
        (Disk(1.0, 1 << 30), (Status.TRUE, "Enough")),
        (Disk(0.4, 0), (Status.FALSE, "InReserve")),
        (Disk(0.0, 0), (Status.FALSE, "ReserveSpent")),
    ],
)
def test_the_disk_is_told_by_the_journals_reserve(
    disk: Disk | None, expected: tuple[Status, str]
) -> None:
    assert told(Watch(disk=disk), "DiskSpace", 1.0) == expected


def test_since_is_kept_while_status_and_reason_stay() -> None:
    watch = Watch(replication=replication(0.0))
    first = tuple(judge_conditions(watch, at(1.0), TERMS))
    later = Watch(replication=replication(5.0, gap_bytes=77))
    again = found(later, "ReplicationGap", 6.0, first)
    assert (again.since, again.message) == (at(1.0).wall_s, "77 B behind")
    changed = found(Watch(replication=lost_link(9.0)), "ReplicationPeer", 10.0, first)
    assert changed.since == at(10.0).wall_s


def test_every_condition_carries_its_source() -> None:
    judged = judge_conditions(heard(ALIVE, 0.0), at(1.0), TERMS)
    assert [one.type for one in judged if not one.source] == []


# ---- the two summaries -------------------------------------------------------------------------
def test_a_takeover_is_ready_while_all_is_well() -> None:
    story = Story().in_peer()
    assert story.state.assessment.is_ready is Status.TRUE
    assert story.state.assessment.is_protected is Status.TRUE


def test_readiness_does_not_need_an_answer_of_the_primary() -> None:
    """It must be true at 3 am."""
    story = Story().primary_down().live(60.0)
    assert story.state.state is State.PRIMARY_DOWN
    assert story.state.assessment.is_ready is Status.TRUE
    assert story.state.assessment.is_protected is Status.FALSE


def test_a_step_that_would_fail_is_named() -> None:
    story = Story().in_peer()
    story.world.looks["linux.unit_waiting"] = "bad"
    story.live(61.0)
    assert story.state.assessment.is_ready is Status.FALSE
    one = story.state.assessment.condition("StepReady/xcatd")
    assert one is not None
    assert (one.status, one.reason) == (Status.FALSE, "WouldFail")


def test_a_proof_that_cannot_be_taken_makes_readiness_unknown() -> None:
    story = Story().in_peer()
    story.world.looks["linux.unit_waiting"] = "unknown"
    story.live(75.0)
    assert story.state.assessment.is_ready is Status.UNKNOWN


def test_a_proof_that_is_too_old_is_no_proof() -> None:
    story = Story().in_peer()
    stale = replace(story.state, readiness=(*story.state.readiness,))
    later = at(story.now_s + 200.0)

    judged = judge_steps(stale.watch, stale.readiness, later, story.terms.policy)
    assert {one.status for one in judged} == {Status.UNKNOWN}
