"""What makes an identity outlive a reboot: the files that name a node and its addresses.

Owns which words of them become which, and what will be seen of a node once they did. Must not know
the distributions' files (dialects.network) nor when they are edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_interface

from hamnd.core.platforms.vicinity import told
from hamnd.dialects import addresses, network
from hamnd.dialects.addresses import Address
from hamnd.dialects.editing import swapped
from hamnd.model.site import ServiceAddress, Site
from hamnd.model.work import Action, Edit, Report

Seen = Mapping[str, Report]
Owned = tuple[tuple[ServiceAddress, Address], ...]
"""For each address that moves, the own one of the node that takes it, in the same network."""


@dataclass(frozen=True, slots=True)
class Words:
    """What is named otherwise from then on: addresses (old, new), and what the host is called."""

    addresses: tuple[tuple[str, str], ...]
    name: str


def owned_by_taker(site: Site, seen: Seen) -> Owned:
    """Return what the node that takes the identity has of its own, as it was seen there.

    The configured one where it is in that network; in another network the first that its interface
    lists. Every other address is somebody's alias, or the spare one, and stays.
    """
    report = seen.get("addresses")
    here = addresses.parse_addresses(report.stdout) if report is not None else ()
    found = ((service, _own_near(service, here, site)) for service in site.identity)
    return tuple((service, own) for service, own in found if own is not None)


def _own_near(service: ServiceAddress, here: tuple[Address, ...], site: Site) -> Address | None:
    moving = {one.address for one in site.identity}
    network = ip_interface(f"{service.address}/{service.prefix}").network
    near = (
        one
        for one in here
        if one.interface == service.interface
        and one.address not in moving
        and ip_address(one.address) in network
    )
    if ip_address(site.own.address) in network:
        return next((one for one in near if one.address == site.own.address), None)
    return next(near, None)


def owned_once(site: Site) -> Owned:
    """Return what such a node had by the configuration: a run that goes on finds it given up."""
    moving = site.moving
    if moving is None:
        return ()
    return ((moving, Address(moving.interface, site.own.address, moving.prefix)),)


def taken(site: Site, owned: Owned) -> Words:
    """Return the words of a node that takes the identity."""
    return Words(tuple((own.address, moved.address) for moved, own in owned), site.moving_name)


def given(site: Site, owned: Owned) -> tuple[Words, Words]:
    """Return the words of the node that lets go: when it does, and once the other one has let go.

    In between it would boot with the spare address, never with what is no longer its own. An
    address of another network has no spare: until then the guard alone keeps it from coming up.
    """
    spare, name = site.identity_spare, site.standby.name
    parked = {site.moving.address: spare} if site.moving is not None and spare else {}
    words = tuple((parked.get(moved.address, moved.address), own.address) for moved, own in owned)
    return Words(tuple(parked.items()), name), Words(words, name)


def edits(words: Words, site: Site, seen: Seen) -> tuple[Edit, ...]:
    """Return the edits of every file that names an own address or the own name.

    One word a time: a file with two of them is edited twice, the second time on what the first
    edit made of it.
    """
    found: list[Edit] = []
    for path, text in _texts(seen).items():
        now = text
        for old, new in _pairs(path, text, words):
            edit = network.swap(site.node, path, now, (old, new))
            if edit is not None and old != new:
                found.append(edit)
                now = network.swapped_text(now, edit)
    return tuple(found)


def edited(done: tuple[Edit, ...], seen: Seen) -> Seen:
    """Return what would be seen once these edits were made."""
    if "files" not in seen:
        return seen
    texts = dict(_texts(seen))
    for edit in done:
        path = edit.tells[-1]
        texts[path] = network.swapped_text(texts[path], edit)
    return {**seen, "files": told(network.told_files(texts))}


def back(done: tuple[Edit, ...]) -> tuple[Action, ...]:
    """Return what takes them back, the last one first."""
    return tuple(Action(network.swap_back(one)) for one in reversed(done))


def qualified(name: str, own: str) -> str:
    """Return a name as its host shall be called: with a domain where the own one has it."""
    return f"{name}.{own.partition('.')[2]}" if "." in own and "." not in name else name


def as_exchanged(site: Site, seen: Seen, theirs: Seen) -> Seen:
    """Return what would be seen of a node once it had what the other one has.

    Args:
        site: The site as seen from that node, before.
        seen: What was seen of it.
        theirs: What was seen of the other one.
    """
    if site.takes_primary_address:
        every: tuple[Words, ...] = (taken(site, owned_by_taker(site, seen)),)
    else:
        every = given(site, owned_by_taker(replace(site, node=site.partner.name), theirs))
    found = dict(seen)
    for words in every:
        found = dict(edited(edits(words, site, found), found))
        if "name" in found:
            found["name"] = told(qualified(words.name, found["name"].stdout.strip()) + "\n")
        if "addresses" in found:
            found["addresses"] = told(_renamed(found["addresses"].stdout, words))
    return found


def _renamed(text: str, words: Words) -> str:
    lines = frozenset(range(1, text.count("\n") + 2))
    for pair in words.addresses:
        text = swapped(text, lines, pair)
    return text


def _texts(seen: Seen) -> Mapping[str, str]:
    report = seen.get("files")
    return (network.parse_files(report) if report is not None else None) or {}


def _pairs(path: str, text: str, words: Words) -> tuple[tuple[str, str], ...]:
    if path != network.HOST_NAME_FILE:
        return words.addresses
    return tuple((one, words.name) for one in text.strip().splitlines()[-1:])
