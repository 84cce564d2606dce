"""Which folders of a tree make about one half of it, for two listings side by side.

Owns that choice, made from a listing of the whole tree as it goes by. Must not know find. A choice
that has become wrong costs time, never truth: each entry belongs to one of the two listings.
"""

from __future__ import annotations

DEPTH_MAX = 3
"""Folders deeper than that are not chosen: a tree has too many of them to keep."""
CHOSEN_MAX = 200
"""They are named on a command line."""


class Weights:
    """How many entries lie below each of the upper folders."""

    def __init__(self) -> None:
        """Begin with an empty tree."""
        self._sizes: dict[bytes, int] = {}
        self._open: list[tuple[bytes, int]] = []

    def take(self, folder: bytes, entries: int) -> None:
        """Take the next folder in the order of find, and how many entries came before it."""
        self._close(folder, entries)
        if folder and folder.count(b"/") < DEPTH_MAX:
            self._sizes[folder] = 0
            self._open.append((folder, entries))

    def _close(self, folder: bytes, entries: int) -> None:
        while self._open and not folder.startswith(self._open[-1][0] + b"/"):
            name, before = self._open.pop()
            self._sizes[name] = entries - before

    def half(self, entries: int) -> tuple[bytes, ...]:
        """Return folders that together have at most half of all the entries that came."""
        self._close(b"", entries)
        chosen: list[bytes] = []
        left = entries // 2
        for folder, size in self._sizes.items():
            if chosen and folder.startswith(chosen[-1] + b"/"):
                continue
            if size <= left and len(chosen) < CHOSEN_MAX:
                chosen.append(folder)
                left -= size
        return tuple(chosen)
