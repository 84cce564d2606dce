"""Acknowledging a finished takeover: somebody looked at it, and the next one may come.

Owns the answer to ack, and that both nodes know of it: each tells the other by day which takeover
of the pair was the latest and who looked at it. Who did is known on the night on which the other
node is dead; what was not told acknowledges nothing. Must not ask for an acknowledgement: two
takeovers within a day are more often one cause than two accidents, so the gate `acknowledged` wants
a look in between (gates.takeover).
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.drafting import past_takeover
from hamnd.core.events import AckRequested
from hamnd.core.state import NodeState, Refusal
from hamnd.core.turn import Turn
from hamnd.model.names import Phase, PlanKind
from hamnd.model.record import Record
from hamnd.model.takeovers import PastTakeover

LEAST = 4
"""So much of a digest has to be given: the group that people compare."""


def on_ack(turn: Turn, event: AckRequested) -> None:
    """Note who looked at a takeover that has ended, here or on the other node."""
    found = _named(_known(turn.state, turn.terms.site.node), event.digest)
    if isinstance(found, Refusal):
        turn.refuse(found)
        return
    if found.acknowledged_by:
        told = f"{found.acknowledged_by} acknowledged takeover {found.digest} before"
        turn.refuse(Refusal("ack", told, hint="hamnctl report"))
        return
    _acknowledge(turn, found, (event.actor, turn.now.wall_s))
    turn.because = f"{event.actor} acknowledged takeover {found.digest}"


def learn(turn: Turn) -> None:
    """Take over what the partner tells of a takeover: that there was one, and who looked at it."""
    partner = turn.terms.site.partner.name
    sight = turn.state.watch.epochs.get(partner)
    if sight is None or sight is turn.before.watch.epochs.get(partner) or sight.takeover is None:
        return
    told, known = sight.takeover, turn.state.elsewhere
    if told.node == partner and (known is None or told.finished_at > known.finished_at):
        first = replace(told, acknowledged_by="", acknowledged_at=None)
        turn.state = replace(turn.state, elsewhere=first)
        evidence = json.dumps({"node": told.node, "finished_at": told.finished_at})
        turn.record(
            Record(Phase.DECISION, "takeover_learned", digest=told.digest, evidence=evidence)
        )
    if told.acknowledged_at is None:
        return
    ours = next(
        (one for one in _known(turn.state, turn.terms.site.node) if one.is_same(told)), None
    )
    if ours is not None and not ours.acknowledged_by:
        _acknowledge(turn, ours, (told.acknowledged_by, float(told.acknowledged_at)), partner)


def _acknowledge(
    turn: Turn, found: PastTakeover, word: tuple[str, float], told_by: str = ""
) -> None:
    """Write down who looked at it, and when, wherever this node keeps that takeover."""
    (who, at), node = word, turn.terms.site.node
    state = turn.state
    finished = tuple(
        replace(one, acknowledged_by=who, acknowledged_at=at)
        if one.kind == PlanKind.TAKEOVER and past_takeover(one, node).is_same(found)
        else one
        for one in state.finished
    )
    elsewhere = state.elsewhere
    if elsewhere is not None and elsewhere.is_same(found):
        elsewhere = replace(elsewhere, acknowledged_by=who, acknowledged_at=int(at))
    turn.state = replace(state, finished=finished, elsewhere=elsewhere)
    told = {"node": found.node, "finished_at": found.finished_at, "told_by": told_by or None}
    evidence = json.dumps(told)
    record = Record(Phase.DECISION, "takeover_acknowledged", who, found.digest, evidence=evidence)
    turn.record(record)


def _known(state: NodeState, node: str) -> tuple[PastTakeover, ...]:
    """Return every takeover that has ended and is remembered here, the latest last."""
    ours = [past_takeover(one, node) for one in state.finished if one.kind == PlanKind.TAKEOVER]
    theirs = [] if state.elsewhere is None else [state.elsewhere]
    return tuple(sorted((*ours, *theirs), key=lambda one: one.finished_at))


def _named(known: tuple[PastTakeover, ...], digest: str) -> PastTakeover | Refusal:
    names = ", ".join(one.digest for one in reversed(known))
    hint = f"known: {names}" if names else "hamnctl history"
    wanted = _bare(digest)
    if len(wanted) < LEAST:
        return Refusal("ack", f"{digest!r} names no takeover: give its first group", hint=hint)
    fitting = [one for one in known if _bare(one.digest).startswith(wanted)]
    if not fitting:
        return Refusal("ack", f"no takeover {digest} has ended that is known here", hint=hint)
    if len({one.digest for one in fitting}) > 1:
        return Refusal("ack", f"several takeovers begin with {digest}", hint=hint)
    return fitting[-1]


def _bare(digest: str) -> str:
    return digest.replace("-", "").lower()
