"""The report as one self-contained HTML page, its timeline drawn.

Owns the markup and the look of `hamnd.report/1` in a browser: what was lost, where the time went,
every step as a bar with its commands, evidence, overrides and follow-ups. Nothing is loaded from
anywhere, and every bar has its words beside it. Must not read records: it renders the document.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from hamnd.views.report_text import (
    FOLLOW_UPS,
    MARKS,
    by_whom,
    confirmed_at,
    head,
    loss_line,
    report_title,
    sections,
)
from hamnd.views.text import (
    Document,
    clock_on,
    listed,
    lookup,
    plan_name,
    short_duration,
    span,
)

PHASES = {
    "detection": "detection: until hamnd said that the primary is down",
    "human": "human: until somebody confirmed",
    "machine": "machine: the plan ran",
    "home": "the way home",
}
BEGINS = {"detection": "the death", "human": "PrimaryDown"}
"""Where the drawn phases begin, by the first of them that is known."""
SHARES = {
    "engine_s": ("engine", "engine: the database's own commands"),
    "xcat_s": ("xcat", "xCAT's commands"),
    "other_s": ("other", "all other commands: fence, addresses"),
    "hamnd_s": ("hamnd", "hamnd itself: looking, deciding, writing down"),
    "paused": ("paused", "paused: the run waited for a person"),
}
KINDS = tuple(kind for kind, _ in SHARES.values())
"""The only words that stand in an attribute."""
TONES = {"done": "good", "not_done": "bad", "unknown": "unknown", "skipped": "warn"}
WIDTH_MIN = 0.6
"""Percent of the track: the shortest bar that can still be seen."""

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #fff; --ink: #16191d; --soft: #565f69;
  --line: #d5d9de; --good: #14733c; --warn: #8a5a00; --bad: #b3151b; --unknown: #6a4fb3;
  --detection: #b3151b; --human: #8a5a00; --machine: #0b57a4; --home: #14733c;
  --engine: #0b57a4; --xcat: #14733c; --other: #6a4fb3; --hamnd: #565f69; --paused: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #101316; --card: #181c21; --ink: #e8ebee;
  --soft: #a3adb8; --line: #303740; --good: #58c98a; --warn: #f0b64a; --bad: #ff7b78;
  --unknown: #b9a3ff; --detection: #ff7b78; --human: #f0b64a; --machine: #7fb8ff; --home: #58c98a;
  --engine: #7fb8ff; --xcat: #58c98a; --other: #b9a3ff; --hamnd: #a3adb8; --paused: #f0b64a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1rem clamp(.8rem, 3vw, 2rem) 3rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: clamp(1.3rem, 3.4vw, 2rem); line-height: 1.2; margin: .6rem 0; text-wrap: balance;
  overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
h1 span { display: inline-block; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .8rem 1rem; margin: 1rem 0; }
.loss { font-size: clamp(1.05rem, 2vw, 1.3rem); font-weight: 700; margin: .2rem 0; }
p, ul { margin: .3rem 0; } ul { padding-left: 1.2rem; } li { margin: .15rem 0; }
.soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-top: 1px solid var(--line); font-weight: 400; overflow-wrap: anywhere; }
tr:first-child > * { border-top: 0; }
td.when { white-space: nowrap; font-variant-numeric: tabular-nums; }
.whole { display: flex; height: 2.2rem; border-radius: .3rem; overflow: hidden; gap: 2px; }
.whole i { min-width: 3px; }
i[data-kind] { background: var(--tone); display: block; }
.key { list-style: none; padding: 0; display: grid; gap: .25rem; margin: .5rem 0 0; }
.key li { display: grid; grid-template-columns: .9rem 6.2rem 1fr; gap: .6rem;
  align-items: baseline; }
.key i { height: .9rem; border-radius: .2rem; align-self: center; }
.key b { font-variant-numeric: tabular-nums; }
.bars { display: grid; gap: .1rem; }
details { border-top: 1px solid var(--line); padding: .3rem 0; }
details:first-child { border-top: 0; }
summary { display: grid; grid-template-columns: 8.5rem 1fr 4.2rem; gap: .3rem .8rem;
  cursor: pointer; align-items: center; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary b::before { content: "\\25B8\\00A0"; color: var(--soft); }
details[open] summary b::before { content: "\\25BE\\00A0"; }
summary .took { text-align: right; font-variant-numeric: tabular-nums; }
.track { position: relative; height: 1.1rem; border-radius: .2rem;
  background: color-mix(in srgb, var(--line) 45%, transparent); }
.track i { position: absolute; top: 0; bottom: 0; border-radius: .2rem; }
.track .of { opacity: .3; top: 35%; bottom: 35%; }
.seen { grid-column: 2 / -1; color: var(--soft); font-size: .92rem; overflow-wrap: anywhere; }
.seen em { font-style: normal; font-weight: 700; color: var(--outcome); }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: .85rem;
  margin-left: 9.3rem; margin-right: 5rem; font-variant-numeric: tabular-nums; }
pre { margin: .3rem 0 .6rem; padding: .5rem .7rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: .3rem;
  white-space: pre-wrap; overflow-wrap: anywhere;
  font: .85rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; }
:focus-visible { outline: 3px solid var(--machine); outline-offset: 2px; }
@media (max-width: 40rem) { summary { grid-template-columns: 1fr auto; }
  .track, .seen { grid-column: 1 / -1; order: 1; } .axis { margin: 0; }
  .key li { grid-template-columns: .9rem 1fr; } .key li span { grid-column: 2; } }
@media print { section { break-inside: avoid; } details > *:not(summary) { display: block; } }
"""


