"""Holds: somebody works on the pair, nobody is paged for it and nothing is rehearsed.

Owns who holds, why and until when. A hold never forbids a plan or its confirmation (design §8), and
it ends by itself: what is forgotten must not silence a pair for ever.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from hamnd.core.events import HoldRequested, UnholdRequested
from hamnd.core.state import Hold, Refusal
from hamnd.core.turn import Turn
from hamnd.model.names import Phase
from hamnd.model.record import Record

HOLD_MAX_S = 7 * 86_400.0


def on_hold(turn: Turn, event: HoldRequested) -> None:
    """Begin a hold; one that is there already is replaced, and whose it was is told."""
    left_s = event.until - turn.now.wall_s
    if left_s <= 0.0:
        told = "a hold ends in the future: that moment is over"
        turn.refuse(Refusal("hold", told, hint="hamnctl hold --for 4h --reason …"))
        return
    if left_s > HOLD_MAX_S:
        told = f"a hold lasts {HOLD_MAX_S / 86_400:.0f} days at most: what is longer is forgotten"
        turn.refuse(Refusal("hold", told, hint="hamnctl hold --for 7d --reason …"))
        return
    before = turn.state.hold
    hold = Hold(event.actor, event.reason, turn.now.wall_s, event.until)
    turn.state = replace(turn.state, hold=hold)
    turn.because = f"{event.actor} holds the pages of this pair: {event.reason}"
    if before is not None:
        turn.because += f" (in place of {before.owner}'s hold: {before.reason})"
    _record(turn, "hold_began", hold, event.actor)


def on_unhold(turn: Turn, event: UnholdRequested) -> None:
    """End the hold."""
    hold = turn.state.hold
    if hold is None:
        turn.refuse(Refusal("hold", "there is no hold to end", hint="hamnctl status"))
        return
    turn.state = replace(turn.state, hold=None)
    turn.because = f"{event.actor} ends the hold of {hold.owner}: {hold.reason}"
    _record(turn, "hold_ended", hold, event.actor)


def end_expired(turn: Turn) -> None:
    """End a hold whose time is over, also where the clock was set so far back that none is."""
    hold = turn.state.hold
    if hold is None or 0.0 < hold.until - turn.now.wall_s <= HOLD_MAX_S:
        return
    turn.state = replace(turn.state, hold=None)
    turn.because = f"the hold of {hold.owner} is over: {hold.reason}"
    _record(turn, "hold_expired", hold, "hamnd")


def _record(turn: Turn, what: str, hold: Hold, actor: str) -> None:
    turn.record(Record(Phase.DECISION, what, actor, evidence=json.dumps(asdict(hold))))
