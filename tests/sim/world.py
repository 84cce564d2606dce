"""Carries out hamnd's commands on the simulated site, with latencies, limits and losses.

Owns what lies between hamnd and the site: ssh, sockets, the fence agent, time limits, and what
becomes of a program when hamnd dies. Must not know the core's state nor what a report means. Each
request ends in one report, as the real adapters tell it: TIMED_OUT for a local program past its
limit, COULD_NOT_RUN when nothing was sent, NO_REPLY or LOST when nobody knows.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from hamnd.model.instant import Instant
from hamnd.model.names import Probe
from hamnd.model.site import Site
from hamnd.model.work import (
    ActionRequest,
    Edit,
    Ending,
    Exec,
    Fence,
    FenceStatus,
    LookRequest,
    Pull,
    Reach,
    Read,
    Report,
    Spread,
    Swap,
)
from tests.sim.ground import ADDRESSES, CONTROLLER, PRIMARY, STANDBY, Ground, Mood, Xcatd
from tests.sim.heap import Heap
from tests.sim.job import Job, Output, UnknownArgvError, at_once
from tests.sim.programs import Shell

RESPONSE = "<xcatresponse>\n  <serverdone></serverdone>\n</xcatresponse>\n"
DENIED = (
    "<xcatresponse>\n  <error>Permission denied for request</error>\n</xcatresponse>\n" + RESPONSE
)
Home = Callable[[Report], None]
Request = ActionRequest | LookRequest


@dataclass(slots=True)
class Call:
    """One request under way. `is_orphan`: nobody waits; `is_killed`: its program is gone too."""

    request: Request
    started: Instant
    deadline: float
    home: Home
    number: int
    is_home: bool = False
    is_orphan: bool = False
    is_killed: bool = False
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class Weather:
    """How unreliable the way to and from a program is; shares between 0 and 1."""

    lost_reports: float = 0.0
    """Programs of which hamnd never hears although they ran."""
    latency_s: float = 0.02
    """Mean of what every request costs besides its program."""


class World:
    """The site as hamnd's adapters see it."""

    def __init__(self, heap: Heap, ground: Ground, site: Site, dice: random.Random) -> None:
        self.heap = heap
        self.ground = ground
        self.site = site
        self.dice = dice
        self.weather = Weather()
        self.shell = Shell(ground, dice)
        self.booted = heap.now - 3600.0
        """True time at which the standby was booted: where its monotonic clock begins."""
        self.calls: dict[int, Call] = {}
        self._number = 0

    def instant(self) -> Instant:
        """Return now on the standby's two clocks."""
        node = self.ground.pair.nodes[STANDBY]
        return Instant(self.heap.now - self.booted, node.clock(self.heap.now))

    def ask(self, request: Request, timeout_s: float, home: Home) -> None:
        """Carry out one request; `home` is called once with its report."""
        self.ground.tick(self.heap.now)
        self._number += 1
        deadline = self.heap.now + timeout_s
        call = Call(request, self.instant(), deadline, home, self._number)
        self.calls[self._number] = call
        match request:
            case Exec() if request.host == STANDBY:
                self._begin(call, self.shell.start(request, self.heap.now, str(self._number)))
            case Exec():
                self._over_ssh(call, request, str(self._number))
            case Edit():
                self._begin(call, self.shell.edit(request))
            case Fence() | FenceStatus():
                self._ask_controller(call, request)
            case Reach():
                self._reach(call, request)
            case Read():
                self._begin(call, self.shell.read(request.host, request.path))
            case Spread():
                self._spread(call, request)
            case Swap() | Pull():
                raise UnknownArgvError(f"{request}")
            case _:
                assert_never(request)

    def _spread(self, call: Call, request: Spread) -> None:
        """Ask all hosts at once; it is home when the last of them answered or its limit is over."""
        lines: dict[str, str] = {}

        def came(host: str, report: Report) -> None:
            said = report.stdout.strip() if report.ending is Ending.EXITED else "not reached"
            lines[host] = f"{host}: {said}\n"
            if len(lines) == len(request.hosts):
                self._output(call, Output(stdout="".join(lines[one] for one in request.hosts)))

        for host in request.hosts:
            self.ask(
                Exec(host, request.argv),
                request.limit_s,
                lambda report, host=host: came(host, report),  # type: ignore[misc]
            )

    def abandon(self, kills: float) -> None:
        """Let everything under way lose its listener; `kills` is the share that dies with it."""
        for call in self.calls.values():
            call.is_orphan = True
            survives = call.job is None or call.job.survives
            call.is_killed = call.is_killed or (not survives and self.dice.random() < kills)

    def kill_programs(self) -> None:
        """The standby lost its power: no program of it goes on."""
        for call in self.calls.values():
            call.is_orphan = call.is_killed = True

    # Programs.

    def _latency_s(self) -> float:
        return self.dice.uniform(0.2, 1.8) * self.weather.latency_s

    def _begin(self, call: Call, job: Job, remote: str | None = None) -> None:
        call.job = job
        self._wait(call, job, job.seconds + self._latency_s(), remote)

    def _wait(self, call: Call, job: Job, seconds: float, remote: str | None) -> None:
        ends = self.heap.now + seconds
        if ends > call.deadline:
            late = Ending.TIMED_OUT if remote is None else Ending.NO_REPLY
            self.heap.at(call.deadline, lambda: self._overdue(call, late))
        self.heap.at(ends, lambda: self._finish(call, job, remote))

    def _overdue(self, call: Call, ending: Ending) -> None:
        """The limit is reached: a local program is ended, a remote one is left behind."""
        if call.is_home:
            return
        if ending is Ending.TIMED_OUT and call.job is not None and not call.job.survives:
            call.is_killed = True
        self._home(call, ending, "no end within the limit")

    def _finish(self, call: Call, job: Job, remote: str | None) -> None:
        if call.is_killed or (remote is not None and not self.ground.runs(remote)):
            self._lose(call, remote)
            return
        self.ground.tick(self.heap.now)
        ended = job.finish(self.heap.now)
        if isinstance(ended, float):
            self._wait(call, job, max(0.01, ended - self.heap.now), remote)
            return
        is_lost = self.dice.random() < self.weather.lost_reports
        if is_lost or (remote is not None and not self.ground.has_path(STANDBY, remote)):
            self._lose(call, remote)
            return
        self._output(call, ended)

    def _lose(self, call: Call, remote: str | None) -> None:
        """Nothing comes back: at once when the connection breaks, or when the limit is reached."""
        if call.is_home:
            return
        if remote is not None and self.dice.random() < 0.5:
            self._home(call, Ending.LOST, "the connection broke before the answer")
            return
        late = Ending.TIMED_OUT if remote is None else Ending.NO_REPLY
        self.heap.at(call.deadline, lambda: self._overdue(call, late))

    def _output(self, call: Call, output: Output) -> None:
        if call.is_home:
            return
        self._settle(
            call,
            Report(
                Ending.EXITED,
                call.started,
                self.instant(),
                output.exit_code,
                output.stdout,
                output.stderr,
            ),
        )

    def _home(self, call: Call, ending: Ending, detail: str) -> None:
        self._settle(call, Report(ending, call.started, self.instant(), detail=detail))

    def _settle(self, call: Call, report: Report) -> None:
        if call.is_home:
            return
        call.is_home = True
        self.calls.pop(call.number, None)
        if not call.is_orphan:
            call.home(report)

    def _later(self, call: Call, seconds: float, ending: Ending, detail: str) -> None:
        when = min(self.heap.now + seconds, call.deadline)
        self.heap.at(when, lambda: self._home(call, ending, detail))

    # Over the network.

    def _over_ssh(self, call: Call, request: Exec, session: str) -> None:
        ground, host = self.ground, request.host
        if not ground.talks(STANDBY, host) or ground.is_lost():
            # A connection that was open already takes the command and never answers.
            if self.dice.random() < 0.3:
                self.heap.at(call.deadline, lambda: self._overdue(call, Ending.NO_REPLY))
            else:
                limit_s = self.site.ssh.connect_timeout_s
                self._later(call, limit_s, Ending.COULD_NOT_RUN, f"{host}: connect timed out")
            return
        job = self.shell.start(request, self.heap.now, session)
        call.job = Job(job.seconds + 2 * ground.delay_s, job.finish, survives=True)
        self._wait(call, call.job, call.job.seconds + self._latency_s(), host)

    def _reach(self, call: Call, request: Reach) -> None:
        """Probe a port of the primary, or this node's own service address."""
        ground = self.ground
        own = request.address != ADDRESSES[PRIMARY]
        host = STANDBY if own else PRIMARY
        if own and not ground.holds[STANDBY]:
            self._later(call, math.inf, Ending.NO_REPLY, "no answer to connect")
            return
        answers = own or (ground.kernel_answers(STANDBY, host) and not ground.is_lost())
        talks = own or ground.talks(STANDBY, host)
        if not answers or ground.delay_s >= call.deadline - self.heap.now:
            self._later(call, math.inf, Ending.NO_REPLY, "no answer to connect")
            return
        output = self._port(request, own) if talks else None
        if request.probe is Probe.TCP:
            output = Output(0, "connected")
        if output is None:
            self._later(call, math.inf, Ending.NO_REPLY, "connected, then silent")
            return
        seconds = self._latency_s() + ground.delay_s
        if output.exit_code == 111:
            self._later(call, seconds, Ending.REFUSED, "nothing listens on that port")
            return
        call.job = at_once(output)
        self.heap.after(seconds, lambda: self._output(call, output))

    def _port(self, request: Reach, own: bool) -> Output | None:
        """Return what a living machine answers on a port; None: nothing ever comes."""
        ground = self.ground
        if request.probe is Probe.SSH_BANNER:
            return Output(0, "SSH-2.0-OpenSSH_9.2")
        if own:
            if ground.services.states["xcatd"] != "active":
                return Output(111)
            return Output(0, RESPONSE if ground.is_readable(STANDBY) else DENIED)
        if ground.xcatd is Xcatd.DOWN:
            return Output(111)
        if ground.xcatd is Xcatd.HANGS:
            return None
        return Output(0, RESPONSE if ground.is_readable(PRIMARY) else DENIED)

    # The power controller.

    def _ask_controller(self, call: Call, request: Fence | FenceStatus) -> None:
        ground = self.ground
        if self.site.fence.agent is None:
            self._home(call, Ending.COULD_NOT_RUN, "no fence agent is configured")
            return
        is_cut = (STANDBY, CONTROLLER) in ground.cuts
        if ground.mood is Mood.HANGS or (is_cut and self.dice.random() < 0.5):
            job = Job(math.inf, lambda _: math.inf)
        elif is_cut or ground.mood is Mood.FAILS:
            text = "Failed: Unable to connect/login to fencing device\n"
            job = at_once(Output(1, stderr=text), 0.5)
        else:
            job = self._controller_job(request.verb)
        self._begin(call, job)

    def _controller_job(self, verb: str) -> Job:
        mood = self.ground.mood
        is_slow = mood is Mood.SLOW
        seconds = (self.dice.uniform(4.0, 25.0) if is_slow else 0.3) * self.shell.haste
        match verb:
            case "monitor":
                return at_once(Output(), seconds)
            case "status":
                return Job(seconds, lambda _: self._power_status())
            case "off":
                if mood is Mood.REFUSES:
                    text = "Failed: You have no permission to power this plug off\n"
                    return at_once(Output(1, stderr=text), seconds)
                # What the controller began it finishes, whether anybody waits or not.
                off_s = seconds + 1.0 * self.shell.haste
                return Job(off_s, lambda _: self._power_off(mood), survives=True)
            case _:
                raise UnknownArgvError(f"fence {verb}")

    def _power_status(self) -> Output:
        ground = self.ground
        is_off = ground.power(PRIMARY).value == "off"
        told = is_off or ground.says_off or ground.mood is Mood.LIES_OFF
        ground.has_lied = ground.has_lied or (told and not is_off)
        return Output(2 if told else 0, f"Status: {'OFF' if told else 'ON'}\n")

    def _power_off(self, mood: Mood) -> Output:
        ground = self.ground
        if mood in (Mood.LIES_DONE, Mood.LIES_OFF):
            ground.says_off = True
            ground.has_lied = ground.has_lied or ground.power(PRIMARY).value != "off"
            return Output(0, "Success: Powered OFF\n")
        ground.power_off(PRIMARY)
        if mood is Mood.LOSES_SIGHT:
            return Output(1, stderr="Connection lost\n")
        return Output(0, "Success: Powered OFF\n")
