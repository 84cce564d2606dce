"""The rows of `status` that tell one fact each: replication, files, reach, fence, run, conditions.

Owns how such a fact reads. Renders from the document alone. Must not know the screen's order, nor
the core.
"""

from __future__ import annotations

from typing import Any

from hamnd.views.text import (
    BAD,
    GOOD,
    PLAIN,
    UNKNOWN,
    Document,
    ago,
    clean,
    clock,
    cut,
    fold,
    listed,
    lookup,
    plan_name,
    plural,
    rough,
    row,
    short_duration,
    size,
    span,
    when,
    without_word,
)
from hamnd.views.verdict import (
    answers,
    condition_of,
    is_bad,
    is_unknown,
    witnesses_seeing,
)

ENGINES = {
    "db2": "HADR",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "sqlite": "SQLite",
    "dump": "dumps",
    "shared_disk": "shared disk",
}
SHOWN_ELSEWHERE = frozenset(
    (
        *("ReplicationPeer", "PrimaryReachable", "WitnessView", "FenceReady"),
        *("OldPrimaryReturned", "TakeoverIncomplete", "Serves"),
        "GuardInstalled",  # hamnctl guard
        "Rehearsed",
    )
)
"""Conditions whose own row, or the headline, says more than their message would."""
CONDITIONS_MAX = 4
GATE_LINES_MAX = 2
HOLD_OLD_S = 86_400
"""From then on alert HoldForgotten asks whether it is still needed."""


def _camel(word: Any) -> str:
    return "".join(part.capitalize() for part in str(word).split("_")) if word else "state unknown"


def replication_row(document: Document, width: int) -> list[str]:
    """Say how replication stands, and when it was read."""
    part = lookup(document, "replication")
    now = document.get("generated_at")
    if not isinstance(part, dict):
        return row("REPL", UNKNOWN, "no reading of the local database yet", width)
    facts = [_replication_state(document, part)]
    if part.get("has_link") is False:
        facts += _copied(part, now)
    else:
        facts.append(f"log gap {size(part.get('gap_bytes'))}")
    if part.get("replay_gap_bytes") is not None:
        facts.append(f"replay gap {size(part.get('replay_gap_bytes'))}")
    if problems := part.get("problems"):
        facts.append(str(problems[0]))
    read = ago(now, part.get("observed_at"))
    return row("REPL", _replication_mark(document, part), " · ".join(facts), width, right=read)


def _copied(part: Document, now: float | None) -> list[str]:
    """Say what is here where nothing is replicated all the time: the last copy, and its age."""
    facts = [str(part["summary"])] if part.get("summary") else []
    if part.get("verified_at") is not None and part.get("role") == "standby":
        facts.append(f"all up to {ago(now, part['verified_at'])} is here")
    return facts


def _replication_state(document: Document, part: Document) -> str:
    """Say engine, role where it is not ours, state and connection: ``HADR Peer, connected``."""
    engine = ENGINES.get(str(part.get("engine")), str(part.get("engine") or ""))
    role = "" if part.get("role") in (None, "standby") else f" {part.get('role')},"
    state = f"{engine}{role} {_camel(part.get('state'))}"
    connected = part.get("connected")
    if part.get("has_link") is False:
        return state
    if connected is False:
        told = "" if "disconnected" in str(part.get("state")) else ", disconnected"
        since = part.get("since")
        return f"{state}{told}" + (
            f" since {when(document.get('generated_at'), since)}" if since is not None else ""
        )
    if connected and _is_stale(document):
        return f"{state}, connected as the database last knew: the primary is silent"
    return f"{state}, {'connected' if connected else 'connection unknown'}"


def _is_stale(document: Document) -> bool:
    """CONNECTED means little while the primary is silent: it is noticed after HADR_TIMEOUT."""
    reachable = condition_of(document, "PrimaryReachable") or {}
    return reachable.get("status") == "False" and reachable.get("reason") == "Silent"


def _replication_mark(document: Document, part: Document) -> str:
    if document.get("source") == "journal":
        return UNKNOWN
    if part.get("is_protecting") and not _is_stale(document):
        return GOOD
    if document.get("state") in ("PrimaryDown", "TakingOver", "Active"):
        return PLAIN
    return UNKNOWN if part.get("state") is None else BAD


