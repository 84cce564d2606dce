"""A run on the screen: steps as they go, a pause with its ways out, a refusal.

Owns the document `hamnd.run/1` and these screens. Must not know how a run moves (core.run).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hamnd.views.text import (
    BAD,
    GOOD,
    UNKNOWN,
    WIDTH,
    Document,
    fit,
    flow,
    fold,
    item,
    listed,
    lookup,
    plan_name,
    plural,
    short_duration,
    span,
    spread,
    stopwatch,
    without_word,
)
from hamnd.views.verdict import is_contradicted, partner_name
from hamnd.views.ways import ways_out

if TYPE_CHECKING:
    from hamnd.core.progress import Run
    from hamnd.core.state import FinishedRun
    from hamnd.model.instant import Instant
    from hamnd.model.site import Site

SCHEMA = "hamnd.run/1"
MARKS = {
    "done": GOOD,
    "running": ">",
    "not_done": BAD,
    "unknown": UNKNOWN,
    "skipped": "-",
}
OUTCOME_WORDS = {"not_done": "NOT DONE", "unknown": "OUTCOME UNKNOWN", "skipped": "skipped"}
"""What is said of an outcome besides its mark: once, whatever the sentence begins with."""
NAME_WIDTH = 20
STEP_LINES_MAX = 2


def run_document(
    run: Run | None, now: Instant, site: Site, finished: Sequence[FinishedRun] = ()
) -> dict[str, Any]:
    """Return the present or last run; `run` is null when there is none."""
    from hamnd.views.run_facts import run_part

    return {
        "schema": SCHEMA,
        "generated_at": int(now.wall_s),
        "node": site.node,
        "partner": site.partner.name,
        "run": run_part(run, finished),
    }


def run_of(document: Document) -> Document | None:
    """Return the run in a document of run, status or watch; None where there is none."""
    run = document.get("run", document if "steps" in document else None)
    return run if isinstance(run, dict) else None


def render_run(document: Document, width: int = WIDTH, with_steps: bool = True) -> list[str]:
    """Return the screen of a run: one line per step, the point of no return, the ways out.

    Without steps it is what follows them where they were told as they ended.
    """
    run = run_of(document)
    if run is None:
        return ["No plan is being carried out.", "NEXT    hamnctl status"]
    if run.get("status") == "paused":
        return fit(_paused(document, run, width, with_steps), width)
    lines = _title(document, run, width) if with_steps else []
    lines += _steps(run, width, document.get("generated_at")) if with_steps else []
    return fit([*lines, *_foot(run, width)], width)


def _title(document: Document, run: Document, width: int) -> list[str]:
    name = plan_name(str(run.get("digest", "")))
    node = f" on {document['node']}" if document.get("node") else ""
    left = f"{str(run.get('kind')).upper()} {name}{node} · confirmed by {run.get('actor')}"
    return spread([left], elapsed(document, run), width)


def elapsed(document: Document, run: Document) -> str:
    """Return the elapsed time of a run, beside the expected one where it is known."""
    started = run.get("started_at")
    ended = run.get("finished_at") or document.get("generated_at")
    if started is None or ended is None:
        return ""
    expected = lookup(run, "eta", "p50_s")
    return stopwatch(ended - started) + (f" / ~{stopwatch(expected)}" if expected else "")


def _steps(run: Document, width: int, now: float | None) -> list[str]:
    lines: list[str] = []
    for step in listed(run, "steps"):
        outcome = str(step.get("outcome"))
        if outcome != "pending":
            lines += step_lines(step, now, width)
    if run.get("status") in ("running", "paused"):
        lines += waiting_lines(run, width)
    return lines


def waiting_lines(run: Document, width: int) -> list[str]:
    """Return the steps that have not begun, with those that cannot be taken back named so."""
    words = [
        str(step.get("id")) + ("" if step.get("reversible", True) else " (no way back)")
        for step in listed(run, "steps")
        if step.get("outcome") == "pending"
    ]
    return flow(words, width, indent=3)


def no_return_words(run: Document) -> str:
    """Say where the point of no return lies, or that it is passed; empty where there is none."""
    if passed := run.get("passed_point_of_no_return"):
        return f"Point of no return passed at {passed}."
    ahead = run.get("point_of_no_return")
    return f"No way back from {ahead} on." if ahead else ""


def expected_words(run: Document) -> str:
    """Say how long a run is expected to take, from those before it."""
    eta = lookup(run, "eta")
    if not isinstance(eta, dict):
        return "expected time not known, no run before"
    return f"expected {span(eta.get('p50_s'))}, from {plural(eta.get('n') or 0, 'run')}"


def step_lines(step: Document, now: float | None, width: int) -> list[str]:
    """Return one step of a run: mark, name, how long, what was seen."""
    outcome = str(step.get("outcome"))
    took = step.get("duration_s")
    started = step.get("started_at")
    if took is None and outcome == "running" and now is not None and started is not None:
        took = now - started
    word = OUTCOME_WORDS.get(outcome, "")
    sentence = str(step.get("sentence") or (step.get("title") if outcome == "running" else ""))
    if told_by := lookup(step, "progress", "sentence"):
        sentence = str(told_by)
    limit = f" (limit {short_duration(step['timeout_s'])})" if _is_long(step, took) else ""
    sentence = without_word(sentence, word)
    told = f"{word}: {sentence}" if word and sentence else word or sentence
    name = f"{step.get('id')!s:<13}{short_duration(took):>7}"
    lines = item(MARKS.get(outcome, UNKNOWN), name, told + limit, width, NAME_WIDTH)
    return lines if len(lines) <= STEP_LINES_MAX else _shortened(lines, width)


def _shortened(lines: list[str], width: int) -> list[str]:
    """Keep the first lines of a long sentence; all of it is in the report."""
    *kept, last = lines[:STEP_LINES_MAX]
    return [*kept, f"{last[: width - 4]} ..."]


def _is_long(step: Document, took: float | None) -> bool:
    limit = step.get("timeout_s")
    return step.get("outcome") == "running" and bool(limit) and took is not None and took > 10


def _foot(run: Document, width: int) -> list[str]:
    passed = run.get("passed_point_of_no_return")
    lines = fold(no_return_words(run), width) if passed or run.get("status") == "running" else []
    match run.get("status"):
        case "running":
            lines += fold("This screen can be closed; the run goes on.", width)
            lines += ["NEXT    hamnctl status"]
        case "done":
            name = plan_name(str(run.get("digest", "")))
            lines += [f"DONE. Every step is verified.   hamnctl report {name} · hamnctl status"]
        case status:
            lines += fold(f"{str(status).upper()}: {run.get('reason')}", width)
            lines += ["NEXT    hamnctl status · hamnctl report"]
    return lines


def _paused(document: Document, run: Document, width: int, with_steps: bool) -> list[str]:
    steps = {str(step.get("id")): step for step in listed(run, "steps")}
    where = str(run.get("paused_step") or "")
    step = steps.get(where, {})
    word = OUTCOME_WORDS.get(str(step.get("outcome")), "")
    took = short_duration(step.get("duration_s"))
    outcome = word if word.startswith("OUTCOME") else f"outcome {word}"
    told = f": {outcome}" + (f" after {took}" if took else "") if word else ""
    title = f"PAUSED at {where}{told}" if where else "PAUSED"
    if is_contradicted(run):
        title = f"PAUSED: {partner_name(document)} answers, although this plan is for a dead one"
    lines = spread([title], elapsed(document, run), width)
    reason = without_word(str(run.get("reason") or ""), word)
    sentence = without_word(str(step.get("sentence") or ""), word)
    is_over = step.get("outcome") in ("skipped", "done")
    lines += [] if is_over else fold(reason, width, indent=4, first=2)
    if sentence and sentence not in reason:
        lines += fold(sentence, width, indent=4, first=2)
    if with_steps:
        shown = [{**one, "sentence": ""} if one is step else one for one in steps.values()]
        lines += _steps({**run, "steps": shown}, width, document.get("generated_at"))
    lines += fold(_standing(run, steps), width, indent=2, first=2)
    return lines + _ways_out(document, run, width)


def _standing(run: Document, steps: dict[str, Document]) -> str:
    done = [name for name, step in steps.items() if step.get("outcome") == "done"]
    passed = run.get("passed_point_of_no_return")
    if passed:
        return f"Everything done stands ({', '.join(done)}); {passed} cannot be taken back."
    if done:
        return f"Done so far: {', '.join(done)}. Nothing irreversible has begun."
    return "Nothing irreversible has begun."


def _ways_out(document: Document, run: Document, width: int) -> list[str]:
    lines: list[str] = []
    for command, meaning in ways_out(document, run):
        head = f"  hamnctl {command:<24} "
        first, *rest = fold(meaning, width - len(head)) or [""]
        lines += [head + first, *(" " * len(head) + line for line in rest)]
    return lines


def render_refusal(document: Document, width: int = WIDTH) -> list[str]:
    """Return the screen of a refused request: what became worse, old -> new, and what to run."""
    sentence = str(document.get("error") or "the request was refused")
    gate = document.get("gate")
    named = f" [{gate}]" if gate and str(gate) not in sentence else ""
    lines = fold(f"REFUSED: {sentence}{named}", width, indent=2, first=0)
    for line in document.get("difference") or []:
        lines += fold(str(line), width, indent=6, first=2)
    hint = str(document.get("hint") or "hamnctl explain")
    return fit([*lines, *fold(f"Nothing was done.   {hint}", width, indent=2, first=0)], width)
