"""One call of hamnctl: where to ask, where to read, where to write.

Owns the way from an answer of the daemon to an exit code, and the fall back to the journal. Must
not know any single command.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from typing import Any

from hamnd.cli import exits, moments
from hamnd.cli.client import Answer, Client, Unreachable
from hamnd.cli.screen import Screen
from hamnd.errors import HamndError, OutcomeUnknown

SOCKET = "/run/hamnd/hamnd.sock"
STATE_DIR = "/var/lib/hamnd"
"""The built-in paths: those of `hamnd.model.site.Paths`; a test holds them together."""
LATEST = 200
"""How many of the latest records a status from the journal looks at."""


class Stop(HamndError):
    """End this call with a code; the lines go to standard error."""

    def __init__(self, code: int, *lines: str) -> None:
        """Remember the code and what to say."""
        super().__init__(*lines)
        self.code = code
        self.lines = lines


class Session:
    """What every command works with."""

    def __init__(self, args: argparse.Namespace, screen: Screen) -> None:
        """Take socket and state directory from options, environment, or the built-in paths."""
        self.args = args
        self.screen = screen
        self.screen.as_json = bool(getattr(args, "json", False))
        socket_path = getattr(args, "socket", None) or os.environ.get("HAMND_SOCKET") or SOCKET
        state_dir = getattr(args, "state_dir", None) or os.environ.get("HAMND_STATE_DIR")
        self.client = Client(socket_path)
        self.state_dir = state_dir or STATE_DIR

    def look(self, verb: str) -> dict[str, Any]:
        """Return the document of a look. Raises Unreachable, and Stop for an error answer."""
        return self.checked(self.client.get(verb))

    def change(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a change once and return its document. Raises Unreachable and Stop."""
        return self.checked(self.ask(verb, body))

    def ask(self, verb: str, body: Mapping[str, Any]) -> Answer:
        """Ask for a change once; an answer that did not come is an unknown outcome."""
        try:
            return self.client.post(verb, body)
        except OutcomeUnknown as error:
            raise Stop(
                exits.OUTCOME_UNKNOWN,
                f"OUTCOME UNKNOWN: {error}.",
                "It may have happened. Do not repeat it blindly: hamnctl status",
            ) from error

    def checked(self, answer: Answer) -> dict[str, Any]:
        """Return the document of a good answer; show any other and end with its code."""
        if answer.status == 200:
            return answer.document
        code = exits.of_status(answer.status)
        if self.screen.as_json:
            self.screen.document(answer.document)
            raise Stop(code)
        if code == exits.REFUSED:
            from hamnd.views.run import render_refusal

            self.screen.say(render_refusal(answer.document, self.screen.width))
            raise Stop(code)
        sentence = str(answer.document.get("error") or f"HTTP status {answer.status}")
        hint = str(answer.document.get("hint") or "")
        word = "OUTCOME UNKNOWN: " if code == exits.OUTCOME_UNKNOWN else ""
        raise Stop(code, f"hamnctl: {word}{sentence}", *([f"try: {hint}"] if hint else []))

    def look_or_journal(self, verb: str) -> dict[str, Any]:
        """Return a look at the daemon, or without one the status told by the journal.

        Raises Stop with exit 6 where there is neither.
        """
        try:
            return self.look(verb)
        except Unreachable as error:
            return self._from_journal(error)

    def _from_journal(self, unreachable: Unreachable) -> dict[str, Any]:
        from hamnd.errors import JournalError
        from hamnd.journal import open_journal
        from hamnd.views.offline import journal_status

        now = moments.wall_s()
        try:
            with open_journal(self.state_dir) as journal:
                entries = journal.entries(last=LATEST)
                state = _tolerant(journal.state)
        except JournalError as error:
            told = f"hamnctl: {unreachable}; and {error}."
            raise Stop(exits.UNREACHABLE, told, f"try: {unreachable.hint}") from error
        text = None if state is None else state.document
        document = journal_status(text, entries, now)
        if state is not None and document["recorded_at"] is None:
            document["recorded_at"] = int(state.wall_s)
        document["unreachable"] = str(unreachable)
        document["next"] = [unreachable.hint]
        return document


def _tolerant(read: Callable[[], Any]) -> Any:
    """Return a state document, or None where it is damaged: the entries tell the rest."""
    from hamnd.errors import JournalError

    try:
        return read()
    except JournalError:
        return None
