"""Whether another host claims the address that this node took from the partner.

Owns how long an answer to that counts. Must not say what follows from it (returning, rule).
"""

from __future__ import annotations

from hamnd.core.health.rule import freshness_s, is_recent
from hamnd.core.health.watch import Watch
from hamnd.core.policy import Policy
from hamnd.model.instant import Instant


def is_claimed(watch: Watch, now: Instant, policy: Policy) -> bool | None:
    """Return whether another host claims it; None: nobody asked lately, or could tell.

    It is asked in every second round where the partner is asked where it belongs, too.
    """
    track, age_max_s = watch.claim, 2 * policy.reach_interval_s + freshness_s(policy)
    if track.silent_since is None:
        return True if is_recent(track.answered, now, age_max_s) else None
    return False if is_recent(track.silent_last, now, age_max_s) else None
