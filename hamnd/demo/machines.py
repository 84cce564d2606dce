"""The simulated site around the Db2 pair: machines, units, addresses, cron tables, the controller.

Owns what each machine of the demo holds and who reaches whom; the two management nodes' power and
databases live in the `Db2Pair`. No clock and no I/O: `now` is true time, given by the world. MUST
NOT know sockets, processes, nor how a stand-in spells its answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from hamnd.demo.db2_model import Db2Pair
from hamnd.demo.db2_node import Change, HostPower, Role

if TYPE_CHECKING:
    from hamnd.demo.aix_host import AixHost

PRIMARY = "aixmn1"
STANDBY = "aixmn2"
WITNESSES = ("sn01", "sn02")
GATEWAY = "gateway"
MANAGERS = (PRIMARY, STANDBY)

INTERFACE = "lo"
"""The one interface that every Linux host has: `check-config --here` looks for it."""
PREFIX = 26
NETWORK = "127.0.47"
OWN_ADDRESSES = {
    PRIMARY: f"{NETWORK}.103",
    STANDBY: f"{NETWORK}.104",
    "sn01": f"{NETWORK}.121",
    "sn02": f"{NETWORK}.122",
    GATEWAY: f"{NETWORK}.126",
}
SERVICE_ADDRESS = f"{NETWORK}.110"
SERVICE_NAME = "xcatmn"
SPARE_ADDRESS = f"{NETWORK}.105"
SPARE = "spare"
"""Not a machine: the free address by which one is reached while two exchange their own."""

UNITS = ("xcatd", "named", "dhcpd", "conserver")

FENCE_PASSWORD = "demo-only"
"""The simulated controller's password; the demo writes it to a file, for hamnd to read."""

STANDBY_CRONTAB = """\
# copies from the primary, as the guide's section 6 sets them up
*/30 * * * * /usr/bin/rsync -a root@aixmn1:/etc/xcat/ /etc/xcat/
15 2 * * * /usr/bin/rsync -a root@aixmn1:/install/ /install/
40 2 * * * /opt/xcat/sbin/dumpxCATdb -p /var/backup/xcatdb
"""

NODES = {
    "sn01": ("service,all", OWN_ADDRESSES["sn01"], "52:54:00:2f:00:15"),
    "sn02": ("service,all", OWN_ADDRESSES["sn02"], "52:54:00:2f:00:16"),
    "cn01": ("compute,all", f"{NETWORK}.11", "52:54:00:2f:00:0b"),
    "cn02": ("compute,all", f"{NETWORK}.12", "52:54:00:2f:00:0c"),
}


class UnitState(StrEnum):
    """ActiveState of a unit, as systemctl is-active prints it."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ACTIVATING = "activating"
    FAILED = "failed"


@dataclass(slots=True)
class Unit:
    """One service of a machine. `is_broken`: it cannot start, whatever is tried."""

    state: UnitState = UnitState.INACTIVE
    is_enabled: bool = False
    is_broken: bool = False
    hangs: bool = False


@dataclass(slots=True)
class Machine:
    """One machine; the power of the management nodes is kept by the Db2 pair."""

    name: str
    units: dict[str, Unit] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    """Address to interface, the machine's own and the service address where it is held."""
    crontab: str | None = None
    reservations: set[str] = field(default_factory=set)
    zone: set[str] = field(default_factory=set)
    aix: AixHost | None = None
    """What is AIX's own, where the site runs on it."""


class FenceMood(StrEnum):
    """What the power controller does with a request."""

    OBEYS = "obeys"
    REFUSES_OFF = "off-refused"
    READS_ONLY = "reads-only"
    LIES = "lies"
    HANGS = "hangs"
    FAILS = "fails"


class DatabaseAccess(StrEnum):
    """What xcatd finds when it connects to its node's database (xcat-hamn.md §4.4)."""

    DOWN = "down"
    READ_ONLY = "read_only"
    WRITABLE = "writable"


