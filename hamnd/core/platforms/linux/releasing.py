"""What the old primary gives up when it hands over: its services, then the address (guide §7).

Owns the steps `stop` and `release` of planned plans. They are carried out on the node that lets go
and read back there (law 3), so `site` is seen from that node. Must not know the database's part.
"""

from __future__ import annotations

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


def release(site: Site, policy: Policy) -> Step:
    """Give the addresses up, and have nothing of it start again at the next boot.

    It let go only once a third host of each network hears nobody there any more (law 3); where
    there is none, who takes the address asks for itself.
    """
    groups = units_by_service(site)
    announced = tuple(addresses.announce(site, one) for one in site.identity if not one.is_ipv6)
    return Step(
        id="release",
        title=f"{site.node} gives up the service address and starts nothing at boot",
        guide="7",
        host=site.node,
        depends_on=("promote",),
        actions=(
            linux.note_enabled(site, groups),
            linux.disable_each(site, groups),
            *(addresses.remove_address(site, one) for one in site.identity),
        ),
        postconditions=(*_let_go(site), *_silent(site)),
        timeout_s=policy.step_timeout_s("release", 60.0),
        wait_s=20.0,
        compensation=(*(_taken(site)), *announced, linux.enable_noted(site)),
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
        postconditions=_let_go(site),
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


def _let_go(site: Site) -> tuple[Look, ...]:
    """Read on the node itself: nothing serves, nothing will at boot, the addresses are gone."""
    return (
        linux.disabled_each(site, units_by_service(site)),
        *(linux.none_active(site, *units) for units in _services(site)),
        *(addresses.address_gone(site, one) for one in site.identity),
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
