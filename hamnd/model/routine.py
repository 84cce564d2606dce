"""Work that a site has hamnd do unasked, on a schedule: pulls, copies, trial restores (law 1).

Owns `Routine` and what is known of its last run. Must not know who contributes one (engines, file
sets), when it is due (adapters.scheduler) nor whether it may start (core.routines).
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.model.instant import Instant
from hamnd.model.work import Action


@dataclass(frozen=True, slots=True)
class Routine:
    """Scheduled work under a name of its own; its actions run one after the other.

    It never touches what is in force on this node: it fetches, verifies and keeps, and what becomes
    of it is decided by a confirmed plan, or by the routine's own rules for a file set.
    """

    name: str
    """As in the journal, the conditions and the schedule, e.g. ``copy:sqlite``."""
    title: str
    """What it does, in the words of an operator."""
    schedule: str
    """A cron expression that dialects.schedule takes; empty: only at the operator's word."""
    actions: tuple[Action, ...]
    timeout_s: float
    """Limit for each of its actions."""
    jitter_s: float = 0.0
    """So much later, at random, it may begin: many sites share a full hour."""
    group: str = ""
    """Of the routines with one group, one runs at a time; empty: it is a group of its own."""


@dataclass(frozen=True, slots=True)
class RoutineRun:
    """The run under way, or the last one; volatile. Wall seconds, but `began`."""

    number: int = 0
    is_running: bool = False
    actor: str = "hamnd"
    """Who had it begin: the schedule, or an operator."""
    index: int = 0
    """The action that is under way."""
    began: Instant | None = None
    started_at: float | None = None
    finished_at: float | None = None
    outcome: str = ""
    """done | not_done | unknown, of the last run that ended."""
    sentence: str = ""
    """What the last run that ended said."""
    done_at: float | None = None
    """When a run was last done."""
