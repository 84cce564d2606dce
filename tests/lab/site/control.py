"""The words with which people drive a running lab: `off mn1`, `slow mn1 200`, `heal`.

Owns the verbs, their help and the unix socket through which another terminal gives them. MUST NOT
know how a fault is carried out (`faults`).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.lab.site.faults import Faults
from tests.lab.site.hosts import Lab
from tests.lab.site.power import Mood, Power
from tests.lab.site.wire import Delay

FOLDER = Path("/run/hamnd-lab")
LINE_BYTES_MAX = 65536


@dataclass(frozen=True, slots=True)
class Running:
    """A lab that is up, with what drives it."""

    lab: Lab
    faults: Faults
    power: Power


Verb = Callable[[Running, tuple[str, ...]], str]


def _host(running: Running, words: tuple[str, ...]) -> str:
    name = words[0] if words else ""
    if name not in running.lab.hosts:
        raise ValueError(f"which host? {', '.join(running.lab.hosts)}")
    return name


def _simple(method: str, sentence: str) -> Verb:
    def verb(running: Running, words: tuple[str, ...]) -> str:
        name = _host(running, words)
        getattr(running.faults, method)(name)
        return sentence.format(name)

    return verb


def _pair_cut(running: Running, _: tuple[str, ...]) -> str:
    running.faults.pair_cut()
    return "mn1 and mn2 have lost each other; everybody else reaches both"


def _one_way(running: Running, words: tuple[str, ...]) -> str:
    source, target = _host(running, words), _host(running, words[1:])
    running.faults.one_way_cut(source, target)
    return f"what {source} sends no longer reaches {target}"


def _slow(running: Running, words: tuple[str, ...]) -> str:
    name = _host(running, words)
    numbers = [float(word) for word in words[1:]] or [200.0]
    loss = numbers[1] if len(numbers) > 1 else 0.0
    running.faults.slow(name, Delay(numbers[0], numbers[0] / 10, loss))
    return f"{name}: {numbers[0]:g} ms each way, {loss:g} % lost"


def _clock(running: Running, words: tuple[str, ...]) -> str:
    name = _host(running, words)
    seconds = float(words[1]) if len(words) > 1 else 300.0
    running.faults.wrong_clock(name, seconds)
    return f"programs that start on {name} now read a clock that is {seconds:+g} s wrong"


def _read_only(running: Running, words: tuple[str, ...]) -> str:
    name = _host(running, words)
    folder = words[1] if len(words) > 1 else "/install"
    running.faults.read_only(name, folder)
    return f"{folder} on {name} is read-only"


def _unwritable(running: Running, words: tuple[str, ...]) -> str:
    name = _host(running, words)
    pattern = words[1] if len(words) > 1 else "hamnd --config"
    running.faults.unwritable(name, pattern)
    return f"what matches '{pattern}' on {name} can write no file"


def _kill(running: Running, words: tuple[str, ...]) -> str:
    name = _host(running, words)
    if len(words) < 2:
        raise ValueError("kill HOST PATTERN")
    running.faults.kill_process(name, words[1])
    return f"killed on {name}: {words[1]}"


def _fence(running: Running, words: tuple[str, ...]) -> str:
    name = _host(running, words)
    mood = words[1] if len(words) > 1 else "honest"
    if mood != "honest" and mood not in set(Mood):
        raise ValueError(f"which mood? honest, {', '.join(one for one in Mood if one)}")
    running.power.moods[name] = Mood("" if mood == "honest" else mood)
    return f"the controller is {mood} about {name}"


def _heal(running: Running, _: tuple[str, ...]) -> str:
    running.faults.heal()
    return "mended; hosts without power stay so (`on HOST`)"


def _show(running: Running, _: tuple[str, ...]) -> str:
    lines = [
        f"  {host.name:<5}{host.address:<14}{'up' if host.is_up else 'off'}" for host in running.lab
    ]
    broken = ", ".join(running.faults.present) or "nothing"
    return "\n".join([*lines, f"  broken: {broken}"])


VERBS: dict[str, tuple[str, Verb]] = {
    "off": ("HOST  take its power: silence", _simple("off", "{} has no power")),
    "on": ("HOST  power again, disk kept", _simple("on", "{} has booted")),
    "power-cycle": ("HOST  off and on", _simple("power_cycle", "{} has booted again")),
    "freeze": ("HOST  ping answers, nothing else", _simple("freeze", "{} hangs")),
    "thaw": ("HOST  it goes on", _simple("thaw", "{} goes on")),
    "kill": ("HOST PATTERN  kill processes", _kill),
    "cut": ("HOST  pull its cable", _simple("cut", "{} has no carrier")),
    "cut-silently": ("HOST  lose its frames", _simple("cut_silently", "{}: no frame passes")),
    "pair-cut": ("only the link between mn1 and mn2", _pair_cut),
    "one-way": ("FROM TO  one direction only", _one_way),
    "slow": ("HOST [MS [LOSS%]]  delay and lose", _slow),
    "clock": ("HOST [SECONDS]  a wrong clock", _clock),
    "disk-full": ("HOST  no block is free", _simple("disk_full", "the disk of {} is full")),
    "read-only": ("HOST [FOLDER]", _read_only),
    "unwritable": ("HOST [PATTERN]  its writes into files fail, hamnd's by default", _unwritable),
    "dns-gone": ("HOST  no name resolves", _simple("dns_gone", "{} resolves nothing")),
    "sshd-gone": ("HOST  no sshd", _simple("sshd_gone", "{} refuses ssh")),
    "host-key": ("HOST  a host key nobody knows", _simple("wrong_host_key", "{}: foreign key")),
    "fence": ("HOST [honest|lies|hangs|crossed|readonly]", _fence),
    "heal": ("mend everything but dead hosts", _heal),
    "show": ("who is up, what is broken", _show),
}


def usage() -> str:
    """Return every verb with its words."""
    lines = [f"  {verb:<14}{text}" for verb, (text, _) in VERBS.items()]
    return "\n".join(["  sh            HOST [COMMAND]  a prompt there", *lines])


def carry_out(running: Running, words: tuple[str, ...]) -> str:
    """Carry out one verb and say what it did, or why it did not."""
    verb, *rest = words
    if verb not in VERBS:
        return f"no verb '{verb}'\n{usage()}"
    try:
        return VERBS[verb][1](running, tuple(rest))
    except (ValueError, RuntimeError, TimeoutError, OSError) as error:
        return f"{verb}: {error}"


def shell(lab: Lab, words: tuple[str, ...]) -> list[str]:
    """Return the command line of a prompt, or of a command, inside a host. Raises ValueError."""
    if not words or words[0] not in lab.hosts:
        raise ValueError(f"sh HOST [COMMAND]; hosts: {', '.join(lab.hosts)}")
    name = words[0]
    argv = ["bash", "-c", " ".join(words[1:])] if words[1:] else ["bash", "-i"]
    return lab[name].command(argv, environment={"PS1": f"{name}:\\w# "})


class Control:
    """The socket through which other terminals drive this lab, the newest lab first."""

    def __init__(self, running: Running) -> None:
        self._running = running
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        self.path = FOLDER / f"{os.getpid()}.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self.path))
        self._socket.listen(8)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        running.lab.on_down(self.close)

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)
        self._thread.join(timeout=30)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, ValueError):
                with connection.makefile("rb") as file:
                    words = tuple(str(word) for word in json.loads(file.readline(LINE_BYTES_MAX)))
                connection.sendall(json.dumps(self._answer(words)).encode() + b"\n")

    def _answer(self, words: tuple[str, ...]) -> dict[str, object]:
        if words[:1] != ("sh",):
            return {"said": carry_out(self._running, words or ("show",))}
        try:
            return {"run": shell(self._running.lab, words[1:])}
        except ValueError as error:
            return {"said": str(error)}


def ask(words: tuple[str, ...]) -> dict[str, object] | None:
    """Give words to the newest running lab and return its answer; None when there is none."""
    sockets = sorted(FOLDER.glob("*.sock"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in sockets:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(str(path))
            except OSError:
                path.unlink(missing_ok=True)  # its lab was killed
                continue
            connection.sendall(json.dumps(words).encode() + b"\n")
            with connection.makefile() as answer:
                result: dict[str, object] = json.loads(answer.readline())
            return result
    return None
