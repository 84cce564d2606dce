"""The takeover as a person would carry it out: from the site alone, for the runbook (law 8).

Owns which form of the takeover that is. Must not know how it is written down (views.runbook).
"""

from __future__ import annotations

from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Terms
from hamnd.core.raising import asserted
from hamnd.core.replication import Promotion
from hamnd.model.names import Verdict
from hamnd.model.plan import Step

FIRST_VARIANT = {"db2": "peer-window-only"}
"""What is tried first; where nothing is named, the forced form is the only one."""


def takeover_by_hand(terms: Terms) -> tuple[Step, ...]:
    """Return every step of an unplanned takeover, with what the site itself tells."""
    site = terms.site
    platform = platform_of(site)
    steps = platform.steps(site, terms.policy, platform.assumed(site))
    variant = FIRST_VARIANT.get(site.engine, "accepted-force")
    known = takeover_steps(terms, Promotion(variant, Verdict.PASS, ""), steps)
    # What number comes next is known on the night; the guard's own word for it asks everybody.
    return tuple(asserted(step, site) if step.id == "epoch" else step for step in known)