class Site:
    """All machines and the network between them, with the Db2 pair as two of them."""

    def __init__(self, pair: Db2Pair, now: float, rows_per_s: float = 5.0) -> None:
        self.pair = pair
        self.rows_per_s = rows_per_s
        self.machines = {name: Machine(name) for name in OWN_ADDRESSES}
        self.cuts: set[frozenset[str]] = set()
        self.fence_mood = FenceMood.OBEYS
        self.fence_says_off = False
        self.moving = SERVICE_ADDRESS
        """The address that makes a machine the management node."""
        for name, machine in self.machines.items():
            machine.addresses[OWN_ADDRESSES[name]] = INTERFACE
        for name in MANAGERS:
            is_primary = name == PRIMARY
            state = UnitState.ACTIVE if is_primary else UnitState.INACTIVE
            units = {unit: Unit(state, is_enabled=is_primary) for unit in UNITS}
            self.machines[name].units = units
        primary = self.machines[PRIMARY]
        primary.addresses[SERVICE_ADDRESS] = INTERFACE
        primary.reservations, primary.zone = set(NODES), {*NODES, SERVICE_NAME, *MANAGERS}
        self.machines[STANDBY].crontab = STANDBY_CRONTAB
        for name, (groups, address, mac) in NODES.items():
            value = f"groups={groups}\nip={address}\nmac={mac}"
            pair.write(PRIMARY, Change("xcat.node", name, value), now)
        table, _, key = "xcat.site.master".rpartition(".")
        pair.write(PRIMARY, Change(table, key, SERVICE_ADDRESS), now)

    def tick(self, now: float) -> None:
        """Let the pair and AIX's System Resource Controller go on until now."""
        self.pair.tick(now)
        for name in MANAGERS:
            host = self.machines[name].aix
            if host is not None and self.power(name) is HostPower.UP:
                host.follow()
                host.settle(self, now)

    # Power and network.

    def power(self, name: str) -> HostPower:
        """Return whether a machine is up, frozen or off."""
        node = self.pair.nodes.get(name)
        return HostPower.UP if node is None else node.power

    def is_cut(self, one: str, two: str) -> bool:
        """Whether the network between two machines is cut."""
        return one != two and frozenset((one, two)) in self.cuts

    def pings(self, source: str, target: str) -> bool:
        """Whether a ping is answered; the kernel of a frozen machine still answers (lab.md §4)."""
        return self.power(target) is not HostPower.OFF and not self.is_cut(source, target)

    def talks(self, source: str, target: str) -> bool:
        """Whether a service of the target can answer a request from the source."""
        return self.power(target) is HostPower.UP and not self.is_cut(source, target)

    def holder(self, address: str, seen_from: str = "") -> str | None:
        """Return the machine that answers for an address, the asking one first."""
        holders = [
            name
            for name, machine in self.machines.items()
            if address in machine.addresses and self.power(name) is not HostPower.OFF
        ]
        if seen_from in holders:
            return seen_from
        reachable = [name for name in holders if not self.is_cut(seen_from, name)]
        return next(iter(reachable), None)

    def resolve(self, name: str) -> str | None:
        """Return the address of a host name, or the argument when it is an address already."""
        if name == SERVICE_NAME:
            return SERVICE_ADDRESS
        if name in OWN_ADDRESSES:
            return OWN_ADDRESSES[name]
        if name in NODES:
            return NODES[name][1]
        is_address = name.replace(".", "").isdigit() or ":" in name
        return name if is_address else None

    # Faults that move more than the pair.

    def cut(self, one: str, two: str, now: float) -> None:
        """Cut the network between two machines, the HADR link with it."""
        self.cuts.add(frozenset((one, two)))
        if {one, two} == set(MANAGERS):
            self.pair.cut_both(now)

    def cut_one_way(self, source: str, target: str, now: float) -> None:
        """Cut what one management node sends to the other; no TCP connection survives that."""
        self.cuts.add(frozenset((source, target)))
        if {source, target} == set(MANAGERS):
            self.pair.cut(source, target, now)

    def isolate(self, name: str, now: float) -> None:
        """Cut one machine off from every other."""
        for other in self.machines:
            if other != name:
                self.cut(name, other, now)

    def heal(self, now: float) -> None:
        """Mend the network, speed it up again and let the power controller behave."""
        self.cuts.clear()
        self.pair.heal(now)
        self.fence_mood, self.fence_says_off = FenceMood.OBEYS, False
        for name in MANAGERS:
            if self.power(name) is HostPower.FROZEN:
                self.pair.thaw(name, now)
            for unit in self.machines[name].units.values():
                unit.hangs = unit.is_broken = False

    def power_off(self, name: str, now: float) -> None:
        """Take a machine's power away: everything volatile is gone."""
        if self.power(name) is HostPower.OFF:
            return
        self.pair.kill_host(name, now)
        machine = self.machines[name]
        machine.addresses.pop(SERVICE_ADDRESS, None)
        for unit in machine.units.values():
            unit.state = UnitState.INACTIVE

    def power_on(self, name: str, now: float) -> None:
        """Give a machine its power back; it boots without the service address and its services.

        What was enabled does not start: on a real site the return guard holds it (design.md §5).
        """
        self.fence_says_off = False
        self.pair.power_on(name, now, start_instance=True)

    # Services and their database.

    def unit(self, machine: str, name: str) -> Unit | None:
        """Return a unit of a machine by its name, with or without `.service`."""
        return self.machines[machine].units.get(name.removesuffix(".service"))

    def is_active(self, machine: str, unit: str) -> bool:
        """Whether a unit of a machine runs."""
        found = self.unit(machine, unit)
        return found is not None and found.state is UnitState.ACTIVE

    def database(self, machine: str) -> DatabaseAccess:
        """Return what xcatd on a machine gets when it connects to its local database."""
        if machine not in self.pair.nodes or not self.pair.is_open(machine):
            return DatabaseAccess.DOWN
        if self.pair.nodes[machine].role is Role.STANDBY:
            return DatabaseAccess.READ_ONLY
        return DatabaseAccess.WRITABLE

    def can_start_xcatd(self, machine: str) -> bool:
        """Whether `systemctl start xcatd` would come back: database open, service address here."""
        holds = self.moving in self.machines[machine].addresses
        return holds and self.database(machine) is not DatabaseAccess.DOWN

    def set_unit(self, machine: str, name: str, state: UnitState, now: float) -> None:
        """Change a unit's state; a running xcatd is what writes to the database."""
        unit = self.unit(machine, name)
        if unit is None or self.power(machine) is HostPower.OFF:
            return
        unit.state = UnitState.FAILED if unit.is_broken and state is UnitState.ACTIVE else state
        if name.removesuffix(".service") == "xcatd":
            writes = unit.state is UnitState.ACTIVE
            self.pair.set_load(machine, self.rows_per_s if writes else 0.0, now)

    def objects(self, machine: str, kind: str) -> dict[str, str]:
        """Return xCAT's objects of a kind as a machine's database holds them."""
        return self.pair.rows(machine, f"xcat.{kind}")
