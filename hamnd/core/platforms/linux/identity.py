"""The step `identity`: this node takes the management node's addresses (guide §8.4).

Owns what is asked before an address is taken, and what proves that it is held. Must not know ip or
arping (dialects.addresses).

It is commit-confirmed: a watcher is armed before the first address is taken, and every network has
to prove the new one before it is kept. Nothing of it outlives a reboot: an alias never starts
outside the guard (xcat-hamn.md §1).
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.platforms.linux import lasting
from hamnd.core.platforms.vicinity import gateway_of, neighbours
from hamnd.core.policy import Policy
from hamnd.dialects import addresses, keeping, linux, network, reach
from hamnd.model.plan import Step
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Exec, Look, Report


def identity(site: Site, policy: Policy, seen: Mapping[str, Report]) -> Step:
    """Take the addresses, last of all that decides who the management node is (law 3)."""
    renamed, renamed_back, named = _rename(site, seen)
    there = tuple(addresses.interface_there(site, one) for one in site.identity)
    removals = tuple(addresses.remove_address(site, one) for one in reversed(site.identity))
    taken = tuple(action for one in site.identity for action in addresses.taken(site, one))
    taken = (*taken, *renamed)
    back = (*renamed_back, *removals)
    armed = keeping.arm(site, site.identity_confirm_s, _requests(back))
    names = ", ".join(f"{one.address} ({one.name})" for one in site.identity)
    what = f"{site.partner.name}'s name and" if site.takes_primary_address else "the service"
    return Step(
        id="identity",
        title=f"take {what} address {names}",
        guide="8.4" if site.takes_primary_address else "-",
        host=site.node,
        depends_on=("promote",),
        actions=(armed, *taken, keeping.keep(site)),
        keeps_at=1 + len(taken),
        readiness=(linux.programs(site, *_tools(site)), *there, *_readable(site)),
        preconditions=(*there, *(addresses.free(site, one) for one in site.identity)),
        postconditions=(
            *(look for one in site.identity for look in _proofs(site, one, seen)),
            *named,
        ),
        timeout_s=policy.step_timeout_s("identity", 60.0),
        wait_s=site.identity_confirm_s / 2,
        compensation=(*back, keeping.drop(site)),
        undone=tuple(addresses.address_gone(site, one) for one in site.identity),
        needs_fence=True,
    )


def _rename(
    site: Site, seen: Mapping[str, Report]
) -> tuple[tuple[Action, ...], tuple[Action, ...], tuple[Look, ...]]:
    """Return how the host gets the name that moves, how it gets its own back, and the proof.

    Without its own name seen there is no way back, so it is left alone and the proof says so.
    """
    if not site.takes_primary_address:
        return (), (), ()
    name, report = site.moving_name, seen.get("name")
    proof = (network.is_named(site, name),)
    own = report.stdout.strip() if report is not None else ""
    if not own:
        return (), (), proof
    renamed = (network.set_host_name(lasting.qualified(name, own), site),)
    return renamed, (network.set_host_name(own, site),), proof


def _readable(site: Site) -> tuple[Look, ...]:
    return (network.host_name(site),) if site.takes_primary_address else ()


def _tools(site: Site) -> tuple[str, ...]:
    tools = (site.tool("ip"), site.tool("arping"), site.tool("ping"), "setsid")
    return (*tools, "hostname") if site.takes_primary_address else tools


def _proofs(site: Site, service: ServiceAddress, seen: Mapping[str, Report]) -> tuple[Look, ...]:
    """The address is up, its own gateway answers it, and a third host of its network sees it."""
    proofs: tuple[Look, ...] = (addresses.address_up(site, service),)
    gateway = gateway_of(site, service)
    if gateway is not None:
        proofs += (reach.ping(site, "the gateway", gateway, source=service.address),)
    report = seen.get("links")
    hardware = addresses.parse_links(report.stdout) if report is not None else {}
    ours = hardware.get(service.interface, "")
    seeing = (addresses.seen_by(one, service, ours) for one in neighbours(site, service))
    return (*proofs, *seeing)


def _requests(actions: tuple[Action, ...]) -> tuple[Exec, ...]:
    return tuple(one.request for one in actions if isinstance(one.request, Exec))
