"""Confines this process, and all that it starts, to writing below a few folders (landlock(7)).

Owns the three system calls, and being the program that starts another one so: FOLDER… -- ARGV.
Must not know which folders. Whatever a malicious primary makes rsync
believe, the kernel lets nothing be written outside of the set. Linux 5.13 and newer; elsewhere
rsync's own checks stand alone, and the caller is told so.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""System call numbers, the same on every architecture (landlock_create_ruleset(2) and so on)."""
_VERSION = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVS = 38
_WRITE_FILE = 1 << 1
_WRITES = sum(1 << bit for bit in (1, 4, 5, 6, 7, 8, 9, 10, 11, 12))
"""write_file, remove_dir, remove_file, and make_char to make_sym."""
_REFER, _TRUNCATE = 1 << 13, 1 << 14
"""Since versions 2 (links and renames between folders) and 3."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def confine(folders: Iterable[str]) -> bool:
    """Let this process write below these folders alone, from now on; False where it cannot be.

    Raises:
        OSError: a folder cannot be opened.
    """
    try:
        call = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return False
    call.restype = ctypes.c_long
    if os.uname().sysname != "Linux":
        return False
    version = call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if version < 1:
        return False
    handled = _WRITES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rules = _Ruleset(handled)
    ruleset = call(
        _CREATE, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), ctypes.c_uint32(0)
    )
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            _allow(call, ruleset, folder, handled)
        for device in ("/dev/null", "/dev/tty"):
            if Path(device).exists():
                _allow(call, ruleset, device, handled & (_WRITE_FILE | _TRUNCATE))
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        done: int = call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
        return done == 0
    finally:
        os.close(ruleset)


def _allow(call: ctypes._NamedFuncPointer, ruleset: int, path: str, access: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(access, fd)
        done = call(
            _ADD,
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
        if done != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(fd)


def main(words: list[str]) -> None:
    """Become the program behind the two dashes, writing below the folders before them alone.

    Where the kernel cannot see to that it is started all the same, on its own good behaviour.
    """
    at = words.index("--")
    folders, argv = words[:at], words[at + 1 :]
    for folder in folders:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    confine(folders)
    os.environ.pop("PYTHONPATH", None)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
