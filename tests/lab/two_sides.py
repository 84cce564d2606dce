"""Two sides of one path on this machine: a real sshd sees another tree at the same place.

Owns a mount namespace in which that place is another folder, the sshd in it, and running the worker
against it. For what needs no host: properties over random trees, and the benchmark.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hamnd.dialects import rsync
from hamnd.dialects.copying import read_facts
from hamnd.model.copying import CopyFacts
from hamnd.model.instant import Instant
from hamnd.model.work import Ending, Report

CHECKOUT = Path(__file__).resolve().parents[2]
SSHD = "/usr/sbin/sshd"
MOUNTED = """\
mount --bind "$1" "$2" && mkdir -p /run/sshd && sshd=$3 config=$4; shift 4
exec "$@" "$sshd" -D -e -f "$config" -o PidFile=none
"""
LIMIT_S = 10.0


@dataclass(slots=True)
class Sides:
    """The two trees: `there` is what the primary has at `place`, `here` what this node has."""

    root: Path
    port: int
    options: dict[str, object] = field(default_factory=dict)
    """What the job says besides."""
    pid: int = 0
    """The sshd, in the mount namespace of the other side."""

    @property
    def there(self) -> Path:
        return self.root / "there"

    @property
    def here(self) -> Path:
        return self.root / "place"

    @property
    def folder(self) -> Path:
        return self.root / "state"

    @property
    def ssh(self) -> list[str]:
        known = f"UserKnownHostsFile={self.root / 'known_hosts'}"
        options = ("BatchMode=yes", "StrictHostKeyChecking=yes", known, "LogLevel=ERROR")
        words = [word for one in options for word in ("-o", one)]
        return ["ssh", "-F", "none", "-p", str(self.port), "-i", str(self.root / "key"), *words]

    def over_there(self, script: str) -> None:
        """Do something in the other side's mount namespace, where programs can be hidden."""
        argv = ("nsenter", "-t", str(self.pid), "-m", "sh", "-euc", script)
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)

    def job(self, **changes: object) -> str:
        told: dict[str, object] = {
            "name": "install",
            "partner": "mn1",
            "folder": str(self.folder),
            "paths": [f"{self.here}/"],
            "exclude": [],
            "only": [],
            "known_paths": [],
            "compare": "changes",
            "is_dry": False,
            "may_delete_percent": 100.0,
            "bandwidth_kib": 0,
            "is_gentle": False,
            "whole_after_s": 1e9,
            "large_from": rsync.LARGE_FROM,
            "rsync": "rsync",
            "ssh": self.ssh,
            "destination": "root@127.0.0.1",
        }
        return json.dumps(told | self.options | changes)

    def pull(self, **changes: object) -> tuple[int, CopyFacts]:
        """Run the worker and return its exit code and what it told."""
        done = subprocess.run(
            (sys.executable, "-m", "hamnd.pulling"),
            input=self.job(**changes),
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
            check=False,
            timeout=7200,
        )
        moment = Instant(0.0, 0.0)
        report = Report(Ending.EXITED, moment, moment, done.returncode, done.stdout, done.stderr)
        facts = read_facts(report)
        assert facts.sentence, done.stdout + done.stderr
        return done.returncode, facts


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def two_sides(folder: Path | None = None, bound: tuple[str, ...] = ()) -> Iterator[Sides]:
    """Make both sides below a folder (or a temporary one) and take the sshd down in the end.

    `bound` is a command that starts the sshd with less than root may do.
    """
    with contextlib.ExitStack() as stack:
        root = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hs-")))
        sides = Sides(root, _free_port())
        for one in (sides.there, sides.here):
            one.mkdir(exist_ok=True)
        for name in ("key", "host_key"):
            argv = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name))
            subprocess.run(argv, check=True)
        kind, key, *_ = (root / "host_key.pub").read_text().split()
        (root / "known_hosts").write_text(f"[127.0.0.1]:{sides.port} {kind} {key}\n")
        (root / "sshd_config").write_text(
            f"Port {sides.port}\nListenAddress 127.0.0.1\nHostKey {root / 'host_key'}\n"
            f"AuthorizedKeysFile {root / 'key.pub'}\nUsePAM no\nUseDNS no\nStrictModes no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nMaxStartups 100\nMaxSessions 20\n"
            f"SetEnv HOME={root}\n"  # this machine's own .bashrc is nobody's business here
        )
        config = root / "sshd_config"
        argv = ("unshare", "-m", "--propagation", "private", "sh", "-c", MOUNTED, "sides")
        paths = (str(sides.there), str(sides.here), SSHD, str(config))
        log = stack.enter_context((root / "sshd.log").open("wb"))
        sshd = subprocess.Popen(
            (*argv, *paths, *bound), stdin=subprocess.DEVNULL, stderr=log, stdout=log
        )
        stack.callback(sshd.wait)
        stack.callback(sshd.kill)
        sides.pid = sshd.pid
        _wait_listening(sides.port, root / "sshd.log")
        yield sides


def _wait_listening(port: int, log: Path) -> None:
    pause = threading.Event()
    for _ in range(int(LIMIT_S / 0.02)):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        pause.wait(0.02)
    raise TimeoutError(log.read_text())


def missing() -> str:
    """Return why there are no two sides here, or nothing."""
    if os.geteuid() != 0:
        return "needs root, for a mount of its own"
    if not Path(SSHD).exists():
        return "needs openssh-server"
    return ""
