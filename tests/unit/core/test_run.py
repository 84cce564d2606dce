"""A confirmed plan under way: order, retry, skip, abort, conclude, restarts, unknown outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hamnd.core import recovering, stages
from hamnd.core import run as runs
from hamnd.core.commands import LookAtStep, PerformAction
from hamnd.core.events import ActionCompleted, StepLooked
from hamnd.core.policy import Policy
from hamnd.core.progress import Facts, Move, Run, Stage, StepRun
from hamnd.core.state import Decision
from hamnd.model.names import (
    FenceGrade,
    LookPurpose,
    LossVerdict,
    Outcome,
    Phase,
    PlanKind,
    Probe,
    RunStatus,
    State,
    Verdict,
)
from hamnd.model.plan import Loss, Plan, PlanRequest, Step
from hamnd.model.site import FenceSite
from hamnd.model.work import Action, Ending, Exec, Looked, Report
from tests.unit.core.builders import at, plain_look, report, service_nodes, site, terms
from tests.unit.core.story import Story

FACTS = Facts(at(0.0), Policy(), site(), True, "power_off: as told")


# ---- made-up plans -----------------------------------------------------------------------------
def step(id_: str, *needs: str, actions: int = 1, looks: bool = True, **changes: Any) -> Step:
    made = Step(
        id=id_,
        title=id_,
        guide="-",
        host="aixmn2",
        depends_on=needs,
        actions=tuple(Action(Exec("aixmn2", (id_, str(n)))) for n in range(actions)),
        postconditions=(plain_look(id_),) if looks else (),
    )
    return replace(made, **changes)


def begun(*steps: Step, kind: PlanKind = PlanKind.TAKEOVER) -> Run:
    plan = Plan(
        request=PlanRequest(kind),
        digest="1234-5678",
        variant="graceful",
        steps=steps,
        gates=(),
        loss=Loss(LossVerdict.ZERO_PROVEN, ()),
        cause=None,
        reach_class="",
        created_at=0.0,
        expires_at=1.0,
    )
    return runs.begin(plan, "anna", 0.0, None)


def looks_of(move: Move) -> list[tuple[str, LookPurpose]]:
    return [(one.step, one.purpose) for one in move.commands if isinstance(one, LookAtStep)]


def actions_of(move: Move) -> list[tuple[str, int]]:
    return [(one.step, one.index) for one in move.commands if isinstance(one, PerformAction)]


def looked(run: Run, id_: str, word: str, facts: Facts = FACTS) -> Move:
    """The looks of a step come home: true, false or unknown."""
    one, plan_step = run.steps[id_], run.plan.step(id_)
    purpose = next(key for key, stage in stages.STAGE_OF.items() if stage is one.stage)
    code = {"true": 0, "false": 1, "unknown": None}[word]
    ending = Ending.TIMED_OUT if code is None else Ending.EXITED
    taken = plan_step.postconditions
    if purpose is LookPurpose.BEFORE:
        taken = plan_step.preconditions
    answers = tuple(Looked(look, report(ending, exit_code=code)) for look in taken)
    move = stages.on_looked(run, plan_step, (purpose, answers), facts)
    return move.then(runs.advance(move.run, facts))


def acted(run: Run, id_: str, word: str = "done", facts: Facts = FACTS) -> Move:
    """The action of a step comes home: done, failed, lost or never sent."""
    code = {"done": 0, "failed": 1}.get(word)
    ending = {"lost": Ending.LOST, "never sent": Ending.COULD_NOT_RUN}.get(word, Ending.EXITED)
    home: Report = report(ending, exit_code=code)
    move = stages.on_action(run, run.plan.step(id_), home, facts)
    return move.then(runs.advance(move.run, facts))


def later(seconds: float) -> Facts:
    return replace(FACTS, now=at(seconds))


# ---- order -------------------------------------------------------------------------------------
def test_steps_that_are_ready_start_together() -> None:
    move = runs.advance(begun(step("a"), step("b"), step("c", "a", "b")), FACTS)
    assert looks_of(move) == [("a", LookPurpose.ALREADY), ("b", LookPurpose.ALREADY)]
    assert move.run.steps["c"].outcome is Outcome.PENDING


def test_a_step_waits_for_everything_it_depends_on() -> None:
    move = runs.advance(begun(step("a"), step("b"), step("c", "a", "b")), FACTS)
    move = looked(move.run, "a", "true")
    assert move.run.steps["c"].outcome is Outcome.PENDING
    move = looked(move.run, "b", "true")
    assert looks_of(move) == [("c", LookPurpose.ALREADY)]


def test_a_step_that_is_true_already_is_done_without_acting() -> None:
    move = looked(runs.advance(begun(step("a")), FACTS).run, "a", "true")
    assert actions_of(move) == []
    assert move.run.status is RunStatus.DONE


def test_a_step_that_must_always_act_is_not_looked_at_first() -> None:
    move = runs.advance(begun(step("a", skip_if_done=False)), FACTS)
    assert actions_of(move) == [("a", 0)]


def test_every_action_has_its_intent_before_it() -> None:
    move = runs.advance(begun(step("a", skip_if_done=False, actions=2)), FACTS)
    assert [one.phase for one in move.records] == [Phase.INTENT]
    move = acted(move.run, "a")
    assert [one.phase for one in move.records] == [Phase.RESULT, Phase.INTENT]
    assert actions_of(move) == [("a", 1)]


def test_preconditions_are_looked_at_right_before_the_first_action() -> None:
    run = begun(step("a", preconditions=(plain_look("pre"),)))
    move = looked(runs.advance(run, FACTS).run, "a", "false")
    assert looks_of(move) == [("a", LookPurpose.BEFORE)]
    assert actions_of(looked(move.run, "a", "true")) == [("a", 0)]


@pytest.mark.parametrize("word", ["false", "unknown"])
def test_a_precondition_that_does_not_hold_or_cannot_be_seen_stops_the_step(word: str) -> None:
    run = begun(step("a", skip_if_done=False, preconditions=(plain_look("pre"),)))
    move = looked(runs.advance(run, FACTS).run, "a", word)
    assert actions_of(move) == []
    assert move.run.steps["a"].outcome is Outcome.NOT_DONE
    assert move.run.status is RunStatus.PAUSED


def test_a_run_whose_steps_are_all_done_is_done() -> None:
    move = runs.advance(begun(step("a", looks=False), step("b", "a", looks=False)), FACTS)
    move = acted(acted(move.run, "a").run, "b")
    assert (move.run.status, move.run.finished_at) == (RunStatus.DONE, FACTS.now.wall_s)


def test_an_empty_plan_is_done_at_once() -> None:
    assert runs.advance(begun(kind=PlanKind.UNDO), FACTS).run.status is RunStatus.DONE


# ---- what fails --------------------------------------------------------------------------------
def failed() -> Run:
    move = looked(runs.advance(begun(step("a"), step("b", "a")), FACTS).run, "a", "false")
    return acted(move.run, "a", "failed").run


def test_a_failed_action_pauses_the_run() -> None:
    run = failed()
    assert (run.status, run.paused_step) == (RunStatus.PAUSED, "a")
    assert run.steps["a"].outcome is Outcome.NOT_DONE
    assert runs.advance(run, FACTS) == Move(run)


def test_an_action_that_was_never_sent_is_not_done() -> None:
    run = runs.advance(begun(step("a", skip_if_done=False)), FACTS).run
    assert acted(run, "a", "never sent").run.steps["a"].outcome is Outcome.NOT_DONE


def test_retry_looks_first_and_then_acts_again() -> None:
    move = runs.retry(failed(), "anna", FACTS)
    assert looks_of(move) == [("a", LookPurpose.ALREADY)]
    assert actions_of(looked(move.run, "a", "false")) == [("a", 0)]


def test_retry_of_what_was_mended_by_hand_does_not_act() -> None:
    move = looked(runs.retry(failed(), "anna", FACTS).run, "a", "true")
    assert actions_of(move) == []
    assert move.run.steps["a"].outcome is Outcome.DONE


def test_a_step_whose_actions_passed_and_that_is_not_so_in_time_is_not_done() -> None:
    move = looked(runs.advance(begun(step("a", wait_s=10.0)), FACTS).run, "a", "false")
    move = acted(move.run, "a")
    move = looked(move.run, "a", "false", later(9.9))
    assert looks_of(move) == [("a", LookPurpose.AFTER)]
    move = looked(move.run, "a", "false", later(10.0))
    assert move.run.steps["a"].outcome is Outcome.NOT_DONE


def passed_and_not_so(**changes: Any) -> Run:
    move = looked(runs.advance(begun(step("a", actions=2, **changes)), FACTS).run, "a", "false")
    move = acted(acted(move.run, "a").run, "a")
    run = looked(move.run, "a", "false", later(60.0)).run
    assert run.steps["a"].outcome is Outcome.NOT_DONE
    return run


def test_retry_does_all_actions_again_when_it_is_certainly_not_so() -> None:
    """xcatd was started, wrote its probe and died: looking again would not start it."""
    move = looked(runs.retry(passed_and_not_so(), "anna", FACTS).run, "a", "false")
    assert actions_of(move) == [("a", 0)]


def test_retry_does_not_do_again_what_cannot_be_seen() -> None:
    move = looked(runs.retry(passed_and_not_so(), "anna", FACTS).run, "a", "unknown")
    assert actions_of(move) == []


def test_retry_never_does_an_irreversible_step_again_that_passed() -> None:
    run = passed_and_not_so(reversible=False)
    move = looked(runs.retry(run, "anna", FACTS).run, "a", "false")
    assert actions_of(move) == []


def test_a_failed_action_does_not_make_the_ones_before_it_run_again() -> None:
    move = looked(runs.advance(begun(step("a", actions=3)), FACTS).run, "a", "false")
    run = acted(acted(move.run, "a").run, "a", "failed").run
    move = looked(runs.retry(run, "anna", FACTS).run, "a", "false")
    assert actions_of(move) == [("a", 1)]


def test_what_runs_beside_a_failed_step_comes_home() -> None:
    run = begun(step("a", skip_if_done=False), step("b", skip_if_done=False, actions=2))
    move = acted(runs.advance(run, FACTS).run, "a", "failed")
    assert move.run.status is RunStatus.PAUSED
    move = acted(move.run, "b")
    assert actions_of(move) == []
    assert move.run.steps["b"].outcome is Outcome.PENDING
    resumed = runs.retry(move.run, "anna", FACTS)
    assert ("b", 0) not in actions_of(resumed)


def test_a_last_action_that_comes_home_in_a_held_run_is_verified() -> None:
    run = begun(step("a", skip_if_done=False), step("b", skip_if_done=False))
    move = acted(runs.advance(run, FACTS).run, "a", "failed")
    move = acted(move.run, "b")
    assert looks_of(move) == [("b", LookPurpose.AFTER)]
    assert looked(move.run, "b", "true").run.steps["b"].outcome is Outcome.DONE


# ---- unknown outcomes --------------------------------------------------------------------------
def lost(**changes: Any) -> Move:
    move = looked(runs.advance(begun(step("a", **changes)), FACTS).run, "a", "false")
    return acted(move.run, "a", "lost")


def test_an_unknown_outcome_is_looked_at() -> None:
    move = lost()
    assert looks_of(move) == [("a", LookPurpose.AFTER)]
    assert actions_of(move) == []


def test_an_unknown_outcome_that_is_so_is_done() -> None:
    assert looked(lost().run, "a", "true").run.steps["a"].outcome is Outcome.DONE


def test_an_unknown_outcome_that_is_not_so_in_time_stays_unknown() -> None:
    move = looked(lost(timeout_s=60.0).run, "a", "false", later(59.0))
    assert move.run.steps["a"].outcome is Outcome.RUNNING
    move = looked(move.run, "a", "false", later(60.0))
    assert move.run.steps["a"].outcome is Outcome.UNKNOWN


def test_what_is_still_unknown_is_never_run_again() -> None:
    run = looked(lost().run, "a", "false", later(60.0)).run
    move = looked(runs.retry(run, "anna", FACTS).run, "a", "unknown")
    assert actions_of(move) == []
    assert move.run.steps["a"].outcome is Outcome.UNKNOWN


def test_what_was_unknown_and_is_seen_not_to_be_so_is_run_again_at_the_operators_word() -> None:
    run = looked(lost().run, "a", "false", later(60.0)).run
    move = looked(runs.retry(run, "anna", FACTS).run, "a", "false")
    assert actions_of(move) == [("a", 0)]


def test_after_an_unknown_action_that_is_so_the_following_ones_run() -> None:
    move = looked(lost(actions=2).run, "a", "true")
    assert actions_of(move) == [("a", 1)]


def unseen(*which: int) -> Step:
    """A step of two actions; its looks do not tell whether these were done."""
    made = step("a", actions=2)
    actions = tuple(
        replace(one, is_repeatable=number in which) for number, one in enumerate(made.actions)
    )
    return replace(made, actions=actions)


@pytest.mark.parametrize("lost_at", [0, 1])
def test_an_action_that_no_look_can_see_is_done_again_after_a_crash(lost_at: int) -> None:
    """An announcement, the nodes' reservations: the step looks content without them."""
    run = looked(runs.advance(begun(unseen(lost_at)), FACTS).run, "a", "false").run
    run = acted(run, "a").run if lost_at else run
    run = recovering.recover(run, False).run
    move = looked(runs.retry(run, "anna", FACTS).run, "a", "true")
    assert actions_of(move) == [("a", lost_at)]


