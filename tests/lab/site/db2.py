"""The Db2 model across two lab hosts: real programs there, and a link that is the lab's own wire.

Owns one `Db2Pair`, ticked by the wall clock, and how the hosts' fate becomes its: power, freezing,
clocks, and the heartbeats which a `db2sysc` process on each host really sends to the other over
TCP. Cut the wire, drop the port or kill the process, and HADR is cut. MUST NOT know hamnd beyond
its demo's model, which obeys db2-hadr.md §13.

    db2 = Db2(lab)
    lab["mn2"].run("db2pd", "-d", "XCATDB", "-hadr")
    db2.pair.writable_nodes()           # two of them are a split-brain
"""

from __future__ import annotations

import contextlib
import math
import re
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hamnd.demo import db2_programs, executables
from hamnd.demo.db2_images import Files
from hamnd.demo.db2_model import Db2Pair, statements
from hamnd.demo.db2_node import Change, HostPower, NodeConfig, PairConfig
from tests.lab.site.hosts import Host, Lab, Process, wait_until
from tests.lab.site.names import CLUSTER, PRIMARY, STANDBY

OWNER = "xcatdb"
PORT = 51012
PROGRAM = Path(__file__).with_name("db2sysc.py")
FOLDER = "/opt/lab-db2"
SERVICES = "DB2_HADR_1 55001/tcp\nDB2_HADR_2 55002/tcp\n"
TICK_S = 0.02
WARM_UP_S = 30.0
"""How long the pair has been in PEER when it is made."""
SILENT_S = 0.5
"""Without a beat for so long, the model's link is cut in that direction."""
SLOW_S = 0.02
"""A link whose beats are younger than this counts as undelayed."""
REQUEST_BYTES_MAX = 4_194_304
_ADDRESS = re.compile(r" inet6? ([0-9a-f.:]+)/")
_SHIFT = re.compile(r"([+-][\d.]+)s")


class HostFiles(Files):
    """The files of the model's machines are those of the lab's hosts."""

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self.lab = lab

    def write(self, node: str, path: str, text: str) -> bool:
        """Write a file as the instance owner; False where its folder is not there."""
        done = self.lab[node].ask("su", OWNER, "-c", f"cat >{shlex.quote(path)}", stdin=text)
        return done.code == 0

    def read(self, node: str, path: str) -> str | None:
        """Return a file's text, or None where there is none."""
        try:
            return self.lab[node].path(path).read_text(errors="surrogateescape")
        except OSError:
            return None