def render_report_html(document: Document) -> str:
    """Return the report as a page that needs nothing but itself."""
    title = report_title(document) if document.get("found") else "No such run"
    body = _body(document) if document.get("found") else ["<p>The journal knows no such plan.</p>"]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<main><h1>{_unbroken(title)}</h1>",
            *body,
            "</main></body></html>",
            "",
        ]
    )


def _unbroken(title: str) -> str:
    """Return a title that is broken at its commas alone."""
    parts = [escape(part.replace(" -> ", " → ")) for part in title.split(", ")]
    return ", ".join(f"<span>{part}" for part in parts).replace(", ", ",</span> ") + "</span>"


def _body(document: Document) -> list[str]:
    lists = {title: _list(title, told) for title, told in sections(document)}
    parts = [_verdict(document), lists.pop(FOLLOW_UPS, ""), _when(document), _phases(document)]
    parts += [_spent(document), _steps(document), *lists.values()]
    return [*(part for part in parts if part), _timeline(document)]


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _list(title: str, lines: list[str]) -> str:
    rows = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return _section(title, f"<ul>{rows}</ul>") if rows else ""


def _verdict(document: Document) -> str:
    basis = lookup(document, "predicted_loss", "basis") or []
    rows = "".join(f"<li>{escape(str(one))}</li>" for one in basis)
    plan = escape(plan_name(str(document.get("digest", ""))))
    told = f"Plan {plan}, {escape(str(document.get('status')))}."
    reasons = f"<ul>{rows}</ul>" if rows else ""
    line = f'<p class="loss">{escape(loss_line(document))}</p>'
    return f'<section><h2>What was lost</h2>{line}{reasons}<p class="soft">{told}</p></section>'


def _when(document: Document) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(what)}</th><td class="when">{escape(at)}</td>'
        f"<td>{escape(note)}</td></tr>"
        for what, at, note in head(document)
        if what
    )
    return _section("When (UTC)", f"<table>{rows}</table>")


def _phases(document: Document) -> str:
    """Draw the whole of it: each phase as wide as it was long."""
    times: dict[str, Any] = lookup(document, "times") or {}
    end = times.get("active_at") or times.get("homeward_at") or times.get("ended_at")
    marks = {
        "detection": (times.get("died_at"), times.get("primary_down_at")),
        "human": (times.get("primary_down_at"), times.get("confirmed_at")),
        "machine": (times.get("confirmed_at"), end),
        "home": (times.get("homeward_at"), times.get("ended_at")),
    }
    lasted = {
        name: float(to - since)
        for name, (since, to) in marks.items()
        if since is not None and to is not None and to >= since
    }
    told = [(name, seconds, PHASES[name]) for name, seconds in lasted.items()]
    is_managing = times.get("active_at") is not None or times.get("homeward_at") is not None
    return _section(_span_title(lasted, is_managing), _drawn(told))


def _span_title(phases: Iterable[str], is_managing: bool) -> str:
    """Name what the drawn phases span: only what is known of a death is said of one."""
    begin = next((words for phase, words in BEGINS.items() if phase in phases), "the confirmation")
    return f"From {begin} to {'managing again' if is_managing else 'the end'}"


def _spent(document: Document) -> str:
    """Draw where the run's own time went; commands side by side count for each of them."""
    parts: dict[str, Any] = lookup(document, "spent") or {}
    known = {**parts, "paused": document.get("paused_s")}
    told = [
        (kind, float(known[key]), words) for key, (kind, words) in SHARES.items() if known.get(key)
    ]
    return _section("Where the run's time went", _drawn(told))


