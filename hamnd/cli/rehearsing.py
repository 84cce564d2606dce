"""rehearse: every look of a takeover's steps, taken now; nothing is changed.

Owns this command and how a rehearsal is followed. Must not judge what a look tells. Closing the
terminal ends the watching, never the rehearsal.
"""

from __future__ import annotations

import argparse
from typing import Any

from hamnd.cli import exits
from hamnd.cli.client import Unreachable
from hamnd.cli.session import Session, Stop
from hamnd.views.rehearsal import rehearsal_of, render_rehearsal, step_line, verdict_lines
from hamnd.views.text import listed, lookup

CODES = {"done": exits.OK, "not_done": exits.REFUSED, "unknown": exits.OUTCOME_UNKNOWN}


def configure(parser: argparse.ArgumentParser, command: str) -> None:  # noqa: ARG001  (as every group)
    """Add the arguments of rehearse."""
    parser.add_argument(
        "--last", action="store_true", help="show the latest one instead of beginning another"
    )


def run(session: Session) -> int:
    """Carry out the command."""
    if session.args.last:
        document = rehearsal_of(session.look_or_journal("status"))
        session.screen.show(document, render_rehearsal(document, session.screen.width))
        return CODES.get(str(lookup(document, "rehearsal", "outcome")), exits.REFUSED)
    begun = session.change("rehearse", {})
    number = int(lookup(begun, "rehearsal", "number") or 0)
    document = _follow(session, number)
    session.screen.show(document, verdict_lines(document, session.screen.width))
    return CODES.get(str(lookup(document, "rehearsal", "outcome")), exits.OUTCOME_UNKNOWN)


def _follow(session: Session, number: int) -> dict[str, Any]:
    """Print every step as it comes home; return the document of the end. Raises Stop."""
    screen, told = session.screen, 0
    try:
        for status in session.client.stream("watch"):
            document = rehearsal_of(status)
            found = lookup(document, "rehearsal")
            if not isinstance(found, dict) or found.get("number") != number:
                continue
            steps = [one for one in listed(found, "steps") if one.get("outcome") != "pending"]
            if not screen.as_json:
                for step in steps[told:]:
                    screen.say(step_line(step, screen.width))
                screen.flush()
            told = len(steps)
            if found.get("finished_at") is not None:
                return document
    except Unreachable as error:
        told_ = f"hamnctl: {error}: the rehearsal ended with hamnd; it changed nothing."
        raise Stop(exits.OUTCOME_UNKNOWN, told_, "try: hamnctl rehearse --last") from error
    except KeyboardInterrupt:
        goes_on = "The rehearsal goes on without you: hamnctl rehearse --last"
        raise Stop(exits.INTERRUPTED, "", goes_on) from None
    raise Stop(exits.OUTCOME_UNKNOWN, "hamnctl: hamnd went away.", "try: hamnctl rehearse --last")
