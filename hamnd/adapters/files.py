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
from dataclasses import astuple

from hamnd.model.work import Ending, Place, Read, Report, Swap
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
        targets = ", ".join(one.target for one in request.places)
        try:
            async with asyncio.timeout(timeout_s):
                if not await asyncio.to_thread(_swap, request.places):
                    missing = ", ".join(one.staged for one in request.places)
                    code, reason = NOTHING_STAGED, f"{missing} is not there"
        except TimeoutError:
            detail = f"{targets} was not switched within {timeout_s:g} s"
            return Report(Ending.LOST, started, self._clock.now(), detail=detail)
        except OSError as error:
            code, reason = 1, f"{error.filename or targets}: {error.strerror}"
        return Report(Ending.EXITED, started, self._clock.now(), exit_code=code, stderr=reason)


def _swap(places: tuple[Place, ...]) -> bool:
    """Put what is staged in force, and keep what was: all of it, or nothing of it.

    What takes time comes before the first switch and after the last one, so that next to nothing
    lies between them. False where nothing is staged. Raises OSError.
    """
    staged = [one for one in places if os.path.lexists(one.staged)]
    if not staged:
        return False
    for one in staged:
        _sync_all(one.staged)
    for one in staged:
        _remove(one.kept)
    with contextlib.ExitStack() as undone:
        exchanged = [one for one in staged if _switch(one, undone)]
        for one in exchanged:
            os.rename(one.staged, one.kept)
            undone.callback(os.rename, one.kept, one.staged)
        undone.pop_all()
    folders = {os.path.dirname(path) for one in staged for path in astuple(one)}
    for folder in sorted(folders):
        _sync(folder)
    return True


def _switch(place: Place, undone: contextlib.ExitStack) -> bool:
    """Put one path in force, and its way back on the stack.

    True where what was in force is at `staged` now; else it is at `kept`, if there was any.
    """
    staged, target, kept = astuple(place)
    if not os.path.lexists(target):
        os.rename(staged, target)
    elif _exchange(staged, target):
        undone.callback(_exchange, staged, target)
        return True
    else:
        os.rename(target, kept)
        undone.callback(os.rename, kept, target)
        os.rename(staged, target)
    undone.callback(os.rename, target, staged)
    return False


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
    """What is staged is on disk before it is in force; a rename may be there before contents."""
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
