"""Somebody who watches a story of `step` and judges every decision by the laws of design §2.

Owns an own, independent reading of the laws; `core.invariants` is not asked. Fails with
AssertionError. MUST NOT steer: which events come is the property's and the search's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

from hamnd.core.commands import PerformAction
from hamnd.core.events import (
    ActionCompleted,
    ClearRequested,
    ConfirmRequested,
    Event,
    LookCompleted,
    RetryRequested,
    RoundCompleted,
    Started,
    StepLooked,
)
from hamnd.core.progress import Run
from hamnd.core.state import Decision, NodeState
from hamnd.model.names import (
    Answer,
    Cause,
    FenceGrade,
    LossVerdict,
    Mode,
    Outcome,
    Phase,
    PlanKind,
    Probe,
    RunStatus,
    State,
)
from hamnd.model.work import Ending, Exec, FenceStatus, Looked
from tests.unit.core.story import Story

ORDER = list(FenceGrade)
ROUND_S = 2.0
"""What was assessed last may be as old as the pause between two rounds."""


@dataclass
class Onlooker:
    """What was seen of one story so far; `Story(check=onlooker.judge)`, then `watch(story)`."""

    intents: dict[tuple[str, str, int, int], int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    unlooked: set[str] = field(default_factory=set)
    """Steps whose action may have happened and was not looked at since."""
    agreed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    off_at: tuple[float, ...] = ()
    """When the controller said off, in a row: an "on" begins anew."""
    has_lied: bool = False
    """Whether somebody answered after it said off, and it did not say on since."""
    says_off_since: float | None = None
    fenced_s: float | None = None
    """Since when the step `fence` is done."""
    is_contradicted: bool = False
    """Whether the primary answered after that, and no operator let the run go on since."""
    was_silent: bool = False
    """Whether the primary ever did not answer what was really sent to it."""

    def watch(self, story: Story) -> Story:
        """Judge every decision of this story from now on."""
        self.story = story
        story.check = self.judge
        return story

    def fork(self) -> Onlooker:
        """Return an onlooker who has seen the same so far."""
        return copy.deepcopy(replace(self))

    def crashed(self) -> None:
        """The daemon died: what was under way may have happened."""
        self.unlooked |= self.under_way
        self.under_way.clear()

    def look_around(self) -> None:
        """Judge what must hold at any time."""
        self._unknown_is_never_down()
        self._only_silence_is_death()
        self._promote_is_never_skipped()
        self._taking_over_has_a_run()
        self._everything_has_its_limit()
        self._a_liar_proves_nothing()

    def judge(self, before: NodeState, event: Event, decision: Decision) -> None:
        """Every decision, from outside."""
        after = decision.state
        self._hear_controller(event)
        self._hear_primary(event)
        self.was_silent |= "silent" in self.story.world.probes.values()
        self._off_is_off_twice_and_lately()
        self._note_fence(event, decision)
        self._confirmation(before, event, after)
        self._refusal(before, decision)
        if isinstance(event, Started):
            is_held = after.run is None or after.run.status is not RunStatus.RUNNING
            assert is_held, "a run went on by itself after a start"
        if isinstance(event, ActionCompleted) and event.attempt == self.attempts.get(event.step):
            self.under_way.discard(event.step)
            if event.report.ending is Ending.LOST:
                self.unlooked.add(event.step)
        if isinstance(event, StepLooked) and event.looked:
            self.unlooked.discard(event.step)
        for command in decision.commands:
            if isinstance(command, PerformAction):
                self._action(decision, command)
        if after.mode is Mode.NORMAL and before.mode is Mode.OBSERVE_ONLY:
            assert isinstance(event, ClearRequested), "observe_only ended by itself"

    def _hear_controller(self, event: Event) -> None:
        """Note what the device itself answered, before anybody judged it."""
        looked = event.looked if isinstance(event, StepLooked | LookCompleted) else ()
        for one in (looked,) if isinstance(looked, Looked) else looked:
            if isinstance(one.look.request, FenceStatus):
                is_off = "off" in one.report.stdout.lower()
                is_on = "on" in one.report.stdout.lower() and not is_off
                at = one.report.finished.monotonic_s - self.story.now.monotonic_s
                seen = (*self.off_at, self.story.now_s + at)[-8:]
                self.off_at = seen if is_off else () if is_on else self.off_at
                if is_on:
                    self.says_off_since, self.has_lied = None, False
                elif is_off and self.says_off_since is None:
                    self.says_off_since = self.story.now_s

    def _hear_primary(self, event: Event) -> None:
        """Whoever answers a probe that came after "off" makes a liar of the controller."""
        if not isinstance(event, RoundCompleted):
            return
        patience_s = self.story.terms.policy.probe_timeout_s
        for probe, one in event.looked:
            is_answer = (one.report.ending, one.report.exit_code) == (Ending.EXITED, 0)
            heard_s = self.story.now_s - self.story.now.since(one.report.finished)
            if probe is Probe.GATEWAY or not is_answer:
                continue
            off_s, fenced_s = self.says_off_since, self.fenced_s
            self.has_lied |= off_s is not None and heard_s > off_s + patience_s
            self.is_contradicted |= fenced_s is not None and heard_s > fenced_s + patience_s

    def _note_fence(self, event: Event, decision: Decision) -> None:
        """From a done fence on any answer of the primary speaks against the run (design §3)."""
        run = decision.state.run
        fence = None if run is None else run.steps.get("fence")
        if fence is None or fence.outcome is not Outcome.DONE:
            self.fenced_s, self.is_contradicted = None, False
        elif self.fenced_s is None:
            self.fenced_s = self.story.now_s
        if isinstance(event, RetryRequested | ConfirmRequested) and decision.refusal is None:
            self.is_contradicted = False

    def _confirmation(self, before: NodeState, event: Event, after: NodeState) -> None:
        """Laws 1 and 6: nothing is begun that was not confirmed as it was shown."""
        entered = after.state is State.TAKING_OVER and before.state is not State.TAKING_OVER
        begun = after.run is not None and (
            before.run is None or before.run.plan.digest != after.run.plan.digest
        )
        if entered or begun:
            assert isinstance(event, ConfirmRequested), "a run without a confirmation"
            assert event.named == "aixmn2", "the wrong node was confirmed"
            shown = next(one for one in before.plans if one.digest == event.digest)
            assert after.run is not None
            assert after.run.plan.digest == shown.digest
            told = [step.actions for step in after.run.plan.steps]
            assert told == [step.actions for step in shown.steps], "other actions than were shown"
            self.agreed[shown.digest] = tuple(one.gate for one in shown.request.overrides)
        if before.run is not None and after.run is not None and not begun:
            went_on = (before.run.status, after.run.status) == (
                RunStatus.PAUSED,
                RunStatus.RUNNING,
            )
            assert not went_on or isinstance(event, RetryRequested), "it went on by itself"
            assert before.run.plan.steps == after.run.plan.steps, "a confirmed plan changed"

    def _refusal(self, before: NodeState, decision: Decision) -> None:
        if decision.refusal is not None:
            after = decision.state
            assert after.state is before.state
            assert after.run == before.run
            assert not any(isinstance(one, PerformAction) for one in decision.commands)

    def _action(self, decision: Decision, command: PerformAction) -> None:
        """Laws 1, 3, 4 and 5 on one action."""
        run = decision.state.run
        assert run is not None
        assert run.status is RunStatus.RUNNING, "an action in a held run"
        assert decision.state.mode is Mode.NORMAL, "an action in observe_only"
        intents = [
            one
            for one in decision.records
            if one.phase is Phase.INTENT and one.step == command.step
        ]
        assert intents, "an action without an intent"
        assert decision.persist
        step = run.plan.step(command.step)
        assert step.actions[command.index] == command.action
        key = command.step
        assert key not in self.under_way, "two actions of one step at the same time"
        assert key not in self.unlooked, "an unknown outcome was run again without a look"
        self.under_way.add(key)
        self.attempts[key] = command.attempt
        once = (command.digest, key, command.attempt, command.index)
        self.intents[once] = self.intents.get(once, 0) + 1
        assert self.intents[once] == 1, "one attempt acted twice"
        if run.plan.kind is PlanKind.TAKEOVER:
            self._order(run, command.step)
            self._standing(decision.state, run, command.step)
            self._fence(decision.state, run, command.step)
            self._loss(decision.state, run, command.step)

    def _order(self, run: Run, step: str) -> None:
        """Law 3 and the order of design §5, by name."""
        before = {
            "promote": ("fuse",),
            "identity": ("promote",),
            "xcatd": ("promote", "identity"),
            "dns": ("xcatd",),
            "dhcp": ("xcatd",),
            "consoles": ("xcatd",),
            "verify": ("promote", "identity", "xcatd"),
        }.get(step, ())
        for one in before:
            assert run.steps[one].outcome is Outcome.DONE, f"{step} before {one}"

    def _standing(self, state: NodeState, run: Run, step: str) -> None:
        """Nobody takes over against an answer, under another's epoch, or without a database."""
        if step not in ("promote", "identity", "xcatd"):
            return
        assert not self.is_contradicted, "it went on against an answer of the primary"
        owner = None if state.epoch is None else state.epoch.owner
        assert owner == "aixmn2", "it went on under the epoch of another"
        if step != "promote" and "promote" in run.steps:
            role = self.story.world.database.role
            assert role == "PRIMARY", "managing without a database that takes writes"

    def _fence(self, state: NodeState, run: Run, step: str) -> None:
        """What is forced, and the identity, only on evidence that policy accepts or by name."""
        forced = step == "promote" and run.plan.variant not in ("graceful", "none")
        if not forced and step not in ("identity", "xcatd", "dns", "dhcp", "consoles", "verify"):
            return
        minimum = ORDER.index(self.story.terms.policy.fence_minimum)
        best = max((ORDER.index(one.grade) for one in state.assessment.evidence), default=0)
        is_overridden = "fence" in self.agreed.get(run.plan.digest, ())
        is_skipped = run.steps["fence"].outcome is Outcome.SKIPPED
        assert best >= minimum or is_overridden or is_skipped, f"{step} without evidence"

    def _loss(self, state: NodeState, run: Run, step: str) -> None:
        """Law 4: plain BY FORCE on proof, or on the class that the operator accepted."""
        if step != "promote":
            return
        (request,) = (one.request for one in run.plan.step(step).actions)
        assert isinstance(request, Exec)
        told = " ".join(request.argv)
        if "takeover" not in told or not told.endswith("by force"):
            return  # starting one's own primary again takes nothing from anybody
        verdict = state.assessment.loss.verdict
        is_accepted = run.plan.request.accept_loss is not None
        assert verdict is LossVerdict.ZERO_PROVEN or is_accepted, "a loss that nobody accepted"

    # ---- what must hold at any time --------------------------------------------------------
    def _unknown_is_never_down(self) -> None:
        """Law 2: PrimaryDown stands only while nothing newer was heard that excludes it."""
        state = self.story.state
        since = state.timing.down_since
        if state.state is not State.PRIMARY_DOWN or since is None or state.cause is None:
            return
        if state.cause.value == "service":
            return
        probes = tuple(Probe) if state.cause.value == "host" else (Probe.SSH_BANNER, Probe.XCATD)
        for probe in probes:
            track = state.watch.tracks.get(probe)
            if track is not None and track.answered is not None:
                assert track.answered <= since, f"down, but {probe} was answered since"
        for sight in state.watch.witnesses.values():
            if sight.sees is Answer.ANSWERED and sight.asked is not None:
                assert sight.asked <= since, f"down, but {sight.name} reaches it"

    def _only_silence_is_death(self) -> None:
        """Law 2: what could not be asked was not silent; only the device's word stands for it."""
        state = self.story.state
        grades = [one.grade for one in state.assessment.evidence]
        is_down = state.state is State.PRIMARY_DOWN and state.cause is not Cause.SERVICE
        if is_down and not self.was_silent:
            assert FenceGrade.POWER_OFF in grades, "down, but nobody was ever silent"

    def _off_is_off_twice_and_lately(self) -> None:
        """Design §4: power_off is two readings, the newer one not older than evidence may be."""
        state, now_s = self.story.state, self.story.now_s
        if FenceGrade.POWER_OFF in [one.grade for one in state.assessment.evidence]:
            assert not self.has_lied, "a liar proves nothing"
            assert len(set(self.off_at)) > 1, "one reading is no proof"
            age_s = now_s - self.off_at[-1]
            assert age_s <= self.story.terms.policy.evidence_age_max_s + ROUND_S, "proof is stale"

    def _promote_is_never_skipped(self) -> None:
        """Design §5: without it there is no database to manage with."""
        run = self.story.state.run
        promote = None if run is None else run.steps.get("promote")
        is_skipped = promote is not None and promote.outcome is Outcome.SKIPPED
        assert not is_skipped, "promote was skipped"

    def _taking_over_has_a_run(self) -> None:
        """Laws 1 and 5."""
        state = self.story.state
        is_on = state.run is not None
        assert (state.state is State.TAKING_OVER) == is_on, "TakingOver is a run that is on"

    def _everything_has_its_limit(self) -> None:
        """Nothing grows for ever."""
        state = self.story.state
        assert len(state.plans) <= self.story.terms.policy.plans_max
        assert len(state.changes) <= self.story.terms.policy.history_max
        assert len(state.watch.acts) <= 16
        assert len(state.finished) <= 16
        assert len(state.watch.fence) <= 4

    def _a_liar_proves_nothing(self) -> None:
        """FenceLies blocks: no reading of such a device is evidence."""
        state = self.story.state
        if state.watch.lie:
            grades = [one.grade for one in state.assessment.evidence]
            assert FenceGrade.POWER_OFF not in grades, "a liar proves nothing"
