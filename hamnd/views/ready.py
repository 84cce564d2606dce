"""`ready`: would a takeover work now, and if not, what is missing and how to clear it.

Owns the document `hamnd.ready/1` and its screen. Must not judge: it tells what the core judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hamnd.views.status_rows import hold_row
from hamnd.views.text import (
    BAD,
    PLAIN,
    UNKNOWN,
    WIDTH,
    Document,
    ago,
    fit,
    fold,
    item,
    listed,
    lookup,
    plural,
    rough,
    row,
    span,
)

if TYPE_CHECKING:
    from hamnd.core.policy import Terms
    from hamnd.core.state import NodeState
    from hamnd.model.instant import Instant

SCHEMA = "hamnd.ready/1"
START_IT = "systemctl start hamnd (AIX: startsrc -s hamnd), then hamnctl ready"


def ready_document(state: NodeState, now: Instant, terms: Terms) -> dict[str, Any]:
    """Return whether a takeover would work at `now`, with every proof that is missing."""
    from hamnd.views.status import status_document

    return ready_of(status_document(state, now, terms))


def ready_of(status: Document) -> dict[str, Any]:
    """Return the readiness told by a status document (also one made from the journal)."""
    readiness = lookup(status, "readiness") or {}
    return {
        "schema": SCHEMA,
        "generated_at": status.get("generated_at"),
        "recorded_at": status.get("recorded_at"),
        "source": status.get("source"),
        "node": status.get("node"),
        "state": status.get("state"),
        "mode": status.get("mode"),
        "mode_reason": status.get("mode_reason"),
        "ready": status.get("source") == "daemon" and status.get("ready") is True,
        "status": readiness.get("status", "Unknown"),
        "proven": readiness.get("proven", 0),
        "total": readiness.get("total", 0),
        "oldest_at": readiness.get("oldest_at"),
        "oldest_step": readiness.get("oldest_step"),
        "missing": list(readiness.get("missing") or []),
        "hold": status.get("hold"),
        "unreachable": status.get("unreachable"),
        "next": list(status.get("next") or []),
    }


def render_ready(document: Document, width: int = WIDTH) -> list[str]:
    """Return the screen: the verdict, then every missing proof with how to clear it."""
    now = document.get("generated_at")
    if document.get("source") == "journal":
        at = document.get("recorded_at")
        last = "has no records" if at is None else f"was last written {ago(now, at)}"
        why = document.get("unreachable") or "hamnd does not answer here"
        lines = [
            f"NOT KNOWN: {why}; its journal {last}.",
            "Only a running hamnd can prove that a takeover would work.",
        ]
        told = [part for line in lines for part in fold(line, width)]
        leads = next(iter(document.get("next") or []), START_IT)
        return fit([*told, *row("NEXT", PLAIN, str(leads), width)], width)
    proven, total = document.get("proven") or 0, document.get("total") or 0
    missing = listed(document, "missing")
    if document.get("ready"):
        oldest = document.get("oldest_at")
        age = "" if oldest is None or now is None else f", oldest {rough(now - oldest)}"
        of_step = f" ({document['oldest_step']})" if document.get("oldest_step") else ""
        verdict = f"READY: a takeover would work now. {proven}/{total} steps proven{age}{of_step}."
        return fit([*fold(verdict, width), *hold_row(document, width)], width)
    lines = fold(_verdict(document, proven, total, missing), width)
    for one in missing:
        lines += _missing(one, now, width)
    lines += hold_row(document, width)
    return fit([*lines, *row("NEXT", PLAIN, "hamnctl explain NAME", width)], width)


def _verdict(document: Document, proven: int, total: int, missing: list[Document]) -> str:
    if document.get("mode") == "observe_only":
        return f"NOT READY: mode observe_only: {document.get('mode_reason')}"
    if document.get("state") == "Active":
        return "NOT READY: this node is the management node already."
    if document.get("state") == "TakingOver":
        return "NOT READY: a takeover is under way: hamnctl status"
    failing = sum(one.get("status") == "False" for one in missing)
    if failing:
        return (
            f"NOT READY: {plural(failing, 'thing')} would fail now; {proven}/{total} steps proven."
        )
    return f"NOT READY: not proven yet. {proven}/{total} steps proven."


def _missing(one: Document, now: float | None, width: int) -> list[str]:
    mark = BAD if one.get("status") == "False" else UNKNOWN
    problem, arrow, clear = str(one.get("message") or one.get("reason")).partition("->")
    since, seen = one.get("since"), one.get("observed_at")
    lasting = "" if since is None or now is None else f", for {span(now - since)}"
    age = f" ({one.get('source')}, {ago(now, seen)}{lasting})" if seen is not None else ""
    lines = item(mark, str(one.get("name")), problem.strip() + age, width)
    if arrow:
        lines += fold(f"-> {clear}", width, indent=18, first=15)
    return lines
