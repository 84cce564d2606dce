"""A place, a daemon and a hamnctl for each test."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.model.instant import Instant
from tests.unit.cli.fake_daemon import FakeDaemon, serving
from tests.unit.views.journal_entries import night

LIMIT_S = 30
INTERRUPT = "^C"


@dataclass(frozen=True)
class Ended:
    """How a call of hamnctl ended."""

    code: int
    out: str
    err: str


@dataclass
class Hamnctl:
    """The real program, as a process of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    def surroundings(self) -> dict[str, str]:
        """A plain environment that leads to this test's socket and journal."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "HAMND_SOCKET": str(self.socket),
            "HAMND_STATE_DIR": str(self.folder),
            **self.environment,
        }

    def write_journal(self, until: str = "examined") -> None:
        """Write the night's records with the daemon's own adapter."""
        settings = JournalSettings(self.folder, "boot-1", None, 0)
        lock = StateLock(settings)
        journal = SqliteJournal(settings, lock)
        for entry in night(until=until):
            journal.append((entry.record,), None, Instant(entry.monotonic_s, entry.wall_s))
        journal.close()
        lock.release()

    def __call__(self, *arguments: str, stdin: str | bytes = "") -> Ended:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-m", "hamnd.cli.main", *arguments],
            input=content,
            capture_output=True,
            env=self.surroundings(),
            timeout=LIMIT_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def in_terminal(
    hamnctl: Hamnctl, *arguments: str, typed: str = "", after: str = ""
) -> tuple[int, str]:
    """Run hamnctl on a terminal of its own and return exit code and what was drawn.

    `typed` is typed once `after` was drawn.
    """
    parent, child = pty.openpty()
    environment = {"TERM": "xterm-256color", **hamnctl.surroundings()}
    process = subprocess.Popen(
        [sys.executable, "-m", "hamnd.cli.main", *arguments],
        stdin=child, stdout=child, stderr=child, env=environment,
    )  # fmt: skip
    os.close(child)
    drawn = b""
    while True:
        if typed and after.encode() in drawn:
            if typed != INTERRUPT:
                os.write(parent, typed.encode())
                typed = ""
            elif drawn.endswith(after.encode()):
                # Without a controlling terminal the key sends nothing. A signal between prompt
                # and read is only noticed with the next one, so it is repeated.
                process.send_signal(signal.SIGINT)
        if not select.select([parent], [], [], 0.2)[0]:
            continue
        try:
            piece = os.read(parent, 65536)
        except OSError:  # Linux ends a terminal so
            break
        if not piece:
            break
        drawn += piece
    os.close(parent)
    return process.wait(timeout=30), drawn.decode()


@pytest.fixture
def hamnctl() -> Iterator[Hamnctl]:
    """Paths of unix sockets are short: the folder is not pytest's own."""
    with tempfile.TemporaryDirectory(prefix="hctl") as folder:
        yield Hamnctl(Path(folder))


@pytest.fixture
def daemon(hamnctl: Hamnctl) -> Iterator[FakeDaemon]:
    with serving(hamnctl.socket) as values:
        yield values
