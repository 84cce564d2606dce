"""File sets as configured: which paths are copied from the primary, when and how.

Owns `FileSet`. Must not know defaults (hamnd.settings) nor how a set is copied (dialects).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SetMode(StrEnum):
    """What hamnd does about a set."""

    PULL = "pull"
    """Copies it here from the node that is primary."""
    OBSERVE = "observe"
    """The site copies it by other means: hamnd compares, and tells how fresh it is."""
    OFF = "off"


class SetKind(StrEnum):
    """How a set is put in its place."""

    ATOMIC = "atomic"
    """Staged beside its place, verified, switched whole; the previous one is kept."""
    TREE = "tree"
    """Brought up to date file by file, each of them whole."""


@dataclass(frozen=True, slots=True)
class FileSet:
    """One set; a path is the same on both nodes, one with a slash at its end is a directory."""

    name: str
    paths: tuple[str, ...]
    kind: SetKind = SetKind.TREE
    mode: SetMode = SetMode.PULL
    cron: str = ""
    """When it is copied, and (check_cron) compared in between; empty: at the operator's word.

    Of a set that is only observed: when the site copies it."""
    jitter_s: float = 0.0
    check_cron: str = ""
    check_timeout_s: float = 300.0
    """The budget of a comparison; what takes longer is told as not known."""
    stale_after_s: float = 93_600.0
    timeout_s: float = 14_400.0
    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    """Names, with * and ?, to which a set is restricted; nothing is deleted then."""
    bandwidth_kib: int = 0
    is_gentle: bool = False
    may_delete_percent: float = 25.0
    whole_after_s: float = 604_800.0
    names_osimages: bool = False
    """Whether a run tells which directories of the primary's osimages are in no path of the set."""
    holds_identity: bool = False
    """Its CA must be the primary's before a takeover (condition FilesIdentical)."""
