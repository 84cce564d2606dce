"""`explain replication`: what the database said, what it means, and what a takeover would lose.

Owns that screen, the same for every engine. Must not judge: it shows what the status document has,
each fact with its age and source.
"""

from __future__ import annotations

from typing import Any

from hamnd.views.text import (
    BAD,
    PLAIN,
    UNKNOWN,
    WIDTH,
    Document,
    ago,
    fit,
    fold,
    lookup,
    row,
    size,
    span,
)
from hamnd.views.verdict import loss_words

NAME = "replication"
CONDITIONS = ("ReplicationPeer", "ReplicationGap", "CfglocMatches")

MEANINGS: dict[str, dict[str, str]] = {
    "db2": {
        "peer": "every commit goes to both nodes as the sync mode says",
        "disconnected_peer": "the link is lost, and the peer window holds the primary back",
        "remote_catchup": "the standby reads the primary's log and has not caught up",
        "remote_catchup_pending": "the standby waits for its primary",
        "local_catchup": "the standby replays its own log files first",
        "disconnected": "no connection to the other database",
    },
    "mariadb": {
        "replicating": "transactions or heartbeats arrive, and what arrives is applied",
        "unheard": "IO running says Yes, and nothing has arrived yet since hamnd looks",
        "stale": "IO running says Yes, and nothing has arrived for too long",
        "connecting": "the receiver tries to reach the primary",
        "stopped": "the receiver does not run",
        "broken": "what arrives is kept and not applied",
        "delayed": "what arrives is applied later, as the standby is told to",
        "partial": "something of what the primary writes is left out on the way",
        "astray": "it follows another server than the partner's",
        "alone": "it follows nobody",
    },
    "postgresql": {
        "streaming": "the receiver gets the log as it is written, and heard of the primary lately",
        "stale": "the receiver says streaming, but nothing came that the primary must have sent",
        "disconnected": "no receiver runs: the standby replays what it has",
        "startup": "the receiver has connected and streams nothing: another timeline, a lost slot?",
        "waiting": "the receiver waits for the startup process",
        "alone": "it is a primary, and no standby receives its log",
    },
    "sqlite": {
        "copied": "the last verified copy of all tables is young enough",
        "stale": "the last verified copy is too old to protect: see the condition Scheduled",
        "none": "no verified copy is here: a takeover has nothing to switch in",
        "alone": "it is the primary, and no standby is known to have a young copy",
    },
    "dump": {
        "copied": "the last dump is restored beside the live database, and young enough",
        "stale": "the last restored dump is too old to protect: see the condition Scheduled",
        "none": "no dump is restored here: a takeover has nothing to rename",
        "alone": "it is the primary, and no standby is known to have a young dump",
    },
    "shared_disk": {
        "visible": "this node could mount the disk, and does not",
        "reserved": "this node alone holds the reservation of the disk",
        "unseen": "this node does not see the disk and could not take over",
        "mounted": "this node has the disk: it is the one that writes",
        "partly": "only a part of the disk is mounted here: nobody may serve from it",
    },
}
"""What the words of an engine mean here; other words are shown as they are."""


def render_replication(document: Document, width: int = WIDTH) -> list[str]:
    """Return the screen: this node's database, the partner's, what is proven, what is lost."""
    part, now = lookup(document, "replication"), document.get("generated_at")
    if not isinstance(part, dict):
        return row("REPL", UNKNOWN, "no reading of the local database yet", width)
    engine, state = str(part.get("engine")), str(part.get("state"))
    read = f"{part.get('source')}, {ago(now, part.get('observed_at'))}"
    mark = PLAIN if part.get("is_protecting") else BAD
    lines = row("HERE", mark, f"{engine}, {part.get('role') or 'role unknown'}", width, right=read)
    told = MEANINGS.get(engine, {}).get(state)
    lines += row("STATE", PLAIN, f"{state}: {told}" if told else state, width)
    lines += row("MODE", PLAIN, part.get("sync_mode") or "not known", width)
    if part.get("has_link") is False:
        lines += row("COPY", PLAIN, part.get("summary") or "nothing is known of a copy", width)
    else:
        lines += row("LOG", PLAIN, _positions(part), width)
    for fact in _times(part, now):
        lines += row("", PLAIN, fact, width)
    for detail in part.get("details") or []:
        lines += row("", PLAIN, str(detail), width)
    for problem in [*(part.get("bad_flags") or []), *(part.get("problems") or [])]:
        lines += row("WRONG", BAD, str(problem), width)
    lines += _partner(document, now, width)
    for condition in document.get("conditions") or []:
        if condition.get("type") in CONDITIONS:
            text = f"{condition['type']} {condition.get('status')}: {condition.get('message')}"
            lines += fold(text, width, indent=10, first=8)
    lines += ["", f"What a takeover now would lose: {loss_words(document)}"]
    for reason in lookup(document, "data_loss", "basis") or []:
        lines += fold(f"- {reason}", width, indent=4, first=2)
    return fit([*lines, "", *row("NEXT", PLAIN, "hamnctl explain · hamnctl status", width)], width)


def _positions(part: dict[str, Any]) -> str:
    """Say how far each end is, in bytes of the log, and what lies between."""
    told = part.get("positions") or {}
    words = [
        f"{name} {told[name]}" for name in ("primary", "received", "replayed") if told.get(name)
    ]
    words.append(f"gap {size(part.get('gap_bytes'))}")
    if part.get("replay_gap_bytes") is not None:
        words.append(f"not yet replayed {size(part['replay_gap_bytes'])}")
    if part.get("timeline") is not None:
        words.append(f"timeline {part['timeline']}")
    return " · ".join(words)


def _times(part: dict[str, Any], now: float | None) -> list[str]:
    facts = []
    if part.get("verified_at") is not None:
        age = ago(now, part["verified_at"])
        whose = "both ends together" if part.get("has_link", True) else "proven"
        facts.append(f"{whose}: all that the primary had {age} is here")
    if part.get("fresh_s") is not None:
        facts.append(f"older than {span(part['fresh_s'])} it does not protect any more")
    if part.get("heard_at") is not None and part.get("has_link", True):
        facts.append(
            f"the database itself last heard from the primary {ago(now, part['heard_at'])}"
        )
    if part.get("waits_for"):
        facts.append(f"as a primary it would wait for {part['waits_for']}: promote ends that first")
    return facts


def _partner(document: Document, now: float | None, width: int) -> list[str]:
    there = lookup(document, "partner_database")
    if not isinstance(there, dict):
        return row("THERE", UNKNOWN, f"{document.get('partner')} was not heard yet", width)
    mark = {"True": PLAIN, "False": BAD}.get(str(there.get("good")), UNKNOWN)
    position = f", log at {there['position']}" if there.get("position") is not None else ""
    text = f"{document.get('partner')}: {there.get('detail') or 'no detail'}{position}"
    read = f"its own tools over ssh, {ago(now, there.get('observed_at'))}"
    return row("THERE", mark, text, width, right=read)
