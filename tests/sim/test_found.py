"""Bugs that the simulation found, each as the shortest story that shows it."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core import run as runs
from hamnd.core import stages
from hamnd.core.engine import step
from hamnd.core.events import AbortRequested, ConfirmRequested, LookCompleted, PlanRequested
from hamnd.core.health.conditions import judge_conditions
from hamnd.core.health.rule import judge_rule
from hamnd.core.health.watch import Watch, fold_replication
from hamnd.core.observing import fold_look
from hamnd.core.policy import Policy, Terms
from hamnd.core.progress import Facts, StepRun
from hamnd.core.replication.registry import engine_of
from hamnd.core.snapshot import dump, restore
from hamnd.dialects import fence as fencing
from hamnd.model.health import Positions
from hamnd.model.names import (
    FenceGrade,
    LookPurpose,
    LossVerdict,
    Outcome,
    PlanKind,
    RunStatus,
    State,
    Status,
    Verdict,
)
from hamnd.model.plan import Loss, PlanRequest
from hamnd.model.site import FenceSite
from hamnd.model.work import Ending, Looked, Report
from tests.builders import pair
from tests.sim.ground import PRIMARY, STANDBY
from tests.sim.play import Play
from tests.sim.universe import plain, site
from tests.unit.core.builders import (
    ALIVE,
    DEAD,
    WALL,
    at,
    heard,
    lost_link,
    replication,
    terms,
)


def facts_of() -> Facts:
    here = pair().paused_at("fence")
    return Facts(
        here.now,
        here.terms.policy,
        here.terms.site,
        is_fence_proven=False,
        fence_sentence="none",
        loss=Loss(LossVerdict.ZERO_PROVEN, ()),
    )


def test_skipping_the_fence_overrides_its_gate_so_that_promote_may_run() -> None:
    run = pair().paused_at("fence").state.run
    assert run is not None
    fence = replace(run.plan.step("fence"), proves_fence=True)
    steps = tuple(fence if one.id == "fence" else one for one in run.plan.steps)
    known = {step.id: run.steps.get(step.id, StepRun()) for step in steps}
    paused = replace(run, plan=replace(run.plan, steps=steps), steps=known)
    skipped = runs.skip(paused, "fence", "pulled the cables", "anna").run
    move = runs.retry(skipped, "anna", facts_of())
    assert move.run.status is RunStatus.RUNNING
    assert move.run.steps["promote"].outcome is Outcome.RUNNING


def test_a_controllers_word_does_not_take_the_override_of_a_skipped_fence_back() -> None:
    """It was looked at, found "off" and called done; without evidence identity never started."""
    run = pair().paused_at("fence").state.run
    assert run is not None
    look = fencing.status(pair().terms.site)
    fence = replace(run.plan.step("fence"), proves_fence=True, postconditions=(look,))
    steps = tuple(fence if one.id == "fence" else one for one in run.plan.steps)
    known = {step.id: run.steps.get(step.id, StepRun()) for step in steps}
    paused = replace(run, plan=replace(run.plan, steps=steps), steps=known)
    move = runs.skip(paused, "fence", "pulled the cables", "anna")
    assert move.commands == ()
    assert move.run.steps["fence"].outcome is Outcome.SKIPPED


def test_skipping_another_step_still_holds_what_depends_on_it() -> None:
    run = pair().paused_at("xcatd").state.run
    assert run is not None
    known = {step.id: run.steps.get(step.id, StepRun()) for step in run.plan.steps}
    skipped = runs.skip(replace(run, steps=known), "xcatd", "by hand", "anna").run
    move = runs.retry(skipped, "anna", facts_of())
    assert move.run.status is RunStatus.PAUSED
    assert move.run.steps["dns"].outcome is Outcome.PENDING


def test_a_successor_does_not_forget_that_the_promotion_may_have_happened() -> None:
    run = pair().paused_at("promote").state.run
    assert run is not None
    unknown = replace(run.steps["promote"], outcome=Outcome.UNKNOWN, is_unknown=True, attempt=2)
    kept = replace(run, steps={**run.steps, "promote": unknown})
    successor = runs.begin(kept.plan, "anna", 0.0, kept)
    promote = successor.steps["promote"]
    assert promote.outcome is Outcome.PENDING
    assert (promote.is_unknown, promote.has_acted, promote.attempt) == (True, True, 2)
    assert runs.is_past_no_return(successor)


def test_a_successor_that_plans_less_can_be_read_again_after_a_crash() -> None:
    """Jobs that were disarmed are not planned again; hamnd did not start on what it had written."""
    here = pair().paused_at("promote")
    run = here.state.run
    assert run is not None
    fuse = replace(run.plan.step("fuse"), actions=())
    plan = replace(run.plan, steps=(fuse, *run.plan.steps[1:]))
    successor = runs.begin(plan, "anna", 0.0, run)
    text = dump(replace(here.state, run=successor))
    kept = restore(text, {}).run
    assert kept is not None
    assert kept.steps["fuse"].outcome is Outcome.DONE


def test_a_successor_without_actions_has_nothing_unknown() -> None:
    """Looked at, the action that nobody knew of was sought in a step that had none left."""
    run = pair().paused_at("fuse").state.run
    assert run is not None
    look = fencing.status(pair().terms.site)
    fuse = replace(run.plan.step("fuse"), actions=(), postconditions=(look,))
    plan = replace(run.plan, steps=(fuse, *run.plan.steps[1:]))
    unknown = replace(run.steps["fuse"], outcome=Outcome.UNKNOWN, is_unknown=True)
    successor = runs.begin(plan, "anna", 0.0, replace(run, steps={"fuse": unknown}))
    running = stages.start(successor, fuse, facts_of()).run
    off = Report(Ending.EXITED, at(1.0), at(1.1), 2, "Status: OFF\n")
    looked = (LookPurpose.ALREADY, (Looked(look, off),))
    done = stages.on_looked(running, fuse, looked, facts_of()).run
    assert done.steps["fuse"].outcome is Outcome.DONE


def test_a_successor_waits_for_what_its_forerunner_began() -> None:
    """Begun beside it, `db2 takeover` would have run twice at the same time."""
    story = Play(plain(haste=1.0))
    until(story, lambda: is_at(story, "promote"))
    story.ground.boot(PRIMARY)
    until(story, lambda: status(story) is RunStatus.PAUSED)
    assert is_at(story, "promote")
    shown = story.daemon.handle(
        PlanRequested(PlanRequest(PlanKind.TAKEOVER, is_successor=True), "anna")
    )
    assert shown is not None
    before = story.daemon.state.run
    digest = shown.answer.digest if shown.answer is not None else "none"
    decision = story.daemon.handle(ConfirmRequested(digest, "anna", STANDBY))
    assert decision is not None
    assert decision.refusal is not None
    assert "still under way" in decision.refusal.sentence
    assert decision.state.run == before


def test_a_request_refused_in_the_moment_in_which_the_state_moves_is_only_refused() -> None:
    """The rule was held at the very event of the request: an invariant took both for one thing."""
    story = Play(plain(heal_at_s=200.0))
    until(story, lambda: story.heap.now - story.heap.began > 20.5)
    now = story.world.instant()
    daemon = story.daemon
    for _ in range(600):
        now = replace(now, monotonic_s=now.monotonic_s + 0.01, wall_s=now.wall_s + 0.01)
        decision = step(daemon.state, ConfirmRequested("none", "anna", STANDBY), now, daemon.terms)
        assert decision.refusal is not None
        if decision.state.state is not daemon.state.state:
            return
    raise AssertionError("the state never moved")


def test_a_silent_machine_is_not_promised_to_be_ended_over_ssh() -> None:
    """The gate passed, the plan began, and two minutes later its step fence failed."""
    on = Terms(site(fence=FenceSite(minimum=FenceGrade.ORDERLY, ssh=True)), Policy())
    story = Play(plain(terms=on, heal_at_s=200.0))
    until(story, lambda: story.daemon.state.state is State.PRIMARY_DOWN)
    shown = step(
        story.daemon.state,
        PlanRequested(PlanRequest(PlanKind.TAKEOVER), "anna"),
        story.world.instant(),
        on,
    )
    assert shown.answer is not None
    fence = next(gate for gate in shown.answer.gates if gate.name == "fence")
    assert fence.verdict is Verdict.UNKNOWN
    assert "silent" in fence.evidence


def test_one_unreadable_run_of_db2pd_is_doubted_once() -> None:
    """With every `get db cfg` that came home it was counted again: two runs made three tries."""
    on = terms()
    looks = {**engine_of(on).looks(on)}
    lost = Report(Ending.TIMED_OUT, at(1.0), at(2.0))
    config = Report(Ending.EXITED, at(1.0), at(2.5), 0, "")
    watch = Watch(replication=replication(0.0))
    watch = fold_look(watch, LookCompleted("db2pd", Looked(looks["db2pd"], lost)), on)
    assert watch.doubts == 1
    watch = fold_look(watch, LookCompleted("dbcfg", Looked(looks["dbcfg"], config)), on)
    assert watch.doubts == 1


def test_what_was_replayed_bounds_the_gap_where_nothing_else_is_shown() -> None:
    """A pair of Db2 9.x in ASYNC left Peer with every row that was under way, and came back."""
    shown = Positions(primary=5_212, received=None, replayed=5_000)
    reading = replication(2.0, gap_bytes=None, replay_gap_bytes=212, positions=shown)
    watch = Watch(replication=reading)
    found = {one.type: one for one in judge_conditions(watch, at(2.5), terms())}
    assert found["ReplicationGap"].status is Status.TRUE
    behind = replace(reading, replay_gap_bytes=4_000_000)
    found = {
        one.type: one
        for one in judge_conditions(replace(watch, replication=behind), at(2.5), terms())
    }
    assert found["ReplicationGap"].status is Status.UNKNOWN


def test_congestion_is_no_sign_of_life() -> None:
    """`since` moves with the word (db2-hadr.md §2); the partner that takes nothing may be dead."""
    calm, busy = replication(2.0), replication(4.0, is_congested=True, since=int(WALL) + 3)
    watch = fold_replication(Watch(), calm, at(1.9))
    assert fold_replication(watch, busy, at(3.9)).progress is None


def test_what_came_late_out_of_a_buffer_ends_no_silence_for_ever() -> None:
    """The primary was dead and silent; hamnd never said so, because of one late byte."""
    watch = heard(ALIVE, -1.0, 0.0)
    watch = heard(DEAD, *(float(n) for n in range(1, 13)), watch=watch)
    more = Positions(6_000, 6_000, 6_000)
    readings = [replication(2.0)]
    readings += [replication(seconds, positions=more) for seconds in (4.0, 6.0, 8.0)]
    for reading in (*readings, lost_link(12.0, positions=more)):
        watch = fold_replication(watch, reading, reading.observed.ago(0.1))
    rule = judge_rule(watch, at(12.5), terms())
    assert rule.is_held, rule.blockers
    assert rule.since == at(2.0)


def outcome_of(story: Play, step: str) -> Outcome | None:
    run = story.daemon.state.run
    return None if run is None else run.steps[step].outcome


def is_at(story: Play, step: str) -> bool:
    run = story.daemon.state.run
    return (
        run is not None
        and run.steps[step].outcome is Outcome.RUNNING
        and (run.steps[step].has_acted)
    )


def status(story: Play) -> RunStatus | None:
    run = story.daemon.state.run
    return None if run is None else run.status


def until(story: Play, is_so: object) -> None:
    """Play on until it is so, at most five minutes of virtual time."""
    assert callable(is_so)
    story.begin()
    while not is_so():
        assert story.heap.now - story.heap.began < 300.0, story.transcript.tail()
        story.step()


def test_jobs_that_an_abort_armed_again_are_in_the_next_plan() -> None:
    """They were planned from what was seen a minute ago, when they were disarmed."""
    story = Play(plain(heal_at_s=300.0))
    until(story, lambda: outcome_of(story, "fuse") is Outcome.DONE)
    story.operator.is_away = True
    story.daemon.crash()
    until(story, lambda: status(story) is RunStatus.PAUSED)
    ask = story.daemon.handle
    shown = ask(AbortRequested("another way", "anna"))
    assert shown is not None
    assert shown.answer is not None
    ask(ConfirmRequested(shown.answer.digest, "anna", STANDBY))
    until(story, lambda: story.daemon.state.run is None)
    until(story, lambda: story.daemon.state.state is State.PRIMARY_DOWN)
    shown = ask(PlanRequested(PlanRequest(PlanKind.TAKEOVER), "anna"))
    assert shown is not None
    assert shown.answer is not None
    assert shown.answer.step("fuse").actions


def test_a_site_that_dies_is_taken_over() -> None:
    outcome = Play(plain()).run()
    assert outcome.state is State.ACTIVE
