"""The verdict of a status document in words: headline, and what contradicts.

Owns the sentences an operator reads first. Works on the document alone, so that the daemon, a
reader of the journal and a test say the same. Must not know the core, nor widths.
"""

from __future__ import annotations

from hamnd.model.wording import first_of
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

LASTING = frozenset(
    (
        *("GuardInstalled", "ParityOs", "ParityXcat", "ParityDatabase", "NamesResolve"),
        *("SshBothWays", "SameSubnet", "StandbyQuiet", "DependentNodes", "TableAddresses"),
        *("DhcpAddress", "TableInterfaces", "PolicyRows"),
    )
)
"""Conditions of how the pair was set up: they say nothing about this moment."""

LOSS_WORDS = {
    "zero_proven": "ZERO (proven)",
    "zero_likely": "zero (nothing against it)",
    "bounded": "bounded",
    "unknown": "UNKNOWN",
}

CONTRADICTED = "contradicted"
"""How the reason of such a pause begins (core.following); a test holds the two together."""

PROBE_WORDS = {"ssh_banner": "ssh", "tcp": "connect", "xcatd_answer": "xcatd request"}


def is_bad(condition: Document) -> bool:
    """Whether a condition contradicts what should be so (unknown is not bad, and not good)."""
    trouble = "True" if condition.get("type") in BAD_WHEN_TRUE else "False"
    return condition.get("status") == trouble


def is_unknown(condition: Document) -> bool:
    """Whether a condition cannot be judged at present."""
    return condition.get("status") == "Unknown"


def trouble_rank(condition: Document) -> int:
    """Return 0 for what contradicts, 1 for what cannot be judged, 2 for what is as it should be."""
    return 0 if is_bad(condition) else 1 if is_unknown(condition) else 2


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


def is_contradicted(run: Document) -> bool:
    """Whether a run is held because the old primary answered although the plan excludes it."""
    return run.get("status") == "paused" and str(run.get("reason")).startswith(CONTRADICTED)


def is_back(document: Document) -> bool:
    """Whether the old primary of an active node is heard, and does not protect it as standby.

    One that follows in order answers as it should, unless it says itself that it serves.
    """
    is_seen = lookup(document, "old_primary", "seen") is True
    is_standby = lookup(document, "old_primary", "follows") is True
    if is_standby and lookup(document, "old_primary", "serving") is not True:
        is_seen = False
    return (has_returned(document) or is_seen) and not document.get("protected")


def has_returned(document: Document) -> bool:
    """Whether the node that was taken over from answers again and has not rejoined."""
    returned = condition_of(document, "OldPrimaryReturned")
    return returned is not None and is_bad(returned)


def is_run_beside(document: Document) -> bool:
    """Whether a plan is under way that does not decide what this node is (design §3)."""
    run = document.get("run")
    is_open = isinstance(run, dict) and run.get("status") in ("running", "paused")
    return is_open and document.get("state") != "TakingOver"


def does_not_serve(document: Document) -> bool:
    """Whether an active node lacks its database, its addresses or its xcatd."""
    serves = condition_of(document, "Serves")
    return serves is not None and is_bad(serves)


def is_fence_open(document: Document) -> bool:
    """Whether the takeover ended without proof that the old primary is off."""
    takeovers = [one for one in listed(document, "finished") if one.get("kind") == "takeover"]
    open_steps = takeovers[-1].get("open_steps") if takeovers else None
    return "fence" in (open_steps or ()) and not document.get("protected")


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
    if is_run_beside(document):
        return _run_beside(document)
    match document.get("state"):
        case "Peer":
            return [f"{node_name(document)} is STANDBY and protects {partner_name(document)}."]
        case "Degraded":
            return _degraded(document)
        case "PrimaryDown":
            return _primary_down(document)
        case "TakingOver":
            return _taking_over(document)
        case "Active":
            return _active(document)
        case _:
            return [f"The state of {node_name(document)} is not known."]


def node_name(document: Document) -> str:
    """Return the name of this node."""
    return clean(document.get("node") or "this node")


def partner_name(document: Document) -> str:
    """Return the name of the other management node."""
    return clean(document.get("partner") or "the other management node")


def _doubted(document: Document, doubt: str) -> list[str]:
    """This node was the management node, and its epoch does not let it serve, or not yet."""
    node, because = node_name(document), clean(lookup(document, "guard", "because"))
    if doubt == "superseded":
        told = f"{node} is SUPERSEDED: it must not serve."
        return [told, f"Because: {because}."]
    return [f"{node} does NOT KNOW whether it may serve.", f"Because: {because}."]


def _degraded(document: Document) -> list[str]:
    node, partner = node_name(document), partner_name(document)
    isolated = condition_of(document, "NotIsolated")
    if (doubt := lookup(document, "guard", "doubt")) is not None:
        return _doubted(document, str(doubt))
    if is_only_link_cut(document):
        return _only_link(document)
    if isolated is not None and is_bad(isolated):
        return [
            f"{node} itself is CUT OFF from the cluster network. Do NOT take over.",
            f"Nothing can be said about {partner} from here: {clean(isolated.get('message'))}",
        ]
    told = (c for c in listed(document, "conditions") if c.get("type") not in LASTING)
    bad = [c for c in told if is_bad(c)]
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
    names = first_of([str(c.get("type")) for c in bad], 3)
    return [f"{node} is STANDBY but does NOT fully protect {partner}: {names}."]


