"""Plays one universe from its beginning to its end, or to the law that breaks.

Owns the order: break things and watch safety, then heal and demand an end. Must not judge (laws)
nor draw (universe).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial

from hamnd.core.state import Decision
from hamnd.demo.db2_node import HostPower
from hamnd.model.names import Mode, Phase, RunStatus, State
from tests.sim.daemon import Daemon
from tests.sim.ground import PRIMARY, STANDBY, Ground
from tests.sim.heap import Heap
from tests.sim.laws import LawBrokenError, Laws
from tests.sim.operators import Operator
from tests.sim.transcript import Transcript
from tests.sim.trouble import Trouble
from tests.sim.universe import START, Crash, Universe
from tests.sim.world import Weather, World

BOOT_S = 5.0
JOIN_AFTER_S = 20.0
EXAMINE_S = 90.0
"""How long the old machine is watched after its return."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a story ended."""

    seed: int
    state: State
    events: int
    steps: int
    seconds: float
    laws: Laws
    transcript: Transcript


class SeedFailedError(AssertionError):
    """A seed broke a law; says how to see it again."""


class Play:
    """One universe under way."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        self.heap = Heap(START)
        names = tuple(one.name for one in universe.terms.site.witnesses)
        self.ground = Ground(universe.pair, names, START)
        self.transcript = Transcript(lambda: self.heap.now - START)
        self.world = World(
            self.heap, self.ground, universe.terms.site, random.Random(f"world {universe.seed}")
        )
        self.laws = Laws(self.ground, universe.terms, lambda: self.heap.now)
        self.daemon = Daemon(self.world, universe.terms, self.laws, self.transcript)
        self.trouble = Trouble(self.heap, self.ground, self.transcript)
        self.operator = Operator(
            self.heap,
            self.daemon,
            universe.character,
            random.Random(f"operator {universe.seed}"),
        )
        self._crashes = list(universe.crashes)
        self.is_reboot = False
        """The whole standby goes down with hamnd."""
        self._armed: Crash | None = None
        self._pages_left = 0
        self._set_up()

    def _set_up(self) -> None:
        universe, ground, world = self.universe, self.ground, self.world
        ground.dice = random.Random(f"network {universe.seed}")
        ground.mood = universe.mood
        ground.restarts_alone = universe.restarts_alone
        ground.is_kernel_awake = universe.is_kernel_awake
        for name, seconds in universe.skew_s.items():
            ground.pair.set_skew(name, seconds)
        self.laws.is_every_report_heard = universe.lost_reports == 0.0
        world.weather = Weather(universe.lost_reports, universe.latency_s)
        world.shell = type(world.shell)(ground, world.dice, universe.haste)
        self.trouble.hint = self.daemon.hint
        self.trouble.halt = self.daemon.halt
        self.trouble.plan(universe.faults)
        for crash in universe.crashes:
            self.heap.after(crash.at_s, partial(self._arm, crash))
        self.daemon.on_crash = self._down
        self.heap.after(universe.heal_at_s, self._heal)

    def _arm(self, crash: Crash) -> None:
        """The n-th page from now on is the last one."""
        if self.operator.is_by_the_book:
            return
        self._armed, self._pages_left = crash, crash.pages
        self.daemon.down_s = crash.down_s
        self.daemon.trap = self._trap

    def _trap(self, _page: int, decision: Decision) -> str | None:
        if self._armed is None:
            return None
        acts = any(record.phase is Phase.INTENT for record in decision.records)
        if self._armed.is_acting and not acts:
            return None
        self._pages_left -= 1
        if self._pages_left > 0:
            return None
        point, self._armed = self._armed.point, None
        return point

    def _down(self) -> None:
        if self.is_reboot:
            self._reboot()
            return
        self.heap.after(self.daemon.down_s, lambda: self.daemon.start("boot-1"))

    def _reboot(self) -> None:
        """The standby loses its power and boots: addresses, services and programs are gone."""
        self.ground.tick(self.heap.now)
        self.world.kill_programs()
        self.ground.power_off(STANDBY)

        def up() -> None:
            self.ground.tick(self.heap.now)
            self.ground.boot(STANDBY)
            self.world.booted = self.heap.now - BOOT_S
            self.daemon.start("boot-2")

        self.heap.after(BOOT_S, up)

    def _heal(self) -> None:
        self.trouble.heal()
        self.world.weather = Weather(0.0, self.universe.latency_s)
        self._armed = None
        self.operator.is_by_the_book = True

    # The story.

    def run(self) -> Outcome:
        """Play until the site is settled, and where it returns the old machine is examined.

        Raises SeedFailedError.
        """
        universe = self.universe
        try:
            self.begin()
            self._play()
            self.laws.judge_loss()
            if universe.returns:
                self._examine()
        except Exception as error:
            told = (
                f"seed {universe.seed}: {type(error).__name__}: {error}\n"
                f"  {universe.describe()}\n"
                f"  again: python -m tests.sim {universe.seed}\n{self.transcript.tail(25)}"
            )
            raise SeedFailedError(told) from error
        return Outcome(
            universe.seed,
            self.daemon.state.state,
            self.heap.count,
            self.daemon.steps,
            self.heap.now - START,
            self.laws,
            self.transcript,
        )

    def begin(self) -> None:
        """Start the daemon and let the operator come; once."""
        if self.daemon.life == 0:
            self.daemon.start("boot-1")
            self.heap.after(3.0, self.operator.come)

    def step(self) -> None:
        """Let the next event happen and judge what is true then."""
        self.heap.step()
        self.ground.tick(self.heap.now)
        self.laws.check()

    def _play(self) -> None:
        settled_at: float | None = None
        end = START + self.universe.end_at_s
        while self.heap.now < end:
            self.step()
            if not self.is_settled():
                settled_at = None
                continue
            settled_at = settled_at or self.heap.now
            if self.heap.now - settled_at >= self.universe.linger_s:
                return
        state = self.daemon.state
        run = "" if state.run is None else f", run {state.run.status}: {state.run.reason}"
        raise LawBrokenError(f"liveness: still {state.state} ({state.because}){run}")

    def _examine(self) -> None:
        """After a takeover the old machine comes back, and a DBA starts its database as standby.

        It joins only when nothing was lost; then the report says so, and in no other case.
        """
        ground, state = self.ground, self.daemon.state
        is_taken = state.state is State.ACTIVE and bool(state.finished)
        if not is_taken or ground.power(PRIMARY) is not HostPower.OFF:
            return
        ground.restarts_alone = False
        ground.tick(self.heap.now)
        ground.boot(PRIMARY)
        self.transcript.say("OPERATOR", f"{PRIMARY} is switched on again")
        self.heap.after(JOIN_AFTER_S, self._join)
        end = self.heap.now + EXAMINE_S
        while self.heap.now < end:
            self.step()

    def _join(self) -> None:
        pair = self.ground.pair
        command = f"start hadr on db {pair.config.database} as standby"
        pair.run(PRIMARY, ("db2", command), self.heap.now)
        self.transcript.say("OPERATOR", f"{PRIMARY}: db2 {command}")

    def is_settled(self) -> bool:
        """Nothing more is to come: this node is active, or the primary serves and is protected."""
        is_over = self.heap.now - START > self.universe.over_at_s
        if not is_over or not self.daemon.is_up:
            return False
        state = self.daemon.state
        run = state.run
        is_open = run is not None and run.status in (RunStatus.RUNNING, RunStatus.PAUSED)
        may_act = not is_open and state.mode is Mode.NORMAL
        return may_act and state.state in (State.ACTIVE, State.PEER)


def play(universe: Universe) -> Outcome:
    """Play one universe. Raises SeedFailedError."""
    return Play(universe).run()
