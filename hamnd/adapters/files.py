"""Reads small files of this node, and puts staged ones in their place.

Owns `LocalFiles`. Must not know what is in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import shutil
import stat

from hamnd.model.work import Ending, Read, Report, Swap
from hamnd.ports import Clock

FILE_BYTES_MAX = 1_048_576
NOTHING_STAGED = 3
"""Exit code of a switch without anything to switch (model.work.Swap)."""
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""renameat2(2): exchange two paths at once; Linux 3.15, not on every file system."""


class LocalFiles:
    """Touches files in a worker thread (port `Files`): a dead NFS server stops that alone."""

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

    async def swap(self, request: Swap, timeout_s: float) -> Report:
        """Switch what is staged into its place; see the port."""
        started = self._clock.now()
        code, reason = 0, ""
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.to_thread(_swap, request.staged, request.target, request.kept)
        except TimeoutError:
            detail = f"{request.target} was not switched within {timeout_s:g} s"
            return Report(Ending.LOST, started, self._clock.now(), detail=detail)
        except FileNotFoundError as missing:
            code, reason = NOTHING_STAGED, f"{missing.filename} is not there"
        except OSError as error:
            code, reason = 1, f"{request.target}: {error.strerror}"
        return Report(Ending.EXITED, started, self._clock.now(), exit_code=code, stderr=reason)


def _swap(staged: str, target: str, kept: str) -> None:
    """Put `staged` at `target` and what was there at `kept`; a set is never half of each.

    Raises OSError; FileNotFoundError where nothing is staged.
    """
    _sync_all(staged)
    _remove(kept)
    if not os.path.lexists(target):
        os.rename(staged, target)
    elif _exchange(staged, target):
        os.rename(staged, kept)
    else:
        os.rename(target, kept)
        try:
            os.rename(staged, target)
        except OSError:
            os.rename(kept, target)
            raise
    for folder in {os.path.dirname(one) for one in (staged, target, kept)}:
        _sync(folder)


def _exchange(one: str, other: str) -> bool:
    """Exchange two paths in one act; False where this system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    paths = os.fsencode(one), os.fsencode(other)
    if call(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EXDEV):
        return False
    raise OSError(code, os.strerror(code), one)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def _sync_all(staged: str) -> None:
    """What is staged is on disk before it is in force: a rename may be there before contents are.

    Raises FileNotFoundError where nothing is staged.
    """
    if stat.S_ISREG(os.lstat(staged).st_mode):
        _sync(staged)
    for folder, _, names in os.walk(staged):
        for path in (os.path.join(folder, name) for name in names):
            if stat.S_ISREG(os.lstat(path).st_mode):
                _sync(path)
        _sync(folder)


def _sync(path: str) -> None:
    """A rename is on disk only when its folder is."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read(path: str) -> tuple[bytes, bool]:
    # Without O_NONBLOCK, opening a FIFO would wait for its writer.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "not a regular file")
        data = file.read(FILE_BYTES_MAX + 1)
    return data[:FILE_BYTES_MAX], len(data) > FILE_BYTES_MAX
