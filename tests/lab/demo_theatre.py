"""Tells stories side by side, as many at once as there are cores, each awaited by its own test.

Owns when a story begins. Must not know what it tells.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

import pytest

Key = TypeVar("Key")
Told = TypeVar("Told")


class Theatre(Generic[Key, Told]):
    """Stories by key. Must be made and closed in the loop that its tests share."""

    def __init__(self, tell: Callable[[Key], Awaitable[Told]], keys: Iterable[Key]) -> None:
        self._tell = tell
        self._cores = asyncio.Semaphore(len(os.sched_getaffinity(0)))
        self._tasks: dict[Key, asyncio.Task[Told]] = {}
        for key in keys:
            self._begin(key)

    def _begin(self, key: Key) -> asyncio.Task[Told]:
        if key not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._told(key), name=f"story {key}")
            self._tasks[key] = task
        return self._tasks[key]

    async def _told(self, key: Key) -> Told:
        async with self._cores:
            return await self._tell(key)

    async def told(self, key: Key) -> Told:
        """Return what a story came to; raises what it raised."""
        return await self._begin(key)

    async def close(self) -> None:
        """End what nobody waits for any more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def selected(request: pytest.FixtureRequest, name: str) -> list[Any]:
    """Return the values of a parameter in the tests of this module that were selected.

    Where tests are spread over processes there are none: each story begins when its turn comes.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return []
    items = [item for item in request.session.items if item.path == request.path]
    specs = [getattr(item, "callspec", None) for item in items]
    return [spec.params[name] for spec in specs if spec is not None and name in spec.params]
