"""What the old primary gives up when it hands over: its services, then the address (guide §7).

Owns the steps `stop` and `release` of planned plans. They are carried out on the node that lets go
and read back there (law 3), so `site` is seen from that node. Must not know the database's part.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.core.platforms.linux.boot import units_by_service
from hamnd.core.platforms.linux.services import CONSOLE_UNITS, DHCP_UNITS
from hamnd.core.platforms.vicinity import neighbours
from hamnd.core.policy import Policy
from hamnd.dialects import addresses, linux, serving, silence
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action, Look


def stop(site: Site, policy: Policy) -> Step:
    """Stop what serves the nodes, xcatd first: from then on nothing changes the database."""
    groups = _services(site)
    return Step(
        id="stop",
        title=f"stop xcatd and what serves the nodes on {site.node}",
        guide="7",
        host=site.node,
        actions=(
            linux.forget_enabled(site),
            *(linux.stop_unit(site, *units) for units in groups),
        ),
        preconditions=(linux.any_active(site, site.services.xcatd),),
        postconditions=tuple(linux.none_active(site, *units) for units in groups),
        timeout_s=policy.step_timeout_s("stop", 120.0),
        wait_s=30.0,
        compensation=tuple(serving.start_first(site, *units) for units in groups),
    )


@dataclass(frozen=True, slots=True)
class GivenUp:
    """How addresses are given up, and how they come back."""

    what: str
    actions: tuple[Action, ...]
    back: tuple[Action, ...]
    proofs: tuple[Look, ...]
    is_kept_last: bool = False
    """Whether the last action makes final what the ones before it began."""


def leave_alias(site: Site) -> GivenUp:
    """Return how a node leaves an address that is no machine's own."""
    return GivenUp(
        what="the service address",
        actions=tuple(addresses.remove_address(site, one) for one in site.identity),
        back=(
            *_taken(site),
            *(addresses.announce(site, one) for one in site.identity if not one.is_ipv6),
        ),
        proofs=tuple(addresses.address_gone(site, one) for one in site.identity),
    )


def release(site: Site, policy: Policy, given_up: GivenUp) -> Step:
    """Give the addresses up, and have nothing of it start again at the next boot.

    It let go only once a third host of each network hears nobody there any more (law 3); where
    there is none, who takes the address asks for itself.
    """
    groups = units_by_service(site)
    disarmed = (linux.note_enabled(site, groups), linux.disable_each(site, groups))
    actions = (*disarmed, *given_up.actions)
    return Step(
        id="release",
        title=f"{site.node} gives up {given_up.what} and starts nothing at boot",
        guide="7",
        host=site.node,
        depends_on=("promote",),
        actions=actions,
        keeps_at=len(actions) - 1 if given_up.is_kept_last else None,
        postconditions=(*_serves_nothing(site), *given_up.proofs, *_silent(site)),
        timeout_s=policy.step_timeout_s("release", 60.0),
        wait_s=20.0,
        compensation=(*given_up.back, linux.enable_noted(site)),
        lets_go=True,
    )


def hold_off(site: Site, policy: Policy) -> Step:
    """Whatever the returned machine started by itself ends, and nothing starts at its next boot."""
    groups = units_by_service(site)
    return Step(
        id="hold-off",
        title=f"stop what serves the nodes on {site.node}, and keep it from starting at boot",
        guide="9",
        host=site.node,
        actions=(
            *(linux.stop_unit(site, *units) for units in groups),
            linux.disable_each(site, groups),
            *(addresses.remove_address(site, one) for one in site.identity),
        ),
        postconditions=(
            *_serves_nothing(site),
            *(addresses.address_gone(site, one) for one in site.identity),
        ),
        timeout_s=policy.step_timeout_s("hold-off", 120.0),
        wait_s=30.0,
    )


def quiet(site: Site) -> tuple[Look, ...]:
    """Return what has to hold of a standby: a second xcatd or DHCP answers the primary's nodes."""
    services, consoles = site.services, CONSOLE_UNITS.get(site.services.consoles)
    groups: list[tuple[str, ...]] = [(services.xcatd,)]
    groups += [DHCP_UNITS] if services.dhcp else []
    groups += [(consoles,)] if consoles else []
    return (
        linux.disabled_each(site, tuple(groups)),
        *(linux.none_active(site, *units) for units in groups),
    )


def _serves_nothing(site: Site) -> tuple[Look, ...]:
    """Read on the node itself: nothing serves the nodes, and nothing will at boot."""
    return (
        linux.disabled_each(site, units_by_service(site)),
        *(linux.none_active(site, *units) for units in _services(site)),
    )


def _silent(site: Site) -> tuple[Look, ...]:
    """What a third host on the network of each address hears."""
    return tuple(
        silence.silent_at(third, one) for one in site.identity for third in neighbours(site, one)
    )


def _taken(site: Site) -> tuple[Action, ...]:
    return tuple(
        addresses.take6(site, one) if one.is_ipv6 else addresses.add_address(site, one)
        for one in site.identity
    )


def _services(site: Site) -> tuple[tuple[str, ...], ...]:
    """Return the units of each service that can be stopped: all but the address' own."""
    return units_by_service(site)[1:]
