"""A story around `engine.step`: virtual time, rhythms, and commands that come home.

Owns the clock and what is under way. What the world answers is `canned`. `Story().live(30)` lets
thirty seconds pass; `crash()` ends the daemon and starts it again from what it had written.
"""

from __future__ import annotations

import copy
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hamnd.core import engine
from hamnd.core.commands import (
    Command,
    EndRoutine,
    KeepEpoch,
    LookAtStep,
    PerformAction,
    PerformRoutine,
    ProbeRound,
    RehearseStep,
    RunHook,
    SetReachInterval,
    TakeLook,
    WriteReport,
)
from hamnd.core.events import (
    AbortRequested,
    ActionCompleted,
    AttestRequested,
    ConcludeRequested,
    ConfirmRequested,
    DiskObserved,
    EpochKept,
    Event,
    HookCompleted,
    LookCompleted,
    PlanRequested,
    RetryRequested,
    RoundCompleted,
    SkipRequested,
    Started,
    StepLooked,
    StepRehearsed,
    Ticked,
)
from hamnd.core.policy import Terms
from hamnd.core.snapshot import dump, restore
from hamnd.core.state import Decision, NodeState
from hamnd.model.instant import Instant
from hamnd.model.names import LossVerdict, PlanKind, Probe, Rhythm
from hamnd.model.plan import Override, Plan, PlanRequest
from hamnd.model.record import Record
from hamnd.model.work import Ending, Look, Looked, Read, Report
from tests.unit.core.builders import at, probed, service_nodes, site, terms
from tests.unit.core.canned import World

LOOK_S, ACTION_S, HANG_S = 0.05, 0.2, 1_000.0


Coming = Callable[["Story"], Event]
"""What comes home later; it is given the story that it comes home to (see `Story.fork`)."""


def story_terms() -> Terms:
    """Two service nodes, one of which must agree; a power controller."""
    return terms(site(witnesses=service_nodes(2)), witnesses_min=1)


