"""The step `fuse`: end and disarm what would write onto the new active node (guide §5.2).

Owns which jobs are disarmed and what proves it. Must not know crontabs or timers (dialects.jobs).
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.core.platforms.crontabs import cron_users, disarm_crontabs, writers
from hamnd.core.policy import Policy
from hamnd.dialects import cronfiles, jobs, linux, processes
from hamnd.dialects.cron import Names
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Action, Look, Report


def fuse(site: Site, policy: Policy, seen: Mapping[str, Report]) -> Step:
    """End what would overwrite the new active node, as far as it was seen.

    First what would start it again (crontabs, timers), then what runs already, each by its number.
    """
    disarmed, unchanged, restored = disarm_crontabs(site, seen)
    edited, same, given_back = _disarm_files(site, seen)
    stopped, started = _stop_timers(site, seen)
    running = writers(site, seen)
    harmless = tuple(jobs.crontab_harmless(site, user) for user in cron_users(site))
    readable = tuple(jobs.crontab(site, user) for user in cron_users(site))
    return Step(
        id="fuse",
        title=f"disarm the jobs that would write onto {site.node}",
        guide="5.2",
        host=site.node,
        actions=(
            *disarmed,
            *edited,
            *stopped,
            *(processes.end(site, one) for one in running),
        ),
        readiness=(*readable, cronfiles.files(site), jobs.timers(site), processes.processes(site)),
        preconditions=(*unchanged, *same, *(processes.is_known(site, one) for one in running)),
        postconditions=(
            *harmless,
            jobs.timers_harmless(site),
            jobs.cron_files_harmless(site),
            jobs.nothing_writes(site),
        ),
        timeout_s=policy.step_timeout_s("fuse", 60.0),
        wait_s=60.0,
        compensation=restored + given_back + started,
    )


def _disarm_files(
    site: Site, seen: Mapping[str, Report]
) -> tuple[tuple[Action, ...], tuple[Look, ...], tuple[Action, ...]]:
    """Do the same for /etc/crontab and /etc/cron.d; what cannot be edited is named and blocks."""
    report = seen.get("cron_files")
    found = cronfiles.parse_files(report) if report is not None else None
    if found is None:
        return (), (jobs.cron_files_harmless(site),), ()
    dangerous = [one for one in found if cronfiles.is_dangerous(site, one)]
    edits = [edit for one in dangerous if (edit := cronfiles.disarm(site, one)) is not None]
    unchanged = tuple(cronfiles.is_unchanged(site, edit) for edit in edits)
    if len(edits) < len(dangerous):
        unchanged = (jobs.cron_files_harmless(site),)
    restored = tuple(Action(jobs.rearm_crontab(edit)) for edit in edits)
    return tuple(Action(edit) for edit in edits), unchanged, restored


def _stop_timers(
    site: Site, seen: Mapping[str, Report]
) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """Return what stops the dangerous timers and their services, and what starts the timers."""
    report = seen.get("timers")
    services = (jobs.parse_timers(report) if report is not None else None) or ()
    stopped: tuple[Action, ...] = ()
    started: tuple[Action, ...] = ()
    for one in jobs.dangerous_services(services, Names.of(site)):
        stopped += (linux.stop_unit(site, *one.timers, one.service),)
        started += tuple(linux.start_unit(site, timer) for timer in one.timers)
        if one.enabled:
            stopped += (linux.disable_units(site, *one.enabled),)
            started += (linux.enable_units(site, *one.enabled),)
    return stopped, started
