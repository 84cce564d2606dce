"""Plays one night between real hosts: a takeover, and a fault before, during or after it.

Owns the rows (one per fault, with what it hits in each phase) and how a night is played to its end:
what struck, what hamnd said while it could not go on, who wrote, what was lost. Must not judge (the
tests do). A row's sentences are what an operator must be able to read while the fault is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from hamnd.demo.db2_node import PairConfig
from tests.lab.site.desk import Desk
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import CLUSTER, GATEWAY, PRIMARY, STANDBY
from tests.lab.site.pair import Db2Pair
from tests.lab.site.watcher import Watcher
from tests.lab.site.wire import Delay

TIMES = PairConfig(hadr_timeout_s=5, peer_window_s=120, takeover_s=0.5, write_rows_per_s=20.0)
"""The primary is written to all the time; the peer window outlasts a night's faults."""

SLOW = Delay(delay_ms=150, jitter_ms=20, loss_percent=3)
BACK_S = 120.0
HANG_S = 3.0
SAID_S = 60.0
"""How long hamnd may take to say what is wrong; some of it is looked at seldom."""

UNPROVEN = f"the gateway ({CLUSTER.address(GATEWAY)}) does not answer ping from"
ISOLATED = "neither gateway nor service nodes answer this node"


class Phase(StrEnum):
    """When the fault strikes."""

    BEFORE = "before"
    """The pair is in Peer; unless the fault itself does it, the primary loses its power next."""
    DURING = "during"
    """The takeover has begun to take the address."""
    AFTER = "after"
    """This node is Active."""


