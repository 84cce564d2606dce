"""Who lives near an address, and who asks: what every platform's identity and services need.

Owns which router proves an address, which witnesses see it, and from where a service is asked. Must
not know how any platform moves an address.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from hamnd.model.instant import Instant
from hamnd.model.site import ServiceAddress, Site, Witness
from hamnd.model.work import Ending, Report

NEVER = Instant(0.0, 0.0)


def told(text: str) -> Report:
    """Return a report that nobody brought home: what a program would have told."""
    return Report(Ending.EXITED, NEVER, NEVER, 0, text)


def asking_host(site: Site) -> str:
    """Return from where a service is asked: a third host where there is one."""
    return site.witnesses[0].name if site.witnesses else site.node


def gateway_of(site: Site, service: ServiceAddress) -> str | None:
    """Return the router that this address can be proven with: its own, or the cluster's."""
    if service.gateway is not None:
        is_near = service.is_ipv6 and ip_address(service.gateway).is_link_local
        return f"{service.gateway}%{service.interface}" if is_near else service.gateway
    return site.gateway if is_near_to(service, site.gateway) else None


def neighbours(site: Site, service: ServiceAddress) -> tuple[Witness, ...]:
    """Return the witnesses that live on this address's own network."""
    return tuple(one for one in site.witnesses if is_near_to(service, one.address))


def is_near_to(service: ServiceAddress, address: str) -> bool:
    """Whether an address lies in the network of a service address."""
    network = ip_interface(f"{service.address}/{service.prefix}").network
    return ip_address(address) in network
