"""Verified copies of a primary's data, as values: one copy, the store of them, the primary's word.

Owns what an engine without replication of its own is judged from. Must not know how any of it is
read (dialects.copies) nor what it is worth (core.replication).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Copy:
    """One complete, verified copy. Wall seconds of this node, but `taken_at`."""

    number: int
    asked_at: float
    """When the primary was asked for it: all that it had on its disk then is in here."""
    taken_at: float
    """When it was taken, on the primary's own clock."""
    items: tuple[str, ...]
    """Names of its parts: tables, or the one dump."""
    bytes: int
    is_of_one_moment: bool = True
    """All parts belong to one moment; otherwise each is whole by itself."""
    how: str = ""
    """With what it was made, in words."""
    tables: int = 0
    """How many tables a dump holds; a set of tables has one in each part."""
    gone: tuple[str, ...] = ()
    """Parts that the copy before it had."""
    new: tuple[str, ...] = ()
    mark: str = ""
    """The primary's own position when it was taken, where it tells one: a log sequence number."""


@dataclass(frozen=True, slots=True)
class LiveTable:
    """One live file of a database: when its inode last changed, on its own node's clock."""

    name: str
    changed_at: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Store:
    """What this node has: its copies, and the role of its own live data."""

    copy: Copy | None = None
    """The newest sound one."""
    damaged: tuple[str, ...] = ()
    """Newer ones that are not used any more, each with why."""
    count: int = 0
    role: str = ""
    """primary, standby, or empty where nobody ever said it."""
    role_words: str = ""
    live: tuple[LiveTable, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a node says of its own live data when it is asked over ssh."""

    now: float
    """On its own clock."""
    role: str = ""
    role_words: str = ""
    copy: Copy | None = None
    """The newest copy that it has itself."""
    live: tuple[LiveTable, ...] = ()
    mark: str = ""
    """Its own position now, see `Copy.mark`."""
