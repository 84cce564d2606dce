"""Thresholds and limits of the judgement; seconds unless a name says otherwise.

Owns `Policy` and `Terms`. Must not know where the numbers come from (hamnd.settings). Every loop,
queue, retry and history of the core takes its limit from here (``…_max``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from hamnd.model.names import FenceGrade
from hamnd.model.site import IdentityMode, Site


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers that decide, with the defaults of the sample configuration."""

    reach_interval_s: float = 1.0
    reach_suspicion_interval_s: float = 0.2
    probe_timeout_s: float = 2.0
    replication_interval_s: float = 5.0
    readiness_interval_s: float = 60.0
    down_after_s: float = 4.0
    service_down_after_s: float = 60.0
    recover_after_s: float = 10.0
    flap_window_s: float = 300.0
    flap_max: int = 6
    witnesses_min: int = 0
    fence_minimum: FenceGrade = FenceGrade.AGENT_OFF
    evidence_age_max_s: float = 30.0
    gap_bytes_max: int = 1_048_576
    clock_skew_max_s: float = 5.0
    """Db2's own limit between the two clocks (db2-hadr.md §6.3)."""
    window_margin_s: float = 5.0
    """TAKEOVER … PEER WINDOW ONLY needs this much of the window left (db2-hadr.md §6.3)."""
    plan_ttl_s: float = 600.0
    acknowledge_window_s: float = 86_400.0
    """So long after a takeover a second one needs somebody who looked at the first."""
    plans_max: int = 8
    history_max: int = 256
    hooks_max: int = 4
    """So many of the site's own programs may run at once; what is beyond is not told."""
    memory_interval_s: float = 60.0
    transient_tries_max: int = 3
    """So many runs must tell that the database is not up before it is believed (db2-hadr.md §5)."""
    transient_pause_s: float = 2.0
    """What lies at least between two of those runs."""
    look_pause_s: float = 0.5
    """Pause between two looks at a postcondition that is not yet true."""
    step_timeouts_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def step_timeout_s(self, step_id: str, default_s: float) -> float:
        """Return the configured time limit of a step, or the plan's own default."""
        return self.step_timeouts_s.get(step_id, default_s)

    @property
    def suspicion_look_interval_s(self) -> float:
        """How often replication, witnesses and fence are asked while the primary is suspected."""
        return min(1.0, self.replication_interval_s)

    @property
    def slow_freshness_s(self) -> float:
        """How old what is asked in the replication rhythm may be before it says nothing about now.

        Two intervals, and its own time.
        """
        return 2 * self.replication_interval_s + self.probe_timeout_s + 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What every decision is made on: the site and the policy, replaced whole by a reload.

    Compared and hashed by identity, so that what follows from the terms alone is worked out once.
    """

    site: Site
    policy: Policy


@lru_cache(maxsize=8)
def exchanged(terms: Terms) -> Terms:
    """Return the terms once both nodes have exchanged their addresses, where they ever do."""
    if terms.site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
        return terms
    return Terms(terms.site.exchanged(), terms.policy)
