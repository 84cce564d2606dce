"""The operator's plan and confirm: digests, what became worse or better, refusals, overrides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hamnd.core.events import ClearRequested, Halted
from hamnd.core.gates import LOSS_RANK
from hamnd.core.gates.judging import GATES
from hamnd.core.policy import Terms
from hamnd.core.state import Decision
from hamnd.model.names import (
    Cause,
    FenceGrade,
    LossVerdict,
    Mode,
    PlanKind,
    Probe,
    RunStatus,
    State,
    Verdict,
)
from hamnd.model.plan import GateResult, Plan
from hamnd.model.site import FenceSite
from tests.unit.core.builders import ALIVE, service_nodes, site, terms
from tests.unit.core.story import Story


def refused(story: Story, request: Callable[[], Decision], gate: str) -> Decision:
    """The request was refused by that gate, and neither state nor run nor plans changed."""
    before = story.state
    decision = request()
    assert decision.refusal is not None, decision.because
    assert decision.refusal.gate == gate, decision.refusal
    after = decision.state
    assert (after.state, after.run, after.plans) == (before.state, before.run, before.plans)
    assert decision.commands == ()
    return decision


def gate(plan: Plan, name: str) -> Verdict:
    return next(one.verdict for one in plan.gates if one.name == name)


def down() -> Story:
    return Story().primary_down()


def down_late() -> Story:
    """The peer window is over, the controller does not answer: a loss has to be accepted."""
    story = Story()
    story.world.database.window_s = 20.0
    story.in_peer()
    story.world.fence = "unreadable"
    story.world.die()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    story.live(20.0)
    story.world.end_window()
    return story.live(5.0)


# ---- the digest --------------------------------------------------------------------------------
def test_the_same_picture_has_the_same_digest_however_old_it_is() -> None:
    story = down()
    first = story.plan().answer
    second = story.live(7.0).plan().answer
    assert first is not None
    assert second is not None
    assert first.digest == second.digest
    assert first.created_at < second.created_at


def test_a_gap_inside_its_class_does_not_change_the_digest() -> None:
    story = down_late()
    first = story.plan().answer
    story.world.database.received -= 40_000
    second = story.live(6.0).plan().answer
    assert first is not None
    assert second is not None
    assert first.loss.estimated_bytes != second.loss.estimated_bytes
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda story: story.plan(overrides=("fence",)),
        lambda story: story.plan(accept_loss=LossVerdict.UNKNOWN),
        lambda story: (story.attest(), story.live(1.0)),
        lambda story: (story.world.power_off(), story.live(6.0)),
        lambda story: (story.world.crontabs.update({None: "# nothing\n"}), story.live(61.0)),
        lambda story: (story.world.looks.update({"linux.unit_waiting": "bad"}), story.live(61.0)),
    ],
    ids=["override", "accept_loss", "loss class", "fence gate", "actions", "readiness gate"],
)
def test_the_digest_changes_with_what_the_operator_agrees_to(
    change: Callable[[Story], object],
) -> None:
    story = down_late()
    first = story.plan().answer
    change(story)
    second = story.state.plans[-1]
    if second == first:
        made = story.plan().answer
        assert made is not None
        second = made
    assert first is not None
    assert first.digest != second.digest


def test_the_digest_names_the_cause_and_what_answers() -> None:
    story = down()
    first = story.plan().answer
    assert first is not None
    assert first.reach_class == "host, Silent, database silent"


# ---- confirm -----------------------------------------------------------------------------------
def test_a_confirmed_plan_begins() -> None:
    story = down()
    story.plan()
    decision = story.confirm()
    assert decision.refusal is None
    assert decision.rows == ("T05",)
    assert story.state.state is State.TAKING_OVER
    assert story.state.run is not None
    assert story.state.run.status is RunStatus.RUNNING
    assert story.state.plans == ()


def test_an_unknown_digest_is_refused() -> None:
    story = down()
    refused(story, lambda: story.confirm("0000-0000"), "plan")


@pytest.mark.parametrize("named", ["aixmn1", "", "AIXMN2"])
def test_the_wrong_name_is_refused(named: str) -> None:
    story = down()
    story.plan()
    refused(story, lambda: story.confirm(named=named), "name")


def test_an_expired_plan_is_refused() -> None:
    story = down_late().with_policy(plan_ttl_s=20.0)
    story.plan(accept_loss=LossVerdict.UNKNOWN)
    story.live(20.1)
    refused(story, story.confirm, "expiry")


def test_a_plan_does_not_live_longer_because_our_clock_was_set_back() -> None:
    story = down_late().with_policy(plan_ttl_s=20.0)
    story.plan(accept_loss=LossVerdict.UNKNOWN)
    story.set_clock(-3600.0)
    story.live(21.0)
    refused(story, story.confirm, "expiry")


def test_a_window_plan_expires_with_its_window() -> None:
    story = down()
    shown = story.plan().answer
    assert shown is not None
    assert shown.variant == "peer-window-only"
    story.live(shown.expires_at - story.now.wall_s + 0.1)
    refused(story, story.confirm, "expiry")


def test_a_plan_confirmed_too_early_names_what_blocks_it() -> None:
    story = Story().in_peer()
    shown = story.plan().answer
    assert shown is not None
    assert gate(shown, "primary-down") is Verdict.BLOCK
    decision = refused(story, story.confirm, "primary-down")
    assert decision.refusal is not None
    assert any("ping: answers" in line for line in decision.refusal.difference)


def test_a_primary_that_answers_between_plan_and_confirm_is_refused_with_the_difference() -> None:
    story = down()
    story.plan()
    story.world.come_back()
    story.live(3.0)
    decision = refused(story, story.confirm, "plan")
    assert decision.refusal is not None
    assert any(line.startswith("primary:") for line in decision.refusal.difference)
    assert any(line.startswith("primary-down: pass") for line in decision.refusal.difference)


def test_a_loss_that_became_worse_is_refused_with_the_difference() -> None:
    story = down_late()
    story.world.fence = "off"
    story.live(3.0)
    shown = story.plan(accept_loss=LossVerdict.BOUNDED).answer
    assert shown is not None
    assert gate(shown, "loss") is Verdict.PASS
    story.world.fence = "unreadable"
    story.live(3.0)
    decision = refused(story, story.confirm, "plan")
    assert decision.refusal is not None
    assert any("loss: bounded -> unknown" in line for line in decision.refusal.difference)


def test_what_a_gate_asks_that_was_overridden_is_not_asked_again_as_readiness() -> None:
    story = down_late()
    story.world.fence = "fails"
    story.live(61.0)
    asked = story.plan(accept_loss=LossVerdict.UNKNOWN).answer
    assert asked is not None
    assert gate(asked, "fence") is Verdict.UNKNOWN
    assert gate(asked, "readiness") is Verdict.BLOCK
    shown = story.plan(accept_loss=LossVerdict.UNKNOWN, overrides=("fence",)).answer
    assert shown is not None
    assert gate(shown, "fence") is Verdict.OVERRIDDEN
    assert gate(shown, "readiness") is Verdict.PASS


def test_what_lies_under_an_override_must_not_become_worse() -> None:
    story = down_late()
    story.world.looks["linux.unit_waiting"] = "unknown"
    story.live(61.0)
    shown = story.plan(accept_loss=LossVerdict.UNKNOWN, overrides=("fence", "readiness")).answer
    assert shown is not None
    assert gate(shown, "readiness") is Verdict.OVERRIDDEN
    story.world.looks["linux.unit_waiting"] = "bad"
    story.live(61.0)
    decision = refused(story, story.confirm, "plan")
    assert decision.refusal is not None
    assert any(
        line.startswith("readiness: unknown, overridden") and "-> block, overridden" in line
        for line in decision.refusal.difference
    )


def test_a_loss_that_became_smaller_is_accepted() -> None:
    story = down_late()
    story.plan(accept_loss=LossVerdict.UNKNOWN, overrides=("fence",))
    story.world.fence = "off"
    story.live(3.0)
    assert story.state.assessment.loss.verdict is LossVerdict.BOUNDED
    assert story.confirm().refusal is None
    assert story.state.run is not None
    assert story.state.run.plan.loss.verdict is LossVerdict.BOUNDED


def test_actions_that_changed_are_refused_and_named() -> None:
    story = down()
    story.plan()
    story.world.crontabs[None] = "# nothing\n"
    story.live(61.0)
    decision = refused(story, story.confirm, "plan")
    assert decision.refusal is not None
    assert any("fuse" in line for line in decision.refusal.difference)


# ---- accepted loss -----------------------------------------------------------------------------
def test_a_loss_that_nobody_accepted_blocks() -> None:
    story = down_late()
    story.plan(overrides=("fence",))
    refused(story, story.confirm, "loss")


@pytest.mark.parametrize("verdict", [one for one in LossVerdict if one is not LossVerdict.UNKNOWN])
def test_another_class_than_the_printed_one_is_not_accepted(verdict: LossVerdict) -> None:
    story = down_late()
    assert story.state.assessment.loss.verdict is LossVerdict.UNKNOWN
    story.plan(accept_loss=verdict, overrides=("fence",))
    refused(story, story.confirm, "loss")


def test_accepting_more_than_was_printed_is_no_acceptance_either() -> None:
    story = down_late()
    story.world.fence = "off"
    story.live(3.0)
    assert story.state.assessment.loss.verdict is LossVerdict.BOUNDED
    story.plan(accept_loss=LossVerdict.UNKNOWN)
    refused(story, story.confirm, "loss")


def test_the_printed_class_is_accepted() -> None:
    story = down_late()
    story.plan(accept_loss=LossVerdict.UNKNOWN, overrides=("fence",))
    assert story.confirm().refusal is None


def test_the_ranks_of_loss_are_a_complete_order() -> None:
    assert sorted(LOSS_RANK.values()) == list(range(len(LossVerdict) + 1))


# ---- overrides ---------------------------------------------------------------------------------
def test_a_blocking_gate_is_overridden_by_its_name() -> None:
    story = down_late()
    shown = story.plan(overrides=("fence",)).answer
    assert shown is not None
    assert gate(shown, "fence") is Verdict.OVERRIDDEN
    assert [one.reason for one in shown.gates if one.name == "fence"] == ["seen by anna"]


def test_a_gate_that_passes_is_not_overridden() -> None:
    shown = down().plan(overrides=("isolation",)).answer
    assert shown is not None
    assert gate(shown, "isolation") is Verdict.PASS


def test_overriding_one_gate_does_not_open_another() -> None:
    story = down_late()
    story.plan(overrides=("fence",))
    refused(story, story.confirm, "loss")


@pytest.mark.parametrize("name", ["fense", "loss", ""])
def test_a_gate_that_cannot_be_overridden_is_refused_by_name(name: str) -> None:
    story = down_late()
    refused(story, lambda: story.plan(overrides=(name,)), "override")


def test_a_takeover_from_degraded_needs_every_blocking_gate_overridden() -> None:
    story = Story().in_peer()
    story.world.looks["linux.unit_waiting"] = "bad"
    story.world.partner = "dumb"
    story.live(61.0)
    assert story.state.state is State.PEER
    story.plan(overrides=("primary-down",))
    refused(story, story.confirm, "readiness")
    story.plan(overrides=("primary-down", "readiness"))
    refused(story, story.confirm, "state")


def test_every_blocking_gate_overridden_takes_over_from_degraded() -> None:
    story = Story().in_peer()
    story.world.witnesses = {"sn01": "reaches", "sn02": "reaches"}
    story.world.die()
    story.world.witnesses = {"sn01": "reaches", "sn02": "reaches"}
    story.live(10.0)
    assert story.state.state is State.DEGRADED
    story.plan(overrides=("primary-down",))
    decision = story.confirm()
    assert decision.refusal is None
    assert decision.rows == ("T06",)
    assert [one.what for one in decision.records].count("gate_overridden") == 1


# ---- what makes a plan impossible --------------------------------------------------------------
def test_observe_only_refuses_everything_that_acts_and_clear_leads_out() -> None:
    story = down()
    story.plan()
    story.feed(Halted("journal slow"))
    assert story.state.mode.value == Mode.OBSERVE_ONLY.value
    refused(story, story.plan, "mode")
    refused(story, story.confirm, "mode")
    story.feed(clear())
    assert story.state.mode.value == Mode.NORMAL.value
    assert story.confirm().refusal is None


def test_observe_only_refuses_to_let_a_run_go_on() -> None:
    story = Story().taking_over("fence")
    story.feed(Halted("journal slow"))
    story.live(5.0)
    assert story.state.run is not None
    assert story.state.run.status is RunStatus.PAUSED
    refused(story, story.retry, "mode")
    story.feed(clear())
    assert story.retry().refusal is None
    story.live(30.0)
    assert story.state.state is State.ACTIVE


def test_a_restart_does_not_end_observe_only() -> None:
    story = down()
    story.feed(Halted("journal slow"))
    story.crash().live(3.0)
    assert (story.state.mode, story.state.mode_reason) == (Mode.OBSERVE_ONLY, "journal slow")


def test_there_is_nothing_to_clear_in_normal_mode() -> None:
    story = down()
    refused(story, lambda: story.feed(clear()), "mode")


def test_a_second_plan_is_refused_while_a_run_is_open() -> None:
    story = Story().taking_over("fence")
    refused(story, story.plan, "run")


def test_a_database_that_cannot_be_promoted_makes_a_plan_impossible() -> None:
    story = down()
    story.world.database.state = "REMOTE_CATCHUP"
    story.live(3.0)
    refused(story, story.plan, "database")


def test_an_active_node_has_nothing_to_take_over() -> None:
    story = Story().taking_over().live(30.0)
    story.plan()
    refused(story, story.confirm, "primary-down")


# ---- attest ------------------------------------------------------------------------------------
def no_device() -> Story:
    here = site(
        witnesses=service_nodes(2), fence=FenceSite(minimum=FenceGrade.OPERATOR, agent=None)
    )
    story = Story(terms=terms(here, witnesses_min=1, fence_minimum=FenceGrade.OPERATOR))
    story.world.witnesses["sn02"] = "dumb"
    return story


def test_the_operators_word_is_evidence_where_policy_accepts_it() -> None:
    story = no_device().primary_down()
    shown = story.plan().answer
    assert shown is not None
    assert gate(shown, "fence") is Verdict.UNKNOWN
    story.attest()
    shown = story.plan().answer
    assert shown is not None
    assert gate(shown, "fence") is Verdict.PASS


def test_the_operators_word_is_void_as_soon_as_somebody_answers() -> None:
    story = no_device().primary_down()
    story.attest()
    story.world.come_back()
    story.live(3.0)
    assert story.state.watch.acts == ()
    story.crash().live(3.0)
    assert story.state.watch.acts == ()


def test_a_word_does_not_outlive_the_time_in_which_nobody_watched() -> None:
    """hamnd was down for a day in which the primary served again; now the link is cut."""
    story = no_device().primary_down()
    story.attest()
    assert story.live(2.0).state.assessment.evidence
    story.crash(down_s=86_400.0).live(30.0)
    assert story.state.assessment.evidence == ()
    story.attest()
    assert story.live(2.0).state.assessment.evidence


def test_an_answer_voids_the_word_although_our_clock_was_set_back() -> None:
    story = no_device().primary_down()
    story.attest()
    story.set_clock(-3_600.0)
    story.live(5.0)
    assert story.state.assessment.evidence
    story.world.come_back()
    assert story.live(3.0).state.watch.acts == ()


def test_a_clock_that_is_set_right_after_it_does_not_date_the_word_anew() -> None:
    story = no_device().primary_down()
    story.attest()
    story.set_clock(3_600.0)
    assert story.live(5.0).state.assessment.evidence


def test_a_word_is_refused_while_the_primary_answers_and_told_what_answers() -> None:
    story = no_device().in_peer()
    told = refused(story, story.attest, "attest").because
    assert told == "aixmn1 is not off: it answers ping, tcp, ssh_banner, xcatd"
    assert story.state.watch.acts == ()
    assert story.live(5.0).state.watch.acts == ()


def test_a_word_is_refused_while_a_service_node_reaches_the_primary() -> None:
    """Only our own link is cut: the machine in the rack is another one."""
    story = no_device().in_peer()
    story.world.die()
    story.world.witnesses = {"sn01": "reaches", "sn02": "dumb"}
    story.live(8.0)
    assert "service node sn01 reaches it" in refused(story, story.attest, "attest").because


def test_a_word_is_refused_while_the_controller_says_on() -> None:
    story = down()
    story.world.fence = "on"
    story.live(6.0)
    decision = refused(story, story.attest, "attest")
    assert "the power controller says that aixmn1 is on" in decision.because
    assert decision.refusal is not None
    assert "--override fence" in decision.refusal.hint


def test_a_word_that_does_not_suffice_says_so_and_what_works() -> None:
    """fence.minimum is agent_off: attesting could never clear the gate."""
    story = down_late()
    told = story.attest().because
    assert "does not suffice: agent_off is needed" in told
    assert "--override fence" in told
    shown = story.plan().answer
    assert shown is not None
    fence = next(one for one in shown.gates if one.name == "fence")
    assert fence.verdict is Verdict.UNKNOWN
    assert "hamnctl plan takeover --override fence --reason" in fence.clear
    assert "attest" not in fence.clear


def test_where_a_word_suffices_the_gate_asks_for_it() -> None:
    shown = no_device().primary_down().plan().answer
    assert shown is not None
    fence = next(one for one in shown.gates if one.name == "fence")
    assert "hamnctl attest primary-off" in fence.clear


def test_a_word_in_no_known_form_is_refused() -> None:
    story = no_device().primary_down()
    refused(story, lambda: story.attest("believe"), "attest")


def test_the_operators_words_are_kept_within_a_limit() -> None:
    story = no_device().primary_down()
    for _ in range(40):
        story.attest()
    assert len(story.state.watch.acts) == 16


# ---- gates that cannot see ---------------------------------------------------------------------
def test_a_gate_that_cannot_see_blocks() -> None:
    """No witness and no answer of the gateway: nobody knows whether we are cut off."""
    story = down()
    story.plan()
    story.silence()
    story.world.witnesses = {"sn01": "dumb", "sn02": "dumb"}
    story.live(30.0)
    decision = refused(story, story.confirm, "plan")
    assert decision.refusal is not None
    assert any(line.startswith("isolation: pass") for line in decision.refusal.difference)


def test_every_gate_is_judged_in_every_plan() -> None:
    shown = down().plan().answer
    assert shown is not None
    # This site has no file sets and no takeover before, and a dead partner tells of no plan.
    silent = ("files", "acknowledged", "idle")
    assert [one.name for one in shown.gates] == [
        name for name in GATES[PlanKind.TAKEOVER] if name not in silent
    ]


def test_a_lying_controller_blocks_by_its_own_gate() -> None:
    story = Story().in_peer()
    story.world.fence = "off"
    story.live(12.0)
    story.world.die()
    story.world.fence = "off"
    story.live(60.0)
    assert story.state.watch.lie
    shown = story.plan().answer
    assert shown is not None
    assert gate(shown, "fence-truth") is Verdict.BLOCK
    assert shown.loss.verdict is not LossVerdict.ZERO_PROVEN


# ---- a gate promises no fence that cannot come -------------------------------------------------
def hung(fence: FenceSite, minimum: FenceGrade) -> Story:
    """xcatd and database of the primary failed; the machine itself is alive."""
    here = terms(site(fence=fence), service_down_after_s=10.0, fence_minimum=minimum)
    story = Story(terms=here).in_peer()
    story.world.probes[Probe.XCATD] = "refused"
    story.world.fence = "unreadable"
    return story.live(60.0)


def fence_gate(story: Story) -> GateResult:
    shown = story.plan().answer
    assert shown is not None
    return next(one for one in shown.gates if one.name == "fence")


OVER_SSH = FenceSite(minimum=FenceGrade.ORDERLY, ssh=True)


def test_a_machine_that_answers_ssh_can_be_ended_over_it() -> None:
    assert fence_gate(hung(OVER_SSH, FenceGrade.ORDERLY)).verdict is Verdict.PASS


@pytest.mark.parametrize("word", ["silent", "refused", "cut"])
def test_without_an_answer_of_ssh_nothing_is_ended_over_it(word: str) -> None:
    """ping and xcatd answer or refuse: the machine is there, and nobody can be told to end it."""
    story = hung(OVER_SSH, FenceGrade.ORDERLY)
    story.world.probes[Probe.SSH_BANNER] = word
    found = fence_gate(story.live(15.0))
    assert found.verdict is Verdict.UNKNOWN
    assert "ssh does not answer now" in found.evidence


def test_an_end_over_ssh_is_too_little_where_more_is_demanded() -> None:
    found = fence_gate(hung(OVER_SSH, FenceGrade.AGENT_OFF))
    assert found.verdict is Verdict.UNKNOWN
    assert "orderly, agent_off needed" in found.evidence


def test_ssh_is_no_promise_where_an_agent_is_configured_that_cannot_be_read() -> None:
    """The step would use the agent, and nothing else."""
    both = FenceSite(minimum=FenceGrade.ORDERLY, agent="fence_ipmilan", ssh=True)
    assert fence_gate(hung(both, FenceGrade.ORDERLY)).verdict is Verdict.UNKNOWN


# ---- the cause ---------------------------------------------------------------------------------
def test_a_machine_that_the_controller_says_off_hands_nothing_over() -> None:
    """Its database answered seconds ago, and our own probes have not come home since."""
    story = Story().in_peer()
    story.world.fence = "off"
    story.world.partner = "dumb"
    story.world.witnesses = {"sn01": "dumb", "sn02": "dumb"}
    story.world.database.is_frozen = True
    story.world.probes = {
        probe: word if probe is Probe.GATEWAY else "cut" for probe, word in ALIVE.items()
    }
    story.until(lambda: story.state.state.value == "PrimaryDown")
    asked = story.plan().answer
    assert asked is None or asked.variant != "graceful"


def test_a_failed_service_is_taken_over_gracefully_before_the_fence() -> None:
    story = Story(terms=Terms(site(), terms(service_down_after_s=10.0).policy)).in_peer()
    story.world.probes[Probe.XCATD] = "refused"
    story.live(15.0)
    assert (story.state.state, story.state.cause) == (State.PRIMARY_DOWN, Cause.SERVICE)
    shown = story.plan().answer
    assert shown is not None
    assert shown.variant == "graceful"
    assert shown.step("fence").depends_on == ("promote",)
    assert not shown.step("promote").needs_fence
    assert all(shown.step(one).needs_fence for one in ("identity", "xcatd", "dns", "dhcp"))


def test_what_the_database_said_long_ago_is_neither_in_the_digest_nor_in_the_advice() -> None:
    """Its db2pd answered ten minutes ago and hangs since: nobody knows how it is."""
    story = Story(terms=Terms(site(), terms(service_down_after_s=10.0).policy)).in_peer()
    story.world.partner = "dumb"
    story.world.probes[Probe.XCATD] = "refused"
    story.live(600.0)
    assert story.state.watch.partner.at is not None
    shown = story.plan().answer
    assert shown is not None
    assert shown.reach_class == "service, XcatdFails, database unknown"
    assert "look at its xcatd and its database" in story.state.assessment.advice


def clear() -> ClearRequested:

    return ClearRequested("seen", "anna")
