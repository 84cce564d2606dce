"""Runs of rsync: what they are given, what they tell while they go on, how they end.

Owns the process and the reading of its output, line by line. Must not decide what is copied.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from hamnd.dialects import rsync
from hamnd.dialects.rsync import Job
from hamnd.dialects.shell import quote, rsync_filter
from hamnd.pulling.line import Line, PullError

SAID_BYTES_MAX = 16_384
LINE_BYTES_MAX = 16_384
EXAMPLES_MAX = 20
TOLD_MAX = 100_000
PROGRESS_EVERY_S = 0.5
GENTLY = ("ionice", "-c", "3", "nice", "-n", "19")


@dataclass(slots=True)
class Tally:
    """What runs of rsync did, or would do."""

    created: int = 0
    changed: int = 0
    deleted: int = 0
    files: int = 0
    bytes: int = 0
    vanished: bool = False
    examples: list[str] = field(default_factory=list)
    told: set[str] | None = None
    """Where it is set, a name counts once however many runs tell it (up to TOLD_MAX names)."""

    def add(self, line: rsync.Line) -> None:
        """Count one change."""
        if self.told is not None:
            if line.name in self.told:
                return
            if len(self.told) < TOLD_MAX:
                self.told.add(line.name)
        if line.is_deletion:
            self.deleted += 1
        elif line.is_creation:
            self.created += 1
        else:
            self.changed += 1
        if line.is_file:
            self.files += 1
            self.bytes += line.length
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(line.name)

    def merge(self, other: Tally) -> None:
        """Add what another path did."""
        self.created += other.created
        self.changed += other.changed
        self.deleted += other.deleted
        self.files += other.files
        self.bytes += other.bytes
        self.vanished = self.vanished or other.vanished
        self.examples = [*self.examples, *other.examples][:EXAMPLES_MAX]

    @property
    def count(self) -> int:
        """How many entries differed."""
        return self.created + self.changed + self.deleted


class Meter:
    """Writes how far the pull is for whoever watches, not more often than anybody looks."""

    def __init__(self, folder: Path) -> None:
        """Take the set's folder."""
        self._file = folder / rsync.PROGRESS
        self._new = folder / f"{rsync.PROGRESS}.new"
        self._phase = ""
        self._at = 0.0
        self.files = self.bytes = 0
        self.files_total: int | None = None
        self.bytes_total: int | None = None

    def phase(self, words: str) -> None:
        """Begin a phase."""
        self._phase = words
        self._write()

    def total(self, files: int | None, bytes_: int | None) -> None:
        """Say how much there is to copy, where that is known."""
        self.files_total, self.bytes_total = files, bytes_

    def add(self, line: rsync.Line) -> None:
        """Count what came over."""
        if line.is_file:
            self.files += 1
            self.bytes += line.length
        if time.monotonic() - self._at > PROGRESS_EVERY_S:
            self._write()

    def _write(self) -> None:
        self._at = time.monotonic()
        told = {
            "phase": self._phase,
            "files": self.files,
            "files_total": self.files_total,
            "bytes": self.bytes,
            "bytes_total": self.bytes_total,
        }
        self._new.write_text(json.dumps(told))
        self._new.replace(self._file)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a pull works with, on both sides."""

    job: Job
    line: Line
    meter: Meter
    rsync_there: str
    is_gentle_here: bool = False
    is_gentle_there: bool = False

    def gently_here(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return a command of this node, out of everybody's way where the site wants that."""
        return (*GENTLY, *argv) if self.is_gentle_here else argv

    def gently_there(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return a command of the partner, likewise."""
        return (*GENTLY, *argv) if self.is_gentle_there else argv


@dataclass(frozen=True, slots=True)
class Run:
    """One run of rsync over one path: its options, and the names it is restricted to."""

    path: str
    options: tuple[str, ...]
    names: Path | None = None
    """NUL-ended names below the path; None: all of it."""
    is_dry: bool = False
    is_rough: bool = False
    """Some names may fail: what is counted is only a first look."""


def run(tools: Tools, one: Run, tally: Tally) -> None:
    """Run rsync once and add to the tally. Raises PullError unless it ended well."""
    argv = _argv(tools, one)
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
            )
        except OSError as error:
            raise PullError(f"{tools.job.rsync} could not be started here: {error}") from None
        assert process.stdout is not None
        with process.stdout as out:
            while text := out.readline(LINE_BYTES_MAX):
                line = rsync.read_line(text.decode(errors="replace"))
                if line is not None:
                    tally.add(line)
                    if not one.is_dry:
                        tools.meter.add(line)
        code = process.wait()
        if code == rsync.VANISHED:
            tally.vanished = True
        elif code == rsync.PARTIAL_TRANSFER and one.is_rough:
            return
        elif code != 0:
            said.seek(0)
            complaints = said.read(SAID_BYTES_MAX).decode(errors="replace")
            raise PullError(rsync.explain(code, complaints, tools.job.partner))


def _argv(tools: Tools, one: Run) -> tuple[str, ...]:
    job = tools.job
    there = tools.gently_there((tools.rsync_there,))
    inside = one.path.rstrip("/") + "/"
    left_out = (
        f"--exclude=/{rsync_filter(name.removeprefix(inside))}"
        for name in job.exclude
        if name.startswith(inside)
    )
    user, _, address = job.destination.rpartition("@")
    host = f"{user}@[{address}]" if ":" in address else job.destination
    source = inside if one.path.endswith("/") else one.path
    return (
        *tools.gently_here((job.rsync,)),
        *rsync.BASE,
        *one.options,
        *(("-n",) if one.is_dry else ()),
        *((f"--bwlimit={job.bandwidth_kib}",) if job.bandwidth_kib else ()),
        *left_out,
        *(f"--include=/{name}" for name in job.only),
        *(("--exclude=*",) if job.only else ()),
        f"--timeout={rsync.IO_TIMEOUT_S}",
        f"--out-format={rsync.FORMAT}",
        f"--rsync-path={quote(there)}",
        *(("--from0", f"--files-from={one.names}") if one.names is not None else ()),
        *("-e", quote(tools.line.ssh)),
        f"{host}:{source}",
        one.path,
    )
