"""Turns time into ticks: rhythms on the loop's own clock, schedules with APScheduler 3.

Owns `TickSource`. Must not know what a tick is for: callbacks only put an event on the runtime's
queue, and the core decides from instants whether a tick came late (style.md §2.6).

APScheduler lives by the wall clock. A rhythm of its would stop for an hour when somebody sets the
clock back by one, and nobody would watch meanwhile: so rhythms do not go through it, and schedules
are told when the clock was set.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from hamnd.dialects.schedule import parse_schedule
from hamnd.ports import Clock

log = structlog.get_logger(__name__)

MISFIRE_GRACE_S = 60
"""A tick that a busy loop delays is still fired; the default of one second would drop it."""

COMPARE_S = 5.0
"""How often the wall clock is compared with the monotonic one."""

SET_BY_S = 2.0
"""So much in between was no drift: NTP slews by less, and schedules mean whole minutes."""


class _Beat:
    """One rhythm; what a busy loop delayed is not made up for."""

    def __init__(self, seconds: float, callback: Callable[[], None]) -> None:
        self._seconds = seconds
        self._callback = callback
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float | None = None) -> None:
        """Tick from now on, first after one interval; needs a running loop."""
        self.end()
        self._seconds = self._seconds if seconds is None else seconds
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + self._seconds, self._tick)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        assert self._timer is not None
        loop = asyncio.get_running_loop()
        following = self._timer.when() + self._seconds
        if following <= loop.time():
            following = loop.time() + self._seconds
        self._timer = loop.call_at(following, self._tick)
        self._callback()


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
    """Calls callbacks in rhythms and at the times of schedules, in the event loop."""

    def __init__(self, clock: Clock, compare_s: float = COMPARE_S) -> None:
        """Make an idle source; `start` needs a running loop."""
        self._clock = clock
        self._beats: dict[str, _Beat] = {}
        self._is_running = False
        self._ahead_s = self._wall_ahead_s()
        self._comparing = _Beat(compare_s, self._compare)
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
        if name in self._beats:
            self._beats[name].end()
        self._beats[name] = _Beat(seconds, callback)
        if self._is_running:
            self._beats[name].begin()

    def set_interval(self, name: str, seconds: float) -> None:
        """Change the rhythm of a tick; the next one comes after the new interval.

        Raises:
            KeyError: there is no tick of that name.
        """
        self._beats[name].begin(seconds)

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
        self._is_running = True
        for beat in (*self._beats.values(), self._comparing):
            beat.begin()
        self._scheduler.start()

    def stop(self) -> None:
        """Stop all ticks."""
        self._is_running = False
        for beat in (*self._beats.values(), self._comparing):
            beat.end()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _wall_ahead_s(self) -> float:
        now = self._clock.now()
        return now.wall_s - now.monotonic_s

    def _compare(self) -> None:
        """Plan every schedule anew when the wall clock was set: what was planned is elsewhere now.

        What lay in a time that was jumped over comes at its next turn.
        """
        before, self._ahead_s = self._ahead_s, self._wall_ahead_s()
        if abs(self._ahead_s - before) < SET_BY_S:
            return
        log.warning("clock_was_set", by_s=round(self._ahead_s - before, 1))
        for job in self._scheduler.get_jobs():
            job.reschedule(job.trigger)
