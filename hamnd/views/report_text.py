"""The report as text for a terminal and as Markdown for the ticket.

Owns the two layouts of `hamnd.report/1`. Must not read records: it renders the document.
"""

from __future__ import annotations

from typing import Any

from hamnd.views.text import (
    WIDTH,
    Document,
    clock_on,
    day,
    fit,
    fold,
    item,
    listed,
    lookup,
    plan_name,
    short_duration,
    span,
)

MARKS = {"done": "*", "not_done": "!", "unknown": "?", "skipped": "-"}
HEAD_WIDTH = 26
FOLLOW_UPS = "What is left to do"
WITHOUT_LOSS = {
    "undo": "nothing is lost by it: it takes back what was done before the point of no return",
    "setup": "nothing is lost by it: the primary was copied, and what the standby had is kept",
    "switchover": "nothing is lost by it: the old primary handed over all that it had",
    "resume": "nothing is lost by it: the database was primary before",
    "failback": "nothing is lost by it: this node handed over all that it had",
    "drill": "nothing is lost by it: each node handed over all that it had",
    "rejoin": "nothing is lost here; what only the old primary had is kept, if it was not given up",
}
"""What is said of kinds that take nothing from a dead primary."""


def report_title(document: Document) -> str:
    """Return the first line: kind, date, nodes and epoch where they are known."""
    kind = str(document.get("kind") or "run").capitalize()
    parts = [f"{kind} {day(confirmed_at(document))}"]
    route = " -> ".join(str(name) for name in (document.get("from"), document.get("to")) if name)
    parts += [route] if route else []
    epoch = document.get("epoch")
    parts += [f"epoch {epoch}"] if epoch is not None else []
    parts.append(f"plan {plan_name(str(document.get('digest', '')))}")
    return ", ".join(parts)


def confirmed_at(document: Document) -> float | None:
    """Return the moment that dates a report: times of another day are shown with theirs."""
    at: float | None = lookup(document, "times", "confirmed_at")
    return at


def head(document: Document) -> list[tuple[str, str, str]]:
    """Return the head as (what, when, note): from the death to managing again."""
    times: dict[str, Any] = lookup(document, "times") or {}
    died, down = times.get("died_at"), times.get("primary_down_at")
    base = times.get("confirmed_at")
    rows: list[tuple[str, str, str]] = []
    if died is not None:
        cause = f"cause {document['cause']}" if document.get("cause") else ""
        rows.append(("primary fell silent", clock_on(base, died), cause))
    if down is not None:
        after = f"+{span(down - died)}" if died is not None else ""
        rows.append(("hamnd said PrimaryDown", clock_on(base, down), after))
    if times.get("paged_at") is not None:
        rows.append(("paged", clock_on(base, times["paged_at"]), ""))
    if times.get("first_looked_at") is not None:
        rows.append(("first looked at", clock_on(base, times["first_looked_at"]), ""))
    human = document.get("human_s")
    note = f"human time {span(human)}" if human is not None else ""
    rows.append((f"confirmed ({document.get('confirmed_by')})", clock_on(base, base), note))
    homeward, ended = times.get("homeward_at"), times.get("ended_at")
    machine = document.get("machine_s")
    if times.get("active_at") is not None:
        at, note = clock_on(base, times["active_at"]), f"machine time {span(machine)}"
        rows.append(("managing again", at, note))
        rows.append(("", "", spent(document)))
    elif homeward is None or document.get("status") != "done":
        at = clock_on(base, ended) if ended else ""
        rows.append((str(document.get("status")), at, _not_managing(document)))
    if homeward is not None:
        rows.append(("the way home began", clock_on(base, homeward), ""))
        if ended is not None and document.get("status") == "done":
            took = f"way home {span(ended - homeward)}"
            rows.append((f"{_manager(document)} manages again", clock_on(base, ended), took))
    return rows


def _manager(document: Document) -> str:
    """The node that a way home ends at."""
    return str(document.get("to" if document.get("kind") == "failback" else "from"))


def _not_managing(document: Document) -> str:
    return "not managing yet" if document.get("kind") in ("takeover", "switchover") else ""


def _head_line(what: str, when_: str, note: str, width: int) -> list[str]:
    head_ = f"  {what:<{HEAD_WIDTH - 2}}{when_:<12}"
    body = fold(note, width - len(head_)) or [""]
    return [(head_ + body[0]).rstrip(), *(" " * len(head_) + line for line in body[1:])]


def spent(document: Document) -> str:
    """Say where the machine time went: commands of the engine, of xCAT, all else, and hamnd."""
    parts: dict[str, Any] = lookup(document, "spent") or {}
    text = f"commands: engine {short_duration(parts.get('engine_s') or 0.0)}"
    text += f", xCAT {short_duration(parts.get('xcat_s') or 0.0)}"
    text += f", other {short_duration(parts.get('other_s') or 0.0)}"
    if parts.get("hamnd_s") is not None:
        text += f"; hamnd {short_duration(parts['hamnd_s'])}"
    paused = document.get("paused_s")
    return f"({text}; paused {span(paused)})" if paused else f"({text})"


