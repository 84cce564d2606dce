"""The step `boot` on AIX: the new role survives a reboot of this node (design §5).

Owns which entry the inittab gets. Must not know how the guard decides: it is asked before what it
lets through is started, and so this step exists only where the guard is installed. Which addresses
come up behind it, or are given up where it says so, it reads in guard.conf. xCAT's own line would
start xcatd without asking (aix.md §1.7), and is made nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.platforms.aix.services import served_here
from hamnd.core.policy import Policy
from hamnd.dialects import linux
from hamnd.dialects.aix import inittab
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Report


def boot(site: Site, policy: Policy, seen: Mapping[str, Report]) -> list[Step]:
    """Have what this takeover starts start again at boot, where the guard was seen."""
    report = seen.get("guard")
    if report is None or not linux.is_guard_there(report):
        return []
    entry = entry_of(site)
    return [
        Step(
            id="boot",
            title="have the services start again at boot, behind the guard",
            guide="-",
            host=site.node,
            depends_on=("xcatd",),
            actions=(inittab.make(site, entry),),
            preconditions=(linux.guard_there(site),),
            postconditions=(inittab.has(site, entry),),
            timeout_s=policy.step_timeout_s("boot", 60.0),
            compensation=(inittab.remove(site, entry.identifier),),
            needs_fence=True,
        )
    ]


def entry_of(site: Site) -> inittab.Entry:
    """Return the one line that starts at boot what a node serves with, behind the guard."""
    words = (inittab.STARTER, *served_here(site))
    return inittab.Entry("hamnboot", "2", "once", f"{' '.join(words)} >/dev/console 2>&1")
