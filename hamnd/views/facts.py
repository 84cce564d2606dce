"""The parts of the status document: one JSON object for each kind of fact, with time and source.

Owns how a value of the core becomes a part of a document (design §12): integer UTC seconds, every
fact with when and by whom it was observed. Must not know text; nothing here is rendered.

A monotonic instant is told as wall time by its age: a stepped clock moves no fact into the future.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from hamnd.core.readiness import PARITY
from hamnd.model.health import LEFT_OUT
from hamnd.model.names import GRADE_ORDER, Answer, FenceGrade, Probe, Status, Verdict
from hamnd.model.work import Edit, Exec, Fence, FenceStatus, Pull, Reach, Read, Spread, Swap

if TYPE_CHECKING:
    from hamnd.core.health.assessment import Assessment
    from hamnd.core.health.watch import Track, Watch
    from hamnd.core.policy import Terms
    from hamnd.core.state import NodeState
    from hamnd.model.health import Condition, FenceEvidence, Replication, WitnessSight
    from hamnd.model.instant import Instant
    from hamnd.model.plan import Loss
    from hamnd.model.site import Site
    from hamnd.model.work import ActionRequest, LookRequest

Part = dict[str, Any]

STEP_READY = "StepReady"
READINESS_TYPES = frozenset(
    {"DiskSpace", "FilesIdentical", "FenceReady", "FenceLies", "StandbyQuiet", *PARITY}
)
"""Conditions besides StepReady that TakeoverReady is made of (design §4)."""

SEES = {Answer.ANSWERED: "reached", Answer.REFUSED: "reached", Answer.SILENT: "silent"}


def seconds(wall_s: float | None) -> int | None:
    """Return a wall time as a contract has it: integer UTC seconds or null."""
    return None if wall_s is None else int(wall_s)


def wall(moment: Instant | None, now: Instant) -> int | None:
    """Return when a monotonic moment was, on the present wall clock."""
    return None if moment is None else int(now.wall_s - now.since(moment))


def condition_part(condition: Condition) -> Part:
    """Return one condition."""
    return {
        "type": condition.type,
        "status": condition.status.value,
        "reason": condition.reason,
        "message": condition.message,
        "since": int(condition.since),
        "observed_at": seconds(condition.observed_at),
        "source": condition.source,
    }


def replication_part(view: Replication | None, now: Instant) -> Part | None:
    """Return the latest replication reading in its normal form, or null before the first."""
    if view is None:
        return None
    return {
        "engine": view.engine,
        "role": view.role,
        "state": view.state,
        "connected": view.connected,
        "sync_mode": view.sync_mode,
        "positions": {
            "primary": view.positions.primary,
            "received": view.positions.received,
            "replayed": view.positions.replayed,
        },
        "gap_bytes": view.gap_bytes,
        "replay_gap_bytes": view.replay_gap_bytes,
        "gap_average_bytes": view.gap_average_bytes,
        "since": view.since,
        "observed_at": wall(view.observed, now),
        "source": view.source,
        "is_protecting": view.is_protecting,
        "is_database_up": view.is_database_up,
        "peer_window_s": view.peer_window_s,
        "peer_window_end": view.peer_window_end,
        "problems": list(view.problems),
        "bad_flags": list(view.bad_flags),
        "details": list(view.details),
        "timeline": view.timeline,
        "verified_at": seconds(view.verified_at),
        "has_link": view.has_link,
        "fresh_s": view.fresh_s,
        "summary": view.summary,
        "heard_at": seconds(view.heard_at),
        "waits_for": view.waits_for,
    }


def loss_part(loss: Loss, window_end: int | None, window_remaining_s: int | None) -> Part:
    """Return what a takeover would lose; the window's end is on this node's clock."""
    return {
        "verdict": loss.verdict.value,
        "class": loss.class_,
        "bytes": loss.bytes,
        "seconds": loss.seconds,
        "estimated_bytes": loss.estimated_bytes,
        "basis": list(loss.basis),
        "peer_window_end": window_end,
        "peer_window_remaining_s": window_remaining_s,
    }


def window(state: NodeState, now: Instant) -> tuple[int | None, int | None]:
    """Return end of the peer window on this node's clock, and the seconds left of it.

    Frozen once the standby left Peer (db2-hadr.md §6.3), otherwise the running one: what would be
    left if the primary died now.
    """
    watch = state.watch
    end = watch.frozen_window_end
    view = watch.replication
    if end is None and view is not None and view.is_protecting:
        end = view.peer_window_end
    if end is None:
        end = state.assessment.loss.peer_window_end
    if end is None:
        return None, None
    return window_here(end, now.wall_s, skew_s(watch))


def window_here(end: int, now_wall: float, skew: float) -> tuple[int, int]:
    """Return the end of the peer window on this node's clock, and the seconds left of it.

    Db2 tells it on the primary's clock, which is `skew` seconds ahead of ours.
    """
    ours = end - skew
    return int(ours), max(0, int(ours - now_wall))


def skew_s(watch: Watch) -> float:
    """Return the primary's clock minus ours: measured, or as of the last sample; 0 if neither."""
    if watch.skew is not None:
        return watch.skew.seconds
    sample = watch.sample
    return 0.0 if sample is None or sample.skew_s is None else sample.skew_s


