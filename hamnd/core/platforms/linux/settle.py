"""The step `settle` of mode primary_address: the new identity lasts, the standby's own ends.

Owns what becomes of this node's own addresses and name once the takeover is verified. Must not know
the distributions' files (dialects.network). Until then nothing of it outlives a reboot: a node that
loses its power in the middle comes back as what it was.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.platforms.linux import lasting
from hamnd.core.platforms.linux.lasting import Owned, Seen
from hamnd.core.policy import Policy
from hamnd.dialects import addresses, network, reach
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action, Look


def settle(site: Site, policy: Policy, seen: Seen) -> Step:
    """Write the new identity down, and give the node's own addresses up."""
    owned = lasting.owned_by_taker(site, seen)
    edits = lasting.edits(lasting.taken(site, owned), site, seen)
    given_up = tuple(
        network.give_up(site, own.address, own.prefix, own.interface, moved.address)
        for moved, own in owned
    )
    reloaded = (network.reload(site),) if edits else ()
    kept = (replace(moved, address=own.address, prefix=own.prefix) for moved, own in owned)
    own_back = tuple(action for one in kept for action in addresses.taken(site, one))
    ends = ", ".join(own.address for _, own in owned) or f"{site.node}'s own address"
    return Step(
        id="settle",
        title=f"the new identity outlives a reboot; {ends} ends, and sessions over it",
        guide="8.4",
        host=site.node,
        depends_on=("verify",),
        actions=(*(Action(one) for one in edits), *reloaded, *given_up),
        readiness=(network.files(site), *_named_before(site, owned)),
        postconditions=(
            *(addresses.address_up(site, one) for one in site.identity),
            *(network.are_named_in_files(site, moved.address) for moved, _ in owned),
            network.are_named_in_files(site, site.moving_name),
            *_still_reached(site),
        ),
        timeout_s=policy.step_timeout_s("settle", 60.0),
        wait_s=15.0,
        compensation=(*lasting.back(edits), *reloaded, *own_back),
        needs_fence=True,
    )


def _named_before(site: Site, owned: Owned) -> tuple[Look, ...]:
    """What no file names today cannot be made to last: known long before it is needed."""
    return tuple(network.are_named_in_files(site, own.address) for _, own in owned)


def _still_reached(site: Site) -> tuple[Look, ...]:
    first = site.moving
    if first is None or first.is_ipv6:
        return ()
    return (reach.ping(site, "the gateway", site.gateway, source=first.address),)
