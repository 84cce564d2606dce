"""What outlives every list: since when this node watches, stands by, is unprotected, and so on.

Owns when each of it begins and ends. The lists of changes and of ended runs forget, and a scrape
that is missed forgets as well; monitoring compares these times with the present one instead. Must
not judge whether anything has lasted too long.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.state import Lasting, NodeState
from hamnd.model.instant import Instant
from hamnd.model.names import RunStatus, State, Status

STANDBY = (State.PEER, State.DEGRADED, State.PRIMARY_DOWN)
CONFIRMED_MAX = 64
"""How many takeovers tell how long people take to confirm one."""


def noted(before: NodeState, after: NodeState, now: Instant) -> NodeState:
    """Return the state after an event with what began and ended in it."""
    kept = after.lasting
    is_standby = after.state in STANDBY
    is_protected = after.assessment.is_protected is Status.TRUE
    confirmed_s = kept.confirmed_s
    if (before.state, after.state) == (State.PRIMARY_DOWN, State.TAKING_OVER):
        confirmed_s = (*confirmed_s, after.since - before.since)[-CONFIRMED_MAX:]
    drills = [kept.drilled_at] if kept.drilled_at is not None else []
    drills += [
        one.finished_at for one in after.finished if one.is_drill and one.status == RunStatus.DONE
    ]
    lasting = Lasting(
        watched_since=_begun(kept.watched_since, now),
        standby_since=_begun(kept.standby_since, now) if is_standby else None,
        unprotected_since=None if is_protected else _begun(kept.unprotected_since, now),
        drilled_at=max(drills, default=None),
        confirmed_s=confirmed_s,
    )
    return after if lasting == kept else replace(after, lasting=lasting)


def _begun(since: float | None, now: Instant) -> float:
    return now.wall_s if since is None else since
