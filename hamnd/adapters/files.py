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
import threading
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
        self._switching = threading.Lock()

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
        given_up = threading.Event()
        try:
            async with asyncio.timeout(timeout_s):
                if not await asyncio.to_thread(self._swap_alone, request.places, given_up):
                    missing = ", ".join(one.staged for one in request.places)
                    code, reason = NOTHING_STAGED, f"{missing} is not there"
        except TimeoutError:
            given_up.set()
            detail = f"{targets} was not switched within {timeout_s:g} s"
            return Report(Ending.LOST, started, self._clock.now(), detail=detail)
        except OSError as error:
            code, reason = 1, f"{error.filename or targets}: {error.strerror}"
        return Report(Ending.EXITED, started, self._clock.now(), exit_code=code, stderr=reason)

    def _swap_alone(self, places: tuple[Place, ...], given_up: threading.Event) -> bool:
        """One at a time: one that was given up may still wait for its disk."""
        with self._switching:
            return _swap(places, given_up)


def _swap(places: tuple[Place, ...], given_up: threading.Event) -> bool:
    """Put what is staged in force, and keep what was: all of it, or nothing of it.

    What takes time comes before the first switch, so that next to nothing lies between them; what a
    crash cut off is brought to its end by the same request. False where nothing is staged. Raises
    OSError.
    """
    waiting = [one for one in places if _is_staged(one)]
    for one in waiting:
        _sync_all(one.staged)
    if given_up.is_set():  # what is staged may be another thing by now
        return True
    for one in waiting:
        _prepare(one)
    with contextlib.ExitStack() as undone:
        for one in waiting:
            _switch(one, undone)
        for folder in {os.path.dirname(path) for one in waiting for path in astuple(one)}:
            _sync(folder)
        undone.pop_all()
    for one in places:
        _remove(_mark(one))
        _remove(_absence(one.staged))
    return bool(waiting)


def _is_staged(place: Place) -> bool:
    return os.path.lexists(place.staged) or os.path.lexists(_absence(place.staged))


def _mark(place: Place) -> str:
    """Tells the inode that is being put in force; whoever stages anew takes it away first."""
    return f"{place.staged}.switching"


def _absence(path: str) -> str:
    """Stands for a path that was not there before: to go back to that is to take it away."""
    return f"{path}.absent"


def _prepare(place: Place) -> None:
    """Make room for what is in force, and leave a mark of what is about to be done."""
    if not os.path.lexists(place.staged) or _is_begun(place):
        return
    _remove(place.kept)
    _remove(_absence(place.kept))
    if not os.path.lexists(place.target):
        _write(_absence(place.kept), "")
    _write(_mark(place), str(os.lstat(place.staged).st_ino))


def _is_begun(place: Place) -> bool:
    """Whether a crash cut this switch off when what was in force was no longer at its target."""
    if not os.path.lexists(place.target):
        return os.path.lexists(_mark(place)) and os.path.lexists(place.kept)
    return _is_exchanged(place)


def _is_exchanged(place: Place) -> bool:
    with contextlib.suppress(FileNotFoundError), open(_mark(place), encoding="ascii") as file:
        return file.read() == str(os.lstat(place.target).st_ino)
    return False


def _switch(place: Place, undone: contextlib.ExitStack) -> None:
    """Put one path in force and keep what was; the way back is on the stack."""
    staged, target, kept = astuple(place)

    def move(source: str, goal: str) -> None:
        os.rename(source, goal)
        undone.callback(os.rename, goal, source)

    if not os.path.lexists(staged):  # its absence is
        if os.path.lexists(target):
            move(target, kept)
    elif _is_exchanged(place):
        move(staged, kept)
    elif not os.path.lexists(target):
        move(staged, target)
    elif _exchange(staged, target):
        undone.callback(_exchange, staged, target)
        move(staged, kept)
    else:
        move(target, kept)
        move(staged, target)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _sync(os.path.dirname(path))


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
    if not os.path.lexists(staged):
        return
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
