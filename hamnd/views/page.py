"""The status page for a browser: one self-contained HTML page, and its parts as they change.

Owns which parts there are and their markup: verdict, states, the rows of the terminal's own screen,
peer window, gap plot, run, who sees whom, conditions, changes. Renders from the document alone, so
that page, screen and metrics tell the same. Must not know HTTP, a clock nor the look of the page
(its style and script are given). Every part reads well as plain text, in a text browser too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from hamnd.views.status_screen import render_status
from hamnd.views.text import (
    BAD,
    GOOD,
    UNKNOWN,
    Document,
    clean,
    clock,
    listed,
    lookup,
    plan_name,
    short_duration,
    size,
    span,
    when,
)
from hamnd.views.verdict import (
    PROBE_WORDS,
    headline,
    is_back,
    node_name,
    partner_name,
    trouble_rank,
)

SCHEMA = "hamnd.page/1"
ENDLESS = 4000
"""Columns in which no row of the screen is folded: the browser folds."""

STATES = ("Peer", "Degraded", "PrimaryDown", "TakingOver", "Active")
ARROWS = ("⇄", "⇄", "→", "→")
"""How one state leads to the next, both ways or one; a test holds them to the core's table."""
MEANS = {
    "Peer": "the standby protects the primary",
    "Degraded": "something is wrong or not known",
    "PrimaryDown": "nobody manages the cluster",
    "TakingOver": "a confirmed takeover runs",
    "Active": "this node manages the cluster",
}

TITLES = {
    "READY": "Takeover ready",
    "LOSS": "What would be lost",
    "REPL": "Replication",
    "FILES": "Copies of files",
    "SEEN": "Who sees the primary",
    "FENCE": "Proof that it is off",
    "GATES": "What forbids a takeover",
    "COND": "Condition",
    "STATE": "State",
    "MODE": "Mode",
    "CONF": "Configuration",
    "PLAN": "Plan",
    "PEOPLE": "People",
    "RUN": "Run",
    "LAST": "Last run",
    "EPOCH": "Epoch",
    "PROT": "Protection",
    "OLD": "Old primary",
    "HOLD": "Hold",
    "PROOF": "Proof",
    "NEXT": "Next",
}
MARK_WORDS = {GOOD: "good", BAD: "bad", UNKNOWN: "unknown"}
TONES = {"good": "all is well", "warn": "look at it", "bad": "act now"}
OUTCOME_MARKS = {"done": GOOD, "not_done": BAD, "unknown": UNKNOWN}
GAP_KEY = '<span class="key gap" aria-hidden="true"></span>'
REPLAY_KEY = '<span class="key replay" aria-hidden="true"></span>'
_ROW = re.compile(r"^(?P<label>[A-Z]{2,6}) +(?P<mark>[*!?](?= ))? *(?P<text>.*)$")
_FAR = re.compile(r" {12,}")
"""What stands between a row's sentence and its age on the right margin of an endless line."""


@dataclass(frozen=True, slots=True)
class Point:
    """One reading of the gaps, for the plot; None: not known then."""

    at: int
    gap_bytes: int | None
    replay_gap_bytes: int | None


@dataclass(frozen=True, slots=True)
class Dress:
    """How the page looks and moves: the text of its style and of its script."""

    style: str
    script: str


def page_document(document: Document, points: Sequence[Point]) -> dict[str, Any]:
    """Return what the page shows now: its title, its tone, and the markup of each part by id."""
    return {
        "schema": SCHEMA,
        "at": document.get("generated_at"),
        "title": f"{document.get('state')}: {node_name(document)}",
        "tone": tone(document),
        "parts": {
            "verdict": _verdict(document),
            "lede": _lede(document),
            "states": _states(document),
            "rows": _rows(document),
            "window": _window(document),
            "plot": _plot(points),
            "run": _run(document),
            "seen": _seen(document),
            "conditions": _conditions(document),
            "changes": _changes(document),
            "made": _made(document),
        },
    }