def test_an_action_that_no_look_can_see_is_unknown_until_the_operator_has_it_done_again() -> None:
    run = looked(runs.advance(begun(unseen(0)), FACTS).run, "a", "false").run
    run = looked(acted(run, "a", "lost").run, "a", "true").run
    assert run.steps["a"].outcome is Outcome.UNKNOWN
    assert "retry does it again" in run.reason
    move = looked(runs.retry(run, "anna", FACTS).run, "a", "true")
    assert actions_of(move) == [("a", 0)]
    done = looked(acted(acted(move.run, "a").run, "a").run, "a", "true").run
    assert done.steps["a"].outcome is Outcome.DONE


def test_an_unknown_outcome_without_a_look_is_not_run_again() -> None:
    run = runs.advance(begun(step("a", looks=False)), FACTS).run
    run = acted(run, "a", "lost").run
    assert run.steps["a"].outcome is Outcome.UNKNOWN
    move = runs.retry(run, "anna", FACTS)
    assert move.commands == ()
    assert move.run.steps["a"].outcome is Outcome.UNKNOWN
    assert "skip" in move.run.steps["a"].sentence


# ---- skip --------------------------------------------------------------------------------------
def test_a_skipped_step_holds_what_depends_on_it() -> None:
    move = runs.skip(failed(), "a", "by hand", "anna")
    assert looks_of(move) == [("a", LookPurpose.ALREADY)]
    move = runs.retry(move.run, "anna", FACTS)
    assert move.run.status is RunStatus.PAUSED
    assert "waits for a" in move.run.reason