def loss_line(document: Document) -> str:
    """Say the prediction and what the examination of the old primary found."""
    told_of_kind = WITHOUT_LOSS.get(str(document.get("kind")))
    if (
        document.get("kind") in ("switchover", "failback", "drill")
        and document.get("status") != "done"
    ):
        return "nothing was taken by force; what was handed over is told by the steps below"
    if told_of_kind is not None:
        return told_of_kind
    predicted = lookup(document, "predicted_loss", "verdict")
    words = str(predicted).replace("_", " ") if predicted else "not recorded"
    accepted = lookup(document, "predicted_loss", "accepted")
    told = f" (accepted as {str(accepted).replace('_', ' ')})" if accepted else ""
    actual = document.get("actual_loss") or "pending"
    if actual == "pending":
        actual = "pending (old primary not examined yet)"
    return f"predicted loss {words}{told} · actual loss {actual}"


def render_report_text(document: Document, width: int = WIDTH) -> list[str]:
    """Return the report as lines for a terminal."""
    name = plan_name(str(document.get("digest", "")))
    if not document.get("found"):
        return [f"The journal knows no confirmed plan {name}."]
    lines = [report_title(document)]
    for what, when_, note in head(document):
        lines += _head_line(what, when_, note, width)
    lines += fold(loss_line(document), width, indent=4, first=2)
    for basis in lookup(document, "predicted_loss", "basis") or []:
        lines += fold(f"- {basis}", width, indent=6, first=4)
    lines += ["", f"Steps ({document.get('status')}):"]
    for step in listed(document, "steps"):
        took = f"{step.get('id')!s:<13}{short_duration(step.get('duration_s')):>7}"
        text = str(step.get("sentence") or step.get("outcome"))
        lines += item(MARKS.get(str(step.get("outcome")), "?"), took, text, width, 20)
    lines += _listed_text(document, width)
    following = f"NEXT    hamnctl report {name} --markdown · --html · hamnctl history"
    return [*fit(lines, width), "", following]


def _listed_text(document: Document, width: int) -> list[str]:
    lines: list[str] = []
    for title, told in sections(document):
        if told:
            lines += ["", f"{title}:"]
            for line in told:
                lines += fold(f"- {line}", width, indent=4, first=2)
    return lines


def sections(document: Document) -> list[tuple[str, list[str]]]:
    """Return the lists of the report: evidence, overrides, pauses, what is left to do."""
    overrides = [
        f"gate {one.get('gate')}: {one.get('reason')} ({one.get('by')})"
        for one in listed(document, "overrides")
    ]
    base = confirmed_at(document)
    pauses = [_pause(one, base) for one in listed(document, "pauses")]
    skipped = [
        f"{one.get('step')}: {one.get('reason')} ({one.get('by')})"
        for one in listed(document, "skipped")
    ]
    return [
        (
            "Evidence that the old primary was off",
            [str(line) for line in document.get("fence") or []],
        ),
        ("Overridden gates", overrides),
        ("Pauses", pauses),
        ("Skipped steps", skipped),
        ("Refused before", [str(line) for line in document.get("refusals") or []]),
        (FOLLOW_UPS, [str(line) for line in document.get("follow_ups") or []]),
    ]


def _pause(one: Document, base: float | None) -> str:
    where = one.get("step") or "the run"
    lasted = one.get("lasted_s")
    told = f"for {span(lasted)}" if lasted is not None else "until now"
    return f"{clock_on(base, one.get('at'))} at {where} {told}: {one.get('reason')}"


def render_report_markdown(document: Document) -> str:
    """Return the report as Markdown: complete, with every command and the timeline."""
    if not document.get("found"):
        return "\n".join(render_report_text(document)) + "\n"
    lines = [f"# {report_title(document)}", "", "| what | UTC | |", "|---|---|---|"]
    lines += [
        f"| {_cell(what)} | {when_} | {_cell(note)} |" for what, when_, note in head(document)
    ]
    lines += ["", loss_line(document), ""]
    lines += [f"- {basis}" for basis in lookup(document, "predicted_loss", "basis") or []]
    lines += ["", "## Steps", "", "| step | outcome | took | what was seen |", "|---|---|---|---|"]
    for step in listed(document, "steps"):
        outcome = str(step.get("outcome")).replace("_", " ")
        took, seen = short_duration(step.get("duration_s")), _cell(str(step.get("sentence") or ""))
        lines.append(f"| {step.get('id')} | {outcome} | {took} | {seen} |")
    for title, told in sections(document):
        lines += ["", f"## {title}", "", *(f"- {line}" for line in told)] if told else []
    lines += ["", "## Commands", ""]
    base = confirmed_at(document)
    for step in listed(document, "steps"):
        for command in listed(step, "commands"):
            lines += _command(step, command, base)
    lines += ["", "## Timeline (UTC)", ""]
    lines += [
        f"- {clock_on(base, one.get('at'))} {by_whom(one)}{one.get('says')}"
        for one in listed(document, "timeline")
    ]
    return "\n".join(lines) + "\n"


def _command(step: Document, command: Document, base: float | None) -> list[str]:
    code = command.get("exit_code")
    ended = str(command.get("outcome")).replace("_", " ") + (
        "" if code is None else f", exit {code}"
    )
    took = short_duration(command.get("duration_s"))
    return [f"{clock_on(base, command.get('at'))} {step.get('id')}: {ended} {took}".rstrip(), "",
            f"    {command.get('preview')}", ""]  # fmt: skip


def by_whom(one: Document) -> str:
    """Say in front of a record who did it; hamnd itself is not named."""
    return "" if one.get("by") in ("", "hamnd", None) else f"[{one['by']}] "


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
