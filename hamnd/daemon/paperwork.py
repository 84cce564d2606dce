"""Writes a run's report, the runbook, and what hamn-guard needs, to the state directory.

Owns the files' names, modes and their replacing whole. Must not know what a report says (views) nor
what the guard is told (dialects).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from hamnd.core.plans.by_hand import takeover_by_hand
from hamnd.core.policy import Terms
from hamnd.dialects import guard, runbook
from hamnd.journal import open_journal
from hamnd.model.site import Site
from hamnd.views.report import (
    chain_of,
    render_report_html,
    render_report_markdown,
    report_document,
)
from hamnd.views.runbook import render_runbook, render_runbook_markdown, runbook_document

REPORTS = "reports"
DIGEST_SHOWN = 12


def write_report(state_dir: Path, digest: str) -> Path | None:
    """Write the report of one run as Markdown, JSON and HTML, and return the first. Blocking.

    None: the journal does not know this run, for it was begun anew since; what was written about
    it before stays.

    Raises:
        JournalError: the journal cannot be read.
        OSError: a file cannot be written.
    """
    with open_journal(state_dir) as journal:
        chain = chain_of(journal.confirmations(), digest)
        document = report_document(journal.entries_around(chain), digest)
    if not document["found"]:
        return None
    folder = state_dir / REPORTS
    folder.mkdir(mode=0o750, exist_ok=True)
    name = digest[:DIGEST_SHOWN]
    _replace(folder / f"{name}.json", json.dumps(document, indent=2, sort_keys=True) + "\n")
    _replace(folder / f"{name}.html", render_report_html(document))
    return _replace(folder / f"{name}.md", render_report_markdown(document))


def write_runbook(terms: Terms) -> Path:
    """Write the takeover by hand as text, Markdown and JSON, and return the first. Blocking.

    It has to lie there on the night on which nothing else works (law 8).

    Raises:
        OSError: a file cannot be written.
    """
    folder = Path(terms.site.paths.state_dir)
    document = runbook_document(takeover_by_hand(terms), terms.site)
    _replace(folder / runbook.DOCUMENT, json.dumps(document, indent=2, sort_keys=True) + "\n")
    marked = "\n".join(render_runbook_markdown(document))
    _replace(folder / runbook.MARKDOWN, f"{marked}\n")
    return _replace(folder / runbook.FILE, "\n".join(render_runbook(document)) + "\n")


def write_guard_conf(site: Site) -> Path:
    """Write what hamn-guard asks and answers by without hamnd. Blocking.

    Raises:
        OSError: it cannot be written.
    """
    return _replace(Path(site.paths.state_dir) / guard.NAME, guard.conf(site))


def write_line(state_dir: Path, name: str, line: str) -> None:
    """Write what the partner's hamnd reads here; an empty line removes the file. Blocking.

    Raises:
        OSError: it cannot be written.
    """
    path = state_dir / name
    if line:
        _replace(path, f"{line}\n")
    else:
        path.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> Path:
    """Write a file whole: a reader sees the old text or the new one."""
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o640)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # half a file would keep room that a full disk lacks
        raise
    return path
