"""A world of canned answers around the engine: what each look finds and each action does.

Owns one small truth (who is alive, what the databases say, which services run) and the texts of the
tools that tell it. Must not know time nor the engine: `story` asks and delivers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hamnd.dialects.editing import edited
from hamnd.dialects.processes import PROCESSES
from hamnd.model.names import Probe
from hamnd.model.plan import HOME
from hamnd.model.site import Site
from hamnd.model.work import (
    Action,
    Edit,
    Exec,
    Fence,
    FenceStatus,
    Look,
    Pull,
    Reach,
    Read,
    Spread,
    Swap,
)
from tests.unit.core.builders import ALIVE, DEAD, WALL, XCATD_GOOD
from tests.unit.core.over_there import NOBODY, OverThere

CRONTAB = "*/30 * * * * /usr/bin/rsync -a root@aixmn1:/etc/xcat/ /etc/xcat/\n"

DB2PD = """
Database Member 0 -- Database XCATDB -- {header} -- Up 1 days {up} -- Date 2026-11-22-03.00.00.000000

                            HADR_ROLE = {role}
                          REPLAY_TYPE = PHYSICAL
                        HADR_SYNCMODE = {mode}
                           STANDBY_ID = 0
                        LOG_STREAM_ID = 0
                           HADR_STATE = {state}
                           HADR_FLAGS = {flags}
                  PRIMARY_MEMBER_HOST = aixmn1
                  STANDBY_MEMBER_HOST = aixmn2
                  HADR_CONNECT_STATUS = {connect}
             HADR_CONNECT_STATUS_TIME = 11/22/2026 01:00:00.000000 ({since})
            PRIMARY_LOG_FILE,PAGE,POS = S0000017.LOG, 52, {primary}
            STANDBY_LOG_FILE,PAGE,POS = S0000017.LOG, 52, {received}
     STANDBY_REPLAY_LOG_FILE,PAGE,POS = S0000017.LOG, 52, {received}
                 PEER_WINDOW(seconds) = 120
                      PEER_WINDOW_END = {window}
             READS_ON_STANDBY_ENABLED = N
