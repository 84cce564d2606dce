"""What is true of the pair right now, as conditions with reason, evidence and age.

Owns the conditions of the watch (replication, reachability, isolation, witnesses, fence, clocks and
disk), and how `since` is carried over while status and reason stay. Must not decide what follows
from them (table) nor judge readiness (gates).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hamnd.core.health.evidence import lie_of
from hamnd.core.health.rule import (
    HOST_PROBES,
    freshness_s,
    is_recent,
    silence_of,
)
from hamnd.core.health.watch import Watch
from hamnd.core.policy import Terms
from hamnd.model.health import Condition, Replication
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, Probe, Status

FREE_BYTES_MIN = 32 * 1_048_576
"""Less free space than this counts as full; the journal's reserve is for one takeover."""

REQUIRED = ("ReplicationPeer", "ReplicationGap", "PrimaryReachable", "NotIsolated")
"""What Peer requires (design §3)."""


@dataclass(frozen=True, slots=True)
class View:
    """What every condition is judged from."""

    watch: Watch
    now: Instant
    terms: Terms


def judge_conditions(watch: Watch, now: Instant, terms: Terms) -> list[Condition]:
    """Return the conditions of the watch as of this instant."""
    view = View(watch, now, terms)
    judged = [
        _replication_peer(view),
        _replication_gap(view),
        _primary_reachable(view),
        _not_isolated(view),
        _witness_view(view),
        _fence_ready(view),
        _fence_lies(view),
        _clock_skew(view),
        _disk_space(view),
    ]
    return [one for one in judged if one is not None]


def carry_since(
    judged: Sequence[Condition], before: tuple[Condition, ...]
) -> tuple[Condition, ...]:
    """Keep `since` of each condition whose status and reason did not change."""
    old = {condition.type: condition for condition in before}
    return tuple(_carried(new, old.get(new.type)) for new in judged)


def _carried(new: Condition, was: Condition | None) -> Condition:
    if was is None or was.status is not new.status or was.reason != new.reason:
        return new
    if was.since == new.since:
        return new
    if (was.message, was.observed_at, was.source) == (new.message, new.observed_at, new.source):
        return was
    return Condition(
        new.type, new.status, new.reason, new.message, was.since, new.observed_at, new.source
    )


def condition(
    view: View, type_: str, verdict: tuple[Status, str, str], seen: tuple[float | None, str]
) -> Condition:
    """Build a condition from (status, reason, message) and (observed at, source)."""
    status, reason, message = verdict
    return Condition(type_, status, reason, message, view.now.wall_s, seen[0], seen[1])


def _replication_peer(view: View) -> Condition:
    reading = view.watch.replication
    observed_at = None if reading is None else reading.observed.wall_s
    seen = (observed_at, "replication" if reading is None else reading.source)
    return condition(view, "ReplicationPeer", _judge_replication(view), seen)


def _judge_replication(view: View) -> tuple[Status, str, str]:
    reading = view.watch.replication
    if reading is None:
        return Status.UNKNOWN, "NotReadYet", "the local database was not read yet"
    if not is_recent(reading.observed, view.now, view.terms.policy.slow_freshness_s):
        return Status.UNKNOWN, "ReadingStale", "the local database cannot be read: see explain"
    if reading.role == "primary":
        return Status.FALSE, "WeArePrimary", "this node's database is primary"
    if reading.bad_flags:
        flags = " ".join(reading.bad_flags)
        return Status.FALSE, "BadFlags", f"HADR flags {flags}: see db2diag.log on the standby"
    if reading.is_protecting:
        word = f"{reading.engine} in Peer, {(reading.sync_mode or '?').upper()}"
        return Status.TRUE, "InPeer", word
    problem = reading.problems[0] if reading.problems else "no role was read"
    if reading.is_database_up is False:
        told = f"the local database is not active: {reading.clear or problem}"
        return Status.FALSE, "DatabaseDown", told
    if reading.role is None or reading.is_database_up is None:
        return Status.UNKNOWN, "Unreadable", problem
    if reading.connected is False:
        return Status.FALSE, "LinkLost", f"replication link lost, state {reading.state}"
    why = f": {problem}" if reading.problems and not reading.has_link else ""
    return Status.FALSE, "NotInPeer", f"replication state {reading.state}{why}"