def files_row(document: Document, width: int) -> list[str]:
    """Say how old the copies of each file set are."""
    sets = listed(document, "files")
    if not sets:
        return row("FILES", UNKNOWN, "no file sets are watched yet: copies are not known", width)
    now = document.get("generated_at") or 0
    words = []
    mark = GOOD
    for one in sets:
        fresh = one.get("fresh_as_of")
        age = None if fresh is None else now - fresh
        limit = one.get("stale_after_s")
        if age is None:
            mark = UNKNOWN if mark == GOOD else mark
        elif limit is not None and age > limit:
            mark = BAD
        words.append(f"{one.get('set')} {rough(age)}")
    return row("FILES", mark, " · ".join(words), width)


def seen_row(document: Document, width: int) -> list[str]:
    """Say who reaches the primary: this node, the gateway, the service nodes."""
    name = lookup(document, "seen", "name") or document.get("partner") or "partner"
    good, silent = answers(document, "answered"), answers(document, "silent")
    refused, failing = answers(document, "refused"), answers(document, "failing")
    unknown = answers(document, "unknown")
    groups = [" ".join(good)] if good and not (silent or refused or failing or unknown) else []
    if not groups:
        groups = [f"{' '.join(good)} answer"] if good else []
        groups += [f"{' '.join(refused)} refused"] if refused else []
        groups += [f"{' '.join(failing)} fails"] if failing else []
        groups += (
            [f"{' '.join(silent)} silent" if good or refused else "silent from here"]
            if silent
            else []
        )
        groups += [f"{' '.join(unknown)} unknown"] if unknown else []
    text = f"{name}: {', '.join(groups) or 'not asked yet'}"
    text += f" · gateway {_gateway(document)} · {_witnesses(document)}"
    last = lookup(document, "seen", "last_round_at")
    right = "" if last is None else ago(document.get("generated_at"), last)
    return row("SEEN", _seen_mark(document), text, width, right=right)


def _seen_mark(document: Document) -> str:
    if document.get("source") == "journal":
        return UNKNOWN
    if document.get("state") in ("PrimaryDown", "TakingOver", "Active"):
        return PLAIN
    if answers(document, "silent", "refused", "failing"):
        return BAD
    return GOOD if answers(document, "answered") and not answers(document, "unknown") else UNKNOWN


def _gateway(document: Document) -> str:
    answer = lookup(document, "seen", "gateway", "answer")
    return {"answered": GOOD, "refused": GOOD, "silent": BAD}.get(str(answer), UNKNOWN)


def _witnesses(document: Document) -> str:
    all_of = listed(document, "witnesses")
    if not all_of:
        return "no service nodes: one vantage point"
    reached = len(witnesses_seeing(document, "reached"))
    unknown = len(witnesses_seeing(document, "unknown"))
    text = f"{reached}/{plural(len(all_of), 'service node')}"
    text += "" if reached == len(all_of) else " reach it"
    return text + (f", {unknown} unknown" if unknown else "")


def fence_row(document: Document, width: int) -> list[str]:
    """Say what proves that the old primary is off, or what its controller reads."""
    part = lookup(document, "fence") or {}
    now = document.get("generated_at")
    if part.get("contradiction"):
        return row("FENCE", BAD, f"FenceLies: {part['contradiction']}", width)
    evidence = listed(document, "fence", "evidence")
    if evidence:
        return _evidence_row(part, evidence[0], now, width)
    device = part.get("device") or {}
    how = (
        f"none; needed: {part.get('minimum') or '?'}"
        if document.get("state") == "PrimaryDown"
        else ""
    )
    return _fence_device(device, how, document, width)


def _evidence_row(part: Document, best: Document, now: float | None, width: int) -> list[str]:
    """The best evidence, once in its own words, and whether policy accepts it."""
    times = [best.get("first_at"), best.get("at")]
    read = " and ".join(clock(moment) for moment in times if moment is not None)
    is_told = best.get("source") in ("fence", best.get("grade"), None)
    source = "" if is_told else f"{best.get('source')}: "
    text = f"{best.get('grade')}: {source}{best.get('detail')} ({read})"
    suffices = best.get("suffices") is not False
    text += "" if suffices else f"; does NOT suffice: {part.get('minimum')} needed"
    return row("FENCE", GOOD if suffices else BAD, text, width, right=ago(now, best.get("at")))