def render_page(document: Document, points: Sequence[Point], dress: Dress) -> str:
    """Return the whole page. Without its script it is read again every five seconds."""
    made = page_document(document, points)
    part = made["parts"]
    cluster = _text(document.get("cluster"))
    return f"""<!doctype html>
<html lang="en" data-tone="{made["tone"]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<title>{escape(made["title"])}</title>
<link rel="icon" href="data:,">
<style>{dress.style}</style>
</head>
<body data-at="{made["at"]}">
<a class="skip" href="#rows">Skip to the facts</a>
<header>
<p class="where">hamnd · cluster {cluster} · {_text(node_name(document))}</p>
<p id="lost" class="lost-bar" role="alert" hidden></p>
<p id="lost-age" class="lost-bar" aria-hidden="true" hidden></p>
<div id="verdict" aria-live="polite">{part["verdict"]}</div>
<div id="lede">{part["lede"]}</div>
</header>
<main>
<section aria-labelledby="h-states"><h2 id="h-states">State</h2>
<div id="states">{part["states"]}</div></section>
<div class="column">
<div id="run">{part["run"]}</div>
<section aria-labelledby="h-rows"><h2 id="h-rows">Facts</h2>
<div id="rows" tabindex="-1">{part["rows"]}</div></section>
</div>
<div class="column">
<div id="window">{part["window"]}</div>
<section aria-labelledby="h-plot"><h2 id="h-plot">Replication gap</h2>
<div id="plot">{part["plot"]}</div></section>
<section aria-labelledby="h-seen"><h2 id="h-seen">Who reaches {_text(partner_name(document))}</h2>
<div id="seen">{part["seen"]}</div></section>
</div>
<section aria-labelledby="h-conditions"><h2 id="h-conditions">Conditions</h2>
<div id="conditions">{part["conditions"]}</div></section>
<section aria-labelledby="h-changes"><h2 id="h-changes">Latest changes</h2>
<div id="changes">{part["changes"]}</div></section>
</main>
<footer><p id="made">{part["made"]}</p>
<p>Read-only: what changes something is typed on the node, with hamnctl.</p></footer>
<script>{dress.script}</script>
</body>
</html>
"""


def tone(document: Document) -> str:
    """Return how loud the page is: good, warn or bad."""
    state, run = document.get("state"), lookup(document, "run", "status")
    if document.get("mode") == "observe_only" or state == "PrimaryDown" or run == "paused":
        return "bad"
    if state == "Active":
        return "bad" if is_back(document) else "good" if document.get("protected") else "warn"
    return "good" if state == "Peer" and document.get("ready") else "warn"


def _text(value: object) -> str:
    return escape(clean(value))


def _sentences(document: Document) -> list[str]:
    told = document.get("headline")
    return [str(one) for one in told] if isinstance(told, list) and told else headline(document)


def _verdict(document: Document) -> str:
    return f"<h1>{_text(_sentences(document)[0])}</h1>"


def _lede(document: Document) -> str:
    loud = tone(document)
    more = "".join(f"<p>{_text(one)}</p>" for one in _sentences(document)[1:3])
    return f'<p class="tone">{TONES[loud]}</p>{more}{_next(document)}'


def _next(document: Document) -> str:
    """Return what to run next: whoever reads the verdict needs it before any fact."""
    advice = [text for label, _, *text in _labelled(document) if label == "NEXT"]
    lines = "<br>".join(_text(line) for one in advice for line in one)
    return f'<p class="next"><span>{TITLES["NEXT"]}</span> {lines}</p>' if advice else ""


def _states(document: Document) -> str:
    """Return the way through the states; the present one is named in words as well."""
    cells = []
    for number, state in enumerate(STATES):
        is_here = state == document.get("state")
        here = ' aria-current="step" class="here"' if is_here else ""
        now = " <em>(now)</em>" if is_here else ""
        cells.append(f"<li{here}><b>{state}</b>{now} <span>{MEANS[state]}</span></li>")
        if number < len(ARROWS):
            cells.append(f'<li class="arrow" aria-hidden="true">{ARROWS[number]}</li>')
    made, since = document.get("generated_at"), document.get("since")
    told = _text(document.get("state") or "not known")
    if isinstance(made, int | float) and isinstance(since, int | float):
        lasted = f'<time data-for="{int(since)}">{span(made - since)}</time>'
        told += f" for {lasted} (since {when(made, since)})"
    because = document.get("because")
    why = f": {_text(because)}" if because else ""
    return f'<ol class="states">{"".join(cells)}</ol><p>{told}{why}</p>'


