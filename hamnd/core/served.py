"""What an active node serves: its database, the identity, and its own xcatd.

Owns the condition Serves, the one look that is taken for it alone, and when a role that was read
tells that this node serves no more. Must not decide what follows (table) nor judge the partner
(health).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from hamnd.core.gates import plan_command
from hamnd.core.health.moving import moved_by
from hamnd.core.health.rule import database_health, is_recent
from hamnd.core.health.watch import Watch
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState
from hamnd.dialects import reach
from hamnd.model.health import Condition
from hamnd.model.instant import Instant
from hamnd.model.names import PlanKind, State, Status
from hamnd.model.work import Look

XCATD = "own_xcatd"
"""Topic of a request to this node's own xcatd, as the nodes make it."""
XCATD_LIMIT_S = 10.0
"""As `verify` allows: one that is busy is not one that hangs."""
XCATD_FAILS = {
    reach.XcatdHealth.REFUSED: "its xcatd is not running",
    reach.XcatdHealth.FAILING: "its xcatd cannot use its database",
    reach.XcatdHealth.SILENT: "its xcatd does not answer",
}
"""What could not be asked, or read, says nothing (law 2)."""
TERMS_KEPT = 8


@lru_cache(maxsize=TERMS_KEPT)
def served_looks(terms: Terms) -> Mapping[str, Look]:
    """Return what is asked of an active node in the replication rhythm, by topic."""
    site = terms.site
    if not site.identity:
        return {}
    first = site.identity[0]
    target = reach.Target(first.name, first.address, site.own.xcatd_port)
    return {XCATD: reach.xcatd_request(target, timeout_s=XCATD_LIMIT_S)}


def judge_serves(state: NodeState, now: Instant, terms: Terms) -> list[Condition]:
    """Return while active whether database, identity and xcatd are here, or something took them."""
    reading, report = state.watch.replication, state.watch.reports.get("seen:addresses")
    if state.state is not State.ACTIVE or reading is None or report is None:
        return []
    age_max_s = terms.policy.slow_freshness_s
    if moved_by(state.watch, terms.site.partner.name, now, age_max_s):
        return []
    seen = min(reading.observed, report.finished)
    missing = ["its database is down"] if reading.is_database_up is False else []
    missing += ["its database takes no writes"] if reading.is_closed else []
    is_left = reading.role == "standby" and not reading.is_role_lasting
    missing += ["its disk is not mounted"] if is_left else []
    if platform_of(terms.site).holds_identity(terms.site, report) is False:
        # Whoever answers there then is not this node.
        missing.append("it does not hold the identity")
    elif (failure := _xcatd_failure(state, now, terms)) is not None:
        missing.append(failure)
    status, reason = (Status.FALSE, "Down") if missing else (Status.TRUE, "Up")
    told = f"{' and '.join(missing)}: {plan_command(PlanKind.RESUME)}"
    message = told if missing else "its database is up, and it holds the identity"
    source = "looks at this node"
    return [Condition("Serves", status, reason, message, now.wall_s, seen.wall_s, source)]


def is_standby_here(watch: Watch, now: Instant, terms: Terms) -> bool:
    """Whether this node's database tells that it is a standby's.

    A role that a reboot takes away as well does so only where the partner has taken it up.
    """
    reading = watch.replication
    if reading is None or reading.role != "standby":
        return False
    return reading.is_role_lasting or database_health(watch, now, terms.policy) is True


def _xcatd_failure(state: NodeState, now: Instant, terms: Terms) -> str | None:
    """Return how the last request to this node's own xcatd failed; None where it did not.

    A run that stops or starts it tells so itself. What was asked before this node was active says
    nothing of it, nor does what is old.
    """
    report = state.watch.reports.get(XCATD)
    age_max_s = terms.policy.slow_freshness_s + XCATD_LIMIT_S
    if state.run is not None or report is None or report.started.wall_s < state.since:
        return None
    if not is_recent(report.finished, now, age_max_s):
        return None
    return XCATD_FAILS.get(reach.read_xcatd(report))
