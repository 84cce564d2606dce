"""How the old primary gives its own address and name up while it lives (mode primary_address, AIX).

Owns the steps `spare`, `exchange` and `unspare` around `release`. mktcpip replaces an address at
once and for good, so nothing lies beside anything: the node is at the spare address from the end of
`spare` on, and at what the standby had from the end of `exchange` on (core.whereabouts). The other
node asks it to go, and it keeps what it became only when it gets in from there (aix.moving). Must
not know mktcpip.

`site` is seen from the node that lets go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hamnd.core.platforms.aix.identity import name_at, settings_key
from hamnd.core.platforms.vicinity import gateway_of, told
from hamnd.core.policy import Policy
from hamnd.dialects import reach
from hamnd.dialects.aix import interfaces, moving, tcpip
from hamnd.errors import PermanentError
from hamnd.model.plan import Step
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Exec, Look, Report

ASKED_S = 15.0
"""What a ping may take that is sent from a node which is asked over ssh."""
BEGINS_S = 10.0
"""Until a move begins and is over, besides the time within which it has to be confirmed."""


def around(
    site: Site,
    policy: Policy,
    release: Step,
    both: tuple[Mapping[str, Report], Mapping[str, Report]],
) -> tuple[Step, ...]:
    """Return the step `release` with what takes this node away from its address, and to the other.

    `both` is what was seen of this node, and of the one that takes over.

    Raises:
        PermanentError: the site names no spare address, has more than one that moves, or what one
            of the two has of its own was not read yet.
    """
    service, own = _moving(site, both[0])
    # It would have no way back, and so take nothing; nor would anybody know it at the address.
    if _own(service, both[1]) is None or "links" not in both[1]:
        raise _unread(site.partner.name)
    spare = replace(own, host=site.standby.name, address=site.identity_spare)
    taken = replace(spare, address=site.partner.address)
    limit_s = site.identity_confirm_s + moving.SETTLE_S
    away = moving.Move(own, spare, partner=site.partner.address)
    onward = moving.Move(spare, taken, partner=own.address)
    home = replace(away, start=spare, target=own)
    return (
        replace(
            _went(
                site, "spare", f"gives {own.address} and its name up, and is {spare.address}", away
            ),
            depends_on=("promote",),
            preconditions=(_free(site, "the spare address", spare.address),),
            timeout_s=policy.step_timeout_s("spare", limit_s),
            parks=True,
        ),
        replace(
            release,
            depends_on=(*release.depends_on, "spare"),
            # Wherever a step back finds it: nothing is taken back at an address that is not there.
            compensation=(*release.compensation, moving.ask_to_go(site, home)),
            undone=(moving.is_there(site, home),),
        ),
        replace(
            _went(
                site, "exchange", f"takes {taken.address}, and is {taken.host} from now on", onward
            ),
            depends_on=("release", "verify"),
            preconditions=(_free(site, taken.host, taken.address),),
            timeout_s=policy.step_timeout_s("exchange", limit_s),
        ),
        _unspare(site, policy, replace(service, address=taken.address), taken),
    )


def taken_from_afar(site: Site, step: Step, seen: Mapping[str, Report]) -> Step:
    """Return the step `identity` of this node as the other one, at the spare address, asks for it.

    mktcpip ends the session in which it runs, and what is proven after it is read elsewhere.
    """
    service = site.moving
    own = None if service is None else _own(service, seen)
    if service is None or own is None:  # nothing is let go of for it: `around` says so
        return step
    # A run that goes on may find it there already.
    own = replace(own, host=site.standby.name, address=site.own.address)
    mask, gateway = interfaces.mask_of(service.prefix), service.gateway or site.gateway
    wanted = replace(
        own, host=site.moving_name, address=service.address, mask=mask, gateway=gateway
    )
    known = gateway_of(site, service) or ""
    there = moving.Move(own, wanted, partner=site.identity_spare, gateway=known)
    went = _went(site, step.id, "", there)
    elsewhere = (
        one
        for one in step.postconditions
        if isinstance(one.request, Exec) and one.request.host != site.node
    )
    return replace(
        step,
        actions=went.actions,
        keeps_at=None,
        postconditions=(*went.postconditions, *elsewhere),
        wait_s=went.wait_s,
        compensation=went.compensation,
        undone=went.undone,
    )


def as_exchanged(site: Site, seen: Mapping[str, Report]) -> Mapping[str, Report]:
    """Return what would be seen of a node once it has what the other one has; `site` is before."""
    found = dict(seen)
    service, address = site.moving, site.partner.address
    own = None if service is None else _own(service, seen)
    if service is not None and own is not None:
        after = replace(own, address=address, host=name_at(site, address))
        found[settings_key(service)] = told(tcpip.told(after))
    return found


def _moving(site: Site, seen: Mapping[str, Report]) -> tuple[ServiceAddress, tcpip.Settings]:
    service = site.moving
    if not site.identity_spare or service is None:
        raise PermanentError(
            "identity.spare is not set: two living nodes cannot exchange their addresses; name a "
            f"free one, or shut {site.node} down in order, then plan a takeover"
        )
    if len(site.identity) > 1:
        raise PermanentError(
            "identity: on AIX two living nodes exchange one address each, and this site has "
            f"{len(site.identity)}; shut {site.node} down in order, then plan a takeover"
        )
    own = _own(service, seen)
    if own is None or own.address not in (service.address, site.identity_spare):
        raise _unread(site.node)
    # A run that goes on finds it at the spare address already.
    return service, replace(own, address=service.address, host=site.moving_name)


def _went(site: Site, step: str, what: str, there: moving.Move) -> Step:
    """Return a step in which this node goes somewhere, asked by the other one, and its way back."""
    back = replace(there, start=there.target, target=there.start)
    return Step(
        id=step,
        title=f"{site.node} {what}",
        guide="7",
        host=site.node,
        actions=(moving.ask_to_go(site, there),),
        postconditions=(moving.is_there(site, there),),
        wait_s=site.identity_confirm_s + BEGINS_S,
        compensation=(moving.ask_to_go(site, back),),
        undone=(moving.is_there(site, back),),
    )


def _unread(node: str) -> PermanentError:
    return PermanentError(f"what {node} has of its own was not read yet: try again soon")


def _free(site: Site, name: str, address: str) -> Look:
    """Return a look by the other node, which lives in the same network: nobody answers there."""
    asking = replace(site, node=site.partner.name)
    return replace(reach.ping_silent(asking, name, address), timeout_s=ASKED_S)


def _own(service: ServiceAddress, seen: Mapping[str, Report]) -> tcpip.Settings | None:
    report = seen.get(settings_key(service))
    return None if report is None else tcpip.parse_settings(report.stdout, service.interface)


def _unspare(site: Site, policy: Policy, taken: ServiceAddress, settings: tcpip.Settings) -> Step:
    """Nothing is left to be given back: that it is so is read on the node itself."""
    gateway = gateway_of(site, taken)
    asked = (
        () if gateway is None else (reach.ping(site, "the gateway", gateway, source=taken.address),)
    )
    reached = tuple(replace(one, timeout_s=ASKED_S) for one in asked)
    spare = replace(taken, address=site.identity_spare)
    return Step(
        id="unspare",
        title=f"{site.node} has no address but {taken.address}, and the gateway knows it",
        guide="7",
        host=site.node,
        depends_on=("exchange",),
        postconditions=(
            interfaces.address_up(site, taken),
            interfaces.alias_gone(site, spare),
            tcpip.names_agree(site, settings.host),
            *reached,
        ),
        timeout_s=policy.step_timeout_s("unspare", 30.0),
        wait_s=15.0,
    )