def _rows(document: Document) -> str:
    """Return the facts of the terminal's screen, each with its mark as a word."""
    found = (one for one in _labelled(document) if one[0] != "NEXT")
    return f"<dl>{''.join(_row(*one) for one in found)}</dl>"


def _labelled(document: Document) -> list[list[str]]:
    """Return the rows of the terminal's screen: label, mark, and the lines of each."""
    items: list[list[str]] = []
    for line in render_status(document, ENDLESS, ENDLESS):
        found = _ROW.match(line)
        if found is not None and found["label"] not in TITLES:
            found = None  # a sentence of the headline that begins with a name in capitals
        if found is None or found["label"] == "STATE":
            if items and line.startswith("   "):
                items[-1].append(line.strip())
        else:
            items.append([found["label"], found["mark"] or "", str(found["text"])])
    return items


def _row(label: str, mark: str, text: str, *more: str) -> str:
    body, *ages = _FAR.split(text)
    age = f' <span class="age">{_text(ages[0])}</span>' if ages else ""
    lines = "".join(f"<br>{_text(line)}" for line in more)
    told = f"{_marked(mark, MARK_WORDS[mark])} " if mark in MARK_WORDS else ""
    title = TITLES.get(label, label)
    return f"<div><dt>{title}</dt><dd>{told}{_text(body)}{lines}{age}</dd></div>"


def _marked(mark: str, said: str) -> str:
    """Return a mark with its word: neither colour nor sign is needed to understand it."""
    return f'<span class="mark {MARK_WORDS[mark]}">{mark} <i>{said}</i></span>'


def _age(now: object, then: object) -> str:
    """Return a moment as an age that the page's script keeps counting."""
    if not isinstance(now, int | float) or not isinstance(then, int | float):
        return "no time"
    stamp = when(now, then)
    return f'<time data-since="{int(then)}">{span(now - then)} ago</time> ({stamp})'


def _window(document: Document) -> str:
    """Return the countdown of the peer window where it counts: a primary that may be dead."""
    end = lookup(document, "data_loss", "peer_window_end")
    left = lookup(document, "data_loss", "peer_window_remaining_s")
    if end is None or left is None or document.get("state") not in ("Degraded", "PrimaryDown"):
        return ""
    told = f'<b class="count">over</b> since {clock(end)}Z.'
    if left > 0:
        count = f'<b class="count" data-until="{int(end)}">{span(left)}</b>'
        told = f"{count} left: it ends {clock(end)}Z."
    return (
        '<section aria-labelledby="h-window"><h2 id="h-window">Peer window</h2>'
        f"<p>{told}</p></section>"
    )


def _plot(points: Sequence[Point]) -> str:
    """Return the gaps as a picture, and the same in words."""
    known = [point for point in points if point.gap_bytes is not None]
    if not known:
        return "<p>No gap was read yet.</p>"
    last, most = points[-1], max(point.gap_bytes or 0 for point in known)
    covered = span(points[-1].at - points[0].at)
    told = f"now {size(last.gap_bytes)}, at most {size(most)} in the last {covered}"
    if last.replay_gap_bytes is not None:
        told += f"; replay gap now {size(last.replay_gap_bytes)} {REPLAY_KEY}"
    top = max(most, *(point.replay_gap_bytes or 0 for point in points), 1)
    begin, length = points[0].at, max(1, points[-1].at - points[0].at)

    def lines(values: Iterable[tuple[int, int | None]], kind: str) -> str:
        pieces: list[list[str]] = [[]]
        for at, value in values:
            if value is None:
                pieces.append([])
            else:
                x, y = 600 * (at - begin) / length, 118 - 116 * value / top
                pieces[-1].append(f"{x:.1f},{y:.1f}")
        drawn = [" ".join(piece) for piece in pieces if piece]
        return "".join(f'<polyline class="{kind}" points="{one}"/>' for one in drawn)

    gaps = lines(((point.at, point.gap_bytes) for point in points), "gap")
    replays = lines(((point.at, point.replay_gap_bytes) for point in points), "replay")
    return (
        f'<figure><svg viewBox="0 0 600 120" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="axis" d="M0 118H600"/>{replays}{gaps}</svg>'
        f"<figcaption>Log gap {GAP_KEY} {told}</figcaption></figure>"
    )


