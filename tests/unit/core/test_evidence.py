"""Evidence that the old primary is off: grades, ages, and what voids it for good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.health.evidence import (
    best_grade,
    death_of,
    is_enough,
    judge_evidence,
    lie_of,
    void_contradicted,
)
from hamnd.core.health.watch import Watch, fold_fence
from hamnd.model.health import FenceEvidence
from hamnd.model.names import Answer, FenceGrade, Probe
from tests.unit.core.builders import (
    ALIVE,
    DEAD,
    WALL,
    act,
    at,
    heard,
    lost_link,
    power,
    service_nodes,
    sight,
    site,
    terms,
)

TERMS = terms()
TWO_WITNESSES = terms(site(witnesses=service_nodes(2)), witnesses_min=1)
DATED = (FenceGrade.AGENT_OFF, FenceGrade.OPERATOR)


def told(watch: Watch, *readings: tuple[bool | None, float]) -> Watch:
    for is_off, moment in readings:
        watch = settle(fold_fence(watch, power(is_off, moment)), moment)
    return watch


def settle(watch: Watch, moment: float) -> Watch:
    return void_contradicted(watch, at(moment), TERMS)


def silent_with(grade: FenceGrade, moment: float = 0.0) -> Watch:
    """The act was done at `moment`; the primary has been silent since 1."""
    watch = replace(heard(ALIVE, -1.0), acts=(act(grade, moment),))
    for sent in (1.0, 2.0, 3.0, 4.0):
        watch = settle(heard(DEAD, sent, watch=watch), sent + 2.0)
    return watch


def grades(watch: Watch, moment: float) -> list[FenceGrade]:
    return [one.grade for one in judge_evidence(watch, at(moment), TERMS)]


# ---- power_off ---------------------------------------------------------------------------------
def test_two_readings_off_are_power_off() -> None:
    (found,) = judge_evidence(told(Watch(), (True, 1.0), (True, 3.0)), at(4.0), TERMS)
    assert (found.grade, found.at, found.first_at) == (FenceGrade.POWER_OFF, WALL + 3, WALL + 1)


def test_one_reading_off_is_nothing() -> None:
    assert grades(told(Watch(), (True, 1.0)), 2.0) == []


def test_power_off_ages_after_thirty_seconds() -> None:
    watch = told(Watch(), (True, 1.0), (True, 3.0))
    assert grades(watch, 33.0) == [FenceGrade.POWER_OFF]
    assert grades(watch, 33.1) == []


def test_a_controller_that_cannot_be_read_now_proves_nothing_now() -> None:
    assert grades(told(Watch(), (True, 1.0), (True, 2.0), (None, 3.0)), 3.5) == []


def test_off_on_off_is_one_reading() -> None:
    assert grades(told(Watch(), (True, 1.0), (False, 2.0), (True, 3.0)), 3.5) == []


def test_an_answer_after_two_readings_makes_the_device_a_liar() -> None:
    watch = settle(heard(ALIVE, 4.0, watch=told(Watch(), (True, 1.0), (True, 3.0))), 4.1)
    assert lie_of(watch) == "ping was answered"
    assert grades(watch, 4.5) == []


def test_a_witness_that_reaches_it_makes_the_device_a_liar() -> None:
    watch = told(Watch(), (True, 1.0), (True, 3.0))
    watch = replace(watch, witnesses={"sn01": sight("sn01", Answer.ANSWERED, 4.0)})
    assert lie_of(settle(watch, 4.1)) == "service node sn01 reaches it"


def test_a_liar_stays_one_while_it_keeps_saying_off() -> None:
    watch = settle(heard(ALIVE, 4.0, watch=told(Watch(), (True, 1.0), (True, 3.0))), 4.1)
    watch = told(watch, *[(True, 5.0 + n) for n in range(60)])
    assert lie_of(watch) == "ping was answered"
    assert grades(watch, 64.5) == []
    assert watch.first_off is None


def test_a_liar_that_says_on_is_believed_again() -> None:
    watch = settle(heard(ALIVE, 4.0, watch=told(Watch(), (True, 1.0), (True, 3.0))), 4.1)
    watch = told(watch, (False, 6.0), (True, 8.0), (True, 9.0))
    assert lie_of(watch) is None
    assert grades(watch, 9.5) == [FenceGrade.POWER_OFF]


# ---- dated acts --------------------------------------------------------------------------------
@pytest.mark.parametrize("grade", DATED)
def test_a_dated_act_holds_while_every_probe_stays_silent(grade: FenceGrade) -> None:
    assert grades(silent_with(grade), 6.0) == [grade]


@pytest.mark.parametrize("grade", DATED)
def test_a_dated_act_does_not_age(grade: FenceGrade) -> None:
    watch = silent_with(grade)
    watch = heard(DEAD, *[float(n) for n in range(5, 120)], watch=watch)
    assert grades(watch, 121.0) == [grade]


@pytest.mark.parametrize("grade", DATED)
def test_a_dated_act_does_not_hold_while_nothing_is_known(grade: FenceGrade) -> None:
    """After a restart no probe has come home: unknown is not silent (law 2)."""
    assert grades(Watch(acts=(act(grade, 0.0),)), 1.0) == []


@pytest.mark.parametrize("probe", [Probe.PING, Probe.SSH_BANNER, Probe.XCATD])
def test_a_dated_act_needs_every_probe_silent(probe: Probe) -> None:
    watch = heard({**DEAD, probe: "cut"}, 20.0, 21.0, watch=silent_with(FenceGrade.AGENT_OFF))
    assert grades(watch, 23.5) == []


@pytest.mark.parametrize("grade", DATED)
def test_an_answer_voids_a_dated_act_for_good(grade: FenceGrade) -> None:
    watch = settle(heard({**DEAD, Probe.PING: "answers"}, 5.0, watch=silent_with(grade)), 7.0)
    assert watch.acts == ()
    watch = heard(DEAD, 8.0, 9.0, 10.0, 11.0, 12.0, watch=watch)
    assert grades(watch, 14.0) == []


def test_an_answer_from_before_the_act_does_not_void_it() -> None:
    """The round was sent before the machine was switched off and came home after it."""
    watch = Watch(acts=(act(FenceGrade.AGENT_OFF, 1.0),))
    assert len(settle(heard(ALIVE, 0.5, watch=watch), 2.6).acts) == 1


def test_a_device_that_lied_is_not_believed_about_its_off_either() -> None:
    watch = replace(silent_with(FenceGrade.AGENT_OFF), lie="ping was answered")
    assert grades(watch, 6.0) == []
    told_by_a_person = replace(silent_with(FenceGrade.OPERATOR), lie="ping was answered")
    assert grades(told_by_a_person, 6.0) == [FenceGrade.OPERATOR]


# ---- orderly -----------------------------------------------------------------------------------
def test_an_acknowledged_end_is_no_evidence_before_the_silence() -> None:
    watch = Watch(acts=(act(FenceGrade.ORDERLY, 0.0),))
    assert grades(heard(ALIVE, 0.5, watch=watch), 1.0) == []
    assert grades(heard(DEAD, 0.5, watch=watch), 2.6) == []


def test_a_machine_may_answer_for_a_while_after_it_acknowledged_its_end() -> None:
    watch = Watch(acts=(act(FenceGrade.ORDERLY, 0.0),))
    for sent in range(1, 12):
        watch = settle(heard(ALIVE, float(sent), watch=watch), sent + 0.1)
    for sent in range(12, 18):
        watch = settle(heard(DEAD, float(sent), watch=watch), sent + 2.0)
    assert grades(watch, 19.1) == [FenceGrade.ORDERLY]


def test_an_answer_after_its_silence_voids_an_acknowledged_end() -> None:
    watch = silent_with(FenceGrade.ORDERLY)
    assert grades(watch, 6.0) == [FenceGrade.ORDERLY]
    watch = settle(heard(ALIVE, 8.0, watch=watch), 8.1)
    assert watch.acts == ()


def test_a_machine_that_goes_on_answering_did_not_end() -> None:
    """The kill failed there; an hour later the link is cut: that silence is not its death."""
    watch = Watch(acts=(act(FenceGrade.ORDERLY, 0.0),))
    for sent in range(1, 100):
        watch = settle(heard(ALIVE, float(sent), watch=watch), sent + 0.1)
    for sent in range(100, 110):
        watch = settle(heard(DEAD, float(sent), watch=watch), sent + 2.0)
    assert watch.acts == ()
    assert grades(watch, 111.5) == []


def test_a_silence_that_begins_too_late_is_not_the_acknowledged_end() -> None:
    watch = Watch(acts=(act(FenceGrade.ORDERLY, 0.0),))
    for sent in range(70, 80):
        watch = settle(heard(DEAD, float(sent), watch=watch), sent + 2.0)
    assert grades(watch, 81.5) == []


# ---- witnesses ---------------------------------------------------------------------------------
def all_silent() -> Watch:
    watch = heard(DEAD, 1.0, 2.0, 3.0, 4.0, watch=heard(ALIVE, 0.0))
    sights = {name: sight(name, Answer.SILENT, 4.0) for name in ("sn01", "sn02")}
    return replace(watch, replication=lost_link(4.0), witnesses=sights)


def test_all_witnesses_silent_is_evidence() -> None:
    found = judge_evidence(all_silent(), at(5.5), TWO_WITNESSES)
    assert best_grade(found) is FenceGrade.WITNESSES


@pytest.mark.parametrize("sees", [Answer.UNKNOWN, Answer.ANSWERED])
def test_one_witness_that_does_not_say_so_is_too_few(sees: Answer) -> None:
    watch = all_silent()
    watch = replace(watch, witnesses={**watch.witnesses, "sn02": sight("sn02", sees, 4.0)})
    assert judge_evidence(watch, at(5.5), TWO_WITNESSES) == ()


def test_a_witness_that_was_never_asked_is_too_few() -> None:
    watch = all_silent()
    watch = replace(watch, witnesses={"sn01": watch.witnesses["sn01"]})
    assert judge_evidence(watch, at(5.5), TWO_WITNESSES) == ()


def test_silent_witnesses_are_no_evidence_about_a_frozen_host() -> None:
    frozen = {**DEAD, Probe.PING: "answers"}
    watch = heard(frozen, 5.0, 6.0, watch=all_silent())
    assert judge_evidence(watch, at(8.1), TWO_WITNESSES) == ()


def test_witnesses_are_never_evidence_where_none_is_configured() -> None:
    assert judge_evidence(all_silent(), at(5.5), TERMS) == ()


# ---- what is enough ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("minimum", "found", "expected"),
    [
        (FenceGrade.AGENT_OFF, FenceGrade.POWER_OFF, True),
        (FenceGrade.AGENT_OFF, FenceGrade.AGENT_OFF, True),
        (FenceGrade.AGENT_OFF, FenceGrade.ORDERLY, False),
        (FenceGrade.AGENT_OFF, FenceGrade.OPERATOR, False),
        (FenceGrade.OPERATOR, FenceGrade.OPERATOR, True),
        (FenceGrade.WITNESSES, FenceGrade.OPERATOR, False),
    ],
)
def test_evidence_is_measured_against_the_minimum(
    minimum: FenceGrade, found: FenceGrade, expected: bool
) -> None:
    evidence = (FenceEvidence(found, WALL, "test", ""),)
    assert is_enough(evidence, terms(fence_minimum=minimum)) is expected


def test_nothing_is_never_enough() -> None:
    assert is_enough((), terms(fence_minimum=FenceGrade.OPERATOR)) is False


# ---- time of death -----------------------------------------------------------------------------
def test_death_is_no_later_than_the_first_reading_off() -> None:
    watch = told(Watch(), (True, 1.0), (True, 3.0), (True, 5.0))
    death = death_of(watch, judge_evidence(watch, at(5.5), TERMS), None)
    assert (death.no_later_than, death.grade) == (WALL + 1.0, FenceGrade.POWER_OFF)


def test_a_first_reading_that_was_contradicted_is_no_time_of_death() -> None:
    """The machine was seen off, came back, and died again: the later death counts."""
    watch = told(Watch(), (True, 1.0), (False, 90.0))
    watch = settle(heard(ALIVE, 100.0, watch=watch), 100.1)
    watch = told(watch, (True, 200.0), (True, 201.0))
    death = death_of(watch, judge_evidence(watch, at(201.5), TERMS), None)
    assert death.no_later_than == WALL + 200.0


@pytest.mark.parametrize("grade", [FenceGrade.ORDERLY, FenceGrade.OPERATOR, FenceGrade.WITNESSES])
def test_what_is_no_device_proves_no_time_of_death(grade: FenceGrade) -> None:
    evidence = (FenceEvidence(grade, WALL, "test", ""),)
    assert death_of(Watch(), evidence, WALL).no_later_than is None


def test_an_acknowledged_end_does_not_make_the_proof_of_the_device_earlier() -> None:
    watch = told(silent_with(FenceGrade.ORDERLY), (True, 7.0), (True, 8.0))
    evidence = judge_evidence(watch, at(8.5), TERMS)
    assert best_grade(evidence) is FenceGrade.POWER_OFF
    assert death_of(watch, evidence, None).no_later_than == WALL + 7.0


def test_silent_witnesses_say_nothing_about_the_end() -> None:
    """A machine that is cut off from everybody may write on."""
    evidence = (
        FenceEvidence(FenceGrade.WITNESSES, WALL, "witnesses", ""),
        FenceEvidence(FenceGrade.OPERATOR, WALL, "operator", ""),
    )
    assert death_of(Watch(), evidence[:1], WALL).grade is FenceGrade.NONE
    assert death_of(Watch(), evidence, WALL).grade is FenceGrade.OPERATOR


def test_a_controller_read_every_five_seconds_while_the_primary_answers_is_a_liar() -> None:
    watch = Watch()
    for second in range(30):
        watch = settle(heard(ALIVE, float(second), watch=watch), second + 0.1)
        if second % 5 == 0:
            watch = told(watch, (True, second + 0.5))
    assert lie_of(watch) == "ping was answered"


def test_a_proof_from_before_this_process_watched_is_marked() -> None:
    watch = told(Watch(first_off=WALL - 60.0), (True, 1.0), (True, 3.0))
    death = death_of(watch, judge_evidence(watch, at(3.5), TERMS), None)
    assert (death.no_later_than, death.is_watched) == (WALL - 60.0, False)


def test_a_proof_of_an_earlier_process_is_void_once_this_one_hears_an_answer() -> None:
    assert settle(heard(ALIVE, 1.0, watch=Watch(first_off=WALL + 99.0)), 1.1).first_off is None


# ---- the device says on ------------------------------------------------------------------------
@pytest.mark.parametrize("grade", [*DATED, FenceGrade.ORDERLY])
def test_a_device_that_says_on_takes_back_every_act_before_it(grade: FenceGrade) -> None:
    """Switched off, switched on again by somebody, and cut off: all probes stay silent."""
    watch = told(silent_with(grade), (False, 7.0))
    assert watch.acts == ()
    watch = heard(DEAD, 8.0, 9.0, watch=told(watch, (None, 8.0)))
    assert grades(watch, 11.1) == []


def test_an_act_after_the_device_said_on_counts() -> None:
    watch = told(replace(heard(ALIVE, -1.0), acts=(act(FenceGrade.AGENT_OFF, 3.0),)), (False, 2.0))
    assert len(watch.acts) == 1


def test_a_device_that_cannot_be_read_takes_nothing_back() -> None:
    watch = told(silent_with(FenceGrade.AGENT_OFF), (None, 7.0))
    assert grades(watch, 6.5) == [FenceGrade.AGENT_OFF]
