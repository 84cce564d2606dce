"""The plan as a document and as the card the operator confirms.

Owns `hamnd.plan/1` (design §12) and its two screens: the card (what is lost, what happens, from
where there is no way back) and the full plan with every command. Must not know how a plan is built
or judged (core.plans, core.gates), nor a clock: countdowns are counted from the given moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hamnd.views.files import left_behind
from hamnd.views.text import (
    BAD,
    GOOD,
    PLAIN,
    UNKNOWN,
    WIDTH,
    Document,
    clean,
    clock,
    fit,
    flow,
    fold,
    item,
    listed,
    lookup,
    plan_name,
    plural,
    row,
    size,
    span,
    spread,
)
from hamnd.views.verdict import loss_words
from hamnd.views.ways import gates_lead_on

if TYPE_CHECKING:
    from hamnd.model.plan import Plan, Step
    from hamnd.model.site import Site
    from hamnd.model.work import Action, Look
    from hamnd.views.run_facts import Eta

EXCHANGES = ("exchange", "home-exchange")
"""Steps with which both nodes end up with the other one's address."""

SCHEMA = "hamnd.plan/1"
GATE_MARKS = {"pass": GOOD, "block": BAD, "unknown": UNKNOWN, "overridden": BAD}
LABEL_WIDTH = 17
NO_WAY_BACK = "from here there is no way back"
LOSING = ("takeover", "switchover", "failback", "drill")
"""Kinds that move the database's role; no other can lose what was written."""
VARIANTS = {
    "graceful": "graceful: the primary's database hands over",
    "peer-window-only": "within the peer window",
    "force-after-proof": "forced, after proof that the primary is off",
    "accepted-force": "forced, with the loss you accept",
    "start-as-primary": "promoted before, started again by force",
    "start-with-standby": "primary before, started again beside its standby",
    "activate": "the cluster's own before, activated again",
    "none": "primary already, and up",
    "reintegrate": "its own data stays, what diverged is taken back",
    "reseed": "it gets a new copy of everything",
}


def plan_document(
    plan: Plan, now_wall: float, site: Site, eta: Eta | None = None, skew_s: float = 0.0
) -> dict[str, Any]:
    """Return a plan as its contract has it, with what the card shows besides.

    `eta` is {p50_s, p95_s, n} from history, or None before the first run; `skew_s` is the primary's
    clock minus ours: the peer window is told on our clock, as in `status`.
    """
    from hamnd.views import run_facts

    loss = plan.loss
    end, remaining = _window(loss.peer_window_end, now_wall, skew_s)
    return {
        "schema": SCHEMA,
        "digest": plan.digest,
        "kind": plan.kind.value,
        "created_at": int(plan.created_at),
        "expires_at": int(plan.expires_at),
        "data_loss": {
            "verdict": loss.verdict.value,
            "bytes": loss.bytes,
            "seconds": loss.seconds,
            "estimated_bytes": loss.estimated_bytes,
            "basis": list(loss.basis),
            "peer_window_end": end,
            "peer_window_remaining_s": remaining,
        },
        "gates": [run_facts.gate_part(gate) for gate in plan.gates],
        "steps": [_step(step, plan, site) for step in plan.steps],
        "eta": dict(eta) if eta else {"p50_s": None, "p95_s": None, "n": 0, "unknown": []},
        "generated_at": int(now_wall),
        "node": site.node,
        "partner": site.partner.name,
        "variant": plan.variant,
        "cause": None if plan.cause is None else plan.cause.value,
        "reach_class": plan.reach_class,
        **run_facts.request_part(plan.request),
        "sessions": _sessions(plan, site),
        "point_of_no_return": next((one.id for one in plan.steps if not one.reversible), None),
    }


def _sessions(plan: Plan, site: Site) -> str | None:
    """Say what ends besides: whoever works over an address that a node gives up."""
    own = site.own
    way_in = site.identity_console or f"the console of {site.node}, which the site does not name"
    if any(one.id in EXCHANGES for one in plan.steps):
        return (
            f"every session over {own.address} and {site.partner.address} will end: the nodes "
            f"exchange them; the run goes on without it. Way in: {way_in}"
        )
    if plan.kind.value != "takeover" or not site.takes_primary_address:
        return None
    return (
        f"every session over {site.node}'s own address {own.address} will end; the run goes on "
        f"without it. Way in: {way_in}"
    )


def _window(end: int | None, now_wall: float, skew_s: float) -> tuple[int | None, int | None]:
    from hamnd.views import facts

    return (None, None) if end is None else facts.window_here(end, now_wall, skew_s)