def test_a_skipped_step_that_is_observed_true_lets_its_dependants_run() -> None:
    run = runs.skip(failed(), "a", "by hand", "anna").run
    answers = (Looked(plain_look("a"), report()),)
    seen = stages.on_looked(run, run.plan.step("a"), (LookPurpose.ALREADY, answers), FACTS)
    assert seen.run.steps["a"].outcome is Outcome.DONE
    assert looks_of(runs.retry(seen.run, "anna", FACTS)) == [("b", LookPurpose.ALREADY)]


def test_what_comes_only_after_a_skipped_step_runs() -> None:
    run = begun(step("a", skip_if_done=False), step("b", after=("a",)))
    run = acted(runs.advance(run, FACTS).run, "a", "failed").run
    run = runs.skip(run, "a", "by hand", "anna").run
    assert looks_of(runs.retry(run, "anna", FACTS)) == [("b", LookPurpose.ALREADY)]


@pytest.mark.parametrize(
    ("id_", "words"),
    [
        ("promote", "promote cannot be skipped"),
        ("nothing", "no step nothing"),
        ("done", "is done"),
        ("moving", "is running"),
    ],
)
def test_some_steps_cannot_be_skipped(id_: str, words: str) -> None:
    run = begun(step("done"), step("moving"), step("promote"), step("a"))
    steps = {
        **run.steps,
        "done": StepRun(Outcome.DONE),
        "moving": StepRun(Outcome.RUNNING),
        "a": StepRun(Outcome.NOT_DONE),
    }
    why = runs.why_not_skip(replace(run, steps=steps, status=RunStatus.PAUSED), id_)
    assert why is not None
    assert words in why


