"""Journal entries as lines for people: what happened, who did it, why.

Owns how one record reads. Must not know where records are stored nor their hashes' arithmetic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Protocol

from hamnd.views.text import (
    WIDTH,
    clean,
    clock,
    day,
    fold,
    plan_name,
    short_duration,
    stamp,
    without_word,
)

TIME_WIDTH = 10


class Recorded(Protocol):
    """The part of a journal record that is read here."""

    @property
    def phase(self) -> str:
        """Kind of the record."""
        ...

    @property
    def what(self) -> str:
        """Constant phrase."""
        ...

    @property
    def actor(self) -> str:
        """Who did it."""
        ...

    @property
    def digest(self) -> str:
        """Plan it belongs to, or empty."""
        ...

    @property
    def step(self) -> str:
        """Step it belongs to, or empty."""
        ...

    @property
    def preview(self) -> str:
        """The command, as sh can run it."""
        ...

    @property
    def exit_code(self) -> int | None:
        """Exit code of an action."""
        ...

    @property
    def outcome(self) -> str:
        """Outcome word, or empty."""
        ...

    @property
    def evidence(self) -> str:
        """Sentence or JSON object."""
        ...


class JournalEntry(Protocol):
    """A record as stored: `hamnd.ports.Entry`, seen from below its room."""

    @property
    def seq(self) -> int:
        """Sequence number."""
        ...

    @property
    def wall_s(self) -> float:
        """When it was written, epoch seconds."""
        ...

    @property
    def record(self) -> Recorded:
        """The record."""
        ...


def details(record: Recorded) -> dict[str, Any]:
    """Return the fields of a record's evidence; a plain sentence is its `sentence`."""
    text = record.evidence
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            return {"sentence": text}
        if isinstance(found, dict):
            return found
    return {"sentence": text} if text else {}


def history_document(entries: Iterable[JournalEntry]) -> dict[str, Any]:
    """Return the entries as `hamnd.history/1`: oldest first, evidence decoded."""
    return {
        "schema": "hamnd.history/1",
        "entries": [
            {
                "seq": entry.seq,
                "at": int(entry.wall_s),
                "phase": str(entry.record.phase),
                "what": entry.record.what,
                "actor": entry.record.actor,
                "digest": entry.record.digest,
                "step": entry.record.step,
                "preview": entry.record.preview,
                "exit_code": entry.record.exit_code,
                "outcome": entry.record.outcome,
                "evidence": details(entry.record),
            }
            for entry in entries
        ],
    }


def render_history(entries: Iterable[JournalEntry], width: int = WIDTH) -> list[str]:
    """Return the entries as lines, oldest first, with a line for each new day."""
    lines: list[str] = []
    today = ""
    for entry in entries:
        if day(entry.wall_s) != today:
            today = day(entry.wall_s)
            lines.append(f"-- {today} (UTC)")
        lines += entry_lines(entry, width)
    return lines or ["The journal has no records."]


def entry_lines(entry: JournalEntry, width: int = WIDTH) -> list[str]:
    """Return one entry: time, what happened, and by whom unless hamnd itself did it."""
    record = entry.record
    by = "" if record.actor in ("hamnd", "") else f" [{record.actor}]"
    body = fold(f"{sentence_of(record)}{by}", width - TIME_WIDTH) or [""]
    first = f"{clock(entry.wall_s):<{TIME_WIDTH}}{body[0]}"
    return [first, *(" " * TIME_WIDTH + line for line in body[1:])]


def sentence_of(record: Recorded) -> str:
    """Return what a record says, in words; an unknown phrase is shown as it is."""
    told = details(record)
    said = clean(told.get("sentence") or "")
    match record.what:
        case "state_changed":
            row = f" ({told['row']})" if told.get("row") else ""
            return f"{told.get('from')} -> {told.get('to')} because {told.get('because')}{row}"
        case "action_started":
            return f"{record.step}: $ {record.preview}"
        case "action_finished" | "step_finished":
            return _finished(record, told, said)
        case "step_looked":
            return f"{record.step}: looked: {record.outcome}" + (f": {said}" if said else "")
        case "hold_began":
            until = told.get("until")
            ends = stamp(until) if isinstance(until, int | float) else "?"
            return f"pages on HOLD until {ends}: {clean(told.get('reason'))}"
        case "plan_shown" | "plan_confirmed" | "confirm_refused":
            return _planned(record, told, said)
        case _:
            template = TEMPLATES.get(record.what)
            if template is None or not told:
                return _other(record, told, said)
            words = {key: str(value).replace("_", " ") for key, value in told.items()}
            return template.format_map(_Told(words))


TEMPLATES = {
    "gate_overridden": "gate {gate} OVERRIDDEN: {reason}",
    "loss_predicted": "predicted loss: {verdict}",
    "loss_judged_again": "predicted loss after the salvage: {verdict}",
    "loss_examined": "actual loss: {actual}",
    "mode_changed": "mode {mode}: {reason}",
    "fence_read_off": "off for the first time: {sentence}",
    "attested": "attested that the primary is off ({how}): {reason}",
    "hold_ended": "the hold of {owner} was ended: {reason}",
    "hold_expired": "the hold of {owner} is over: {reason}",
    "epoch_begun": "first epoch {epoch}, owner {owner}",
    "epoch_raised": "epoch {epoch}, owner {owner}",
}
"""Records that say one thing, by phrase, with the keys of their evidence."""


class _Told(dict[str, str]):
    """What a record tells; a field that it does not have is a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def _planned(record: Recorded, told: dict[str, Any], said: str) -> str:
    plan = plan_name(record.digest)
    match record.what:
        case "plan_shown":
            return f"plan {plan} shown: {_words(told.get('kind'))}, loss {_words(told.get('loss'))}"
        case "plan_confirmed":
            return f"plan {plan} CONFIRMED: {_words(told.get('kind'))}"
        case _:
            lines = told.get("difference")
            difference = "; ".join(map(str, lines)) if isinstance(lines, list) else ""
            return f"confirm of {plan} REFUSED: {said}" + (f": {difference}" if difference else "")


def _finished(record: Recorded, told: dict[str, Any], said: str) -> str:
    took = told.get("duration_s")
    lasted = f" after {short_duration(took)}" if isinstance(took, int | float) else ""
    code = "" if record.exit_code is None else f" (exit {record.exit_code})"
    word = "action" if record.what == "action_finished" else "step"
    outcome = record.outcome.replace("_", " ")
    said = without_word(without_word(said, f"outcome {outcome}"), outcome)
    return f"{record.step}: {word} {outcome}{code}{lasted}" + (f": {said}" if said else "")


def _other(record: Recorded, told: dict[str, Any], said: str) -> str:
    """Run moves and phrases of later versions: words of the phrase, then its evidence."""
    parts = [record.what.replace("_", " ")]
    parts += [f"plan {plan_name(record.digest)}"] if record.digest else []
    parts += [f"at {record.step}"] if record.step else []
    reason = said or clean(told.get("reason") or "")
    if not reason:
        reason = ", ".join(f"{key} {value}" for key, value in told.items())
    return " ".join(parts) + (f": {clean(reason)}" if reason else "")


def _words(value: object) -> str:
    return str(value or "?").replace("_", " ")