def _replication_gap(view: View) -> Condition:
    reading = view.watch.replication
    seen = (None if reading is None else reading.observed.wall_s, "log positions")
    limit = view.terms.policy.gap_bytes_max
    if reading is not None and reading.fresh_s is not None:
        return condition(view, "ReplicationGap", _age_of_copy(view, reading, reading.fresh_s), seen)
    bound = None
    if reading is not None and reading.gap_bytes is None and reading.positions.received is None:
        # Db2 9.x shows only what was replayed, and that was received (db2-hadr.md §2).
        bound = reading.replay_gap_bytes
    if bound is not None and bound <= limit:
        verdict = (Status.TRUE, "GapSmall", f"at most {bound} B behind")
    elif reading is None or reading.gap_bytes is None:
        verdict = (Status.UNKNOWN, "NoPositions", "no pair of log positions is known")
    elif reading.gap_bytes > limit:
        message = f"{reading.gap_bytes} B behind, limit {limit} B"
        verdict = (Status.FALSE, "GapTooLarge", message)
    else:
        verdict = (Status.TRUE, "GapSmall", f"{reading.gap_bytes} B behind")
    return condition(view, "ReplicationGap", verdict, seen)


def _age_of_copy(view: View, reading: Replication, fresh_s: float) -> tuple[Status, str, str]:
    """What is copied lags by time: by the age of what is known to be whole here."""
    if reading.verified_at is None:
        return Status.FALSE, "NoCopy", "no verified copy is here"
    age_s = max(0.0, view.now.wall_s - reading.verified_at)
    told = f"everything up to {age_s:.0f} s ago is here"
    if age_s > fresh_s:
        return Status.FALSE, "CopyTooOld", f"{told}, limit {fresh_s:.0f} s"
    return Status.TRUE, "CopyFresh", told


def _primary_reachable(view: View) -> Condition:
    policy, tracks = view.terms.policy, view.watch.tracks
    partner = view.terms.site.partner.name
    answered = [
        probe
        for probe in HOST_PROBES
        if (track := tracks.get(probe)) is not None
        and silence_of(track, view.now, policy) is None
        and is_recent(track.answered, view.now, freshness_s(policy))
    ]
    silent = [
        probe
        for probe in HOST_PROBES
        if silence_of(tracks.get(probe), view.now, policy) is not None
    ]
    latest = max(
        (track.answered.wall_s for track in tracks.values() if track.answered is not None),
        default=None,
    )
    seen = (latest, "reach probes")
    hung = silence_of(tracks.get(Probe.XCATD), view.now, policy)
    since = 0.0 if hung is None else view.now.since(hung)
    mute = [probe for probe in (Probe.SSH_BANNER, Probe.XCATD) if probe in silent]
    if len(mute) == 2:
        what = ", ".join(probe.value for probe in silent)
        verdict = (Status.FALSE, "Silent", f"{partner} is silent on {what}")
    elif answered and hung is not None and view.now.since(hung) >= policy.down_after_s:
        told = f"{partner} answers, but its xcatd has not answered a request for {since:.0f} s"
        verdict = (Status.FALSE, "XcatdSilent", told)
    elif answered and view.watch.xcatd.failing_since is not None:
        verdict = (Status.FALSE, "XcatdFails", f"xcatd on {partner}: {view.watch.xcatd.detail}")
    elif answered:
        what = ", ".join(probe.value for probe in answered)
        verdict = (Status.TRUE, "Answers", f"{partner} answers {what}")
    else:
        verdict = (Status.UNKNOWN, "NoFreshAnswer", f"nothing fresh is known about {partner}")
    return condition(view, "PrimaryReachable", verdict, seen)


def _not_isolated(view: View) -> Condition:
    gateway = view.watch.gateway
    seen = (None if gateway.answered is None else gateway.answered.wall_s, "gateway")
    if is_recent(gateway.answered, view.now, freshness_s(view.terms.policy)):
        verdict = (Status.TRUE, "GatewayAnswers", "the gateway answers")
    elif any(
        sight.sees is not Answer.UNKNOWN
        and is_recent(sight.at, view.now, view.terms.policy.slow_freshness_s)
        for sight in view.watch.witnesses.values()
    ):
        verdict = (Status.TRUE, "WitnessAnswers", "a service node answers, the gateway does not")
    elif gateway.silent_since is not None:
        verdict = (Status.FALSE, "Isolated", "neither gateway nor service nodes answer this node")
    else:
        verdict = (Status.UNKNOWN, "NotProvenYet", "our own path was not proven yet")
    return condition(view, "NotIsolated", verdict, seen)


