"""The report of a run, made from journal records alone.

Owns `hamnd.report/1`: who did what when, human time and machine time apart, predicted and actual
loss. Must not know the state of the daemon: what the journal does not say stays unknown. A record
without a field, or of a later version, costs that fact and nothing else. Texts: report_text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hamnd.model.plan import HOME, SETUP
from hamnd.views.history import JournalEntry, details, sentence_of
from hamnd.views.report_drawn import render_report_html
from hamnd.views.report_follow import covered_s, follow_ups
from hamnd.views.report_text import render_report_markdown, render_report_text

__all__ = [
    "render_report_html",
    "render_report_markdown",
    "render_report_text",
    "report_digests",
    "report_document",
]

SCHEMA = "hamnd.report/1"
BEFORE_DOWN_S = 60
"""How far before PrimaryDown the timeline begins, to show how the primary was lost."""
ENDS = ("run_finished", "run_aborted", "run_concluded")
XCAT_STEPS = frozenset(
    {"xcatd", "dns", "dhcp", "http", "tftp", "consoles", "service-nodes", "osdeploy"}
)
ENGINE_STEPS = frozenset(
    {
        *("promote", "quiesce", "drain", "hold", "preserve", "demote", "replicate"),
        *("hand-over", "let-go"),
    }
)
"""Besides those whose name begins with `db-`; a test holds them against what engines make."""


def report_digests(entries: Iterable[JournalEntry]) -> list[str]:
    """Return the digests of all confirmed plans, oldest first."""
    found = (e.record.digest for e in entries if e.record.what == "plan_confirmed")
    return list(dict.fromkeys(digest for digest in found if digest))


def report_document(entries: Sequence[JournalEntry], digest: str) -> dict[str, Any]:
    """Return the report of the run of `digest`; times are integer UTC seconds, durations not.

    A digest without a confirmation in these entries gives a report with `found` false.
    """
    chain = chain_of(entries, digest)
    ours = [entry for entry in entries if entry.record.digest in chain]
    confirmed = next((e for e in ours if e.record.what == "plan_confirmed"), None)
    own = _confirmation(entries, digest)
    told = {} if own is None else details(own.record)
    start = confirmed.seq if confirmed is not None else 0
    before = [entry for entry in entries if entry.seq < start]
    end = next((e for e in reversed(ours) if e.record.what in ENDS), None)
    steps = _steps(ours)
    kind = str(told.get("kind") or "takeover")
    times = _times(entries, before if kind == "takeover" else [], confirmed, end)
    times["homeward_at"] = next(
        (one["started_at"] for one in steps if one["id"].startswith(HOME)), None
    )
    if kind == "failback":
        times["active_at"] = None  # what this node became later is another run's
    times["died_at"] = _whole(told.get("died_at") or told.get("down_since")) or times["died_at"]
    successor = _successor(entries, digest)
    report = {
        "schema": SCHEMA,
        "found": own is not None,
        "digest": digest,
        "continues": chain[:-1],
        "continued_by": successor,
        "kind": kind,
        "variant": told.get("variant"),
        "cause": told.get("cause"),
        "from": told.get("from"),
        "to": told.get("to") or _owner(ours),
        "status": "continued" if successor is not None else _status(end, ours),
        "reason": None if end is None else details(end.record).get("sentence"),
        "confirmed_by": None if confirmed is None else confirmed.record.actor,
        "epoch": _epoch(ours),
        "times": times,
        **_durations(times, steps, ours),
        "steps": steps,
        "predicted_loss": _predicted(ours),
        "actual_loss": _actual(ours),
        "fence": _fence(told, ours),
        "overrides": _overrides(ours),
        "skipped": [
            {"step": e.record.step, "reason": e.record.evidence, "by": e.record.actor}
            for e in ours
            if e.record.what == "step_skipped"
        ],
        "pauses": _pauses(ours),
        "refusals": [sentence_of(e.record) for e in before if _is_refusal(e, times)],
        "timeline": [
            {"seq": e.seq, "at": int(e.wall_s), "by": e.record.actor, "says": sentence_of(e.record)}
            for e in _timeline(entries, times, ours)
        ],
    }
    return {**report, "follow_ups": follow_ups(report, entries) if own is not None else []}


def _confirmation(entries: Iterable[JournalEntry], digest: str) -> JournalEntry | None:
    found = (e for e in entries if e.record.what == "plan_confirmed" and e.record.digest == digest)
    return next(found, None)


def chain_of(entries: Sequence[JournalEntry], digest: str) -> list[str]:
    """Return the digests of the run and of every run that it continues, the oldest first."""
    chain = [digest]
    while (confirmed := _confirmation(entries, chain[0])) is not None:
        before = details(confirmed.record).get("continues")
        if not isinstance(before, str) or not before or before in chain:
            break
        chain.insert(0, before)
    return chain


def _successor(entries: Iterable[JournalEntry], digest: str) -> str | None:
    """Return the digest of the run that was confirmed to continue this one, or None."""
    for entry in entries:
        if entry.record.what != "plan_confirmed" or entry.record.digest == digest:
            continue
        if details(entry.record).get("continues") == digest:
            return entry.record.digest
    return None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _status(end: JournalEntry | None, ours: Sequence[JournalEntry]) -> str:
    if end is not None:
        word = end.record.what.removeprefix("run_")
        return "done" if word == "finished" else word
    moves = [e.record.what for e in ours if e.record.what in ("run_paused", "run_resumed")]
    return "paused" if moves and moves[-1] == "run_paused" else "running"


def _times(
    entries: Sequence[JournalEntry],
    before: Sequence[JournalEntry],
    confirmed: JournalEntry | None,
    end: JournalEntry | None,
) -> dict[str, int | None]:
    """When each thing happened, null where the journal does not say."""
    down = _last_change(before, "PrimaryDown")
    told = {} if down is None else details(down.record)
    looked = None
    if down is not None:
        looked = next((e for e in before if e.seq > down.seq and _is_person(e.record.actor)), None)
    active = _first_change(entries, "Active", confirmed)
    return {
        "died_at": _whole(
            told.get("died_at") or told.get("silence_began") or told.get("down_since")
        ),
        "primary_down_at": None if down is None else int(down.wall_s),
        "paged_at": _first_of(before, down, "paged"),
        "first_looked_at": None if looked is None else int(looked.wall_s),
        "confirmed_at": None if confirmed is None else int(confirmed.wall_s),
        "active_at": None if active is None else int(active.wall_s),
        "ended_at": None if end is None else int(end.wall_s),
    }


def _is_person(actor: str) -> bool:
    return actor not in ("", "hamnd")


def _last_change(entries: Sequence[JournalEntry], to: str) -> JournalEntry | None:
    return next((e for e in reversed(entries) if _changes_to(e, to)), None)


def _first_change(
    entries: Sequence[JournalEntry], to: str, after: JournalEntry | None
) -> JournalEntry | None:
    if after is None:
        return None
    return next((e for e in entries if e.seq > after.seq and _changes_to(e, to)), None)


def _changes_to(entry: JournalEntry, to: str) -> bool:
    return entry.record.what == "state_changed" and details(entry.record).get("to") == to


def _first_of(entries: Sequence[JournalEntry], after: JournalEntry | None, what: str) -> int | None:
    start = -1 if after is None else after.seq
    found = next((e for e in entries if e.seq > start and e.record.what == what), None)
    return None if found is None else int(found.wall_s)


def _steps(ours: Sequence[JournalEntry]) -> list[dict[str, Any]]:
    """Every step in the order in which it was first heard of, with its commands."""
    steps: dict[str, dict[str, Any]] = {}
    for entry in ours:
        record = entry.record
        if not record.step:
            continue
        step = steps.setdefault(
            record.step,
            {
                "id": record.step,
                "kind": kind_of_step(record.step),
                "outcome": "running",
                "sentence": "",
                "started_at": int(entry.wall_s),
                "duration_s": None,
                "attempts": 0,
                "commands": [],
            },
        )
        _fold_step(step, entry)
    return list(steps.values())


def kind_of_step(step_id: str) -> str:
    """Return whose commands a step has: `engine`, `xcat` or `other`."""
    name = step_id.removeprefix(HOME).removeprefix(SETUP)
    if name.startswith("db-") or name in ENGINE_STEPS:
        return "engine"
    return "xcat" if name in XCAT_STEPS else "other"


def _fold_step(step: dict[str, Any], entry: JournalEntry) -> None:
    record, told = entry.record, details(entry.record)
    match record.what:
        case "action_started":
            command = {"preview": record.preview, "outcome": "running", "exit_code": None}
            step["commands"].append({**command, "at": int(entry.wall_s), "duration_s": None})
        case "action_finished":
            open_ = [one for one in step["commands"] if one["outcome"] == "running"]
            if open_:
                ended = {"outcome": record.outcome, "exit_code": record.exit_code}
                open_[-1].update(ended, duration_s=told.get("duration_s"))
        case "step_finished" | "step_skipped":
            step["outcome"] = record.outcome or told.get("outcome") or "unknown"
            step["sentence"] = told.get("sentence") or ""
            step["attempts"] += 1
            if told.get("duration_s") is not None:
                step["duration_s"] = told["duration_s"]


def _durations(
    times: dict[str, int | None], steps: Sequence[dict[str, Any]], ours: Sequence[JournalEntry]
) -> dict[str, Any]:
    """Human time (until confirmed) and machine time (from then on), kept apart."""
    human = _between(times["primary_down_at"], times["confirmed_at"])
    machine = _between(times["confirmed_at"], times["active_at"] or times["ended_at"])
    spent = {"engine_s": 0.0, "xcat_s": 0.0, "other_s": 0.0}
    for step in steps:
        spent[f"{step['kind']}_s"] += sum(c["duration_s"] or 0.0 for c in step["commands"])
    paused = sum(pause["lasted_s"] or 0 for pause in _pauses(ours))
    ran = _between(times["confirmed_at"], times["ended_at"] or times["active_at"])
    spent["hamnd_s"] = 0.0 if ran is None else max(0.0, ran - paused - covered_s(ours))
    return {
        "human_s": human,
        "machine_s": machine,
        "paused_s": paused,
        "spent": {key: round(value, 1) for key, value in spent.items()},
    }


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else max(0, end - start)


def _predicted(ours: Sequence[JournalEntry]) -> dict[str, Any] | None:
    found = next((e for e in reversed(ours) if e.record.what == "loss_predicted"), None)
    if found is None:
        return None
    told = details(found.record)
    return {
        "verdict": told.get("verdict") or told.get("sentence"),
        "basis": [str(reason) for reason in told.get("basis") or []],
        "seconds": told.get("seconds"),
        "bytes": told.get("bytes"),
        "accepted": told.get("accepted"),
    }


def _actual(ours: Sequence[JournalEntry]) -> str:
    found = next((e for e in reversed(ours) if e.record.what == "loss_examined"), None)
    if found is None:
        return "pending"
    told = details(found.record)
    return str(told.get("actual") or told.get("sentence") or "examined")


def _epoch(ours: Sequence[JournalEntry]) -> int | None:
    found = next((e for e in ours if e.record.what == "epoch_raised"), None)
    return None if found is None else _whole(details(found.record).get("epoch"))


def _owner(ours: Sequence[JournalEntry]) -> object:
    """The node for which the epoch was raised: the new primary."""
    found = next((e for e in ours if e.record.what == "epoch_raised"), None)
    return None if found is None else details(found.record).get("owner")


def _fence(told: dict[str, Any], ours: Sequence[JournalEntry]) -> list[str]:
    """What proved that the old primary was off: at the confirmation, and at step fence."""
    evidence = told.get("fence") or []
    lines = [str(line) for line in evidence] if isinstance(evidence, list) else [str(evidence)]
    for entry in ours:
        if entry.record.what == "step_finished" and entry.record.step == "fence":
            sentence = details(entry.record).get("sentence")
            lines += [f"step fence: {sentence}"] if sentence else []
    return lines


def _overrides(ours: Sequence[JournalEntry]) -> list[dict[str, Any]]:
    return [
        {
            "gate": details(e.record).get("gate"),
            "reason": details(e.record).get("reason"),
            "by": e.record.actor,
        }
        for e in ours
        if e.record.what == "gate_overridden"
    ]


def _pauses(ours: Sequence[JournalEntry]) -> list[dict[str, Any]]:
    pauses: list[dict[str, Any]] = []
    for entry in ours:
        if entry.record.what == "run_paused":
            reason = details(entry.record).get("sentence") or details(entry.record).get("reason")
            pause = {"at": int(entry.wall_s), "step": entry.record.step, "reason": reason}
            pauses.append({**pause, "lasted_s": None, "ended_by": None})
            continue
        is_over = entry.record.what in ("run_resumed", "plan_confirmed", *ENDS)
        if is_over and pauses and pauses[-1]["lasted_s"] is None:
            lasted = max(0, int(entry.wall_s) - pauses[-1]["at"])
            pauses[-1].update(lasted_s=lasted, ended_by=entry.record.actor)
    return pauses


def _is_refusal(entry: JournalEntry, times: dict[str, int | None]) -> bool:
    down = times["primary_down_at"]
    return entry.record.what == "confirm_refused" and (down is None or entry.wall_s >= down)


def _timeline(
    entries: Sequence[JournalEntry], times: dict[str, int | None], ours: Sequence[JournalEntry]
) -> list[JournalEntry]:
    """This run's records, and the changes of state around it, in the order of the journal."""
    if not ours:
        return []
    began = times["primary_down_at"] or int(ours[0].wall_s)
    last = ours[-1].seq
    mine = {entry.seq for entry in ours}
    return [
        e
        for e in entries
        if e.seq in mine
        or (
            e.record.what in ("state_changed", "attested")
            and e.wall_s >= began - BEFORE_DOWN_S
            and e.seq <= last + 1
        )
    ]
