"""What the daemon needs of the machine it runs on before and beside its adapters.

Owns the boot id, the descriptor limit, core dumps, the user hamnd runs as and the free bytes.
Must not know the pair, the journal's format or any tool that a plan uses.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import uuid

from hamnd.model.work import Ending, Exec
from hamnd.ports import CommandRunner

BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"
DESCRIPTORS_MAX = 65_536
"""Above it, closing descriptors before each child takes ages on AIX (aix.md §9)."""
DESCRIPTORS_MIN = 256
_SET_DUMPABLE = 4


async def read_boot_id(runner: CommandRunner, node: str, path: str = BOOT_ID_FILE) -> str:
    """Return what tells one boot of this machine from the next.

    Linux has a file for it; elsewhere `who -b` prints the time of the boot. hamn-guard tells the
    same without hamnd. Where neither tells,
    the answer is new each time: a restart then counts as a reboot, the safe direction.
    """
    try:
        with open(path, encoding="ascii") as file:  # noqa: ASYNC230 - a file of the kernel
            return file.read().strip()
    except OSError:
        report = await runner.run(Exec(node, ("who", "-b")), timeout_s=5.0)
        said = " ".join(report.stdout.split())
        if report.ending is Ending.EXITED and report.exit_code == 0 and said:
            return said.replace(" ", "_")
        return str(uuid.uuid4())


def bound_descriptors() -> str:
    """Bring the limit of open files into a sane range and return what was done, or nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_unbounded = soft in (resource.RLIM_INFINITY, -1) or soft > DESCRIPTORS_MAX
    if is_unbounded:
        wanted = DESCRIPTORS_MAX
    elif soft < DESCRIPTORS_MIN:
        wanted = 1024 if hard in (resource.RLIM_INFINITY, -1) else min(1024, hard)
    else:
        return ""
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return f"open files limited to {wanted} instead of {soft}"


def forbid_core_dumps() -> bool:
    """Leave no memory of this process on a disk: the fence password may lie in it (law 7).

    Only of this process (prctl(2), PR_SET_DUMPABLE): a database that a plan starts keeps its own
    core files. An ordinary user's daemon, as in the demo, stays open to its user's debugger.
    """
    if os.geteuid() != 0:
        return False
    try:
        done: int = ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    except (OSError, AttributeError):  # no such call: AIX
        return False
    return done == 0


def effective_user() -> str:
    """Return the name of the user hamnd runs as (its number where it has none)."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def free_bytes(directory: str) -> int:
    """Return the bytes that an ordinary user could still write there; 0 where it cannot tell."""
    try:
        told = os.statvfs(directory)
    except OSError:
        return 0
    return told.f_bavail * told.f_frsize
