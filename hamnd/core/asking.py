"""What to look at next: the rhythms, and the closer look while the primary is suspected.

Owns which looks are sent and when; one look in flight per topic. Must not read answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from hamnd.core.commands import Command, ProbeRound, SetReachInterval, TakeLook
from hamnd.core.health.assessment import Assessment
from hamnd.core.health.rule import HOST_PROBES, does_answer
from hamnd.core.plans.switchover import from_partner
from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.progress import Stage
from hamnd.core.readiness import Looks, topic_of
from hamnd.core.replication.registry import engine_of
from hamnd.core.requirements import holding_looks, quiet_looks, seldom_looks
from hamnd.core.served import served_looks
from hamnd.core.state import NodeState
from hamnd.core.whereabouts import OWN, is_about_partner, is_partner_displaced, placed
from hamnd.dialects import cfgloc, clock, epoch, fence, reach, witness
from hamnd.model.instant import Instant
from hamnd.model.names import Probe, Rhythm, RunStatus, State, Status
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode
from hamnd.model.work import Ending, Look, Report

TERMS_KEPT = 8
"""How many terms' looks are remembered; a reload replaces the terms."""

PROGRESS = "progress:"
"""What the topics begin with of looks that tell how far a step is."""

FLEETING = ("seen:processes",)
"""What is only true for a moment: it is looked at anew while a plan may be made from it."""
FLEETING_AGE_MAX_S = 5.0

UNREAD_S = 60.0
"""How often is asked again what changes seldom and could not be told."""

LOST_AFTER_S = 30.0
"""A look that did not come home within its own limit and this much more is given up."""


def on_tick(
    state: NodeState, rhythm: Rhythm, now: Instant, terms: Terms
) -> tuple[NodeState, tuple[Command, ...]]:
    """Return what a beat of this rhythm sends."""
    match rhythm:
        case Rhythm.REACH:
            state, commands = _round(state, now, terms)
            if state.assessment.is_suspicious or state.watch.doubts:
                state, more = _close_looks(state, now, terms)
                commands = (*commands, *more)
            return state, commands
        case Rhythm.REPLICATION:
            return _send(state, _slow_looks(state, terms), now)
        case Rhythm.READINESS:
            seen = {**_seen_looks(terms), **_seldom_due(state, now, terms)}
            is_standby = state.state not in (State.TAKING_OVER, State.ACTIVE)
            if not is_standby:  # what the old primary told while it was one is kept
                seen = {one: look for one, look in seen.items() if not is_about_partner(one)}
            held = _held_looks(state, terms)
            seen = {**seen, **_their_looks(state, now, terms), **held}
            looks = readiness_looks(state, terms) if is_standby else ()
            state = replace(state, readiness=looks, holding=tuple(held))
            proofs = {
                topic_of(step_id, number): look
                for step_id, looks in state.readiness
                for number, look in enumerate(looks)
            }
            return _send(state, {**seen, **proofs}, now)


@lru_cache(maxsize=TERMS_KEPT)
def _seen_looks(terms: Terms) -> Mapping[str, Look]:
    looks = {**platform_of(terms.site).looks(terms.site), "cfgloc": cfgloc.connection(terms.site)}
    return {f"seen:{key}": look for key, look in looks.items()}


def readiness_looks(state: NodeState, terms: Terms) -> Looks:
    """Return what proves each step of a takeover, planned on the picture as it is."""
    steps = takeover_steps(terms, state.assessment.promotion, platform_steps(state, terms))
    return tuple((step.id, step.readiness) for step in steps)


def _their_looks(state: NodeState, now: Instant, terms: Terms) -> Mapping[str, Look]:
    """Return what must be known of the partner to hand over to it, while its ssh answers."""
    is_there = does_answer(state.watch, Probe.SSH_BANNER, now, terms.policy)
    if not is_there or is_partner_displaced(state, terms):
        return {}
    site = from_partner(terms).site
    return {f"theirs:{key}": look for key, look in platform_of(site).looks(site).items()}


