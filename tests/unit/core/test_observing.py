"""What each look brings home: the sample in Peer, the window that binds, clocks, doubts, acts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.events import ActionCompleted, LookCompleted, StepLooked
from hamnd.core.health.watch import Watch
from hamnd.core.observing import fold_action, fold_look, fold_step_looks
from hamnd.core.policy import Terms
from hamnd.core.replication.db2 import ENGINE
from hamnd.dialects import clock, fence, witness
from hamnd.model.names import Answer, FenceGrade, LookPurpose
from hamnd.model.plan import Step
from hamnd.model.work import Action, Ending, Exec, Look, Looked, Report
from tests.unit.core.builders import (
    ALIVE,
    DEAD,
    WALL,
    at,
    heard,
    report,
    service_nodes,
    site,
    terms,
)
from tests.unit.core.canned import Database

TERMS: Terms = terms(site(witnesses=service_nodes(1)), witnesses_min=1)
ENDS = int(WALL) + 120
"""The window end that a reading at 0 shows."""


def home(look: Look, sent: float, text: str, code: int | None = 0) -> Looked:
    ending = Ending.TIMED_OUT if code is None else Ending.EXITED
    return Looked(look, Report(ending, at(sent), at(sent + 0.1), code, text))


def read(watch: Watch, sent: float, **values: object) -> Watch:
    """Db2pd came home."""
    shown = replace(Database(is_frozen=True), **values)  # type: ignore[arg-type]  # by name
    look = ENGINE.looks(TERMS)["db2pd"]
    return fold_look(watch, LookCompleted("db2pd", home(look, sent, shown.text(sent))), TERMS)


LOST = {"state": "DISCONNECTED_PEER", "connect": "DISCONNECTED"}
PENDING = {"state": "REMOTE_CATCHUP_PENDING", "connect": "DISCONNECTED"}
CATCHING_UP = {"state": "REMOTE_CATCHUP", "connect": "CONNECTED"}


# ---- the window that binds ---------------------------------------------------------------------
def test_the_window_end_is_frozen_as_it_stood_when_the_link_broke_in_peer() -> None:
    watch = read(read(heard(ALIVE, 0.0), 0.0), 10.0, **LOST)
    assert watch.frozen_window_end == ENDS
    assert read(watch, 125.0, **PENDING).frozen_window_end == ENDS


def test_in_catch_up_the_primary_commits_without_waiting() -> None:
    """In Peer at noon, caught up again at one, dead at one: the window of noon proves nothing."""
    watch = read(heard(ALIVE, 0.0), 0.0)
    assert read(watch, 5.0, **CATCHING_UP).frozen_window_end is None


def test_a_standby_that_left_peer_before_its_window_was_over_lost_more_than_its_link() -> None:
    watch = read(heard(ALIVE, 0.0), 0.0)
    assert read(watch, 114.0, **PENDING).frozen_window_end is None
    assert read(watch, 115.1, **PENDING).frozen_window_end == ENDS


def test_back_in_peer_a_new_window_binds() -> None:
    watch = read(read(heard(ALIVE, 0.0), 0.0), 5.0, **CATCHING_UP)
    assert read(watch, 20.0, window_end_s=140.0).frozen_window_end == ENDS + 20


def test_a_pair_without_a_window_is_bound_by_none() -> None:
    watch = read(heard(ALIVE, 0.0), 0.0)
    assert read(watch, 5.0, window_end_s=None).frozen_window_end is None


# ---- the last sample in Peer -------------------------------------------------------------------
def test_a_sample_is_kept_while_the_primary_is_heard() -> None:
    watch = read(heard(ALIVE, 0.0), 0.0)
    assert watch.sample is not None
    assert watch.sample.wall_s == at(0.1).wall_s
    assert watch.sample.peer_window_end == ENDS


def test_a_stale_peer_is_no_sample() -> None:
    """The host is dead, db2pd says PEER until HADR_TIMEOUT: nothing is verified any more."""
    watch = read(heard(ALIVE, 0.0), 0.0)
    stale = read(heard(DEAD, 2.0, 3.0, 4.0, watch=watch), 6.5)
    assert stale.sample == watch.sample
    assert read(heard(DEAD, 0.0), 3.0).sample is None


@pytest.mark.parametrize(
    "values", [{"flags": "STANDBY_REPLAY_ERROR"}, {"state": "REMOTE_CATCHUP"}, LOST]
)
def test_only_a_reading_in_its_best_state_is_a_sample(values: dict[str, str]) -> None:
    assert read(heard(ALIVE, 0.0), 0.0, **values).sample is None


def test_the_end_of_our_log_is_kept_while_we_are_standby() -> None:
    watch = read(heard(ALIVE, 0.0), 0.0, received=4_711, primary=4_711)
    assert watch.standby_end == 4_711
    promoted = read(watch, 5.0, role="PRIMARY", state="DISCONNECTED", received=9_999)
    assert promoted.standby_end == 4_711


# ---- clocks ------------------------------------------------------------------------------------
def test_the_skew_is_measured_in_the_middle_of_the_way() -> None:
    look = clock.epoch(TERMS.site, "aixmn1")
    looked = Looked(look, report(sent=10.0, home=11.0, stdout=f"{WALL + 13.5:.6f}\n"))
    skew = fold_look(Watch(), LookCompleted("partner_clock", looked), TERMS).skew
    assert skew is not None
    assert skew.seconds == pytest.approx(3.0)
    assert skew.uncertainty_s == pytest.approx(0.6)


@pytest.mark.parametrize("text", ["", "Permission denied", "12"])
def test_a_clock_that_was_not_read_leaves_the_skew_as_it_was(text: str) -> None:
    look = clock.epoch(TERMS.site, "aixmn1")
    looked = Looked(look, report(stdout=text))
    assert fold_look(Watch(), LookCompleted("partner_clock", looked), TERMS).skew is None


# ---- doubts ------------------------------------------------------------------------------------
def test_a_database_is_believed_to_be_unreadable_after_three_tries() -> None:
    watch = read(heard(ALIVE, 0.0), 0.0)
    look = ENGINE.looks(TERMS)["db2pd"]
    for n, sent in enumerate((5.0, 10.0, 15.0), start=1):
        watch = fold_look(watch, LookCompleted("db2pd", home(look, sent, "", None)), TERMS)
        assert watch.replication is not None
        assert (watch.replication.role is None) is (n == 3)
    assert read(watch, 20.0).doubts == 0


def test_tries_that_come_too_soon_are_one() -> None:
    watch = read(heard(ALIVE, 0.0), 0.0)
    look = ENGINE.looks(TERMS)["db2pd"]
    for sent in (5.0, 5.2, 5.4, 5.6, 5.8):
        watch = fold_look(watch, LookCompleted("db2pd", home(look, sent, "", None)), TERMS)
    assert watch.doubts == 1
    assert watch.replication is not None
    assert watch.replication.role == "standby"


# ---- the rest ----------------------------------------------------------------------------------
def test_a_witness_counts_from_when_it_was_asked() -> None:
    look = witness.look(TERMS.site, TERMS.site.witnesses[0])
    text = "ping=no\nbanner=no\nxcatd=no\ndone=ok\n"
    watch = fold_look(
        Watch(),
        LookCompleted("witness:sn01", Looked(look, report(sent=1, home=5, stdout=text))),
        TERMS,
    )
    seen = watch.witnesses["sn01"]
    assert (seen.sees, seen.asked, seen.at) == (Answer.SILENT, at(1.0), at(5.0))


def test_a_status_that_a_step_took_is_a_reading_like_any_other() -> None:
    looked = home(fence.status(TERMS.site), 1.0, "Status: OFF", 2)
    event = StepLooked("d", "fence", 1, LookPurpose.AFTER, (looked,))
    watch = fold_step_looks(Watch(), event)
    assert [one.is_off for one in watch.fence] == [True]


def proving(action: Action) -> Step:
    return Step("fence", "off", "8.2", "aixmn2", actions=(action,), proves_fence=True)


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [("Success: Powered OFF", 0, [FenceGrade.AGENT_OFF]), ("Failed: no", 1, [])],
)
def test_an_off_that_returned_success_is_an_act(
    text: str, code: int, expected: list[FenceGrade]
) -> None:
    step = proving(fence.off(TERMS.site))
    event = ActionCompleted("d", "fence", 1, 0, report(exit_code=code, stdout=text))
    assert [one.grade for one in fold_action(Watch(), step, event, TERMS).acts] == expected


def test_an_off_whose_answer_got_lost_is_no_act() -> None:
    step = proving(fence.off(TERMS.site))
    event = ActionCompleted("d", "fence", 1, 0, report(Ending.LOST))
    assert fold_action(Watch(), step, event, TERMS).acts == ()


def test_an_end_that_was_acknowledged_over_ssh_is_an_act_of_its_own_grade() -> None:
    step = proving(fence.ssh_kill(TERMS.site))
    event = ActionCompleted("d", "fence", 1, 0, report(stdout="hamnd-fence: started\n"))
    (one,) = fold_action(Watch(), step, event, TERMS).acts
    assert one.grade is FenceGrade.ORDERLY


def test_what_another_step_does_is_no_act() -> None:
    step = replace(proving(Action(Exec("aixmn2", ("true",)))), proves_fence=False)
    event = ActionCompleted("d", "fuse", 1, 0, report())
    assert fold_action(Watch(), step, event, TERMS).acts == ()
