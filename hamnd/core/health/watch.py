"""The memory of observations: who answered when, and since when there is silence.

Owns `Watch` and how an observation is folded into it. Must not judge (rule, conditions): it keeps
only what was heard and when. Little of it outlives the process (snapshot); after a restart
observation begins again, the safe direction.

An answer counts from the moment it was *received*, a silence from the moment the first probe after
it that stayed unanswered was *sent*, so that neither is stretched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hamnd.core.replication import PartnerDatabase, Sample, Skew
from hamnd.model.epoch import EpochSight
from hamnd.model.health import FenceEvidence, Replication, WitnessSight
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, Probe
from hamnd.model.work import Reading, Report


@dataclass(frozen=True, slots=True)
class Track:
    """What one probe has heard of its target."""

    answered: Instant | None = None
    """When the latest answer (also a refusal) was received."""
    refused: Instant | None = None
    """When the latest answer was received, if it was a refusal."""
    silent_since: Instant | None = None
    """When the first probe that was not answered since then was sent."""
    silent_last: Instant | None = None
    """When the latest unanswered probe was sent."""
    unknown_last: Instant | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class XcatdTrack:
    """What real requests to the primary's xcatd said; one of the two is None."""

    good: Instant | None = None
    failing_since: Instant | None = None
    failing_last: Instant | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FenceReading:
    """One status reading of the fence device."""

    is_off: bool | None
    at: Instant
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(FenceEvidence):
    """A dated act, bound to the process that watched it.

    Clocks are set: what came before or after it is told by its moment, wall time is for people.
    """

    moment: Instant
    silent_since: Instant | None = None
    """orderly: since when it has been silent; None while it may still be dying."""


@dataclass(frozen=True, slots=True)
class OffSeries:
    """Since `first` the fence device said off whenever it could be read, and nobody answered."""

    first: Instant
    last: Instant
    second: Instant | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """Room for the journal: how much of its reserve is intact (0 to 1) and the bytes beside it."""

    reserve_left: float
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything observed and still remembered."""

    tracks: Mapping[Probe, Track] = field(default_factory=dict)
    xcatd: XcatdTrack = field(default_factory=XcatdTrack)
    gateway: Track = field(default_factory=Track)
    claim: Track = field(default_factory=Track)
    """Whether another host claims the address that this node took from the partner."""
    witnesses: Mapping[str, WitnessSight] = field(default_factory=dict)
    epochs: Mapping[str, EpochSight] = field(default_factory=dict)
    """What each host keeps of the epoch, as it told last; by host, this node's own file too."""
    replication: Replication | None = None
    legible: Replication | None = None
    """The latest reading that told log positions: what later ones are compared with."""
    progress: Instant | None = None
    """The earliest moment at which the latest seen progress of replication can have happened."""
    unchanged: Instant | None = None
    """When the latest reading began that showed no progress since the one before."""
    sample: Sample | None = None
    frozen_window_end: int | None = None
    """PEER_WINDOW_END as it stood when this standby left Peer; epoch seconds, primary's clock."""
    standby_end: int | None = None
    """End of the received log while this node was last seen as standby, in bytes."""
    partner: PartnerDatabase = field(default_factory=PartnerDatabase)
    skew: Skew | None = None
    fence: tuple[FenceReading, ...] = ()
    """The latest readings, newest last, at most `FENCE_READINGS_MAX`."""
    off: OffSeries | None = None
    says_off_since: Instant | None = None
    """Since when the device has not said on, whoever answered meanwhile."""
    lie: str = ""
    """What answered although the device had said off twice; distrusted until it says on."""
    first_off: float | None = None
    """Wall time of the first device-proved off reading of this silence: died no later than this."""
    first_off_moment: Instant | None = None
    """The same; None when an earlier process read it, and nobody watched in between."""
    watched_since: Instant | None = None
    """Since when this process watches."""
    acts: tuple[FenceEvidence, ...] = ()
    """Dated acts of this process: agent_off, orderly, operator. See `dated`."""
    reports: Mapping[str, Report] = field(default_factory=dict)
    """Latest report by topic, for what engines and plans are built from."""
    doubts: int = 0
    """Readings in a row that could not see the database up; transient until policy's limit."""
    ready: Mapping[str, tuple[Reading, Instant]] = field(default_factory=dict)
    """Latest reading of every readiness look, by topic."""
    disk: Disk | None = None


FENCE_READINGS_MAX = 4
ACTS_MAX = 16
REPORTS_KEPT = 4
"""What a report means is worked out once for so many of them: those of seldom looks stay for
minutes, and a picture is made many times a second."""


