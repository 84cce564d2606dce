"""hamnd never claims zero (proven) when the primary holds a row that the standby lacks.

Owns a dumb world around the simulated Db2 pair: what hamnd sees is read from the pair's own texts,
what is true is asked of the pair. Clocks drift, links blip, standbys are stopped and started, the
primary dies, comes back and dies again, hamnd itself is restarted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from hamnd.core import engine
from hamnd.core.events import DiskObserved, LookCompleted, Started
from hamnd.core.replication.db2 import ENGINE
from hamnd.core.snapshot import dump, restore
from hamnd.core.state import NodeState
from hamnd.demo.db2_model import Db2Pair
from hamnd.demo.db2_node import HostPower, PairConfig, SyncMode
from hamnd.dialects import clock, fence
from hamnd.model.instant import Instant
from hamnd.model.names import LossVerdict
from hamnd.model.work import Ending, Looked, Report
from tests.unit.core.builders import ALIVE, DEAD, round_of, terms

PRIMARY, STANDBY = "aixmn1", "aixmn2"
START = 1_795_310_000.0
TERMS = terms()
BEAT_S = 2.5

ACTIONS = (
    "wait",
    "wait",
    "wait_long",
    "kill",
    "power_on",
    "cut_link",
    "heal",
    "blip",
    "freeze",
    "thaw",
    "stop_standby",
    "start_standby",
    "kill_standby",
    "skew_primary",
    "skew_standby",
    "restart_hamnd",
    "hamnd_down",
    "busy",
    "idle",
)


@dataclass
class Night:
    """The pair, what hamnd knows of it, and the operator's hands."""

    pair: Db2Pair
    state: NodeState = field(default_factory=NodeState)
    now: float = START
    proven: int = 0
    path_is_cut: bool = False

    def instant(self) -> Instant:
        wall_s = self.pair.nodes[STANDBY].clock(self.now)
        return Instant(self.now - START + 1_000.0, wall_s)

    def feed(self, what: object) -> None:
        decision = engine.step(self.state, what, self.instant(), TERMS)  # type: ignore[arg-type]  # an event
        self.state = decision.state

    def wait(self, seconds: float, *, is_watching: bool = True) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + BEAT_S)
            self.pair.tick(self.now)
            if is_watching:
                self.look()
                self.check()

    def look(self) -> None:
        """One beat of everything: a round, the local database, the clock, the controller."""
        primary = self.pair.nodes[PRIMARY]
        is_heard = primary.power is HostPower.UP and not self.path_is_cut
        sent = self.instant().monotonic_s - 1_000.0
        made = round_of(ALIVE if is_heard else DEAD, sent - 2.2)
        now = self.instant()
        shifted = tuple(
            (probe, replace(one, report=replace(one.report, started=now.ago(2.2), finished=now)))
            for probe, one in made.looked
        )
        self.feed(replace(made, looked=shifted))
        reply = self.pair.run(STANDBY, ("db2pd", "-d", "XCATDB", "-hadr"), self.now)
        self.told("db2pd", ENGINE.looks(TERMS)["db2pd"], reply.text, reply.exit_code)
        if is_heard:
            theirs = f"{primary.clock(self.now):.6f}\n"
            self.told("partner_clock", clock.epoch(TERMS.site, PRIMARY), theirs, 0)
        is_off = primary.power is HostPower.OFF
        said = ("Status: OFF\n", 2) if is_off else ("Status: ON\n", 0)
        self.told("fence", fence.status(TERMS.site), *said)

    def told(self, topic: str, look: object, text: str, code: int) -> None:
        now = self.instant()
        report = Report(Ending.EXITED, now.ago(0.05), now, code, text)
        self.feed(LookCompleted(topic, Looked(look, report)))  # type: ignore[arg-type]  # a look

    def check(self) -> None:
        """The claim against the truth."""
        if self.state.assessment.loss.verdict is not LossVerdict.ZERO_PROVEN:
            return
        if self.state.assessment.promotion.variant == "none":
            return
        self.proven += 1
        lost = self.pair.loss(PRIMARY, STANDBY)
        assert lost.rows == 0, (self.state.assessment.loss, lost)

    def act(self, action: str, value: float) -> None:
        pair, now = self.pair, self.now
        match action:
            case "wait":
                self.wait(value * 20.0)
            case "wait_long":
                self.wait(60.0 + value * 120.0)
            case "kill":
                pair.kill_host(PRIMARY, now)
            case "power_on":
                pair.power_on(PRIMARY, now, start_instance=True)
                pair.run(PRIMARY, ("db2", "activate db XCATDB"), now)
                pair.set_load(PRIMARY, 5.0, now)
            case "cut_link":
                pair.cut_both(now)
                self.path_is_cut = value > 0.5
            case "heal":
                pair.heal(now)
                self.path_is_cut = False
            case "blip":
                pair.cut_both(now)
                self.wait(0.5 + value * 8.0)
                pair.heal(self.now)
            case "freeze":
                pair.freeze(PRIMARY, now)
            case "thaw":
                pair.thaw(PRIMARY, now)
            case _:
                self.act_here(action, value)

    def act_here(self, action: str, value: float) -> None:
        pair, now = self.pair, self.now
        match action:
            case "stop_standby":
                pair.run(STANDBY, ("db2", "deactivate db XCATDB"), now)
            case "kill_standby":
                pair.kill_process(STANDBY, now)
            case "start_standby":
                pair.run(STANDBY, ("db2start",), now)
                pair.run(STANDBY, ("db2", "activate db XCATDB"), now)
            case "skew_primary":
                pair.set_skew(PRIMARY, (value - 0.5) * 16.0)
            case "skew_standby":
                pair.set_skew(STANDBY, (value - 0.5) * 4.0)
            case "restart_hamnd" | "hamnd_down":
                kept = dump(self.state)
                if action == "hamnd_down":
                    self.wait(value * 300.0, is_watching=False)
                self.state = restore(kept, {})
                self.feed(Started("boot-1"))
            case "busy":
                pair.set_load(PRIMARY, 20.0, now)
            case "idle":
                pair.set_load(PRIMARY, 0.0, now)
            case _:
                raise AssertionError(action)


NIGHTS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.floats(0.0, 1.0)), max_size=14)


@given(
    story=NIGHTS,
    mode=st.sampled_from((SyncMode.NEARSYNC, SyncMode.SYNC, SyncMode.ASYNC)),
    window_s=st.sampled_from((0, 60, 120)),
    timeout_s=st.sampled_from((5, 20)),
)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_zero_proven_is_never_claimed_while_a_row_is_missing(
    story: list[tuple[str, float]], mode: SyncMode, window_s: int, timeout_s: int
) -> None:
    config = PairConfig(sync_mode=mode, peer_window_s=window_s, hadr_timeout_s=timeout_s)
    night = Night(Db2Pair(config, now=START))
    night.feed(Started("boot-1"))
    night.feed(DiskObserved(1.0, 1 << 30))
    night.wait(10.0)
    for action, value in (*story, ("kill", 0.0), ("wait_long", 1.0)):
        night.act(action, value)
    event("claimed zero (proven)" if night.proven else "never claimed it")
