"""The step `identity` on AIX: this node takes the management node's addresses (guide §8.4).

Owns what is asked before, what proves the new identity, and the way back. Must not know ifconfig or
mktcpip (dialects.aix).

In mode service_address it is an alias that no reboot brings back. In mode primary_address it is the
guide's mktcpip, which replaces this node's own address and name in the running system and in the
ODM, in one go. Both are commit-confirmed: a watcher that is armed before puts everything back
unless the gateway, and a third host where there is one, see the new owner in time. What mktcpip
sets would outlive a reboot that comes before that; so an entry of the inittab takes it back then.
Without this node's settings seen there is no way back, and so no way there either: the step has no
action, its readiness says so every day, and its proof fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hamnd.core.platforms.vicinity import gateway_of, neighbours, told
from hamnd.core.policy import Policy
from hamnd.dialects import addresses, keeping, linux, reach
from hamnd.dialects.aix import inittab, interfaces, moving, program, tcpip
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, ServiceAddress, Site
from hamnd.model.work import Action, Exec, Look, Report


@dataclass(frozen=True, slots=True)
class Change:
    """One way there and back, each in the order in which it is done."""

    there: tuple[Action, ...] = ()
    back: tuple[Action, ...] = ()


def settings_looks(site: Site) -> Mapping[str, Look]:
    """Return the looks at what this node gives up when it takes the primary's own identity.

    Or hands it over: a node that has it gives up the same.
    """
    if site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
        return {}
    return {settings_key(one): _own(site, one) for one in site.identity}


def name_at(site: Site, address: str) -> str:
    """Return what the host is called that has this address: a name moves with its address."""
    is_moving = site.moving is not None and address == site.moving.address
    return site.moving_name if is_moving else site.standby.name


def assumed_settings(site: Site) -> Mapping[str, Report]:
    """Return what those looks tell of a node that is as it is configured."""
    found: dict[str, Report] = {}
    for one in site.identity if site.takes_primary_address else ():
        mask, gateway = interfaces.mask_of(one.prefix), one.gateway or site.gateway
        own = name_at(site, site.own.address), site.own.address
        settings = tcpip.Settings(one.interface, *own, mask, gateway)
        text = tcpip.told(settings) if _is_own(site, one) else f"OWN-ADDRESS\n{mask}\n"
        found[settings_key(one)] = told(text)
    return found


def identity(site: Site, policy: Policy, seen: Mapping[str, Report]) -> Step:
    """Take the addresses, last of all that decides who the management node is (law 3)."""
    change = _replaced(site, seen) if site.takes_primary_address else _aliased(site)
    there = tuple(interfaces.interface_there(site, one) for one in site.identity)
    changes = _confirmed(site, change)
    names = ", ".join(f"{one.address} ({one.name})" for one in site.identity)
    what = f"{site.partner.name}'s name and" if site.takes_primary_address else "the service"
    return Step(
        id="identity",
        title=f"take {what} address {names}",
        guide="8.4" if site.takes_primary_address else "-",
        host=site.node,
        depends_on=("promote",),
        actions=(*changes, keeping.keep(site), *_unwritten(site)) if changes else (),
        keeps_at=len(changes) or None,
        readiness=(linux.programs(site, *_tools(site)), *there, *_readable(site)),
        # Nobody may answer for them; AIX has no arping, so the fence is what is relied on.
        preconditions=(
            *there,
            *(reach.ping_silent(site, one.name, one.address) for one in site.identity),
        ),
        postconditions=(
            *(look for one in site.identity for look in _proofs(site, one, seen)),
            *((tcpip.names_agree(site, site.moving_name),) if site.takes_primary_address else ()),
            interfaces.no_duplicate(site),
        ),
        timeout_s=policy.step_timeout_s("identity", 120.0),
        wait_s=site.identity_confirm_s / 2,
        compensation=(*change.back, keeping.drop(site), *_unwritten(site)),
        needs_fence=True,
    )


def _aliased(site: Site) -> Change:
    """Take the addresses beside this node's own, until the next boot only."""
    return Change(
        tuple(interfaces.add_alias(site, one) for one in site.identity),
        tuple(interfaces.delete_alias(site, one) for one in reversed(site.identity)),
    )


