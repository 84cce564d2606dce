"""The verdict of a status document in words: headline, what contradicts, the next command.

Owns the sentences an operator reads first. Works on the document alone, so that the daemon, a
reader of the journal and a test say the same. Must not know the core, nor widths.
"""

from __future__ import annotations

from hamnd.views.text import (
    Document,
    ago,
    clean,
    listed,
    lookup,
    plan_name,
    plural,
    span,
    when,
)

BAD_WHEN_TRUE = frozenset(
    {"FenceLies", "TakeoverIncomplete", "OldPrimaryReturned", "DependentNodes"}
)
"""Conditions that name a trouble; all others name something that should be so."""

LOSS_WORDS = {
    "zero_proven": "ZERO (proven)",
    "zero_likely": "zero (nothing against it)",
    "bounded": "bounded",
    "unknown": "UNKNOWN",
}

PROBE_WORDS = {"ssh_banner": "ssh", "tcp": "connect", "xcatd_answer": "xcatd request"}


def is_bad(condition: Document) -> bool:
    """Whether a condition contradicts what should be so (unknown is not bad, and not good)."""
    trouble = "True" if condition.get("type") in BAD_WHEN_TRUE else "False"
    return condition.get("status") == trouble


def is_unknown(condition: Document) -> bool:
    """Whether a condition cannot be judged at present."""
    return condition.get("status") == "Unknown"


def condition_of(document: Document, type_: str) -> Document | None:
    """Return the condition of that type, or None."""
    return next((c for c in listed(document, "conditions") if c.get("type") == type_), None)


def answers(document: Document, *words: str) -> list[str]:
    """Return the partner's probes whose present answer is one of these words."""
    return [
        PROBE_WORDS.get(str(probe.get("probe")), str(probe.get("probe")))
        for probe in listed(document, "seen", "probes")
        if probe.get("answer") in words
    ]


def witnesses_seeing(document: Document, word: str) -> list[Document]:
    """Return the witnesses that say `word` of the primary."""
    return [witness for witness in listed(document, "witnesses") if witness.get("sees") == word]


def is_only_link_cut(document: Document) -> bool:
    """Whether the partner is silent from here while a witness freshly reaches it."""
    answered = answers(document, "answered", "refused")
    silent = answers(document, "silent")
    return bool(silent and not answered and witnesses_seeing(document, "reached"))


def is_isolated(document: Document) -> bool:
    """Whether this node itself is cut off from the cluster network."""
    found = condition_of(document, "NotIsolated")
    return found is not None and is_bad(found)


def loss_words(document: Document) -> str:
    """Say the data-loss verdict, with the bound where one is enforced."""
    verdict = str(lookup(document, "data_loss", "verdict") or "unknown")
    words = LOSS_WORDS.get(verdict, "UNKNOWN")
    if verdict != "bounded":
        return words
    bounds = []
    if (seconds := lookup(document, "data_loss", "seconds")) is not None:
        bounds.append(f"the last {span(seconds)}")
    if (count := lookup(document, "data_loss", "bytes")) is not None:
        bounds.append(f"{count} bytes of log")
    return "at most " + (" or ".join(bounds) or "what the basis says")


def headline(document: Document) -> list[str]:
    """Return the verdict: one or two sentences, the first of which stands alone."""
    match document.get("state"):
        case "Peer":
            return [f"{_node(document)} is STANDBY and protects {_partner(document)}."]
        case "Degraded":
            return _degraded(document)
        case "PrimaryDown":
            return _primary_down(document)
        case "TakingOver":
            return _taking_over(document)
        case "Active":
            return _active(document)
        case _:
            return [f"The state of {_node(document)} is not known."]


def _node(document: Document) -> str:
    return clean(document.get("node") or "this node")


def _partner(document: Document) -> str:
    return clean(document.get("partner") or "the other management node")


def _degraded(document: Document) -> list[str]:
    node, partner = _node(document), _partner(document)
    isolated = condition_of(document, "NotIsolated")
    if is_only_link_cut(document):
        return _only_link(document)
    if isolated is not None and is_bad(isolated):
        return [
            f"{node} itself is CUT OFF from the cluster network. Do NOT take over.",
            f"Nothing can be said about {partner} from here: {clean(isolated.get('message'))}",
        ]
    bad = [c for c in listed(document, "conditions") if is_bad(c)]
    if answers(document, "silent") and not answers(document, "answered", "refused"):
        return [
            f"{partner} does not answer {node}. Not proven down: do not take over yet.",
            *_blocked_by(document),
        ]
    if answers(document, "failing"):
        return [f"{partner} is up, but its xcatd fails. Try it there first; nothing is lost yet."]
    if not bad and document.get("held_back"):
        return [
            f"{node} is STANDBY and all is in order, but not yet for long enough.",
            clean(document["held_back"]),
        ]
    if not bad:
        return [f"{node} is STANDBY; whether it protects {partner} is NOT YET KNOWN."]
    names = ", ".join(str(c.get("type")) for c in bad[:3])
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    return [f"{node} is STANDBY but does NOT fully protect {partner}: {names}{more}."]