def test_nothing_is_skipped_in_a_run_that_moves() -> None:
    assert runs.why_not_skip(begun(step("a")), "a") is not None


# ---- evidence ----------------------------------------------------------------------------------
def unfenced() -> Facts:
    return replace(FACTS, is_fence_proven=False, fence_sentence="none, agent_off needed")


def test_a_step_that_needs_the_fence_does_not_act_without_evidence() -> None:
    run = begun(step("a", skip_if_done=False, needs_fence=True))
    move = runs.advance(run, unfenced())
    assert actions_of(move) == []
    assert move.run.steps["a"].outcome is Outcome.NOT_DONE
    assert "no fence evidence" in move.run.steps["a"].sentence


def test_evidence_is_judged_again_before_every_single_action() -> None:
    run = begun(step("a", skip_if_done=False, needs_fence=True, actions=2))
    move = runs.advance(run, FACTS)
    move = acted(move.run, "a", "done", unfenced())
    assert actions_of(move) == []
    assert move.run.steps["a"].outcome is Outcome.NOT_DONE


def test_a_step_that_proves_the_fence_is_not_done_by_a_look_alone() -> None:
    run = begun(step("fence", proves_fence=True))
    move = looked(runs.advance(run, unfenced()).run, "fence", "true", unfenced())
    assert actions_of(move) == [("fence", 0)]
    move = acted(move.run, "fence", "done", unfenced())
    move = looked(move.run, "fence", "true", replace(unfenced(), now=at(10.0)))
    assert move.run.steps["fence"].outcome is Outcome.NOT_DONE


def test_a_fence_that_policy_accepts_already_needs_neither_look_nor_action() -> None:
    """The controller is dead, the operator saw the machine off, and policy takes his word."""
    facts = replace(FACTS, has_fence_evidence=True)
    move = runs.advance(begun(step("fence", proves_fence=True)), facts)
    assert move.commands == ()
    assert move.run.status is RunStatus.DONE


def test_an_override_alone_does_not_keep_the_fence_from_being_tried() -> None:
    move = runs.advance(begun(step("fence", proves_fence=True)), FACTS)
    assert looks_of(move) == [("fence", LookPurpose.ALREADY)]


# ---- restarts ----------------------------------------------------------------------------------
def test_before_the_intent_a_restart_leaves_a_step_as_it_was() -> None:
    run = runs.advance(begun(step("a")), FACTS).run
    again = recovering.recover(run, False).run
    assert again.steps["a"].outcome is Outcome.PENDING
    assert (again.status, again.reason) == (RunStatus.PAUSED, "hamnd was restarted during it")


def test_after_the_intent_a_restart_makes_the_outcome_unknown() -> None:
    run = looked(runs.advance(begun(step("a")), FACTS).run, "a", "false").run
    again = recovering.recover(run, False).run
    one = again.steps["a"]
    assert (one.outcome, one.is_unknown, again.paused_step) == (Outcome.UNKNOWN, True, "a")
    move = runs.retry(again, "anna", FACTS)
    assert (looks_of(move), actions_of(move)) == ([("a", LookPurpose.ALREADY)], [])


def test_after_the_action_a_restart_looks_again() -> None:
    run = looked(runs.advance(begun(step("a")), FACTS).run, "a", "false").run
    run = recovering.recover(acted(run, "a").run, False).run
    assert run.steps["a"].outcome is Outcome.UNKNOWN
    move = looked(runs.retry(run, "anna", FACTS).run, "a", "true")
    assert move.run.steps["a"].outcome is Outcome.DONE
    assert actions_of(move) == []


def test_between_two_actions_a_restart_goes_on_with_the_one_that_is_unknown() -> None:
    run = looked(runs.advance(begun(step("a", actions=2)), FACTS).run, "a", "false").run
    run = recovering.recover(acted(run, "a").run, False).run
    move = looked(runs.retry(run, "anna", FACTS).run, "a", "false")
    assert actions_of(move) == [("a", 1)]


def test_a_reboot_rechecks_what_was_done() -> None:
    run = looked(runs.advance(begun(step("a"), step("b", "a")), FACTS).run, "a", "true").run
    again = recovering.recover(run, True).run
    assert again.steps["a"].must_recheck
    move = runs.retry(again, "anna", FACTS)
    assert looks_of(move) == [("a", LookPurpose.ALREADY)]
    assert looked(move.run, "a", "true").run.steps["a"].outcome is Outcome.DONE
    lost_ = looked(move.run, "a", "false")
    assert lost_.run.steps["a"].outcome is Outcome.NOT_DONE
    assert "no longer true" in lost_.run.reason


def rebooted_in_promote() -> Run:
    """The old primary gave way, the promotion was under way when this node went down, retried."""
    run = begun(
        step("quiesce"),
        step("promote", "quiesce", reversible=False),
        step("follow", "promote"),
        kind=PlanKind.SWITCHOVER,
    )
    run = looked(runs.advance(run, FACTS).run, "quiesce", "true").run
    run = looked(run, "promote", "false").run
    assert run.steps["promote"].stage is Stage.ACTING
    run = recovering.recover(run, has_rebooted=True).run
    return runs.retry(run, "anna", FACTS).run


