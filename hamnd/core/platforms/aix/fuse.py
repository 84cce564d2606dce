"""The step `fuse` on AIX: end and disarm what would write onto the new active node (guide §5.2).

Owns which jobs are disarmed and what proves it. Must not know crontab(1) (dialects.jobs). AIX has
no timers, and no crontabs besides the users' own.
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.platforms.crontabs import cron_users, disarm_crontabs, writers
from hamnd.core.policy import Policy
from hamnd.dialects import jobs, processes
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Report


def fuse(site: Site, policy: Policy, seen: Mapping[str, Report]) -> Step:
    """End what would overwrite the new active node: first what starts it, then what runs."""
    disarmed, unchanged, restored = disarm_crontabs(site, seen)
    running = writers(site, seen)
    users = cron_users(site)
    return Step(
        id="fuse",
        title=f"disarm the jobs that would write onto {site.node}",
        guide="5.2",
        host=site.node,
        actions=(*disarmed, *(processes.end(site, one) for one in running)),
        readiness=(*(jobs.crontab(site, one) for one in users), processes.processes(site)),
        preconditions=(*unchanged, *(processes.is_known(site, one) for one in running)),
        postconditions=(
            *(jobs.crontab_harmless(site, one) for one in users),
            jobs.nothing_writes(site),
        ),
        timeout_s=policy.step_timeout_s("fuse", 60.0),
        wait_s=60.0,
        compensation=restored,
    )
