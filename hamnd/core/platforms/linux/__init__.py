"""The takeover steps of a Linux management node.

Owns which steps this platform contributes, and what must be seen of the node to build them. Must
not know exact commands or outputs (dialects) nor the engine's and the fence's steps, which it only
names: fuse -> fence -> promote -> identity -> xcatd -> dns, dhcp, consoles -> verify.
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.platforms.linux.fuse import cron_users, crontab_key, fuse
from hamnd.core.platforms.linux.identity import identity
from hamnd.core.platforms.linux.services import CONSOLE_UNITS, consoles, dhcp, dns, verify, xcatd
from hamnd.core.platforms.linux.settle import settle
from hamnd.core.policy import Policy
from hamnd.dialects import addresses, jobs, network
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Look, Report


class Linux:
    """Implements `Platform` for Linux."""

    def looks(self, site: Site) -> Mapping[str, Look]:
        """Return the looks at this node's addresses, crontabs and timers."""
        crontabs = {crontab_key(user): jobs.crontab(site, user) for user in cron_users(site)}
        return {
            "addresses": addresses.addresses(site),
            "links": addresses.links(site),
            **_own_looks(site),
            **crontabs,
            "timers": jobs.timers(site),
        }

    def steps(self, site: Site, policy: Policy, seen: Mapping[str, Report]) -> tuple[Step, ...]:
        """Return the steps of this site; services that the site does not run have none."""
        services = site.services
        found = [fuse(site, policy, seen), identity(site, policy, seen), xcatd(site, policy)]
        found += [dns(site, policy)] if services.dns else []
        found += [dhcp(site, policy)] if services.dhcp else []
        found += [consoles(site, policy)] if services.consoles in CONSOLE_UNITS else []
        settled = (settle(site, policy, seen),) if site.takes_primary_address else ()
        before = tuple(step.id for step in found if step.id != "fuse")
        return (*found, verify(site, policy, before), *settled)

    def holds_identity(self, site: Site, report: Report) -> bool:
        """Return whether every service address was seen here; False also when not known."""
        return addresses.holds_identity(report, site) is True


def _own_looks(site: Site) -> Mapping[str, Look]:
    """Return the looks at what this node gives up when it takes the primary's own identity."""
    if not site.takes_primary_address:
        return {}
    return {"name": network.host_name(site), "files": network.files(site)}
