"""What setup does to the two hosts besides the database: §4's steps, and the return guard.

Owns which step does and proves what. Must not know the scripts (dialects).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.platforms.introducing import introduce
from hamnd.core.platforms.linux.boot import NETWORK_UNITS
from hamnd.core.platforms.linux.releasing import hold_off
from hamnd.core.platforms.linux.services import DHCP_UNITS
from hamnd.core.policy import Policy
from hamnd.dialects import guard, network, preparing
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, Site


def prepare(site: Site, policy: Policy) -> tuple[Step, ...]:
    """Return the steps that come before the database's."""
    names, keys = introduce(site, policy)
    level = Step(
        id="requirements",
        title="one level of operating system and xCAT, one subnet",
        guide="2",
        host=site.node,
        postconditions=(preparing.same_level(site), preparing.on_link(site)),
        wait_s=0.0,
    )
    standby = replace(site, node=site.standby.name)
    quiet = replace(hold_off(standby, policy), id="quiet", guide="4", depends_on=("requirements",))
    return names, keys, level, quiet


def guarded(site: Site, policy: Policy) -> tuple[Step, ...]:
    """Return the step that installs the return guard on both nodes, behind what it guards."""
    hosts = (site.primary.name, site.standby.name)
    units = (site.services.xcatd, *(DHCP_UNITS if site.services.dhcp else ()))
    is_own = site.identity_mode is IdentityMode.PRIMARY_ADDRESS
    on_network = NETWORK_UNITS if is_own else ()
    standby = replace(site, node=site.standby.name)
    # What has its own address by DHCP alone would be kept off the network at its next boot.
    named = (network.are_named_in_files(standby, site.standby.address),) if is_own else ()
    return (
        Step(
            id="guard",
            title="the return guard is installed on both nodes",
            guide="-",
            host=site.node,
            depends_on=("replicate",),
            actions=tuple(
                act for host in hosts for act in guard.install(site, host, units, on_network)
            ),
            preconditions=named,
            postconditions=tuple(guard.is_installed(site, host) for host in hosts),
            timeout_s=policy.step_timeout_s("guard", 60.0),
        ),
    )
