"""Acknowledging a finished takeover: somebody looked at it, and the next one may come.

Owns the answer to ack. Must not ask for one: two takeovers within a day are more often one cause
than two accidents, so the gate `acknowledged` wants a look in between (gates.takeover).
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.events import AckRequested
from hamnd.core.state import FinishedRun, Refusal
from hamnd.core.turn import Turn
from hamnd.model.names import Phase, PlanKind
from hamnd.model.record import Record

LEAST = 4
"""So much of a digest has to be given: the group that people compare."""


def on_ack(turn: Turn, event: AckRequested) -> None:
    """Note who looked at a takeover that has ended."""
    found = _named(turn.state.finished, event.digest)
    if isinstance(found, Refusal):
        turn.refuse(found)
        return
    if found.acknowledged_by:
        told = f"{found.acknowledged_by} acknowledged takeover {found.digest} before"
        turn.refuse(Refusal("ack", told, hint="hamnctl report"))
        return
    seen = replace(found, acknowledged_by=event.actor, acknowledged_at=turn.now.wall_s)
    finished = tuple(seen if one is found else one for one in turn.state.finished)
    turn.state = replace(turn.state, finished=finished)
    turn.because = f"{event.actor} acknowledged takeover {found.digest}"
    evidence = json.dumps({"status": found.status, "finished_at": int(found.finished_at)})
    record = Record(
        Phase.DECISION, "takeover_acknowledged", event.actor, found.digest, evidence=evidence
    )
    turn.record(record)


def _named(finished: tuple[FinishedRun, ...], digest: str) -> FinishedRun | Refusal:
    known = [one for one in finished if one.kind == PlanKind.TAKEOVER]
    names = ", ".join(one.digest for one in reversed(known))
    hint = f"known: {names}" if names else "hamnctl history"
    wanted = _bare(digest)
    if len(wanted) < LEAST:
        return Refusal("ack", f"{digest!r} names no takeover: give its first group", hint=hint)
    fitting = [one for one in known if _bare(one.digest).startswith(wanted)]
    if not fitting:
        return Refusal("ack", f"no takeover {digest} has ended here", hint=hint)
    if len({one.digest for one in fitting}) > 1:
        return Refusal("ack", f"several takeovers begin with {digest}", hint=hint)
    return fitting[-1]


def _bare(digest: str) -> str:
    return digest.replace("-", "").lower()
