"""The operating system's part of a plan: identity, service and deployment steps.

Owns the Protocol `Platform` and who implements it for a site. Must not order the steps of others
(core.plans) nor know a tool's output (dialects).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, assert_never

from hamnd.core.platforms.aix import Aix
from hamnd.core.platforms.linux import Linux
from hamnd.core.policy import Policy
from hamnd.model.plan import Step
from hamnd.model.site import Platform as PlatformName
from hamnd.model.site import Site
from hamnd.model.work import Look, Report


class Platform(Protocol):
    """What differs between operating systems."""

    def looks(self, site: Site) -> Mapping[str, Look]:
        """Return what must be known of this node to build the steps, by key."""
        ...

    def steps(self, site: Site, policy: Policy, seen: Mapping[str, Report]) -> tuple[Step, ...]:
        """Return the takeover steps that are neither the engine's nor the fence's.

        Args:
            site: The configured site.
            policy: Time limits of the steps.
            seen: The latest reports of `looks`, by key. What is missing is not guessed: the step
                then has no actions for it, and its preconditions find out when it runs.
        """
        ...

    def assumed(self, site: Site) -> Mapping[str, Report]:
        """Return what `looks` would bring home from a node that is as the site configures it.

        For a runbook, which is written in peace. What the site does not tell has a placeholder in
        capitals, or is left out.
        """
        ...

    def addresses(self, report: Report) -> frozenset[str] | None:
        """Return every address of this node, by the look `addresses`; None when not known."""
        ...

    def hand_over(
        self,
        site: Site,
        policy: Policy,
        seen: Mapping[str, Report],
        theirs: Mapping[str, Report],
    ) -> tuple[Step, ...]:
        """Return `stop`, `release` and what goes with it, of the node that lets go.

        Args:
            site: The site as seen from that node.
            policy: Time limits of the steps.
            seen: The latest reports of `looks` of that node, by key.
            theirs: Those of the node that takes over.

        Raises:
            PermanentError: this identity cannot be handed over; the message says what to do.
        """
        ...

    def from_afar(
        self, site: Site, steps: tuple[Step, ...], seen: Mapping[str, Report]
    ) -> tuple[Step, ...]:
        """Return `steps` of a node, which `site` is seen from, as the other node has them done.

        What would end the session in which it is asked for goes another way. `seen` is as for them.
        """
        ...

    def as_exchanged(
        self, site: Site, seen: Mapping[str, Report], theirs: Mapping[str, Report]
    ) -> Mapping[str, Report]:
        """Return what `looks` would bring home from a node that had what the other one has.

        `site` is seen from that node, before they exchanged.
        """
        ...

    def as_guarded(self, seen: Mapping[str, Report]) -> Mapping[str, Report]:
        """Return what `looks` would bring home from a node once setup put its guard there."""
        ...

    def hold_off(self, site: Site, policy: Policy) -> Step:
        """Return the step `hold-off` of the returned old primary, seen from that node."""
        ...

    def quiet(self, site: Site) -> tuple[Look, ...]:
        """Return what has to hold of a standby: xcatd, DHCP and consoles neither run nor start."""
        ...

    def set_up(self, site: Site, policy: Policy) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Return what setup does to both hosts before the database is set up, and after it.

        Of the former each but the first hangs on another; what follows hangs on the last.

        Raises:
            PermanentError: this platform is set up by hand; the message says so.
        """
        ...

    def let_in(self, site: Site, policy: Policy) -> tuple[Step, ...]:
        """Return what takes the shield against the partner down; nothing where there is none."""
        ...

    def networks(self, report: Report) -> frozenset[str] | None:
        """Return this node's addresses with their prefixes, by the look `addresses`, or None."""
        ...

    def holds_identity(self, site: Site, report: Report) -> bool | None:
        """Return whether this node carries every address, by the look `addresses`.

        None: that cannot be told from it.
        """
        ...


def platform_of(site: Site) -> Platform:
    """Return the platform of a site."""
    match site.platform:
        case PlatformName.LINUX:
            return Linux()
        case PlatformName.AIX:
            return Aix()
        case _:
            assert_never(site.platform)
