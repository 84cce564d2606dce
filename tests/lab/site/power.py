"""The lab's power controller: what its fence agents ask for happens to the hosts.

Owns the moods of the controller, its wiring and its login. The way to it goes over the network to
the host `bmc`, so that it can be cut off or die as any host can. MUST NOT know hamnd.

    power = Power(lab, Faults(lab))
    power.install("mn2")            # /usr/sbin/fence_lab and its ill-behaved sisters
    power.wiring["mn1"] = "sn1"     # somebody has swapped two cables
"""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import sys
import threading
from enum import StrEnum
from pathlib import Path

from tests.lab.site import powerd
from tests.lab.site.faults import Faults
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.names import CONTROLLER

USER = "admin"
READER = "reader"
PASSWORD = "only-in-the-lab"
AGENT = Path(__file__).with_name("fence_agent.py")
DAEMON = Path(__file__).with_name("powerd.py")
ALLOWED_TO_READ = ("status", "monitor", "list")


class Mood(StrEnum):
    """How a controller, or the agent that asks it, behaves."""

    HONEST = ""
    LIES = "lies"
    """It says off, and status off from then on; nothing happens."""
    HANGS = "hangs"
    """It takes the request and never answers."""
    CROSSED = "crossed"
    """It switches, and tells the status of, another host than the one on its label."""
    READONLY = "readonly"
    """It tells the status and refuses everything else."""


AGENTS = tuple(f"fence_lab{'_' if mood else ''}{mood}" for mood in Mood)


class Power:
    """The controller of one lab. `moods` has how it behaves for one plug; an agent's own counts
    first."""

    def __init__(self, lab: Lab, faults: Faults) -> None:
        self.lab = lab
        self.faults = faults
        self.moods: dict[str, Mood] = {}
        self.wiring: dict[str, str] = {}
        """What a plug really feeds, where that is not the host on its label."""
        self.crossed = "sn2"
        """What the agent of the crossed mood acts on."""
        self.asked: list[tuple[str, str]] = []
        """Every (verb, plug) that came in, for tests."""
        self._told_off: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(lab.folder / "power" / "socket"))
        self._socket.listen(32)
        self._threads: list[threading.Thread] = []
        self._begin(self._listen)
        lab.on_down(self.close)
        command = shlex.join([sys.executable, "-I", str(DAEMON), "/power/socket"])
        lab[CONTROLLER].enable("powerd", f"exec {command}\n")
        wait_until(lambda: lab[CONTROLLER].listens(powerd.PORT), "the power controller listens")

    def install(self, *hosts: str) -> None:
        """Put the fence agents into hosts, as a distribution's package would."""
        text = f"#!{sys.executable} -ISE\n{AGENT.read_text()}"
        for host in hosts:
            for agent in AGENTS:
                self.lab[host].write(f"/usr/sbin/{agent}", text, 0o755)

    def close(self) -> None:
        """End the controller; calls that hang end with it."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(timeout=30)

    def _begin(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._begin(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError, RuntimeError):
            with connection.makefile("rb") as file:
                request = json.loads(file.readline(65536))
            answer = self._answer(**{str(key): str(value) for key, value in request.items()})
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def _answer(
        self, action: str, plug: str, username: str, password: str, mood: str
    ) -> dict[str, str]:
        self.asked.append((action, plug))
        wanted = Mood(mood) if mood in set(Mood) else Mood.HONEST
        behaves = wanted or self.moods.get(plug, Mood.HONEST)
        if behaves is Mood.HANGS:
            self._ended.wait()
            return {"error": "the lab went down"}
        if username not in (USER, READER) or password != PASSWORD:
            return {"error": "Unable to connect/login to fencing device"}
        if action == "monitor":
            return {"code": "0"}
        if action == "list":
            return {"code": "0", "said": "\n".join(f"{one},{one}" for one in self.lab.hosts)}
        if plug not in self.lab.hosts:
            return {"error": "Unable to obtain correct plug status or plug is not available"}
        if action not in ALLOWED_TO_READ and Mood.READONLY in (behaves, self._right(username)):
            return {"error": "Failed to set power status: insufficient privilege level"}
        target = self.crossed if behaves is Mood.CROSSED else self.wiring.get(plug, plug)
        return self._switch(action, target, plug, behaves)

    def _right(self, username: str) -> Mood:
        return Mood.READONLY if username == READER else Mood.HONEST

    def _switch(self, action: str, target: str, plug: str, mood: Mood) -> dict[str, str]:
        with self._lock:
            if mood is Mood.LIES:
                if action == "off":
                    self._told_off.add(plug)
                elif action in ("on", "reboot"):
                    self._told_off.discard(plug)
            elif action == "off":
                self.faults.off(target)
            elif action == "on":
                self.faults.on(target, wait=False)
            elif action == "reboot":
                self.faults.off(target)
                self.faults.on(target, wait=False)
            is_on = self.lab[target].is_up
            if mood is Mood.LIES:
                is_on = is_on and plug not in self._told_off
        if action == "status":
            return {"code": "0" if is_on else "2", "said": f"Status: {'ON' if is_on else 'OFF'}"}
        done = {"off": "Powered OFF", "on": "Powered ON", "reboot": "Rebooted"}
        return {"code": "0", "said": f"Success: {done[action]}"}
