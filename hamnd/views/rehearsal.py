"""A rehearsal as a document and as a screen: which step's looks told what, and what would fail.

Owns the document `hamnd.rehearsal/1`. Must not judge: it tells what the core judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hamnd.views.text import (
    BAD,
    GOOD,
    PLAIN,
    UNKNOWN,
    WIDTH,
    Document,
    ago,
    fit,
    flow,
    fold,
    item,
    listed,
    lookup,
    plural,
    row,
    short_duration,
)

if TYPE_CHECKING:
    from hamnd.core.state import NodeState

SCHEMA = "hamnd.rehearsal/1"
MARKS = {"done": GOOD, "not_done": BAD, "unknown": UNKNOWN}
VERDICTS = {"pass": "done", "block": "not_done", "unknown": "unknown"}
WORDS = {
    "done": "REHEARSED: every step of a takeover could be carried out.",
    "not_done": "A TAKEOVER WOULD FAIL.",
    "unknown": "NOT KNOWN whether a takeover would work.",
}


def rehearsal_part(state: NodeState) -> dict[str, Any] | None:
    """Return the latest rehearsal, or the one under way; null before the first."""
    found = state.rehearsal
    if found is None:
        return None
    told = {one.step: one for one in found.results}
    steps: list[dict[str, Any]] = []
    for name in found.steps:
        one = told.get(name)
        part: dict[str, Any] = {"id": name, "outcome": "pending", "sentence": "", "looks": 0}
        part["took_s"] = None
        if one is not None:
            part |= {
                "outcome": VERDICTS[one.verdict.value],
                "sentence": one.sentence,
                "looks": one.looks,
                "took_s": round(one.took_s, 3),
            }
        steps.append(part)
    return {
        "number": found.number,
        "actor": found.actor,
        "started_at": int(found.started_at),
        "finished_at": None if found.finished_at is None else int(found.finished_at),
        "outcome": found.outcome or None,
        "sentence": found.sentence,
        "steps": steps,
    }


def rehearsal_of(status: Document) -> dict[str, Any]:
    """Return what a status document tells of the latest rehearsal."""
    return {
        "schema": SCHEMA,
        "generated_at": status.get("generated_at"),
        "node": status.get("node"),
        "rehearsal": status.get("rehearsal"),
        "last_rehearsal_at": status.get("last_rehearsal_at"),
    }


def step_line(step: Document, width: int) -> list[str]:
    """Return how one step's looks ended."""
    outcome = str(step.get("outcome"))
    took = short_duration(step.get("took_s"))
    text = str(step.get("sentence") or outcome.replace("_", " "))
    return item(MARKS.get(outcome, PLAIN), str(step.get("id")), f"{took:>5}  {text}", width, 14)


def verdict_lines(document: Document, width: int = WIDTH) -> list[str]:
    """Return how a finished rehearsal ended, and what leads on."""
    found = lookup(document, "rehearsal")
    if not isinstance(found, dict):
        return fit(["No takeover was rehearsed yet.", "NEXT    hamnctl rehearse"], width)
    outcome = found.get("outcome")
    if outcome is None:
        return fit(["The rehearsal goes on.", "NEXT    hamnctl rehearse --last"], width)
    now, at = document.get("generated_at"), found.get("finished_at")
    count = plural(sum(int(one.get("looks") or 0) for one in listed(found, "steps")), "look")
    told = f"{WORDS.get(str(outcome), outcome)} {count}, nothing was changed ({ago(now, at)})."
    lines = fold(told, width)
    left = [str(one.get("id")) for one in listed(found, "steps") if one["outcome"] == "pending"]
    if left:
        lines += fold(f"{found.get('sentence')}; not looked at:", width)
        lines += flow(left, width, 2)
    good = outcome == "done"
    return fit([*lines, *row("NEXT", PLAIN, "hamnctl status" if good else "hamnctl ready", width)],
               width)  # fmt: skip


def render_rehearsal(document: Document, width: int = WIDTH) -> list[str]:
    """Return the screen of the latest rehearsal: every step, then the verdict."""
    found = lookup(document, "rehearsal")
    steps = listed(found, "steps") if isinstance(found, dict) else []
    lines = [line for step in steps for line in step_line(step, width)]
    return fit([*lines, *verdict_lines(document, width)], width)
