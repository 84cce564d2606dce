"""check-config and parse: judging a text, without a daemon.

Owns these two commands. Must not read a file any further than its text, nor change anything.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from hamnd.cli import exits
from hamnd.cli.session import Session, Stop
from hamnd.views.text import plural

TEXT_BYTES_MAX = 16 * 1024 * 1024
KINDS = ("db2pd", "snapshot", "dbcfg")


def configure(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the arguments of one of these commands."""
    if command == "check-config":
        parser.add_argument("file", metavar="FILE", help="the configuration, or - for stdin")
        parser.add_argument(
            "--here", action="store_true", help="also files, programs and users of this host"
        )
    else:
        parser.add_argument("kind", choices=KINDS, help="which tool printed the text")
        parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="- is stdin")


def run(session: Session) -> int:
    """Carry out the command."""
    if session.args.command == "check-config":
        return _check(session)
    return _parse(session)


class UnreadableError(Exception):
    """There is no text to judge; says why."""


def text_of(path: str) -> str:
    """Return the text of a file, or of standard input; undecodable bytes are kept escaped."""
    try:
        if path != "-":
            with Path(path).open("rb") as file:
                content = file.read(TEXT_BYTES_MAX + 1)
        elif sys.stdin is None:  # closed by whoever called
            raise UnreadableError("standard input is closed")
        else:
            content = sys.stdin.buffer.read(TEXT_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableError(f"{path}: {reason}") from error
    if len(content) > TEXT_BYTES_MAX:
        raise UnreadableError(f"{path}: larger than {TEXT_BYTES_MAX} bytes")
    return content.decode("utf-8", "backslashreplace")


def _check(session: Session) -> int:
    from hamnd.settings import check_host, load

    try:
        text = text_of(session.args.file)
    except UnreadableError as error:
        raise Stop(exits.USAGE, f"hamnctl: {error}.") from error
    loaded = load(text)
    problems = list(loaded.problems)
    if session.args.here and loaded.site is not None:
        problems += check_host(loaded.site)
    errors = [problem for problem in problems if problem.is_error]
    document: dict[str, Any] = {
        "schema": "hamnd.check-config/1",
        "ok": not errors,
        "file": session.args.file,
        "here": bool(session.args.here),
        "problems": [problem.as_json() for problem in problems],
    }
    lines = [problem.line() for problem in problems]
    minor = len(problems) - len(errors)
    warnings = plural(minor, "warning")
    if errors:
        lines.append(f"{session.args.file}: {plural(len(errors), 'error')}, {warnings}.")
    else:
        told = f"good, {warnings}" if minor else "good"
        more = "" if session.args.here else "   hamnctl check-config FILE --here looks at this host"
        lines.append(f"{session.args.file}: {told}.{more}")
    session.screen.show(document, lines)
    return exits.USAGE if errors else exits.OK


def _parse(session: Session) -> int:
    """Print one JSON document whatever the text was; exit 0 only for one complete status."""
    from hamnd.dialects.db2 import config, db2pd, snapshot
    from hamnd.model.hadr import ParseVerdict
    from hamnd.views import parsed

    kind = session.args.kind
    try:
        text = text_of(session.args.file)
    except UnreadableError as error:
        session.screen.document(parsed.unread_document(kind, str(error)))
        return parsed.exit_code(ParseVerdict.UNPARSEABLE)
    if kind == "dbcfg":
        found = config.parse_db_cfg(text)
        session.screen.document(parsed.db_config_document(found))
        return parsed.exit_code(found.verdict)
    report = (db2pd.parse_db2pd if kind == "db2pd" else snapshot.parse_snapshot)(text)
    session.screen.document(parsed.hadr_document(report))
    return parsed.exit_code(report.verdict)
