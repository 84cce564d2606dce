"""The state directory: where the journal lies, who may read it, and that one daemon uses it.

Owns `JournalSettings`, `StateLock` and modes and groups. Must not know what is in the files.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
from dataclasses import dataclass
from pathlib import Path

from hamnd.errors import JournalError

LOCK_NAME = "lock"


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """Where and for whom the journal is kept; `group` may read it (None: as the process)."""

    state_dir: Path
    boot_id: str
    group: str | None = None
    reserve_bytes: int = 16 * 1_048_576


class StateLock:
    """Keeps a second daemon away from a state directory, until the process ends.

    POSIX locks go when *any* descriptor of the file is closed in this process, so nobody else opens
    it, and it is never closed (flock is emulated or missing on AIX, aix.md §9).
    """

    def __init__(self, settings: JournalSettings) -> None:
        """Create the directory where it is missing, and take the lock.

        Raises:
            JournalError: another process holds it, or the directory cannot be used.
        """
        folder = settings.state_dir
        path = folder / LOCK_NAME
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            give(folder, 0o750, settings.group)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise JournalError(f"the state directory {folder} cannot be used: {error}") from error
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise JournalError(
                f"another hamnd (process {holder}) uses {folder}; this one does not start"
            ) from error
        with contextlib.suppress(OSError):  # the number is for people; a full disk may refuse it
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; for the end of a process that lives on (tests, the demo)."""
        os.close(self._fd)


def give(path: Path, mode: int, group: str | None) -> None:
    """Set mode and group as far as we may: the demo runs without root."""
    with contextlib.suppress(PermissionError):
        path.chmod(mode)
    if group is not None:
        with contextlib.suppress(KeyError, PermissionError):
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