def _only_link(document: Document) -> list[str]:
    node, partner = _node(document), _partner(document)
    all_of = listed(document, "witnesses")
    reached = witnesses_seeing(document, "reached")
    newest = max((w.get("observed_at") or 0 for w in reached), default=None)
    age = ago(document.get("generated_at"), newest)
    reach = "reaches" if len(reached) == 1 else "reach"
    seen = (
        f"{len(reached)} of {plural(len(all_of), 'service node')} still {reach} {partner} ({age})."
    )
    return [
        f"Do NOT take over: only the link between {partner} and {node} is down.",
        seen,
    ]


def _blocked_by(document: Document) -> list[str]:
    blockers = lookup(document, "rule", "blockers")
    if isinstance(blockers, list) and blockers:
        return ["missing: " + "; ".join(clean(blocker) for blocker in blockers[:2])]
    return []


def _primary_down(document: Document) -> list[str]:
    partner = _partner(document)
    now, since = document.get("generated_at"), document.get("down_since") or document.get("since")
    moment = when(now, since)
    match document.get("cause"):
        case "frozen":
            return [
                f"{partner} is FROZEN since {moment}: its kernel answers, its services do not.",
                "Nobody manages the cluster. It must be fenced before anything is taken over.",
            ]
        case "service":
            failing = ", ".join(clean(basis) for basis in lookup(document, "rule", "basis") or ())
            return [
                f"{partner} runs but does not SERVE since {moment}. Try to repair it there first.",
                *([f"({failing})"] if failing else []),
            ]
        case _:
            is_off = lookup(document, "fence", "grade") == "power_off"
            what = "power off" if is_off else "silent everywhere"
            return [f"{partner} is DOWN since {moment} (host: {what}). Nobody manages the cluster."]


def _taking_over(document: Document) -> list[str]:
    run = document.get("run")
    node, partner = _node(document), _partner(document)
    if not isinstance(run, dict):
        return [f"{node} is TAKING OVER from {partner}."]
    steps = listed(run, "steps")
    done = sum(step.get("outcome") in ("done", "skipped") for step in steps)
    name = plan_name(str(run.get("digest", "")))
    if run.get("status") == "paused":
        where = f" at {run['paused_step']}" if run.get("paused_step") else ""
        return [f"The takeover {name} is PAUSED{where}. It waits for you.", *_pause_reason(run)]
    running = ", ".join(str(step.get("id")) for step in steps if step.get("outcome") == "running")
    return [
        f"{node} is TAKING OVER from {partner}: {done} of {plural(len(steps), 'step')} done"
        + (f", {running} runs." if running else ".")
    ]


def _pause_reason(run: Document) -> list[str]:
    reason = clean(run.get("reason") or "")
    return [f"Because: {reason}"] if reason else []


def _active(document: Document) -> list[str]:
    node, partner = _node(document), _partner(document)
    returned = condition_of(document, "OldPrimaryReturned")
    if returned is not None and is_bad(returned):
        serving = lookup(document, "old_primary", "serving")
        word = "and is PRIMARY" if serving else "(not as primary)" if serving is False else ""
        return [
            f"{node} is the MANAGEMENT NODE; the old primary {partner} HAS RETURNED {word}".rstrip()
            + ".",
            clean(returned.get("message") or ""),
        ]
    incomplete = condition_of(document, "TakeoverIncomplete")
    if incomplete is not None and is_bad(incomplete):
        return [
            f"{node} is the MANAGEMENT NODE, but the takeover is INCOMPLETE.",
            clean(incomplete.get("message") or ""),
        ]
    if document.get("protected"):
        return [f"{node} is the MANAGEMENT NODE and {partner} protects it."]
    return [f"{node} is the MANAGEMENT NODE. No standby protects it."]


def next_commands(document: Document) -> list[str]:
    """Return what to run next, the first line being the advice."""
    if document.get("mode") == "observe_only":
        return ["hamnctl explain · when the cause is gone: hamnctl clear --reason ..."]
    plan = lookup(document, "plan", "digest")
    match document.get("state"):
        case "Peer":
            if document.get("ready"):
                return ["nothing to do.   hamnctl ready · witnesses · history"]
            return ["hamnctl ready        names what is missing and how to clear it"]
        case "Degraded":
            if is_only_link_cut(document):
                node = _node(document)
                return [f"hamnctl explain      (check the switch port of {node} first)"]
            return ["hamnctl explain      what is missing, and what would change it"]
        case "PrimaryDown":
            if plan:
                return [
                    f"hamnctl confirm {plan_name(str(plan))}      (or a new hamnctl plan takeover)"
                ]
            if document.get("cause") == "service":
                return ["hamnctl explain · if it cannot be repaired: hamnctl plan takeover"]
            return ["hamnctl plan takeover      then      hamnctl confirm"]
        case "TakingOver":
            if lookup(document, "run", "status") == "paused":
                step = lookup(document, "run", "paused_step") or "STEP"
                passed = lookup(document, "run", "passed_point_of_no_return")
                end = "conclude" if passed else "abort"
                return [f"hamnctl retry · skip {step} --reason ... · {end} --reason ..."]
            return ["hamnctl confirm      shows the steps as they run"]
        case "Active":
            finished = listed(document, "finished")
            report = (
                f"hamnctl report {plan_name(str(finished[-1].get('digest')))} · "
                if finished
                else ""
            )
            return [f"{report}hamnctl explain · hamnctl history"]
        case _:
            return ["hamnctl explain"]
