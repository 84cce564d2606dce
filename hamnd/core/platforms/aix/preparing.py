"""What setup does to two AIX hosts besides the database: §4's steps, and the return guard.

Owns which step does and proves what. Must not know the scripts (dialects). hamnd itself comes with
the bundle's install.sh, which registers it with the System Resource Controller; here only what both
nodes need for each other is done.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.platforms.aix.boot import entry_of
from hamnd.core.platforms.aix.releasing import hold_off
from hamnd.core.platforms.aix.services import served_here
from hamnd.core.platforms.introducing import introduce
from hamnd.core.policy import Policy
from hamnd.dialects import preparing
from hamnd.dialects.aix import guarding, tcpip
from hamnd.errors import PermanentError
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, Site


def prepare(site: Site, policy: Policy) -> tuple[Step, ...]:
    """Return the steps that come before the database's.

    Raises:
        PermanentError: with this engine an AIX pair is set up by hand.
    """
    if site.engine != "db2":
        raise PermanentError(
            f"setup on AIX is for Db2; with {site.engine} bring the database's copy to "
            f"{site.standby.name} by hand, then run install.sh --guard of the AIX bundle on "
            f"{site.primary.name} and install.sh on {site.standby.name}"
        )
    names, keys = introduce(site, policy)
    is_own = site.identity_mode is IdentityMode.PRIMARY_ADDRESS
    level = Step(
        id="requirements",
        title="one level of operating system and xCAT, one subnet",
        guide="2",
        host=site.node,
        depends_on=(keys.id,),
        postconditions=(
            preparing.same_level(site),
            preparing.on_link(site),
            # Else what mktcpip sets in the night is ignored at the next boot.
            *((tcpip.boots_from_odm(site),) if is_own else ()),
        ),
        wait_s=0.0,
    )
    standby = replace(site, node=site.standby.name)
    quiet = replace(hold_off(standby, policy), id="quiet", guide="4", depends_on=(level.id,))
    return names, keys, level, quiet


def guarded(site: Site, policy: Policy) -> tuple[Step, ...]:
    """Return the step that installs the return guard on both nodes.

    On the primary it comes before what starts there at boot; on the standby nothing starts.
    """
    hosts = (site.primary.name, site.standby.name)
    primary = replace(site, node=site.primary.name)
    entry, names = entry_of(primary), served_here(primary)
    return (
        Step(
            id="guard",
            title="the return guard is installed on both nodes, before what the primary starts",
            guide="-",
            host=site.node,
            depends_on=("replicate",),
            actions=(
                *(act for host in hosts for act in guarding.install(site, host)),
                guarding.put_before(primary, entry, names),
            ),
            postconditions=(
                *(guarding.is_installed(site, host) for host in hosts),
                guarding.is_before(primary, entry, names),
            ),
            timeout_s=policy.step_timeout_s("guard", 60.0),
        ),
    )
