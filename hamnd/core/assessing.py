"""The picture after each event: conditions, rule, evidence, loss, promotion, readiness.

Owns the order in which the parts of an assessment are judged, and its one sentence of advice. Must
not change what is known (observing) nor decide what follows (engine).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.copies import is_file_set
from hamnd.core.freshness import FRESH_PREFIX, judge_copies
from hamnd.core.health.assessment import Assessment
from hamnd.core.health.cfgloc import TOPIC as CFGLOC
from hamnd.core.health.cfgloc import cfgloc_matches
from hamnd.core.health.conditions import REQUIRED, carry_since, judge_conditions
from hamnd.core.health.evidence import death_of, judge_evidence, judge_released
from hamnd.core.health.moving import partner_idle
from hamnd.core.health.rule import (
    DownRule,
    asked_at,
    database_health,
    is_recent,
    judge_rule,
    silence_began,
)
from hamnd.core.health.watch import Watch, is_clock_set
from hamnd.core.health.yielding import judge_yielding
from hamnd.core.outliving import GIVES_WAY
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.readiness import Looks, judge_protected, judge_ready, judge_steps
from hamnd.core.replication import LossQuestion
from hamnd.core.replication.registry import engine_of
from hamnd.core.requirements import judge_requirements
from hamnd.core.returning import RETURNED, judge_return
from hamnd.core.served import judge_serves
from hamnd.core.state import NodeState
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, Cause, Outcome, PlanKind, RunStatus, State, Status, Verdict
from hamnd.model.work import Reading


def assess(state: NodeState, now: Instant, terms: Terms) -> Assessment:
    """Return the picture at this instant."""
    watch, before = state.watch, state.assessment.conditions
    rule = judge_rule(watch, now, terms)
    evidence = judge_evidence(watch, now, terms)
    age_max_s, partner = terms.policy.slow_freshness_s, terms.site.partner.name
    judged = (
        *judge_conditions(watch, now, terms),
        *judge_steps(watch, _to_prove(state), now, terms.policy),
        partner_idle(watch, partner, now, age_max_s),
        *_of_this_node(state, now, terms),
    )
    conditions = carry_since(judged, before)
    engine, released = engine_of(terms), judge_released(watch, now, terms)
    question = LossQuestion(
        view=watch.replication,
        sample=watch.sample,
        frozen_window_end=watch.frozen_window_end,
        death=death_of(watch, evidence, _silent_since(state, rule)),
        skew=watch.skew,
        is_partner_serving=_is_partner_serving(watch, now, terms),
        now_wall_s=now.wall_s,
        is_owner=state.epoch is not None and state.epoch.owner == terms.site.node,
        is_partner_standby=released is not None,
        has_handed_over=_has_handed_over(state),
    )
    if is_clock_set(watch, now):
        question = _on_another_clock(question)
    loss = engine.loss(terms, question)
    picture = Assessment(
        conditions=conditions,
        rule=rule,
        evidence=evidence,
        released=released,
        loss=loss,
        promotion=engine.promotion(terms, question, loss),
        yielding=_yielding(watch, now, terms),
        is_suspicious=_is_suspicious(state, conditions),
        is_protected=judge_protected(
            state.state, watch.replication, any(one.type == RETURNED for one in conditions)
        ),
        advice=_advice(state, rule, now, terms),
    )
    ready = judge_ready(state.state, state.mode, picture, terms)
    return replace(picture, is_ready=ready)


def _of_this_node(state: NodeState, now: Instant, terms: Terms) -> tuple[Condition, ...]:
    """Return the conditions that are not about the primary, nor about a step of a takeover."""
    return (
        *judge_serves(state, now, terms),
        *judge_return(state, now, terms),
        *_required_of_both(state, now, terms),
        *_hook(state, now),
        *_cfgloc(state.watch, now, terms),
        *_routines(state, now),
        *_rehearsed(state, now),
        *judge_copies(state.copies, now, terms),
    )


def _required_of_both(state: NodeState, now: Instant, terms: Terms) -> tuple[Condition, ...]:
    """Return what two nodes need to stand in for each other; in a run it moves."""
    if state.state is State.TAKING_OVER:
        return ()
    return judge_requirements(state.watch, state.holding, state.state is State.ACTIVE, now, terms)


def _on_another_clock(question: LossQuestion) -> LossQuestion:
    """Our clock was set: no measured skew holds any more, and no time since the sample is known."""
    sample = question.sample
    if sample is not None:
        sample = replace(sample, skew_s=None, skew_uncertainty_s=None)
    death = replace(question.death, is_watched=False)
    return replace(question, sample=sample, death=death, skew=None)


def _to_prove(state: NodeState) -> Looks:
    """Only a standby proves that a takeover would work; a run's own looks prove its steps."""
    return () if state.state in (State.TAKING_OVER, State.ACTIVE) else state.readiness


