"""The last sample of the pair in its best state, which decides the loss verdict (design §4).

Owns when a reading becomes the sample, and when what was promised with it holds no more. Must not
judge what is lost (core.replication) nor read texts (dialects).
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from hamnd.core.health.rule import HOST_PROBES, freshness_s, is_recent, silence_of
from hamnd.core.health.watch import Watch
from hamnd.core.policy import Policy, Terms
from hamnd.core.replication import Sample
from hamnd.model.health import Replication
from hamnd.model.instant import Instant

PEER_STATES = ("peer", "disconnected_peer")


def keep_sample(watch: Watch, reading: Replication, terms: Terms) -> Watch:
    """Keep the last reading in Peer, and the window end as it stood when Peer was left."""
    if reading.role != "standby":
        return watch
    if reading.positions.received is not None:
        watch = replace(watch, standby_end=reading.positions.received)
        watch = _received_since(watch, reading.positions.received)
    watch = replace(watch, frozen_window_end=_window_end(watch, reading, terms.policy))
    if not reading.is_protecting or not _primary_answers(watch, reading.observed, terms):
        return _doubt_sample(watch, reading)
    if reading.verified_at is None:
        return _doubt_sample(watch, reading)
    if _holds_longer(watch.sample, reading, reading.verified_at):
        return watch
    skew = watch.skew
    started_at = None
    if reading.uptime_s is not None:
        started_at = reading.observed.wall_s - reading.uptime_s
    sample = Sample(
        wall_s=reading.verified_at,
        sync_mode=reading.sync_mode,
        state=reading.state,
        received=reading.positions.received,
        replayed=reading.positions.replayed,
        primary=reading.positions.primary,
        peer_window_end=reading.peer_window_end,
        started_at=started_at,
        skew_s=None if skew is None else skew.seconds,
        skew_uncertainty_s=None if skew is None else skew.uncertainty_s,
        bad_flags=reading.bad_flags,
        hold_s=reading.hold_s,
    )
    return replace(watch, sample=sample)


def _received_since(watch: Watch, received: int) -> Watch:
    """Keep how far this standby has received since the sample: later it must not be less."""
    sample = watch.sample
    if sample is None or sample.received is None or received <= sample.received:
        return watch
    return replace(watch, sample=replace(sample, received=received))


def _holds_longer(sample: Sample | None, reading: Replication, verified_at: float) -> bool:
    """Whether what was promised with the sample stands longer than what the new reading promises.

    A primary with a commit that waits already may give that one up any moment, yet not before it
    would have given up one that began to wait right after the sample.
    """
    if sample is None or sample.sync_mode != reading.sync_mode:
        return False
    if sample.hold_s is None or reading.hold_s is None:
        return False
    return sample.wall_s + sample.hold_s > verified_at + reading.hold_s


def _doubt_sample(watch: Watch, reading: Replication) -> Watch:
    """What the primary promised with the last sample holds no more once it promises otherwise."""
    sample = watch.sample
    if sample is None or reading.sync_mode in (None, sample.sync_mode):
        return watch
    return replace(watch, sample=replace(sample, sync_mode=None))


def _window_end(watch: Watch, reading: Replication, policy: Policy) -> int | None:
    """Return the window end that still binds the primary, as this standby last showed it.

    It binds only a primary that lost its standby while in Peer (db2-hadr.md §6.3). In catch-up it
    commits without waiting; and a standby that left Peer before the window was over did not leave
    it by losing the link, or lost it again later.
    """
    end = watch.frozen_window_end
    if reading.state in PEER_STATES and reading.peer_window_end is not None:
        return reading.peer_window_end
    if reading.is_protecting:  # read whole, and there is no window
        return None
    if reading.state in ("remote_catchup", "local_catchup"):
        return None
    if reading.state == "remote_catchup_pending" and end is not None:
        is_early = reading.observed.wall_s < end - policy.window_margin_s
        return None if is_early else end
    return end


def _primary_answers(watch: Watch, now: Instant, terms: Terms) -> bool:
    """A reading in Peer may be stale: it only counts while the primary is heard otherwise."""
    return any(
        (track := watch.tracks.get(probe)) is not None
        and silence_of(track, now, terms.policy) is None
        and is_recent(track.answered, now, freshness_s(terms.policy))
        for probe in HOST_PROBES
    )


def sample_fact(watch: Watch) -> str | None:
    """Return the last sample in Peer as JSON for the journal's memory."""
    if watch.sample is None:
        return None
    return json.dumps({**asdict(watch.sample), "frozen_window_end": watch.frozen_window_end})
