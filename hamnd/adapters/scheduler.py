"""Turns time into ticks with APScheduler 3.

Owns `TickSource`. Must not know what a tick is for: callbacks only put an event on the runtime's
queue, and the core decides from instants whether a tick came late (style.md §2.6).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from hamnd.dialects.schedule import parse_schedule

MISFIRE_GRACE_S = 60
"""A tick that a busy loop delays is still fired; the default of one second would drop it."""


class _Late(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """The beats of another trigger, each so much later at random, on a clock that never goes back.

    CronTrigger's own jitter adds local time: of an hour that comes twice it never finds the end,
    and the scheduler, which asks until a beat lies ahead, never comes back to the loop.
    """

    def __init__(self, beats: BaseTrigger, jitter_s: float) -> None:
        self._beats = beats
        self._jitter_s = jitter_s

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        beat = self._beats.get_next_fire_time(previous, now)
        if beat is None:
            return None
        late = timedelta(seconds=random.uniform(0.0, self._jitter_s))
        moment: datetime = beat.astimezone(UTC) + late
        return moment


def cron_trigger(schedule: str, jitter_s: float, zone: tzinfo | None = None) -> BaseTrigger:
    """Return when a schedule is due, in this host's own time zone unless another one is named.

    Raises:
        NoSchedule: the text is none.
    """
    read = parse_schedule(schedule)
    beats = CronTrigger(
        second=read.second,
        minute=read.minute,
        hour=read.hour,
        day=read.day,
        month=read.month,
        day_of_week=read.weekday,
        timezone=zone,
    )
    return _Late(beats, jitter_s)


class TickSource:
    """Calls callbacks at intervals, in the event loop."""

    def __init__(self) -> None:
        """Make an idle scheduler; `start` needs a running loop."""
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": MISFIRE_GRACE_S,
            },
        )

    def every(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        """Call `callback` every `seconds`, first after one interval. A known name is replaced."""

        async def tick() -> None:
            # A coroutine, because APScheduler would run a plain function in another thread.
            callback()

        self._scheduler.add_job(
            tick, IntervalTrigger(seconds=seconds), id=name, name=name, replace_existing=True
        )

    def set_interval(self, name: str, seconds: float) -> None:
        """Change the rhythm of a tick; the next one comes after the new interval.

        Raises:
            KeyError: there is no tick of that name.
        """
        if self._scheduler.get_job(name) is None:
            raise KeyError(name)
        self._scheduler.reschedule_job(name, trigger=IntervalTrigger(seconds=seconds))

    def at(self, name: str, schedule: str, jitter_s: float, callback: Callable[[], None]) -> None:
        """Call `callback` at the times of a schedule, in this host's own time zone, as cron does.

        A known name is replaced.

        Raises:
            NoSchedule: the text is none.
        """
        trigger = cron_trigger(schedule, jitter_s)

        async def tick() -> None:
            callback()

        self._scheduler.add_job(tick, trigger, id=name, name=name, replace_existing=True)

    def next_at(self, name: str) -> float | None:
        """Return when a tick comes next, in epoch seconds; None where there is none."""
        job = self._scheduler.get_job(name)
        moment = None if job is None else getattr(job, "next_run_time", None)
        return None if moment is None else float(moment.timestamp())

    def forget(self, name: str) -> None:
        """End a tick; there need not be one of that name."""
        if self._scheduler.get_job(name) is not None:
            self._scheduler.remove_job(name)

    def start(self) -> None:
        """Begin; call it from the running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop all ticks."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
