"""Sends every request to the adapter that owns it.

Owns `RoutingWorld`. Must not know how any adapter works: all come as ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from hamnd.dialects.editing import edited
from hamnd.model.work import (
    Action,
    ActionRequest,
    Edit,
    Ending,
    Exec,
    Fence,
    FenceStatus,
    Look,
    LookRequest,
    Pull,
    Reach,
    Read,
    Report,
    Spread,
    Swap,
)
from hamnd.ports import Clock, CommandRunner, FenceDevice, Files, Puller, Reacher


@dataclass(frozen=True, slots=True)
class Adapters:
    """What the world consists of; `runners` by host name, this node's included."""

    runners: Mapping[str, CommandRunner]
    reacher: Reacher
    files: Files
    fence: FenceDevice | None = None
    puller: Puller | None = None


class RoutingWorld:
    """Performs actions and looks (port `World`)."""

    def __init__(self, node: str, adapters: Adapters, clock: Clock) -> None:
        """Take the name of this node: requests for it run here, others over ssh."""
        self._node = node
        self._adapters = adapters
        self._clock = clock

    async def perform(self, action: Action, timeout_s: float) -> Report:
        """Carry out one action once."""
        return await self._dispatch(action.request, timeout_s)

    async def look(self, look: Look) -> Report:
        """Carry out one look once, within its own limit."""
        return await self._dispatch(look.request, look.timeout_s)

    async def _dispatch(self, request: ActionRequest | LookRequest, timeout_s: float) -> Report:
        match request:
            case Exec() | Spread():
                return await self._programs(request, timeout_s)
            case Edit():
                return await self._edit(request, timeout_s)
            case Swap():
                if request.host != self._node:
                    return self._could_not(f"files are switched on {self._node} only")
                return await self._adapters.files.swap(request, timeout_s)
            case Pull():
                if self._adapters.puller is None or request.host != self._node:
                    return self._could_not(f"files are pulled to {self._node} only")
                return await self._adapters.puller.pull(request, timeout_s)
            case Fence() | FenceStatus():
                if self._adapters.fence is None:
                    return self._could_not("no fence agent is configured ([fence] agent)")
                return await self._adapters.fence.call(request, timeout_s)
            case Reach():
                return await self._adapters.reacher.reach(request, timeout_s)
            case Read():
                if request.host == self._node:
                    return await self._adapters.files.read(request, timeout_s)
                return await self._run(Exec(request.host, ("cat", request.path)), timeout_s)
            case _:
                assert_never(request)

    async def _programs(self, request: Exec | Spread, timeout_s: float) -> Report:
        """Run a program here or there; on several hosts together, telling how each ended."""
        if isinstance(request, Exec):
            return await self._run(request, timeout_s)
        started = self._clock.now()
        reports = await asyncio.gather(
            *(self._run(Exec(host, request.argv), request.limit_s) for host in request.hosts)
        )
        lines = (f"{host}: {_ended(one)}" for host, one in zip(request.hosts, reports, strict=True))
        told = "".join(f"{line}\n" for line in lines)
        return Report(Ending.EXITED, started, self._clock.now(), exit_code=0, stdout=told)

    async def _edit(self, request: Edit, timeout_s: float) -> Report:
        """Read the text as it is now, and hand it back edited; no report carries any of it."""
        seen = await self._run(Exec(request.host, request.tells), timeout_s)
        if seen.ending is not Ending.EXITED or seen.exit_code != 0 or seen.truncated:
            why = seen.detail or f"exit code {seen.exit_code}"
            return self._could_not(f"nothing was changed: the text could not be read ({why})")
        result = edited(seen.stdout, request)
        told = replace(seen, finished=self._clock.now(), stdout="", stderr="")
        if result is None:
            return replace(told, exit_code=1, stderr="it has changed since the plan was made")
        if result == seen.stdout:
            return replace(told, stdout="it was edited already")
        left_s = timeout_s - (told.finished.monotonic_s - seen.started.monotonic_s)
        if left_s <= 0:
            return self._could_not("nothing was changed: no time was left after reading")
        written = await self._run(Exec(request.host, request.takes, stdin=result), left_s)
        return replace(
            written,
            started=seen.started,
            stdout="",
            stderr=_without(written.stderr, seen.stdout),
        )

    async def _run(self, request: Exec, timeout_s: float) -> Report:
        runner = self._adapters.runners.get(request.host)
        if runner is None:
            return self._could_not(f"no way to run a program on {request.host} is configured")
        return await runner.run(request, timeout_s)

    def _could_not(self, detail: str) -> Report:
        now = self._clock.now()
        return Report(Ending.COULD_NOT_RUN, now, now, detail=detail)


def _ended(report: Report) -> str:
    if report.ending is not Ending.EXITED:
        return f"not reached ({report.detail or report.ending})"
    said = " ".join((report.stdout.strip() or report.stderr).split())
    return said if report.exit_code == 0 else f"exit code {report.exit_code}: {said}"


def _without(said: str, text: str) -> str:
    """Return a message without the words of a text that the program may have repeated."""
    known = set(text.split())
    return " ".join("***" if len(one) > 2 and one in known else one for one in said.split())