def _witness_view(view: View) -> Condition | None:
    total = len(view.terms.site.witnesses)
    if total == 0:
        return None
    partner = view.terms.site.partner.name
    fresh = [
        sight
        for sight in view.watch.witnesses.values()
        if is_recent(sight.at, view.now, view.terms.policy.slow_freshness_s)
        and sight.sees is not Answer.UNKNOWN
    ]
    reach = sum(1 for sight in fresh if sight.sees is Answer.ANSWERED)
    seen = (max((sight.at.wall_s for sight in fresh), default=None), "witnesses")
    if len(fresh) < max(1, view.terms.policy.witnesses_min):
        message = f"{len(fresh)} of {total} service nodes answered lately"
        verdict = (Status.UNKNOWN, "TooFewAnswers", message)
    elif reach == 0:
        message = f"none of {len(fresh)} service nodes reaches {partner}"
        verdict = (Status.FALSE, "NoneReaches", message)
    else:
        message = f"{reach} of {total} service nodes reach {partner}"
        verdict = (Status.TRUE, "Reached", message)
    return condition(view, "WitnessView", verdict, seen)


def _fence_ready(view: View) -> Condition:
    fence = view.terms.site.fence
    reading = view.watch.fence[-1] if view.watch.fence else None
    seen = (None if reading is None else reading.at.wall_s, "fence status")
    if fence.agent is None:
        message = "no fence agent is configured: only ssh or the operator's word can prove it off"
        return condition(view, "FenceReady", (Status.FALSE, "NoDevice", message), seen)
    age = max(view.terms.policy.evidence_age_max_s, 2 * view.terms.policy.replication_interval_s)
    if reading is None or not is_recent(reading.at, view.now, age):
        verdict = (Status.UNKNOWN, "NotReadLately", "the power controller was not read lately")
    elif reading.is_off is None:
        hint = f"; {fence.shares_fate_with}" if fence.shares_fate_with else ""
        verdict = (Status.UNKNOWN, "ControllerFails", f"{reading.detail}{hint}")
    else:
        word = "off" if reading.is_off else "on"
        verdict = (Status.TRUE, "ControllerAnswers", f"the power controller says {word}")
    return condition(view, "FenceReady", verdict, seen)


def _fence_lies(view: View) -> Condition:
    lie = lie_of(view.watch)
    if lie is None:
        verdict = (Status.FALSE, "NoContradiction", "nothing contradicts the power controller")
    else:
        message = f"the power controller says off, but {lie}: check which machine it controls"
        verdict = (Status.TRUE, "Contradicted", message)
    return condition(view, "FenceLies", verdict, (None, "fence and probes"))


def _clock_skew(view: View) -> Condition:
    skew, limit = view.watch.skew, view.terms.policy.clock_skew_max_s
    seen = (None if skew is None else skew.at.wall_s, "ssh date")
    if skew is None:
        verdict = (Status.UNKNOWN, "NotMeasured", "the clocks were not compared yet")
    elif abs(skew.seconds) + skew.uncertainty_s > limit:
        message = f"the primary's clock is {skew.seconds:+.1f} s off, limit {limit:.0f} s"
        verdict = (Status.FALSE, "TooLarge", message)
    else:
        verdict = (Status.TRUE, "Small", f"skew {skew.seconds:+.1f} s")
    return condition(view, "ClockSkew", verdict, seen)


def _disk_space(view: View) -> Condition:
    disk = view.watch.disk
    if disk is None:
        verdict = (Status.UNKNOWN, "NotReadYet", "the journal's reserve was not checked yet")
    elif disk.reserve_left <= 0.0:
        verdict = (Status.FALSE, "ReserveSpent", "disk full and the journal's reserve is spent")
    elif disk.reserve_left < 1.0:
        message = f"disk full: {disk.reserve_left:.0%} of the journal's reserve is left"
        verdict = (Status.FALSE, "InReserve", message)
    elif disk.free_bytes < FREE_BYTES_MIN:
        message = f"disk full: {disk.free_bytes // 1_048_576} MiB free beside the whole reserve"
        verdict = (Status.FALSE, "InReserve", message)
    else:
        verdict = (Status.TRUE, "Enough", f"{disk.free_bytes // 1_048_576} MiB free")
    return condition(view, "DiskSpace", verdict, (view.now.wall_s, "statvfs"))
