"""The programs of the simulated machines: what they answer, how long they take, what they change.

Owns the reading of every argv that hamnd builds; one that it does not know is an error of the
test. Must not know why it is asked. Times, names and texts are those of real tools (lab.md,
xcat-hamn.md §4.4 and §9); what xCAT's own commands do is in `programs_xcat`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hamnd.demo.db2_node import Reply
from hamnd.demo.db2_texts import level
from hamnd.dialects.editing import edited
from hamnd.dialects.processes import fingerprint
from hamnd.model.work import Edit, Exec
from tests.sim import programs_xcat as xcat
from tests.sim.ground import (
    ADDRESSES,
    INTERFACE,
    PRIMARY,
    SERVICE_ADDRESS,
    SERVICE_NAME,
    STANDBY,
    UNITS,
    Ground,
    Xcatd,
)
from tests.sim.job import Job, Output, UnknownArgvError, at_once

DB2 = frozenset({"db2", "db2pd"})
ALWAYS = {
    "hamnd-programs": Output(),
    "hamnd-cfgloc": Output(stdout="DB2:XCATDB\n"),
    "hamnd-guard-there": Output(1),
    "hamnd-xcatprobe": Output(stdout="xcatprobe is not installed\n"),
    "hamnd-timers": Output(),
    "hamnd-crontabs": Output(),
    "hamnd-cronfiles": Output(),
    "hamnd-kept": Output(),
    "hamnd-software": Output(stdout="os rhel 8.8\nxcat xCAT-server 2.16.5-1\nend\n"),
    "hamnd-enabled": Output(stdout="whole\n"),
    "hamnd-acquaintance": Output(
        stdout="".join(f"name {name} {ADDRESSES[name]}\n" for name in (PRIMARY, STANDBY))
        + "ssh yes\nend\n"
    ),
    "hamnd-tables": Output(
        stdout=f'== site\n#key,value,comments,disable\n"master","{SERVICE_ADDRESS}",,\n== end\n'
    ),
}
"""What scripts answer that always find the same, on either machine."""
LINKS = (
    f"2: {INTERFACE}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP\\"
    "    link/ether 52:54:00:2f:00:68 brd ff:ff:ff:ff:ff:ff\n"
)


@dataclass(frozen=True, slots=True)
class Shell:
    """Starts programs on the machines of one site."""

    ground: Ground
    dice: random.Random
    haste: float = 1.0
    """Factor on every duration; 0 makes a site whose programs take no time."""

    def start(self, request: Exec, at: float, session: str) -> Job:
        """Start a program now. Raises UnknownArgvError."""
        words = request.argv
        if "hamnd-keep-epoch" in words:
            return Job(0.01, lambda _: self._keep_epoch(request.host, words[-3:]))
        if "hamnd-epoch" in words:
            return Job(0.005, lambda _: Output(stdout=self._told_epoch(request.host)))
        if "hamnd-clock" in words:
            return Job(0.005, lambda now: self._clock(request.host, now))
        if request.host in self.ground.witnesses:
            return self._on_witness(request.host, words)
        name = words[0].rpartition("/")[2]
        if name == "db2level":
            return at_once(Output(stdout=level("11.5", "xcatdb")), 0.3)
        if name in DB2:
            return self._db2(request.host, words, at, session)
        if name == "sh":
            return self._script(request, at, session)
        if request.host == PRIMARY:
            return self._on_primary(name, words)
        if request.host != STANDBY:
            raise UnknownArgvError(f"{request.host}: {words}")
        return self._on_standby(name, request)

    def _clock(self, host: str, now: float) -> Output:
        node = self.ground.pair.nodes[host]
        return Output(stdout=f"{node.clock(now):.9f}\n{self._told_epoch(host)}")

    # The epoch.

    def _told_epoch(self, host: str) -> str:
        ground = self.ground
        kept = ground.epochs.get(host, "none")
        return f"hamnd-epoch={kept}\nhamnd-boot={ground.boot_ids[host]}\nhamnd-run=\n"

    def _keep_epoch(self, host: str, words: Sequence[str]) -> Output:
        """Keep an epoch, never an older one than is kept, nor the same number of another node."""
        number, owner, boot = words
        kept, keeper, _ = self.ground.epochs.get(host, f"0 {owner} -").split()
        if int(kept) > int(number) or (int(kept) == int(number) and keeper != owner):
            return Output(3, f"a newer epoch is kept: {self.ground.epochs[host]}\n")
        boot = self.ground.boot_ids[host] if boot == "here" else boot
        self.ground.epochs[host] = f"{number} {owner} {boot}"
        return Output(stdout=f"epoch {number} of {owner} is kept\n")

    def read(self, host: str, path: str) -> Job:
        """Read a file as hamnd's own adapter does; the epoch is the only one."""
        if not path.endswith("/epoch"):
            raise UnknownArgvError(f"{host}: {path}")

        def finish(_: float) -> Output:
            kept = self.ground.epochs.get(host)
            if kept is None:
                return Output(1, stderr=f"{path}: No such file or directory")
            return Output(stdout=f"{kept}\n")

        return Job(0.001, finish)

    # Db2.

    def _db2(self, host: str, argv: Sequence[str], at: float, session: str) -> Job:
        reply = self.ground.pair.run(host, argv, at, session)
        if "takeover" in argv and "force" in argv:
            # A standby that is being promoted by force takes no connection of its old primary.
            self.ground.pair.nodes[host].reconnect_due = None
        return self._from_reply(reply)

    def _from_reply(self, reply: Reply) -> Job:
        ticket = reply.ticket
        if ticket is None:
            output = Output(reply.exit_code, reply.text)
            return Job(reply.duration_s * self.haste, lambda _: output, survives=True)

        def finish(now: float) -> Output | float:
            ended = self.ground.pair.answer(ticket, now)
            if ended is not None:
                return Output(ended.exit_code, ended.text)
            return max(now + 0.01, self.ground.pair.next_time())

        return Job(reply.duration_s, finish, survives=True)

    def _select_one(self, host: str, database: str, at: float, session: str) -> Job:
        """Connect, select and leave, as one shell does."""
        pair = self.ground.pair
        connect = self._from_reply(pair.run(host, ("db2", "connect", "to", database), at, session))

        def finish(now: float) -> Output | float:
            connected = connect.finish(now)
            if isinstance(connected, float) or connected.exit_code != 0:
                return connected
            selected = pair.run(host, ("db2", "-x", "select 1 from sysibm.sysdummy1"), now, session)
            pair.run(host, ("db2", "connect", "reset"), now, session)
            pair.end_session(host, session)
            return Output(selected.exit_code, selected.text)

        return Job(connect.seconds + 0.1 * self.haste, finish, survives=True)

    def _on_primary(self, name: str, words: Sequence[str]) -> Job:
        """What the platform looks at over there, in case that it is handed over to one day."""
        match name:
            case "ip" if tuple(words[1:]) == ("-o", "link", "show"):
                return at_once(Output(stdout=LINKS.replace("00:68", "00:67")))
            case "ip" if tuple(words[1:]) == ("-o", "addr", "show"):
                own = f"2: {INTERFACE}    inet {ADDRESSES[PRIMARY]}/26 scope global {INTERFACE}\n"
                return at_once(Output(stdout=own))
            case "crontab" if words[-1] == "-l":
                return at_once(Output(1, stderr="no crontab for root\n"))
            case "ps":
                return at_once(Output(stdout="1 /usr/lib/systemd/systemd\n"))
            case _:
                raise UnknownArgvError(f"{PRIMARY}: {words}")

    # Scripts.

    def _script(self, request: Exec, at: float, session: str) -> Job:
        argv = request.argv
        script = argv[2]
        mark = argv[3] if len(argv) > 3 else ""
        if "select 1 from sysibm" in script:
            return self._select_one(request.host, argv[4], at, session)
        if mark == "hamnd-fence" and request.host == PRIMARY:
            return self._end_primary()
        if mark in ALWAYS:
            return at_once(ALWAYS[mark])
        if request.host == STANDBY:
            if mark in ("hamnd-arm", "hamnd-keep", "hamnd-drop"):
                return Job(0.01, lambda now: self._watcher(mark, argv[4:], now))
            if mark == "hamnd-end":
                return Job(0.1, lambda _: self._end(argv[5]))
        raise UnknownArgvError(f"{request.host}: {argv}")

    def _watcher(self, mark: str, words: Sequence[str], now: float) -> Output:
        """What takes the address back unless it is kept; it lives on when hamnd does not."""
        ground = self.ground
        if mark == "hamnd-arm":
            ground.armed, ground.is_kept = now + float(words[1]), False
            return Output(0, "armed\n")
        if mark == "hamnd-keep" and ground.armed is None:
            told = "kept already" if ground.is_kept else "too late"
            return Output(0 if ground.is_kept else 3, f"{told}\n")
        ground.armed, ground.is_kept = None, mark == "hamnd-keep"
        return Output(0, "kept\n")

    def _end_primary(self) -> Job:
        """The kill over ssh: acknowledged at once, the machine dies some seconds later."""
        dies_after = self.dice.uniform(0.5, 12.0) * self.haste

        def finish(now: float) -> Output:
            self.ground.dying_at = now + dies_after
            return Output(stdout="hamnd-fence: started\n")

        return Job(0.05, finish)

    # The standby's own tools.

    def _on_standby(self, name: str, request: Exec) -> Job:
        words = request.argv[1:]
        match name:
            case "ping":
                return self._ping(words)
            case "ip":
                return self._ip(words)
            case "arping":
                return self._arping(words)
            case "dig":
                return Job(0.02, lambda _: self._dig(words))
            case "systemctl":
                return self._systemctl(words)
            case "crontab":
                return self._crontab(words)
            case "ps":
                return Job(0.02, lambda _: self._ps())
            case _:
                job = xcat.start(self.ground, STANDBY, request.argv, self.haste)
                if job is None:
                    raise UnknownArgvError(f"{request.host}: {request.argv}")
                return job

    def _ping(self, words: Sequence[str]) -> Job:
        target, ground = words[-1], self.ground
        limit_s = float(words[words.index("-w") + 1])
        source = words[words.index("-I") + 1] if "-I" in words else None
        if source is not None and not (source == SERVICE_ADDRESS and ground.holds[STANDBY]):
            return at_once(Output(2, stderr=f"ping: bind: Cannot assign address {source}\n"))
        host = next((name for name, address in ADDRESSES.items() if address == target), None)
        if host is None:
            raise UnknownArgvError(f"ping {target}")
        answered = ground.kernel_answers(STANDBY, host) and not ground.is_lost()
        head = f"PING {target} ({target}) 56(84) bytes of data.\n"
        if answered and ground.delay_s < limit_s:
            tail = "1 packets transmitted, 1 received, 0% packet loss, time 0ms\n"
            return at_once(Output(0, head + tail), 0.001 + ground.delay_s)
        tail = "1 packets transmitted, 0 received, 100% packet loss, time 0ms\n"
        return at_once(Output(1, head + tail), limit_s)

    def _ip(self, words: Sequence[str]) -> Job:
        if tuple(words) == ("-o", "link", "show"):
            return at_once(Output(stdout=LINKS))
        if tuple(words) == ("-o", "addr", "show"):
            return Job(0.005, lambda _: Output(stdout=self._addresses()))
        verb = tuple(words[:2])
        if verb not in (("addr", "add"), ("addr", "del")) or words[-1] != INTERFACE:
            raise UnknownArgvError(f"ip {words}")
        if words[2].partition("/")[0] != SERVICE_ADDRESS:
            raise UnknownArgvError(f"ip {words}")
        return Job(0.01, lambda _: self._move_address(verb[1] == "add"))

    def _move_address(self, add: bool) -> Output:
        holds = self.ground.holds
        if holds[STANDBY] is add:
            why = "File exists" if add else "Cannot assign requested address"
            return Output(2, stderr=f"RTNETLINK answers: {why}\n")
        holds[STANDBY] = add
        return Output()

    def _addresses(self) -> str:
        own = [("lo", "127.0.0.1", 8), (INTERFACE, ADDRESSES[STANDBY], 26)]
        if self.ground.holds[STANDBY]:
            own.append((INTERFACE, SERVICE_ADDRESS, 26))
        return "".join(
            f"{number}: {interface}    inet {address}/{prefix} scope global {interface}\\"
            "       valid_lft forever preferred_lft forever\n"
            for number, (interface, address, prefix) in enumerate(own, 1)
        )

    def _arping(self, words: Sequence[str]) -> Job:
        ground, target = self.ground, words[-1]
        if target != SERVICE_ADDRESS:
            raise UnknownArgvError(f"arping {words}")
        head = f"ARPING {target} from 0.0.0.0 {INTERFACE}\n"
        none = "Sent 2 probes (2 broadcast(s))\nReceived 0 response(s)\n"
        if "-U" in words:
            return at_once(Output(0, head + none), 1.0 * self.haste)
        answers = ground.holds[PRIMARY] and ground.kernel_answers(STANDBY, PRIMARY)
        if answers:
            reply = f"Unicast reply from {target} [52:54:00:2F:00:67]  0.712ms\n"
            one = "Sent 1 probes (1 broadcast(s))\nReceived 1 response(s)\n"
            return at_once(Output(1, head + reply + one), 0.02)
        return at_once(Output(0, head + none), 2.0 * self.haste)

    def _dig(self, words: Sequence[str]) -> Output:
        server, name = words[-3].removeprefix("@"), words[-2]
        services = self.ground.services
        here = server == SERVICE_ADDRESS and self.ground.holds[STANDBY]
        if not here or services.states["named"] != "active":
            return Output(9, ";; connection timed out; no servers could be reached\n")
        is_known = name == SERVICE_NAME and services.zone
        status = "NOERROR" if is_known else "NXDOMAIN"
        text = f";; ->>HEADER<<- opcode: QUERY, status: {status}, id: 4711\n"
        if is_known:
            text += f"\n;; ANSWER SECTION:\n{name}.\t\t3600\tIN\tA\t{SERVICE_ADDRESS}\n"
        return Output(0, text)

    def _systemctl(self, words: Sequence[str]) -> Job:
        verb, *units = words
        services = self.ground.services
        match verb:
            case "is-active":

                def look(_: float) -> Output:
                    states = [services.states.get(unit, "inactive") for unit in units]
                    code = 0 if "active" in states else 3
                    return Output(code, "".join(f"{state}\n" for state in states))

                return Job(0.01, look)
            case "is-enabled":
                known = all(unit in UNITS for unit in units)
                return at_once(Output(1, "disabled\n" if known else "not-found\n"))
            case "start":
                return self._start_unit(units[0])
            case "stop":
                return Job(0.3 * self.haste, lambda _: self._stop_units(units))
            case _:
                raise UnknownArgvError(f"systemctl {words}")

    def _start_unit(self, unit: str) -> Job:
        """Start a unit; xcatd comes up only when its database can be opened (§4.4)."""
        ground = self.ground
        if unit not in UNITS:
            raise UnknownArgvError(f"systemctl start {unit}")
        if unit == "xcatd" and ground.services.states[unit] != "active":
            ground.services.states[unit] = "activating"

        def finish(now: float) -> Output | float:
            if unit in ground.services.broken:
                ground.services.states[unit] = "failed"
                return Output(1, stderr=f"Job for {unit}.service failed.\n")
            if unit == "xcatd" and not ground.is_readable(STANDBY):
                return now + 0.5
            ground.set_unit(unit)
            return Output()

        return Job((3.0 if unit == "xcatd" else 0.4) * self.haste, finish, survives=True)

    def _stop_units(self, units: Sequence[str]) -> Output:
        states = self.ground.services.states
        missing = False
        for unit in units:
            missing = missing or unit not in states
            if unit in states:
                states[unit] = "inactive"
            if unit == "xcatd":
                self.ground.pair.set_load(STANDBY, 0.0, self.ground.now)
        return Output(5 if missing else 0, stderr="Unit not loaded.\n" if missing else "")

    def edit(self, request: Edit) -> Job:
        """Do what hamnd's own adapter does with crontab's two calls."""
        user = request.tells[2] if "-u" in request.tells else None
        crontabs = self.ground.services.crontabs

        def finish(_: float) -> Output:
            result = edited(crontabs[user] or "", request)
            if result is None:
                return Output(1, stderr="it has changed since the plan was made")
            crontabs[user] = result
            return Output()

        return Job(0.02, finish)

    def _crontab(self, words: Sequence[str]) -> Job:
        user = words[1] if words[0] == "-u" else None
        crontabs = self.ground.services.crontabs
        if user not in crontabs or words[-1] != "-l":
            raise UnknownArgvError(f"crontab {words}")

        def show(_: float) -> Output:
            text = crontabs[user]
            if text is None:
                return Output(1, stderr=f"no crontab for {user or 'root'}\n")
            return Output(stdout=text)

        return Job(0.005, show)

    def _end(self, sha256: str) -> Output:
        running = self.ground.services.running
        running[:] = [job for job in running if fingerprint(job) != sha256]
        return Output(stdout="ended with TERM\n")

    def _ps(self) -> Output:
        jobs = ["/usr/lib/systemd/systemd", "db2sysc 0", *self.ground.services.running]
        return Output(stdout="".join(f"{4000 + n} {job}\n" for n, job in enumerate(jobs)))

    # A service node.

    def _on_witness(self, witness: str, argv: Sequence[str]) -> Job:
        if argv[0] == "sh" and argv[3] == "hamnd-witness":
            return self._witness_sight(witness, argv)
        if argv[0] == "env" and "hamnd-clients" in argv:
            return at_once(Output(stdout="dig\n"))
        if argv[0] == "env" and "hamnd-dns" in argv:
            return Job(0.02, lambda _: self._dig((f"@{argv[-3]}", *argv[-2:])))
        if argv[0] == "env":
            job = xcat.start(self.ground, witness, argv, self.haste)
            if job is not None:
                return job
        raise UnknownArgvError(f"{witness}: {argv}")

    def _witness_sight(self, witness: str, argv: Sequence[str]) -> Job:
        if argv[4] != ADDRESSES[PRIMARY]:
            raise UnknownArgvError(f"{witness}: {argv}")
        limit_s, ground = float(argv[7]), self.ground
        ping = ground.kernel_answers(witness, PRIMARY) and not ground.is_lost()
        talks = ground.talks(witness, PRIMARY)
        banner = talks and not ground.is_lost()
        heard = talks and not ground.is_lost() and ground.xcatd is not Xcatd.HANGS
        if not heard:
            xcatd = "no"
        elif ground.xcatd is Xcatd.DOWN:
            xcatd = "refused"
        else:
            xcatd = "ok" if ground.is_readable(PRIMARY) else "failing"
        said = {"ping": "ok" if ping else "no", "banner": "ok" if banner else "no", "xcatd": xcatd}
        text = "".join(f"{test}={word}\n" for test, word in said.items()) + "done=ok\n"
        text += self._told_epoch(witness)
        is_slow = "no" in said.values()
        return at_once(Output(0, text), (limit_s + 1.2) if is_slow else 0.3)
