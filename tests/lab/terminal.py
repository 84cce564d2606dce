"""A terminal with a program at its prompt, and somebody who types.

Owns the pty: what is typed, and what came back until a prompt. Must not know what is typed.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.lab.site.hosts import wait_until

LIMIT_S = 120.0
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")


class Terminal:
    """One program on a terminal of its own; it is ended when this is left."""

    def __init__(
        self,
        argv: Sequence[str],
        prompt: str,
        environment: Mapping[str, str],
        folder: str = ".",
        farewell: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.prompt = prompt
        self._farewell = farewell
        self._text = ""
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            # It goes where its typist goes, even if that one is killed.
            ("setpriv", "--pdeathsig", farewell.name.removeprefix("SIG"), *argv),
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder,
            env={**environment, "TERM": "dumb", "COLUMNS": "100"}, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(self._farewell)
        try:
            self._process.wait(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)

    def read_until(self, text: str, limit_s: float = LIMIT_S) -> str:
        """Return all that came up to this text, and forget it. Raises TimeoutError with it."""
        try:
            wait_until(lambda: self._has(text), "", limit_s)
        except TimeoutError:
            raise TimeoutError(f"no {text!r} within {limit_s:g} s:\n{self._text}") from None
        found, _, self._text = self._text.partition(text)
        return found

    def _has(self, text: str) -> bool:
        if text not in self._text and select.select([self._ours], [], [], 0)[0]:
            try:
                more = os.read(self._ours, 65536)
            except OSError:  # the program has ended, and with it the other side
                raise TimeoutError from None
            self._text += ESCAPES.sub("", more.decode(errors="replace"))
        return text in self._text

    def write(self, line: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{line}\n".encode())

    def type(self, line: str, prompt: str = "") -> str:
        """Type a line at the prompt; return what it brought, up to the next prompt."""
        self.write(line)
        return self.read_until(prompt or self.prompt)

    def type_until(self, line: str, wanted: str, prompt: str = "") -> str:
        """Type a line again and again, as somebody who waits, until it brings these words."""
        said: list[str] = []

        def has_come() -> bool:
            said.append(self.type(line, prompt))
            return wanted in said[-1]

        try:
            wait_until(has_come, "", LIMIT_S)
        except TimeoutError:
            told = "\n...\n".join(dict.fromkeys((said[0], said[-1])))
            raise TimeoutError(f"{line}: no {wanted!r} within {LIMIT_S:g} s:\n{told}") from None
        return said[-1]