def _run(document: Document) -> str:
    run = lookup(document, "run")
    if not isinstance(run, dict):
        return ""
    steps = listed(run, "steps")
    done = sum(step.get("outcome") in ("done", "skipped") for step in steps)
    eta = lookup(run, "eta", "p50_s")
    usual = f", usually {span(eta)} in all" if eta is not None else ""
    name = _text(plan_name(str(run.get("digest"))))
    title = f"{_text(run.get('kind'))} {name}: {_text(run.get('status'))}"
    reason = f"<p>{_text(run.get('reason'))}</p>" if run.get("reason") else ""
    begun = _age(document.get("generated_at"), run.get("started_at"))
    return (
        f'<section aria-labelledby="h-run"><h2 id="h-run">{title}</h2>{reason}'
        f'<p><progress value="{done}" max="{max(1, len(steps))}">{done}/{len(steps)}</progress> '
        f"{done} of {len(steps)} steps done, begun {begun}{usual}</p>"
        f'<ol class="steps">{"".join(_step(step) for step in steps)}</ol></section>'
    )


def _step(step: Document) -> str:
    outcome = str(step.get("outcome"))
    mark = OUTCOME_MARKS.get(outcome, "")
    took = short_duration(step.get("duration_s"))
    lasted = f' <span class="age">{took}</span>' if took else ""
    word, going = MARK_WORDS.get(mark, ""), ""
    if isinstance(step.get("progress"), dict):
        share, told = lookup(step, "progress", "share"), lookup(step, "progress", "sentence")
        bar = "" if share is None else f'<progress value="{share}" max="1">{share:.0%}</progress> '
        going = f" {bar}{_text(told)}"
    return (
        f'<li class="{word or outcome}"><b>{_text(step.get("id"))}</b> '
        f"<i>{outcome.replace('_', ' ')}</i> {_text(step.get('sentence'))}{going}{lasted}</li>"
    )


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in lines
    )
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _seen(document: Document) -> str:
    now = document.get("generated_at")
    lines = [
        (
            PROBE_WORDS.get(str(probe.get("probe")), _text(probe.get("probe"))) + " from here",
            _answer(probe.get("answer")),
            _age(now, probe.get("observed_at")),
        )
        for probe in listed(document, "seen", "probes")
    ]
    gateway = lookup(document, "seen", "gateway")
    if isinstance(gateway, dict):
        age = _age(now, gateway.get("observed_at"))
        lines.append(("gateway from here", _answer(gateway.get("answer")), age))
    lines += [
        (
            f"service node {_text(witness.get('name'))}",
            _answer(witness.get("sees")),
            _age(now, witness.get("observed_at")),
        )
        for witness in listed(document, "witnesses")
    ]
    return _table(("Asked", "Answer", "Observed"), lines)


def _answer(answer: object) -> str:
    mark = {"answered": GOOD, "reached": GOOD, "unknown": UNKNOWN}.get(str(answer), BAD)
    return _marked(mark, _text(answer))


def _conditions(document: Document) -> str:
    """Return every condition, troubles first."""
    found = sorted(listed(document, "conditions"), key=trouble_rank)
    now = document.get("generated_at")
    lines = []
    for one in found:
        mark = (BAD, UNKNOWN, GOOD)[trouble_rank(one)]
        status = _marked(mark, _text(one.get("status")))
        source = f"{_text(one.get('source') or 'hamnd')}, {_age(now, one.get('observed_at'))}"
        message = _text(one.get("message") or one.get("reason"))
        lines.append((_text(one.get("type")), status, message, source))
    heads = ("Condition", "Status", "Says", "Evidence")
    return _table(heads, lines) if lines else "<p>None is judged in this state.</p>"


def _changes(document: Document) -> str:
    now = document.get("generated_at")
    lines = [
        f"<li>{_age(now, one.get('at'))}: {_text(one.get('from'))} → <b>{_text(one.get('to'))}</b> "
        f"because {_text(one.get('because'))}</li>"
        for one in reversed(listed(document, "history_tail"))
    ]
    return f"<ul>{''.join(lines)}</ul>" if lines else "<p>None yet.</p>"


def _made(document: Document) -> str:
    at = document.get("generated_at")
    return f'As of {when(None, at)}, <time data-since="{at}">0 s ago</time>.'
