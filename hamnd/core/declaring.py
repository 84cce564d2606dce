"""What the operator declares: that the primary is off, or that hamnd may act again.

Owns the answers to attest and clear. Must not judge what a word is worth (health.evidence).
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.events import AttestRequested, ClearRequested
from hamnd.core.health.watch import ACTS_MAX
from hamnd.core.state import Refusal
from hamnd.core.turn import Turn
from hamnd.model.health import FenceEvidence
from hamnd.model.names import FenceGrade, Mode, Phase
from hamnd.model.record import Record

ATTESTED = {"seen": "seen switched off", "pulled": "power cable pulled", "facility": "feed cut"}


def on_attest(turn: Turn, event: AttestRequested) -> None:
    """Take the operator's word that the primary is off: a dated act, the weakest of all."""
    if event.how not in ATTESTED:
        told = f"how must be one of {', '.join(ATTESTED)}, not {event.how!r}"
        turn.refuse(Refusal("attest", told))
        return
    detail = f"{ATTESTED[event.how]}: {event.reason} ({event.actor})"
    act = FenceEvidence(FenceGrade.OPERATOR, turn.now.wall_s, "operator", detail)
    acts = (*turn.state.watch.acts, act)[-ACTS_MAX:]
    turn.state = replace(turn.state, watch=replace(turn.state.watch, acts=acts))
    turn.because = "the operator gives his word that the primary is off"
    evidence = json.dumps({"how": event.how, "reason": event.reason})
    turn.record(Record(Phase.DECISION, "attested", event.actor, evidence=evidence))


def on_clear(turn: Turn, event: ClearRequested) -> None:
    """End observe_only."""
    if turn.state.mode is Mode.NORMAL:
        turn.refuse(Refusal("mode", "hamnd does not only observe: there is nothing to clear"))
        return
    was = turn.state.mode_reason
    turn.state = replace(turn.state, mode=Mode.NORMAL, mode_reason="")
    turn.because = f"the operator ends observe_only ({was}): {event.reason}"
    evidence = json.dumps({"mode": "normal", "was": was, "reason": event.reason})
    turn.record(Record(Phase.DECISION, "mode_changed", event.actor, evidence=evidence))