def fold_answer(track: Track, answer: Answer, report: Report, gap_max_s: float) -> Track:
    """Fold one probe's answer into its track.

    Rounds overlap: a probe that was sent before the latest answer came says nothing about the time
    after it. Silence does not span more than `gap_max_s` in which nothing could be known.
    """
    if answer is Answer.ANSWERED or answer is Answer.REFUSED:
        received = report.finished
        if track.answered is not None and received < track.answered:
            return track
        return Track(
            answered=received,
            refused=received if answer is Answer.REFUSED else None,
            unknown_last=track.unknown_last,
            detail=report.detail,
        )
    if answer is Answer.SILENT:
        sent, since, last = report.started, track.silent_since, track.silent_last
        if track.answered is not None and sent <= track.answered:
            return track
        if since is None or last is None or sent.since(last) > gap_max_s:
            since = last = sent
        return replace(
            track,
            silent_since=min(since, sent),
            silent_last=max(last, sent),
            detail=report.detail,
        )
    return replace(track, unknown_last=report.finished, detail=report.detail)


def fold_replication(watch: Watch, reading: Replication, started: Instant) -> Watch:
    """Fold a replication reading and note whether anything was received since the one before.

    A reading without positions says neither, and one that is judged again (because another look of
    the engine came home) says nothing new. Losing the link is no sign of life.
    """
    before, watch = watch.legible, replace(watch, replication=reading)
    told = (reading.positions.received, reading.positions.primary, reading.heard_at)
    if all(one is None for one in told):
        return watch
    watch = replace(watch, legible=reading)
    if before is None or before.observed == reading.observed:
        return watch
    if _has_advanced(before, reading):
        return replace(watch, progress=before.observed)
    return replace(watch, unchanged=started) if before.positions == reading.positions else watch


def _has_advanced(before: Replication, reading: Replication) -> bool:
    """Whether something arrived that only the primary can have sent (db2-hadr.md §6.3, lab.md §6).

    A node that is itself primary moves its own positions: only two readings as standby can tell.
    """
    if before.role != "standby" or reading.role != "standby":
        return False
    numbers = (
        (before.positions.primary, reading.positions.primary),
        (before.positions.received, reading.positions.received),
        (before.peer_window_end, reading.peer_window_end),
        (before.heard_at, reading.heard_at),
        (before.heartbeats, reading.heartbeats),
    )
    if any(old is not None and new is not None and new > old for old, new in numbers):
        return True
    if reading.connected is not True:
        return False
    if before.connected is False:
        return True
    # `since` also moves when congestion begins or ends, which a dead partner may well cause.
    return (
        before.is_congested is reading.is_congested
        and None not in (before.since, reading.since)
        and before.since != reading.since
    )


CLOCK_STEP_S = 1.0
"""More than a clock that is slewed drifts away between two measurements."""


def is_clock_set(watch: Watch, now: Instant) -> bool:
    """Whether our clock was set since it was last compared with the primary's.

    Wall times from before and after that moment do not lie on one clock.
    """
    at = watch.watched_since if watch.skew is None else watch.skew.at
    return at is not None and abs((now.wall_s - at.wall_s) - now.since(at)) > CLOCK_STEP_S


def dated(act: FenceEvidence, now: Instant) -> Act:
    """Bind an act to its moment; one that was told by wall time only was told just now."""
    if isinstance(act, Act):
        return act
    moment = now.ago(now.wall_s - act.at)
    return Act(grade=act.grade, at=act.at, source=act.source, detail=act.detail, moment=moment)


def fold_fence(watch: Watch, reading: FenceReading) -> Watch:
    """Fold a status reading of the fence device.

    "on" takes back every act before it, whoever did it, and makes a liar credible again.
    """
    watch = replace(watch, fence=(*watch.fence, reading)[-FENCE_READINGS_MAX:])
    at = reading.at
    if reading.is_off is None:
        return watch
    if reading.is_off is False:
        acts = tuple(act for act in watch.acts if dated(act, at).moment > at)
        watch = replace(watch, acts=acts, first_off=None, first_off_moment=None)
        return replace(watch, off=None, says_off_since=None, lie="")
    off = OffSeries(at, at)
    if watch.off is not None:
        # Two looks that came home together are one reading.
        second = watch.off.second or (at if at > watch.off.first else None)
        off = replace(watch.off, last=at, second=second)
    if watch.first_off is None and not watch.lie:
        watch = replace(watch, first_off=at.wall_s, first_off_moment=at)
    return replace(watch, off=off, says_off_since=watch.says_off_since or at)
