"""`status --watch`: the whole terminal, live: the status, observed against expected, what happened.

Owns what stands where on a screen of a given size: 80x24 is enough, a wider one gets a second
column, in which a higher one has the conditions too. Renders from the document alone. Must not know
a terminal: it returns as many lines as fit.
"""

from __future__ import annotations

from typing import Any

from hamnd.views.run import elapsed, render_run, run_of
from hamnd.views.status_screen import render_status
from hamnd.views.text import (
    BAD,
    GOOD,
    PLAIN,
    UNKNOWN,
    WIDTH,
    Document,
    clean,
    clock,
    cut,
    fit,
    listed,
    lookup,
    padded,
    rough,
    span,
)
from hamnd.views.verdict import answers, trouble_rank

SECOND_COLUMN = 52
"""So many columns beside the status are enough for the second one."""
GUTTER = " | "
EVENTS_MIN = 4
"""A blank, a heading, and the two latest events."""
BAR = 24
DOWN = ("PrimaryDown", "TakingOver")


def render_watch(document: Document, width: int, height: int, trouble: str = "") -> list[str]:
    """Return at most `height` lines; `trouble` says why the document is no longer renewed."""
    head = [cut(f"! {clean(trouble)}", width)] if trouble else []
    foot = [_foot(document, width)]
    room = height - len(head) - len(foot)
    is_wide = width >= WIDTH + len(GUTTER) + SECOND_COLUMN
    left_width = WIDTH if is_wide else width
    beside = _beside(document, width - left_width - len(GUTTER) if is_wide else width)
    if is_wide:
        main = _main(document, left_width, room - EVENTS_MIN)
        right_width, below = width - left_width - len(GUTTER), room - EVENTS_MIN - len(beside)
        beside += _conditions(document, right_width, below)
        body = _columns(main, beside, left_width)
    else:
        body = _main(document, left_width, room - len(beside) - EVENTS_MIN)
        if len(body) + len(beside) + EVENTS_MIN <= room:  # the steps of a run come first
            body += beside
    body = body[:room]
    events = _events(document, width, room - len(body))
    gap = [""] * (room - len(body) - len(events))
    return fit([*head, *body, *gap, *events, *foot], width)


def _main(document: Document, width: int, height: int) -> list[str]:
    """The status, or the steps of a run under way, with how far everything is."""
    bars = _bars(document, width)
    run = run_of(document)
    if run is None or run.get("status") != "running":
        return [*render_status(document, width, max(4, height - len(bars))), *bars]
    head = [clean(line) for line in document.get("headline") or []]
    return [*(cut(line, width) for line in head[:2]), *bars, *render_run(document, width)]


def _bars(document: Document, width: int) -> list[str]:
    """One line for each thing that goes on: the run, and every copy under way."""
    lines = []
    run = run_of(document)
    if run is not None:
        steps = listed(run, "steps")
        ended = sum(step.get("outcome") in ("done", "skipped") for step in steps)
        told = f"{ended}/{len(steps)} steps  {elapsed(document, run)}"
        lines.append(_bar(str(run.get("kind")), ended, len(steps), told))
        for step in steps:
            going = step.get("progress")
            if isinstance(going, dict):
                share = going.get("share")
                total = None if share is None else 1.0
                lines.append(_bar(str(step.get("id")), share, total, str(going.get("sentence"))))
    for one in listed(document, "files"):
        going = one.get("run")
        if isinstance(going, dict):
            done, total = going.get("bytes"), going.get("bytes_total")
            files = going.get("files")
            told = f"{going.get('phase') or going.get('kind')} for {span(going.get('elapsed_s'))}"
            told += "" if files is None else f", {files} files"
            lines.append(_bar(str(one.get("set")), done, total, told))
    return [cut(line, width) for line in lines]


def _bar(name: str, done: Any, total: Any, told: str) -> str:
    """Return a progress bar with its number in words; without a total nothing is pretended."""
    if not isinstance(done, int | float) or not isinstance(total, int | float) or total <= 0:
        return f"  {clean(name):<12} [{'?' * BAR}]      {clean(told)}"
    share = min(1.0, done / total)
    full = int(share * BAR)
    return f"  {clean(name):<12} [{'#' * full}{'.' * (BAR - full)}] {share:4.0%} {clean(told)}"


