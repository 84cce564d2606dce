"""Reads small files of this node.

Owns `LocalFiles`. Must not know what is in them.
"""

from __future__ import annotations

import asyncio
import os
import stat

from hamnd.model.work import Ending, Read, Report
from hamnd.ports import Clock

FILE_BYTES_MAX = 1_048_576


class LocalFiles:
    """Reads files in a worker thread (port `FileReader`): a dead NFS server stops that alone."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock for the reports."""
        self._clock = clock

    async def read(self, request: Read, timeout_s: float) -> Report:
        """Return the text as stdout with exit code 0, or exit code 1 and the reason as stderr."""
        started = self._clock.now()
        try:
            async with asyncio.timeout(timeout_s):
                data, truncated = await asyncio.to_thread(_read, request.path)
        except TimeoutError:
            detail = f"{request.path} was not read within {timeout_s:g} s"
            return Report(Ending.TIMED_OUT, started, self._clock.now(), detail=detail)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return Report(
                Ending.EXITED,
                started,
                self._clock.now(),
                exit_code=1,
                stderr=f"{request.path}: {reason}",
            )
        return Report(
            Ending.EXITED,
            started,
            self._clock.now(),
            exit_code=0,
            stdout=data.decode("utf-8", errors="replace"),
            truncated=truncated,
        )


def _read(path: str) -> tuple[bytes, bool]:
    # Without O_NONBLOCK, opening a FIFO would wait for its writer.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "not a regular file")
        data = file.read(FILE_BYTES_MAX + 1)
    return data[:FILE_BYTES_MAX], len(data) > FILE_BYTES_MAX
