"""The simulated site as it truly is: machines, network, power controller, services, jobs.

Owns the truth that hamnd can only look at. Must not know hamnd's core nor how a program spells its
answer (programs). The two databases and the power of both nodes live in `Db2Pair`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

from hamnd.demo.db2_model import Db2Pair
from hamnd.demo.db2_node import HostPower, PairConfig, Role

PRIMARY, STANDBY, GATEWAY, CONTROLLER = "aixmn1", "aixmn2", "gw", "bmc"
SERVICE_ADDRESS, SERVICE_NAME, INTERFACE = "9.114.47.110", "xcatmn", "en1"
ADDRESSES = {PRIMARY: "9.114.47.103", STANDBY: "9.114.47.104", GATEWAY: "9.114.47.126"}
UNITS = ("xcatd", "named", "dhcpd", "conserver")
CRONTAB = """\
# the guide's section 6
*/30 * * * * /usr/bin/rsync -a root@aixmn1:/etc/xcat/ /etc/xcat/
15 2 * * * /usr/bin/rsync -a root@aixmn1:/install/ /install/
40 2 * * * /opt/xcat/sbin/dumpxCATdb -p /var/backup/xcatdb
"""
REACHABLE_LOSS_MAX = 0.3
"""Up to this share of lost packets a path still counts as one (design §11)."""


class Mood(StrEnum):
    """How the power controller of the primary behaves."""

    HONEST = "honest"
    SLOW = "slow"
    HANGS = "hangs"
    FAILS = "fails"
    REFUSES = "refuses"
    """Reads its status, and has no right to switch."""
    LOSES_SIGHT = "loses_sight"
    """Switches off, and the agent reports a lost connection."""
    LIES_DONE = "lies_done"
    """Says that it switched off and that it is off; the machine runs on."""
    LIES_OFF = "lies_off"
    """Says off from the beginning: it controls another machine."""


class Xcatd(StrEnum):
    """What xcatd on the primary does, its database apart."""

    GOOD = "good"
    DOWN = "down"
    HANGS = "hangs"


@dataclass(slots=True)
class Services:
    """What runs on the standby besides Db2, and what it would run by the clock."""

    states: dict[str, str] = field(default_factory=lambda: dict.fromkeys(UNITS, "inactive"))
    broken: set[str] = field(default_factory=set)
    """Units that fail when they are started."""
    crontabs: dict[str | None, str | None] = field(
        default_factory=lambda: {None: CRONTAB, "xcatdb": None}
    )
    running: list[str] = field(default_factory=list)
    """Command lines of jobs that write onto the standby."""
    zone: bool = False
    """The name server knows the service name."""


class Ground:
    """Everything outside of hamnd."""

    def __init__(self, config: PairConfig, witnesses: tuple[str, ...], start: float) -> None:
        self.pair = Db2Pair(config, now=start)
        self.witnesses = witnesses
        self.now = start
        self.cuts: set[tuple[str, str]] = set()
        """Directions in which nothing arrives."""
        self.loss = 0.0
        self.delay_s = 0.0
        self.dice = random.Random(0)
        self.is_kernel_awake = True
        """A frozen machine whose kernel still answers ping and connect (lab.md §4)."""
        self.xcatd = Xcatd.GOOD
        self.mood = Mood.HONEST
        self.says_off = False
        self.has_lied = False
        """The controller told hamnd "off" while the machine ran."""
        self.services = Services()
        self.holds: dict[str, bool] = {PRIMARY: True, STANDBY: False}
        """Who carries the service address."""
        self.armed: float | None = None
        """When the standby's watcher takes the service address back."""
        self.is_kept = False
        self.epochs: dict[str, str] = {}
        """The line that each host keeps of the epoch, on disk."""
        self.boot_ids = dict.fromkeys((PRIMARY, STANDBY, *witnesses), "boot-1")
        self.restarts_alone = False
        """The primary takes its address and xcatd back whenever it boots."""
        self.is_by_hand = False
        """Somebody promoted the standby past hamnd."""
        self.rows_per_s = config.write_rows_per_s
        self.dying_at: float | None = None
        """When the primary ends that was killed over ssh."""
        self.booted_at: float | None = None
        """When the primary last got its power back."""

    def tick(self, now: float) -> None:
        """Let the databases live until now."""
        if now == self.now:
            return
        self.now = now
        self.pair.tick(now)
        if self.dying_at is not None and self.dying_at <= now:
            self.dying_at = None
            self.power_off(PRIMARY)
        if self.armed is not None and self.armed <= now:
            self.armed = None
            self.holds[STANDBY] = False

    # Who reaches whom.

    def power(self, name: str) -> HostPower:
        """Return what a machine does; only the two nodes ever fail."""
        node = self.pair.nodes.get(name)
        return HostPower.UP if node is None else node.power

    def runs(self, name: str) -> bool:
        """Whether a machine executes programs."""
        return self.power(name) is HostPower.UP

    def has_path(self, one: str, two: str) -> bool:
        """Whether packets pass between two machines in both directions, some of them at least."""
        return (one, two) not in self.cuts and (two, one) not in self.cuts

    def kernel_answers(self, source: str, target: str) -> bool:
        """Whether a ping or a connect would be answered, loss apart."""
        power = self.power(target)
        lives = power is HostPower.UP or (power is HostPower.FROZEN and self.is_kernel_awake)
        return lives and self.has_path(source, target)

    def talks(self, source: str, target: str) -> bool:
        """Whether a program on the target would answer, loss apart."""
        return self.runs(target) and self.has_path(source, target)

    def is_lost(self) -> bool:
        """Draw whether this probe or its answer gets lost on the way."""
        return self.loss > 0 and self.dice.random() < self.loss

    def cut(self, one: str, two: str, both: bool = True) -> None:
        """Cut the network between two machines."""
        directions = ((one, two), (two, one)) if both else ((one, two),)
        for source, target in directions:
            self.cuts.add((source, target))
            if {source, target} == {PRIMARY, STANDBY}:
                self.pair.cut(source, target, self.now)

    def isolate(self, name: str) -> None:
        """Cut a machine off from every other one."""
        for other in (PRIMARY, STANDBY, GATEWAY, *self.witnesses):
            if other != name:
                self.cut(name, other)

    def heal(self) -> None:
        """Mend the network and the controller; machines stay as they are."""
        self.cuts.clear()
        self.loss = self.delay_s = 0.0
        self.mood = Mood.HONEST
        self.says_off = False
        self.services.broken.clear()
        self.services.running.clear()
        self.pair.heal(self.now)

    # Machines.

    def power_off(self, name: str) -> None:
        """Take the power away: everything volatile is gone."""
        if self.power(name) is HostPower.OFF:
            return
        self.pair.kill_host(name, self.now)
        self.holds[name] = False
        if name == PRIMARY:
            self.xcatd = Xcatd.DOWN
        else:
            self.armed, self.is_kept = None, False
            self.services.states = dict.fromkeys(UNITS, "inactive")
            self.services.zone = False

    def boot(self, name: str) -> None:
        """Give the power back; the boot scripts start the instance and activate the database."""
        if self.power(name) is not HostPower.OFF:
            return
        self.says_off = self.says_off and name != PRIMARY
        self.pair.power_on(name, self.now, start_instance=True)
        self.pair.run(name, ("db2", "activate", "db", self.pair.config.database), self.now)
        if name == PRIMARY:
            self.booted_at = self.now
        if name == PRIMARY and self.restarts_alone:
            self.holds[name] = True
            self.start_xcatd_on_primary()

    def start_xcatd_on_primary(self) -> None:
        """Let the primary serve again, as far as its database allows."""
        self.xcatd = Xcatd.GOOD
        self.pair.set_load(PRIMARY, self.rows_per_s, self.now)

    def stop_xcatd_on_primary(self, how: Xcatd) -> None:
        """End or hang the primary's xcatd; nobody writes any more."""
        self.xcatd = how
        self.pair.set_load(PRIMARY, 0.0, self.now)

    def set_unit(self, unit: str) -> None:
        """Let a unit of the standby run; a running xcatd is what writes to the database."""
        if unit in self.services.broken:
            self.services.states[unit] = "failed"
            return
        self.services.states[unit] = "active"
        if unit == "xcatd":
            self.pair.set_load(STANDBY, self.rows_per_s, self.now)

    def has_database(self, name: str) -> bool:
        """Whether a database of a node takes reads and writes, one that must wait included."""
        node = self.pair.nodes[name]
        return self.pair.link.can_write(node)

    def is_readable(self, name: str) -> bool:
        """Whether xcatd on a node can connect to its database."""
        return self.pair.is_open(name)

    def is_standby_database(self, name: str) -> bool:
        """Whether a node's database is a standby that can be read only."""
        return self.pair.nodes[name].role is Role.STANDBY

    # What is true of the primary, for the laws.

    def is_serving(self) -> bool:
        """Whether the primary does its work: alive, xcatd answers, database primary and open."""
        node = self.pair.nodes[PRIMARY]
        serves = self.runs(PRIMARY) and self.xcatd is Xcatd.GOOD and node.role is Role.PRIMARY
        return serves and node.instance_up and node.active and not node.poisoned

    def is_seen_here(self) -> bool:
        """Whether this node could talk to the primary."""
        return self.loss <= REACHABLE_LOSS_MAX and self.has_path(STANDBY, PRIMARY)

    def is_seen_by_witness(self) -> bool:
        """Whether a witness that we reach could talk to the primary."""
        return self.loss <= REACHABLE_LOSS_MAX and any(
            self.has_path(STANDBY, one) and self.has_path(one, PRIMARY) for one in self.witnesses
        )
