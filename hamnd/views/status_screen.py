"""`status` as text: verdict first, at most 24 lines of 80 columns, the next command last.

Owns the rows of the screen and what gives way when there is no room. Renders from the document
alone and imports nothing heavy: `hamnctl status` has 150 ms. Must not know the core.
"""

from __future__ import annotations

from hamnd.model.wording import first_of
from hamnd.views import status_rows as rows
from hamnd.views.text import (
    BAD,
    GOOD,
    HEIGHT,
    PLAIN,
    UNKNOWN,
    WIDTH,
    Document,
    ago,
    clock,
    fit,
    fold,
    listed,
    lookup,
    plan_name,
    rough,
    row,
    signed_seconds,
    size,
    span,
    spread,
    weekday_clock,
    when,
)
from hamnd.views.verdict import (
    LOSS_WORDS,
    answers,
    headline,
    is_isolated,
    is_only_link_cut,
    loss_words,
)
from hamnd.views.ways import next_commands

RELOAD_SHOWN = 3
"""How many refused keys the screen names; the document has all."""
STALE_AFTER_S = 15
"""A daemon whose last round is older than this is named: it may be stuck."""


class Block:
    """Lines that belong together, and how early they give way when the screen is too small."""

    def __init__(self, rank: int, lines: list[str], least: int = 0) -> None:
        """`rank` 0 gives way last; at least `least` lines of it remain."""
        self.rank, self.lines, self.least = rank, lines, least


