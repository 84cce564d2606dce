"""runbook: the whole takeover by hand, from a configuration or as the daemon left it on the disk.

Owns this command. Must not ask the daemon: it is for the night on which there is none.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hamnd.cli import exits
from hamnd.cli.checking import UnreadableError, text_of
from hamnd.cli.session import Session, Stop
from hamnd.dialects.runbook import DOCUMENT
from hamnd.views.runbook import render_runbook, render_runbook_markdown, runbook_document


def configure(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the arguments of this command."""
    del command
    parser.add_argument(
        "--config", metavar="FILE", help="write it from this configuration, or - for stdin"
    )
    parser.add_argument("--markdown", action="store_true", help="print it as Markdown")


def run(session: Session) -> int:
    """Carry out the command."""
    path = session.args.config
    document = _stored(session) if path is None else _from_configuration(path)
    render = render_runbook_markdown if session.args.markdown else render_runbook
    session.screen.show(document, render(document))
    return exits.OK


def _from_configuration(path: str) -> dict[str, object]:
    from hamnd.core.plans.by_hand import takeover_by_hand
    from hamnd.core.policy import Terms
    from hamnd.settings import load

    try:
        loaded = load(text_of(path))
    except UnreadableError as error:
        raise Stop(exits.USAGE, f"hamnctl: {error}.") from error
    if loaded.site is None or loaded.policy is None:
        lines = [problem.line() for problem in loaded.errors]
        raise Stop(exits.USAGE, f"hamnctl: {path} is refused:", *lines)
    return runbook_document(takeover_by_hand(Terms(loaded.site, loaded.policy)), loaded.site)


def _stored(session: Session) -> dict[str, object]:
    path = Path(session.state_dir, DOCUMENT)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        hint = "try: hamnctl runbook --config /etc/hamnd/hamnd.toml"
        raise Stop(exits.UNREACHABLE, f"hamnctl: {path}: {why}.", hint) from error
    if not isinstance(document, dict):
        raise Stop(exits.FAILED, f"hamnctl: {path} is no runbook.")
    return document
