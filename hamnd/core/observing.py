"""From what came home to what is known: folds looks and rounds into the watch.

Owns the meaning of each topic of a look. Must not judge the pair (health) nor decide (engine).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.events import (
    ActionCompleted,
    Event,
    LookCompleted,
    RoundCompleted,
    StepLooked,
)
from hamnd.core.health.rule import HOST_PROBES, freshness_s
from hamnd.core.health.sights import fold_epoch
from hamnd.core.health.watch import (
    ACTS_MAX,
    Act,
    FenceReading,
    Track,
    Watch,
    XcatdTrack,
    fold_answer,
    fold_fence,
    fold_replication,
)
from hamnd.core.kept import is_worth_keeping
from hamnd.core.policy import Policy, Terms
from hamnd.core.replication import Skew
from hamnd.core.replication.registry import engine_of
from hamnd.core.requirements import HOLDS
from hamnd.core.sampling import keep_sample
from hamnd.dialects import clock, fence, reach, readers, witness
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, FenceGrade, Probe, Verdict
from hamnd.model.plan import Step
from hamnd.model.work import Exec, Fence, FenceStatus, Looked


def fold_round(
    watch: Watch, event: RoundCompleted, policy: Policy, is_beside: bool = False
) -> Watch:
    """Fold a reach round; silence counts only where our own path was proven in it (law 2).

    Args:
        watch: What was observed before.
        event: The round.
        policy: How old an answer may be.
        is_beside: The partner is asked where it belongs now, too: that nobody claims the address
            that it had says nothing of it there.
    """
    looked, gap_max_s = dict(event.looked), freshness_s(policy)
    gateway = looked.get(Probe.GATEWAY)
    began = min((one.report.started for one in looked.values()), default=None)
    is_proven = gateway is not None and reach.read_answer(gateway, True) is Answer.ANSWERED
    if not is_proven and began is not None:
        is_proven = any(
            sight.sees is not Answer.UNKNOWN and sight.at >= began
            for sight in watch.witnesses.values()
        )
    own, tracks, claims = watch.gateway, dict(watch.tracks), watch.claim
    if gateway is not None:
        own = fold_answer(own, reach.read_answer(gateway, True), gateway.report, gap_max_s)
    asked = looked.get(Probe.PING)
    claim = asked if asked is not None and reach.is_claim(asked) else None
    if claim is not None:
        answer, told = reach.read_answer(claim, is_proven), reach.told_claim(claim)
        claims = fold_answer(claims, answer, told, gap_max_s)
    for probe in () if claim is not None and is_beside else HOST_PROBES:
        # Nobody claims the address: nothing can answer there.
        one = looked.get(probe) if claim is None else claim
        if one is not None:
            answer = reach.read_answer(one, is_proven)
            track = tracks.get(probe) or Track()
            tracks[probe] = fold_answer(track, answer, one.report, gap_max_s)
    xcatd = looked.get(Probe.XCATD)
    served = watch.xcatd if xcatd is None else _fold_xcatd(watch.xcatd, xcatd, gap_max_s)
    return replace(watch, gateway=own, claim=claims, tracks=tracks, xcatd=served)


def _fold_xcatd(track: XcatdTrack, looked: Looked, gap_max_s: float) -> XcatdTrack:
    """A refused connection or a request that xcatd cannot serve is a definite failure."""
    health = reach.read_xcatd(looked.report)
    at = looked.report.finished
    if health is reach.XcatdHealth.GOOD:
        return XcatdTrack(good=at)
    if health is reach.XcatdHealth.FAILING or health is reach.XcatdHealth.REFUSED:
        detail = readers.read_look(looked).sentence
        since, last = track.failing_since, track.failing_last
        if since is None or last is None or at.since(last) > gap_max_s:
            since = at
        return XcatdTrack(track.good, since, at, detail)
    return track


def fold_look(watch: Watch, event: LookCompleted, terms: Terms) -> Watch:
    """Fold one look by its topic."""
    topic, looked = event.topic, event.looked
    kind, _, rest = topic.partition(":")
    watch = fold_epoch(watch, topic, looked.report, terms.site)
    if kind in ("ready", HOLDS):
        ready = {**watch.ready, topic: (readers.read_look(looked), looked.report.finished)}
        return replace(watch, ready=ready)
    if kind == "witness":
        sight = replace(witness.read_sight(looked), asked=looked.report.started)
        return replace(watch, witnesses={**watch.witnesses, rest: sight})
    if topic == "fence":
        return _fold_fence_status(watch, looked)
    if topic == "partner_clock":
        return _fold_clock(watch, looked)
    if topic == "partner_db":
        partner = engine_of(terms).partner(terms, looked.report, watch.partner)
        watch = replace(watch, partner=partner)
        if looked.report.exit_code != 0:  # what it said before still holds of that moment
            return watch
        return replace(watch, reports={**watch.reports, topic: looked.report})
    if not is_worth_keeping(topic, looked):
        return watch
    if topic in engine_of(terms).looks(terms):
        return _fold_engine(watch, topic, looked, terms)
    return replace(watch, reports={**watch.reports, topic: looked.report})


def _fold_fence_status(watch: Watch, looked: Looked) -> Watch:
    said = fence.read_status(looked.report)
    is_off = {fence.PowerState.OFF: True, fence.PowerState.ON: False}.get(said)
    detail = f"the power controller says {said.value}"
    if is_off is None:
        detail = fence.read_is_off(looked.report).sentence
    return fold_fence(watch, FenceReading(is_off, looked.report.finished, detail))


def _fold_clock(watch: Watch, looked: Looked) -> Watch:
    theirs = clock.read_epoch(looked.report)
    if theirs is None:
        return watch
    report = looked.report
    half_s = report.finished.since(report.started) / 2
    seconds = theirs - (report.started.wall_s + half_s)
    return replace(watch, skew=Skew(seconds, half_s + 0.1, report.finished))


def _fold_engine(watch: Watch, topic: str, looked: Looked, terms: Terms) -> Watch:
    """Fold the local database; what may be an instant of start or stop is tried again first.

    Only a run of the topic that tells the state is a try, and tries lie `transient_pause_s` apart
    (db2-hadr.md §5): one that comes sooner is left aside, so that its report stays the last try's.
    """
    last = watch.reports.get(topic)
    tried = replace(watch, reports={**watch.reports, topic: looked.report})
    reading = engine_of(terms).view(terms, tried.reports, watch.legible)
    doubts, policy = 0, terms.policy
    if reading.is_database_up is not True:
        doubts, is_first = watch.doubts, watch.replication is None
        is_open = 0 < doubts < policy.transient_tries_max and not is_first
        if topic == reading.source:
            sent = looked.report.started
            if is_open and last is not None and sent.since(last.started) < policy.transient_pause_s:
                return watch
            doubts = min(doubts + 1, policy.transient_tries_max)
        if doubts < policy.transient_tries_max and not is_first:
            return replace(tried, doubts=doubts)
    tried = fold_replication(replace(tried, doubts=doubts), reading, looked.report.started)
    return keep_sample(tried, reading, terms)


def fold_step_looks(watch: Watch, event: StepLooked) -> Watch:
    """A fence status taken by a step is a reading of the device like any other."""
    for looked in event.looked:
        if isinstance(looked.look.request, FenceStatus):
            watch = _fold_fence_status(watch, looked)
    return watch


def fold_action(watch: Watch, step: Step, event: ActionCompleted, terms: Terms) -> Watch:
    """An `off` that succeeded, or an acknowledged end over ssh, is a dated act (design §4)."""
    if not step.proves_fence or event.index >= len(step.actions):
        return watch
    action = step.actions[event.index]
    reading = readers.read_action(action, event.report)
    if reading.verdict is not Verdict.PASS:
        return watch
    moment = event.report.finished
    match action.request:
        case Fence(verb="off"):
            grade, source = FenceGrade.AGENT_OFF, terms.site.fence.agent or "fence"
            detail = "off returned success"
        case Exec(host=host):
            grade, source, detail = FenceGrade.ORDERLY, f"ssh {host}", reading.sentence
        case _:
            return watch
    act = Act(grade=grade, at=moment.wall_s, source=source, detail=detail, moment=moment)
    return replace(watch, acts=(*watch.acts, act)[-ACTS_MAX:])


def begun_again(watch: Watch, now: Instant) -> Watch:
    """Forget what was seen of a site that is now described otherwise, as a restart does.

    An `off` of the old device says nothing about the new one. What the standby itself received, and
    that a controller lied, stays known.
    """
    return Watch(
        sample=watch.sample,
        frozen_window_end=watch.frozen_window_end,
        standby_end=watch.standby_end,
        lie=watch.lie,
        disk=watch.disk,
        watched_since=now,
    )


def is_outdated(watch: Watch, event: Event) -> bool:
    """Whether what came home was sent before the present watch began: to another site, perhaps."""
    match event:
        case RoundCompleted():
            reports = [looked.report for _, looked in event.looked]
        case LookCompleted():
            reports = [event.looked.report]
        case StepLooked():
            reports = [looked.report for looked in event.looked]
        case ActionCompleted():
            reports = [event.report]
        case _:
            return False
    since = watch.watched_since
    return since is not None and any(report.started < since for report in reports)
