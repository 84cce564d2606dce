"""Between the states: what moves them, what does not, and every pair of state and trigger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core import fsm
from hamnd.core.assessing import assess
from hamnd.core.events import (
    ConnectionLost,
    DiskObserved,
    LookCompleted,
    TermsChanged,
    Ticked,
)
from hamnd.core.fsm import Refused
from hamnd.core.replication import PartnerDatabase
from hamnd.core.roles import follow_role
from hamnd.core.table import TABLE, Picture, Row, Trigger
from hamnd.core.turn import Turn
from hamnd.dialects import fence
from hamnd.model.epoch import EpochSight
from hamnd.model.names import Cause, FenceGrade, Probe, Rhythm, State, Status
from hamnd.model.work import Ending, Looked, Report
from hamnd.views.status import status_document
from hamnd.views.status_screen import render_status
from hamnd.views.verdict import is_back
from tests.unit.core.builders import at, service_nodes, site
from tests.unit.core.builders import terms as story_terms
from tests.unit.core.story import Story

FULL = Picture(
    is_plan_current=True,
    has_overridden_all=True,
    is_flapping=False,
    is_identity_held=True,
    is_epoch_clear=True,
    is_past_no_return=True,
)
PAIRS = [(state, trigger) for state in State for trigger in Trigger]


def rows(state: State, trigger: Trigger) -> list[Row]:
    return [row for row in TABLE if row.source is state and row.on is trigger]


def where(story: Story) -> str:
    return story.state.state.value


def status(story: Story, type_: str) -> tuple[Status, str]:
    found = story.state.assessment.condition(type_)
    assert found is not None
    return found.status, found.reason


# ---- the table ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("state", "trigger"), PAIRS)
def test_every_pair_is_a_row_or_an_explicit_refusal(state: State, trigger: Trigger) -> None:
    picture = FULL if trigger is not Trigger.RUN_UNDONE else Picture()
    found = fsm.fire(state, trigger, picture)
    if rows(state, trigger):
        assert found in rows(state, trigger)
    else:
        assert found == Refused(state, trigger, f"{trigger.value} means nothing in {state.value}")


@pytest.mark.parametrize("row", [row for row in TABLE if row.guard is not None], ids=lambda r: r.id)
def test_a_guard_that_is_false_refuses_by_its_name(row: Row) -> None:
    against = Picture(
        is_flapping=True, is_doubted=True, is_past_no_return=row.on is Trigger.RUN_UNDONE
    )
    found = fsm.fire(row.source, row.on, against)
    assert isinstance(found, Refused)
    assert found.because == row.guard_name


def test_ids_are_unique_and_in_order() -> None:
    ids = [row.id for row in TABLE]
    assert sorted(set(ids)) == ids


def test_rows_are_disjoint() -> None:
    pairs = [(row.source, row.on) for row in TABLE]
    assert len(set(pairs)) == len(pairs)


def test_every_row_says_why_and_every_guard_what_it_refuses() -> None:
    for row in TABLE:
        assert row.because.endswith(".")
        assert (row.guard is None) == (row.guard_name == "")


def test_nothing_but_a_confirmation_leads_to_taking_over() -> None:
    into = {row.on for row in TABLE if row.target is State.TAKING_OVER}
    assert into == {
        Trigger.TAKEOVER_CONFIRMED,
        Trigger.SWITCHOVER_CONFIRMED,
        Trigger.SUCCESSOR_CONFIRMED,
        Trigger.RUN_CONTRADICTED,
    }


# ---- peer and degraded -------------------------------------------------------------------------
def test_a_start_is_degraded_until_proven_otherwise() -> None:
    story = Story().begin()
    assert where(story) == State.DEGRADED
    story.live(8.0)
    assert where(story) == State.DEGRADED
    story.live(10.0)
    assert where(story) == State.PEER


@pytest.mark.parametrize(
    ("hurt", "type_"),
    [
        (lambda story: story.world.probes.update({Probe.XCATD: "refused"}), "PrimaryReachable"),
        (lambda story: story.world.lose_link(story.now_s), "ReplicationPeer"),
        (lambda story: setattr(story.world.database, "received", 1_000_000), "ReplicationGap"),
        (lambda story: setattr(story.world.database, "flags", "X_ERROR"), "ReplicationPeer"),
        (lambda story: setattr(story.world.database, "readable", False), "ReplicationPeer"),
    ],
    ids=["xcatd", "link", "gap", "flags", "unreadable"],
)
def test_peer_is_lost_with_any_condition_that_it_requires(hurt: object, type_: str) -> None:
    story = Story().in_peer()
    hurt(story)  # type: ignore[operator]  # a function of the story
    story.live(60.0)
    assert where(story) == State.DEGRADED
    assert status(story, type_)[0] is not Status.TRUE
    assert type_ in story.state.changes[-1].because


def test_peer_comes_back_after_recover_after_s_without_a_break() -> None:
    story = Story().in_peer()
    story.world.probes[Probe.XCATD] = "refused"
    story.live(3.0)
    story.world.come_back()
    story.live(9.0)
    assert where(story) == State.DEGRADED
    story.live(4.0)
    assert where(story) == State.PEER


def test_a_pair_that_flaps_stays_degraded() -> None:
    story = Story().with_policy(flap_max=3, recover_after_s=2.0, flap_window_s=60.0).in_peer()
    for _ in range(3):
        story.world.probes[Probe.XCATD] = "refused"
        story.live(3.0)
        story.world.come_back()
        story.live(5.0)
    assert where(story) == State.DEGRADED
    story.live(30.0)
    assert where(story) == State.DEGRADED
    story.live(30.0)
    assert where(story) == State.PEER


def test_an_xcatd_that_hangs_is_not_peer() -> None:
    story = Story().in_peer()
    story.world.probes[Probe.XCATD] = "silent"
    story.live(10.0)
    assert status(story, "PrimaryReachable") == (Status.FALSE, "XcatdSilent")
    assert where(story) == State.DEGRADED
    story.live(120.0)
    assert where(story) == State.DEGRADED


def test_only_the_link_between_the_two_is_cut() -> None:
    story = Story().in_peer()
    story.world.die()
    story.world.witnesses = {"sn01": "reaches", "sn02": "reaches"}
    story.live(120.0)
    assert where(story) == State.DEGRADED
    assert "Do not fail over" in story.state.assessment.advice
    assert "2 of 2 service nodes still reach aixmn1" in story.state.assessment.advice


def test_an_isolated_node_says_so() -> None:
    story = Story().in_peer()
    story.world.die()
    story.silence()
    story.world.witnesses = {"sn01": "dumb", "sn02": "dumb"}
    story.live(120.0)
    assert where(story) == State.DEGRADED
    assert status(story, "NotIsolated") == (Status.FALSE, "Isolated")
    assert "cut off itself" in story.state.assessment.advice


# ---- primary down ------------------------------------------------------------------------------
def test_a_dead_host_counts_as_down_within_two_seconds_of_down_after_s() -> None:
    story = Story().in_peer()
    died = story.now_s
    story.world.die()
    story.until(lambda: story.state.state is State.PRIMARY_DOWN)
    assert story.now_s - died <= story.terms.policy.down_after_s + 2.0
    assert story.state.cause is Cause.HOST


def test_a_failed_service_whose_host_dies_becomes_a_dead_host() -> None:
    story = Story().with_policy(service_down_after_s=10.0).in_peer()
    story.world.probes[Probe.XCATD] = "refused"
    story.until(lambda: story.state.state is State.PRIMARY_DOWN)
    failed = story.state.silence_began
    story.world.die()
    story.live(15.0)
    assert (story.state.state, story.state.cause) == (State.PRIMARY_DOWN, Cause.HOST)
    assert failed is not None
    assert story.state.silence_began is not None
    assert story.state.silence_began > failed
    assert any(one.what == "cause_changed" for one in story.records)


@pytest.mark.parametrize("probe", [Probe.PING, Probe.TCP, Probe.SSH_BANNER, Probe.XCATD])
def test_one_answer_ends_primary_down(probe: Probe) -> None:
    story = Story().primary_down()
    story.world.witnesses = {"sn01": "silent", "sn02": "silent"}
    story.world.probes[probe] = "answers"
    story.live(3.0)
    seen = [one for one in story.state.changes if one.row == "T04"]
    assert [one.because for one in seen] == [f"{probe} was answered"]
    assert story.state.cause is not Cause.HOST


def test_db2_noticing_its_lost_link_does_not_end_primary_down() -> None:
    story = Story().in_peer()
    story.world.die()
    story.until(lambda: story.state.state is State.PRIMARY_DOWN)
    story.live(55.0)
    story.world.lose_link(story.now_s)
    story.live(70.0)
    story.world.end_window()
    story.live(20.0)
    assert where(story) == State.PRIMARY_DOWN


def test_a_restart_begins_again_and_finds_the_primary_down_again() -> None:
    story = Story().primary_down()
    story.crash()
    assert where(story) == State.DEGRADED
    assert (story.state.cause, story.state.silence_began) == (None, None)
    story.live(30.0)
    assert where(story) == State.PRIMARY_DOWN


# ---- made active, or back to standby, by hand --------------------------------------------------
def adopted() -> Story:
    story = Story().in_peer()
    story.world.database.role, story.world.database.state = "PRIMARY", "DISCONNECTED"
    story.world.has_address, story.world.partner = True, "down"
    return story.live(70.0)


def test_a_node_that_was_made_active_by_hand_is_adopted() -> None:
    story = adopted()
    assert where(story) == State.ACTIVE
    assert "knows of no takeover" in story.state.changes[-1].because
    assert story.state.epoch is not None
    assert story.state.epoch.owner == story.terms.site.node


def test_a_second_primary_is_not_adopted_while_the_first_one_serves() -> None:
    story = Story().in_peer()
    story.world.database.role, story.world.database.state = "PRIMARY", "DISCONNECTED"
    story.world.has_address = True
    story.live(70.0)
    assert where(story) == State.DEGRADED
    assert story.state.epoch is not None
    assert story.state.epoch.owner == story.terms.site.partner.name


def test_an_adopted_node_forgets_why_the_old_primary_was_down() -> None:
    """Weeks later its silence would have counted as the beginning of the next one."""
    story = Story().primary_down()
    story.world.database.role, story.world.database.state = "PRIMARY", "DISCONNECTED"
    story.world.has_address = True
    story.live(70.0)
    assert where(story) == State.ACTIVE
    assert (story.state.cause, story.state.silence_began) == (None, None)


def test_a_node_that_went_back_to_standby_proves_its_peer_anew() -> None:
    story = adopted()
    story.world.database.role, story.world.database.state = "STANDBY", "PEER"
    story.world.has_address = False
    story.world.partner = "good"
    story.until(lambda: where(story) != State.ACTIVE)
    left = story.now_s
    story.until(lambda: where(story) == State.PEER)
    assert story.now_s - left >= story.terms.policy.recover_after_s


def test_a_primary_database_without_the_identity_is_not_active() -> None:
    story = Story().in_peer()
    story.world.database.role, story.world.database.state = "PRIMARY", "DISCONNECTED"
    story.live(70.0)
    assert where(story) == State.DEGRADED


def without_its_disk(partner_has_it: bool) -> Turn:
    """Active, and rebooted: neither the address is there nor is the shared disk mounted."""
    story = adopted()
    story.world.has_address = False
    story.live(70.0)
    reading, now = story.state.watch.replication, at(story.now_s)
    assert reading is not None
    away = replace(reading, role="standby", observed=now, is_role_lasting=False)
    has_it = PartnerDatabase(partner_has_it, "primary" if partner_has_it else None, at=now)
    watch = replace(story.state.watch, replication=away, partner=has_it)
    state = replace(story.state, watch=watch)
    return Turn(replace(state, assessment=assess(state, now, story.terms)), now, story.terms)


def test_a_disk_that_a_reboot_left_unmounted_makes_no_standby_of_the_management_node() -> None:
    """The epoch would be raised for the old primary, which then may serve, and this node not."""
    turn = without_its_disk(partner_has_it=False)
    serves = turn.state.assessment.condition("Serves")
    assert serves is not None
    assert serves.status is Status.FALSE
    assert "its disk is not mounted and it does not hold the identity" in serves.message
    follow_role(turn)
    assert (turn.state.state, turn.state.epoch) == (State.ACTIVE, turn.before.epoch)


def test_a_disk_that_the_partner_has_mounted_was_given_back_by_hand() -> None:
    turn = without_its_disk(partner_has_it=True)
    follow_role(turn)
    assert turn.state.state is State.DEGRADED
    assert turn.state.epoch is not None
    assert turn.state.epoch.owner == turn.terms.site.partner.name


def test_an_active_node_whose_database_is_standby_again_is_degraded() -> None:
    story = adopted()
    story.world.database.role, story.world.database.state = "STANDBY", "PEER"
    story.live(10.0)
    assert where(story) == State.ACTIVE
    story.world.has_address = False
    story.live(70.0)
    assert where(story) != State.ACTIVE
    assert any("T15" in one.rows for one in story.decisions)


def test_what_was_read_before_the_takeover_does_not_take_the_active_state_back() -> None:
    story = Story().taking_over("verify")
    story.until(lambda: story.state.state is State.ACTIVE)
    stale = story.state.watch.replication
    story.live(120.0)
    assert stale is not None
    assert where(story) == State.ACTIVE


def test_the_old_primary_that_answers_again_is_a_condition() -> None:
    story = Story().taking_over().live(30.0)
    assert status(story, "OldPrimaryReturned")[0] is Status.FALSE
    story.world.come_back()
    story.live(5.0)
    assert status(story, "OldPrimaryReturned")[0] is Status.TRUE
    assert where(story) == State.ACTIVE


def returned_by_hand(partner: str) -> Story:
    """Taken over by hand, and the old primary is back."""
    story = Story().primary_down()
    story.world.database.role, story.world.database.state = "PRIMARY", "DISCONNECTED"
    story.world.has_address = True
    story.live(70.0)
    assert where(story) == State.ACTIVE
    assert status(story, "OldPrimaryReturned")[0] is Status.FALSE
    story.world.come_back()
    story.world.partner = partner
    return story.live(15.0)


@pytest.mark.parametrize("partner", ["good", "dumb", "standby"])
def test_so_is_one_that_was_taken_over_from_by_hand_unless_it_follows(partner: str) -> None:
    story = returned_by_hand(partner)
    found = story.state.assessment.condition("OldPrimaryReturned")
    assert (found is not None and found.status is Status.TRUE) is (partner != "standby")


def test_an_old_primary_that_merely_has_not_mounted_the_shared_disk_is_no_follower() -> None:
    story = returned_by_hand("standby")
    reading = story.state.watch.replication
    assert reading is not None
    watch = replace(story.state.watch, replication=replace(reading, is_role_lasting=False))
    seen = assess(replace(story.state, watch=watch), at(story.now_s), story.terms)
    found = seen.condition("OldPrimaryReturned")
    assert found is not None
    assert found.status is Status.TRUE


def test_an_old_primary_that_is_gone_again_is_not_said_to_be_back() -> None:
    """A page that tells to power off what nobody hears any more would not be believed next time."""
    story = Story().taking_over().live(30.0)
    story.world.come_back()
    story.live(10.0)
    story.world.die()
    story.live(1.0)
    assert status(story, "OldPrimaryReturned")[0] is Status.TRUE, "one silence is none"
    story.live(30.0)
    assert status(story, "OldPrimaryReturned") == (Status.FALSE, "SilentAgain")
    shown = status_document(story.state, story.now, story.terms)
    assert not is_back(shown)
    told = " ".join(render_status(shown, 110, 40))
    assert "returned, silent since " in told
    assert "HAS RETURNED" not in told
    story.silence()
    story.live(30.0)
    assert status(story, "OldPrimaryReturned") == (Status.UNKNOWN, "NotHeard")
    story.world.come_back()
    story.live(10.0)
    assert status(story, "OldPrimaryReturned")[0] is Status.TRUE


# ---- what decides nothing ----------------------------------------------------------------------
@pytest.mark.parametrize(
    "event",
    [ConnectionLost("aixmn1"), Ticked(Rhythm.REACH), Ticked(Rhythm.READINESS), DiskObserved(1, 1)],
)
def test_hints_and_beats_change_no_state(event: object) -> None:
    story = Story().in_peer()
    decision = story.feed(event)  # type: ignore[arg-type]  # an event
    assert decision.state.state is State.PEER
    assert decision.rows == ()


def test_a_lost_connection_looks_at_once() -> None:
    story = Story().in_peer()
    decision = story.feed(ConnectionLost("aixmn1"))
    assert any(type(one).__name__ == "ProbeRound" for one in decision.commands)


def test_suspicion_beats_faster_and_calm_beats_slower() -> None:
    story = Story().in_peer()
    assert story.state.timing.reach_interval_s == 1.0
    story.world.die()
    story.live(3.0)
    assert story.state.timing.reach_interval_s == 0.2
    story.world.come_back()
    story.live(30.0)
    assert story.state.timing.reach_interval_s == 1.0


def test_what_the_old_fence_device_proved_goes_with_the_configuration_that_named_it() -> None:
    """The wrong machine was switched off; the operator mends [fence] and reloads."""
    story = Story().primary_down()
    story.world.fence = "off"
    story.live(10.0)
    assert story.state.assessment.evidence
    sample = story.state.watch.sample
    story.world.fence = "fails"
    story.feed(TermsChanged("another device", is_site_changed=True))
    assert story.state.watch.fence == ()
    assert story.state.watch.first_off is None
    assert story.state.watch.sample == sample
    story.live(3.0)
    assert not any(one.grade is FenceGrade.POWER_OFF for one in story.state.assessment.evidence)


def test_a_look_sent_to_the_old_site_proves_nothing_about_the_new_one() -> None:
    story = Story().in_peer()
    look = fence.status(story.terms.site)
    sent = story.now
    story.live(1.0)
    story.feed(TermsChanged("another device", is_site_changed=True))
    late = Report(Ending.EXITED, sent, story.now, 2, stdout="Status: OFF")
    story.feed(LookCompleted("fence", Looked(look, late)))
    assert story.state.watch.fence == ()


def test_before_any_epoch_was_raised_a_witness_that_keeps_none_is_no_proof() -> None:
    """The partner may have taken over, and the witness lost what it kept."""
    story = Story()
    story.world.database.role, story.world.database.state = "PRIMARY", "DISCONNECTED"
    story.world.has_address, story.world.partner = True, "down"
    story.begin().live(70.0)
    terms, now = story_terms(site(witnesses=service_nodes(1))), at(story.now_s)
    told = {name: EpochSight(name, None, "boot-9", now) for name in ("sn01", "aixmn1")}
    for names, wanted in ((("sn01",), State.DEGRADED), (("sn01", "aixmn1"), State.ACTIVE)):
        watch = replace(story.state.watch, epochs={name: told[name] for name in names})
        state = replace(story.state, state=State.DEGRADED, epoch=None, watch=watch)
        turn = Turn(state, now, terms)
        follow_role(turn)
        assert turn.state.state is wanted