def gates_row(document: Document, width: int) -> list[str]:
    """What forbids a takeover while the primary is down, each with what clears it."""
    gates = listed(document, "takeover", "gates")
    if not gates:
        return []
    verb = "gate forbids" if len(gates) == 1 else "gates forbid"
    names = ", ".join(str(gate.get("name")) for gate in gates)
    lines = row("GATES", BAD, f"{len(gates)} {verb} a takeover now: {names}", width)
    for gate in gates:
        clear = f" -> {gate['clear']}" if gate.get("clear") else ""
        text = f"{gate.get('name')}: {clean(gate.get('evidence'))}"
        lines += fold(text, width, indent=10, first=8)[:GATE_LINES_MAX]
        lines += fold(clear.strip(), width, indent=13, first=10)
    return lines


def _fence_device(device: Document, how: str, document: Document, width: int) -> list[str]:
    now = document.get("generated_at")
    lead = f"{how} · " if how else ""
    if not device.get("agent"):
        way = "over ssh" if device.get("over_ssh") else "by the operator's word (hamnctl attest)"
        return row("FENCE", UNKNOWN if how else PLAIN, f"{lead}no device configured: {way}", width)
    if device.get("power") is None:
        return row("FENCE", UNKNOWN, f"{lead}the power controller was not read yet", width)
    read = ago(now, device.get("observed_at"))
    is_unread = device.get("power") == "unknown"
    detail = f" ({device['detail']})" if is_unread and device.get("detail") else ""
    ready = condition_of(document, "FenceReady")
    mark = BAD if how else GOOD if device.get("power") != "unknown" else UNKNOWN
    if ready is not None and is_bad(ready):
        mark, detail = BAD, f"; {ready.get('message')}"
    return row(
        "FENCE",
        mark,
        f"{lead}controller says power {device.get('power')}{detail}",
        width,
        right=read,
    )


def run_row(document: Document, width: int) -> list[str]:
    """Say which steps run, failed or are unknown."""
    run = lookup(document, "run")
    if not isinstance(run, dict):
        return []
    name = plan_name(str(run.get("digest", "")))
    now, started = document.get("generated_at"), run.get("started_at")
    lines = row(
        "RUN",
        BAD if run.get("status") == "paused" else PLAIN,
        f"{run.get('kind')} {name}, confirmed by {run.get('actor')}, {run.get('status')}",
        width,
        right=ago(now, started),
    )
    for step in listed(run, "steps"):
        if step.get("outcome") in ("running", "not_done", "unknown"):
            took = short_duration(step.get("duration_s"))
            sentence = str(step.get("sentence") or "")
            told = "" if sentence == run.get("reason") else sentence  # the headline has said it
            outcome = str(step.get("outcome")).replace("_", " ")
            told = without_word(told, f"outcome {outcome}")
            text = f"{step.get('id')}: {outcome}" + (f" after {took}" if took else "")
            text += f": {told}" if told else ""
            lines += fold(text, width, indent=8)
    passed = run.get("passed_point_of_no_return")
    if passed:
        lines += fold(f"point of no return passed at {passed}", width, indent=8)
    return lines


def protection_row(document: Document, width: int) -> list[str]:
    """Say whether a standby protects this active node."""
    condition = condition_of(document, "Protected")
    message = f": {condition.get('message')}" if condition and condition.get("message") else ""
    if document.get("protected"):
        return row("PROT", GOOD, f"a standby in Peer exists{message}", width)
    mark = UNKNOWN if document.get("protected_status") == "Unknown" else BAD
    return row("PROT", mark, f"unprotected{message or ': no standby in Peer'}", width)


def old_primary_row(document: Document, width: int) -> list[str]:
    """Say what is known of the old primary."""
    part = lookup(document, "old_primary")
    name = document.get("partner") or "partner"
    condition = condition_of(document, "OldPrimaryReturned")
    if condition is not None and is_bad(condition):
        return row("OLD", BAD, f"{name}: {condition.get('message')}", width)
    if not isinstance(part, dict):
        return row("OLD", UNKNOWN, f"{name}: nothing heard of it yet", width)
    if condition is not None and condition.get("reason") == "SilentAgain":
        since = clock(condition.get("since"))
        return row("OLD", UNKNOWN, f"{name}: returned, silent since {since}; keep it off", width)
    serving = {True: "it SERVES", False: "it does not serve"}.get(part.get("serving") is True)
    if part.get("serving") is None:
        serving = "whether it serves is not known"
    if not part.get("seen"):
        return row("OLD", GOOD, f"{name}: not seen by anybody", width)
    if document.get("protected") and part.get("serving") is False:
        return row("OLD", GOOD, f"{name}: the standby now; {serving}", width)
    return row("OLD", BAD if part.get("serving") else UNKNOWN, f"{name}: seen; {serving}", width)


