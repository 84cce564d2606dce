"""Hides from a Python process what AIX does not have (aix.md §9); loaded through PYTHONPATH.

Owns the list. No compiled packages that need Rust, no SO_PEERCRED, no pidfd, no epoll (so asyncio
takes poll, and a thread per child), no sendfile. Must not hide what AIX has.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import select
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

PACKAGES = frozenset({"asyncssh", "cryptography", "cffi", "_cffi_backend", "psutil", "uvloop"})

for _module, _names in {
    select: ("epoll", "kqueue", "devpoll"),
    os: ("pidfd_open", "sendfile", "eventfd", "memfd_create"),
    signal: ("pidfd_send_signal",),
}.items():
    for _name in _names:
        if hasattr(_module, _name):
            delattr(_module, _name)

import _socket  # noqa: E402  (after epoll is hidden: `socket` imports `selectors`)
import socket  # noqa: E402

for _place in (_socket, socket):
    for _name in ("SO_PEERCRED", "SO_PEERSEC"):
        if hasattr(_place, _name):
            delattr(_place, _name)


class Hidden(importlib.abc.MetaPathFinder):
    """Finds nothing of what is hidden, and says so as an import does."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Refuse the hidden packages; everything else is found by others."""
        if fullname.partition(".")[0] in PACKAGES:
            raise ModuleNotFoundError(f"No module named {fullname!r} on AIX", name=fullname)
        return None


sys.meta_path.insert(0, Hidden())
