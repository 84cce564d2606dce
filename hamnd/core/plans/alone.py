"""The first step of every plan that moves both nodes: nobody moves this pair from over there.

Owns the step `alone`. Must not judge the gate of that name (gates.planned): who overrides it goes
without this step. Of two nodes that are confirmed at once at least one sees the other, and waits.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.plans import Draft
from hamnd.dialects import running
from hamnd.model.plan import Step

GATE = "idle"
ALONE = "alone"


def with_alone(draft: Draft, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps after the one that makes sure that the partner carries out nothing."""
    request = draft.question.request
    if any(one.gate == GATE for one in request.overrides):
        return steps
    site = draft.question.terms.site
    partner = site.partner.name
    first = Step(
        id=ALONE,
        title=f"hamnd on {partner} carries out no plan itself",
        guide="-",
        host=site.node,
        actions=(running.note(site, request.kind),),
        postconditions=(running.is_idle(site, partner),),
        timeout_s=15.0,
        wait_s=0.0,
        skip_if_done=False,
    )
    waiting = (one if one.depends_on else replace(one, depends_on=(ALONE,)) for one in steps)
    return (first, *waiting)
