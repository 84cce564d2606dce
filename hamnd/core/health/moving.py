"""Whether the partner's own hamnd carries out a plan: what it told last, if that is young enough.

Owns the condition PartnerIdle, and what such a plan means while it runs. Must not read
what was told (sights).
"""

from __future__ import annotations

from hamnd.core.health.watch import Watch
from hamnd.dialects import running
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import RunStatus, Status


def moved_by(watch: Watch, partner: str, now: Instant, age_max_s: float) -> str:
    """Return the plan that the partner's hamnd is carrying out right now; empty: none is told.

    While it runs, what serves where is in the middle of moving, by a person's word. One that is
    held, or whose hamnd ended in the middle of it, moves nothing.
    """
    sight = watch.epochs.get(partner)
    if sight is None or sight.run is None or now.since(sight.at) > age_max_s:
        return ""
    return sight.run if sight.run.endswith(f" {RunStatus.RUNNING}") else ""


def partner_idle(watch: Watch, partner: str, now: Instant, age_max_s: float) -> Condition:
    """Return whether the partner's hamnd carries out no plan: while it does none begins here."""
    sight = watch.epochs.get(partner)
    seen = None if sight is None else sight.at.wall_s
    is_told = sight is not None and sight.run is not None and now.since(sight.at) <= age_max_s
    if sight is None or sight.run is None or not is_told:
        verdict = (Status.UNKNOWN, "NotSeen", f"{partner} did not tell whether a plan is on there")
    elif sight.run:
        told = f"{partner} carries out {running.in_words(sight.run)}: hamnctl status there"
        verdict = (Status.FALSE, "RunsPlan", told)
    else:
        verdict = (Status.TRUE, "Idle", f"{partner} carries out no plan")
    return Condition("PartnerIdle", *verdict, now.wall_s, seen, f"state directory on {partner}")
