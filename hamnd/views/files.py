"""`files`: what is copied here, how fresh it is, what differs, and what goes on.

Owns the document `hamnd.files/1`, the parts of it that `status` carries, and its screen. Must not
judge freshness (core.freshness). Once the primary is gone it tells what was known last, and when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hamnd.model.wording import first_of
from hamnd.views.text import (
    BAD,
    GOOD,
    UNKNOWN,
    WIDTH,
    Document,
    ago,
    clean,
    fit,
    fold,
    item,
    listed,
    lookup,
    plural,
    rough,
    short_duration,
    size,
    span,
    when,
)

if TYPE_CHECKING:
    from hamnd.core.policy import Terms
    from hamnd.core.state import CopyState, NodeState
    from hamnd.model.copying import Copy, CopyEnd, CopyKind, Drift
    from hamnd.model.instant import Instant
    from hamnd.model.routine import RoutineRun

SCHEMA = "hamnd.files/1"
NAMES_SHOWN = 5


def files_document(state: NodeState, now: Instant, terms: Terms) -> dict[str, Any]:
    """Return everything that is known of every copy."""
    return {
        "schema": SCHEMA,
        "generated_at": int(now.wall_s),
        "node": terms.site.node,
        "partner": terms.site.partner.name,
        "state": state.state.value,
        "files": files_parts(state, now, terms),
    }


def files_parts(state: NodeState, now: Instant, terms: Terms) -> list[dict[str, Any]]:
    """Return one part for each copy, in the order of the configuration."""
    from hamnd.core.copies import declared_copies
    from hamnd.core.state import CopyState

    return [
        _part(copy, state.copies.get(name, CopyState()), _under_way(name, state), now)
        for name, copy in declared_copies(terms).items()
    ]


def _under_way(name: str, state: NodeState) -> tuple[CopyKind, RoutineRun] | None:
    from hamnd.core.copies import routine_name
    from hamnd.model.copying import CopyKind

    for kind in CopyKind:
        run = state.routines.get(routine_name(name, kind))
        if run is not None and run.is_running:
            return kind, run
    return None


def _part(
    copy: Copy, state: CopyState, under_way: tuple[CopyKind, RoutineRun] | None, now: Instant
) -> dict[str, Any]:
    last = state.last_copy or state.last
    return {
        "set": copy.name,
        "title": copy.title,
        "mode": "observe" if copy.is_watched_only else "pull",
        "fresh_as_of": _seconds(state.fresh_as_of),
        "stale_after_s": int(copy.stale_after_s),
        "identical": state.identical if copy.holds_identity else None,
        "last_run": None if last is None else _end_part(last),
        "drift": None if state.drift is None else _drift_part(state.drift),
        "question": state.question or None,
        "next_at": None,
        "run": None if under_way is None else _run_part(*under_way, state, now),
    }


def _drift_part(drift: Drift) -> dict[str, Any]:
    return {
        "at": int(drift.at),
        "differ": drift.differ,
        "missing": drift.missing,
        "extra": drift.extra,
        "examples": list(drift.examples),
        "whole": drift.is_whole,
    }


def _run_part(kind: CopyKind, run: RoutineRun, state: CopyState, now: Instant) -> dict[str, Any]:
    progress = state.progress
    return {
        "kind": kind.value,
        "actor": run.actor,
        "number": run.number,
        "began_at": _seconds(run.started_at),
        "elapsed_s": 0.0 if run.began is None else round(now.since(run.began), 1),
        "phase": "" if progress is None else progress.phase,
        "files": None if progress is None else progress.files,
        "files_total": None if progress is None else progress.files_total,
        "bytes": None if progress is None else progress.bytes,
        "bytes_total": None if progress is None else progress.bytes_total,
    }


def _end_part(end: CopyEnd) -> dict[str, Any]:
    return {
        "kind": end.kind.value,
        "outcome": end.outcome,
        "sentence": end.sentence,
        "began_at": int(end.began_at),
        "ended_at": int(end.ended_at),
        "duration_s": round(end.duration_s, 3),
        "entries": end.entries,
        "bytes": end.bytes,
        "changed": end.changed,
        "deleted": end.deleted,
    }


def _seconds(wall_s: float | None) -> int | None:
    return None if wall_s is None else int(wall_s)


def render_files(document: Document, width: int = WIDTH) -> list[str]:
    """Return each copy with its freshness, what differs and what goes on."""
    parts = listed(document, "files")
    partner = document.get("partner") or "the primary"
    if not parts:
        text = "No file sets are configured: what is here may be of any age."
        return fit([*fold(text, width), "NEXT    see [files] in the configuration"], width)
    now = document.get("generated_at") or 0
    if document.get("source") == "journal":
        return _from_journal(document, parts, width)
    stale = [one for one in parts if mark_of(one, now) != GOOD]
    lead = f"{plural(len(parts), 'file set')} from {partner}"
    lines = fold(f"{lead}: {'all fresh' if not stale else f'{len(stale)} not fresh'}.", width)
    for one in parts:
        lines += item(mark_of(one, now), str(one.get("set")), _told(one, now), width)
        lines += _drift_lines(one, now, width)
        if question := one.get("question"):
            lines += fold(f"ASKS: {clean(question)}", width, indent=8, first=5)
    return fit([*lines, f"NEXT    {_next(parts)}"], width)


def _from_journal(document: Document, parts: list[Document], width: int) -> list[str]:
    """Without a daemon nobody can say whether it is still so: every mark is a question."""
    now = document.get("generated_at") or 0
    told = f"OLD: {document.get('unreachable') or 'hamnd does not answer here'}; its journal knew:"
    lines = fold(told, width)
    for one in parts:
        fresh = one.get("fresh_as_of")
        words = "never copied whole" if fresh is None else f"as of {when(now, fresh)}"
        lines += item(UNKNOWN, str(one.get("set")), words, width)
        lines += _drift_lines(one, now, width)
    return fit([*lines, "NEXT    systemctl start hamnd (AIX: startsrc -s hamnd)"], width)


def mark_of(one: Document, now: float) -> str:
    """Return the mark of a copy: fresh, not so, or not known."""
    fresh, limit = one.get("fresh_as_of"), one.get("stale_after_s")
    if one.get("question") or one.get("identical") is False:
        return BAD
    if fresh is None:
        return UNKNOWN
    return BAD if limit is not None and now - fresh > limit else GOOD


def _told(one: Document, now: float) -> str:
    fresh = one.get("fresh_as_of")
    words = ["never copied whole" if fresh is None else f"as of {when(now, fresh)}"]
    if fresh is not None:
        words.append(f"{rough(now - fresh)} old, limit {rough(one.get('stale_after_s'))}")
    if one.get("mode") == "observe":
        words.append("copied by the site, only compared here")
    if one.get("identical") is False:
        words.append("its CA is NOT the primary's")
    if run := progress_words(one):
        words.append(run)
    elif (last := lookup(one, "last_run")) is not None:
        outcome = str(last.get("outcome")).replace("_", " ")
        took = short_duration(last.get("duration_s"))
        told = f"last run {outcome} {ago(now, last.get('ended_at'))}, took {took}"
        words.append(f"{told}: {clean(last.get('sentence') or '')}")
    if (following := one.get("next_at")) is not None:
        words.append(f"next in {span(following - now)}")
    return "; ".join(words)


def left_behind(parts: list[Document], now: float) -> str:
    """Say which files a takeover would leave on the old primary, as far as it is known."""
    if not parts:
        return "no file sets: what is here may be of any age"
    told = [words for one in parts if (words := _behind(one, now))]
    if told:
        return f"{'; '.join(told)} (hamnctl files)"
    oldest = min(parts, key=lambda one: float(one.get("fresh_as_of") or 0))
    age = rough(now - float(oldest.get("fresh_as_of") or 0))
    return f"all fresh; the oldest, {oldest.get('set')}, is {age} old"


def _behind(one: Document, now: float) -> str:
    name, fresh = str(one.get("set")), one.get("fresh_as_of")
    newer = sum(int(lookup(one, "drift", key) or 0) for key in ("differ", "missing"))
    words = []
    if fresh is None:
        words.append(f"{name} was never copied whole")
    elif mark_of(one, now) != GOOD or newer:
        words.append(f"{name} is {rough(now - fresh)} old")
    if newer:
        words.append(f"{plural(newer, 'newer file')} known to stay behind")
    if one.get("identical") is False:
        words.append("its CA is NOT the primary's")
    head, *rest = words or [""]
    return f"{head}: {', '.join(rest)}" if rest else head


def progress_words(one: Document) -> str:
    """Say how far a run is: files, bytes, rate, and the time left; nothing where none runs."""
    run = lookup(one, "run")
    if not isinstance(run, dict):
        return ""
    elapsed = float(run.get("elapsed_s") or 0.0)
    words = [str(run.get("phase") or "running")]
    files, total = run.get("files"), run.get("files_total")
    if files or total:
        words.append(f"{files or 0}{f' of {total}' if total else ''} files")
    done, whole = run.get("bytes"), run.get("bytes_total")
    if done or whole:
        words.append(f"{size(done or 0)}{f' of {size(whole)}' if whole else ''}")
    if done and elapsed > 1:
        rate = done / elapsed
        words.append(f"{size(rate)}/s")
        if whole and whole > done:
            words.append(f"{span((whole - done) / rate)} left")
    return f"{', '.join(words)} ({span(elapsed)} so far)"


def _drift_lines(one: Document, now: float, width: int) -> list[str]:
    drift = lookup(one, "drift")
    if not isinstance(drift, dict):
        return []
    counts = [
        f"{drift.get(key)} {word}"
        for key, word in (("differ", "differ"), ("missing", "not here"), ("extra", "only here"))
        if drift.get(key)
    ]
    if not counts:
        return []
    names = [clean(name) for name in drift.get("examples") or []]
    known = when(now, drift.get("at"))
    told = f"{', '.join(counts)} (known at {known}): {first_of(names, NAMES_SHOWN)}"
    return fold(told, width, indent=8, first=5)


def _next(parts: list[Document]) -> str:
    asking = [str(one.get("set")) for one in parts if one.get("question")]
    if asking:
        return f"look at the primary first; then hamnctl sync {asking[0]} --accept-deletions"
    return "hamnctl sync [SET]   hamnctl sync --verify compares contents"
