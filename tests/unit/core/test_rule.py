"""The primary-down rule: each cause, each blocker, and what contradicts it later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from hamnd.core.health.evidence import void_contradicted
from hamnd.core.health.rule import DownRule, contradiction, judge_rule
from hamnd.core.health.watch import Watch, fold_fence, fold_replication
from hamnd.core.observing import fold_round
from hamnd.core.policy import Terms
from hamnd.core.replication import PartnerDatabase
from hamnd.model.health import Positions, Replication, WitnessSight
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, Cause, Probe
from tests.unit.core.builders import (
    ALIVE,
    DEAD,
    at,
    blind,
    heard,
    lost_link,
    power,
    replication,
    round_of,
    service_nodes,
    sight,
    site,
    terms,
)

ONE_WITNESS = terms(site(witnesses=service_nodes(1)), witnesses_min=1)
FROZEN = {**DEAD, Probe.PING: "answers", Probe.TCP: "answers"}


def read(watch: Watch, *readings: Replication) -> Watch:
    for reading in readings:
        watch = fold_replication(watch, reading, reading.observed.ago(0.1))
    return watch


def dead(*sent: float) -> Watch:
    """Alive until 0, then silent in these rounds; replication received nothing since."""
    watch = heard(ALIVE, -1.0, 0.0)
    watch = read(watch, replication(-1.0), replication(2.0), replication(4.5))
    return heard(DEAD, *sent, watch=watch)


def said(watch: Watch, *sights: WitnessSight) -> Watch:
    return replace(watch, witnesses={one.name: one for one in sights})


def told(watch: Watch, *readings: tuple[bool | None, float]) -> Watch:
    for is_off, moment in readings:
        watch = fold_fence(watch, power(is_off, moment))
        watch = void_contradicted(watch, at(moment), terms())
    return watch


def judge(watch: Watch, moment: float, on: Terms | None = None) -> DownRule:
    return judge_rule(watch, at(moment), on or terms())


def blocked(rule: DownRule, words: str) -> None:
    assert rule.cause is None
    assert not rule.is_held
    assert any(words in one for one in rule.blockers), rule.blockers


# ---- the causes --------------------------------------------------------------------------------
def test_a_host_that_is_silent_on_all_sides_for_long_enough_is_down() -> None:
    rule = judge(dead(1.0, 2.0, 3.0, 4.0), 5.1)
    assert rule.cause is Cause.HOST
    assert rule.since == at(1.0)
    assert rule.is_held
    assert any("one vantage point" in one for one in rule.basis)


def test_the_rule_is_not_held_before_down_after_s() -> None:
    rule = judge(dead(1.0, 2.0), 4.9)
    assert (rule.cause, rule.is_held) == (Cause.HOST, False)


def test_a_host_that_answers_ping_but_no_program_is_frozen() -> None:
    rule = judge(heard(FROZEN, 1.0, 2.0, 3.0, 4.0, watch=dead()), 5.5)
    assert (rule.cause, rule.is_held) == (Cause.FROZEN, True)


def test_a_frozen_host_whose_ping_is_filtered_is_frozen_by_its_tcp_connect() -> None:
    filtered = {**FROZEN, Probe.PING: "silent"}
    rule = judge(heard(filtered, 1.0, 2.0, 3.0, 4.0, watch=dead()), 5.5)
    assert rule.cause is Cause.FROZEN


def test_a_living_host_whose_ping_is_filtered_is_not_down() -> None:
    filtered = {**ALIVE, Probe.PING: "silent"}
    watch = heard(filtered, 1.0, 2.0, 3.0, 4.0, watch=dead())
    blocked(judge(watch, 5.5), "ssh_banner: answers")


def test_a_service_that_fails_for_long_enough_is_down_although_the_host_answers() -> None:
    failing = {**ALIVE, Probe.XCATD: "refused"}
    assert not judge(heard(failing, *[float(n) for n in range(1, 31)]), 30.5).is_held
    rule = judge(heard(failing, *[float(n) for n in range(1, 62)]), 61.5)
    assert (rule.cause, rule.is_held) == (Cause.SERVICE, True)
    assert "the host answers" in rule.basis


def test_a_partner_database_that_fails_is_the_cause_service() -> None:
    partner = PartnerDatabase(False, "primary", None, at(60.0), at(0.0), "database down")
    watch = replace(heard(ALIVE, 60.0), partner=partner)
    assert judge(watch, 61.0).cause is Cause.SERVICE


def test_one_failing_answer_says_nothing_of_the_time_since() -> None:
    """Given a database that failed once, when no answer came after that for as long as it takes to
    count as down, then it is not held to have failed all the time: it may have been mended."""
    once = PartnerDatabase(False, "primary", None, at(5.0), at(5.0), "database down")
    watch = replace(heard(ALIVE, 14.0), partner=once)
    hasty = replace(terms(), policy=replace(terms().policy, service_down_after_s=8.0))
    rule = judge(watch, 14.5, hasty)
    assert (rule.cause, rule.is_held) == (Cause.SERVICE, False)
    again = replace(watch, partner=replace(once, at=at(13.5)))
    assert judge(again, 14.5, hasty).is_held


def test_a_service_failure_that_was_not_seen_lately_counts_no_more() -> None:
    failing = {**ALIVE, Probe.XCATD: "refused"}
    silent_now = {**ALIVE, Probe.XCATD: "silent"}
    watch = heard(silent_now, 68.0, 69.0, watch=heard(failing, *[float(n) for n in range(60)]))
    assert judge(watch, 70.0).cause is None


def test_an_xcatd_that_only_hangs_is_no_definite_failure() -> None:
    hung = {**ALIVE, Probe.XCATD: "silent"}
    assert judge(heard(hung, *[float(n) for n in range(100)]), 100.0).cause is None


# ---- what blocks -------------------------------------------------------------------------------
@pytest.mark.parametrize("probe", [Probe.PING, Probe.SSH_BANNER, Probe.XCATD])
@pytest.mark.parametrize("word", ["cut", "not-run"])
def test_unknown_is_never_down(probe: Probe, word: str) -> None:
    unknown: Mapping[Probe, str] = {**DEAD, probe: word}
    watch = heard(unknown, 6.0, 7.0, 8.0, 9.0, 10.0, watch=dead())
    blocked(judge(watch, 12.0), f"{probe}: unknown")


@pytest.mark.parametrize("probe", [Probe.SSH_BANNER, Probe.XCATD])
def test_one_probe_that_answers_blocks(probe: Probe) -> None:
    watch = heard({**DEAD, probe: "answers"}, 1.0, 2.0, 3.0, 4.0, watch=dead())
    blocked(judge(watch, 5.5), f"{probe}: answers")


def test_silence_that_is_not_fresh_blocks() -> None:
    blocked(judge(dead(1.0, 2.0, 3.0, 4.0), 9.5), "ping: unknown")


def test_one_lost_round_after_an_outage_of_our_own_is_not_held() -> None:
    outage = dict.fromkeys(Probe, "silent")
    watch = heard(outage, *[float(n) for n in range(2, 300)], watch=dead(1.0))
    watch = read(heard(DEAD, 300.0, watch=watch), replication(297.0), replication(301.5))
    assert judge(watch, 302.0).is_held is False


def test_replication_that_cannot_be_read_blocks() -> None:
    watch = heard(DEAD, 1.0, 2.0, 3.0, 4.0, watch=read(heard(ALIVE, 0.0), blind(2.0), blind(4.0)))
    blocked(judge(watch, 5.5), "replication: one reading is not enough")


def test_replication_that_was_not_read_since_the_silence_began_blocks() -> None:
    watch = heard(DEAD, 1.0, 2.0, 3.0, 4.0, watch=read(heard(ALIVE, 0.0), replication(0.5)))
    blocked(judge(watch, 5.5), "replication: not read since")


def test_a_stale_reading_of_replication_blocks() -> None:
    watch = dead(*[float(n) for n in range(1, 40)])
    blocked(judge(watch, 40.5), "replication: no fresh reading")


def test_a_stale_connected_is_no_contradiction() -> None:
    watch = dead(1.0, 2.0, 3.0, 4.0)
    assert watch.replication is not None
    assert watch.replication.connected is True
    assert judge(watch, 5.5).cause is Cause.HOST


def test_replication_that_advances_after_the_silence_began_blocks() -> None:
    moved = replication(4.8, positions=Positions(6_000, 6_000, 5_000))
    blocked(
        judge(read(dead(1.0, 2.0, 3.0, 4.0), moved), 5.5), "replication: something was received"
    )


def test_a_link_that_is_lost_is_silence_of_replication() -> None:
    watch = heard(DEAD, 1.0, 2.0, 3.0, 4.0, watch=read(heard(ALIVE, 0.0), lost_link(4.8)))
    rule = judge(watch, 5.5)
    assert rule.cause is Cause.HOST
    assert "the replication link is lost" in rule.basis


def test_db2_noticing_the_lost_link_a_minute_later_does_not_bring_the_primary_back() -> None:
    rounds = [float(n) for n in range(1, 62)]
    watch = read(heard(DEAD, *rounds, watch=dead()), replication(56.0), lost_link(61.0))
    rule = judge(watch, 62.0)
    assert (rule.cause, rule.since) == (Cause.HOST, at(1.0))
    assert contradiction(watch, Cause.HOST, at(1.0)) is None


def test_a_witness_that_reaches_the_primary_blocks() -> None:
    watch = said(dead(1.0, 2.0, 3.0, 4.0), sight("sn01", Answer.ANSWERED, 4.0))
    blocked(judge(watch, 5.5, ONE_WITNESS), "1 of 1 service nodes still reach it")


def test_a_witness_that_does_not_answer_us_is_not_counted() -> None:
    watch = said(dead(1.0, 2.0, 3.0, 4.0), sight("sn01", Answer.UNKNOWN, 4.0))
    blocked(judge(watch, 5.5, ONE_WITNESS), "0 of the 1 service nodes needed")


def test_a_witness_that_was_asked_before_the_silence_is_not_counted() -> None:
    seen = replace(sight("sn01", Answer.SILENT, 4.0), asked=at(0.5))
    watch = said(dead(1.0, 2.0, 3.0, 4.0), seen)
    blocked(judge(watch, 5.5, ONE_WITNESS), "0 of the 1 service nodes needed")


def test_a_witness_that_answered_long_ago_is_not_counted() -> None:
    rounds = [float(n) for n in range(1, 40)]
    watch = read(heard(DEAD, *rounds, watch=dead()), replication(33.0), replication(38.0))
    watch = said(watch, sight("sn01", Answer.SILENT, 4.0))
    blocked(judge(watch, 40.0, ONE_WITNESS), "0 of the 1 service nodes needed")


def test_a_witness_that_does_not_reach_it_supports() -> None:
    watch = said(dead(1.0, 2.0, 3.0, 4.0), sight("sn01", Answer.SILENT, 4.0))
    rule = judge(watch, 5.5, ONE_WITNESS)
    assert rule.cause is Cause.HOST
    assert "none of 1 service nodes reaches it" in rule.basis


def test_without_witnesses_the_gateway_itself_must_answer() -> None:
    """The path was proven in the silent rounds, but not lately enough by the gateway."""
    watch = dead(1.0, 2.0, 3.0, 4.0)
    old = replace(watch.gateway, answered=at(0.5))
    blocked(judge(replace(watch, gateway=old), 5.5), "our own path is not proven")


def test_witnesses_prove_our_path_when_the_gateway_is_silent() -> None:
    watch = dead(1.0, 2.0, 3.0, 4.0)
    watch = replace(watch, gateway=replace(watch.gateway, answered=at(0.5)))
    watch = said(watch, sight("sn01", Answer.SILENT, 4.0))
    assert judge(watch, 5.5, ONE_WITNESS).cause is Cause.HOST


def test_an_isolated_node_calls_nobody_down() -> None:
    outage = dict.fromkeys(Probe, "silent")
    watch = heard(outage, *[float(n) for n in range(1, 30)], watch=dead())
    assert judge(watch, 30.5).cause is None


# ---- the device --------------------------------------------------------------------------------
def test_a_device_that_says_off_twice_is_enough() -> None:
    rule = judge(told(Watch(), (True, 1.0), (True, 3.0)), 5.1)
    assert (rule.cause, rule.since, rule.is_held) == (Cause.HOST, at(1.0), True)


def test_a_device_that_says_off_once_is_not_enough() -> None:
    assert judge(told(Watch(), (True, 1.0)), 6.0).cause is None


def test_off_then_unknown_then_off_is_twice() -> None:
    watch = told(Watch(), (True, 1.0), (None, 2.0), (True, 3.0))
    assert judge(watch, 5.1).is_held


def test_a_device_that_says_on_again_proves_nothing() -> None:
    assert judge(told(Watch(), (True, 1.0), (True, 2.0), (False, 3.0)), 6.0).cause is None


def test_a_device_that_was_not_read_lately_proves_nothing() -> None:
    assert judge(told(Watch(), (True, 1.0), (True, 2.0)), 32.5).cause is None


def test_a_quick_device_is_held_after_down_after_s_too() -> None:
    """Read once a second, only the latest readings are kept: the series must not slide along."""
    watch = told(Watch(), *[(True, 1.0 + n) for n in range(8)])
    assert judge(watch, 8.5).is_held


def test_a_device_that_says_off_does_not_hide_a_silence_that_is_held() -> None:
    watch = told(dead(1.0, 2.0, 3.0, 4.0), (True, 4.0), (True, 5.0))
    assert judge(watch, 5.5).is_held


def test_a_device_contradicted_by_an_answer_is_not_believed_when_the_primary_falls_silent() -> None:
    """It controls another machine: off for a year, and the link to the primary is cut now."""
    watch = told(heard(ALIVE, 1.0), (True, 2.0), (True, 3.0))
    watch = void_contradicted(heard(ALIVE, 4.0, watch=watch), at(4.1), terms())
    for second in range(5, 40, 2):
        watch = told(heard(DEAD, float(second), watch=watch), (True, second + 0.5))
    assert watch.lie
    assert judge(watch, 39.6).cause is None


def test_a_liar_is_credible_again_after_it_said_on() -> None:
    watch = told(heard(ALIVE, 1.0), (True, 2.0), (True, 3.0))
    watch = void_contradicted(heard(ALIVE, 4.0, watch=watch), at(4.1), terms())
    watch = told(watch, (False, 5.0), (True, 10.0), (True, 11.0))
    assert judge(watch, 14.5).is_held


def test_a_reading_that_raced_the_dying_machine_does_not_make_a_liar() -> None:
    watch = told(Watch(), (True, 1.0))
    watch = void_contradicted(heard(ALIVE, 1.0, watch=watch), at(1.1), terms())
    watch = told(watch, (True, 2.0), (True, 3.0))
    assert not watch.lie
    assert watch.first_off == at(2.0).wall_s
    assert judge(watch, 6.1).is_held


# ---- what contradicts it later -----------------------------------------------------------------
@pytest.mark.parametrize("probe", [Probe.PING, Probe.TCP, Probe.SSH_BANNER, Probe.XCATD])
def test_any_answer_contradicts_a_dead_host(probe: Probe) -> None:
    watch = heard({**DEAD, probe: "answers"}, 5.0, watch=dead(1.0, 2.0))
    assert contradiction(watch, Cause.HOST, at(1.0)) == f"{probe} was answered"


@pytest.mark.parametrize("probe", [Probe.PING, Probe.TCP])
def test_a_ping_does_not_contradict_a_frozen_host(probe: Probe) -> None:
    watch = heard({**DEAD, probe: "answers"}, 5.0, watch=dead(1.0, 2.0))
    assert contradiction(watch, Cause.FROZEN, at(1.0)) is None


@pytest.mark.parametrize("cause", [Cause.HOST, Cause.FROZEN])
def test_replication_progress_contradicts(cause: Cause) -> None:
    moved = replication(6.0, positions=Positions(6_000, 6_000, 5_000))
    assert contradiction(read(dead(1.0), moved), cause, at(1.0)) is not None


def test_progress_that_may_have_happened_before_does_not_contradict() -> None:
    moved = replication(6.0, positions=Positions(6_000, 6_000, 5_000))
    watch = read(heard(DEAD, 3.0, watch=heard(ALIVE, 0.0)), replication(2.0), moved)
    assert contradiction(watch, Cause.HOST, at(3.0)) is None


def test_a_witness_asked_before_does_not_contradict() -> None:
    """It greeted the machine, which was then switched off, and told us four seconds later."""
    seen = replace(sight("sn01", Answer.ANSWERED, 5.0), asked=at(0.5))
    assert contradiction(said(Watch(), seen), Cause.HOST, at(1.0)) is None
    later = replace(seen, asked=at(1.5))
    assert contradiction(said(Watch(), later), Cause.HOST, at(1.0)) is not None


@pytest.mark.parametrize(
    ("xcatd", "database", "expected"),
    [("answers", True, True), ("answers", False, False), ("refused", True, False)],
)
def test_a_failed_service_is_contradicted_only_when_both_are_good(
    xcatd: str, database: bool, expected: bool
) -> None:
    watch = heard({**ALIVE, Probe.XCATD: xcatd}, 5.0)
    partner = PartnerDatabase(database, "primary", None, at(5.0))
    seen = contradiction(replace(watch, partner=partner), Cause.SERVICE, at(1.0))
    assert (seen is not None) is expected


def test_an_answer_exactly_when_the_silence_began_does_not_contradict() -> None:
    watch = dead(1.0)
    answered = watch.tracks[Probe.PING].answered
    assert isinstance(answered, Instant)
    assert contradiction(watch, Cause.HOST, answered) is None


def test_rounds_that_overlap_do_not_make_a_living_primary_silent() -> None:
    """800 ms round trips, every third answer lost: each round comes home out of order."""
    watch = Watch()
    for n in range(60):
        words = ALIVE if n % 3 else DEAD
        watch = fold_round(watch, round_of(words, n * 0.2), terms().policy)
        assert judge(watch, n * 0.2 + 2.0).is_held is False
