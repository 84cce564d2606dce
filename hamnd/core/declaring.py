"""What the operator declares: that the primary is off, or that hamnd may act again.

Owns the answers to attest and clear. Must not grade a word (health.evidence). A word against what
is heard at this very time is refused: nothing would come of it (design §4), and who gave it would
go on as if it counted.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hamnd.core.events import AttestRequested, ClearRequested
from hamnd.core.gates import plan_command
from hamnd.core.health.evidence import judge_evidence
from hamnd.core.health.rule import (
    HOST_PROBES,
    asked_at,
    freshness_s,
    is_recent,
    silence_began,
    silence_of,
)
from hamnd.core.health.watch import ACTS_MAX, Act
from hamnd.core.state import Refusal
from hamnd.core.turn import Turn
from hamnd.model.names import GRADE_ORDER, Answer, FenceGrade, Mode, Phase, PlanKind
from hamnd.model.record import Record

TAKEOVER = plan_command(PlanKind.TAKEOVER)

ATTESTED = {"seen": "seen switched off", "pulled": "power cable pulled", "facility": "feed cut"}


def on_attest(turn: Turn, event: AttestRequested) -> None:
    """Take the operator's word that the primary is off: a dated act, the weakest of all."""
    if event.how not in ATTESTED:
        told = f"how must be one of {', '.join(ATTESTED)}, not {event.how!r}"
        turn.refuse(Refusal("attest", told))
        return
    partner = turn.terms.site.partner.name
    if (heard := _heard(turn)) is not None:
        told = f"{partner} is not off: {heard}"
        turn.refuse(Refusal("attest", told, hint="switch it off; when it is silent: attest again"))
        return
    if _says_on(turn):
        told = f"the power controller says that {partner} is on: it would take your word back"
        hint = f"switch it off; where the controller is wrong: {TAKEOVER} --override fence …"
        turn.refuse(Refusal("attest", told, hint=hint))
        return
    detail = f"{ATTESTED[event.how]}: {event.reason} ({event.actor})"
    # Bound to its moment at once: a clock that is set later must not date it anew.
    act = Act(
        grade=FenceGrade.OPERATOR,
        at=turn.now.wall_s,
        source="operator",
        detail=detail,
        moment=turn.now,
    )
    acts = (*turn.state.watch.acts, act)[-ACTS_MAX:]
    turn.state = replace(turn.state, watch=replace(turn.state.watch, acts=acts))
    turn.because = f"your word that {partner} is off is taken; {_worth(turn)}"
    evidence = json.dumps({"how": event.how, "reason": event.reason})
    turn.record(Record(Phase.DECISION, "attested", event.actor, evidence=evidence))


def _heard(turn: Turn) -> str | None:
    """Return what answers at this time although the machine is said to be off, or None."""
    watch, now, policy = turn.state.watch, turn.now, turn.terms.policy
    answering = [
        probe.value
        for probe in HOST_PROBES
        if (track := watch.tracks.get(probe)) is not None
        and is_recent(track.answered, now, freshness_s(policy))
        and silence_of(track, now, policy) is None
    ]
    if answering:
        return f"it answers {', '.join(answering)}"
    began = silence_began(watch, now, policy)
    reaching = [
        sight.name
        for sight in watch.witnesses.values()
        if sight.sees is Answer.ANSWERED
        and is_recent(sight.at, now, policy.slow_freshness_s)
        and (began is None or asked_at(sight) > began)
    ]
    return f"service node {', '.join(reaching)} reaches it" if reaching else None


def _says_on(turn: Turn) -> bool:
    """Whether the fence device said on lately: its next reading would void the word."""
    readings = turn.state.watch.fence
    age_s = turn.terms.policy.evidence_age_max_s
    return (
        bool(readings)
        and readings[-1].is_off is False
        and is_recent(readings[-1].at, turn.now, age_s)
    )


def _worth(turn: Turn) -> str:
    """Say what the word is good for now: whether it holds, and whether it suffices."""
    evidence = judge_evidence(turn.state.watch, turn.now, turn.terms)
    if not any(one.grade is FenceGrade.OPERATOR for one in evidence):
        return "it counts from when ping, ssh and xcatd are all known to be silent"
    needed = turn.terms.policy.fence_minimum
    if GRADE_ORDER[FenceGrade.OPERATOR] < GRADE_ORDER[needed]:
        return (
            f"it holds until something answers, and does not suffice: {needed} is needed; "
            f"{TAKEOVER} --override fence --reason …"
        )
    return "it holds until something answers"


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
