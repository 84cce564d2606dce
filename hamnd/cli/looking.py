"""status, ready, explain, witnesses, files, guard: looking, which never changes anything.

Owns these commands. Must not know what the documents mean: views render them.
"""

from __future__ import annotations

import argparse
from typing import Any

from hamnd.cli import exits, moments
from hamnd.cli.client import Unreachable
from hamnd.cli.session import Session
from hamnd.views.status_screen import render_status

RETRY_S = 2.0


def configure(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the arguments of one of these commands."""
    if command == "status":
        parser.add_argument(
            "--watch", action="store_true", help="stay, and draw anew on every change; q quits"
        )
    if command == "explain":
        parser.add_argument("name", nargs="?", metavar="NAME", help="a condition, or a step")


def run(session: Session) -> int:
    """Carry out the command."""
    match session.args.command:
        case "status":
            return _watch(session) if session.args.watch else _status(session)
        case "ready":
            return _ready(session)
        case "explain":
            return _explain(session)
        case "files":
            return _files(session)
        case "guard":
            return _guard(session)
        case _:
            return _witnesses(session)


def _status(session: Session) -> int:
    document = session.look_or_journal("status")
    session.screen.show(document, render_status(document, session.screen.width))
    return exits.OK


def _ready(session: Session) -> int:
    from hamnd.views.ready import ready_of, render_ready

    document = session.look_or_journal("ready")
    if document.get("source") == "journal":
        document = ready_of(document)
    session.screen.show(document, render_ready(document, session.screen.width))
    return exits.OK if document.get("ready") is True else exits.REFUSED


def _explain(session: Session) -> int:
    from hamnd.views import replication
    from hamnd.views.explain import has_condition, render_explain

    document = session.look("explain")
    name = session.args.name
    if name and name.lower() == replication.NAME:
        session.screen.show(
            document, replication.render_replication(document, session.screen.width)
        )
        return exits.OK
    if name and not has_condition(document, name):
        session.screen.complain(*render_explain(document, name, session.screen.width))
        return exits.USAGE
    session.screen.show(document, render_explain(document, name, session.screen.width))
    return exits.OK


def _files(session: Session) -> int:
    from hamnd.views.files import render_files

    document = session.look_or_journal("files")
    session.screen.show(document, render_files(document, session.screen.width))
    return exits.OK


def _guard(session: Session) -> int:
    from hamnd.views.guard import render_guard

    document = session.look("guard")
    session.screen.show(document, render_guard(document, session.screen.width))
    return exits.OK


def _witnesses(session: Session) -> int:
    from hamnd.views.witnesses import render_witnesses

    document = session.look("witnesses")
    session.screen.show(document, render_witnesses(document, session.screen.width))
    return exits.OK


def _watch(session: Session) -> int:
    """Watch on the whole terminal; into a pipe, print the status anew on every change."""
    if session.screen.can_draw and not session.screen.as_json:
        from hamnd.cli.watching import watch

        return watch(session)
    while True:
        try:
            for document in session.client.stream("watch"):
                _draw(session, document)
        except Unreachable:
            pass
        _draw(session, session.look_or_journal("status"))
        moments.pause(RETRY_S)


def _watched(document: dict[str, Any], width: int) -> list[str]:
    """The status, or the steps of a run under way, as whoever confirmed it sees them."""
    run_ = document.get("run")
    if not isinstance(run_, dict) or run_.get("status") != "running":
        return render_status(document, width)
    from hamnd.views.run import render_run

    return [*(str(line) for line in document.get("headline") or []), *render_run(document, width)]


def _draw(session: Session, document: dict[str, Any]) -> None:
    screen = session.screen
    screen.show(document, _watched(document, screen.width))
    if not screen.as_json:
        screen.say([""])
    screen.flush()