@dataclass
class Story:
    """One node's engine in its world."""

    terms: Terms = field(default_factory=story_terms)
    world: World = field(default_factory=World)
    state: NodeState = field(default_factory=NodeState)
    now_s: float = 0.0
    decisions: list[Decision] = field(default_factory=list)
    """Those that said or did something."""
    records: list[Record] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    hooks: list[RunHook] = field(default_factory=list)
    routines: list[PerformRoutine] = field(default_factory=list)
    """Scheduled work that was started; the test brings it home with `handle`."""
    ended: list[str] = field(default_factory=list)
    check: Callable[[NodeState, Event, Decision], None] | None = None
    """Called after every decision."""
    clock_set_s: float = 0.0
    """How far somebody has set this node's clock."""
    boot: str = "boot-1"
    disk: str = ""
    _heap: list[tuple[float, int, int, Coming]] = field(default_factory=list)
    _made: int = 0
    _life: int = 0
    _reach_s: float = 1.0

    # ---- time ------------------------------------------------------------------------------
    @property
    def now(self) -> Instant:
        """This moment."""
        moment = at(self.now_s)
        return Instant(moment.monotonic_s, moment.wall_s + self.clock_set_s)

    def begin(self) -> Story:
        """The daemon starts."""
        self._life += 1
        self.world.boots[self.terms.site.node] = self.boot
        self.feed(Started(self.boot))
        self.feed(DiskObserved(1.0, 1 << 30))
        self._beat(Rhythm.REPLICATION, self.terms.policy.replication_interval_s)
        self._beat(Rhythm.READINESS, self.terms.policy.readiness_interval_s)
        self._beat(Rhythm.REACH, self._reach_s)
        return self

    def in_peer(self) -> Story:
        """The daemon started and all is well."""
        return self.begin().live(20.0)

    def live(self, seconds: float) -> Story:
        """Let time pass."""
        until = self.now_s + seconds
        while self._heap and self._heap[0][0] <= until:
            self.step_once()
        self.now_s = until
        return self

    def until(self, condition: Callable[[], bool], limit_s: float = 120.0) -> Story:
        """Let time pass until something is so."""
        end = self.now_s + limit_s
        while not condition():
            assert self._heap[0][0] <= end, "it did not become so"
            self.step_once()
        return self

    def step_once(self) -> None:
        """Let the next thing happen."""
        when, _, life, make = heapq.heappop(self._heap)
        self.now_s = max(self.now_s, when)
        if life == self._life:
            self.feed(make(self))

    def crash(self, down_s: float = 1.0, boot: str = "") -> Story:
        """The daemon dies, its children with it, and starts again from the disk."""
        self._life += 1
        self.now_s += down_s
        self.boot = boot or self.boot
        self.state = restore(self.disk, {})
        self._reach_s = 1.0
        return self.begin()

    def fork(self) -> Story:
        """Return this moment once more: what becomes of one does not touch the other."""
        lists = {
            name: list(getattr(self, name))
            for name in ("decisions", "records", "reports", "hooks", "routines", "ended", "_heap")
        }
        twin = copy.copy(self)
        for name, one in lists.items():
            setattr(twin, name, one)
        twin.world = copy.deepcopy(self.world)
        return twin

    def _later(self, seconds: float, make: Coming) -> None:
        self._made += 1
        heapq.heappush(self._heap, (self.now_s + seconds, self._made, self._life, make))

    def _beat(self, rhythm: Rhythm, seconds: float) -> None:
        def beat(story: Story) -> Event:
            story._beat(rhythm, story._reach_s if rhythm is Rhythm.REACH else seconds)
            return Ticked(rhythm)

        self._later(seconds, beat)

    # ---- events ----------------------------------------------------------------------------
    def feed(self, event: Event) -> Decision:
        """One event: decide, write, act."""
        before = self.state
        decision = engine.step(before, event, self.now, self.terms)
        self.state = decision.state
        self.records.extend(decision.records)
        if decision.records or decision.persist:
            self.disk = dump(decision.state)
        if decision.rows or decision.refusal or decision.answer:
            self.decisions.append(decision)
        if self.check is not None:
            self.check(before, event, decision)
        for command in decision.commands:
            self._start(command)
        return decision

    def _start(self, command: Command) -> None:
        match command:
            case ProbeRound():
                self._probe(command)
            case TakeLook():
                seconds, looked = self._look(command.look)
                topic = command.topic
                self._later(seconds, lambda story: LookCompleted(topic, looked(story)))
            case SetReachInterval():
                self._reach_s = command.seconds
            case PerformAction():
                self._act(command)
            case LookAtStep():
                self._look_at(command)
            case WriteReport():
                self.reports.append(command.digest)
            case RunHook():
                self._hook(command)
            case PerformRoutine():
                self.routines.append(command)
            case EndRoutine():
                self.ended.append(command.name)
            case KeepEpoch():
                self._keep(command)
            case RehearseStep():
                self._rehearse(command)

    def _rehearse(self, command: RehearseStep) -> None:
        taken = [self._look(look) for look in command.looks]
        number, step = command.number, command.step
        self._later(
            max(one[0] for one in taken),
            lambda story: StepRehearsed(number, step, tuple(one[1](story) for one in taken)),
        )

    def _hook(self, command: RunHook) -> None:
        """A hook that hangs comes home when its limit ended it, as the adapters do."""
        self.hooks.append(command)
        word, sent = self.world.hook, self.now_s
        seconds = command.timeout_s if word == "hangs" else ACTION_S
        ending = Ending.TIMED_OUT if word == "hangs" else Ending.EXITED
        code = {"done": 0, "fails": 7}.get(word)
        report = Report(ending, at(sent), at(sent + seconds), code, "hunter2", "hunter2")
        about = command.about
        self._later(seconds, lambda _: HookCompleted(about, report))

    def _keep(self, command: KeepEpoch) -> None:
        """The partner takes nothing while it is dead."""
        sent = self.now
        is_there = command.host == self.terms.site.node or self.world.is_primary_alive
        code, text = self.world.act("keep", command.action) if is_there else (None, "")
        ending = Ending.NO_REPLY if code is None else Ending.EXITED
        report = Report(ending, sent, at(self.now_s + ACTION_S), code, text)
        self._later(ACTION_S, lambda _: EpochKept(command, report))

    def _probe(self, command: ProbeRound) -> None:
        sent, words = self.now_s, dict(self.world.probes)
        timeout_s = self.terms.policy.probe_timeout_s
        pairs = tuple(
            (probe, Looked(look, probed(probe, words[probe], sent, timeout_s)))
            for probe, look in command.probes
        )
        home = max(one.report.finished.monotonic_s for _, one in pairs) - at(0).monotonic_s
        self._later(home - sent, lambda _: RoundCompleted(command.number, pairs))

    def _look(self, look: Look) -> tuple[float, Callable[[Story], Looked]]:
        code, text = self.world.look(look, self.terms.site, self.now_s)
        started = self.now
        seconds = look.timeout_s if code is None else LOOK_S
        ending = Ending.TIMED_OUT if code is None else Ending.EXITED
        if code is None and text == "refused":
            seconds, ending = LOOK_S, Ending.REFUSED
        is_absent = isinstance(look.request, Read) and code == 1
        said = "No such file or directory" if is_absent else ""

        def looked(story: Story) -> Looked:
            return Looked(look, Report(ending, started, story.now, code, text, said))

        return seconds, looked

    def _look_at(self, command: LookAtStep) -> None:
        digest, step = command.digest, command.step

        def take(story: Story) -> Event:
            taken = [story._look(look) for look in command.looks]
            seconds = max((one[0] for one in taken), default=0.0)

            def looked(then: Story) -> Event:
                found = tuple(one[1](then) for one in taken)
                return StepLooked(digest, step, command.attempt, command.purpose, found)

            story._later(seconds, looked)
            return Ticked(Rhythm.REACH)

        self._later(command.pause_s, take)

    def _act(self, command: PerformAction) -> None:
        started = self.now
        is_hanging = self.world.actions.get(command.step) == "hangs"
        code, text = self.world.act(command.step, command.action)
        seconds = HANG_S if is_hanging else ACTION_S
        ending = Ending.LOST if code is None else Ending.EXITED

        def completed(story: Story) -> Event:
            report = Report(ending, started, story.now, code, text)
            return ActionCompleted(
                command.digest, command.step, command.attempt, command.index, report
            )

        self._later(seconds, completed)

    # ---- the operator ----------------------------------------------------------------------
    def plan(
        self,
        accept_loss: LossVerdict | None = None,
        overrides: tuple[str, ...] = (),
        is_successor: bool = False,
        kind: PlanKind = PlanKind.TAKEOVER,
    ) -> Decision:
        """Ask for a plan."""
        named = tuple(Override(gate, "seen by anna") for gate in overrides)
        request = PlanRequest(kind, accept_loss, named, is_successor)
        return self.feed(PlanRequested(request, "anna"))

    def shown(self) -> Plan:
        """The latest plan that was shown."""
        return self.state.plans[-1]

    def confirm(self, digest: str = "", named: str = "aixmn2") -> Decision:
        """Confirm the latest plan, or the one with that digest."""
        return self.feed(ConfirmRequested(digest or self.shown().digest, "anna", named))

    def retry(self) -> Decision:
        """Let a paused run go on."""
        return self.feed(RetryRequested("anna"))

    def skip(self, step: str) -> Decision:
        """Leave a step out."""
        return self.feed(SkipRequested(step, "by hand", "anna"))

    def abort(self) -> Decision:
        """Ask for the way back."""
        return self.feed(AbortRequested("changed my mind", "anna"))

    def conclude(self) -> Decision:
        """End a run past its point of no return."""
        return self.feed(ConcludeRequested("good enough", "anna"))

    def attest(self, how: str = "seen") -> Decision:
        """Give one's word that the primary is off."""
        return self.feed(AttestRequested(how, "in the machine room", "anna"))

    # ---- situations ------------------------------------------------------------------------
    def primary_down(self) -> Story:
        """In Peer, then the primary dies and counts as down; Db2 noticed the lost link."""
        self.in_peer()
        self.world.die()
        self.live(4.0)
        self.world.lose_link(self.now_s)
        return self.until(lambda: self.state.state.value == "PrimaryDown")

    def taking_over(self, step: str = "") -> Story:
        """A takeover was confirmed; it goes on until `step` is under way."""
        self.primary_down()
        self.plan()
        assert self.confirm().refusal is None
        if step:
            self.until(lambda: self.outcome(step) == "running")
        return self

    def outcome(self, step: str) -> str:
        """How a step of the run stands."""
        run = self.state.run
        return "no run" if run is None else run.steps[step].outcome.value

    def set_clock(self, seconds: float) -> None:
        """Somebody sets this node's clock; reports that are under way keep the old one."""
        self.clock_set_s += seconds

    def silence(self) -> None:
        """The gateway stops answering too."""
        self.world.probes = {**self.world.probes, Probe.GATEWAY: "silent"}

    def with_policy(self, **changes: object) -> Story:
        """The same story on other numbers."""
        policy = replace(self.terms.policy, **changes)  # type: ignore[arg-type]  # by name
        self.terms = Terms(self.terms.site, policy)
        return self
