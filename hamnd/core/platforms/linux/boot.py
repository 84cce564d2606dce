"""The step `boot`: the new role survives a reboot of this node (design §5).

Owns which units start again by themselves. Must not know how the guard decides: each of them asks
it first, and so this step exists only where the return guard is installed. Without it a node that
was taken over from would start everything again as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.platforms.linux.services import CONSOLE_UNITS, DHCP_UNITS, DNS_UNITS
from hamnd.core.policy import Policy
from hamnd.dialects import linux, serving
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, Site
from hamnd.model.work import Look, Report

ADDRESS_UNITS = ("hamn-address",)
"""The guard's own unit: it brings the service addresses up, and nothing else does."""
NETWORK_UNITS = ("NetworkManager", "systemd-networkd", "networking", "wicked", "network")
"""What configures the network, by distribution; in mode primary_address one asks the guard."""


def boot(site: Site, policy: Policy, seen: Mapping[str, Report]) -> tuple[Step, ...]:
    """Have what this takeover starts start again at boot, where the guard was seen."""
    report = seen.get("guard")
    if report is None or not linux.is_guard_there(report):
        return ()
    groups = units_by_service(site)
    return (
        Step(
            id="boot",
            title="have the services start again at boot, behind the guard",
            guide="-",
            host=site.node,
            depends_on=("xcatd",),
            # What an earlier way out noted to be enabled again is settled by this.
            actions=(linux.enable_each(site, groups), linux.forget_enabled(site)),
            preconditions=(guard_there(site),),
            postconditions=(linux.enabled_each(site, groups),),
            timeout_s=policy.step_timeout_s("boot", 60.0),
            compensation=(linux.disable_each(site, groups),),
            needs_fence=True,
        ),
    )


def guard_there(site: Site) -> Look:
    """Return a look that expects the guard before whatever makes this node the one that serves."""
    services = site.services
    database = {"postgresql": site.postgresql.unit, "mariadb": site.mariadb.unit}.get(site.engine)
    units = (services.xcatd, *(DHCP_UNITS if services.dhcp else ()))
    if database is not None:
        units = (*units, database)
    is_own = site.identity_mode is IdentityMode.PRIMARY_ADDRESS
    return linux.guard_there(site, *units, network=NETWORK_UNITS if is_own else ())


def units_by_service(site: Site) -> tuple[tuple[str, ...], ...]:
    """Return the names of each service's unit, the address' own first, then xcatd.

    A tftp server that xcatd starts has none.
    """
    services = site.services
    consoles = CONSOLE_UNITS.get(services.consoles)
    wanted = {
        ADDRESS_UNITS: True,
        (services.xcatd,): True,
        DNS_UNITS: services.dns,
        DHCP_UNITS: services.dhcp,
        (consoles or "",): consoles is not None,
        serving.HTTP_UNITS: services.http,
        serving.TFTP_UNITS: services.tftp == "unit",
        serving.NTP_UNITS: services.ntp,
        serving.NFS_UNITS: services.nfs,
    }
    return tuple(units for units, is_run in wanted.items() if is_run)
