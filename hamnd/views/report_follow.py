"""What is left to do after a run, and how much of its time was hamnd's own.

Owns both, as parts of `hamnd.report/1`. Must not know how they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hamnd.views.history import JournalEntry
from hamnd.views.text import plan_name, span

SLOW_HUMAN_S = 900
"""Longer than this between the alarm and the confirmation is worth a question."""
UNEXAMINED = ("takeover",)


def covered_s(ours: Sequence[JournalEntry]) -> float:
    """Return how many seconds of a run at least one command was under way."""
    open_: dict[tuple[str, int], float] = {}
    spans: list[tuple[float, float]] = []
    for entry in ours:
        key = (entry.record.step or "", 0)
        if entry.record.what == "action_started":
            open_[key] = entry.wall_s
        elif entry.record.what == "action_finished" and key in open_:
            spans.append((open_.pop(key), entry.wall_s))
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def follow_ups(report: dict[str, Any], entries: Sequence[JournalEntry]) -> list[str]:
    """Return what somebody should still do, each with what to run where there is something."""
    name = plan_name(str(report["digest"]))
    if report["status"] == "running" or report["continued_by"] is not None:
        return []
    found = [
        f"step {one['id']} is {str(one['outcome']).replace('_', ' ')}: finish it by hand, or "
        "hamnctl plan resume"
        for one in report["steps"]
        if one["outcome"] in ("not_done", "unknown", "running") and report["status"] != "aborted"
    ]
    if report["kind"] in UNEXAMINED and report["actual_loss"] == "pending":
        found.append(
            "the old primary was not examined: hamnctl plan rejoin once it is back; the actual "
            "loss is entered here then"
        )
    is_seen = any(
        one.record.what == "takeover_acknowledged" and one.record.digest == report["digest"]
        for one in entries
    )
    if report["kind"] in UNEXAMINED and not is_seen:
        found.append(f"nobody has acknowledged it: hamnctl ack {name}")
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
