"""The step `epoch`: right before `promote`, this node becomes the one that may serve (design §5).

Owns what is written where, and the way back. Must not know the file (dialects.epoch). It is a step
of its own and not an action of `promote`, so that what is irreversible begins with the promotion
itself: a run that is aborted after the epoch was raised raises it once more, for the former owner,
as its plan shows.

It never blocks a takeover: a witness that cannot be reached is told so in the outcome, and a disk
that takes nothing leaves the step out. The partner's own copy is no part of it. That is hamnd's
state directory on a node (law 1), written whenever the partner answers (core.epochs).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Policy
from hamnd.dialects import epoch, guard
from hamnd.model.plan import Step
from hamnd.model.site import Site


def raise_epoch(site: Site, policy: Policy, number: int) -> Step:
    """Return the step that raises the epoch to this number, for this node.

    It waits for what `promote` waits for, and needs the proof that it needs.
    """
    partner = site.partner.name
    return Step(
        id="epoch",
        title=f"epoch {number}: {site.node} may serve, {partner} no longer",
        guide="-",
        host=site.node,
        actions=(epoch.raise_here(site, number, site.node), *epoch.tell(site, number, site.node)),
        postconditions=(epoch.is_kept(site, number, site.node),),
        timeout_s=policy.step_timeout_s("epoch", 15.0),
        wait_s=2.0,
        compensation=(
            epoch.raise_here(site, number + 1, partner),
            *epoch.tell(site, number + 1, partner),
        ),
        skip_if_done=False,
        is_optional=True,
    )


def asserted(step: Step, site: Site) -> Step:
    """Return the step as a person does it who has no plan: hamn-guard finds the number."""
    title = f"{site.node} may serve from now on, {site.partner.name} no longer"
    return replace(step, title=title, actions=(guard.assert_here(site),), postconditions=())