def test_after_a_reboot_in_the_promotion_it_is_looked_at_first() -> None:
    """What made way for it is true no more once it happened: looked at first, the run is stuck."""
    run = rebooted_in_promote()
    assert run.steps["quiesce"].outcome is Outcome.DONE
    move = looked(run, "promote", "true")
    assert looks_of(move) == [("follow", LookPurpose.ALREADY)]
    run = looked(move.run, "follow", "true").run
    assert run.status is RunStatus.DONE


def test_a_promotion_that_a_reboot_cut_off_begins_again_with_what_makes_way_for_it() -> None:
    move = looked(rebooted_in_promote(), "promote", "false")
    assert actions_of(move) == []
    assert looks_of(move) == [("quiesce", LookPurpose.ALREADY)]
    move = looked(move.run, "quiesce", "true")
    assert looks_of(move) == [("promote", LookPurpose.ALREADY)]
    assert actions_of(looked(move.run, "promote", "false")) == [("promote", 0)]


def test_a_promotion_that_cannot_be_seen_after_a_reboot_is_not_run_again() -> None:
    move = looked(rebooted_in_promote(), "promote", "unknown")
    assert actions_of(move) == []
    assert (move.run.status, move.run.paused_step) == (RunStatus.PAUSED, "promote")


@pytest.mark.parametrize("is_stopped", [True, False])
def test_after_a_reboot_a_promotion_is_not_asked_for_once_hadr_was_stopped(
    is_stopped: bool,
) -> None:
    """The role is STANDARD from then on: asked for PRIMARY, the run could never be ended."""
    run = begun(
        step("promote", reversible=False), step("db-stop", "promote"), step("identity", "db-stop")
    )
    run = looked(runs.advance(run, FACTS).run, "promote", "true").run
    run = looked(run, "db-stop", "false").run
    if is_stopped:
        run = looked(acted(run, "db-stop").run, "db-stop", "true").run
    run = recovering.recover(run, has_rebooted=True).run
    assert not run.steps["promote"].must_recheck
    assert looks_of(runs.retry(run, "anna", FACTS)) == [("db-stop", LookPurpose.ALREADY)]


def test_a_restart_without_reboot_keeps_what_was_done() -> None:
    run = looked(runs.advance(begun(step("a"), step("b", "a")), FACTS).run, "a", "true").run
    again = recovering.recover(run, False).run
    assert not again.steps["a"].must_recheck
    assert looks_of(runs.retry(again, "anna", FACTS)) == [("b", LookPurpose.ALREADY)]


def test_the_reason_of_a_pause_survives_a_restart() -> None:
    run = failed()
    assert recovering.recover(run, False).run.reason == run.reason


# ---- successors --------------------------------------------------------------------------------
def test_a_successor_keeps_what_was_finished() -> None:
    run = failed()
    run = replace(run, steps={**run.steps, "a": StepRun(Outcome.DONE, attempt=1, has_acted=True)})
    again = runs.begin(run.plan, "anna", 0.0, run)
    assert again.steps["a"].outcome is Outcome.DONE
    assert looks_of(runs.advance(again, FACTS)) == [("b", LookPurpose.ALREADY)]


def test_a_successor_looks_at_what_its_forerunner_tried() -> None:
    again = runs.begin(failed().plan, "anna", 0.0, failed())
    assert again.steps["a"].has_acted
    assert again.steps["a"].attempt == 1
    assert looks_of(runs.advance(again, FACTS)) == [("a", LookPurpose.ALREADY)]


def test_a_successor_does_not_forget_the_point_of_no_return() -> None:
    run = looked(runs.advance(begun(step("a", reversible=False)), FACTS).run, "a", "false").run
    run = acted(run, "a", "failed").run
    assert runs.is_past_no_return(runs.begin(run.plan, "anna", 0.0, run))


def test_a_successor_looks_again_at_what_was_done_before_a_reboot() -> None:
    run = looked(runs.advance(begun(step("a"), step("b", "a")), FACTS).run, "a", "true").run
    run = recovering.recover(run, True).run
    again = runs.advance(runs.begin(run.plan, "anna", 0.0, run), FACTS)
    assert looks_of(again) == [("a", LookPurpose.ALREADY)]
    assert actions_of(looked(again.run, "a", "false")) == [("a", 0)]


def test_a_successor_does_not_run_again_what_it_cannot_see_after_a_reboot() -> None:
    run = looked(runs.advance(begun(step("a"), step("b", "a")), FACTS).run, "a", "true").run
    run = recovering.recover(run, True).run
    again = runs.advance(runs.begin(run.plan, "anna", 0.0, run), FACTS)
    unseen = looked(again.run, "a", "unknown")
    assert actions_of(unseen) == []
    assert unseen.run.steps["a"].outcome is Outcome.UNKNOWN
    assert "cannot be seen now" in unseen.run.reason
    later = runs.retry(unseen.run, "anna", FACTS)
    assert looks_of(later) == [("a", LookPurpose.ALREADY)]
    assert looked(later.run, "a", "true").run.steps["a"].outcome is Outcome.DONE


def test_a_fence_whose_evidence_is_gone_is_done_again() -> None:
    run = begun(step("fence", proves_fence=True), step("b", "fence"))
    run = replace(run, steps={**run.steps, "fence": StepRun(Outcome.DONE, has_acted=True)})
    assert runs.unproven(run, FACTS) == run
    again = runs.unproven(run, unfenced())
    assert again.steps["fence"].outcome is Outcome.PENDING


