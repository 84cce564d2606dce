"""One seed is one universe: the site, its settings, its faults and its operator.

Owns everything that is drawn. Must not play it (play). What a seed draws never depends on how the
core behaves, so that a seed shows the same night before and after a bug is mended.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hamnd.core.policy import Policy, Terms
from hamnd.demo.db2_node import Layout, PairConfig, SyncMode
from hamnd.model.names import FenceGrade
from hamnd.model.site import Db2Site, FenceSite, Node, Platform, ServiceAddress, Site, Witness
from tests.sim.ground import (
    ADDRESSES,
    GATEWAY,
    INTERFACE,
    PRIMARY,
    SERVICE_ADDRESS,
    SERVICE_NAME,
    STANDBY,
    Mood,
)

START = 1_795_310_000.0
"""Sunday 2026-11-22, in the small hours."""


class FaultKind(StrEnum):
    """What can go wrong; each is undone when the faults end."""

    KILL = "kill"
    REBOOT = "reboot"
    """Killed, and back by itself after a while."""
    FREEZE = "freeze"
    FREEZE_SOLID = "freeze_solid"
    """Frozen, kernel and all."""
    KILL_DATABASE = "kill_database"
    STOP_XCATD = "stop_xcatd"
    HANG_XCATD = "hang_xcatd"
    CUT_PAIR = "cut_pair"
    CUT_ONE_WAY = "cut_one_way"
    CUT_PRIMARY = "cut_primary"
    """The primary is cut off from everybody."""
    CUT_STANDBY = "cut_standby"
    CUT_WITNESSES = "cut_witnesses"
    CUT_GATEWAY = "cut_gateway"
    SLOW = "slow"
    LOSS = "loss"
    CONTROLLER = "controller"
    """The power controller begins to behave as its mood says."""
    CONTROLLER_CUT = "controller_cut"
    CLOCK = "clock"
    """One node's clock jumps."""
    BREAK_UNIT = "break_unit"
    JOB = "job"
    """A copy onto the standby is running."""
    BY_HAND = "by_hand"
    """Somebody promotes at the console and takes the address, past hamnd."""
    SLOW_DISK = "slow_disk"
    """A page of the journal takes too long: hamnd only observes until somebody clears that."""


NOTICED_AFTER_S = 12.0
"""Longer than any drawn policy needs to notice what happened: until then Peer settles nothing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: when it begins (seconds after the start) and for how long, None: until healed."""

    kind: FaultKind
    at_s: float
    for_s: float | None = None
    value: float = 0.0
    word: str = ""

    def ends_at_s(self, heal_at_s: float) -> float:
        """When it has done what it does: a death at once, what has no end when all is healed."""
        if self.kind is FaultKind.KILL:
            return self.at_s
        return heal_at_s if self.for_s is None else self.at_s + self.for_s


class Character(StrEnum):
    """What the operator is like."""

    CORRECT = "correct"
    HASTY = "hasty"
    """Plans before the primary counts as down and confirms without reading."""
    SLEEPY = "sleepy"
    """Takes minutes to confirm and to come back."""
    CONFUSED = "confused"
    """Names the wrong node, then confirms an old digest."""
    RECKLESS = "reckless"
    """Overrides whatever blocks, and attests what he has not seen."""
    BRISK = "brisk"
    """Does what is right within a second; no person, for tests that count records."""


PEOPLE = tuple(one for one in Character if one is not Character.BRISK)


@dataclass(frozen=True, slots=True)
class Crash:
    """The daemon stops at the n-th written page after `at_s`, at one of the three points."""

    at_s: float
    pages: int
    point: str
    """before_persist | before_act | before_report"""
    down_s: float = 2.0
    is_acting: bool = False
    """Only pages count that begin an action."""


@dataclass(frozen=True, slots=True)
class Universe:
    """Everything a seed decides."""

    seed: int
    terms: Terms
    pair: PairConfig
    faults: tuple[Fault, ...] = ()
    crashes: tuple[Crash, ...] = ()
    character: Character = Character.CORRECT
    heal_at_s: float = 150.0
    end_at_s: float = 600.0
    skew_s: dict[str, float] = field(default_factory=dict)
    mood: Mood = Mood.HONEST
    lost_reports: float = 0.0
    latency_s: float = 0.02
    haste: float = 1.0
    restarts_alone: bool = False
    is_kernel_awake: bool = True
    linger_s: float = 3.0
    """How long a settled site is watched before its story ends."""
    returns: bool = False
    """The old machine comes back after a takeover, and is examined."""

    @property
    def over_at_s(self) -> float:
        """When the last thing drawn was noticed, at the latest when all is healed."""
        ends = [one.ends_at_s(self.heal_at_s) for one in self.faults]
        ends += [one.at_s for one in self.crashes]
        return min(self.heal_at_s, max(ends, default=0.0) + NOTICED_AFTER_S)

    def describe(self) -> str:
        """Return one line for people."""
        faults = ", ".join(f"{one.kind}@{one.at_s:.0f}s" for one in self.faults) or "no fault"
        crashes = f", {len(self.crashes)} crashes" if self.crashes else ""
        mode, window = self.pair.sync_mode, self.pair.peer_window_s
        fence = self.terms.site.fence
        device = fence.agent or ("ssh" if fence.ssh else "nobody")
        return (
            f"{self.character} operator, {mode} window {window} s, fence {device}/{self.mood}, "
            f"{len(self.terms.site.witnesses)} witnesses, {faults}{crashes}"
        )


