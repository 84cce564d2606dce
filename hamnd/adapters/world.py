"""Sends every request to the adapter that owns it.

Owns `RoutingWorld`. Must not know how any adapter works: all come as ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from hamnd.model.work import (
    Action,
    Ending,
    Exec,
    Fence,
    FenceStatus,
    Look,
    Reach,
    Read,
    Report,
)
from hamnd.ports import Clock, CommandRunner, FenceDevice, FileReader, Reacher


@dataclass(frozen=True, slots=True)
class Adapters:
    """What the world consists of; `runners` by host name, this node's included."""

    runners: Mapping[str, CommandRunner]
    reacher: Reacher
    files: FileReader
    fence: FenceDevice | None = None


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

    async def _dispatch(
        self, request: Exec | Fence | FenceStatus | Reach | Read, timeout_s: float
    ) -> Report:
        match request:
            case Exec():
                return await self._run(request, timeout_s)
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

    async def _run(self, request: Exec, timeout_s: float) -> Report:
        runner = self._adapters.runners.get(request.host)
        if runner is None:
            return self._could_not(f"no way to run a program on {request.host} is configured")
        return await runner.run(request, timeout_s)

    def _could_not(self, detail: str) -> Report:
        now = self._clock.now()
        return Report(Ending.COULD_NOT_RUN, now, now, detail=detail)