def _drawn(told: list[tuple[str, float, str]]) -> str:
    """Return a bar of (kind, seconds, words), and the same as a list."""
    total = sum(seconds for _, seconds, _ in told)
    if not total:
        return ""
    bars = "".join(
        f'<i data-kind="{kind}" style="--tone:var(--{kind});flex:{seconds:.3f} 0 0"></i>'
        for kind, seconds, _ in told
    )
    rows = "".join(
        f'<li><i data-kind="{kind}" style="--tone:var(--{kind})"></i><b>{_long(seconds)}</b>'
        f"<span>{escape(words)}</span></li>"
        for kind, seconds, words in told
    )
    return f'<div class="whole" aria-hidden="true">{bars}</div><ul class="key">{rows}</ul>'


def _long(seconds: float) -> str:
    return short_duration(seconds) if seconds < 60 else span(seconds)


def _steps(document: Document) -> str:
    steps = listed(document, "steps")
    starts = [one["started_at"] for one in steps if one.get("started_at") is not None]
    if not starts:
        return ""
    began = min(starts)
    end = max((_end(one) for one in steps), default=began)
    whole = max(1.0, end - began)
    base = confirmed_at(document)
    rows = "".join(_step(one, began, whole, base) for one in steps)
    ends = (clock_on(base, at) for at in (began, began + whole))
    axis = f'<div class="axis">{"".join(f"<span>{one}</span>" for one in ends)}</div>'
    return _section("Steps and their commands", f'<div class="bars">{rows}</div>{axis}')


def _end(step: Document) -> float:
    commands = listed(step, "commands")
    ends = [float(one["at"]) + float(one.get("duration_s") or 0.0) for one in commands]
    started = float(step.get("started_at") or 0)
    return max([started + float(step.get("duration_s") or 0.0), *ends])


def _step(step: Document, began: float, whole: float, base: float | None) -> str:
    name, outcome = str(step.get("id")), str(step.get("outcome"))
    kind = step["kind"] if step.get("kind") in KINDS else "other"
    started = float(step.get("started_at") or began)
    spans = [(started, _end(step), "of")]
    for one in listed(step, "commands"):
        at = float(one["at"])
        spans.append((at, at + float(one.get("duration_s") or 0.0), "run"))
    bar = "".join(
        f'<i class="{how}" data-kind="{kind}" style="--tone:var(--{kind});'
        f'{_place(since - began, to - began, whole)}"></i>'
        for since, to, how in spans
    )
    took = short_duration(step.get("duration_s"))
    words, tone = outcome.replace("_", " "), TONES.get(outcome, "unknown")
    mark = MARKS.get(outcome, "?")
    told = escape(str(step.get("sentence") or ""))
    seen = f'<em style="--outcome:var(--{tone})">{mark} {escape(words)}</em> {told}'
    commands = "".join(_command(one, base) for one in listed(step, "commands"))
    return (
        f"<details><summary><b>{escape(name)}</b>"
        f'<span class="track" aria-hidden="true">{bar}</span><span class="took">{took}</span>'
        f'<span class="seen">{seen}</span></summary>'
        f"{commands or '<p class=soft>no command was needed</p>'}</details>"
    )


def _place(since: float, to: float, whole: float) -> str:
    left = max(0.0, min(100 - WIDTH_MIN, 100 * since / whole))
    width = max(WIDTH_MIN, min(100 - left, 100 * (to - since) / whole))
    return f"left:{left:.2f}%;width:{width:.2f}%"


def _command(command: Document, base: float | None) -> str:
    code = command.get("exit_code")
    ended = str(command.get("outcome")).replace("_", " ")
    ended += "" if code is None else f", exit {code}"
    took = command.get("duration_s")
    ended += "" if took is None else f", {short_duration(took)}"
    return (
        f'<p class="soft">{clock_on(base, command.get("at"))}: {escape(ended)}</p>'
        f"<pre>{escape(str(command.get('preview')))}</pre>"
    )


def _timeline(document: Document) -> str:
    base = confirmed_at(document)
    rows = "".join(
        f'<tr><td class="when">{clock_on(base, one.get("at"))}</td>'
        f"<td>{escape(by_whom(one) + str(one.get('says')))}</td></tr>"
        for one in listed(document, "timeline")
    )
    return _section("Everything that was written down (UTC)", f"<table>{rows}</table>")