def site(**changes: object) -> Site:
    """The pair that every universe varies."""
    base = Site(
        cluster="xcat",
        node=STANDBY,
        platform=Platform.LINUX,
        primary=Node(PRIMARY, ADDRESSES[PRIMARY]),
        standby=Node(STANDBY, ADDRESSES[STANDBY]),
        identity=(
            ServiceAddress(INTERFACE, SERVICE_ADDRESS, 26, SERVICE_NAME, ADDRESSES[GATEWAY]),
        ),
        gateway=ADDRESSES[GATEWAY],
        db2=Db2Site("XCATDB", "xcatdb"),
        fence=FenceSite(agent="fence_sim", timeout_s=20.0),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def witnesses(count: int) -> tuple[Witness, ...]:
    """So many service nodes."""
    return tuple(Witness(f"sn{n:02d}", f"10.1.0.{20 + n}") for n in range(1, count + 1))


def plain(**changes: object) -> Universe:
    """A quiet site that dies 20 s after the start, and an operator who does everything right."""
    base = Universe(
        seed=0,
        terms=Terms(site(witnesses=witnesses(2)), Policy(witnesses_min=1)),
        pair=PairConfig(write_rows_per_s=2.0),
        faults=(Fault(FaultKind.KILL, 20.0),),
        heal_at_s=40.0,
        haste=0.1,
        latency_s=0.005,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def brisk(**changes: object) -> Universe:
    """The same story told fast: programs take no time, and the operator is there at once."""
    policy = Policy(
        reach_suspicion_interval_s=1.0,
        replication_interval_s=1.0,
        down_after_s=3.0,
        recover_after_s=1.0,
        witnesses_min=1,
        look_pause_s=0.2,
    )
    base = plain(
        terms=Terms(site(witnesses=witnesses(1)), policy),
        pair=PairConfig(write_rows_per_s=1.0, takeover_s=0.2, hadr_timeout_s=5),
        faults=(Fault(FaultKind.KILL, 4.0),),
        character=Character.BRISK,
        heal_at_s=8.0,
        haste=0.01,
        linger_s=0.0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def draw(seed: int) -> Universe:
    """Return the universe of a seed."""
    dice = random.Random(f"hamnd {seed}")
    pair = _draw_pair(dice, seed)
    count = dice.choice((0, 1, 2, 2, 3))
    fence = _draw_fence(dice)
    db2 = Db2Site(
        "XCATDB",
        "xcatdb",
        hadr_timeout_s=pair.hadr_timeout_s,
        peer_window_s=pair.peer_window_s,
    )
    here = site(db2=db2, fence=fence, witnesses=witnesses(count))
    terms = Terms(here, _draw_policy(dice, count, fence))
    heal_at_s = dice.uniform(24.0, 42.0)
    skew = dice.choice((0.0, 0.0, dice.uniform(-3.0, 3.0), dice.uniform(-30.0, 30.0)))
    return Universe(
        seed=seed,
        terms=terms,
        pair=pair,
        faults=_draw_faults(dice, heal_at_s),
        crashes=_draw_crashes(dice),
        character=dice.choice((*PEOPLE, Character.CORRECT, Character.CORRECT)),
        heal_at_s=heal_at_s,
        skew_s={PRIMARY: skew, STANDBY: dice.choice((0.0, dice.uniform(-2.0, 2.0)))},
        mood=dice.choice((*Mood, Mood.HONEST, Mood.HONEST, Mood.HONEST, Mood.HONEST)),
        lost_reports=dice.choice((0.0, 0.0, 0.02, 0.15)),
        latency_s=dice.choice((0.005, 0.02, 0.2)),
        haste=dice.choice((0.1, 0.5, 1.0)),
        restarts_alone=dice.random() < 0.3,
        is_kernel_awake=dice.random() < 0.6,
        returns=True,
    )


def _draw_pair(dice: random.Random, seed: int) -> PairConfig:
    mode = dice.choice((SyncMode.NEARSYNC, SyncMode.NEARSYNC, SyncMode.SYNC, SyncMode.ASYNC))
    return PairConfig(
        layout=dice.choice((Layout.V9_7, Layout.V10_5, Layout.V11_5, Layout.V12_1)),
        sync_mode=mode,
        hadr_timeout_s=dice.choice((5, 10, 30)),
        peer_window_s=dice.choice((0, 20, 60, 120)),
        takeover_s=dice.uniform(0.5, 8.0),
        write_rows_per_s=dice.choice((0.5, 2.0, 5.0)),
        seed=seed,
    )


def _draw_fence(dice: random.Random) -> FenceSite:
    kind = dice.random()
    if kind < 0.8:
        return FenceSite(agent="fence_sim", timeout_s=dice.choice((5.0, 20.0)))
    if kind < 0.92:
        return FenceSite(minimum=FenceGrade.ORDERLY, ssh=True)
    return FenceSite(minimum=FenceGrade.OPERATOR)


def _draw_policy(dice: random.Random, count: int, fence: FenceSite) -> Policy:
    return Policy(
        reach_interval_s=1.0,
        reach_suspicion_interval_s=dice.choice((0.2, *(0.5, 1.0, 1.0) * 2)),
        replication_interval_s=dice.choice((1.0, 2.0, 5.0)),
        down_after_s=dice.choice((3.0, 4.0, 8.0)),
        service_down_after_s=dice.choice((6.0, 12.0)),
        recover_after_s=dice.choice((2.0, 2.0, 8.0)),
        witnesses_min=dice.randint(0, min(count, 2)),
        fence_minimum=fence.minimum,
        plan_ttl_s=dice.choice((30.0, 600.0)),
        step_timeouts_s={
            **dict.fromkeys(("dns", "dhcp", "consoles", "verify", "xcatd"), 40.0),
            "promote": dice.choice((20.0, 60.0)),
            "fence": 10.0,
        },
    )


PRIMARY_FAULTS = (
    FaultKind.KILL,
    FaultKind.KILL,
    FaultKind.KILL,
    FaultKind.REBOOT,
    FaultKind.FREEZE,
    FaultKind.FREEZE_SOLID,
    FaultKind.KILL_DATABASE,
    FaultKind.STOP_XCATD,
    FaultKind.HANG_XCATD,
    FaultKind.CUT_PRIMARY,
    FaultKind.CUT_PAIR,
)
OTHER_FAULTS = (
    *(one for one in FaultKind if one not in (*PRIMARY_FAULTS, FaultKind.SLOW_DISK)),
    FaultKind.CUT_PAIR,
    FaultKind.CONTROLLER,
)


def _draw_faults(dice: random.Random, heal_at_s: float) -> tuple[Fault, ...]:
    """Mostly one fault of the primary, and up to three others around it."""
    faults: list[Fault] = []
    if dice.random() < 0.92:
        faults.append(_fault(dice, dice.choice(PRIMARY_FAULTS), dice.uniform(6.0, 12.0)))
    for _ in range(dice.choice((0, 0, 1, 2, 3))):
        when = dice.uniform(5.0, heal_at_s)
        faults.append(_fault(dice, dice.choice(OTHER_FAULTS), when))
    if dice.random() < 0.1:
        faults += [
            Fault(FaultKind.CUT_PAIR, 8.0 + 7.0 * n, dice.uniform(1.0, 5.0)) for n in range(6)
        ]
    return tuple(sorted(faults, key=lambda one: one.at_s))


def _fault(dice: random.Random, kind: FaultKind, at_s: float) -> Fault:
    lasts = {
        FaultKind.REBOOT: dice.uniform(6.0, 40.0),
        FaultKind.FREEZE: dice.choice((None, dice.uniform(4.0, 40.0))),
        FaultKind.FREEZE_SOLID: dice.choice((None, dice.uniform(4.0, 40.0))),
        FaultKind.CUT_PAIR: dice.choice((None, dice.uniform(1.0, 40.0))),
        FaultKind.CUT_PRIMARY: dice.choice((None, dice.uniform(1.0, 40.0))),
        FaultKind.CUT_STANDBY: dice.uniform(2.0, 30.0),
        FaultKind.STOP_XCATD: dice.choice((None, dice.uniform(4.0, 30.0))),
        FaultKind.HANG_XCATD: dice.choice((None, dice.uniform(4.0, 30.0))),
        FaultKind.LOSS: dice.uniform(4.0, 30.0),
        FaultKind.SLOW: dice.uniform(4.0, 30.0),
    }.get(kind)
    value = {
        FaultKind.SLOW: dice.uniform(0.1, 1.5),
        FaultKind.LOSS: dice.uniform(0.05, 0.6),
        FaultKind.CLOCK: dice.uniform(-40.0, 40.0),
    }.get(kind, 0.0)
    word = {
        FaultKind.CONTROLLER: dice.choice(tuple(Mood)).value,
        FaultKind.CLOCK: dice.choice((PRIMARY, STANDBY)),
        FaultKind.BREAK_UNIT: dice.choice(("named", "dhcpd", "conserver", "xcatd")),
    }.get(kind, "")
    return Fault(kind, at_s, lasts, value, word)


def _draw_crashes(dice: random.Random) -> tuple[Crash, ...]:
    points = ("before_persist", "before_act", "before_report")
    return tuple(
        Crash(
            at_s=dice.uniform(2.0, 38.0),
            pages=dice.randint(1, 10),
            point=dice.choice(points),
            down_s=dice.uniform(0.5, 8.0),
            is_acting=dice.random() < 0.5,
        )
        for _ in range(dice.choice((0, 0, 1, 1, 2, 4)))
    )
