"""What the old primary gives up when it hands over: its subsystems, then the address (guide §7).

Owns the steps `stop`, `release` and `hold-off` on AIX. They are carried out on the node that lets
go and read back there (law 3), so `site` is seen from that node. Must not know the database's part.

What starts at boot is the inittab's: its lines are kept on that node, so that a step back finds
them. An alias that the ODM would bring up again goes from there too, and no step back restores it
there: an alias never starts outside the guard (design §5).
"""

from __future__ import annotations

from hamnd.core.platforms.aix.services import (
    CONSERVER,
    DHCPSD,
    NIMESIS,
    START_S,
    XCATD_S,
    served_here,
    start_xcatd,
)
from hamnd.core.policy import Policy
from hamnd.dialects.aix import inittab, interfaces, src, tcpip
from hamnd.errors import PermanentError
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, Site
from hamnd.model.work import Action, Look

ONE_S = max(src.STOP_S, XCATD_S) + 15.0
"""How long one subsystem may take, to stop or on the way back to start, and a margin for hamnd."""
NIM_GROUP = "-g nim"
"""AIX's own way to start nimesis at boot."""


def stop(site: Site, policy: Policy) -> Step:
    """Stop what serves the nodes, xcatd first: from then on nothing changes the database."""
    names = served_here(site)
    return Step(
        id="stop",
        title=f"stop xcatd and what serves the nodes on {site.node}",
        guide="7",
        host=site.node,
        actions=_stopped(site),
        preconditions=(src.is_running(site, site.services.xcatd),),
        postconditions=tuple(src.is_quiet(site, name) for name in names),
        timeout_s=policy.step_timeout_s("stop", ONE_S),
        wait_s=30.0,
        compensation=tuple(_started(site, name) for name in names),
    )


def release(site: Site, policy: Policy) -> Step:
    """Give the addresses up, and have nothing of it start again at the next boot.

    Its own address is given up before, by going to another one (exchanging).
    """
    is_own = site.identity_mode is IdentityMode.PRIMARY_ADDRESS
    what = "its own address" if is_own else "the service address"
    taken = () if is_own else tuple(interfaces.add_alias(site, one) for one in site.identity)
    return Step(
        id="release",
        title=f"{site.node} gives up {what} and starts nothing at boot",
        guide="7",
        host=site.node,
        depends_on=("promote",),
        actions=_given_up(site),
        postconditions=_let_go(site),
        timeout_s=policy.step_timeout_s("release", 60.0),
        wait_s=20.0,
        compensation=(*taken, inittab.rearm(site)),
        lets_go=True,
    )


def hold_off(site: Site, policy: Policy) -> Step:
    """Whatever the returned machine started by itself ends, and nothing starts at its next boot.

    Raises:
        PermanentError: it has the cluster's address for its own; the message says what to do.
    """
    if site.identity_mode is IdentityMode.PRIMARY_ADDRESS and not site.takes_primary_address:
        told = f"give {site.node} the standby's address and name at its console first"
        raise PermanentError(f"identity: two nodes cannot have one address; {told} (README, AIX)")
    return Step(
        id="hold-off",
        title=f"stop what serves the nodes on {site.node}, and keep it from starting at boot",
        guide="9",
        host=site.node,
        actions=(*_stopped(site), *_given_up(site)),
        postconditions=_let_go(site),
        timeout_s=policy.step_timeout_s("hold-off", ONE_S),
        wait_s=30.0,
    )


def quiet(site: Site) -> tuple[Look, ...]:
    """Return what has to hold of a standby: a second xcatd or DHCP answers the primary's nodes."""
    services = site.services
    wanted = {
        services.xcatd: True,
        DHCPSD: services.dhcp,
        CONSERVER: services.consoles == CONSERVER,
    }
    names = tuple(name for name, is_run in wanted.items() if is_run)
    return inittab.is_disarmed(site, names), *(src.is_quiet(site, name) for name in names)


def _stopped(site: Site) -> tuple[Action, ...]:
    return tuple(src.stop(site, name) for name in served_here(site))


def _started(site: Site, name: str) -> Action:
    return start_xcatd(site) if name == site.services.xcatd else src.start(site, name, START_S)


def _given_up(site: Site) -> tuple[Action, ...]:
    dropped = (interfaces.drop_alias(site, one) for one in site.identity)
    return (inittab.disarm(site, _armed(site)), *dropped)


def _let_go(site: Site) -> tuple[Look, ...]:
    """Read on the node itself: nothing serves, nothing will at boot, the addresses are gone."""
    own = site.moving
    return (
        *(() if own is None else (tcpip.is_not_own(site, own.interface, own.address),)),
        inittab.is_disarmed(site, _armed(site)),
        *(src.is_quiet(site, name) for name in served_here(site)),
        *(interfaces.alias_gone(site, one) for one in site.identity),
    )


def _armed(site: Site) -> tuple[str, ...]:
    """Return how a line of the inittab may name what this node serves with."""
    names = served_here(site)
    return (*names, NIM_GROUP) if NIMESIS in names else names