def _step(step: Step, plan: Plan, site: Site) -> dict[str, Any]:
    from hamnd.views.dated import differences

    return {
        "id": step.id,
        "title": step.title,
        "guide": step.guide,
        "differs": differences(step.id, plan.kind, site, plan.variant),
        "host": step.host,
        "depends_on": list(step.depends_on),
        "after": list(step.after),
        "reversible": step.reversible,
        "timeout_s": step.timeout_s,
        "actions": [_action(action, site) for action in step.actions],
        "looks": [_look(look, site) for look in (*step.preconditions, *step.postconditions)],
    }


def _action(action: Action, site: Site) -> dict[str, Any]:
    from hamnd.dialects import shell
    from hamnd.model.work import Edit
    from hamnd.views import facts

    part = facts.request_part(action.request, shell.preview(action.request, site))
    if isinstance(action.request, Edit):
        part["lines"] = [{"number": one.number, "shown": one.shown} for one in action.request.lines]
    return part


def _look(look: Look, site: Site) -> dict[str, Any]:
    from hamnd.dialects import shell
    from hamnd.views import facts

    part = facts.request_part(look.request, shell.preview(look.request, site))
    return {**part, "expects": look.expects}


def blocking_gates(document: Document) -> list[Document]:
    """Return the gates that forbid a confirmation."""
    gates = listed(document, "gates")
    return [gate for gate in gates if gate.get("verdict") in ("block", "unknown")]


def render_card(document: Document, width: int = WIDTH) -> list[str]:
    """Return the card: what is lost first, then what happens, in the order it happens."""
    lines = spread([_title(document)], _left(document), width)
    lines += ["", *_loss(document, width), *_files(document, width)]
    lines += _proof(document, width)
    if document.get("sessions"):
        lines += _labelled("Sessions", str(document["sessions"]), width)
    lines += _overrides(document, width)
    lines += _gates(document, width)
    lines += ["", *_steps(document, width), "", *_eta(document, width)]
    return fit(lines, width)


def _title(document: Document) -> str:
    node, partner = document.get("node"), document.get("partner")
    name = plan_name(str(document.get("digest", "")))
    match document.get("kind"):
        case "takeover":
            again = ", continued" if document.get("is_successor") else ""
            return f"TAKE OVER from {partner} to {node}{again} · plan {name}"
        case "switchover":
            return f"SWITCH OVER from {partner} to {node} · plan {name}"
        case "resume":
            return f"BRING {node} UP AGAIN as management node · plan {name}"
        case "setup":
            end = ", then a drill" if document.get("with_drill") else ""
            return f"SET UP {node} as standby of {partner}{end} · plan {name}"
        case "rejoin":
            return f"TAKE {partner} IN as standby of {node} · plan {name}"
        case "failback":
            return f"HAND BACK from {node} to {partner} · plan {name}"
        case "drill":
            return f"DRILL: from {partner} to {node} and back · plan {name}"
        case "undo":
            return f"UNDO the paused run on {node} · plan {name}"
        case kind:
            return f"{str(kind).upper()} on {node} · plan {name}"


def _left(document: Document) -> str:
    """The countdown of the plan: past it a confirmation is refused."""
    now, expires = document.get("generated_at"), document.get("expires_at")
    if now is None or expires is None:
        return ""
    return f"{span(expires - now)} left" if expires > now else "EXPIRED"


def _labelled(label: str, text: str, width: int) -> list[str]:
    lines = fold(text, width - LABEL_WIDTH - 2) or [""]
    first = f"  {label:<{LABEL_WIDTH}}{lines[0]}"
    return [first, *(" " * (LABEL_WIDTH + 2) + line for line in lines[1:])]


def _moves_role(document: Document) -> bool:
    return document.get("kind") in LOSING or bool(document.get("with_drill"))


def _loss(document: Document, width: int) -> list[str]:
    if not _moves_role(document):
        return []
    words = loss_words(document)
    if document.get("accept_loss"):
        words += f", accepted by you (--accept-loss {document['accept_loss']})"
    lines = _labelled("What is lost", words, width)
    if any(gate.get("name") == "loss" for gate in blocking_gates(document)):
        verdict = lookup(document, "data_loss", "verdict")
        lines += _labelled("", f"to accept it: --accept-loss {verdict}", width)
    basis = ", ".join(str(reason) for reason in lookup(document, "data_loss", "basis") or [])
    if basis:
        lines += _labelled("", f"why: {basis}", width)
    estimated = lookup(document, "data_loss", "estimated_bytes")
    if estimated is not None:
        lines += _labelled("", f"estimated about {size(estimated)}: a guess, no bound", width)
    remaining = lookup(document, "data_loss", "peer_window_remaining_s")
    end = lookup(document, "data_loss", "peer_window_end")
    if remaining:
        lines += _labelled("Peer window", f"ends {clock(end)}Z, {span(remaining)} left", width)
    return lines