class Db2:
    """The pair of one lab, in PEER when made. `config` changes all but the nodes' names."""

    def __init__(self, lab: Lab, config: PairConfig | None = None) -> None:
        self.lab = lab
        self._began = time.perf_counter()
        self._epoch = time.clock_gettime(time.CLOCK_REALTIME)
        base = config or PairConfig(hadr_timeout_s=5, peer_window_s=20, takeover_s=0.5)
        self.pair = Db2Pair(
            replace(
                base,
                primary=NodeConfig(PRIMARY, CLUSTER.address(PRIMARY), "DB2_HADR_1"),
                standby=NodeConfig(STANDBY, CLUSTER.address(STANDBY), "DB2_HADR_2"),
                instance=OWNER,
            ),
            self.now() - WARM_UP_S,
            HostFiles(lab),
        )
        self.pair.tick(self.now())
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._beats = {(PRIMARY, STANDBY): math.inf, (STANDBY, PRIMARY): math.inf}
        self._ages = dict.fromkeys(self._beats, 0.0)
        self._boots = {name: lab[name].pid for name in self.pair.nodes}
        self._instances: dict[str, Process] = {}
        self._killed: set[str] = set()
        given = lab.folder / "given"
        self._sockets = [self._serve_at(given / "db2.socket", self._answer_program)]
        self._sockets.append(self._serve_at(given / "db2sysc.socket", self._hear_instance))
        for name in self.pair.nodes:
            self._install(lab[name])
        self._spawn(self._follow)
        lab.on_down(self.close)
        wait_until(lambda: all(beat < math.inf for beat in self._beats.values()), "HADR beats")

    def now(self) -> float:
        """Return true time for the model; it never goes back."""
        return self._epoch + time.perf_counter() - self._began

    # What tests ask.

    def write(self, node: str, table: str, key: str, value: str = "") -> bool:
        """Commit one row on a node; False when that is not possible at this moment."""
        with self._lock:
            return self.pair.write(node, Change(table, key, value), self.now())

    def state(self, node: str) -> str:
        """Return a node's role and HADR state in one text, e.g. "PRIMARY PEER"."""
        with self._lock:
            self.pair.tick(self.now())
            one = self.pair.nodes[node]
            return f"{one.role.value} {one.state.value}"

    def lost(self, old: str, new: str) -> int:
        """Return how many committed rows exist on `old` only: the truth behind any verdict."""
        with self._lock:
            return self.pair.loss(old, new).rows

    def lost_over_s(self, old: str, new: str) -> float:
        """Return over how many seconds those rows were committed."""
        with self._lock:
            loss = self.pair.loss(old, new)
        if loss.first_at is None or loss.last_at is None:
            return 0.0
        return loss.last_at - loss.first_at

    def writable(self) -> tuple[str, ...]:
        """Return who accepts writes now; two names are a split-brain."""
        with self._lock:
            self.pair.tick(self.now())
            return self.pair.writable_nodes()

    # Hosts.

    def _install(self, host: Host) -> None:
        client = executables.CLIENT.format(socket="/lab/db2.socket", standby=host.name.encode())
        host.write(f"{FOLDER}/client.py", client)
        python = shlex.quote(sys.executable)
        for name in db2_programs.NAMES:
            call = f'exec {python} -ISE {FOLDER}/client.py {name} "$@"'
            host.write(f"/usr/local/bin/{name}", f"#!/bin/sh\n{call}\n", 0o755)
        host.run("useradd", "-m", "-s", "/bin/sh", OWNER)
        own = f"/home/{OWNER}/{OWNER}/NODE0000"
        host.write(f"{own}/SQL00001/SQLDBCONF", f"the configuration on {host.name}\n")
        host.write(f"{own}/SQL00001/LOGSTREAM0000/S0000017.LOG", f"the log of {host.name}\n")
        if self.pair.config.is_paired:
            host.run("sh", "-c", "cat >>/etc/services", stdin=SERVICES)
        host.run("chown", "-R", OWNER, f"/home/{OWNER}")

    def _start_instance(self, name: str) -> None:
        partner = next(other for other in self.pair.nodes if other != name)
        self._instances[name] = self.lab[name].start(
            *(sys.executable, "-I", str(PROGRAM), "/lab/db2sysc.socket", name, str(PORT)),
            CLUSTER.address(partner),
        )

    def _follow(self) -> None:
        """Bring the model into line with the hosts, and the hosts with it, again and again."""
        while not self._ended.wait(TICK_S):
            with self._lock:
                for name in self.pair.nodes:
                    self._follow_host(name)
                for source, target in self._beats:
                    self._follow_link(source, target)
                delay = max(self._ages.values())
                delay = delay if delay > SLOW_S else 0.0
                if abs(delay - self.pair.link.delay_s) > SLOW_S / 2:
                    self.pair.slow(delay, self.now())
                self.pair.tick(self.now())

    def _follow_host(self, name: str) -> None:
        host, node, now = self.lab[name], self.pair.nodes[name], self.now()
        instance = self._instances.get(name)
        if name in self._killed and node.instance_up:
            self._killed.discard(name)
            if not self.lab.wire.is_dark(name):
                self.pair.kill_process(name, now)  # its kernel tells the partner
        if not host.is_up or host.pid != self._boots[name]:
            if node.power is not HostPower.OFF:
                self.pair.kill_host(name, now)
            self._instances.pop(name, None)
        if not host.is_up:
            return
        if node.power is HostPower.OFF:
            self._boots[name] = host.pid
            self._killed.discard(name)
            self.pair.power_on(name, now)
        self._follow_freezing(host, now)
        shift = _SHIFT.match(host.environment.get("FAKETIME", ""))
        self.pair.set_skew(name, float(shift[1]) if shift else 0.0)
        if node.runs and node.instance_up and instance is None:
            self._start_instance(name)
        elif not node.instance_up and instance is not None:
            instance.popen.kill()
            self._instances.pop(name, None)

    def _follow_freezing(self, host: Host, now: float) -> None:
        power = self.pair.nodes[host.name].power
        with contextlib.suppress(OSError):
            is_frozen = "frozen 1" in (host.cgroup / "cgroup.events").read_text()
            if is_frozen and power is HostPower.UP:
                self.pair.freeze(host.name, now)
            elif not is_frozen and power is HostPower.FROZEN:
                self.pair.thaw(host.name, now)

    def _follow_link(self, source: str, target: str) -> None:
        """Cut the model's link where no beat arrives although both could send and hear it."""
        both_run = all(self.pair.nodes[one].runs for one in (source, target))
        both_up = all(self.pair.nodes[one].instance_up for one in (source, target))
        is_silent = time.perf_counter() - self._beats[source, target] > SILENT_S
        if not both_run or not both_up:
            self._beats[source, target] = time.perf_counter()  # patience begins when both are back
            self._ages[source, target] = 0.0
        elif is_silent:
            self.pair.cut(source, target, self.now())
        else:
            self.pair.link.cut.discard((source, target))

    # Sockets.

    def _serve_at(self, path: Path, serve: Callable[[socket.socket], None]) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen(64)

        def listen() -> None:
            while not self._ended.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self._spawn(serve, connection)

        self._spawn(listen)
        return listener

    def _hear_instance(self, connection: socket.socket) -> None:
        """Note each beat that an instance reports; its end is the instance's."""
        with connection, connection.makefile() as lines:
            name = lines.readline().strip()
            with self._lock:
                mine = self._instances.get(name)
            source = next((other for other in self.pair.nodes if other != name), "")
            with contextlib.suppress(OSError, ValueError):
                for line in lines:
                    self._beats[source, name] = time.perf_counter()
                    age = self._ages[source, name]
                    self._ages[source, name] = age + (float(line) - age) / 4
        with self._lock:
            if mine is not None and self._instances.get(name) is mine:  # not its successor
                self._killed.add(name)
                self._instances.pop(name, None)

    def _answer_program(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            with connection.makefile("rb") as file:
                size = int.from_bytes(file.read(4), "big")
                if not 0 < size <= REQUEST_BYTES_MAX:
                    return
                text = file.read(size).decode(errors="surrogateescape")
            tool, node, session, language, _, stdin, *argv = text.split("\0")
            out, code = self._run(node, (tool, *argv), stdin, session, language)
            body = out.encode(errors="surrogateescape")
            connection.sendall(b"o" + len(body).to_bytes(4, "big") + body)
            exit_code = str(code).encode()
            connection.sendall(b"x" + len(exit_code).to_bytes(4, "big") + exit_code)

    def _run(
        self, node: str, argv: tuple[str, ...], stdin: str, session: str, language: str
    ) -> tuple[str, int]:
        """Run one program, or a script of statements one by one with their exit codes OR-ed."""
        if argv[0] in ("db2gcf", "db2start"):
            try:
                hostname = self.lab[node].run("hostname").strip()
                addresses = _ADDRESS.findall(self.lab[node].run("ip", "-o", "addr", "show"))
            except RuntimeError as error:  # its host lost its power, and who asked went with it
                raise OSError(str(error)) from None
            with self._lock:
                self.pair.rename_host(node, hostname)
                self.pair.set_addresses(node, *addresses)
        only_options = all(word.startswith(("-", "+")) or "/" in word for word in argv[1:])
        calls = [argv]
        if argv[0] == "db2" and stdin and only_options:
            calls = list(statements(argv, stdin))
        text, code = "", 0
        for call in calls:
            with self._lock:
                reply = self.pair.run(node, call, self.now(), session, language)
            if reply.ticket is None:
                if self._ended.wait(None if reply.duration_s == math.inf else reply.duration_s):
                    raise OSError("the lab went down")
            else:
                while True:
                    with self._lock:
                        ended = self.pair.answer(reply.ticket, self.now())
                    if ended is not None:
                        reply = ended
                        break
                    if self._ended.wait(TICK_S):
                        raise OSError("the lab went down")
            text += reply.text
            code |= reply.exit_code
        return text, code

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """End the model and its sockets; the instances end with their hosts."""
        self._ended.set()
        with self._lock:
            instances = list(self._instances.values())
        for process in instances:
            process.popen.kill()
        for listener in self._sockets:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self._threads:
            thread.join(timeout=10)
