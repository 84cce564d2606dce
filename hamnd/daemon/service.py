"""The daemon from the first adapter to the last close: start, reload, drain.

Owns the life of one process: what is opened in which order, what a signal does, what is closed.
Must not decide anything about the pair. Starting and stopping touch no database, address or service
(design law 8): the first command of the world comes from the engine's own ticks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from functools import partial
from pathlib import Path

import structlog

from hamnd import __version__
from hamnd.adapters.clock import SystemClock
from hamnd.adapters.control import ControlLimits, ControlServer, ControlSettings
from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock, set_aside
from hamnd.adapters.logs import configure_logs
from hamnd.adapters.peer import PeerIdentity
from hamnd.adapters.scheduler import TickSource
from hamnd.adapters.supervisor import find_supervisor
from hamnd.core import rehearsing
from hamnd.core.engine import step
from hamnd.core.events import (
    ConnectionLost,
    CopyMoved,
    Event,
    Halted,
    RoutineDue,
    Started,
    TermsChanged,
)
from hamnd.core.policy import Terms
from hamnd.core.routines import routines_of
from hamnd.core.snapshot import dump, restore
from hamnd.core.state import NodeState
from hamnd.core.whereabouts import placed_site, present
from hamnd.daemon.configuration import (
    Configuration,
    RefusedReload,
    ReloadRefused,
    difference,
    fixed_problems,
    held_problems,
    is_other_site,
    read_configuration,
)
from hamnd.daemon.executor import Executor, Hooks
from hamnd.daemon.handler import ControlHandler
from hamnd.daemon.host import effective_user, free_bytes, read_boot_id
from hamnd.daemon.ledger import JournalThread, Ledger
from hamnd.daemon.pages import Pages
from hamnd.daemon.paperwork import write_guard_conf, write_line, write_report, write_runbook
from hamnd.daemon.parts import Core, Item, Limits, Parts
from hamnd.daemon.runtime import Runtime
from hamnd.daemon.wiring import Wiring, retire
from hamnd.errors import HamndError, JournalError
from hamnd.model.copying import Progress
from hamnd.model.instant import Instant
from hamnd.model.names import Rhythm
from hamnd.model.record import Record
from hamnd.model.site import Site
from hamnd.settings import Problem

log = structlog.get_logger(__name__)

MIB = 1_048_576
RUNBOOK_ANEW = ("runbook-anew", "3 3 * * *", 0.0)
"""Every night, whatever became of the one that lies there."""
ANSWER_MARGIN_S = 5.0
"""What the socket waits longer than the loop: the loop's answer says more."""