def _silent_since(state: NodeState, rule: DownRule) -> float | None:
    """Return since when the primary is silent; one whose services fail may write on and on."""
    cause = state.cause if state.silence_began is not None else rule.cause
    if cause is Cause.SERVICE:
        return None
    if state.silence_began is not None:
        return state.silence_began
    return None if rule.since is None else rule.since.wall_s


def _is_partner_serving(watch: Watch, now: Instant, terms: Terms) -> bool:
    """The partner's own tools said lately that its database serves; nothing since that it is off.

    Without the second half a takeover right after a power cut would be planned as a graceful one.
    """
    partner, off = watch.partner, watch.off
    if partner.is_good is not True or partner.role != "primary" or partner.at is None:
        return False
    if off is not None and off.last > partner.at:
        return False
    silences = (
        track.silent_since for track in watch.tracks.values() if track.silent_since is not None
    )
    return is_recent(partner.at, now, terms.policy.slow_freshness_s) and all(
        since < partner.at for since in silences
    )


def _has_handed_over(state: NodeState) -> bool:
    """Whether the takeover under way had the primary hand over all, and nothing says it serves."""
    run, partner = state.run, state.watch.partner
    one = (
        None if run is None or run.plan.kind is not PlanKind.TAKEOVER else run.steps.get(GIVES_WAY)
    )
    if one is None or one.outcome is not Outcome.DONE or one.started_at is None:
        return False
    ended = one.started_at + (one.duration_s or 0.0)
    serves_since = partner.is_good is True and partner.at is not None and partner.at.wall_s > ended
    return not serves_since


def _yielding(watch: Watch, now: Instant, terms: Terms) -> Reading:
    """Return whether what this node has may give way; one address of the cluster is enough."""
    view, report = watch.replication, watch.reports.get("seen:addresses")
    here = None if report is None else platform_of(terms.site).addresses(report)
    holds = None if here is None else any(one.address in here for one in terms.site.identity)
    if view is not None and not is_recent(view.observed, now, terms.policy.slow_freshness_s):
        view = None
    return judge_yielding(view, holds, watch.partner, _is_partner_serving(watch, now, terms))


def _is_suspicious(state: NodeState, conditions: tuple[Condition, ...]) -> bool:
    """Look more often: the primary counts as down, a run needs proof, or it does not answer."""
    if state.state in (State.PRIMARY_DOWN, State.TAKING_OVER):
        return True
    if state.state is State.ACTIVE:
        return False
    return any(track.silent_since is not None for track in state.watch.tracks.values()) or any(
        one.type == "PrimaryReachable" and one.status is not Status.TRUE for one in conditions
    )


def are_required_true(assessment: Assessment) -> bool:
    """Whether everything that Peer requires is true."""
    return all(one is not None and one.status is Status.TRUE for one in _required(assessment))


def _required(assessment: Assessment) -> list[Condition | None]:
    """Return what Peer requires; a copy that is configured has to be fresh."""
    fresh = [one for one in assessment.conditions if one.type.startswith(FRESH_PREFIX)]
    return [*(assessment.condition(name) for name in REQUIRED), *fresh]