Strike = Callable[[Db2Pair], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `says` is what must be read while it holds the night up, by phase."""

    name: str
    before: Strike
    during: Strike
    after: Strike
    says: Mapping[Phase, str] = field(default_factory=dict)
    is_death: bool = False
    """Whether `before` alone takes the primary away."""
    at: tuple[str, str] = ("action_started", "identity")
    """The record with which the takeover is far enough for `during`."""
    mends: Strike | None = None
    """What the operator does about it besides mending the fault itself."""

    def strike(self, phase: Phase) -> Strike:
        return {Phase.BEFORE: self.before, Phase.DURING: self.during, Phase.AFTER: self.after}[
            phase
        ]


def _on(verb: str, host: str, *more: object) -> Strike:
    def strike(site: Db2Pair) -> None:
        getattr(site.faults, verb)(host, *more)

    return strike


def _frozen_for_a_while(site: Db2Pair) -> None:
    """The standby itself hangs, as a machine whose disk stalls, and goes on later."""
    site.faults.freeze(STANDBY)
    began = site.db2.now()
    wait_until(lambda: site.db2.now() - began > HANG_S, "the hang is long enough")
    site.faults.thaw(STANDBY)


def _starts_xcatd(site: Db2Pair) -> None:
    site.lab[STANDBY].run("systemctl", "start", "xcatd")


def _off_again(site: Db2Pair) -> None:
    """Nobody boots in a second: the controller said on long before a real machine answers."""

    def is_seen() -> bool:
        found = {one["type"]: one for one in site.ask("status")["conditions"]}
        ready, lies = found.get("FenceReady", {}), found.get("FenceLies", {})
        return "says on" in str(ready.get("message")) and lies.get("status") != "True"

    wait_until(is_seen, "the controller was read since", 60)
    site.faults.off(PRIMARY)


ROWS = (
    Row(
        "power",
        before=_on("off", PRIMARY),
        during=_on("off", "sn1"),
        after=_on("off", "bmc"),
        is_death=True,
    ),
    Row(
        "all processes",
        before=_on("kill_host", PRIMARY),
        during=_on("kill_host", "sn2"),
        after=_on("kill_host", "sn1"),
        is_death=True,
    ),
    Row(
        "one process",
        before=_on("kill_process", PRIMARY, "db2sysc"),
        during=_on("kill_process", STANDBY, "xcatd.py"),
        after=_on("kill_process", STANDBY, "xcatd.py"),
        says={
            Phase.BEFORE: "restart the database on mn1",
            Phase.DURING: "xcatd is not running (nothing listens on its port)",
            Phase.AFTER: "its xcatd is not running",
        },
        at=("step_finished", "xcatd"),
        mends=_starts_xcatd,
    ),
    Row(
        "frozen",
        before=_on("freeze", PRIMARY),
        during=_frozen_for_a_while,
        after=_frozen_for_a_while,
        is_death=True,
    ),
    Row(
        "cable out",
        before=_on("cut", PRIMARY),
        during=_on("cut", STANDBY),
        after=_on("cut", STANDBY),
        says={Phase.DURING: UNPROVEN, Phase.AFTER: ISOLATED},
        is_death=True,
    ),
    Row(
        "frames lost",
        before=_on("cut_silently", PRIMARY),
        during=_on("cut_silently", STANDBY),
        after=_on("cut_silently", STANDBY),
        says={Phase.DURING: UNPROVEN, Phase.AFTER: ISOLATED},
        is_death=True,
    ),
    Row(
        "pair cut",
        before=lambda site: site.faults.pair_cut(),
        during=lambda site: site.faults.pair_cut(one=STANDBY, other="gw"),
        after=lambda site: site.faults.pair_cut(one=STANDBY, other="sn1"),
        says={Phase.BEFORE: "2 of 2 service nodes still reach mn1", Phase.DURING: UNPROVEN},
    ),
    Row(
        "one way",
        before=lambda site: site.faults.one_way_cut(PRIMARY, STANDBY),
        during=lambda site: site.faults.one_way_cut("gw", STANDBY),
        after=lambda site: site.faults.one_way_cut("sn1", STANDBY),
        says={Phase.BEFORE: "2 of 2 service nodes still reach mn1", Phase.DURING: UNPROVEN},
    ),
    Row(
        "slow",
        before=_on("slow", STANDBY, SLOW),
        during=_on("slow", STANDBY, SLOW),
        after=_on("slow", STANDBY, SLOW),
    ),
    Row(
        "clock",
        before=_on("wrong_clock", PRIMARY, 300),
        during=_on("wrong_clock", STANDBY, 300),
        after=_on("wrong_clock", STANDBY, -300),
    ),
    Row(
        "disk full",
        before=_on("disk_full", STANDBY),
        during=_on("disk_full", STANDBY),
        after=_on("disk_full", STANDBY),
    ),
    Row(
        "read-only",
        before=_on("read_only", STANDBY, "/var/lib/bind"),
        during=_on("read_only", STANDBY, "/var/lib/bind"),
        after=_on("read_only", STANDBY, "/var/lib/bind"),
        says={Phase.DURING: "PAUSED at dns"},
    ),
    Row(
        "names",
        before=_on("dns_gone", STANDBY),
        during=_on("dns_gone", STANDBY),
        after=_on("dns_gone", STANDBY),
    ),
    Row(
        "no sshd",
        before=_on("sshd_gone", PRIMARY),
        during=_on("sshd_gone", "sn1"),
        after=_on("sshd_gone", "sn1"),
    ),
    Row(
        "host key",
        before=_on("wrong_host_key", PRIMARY),
        during=_on("wrong_host_key", "sn1"),
        after=_on("wrong_host_key", "sn1"),
    ),
    Row(
        "primary returns",
        before=_on("power_cycle", PRIMARY),
        during=_on("on", PRIMARY),
        after=_on("on", PRIMARY),
        says={Phase.DURING: "mn1 is BACK", Phase.AFTER: "mn1 HAS RETURNED"},
        mends=_off_again,
    ),
)
ROW = {row.name: row for row in ROWS}


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault in one phase."""

    row: str
    phase: Phase

    def __str__(self) -> str:
        return f"{self.row.replace(' ', '_')}-{self.phase}"


EVERY_CELL = tuple(Cell(row.name, phase) for row in ROWS for phase in Phase)


@dataclass(slots=True)
class Told:
    """What a night came to."""

    verdict: str = ""
    """The loss that was shown when the plan was confirmed."""
    bound_s: float | None = None
    """Shown with a bounded loss: only what was committed within so many seconds is lost."""
    lost: int = -1
    """Rows that were acknowledged on the old primary and are nowhere else."""
    lost_over_s: float = 0.0
    """Over how long they were committed."""
    said: dict[Phase, str] = field(default_factory=dict)
    """All that was to be read while the fault of this phase was there."""
    is_met: bool = True
    """Whether the fault of `during` struck while the run was under way, not when it was over."""
    pauses: list[str] = field(default_factory=list)
    state: str = ""
    writers: tuple[str, ...] = ()
    owners: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    confirmed: str = ""


@contextmanager
def pair_in_peer() -> Iterator[Db2Pair]:
    """A whole site whose hamnd would take over now."""
    with Lab() as lab:
        site = Db2Pair(lab, TIMES)
        site.watch()
        Desk(site).wait_state("Peer")
        site.wait_ready()
        yield site


def mend(site: Db2Pair, row: Row) -> None:
    """Mend all that is broken; the old primary alone stays as it is, unless the row says more."""
    site.faults.heal()
    if row.mends is not None:
        row.mends(site)
    for host in site.lab:
        if host.name != PRIMARY and not host.is_up:
            site.faults.on(host.name)


def play(site: Db2Pair, *cells: Cell) -> Told:
    """Play one night with the faults of these cells to its end, each mended when it is over."""
    told, desk = Told(), Desk(site)
    faults = {cell.phase: ROW[cell.row] for cell in cells}
    with Watcher(site.lab, site.db2.writable) as watcher:
        _before(site, desk, watcher, faults.get(Phase.BEFORE), told)
        _during(site, desk, faults, told)
        if Phase.AFTER in faults:
            faults[Phase.AFTER].after(site)
            watcher.settle()
            told.said[Phase.AFTER] = _read(desk, faults[Phase.AFTER].says.get(Phase.AFTER, ""))
            mend(site, faults[Phase.AFTER])
        told.state = desk.wait_state("Active", limit_s=BACK_S)
        watcher.settle()
        told.writers = site.db2.writable()
        told.owners = site.owners()
        told.lost = site.db2.lost(PRIMARY, STANDBY)
        told.lost_over_s = site.db2.lost_over_s(PRIMARY, STANDBY)
    told.violations = watcher.violations
    return told


def _read(desk: Desk, wanted: str) -> str:
    """Return what is said, as soon as it has these words, or at last without them."""
    said = desk.told()

    def is_said() -> bool:
        nonlocal said
        said = desk.told()
        return wanted in said

    with suppress(TimeoutError):
        wait_until(is_said, wanted, SAID_S)
    return said


def _before(site: Db2Pair, desk: Desk, watcher: Watcher, row: Row | None, told: Told) -> None:
    """Strike, and see to it that the primary is gone at the end; mend what hides that."""
    if row is not None:
        row.before(site)
        if not row.is_death:
            watcher.settle()
            told.said[Phase.BEFORE] = _read(desk, row.says.get(Phase.BEFORE, ""))
    if row is None or not row.is_death:
        site.faults.off(PRIMARY)
    desk.wait_state("PrimaryDown")


def _during(site: Db2Pair, desk: Desk, faults: Mapping[Phase, Row], told: Told) -> None:
    before, row = faults.get(Phase.BEFORE), faults.get(Phase.DURING)
    plan = desk.plan()
    told.verdict = plan["data_loss"]["verdict"]
    told.bound_s = plan["data_loss"]["seconds"]
    process = desk.confirm(plan["digest"])
    try:
        if row is not None:
            desk.wait_record(*row.at)
            row.during(site)
            told.is_met = desk.count("run_finished") == 0
        desk.wait_confirmed(process)
        run = desk.wait_rest()
        if run is not None:
            told.said[Phase.DURING] = desk.told()
            told.pauses.append(f"{run['paused_step']}: {run['reason']}")
            if row is not None:
                mend(site, row)
            elif before is not None and not before.is_death:
                site.faults.heal()  # what struck before the death is still there
            told.pauses += desk.retry_to_the_end()
    finally:
        told.confirmed = process.text()