def platform_steps(state: NodeState, terms: Terms) -> tuple[Step, ...]:
    """Return the platform's takeover steps, built from what was last seen of this node."""
    return platform_of(terms.site).steps(terms.site, terms.policy, seen_here(state))


def seen_here(state: NodeState) -> Mapping[str, Report]:
    """Return what was last seen of this node, by the platform's own keys."""
    return _seen(state, "seen:")


def seen_there(state: NodeState) -> Mapping[str, Report]:
    """Return what was last seen of the partner, by the platform's own keys."""
    return _seen(state, "theirs:")


def _seen(state: NodeState, prefix: str) -> Mapping[str, Report]:
    return {
        topic.removeprefix(prefix): report
        for topic, report in state.watch.reports.items()
        if topic.startswith(prefix)
    }


@lru_cache(maxsize=TERMS_KEPT)
def slow_looks(terms: Terms) -> Mapping[str, Look]:
    """Return what is asked in the replication rhythm, by topic."""
    site = terms.site
    looks = dict(engine_of(terms).looks(terms))
    looks.update(engine_of(terms).partner_looks(terms))
    looks["epoch"] = epoch.here(site)
    looks["partner_clock"] = clock.epoch(site, site.partner.name)
    if site.fence.agent is not None:
        looks["fence"] = fence.status(site)
    for one in site.witnesses:
        looks[f"witness:{one.name}"] = witness.look(site, one, terms.policy.probe_timeout_s)
    return looks


def progress_looks(state: NodeState) -> Mapping[str, Look]:
    """Return what tells how far a step under way is, where its engine can be asked."""
    run = state.run
    if run is None or run.status is not RunStatus.RUNNING:
        return {}
    return {
        f"{PROGRESS}{step.id}": step.progress
        for step in run.plan.steps
        if step.progress is not None and run.steps[step.id].stage is Stage.ACTING
    }


def _slow_looks(state: NodeState, terms: Terms) -> Mapping[str, Look]:
    """Leave out what asks at the partner's own address once that may be this node's own."""
    looks = slow_looks(placed(terms, state))
    if terms.site.identity_mode is IdentityMode.PRIMARY_ADDRESS:
        # Where the partner is hangs on it: seen as often as the partner is asked.
        looks = {**looks, OWN: _seen_looks(terms)[OWN]}
    if going := progress_looks(state):
        looks = {**looks, **going}
    is_alone = state.assessment.is_protected is not Status.TRUE
    if state.state is State.ACTIVE:
        looks = {**looks, **served_looks(terms)}
    if state.state is State.ACTIVE and is_alone:
        looks = {**looks, **engine_of(terms).return_looks(terms, state.watch.replication)}
    if not is_partner_displaced(state, terms):
        return looks
    looks = {topic: look for topic, look in looks.items() if not is_about_partner(topic)}
    # What the witnesses see of the partner means nothing now; what they keep does.
    kept = {f"epoch:{one.name}": epoch.there(terms.site, one.name) for one in terms.site.witnesses}
    return {**looks, **kept}


def _close_looks(
    state: NodeState, now: Instant, terms: Terms
) -> tuple[NodeState, tuple[Command, ...]]:
    """While the primary is suspected, everything that decides is asked about once a second.

    So is what this node could not tell about itself: a plan cannot disarm what was never read.
    """
    interval = terms.policy.suspicion_look_interval_s
    unread = tuple(
        topic
        for topic in _seen_looks(terms)
        if not is_about_partner(topic) and _is_unread(state, topic)
    )
    slow = _slow_looks(state, terms)
    ages = dict.fromkeys(FLEETING, FLEETING_AGE_MAX_S)
    ages.update(dict.fromkeys((*slow, *unread), interval))
    known = {**slow, **_seen_looks(terms)}
    due = {
        topic: known[topic]
        for topic, age_max_s in ages.items()
        if topic in known
        and ((sent := state.timing.last_sent.get(topic)) is None or now.since(sent) >= age_max_s)
    }
    return _send(state, due, now)


