"""Pulls trees of the partner here, in a process of its own.

Owns `WorkerPuller`: the process `hamnd.pulling`, its job, and how far it tells to be. Must not know
how a tree is compared. A walk over a million files would hold up the daemon's loop and its memory;
the worker has its own, and ends with everything it started when its time is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import hamnd
from hamnd.dialects import rsync
from hamnd.model.copying import Progress
from hamnd.model.site import Site
from hamnd.model.work import Exec, Pull, Report
from hamnd.ports import CommandRunner, Placed, as_configured

PROGRESS_INTERVAL_S = 1.0
PROGRESS_BYTES_MAX = 4096

OnProgress = Callable[[str, Progress], None]


class WorkerPuller:
    """Runs the worker on this node (port `Puller`)."""

    def __init__(
        self,
        site: Site,
        local: CommandRunner,
        on_progress: OnProgress,
        placed: Placed = as_configured,
    ) -> None:
        """Take the runner of this node, who is told how far a pull is, and where hosts are."""
        self._placed = placed
        self._site = site
        self._local = local
        self._on_progress = on_progress

    async def pull(self, request: Pull, timeout_s: float) -> Report:
        """Pull once. What a worker left undone the next one goes on with."""
        where = f"PYTHONPATH={Path(hamnd.__file__).parent.parent}"
        argv = ("env", where, sys.executable, "-m", "hamnd.pulling")
        job = json.dumps(rsync.job_of(request, self._placed(self._site)))
        exec_ = Exec(self._site.node, argv, stdin=job)
        told = Path(rsync.folder_of(self._site, request.name)) / rsync.PROGRESS
        await asyncio.to_thread(told.unlink, missing_ok=True)
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell(request.name, told), name="pull-progress")
            try:
                return await self._local.run(exec_, timeout_s)
            finally:
                telling.cancel()

    async def _tell(self, name: str, told: Path) -> None:
        """Tell what the worker wrote last, as often as it is anything new."""
        before: Progress | None = None
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            with contextlib.suppress(OSError):
                text = await asyncio.to_thread(_read, told)
                progress = rsync.read_progress(text)
                if progress is not None and progress != before:
                    before = progress
                    self._on_progress(name, progress)


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(PROGRESS_BYTES_MAX)
