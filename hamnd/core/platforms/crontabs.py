"""Crontabs and running jobs that would write onto the new active node: every platform's fuse.

Owns whose crontabs count, and how they are disarmed. Must not know crontab(1) (dialects.jobs).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from hamnd.dialects import jobs, processes
from hamnd.dialects.cron import Names
from hamnd.model.site import Site
from hamnd.model.work import Action, Look, Reading, Report


def cron_users(site: Site) -> tuple[str | None, ...]:
    """Whose crontabs count: the user hamnd runs as, and the database's owner."""
    owner = site.database_owner
    return (None,) if owner == "root" else (None, owner)


def crontab_key(user: str | None) -> str:
    """Return the key under which a user's crontab is seen."""
    return f"crontab:{user}" if user else "crontab"


def disarm_crontabs(
    site: Site, seen: Mapping[str, Report]
) -> tuple[tuple[Action, ...], tuple[Look, ...], tuple[Action, ...]]:
    """Return the disarming actions, the looks that nobody edited meanwhile, and the way back."""
    disarmed: tuple[Action, ...] = ()
    unchanged: tuple[Look, ...] = ()
    restored: tuple[Action, ...] = ()
    for user in cron_users(site):
        report = seen.get(crontab_key(user))
        text = jobs.parse_crontab(report) if report is not None else None
        edit = jobs.disarm_crontab(site, user, text) if text is not None else None
        if edit is None:
            continue
        disarmed += (Action(edit),)
        unchanged += (jobs.crontab_is(site, user, edit),)
        restored += (Action(jobs.rearm_crontab(edit)),)
    return disarmed, unchanged, restored


HARMLESS = {
    "crontab": jobs.read_crontab_harmless,
    "cron_files": jobs.read_cron_files_harmless,
    "timers": jobs.read_timers_harmless,
    "processes": jobs.read_nothing_writes,
}
"""What judges each kind of job, by the first word of the key under which it is seen."""


def armed(site: Site, seen: Mapping[str, Report]) -> tuple[Reading, ...]:
    """Return of every kind of job that was seen whether it writes onto this node."""
    arguments = Names.of(site).to_arguments()
    kinds = ((key.partition(":")[0], report) for key, report in seen.items())
    return tuple(_judged(kind, report, arguments) for kind, report in kinds if kind in HARMLESS)


@lru_cache(maxsize=16)
def _judged(kind: str, report: Report, arguments: tuple[str, ...]) -> Reading:
    """Judge a report once: it stands for a minute, and is asked for with every event."""
    return HARMLESS[kind](report, arguments)


def writers(site: Site, seen: Mapping[str, Report]) -> tuple[processes.Writer, ...]:
    """Return what runs and writes onto this node, as far as it was seen."""
    report = seen.get("processes")
    if report is None:
        return ()
    return processes.parse_writers(report, Names.of(site)) or ()