def what_was_lost(assessment: Assessment) -> str:
    """Name the required conditions that are not true, for the reason of a state change."""
    found = _required(assessment)
    lost = [one for one in found if one is not None and one.status is not Status.TRUE]
    return "; ".join(f"{one.type}: {one.message}" for one in lost)


def _cfgloc(watch: Watch, now: Instant, terms: Terms) -> list[Condition]:
    found = cfgloc_matches(watch.reports.get(CFGLOC), now, terms)
    return [] if found is None else [found]


def _hook(state: NodeState, now: Instant) -> list[Condition]:
    """Whether the site's own program heard the last thing that it was to be told."""
    hook = state.hook
    if hook is None:
        return []
    word = {
        Verdict.PASS: (Status.TRUE, "Told"),
        Verdict.BLOCK: (Status.FALSE, "HookFailed"),
    }
    status, reason = word.get(hook.verdict, (Status.UNKNOWN, "HookUnknown"))
    return [Condition("SiteTold", status, reason, hook.sentence, now.wall_s, hook.at, "hooks")]


def _routines(state: NodeState, now: Instant) -> list[Condition]:
    """Whether scheduled work came to its end when it last ran; it says itself what it lacks.

    A file set has a condition of its own, that says more.
    """
    words = {"done": (Status.TRUE, "Done"), "not_done": (Status.FALSE, "NotDone")}
    return [
        Condition(
            f"Scheduled/{name}",
            *words.get(run.outcome, (Status.UNKNOWN, "OutcomeUnknown")),
            run.sentence,
            now.wall_s,
            run.finished_at,
            "schedule",
        )
        for name, run in sorted(state.routines.items())
        if run.finished_at is not None and not is_file_set(name)
    ]


def _rehearsed(state: NodeState, now: Instant) -> list[Condition]:
    """Whether the latest rehearsal found that a takeover could be carried out."""
    latest = state.rehearsal
    if latest is None or latest.finished_at is None:
        return []
    words = {"done": (Status.TRUE, "Passed"), "not_done": (Status.FALSE, "WouldFail")}
    status, reason = words.get(latest.outcome, (Status.UNKNOWN, "CannotTell"))
    told = (latest.sentence, now.wall_s, latest.finished_at, "rehearsal")
    return [Condition("Rehearsed", status, reason, *told)]


def _advice(state: NodeState, rule: DownRule, now: Instant, terms: Terms) -> str:
    """Return what to try, or not to do, in one or two sentences (design §3)."""
    site, watch = terms.site, state.watch
    partner = site.partner.name
    run = state.run
    if run is not None and run.plan.kind is not PlanKind.TAKEOVER:
        # What the partner lacks is what this run took from it.
        return f"The run is paused: {run.reason}." if run.status is RunStatus.PAUSED else ""
    if state.state is State.ACTIVE:
        return ""
    began = silence_began(watch, now, terms.policy)
    reaching = [
        sight
        for sight in watch.witnesses.values()
        if sight.sees is Answer.ANSWERED
        and began is not None
        and asked_at(sight) > began
        and is_recent(sight.at, now, terms.policy.slow_freshness_s)
    ]
    if reaching:
        return (
            "Only the link between the two management nodes is down. "
            f"{len(reaching)} of {len(site.witnesses)} service nodes still reach {partner}. "
            "Do not fail over."
        )
    if rule.cause is Cause.SERVICE:
        is_good = database_health(watch, now, terms.policy)
        if is_good is None:
            return f"{partner} itself is alive; look at its xcatd and its database first."
        xcatd_only = watch.xcatd.failing_since is not None and is_good
        what = "xcatd only: try restartxcatd" if xcatd_only else "try to restart the database"
        return f"{partner} itself is alive; {what} on {partner} first."
    if rule.cause is Cause.FROZEN:
        return f"{partner} answers ping but nothing else: treat it as down, fence it first."
    isolated = state.assessment.condition("NotIsolated")
    if isolated is not None and isolated.status is Status.FALSE:
        return "This node is cut off itself: check its own network before anything else."
    if run is not None and run.status is RunStatus.PAUSED:
        return f"The run is paused: {run.reason}."
    return ""
