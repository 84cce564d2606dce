"""The takeover steps of an AIX management node: the guide's own platform.

Owns which steps this platform contributes, and what must be seen of the nodes to build them. Must
not know exact commands or outputs (dialects) nor the engine's and the fence's steps, which it only
names: fuse -> fence -> promote -> identity -> xcatd -> dns, tftp, ntp, nfs, consoles -> osdeploy.

There is no `shield` (base AIX has no packet filter, README) and no `settle`: mktcpip replaces
address and name for good, so nothing is left to be settled once they are proven and kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.platforms.aix.boot import boot
from hamnd.core.platforms.aix.deploying import (
    KEPT_IMAGES,
    KEPT_OBJECTS,
    assumed_nim,
    osdeploy,
    service_nodes,
)
from hamnd.core.platforms.aix.exchanging import around, as_exchanged, taken_from_afar
from hamnd.core.platforms.aix.fuse import fuse
from hamnd.core.platforms.aix.identity import assumed_settings, identity, settings_looks
from hamnd.core.platforms.aix.preparing import guarded, prepare
from hamnd.core.platforms.aix.releasing import hold_off, quiet, release, stop
from hamnd.core.platforms.aix.services import consoles, dhcp, dns, served, xcatd
from hamnd.core.platforms.crontabs import cron_users, crontab_key
from hamnd.core.platforms.verifying import verify
from hamnd.core.platforms.vicinity import told
from hamnd.core.policy import Policy
from hamnd.dialects import jobs, linux, processes
from hamnd.dialects.aix import interfaces, nim
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, Site
from hamnd.model.work import Look, Report


class Aix:
    """Implements `Platform` for AIX."""

    def looks(self, site: Site) -> Mapping[str, Look]:
        """Return the looks at this node's addresses, at what could write here, and at NIM."""
        crontabs = {crontab_key(user): jobs.crontab(site, user) for user in cron_users(site)}
        snapshot: dict[str, Look] = {}
        if site.nim.mode != "none" and site.is_on_standby:
            snapshot[KEPT_OBJECTS] = nim.objects(site, site.partner.name)
        if site.nim.mode == "rebuild" and site.is_on_standby:
            snapshot[KEPT_IMAGES] = nim.images(site, site.partner.name)
        return {
            "addresses": interfaces.addresses(site),
            "links": interfaces.links(site),
            **settings_looks(site),
            **crontabs,
            "processes": processes.processes(site),
            "guard": linux.guard_there(site),
            "duplicates": interfaces.no_duplicate_lately(site),
            **snapshot,
        }

    def steps(self, site: Site, policy: Policy, seen: Mapping[str, Report]) -> tuple[Step, ...]:
        """Return the steps of this site; services that the site does not run have none."""
        services = site.services
        found = [fuse(site, policy, seen), identity(site, policy, seen), xcatd(site, policy)]
        found += [dns(site, policy)] if services.dns else []
        found += [dhcp(site, policy)] if services.dhcp else []
        found += served(site, policy)
        found += [consoles(site, policy)] if services.consoles != "none" else []
        found += osdeploy(site, policy, seen)
        found += [service_nodes(site, policy)] if services.service_nodes else []
        found += boot(site, policy, seen)
        before = tuple(step.id for step in found if step.id != "fuse")
        return (*found, verify(site, policy, before))

    def assumed(self, site: Site) -> Mapping[str, Report]:
        """Return this node's own settings, and one osimage IMG that has every resource."""
        return {**assumed_settings(site), **assumed_nim(site)}

    def hand_over(
        self,
        site: Site,
        policy: Policy,
        seen: Mapping[str, Report],
        theirs: Mapping[str, Report],
    ) -> tuple[Step, ...]:
        """Return how a node lets go of services and addresses; `site` is seen from it."""
        let_go = release(site, policy)
        if site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
            return stop(site, policy), let_go
        return (stop(site, policy), *around(site, policy, let_go, (seen, theirs)))

    def from_afar(
        self, site: Site, steps: tuple[Step, ...], seen: Mapping[str, Report]
    ) -> tuple[Step, ...]:
        """Return the steps with an identity that is asked for, not waited for in the session."""
        if site.identity_mode is not IdentityMode.PRIMARY_ADDRESS:
            return steps
        return tuple(
            taken_from_afar(site, one, seen) if one.id == "identity" else one for one in steps
        )

    def as_exchanged(
        self, site: Site, seen: Mapping[str, Report], theirs: Mapping[str, Report]
    ) -> Mapping[str, Report]:
        """Return what would be seen of a node that had what the other one has."""
        del theirs
        return as_exchanged(site, seen)

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
        """Nothing: there is no shield on AIX (design §5)."""
        del site, policy
        return ()

    def holds_identity(self, site: Site, report: Report) -> bool | None:
        """Return whether every address of the identity was seen here; None when not known."""
        here = self.addresses(report)
        if here is None:
            return None
        moving = [one.address for one in site.identity]
        return bool(moving) and all(one in here for one in moving)

    def networks(self, report: Report) -> frozenset[str] | None:
        """Return this node's addresses with their prefixes; None when they are not known."""
        return interfaces.networks(report)

    def addresses(self, report: Report) -> frozenset[str] | None:
        """Return every address of this node; None when they are not known."""
        return interfaces.here(report)
