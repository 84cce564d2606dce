"""What a Db2 takeover would lose, and which form of TAKEOVER is right (db2-hadr.md §6.3, §8.2, §9).

The story: last seen in Peer at 0, window end at 120 on the primary's clock.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.replication import Death, LossQuestion, Promotion, Skew
from hamnd.core.replication.db2_loss import judge_loss, judge_promotion
from hamnd.core.replication.db2_takeover import takeover_steps
from hamnd.core.replication.registry import ENGINES
from hamnd.model.health import Positions, Replication
from hamnd.model.names import FenceGrade, LossVerdict, Verdict
from hamnd.model.plan import Loss
from tests.unit.core.builders import WALL, at, blind, lost_link, replication, sample, terms

TERMS = terms()
OVER = {"state": "remote_catchup_pending", "peer_window_end": None}
"""The window is over: the standby waits for its primary."""


def died(at_s: float | None, grade: FenceGrade = FenceGrade.POWER_OFF) -> Death:
    return Death(None if at_s is None else WALL + at_s, grade, WALL + 1.0)


NOBODY_KNOWS = Death(None, FenceGrade.NONE, None)


def skew(seconds: float, uncertainty_s: float = 0.1) -> Skew:
    return Skew(seconds, uncertainty_s, at(0.0))


def question(
    view: Replication | None = None, death: Death = NOBODY_KNOWS, **changes: object
) -> LossQuestion:
    base = LossQuestion(
        view=lost_link(200.0, **OVER) if view is None else view,
        sample=sample(),
        frozen_window_end=int(WALL) + 120,
        death=death,
        skew=skew(0.0),
        is_partner_serving=False,
        now_wall_s=WALL + 201.0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name


def verdict(asked: LossQuestion) -> LossVerdict:
    return judge_loss(TERMS, asked).verdict


def promotion(asked: LossQuestion) -> Promotion:
    return judge_promotion(TERMS, asked, judge_loss(TERMS, asked))


# ---- the proof ---------------------------------------------------------------------------------
def test_off_before_the_window_end_is_proven_zero() -> None:
    loss = judge_loss(TERMS, question(death=died(60.0)))
    assert loss.verdict is LossVerdict.ZERO_PROVEN
    assert "proven off 60 s before the peer window end" in loss.basis
    assert loss.peer_window_end == int(WALL) + 120


@pytest.mark.parametrize("grade", [FenceGrade.POWER_OFF, FenceGrade.AGENT_OFF])
@pytest.mark.parametrize(
    ("at_s", "expected"),
    [(114.9, LossVerdict.ZERO_PROVEN), (115.1, LossVerdict.BOUNDED), (300.0, LossVerdict.BOUNDED)],
)
def test_five_seconds_are_kept_before_the_window_end(
    grade: FenceGrade, at_s: float, expected: LossVerdict
) -> None:
    assert verdict(question(death=died(at_s, grade), skew=skew(0.0, 0.0))) is expected


@pytest.mark.parametrize(
    ("seconds", "last_proven_s"),
    [(0.0, 114.9), (4.0, 110.9), (-4.0, 118.9)],
)
def test_the_window_end_is_on_the_primarys_clock(seconds: float, last_proven_s: float) -> None:
    """A primary whose clock is ahead comes to its window end earlier, and writes earlier again."""
    before, after = died(last_proven_s - 0.05), died(last_proven_s + 0.05)
    assert verdict(question(death=before, skew=skew(seconds))) is LossVerdict.ZERO_PROVEN
    assert verdict(question(death=after, skew=skew(seconds))) is LossVerdict.BOUNDED


def test_the_uncertainty_of_the_skew_counts_against_the_proof() -> None:
    assert verdict(question(death=died(113.0), skew=skew(0.0, 1.9))) is LossVerdict.ZERO_PROVEN
    assert verdict(question(death=died(113.0), skew=skew(0.0, 2.1))) is LossVerdict.BOUNDED


def test_the_skew_that_was_stored_with_the_sample_counts_when_none_was_measured_since() -> None:
    stored = replace(sample(), skew_s=4.0, skew_uncertainty_s=0.1)
    late = question(death=died(112.0), sample=stored, skew=None)
    assert verdict(late) is LossVerdict.BOUNDED
    assert verdict(replace(late, death=died(110.0))) is LossVerdict.ZERO_PROVEN


def test_a_late_death_is_bounded_by_the_time_after_the_window() -> None:
    loss = judge_loss(TERMS, question(death=died(180.0), skew=skew(0.0, 0.0)))
    assert (loss.verdict, loss.seconds) == (LossVerdict.BOUNDED, 65.0)


# ---- what forbids the proof --------------------------------------------------------------------
def test_a_word_of_the_operator_never_proves_zero() -> None:
    spoken = died(None, FenceGrade.OPERATOR)
    assert verdict(question(death=spoken)) is LossVerdict.ZERO_LIKELY


@pytest.mark.parametrize(
    "grade",
    [FenceGrade.NONE, FenceGrade.OPERATOR, FenceGrade.WITNESSES, FenceGrade.ORDERLY],
)
def test_only_a_device_proves_zero(grade: FenceGrade) -> None:
    assert verdict(question(death=died(60.0, grade))) is not LossVerdict.ZERO_PROVEN


def test_clocks_that_were_never_compared_forbid_the_proof() -> None:
    uncompared = replace(sample(), skew_s=None, skew_uncertainty_s=None)
    asked = question(death=died(60.0), sample=uncompared, skew=None)
    assert verdict(asked) is LossVerdict.ZERO_LIKELY


def test_an_open_window_on_clocks_that_were_never_compared_is_not_called_over() -> None:
    """A primary that dies before hamnd could ask it for the time."""
    uncompared = replace(sample(), skew_s=None, skew_uncertainty_s=None)
    asked = question(sample=uncompared, skew=None)
    early = judge_loss(TERMS, replace(asked, now_wall_s=WALL + 20.0))
    assert early.verdict is LossVerdict.UNKNOWN
    assert "never compared" in early.basis[-1]
    late = judge_loss(TERMS, asked)
    assert late.verdict is LossVerdict.UNKNOWN
    assert "is over" in late.basis[-1]


@pytest.mark.parametrize("seconds", [6.0, -6.0])
def test_clocks_that_lie_forbid_the_proof(seconds: float) -> None:
    assert verdict(question(death=died(60.0), skew=skew(seconds))) is LossVerdict.ZERO_LIKELY


@pytest.mark.parametrize("measured", [None, skew(6.0), skew(-6.0)])
def test_doubtful_clocks_do_not_turn_a_late_death_into_nothing_lost(measured: Skew | None) -> None:
    """Off two hours after its window was over: it had two hours to write."""
    uncompared = replace(sample(), skew_s=None, skew_uncertainty_s=None)
    late = question(death=died(7_200.0), sample=uncompared, skew=measured)
    assert verdict(late) is LossVerdict.UNKNOWN


def test_a_standby_that_was_restarted_since_is_no_proof() -> None:
    restarted = lost_link(200.0, **OVER, uptime_s=100)
    loss = judge_loss(TERMS, question(restarted, died(60.0)))
    assert (loss.verdict, loss.seconds) == (LossVerdict.BOUNDED, 60.0)
    assert verdict(question(restarted)) is LossVerdict.UNKNOWN


@pytest.mark.parametrize("which", ["then", "now"])
def test_a_standby_of_which_nobody_knows_since_when_it_runs_is_no_proof(which: str) -> None:
    view = lost_link(200.0, **OVER)
    asked = question(view, died(60.0))
    if which == "then":
        asked = replace(asked, sample=replace(sample(), started_at=None))
    else:
        asked = replace(asked, view=replace(view, uptime_s=None))
    assert verdict(asked) is LossVerdict.ZERO_LIKELY


@pytest.mark.parametrize("flag", ["STANDBY_REPLAY_ERROR", "STANDBY_LOG_DEVICE_FULL", "X_BLOCKED"])
def test_a_bad_flag_makes_the_loss_unknown(flag: str) -> None:
    assert verdict(question(lost_link(200.0, bad_flags=(flag,)), died(60.0))) is LossVerdict.UNKNOWN


@pytest.mark.parametrize("mode", ["async", "superasync", None])
def test_a_mode_that_does_not_wait_is_bounded_by_time_only(mode: str | None) -> None:
    """The link may have been dead for HADR_TIMEOUT when the standby still said Peer."""
    asked = question(death=died(60.0), sample=replace(sample(), sync_mode=mode))
    loss = judge_loss(TERMS, asked)
    unnoticed_s = TERMS.site.db2.hadr_timeout_s
    assert (loss.verdict, loss.seconds) == (LossVerdict.BOUNDED, 60.0 + unnoticed_s)


def test_without_a_window_nothing_holds_the_primary_back() -> None:
    asked = question(death=died(60.0), frozen_window_end=None)
    assert judge_loss(TERMS, asked).seconds == 60.0
    assert verdict(replace(asked, death=NOBODY_KNOWS)) is LossVerdict.UNKNOWN


def test_a_pair_that_was_never_seen_in_peer_is_unknown() -> None:
    assert verdict(question(death=died(60.0), sample=None)) is LossVerdict.UNKNOWN


def test_a_death_that_this_process_did_not_watch_to_the_end_is_no_proof() -> None:
    """hamnd was down for an hour: the machine may have been on again in between."""
    unwatched = replace(died(60.0), is_watched=False)
    assert verdict(question(death=unwatched)) is LossVerdict.ZERO_LIKELY
    assert verdict(question(death=replace(unwatched, no_later_than=WALL + 300.0))) is (
        LossVerdict.UNKNOWN
    )


def test_an_estimate_stands_beside_unknown_and_is_never_a_bound() -> None:
    loss = judge_loss(TERMS, question(lost_link(200.0, **OVER, gap_bytes=4_096)))
    assert (loss.verdict, loss.bytes, loss.estimated_bytes) == (LossVerdict.UNKNOWN, None, 4_096)


# ---- while the window is open ------------------------------------------------------------------
def test_an_open_window_holds_the_primary_back() -> None:
    open_ = question(lost_link(50.0), now_wall_s=WALL + 51.0)
    assert verdict(open_) is LossVerdict.ZERO_LIKELY
    assert verdict(replace(open_, now_wall_s=WALL + 116.0)) is LossVerdict.UNKNOWN


def test_silence_from_before_the_end_is_likely_zero_when_somebody_says_it_is_off() -> None:
    spoken = Death(None, FenceGrade.OPERATOR, WALL + 100.0)
    assert verdict(question(death=spoken)) is LossVerdict.ZERO_LIKELY
    seen = replace(spoken, grade=FenceGrade.NONE)
    assert verdict(question(death=seen)) is LossVerdict.UNKNOWN
    late = replace(spoken, silent_since=WALL + 119.0)
    assert verdict(question(death=late)) is LossVerdict.UNKNOWN
    assert verdict(question(death=replace(spoken, silent_since=None))) is LossVerdict.UNKNOWN


def test_in_peer_with_a_serving_primary_nothing_would_be_lost() -> None:
    asked = question(replication(50.0), is_partner_serving=True)
    assert verdict(asked) is LossVerdict.ZERO_LIKELY
    asked = replace(asked, view=replication(50.0, sync_mode="async"))
    assert verdict(asked) is LossVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (None, LossVerdict.UNKNOWN),
        (replication(1.0, role="primary"), LossVerdict.ZERO_LIKELY),
        (replication(1.0, role="standard"), LossVerdict.UNKNOWN),
        (blind(1.0), LossVerdict.UNKNOWN),
    ],
)
def test_a_database_that_is_no_standby_is_said_to_be_none(
    view: Replication | None, expected: LossVerdict
) -> None:
    assert verdict(replace(question(), view=view, is_owner=True)) is expected


@pytest.mark.parametrize("name", sorted(set(ENGINES) - {"shared_disk"}))
def test_a_database_that_was_promoted_by_hand_is_not_said_to_have_lost_nothing(name: str) -> None:
    """What was acknowledged and not here by then is missing, whoever takes over the rest."""
    asked = replace(question(), view=replication(50.0, role="primary"))
    loss = ENGINES[name].loss(TERMS, asked)
    assert loss.verdict is LossVerdict.UNKNOWN
    assert "made primary by somebody" in loss.basis[0]
    by_plan = ENGINES[name].loss(TERMS, replace(asked, is_owner=True))
    assert by_plan.verdict is LossVerdict.ZERO_LIKELY


# ---- the form of TAKEOVER: the rows of §8.2 and §9 ---------------------------------------------
def test_in_peer_with_a_serving_primary_takeover_is_graceful() -> None:
    found = promotion(question(replication(50.0), is_partner_serving=True))
    assert (found.variant, found.verdict) == ("graceful", Verdict.PASS)


def test_a_stale_peer_is_taken_over_within_its_window() -> None:
    found = promotion(question(replication(50.0), now_wall_s=WALL + 51.0))
    assert (found.variant, found.verdict) == ("peer-window-only", Verdict.PASS)


def test_a_stale_peer_whose_window_is_over_waits_until_db2_has_noticed() -> None:
    found = promotion(question(replication(200.0)))
    assert (found.variant, found.verdict) == ("none", Verdict.UNKNOWN)
    assert "HADR_TIMEOUT" in found.clear


def test_disconnected_peer_with_an_open_window_is_taken_over_within_it() -> None:
    found = promotion(question(lost_link(50.0), now_wall_s=WALL + 51.0))
    assert (found.variant, found.verdict) == ("peer-window-only", Verdict.PASS)
    assert found.deadline_wall_s == pytest.approx(WALL + 114.9)


@pytest.mark.parametrize(("seconds", "deadline_s"), [(4.0, 110.9), (-4.0, 115.0)])
def test_the_deadline_is_one_that_db2_accepts_and_the_guarantee_covers(
    seconds: float, deadline_s: float
) -> None:
    """Db2 compares the end with this node's clock, the promise was given on the primary's."""
    found = promotion(question(lost_link(50.0), skew=skew(seconds), now_wall_s=WALL + 51.0))
    assert found.deadline_wall_s == pytest.approx(WALL + deadline_s)


@pytest.mark.parametrize(("now_s", "variant"), [(109.8, "peer-window-only"), (110.0, "forced")])
def test_a_window_that_cannot_be_met_any_more_is_not_offered(now_s: float, variant: str) -> None:
    found = promotion(question(lost_link(100.0), now_wall_s=WALL + now_s))
    assert (found.variant == "peer-window-only") is (variant == "peer-window-only")


@pytest.mark.parametrize("mode", ["async", "superasync"])
def test_peer_window_only_is_never_offered_in_a_mode_that_does_not_wait(mode: str) -> None:
    found = promotion(question(lost_link(50.0, sync_mode=mode), now_wall_s=WALL + 51.0))
    assert found.variant == "accepted-force"


def test_catchup_pending_with_a_proof_is_forced_after_it() -> None:
    found = promotion(question(death=died(60.0)))
    assert (found.variant, found.verdict) == ("force-after-proof", Verdict.PASS)


def test_catchup_pending_without_a_proof_needs_accepted_loss() -> None:
    assert promotion(question()).variant == "accepted-force"
    assert promotion(question(death=died(130.0))).variant == "accepted-force"


@pytest.mark.parametrize("state", ["remote_catchup", "local_catchup"])
def test_a_standby_in_catchup_is_refused(state: str) -> None:
    view = replication(50.0, state=state, is_protecting=False)
    assert promotion(question(view, died(60.0))).verdict is Verdict.BLOCK


def test_a_primary_has_nothing_to_take_over() -> None:
    found = promotion(question(replication(50.0, role="primary")))
    assert (found.variant, found.verdict) == ("none", Verdict.PASS)


@pytest.mark.parametrize("is_up", [True, False])
def test_the_clusters_own_database_without_hadr_is_only_activated_up_or_down(is_up: bool) -> None:
    """Of a database without HADR nobody can see a role PRIMARY: the step must not ask for it."""
    view = replace(replication(50.0, role="standard"), is_database_up=is_up)
    found = promotion(question(view, is_owner=True))
    assert (found.variant, found.verdict) == ("activate", Verdict.PASS)
    promote = takeover_steps(TERMS, found)[0]
    assert [one.reads for one in promote.postconditions] == ["db2.selects"]


def test_a_standard_database_is_refused_and_pointed_to_reseeding() -> None:
    found = promotion(question(replication(50.0, role="standard")))
    assert (found.verdict, found.clear) == (Verdict.BLOCK, "re-seed the standby")


def test_a_database_that_is_down_is_refused_and_its_command_named() -> None:
    view = replication(50.0, is_database_up=False, positions=Positions())
    found = promotion(question(view))
    assert (found.verdict, found.clear) == (Verdict.BLOCK, "db2 activate db XCATDB")


@pytest.mark.parametrize("view", [None, blind(50.0)])
def test_a_database_that_cannot_be_read_is_unknown(view: Replication | None) -> None:
    found = promotion(replace(question(), view=view))
    assert (found.variant, found.verdict) == ("none", Verdict.UNKNOWN)


@pytest.mark.parametrize("state", [None, "disconnected"])
def test_a_state_that_says_nothing_is_unknown(state: str | None) -> None:
    assert promotion(question(lost_link(50.0, state=state))).verdict is Verdict.UNKNOWN


def test_judging_never_claims_more_for_a_forced_takeover_than_the_loss_says() -> None:
    for loss in LossVerdict:
        found = judge_promotion(TERMS, question(), Loss(loss, ("as told",)))
        assert (found.variant == "force-after-proof") is (loss is LossVerdict.ZERO_PROVEN)
