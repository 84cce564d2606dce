"""What leads on: the ways out of a paused run, what clears the gates, the next command.

Owns which commands a screen names, and in which order. Works on documents alone. Must not know the
core, nor widths. No screen names a command that the daemon would refuse as things are.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from hamnd.views.text import Document, listed, lookup, plan_name
from hamnd.views.verdict import (
    does_not_serve,
    has_returned,
    is_back,
    is_contradicted,
    is_fence_open,
    is_only_link_cut,
    is_run_beside,
    node_name,
    partner_name,
)

PLAN = "hamnctl plan takeover"
Way = tuple[str, str]
"""A command without ``hamnctl``, and what it means here."""


def ways_out(document: Document, run: Document) -> list[Way]:
    """Return what the operator can do with a paused run, the safest first."""
    if is_contradicted(run):
        return _ways_out_of_contradiction(run, partner_name(document))
    where = str(run.get("paused_step") or "")
    outcome = str(_step(run, where).get("outcome"))
    is_over = outcome in ("skipped", "done")
    retry = "goes on with the rest" if is_over else "after repairing the cause"
    ways = [("retry", "looks first, then goes on" if outcome == "unknown" else retry)]
    if where and where != "promote" and not is_over:
        missing = "verify will show it as missing"
        if where == "fence":
            missing = f"overrides its gate: {partner_name(document)} may still run"
        ways.append((f"skip {where} --reason ...", missing))
    return ways + _ends(run)


def _ways_out_of_contradiction(run: Document, partner: str) -> list[Way]:
    """The old primary lives: going on would make a second one. Back first, where that goes."""
    retry = ("retry", retry_words(run, partner))
    if run.get("passed_point_of_no_return"):
        return [retry, *_ends(run)]
    return [*_ends(run), retry]


def _ends(run: Document) -> list[Way]:
    """What ends a run: undone before its point of no return, concluded or continued after it."""
    if run.get("kind") == "undo":
        return []
    if not run.get("passed_point_of_no_return"):
        return [("abort --reason ...", "shows first what would be undone")]
    ways = [(f"plan {run.get('kind')} --continue", "what is left, computed anew")]
    if _step(run, "promote").get("outcome") == "done":
        ways.append(("conclude --reason ...", "ends the run with open steps"))
    return ways


def retry_words(run: Document, partner: str) -> str:
    """Say what a retry does while the old primary is alive, or was a moment ago."""
    fence, promote = _step(run, "fence"), _step(run, "promote")
    can_fence = fence.get("has_actions") and fence.get("outcome") != "skipped"
    if can_fence and promote.get("has_acted"):
        return f"fences {partner} again first: it powers {partner} off"
    refused = f"refused while {partner} answers"
    if not can_fence:
        return refused
    if fence.get("outcome") == "done":
        return f"{refused}; once it is silent, fences it again first unless it is proven off"
    return f"{refused}; once it is silent, goes on, to power it off"


def _step(run: Document, step_id: str) -> Document:
    return next((one for one in listed(run, "steps") if one.get("id") == step_id), {})


def gates_lead_on(part: Document) -> list[str]:
    """Return what clears the gates that block: what is to be done first, then one whole command.

    `part` has the gates and what was asked for with the plan: options that were given stay given.
    """
    gates = [one for one in listed(part, "gates") if one.get("verdict") in ("block", "unknown")]
    clears = list(dict.fromkeys(str(one.get("clear") or "hamnctl explain") for one in gates))
    plan = f"hamnctl plan {part.get('kind') or 'takeover'}"
    by_option = [clear.partition(plan) for clear in clears if f"{plan} --" in clear]
    first = [clear for clear in clears if f"{plan} --" not in clear]
    if not by_option:
        return first
    heads = "".join(head for head, _, _ in by_option)
    options = [option for _, _, tail in by_option if (option := tail.strip())]
    command = f"{heads}{plan} {' '.join([*_given(part, options), *options])}"
    return [*first, f"then {command}" if first else command]


def _given(part: Document, options: Sequence[str]) -> list[str]:
    """The options that the plan was asked for with; a class of loss is replaced, never doubled."""
    given = ["--continue"] if part.get("is_successor") else []
    given += ["--convert"] if part.get("with_conversion") else []
    given += ["--drill"] if part.get("with_drill") else []
    if part.get("accept_loss") and not any(one.startswith("--accept-loss") for one in options):
        given.append(f"--accept-loss {part['accept_loss']}")
    return given + [
        f"--override {one.get('gate')} --reason {shlex.quote(str(one.get('reason')))}"
        for one in listed(part, "overrides")
    ]


def next_commands(document: Document) -> list[str]:
    """Return what to run next, the first line being the advice."""
    if document.get("mode") == "observe_only":
        return ["hamnctl explain · when the cause is gone: hamnctl clear --reason ..."]
    if is_run_beside(document):
        return _next_in_run(document)
    match document.get("state"):
        case "Peer":
            return [_next_in_peer(document)]
        case "Degraded":
            if lookup(document, "guard", "doubt") == "epoch unknown":
                return [
                    "hamnctl guard        if the other node is off: hamn-guard assert --reason ..."
                ]
            if lookup(document, "guard", "doubt") is not None:
                return ["hamnctl guard        stop what still serves here; rejoin it as standby"]
            if is_only_link_cut(document):
                node = node_name(document)
                return [f"hamnctl explain      (check the switch port of {node} first)"]
            return ["hamnctl explain      what is missing, and what would change it"]
        case "PrimaryDown":
            return _next_when_down(document)
        case "TakingOver":
            return _next_in_run(document)
        case "Active":
            return _next_when_active(document)
        case _:
            return ["hamnctl explain"]


def _next_in_peer(document: Document) -> str:
    if waiting := document.get("acknowledge"):
        return f"hamnctl ack {plan_name(str(waiting))}      a second takeover is refused before it"
    if lookup(document, "rehearsal", "outcome") == "not_done":
        return "hamnctl rehearse --last      names what would fail; then hamnctl rehearse"
    if document.get("ready"):
        return "nothing to do.   hamnctl ready · witnesses · history"
    return "hamnctl ready        names what is missing and how to clear it"


def _next_when_down(document: Document) -> list[str]:
    plan = lookup(document, "plan", "digest")
    if plan:
        return [f"hamnctl confirm {plan_name(str(plan))}      (or a new {PLAN})"]
    takeover = lookup(document, "takeover")
    lines = gates_lead_on(takeover) if isinstance(takeover, dict) else []
    if document.get("cause") == "service":
        first, *rest = lines or [PLAN]
        return [f"hamnctl explain · if it cannot be repaired: {first}", *rest]
    return lines or [f"{PLAN}      then      hamnctl confirm"]


def _next_in_run(document: Document) -> list[str]:
    run = lookup(document, "run")
    if not isinstance(run, dict) or run.get("status") != "paused":
        return ["hamnctl confirm      shows the steps as they run"]
    ways = ways_out(document, run)
    if not is_contradicted(run):
        return ["hamnctl " + " · ".join(command for command, _ in ways)]
    first, second, *_ = [f"hamnctl {command}: {meaning}" for command, meaning in [*ways, ("", "")]]
    if run.get("passed_point_of_no_return"):
        rest = " · ".join(command for command, _ in ways[1:])
        return [f"POWER OFF {partner_name(document)} by hand, or {first}", f"hamnctl {rest}"]
    return [first, second]


def _next_when_active(document: Document) -> list[str]:
    partner = partner_name(document)
    finished = listed(document, "finished")
    report = f"report {plan_name(str(finished[-1].get('digest')))}" if finished else "history"
    if does_not_serve(document) and not has_returned(document):
        return ["hamnctl plan resume      brings up again what this node served"]
    if is_back(document) and lookup(document, "old_primary", "serving") is False:
        told = "its services must not start until it is rejoined"
        return [f"hold {partner} off: {told}", f"hamnctl explain · {report}"]
    if is_back(document):
        told = "by console, power controller or cable, and keep it off until it is rejoined"
        return [f"POWER OFF {partner} NOW {told}", f"hamnctl explain · {report}"]
    if is_fence_open(document):
        told = "nothing proves it off, and it must not come back as primary"
        return [f"POWER OFF {partner} by hand: {told}", f"hamnctl explain · {report}"]
    if waiting := document.get("acknowledge"):
        name = plan_name(str(waiting))
        if waiting not in [one.get("digest") for one in finished]:
            told = "it was carried out there; then, once you know why, here or there:"
            return [f"on {partner}: hamnctl report {name}      {told}", f"hamnctl ack {name}"]
        return [f"hamnctl report {name}      then, once you know why:      hamnctl ack {name}"]
    if not finished:
        return ["hamnctl explain · history"]
    return [f"hamnctl {report} · explain · history"]