def _files(document: Document, width: int) -> list[str]:
    """The files are lost like what was written to the database, or come over first."""
    if not _moves_role(document) or document.get("files") is None:
        return []
    told = left_behind(listed(document, "files"), document.get("generated_at") or 0)
    if any(step.get("id") == "sync" for step in listed(document, "steps")):
        told += "; step sync brings them first"
    return _labelled("Files", told, width)


def _proof(document: Document, width: int) -> list[str]:
    variant = str(document.get("variant") or "")
    told = VARIANTS.get(variant, variant)
    match document.get("kind"):
        case "takeover" | "resume":
            label = "Promotion" if document.get("kind") == "takeover" else "Database"
            proof = _evidence(document, "Old primary", "fence", width)
            return proof + _labelled(label, told, width)
        case "switchover" | "drill":
            back = document.get("point_of_no_return")
            until = f"until {back}" if back else "as long as it runs"
            told = f"hands over; {until} an abort gives all back to it"
            return _labelled("Old primary", told, width)
        case "setup" if document.get("with_drill"):
            node, partner = document.get("node"), document.get("partner")
            over = f"hands over to {node} once the pair is set up, and takes back"
            return _labelled("Because", variant, width) + _labelled(str(partner), over, width)
        case "rejoin" | "failback":
            kept = _evidence(document, "Its own data", "preserve_diverged", width)
            return kept + _labelled("Way", told, width)
        case _:
            return _labelled("Because", variant, width) if variant else []


def _evidence(document: Document, label: str, gate: str, width: int) -> list[str]:
    """Say what a gate saw, where this kind has it."""
    found = next((one for one in listed(document, "gates") if one.get("name") == gate), None)
    return [] if found is None else _labelled(label, str(found.get("evidence")), width)


def _overrides(document: Document, width: int) -> list[str]:
    overrides = listed(document, "overrides")
    if not overrides:
        return _labelled("Overrides", "none", width)
    lines: list[str] = []
    for one in overrides:
        label = "Overrides" if not lines else ""
        lines += _labelled(label, f"{one.get('gate')}: {one.get('reason')}", width)
    return lines


def _gates(document: Document, width: int) -> list[str]:
    """The gates that block: a card that cannot be confirmed says so before its steps."""
    gates = blocking_gates(document)
    if not gates:
        shown = listed(document, "gates")
        names = [str(one.get("name")) for one in shown if one.get("verdict") == "overridden"]
        over = f", OVERRIDDEN: {', '.join(names)}" if names else ""
        told = f"{plural(len(shown), 'gate')}, none blocks{over}"
        return _labelled("Gates", told, width) if shown else []
    verb = "1 gate BLOCKS" if len(gates) == 1 else f"{len(gates)} gates BLOCK"
    lines = _labelled("Gates", f"{verb}: it cannot be confirmed", width)
    for gate in gates:
        lines += _gate_lines(gate, width)
    return lines


def _gate_lines(gate: Document, width: int) -> list[str]:
    verdict = str(gate.get("verdict"))
    text = f"{verdict}: {gate.get('evidence')}"
    if verdict == "overridden":
        text = f"OVERRIDDEN ({gate.get('reason')}); it says: {gate.get('evidence')}"
    mark = GATE_MARKS.get(verdict, UNKNOWN)
    lines = item(mark, str(gate.get("name")), text, width, LABEL_WIDTH - 2)
    if gate.get("clear") and verdict in ("block", "unknown"):
        lines += fold(f"-> {gate['clear']}", width, indent=LABEL_WIDTH + 5, first=LABEL_WIDTH + 2)
    return lines


def _steps(document: Document, width: int) -> list[str]:
    """Number the steps; those that run side by side share a line."""
    steps = listed(document, "steps")
    lines: list[str] = []
    number = 1
    barred = False
    for group in _groups(steps):
        if not barred and any(not step.get("reversible", True) for step in group):
            barred = True
            lines.append(f"  -- {NO_WAY_BACK} ".ljust(width - 2, "-"))
        lines += _group_lines(group, number, width)
        number += len(group)
        if document.get("kind") == "setup":  # done once, in peace: there is room for the reasons
            lines += [line for step in group for line in _reasons(step, width, 20)]
    return lines


