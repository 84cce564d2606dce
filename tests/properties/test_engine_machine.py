"""A machine of random events around `step`: the laws of design §2, judged from outside.

Owns what may happen; `onlooker` judges it. The world is the canned one of `tests.unit.core`, in
which anything may happen at any time and any report may be late, doubled or foreign.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hamnd.core.events import (
    ActionCompleted,
    ClearRequested,
    ConnectionLost,
    DiskObserved,
    Event,
    Halted,
    StepLooked,
)
from hamnd.core.gates.judging import overridable
from hamnd.model.names import (
    LookPurpose,
    LossVerdict,
    PlanKind,
    Probe,
    RunStatus,
)
from tests.unit.core.builders import report
from tests.unit.core.onlooker import Onlooker
from tests.unit.core.story import Story

STEPS = ("fuse", "fence", "promote", "identity", "xcatd", "dns", "dhcp", "consoles", "verify")
WORDS = ("done", "fails", "lost", "hangs")
OVERRIDABLE = st.sampled_from(overridable(PlanKind.TAKEOVER))


class Engine(RuleBasedStateMachine):
    """One node, its world and its operator."""

    @initialize(
        where=st.sampled_from(("start", "peer", "down", "down", "fence", "promote", "dns", "dns"))
    )
    def begin(self, where: str) -> None:
        """A story begins somewhere."""
        self.onlooker = Onlooker()
        self.story = self.onlooker.watch(Story())
        match where:
            case "start":
                self.story.begin()
            case "peer":
                self.story.in_peer()
            case "down":
                self.story.primary_down()
            case _:
                self.story.taking_over(where)

    @invariant()
    def the_laws_hold(self) -> None:
        """What must hold at any time."""
        self.onlooker.look_around()

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
        self.onlooker.crashed()
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