def evidence_part(evidence: FenceEvidence, minimum: FenceGrade) -> Part:
    """Return one piece of fence evidence, and whether policy accepts it."""
    return {
        "grade": evidence.grade.value,
        "suffices": GRADE_ORDER[evidence.grade] >= GRADE_ORDER[minimum],
        "at": int(evidence.at),
        "first_at": seconds(evidence.first_at),
        "source": evidence.source,
        "detail": evidence.detail,
    }


def fence_part(state: NodeState, now: Instant, terms: Terms) -> Part:
    """Return the grade of the best evidence that holds now, all of it, and the device."""
    evidence, minimum = state.assessment.evidence, terms.policy.fence_minimum
    site = terms.site.fence
    last = state.watch.fence[-1] if state.watch.fence else None
    power = {True: "off", False: "on", None: "unknown"}
    lies = state.assessment.condition("FenceLies")
    return {
        "grade": (evidence[0].grade if evidence else FenceGrade.NONE).value,
        "evidence": [evidence_part(piece, minimum) for piece in evidence],
        "minimum": minimum.value,
        "device": {
            "agent": site.agent,
            "over_ssh": site.ssh,
            "power": None if last is None else power[last.is_off],
            "observed_at": None if last is None else wall(last.at, now),
            "detail": "" if last is None else last.detail,
            "shares_fate_with": site.shares_fate_with,
        },
        "contradiction": lies.message if lies is not None and lies.status is Status.TRUE else None,
    }


def witness_parts(watch: Watch, now: Instant, terms: Terms) -> list[Part]:
    """Return what each configured witness says; an answer of long ago is not one of now."""
    limit_s = terms.policy.slow_freshness_s
    parts = []
    for witness in terms.site.witnesses:
        sight = watch.witnesses.get(witness.name)
        parts.append(_witness_part(witness.name, sight, now, limit_s))
    return parts


def _witness_part(name: str, sight: WitnessSight | None, now: Instant, limit_s: float) -> Part:
    if sight is None:
        return {"name": name, "sees": "unknown", "observed_at": None, "detail": "not asked yet"}
    sees = SEES.get(sight.sees, "unknown")
    detail = sight.detail
    if sees != "unknown" and now.since(sight.at) > limit_s:
        sees, detail = "unknown", f"no fresh answer; the last one was: {sees} ({detail})"
    return {
        "name": name,
        "sees": sees,
        "observed_at": wall(sight.at, now),
        "detail": detail,
    }


def track_part(name: str, track: Track | None, now: Instant) -> Part:
    """Return what one probe hears at present: the newest of answer, silence and unknown."""
    if track is None:
        return {"probe": name, "answer": "unknown", "observed_at": None, "detail": "not asked yet"}
    answer, at = Answer.UNKNOWN, track.unknown_last
    if track.silent_last is not None and (at is None or track.silent_last >= at):
        answer, at = Answer.SILENT, track.silent_last
    elif track.answered is not None and (at is None or track.answered >= at):
        answer, at = Answer.ANSWERED, track.answered
        if track.refused is not None and track.refused == track.answered:
            answer = Answer.REFUSED
    part = {
        "probe": name,
        "answer": answer.value,
        "observed_at": wall(at, now),
        "detail": track.detail,
    }
    if answer is Answer.SILENT:
        part["silent_since"] = wall(track.silent_since, now)
    return part


def seen_part(watch: Watch, now: Instant, site: Site) -> Part:
    """Return who answers from here: the partner by every probe, and the gateway."""
    probes = [probe for probe in Probe if probe is not Probe.GATEWAY]
    parts = [track_part(probe.value, watch.tracks.get(probe), now) for probe in probes]
    xcatd = watch.xcatd
    if xcatd.failing_since is not None:
        parts.append(
            {
                "probe": "xcatd_answer",
                "answer": "failing",
                "observed_at": wall(xcatd.failing_last, now),
                "failing_since": wall(xcatd.failing_since, now),
                "detail": xcatd.detail,
            }
        )
    times = [part["observed_at"] for part in parts if part["observed_at"] is not None]
    return {
        "name": site.partner.name,
        "address": site.partner.address,
        "probes": parts,
        "gateway": {"name": site.gateway, **track_part("gateway", watch.gateway, now)},
        "last_round_at": max(times, default=None),
    }


