"""history and report: what the journal recorded, with or without a daemon.

Owns these two commands. Must not ask the daemon: the journal alone is read.
"""

from __future__ import annotations

import argparse

from hamnd.cli import exits
from hamnd.cli.session import Session, Stop
from hamnd.errors import JournalError
from hamnd.journal import JournalReader, open_journal

LAST = 50


def configure(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the arguments of one of these commands."""
    if command == "history":
        parser.add_argument(
            "--last", type=_count, metavar="N", default=LAST, help=f"how many records ({LAST})"
        )
        parser.add_argument("--all", action="store_true", help="every record")
        parser.add_argument(
            "--verify", action="store_true", help="check that nobody changed the journal"
        )
    else:
        parser.add_argument("id", nargs="?", metavar="ID", help="digest of a plan; the latest run")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--markdown", action="store_true", help="complete, for the ticket")
        form.add_argument("--html", action="store_true", help="a page with its timeline drawn")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def run(session: Session) -> int:
    """Carry out the command."""
    try:
        with open_journal(session.state_dir) as journal:
            if session.args.command == "history":
                return _history(session, journal)
            return _report(session, journal)
    except JournalError as error:
        is_missing = "there is no journal" in str(error)
        code = exits.UNREACHABLE if is_missing else exits.FAILED
        raise Stop(code, f"hamnctl: {error}.") from error


def _history(session: Session, journal: JournalReader) -> int:
    from hamnd.views.history import history_document, render_history

    entries = journal.entries(last=None if session.args.all else session.args.last)
    found = journal.verify() if session.args.verify else None
    document = history_document(entries)
    lines = render_history(entries, session.screen.wide)
    if found is not None:
        document["verified"] = {"checked": found.checked, "problem": found.problem}
        if found.problem is None:
            lines += ["", f"* {found.checked} records, their chain is whole."]
        else:
            told = f"the chain is broken after {found.checked} records: {found.problem}"
            lines += ["", f"! {told}"]
    session.screen.show(document, lines)
    return exits.OK if found is None or found.problem is None else exits.FAILED


def _report(session: Session, journal: JournalReader) -> int:
    from hamnd.views.report import (
        chain_of,
        render_report_html,
        render_report_markdown,
        render_report_text,
        report_digests,
        report_document,
    )

    confirmations = journal.confirmations()
    digests = report_digests(confirmations)
    wanted = session.args.id
    found = [one for one in digests if wanted is None or _bare(one).startswith(_bare(wanted))]
    if not found:
        told = "no plan was ever confirmed here" if wanted is None else f"no run {wanted} is known"
        known = f"known: {', '.join(digests)}" if digests else "hamnctl history"
        raise Stop(exits.FAILED, f"hamnctl: {told}.", known)
    chain = chain_of(confirmations, found[-1])
    document = report_document(journal.entries_around(chain), found[-1])
    render = render_report_html if session.args.html else render_report_markdown
    if (session.args.markdown or session.args.html) and not session.screen.as_json:
        session.screen.say(render(document).rstrip("\n").split("\n"))
    else:
        session.screen.show(document, render_report_text(document, session.screen.width))
    return exits.OK


def _bare(digest: str) -> str:
    return digest.replace("-", "").lower()
