"""`guard`: what hamn-guard answers here on what is known, and why.

Owns the document `hamnd.guard/1` and its screen. Must not judge: the answer is the core's, the same
that the script gives (core.guarding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hamnd.core.guarding import EXIT_CODE, MayServe, guard_answer, is_current, newest_epoch
from hamnd.views.text import (
    BAD,
    GOOD,
    PLAIN,
    UNKNOWN,
    WIDTH,
    Document,
    ago,
    fit,
    fold,
    item,
    listed,
)

if TYPE_CHECKING:
    from hamnd.core.policy import Terms
    from hamnd.core.state import NodeState
    from hamnd.model.instant import Instant

SCHEMA = "hamnd.guard/1"
WORDS = {
    MayServe.YES.value: "MAY serve",
    MayServe.NO.value: "must NOT serve",
    MayServe.UNKNOWN.value: "CANNOT KNOW whether it may serve",
}
MARKS = {MayServe.YES.value: GOOD, MayServe.NO.value: BAD}


def guard_part(state: NodeState, terms: Terms) -> dict[str, Any]:
    """Return the answer as other documents show it."""
    answer = guard_answer(state, terms)
    return {
        "answer": answer.may_serve.value,
        "exit_code": EXIT_CODE[answer.may_serve],
        "because": answer.because,
        "doubt": state.doubt.value or None,
        "is_disputed": answer.is_disputed,
        "when_unknown": terms.site.guard.when_unknown.value,
    }


def guard_document(state: NodeState, now: Instant, terms: Terms) -> dict[str, Any]:
    """Return the answer, the newest epoch, and what each host keeps of it, with age."""
    epoch = newest_epoch(state, terms)
    found = state.assessment.condition("GuardInstalled")
    return {
        "schema": SCHEMA,
        "generated_at": int(now.wall_s),
        "node": terms.site.node,
        "partner": terms.site.partner.name,
        **guard_part(state, terms),
        "epoch": epoch.number,
        "epoch_owner": epoch.owner,
        "is_this_boot": is_current(state, terms),
        "installed": None if found is None else found.message,
        "kept": [
            {
                "host": sight.host,
                "epoch": None if sight.epoch is None else sight.epoch.number,
                "owner": None if sight.epoch is None else sight.epoch.owner,
                "observed_at": int(sight.at.wall_s),
            }
            for sight in state.watch.epochs.values()
        ],
    }


def render_guard(document: Document, width: int = WIDTH) -> list[str]:
    """Return the answer first, then who keeps what."""
    word = str(document.get("answer"))
    told = f"{document.get('node')} {WORDS.get(word, word)}: {document.get('because')}."
    lines = fold(told, width)
    exits = f"hamn-guard ends with {document.get('exit_code')}"
    if word == MayServe.UNKNOWN.value:
        settled = f"guard.when_unknown = {document.get('when_unknown')}"
        is_disputed = document.get("is_disputed") is True
        exits += "; units are held: it is disputed" if is_disputed else f"; {settled}"
    lines += item(MARKS.get(word, UNKNOWN), "GUARD", exits, width)
    if installed := document.get("installed"):
        lines += item(PLAIN, "FILES", str(installed), width)
    newest = document.get("epoch")
    for one in listed(document, "kept"):
        kept = "keeps no epoch"
        if one.get("epoch") is not None:
            kept = f"keeps epoch {one.get('epoch')} of {one.get('owner')}"
        is_old = (one.get("epoch") or 0) < (newest or 0)
        kept += ", an older one" if is_old and one.get("epoch") is not None else ""
        kept += f" ({ago(document.get('generated_at'), one.get('observed_at'))})"
        lines += item(UNKNOWN if is_old else GOOD, str(one.get("host")), kept, width)
    return fit([*lines, f"NEXT    {next_of(document)}"], width)


def next_of(document: Document) -> str:
    """Say what decides, where the guard does not."""
    node, partner = document.get("node"), document.get("partner")
    match document.get("answer"):
        case MayServe.UNKNOWN.value:
            return f"hamn-guard assert --reason ...      (as root on {node}, {partner} being off)"
        case MayServe.NO.value:
            return "nothing: it is the other node's turn"
        case _:
            return "nothing to do."