def last_run_row(document: Document, width: int) -> list[str]:
    """Say how the last run ended and what it lost."""
    finished = listed(document, "finished")
    if not finished:
        return []
    last = finished[-1]
    started, ended = last.get("started_at"), last.get("finished_at")
    took = None if started is None or ended is None else ended - started
    text = (
        f"{last.get('kind')} {plan_name(str(last.get('digest')))} {last.get('status')} "
        f"in {span(took)}"
    )
    if last.get("kind") == "takeover":
        predicted = str(last.get("predicted_loss") or "?").replace("_", " ")
        text += f"; loss predicted {predicted}, actual {last.get('actual_loss') or 'pending'}"
    mark = GOOD if last.get("status") == "done" else BAD
    return row("LAST", mark, text, width, right=ago(document.get("generated_at"), ended))


def epoch_row(document: Document, width: int) -> list[str]:
    """Say who may serve."""
    if document.get("epoch") is None:
        return row("EPOCH", UNKNOWN, "not known", width)
    return row(
        "EPOCH", PLAIN, f"{document.get('epoch')}, owner {document.get('epoch_owner')}", width
    )


def proof_row(document: Document, width: int) -> list[str]:
    """Say when a takeover was last rehearsed, how that ended, and when it was last practised."""
    now, drilled = document.get("generated_at"), document.get("last_drill_at")
    latest, at = lookup(document, "rehearsal"), document.get("last_rehearsal_at")
    mark, facts = PLAIN, [] if at is None else [f"rehearsed {ago(now, at)}"]
    if isinstance(latest, dict) and latest.get("outcome") in ("not_done", "unknown"):
        mark = BAD if latest.get("outcome") == "not_done" else UNKNOWN
        ended = ago(now, latest.get("finished_at"))
        facts = [f"rehearsal {ended}: {latest.get('sentence')}"]
        facts += [] if at is None else [f"the last good one {ago(now, at)}"]
    elif facts:
        mark = GOOD
    facts += [] if drilled is None else [f"last drill {ago(now, drilled)}"]
    return row("PROOF", mark, " · ".join(facts), width) if facts else []


def hold_row(document: Document, width: int) -> list[str]:
    """Say who silenced the pages of this pair, why and until when; a day old it is forgotten."""
    hold = lookup(document, "hold")
    if not isinstance(hold, dict):
        return []
    now, since, until = document.get("generated_at"), hold.get("since"), hold.get("until")
    is_old = now is not None and since is not None and now - since > HOLD_OLD_S
    left = "" if now is None or until is None else f", {span(until - now)} left"
    text = f"nobody is paged until {when(now, until)}{left}: {hold.get('reason')}"
    text += f" ({hold.get('owner')})"
    return row("HOLD", BAD if is_old else PLAIN, text, width)


def conditions_row(document: Document, width: int) -> list[str]:
    """The conditions that contradict (then those unknown) and have no row of their own."""
    if document.get("source") == "journal":
        return []
    missing = {str(one.get("type")) for one in listed(document, "readiness", "missing")}
    hidden = SHOWN_ELSEWHERE | missing
    shown = [c for c in listed(document, "conditions") if c.get("type") not in hidden]
    if document.get("state") == "Active":  # whether a takeover would work is no question here
        shown = [c for c in shown if not str(c.get("type")).startswith("StepReady")]
    troubles = [c for c in shown if is_bad(c)]
    if document.get("state") == "Degraded":
        troubles += [c for c in shown if is_unknown(c)]
    lines: list[str] = []
    for condition in troubles[:CONDITIONS_MAX]:
        mark = BAD if is_bad(condition) else UNKNOWN
        text = f"{condition.get('type')}: {condition.get('message') or condition.get('reason')}"
        lines += row("COND", mark, text, width)[:2]
    if len(troubles) > CONDITIONS_MAX:
        lines.append(
            cut(f"        and {len(troubles) - CONDITIONS_MAX} more: hamnctl explain", width)
        )
    return lines