def _only_link(document: Document) -> list[str]:
    node, partner = node_name(document), partner_name(document)
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
    partner = partner_name(document)
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


def _run_beside(document: Document) -> list[str]:
    run = document.get("run")
    assert isinstance(run, dict)
    return _run_words(document, run, f"{node_name(document)} carries out {run.get('kind')}")


def _taking_over(document: Document) -> list[str]:
    run = document.get("run")
    told = f"{node_name(document)} is TAKING OVER from {partner_name(document)}"
    return _run_words(document, run, told) if isinstance(run, dict) else [f"{told}."]


def _run_words(document: Document, run: Document, told: str) -> list[str]:
    """Say how far a run is, or why it waits."""
    steps = listed(run, "steps")
    done = sum(step.get("outcome") in ("done", "skipped") for step in steps)
    name = plan_name(str(run.get("digest", "")))
    if run.get("status") == "paused":
        if is_contradicted(run):
            return _contradicted(document, run, name)
        where = f" at {run['paused_step']}" if run.get("paused_step") else ""
        return [f"The {run.get('kind')} {name} is PAUSED{where}. It waits for you.",
                *_pause_reason(run)]  # fmt: skip
    under_way = [str(step.get("id")) for step in steps if step.get("outcome") == "running"]
    running = f"{', '.join(under_way)} {'runs' if len(under_way) == 1 else 'run'}"
    return [
        f"{told}: {done} of {plural(len(steps), 'step')} done"
        + (f", {running}." if under_way else ".")
    ]


def _contradicted(document: Document, run: Document, name: str) -> list[str]:
    """The old primary answered in the middle of a takeover that was planned for a dead one."""
    partner = partner_name(document)
    heard = answers(document, "answered", "refused")
    heard += [str(one.get("name")) for one in witnesses_seeing(document, "reached")]
    why = clean(run.get("reason")).removeprefix(CONTRADICTED).lstrip(": ")
    if heard:
        return [
            f"{partner} is BACK: the takeover {name} from it is PAUSED.",
            f"It answers {', '.join(heard)}. Two primaries must never run.",
        ]
    told = "" if document.get("source") == "journal" else " It is not heard at this moment."
    return [
        f"{partner} HAS ANSWERED: the takeover {name} from it is PAUSED.",
        f"Because: {why or 'it answered'}.{told}",
    ]


def _pause_reason(run: Document) -> list[str]:
    reason = clean(run.get("reason") or "")
    return [f"Because: {reason}"] if reason else []


def _active(document: Document) -> list[str]:
    node, partner = node_name(document), partner_name(document)
    incomplete = condition_of(document, "TakeoverIncomplete")
    is_incomplete = incomplete is not None and is_bad(incomplete)
    open_steps = [clean(incomplete.get("message"))] if incomplete and is_incomplete else []
    missing = ""
    if does_not_serve(document):
        told = clean((condition_of(document, "Serves") or {}).get("message")).partition(": ")[0]
        missing = f"What is missing: {told}."
    if missing and not has_returned(document):
        return [f"{node} is the MANAGEMENT NODE and DOES NOT SERVE.", missing]
    if is_back(document):
        # What this node lacks can wait until there is one machine again.
        return [*_old_primary_is_back(document), *([missing] if missing else []), *open_steps]
    if is_incomplete and is_fence_open(document):
        first = f"{node} is the MANAGEMENT NODE, but {partner} is NOT PROVEN OFF."
        return [first, *open_steps]
    if is_incomplete:
        return [f"{node} is the MANAGEMENT NODE, but the takeover is INCOMPLETE.", *open_steps]
    if document.get("protected"):
        return [f"{node} is the MANAGEMENT NODE and {partner} protects it."]
    return [f"{node} is the MANAGEMENT NODE. No standby protects it."]


def _old_primary_is_back(document: Document) -> list[str]:
    """Two machines that may both believe to be the management node: the worst there is."""
    node, partner = node_name(document), partner_name(document)
    returned = condition_of(document, "OldPrimaryReturned")
    word = "HAS RETURNED" if returned is not None and is_bad(returned) else "ANSWERS"
    match lookup(document, "old_primary", "serving"):
        case True:
            return [
                f"SPLIT BRAIN: {node} is the MANAGEMENT NODE and {partner} is PRIMARY too.",
                f"Both accept writes. POWER OFF {partner} now.",
            ]
        case False:
            return [
                f"{node} is the MANAGEMENT NODE; the old primary {partner} {word}.",
                "Its database does not serve. Hold it off until it is rejoined.",
            ]
        case _:
            return [
                f"{node} is the MANAGEMENT NODE; the old primary {partner} {word}.",
                f"SPLIT BRAIN is possible: nobody knows whether {partner} serves. POWER IT OFF.",
            ]
