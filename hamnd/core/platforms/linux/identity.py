"""The step `identity`: this node takes the management node's addresses (guide §8.4).

Owns what is asked before an address is taken, and what proves that it is held. Must not know ip or
arping (dialects.addresses).
"""

from __future__ import annotations

from hamnd.core.policy import Policy
from hamnd.dialects import addresses, linux, reach
from hamnd.model.plan import Step
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Look


def identity(site: Site, policy: Policy) -> Step:
    """Take the service addresses, last of all that decides who the management node is (law 3)."""
    there = tuple(addresses.interface_there(site, one) for one in site.identity)
    actions: tuple[Action, ...] = ()
    for one in site.identity:
        actions += (addresses.add_address(site, one),)
        actions += () if one.is_ipv6 else (addresses.announce(site, one),)
    proofs: tuple[Look, ...] = ()
    for one in site.identity:
        proofs += (addresses.address_up(site, one),)
        gateway = one.gateway or site.gateway
        proofs += (reach.ping(site, "the gateway", gateway, source=one.address),)
    tools = [site.tool("ip"), site.tool("arping"), site.tool("ping")]
    names = ", ".join(f"{one.address} ({one.name})" for one in site.identity)
    return Step(
        id="identity",
        title=f"take the service address {names}",
        guide="-",
        host=site.node,
        depends_on=("promote",),
        actions=actions,
        readiness=(linux.programs(site, *tools), *there),
        preconditions=(*there, *(_free(site, one) for one in site.identity)),
        postconditions=proofs,
        timeout_s=policy.step_timeout_s("identity", 60.0),
        wait_s=15.0,
        compensation=tuple(addresses.remove_address(site, one) for one in site.identity),
        needs_fence=True,
    )


def _free(site: Site, service: ServiceAddress) -> Look:
    """Nobody else has the address; IPv6 has no ARP, and the kernel looks for duplicates itself."""
    if not service.is_ipv6:
        return addresses.address_free(site, service)
    return reach.ping_silent(site, service.name, service.address)
