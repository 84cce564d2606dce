"""The daemon without asyncio: decide, persist, act, report; and every way to die in between.

Owns the disk, the lives of the process and what is under way in the present one. Must not decide
anything: `step` decides, exactly as the runtime lets it. A life ends at a crash; what comes home
for an ended life is lost, as it would be in a process that is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

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
    TellGuard,
    TellRun,
    TellTakeover,
    WriteReport,
)
from hamnd.core.engine import step
from hamnd.core.events import (
    ActionCompleted,
    ConnectionLost,
    DiskObserved,
    EpochKept,
    Event,
    Halted,
    LookCompleted,
    RoundCompleted,
    Started,
    StepLooked,
    StepRehearsed,
    Ticked,
)
from hamnd.core.policy import Terms
from hamnd.core.snapshot import dump, restore
from hamnd.core.state import Decision, NodeState
from hamnd.model.names import Probe, Rhythm
from hamnd.model.record import Record
from hamnd.model.work import Look, Looked, Report
from tests.sim.ground import STANDBY
from tests.sim.laws import Laws
from tests.sim.transcript import Transcript
from tests.sim.world import World

KEEP_S = 10.0
DISK_INTERVAL_S = 60.0
BEFORE_PERSIST, BEFORE_ACT, BEFORE_REPORT = "before_persist", "before_act", "before_report"


@dataclass(slots=True)
class Disk:
    """What survives the process: the journal, the state document, the remembered facts."""

    records: list[Record] = field(default_factory=list)
    state: str | None = None
    memory: dict[str, tuple[str, float]] = field(default_factory=dict)
    pages: int = 0
    """Transactions written."""


Trap = Callable[[int, Decision], str | None]
"""Asked for each page about to be written (its number, the decision): where to die, or None."""


def no_trap(_page: int, _decision: Decision) -> str | None:
    """Let every page pass."""
    return None


class Daemon:
    """hamnd on the standby."""

    def __init__(self, world: World, terms: Terms, laws: Laws, transcript: Transcript) -> None:
        self.world = world
        self.terms = terms
        self.laws = laws
        self.transcript = transcript
        self.disk = Disk()
        self.state = NodeState()
        self.life = 0
        self.is_up = False
        self.steps = 0
        self.trap: Trap = no_trap
        self.down_s = 2.0
        self.kills = 0.5
        """Share of programs under way that die with the process."""
        self.on_crash: Callable[[], None] = lambda: None
        self._beat = 0

    # Lives.

    def start(self, boot_id: str) -> None:
        """Begin a life on what the disk holds."""
        self.life += 1
        self.is_up = True
        disk = self.disk
        self.state = NodeState() if disk.state is None else restore(disk.state, disk.memory)
        if disk.state is not None and not disk.memory:
            self.laws.require(dump(self.state) == disk.state, "snapshot", "dump is not its inverse")
        self.world.ground.boot_ids[STANDBY] = boot_id
        self.transcript.say("hamnd", f"starts ({boot_id}, {len(disk.records)} records)")
        self.handle(Started(boot_id), self.life)
        for rhythm, seconds in (
            (Rhythm.REPLICATION, self.terms.policy.replication_interval_s),
            (Rhythm.READINESS, self.terms.policy.readiness_interval_s),
        ):
            self._beat_again(rhythm, seconds, self.life)
        self._watch_disk(self.life)

    def crash(self) -> None:
        """End this life at once."""
        if not self.is_up:
            return
        self.life += 1
        self.is_up = False
        self.transcript.say("hamnd", "dies")
        self.world.abandon(self.kills)
        self.laws.crashed()
        self.on_crash()

    # Events.

    def handle(self, event: Event, life: int | None = None) -> Decision | None:
        """Take one event: decide, write, act. None: there was nobody to take it."""
        if not self.is_up or (life is not None and life != self.life):
            return None
        before, now = self.state, self.world.instant()
        decision = step(before, event, now, self.terms)
        self.steps += 1
        where = self._persist(event, decision)
        if where is not None and where != BEFORE_REPORT:
            self.crash()
            return None
        self.state = decision.state
        self.laws.decided(before, event, decision)
        self.transcript.decided(before, decision)
        for command in decision.commands:
            self._start(command)
        if where == BEFORE_REPORT:
            self.crash()
            return None
        return decision

    def _persist(self, event: Event, decision: Decision) -> str | None:
        """Write the page of a decision, as the runtime does; return where to die, if anywhere."""
        disk, wall_s = self.disk, self.world.instant().wall_s
        is_page = bool(decision.records) or decision.persist
        if not is_page and not decision.remember:
            return None
        where = self.trap(disk.pages + 1, decision) if is_page else None
        if where == BEFORE_PERSIST:
            return where
        for key, fact in decision.remember.items():
            disk.memory[key] = (fact, wall_s)
        if is_page:
            disk.pages += 1
            disk.records.extend(decision.records)
            if decision.persist:
                disk.state = dump(decision.state)
            self.laws.persisted(event, decision)
        return where

    # Commands.

    def _start(self, command: Command) -> None:
        life = self.life
        match command:
            case ProbeRound():
                self._probe(command, life)
            case TakeLook():
                self._look(
                    command.look,
                    lambda one: self.handle(LookCompleted(command.topic, one), life),
                )
            case LookAtStep():
                self.laws.awaits(command)
                self.world.heap.after(command.pause_s, lambda: self._look_at(command, life))
            case PerformAction():
                self._act(command, life)
            case SetReachInterval():
                self._beat += 1
                self._beat_reach(command.seconds, life, self._beat)
            case RunHook():
                raise AssertionError("no site of the simulation has hooks")
            case PerformRoutine() | EndRoutine():
                raise AssertionError("no site of the simulation has scheduled work")
            case RehearseStep():
                self._gather(
                    command.looks,
                    lambda looked: self.handle(
                        StepRehearsed(command.number, command.step, looked), life
                    ),
                )
            case KeepEpoch():
                self._keep(command, life)
            case TellRun() | TellTakeover() | TellGuard():
                pass
            case WriteReport():
                self.transcript.say("hamnd", f"writes the report of {command.digest}")
            case _:
                assert_never(command)

    def _keep(self, command: KeepEpoch, life: int) -> None:
        def came(report: Report) -> None:
            self.handle(EpochKept(command, report), life)

        self.world.ask(command.action.request, KEEP_S, came)

    def _look(self, look: Look, home: Callable[[Looked], object]) -> None:
        def came(report: Report) -> None:
            home(Looked(look, report))

        self.world.ask(look.request, look.timeout_s, came)

    def _gather(
        self, looks: tuple[Look, ...], home: Callable[[tuple[Looked, ...]], object]
    ) -> None:
        answers: dict[int, Looked] = {}

        def came(number: int, looked: Looked) -> None:
            answers[number] = looked
            if len(answers) == len(looks):
                home(tuple(answers[one] for one in range(len(looks))))

        for number, look in enumerate(looks):
            self._look(look, partial(came, number))

    def _probe(self, command: ProbeRound, life: int) -> None:
        probes = tuple(probe for probe, _ in command.probes)

        def home(looked: tuple[Looked, ...]) -> None:
            pairs: tuple[tuple[Probe, Looked], ...] = tuple(zip(probes, looked, strict=True))
            self.handle(RoundCompleted(command.number, pairs), life)

        self._gather(tuple(look for _, look in command.probes), home)

    def _look_at(self, command: LookAtStep, life: int) -> None:
        if life != self.life:
            return

        def home(looked: tuple[Looked, ...]) -> None:
            if life == self.life:
                self.laws.looked(command, looked)
            self.handle(
                StepLooked(command.digest, command.step, command.attempt, command.purpose, looked),
                life,
            )

        self._gather(command.looks, home)

    def _act(self, command: PerformAction, life: int) -> None:
        self.laws.acts(command)

        def home(report: Report) -> None:
            if life == self.life:
                self.laws.reported(command, report)
            self.handle(
                ActionCompleted(
                    command.digest, command.step, command.attempt, command.index, report
                ),
                life,
            )

        self.world.ask(command.action.request, command.timeout_s, home)

    # Time.

    def _beat_reach(self, seconds: float, life: int, beat: int) -> None:
        def again() -> None:
            if life != self.life or beat != self._beat:
                return
            self.handle(Ticked(Rhythm.REACH), life)
            if life == self.life and beat == self._beat:
                self.world.heap.after(seconds, again)

        self.world.heap.after(seconds, again)

    def _beat_again(self, rhythm: Rhythm, seconds: float, life: int) -> None:
        def again() -> None:
            if life != self.life:
                return
            self.handle(Ticked(rhythm), life)
            self.world.heap.after(seconds, again)

        self.world.heap.after(seconds, again)

    def _watch_disk(self, life: int) -> None:
        if life != self.life:
            return
        self.handle(DiskObserved(1.0, 10 << 30), life)
        self.world.heap.after(DISK_INTERVAL_S, lambda: self._watch_disk(life))

    def halt(self) -> None:
        """Tell the daemon that its journal was too slow."""
        self.handle(Halted("the journal is slow"))

    def hint(self, host: str) -> None:
        """Tell the daemon that a persistent connection broke."""
        self.handle(ConnectionLost(host))