class Service:
    """One daemon process on one configuration file."""

    def __init__(
        self, path: Path, terms: Terms, journal_timeout_s: float, limits: Limits | None = None
    ) -> None:
        """Take the file (read again at SIGHUP), and what was read from it."""
        self._path = path
        self._first_terms = terms
        self._journal_timeout_s = journal_timeout_s
        self._limits = _limits(journal_timeout_s) if limits is None else limits
        self._clock = SystemClock()
        self._supervisor = find_supervisor(os.environ, self._clock)
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._ticks = TickSource(self._clock)
        self._is_beating = False
        self._lines: dict[str, str] = {}
        self._lines_lock = asyncio.Lock()
        self._scheduled: set[str] = set()
        self._reach_interval_s: float | None = None

    async def run(self) -> None:
        """Live until SIGTERM or SIGINT.

        Raises:
            HamndError: hamnd cannot start here; nothing was touched.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        site = self._first_terms.site
        wiring = Wiring(self._clock, effective_user(), self._lost, self._moved, self._placed)
        self._wiring = wiring
        self._boot_id = await read_boot_id(wiring.local(site), site.node)
        settings = JournalSettings(
            Path(site.paths.state_dir),
            self._boot_id,
            site.operators,
            site.journal_reserve_mib * MIB,
        )
        lock = StateLock(settings)
        self._wired = wiring.build(site)
        hooks = Hooks(
            self._set_reach_interval, self._write_report, self._tell_partner, self._tell_guard
        )
        self._executor = Executor(self._wired.world, self._clock, hooks)
        self._ledger = Ledger(
            lambda: SqliteJournal(settings, lock), JournalThread(), self._journal_timeout_s
        )
        try:
            await self._live(settings, lock)
        finally:
            await self._wired.close()
            await self._ledger.close()
            lock.release()
            log.info("stopped")

    async def _live(self, settings: JournalSettings, lock: StateLock) -> None:
        state, trouble = await self._recover()
        parts = Parts(
            Core(step, dump),
            self._clock,
            self._ledger,
            self._executor,
            self._supervisor,
            lambda: free_bytes(str(settings.state_dir)),
            self._limits,
        )
        self._runtime = Runtime(parts, self._first_terms, state)

        def aside(record: Record, now: Instant) -> Path:
            return set_aside(settings, lock, record, now)

        handler = ControlHandler(self._runtime, self._clock, aside, self._ticks.next_at)
        begin: tuple[Event, ...] = (Started(self._boot_id),)
        if trouble:
            log.critical("journal_unusable", reason=trouble)
            begin = (Halted(trouble), *begin)
        limits = ControlLimits(request_s=parts.limits.answer_s + ANSWER_MARGIN_S)
        site = self._first_terms.site
        self._control = ControlServer(
            ControlSettings(Path(site.paths.socket), site.operators, limits, site.operators_users),
            PeerIdentity(site.operators, site.operators_users).identify,
            handler,
            handler.watch,
        )
        self._pages = Pages(self._runtime, handler, self._clock)
        await self._control.start()
        try:
            await self._runtime.run(begin, self._serve)
        finally:
            await self._control.close()

    async def _recover(self) -> tuple[NodeState, str]:
        """Return the state to go on from, and why no action may start from it, if so."""
        try:
            text, memory = await self._ledger.open()
        except JournalError as error:
            return NodeState(), str(error)
        if text is None:
            return NodeState(), ""
        try:
            return restore(text, memory), ""
        except ValueError as error:
            trouble = f"the journal's state cannot be read: {error}; it is left as it is"
            await self._ledger.refuse(trouble)
            return NodeState(), trouble

    async def _serve(self) -> None:
        """Tick and answer until told to stop, then let what acts come home."""
        runtime = self._runtime
        here = present(self._first_terms, runtime.state)
        await _tell_guard(here.site)
        runtime.spawn(self._reloading(), "reload")
        policy = self._first_terms.policy
        self._ticks.start()
        self._beat(self._reach_interval_s or policy.reach_interval_s, Rhythm.REACH)
        self._is_beating = True
        self._beat(policy.replication_interval_s, Rhythm.REPLICATION)
        self._beat(policy.readiness_interval_s, Rhythm.READINESS)
        self._schedule(self._first_terms)
        await runtime.has_begun()
        async with self._pages.served(self._first_terms.site.metrics):
            log.info("started", version=__version__, node=self._first_terms.site.node)
            await self._write_runbook(here)
            self._ticks.at(*RUNBOOK_ANEW, self._renew_runbook)
            await self._stop.wait()
            log.info("draining")
            self._is_beating = False
            self._ticks.stop()
            if not await runtime.drain():
                await self._abandon()

    async def _abandon(self) -> None:
        """End at once and leave a running action to itself; it is unknown at the next start.

        An orderly end would cancel its adapter, which ends the program: a promotion killed half way
        is worse than one that nobody listens to (design law 8).
        """
        log.warning("drain_incomplete", outcome="the running action is left to itself, unknown")
        await self._control.close()
        await self._ledger.close()
        logging.shutdown()
        os._exit(0)

    def _beat(self, seconds: float, rhythm: Rhythm) -> None:
        self._ticks.every(rhythm.value, seconds, lambda: self._runtime.tick(rhythm))

    def _schedule(self, terms: Terms) -> None:
        """Tick for all scheduled work of these terms, and for nothing else."""
        site = terms.site
        wanted = {one.name: (one.schedule, one.jitter_s) for one in routines_of(terms)}
        wanted[rehearsing.ROUTINE] = (site.rehearsal_schedule, site.rehearsal_jitter_s)
        wanted = {name: times for name, times in wanted.items() if times[0]}
        for name in self._scheduled - set(wanted):
            self._ticks.forget(name)
        for name, (schedule, jitter_s) in wanted.items():
            due = partial(self._runtime.post, RoutineDue(name))
            self._ticks.at(name, schedule, jitter_s, due)
        self._scheduled = set(wanted)

    # What adapters and the executor call back

    def _moved(self, name: str, progress: Progress) -> None:
        self._runtime.post(CopyMoved(name, progress))

    def _placed(self, site: Site) -> Site:
        return placed_site(site, self._runtime.state)

    def _lost(self, host: str) -> None:
        self._runtime.post(ConnectionLost(host))

    def _set_reach_interval(self, seconds: float) -> None:
        """Beat at this interval; the first decision may ask for it before anything beats."""
        self._reach_interval_s = seconds
        if self._is_beating:
            self._ticks.set_interval(Rhythm.REACH.value, seconds)

    async def _write_report(self, digest: str) -> None:
        state_dir = Path(self._runtime.terms.site.paths.state_dir)
        path = await asyncio.to_thread(write_report, state_dir, digest)
        if path is None:
            log.info(
                "report_kept", digest=digest, reason="the journal was begun anew since that run"
            )
        else:
            log.info("report_written", digest=digest, path=str(path))

    async def _tell_partner(self, name: str, line: str) -> None:
        """Write the latest line of a file, whatever was asked for before it."""
        self._lines[name] = line
        async with self._lines_lock:
            state_dir = Path(self._runtime.terms.site.paths.state_dir)
            await asyncio.to_thread(write_line, state_dir, name, self._lines[name])

    async def _tell_guard(self) -> None:
        await _tell_guard(present(self._runtime.terms, self._runtime.state).site)

    def _renew_runbook(self) -> None:
        here = present(self._runtime.terms, self._runtime.state)
        self._runtime.spawn(self._write_runbook(here), "runbook")

    async def _write_runbook(self, terms: Terms) -> None:
        """Leave the takeover by hand on the disk; without it hamnd works on, and says so."""
        try:
            path = await asyncio.to_thread(write_runbook, terms)
        except OSError as error:
            log.warning("runbook_not_written", error=str(error), outcome="the older one is kept")
        else:
            log.info("runbook_written", path=str(path))

    # Reload

    async def _reloading(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._supervisor.reloading()
            try:
                await self._reread()
            except HamndError as error:
                log.error("reload_failed", error=str(error), outcome="old configuration in force")
            self._supervisor.ready()

    async def _reread(self) -> None:
        """Put the file in force whole, or keep the old terms and log every problem."""
        found = await asyncio.to_thread(read_configuration, self._path, host_decides=True)
        old = self._runtime.terms
        problems = found.problems
        if found.terms is not None:
            problems = (*problems, *fixed_problems(old.site, found.terms.site))
        if found.terms is None or any(problem.is_error for problem in problems):
            self._refuse(problems)
            return
        try:
            await self._apply(old, found, found.terms)
        except ReloadRefused as refused:
            self._refuse((*problems, *refused.problems))
            return
        log_problems(problems)
        self._runtime.tell_reload(None)

    def _refuse(self, problems: tuple[Problem, ...]) -> None:
        log_problems(problems)
        log.error("reload_refused", path=str(self._path), outcome="old configuration in force")
        now = self._clock.now().wall_s
        self._runtime.tell_reload(RefusedReload(now, str(self._path), problems))

    async def _apply(self, old: Terms, found: Configuration, new: Terms) -> None:
        wired = self._wiring.build(new.site)
        retired = self._wired

        def swap() -> None:
            self._wired = wired
            self._executor.world = wired.world
            self._ledger.limit_s = found.journal_timeout_s
            self._beat(new.policy.reach_interval_s, Rhythm.REACH)
            self._beat(new.policy.replication_interval_s, Rhythm.REPLICATION)
            self._beat(new.policy.readiness_interval_s, Rhythm.READINESS)
            self._schedule(new)
            configure_logs(new.site.log_level)

        def refusal(state: NodeState) -> HamndError | None:
            problems = held_problems(old.site, new.site) if state.run is not None else ()
            return ReloadRefused(problems) if problems else None

        summary = difference(old, new)
        event = TermsChanged(summary, is_site_changed=is_other_site(old.site, new.site))
        try:
            await self._runtime.decide(Item(event, terms=new, apply=swap, refusal=refusal))
        finally:
            unused = retired if self._wired is wired else wired
            self._runtime.spawn(retire(unused, self._executor), "retire")
        here = present(new, self._runtime.state)
        await _tell_guard(here.site)
        log.info("reloaded", changed=summary)
        await self._write_runbook(here)


async def _tell_guard(site: Site) -> None:
    """Leave in the state directory what hamn-guard needs; without it the guard has the last one."""
    try:
        await asyncio.to_thread(write_guard_conf, site)
    except OSError as error:
        log.error("guard_not_told", error=str(error), outcome="hamn-guard goes by its last file")


def log_problems(problems: tuple[Problem, ...]) -> None:
    """Write one line for each finding about the configuration."""
    for problem in problems:
        say = log.error if problem.is_error else log.warning
        say("configuration_problem", **problem.as_json())


def _limits(journal_timeout_s: float) -> Limits:
    """Return limits that leave room for one write that is as slow as it may be."""
    plain = Limits()
    return Limits(
        answer_s=max(plain.answer_s, 2 * journal_timeout_s + 5.0),
        stall_s=max(plain.stall_s, journal_timeout_s + 5.0),
    )
