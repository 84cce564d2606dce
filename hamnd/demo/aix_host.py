"""An AIX host of the simulated site: its ODM, subsystems, inittab, NIM database and error log.

Owns what such a host holds besides what every machine has (`machines`). No clock and no I/O: true
time is given. What SRC was asked to do happens later, when `settle` is told so (aix.md §1.3). MUST
NOT know how a command spells its answer (`standins_aix*`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hamnd.demo.db2_node import Change
from hamnd.demo.machines import (
    MANAGERS,
    OWN_ADDRESSES,
    PRIMARY,
    SERVICE_ADDRESS,
    Machine,
    Site,
    Unit,
    UnitState,
)

INTERFACE = "en1"
MASK = "255.255.255.192"
FIRST_PID = 9_240_912
INITTAB = """\
init:2:initdefault:
brc::sysinit:/sbin/rc.boot 3 >/dev/console 2>&1 # Phase 3 of system boot
rctcpip:23456789:wait:/etc/rc.tcpip > /dev/console 2>&1 # Start TCP/IP daemons
srcmstr:23456789:respawn:/usr/sbin/srcmstr # System Resource Controller
:xcatd:2:once:/opt/xcat/sbin/restartxcatd > /dev/console 2>&1
cron:23456789:respawn:/usr/sbin/cron
"""
"""The standby's: xCAT's own line was taken out, as the guide wants it."""
PRIMARYS_LINES = """\
xcatd:2:once:/opt/xcat/sbin/restartxcatd > /dev/console 2>&1
conserver:2:once:/usr/bin/startsrc -s conserver > /dev/console 2>&1
named:2:once:/usr/bin/startsrc -s named > /dev/console 2>&1
nim:2:wait:/usr/bin/startsrc -g nim > /dev/console 2>&1
fmc:2345:respawn:/opt/IBM/db2/V9.7/bin/db2fmcd #DB2 Fault Monitor Coordinator
"""
"""What starts on the primary besides (aix.md §1.7)."""
IMAGES = {
    "61image": "imagetype=NIM\ninstallp_bundle=xCATaixSSL,xCATaixSSH\n"
    "lpp_source=61image_lpp_source\nnimmethod=rte\nnimtype=standalone\nosname=AIX\nspot=61image",
    "61dskls": "dump=61dskls_dump\nimagetype=NIM\nlpp_source=61image_lpp_source\n"
    "nimtype=diskless\nosname=AIX\npaging=61dskls_paging\nroot=61dskls_root\nspot=61dskls",
    "rhels6": "imagetype=linux\nosname=Linux",
}
"""Osimages of the xCAT database, one of them none of NIM's."""
RESOURCES = {
    "61image_lpp_source": ("lpp_source", "/install/nim/lpp_source/61image_lpp_source"),
    "61image": ("spot", "/install/nim/spot/61image/usr"),
    "61dskls": ("spot", "/install/nim/spot/61dskls/usr"),
    "xCATaixSSL": ("installp_bundle", "/install/nim/installp_bundle/xCATaixSSL.bnd"),
    "xCATaixSSH": ("installp_bundle", "/install/nim/installp_bundle/xCATaixSSH.bnd"),
    "61dskls_root": ("root", "/install/nim/root/61dskls_root"),
    "61dskls_dump": ("dump", "/install/nim/dump/61dskls_dump"),
    "61dskls_paging": ("paging", "/install/nim/paging/61dskls_paging"),
}
"""Resources of the primary's NIM database: type and place."""


class Status(StrEnum):
    """A subsystem's status as lssrc prints it."""

    ACTIVE = "active"
    STARTING = "starting"
    STOPPING = "stopping"
    INOPERATIVE = "inoperative"


@dataclass(slots=True)
class Subsystem:
    """One row of SRCsubsys with what runs of it. `fields` are those of `lssrc -S`."""

    group: str = ""
    status: Status = Status.INOPERATIVE
    pid: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    ghost: int = 0
    """Process of an instance from before the definition was changed: a second row (§1.1)."""
    environment: str = ""

    @property
    def has_signals(self) -> bool:
        """Whether it is contacted by signals, and so cannot be refreshed (§1.2)."""
        return self.fields.get("contact", "-K") == "-S"


