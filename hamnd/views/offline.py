"""The status that a journal alone can tell: old, and said to be so.

Owns how a state document and the latest entries become a document of `hamnd.status/1` without a
daemon. Must not read files. Nothing in it is present: `ready` is false whatever was recorded, and
`source` is "journal".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hamnd.views.history import JournalEntry, details
from hamnd.views.text import Document
from hamnd.views.verdict import headline

ABSENT: dict[str, Any] = {
    "conditions": [],
    "replication": None,
    "partner_database": None,
    "clock_skew": None,
    "witnesses": [],
    "plan": None,
    "acknowledge": None,
    "old_primary": None,
    "advice": "",
    "protected": False,
    "protected_status": "Unknown",
    "ready": False,
}
"""What only a running hamnd can know."""


def journal_status(
    state_json: str | None, entries: Sequence[JournalEntry], now_wall: float, node: str = ""
) -> dict[str, Any]:
    """Return the last known status; `entries` are the latest records, oldest first.

    A state document that cannot be read is replaced by the last recorded change of state.
    """
    known = _decoded(state_json)
    change = next((e for e in reversed(entries) if e.record.what == "state_changed"), None)
    moved = {} if change is None else details(change.record)
    document: dict[str, Any] = {
        "schema": "hamnd.status/1",
        "generated_at": int(now_wall),
        "recorded_at": int(entries[-1].wall_s) if entries else None,
        "source": "journal",
        "node": node,
        "partner": "",
        "state": known.get("state") or moved.get("to"),
        "since": _whole(known.get("since")) or (None if change is None else int(change.wall_s)),
        "cause": known.get("cause"),
        "because": known.get("because") or moved.get("because") or "",
        "down_since": _whole(known.get("silence_began")),
        "mode": known.get("mode") or "normal",
        "mode_reason": known.get("mode_reason") or "",
        **ABSENT,
        "files": _files(known.get("copies")),
        "readiness": {"status": "Unknown", "proven": 0, "total": 0, "missing": []},
        "data_loss": _loss(),
        "fence": {"grade": "none", "evidence": []},
        "seen": {"name": "", "probes": [], "gateway": None, "last_round_at": None},
        "rule": {"cause": None, "since": None, "is_held": False, "basis": [], "blockers": []},
        "last_rehearsal_at": _whole(known.get("rehearsed_at")),
        **_lasting(known.get("lasting")),
        "rehearsal": _rehearsal(known.get("rehearsal")),
        "hold": _hold(known.get("hold"), now_wall),
        "run": _run(known.get("run")),
        "finished": _finished(known.get("finished")),
        **_epoch(known.get("epoch")),
        "history_tail": _tail(entries),
    }
    document["headline"] = _headline(document)
    document["next"] = []
    return document


def _decoded(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lasting(value: object) -> dict[str, Any]:
    """What outlives every list; whether it is protected now only a running hamnd knows."""
    known = value if isinstance(value, dict) else {}
    return {
        "unprotected_since": None,
        "standby_since": _whole(known.get("standby_since")),
        "watched_since": _whole(known.get("watched_since")),
        "last_drill_at": _whole(known.get("drilled_at")),
    }


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value else None


def _files(value: object) -> list[dict[str, Any]]:
    """The file sets as the state document has them: how fresh each was known to be."""
    if not isinstance(value, dict):
        return []
    found = []
    for name, one in value.items():
        state = one if isinstance(one, dict) else {}
        drift = state.get("drift")
        found.append(
            {
                "set": str(name),
                "fresh_as_of": _whole(state.get("fresh_as_of")),
                "stale_after_s": None,
                "identical": state.get("identical"),
                "question": state.get("question") or None,
                "drift": drift if isinstance(drift, dict) else None,
                "last_run": None,
                "run": None,
                "next_at": None,
            }
        )
    return found


def _loss() -> dict[str, Any]:
    basis = ["only a running hamnd can judge it"]
    return {"verdict": "unknown", "bytes": None, "seconds": None, "estimated_bytes": None,
            "basis": basis, "peer_window_end": None, "peer_window_remaining_s": None}  # fmt: skip


def _epoch(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"epoch": None, "epoch_owner": None}
    return {"epoch": _whole(value.get("number")), "epoch_owner": value.get("owner")}


def _run(value: object) -> dict[str, Any] | None:
    """The run as the state document has it: whatever ran then is unknown now."""
    if not isinstance(value, dict) or not isinstance(value.get("plan"), dict):
        return None
    plan, known = value["plan"], value.get("steps")
    known = known if isinstance(known, dict) else {}
    steps = [
        _step(step, known.get(step.get("id")))
        for step in plan.get("steps") or []
        if isinstance(step, dict)
    ]
    request = plan.get("request")
    acted = [step["id"] for step in steps if not step["reversible"] and step["is_irrevocable"]]
    return {
        "digest": plan.get("digest", ""),
        "kind": request.get("kind") if isinstance(request, dict) else None,
        "status": value.get("status"),
        "actor": value.get("actor"),
        "started_at": _whole(value.get("started_at")),
        "finished_at": _whole(value.get("finished_at")),
        "paused_step": value.get("paused_step") or None,
        "reason": value.get("reason") or "",
        "passed_point_of_no_return": acted[0] if acted else None,
        "steps": steps,
    }


def _step(step: Document, run: object) -> dict[str, Any]:
    known = run if isinstance(run, dict) else {}
    outcome = known.get("outcome") or "pending"
    # A first action that was definitely refused changed nothing (core.run).
    was_refused = outcome == "not_done" and not known.get("is_unknown") and not known.get("index")
    return {
        "id": step.get("id"),
        "title": step.get("title"),
        "outcome": "unknown" if outcome == "running" else outcome,
        "started_at": _whole(known.get("started_at")),
        "duration_s": known.get("duration_s"),
        "reversible": step.get("reversible", True),
        "sentence": known.get("sentence") or "",
        "has_acted": bool(known.get("has_acted")),
        "has_actions": bool(step.get("actions")),
        "is_irrevocable": outcome == "done" or (bool(known.get("has_acted")) and not was_refused),
    }


def _rehearsal(value: object) -> dict[str, Any] | None:
    """The latest rehearsal, told by its end alone."""
    if not isinstance(value, dict):
        return None
    return {
        "number": value.get("number"),
        "actor": value.get("actor"),
        "started_at": _whole(value.get("started_at")),
        "finished_at": _whole(value.get("finished_at")),
        "outcome": value.get("outcome") or None,
        "sentence": str(value.get("sentence") or ""),
        "steps": [],
    }


def _hold(value: object, now_wall: float) -> dict[str, Any] | None:
    """The hold that was in force then, as long as it lasts."""
    if not isinstance(value, dict):
        return None
    until = _whole(value.get("until"))
    if until is None or until <= now_wall:
        return None
    return {
        "owner": str(value.get("owner") or "?"),
        "reason": str(value.get("reason") or "?"),
        "since": _whole(value.get("since")),
        "until": until,
    }


def _finished(value: object) -> list[dict[str, Any]]:
    runs = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return [
        {
            "digest": one.get("digest", ""),
            "kind": one.get("kind"),
            "status": one.get("status"),
            "started_at": _whole(one.get("started_at")),
            "finished_at": _whole(one.get("finished_at")),
            "open_steps": list(one.get("open_steps") or []),
            "predicted_loss": one.get("predicted"),
            "actual_loss": one.get("actual"),
            "acknowledged_by": one.get("acknowledged_by") or None,
            "acknowledged_at": _whole(one.get("acknowledged_at")),
        }
        for one in runs
    ]


def _tail(entries: Sequence[JournalEntry]) -> list[dict[str, Any]]:
    changes = [entry for entry in entries if entry.record.what == "state_changed"]
    return [
        {
            "at": int(entry.wall_s),
            "from": details(entry.record).get("from"),
            "to": details(entry.record).get("to"),
            "row": details(entry.record).get("row"),
            "because": details(entry.record).get("because"),
        }
        for entry in changes[-8:]
    ]


def _headline(document: Document) -> list[str]:
    """What was true then, put in the past: a journal never says that something is so."""
    state = document.get("state")
    if state is None:
        return ["The journal does not tell in which state this node was."]
    if state == "TakingOver":
        told = headline(document)
        return [f"When it was written: {told[0]}", *told[1:]]
    return [f"When it was written, this node was in state {state}."]
