"""What is left to do after a run, and how much of its time was hamnd's own.

Owns both, as parts of `hamnd.report/1`. Must not know how they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hamnd.core.plans import trial
from hamnd.views.history import JournalEntry, details
from hamnd.views.text import plan_name, span
from hamnd.views.verdict import CONTRADICTED

SLOW_HUMAN_S = 900
"""Longer than this between the alarm and the confirmation is worth a question."""
RESUMED = ("takeover", "switchover", "resume")
"""Kinds after which this node serves: `resume` does every step that is not so."""


def covered_s(ours: Sequence[JournalEntry]) -> float:
    """Return how many seconds of a run at least one command was under way."""
    open_: dict[str, float] = {}
    spans: list[tuple[float, float]] = []
    for entry in ours:
        step = entry.record.step or ""
        if entry.record.what == "action_started":
            open_[step] = entry.wall_s
        elif entry.record.what == "action_finished" and step in open_:
            spans.append((open_.pop(step), entry.wall_s))
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def follow_ups(report: dict[str, Any], entries: Sequence[JournalEntry]) -> list[str]:
    """Return what somebody should still do, each with what to run where there is something."""
    if report["status"] == "running" or report["continued_by"] is not None:
        return []
    if report["status"] == "paused":
        return [_waiting(report)]
    stood = report["status"] != "aborted"
    found = _left_open(report, entries) if stood else []
    found += _left_defined(report) if stood else []
    if stood and report["kind"] == "takeover":
        found += _after_takeover(report, entries)
    found += [
        f"gate {one['gate']} was overridden: find out why it did not pass"
        for one in report["overrides"]
    ]
    found += [
        f"the run was held at {one['step'] or 'no step'} for {span(one['lasted_s'])}: find out why"
        for one in report["pauses"]
        if one["lasted_s"] is not None
    ]
    if (report["human_s"] or 0) > SLOW_HUMAN_S:
        found.append(
            f"{span(report['human_s'])} passed until somebody confirmed: look at who was paged, how"
        )
    return found


def _waiting(report: dict[str, Any]) -> str:
    """A run that waits wants a decision and nothing else; which ways are open, status knows."""
    last = report["pauses"][-1] if report["pauses"] else {}
    where = f" at {last['step']}" if last.get("step") else ""
    if str(last.get("reason") or "").startswith(CONTRADICTED):
        return f"it is paused{where}, the old primary answers: hamnctl status names the ways out"
    return (
        f"it is paused{where}: hamnctl retry once the cause is gone; hamnctl status names the "
        "other ways out"
    )


def _left_open(report: dict[str, Any], entries: Sequence[JournalEntry]) -> list[str]:
    """Return the steps of an ended run that did not come to their end."""
    changes = [details(one.record) for one in entries if one.record.what == "state_changed"]
    is_manager = bool(changes) and changes[-1].get("to") == "Active"
    by_plan = ", or hamnctl plan resume" if report["kind"] in RESUMED and is_manager else ""
    return [
        f"step {one['id']} is {str(one['outcome']).replace('_', ' ')}: finish it by hand{by_plan}"
        for one in report["steps"]
        if one["outcome"] in ("not_done", "unknown", "running")
    ]


def _left_defined(report: dict[str, Any]) -> list[str]:
    """Say how the node of a setup's test is removed where the run did not do it to its end."""
    steps = {one["id"]: one for one in report["steps"]}
    back = f"undo-{trial.DEFINE}"
    is_defined = back in steps or bool(steps.get(trial.DEFINE, {}).get("commands"))
    removing = steps.get(back if back in steps else trial.REMOVE, {})
    if not is_defined or removing.get("outcome") == "done":
        return []
    return [f"the test's node may still be defined: {trial.BY_HAND}, on the management node"]


def _after_takeover(report: dict[str, Any], entries: Sequence[JournalEntry]) -> list[str]:
    """Return what every takeover leaves behind: an old primary, and a look at what happened."""
    found: list[str] = []
    if report["actual_loss"] == "pending":
        found.append(
            "the old primary was not examined: hamnctl plan rejoin once it is back; the actual "
            "loss is entered here then"
        )
    is_seen = any(
        one.record.what == "takeover_acknowledged" and one.record.digest == report["digest"]
        for one in entries
    )
    if not is_seen:
        name = plan_name(str(report["digest"]))
        found.append(f"nobody has acknowledged it: hamnctl ack {name}")
    return found
