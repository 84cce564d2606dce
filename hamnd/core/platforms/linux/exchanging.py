"""How the old primary gives its own address and name up while it lives (mode primary_address).

Owns the steps `spare`, `exchange` and `unspare` around `release`, carried out on the node that lets
go, so `site` is seen from it. It is reached by the spare address from the end of `spare` on, and by
what the standby had from the end of `exchange` on (core.whereabouts): what takes one address away
comes over another one. Must not know `ip`.

Giving the own address up is commit-confirmed as taking it is: a watcher on that node puts it back
unless the node was read over its spare address in time. Its network files are the first to let go:
whenever it boots from then on, it is not the management node.

What networkd reads anew it makes true at once, and drops the address that the files do not name: so
that is done over the other one.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.platforms.linux import lasting
from hamnd.core.platforms.linux.lasting import Owned, Seen
from hamnd.core.platforms.linux.releasing import GivenUp
from hamnd.core.platforms.vicinity import gateway_of
from hamnd.core.policy import Policy
from hamnd.dialects import addresses, keeping, network, reach
from hamnd.errors import PermanentError
from hamnd.model.plan import Step
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Edit, Exec, Look


def spare_of(site: Site) -> ServiceAddress:
    """Return the spare address, beside the primary's own.

    Raises:
        PermanentError: the site names none.
    """
    if not site.identity_spare or site.moving is None:
        raise PermanentError(
            "identity.spare is not set: two living nodes cannot exchange their addresses; name a "
            f"free one, or shut {site.node} down in order and plan a takeover"
        )
    return replace(site.moving, address=site.identity_spare, name="the spare address")


def leave_own(site: Site, seen: Seen, owned: Owned) -> GivenUp:
    """Return how this node leaves its own addresses and name; both come back unless it is kept."""
    parked, _ = lasting.given(site, owned)
    edits = lasting.edits(parked, site, seen)
    report = seen.get("name")
    own = report.stdout.strip() if report is not None else ""
    away = tuple(
        network.give_up(site, one.address, one.prefix, one.interface, _beside(site, one))
        for one in site.identity
    )
    back = tuple(one for each in site.identity for one in addresses.taken(site, each))
    proofs: tuple[Look, ...] = tuple(addresses.address_gone(site, one) for one in site.identity)
    proofs += tuple(network.are_not_named_in_files(site, old) for old, _ in parked.addresses)
    if own:
        away = (*away, network.set_host_name(lasting.qualified(site.standby.name, own), site))
        back = (*back, network.set_host_name(own, site))
        proofs = (*proofs, network.is_named(site, site.standby.name))
    requests = tuple(one.request for one in back if isinstance(one.request, Exec))
    return GivenUp(
        what="its own address and name",
        actions=(
            *(Action(one) for one in edits),
            keeping.arm(site, site.identity_confirm_s, requests),
            *away,
            *_reloaded(site, edits),
            keeping.keep(site),
        ),
        proofs=proofs,
        back=(*back, *lasting.back(edits), keeping.drop(site)),
        is_kept_last=True,
    )


def around(site: Site, policy: Policy, release: Step, seen: Seen, owned: Owned) -> tuple[Step, ...]:
    """Return the step `release` with what keeps this node reachable, and makes it the standby.

    Args:
        site: The site as seen from this node.
        policy: Time limits of the steps.
        release: How it lets go.
        seen: What was seen of this node.
        owned: What the standby has of its own, and gives up.

    Raises:
        PermanentError: the site names no spare address.
    """
    spare = spare_of(site)
    parked, final = lasting.given(site, owned)
    first = lasting.edits(parked, site, seen)
    edits = lasting.edits(final, site, lasting.edited(first, seen))
    return (
        _spare(site, policy, spare, _reloaded(site, first)),
        replace(release, depends_on=(*release.depends_on, "spare")),
        _exchange(site, policy, edits, owned),
        _unspare(site, policy, spare, _reloaded(site, edits)),
    )


def _reloaded(site: Site, edits: tuple[Edit, ...]) -> tuple[Action, ...]:
    return (network.reload(site),) if edits else ()


def _spare(site: Site, policy: Policy, spare: ServiceAddress, reloaded: tuple[Action, ...]) -> Step:
    own = "" if site.moving is None else site.moving.address
    given_up = network.give_up(site, spare.address, spare.prefix, spare.interface, own)
    return Step(
        id="spare",
        title=f"{site.node} is reached at {spare.address} too",
        guide="7",
        host=site.node,
        depends_on=("promote",),
        actions=addresses.taken(site, spare),
        preconditions=(addresses.free(site, spare),),
        postconditions=(addresses.address_up(site, spare),),
        timeout_s=policy.step_timeout_s("spare", 30.0),
        wait_s=10.0,
        # Its own address is back by then, and so it is in the files.
        compensation=(given_up, *reloaded),
        undone=(addresses.address_gone(site, spare),),
    )


def _exchange(site: Site, policy: Policy, edits: tuple[Edit, ...], owned: Owned) -> Step:
    """The standby gave its own up: this node takes it, now and for its next boot."""
    got = tuple(replace(one, address=own.address, prefix=own.prefix) for one, own in owned)
    taken = tuple(action for one in got for action in addresses.taken(site, one))
    names = ", ".join(one.address for one in got) or "the standby's address"
    return Step(
        id="exchange",
        title=f"{site.node} takes {names} and is {site.standby.name} from its next boot on",
        guide="7",
        host=site.node,
        depends_on=("release", "settle"),
        actions=(*(Action(one) for one in edits), *taken),
        readiness=(network.files(site),),
        preconditions=tuple(addresses.free(site, one) for one in got),
        postconditions=(
            *(look for one in got for look in _proofs(site, one)),
            *(network.are_named_in_files(site, one.address) for one in got),
            network.are_named_in_files(site, site.standby.name),
        ),
        timeout_s=policy.step_timeout_s("exchange", 60.0),
        wait_s=15.0,
        compensation=(
            *lasting.back(edits),
            *_reloaded(site, edits),
            *(
                network.give_up(site, one.address, one.prefix, one.interface, _beside(site, moved))
                for one, (moved, _) in zip(got, owned, strict=True)
            ),
        ),
        undone=tuple(addresses.address_gone(site, one) for one in got),
    )


def _unspare(
    site: Site, policy: Policy, spare: ServiceAddress, reloaded: tuple[Action, ...]
) -> Step:
    own = site.standby.address
    given_up = network.give_up(site, spare.address, spare.prefix, spare.interface, own)
    return Step(
        id="unspare",
        title=f"{site.node} gives the spare address back",
        guide="7",
        host=site.node,
        depends_on=("exchange",),
        actions=(*reloaded, given_up),
        postconditions=(addresses.address_gone(site, spare),),
        timeout_s=policy.step_timeout_s("unspare", 30.0),
        wait_s=10.0,
        compensation=addresses.taken(site, spare),
    )


def _beside(site: Site, moved: ServiceAddress) -> str:
    """Return the address that this node has beside one that moves: the spare one, if any."""
    return site.identity_spare if moved == site.moving else ""


def _proofs(site: Site, one: ServiceAddress) -> tuple[Look, ...]:
    """It is up, and its gateway answers it, which has the gateway learn who has it now."""
    gateway = gateway_of(site, one)
    proven = (
        () if gateway is None else (reach.ping(site, "the gateway", gateway, source=one.address),)
    )
    return (addresses.address_up(site, one), *proven)
