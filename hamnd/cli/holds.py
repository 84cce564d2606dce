"""hold, unhold, ack: what an operator tells the people around the pair.

Owns these commands, and how a span or a moment is typed. Must not judge either: the daemon says
what it takes.
"""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime

from hamnd.cli import exits, moments
from hamnd.cli.session import Session, Stop
from hamnd.views.status_rows import hold_row

UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"(?:\d+[mhd])+")
_PART = re.compile(r"(\d+)([mhd])")


def configure(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the arguments of one of these commands."""
    if command == "hold":
        until = parser.add_mutually_exclusive_group(required=True)
        until.add_argument(
            "--for", dest="lasts_s", metavar="SPAN", type=span_s, help="how long: 30m, 4h, 1d12h"
        )
        until.add_argument(
            "--until",
            metavar="TIME",
            type=moment_s,
            help="until when, UTC as on every screen: 18:00, 2026-11-30T18:00; or with an offset",
        )
        parser.add_argument(
            "--reason", metavar="TEXT", required=True, help="why; everybody sees it"
        )
    if command == "ack":
        parser.add_argument(
            "digest", nargs="?", metavar="ID", help="of the finished takeover; the latest"
        )


def run(session: Session) -> int:
    """Carry out the command."""
    match session.args.command:
        case "hold":
            return _hold(session)
        case "unhold":
            return _done(session, "unhold", {})
        case _:
            return _ack(session)


def span_s(text: str) -> int:
    """Return the seconds of ``30m``, ``4h`` or ``1d12h``. Raises ArgumentTypeError."""
    if not _SPAN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no span such as 30m, 4h or 1d12h")
    return sum(int(number) * UNITS_S[unit] for number, unit in _PART.findall(text))


def moment_s(text: str) -> int:
    """Return the epoch seconds of a moment; of a clock time the next. Raises ArgumentTypeError."""
    now = datetime.fromtimestamp(moments.wall_s(), tz=UTC)
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}", text):
            hour, minute = map(int, text.split(":"))
            found = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            return int(found.timestamp()) + (0 if found > now else UNITS_S["d"])
        read = datetime.fromisoformat(text)
    except ValueError as error:
        told = f"{text!r} is no time such as 18:00 or 2026-11-30T18:00"
        raise argparse.ArgumentTypeError(told) from error
    return int((read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp())


def _hold(session: Session) -> int:
    args = session.args
    until = args.until if args.lasts_s is None else int(moments.wall_s()) + args.lasts_s
    document = session.change("hold", {"until": until, "reason": args.reason})
    shown = {**document, "generated_at": int(moments.wall_s())}
    lines = [
        f"{document.get('done')}.",
        *hold_row(shown, session.screen.width),
        "It silences pages and suspends rehearsals. Watching goes on, and so can a takeover.",
        "NEXT    hamnctl unhold        when the work is over",
    ]
    session.screen.show(document, lines)
    return exits.OK


def _ack(session: Session) -> int:
    digest = session.args.digest or session.look("status").get("acknowledge")
    if not digest:
        raise Stop(
            exits.REFUSED,
            "hamnctl ack: no takeover waits to be acknowledged.",
            "try: hamnctl history",
        )
    return _done(session, "ack", {"digest": digest})


def _done(session: Session, verb: str, body: dict[str, str]) -> int:
    document = session.change(verb, body)
    session.screen.show(document, [f"{document.get('done')}.", "NEXT    hamnctl status"])
    return exits.OK
