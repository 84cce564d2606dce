"""Where hamnctl writes: documents as JSON, lines as text, colour on a terminal alone.

Owns standard output and error, widths, encodings and colours. Must not know what is said. Words
and marks always carry the meaning; colour repeats it. Without a terminal, with NO_COLOR or a dumb
terminal the same words come plain.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any

from hamnd.views.text import WIDTH, printable

WIDE = 120
NARROW = 40

RED, GREEN, YELLOW, CYAN, BOLD = "31", "32", "33", "36", "1"
MARK = re.compile(r"^(?P<before>[A-Z]{2,6} +| )(?P<mark>[*!?>-])(?= )")
ALARM = re.compile(
    r"\b(Do NOT|NOT READY|NOT KNOWN|NOT YET KNOWN|does NOT|DOWN|FROZEN|CUT OFF|PAUSED|REFUSED|"
    r"NOT LIVE|HAS RETURNED|is PRIMARY|INCOMPLETE|OLD:|EXPIRED|BLOCK|OVERRIDDEN|no way back|"
    r"not SERVE)"
)
CALM = re.compile(r"\b(and protects|protects it|READY: |DONE\.)")
LABEL = re.compile(r"^[A-Z]{2,6}(?= |$)")
MARK_COLOURS = {"*": GREEN, "!": RED, "?": YELLOW, ">": CYAN, "-": YELLOW}
PLAINER = str.maketrans({"·": "|", "§": "S", "–": "-", "—": "-", "…": "...", "≈": "~"})


class Screen:
    """Both outputs of one call of hamnctl."""

    def __init__(self, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        """Write to these, or to the process's own."""
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.as_json = False
        self.is_terminal = self.out.isatty()
        self.has_colour = self.is_terminal and _wants_colour()
        self.can_draw = self.is_terminal and os.environ.get("TERM", "dumb") != "dumb"
        """Whether the cursor can be moved."""
        columns = _columns(self.out) if self.is_terminal else WIDTH
        self.width = max(NARROW, min(columns, WIDTH))
        self.wide = max(NARROW, min(columns, WIDE))

    def show(self, document: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Print the document with --json, its lines otherwise."""
        if self.as_json:
            self.document(document)
        else:
            self.say(lines)

    def document(self, document: Mapping[str, Any]) -> None:
        """Print one JSON document."""
        print(json.dumps(document, ensure_ascii=True), file=self.out)

    def say(self, lines: Iterable[str]) -> None:
        """Print lines to standard output, in colour where that is wanted."""
        for line in lines:
            text = self._encodable(line, self.out)
            print(paint(text) if self.has_colour else text, file=self.out)

    def complain(self, *lines: str) -> None:
        """Print lines to standard error: what failed, where, what to run."""
        for line in lines:
            print(self._encodable(printable(line), self.err), file=self.err)

    def flush(self) -> None:
        """Send everything on its way."""
        self.out.flush()

    def encodable(self, text: str) -> str:
        """Return a line as standard output can carry it."""
        return self._encodable(text, self.out)

    @staticmethod
    def _encodable(text: str, to: IO[str]) -> str:
        """Return text that the output can carry: a lost sign must not look like the mark `?`."""
        encoding = getattr(to, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            plainer = text.translate(PLAINER)
            return plainer.encode(encoding, "backslashreplace").decode(encoding)
        return text


def _wants_colour() -> bool:
    """Whether colour is wanted at all: https://no-color.org, and a terminal that has any."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def _columns(out: IO[str]) -> int:
    try:
        return os.get_terminal_size(out.fileno()).columns or WIDTH
    except (OSError, ValueError):
        return WIDTH


def paint(line: str) -> str:
    """Return a line with colours for its mark, its label and words of alarm or calm."""
    if not line:
        return line
    found = MARK.match(line)
    if found is not None:
        before, mark = found["before"], found["mark"]
        rest = line[found.end() :]
        return f"{_in(BOLD, before)}{_in(MARK_COLOURS[mark], mark)}{_alarm(rest)}"
    label = LABEL.match(line)
    if label is not None and line[label.end() :].startswith("  "):
        return _in(BOLD, label[0]) + _alarm(line[label.end() :])
    if CALM.search(line):
        return _in(GREEN, line)
    return _alarm(line)


def _alarm(text: str) -> str:
    return ALARM.sub(lambda found: _in(f"{BOLD};{RED}", found[0]), text)


def _in(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if text.strip() else text