def render_status(document: Document, width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    """Return the screen of a status document, nothing wider than `width`."""
    blocks = [
        Block(0, _headline(document, width), least=2),
        Block(0, _state(document, width), least=1),
        Block(0, _mode(document, width), least=1),
        Block(1, rows.hold_row(document, width), least=1),
        Block(1, _reload(document, width), least=1),
        *_middle(document, width),
        Block(2, rows.conditions_row(document, width), least=1),
        Block(3, _plan(document, width)),
        Block(6, _people(document, width)),
        Block(0, _next(document, width), least=1),
    ]
    _give_way(blocks, height)
    return fit([line for block in blocks for line in block.lines], width)


def _middle(document: Document, width: int) -> list[Block]:
    state = document.get("state")
    if document.get("source") == "journal":
        return [
            Block(1, _ready(document, width), least=1),
            Block(1, rows.run_row(document, width)),
            Block(2, rows.last_run_row(document, width)),
            Block(5, rows.epoch_row(document, width)),
        ]
    replication = Block(1, rows.replication_row(document, width), least=1)
    seen = Block(1, rows.seen_row(document, width), least=1)
    fence = Block(1, rows.fence_row(document, width), least=1)
    if state == "Active":
        return [
            Block(1, rows.protection_row(document, width), least=1),
            replication,
            Block(1, rows.old_primary_row(document, width), least=1),
            seen,
            Block(2, rows.last_run_row(document, width)),
            Block(5, rows.epoch_row(document, width)),
        ]
    files = Block(4, rows.files_row(document, width))
    loss = Block(1, _loss(document, width), least=1)
    if state == "TakingOver":
        return [Block(1, rows.run_row(document, width), least=2), loss, fence, replication, seen]
    if state == "Degraded" and (is_only_link_cut(document) or is_isolated(document)):
        return [replication, seen, fence]  # a screen that says "do not" offers nothing
    ready = Block(1, _ready(document, width), least=1)
    gates = Block(1, rows.gates_row(document, width), least=1)
    proof = Block(5, rows.proof_row(document, width))
    return [ready, proof, loss, replication, files, seen, fence, gates]


def _give_way(blocks: list[Block], height: int) -> None:
    """Take lines away, the least important first, until the screen fits."""
    while sum(len(block.lines) for block in blocks) > height:
        able = [block for block in blocks if len(block.lines) > block.least]
        if not able:
            return
        able.sort(key=lambda block: (block.rank, len(block.lines)))
        able[-1].lines.pop()


def _headline(document: Document, width: int) -> list[str]:
    told = document.get("headline")
    sentences = [str(line) for line in told] if isinstance(told, list) and told else []
    sentences = sentences or headline(document)
    if document.get("source") == "journal":
        old = _from_journal(document, width)
        return [*old, *(line for sentence in sentences[:2] for line in fold(sentence, width))]
    return spread(sentences[:3], weekday_clock(document.get("generated_at")), width)


def _from_journal(document: Document, width: int) -> list[str]:
    now, recorded = document.get("generated_at"), document.get("recorded_at")
    age = "OLD" if recorded is None else f"OLD: {ago(now, recorded)} ({when(now, recorded)})"
    why = document.get("unreachable") or "hamnd does not answer here"
    return fold(f"{age}. {why}; its journal last knew this, and nobody watches now.", width)


def _state(document: Document, width: int) -> list[str]:
    now, since = document.get("generated_at"), document.get("since")
    if document.get("source") == "journal":
        if since is None:
            return row("STATE", UNKNOWN, "not known", width)
        text = f"{document.get('state') or 'not known'} since {when(now, since)}"
        return row("STATE", UNKNOWN, _with_because(text, document), width)
    lasted = None if now is None or since is None else now - since
    text = f"{document.get('state') or 'not known'} for {span(lasted)}"
    if document.get("state") == "PrimaryDown":
        steps = [
            f"{change.get('to')} {clock(change.get('at'))}"
            for change in listed(document, "history_tail")[-2:]
        ]
        return row("STATE", PLAIN, text + (f"  ({', '.join(steps)})" if steps else ""), width)
    if document.get("state") == "Peer":
        return row("STATE", PLAIN, text, width, right=_daemon(document))
    return row("STATE", PLAIN, _with_because(text, document), width)


def _with_because(text: str, document: Document) -> str:
    because = document.get("because")
    return f"{text} because {because}" if because else text


def _daemon(document: Document) -> str:
    now, last = document.get("generated_at"), lookup(document, "seen", "last_round_at")
    if now is None or last is None:
        return "hamnd runs, no round yet"
    word = "ok" if now - last <= STALE_AFTER_S else "LATE"
    return f"hamnd {word}, last round {ago(now, last)}"


def _mode(document: Document, width: int) -> list[str]:
    if document.get("mode") != "observe_only":
        return []
    reason = document.get("mode_reason") or "no reason recorded"
    return row("MODE", BAD, f"observe_only: {reason}. hamnd watches and starts no action.", width)


def _reload(document: Document, width: int) -> list[str]:
    """A file that was read again and refused: what the operator wrote is not what runs."""
    refused = lookup(document, "reload")
    if not refused:
        return []
    paths = [str(one.get("path") or "the file") for one in listed(refused, "problems")]
    told = first_of(list(dict.fromkeys(paths)), RELOAD_SHOWN) or "the file"
    text = f"the reload of {refused.get('file')} was refused, the old one is in force: {told}"
    age = ago(document.get("generated_at"), refused.get("refused_at"))
    return row("CONF", BAD, text, width, right=age)


def _ready(document: Document, width: int) -> list[str]:
    readiness = lookup(document, "readiness") or {}
    proven, total = readiness.get("proven") or 0, readiness.get("total") or 0
    now, oldest = document.get("generated_at"), readiness.get("oldest_at")
    if document.get("source") == "journal":
        return row("READY", UNKNOWN, "not known: only a running hamnd can prove it", width)
    age = ""
    if now is not None and oldest is not None:
        age = f", oldest {rough(now - oldest)} ({readiness.get('oldest_step')})"
    if document.get("ready"):
        # While it is silent the rule and the gates say whether it may be: their words stand above.
        is_calm = document.get("state") == "Peer" or answers(document, "answered", "refused")
        is_calm = is_calm and document.get("state") != "PrimaryDown"
        lead = "a takeover would work now: " if is_calm else ""
        return row("READY", GOOD, f"{lead}{proven}/{total} steps proven{age}", width)
    missing = readiness.get("missing") or []
    names = first_of([str(one.get("name")) for one in missing], 4)
    if document.get("mode") == "observe_only":
        return row("READY", BAD, "no: hamnd starts no action in mode observe_only", width)
    is_unknown_only = readiness.get("status") == "Unknown"
    mark = UNKNOWN if is_unknown_only else BAD
    word = "not known yet" if is_unknown_only else "NO"
    what = f"missing: {names}" if names else "nothing is proven yet"
    return row("READY", mark, f"{word}: {proven}/{total} steps proven{age}; {what}", width)


def _loss(document: Document, width: int) -> list[str]:
    state = document.get("state")
    if state == "TakingOver" and lookup(document, "run", "passed_point_of_no_return"):
        predicted = LOSS_WORDS.get(str(lookup(document, "run", "predicted_loss")), "?")
        text = f"predicted: {predicted}; the actual one when the old primary is examined"
        return row("LOSS", PLAIN, text, width)
    words = loss_words(document)
    basis = ", ".join(str(reason) for reason in lookup(document, "data_loss", "basis") or [])
    is_told = state not in ("Peer", "Degraded") or "if it died now" in basis
    lead = words if is_told else f"{words} if it died now"
    text = f"{lead}: {basis}" if basis else lead
    remaining = lookup(document, "data_loss", "peer_window_remaining_s")
    if remaining:
        text += f", window ends in {span(remaining)}"
    elif remaining == 0 and state == "Degraded":
        text += ", the peer window is over"
    estimated = lookup(document, "data_loss", "estimated_bytes")
    if estimated is not None:
        text += f", estimated about {size(estimated)} (no bound)"
    skew = lookup(document, "clock_skew", "seconds")
    told = "" if skew is None or "skew" in text else f"skew {signed_seconds(skew)}"
    return row("LOSS", PLAIN, text, width, right=told)


def _plan(document: Document, width: int) -> list[str]:
    """The plan that waits to be confirmed, with its countdown."""
    plan = lookup(document, "plan")
    if not isinstance(plan, dict) or document.get("state") == "TakingOver":
        return []
    now, expires = document.get("generated_at"), plan.get("expires_at")
    left = None if now is None or expires is None else expires - now
    text = (
        f"{plan.get('kind')} {plan_name(str(plan.get('digest')))}, {span(left)} left to confirm it"
    )
    return row("PLAN", PLAIN, text, width, right=ago(now, plan.get("created_at")))


def _people(document: Document, width: int) -> list[str]:
    if document.get("state") != "PrimaryDown" or document.get("source") == "journal":
        return []
    now, since = document.get("generated_at"), document.get("since")
    people = lookup(document, "people") or {}
    words = [f"paged {clock(people['paged_at'])}"] if people.get("paged_at") else []
    if people.get("first_look_at"):
        words.append(f"first look {clock(people['first_look_at'])} ({people.get('first_look_by')})")
    words.append(f"unconfirmed {span(None if now is None or since is None else now - since)}")
    return row("PEOPLE", PLAIN, " · ".join(words), width)


def _next(document: Document, width: int) -> list[str]:
    told = document.get("next")
    commands = (
        [str(line) for line in told] if isinstance(told, list) and told else next_commands(document)
    )
    if document.get("source") == "journal" and not told:
        commands = ["systemctl start hamnd (AIX: startsrc -s hamnd), then hamnctl status"]
    lines = row("NEXT", PLAIN, commands[0], width)
    for command in commands[1:]:
        lines += fold(command, width, indent=8)
    advice = document.get("advice")
    told_above = is_only_link_cut(document)
    if advice and not told_above and document.get("state") in ("Degraded", "PrimaryDown"):
        lines += fold(str(advice), width, indent=8)
    return lines
