"""A machine of random events around `step`: the laws of design §2, judged from outside.

Owns its own, independent reading of the laws; `core.invariants` is not asked. The world is the
canned one of `tests.unit.core`, in which anything may happen at any time and any report may be
late, doubled or foreign.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hamnd.core.commands import PerformAction
from hamnd.core.events import (
    ActionCompleted,
    ClearRequested,
    ConfirmRequested,
    ConnectionLost,
    DiskObserved,
    Event,
    Halted,
    RetryRequested,
    StepLooked,
)
from hamnd.core.gates.judging import overridable
from hamnd.core.progress import Run
from hamnd.core.state import Decision, NodeState
from hamnd.model.names import (
    Answer,
    FenceGrade,
    LookPurpose,
    LossVerdict,
    Mode,
    Outcome,
    Phase,
    PlanKind,
    Probe,
    RunStatus,
    State,
)
from hamnd.model.work import Ending, Exec
from tests.unit.core.builders import report
from tests.unit.core.story import Story

STEPS = ("fuse", "fence", "promote", "identity", "xcatd", "dns", "dhcp", "consoles", "verify")
WORDS = ("done", "fails", "lost", "hangs")
ORDER = list(FenceGrade)
OVERRIDABLE = st.sampled_from(overridable(PlanKind.TAKEOVER))


class Engine(RuleBasedStateMachine):
    """One node, its world and its operator."""

    @initialize(
        where=st.sampled_from(("start", "peer", "down", "down", "fence", "promote", "dns", "dns"))
    )
    def begin(self, where: str) -> None:
        """A story begins somewhere."""
        self.story = Story(check=self.judge)
        self.intents: dict[tuple[str, str, int, int], int] = {}
        self.attempts: dict[str, int] = {}
        self.under_way: set[str] = set()
        self.unlooked: set[str] = set()
        """Steps whose action may have happened and was not looked at since."""
        self.agreed: dict[str, tuple[str, ...]] = {}
        match where:
            case "start":
                self.story.begin()
            case "peer":
                self.story.in_peer()
            case "down":
                self.story.primary_down()
            case _:
                self.story.taking_over(where)

    # ---- the laws --------------------------------------------------------------------------
    def judge(self, before: NodeState, event: Event, decision: Decision) -> None:
        """Every decision, from outside."""
        after = decision.state
        self._confirmation(before, event, after)
        self._refusal(before, decision)
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

    def _confirmation(self, before: NodeState, event: Event, after: NodeState) -> None:
        """Laws 1 and 6: nothing is begun that was not confirmed as it was shown."""
        entered = after.state is State.TAKING_OVER and before.state is not State.TAKING_OVER
        begun = after.run is not None and (
            before.run is None or before.run.plan.digest != after.run.plan.digest
        )
        if entered or begun:
            assert isinstance(event, ConfirmRequested), "a run without a confirmation"
            assert event.named == "aixmn2"
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
        if not told.endswith("by force"):
            return
        verdict = state.assessment.loss.verdict
        is_accepted = run.plan.request.accept_loss is not None
        assert verdict is LossVerdict.ZERO_PROVEN or is_accepted, "a loss that nobody accepted"

    # ---- what must hold at any time --------------------------------------------------------
    @invariant()
    def unknown_is_never_down(self) -> None:
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

    @invariant()
    def taking_over_has_a_run(self) -> None:
        """Laws 1 and 5."""
        state = self.story.state
        assert (state.state is State.TAKING_OVER) == (state.run is not None)

    @invariant()
    def everything_has_its_limit(self) -> None:
        """Nothing grows for ever."""
        state = self.story.state
        assert len(state.plans) <= self.story.terms.policy.plans_max
        assert len(state.changes) <= self.story.terms.policy.history_max
        assert len(state.watch.acts) <= 16
        assert len(state.finished) <= 16
        assert len(state.watch.fence) <= 4

    @invariant()
    def a_liar_proves_nothing(self) -> None:
        """FenceLies blocks: no reading of such a device is evidence."""
        state = self.story.state
        if state.watch.lie:
            grades = [one.grade for one in state.assessment.evidence]
            assert FenceGrade.POWER_OFF not in grades

    # ---- what may happen -------------------------------------------------------------------
    @rule(seconds=st.sampled_from((0.1, 0.3, 1.0, 3.0, 10.0, 40.0)))
    def time_passes(self, seconds: float) -> None:
        self.story.live(seconds)

    @rule(
        what=st.sampled_from(
            ("die", "die", "freeze", "come_back", "lose_link", "end_window", "power_off")
        )
    )
    def the_primary(self, what: str) -> None:
        world = self.story.world
        if what == "lose_link":
            world.lose_link(self.story.now_s)
        else:
            getattr(world, what)()
        if what == "come_back":
            world.fence = "on"

    @rule(probe=st.sampled_from(tuple(Probe)), word=st.sampled_from(("answers", "silent", "cut")))
    def a_probe(self, probe: Probe, word: str) -> None:
        self.story.world.probes[probe] = word

    @rule(
        name=st.sampled_from(("sn01", "sn02")), word=st.sampled_from(("reaches", "silent", "dumb"))
    )
    def a_witness(self, name: str, word: str) -> None:
        self.story.world.witnesses[name] = word

    @rule(word=st.sampled_from(("on", "off", "fails", "unreadable")), lies=st.booleans())
    def the_controller(self, word: str, lies: bool) -> None:
        self.story.world.fence, self.story.world.fence_lies = word, lies

    @rule(step=st.sampled_from(STEPS), word=st.sampled_from(WORDS))
    def a_step_goes(self, step: str, word: str) -> None:
        self.story.world.actions[step] = word

    @rule(
        reads=st.sampled_from(
            ("db2.role_primary", "linux.address_free", "xcat.probe_present", "linux.unit_waiting")
        ),
        word=st.sampled_from(("true", "bad", "unknown")),
    )
    def a_look_finds(self, reads: str, word: str) -> None:
        self.story.world.looks[reads] = word

    @rule(
        accept=st.sampled_from((None, *LossVerdict)),
        overrides=st.lists(OVERRIDABLE, max_size=3, unique=True),
        is_successor=st.booleans(),
    )
    def plan_and_confirm(
        self, accept: LossVerdict | None, overrides: list[str], is_successor: bool
    ) -> None:
        answer = self.story.plan(accept, tuple(overrides), is_successor).answer
        if answer is not None:
            self.story.confirm(answer.digest)

    @precondition(lambda self: self.story.state.plans)
    @rule(named=st.sampled_from(("aixmn2", "aixmn2", "aixmn1")), data=st.data())
    def confirm_what_was_shown(self, named: str, data: st.DataObject) -> None:
        shown = data.draw(st.sampled_from(self.story.state.plans))
        self.story.confirm(shown.digest, named)

    @rule(what=st.sampled_from(("retry", "retry", "retry", "abort", "conclude", "attest")))
    def the_operator(self, what: str) -> None:
        getattr(self.story, what)()

    @rule(step=st.sampled_from(STEPS))
    def skip(self, step: str) -> None:
        self.story.skip(step)

    @rule(boot=st.sampled_from(("", "", "boot-2", "boot-3")))
    def crash(self, boot: str) -> None:
        self.unlooked |= self.under_way
        self.under_way.clear()
        self.story.crash(1.0, boot)

    @rule(event=st.sampled_from((Halted("slow"), ConnectionLost("aixmn1"), DiskObserved(0.0, 0))))
    def a_hint(self, event: Event) -> None:
        self.story.feed(event)

    @rule()
    def clear(self) -> None:
        self.story.feed(ClearRequested("seen", "anna"))
        self.story.feed(DiskObserved(1.0, 1 << 30))

    @precondition(lambda self: self.story.state.run is not None)
    @rule(step=st.sampled_from(STEPS), attempt=st.integers(0, 3), index=st.integers(0, 4))
    def a_stray_report(self, step: str, attempt: int, index: int) -> None:
        """An old attempt comes home, or one of a run that is long gone."""
        run = self.story.state.run
        assert run is not None
        one = run.steps.get(step)
        if one is None or one.attempt == attempt:
            return
        before = run
        self.story.feed(ActionCompleted(run.plan.digest, step, attempt, index, report()))
        self.story.feed(StepLooked(run.plan.digest, step, attempt, LookPurpose.ALREADY, ()))
        after = self.story.state.run
        if after is not None and before.status is RunStatus.PAUSED:
            assert after.steps[step] == before.steps[step]


Engine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEngine = Engine.TestCase
