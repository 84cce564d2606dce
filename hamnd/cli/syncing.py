"""sync: have file sets copied now, and follow them to their end.

Owns this command and what is shown meanwhile. Must not know how anything is copied: it asks once,
and reads the status stream. Closing the terminal does not stop a copy.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

from hamnd.cli import exits
from hamnd.cli.client import Unreachable
from hamnd.cli.session import Session, Stop
from hamnd.views.files import progress_words, render_files
from hamnd.views.text import Document, clean, fold, listed, lookup, short_duration


def configure(parser: argparse.ArgumentParser, command: str) -> None:  # noqa: ARG001  (as every group)
    """Add the arguments of sync."""
    parser.add_argument("sets", nargs="*", metavar="SET", help="file sets; all where none is named")
    parser.add_argument("--verify", action="store_true", help="compare the contents of everything")
    parser.add_argument(
        "--accept-deletions",
        action="store_true",
        help="let a run that stopped and asked delete what the primary no longer has, once",
    )
    parser.add_argument("--no-wait", action="store_true", help="do not follow what was begun")


def run(session: Session) -> int:
    """Carry out the command."""
    args = session.args
    body: dict[str, Any] = {"sets": list(args.sets)}
    if args.verify:
        body["verify"] = True
    if args.accept_deletions:
        body["accept_deletions"] = True
    document = session.change("sync", body)
    begun = {
        str(one.get("set")): int(run.get("number") or 0)
        for one in listed(document, "files")
        if isinstance(run := lookup(one, "run"), dict)
        and (not args.sets or one.get("set") in args.sets)
    }
    if args.no_wait:
        session.screen.show(document, render_files(document, session.screen.width))
        return exits.OK
    last = _follow(session, begun, document)
    if session.screen.as_json:
        session.screen.document(last)
    return _code(last, begun)


class Bars(Protocol):
    """Where copies under way are shown."""

    def now(self, document: dict[str, Any], names: list[str]) -> None:
        """Show how far these copies are."""
        ...

    def ended(self, lines: list[str]) -> None:
        """Show lines that stay."""
        ...


class PlainBars:
    """Lines only, for pipes and logs: each copy as it ends."""

    def __init__(self, session: Session) -> None:
        """Write to the session's screen; nothing with --json."""
        self._screen = session.screen

    def now(self, document: dict[str, Any], names: list[str]) -> None:
        """Say nothing: a line that is not true any more a second later does not belong here."""

    def ended(self, lines: list[str]) -> None:
        """Print lines at once."""
        if not self._screen.as_json:
            self._screen.say(lines)
            self._screen.flush()


@contextlib.contextmanager
def _bars(session: Session) -> Iterator[Bars]:
    if session.screen.has_colour and not session.screen.as_json:
        from hamnd.cli.bars import LiveBars

        with LiveBars(session.screen) as bars:
            yield bars
    else:
        yield PlainBars(session)


def _follow(session: Session, begun: dict[str, int], first: dict[str, Any]) -> dict[str, Any]:
    """Show copies until all have ended; return the last document. Raises Stop."""
    waiting = dict(begun)
    document = first
    try:
        with _bars(session) as bars:
            if not waiting:
                return document
            for document in session.client.stream("watch"):
                for one in listed(document, "files"):
                    name = str(one.get("set"))
                    if name in waiting and _has_ended(one, waiting[name]):
                        del waiting[name]
                        bars.ended(_end_lines(one, session.screen.width - 1))
                bars.now(document, list(waiting))
                if not waiting:
                    return document
    except Unreachable as error:
        told = f"hamnctl: {error}: what was begun ends with hamnd, and goes on when it is due."
        raise Stop(exits.OUTCOME_UNKNOWN, told, "try: hamnctl files") from error
    except KeyboardInterrupt:
        told = "The copy goes on without you. hamnctl files shows how far it is."
        raise Stop(exits.INTERRUPTED, "", told) from None
    raise Stop(exits.OUTCOME_UNKNOWN, "hamnctl: hamnd went away.", "try: hamnctl files")


def _has_ended(one: Document, number: int) -> bool:
    run = lookup(one, "run")
    return not isinstance(run, dict) or int(run.get("number") or 0) != number


def _end_lines(one: Document, width: int) -> list[str]:
    last = lookup(one, "last_run") or {}
    outcome = str(last.get("outcome"))
    mark = "*" if outcome == "done" else "!"
    told = clean(last.get("sentence") or "")
    took = short_duration(last.get("duration_s"))
    text = f" {mark} {one.get('set')}: {outcome.replace('_', ' ')} in {took}: {told}"
    return fold(text, width, indent=5, first=0)


def _code(document: dict[str, Any], begun: dict[str, int]) -> int:
    """0 when all is here; 3 where one asks, 5 where one's outcome is not known, else 1."""
    ours = [one for one in listed(document, "files") if one.get("set") in begun]
    outcomes = {str((lookup(one, "last_run") or {}).get("outcome")) for one in ours}
    if outcomes <= {"done"}:
        return exits.OK
    if any(one.get("question") for one in ours):
        return exits.REFUSED
    return exits.OUTCOME_UNKNOWN if outcomes <= {"done", "unknown"} else exits.FAILED


def bar_text(one: Document) -> str:
    """Return what stands beside a bar."""
    return f"{one.get('set')}: {progress_words(one)}"