def _replaced(site: Site, seen: Mapping[str, Report]) -> Change:
    """Replace this node's own addresses and name by the primary's: all of them, or none."""
    there: tuple[Action, ...] = ()
    back: tuple[Action, ...] = ()
    for one in site.identity:
        report = seen.get(settings_key(one))
        replaced = _by_mktcpip if _is_own(site, one) else _by_chdev
        change = None if report is None else replaced(site, one, report)
        if change is None:
            return Change()
        there += change.there
        back = (*change.back, *back)
    return Change((tcpip.keep_hosts(site), *there, tcpip.compare_hosts(site)), back)


def _by_mktcpip(site: Site, one: ServiceAddress, report: Report) -> Change | None:
    """The primary's own address and its name: the guide's command, word by word."""
    own = tcpip.parse_settings(report.stdout, one.interface)
    if own is None:
        return None
    if own.address == one.address:
        # Taken already, in a run before: the way back leads to what this node is configured as.
        own = replace(own, host=site.standby.name, address=site.own.address)
    mask, name = interfaces.mask_of(one.prefix), site.moving_name
    wanted = tcpip.Settings(one.interface, name, one.address, mask, one.gateway or site.gateway)
    return Change(
        (tcpip.set_tcpip(site, wanted), *tcpip.rename_node(site, name)),
        (tcpip.set_tcpip(site, own), *tcpip.rename_node(site, own.host)),
    )


def _by_chdev(site: Site, one: ServiceAddress, report: Report) -> Change | None:
    """A further address of the primary, on an interface of its own."""
    own = tcpip.parse_own_address(report)
    if own is None:
        return None
    mask = interfaces.mask_of(one.prefix)
    return Change(
        (tcpip.set_address(site, one.interface, one.address, mask),),
        (tcpip.set_address(site, one.interface, *own),),
    )


def _confirmed(site: Site, change: Change) -> tuple[Action, ...]:
    """Return the change with what takes it back armed before it; nothing where nothing can."""
    if not change.there:
        return ()
    back = tuple(one.request for one in change.back if isinstance(one.request, Exec))
    armed: tuple[Action, ...] = (keeping.arm(site, site.identity_confirm_s, back),)
    if site.takes_primary_address:
        entry = inittab.Entry(moving.WAY_BACK, "2", "wait", keeping.at_boot(site))
        armed += (replace(inittab.make(site, entry, behind=moving.AFTER), by_hand=()),)
    return (interfaces.note_duplicates(site), *armed, *change.there)


def _unwritten(site: Site) -> tuple[Action, ...]:
    if not site.takes_primary_address:
        return ()
    return (replace(inittab.remove(site, moving.WAY_BACK), by_hand=()),)


def _proofs(site: Site, one: ServiceAddress, seen: Mapping[str, Report]) -> tuple[Look, ...]:
    """The address is up, its gateway answers it, and a third host of its network sees it here.

    The ping from the new address is also what has the gateway learn who it belongs to now.
    """
    proofs: tuple[Look, ...] = (interfaces.address_up(site, one),)
    gateway = gateway_of(site, one)
    if gateway is not None:
        proofs += (reach.ping(site, "the gateway", gateway, source=one.address),)
    report = seen.get("links")
    hardware = interfaces.parse_links(report.stdout) if report is not None else {}
    ours = hardware.get(one.interface, "")
    return (*proofs, *(addresses.seen_by(two, one, ours) for two in neighbours(site, one)))


def _readable(site: Site) -> tuple[Look, ...]:
    if not site.takes_primary_address:
        return ()
    return (*settings_looks(site).values(), tcpip.boots_from_odm(site))


def _own(site: Site, one: ServiceAddress) -> Look:
    if _is_own(site, one):
        return tcpip.settings(site, one.interface)
    return tcpip.own_address(site, one.interface)


def _is_own(site: Site, one: ServiceAddress) -> bool:
    return one == site.moving


def settings_key(one: ServiceAddress) -> str:
    """Return under which key an interface's own settings are seen."""
    return f"settings:{one.interface}"


def _tools(site: Site) -> tuple[str, ...]:
    names = ["ifconfig", "netstat", "errpt"]
    if site.takes_primary_address:
        names += ["mktcpip", "lsattr", "uname", "setuname", "mkitab", "rmitab"]
    return (*(program(site, one) for one in names), site.tool("ping"), "perl")
