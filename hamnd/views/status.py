"""The status document `hamnd.status/1`: the one model that text, JSON and metrics are made from.

Owns which facts it holds (design §12; more keys may come, none goes away). Must not know text
layout (status_screen), the wire or a clock: the moment is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hamnd.core.drafting import earlier_takeover, question_of
from hamnd.core.following import recent_flaps
from hamnd.core.fsm import Refused, fire
from hamnd.core.gates import blocking
from hamnd.core.gates.judging import judge_gates, why_impossible
from hamnd.core.health.claim import is_claimed
from hamnd.core.health.rule import freshness_s
from hamnd.core.returning import is_serving_again
from hamnd.core.table import Picture, Trigger
from hamnd.model.names import Mode, PlanKind, State, Status
from hamnd.model.plan import PlanRequest
from hamnd.views import facts, run_facts
from hamnd.views.facts import Part
from hamnd.views.files import files_parts
from hamnd.views.guard import guard_part
from hamnd.views.rehearsal import rehearsal_part
from hamnd.views.status_screen import render_status
from hamnd.views.text import span
from hamnd.views.verdict import headline
from hamnd.views.ways import next_commands

if TYPE_CHECKING:
    from hamnd.core.policy import Terms
    from hamnd.core.state import NodeState
    from hamnd.model.instant import Instant
    from hamnd.model.plan import Plan

__all__ = ["SCHEMA", "render_status", "status_document"]

SCHEMA = "hamnd.status/1"
TAIL = 8
"""How many changes of state and finished runs the document carries."""


def status_document(state: NodeState, now: Instant, terms: Terms) -> Part:
    """Return everything hamnd knows at `now` as one JSON object; times are integer UTC seconds."""
    assessment = state.assessment
    end, remaining = facts.window(state, now)
    loss = facts.loss_part(assessment.loss, end, remaining)
    readiness = facts.readiness_part(assessment)
    seen = facts.seen_part(state.watch, now, terms.site)
    witnesses = facts.witness_parts(state.watch, now, terms)
    old_primary = None
    if state.state is State.ACTIVE:
        old_primary = _old_primary_part(state, seen, witnesses, now, terms)
    is_down = state.state is State.PRIMARY_DOWN
    takeover = takeover_part(state, now, terms) if is_down else None
    document: Part = {
        "schema": SCHEMA,
        "generated_at": int(now.wall_s),
        "source": "daemon",
        "cluster": terms.site.cluster,
        "node": terms.site.node,
        "partner": terms.site.partner.name,
        **_state_part(state),
        "guard": guard_part(state, terms),
        "held_back": _held_back(state, now, terms),
        "protected": assessment.is_protected is Status.TRUE,
        "protected_status": assessment.is_protected.value,
        "unprotected_since": facts.seconds(state.lasting.unprotected_since),
        "standby_since": facts.seconds(state.lasting.standby_since),
        "watched_since": facts.seconds(state.lasting.watched_since),
        "ready": assessment.is_ready is Status.TRUE and state.mode is Mode.NORMAL,
        "readiness": readiness,
        "conditions": [facts.condition_part(condition) for condition in assessment.conditions],
        "replication": facts.replication_part(state.watch.replication, now),
        "partner_database": facts.partner_database_part(state.watch, now),
        "clock_skew": facts.skew_part(state.watch, now),
        "data_loss": loss,
        "fence": facts.fence_part(state, now, terms),
        "witnesses": witnesses,
        "seen": seen,
        "files": files_parts(state, now, terms),
        "rule": _rule_part(state, now),
        "run": run_facts.run_part(state.run, state.finished),
        "plan": _waiting_plan(state, now, takeover),
        "takeover": takeover,
        "people": run_facts.people_part(state.lasting.confirmed_s),
        "last_drill_at": facts.seconds(state.lasting.drilled_at),
        "last_rehearsal_at": facts.seconds(state.rehearsed_at),
        "rehearsal": rehearsal_part(state),
        "finished": [run_facts.finished_part(finished) for finished in state.finished[-TAIL:]],
        "hold": facts.hold_part(state),
        "acknowledge": _to_acknowledge(state, now, terms),
        "old_primary": old_primary,
        "history_tail": _tail(state),
    }
    document["advice"] = assessment.advice
    document["headline"] = headline(document)
    document["next"] = next_commands(document)
    return document


def _state_part(state: NodeState) -> Part:
    return {
        "state": state.state.value,
        "since": int(state.since),
        "cause": None if state.cause is None else state.cause.value,
        "because": state.because,
        "down_since": facts.seconds(state.silence_began),
        "mode": state.mode.value,
        "mode_reason": state.mode_reason,
        "epoch": None if state.epoch is None else state.epoch.number,
        "epoch_owner": None if state.epoch is None else state.epoch.owner,
    }


def _to_acknowledge(state: NodeState, now: Instant, terms: Terms) -> str | None:
    """Return the takeover that somebody has to look at before a second one, by its digest."""
    earlier = earlier_takeover(state, now, terms)
    return None if earlier is None or earlier.acknowledged_by else earlier.digest


def _held_back(state: NodeState, now: Instant, terms: Terms) -> str | None:
    """Say why Degraded does not become Peer although everything it requires has been true.

    The sentence is that of the row's guard.
    """
    since, policy = state.timing.all_true_since, terms.policy
    if state.state is not State.DEGRADED or since is None:
        return None
    flaps = recent_flaps(state, now, policy)
    if now.since(since) < policy.recover_after_s or len(flaps) < policy.flap_max:
        return None
    outcome = fire(state.state, Trigger.PEER_PROVEN, Picture(is_flapping=True))
    if not isinstance(outcome, Refused):
        return None
    # Peer comes when so many of the flaps are forgotten that fewer than the limit are left.
    left = policy.flap_window_s - now.since(flaps[-policy.flap_max])
    times = f"{len(flaps)} times in {span(policy.flap_window_s)}"
    return f"{outcome.because}; it left Peer {times}: {span(max(1.0, left))} to go"


def _rule_part(state: NodeState, now: Instant) -> Part:
    rule = state.assessment.rule
    return {
        "cause": None if rule.cause is None else rule.cause.value,
        "since": facts.wall(rule.since, now),
        "is_held": rule.is_held,
        "basis": list(rule.basis),
        "blockers": list(rule.blockers),
    }


def _shown_plan(state: NodeState, now: Instant) -> Plan | None:
    """The plan that was shown last: not expired, of this state."""
    plan = state.plans[-1] if state.plans else None
    is_past = plan is None or plan.expires_at <= now.wall_s or plan.created_at < state.since
    return None if is_past else plan


def _waiting_plan(state: NodeState, now: Instant, takeover: Part | None) -> Part | None:
    """The plan that a confirmation would start: neither its own gates nor those of now block."""
    plan = _shown_plan(state, now)
    if plan is None or blocking(plan.gates) or (takeover or {}).get("gates"):
        return None
    return run_facts.plan_hint(plan)


def takeover_part(state: NodeState, now: Instant, terms: Terms) -> Part:
    """Return what forbids a takeover now, on the terms asked for last."""
    shown = _shown_plan(state, now)
    request = PlanRequest(PlanKind.TAKEOVER) if shown is None else shown.request
    question = question_of(state, now, terms, request, shown)
    impossible = why_impossible(question)
    gates = blocking(judge_gates(question)) if impossible is None else (impossible,)
    return {**run_facts.request_part(request), "gates": [run_facts.gate_part(g) for g in gates]}


def _old_primary_part(
    state: NodeState, seen: Part, witnesses: list[Part], now: Instant, terms: Terms
) -> Part | None:
    """What became of the partner of an active node; null before any fresh look told something.

    `follows`: it was made a standby in order, or was it all along, so that its answers are as they
    should be. `serving` is what its own tools said since this node is active, and lately; null
    otherwise: what they said before the takeover is no fact about now.
    """
    told = {
        probe["answer"]
        for probe in seen["probes"]
        if probe["observed_at"] is not None
        and now.wall_s - probe["observed_at"] <= freshness_s(terms.policy) + 1.0
    } - {"unknown"}
    reached = any(witness["sees"] == "reached" for witness in witnesses)
    reached = reached or is_claimed(state.watch, now, terms.policy) is True
    if not told and not reached:
        return None
    sight = state.watch.epochs.get(terms.site.partner.name)
    return {
        "seen": bool(told & {"answered", "refused", "failing"}) or reached,
        "serving": is_serving_again(state.watch, now, terms, state.since),
        "follows": state.is_followed
        or (state.last_takeover is None and not terms.site.is_on_standby),
        "epoch": None if sight is None or sight.epoch is None else sight.epoch.number,
    }


def _tail(state: NodeState) -> list[Part]:
    return [
        {
            "at": int(change.at),
            "from": change.source.value,
            "to": change.target.value,
            "row": change.row,
            "because": change.because,
        }
        for change in state.changes[-TAIL:]
    ]
