"""The line to the partner: one ssh connection that every command of a pull shares.

Owns the ssh processes. Must not know what a command is for. Everything started here lives in the
worker's session and ends with it.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from hamnd.dialects.rsync import Job, explain
from hamnd.dialects.shell import quote

SOCKET_BYTES_MAX = 80
"""ssh puts a name of its own behind the socket's while it makes it; 107 bytes are the most."""
CONNECT_S = 20.0
ANSWER_S = 60.0
SAID_BYTES_MAX = 16_384
ANSWER_BYTES_MAX = 1 << 20


class PullError(Exception):
    """The pull cannot go on; the message says why. `code` is the worker's exit code."""

    def __init__(self, sentence: str, code: int = 1, question: str = "") -> None:
        """Take the sentence, and the question where only the operator can answer it."""
        super().__init__(sentence)
        self.sentence, self.code, self.question = sentence, code, question


@dataclass(frozen=True, slots=True)
class Answer:
    """What a short command said."""

    code: int
    out: str
    err: str


class Line:
    """Runs commands on the partner over one connection; a context."""

    def __init__(self, job: Job) -> None:
        """Take the job; nothing is opened yet."""
        self._job = job
        socket = f"{job.folder}/ssh"
        self._socket = socket if len(socket.encode()) <= SOCKET_BYTES_MAX else ""
        self._shared: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._socket:
            Path(self._socket).unlink(missing_ok=True)
            options = ("-o", "ControlMaster=yes", "-o", f"ControlPath={self._socket}")
            self._shared = subprocess.Popen(
                (*self._job.ssh, *options, "-N", self._job.destination),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            self._await_shared(self._shared)
        return self

    def _await_shared(self, shared: subprocess.Popen[bytes]) -> None:
        pause = threading.Event()
        waited = 0.0
        while not Path(self._socket).exists():
            if shared.poll() is not None or waited > CONNECT_S:
                said = "" if shared.stderr is None else _bounded(shared.stderr)
                raise PullError(explain(255, said, self._job.partner))
            pause.wait(0.02)
            waited += 0.02

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shared is not None:
            self._shared.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._shared.wait(timeout=5)
            if self._shared.stderr is not None:
                self._shared.stderr.close()

    @property
    def ssh(self) -> tuple[str, ...]:
        """The ssh command up to the destination; over the shared connection where there is one."""
        shared = ("-o", f"ControlPath={self._socket}") if self._socket else ()
        return (*self._job.ssh, *shared)

    def command(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the local argv that runs `argv` there."""
        return (*self.ssh, self._job.destination, "LC_ALL=C " + quote(argv))

    def ask(self, script: str) -> Answer:
        """Run a short script there and return what it said. Raises PullError where ssh fails."""
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(
                    self.command(("sh", "-c", script)),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=said,
                )
            except OSError as error:
                raise PullError(f"ssh could not be started: {error}") from None
            assert process.stdout is not None
            limit = threading.Timer(ANSWER_S, process.kill)
            limit.daemon = True
            limit.start()
            with process, process.stdout as stream:
                out = stream.read(ANSWER_BYTES_MAX + 1)
                if len(out) > ANSWER_BYTES_MAX:
                    process.kill()
            limit.cancel()
            said.seek(0)
            err = _bounded(said)
        if len(out) > ANSWER_BYTES_MAX:
            raise PullError(f"{self._job.partner} answers without an end")
        if process.returncode == -signal.SIGKILL:
            raise PullError(f"{self._job.partner} did not answer within {ANSWER_S:g} s")
        if process.returncode == 255:
            raise PullError(explain(255, err, self._job.partner))
        return Answer(process.returncode, out.decode(errors="replace"), err)


def _bounded(stream: IO[bytes]) -> str:
    return stream.read(SAID_BYTES_MAX).decode(errors="replace")