def _beside(document: Document, width: int) -> list[str]:
    """Observed against expected: what each thing is, and what it should be in this state."""
    lines = [f"   {'':<12} {'observed':<18} expected"]
    for name, observed, expected in _expectations(document):
        mark = PLAIN
        if expected:
            mark = UNKNOWN if not observed else GOOD if observed == expected else BAD
        lines.append(f" {mark} {name:<12} {observed or '?':<18} {expected or 'anything'}")
    return [cut(line, width) for line in lines]


def _conditions(document: Document, width: int, room: int) -> list[str]:
    """The conditions with their ages, troubles first, as many as there is room for."""
    now, lines = document.get("generated_at"), []
    for one in sorted(listed(document, "conditions"), key=trouble_rank):
        seen = one.get("observed_at")
        age = "no time" if now is None or seen is None else f"{rough(now - seen)} ago"
        mark = (BAD, UNKNOWN, GOOD)[trouble_rank(one)]
        told = f" {mark} {one.get('type')!s:<18} {clean(one.get('message') or one.get('reason'))}"
        left = width - len(age) - 1
        lines.append(f"{padded(cut(told, left), left)} {age}")
    return ["", "Conditions:", *lines[: room - 2]] if lines and room > 2 else []


def _expectations(document: Document) -> list[tuple[str, str, str]]:
    """Return (what, observed, expected); an empty expectation is none."""
    state = str(document.get("state"))
    is_standby = state in ("Peer", "Degraded", "PrimaryDown")
    replication = lookup(document, "replication") or {}
    role = "standby" if is_standby else "primary" if state == "Active" else ""
    alive = "" if state in ("Active", "Degraded") else "silent" if state in DOWN else "answers"
    power = {"Peer": "on", "TakingOver": "off"}.get(state, "")
    words = {"True": "connected", "False": "disconnected"}
    connected = words.get(str(replication.get("connected")), "")
    return [
        ("database", clean(replication.get("role") or ""), role),
        ("its link", connected, "connected" if state in ("Peer", "Degraded") else ""),
        ("the partner", _alive(document), "answers" if state == "Degraded" else alive),
        ("its power", clean(lookup(document, "fence", "device", "power") or ""), power),
        ("a takeover", _ready(document), "works" if is_standby else ""),
    ]


def _alive(document: Document) -> str:
    if answers(document, "answered", "refused"):
        return "answers"
    return "silent" if answers(document, "silent") else ""


def _ready(document: Document) -> str:
    if document.get("ready"):
        return "works"
    return {"False": "would fail"}.get(str(lookup(document, "readiness", "status")), "")


def _columns(left: list[str], right: list[str], width: int) -> list[str]:
    """Put two lists side by side."""
    rows = max(len(left), len(right))
    ours = [*left, *[""] * (rows - len(left))]
    others = [*right, *[""] * (rows - len(right))]
    return [f"{padded(one, width)}{GUTTER}{other}" for one, other in zip(ours, others, strict=True)]


def _events(document: Document, width: int, room: int) -> list[str]:
    """The latest moves between states, the newest last, on as many lines as there are."""
    moves = listed(document, "history_tail")
    if room < EVENTS_MIN - 1 or not moves:
        return []
    lines = ["Recently:"]
    for move in moves[-max(1, room - 2) :]:
        told = f"{clock(move.get('at'))}  {move.get('from')} -> {move.get('to')}"
        lines.append(cut(f"  {told}  because {clean(move.get('because'))}", width))
    return lines


def _foot(document: Document, width: int) -> str:
    now, last = document.get("generated_at"), lookup(document, "seen", "last_round_at")
    age = "no round yet" if now is None or last is None else f"last round {rough(now - last)} ago"
    right = f"{clock(now)}Z"
    left = f"q quits   {document.get('node')} of {document.get('cluster')}   {age}"
    return padded(cut(left, width - len(right) - 1), width - len(right)) + right
