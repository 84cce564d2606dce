"""The step `settle` of mode primary_address: the new identity lasts, the standby's own ends.

Owns what becomes of this node's own addresses and name once the takeover is verified. Must not know
the distributions' files (dialects.network). Until then nothing of it outlives a reboot: a node that
loses its power in the middle comes back as what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_interface

from hamnd.core.platforms.vicinity import name_of
from hamnd.core.policy import Policy
from hamnd.dialects import addresses, network, reach
from hamnd.dialects.addresses import Address
from hamnd.model.plan import Step
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Edit, Look, Report


def settle(site: Site, policy: Policy, seen: Mapping[str, Report]) -> Step:
    """Write the new identity down, and give the node's own addresses up."""
    owned = _owned(site, seen)
    edits = _edits(site, owned, seen)
    given_up = tuple(
        network.give_up(site, own.address, own.prefix, own.interface) for _, own in owned
    )
    reloaded = (network.reload(site),) if edits else ()
    back = tuple(Action(network.swap_back(one)) for one in reversed(edits))
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
            network.are_named_in_files(site, name_of(site)),
            *_still_reached(site),
        ),
        timeout_s=policy.step_timeout_s("settle", 60.0),
        wait_s=15.0,
        compensation=(*back, *reloaded),
        needs_fence=True,
    )


def _owned(site: Site, seen: Mapping[str, Report]) -> tuple[tuple[ServiceAddress, Address], ...]:
    """Return, for each address that moves, this node's own one in the same network."""
    report = seen.get("addresses")
    here = addresses.parse_addresses(report.stdout) if report is not None else ()
    moving = {one.address for one in site.identity}
    return tuple(
        (service, one)
        for service in site.identity
        for one in here
        if one.interface == service.interface
        and one.address not in moving
        and ip_address(one.address) in ip_interface(f"{service.address}/{service.prefix}").network
    )


def _edits(
    site: Site,
    owned: tuple[tuple[ServiceAddress, Address], ...],
    seen: Mapping[str, Report],
) -> tuple[Edit, ...]:
    """Return the edits of every file that names an own address or the own name.

    One word a time: a file with two of them is edited twice, the second time on what the first
    edit made of it.
    """
    report = seen.get("files")
    texts = dict((network.parse_files(report) if report is not None else None) or {})
    words = [(own.address, moved.address) for moved, own in owned]
    found: list[Edit] = []
    for path, text in texts.items():
        now = text
        is_name_file = path == network.HOST_NAME_FILE
        name = text.strip().splitlines()[-1:] if is_name_file else []
        for old, new in [(one, name_of(site)) for one in name] if is_name_file else words:
            edit = network.swap(site.node, path, now, (old, new))
            if edit is not None and old != new:
                found.append(edit)
                now = network.swapped_text(now, edit)
    return tuple(found)


def _named_before(
    site: Site, owned: tuple[tuple[ServiceAddress, Address], ...]
) -> tuple[Look, ...]:
    """What no file names today cannot be made to last: known long before it is needed."""
    return tuple(network.are_named_in_files(site, own.address) for _, own in owned)


def _still_reached(site: Site) -> tuple[Look, ...]:
    first = next(
        (one for one in site.identity if one.address == site.primary.address and not one.is_ipv6),
        None,
    )
    if first is None:
        return ()
    return (reach.ping(site, "the gateway", site.gateway, source=first.address),)