@dataclass(slots=True)
class AixHost:
    """What is AIX's own on one host; its addresses in use are the machine's."""

    machine: Machine
    odm: dict[str, str]
    host_name: str
    node_name: str
    subsystems: dict[str, Subsystem]
    inittab: list[str]
    nim: dict[str, tuple[str, str]] = field(default_factory=dict)
    has_nim: bool = False
    errors: list[str] = field(default_factory=list)
    syslog: list[str] = field(default_factory=list)
    delay_s: float = 0.4
    """How long a subsystem takes to start or to stop."""
    level: str = "6100-06-03-1048"
    breaks_after_name: bool = False
    """The next mktcpip fails when host name and ODM are half changed (aix.md §3.1)."""
    due: list[tuple[float, str, Status]] = field(default_factory=list)
    next_pid: int = FIRST_PID

    def settle(self, site: Site, now: float) -> None:
        """Let happen what was asked for and is due."""
        for one in [one for one in self.due if one[0] <= now]:
            self.due.remove(one)
            self.turn(site, one[1], one[2], now)

    def turn(self, site: Site, name: str, status: Status, now: float) -> None:
        """Bring a subsystem into a state now, and the service behind it."""
        one = self.subsystems[name]
        unit = self.machine.units.setdefault(name, Unit())
        if status is Status.ACTIVE and unit.is_broken:
            status = Status.INOPERATIVE
        one.status = status
        if status is Status.ACTIVE:
            self.next_pid += 2
            one.pid = self.next_pid
        state = UnitState.ACTIVE if status is Status.ACTIVE else UnitState.INACTIVE
        site.set_unit(self.machine.name, name, state, now)

    def ask(self, name: str, status: Status, now: float) -> None:
        """Have SRC bring a subsystem into a state, later; meanwhile it is on its way."""
        is_start = status is Status.ACTIVE
        self.subsystems[name].status = Status.STARTING if is_start else Status.STOPPING
        self.due.append((now + self.delay_s, name, status))

    def follow(self) -> None:
        """Take over what other commands (makedns) did to a service meanwhile."""
        for name, one in self.subsystems.items():
            unit = self.machine.units.get(name)
            if unit is None or one.status in (Status.STARTING, Status.STOPPING):
                continue
            is_active = unit.state is UnitState.ACTIVE
            if is_active and one.pid == 0:
                self.next_pid += 2
                one.pid = self.next_pid
            one.status = Status.ACTIVE if is_active else Status.INOPERATIVE

    def log(self, line: str) -> None:
        """Add a line to the error log, newest first."""
        self.errors.insert(0, line)


SUBSYSTEMS = {
    "xcatd": ("", PRIMARY), "conserver": ("", PRIMARY), "named": ("tcpip", PRIMARY),
    "dhcpsd": ("tcpip", PRIMARY), "nimesis": ("nim", PRIMARY), "inetd": ("tcpip", ""),
    "xntpd": ("tcpip", ""), "nfsd": ("nfs", ""), "syslogd": ("ras", ""), "sshd": ("ssh", ""),
}  # fmt: skip
"""Each subsystem's group, and on which node alone it runs ("": on both)."""


def dress(site: Site, mode: str, gateway: str, delay_s: float, now: float) -> None:
    """Make both management nodes AIX hosts; `mode` is the identity's."""
    for name in MANAGERS:
        machine = site.machines[name]
        own = OWN_ADDRESSES[name]
        machine.addresses = dict.fromkeys(machine.addresses, INTERFACE)
        subsystems: dict[str, Subsystem] = {}
        for one, (group, alone) in SUBSYSTEMS.items():
            status = Status.ACTIVE if alone in ("", name) else Status.INOPERATIVE
            pid = FIRST_PID - 2 * len(subsystems) if status is Status.ACTIVE else 0
            contact = {"contact": "-S"} if one in ("xcatd", "conserver") else {"contact": "-K"}
            subsystems[one] = Subsystem(group, status, pid, contact)
        machine.units = {
            one: Unit(UnitState.ACTIVE if it.status is Status.ACTIVE else UnitState.INACTIVE)
            for one, it in subsystems.items()
        }
        odm = {
            "inet0.hostname": name,
            "inet0.bootup_option": "no",
            "inet0.route": f"net,-hopcount,0,,0,{gateway}",
            f"{INTERFACE}.netaddr": own,
            f"{INTERFACE}.netmask": MASK,
            f"{INTERFACE}.state": "up",
            f"{INTERFACE}.netaddr6": "",
            f"{INTERFACE}.alias4": "",
        }
        host = AixHost(machine, odm, name, name, subsystems, INITTAB.splitlines(), delay_s=delay_s)
        if machine.crontab is None:
            machine.crontab = ""  # a file of its own, without a line
        if name == PRIMARY:
            host.nim, host.has_nim = dict(RESOURCES), True
            host.inittab += PRIMARYS_LINES.splitlines()
            if mode == "service_address":
                host.odm[f"{INTERFACE}.alias4"] = f"{SERVICE_ADDRESS},{MASK}"
        machine.aix = host
    if mode == "primary_address":
        site.machines[PRIMARY].addresses.pop(SERVICE_ADDRESS, None)
        site.moving = OWN_ADDRESSES[PRIMARY]
    site.pair.write(PRIMARY, Change("xcat.site", *("master", site.moving)), now)
    for name, attributes in IMAGES.items():
        site.pair.write(PRIMARY, Change("xcat.osimage", name, attributes), now)


def gateway_of(host: AixHost) -> str:
    """Return the default gateway as the ODM has it: the last field of the route (§3.3)."""
    return host.odm.get("inet0.route", "").rpartition(",")[2]