def _reasons(step: Document, width: int, indent: int) -> list[str]:
    """Say why a step is not as in the guide."""
    return [
        line
        for one in step.get("differs") or []
        for line in fold(f"! {one}", width, indent=indent + 2, first=indent)
    ]


def _groups(steps: list[Document]) -> list[list[Document]]:
    """Group neighbours that wait for the same steps: they run side by side."""
    groups: list[list[Document]] = []
    for step in steps:
        is_beside = bool(groups) and _waits_for(step) == _waits_for(groups[-1][0])
        if is_beside and step.get("reversible", True):
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def _waits_for(step: Document) -> set[str]:
    return {str(one) for key in ("depends_on", "after") for one in step.get(key) or []}


def _group_lines(group: list[Document], number: int, width: int) -> list[str]:
    if len(group) > 1:
        words = [f"{number + index} {step.get('id')}" for index, step in enumerate(group)]
        return flow([*words, "(side by side)"], width, indent=3, separator="  ")
    step = group[0]
    head = f"  {number:>2} {clean(step.get('id')):<14} "
    body = fold(str(step.get("title") or ""), width - len(head)) or [""]
    return [(head + body[0]).rstrip(), *(" " * len(head) + line for line in body[1:])]


def _eta(document: Document, width: int) -> list[str]:
    eta = lookup(document, "eta") or {}
    runs = eta.get("n") or 0
    if not runs:
        text = "Expected time not known, no run before."
    else:
        text = f"Expected {span(eta.get('p50_s'))} (p50), {span(eta.get('p95_s'))} (p95), "
        text += f"{plural(runs, 'run')}."
        if unknown := eta.get("unknown"):
            text = f"{text[:-1]}, without {', '.join(map(str, unknown))}: never done here."
    kind = document.get("kind")
    asked = "abort --reason TEXT" if kind == "undo" else f"plan {kind}"
    head, more = f"  {text}", f"hamnctl {asked} --verbose"
    if len(head) + 2 + len(more) <= width:
        return [head + more.rjust(width - len(head))]
    return [*fold(text, width, indent=2, first=2), f"  {more}"]


def render_plan(document: Document, verbose: bool = False, width: int = WIDTH) -> list[str]:
    """Return the card with the next command; verbose: gates and every command, to be read."""
    lines = render_card(document, width)
    if verbose:
        lines += ["", "Gates:"]
        for gate in listed(document, "gates"):
            lines += _gate_lines(gate, width)
        lines += ["", "Commands, as sh on this node can run them:"]
        for number, step in enumerate(listed(document, "steps"), 1):
            lines += _step_in_full(step, number, width)
    shown = lines if verbose else fit(lines, width)
    return [*shown, *_next(document, width)]


def _step_in_full(step: Document, number: int, width: int) -> list[str]:
    guide = f" {step.get('guide')}" if step.get("guide") else ""
    lines = [f"{number:>2} {step.get('id')} on {step.get('host')}{guide}: {step.get('title')}"]
    waits = ", ".join(sorted(_waits_for(step)))
    facts = [f"after {waits}" if waits else "at once", f"limit {span(step.get('timeout_s'))}"]
    facts += [] if step.get("reversible", True) else [NO_WAY_BACK]
    lines += fold("; ".join(facts), width, indent=3, first=3)
    lines += _reasons(step, width, 3)
    for action in listed(step, "actions"):
        lines.append(f"   $ {action.get('preview')}")
        for one in listed(action, "lines"):
            lines += fold(f"line {one.get('number')}: {one.get('shown')}", width, indent=7, first=5)
    for look in listed(step, "looks"):
        lines.append(f"   ? {look.get('preview')}")
        lines += fold(f"expects: {look.get('expects')}", width, indent=5, first=5)
    return lines


def _next(document: Document, width: int) -> list[str]:
    now, expires = document.get("generated_at"), document.get("expires_at")
    if now is not None and expires is not None and expires <= now:
        kind = document.get("kind")
        asked = "hamnctl abort --reason TEXT" if kind == "undo" else f"hamnctl plan {kind}"
        return row("NEXT", PLAIN, f"{asked}      (this one has expired)", width)
    if not blocking_gates(document):
        name = plan_name(str(document.get("digest", "")))
        return row("NEXT", PLAIN, f"hamnctl confirm {name}", width)
    first, *rest = gates_lead_on(document)
    lines = row("NEXT", PLAIN, first, width)
    for line in rest:
        lines += fold(line, width, indent=8, first=8)
    return lines
