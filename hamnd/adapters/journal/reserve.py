"""The journal's reserve: disk blocks that are set free when nothing else is left.

Owns `Reserve`. Must not know SQLite. Space is released in small pieces and only as much as one
transaction needs, because another program on the full disk may take what we set free.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil

from hamnd.adapters.journal.place import JournalSettings

RESERVE_NAME = "reserve"

PIECE_BYTES = 65_536
"""Smallest piece that is released; 16 MiB are 256 of them, a takeover needs about 100."""

GROW_BYTES = 1_048_576
FREE_BYTES_MIN = 4_194_304
"""The reserve is rebuilt only while this much stays free for everybody else."""


class Reserve:
    """A file whose blocks are set free when nothing else is left."""

    def __init__(self, settings: JournalSettings) -> None:
        self._path = settings.state_dir / RESERVE_NAME
        self._folder = settings.state_dir
        self._whole = settings.reserve_bytes

    def left(self) -> float:
        """Return how much of it is intact, 0.0 to 1.0."""
        return 1.0 if self._whole == 0 else min(1.0, self._size() / self._whole)

    def release(self, needed: int) -> bool:
        """Set at least `needed` bytes free, or what is left; return False when nothing is."""
        size = self._size()
        if size == 0:
            return False
        pieces = -(-needed // PIECE_BYTES)
        with contextlib.suppress(OSError):
            os.truncate(self._path, max(0, size - pieces * PIECE_BYTES))
        return self._size() < size

    def mend(self) -> None:
        """Grow back while the disk has room for everybody else."""
        if self._size() >= self._whole:
            return
        with contextlib.suppress(OSError):
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                size = os.fstat(fd).st_size
                while size < self._whole:
                    step = min(GROW_BYTES, self._whole - size)
                    if shutil.disk_usage(self._folder).free - step < FREE_BYTES_MIN:
                        return
                    _allocate(fd, size, step)
                    size += step
            finally:
                os.close(fd)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0


def _allocate(fd: int, offset: int, size: int) -> None:
    """Take blocks for good; a hole would reserve nothing."""
    try:
        os.posix_fallocate(fd, offset, size)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            os.ftruncate(fd, offset)
            raise
        os.pwrite(fd, b"\xa5" * size, offset)