# ---- the whole engine --------------------------------------------------------------------------
def refused(story: Story, request: Callable[[], Decision], gate: str) -> Decision:
    before = story.state
    decision = request()
    assert decision.refusal is not None
    assert decision.refusal.gate == gate
    assert (story.state.state, story.state.run) == (before.state, before.run)
    return decision


def status(story: Story) -> str:
    return "no run" if story.state.run is None else story.state.run.status.value


def paused_at(step_: str, how: str = "fails") -> Story:
    story = Story()
    story.world.actions[step_] = how
    story.taking_over()
    return story.until(lambda: is_still(story), 400.0)


def is_still(story: Story) -> bool:
    """Whether the run is paused and everything has come home."""
    run = story.state.run
    if run is None or run.status is not RunStatus.PAUSED:
        return False
    return all(one.outcome is not Outcome.RUNNING for one in run.steps.values())


def test_dns_dhcp_and_consoles_run_side_by_side() -> None:
    story = Story().taking_over("dns")
    assert [story.outcome(one) for one in ("dns", "dhcp", "consoles")] == ["running"] * 3


def test_a_takeover_ends_active_with_its_report() -> None:
    story = Story().taking_over().live(30.0)
    assert story.state.state is State.ACTIVE
    assert story.state.run is None
    assert story.state.finished[-1].status == "done"
    assert story.reports == [story.state.finished[-1].digest]
    assert story.state.epoch is not None
    assert story.state.epoch.owner == "aixmn2"


def test_a_late_report_of_an_old_attempt_is_ignored() -> None:
    story = paused_at("dhcp")
    assert story.state.run is not None
    digest, old = story.state.run.plan.digest, story.state.run.steps["dhcp"].attempt
    story.world.actions.clear()
    story.retry()
    before = story.state.run
    late = ActionCompleted(digest, "dhcp", old, 0, report())
    assert story.feed(late).state.run == story.state.run
    seen = StepLooked(digest, "dhcp", old, LookPurpose.ALREADY, ())
    story.feed(seen)
    assert story.state.run is not None
    assert before is not None
    assert story.state.run.steps["dhcp"].attempt == old + 1
    story.live(30.0)
    assert story.state.state is State.ACTIVE


def test_a_report_of_another_run_is_ignored() -> None:
    story = paused_at("dhcp")
    before = story.state.run
    story.feed(ActionCompleted("0000-0000", "dhcp", 1, 0, report()))
    assert story.state.run == before


@pytest.mark.parametrize(
    "where", ["fuse", "fence", "promote", "identity", "xcatd", "dns", "verify"]
)
@pytest.mark.parametrize("wait_s", [0.0, 0.1, 0.2])
def test_a_daemon_that_dies_in_any_step_ends_active_after_retry(where: str, wait_s: float) -> None:
    story = Story().taking_over(where).live(wait_s)
    promotes = [one.what for one in story.records if one.step == "promote"]
    story.crash().live(3.0)
    assert status(story) == "paused"
    assert story.retry().refusal is None
    story.live(60.0)
    assert story.state.state is State.ACTIVE, story.state.run
    assert promotes.count("action_started") <= 1
    started = [one for one in story.records if one.what == "action_started"]
    assert len([one for one in started if one.step == "promote"]) == 1


def test_a_daemon_that_dies_twice_never_promotes_twice() -> None:
    story = Story().taking_over("promote").crash(0.1)
    story.retry()
    story.crash(0.1).live(3.0)
    story.retry()
    story.live(60.0)
    assert story.state.state is State.ACTIVE
    started = [one for one in story.records if one.what == "action_started"]
    assert len([one for one in started if one.step == "promote"]) == 1


def test_a_reboot_in_the_middle_looks_at_every_finished_step_again() -> None:
    story = Story().taking_over("xcatd")
    story.world.has_address = False
    story.crash(60.0, boot="boot-2").live(10.0)
    story.retry()
    story.live(2.0)
    assert story.outcome("identity") == "not_done"
    assert story.outcome("promote") == "done"
    story.retry()
    story.live(60.0)
    assert story.state.state is State.ACTIVE


def test_an_answer_of_the_primary_holds_the_run() -> None:
    story = Story().taking_over("identity")
    story.world.come_back()
    story.world.fence = "on"
    story.live(3.0)
    assert story.state.run is not None
    assert status(story) == "paused"
    assert "contradicted" in story.state.run.reason
    assert any("T09" in one.rows for one in story.decisions)
    assert story.state.state is State.TAKING_OVER


def test_after_the_promote_the_operators_retry_fences_a_primary_that_came_back() -> None:
    """Two primaries: its answers, which call for the fence, must not hold it."""
    story = Story().taking_over("identity")
    story.world.come_back()
    story.world.fence = "on"
    story.live(3.0)
    story.retry()
    story.live(1.0)
    fences = [one for one in story.records if one.step == "fence" and one.phase is Phase.INTENT]
    assert (story.outcome("fence"), len(fences)) == ("done", 2)
    story.live(60.0)
    assert story.state.state is State.ACTIVE


def test_before_the_promote_a_primary_that_answers_holds_the_run_again_and_again() -> None:
    story = Story().taking_over("fuse")
    story.world.come_back()
    story.live(3.0)
    story.retry()
    story.live(3.0)
    assert status(story) == "paused"
    assert story.outcome("promote") == "pending"