def partner_database_part(watch: Watch, now: Instant) -> Part | None:
    """Return what the partner's own database tools say, or null before they said anything."""
    partner = watch.partner
    if partner.at is None:
        return None
    return {
        "good": partner.is_good,
        "role": partner.role,
        "position": partner.position,
        "observed_at": wall(partner.at, now),
        "detail": partner.detail,
    }


def skew_part(watch: Watch, now: Instant) -> Part | None:
    """Return the measured clock skew (primary minus ours), or null."""
    if watch.skew is None:
        return None
    return {
        "seconds": watch.skew.seconds,
        "uncertainty_s": watch.skew.uncertainty_s,
        "observed_at": wall(watch.skew.at, now),
    }


def hold_part(state: NodeState) -> Part | None:
    """Return who holds the pages of this pair, why, and from when until when; or null."""
    hold = state.hold
    if hold is None:
        return None
    return {
        "owner": hold.owner,
        "reason": hold.reason,
        "since": int(hold.since),
        "until": int(hold.until),
    }


def is_readiness(type_: str) -> bool:
    """Whether a condition of this type belongs to TakeoverReady."""
    return type_ in READINESS_TYPES or type_.startswith(STEP_READY)


def step_of(type_: str) -> str:
    """Return the step of a StepReady condition: ``StepReady:dns`` -> ``dns``."""
    return type_[len(STEP_READY) :].strip(":/.()[]{} _-")


def readiness_part(assessment: Assessment) -> Part:
    """Return how much of a takeover is proven to work, how old the proofs are, what is missing."""
    ours = [
        condition
        for condition in assessment.conditions
        if is_readiness(condition.type) and condition.reason != LEFT_OUT
    ]
    steps = [condition for condition in ours if condition.type.startswith(STEP_READY)]
    proven = [step for step in steps if step.status is Status.TRUE]
    dated = [step for step in proven if step.observed_at is not None]
    oldest = min(dated, key=lambda step: step.observed_at or 0.0, default=None)
    missing = [_missing_part(condition) for condition in ours if _is_missing(condition)]
    if assessment.promotion.verdict is not Verdict.PASS and not _is_in_peer(assessment):
        missing.append(_promotion_part(assessment))
    if assessment.is_ready is Status.TRUE:
        missing = []
    return {
        "status": assessment.is_ready.value,
        "proven": len(proven),
        "total": len(steps),
        "oldest_at": None if oldest is None else seconds(oldest.observed_at),
        "oldest_step": None if oldest is None else step_of(oldest.type),
        "missing": missing,
    }


def _is_in_peer(assessment: Assessment) -> bool:
    """In Peer a promotion is refused because the primary lives, not because it could not work."""
    found = assessment.condition("ReplicationPeer")
    return found is not None and found.status is Status.TRUE


def _promotion_part(assessment: Assessment) -> Part:
    promotion = assessment.promotion
    message = promotion.sentence + (f" -> {promotion.clear}" if promotion.clear else "")
    blocked = promotion.verdict is Verdict.BLOCK
    return {
        "type": "DatabasePromotable",
        "name": "database",
        "status": (Status.FALSE if blocked else Status.UNKNOWN).value,
        "reason": "NotPromotable" if blocked else "CannotTell",
        "message": message,
        "since": None,
        "observed_at": None,
        "source": "replication",
    }


def _is_missing(condition: Condition) -> bool:
    """FenceLies is good when it is false; a site without a device relies on ssh or the operator."""
    if condition.reason == "NoDevice":
        return False
    good = Status.FALSE if condition.type == "FenceLies" else Status.TRUE
    return condition.status is not good


def _missing_part(condition: Condition) -> Part:
    part = condition_part(condition)
    is_step = condition.type.startswith(STEP_READY)
    part["name"] = step_of(condition.type) if is_step else condition.type
    return part


def request_part(request: ActionRequest | LookRequest, preview: str) -> Part:
    """Return the request of an action or look as `hamnd.plan/1` has it."""
    user: str | None = None
    argv: list[str] | None = None
    match request:
        case Exec():
            kind, host, user, argv = "exec", request.host, request.user, list(request.argv)
        case Edit():
            kind, host = "edit", request.host
        case Spread():
            kind, host, argv = "spread", ",".join(request.hosts), list(request.argv)
        case Swap():
            kind, host = "swap", request.host
        case Pull():
            kind, host = "pull", request.host
        case Fence():
            kind, host = "fence", request.device
        case FenceStatus():
            kind, host = "fence_status", request.device
        case Reach():
            kind, host = "reach", request.host
        case Read():
            kind, host = "read", request.host
        case _:
            assert_never(request)
    return {"kind": kind, "host": host, "user": user, "argv": argv, "preview": preview}
