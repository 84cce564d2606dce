"""Hosts made of namespaces, and the lab that holds them.

Owns the keeper (one process whose end ends everything), the hosts' namespaces, disks, cgroups and
keys, and how a program is run inside a host. MUST NOT know faults beyond power and freezing, nor
any server but sshd.

The keeper is process 1 of a mount, network and pid namespace of its own, and holds the disks (one
tmpfs per host) and the bridges. Each host is a nested set of namespaces whose root is an overlay on
the machine's own `/`: every installed program is there, every change is the host's own and stays
over a power cut. The keeper ends when this process does, however that ends.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.lab.site import keys
from tests.lab.site.names import (
    CLUSTER,
    CONTROLLER,
    DOMAIN,
    GATEWAY,
    SERVICE_NAME,
    Plan,
    hosts_file,
)
from tests.lab.site.needs import cgroup_root, missing
from tests.lab.site.wire import Wire

BOOT = Path(__file__).with_name("boot.sh")
BOOT_SYSTEMD = Path(__file__).with_name("boot_systemd.sh")
CHECKOUT = Path(__file__).resolve().parents[3]
PATH = "/opt/xcat/bin:/opt/xcat/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
READY_S = 20.0
END_S = 20.0
CGROUP = "hamnd-lab"
_TIMED_OUT = 124

SSHD_CONFIG = """\
Include /etc/ssh/lab.d/*.conf
Port 22
UsePAM no
UseDNS no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
PidFile /run/sshd.pid
MaxStartups 100
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""

KEEPER = """
mount --make-rprivate /
for host in $HOSTS; do
  mkdir -p "$LAB/disks/$host"
  mount -t tmpfs -o "size=${DISK_MB}m" tmpfs "$LAB/disks/$host"
done
echo ready
read -r _
"""

_numbers = itertools.count(1)
_pause = threading.Event()


@dataclass(frozen=True, slots=True)
class Done:
    """How a program inside a host ended; `timed_out`: it was killed after its limit."""

    code: int
    out: str
    err: str
    seconds: float
    timed_out: bool = False

    @property
    def text(self) -> str:
        """All it said."""
        return self.out + self.err


def wait_until(is_true: Callable[[], bool], what: str, limit_s: float = READY_S) -> float:
    """Wait for a condition and return the seconds it took. Raises TimeoutError naming it."""
    began = time.perf_counter()
    while not is_true():
        if time.perf_counter() - began > limit_s:
            raise TimeoutError(f"{what}: not within {limit_s:g} s")
        _pause.wait(0.01)
    return time.perf_counter() - began


def _child(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    return None


def _descendant(pid: int, generations: int, what: str) -> int:
    """Return the only child's only child … of a process that is just starting."""
    for _ in range(generations):
        wait_until(lambda parent=pid: _child(parent) is not None, what)  # type: ignore[misc]
        pid = _child(pid) or 0
    return pid


def _below(pid: int) -> Iterator[int]:
    """Yield a process's children, theirs, and so on; those that end meanwhile are left out."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from _below(int(child))


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


class Process:
    """A program that was started inside a host and goes on."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.popen = popen
        self.log = log

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.popen.poll() is None

    def text(self) -> str:
        """Return what it said so far."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """End it at once, and wait for its end."""
        self.popen.kill()
        self.popen.wait(timeout=END_S)


class Host:
    """One host of a lab: process 1, its files, programs run inside it."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.address = CLUSTER.address(name)
        self.pid = 0
        self.environment: dict[str, str] = {}
        """What every program started here gets besides; the wrong clock lives in it."""
        self._boot: subprocess.Popen[bytes] | None = None
        self._processes: list[Process] = []

    def __repr__(self) -> str:
        return f"Host({self.name})"

    @property
    def has_systemd(self) -> bool:
        """Whether its process 1 is a real systemd; else the lab's `systemctl` stands in."""
        return self.name in self.lab.plan.systemd

    @property
    def cgroup(self) -> Path:
        """The cgroup of all its processes."""
        return self.lab.cgroup / self.name

    @property
    def is_up(self) -> bool:
        """Whether its process 1 runs (frozen or not)."""
        return self._boot is not None and self._boot.poll() is None

    def path(self, inside: str) -> Path:
        """Return a file of this running host as seen from outside; absolute links mislead."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        """Write a file inside the host, folders included."""
        place = self.path(inside)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def listens(self, port: int) -> bool:
        """Whether something listens on a TCP port here, on whatever address (IPv4 or 6)."""
        ending = f":{port:04X}"
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if local.endswith(ending) and state == "0A":
                    return True
        return False

    def enable(self, name: str, script: str, start: bool = True) -> None:
        """Have a shell script run at every boot of this host, and now unless told otherwise."""
        place = f"/etc/lab/boot.d/{name}"
        self.write(place, f"#!/bin/sh\n{script}", 0o755)
        if start:
            self.run("sh", "-c", 'setsid "$1" >>/var/lab/boot.log 2>&1 </dev/null &', "now", place)

    def disable(self, name: str) -> None:
        """Take a script out of the boot again; what runs goes on."""
        self.path(f"/etc/lab/boot.d/{name}").unlink(missing_ok=True)

    # Power.

    def power_on(self) -> None:
        """Begin to boot; `wait_ready` waits for the end of that. The disk is as it was left."""
        if self.is_up:
            return
        self.cgroup.mkdir(exist_ok=True)
        lab = self.lab
        addresses = [f"{one.interface}={one.address(self.name)}/24" for one in lab.plan.networks]
        binds = " ".join(f"{source}:{target}" for source, target in lab.binds(self.name))
        boot = BOOT_SYSTEMD if self.has_systemd else BOOT
        inner = ["unshare", "-m", "-u", "-i", "-n", "-p", "--fork", "--kill-child"]
        inner += ["bash", str(boot), self.name, str(lab.folder / "disks" / self.name)]
        inner += [str(lab.folder / "given"), binds, *addresses]
        enter = ["nsenter", "-t", str(lab.keeper), "-m", "-n", "-p", *inner]
        with (lab.folder / f"{self.name}.log").open("ab") as log:
            self._boot = subprocess.Popen(
                _within(self.cgroup, enter),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={"PATH": PATH, "LANG": "C.UTF-8"},
            )
        self.pid = _descendant(self._boot.pid, 2, f"process 1 of {self.name}")
        try:
            lab.wire.plug(self.name, self.pid)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self.boot_log()}") from None
        if self.has_systemd:
            self.pid = self._find_systemd(self.pid)

    def _find_systemd(self, top: int) -> int:
        """Return the number of the real systemd below what boots it, once it is there."""
        found: list[int] = []

        def is_there() -> bool:
            if not self.is_up:
                raise RuntimeError(f"{self.name} died while booting:\n{self.boot_log()}")
            found[:] = [pid for pid in _below(top) if _name(pid) == "systemd"][:1]
            return bool(found)

        wait_until(is_there, f"systemd of {self.name}")
        return found[0]

    def wait_ready(self, limit_s: float = READY_S) -> None:
        """Wait until sshd listens. Raises TimeoutError with what the host's boot said."""
        ready = self.path("/run/lab/ready")

        def is_ready() -> bool:
            if not self.is_up:
                raise RuntimeError(f"{self.name} died while booting:\n{self.boot_log()}")
            return ready.exists()

        try:
            wait_until(is_ready, f"{self.name} is ready", limit_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.boot_log()}") from None

    def boot_log(self) -> str:
        """Return what its process 1 said since the lab began."""
        return (self.lab.folder / f"{self.name}.log").read_text(errors="replace")

    def end(self) -> None:
        """Kill all its processes at once. Alone this is no power cut: its kernel says goodbye."""
        _write(self.cgroup / "cgroup.kill", "1")
        if self._boot is not None:
            self._boot.wait(timeout=END_S)
            self._boot = None
        wait_until(self._is_dead, f"the end of {self.name}", END_S)
        for process in self._processes:
            process.popen.wait(timeout=END_S)
        self._processes.clear()
        _write(self.cgroup / "cgroup.freeze", "0")

    def _is_dead(self) -> bool:
        # Who was on the way in at the first kill came into a dead host, perhaps a frozen one.
        _write(self.cgroup / "cgroup.kill", "1")
        return _is_empty(self.cgroup)

    def freeze(self, is_frozen: bool = True) -> None:
        """Stop or continue every process; the kernel goes on answering ping and connections."""
        _write(self.cgroup / "cgroup.freeze", "1" if is_frozen else "0")
        wanted = f"frozen {int(is_frozen)}"
        events = self.cgroup / "cgroup.events"
        wait_until(lambda: wanted in events.read_text(), f"{self.name} {wanted}")

    # Programs.

    def command(
        self, argv: Sequence[str], user: str = "root", environment: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return the command line that runs `argv` in this host from outside."""
        variables = {"PATH": PATH, "LANG": "C.UTF-8", "TERM": os.environ.get("TERM", "dumb")}
        variables |= {"HOME": "/root" if user == "root" else "/tmp", "USER": user}
        variables |= self.environment | dict(environment or {})
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]
        # Its end is ours: killing the nsenter outside ends the program inside.
        limits = ["setpriv", "--pdeathsig", "KILL"]
        if user != "root":
            limits += ["--reuid", user, "--regid", user, "--init-groups"]
        enter += ["env", "-i", *(f"{key}={value}" for key, value in variables.items())]
        return _within(self.cgroup, [*enter, *limits, "--", *argv])

    def ask(
        self,
        *argv: str,
        stdin: str = "",
        timeout_s: float = 30.0,
        user: str = "root",
        environment: Mapping[str, str] | None = None,
    ) -> Done:
        """Run a program inside and return how it ended, killed after `timeout_s`."""
        began = time.perf_counter()
        popen = subprocess.Popen(
            self.command(argv, user, environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        timed_out = False
        try:
            out, err = popen.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            popen.kill()
            try:
                out, err = popen.communicate(timeout=1)
            except subprocess.TimeoutExpired:  # a grandchild holds on to our pipes
                out, err = "", ""
        finally:
            _close(popen)
        code = _TIMED_OUT if timed_out else popen.returncode
        return Done(code, out, err, time.perf_counter() - began, timed_out)

    def run(
        self,
        *argv: str,
        stdin: str = "",
        timeout_s: float = 30.0,
        user: str = "root",
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program inside and return its output. Raises RuntimeError unless it exits 0."""
        done = self.ask(*argv, stdin=stdin, timeout_s=timeout_s, user=user, environment=environment)
        if done.code != 0:
            why = f"no end within {timeout_s:g} s" if done.timed_out else f"exit {done.code}"
            raise RuntimeError(f"{self.name}: {' '.join(argv)}: {why}\n{done.text.strip()}")
        return done.out

    def start(
        self, *argv: str, user: str = "root", environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program inside that goes on until it ends, is killed, or its host dies."""
        log = self.lab.folder / f"{self.name}-{next(_numbers)}.out"
        with log.open("wb") as out:
            popen = subprocess.Popen(
                self.command(argv, user, environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(popen, log)
        self._processes.append(process)
        return process


class Lab:
    """Hosts on bridges of their own. Raises RuntimeError on entering where `missing()` says why."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self.name = f"{CGROUP}-{os.getpid()}-{next(_numbers)}"
        self.folder = Path()
        self.cgroup = Path()
        self.keeper = 0
        self.hosts: dict[str, Host] = {}
        self.wire = Wire(self.plan.networks, self._enter_network)
        self.private_binds: dict[str, list[tuple[str, str]]] = {}
        """More places for one host alone, by its name; set before it gets power."""
        self._process: subprocess.Popen[bytes] | None = None
        self._life: IO[bytes] | None = None
        self._closers: list[Callable[[], None]] = []

    def __getitem__(self, host: str) -> Host:
        return self.hosts[host]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts.values())

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def on_down(self, close: Callable[[], None]) -> None:
        """Have something ended when the lab goes down, before its hosts die; last one first."""
        self._closers.append(close)

    def binds(self, host: str) -> list[tuple[str, str]]:
        """Return the machine's places that a host sees: the checkout and this Python among them."""
        wanted = [*self.plan.binds, *self.private_binds.get(host, [])]
        if host == CONTROLLER:
            wanted.append((str(self.folder / "power"), "/power"))
        places = {CHECKOUT, Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()}
        # Sorted: a folder is bound before what lies in it.
        wanted += [(str(place), str(place)) for place in sorted(places) if not _is_seen(place)]
        return wanted

    def up(self) -> None:
        """Make everything and boot every host; returns when all are ready."""
        if reason := missing():
            raise RuntimeError(f"no lab here: {reason}")
        sweep()
        root = cgroup_root()
        assert root is not None
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.cgroup = root / self.name
        self.cgroup.mkdir()
        (self.folder / "power").mkdir()
        self._write_given()
        self._start_keeper()
        self.wire.make()
        for name in self.plan.hosts:
            self.hosts[name] = Host(self, name)
            self.hosts[name].power_on()
        for host in self:
            host.wait_ready()

    def _write_given(self) -> None:
        given = self.folder / "given"
        given.mkdir()
        (given / "hosts").write_text(hosts_file(self.plan))
        server = CLUSTER.address(SERVICE_NAME)
        options = "options timeout:2 attempts:1\n"
        (given / "resolv.conf").write_text(f"search {DOMAIN}\nnameserver {server}\n{options}")
        (given / "gateway").write_text(CLUSTER.address(GATEWAY) + "\n")
        (given / "ways").write_text("".join(f"{way}\n" for way in _ways()))
        (given / "sshd_config").write_text(SSHD_CONFIG)
        keys.write(given / "keys", self.plan)

    def _start_keeper(self) -> None:
        place = self.cgroup / "keeper"
        place.mkdir()
        argv = ["unshare", "-m", "-n", "-p", "--fork", "--kill-child", "bash", "-ec", KEEPER]
        self._process = subprocess.Popen(
            _within(place, argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={
                "PATH": PATH,
                "LAB": str(self.folder),
                "HOSTS": " ".join(self.plan.hosts),
                "DISK_MB": str(self.plan.disk_mb),
            },
        )
        # When this process dies, this pipe closes, the keeper ends, and everything with it.
        self._life = self._process.stdin
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            raise RuntimeError("the keeper of the lab did not start")
        self.keeper = _descendant(self._process.pid, 1, "the keeper")

    def _enter_network(self, argv: Sequence[str]) -> list[str]:
        place = self.cgroup / "keeper"
        return _within(place, ["nsenter", "-t", str(self.keeper), "-n", "--", *argv])

    def keep(self, *argv: str) -> None:
        """Run a command where the hosts' disks are mounted. Raises RuntimeError when it fails."""
        command = ["nsenter", "-t", str(self.keeper), "-m", "--", *argv]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")

    def down(self) -> None:
        """End everything; nothing of it stays on the machine. May be called twice."""
        while self._closers:
            self._closers.pop()()
        if self._process is not None:
            self.wire.close()
            for host in self:
                if host.is_up or host.cgroup.exists():
                    host.end()
            _write(self.cgroup / "cgroup.kill", "1")
            self._process.wait(timeout=END_S)
            for pipe in (self._life, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None
        if self.cgroup.name == self.name and self.cgroup.exists():
            _remove_cgroup(self.cgroup)
        if self.folder.name.startswith(self.name):
            shutil.rmtree(self.folder)
            self.folder = Path()
        self.hosts.clear()


def _is_seen(place: Path) -> bool:
    """Whether hosts see a place of the machine by themselves, through their overlay on `/`."""
    is_own = place.parts[1:2] in (("tmp",), ("run",), ("dev",))
    return not is_own and place.stat().st_dev == Path("/").stat().st_dev


def _ways() -> list[Path]:
    """Return the folders on the way to this Python and the checkout, from the top down."""
    ends = [CHECKOUT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve()]
    ways = {way for end in ends for way in end.parents if len(way.parts) > 1}
    # What is bound into the hosts gets its way there, for everybody, with it.
    return sorted(way for way in ways if _is_seen(way))


def sweep() -> None:
    """Remove cgroups and folders of labs whose process was killed; their hosts died with it."""
    root = cgroup_root()
    for place in root.glob(f"{CGROUP}-*-*") if root is not None else ():
        owner = place.name.split("-")[-2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            with contextlib.suppress(OSError, TimeoutError):
                _write(place / "cgroup.kill", "1")
                _remove_cgroup(place)
    for folder in Path(tempfile.gettempdir()).glob(f"{CGROUP}-*-*-*"):
        owner = folder.name.removeprefix(f"{CGROUP}-").split("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _remove_cgroup(place: Path) -> None:
    wait_until(lambda: _is_empty(place), f"no process is left in {place}", END_S)
    # A real systemd makes groups of its own below its host's: the deepest first.
    for folder, _, _ in os.walk(place, topdown=False):
        Path(folder).rmdir()


def _is_empty(cgroup: Path) -> bool:
    return "populated 0" in (cgroup / "cgroup.events").read_text()


def _within(cgroup: Path, argv: Sequence[str]) -> list[str]:
    script = 'echo $$ >"$0" && exec "$@"'
    return ["sh", "-c", script, str(cgroup / "cgroup.procs"), *argv]


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)


def _close(popen: subprocess.Popen[str]) -> None:
    for pipe in (popen.stdin, popen.stdout, popen.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    popen.wait(timeout=END_S)