def test_nothing_starts_while_the_run_is_held() -> None:
    story = Story().taking_over("identity")
    story.world.come_back()
    story.live(3.0)
    before = [one.what for one in story.records if one.phase is Phase.INTENT]
    story.live(60.0)
    assert before == [one.what for one in story.records if one.phase is Phase.INTENT]


# ---- abort and conclude ------------------------------------------------------------------------
def test_abort_before_the_point_of_no_return_undoes_what_was_done() -> None:
    story = paused_at("fence")
    shown = story.abort().answer
    assert shown is not None
    assert (shown.kind, [one.id for one in shown.steps]) == (
        PlanKind.UNDO,
        ["undo-fence", "undo-fuse"],
    )
    assert not story.world.crontabs[None].startswith("*/30")
    story.confirm()
    story.live(10.0)
    assert story.state.run is None
    assert story.world.crontabs[None].startswith("*/30")
    assert any("T10" in one.rows for one in story.decisions)


def test_abort_after_it_is_refused() -> None:
    story = paused_at("dhcp")
    refused(story, story.abort, "no-return")


def test_conclude_before_it_is_refused() -> None:
    story = paused_at("fence")
    refused(story, story.conclude, "no-return")


def test_conclude_after_it_is_active_with_its_open_steps() -> None:
    story = paused_at("dhcp")
    assert story.conclude().rows == ("T11",)
    story.live(1.0)
    assert story.state.state is State.ACTIVE
    open_ = story.state.finished[-1].open_steps
    assert "dhcp" in open_
    found = story.state.assessment.condition("TakeoverIncomplete")
    assert found is not None
    assert "dhcp" in found.message


@pytest.mark.parametrize("what", ["retry", "abort", "conclude"])
def test_without_a_paused_run_there_is_nothing_to_do(what: str) -> None:
    story = Story().primary_down()
    refused(story, getattr(story, what), "run")
    story = Story().taking_over("fence")
    refused(story, getattr(story, what), "run")


def test_a_run_is_not_ended_while_an_action_is_under_way() -> None:
    story = Story()
    story.world.actions |= {"dhcp": "fails", "dns": "hangs"}
    story.taking_over()
    story.until(lambda: status(story) == "paused")
    assert story.outcome("dns") == "running"
    refused(story, story.conclude, "run")


def test_a_way_back_that_the_run_has_outgrown_is_refused() -> None:
    story = paused_at("fence")
    story.abort()
    shown = story.shown()
    story.world.actions = {"promote": "fails"}
    story.retry()
    story.until(lambda: is_still(story), 400.0)
    refused(story, lambda: story.confirm(shown.digest), "run")


def test_an_undo_that_fails_is_led_out_by_skip() -> None:
    story = paused_at("fence")
    story.abort()
    story.world.actions = {"undo-fuse": "fails"}
    story.confirm()
    story.live(5.0)
    assert status(story) == "paused"
    assert story.skip("undo-fuse").refusal is None
    story.retry()
    story.live(2.0)
    assert story.state.run is None
    assert any("T10" in one.rows for one in story.decisions)


# ---- continue ----------------------------------------------------------------------------------
def test_a_successor_continues_a_paused_takeover() -> None:
    story = paused_at("dhcp")
    old = story.state.run
    assert old is not None
    shown = story.plan(is_successor=True).answer
    assert shown is not None
    assert shown.digest != old.plan.digest
    story.world.actions.clear()
    assert story.confirm().rows == ("T08",)
    story.live(60.0)
    assert story.state.state is State.ACTIVE
    started = [one for one in story.records if one.what == "action_started"]
    assert len([one for one in started if one.step == "promote"]) == 1


def test_a_successor_has_a_digest_of_its_own_although_nothing_else_is_new() -> None:
    """With the digest of the run it continues, that run would have gone on by itself: law 5."""
    story = paused_at("fence")
    assert story.state.run is not None
    old = story.state.run.plan
    shown = story.plan(is_successor=True).answer
    assert shown is not None
    assert [step.actions for step in shown.steps] == [step.actions for step in old.steps]
    assert shown.digest != old.digest
    story.world.actions.clear()
    assert story.confirm().refusal is None
    story.live(60.0)
    assert story.state.state is State.ACTIVE


def test_a_successor_reports_the_loss_of_the_promote_that_happened() -> None:
    story = paused_at("dhcp")
    assert story.state.run is not None
    lost_ = story.state.run.plan.loss
    shown = story.plan(is_successor=True).answer
    assert shown is not None
    assert (shown.loss, shown.variant) == (lost_, "none")
    assert all(one.verdict is Verdict.PASS for one in shown.gates)


def test_a_successor_of_a_fresh_controller_reading_is_not_blocked_by_steps_that_began() -> None:
    story = paused_at("dhcp")
    story.live(70.0)
    shown = story.plan(is_successor=True).answer
    assert shown is not None
    assert [one.name for one in shown.gates if one.verdict is not Verdict.PASS] == []


def test_a_successor_is_blocked_while_the_primary_answers() -> None:
    story = paused_at("fence")
    story.world.come_back()
    story.live(3.0)
    story.plan(is_successor=True)
    refused(story, story.confirm, "primary-down")


def test_there_is_nothing_to_continue_without_a_paused_takeover() -> None:
    story = Story().primary_down()
    refused(story, lambda: story.plan(is_successor=True), "run")
    story = Story().taking_over("fence")
    refused(story, lambda: story.plan(is_successor=True), "run")


