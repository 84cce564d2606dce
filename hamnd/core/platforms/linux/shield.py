"""The step `shield`: the old primary is refused until it has rejoined (design §5, takeover only).

Owns when there is such a step and what it is made of. Must not know nft or sshd
(dialects.shielding). It is welcome, never needed: the fence is what keeps the old primary away.
"""

from __future__ import annotations

from hamnd.core.policy import Policy
from hamnd.dialects import shielding
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action, Look


def unshield(site: Site, policy: Policy) -> tuple[Step, ...]:
    """Return the step that lets the old primary in again, so that it can follow."""
    shields = shield(site, policy)
    if not shields:
        return ()
    up = shields[0]
    return (
        Step(
            id="unshield",
            title=f"let {site.partner.name} ({site.partner.address}) in again",
            guide="9",
            host=site.node,
            depends_on=("hold-off", "hold"),
            actions=up.compensation,
            timeout_s=up.timeout_s,
            compensation=up.actions,
        ),
    )


def shield(site: Site, policy: Policy) -> tuple[Step, ...]:
    """Return the step for what the site has: a packet filter, an sshd that reads our file.

    After the fence, and so after a graceful promote too: until then the two databases talk.
    """
    actions: tuple[Action, ...] = ()
    back: tuple[Action, ...] = ()
    readiness: tuple[Look, ...] = ()
    proofs: tuple[Look, ...] = ()
    if site.shield.sshd_file:
        actions += (shielding.raise_sshd(site),)
        back += (shielding.lower_sshd(site),)
        proofs += (shielding.sshd_refuses(site),)
    if site.shield.packets:
        actions += (shielding.raise_rules(site),)
        back += (shielding.lower_rules(site),)
        readiness += (shielding.can_filter(site),)
        proofs += (shielding.rules_up(site),)
    if not actions:
        return ()
    return (
        Step(
            id="shield",
            title=f"refuse {site.partner.name} ({site.partner.address}) until it has rejoined",
            guide="-",
            host=site.node,
            depends_on=("fence",),
            actions=actions,
            readiness=readiness,
            preconditions=readiness,
            postconditions=proofs,
            timeout_s=policy.step_timeout_s("shield", 30.0),
            wait_s=5.0,
            compensation=back,
            skip_if_done=False,
            is_optional=True,
        ),
    )
