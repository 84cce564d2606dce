"""`explain`: why this state, which evidence, what would change it; or one condition in full.

Owns the document `hamnd.explain/1` and its screen. Must not judge: rows, rule and conditions come
from the core with their own sentences.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from hamnd.views.status_rows import hold_row
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
    lookup,
    row,
    span,
    when,
)
from hamnd.views.verdict import loss_words, trouble_rank

if TYPE_CHECKING:
    from hamnd.core.policy import Terms
    from hamnd.core.state import NodeState
    from hamnd.model.instant import Instant

SCHEMA = "hamnd.explain/1"
NAME_WIDTH = 18
STEP_READY = "StepReady/"

STANDS_BY = ("Peer", "Degraded", "PrimaryDown")
"""States in which a takeover can be asked for; in the first it is refused, and why is told."""
PEER_NEEDS = ("ReplicationPeer", "ReplicationGap", "PrimaryReachable", "NotIsolated")
"""What Peer requires (core.health.conditions.REQUIRED); a test holds the two together."""


def explain_document(state: NodeState, now: Instant, terms: Terms) -> dict[str, Any]:
    """Return the status document with what would change the state: the exits of each state."""
    from hamnd.views.status import status_document, takeover_part

    document = status_document(state, now, terms)
    document["schema"] = SCHEMA
    if document["state"] in STANDS_BY:
        document["takeover"] = takeover_part(state, now, terms)
    document["terms"] = {
        "down_after_s": terms.policy.down_after_s,
        "service_down_after_s": terms.policy.service_down_after_s,
        "recover_after_s": terms.policy.recover_after_s,
        "witnesses_min": terms.policy.witnesses_min,
        "gap_bytes_max": terms.policy.gap_bytes_max,
        "fence_minimum": terms.policy.fence_minimum.value,
        "evidence_age_max_s": terms.policy.evidence_age_max_s,
    }
    promotion = state.assessment.promotion
    document["promotion"] = {
        "variant": promotion.variant,
        "verdict": promotion.verdict.value,
        "sentence": promotion.sentence,
        "clear": promotion.clear,
    }
    document["exits"] = exits(document)
    return document


def exits(document: Document) -> list[str]:
    """Say what would move this node out of its state."""
    match document.get("state"):
        case "Peer":
            return ["to Degraded: any of " + ", ".join(PEER_NEEDS) + " no longer true"]
        case "Degraded":
            return _exits_of_degraded(document)
        case "PrimaryDown":
            back = f"to Degraded: {_contradiction(document)}"
            return [back, "to TakingOver: a confirmed takeover"]
        case "TakingOver":
            return [
                "to Active: every step done and verified",
                "to Degraded: abort, before the point of no return",
                "to Active with TakeoverIncomplete: conclude --reason, after it",
            ]
        case "Active":
            seen = "to Degraded: this node is seen as standby without the identity"
            return [
                seen,
                "to Degraded: the partner or a witness shows a newer epoch of another owner",
            ]
        case _:
            return []


def _exits_of_degraded(document: Document) -> list[str]:
    terms = lookup(document, "terms") or {}
    open_ = [
        str(condition.get("type"))
        for condition in listed(document, "conditions")
        if condition.get("type") in PEER_NEEDS and condition.get("status") != "True"
    ]
    quiet, held = span(terms.get("recover_after_s")), span(terms.get("down_after_s"))
    peer = f"to Peer: all required conditions true for {quiet}"
    peer += f"; missing: {', '.join(open_)}" if open_ else ""
    if held_back := document.get("held_back"):
        peer += f"; they are, but {held_back}"
    down = f"to PrimaryDown: the primary-down rule held for {held}"
    return [peer, f"{down} (cause service: {span(terms.get('service_down_after_s'))})"]


def _contradiction(document: Document) -> str:
    match document.get("cause"):
        case "frozen":
            return "a fresh ssh banner, xcatd answer or progress of replication"
        case "service":
            return "its xcatd and its database both answer again"
        case _:
            return "any fresh answer of the primary, to anybody"


def render_explain(document: Document, name: str | None = None, width: int = WIDTH) -> list[str]:
    """Return the screen, or that of one condition, gate or step by its name."""
    if name:
        return fit(_one(document, name, width), width)
    lines: list[str] = []
    for sentence in document.get("headline") or []:
        lines += fold(str(sentence), width)
    now = document.get("generated_at")
    since = document.get("since")
    lasted = None if now is None or since is None else now - since
    lines += row("STATE", PLAIN, f"{document.get('state')} for {span(lasted)}", width)
    lines += row("WHY", PLAIN, str(document.get("because") or "not recorded"), width)
    if document.get("mode") == "observe_only":
        lines += row("MODE", BAD, f"observe_only: {document.get('mode_reason')}", width)
    lines += hold_row(document, width)
    is_active = document.get("state") == "Active"
    lines += [] if is_active else _rule(document, width)
    lines += _conditions(document, now, width)
    lines += [] if is_active else [*_loss(document, width), *_fence(document, width)]
    lines += _why_not(document, width)
    lines += ["", "What would change it:"]
    for exit_ in document.get("exits") or []:
        lines += fold(f"- {exit_}", width, indent=4, first=2)
    if document.get("advice"):
        lines += fold(f"Advice: {document['advice']}", width)
    return fit([*lines, *_next(document, width)], width)


def _conditions(document: Document, now: float | None, width: int) -> list[str]:
    """Every condition but the proven steps, which are summed up on one line."""
    lines = ["", "Conditions:"]
    proven: list[str] = []
    for condition in _ordered(document):
        if _mark(condition) == GOOD and str(condition.get("type")).startswith(STEP_READY):
            proven.append(str(condition.get("type"))[len(STEP_READY) :])
        else:
            lines += _condition(condition, now, width)
    if proven:
        oldest = ago(now, lookup(document, "readiness", "oldest_at"))
        text = f"{len(proven)} proven: {', '.join(proven)} (readiness, oldest {oldest})"
        lines += item(GOOD, "StepReady", text, width, NAME_WIDTH)
    return lines if len(lines) > 2 else [*lines, "  none is judged in this state"]


def _ordered(document: Document) -> list[Document]:
    """Troubles first, then the unknown, then what is as it should be."""
    return sorted(listed(document, "conditions"), key=trouble_rank)


def _mark(condition: Document) -> str:
    return (BAD, UNKNOWN, GOOD)[trouble_rank(condition)]


def _condition(condition: Document, now: float | None, width: int) -> list[str]:
    seen = condition.get("observed_at")
    source = condition.get("source") or "hamnd"
    age = f"{source}, {ago(now, seen)}" if seen is not None else f"{source}, no time"
    text = f"{condition.get('message') or condition.get('reason')} ({age})"
    return item(_mark(condition), str(condition.get("type")), text, width, NAME_WIDTH)


def _rule(document: Document, width: int) -> list[str]:
    rule = lookup(document, "rule") or {}
    now = document.get("generated_at")
    lines = ["", "Is the primary down?"]
    if rule.get("cause"):
        since = rule.get("since")
        lasted = None if now is None or since is None else now - since
        held = "held long enough" if rule.get("is_held") else "not held long enough yet"
        text = f"yes, cause {rule['cause']}, for {span(lasted)}: {held}"
        lines += fold(text, width, indent=4, first=2)
    else:
        lines += ["  not by the rule"]
    for basis in rule.get("basis") or []:
        lines += item(GOOD, "for it", str(basis), width)
    for blocker in rule.get("blockers") or []:
        lines += item(PLAIN, "against it", str(blocker), width)
    return lines


def _loss(document: Document, width: int) -> list[str]:
    lines = ["", f"What a takeover would lose: {loss_words(document)}"]
    for reason in lookup(document, "data_loss", "basis") or []:
        lines += fold(f"- {reason}", width, indent=4, first=2)
    promotion = lookup(document, "promotion")
    if isinstance(promotion, dict):
        clear = f" -> {promotion['clear']}" if promotion.get("clear") else ""
        text = f"Promotion {promotion.get('variant')}: {promotion.get('sentence')}{clear}"
        lines += fold(text, width, indent=4, first=2)
    return lines


def _fence(document: Document, width: int) -> list[str]:
    lines = ["", f"Proof that the old primary is off: {lookup(document, 'fence', 'grade')}"]
    now = document.get("generated_at")
    for piece in listed(document, "fence", "evidence"):
        text = f"{piece.get('detail')} ({piece.get('source')}, {ago(now, piece.get('at'))})"
        lines += item(GOOD, str(piece.get("grade")), text, width)
    minimum = lookup(document, "fence", "minimum")
    return [*lines, f"  at least {minimum} is needed before a forced step"]


def _why_not(document: Document, width: int) -> list[str]:
    """The chain from a takeover back to what keeps it from happening, each link with its remedy."""
    if document.get("state") not in STANDS_BY:
        return []
    gates = listed(document, "takeover", "gates")
    lines = [
        "",
        "Why no takeover would be confirmed now:" if gates else "No gate forbids a takeover.",
    ]
    for gate in gates:
        lines += _link(BAD, gate.get("name"), gate.get("evidence"), gate.get("clear"), width)
    missing = listed(document, "readiness", "missing")
    lines += [f"What is not proven to work ({len(missing)}):"] if missing else []
    for one in missing:
        told, _, clear = str(one.get("message") or one.get("reason")).partition("->")
        mark = BAD if one.get("status") == "False" else UNKNOWN
        lines += _link(mark, one.get("name"), told, clear, width)
    return lines


def _link(mark: str, name: object, told: object, clear: object, width: int) -> list[str]:
    lines = item(mark, str(name), str(told or "").strip(), width, NAME_WIDTH)
    remedy = str(clear or "").strip()
    return lines + (fold(f"-> {remedy}", width, indent=7, first=4) if remedy else [])


def _next(document: Document, width: int) -> list[str]:
    commands = [str(command) for command in document.get("next") or []]
    own = "hamnctl explain" in (commands[0] if commands else "")
    text = "hamnctl explain CONDITION · hamnctl status" if own or not commands else commands[0]
    return ["", *row("NEXT", PLAIN, text, width)]


def _one(document: Document, name: str, width: int) -> list[str]:
    conditions = {str(c.get("type")): c for c in listed(document, "conditions")}
    by_word = {type_.lower(): type_ for type_ in conditions}
    by_word |= {type_.lower().replace("stepready/", ""): type_ for type_ in conditions}
    found = by_word.get(name.lower())
    if found is None:
        meant = get_close_matches(name.lower(), by_word, n=3, cutoff=0.5)
        hint = ", ".join(by_word[word] for word in meant) or ", ".join(sorted(conditions))
        return fold(f"There is no condition {name}. Known: {hint or 'none yet'}.", width)
    condition = conditions[found]
    now = document.get("generated_at")
    problem, arrow, clear = str(condition.get("message") or "").partition("->")
    lines = [f"{found} is {condition.get('status')} ({condition.get('reason')})"]
    lines += row("SAYS", _mark(condition), problem or "no message", width)
    since = when(now, condition.get("since"))
    seen = ago(now, condition.get("observed_at"))
    lines += row("SINCE", PLAIN, f"{since}, observed {seen} by {condition.get('source')}", width)
    if arrow:
        lines += row("CLEAR", PLAIN, clear.strip(), width)
    return [*lines, *row("NEXT", PLAIN, "hamnctl explain · hamnctl status", width)]


def has_condition(document: Document, name: str) -> bool:
    """Whether `name` is a condition, or a step with a condition StepReady, of this document."""
    types = {str(c.get("type")).lower() for c in listed(document, "conditions")}
    return name.lower() in types or f"stepready/{name.lower()}" in types