"""  # noqa: E501 - a tool's own line

HERE = "aixmn2"


def _is_graceful(argv: tuple[str, ...]) -> bool:
    told = " ".join(argv)
    return "takeover" in told and "force" not in told


NOT_ACTIVATED = (
    "Database XCATDB not activated on database member 0 or this database name"
    " cannot be found in the local database directory.\n"
)

DB_CFG = " HADR database role                                      = {role}\n"

Answer = tuple[int | None, str]
"""Exit code (None: no answer) and what was printed."""


@dataclass
class Database:
    """What db2pd of this node shows; `at_s` is the moment of the story."""

    role: str = "STANDBY"
    state: str = "PEER"
    connect: str = "CONNECTED"
    mode: str = "NEARSYNC"
    flags: str = "TCP_PROTOCOL"
    primary: int = 321_584_272
    received: int = 321_584_272
    window_end_s: float | None = 120.0
    """Seconds of the story at which the peer window ends; frozen once the link is lost."""
    window_s: float = 120.0
    since_s: float = -7_200.0
    is_frozen: bool = False
    readable: bool = True
    is_down: bool = False
    """Not activated since its host was rebooted."""

    def text(self, at_s: float) -> str:
        """What db2pd prints; a live connection moves the window along with its heartbeats."""
        if self.is_down:
            return NOT_ACTIVATED
        if not self.is_frozen and self.connect == "CONNECTED" and self.role == "STANDBY":
            self.window_end_s = at_s // 10 * 10 + self.window_s
        window = "0"
        if self.window_end_s is not None:
            window = f"11/22/2026 03:00:00.000000 ({int(WALL + self.window_end_s)})"
        up_s = int(max(0.0, at_s)) + 3_600
        up = f"{up_s // 3600:02d}:{up_s // 60 % 60:02d}:{up_s % 60:02d}"
        return DB2PD.format(
            header="Standby" if self.role == "STANDBY" else "Active",
            up=up,
            role=self.role,
            mode=self.mode,
            state=self.state,
            flags=self.flags,
            connect=self.connect,
            since=int(WALL + self.since_s),
            primary=self.primary,
            received=self.received,
            window=window,
        )


SERVED = "xcatmn. 86400 IN A 9.114.47.110\n"
NO_PROBE = "Error: Could not find an object named 'hamndprobe' of type 'node'."
BAD: Mapping[str, Answer] = {
    "linux.address_free": (
        1,
        "Unicast reply from 9.114.47.110\nSent 2 probes\nReceived 1 response(s)",
    ),
    "linux.name_resolves": (0, "status: NXDOMAIN\n"),
    "linux.unit_waiting": (0, "enabled\n"),
    "jobs.nothing_writes": (0, "7 rsync -a root@aixmn1:/install/ /install/\n"),
    "xcat.probe_present": (1, NO_PROBE),
    "xcat.probe_absent": (0, "Object name: hamndprobe\n    groups=hamndprobe\n"),
    "db2.selects": (4, 'SQL1776N  The command is not supported. Reason code = "1".'),
    "db2.role_primary": (0, Database().text(0.0)),
    "db2.cfg_standby": (0, DB_CFG.format(role="STANDARD")),
}
"""What a tool says when what a look expects is certainly not so."""


SHIELD = "ip saddr 9.114.47.103 tcp dport { 3001 } reject with tcp reset\n"


@dataclass
class World:
    """The truth that looks find and actions change."""

    probes: dict[Probe, str] = field(default_factory=lambda: dict(ALIVE))
    witnesses: dict[str, str] = field(default_factory=dict)
    """reaches | silent | dumb, by name; silent like the primary where nothing is said."""
    fence: str = "on"
    """on | off | fails | unreadable (it answers, but does not know)"""
    fence_lies: bool = False
    """Switching off reports success and changes nothing."""
    database: Database = field(default_factory=Database)
    partner: str = "good"
    """good | down | dumb | standby: what the partner's own db2pd says over ssh."""
    skew_s: float | None = 0.2
    crontabs: dict[str | None, str] = field(default_factory=lambda: {None: CRONTAB})
    processes: str = ""
    """Lines of ps besides init's."""
    running: set[str] = field(default_factory=set)
    """Services that run here: xcatd, dns, dhcp, consoles."""
    there: OverThere = field(default_factory=OverThere)
    has_address: bool = False
    epochs: dict[str, str] = field(default_factory=dict)
    """The line that each host keeps of the epoch."""
    boots: dict[str, str] = field(default_factory=dict)
    """Each host's present boot, where it matters."""
    runs: dict[str, str] = field(default_factory=dict)
    """The line that each host keeps of the plan that is on there."""
    takeovers: dict[str, str] = field(default_factory=dict)
    """The line that each host keeps of the latest takeover of the pair."""
    has_probe: bool = False
    has_test_node: bool = False
    """Whether the node of a setup's test is defined; both databases have it."""
    hook: str = "done"
    """done | fails | hangs: what the site's own program does."""
    actions: dict[str, str] = field(default_factory=dict)
    """done (default) | fails | refused (by Db2, for good) | lost | hangs, by step."""
    looks: dict[str, str] = field(default_factory=dict)
    """true | bad | unknown, by reader: instead of what is so."""

    @property
    def is_primary_alive(self) -> bool:
        """Whether somebody is there to answer over ssh."""
        return self.probes[Probe.SSH_BANNER] != "silent"

    def die(self) -> None:
        """The primary loses its power; nobody but Db2's time-out notices."""
        self.probes = dict(DEAD)
        self.partner = "dumb"
        self.database.is_frozen = True
        self.boots["aixmn1"] = "boot-later"

    def freeze(self) -> None:
        """Its kernel answers, nothing else does."""
        self.die()
        del self.boots["aixmn1"]
        self.probes |= {Probe.PING: "answers", Probe.TCP: "answers"}

    def come_back(self) -> None:
        """The primary answers as if nothing had been."""
        self.probes = dict(ALIVE)
        self.partner = "good"

    def reboot_here(self) -> None:
        """This node loses its power and boots: nothing that was started is there any more."""
        self.running.clear()
        self.has_address = False
        self.database.is_down = True

    def lose_link(self, at_s: float) -> None:
        """Db2 notices that its partner is gone."""
        here = self.database
        here.state, here.connect = "DISCONNECTED_PEER", "DISCONNECTED"
        here.since_s, here.is_frozen = at_s, True

    def end_window(self) -> None:
        """The peer window is over."""
        self.database.state = "REMOTE_CATCHUP_PENDING"

    # ---- looks ---------------------------------------------------------------------------------
    def look(self, look: Look, site: Site, at_s: float) -> Answer:
        """What a look finds."""
        word = self.looks.get(look.reads)
        if word == "unknown":
            return None, ""
        request = look.request
        if look.reads in ("epoch.told", "epoch.is_kept", "running.is_idle"):
            return self._epoch(look)
        if isinstance(request, FenceStatus):
            return self._fence_status(request.verb)
        if isinstance(request, Reach):
            serving = self.running if self.has_address else self.there.running
            return (0, XCATD_GOOD) if "xcatd" in serving else (None, "refused")
        if isinstance(request, Exec) and request.host == site.partner.name:
            return self._over_there(look, request.host, at_s)
        if look.reads == "witness.reaches":
            return self._witness(look.arguments[0])
        if look.reads == "silence.silent_at":
            return 0, f"ping={int(not (self.there.has_address or self.has_address))}\nwhole\n"
        if look.reads == "reach.ping_silent":
            is_silent = self.probes[Probe.PING] == "silent"
            heard = "0 received" if is_silent else "1 received"
            return int(is_silent), f"1 packets transmitted, {heard}"
        is_third = isinstance(request, Exec) and request.host != HERE
        if is_third and self.there.has_address and not self.has_address:
            return self._mirrored(look, at_s)
        good, text = self._here(look, at_s)
        if word == "bad" or not good:
            return self._bad(look)
        return text

    def _fence_status(self, verb: str) -> Answer:
        if self.fence == "fails" or (self.fence == "unreadable" and verb == "status"):
            return 1, "Failed: Unable to obtain correct plug status or plug is not available"
        if verb == "monitor":
            return 0, ""
        return (2, "Status: OFF") if self.fence == "off" else (0, "Status: ON")

    def _epoch(self, look: Look) -> Answer:
        request = look.request
        if isinstance(request, Read):
            kept = self.epochs.get(request.host)
            return (1, "") if kept is None else (0, f"{kept}\n")
        assert isinstance(request, Exec)
        is_dumb = self.witnesses.get(request.host) == "dumb"
        return (None, "") if is_dumb else (0, self.told(request.host))

    def told(self, host: str) -> str:
        """What a host tells of the epoch it keeps."""
        kept, boot = self.epochs.get(host, "none"), self.boots.get(host, "boot-1")
        run, past = self.runs.get(host, ""), self.takeovers.get(host, "")
        return f"hamnd-epoch={kept}\nhamnd-boot={boot}\nhamnd-run={run}\nhamnd-takeover={past}\n"

    def _over_there(self, look: Look, host: str, at_s: float) -> Answer:
        reads = look.reads
        if not self.is_primary_alive:
            return None, ""
        if reads == "clock.epoch":
            now = f"{WALL + at_s + (self.skew_s or 0.0):.6f}\n"
            return (None, "") if self.skew_s is None else (0, now + self.told(host))
        if reads != "db2.hadr_readable":
            told = self.there.look(look, lambda role: Database(role=role).text(at_s))
            return self._mirrored(look, at_s) if told is None else told
        if self.partner == "good":
            return 0, Database(role=self.there.role).text(at_s)
        if self.partner == "down":
            return 0, NOT_ACTIVATED
        if self.partner == "standby":
            return 0, Database(state="REMOTE_CATCHUP_PENDING", connect="DISCONNECTED").text(at_s)
        return None, ""

    def _mirrored(self, look: Look, at_s: float) -> Answer:
        """What a way home looks at over there, as this node would be looked at."""
        there = self.there
        mirror = World(
            database=replace(self.database, role=there.role, state="PEER", connect="CONNECTED"),
            crontabs={},
            running=there.running,
            has_address=there.has_address,
            has_probe=self.has_probe,
            has_test_node=self.has_test_node,
        )
        good, text = mirror._here(look, at_s)
        return text if good else mirror._bad(look)

    def _witness(self, name: str) -> Answer:
        word = self.witnesses.get(name, "reaches" if self.is_primary_alive else "silent")
        if word == "dumb":
            return None, ""
        heard = "ok" if word == "reaches" else "no"
        return 0, f"ping={heard}\nbanner={heard}\nxcatd={heard}\ndone=ok\n{self.told(name)}"

    def _here(self, look: Look, at_s: float) -> tuple[bool, Answer]:
        """Whether what a look expects of this node is so, and the text that says it."""
        kind, _, what = look.reads.partition(".")
        match kind:
            case "db2":
                return self._db2(what, at_s)
            case "jobs" | "processes" | "cronfiles":
                return self._jobs(what, look)
            case "linux":
                return self._linux(what, look)
            case "serving":
                return "dns" in self.running or what == "can_ask", (0, SERVED)
            case "xcat":
                return self._xcat(what, look.arguments)
            case "shielding":
                return "shield" in self.running or what == "can_filter", (0, SHIELD)
            case _:
                return True, (0, "1 packets transmitted, 1 received" if kind == "reach" else "")

    def _db2(self, what: str, at_s: float) -> tuple[bool, Answer]:
        role = self.database.role
        if not self.database.readable:
            return True, (None, "")
        if what in ("cfg_readable", "cfg_standby"):
            return True, (0, DB_CFG.format(role=role))
        if what == "nobody_connected":
            return True, (2, NOBODY)
        if what == "selects":
            return role == "PRIMARY" and not self.database.is_down, (0, "1\n")
        return True, (0, self.database.text(at_s))

    def _jobs(self, what: str, look: Look) -> tuple[bool, Answer]:
        request = look.request
        if what.startswith("crontab") and isinstance(request, Exec):
            user = request.argv[2] if "-u" in request.argv else None
            return True, (0, self.crontabs.get(user, ""))
        if isinstance(request, Exec) and request.argv == PROCESSES:
            return True, (0, "1 /sbin/init\n" + self.processes)
        return True, (0, "")

    def _linux(self, what: str, look: Look) -> tuple[bool, Answer]:
        if what in ("any_active", "none_active"):
            units = look.arguments
            words = ["active" if self._unit(unit) in self.running else "inactive" for unit in units]
            return True, (0, "\n".join(words))
        if what == "disabled_each":
            return True, (0, "whole\n")
        if what == "unit_waiting":
            return True, (0, "disabled\n")
        if what == "links":
            return True, (0, "2: en1: <UP> mtu 1500 \\    link/ether 52:54:00:2f:00:68 brd ff\n")
        if what == "address_free":
            return not self.has_address, (0, "Sent 2 probes\nReceived 0 response(s)\n")
        if what == "name_resolves":
            text = "status: NOERROR\nxcatmn. 86400 IN A 9.114.47.110\n"
            return "dns" in self.running, (0, text)
        text = "2: en1    inet 9.114.47.104/26 brd + scope global en1\n"
        if self.has_address:
            text += "2: en1    inet 9.114.47.110/26 scope global secondary en1\n"
        return True, (0, text)

    @staticmethod
    def _unit(unit: str) -> str:
        names = {"named": "dns", "dhcpd": "dhcp", "conserver": "consoles"}
        return names.get(unit, unit)

    def _xcat(self, what: str, names: tuple[str, ...]) -> tuple[bool, Answer]:
        if "xcatd" not in self.running:
            return False, (111, "")
        name, is_there = "hamndprobe", self.has_probe
        if names == ("hamndtest",):
            name, is_there = "hamndtest", self.has_test_node
        match what:
            case "answers":
                return True, (0, "Version 2.17.0 (git commit abcdef0, built today)")
            case "site_master":
                return True, (0, "Object name: clustersite\n    master=9.114.47.110\n")
            case "probe_present":
                return is_there, (0, f"Object name: {name}\n    groups={name}\n")
            case "probe_absent":
                return not is_there, (1, f"Error: Could not find an object named '{name}'")
            case _:
                return True, (0, "")

    def _bad(self, look: Look) -> Answer:
        """A definite no."""
        units = {"linux.none_active": (0, "active"), "linux.any_active": (3, "failed")}
        if look.reads in units:
            code, word = units[look.reads]
            return code, "\n".join(word for _ in look.arguments)
        fallback = (111, "") if look.reads.startswith("xcat.") else (1, "it is not so")
        return BAD.get(look.reads, fallback)

    # ---- actions -------------------------------------------------------------------------------
    def act(self, step: str, action: Action) -> Answer:
        """Do an action of a step, and return what its program tells."""
        word = self.actions.get(step, "done")
        if action.reads in ("epoch.kept", "epoch.spread"):
            return self._keep_epoch(step, action)
        if word == "fails":
            return 1, "Error: it failed"
        if word == "refused":
            return 4, 'SQL1770N  Takeover HADR cannot complete. Reason code = "9".'
        if word != "hangs":
            self._change(step, action)
        if word in ("lost", "hangs"):
            return None, "lost"
        return self._done(action)

    def _keep_epoch(self, step: str, action: Action) -> Answer:
        """Write the epoch where it is not already a newer one."""
        word = self.actions.get(step, "done")
        if word in ("fails", "lost", "hangs"):
            return (1, "No space left on device") if word == "fails" else (None, "lost")
        request = action.request
        assert isinstance(request, Exec | Spread)
        hosts = request.hosts if isinstance(request, Spread) else (request.host,)
        number, owner, boot = request.argv[-3:]
        for host in hosts:
            if self.witnesses.get(host) != "dumb":
                here = self.boots.get(host, "boot-1") if boot == "here" else boot
                self.epochs[host] = f"{number} {owner} {here}"
        return 0, f"epoch {number} of {owner} is kept"

    def _change(self, step: str, action: Action) -> None:
        request = action.request
        if isinstance(request, Fence):
            self.power_off()
            return
        if isinstance(request, Edit):
            user = request.tells[2] if "-u" in request.tells else None
            self.crontabs[user] = edited(self.crontabs[user], request) or self.crontabs[user]
            return
        if isinstance(request, Swap | Pull | Spread):
            return
        if "hamndtest" in request.argv:
            self.has_test_node = "mkdef" in request.argv
            return
        if request.host != HERE:
            self.there.act(request)
            if step.startswith(HOME):
                self.there.serve(step.removeprefix(HOME), request.argv)
                self.has_probe = "mkdef" in request.argv
            self._exchange_back()
            return
        self._change_here(step.removeprefix("undo-"), request.argv)

    def _change_here(self, step: str, argv: tuple[str, ...]) -> None:
        match step:
            case "fence":
                self.power_off()
            case "promote" if _is_graceful(argv):
                self.database.role, self.there.role = "PRIMARY", "STANDBY"
            case "promote":
                self.database.role, self.database.state = "PRIMARY", "DISCONNECTED"
                self.database.connect, self.database.is_down = "DISCONNECTED", False
            case "identity" | "home-release" if "add" in argv:
                self.has_address = True
            case "identity" | "home-release" if "del" in argv:
                self.has_address = False
            case "home-stop" if "stop" in argv:
                self.running -= {self._unit(unit) for unit in argv}
            case "home-stop":
                self.running |= {self._unit(unit) for unit in argv[6:]}
            case "xcatd" if "mkdef" in argv:
                self.has_probe = True
            case "verify":
                self.has_probe = False
            case other:
                self.running.add(other)

    def _exchange_back(self) -> None:
        """What was changed over there is seen from here: its role, and whether its xcatd serves."""
        if self.there.role == "PRIMARY":
            self.database.role = "STANDBY"
        is_serving = "xcatd" in self.there.running
        self.probes = {**self.probes, Probe.XCATD: "answers" if is_serving else "refused"}

    def power_off(self) -> None:
        """The primary loses its power, and the controller tells so where it can."""
        if self.fence_lies:
            return
        self.die()
        if self.fence in ("on", "unreadable"):
            self.fence = "off"

    def _done(self, action: Action) -> Answer:
        texts: Mapping[str, Answer] = {
            "db2.taken_back": (0, "DB20000I  The TAKEOVER HADR ON DATABASE command completed."),
            "db2.forced": (0, "DB20000I  The FORCE APPLICATION command completed successfully."),
            "db2.activated": (0, "DB20000I  The ACTIVATE DATABASE command completed."),
            "db2.takeover_done": (0, "DB20000I  The TAKEOVER HADR ON DATABASE command completed."),
            "keeping.kept": (0, "kept\n"),
            "fence.off_done": (0, "Success: Powered OFF"),
            "fence.ssh_started": (0, "hamnd-fence: started\n"),
            "xcat.dns_made": (0, "DNS setup is completed\n"),
            "xcat.probe_absent": (1, "Error: Could not find an object named 'hamndprobe'"),
        }
        return texts.get(action.reads, (0, ""))