def test_an_undo_is_not_continued_as_a_takeover() -> None:
    story = paused_at("fence")
    story.abort()
    story.world.actions = {"undo-fuse": "fails"}
    story.confirm()
    story.live(5.0)
    refused(story, lambda: story.plan(is_successor=True), "run")


def test_a_successor_waits_until_what_is_under_way_has_come_home() -> None:
    story = Story()
    story.world.actions |= {"dhcp": "fails", "dns": "hangs"}
    story.taking_over()
    story.until(lambda: status(story) == "paused")
    story.plan(is_successor=True)
    refused(story, story.confirm, "run")


# ---- fencing -----------------------------------------------------------------------------------
def test_fencing_over_ssh_waits_for_the_silence() -> None:
    """It is acknowledged at once; the machine dies eight seconds later."""
    fence = FenceSite(minimum=FenceGrade.ORDERLY, agent=None, ssh=True)
    story = Story(
        terms=terms(
            site(witnesses=service_nodes(2), fence=fence),
            witnesses_min=1,
            fence_minimum=FenceGrade.ORDERLY,
            service_down_after_s=5.0,
        )
    )
    story.in_peer()
    story.world.partner, story.world.probes[Probe.XCATD] = "down", "failing"
    story.world.fence_lies = True
    story.world.lose_link(story.now_s)
    story.until(lambda: story.state.state is State.PRIMARY_DOWN)
    story.plan()
    assert story.confirm().refusal is None
    story.live(8.0)
    assert (story.outcome("fence"), story.outcome("promote")) == ("running", "pending")
    story.world.die()
    story.live(60.0)
    assert story.state.state is State.ACTIVE


def test_a_controller_that_reports_success_and_does_nothing_does_not_prove_the_fence() -> None:
    story = Story()
    story.world.fence_lies = True
    story.in_peer()
    story.world.freeze()
    story.live(4.0)
    story.world.lose_link(story.now_s)
    story.until(lambda: story.state.state is State.PRIMARY_DOWN)
    story.plan()
    story.confirm()
    story.live(60.0)
    assert story.outcome("fence") == "not_done"
    assert story.outcome("promote") == "pending"


def test_a_skipped_fence_is_an_override_in_the_journal() -> None:
    story = paused_at("fence")
    story.skip("fence")
    story.retry()
    story.live(60.0)
    assert story.state.state is State.ACTIVE
    skipped = [one for one in story.records if one.what == "step_skipped"]
    assert [one.phase for one in skipped] == [Phase.OVERRIDE]


def test_stages_are_the_looks_they_wait_for() -> None:
    assert set(stages.STAGE_OF) == set(LookPurpose)
    assert set(stages.STAGE_OF.values()) == {Stage.ALREADY, Stage.BEFORE, Stage.AFTER}


def test_a_retry_is_refused_while_a_primary_that_should_be_dead_answers() -> None:
    """It used to be a race of the next action against the next probe."""
    story = Story().taking_over("fuse")
    story.world.come_back()
    story.live(5.0)
    assert status(story) == "paused"
    before = story.state
    refusal = story.retry().refusal
    assert refusal is not None
    assert (refusal.gate, refusal.hint) == ("contradicted", "hamnctl abort --reason …")
    assert story.state.run == before.run
    story.world.die()
    story.live(20.0)
    assert story.retry().refusal is None


def test_a_skipped_fence_lets_nothing_go_on_while_the_primary_answers() -> None:
    story = Story().taking_over("identity")
    story.world.come_back()
    story.world.fence, story.world.actions["fence"] = "on", "fails"
    story.live(3.0)
    story.retry()
    story.live(5.0)
    story.skip("fence")
    for _ in range(3):
        story.retry()
        story.live(5.0)
    assert story.state.state is State.TAKING_OVER
    assert status(story) == "paused"
    assert story.world.has_address is False


def test_a_step_that_a_pause_holds_has_not_failed() -> None:
    """Side by side dns fails; what had only looked before acting waits, it is not a failure."""
    story = Story()
    story.world.actions["dns"] = "fails"
    story.taking_over("dhcp")
    story.live(60.0)
    assert status(story) == "paused"
    assert story.outcome("dns") == "not_done"
    held = [one for one in ("dhcp", "consoles") if story.outcome(one) not in ("done", "pending")]
    assert held == []


def test_what_a_step_saw_is_recorded_between_its_intent_and_its_end() -> None:
    """Law 5: a crash must not leave open what was looked at, and what was seen."""
    story = Story().taking_over("dhcp")
    story.until(lambda: story.outcome("dhcp") == "done")
    ours = [one for one in story.records if one.step == "dhcp"]
    told = [(one.phase, one.what, one.outcome) for one in ours]
    assert told == [
        (Phase.INTENT, "action_started", ""),
        (Phase.RESULT, "action_finished", "done"),
        (Phase.INTENT, "action_started", ""),
        (Phase.RESULT, "action_finished", "done"),
        (Phase.LOOK, "step_looked", "true"),
        (Phase.RESULT, "step_finished", "done"),
    ]
    assert json.loads(ours[-2].evidence)["purpose"] == "after"


def test_the_first_off_of_the_controller_is_recorded_as_the_look_it_is() -> None:
    """The primary died no later than this: the whole verdict of loss rests on it (design §4)."""
    story = Story().in_peer()
    story.world.power_off()
    story.live(10.0)
    looks = [one for one in story.records if one.phase is Phase.LOOK]
    assert [one.what for one in looks] == ["fence_read_off"]
    told = json.loads(looks[0].evidence)
    assert told["at"] == story.state.watch.first_off
    assert "says off" in told["sentence"]
