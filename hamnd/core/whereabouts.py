"""Whose address is the partner's: after a takeover in mode primary_address it is this node's own.

Owns when probes of the partner's own address would be answered by this node. Must not ask (asking)
nor fold what came home (observing).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.events import Event, LookCompleted, RoundCompleted
from hamnd.core.kept import KEPT
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.state import NodeState
from hamnd.dialects import reach
from hamnd.model.names import PlanKind, Probe

ABOUT_PARTNER = ("partner_db", "partner_clock", "witness", "returned", "theirs")
"""Topics (up to the colon) whose looks ask at the partner's own address."""


def is_partner_displaced(state: NodeState, terms: Terms) -> bool:
    """Whether the partner's own address is held here, or may be at any moment.

    From the first action of `identity` on it may be, whatever was seen last.
    """
    site = terms.site
    if not site.takes_primary_address:
        return False
    run = state.run
    identity = None if run is None or run.plan.kind is PlanKind.UNDO else run.steps.get("identity")
    if identity is not None and identity.has_acted:
        return True
    report = state.watch.reports.get("seen:addresses")
    here = None if report is None else platform_of(site).addresses(report)
    return here is not None and site.partner.address in here


def is_about_partner(topic: str) -> bool:
    """Whether the look of this topic asks at the partner's own address."""
    return topic.partition(":")[0] in ABOUT_PARTNER or topic.startswith(KEPT)


def credible(state: NodeState, event: Event, terms: Terms) -> Event | None:
    """Return the event without what this node itself may have answered; None: nothing is left.

    What was on its way when the address moved may have been answered by either machine.
    """
    if not is_partner_displaced(state, terms):
        return event
    match event:
        case RoundCompleted():
            kept = tuple(
                (probe, looked)
                for probe, looked in event.looked
                if probe is Probe.GATEWAY or reach.is_claim(looked)
            )
            return replace(event, looked=kept)
        case LookCompleted() if is_about_partner(event.topic):
            return None
        case _:
            return event