def _seldom_due(state: NodeState, now: Instant, terms: Terms) -> Mapping[str, Look]:
    """Return what changes seldom and was not told lately; what was not told at all is due soon."""
    sent, due = state.timing.last_sent, {}
    for topic, (look, interval_s) in seldom_looks(terms).items():
        at = sent.get(topic)
        age_max_s = min(interval_s, UNREAD_S) if _is_unread(state, topic) else interval_s
        if at is None or now.since(at) >= age_max_s:
            due[topic] = look
    return due


def _held_looks(state: NodeState, terms: Terms) -> Mapping[str, Look]:
    """Return what has to hold of this node as long as it is what it is; in a run it changes."""
    if state.state is State.TAKING_OVER:
        return {}
    if state.state is not State.ACTIVE:
        return quiet_looks(terms)
    # Where a run lets the old primary in again, its shield comes down.
    is_old_one_out = state.last_takeover is not None and state.run is None
    return holding_looks(platform_steps(state, terms), is_old_one_out)


def _is_unread(state: NodeState, topic: str) -> bool:
    report = state.watch.reports.get(topic)
    return report is None or report.ending is not Ending.EXITED


def _send(
    state: NodeState, looks: Mapping[str, Look], now: Instant
) -> tuple[NodeState, tuple[Command, ...]]:
    timing = state.timing
    commands: list[Command] = []
    in_flight, last_sent = dict(timing.in_flight), dict(timing.last_sent)
    for topic, look in looks.items():
        sent = in_flight.get(topic)
        if sent is not None and now.since(sent) < look.timeout_s + LOST_AFTER_S:
            continue
        commands.append(TakeLook(topic, look))
        in_flight[topic] = now
        last_sent[topic] = now
    timing = replace(timing, in_flight=in_flight, last_sent=last_sent)
    return replace(state, timing=timing), tuple(commands)


def landed(state: NodeState, topic: str) -> NodeState:
    """Note that the look of this topic came home."""
    in_flight = {key: at for key, at in state.timing.in_flight.items() if key != topic}
    return replace(state, timing=replace(state.timing, in_flight=in_flight))


@lru_cache(maxsize=TERMS_KEPT)
def _partner_round(terms: Terms) -> tuple[tuple[Probe, Look], ...]:
    return reach.partner_round(terms.site, terms.policy.probe_timeout_s)


def _round(state: NodeState, now: Instant, terms: Terms) -> tuple[NodeState, tuple[Command, ...]]:
    """One reach round; all its probes start together and may outlast the next beat."""
    number = state.timing.round_number + 1
    probes = _partner_round(placed(terms, state))
    if is_partner_displaced(state, terms) or (number % 2 and _may_claim(state, now, terms)):
        probes = reach.address_round(terms.site)
    timing = replace(state.timing, round_number=number)
    return replace(state, timing=timing), (ProbeRound(number, probes),)


def _may_claim(state: NodeState, now: Instant, terms: Terms) -> bool:
    """Whether the partner is silent where it belongs now, so that it may come back as it was."""
    is_heard = any(does_answer(state.watch, one, now, terms.policy) for one in HOST_PROBES)
    return state.is_exchanged and state.state is State.ACTIVE and not is_heard


def pace(
    state: NodeState, assessment: Assessment, terms: Terms
) -> tuple[NodeState, tuple[Command, ...]]:
    """Beat faster while the primary is suspected, and calmly again once that is decided."""
    policy = terms.policy
    wanted = policy.reach_interval_s
    if assessment.is_suspicious and state.state in (State.PEER, State.DEGRADED):
        wanted = min(wanted, policy.reach_suspicion_interval_s)
    if state.timing.reach_interval_s == wanted:
        return state, ()
    timing = replace(state.timing, reach_interval_s=wanted)
    return replace(state, timing=timing), (SetReachInterval(wanted),)
