"""The takeover steps of a Linux management node.

Owns which steps this platform contributes, and what must be seen of the node to build them. Must
not know exact commands or outputs (dialects) nor the engine's and the fence's steps, which it only
names: fuse -> fence -> promote -> identity -> xcatd -> dns, dhcp, consoles -> verify.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hamnd.core.platforms.crontabs import cron_users, crontab_key
from hamnd.core.platforms.linux.boot import boot, guard_there
from hamnd.core.platforms.linux.deploying import osdeploy, service_nodes
from hamnd.core.platforms.linux.exchanging import around, leave_own
from hamnd.core.platforms.linux.fuse import fuse
from hamnd.core.platforms.linux.identity import identity
from hamnd.core.platforms.linux.lasting import as_exchanged, owned_by_taker, owned_once
from hamnd.core.platforms.linux.preparing import guarded, prepare
from hamnd.core.platforms.linux.releasing import hold_off, leave_alias, quiet, release, stop
from hamnd.core.platforms.linux.services import CONSOLE_UNITS, consoles, dhcp, dns, xcatd
from hamnd.core.platforms.linux.serving import served
from hamnd.core.platforms.linux.settle import settle
from hamnd.core.platforms.linux.shield import shield, unshield
from hamnd.core.platforms.verifying import verify
from hamnd.core.platforms.vicinity import told
from hamnd.core.policy import Policy
from hamnd.dialects import addresses, cronfiles, jobs, linux, network, processes
from hamnd.errors import PermanentError
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, Site
from hamnd.model.work import Look, Report


class Linux:
    """Implements `Platform` for Linux."""

    def looks(self, site: Site) -> Mapping[str, Look]:
        """Return the looks at this node's addresses, and at what could write onto it."""
        crontabs = {crontab_key(user): jobs.crontab(site, user) for user in cron_users(site)}
        return {
            "addresses": addresses.addresses(site),
            "links": addresses.links(site),
            **_own_looks(site),
            **crontabs,
            "cron_files": cronfiles.files(site),
            "timers": jobs.timers(site),
            "processes": processes.processes(site),
            "guard": guard_there(site),
        }

    def steps(self, site: Site, policy: Policy, seen: Mapping[str, Report]) -> tuple[Step, ...]:
        """Return the steps of this site; services that the site does not run have none."""
        services = site.services
        shields = shield(site, policy)
        # The old primary must not find a database or an xcatd here before it is refused.
        daemon = replace(xcatd(site, policy), after=tuple(step.id for step in shields))
        found = [fuse(site, policy, seen), *shields, identity(site, policy, seen), daemon]
        found += [dns(site, policy)] if services.dns else []
        found += [dhcp(site, policy)] if services.dhcp else []
        found += served(site, policy)
        found += [consoles(site, policy)] if services.consoles in CONSOLE_UNITS else []
        found += [osdeploy(site, policy)] if site.osdeploy.nodes else []
        found += [service_nodes(site, policy)] if services.service_nodes else []
        found += boot(site, policy, seen)
        settled = (settle(site, policy, seen),) if site.takes_primary_address else ()
        before = tuple(step.id for step in found if step.id != "fuse")
        return (*found, verify(site, policy, before), *settled)

    def assumed(self, site: Site) -> Mapping[str, Report]:
        """Return the node's own name; its network files are not known from the site."""
        return {"name": told(f"{site.own.name}\n")} if site.takes_primary_address else {}

    def addresses(self, report: Report) -> frozenset[str] | None:
        """Return every address of this node; None when they are not known."""
        return addresses.here(report)

    def hand_over(
        self,
        site: Site,
        policy: Policy,
        seen: Mapping[str, Report],
        theirs: Mapping[str, Report],
    ) -> tuple[Step, ...]:
        """Return how a node lets go of services and addresses; `site` is seen from it."""
        stopped = stop(site, policy)
        if site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
            return stopped, release(site, policy, leave_alias(site))
        for node, known in ((site.node, seen), (site.partner.name, theirs)):
            if not all(one in known for one in ("addresses", *_own_looks(site))):
                raise PermanentError(f"what {node} has of its own was not read yet: try again soon")
        taker = replace(site, node=site.partner.name)
        owned = owned_by_taker(taker, theirs) or owned_once(taker)
        let_go = release(site, policy, leave_own(site, seen, owned))
        return (stopped, *around(site, policy, let_go, seen, owned))

    def from_afar(
        self, site: Site, steps: tuple[Step, ...], seen: Mapping[str, Report]
    ) -> tuple[Step, ...]:
        """Return the steps as they are: addresses lie side by side, no session ends."""
        del site, seen
        return steps

    def as_exchanged(
        self, site: Site, seen: Mapping[str, Report], theirs: Mapping[str, Report]
    ) -> Mapping[str, Report]:
        """Return what would be seen of a node that had what the other one has."""
        return as_exchanged(site, seen, theirs)

    def as_guarded(self, seen: Mapping[str, Report]) -> Mapping[str, Report]:
        """Return what would be seen of a node with the guard before all that it guards."""
        return {**seen, "guard": told(linux.GUARD_TOLD)}

    def hold_off(self, site: Site, policy: Policy) -> Step:
        """Return how a returned node is kept from serving; `site` is seen from it."""
        return hold_off(site, policy)

    def quiet(self, site: Site) -> tuple[Look, ...]:
        """Return what has to hold of a standby: xcatd, DHCP and consoles neither run nor start."""
        return quiet(site)

    def set_up(self, site: Site, policy: Policy) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Return what is done to both hosts before the database is set up, and after it."""
        return prepare(site, policy), guarded(site, policy)

    def let_in(self, site: Site, policy: Policy) -> tuple[Step, ...]:
        """Return how the partner is let in again."""
        return unshield(site, policy)

    def networks(self, report: Report) -> frozenset[str] | None:
        """Return this node's addresses with their prefixes; None when they are not known."""
        return addresses.networks(report)

    def holds_identity(self, site: Site, report: Report) -> bool | None:
        """Return whether every service address was seen here; None when that is not known."""
        return addresses.holds_identity(report, site)


def _own_looks(site: Site) -> Mapping[str, Look]:
    """Return the looks at a node's own name and network files, where they may move."""
    if site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
        return {}
    return {"name": network.host_name(site), "files": network.files(site)}
