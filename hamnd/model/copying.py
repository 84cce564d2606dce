"""File sets as copies: what is brought here from the primary, and what became of it.

Owns the values of one copy. Must not know how anything is copied (adapters), when a copy may run
(core.routines) nor what its end says (core.copying). Wall times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hamnd.model.work import Action


class CopyKind(StrEnum):
    """What a run of a copy does."""

    COPY = "copy"
    """Brings here what changed."""
    CHECK = "check"
    """Compares and changes nothing."""
    VERIFY = "verify"
    """Compares the contents of everything, and brings here what differs."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A file set that is brought here from the node that is primary.

    The actions of a kind run one after the other, each only when the one before is done: they are
    scheduled work (model.routine). What an action prints in its last line may tell facts about the
    copy (dialects.copying).
    """

    name: str
    title: str
    work: Mapping[CopyKind, tuple[Action, ...]]
    schedules: Mapping[CopyKind, str] = field(default_factory=dict)
    """When a kind begins by itself; the others begin at the operator's word."""
    jitter_s: float = 0.0
    timeouts_s: Mapping[CopyKind, float] = field(default_factory=dict)
    """Limits of one action."""
    stale_after_s: float = 93_600.0
    is_watched_only: bool = False
    """The site copies by other means: hamnd measures (kind CHECK), and brings nothing here."""
    holds_identity: bool = False
    """Whether a takeover needs it to be the primary's own (condition FilesIdentical)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How the copy differs from what the primary has, as last compared."""

    at: float
    differ: int = 0
    missing: int = 0
    """There, not here."""
    extra: int = 0
    """Here, no longer there."""
    examples: tuple[str, ...] = ()
    """Some of the names, printable."""
    is_whole: bool = True
    """False: the budget was spent before everything was compared."""

    @property
    def count(self) -> int:
        """How many entries are not as the primary has them."""
        return self.differ + self.missing + self.extra


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """What a run of a copy told about itself; None and empty: it did not."""

    as_of: float | None = None
    """Everything the primary had at this moment, on its own clock, is here."""
    entries: int | None = None
    bytes: int | None = None
    changed: int | None = None
    deleted: int | None = None
    sentence: str = ""
    drift: Drift | None = None
    question: str = ""
    """Why it stopped before it did harm; only the operator's word lets it go on."""
    identical: bool | None = None
    """Whether the identity here (the CA) is the primary's."""


@dataclass(frozen=True, slots=True)
class CopyEnd:
    """How a run ended: `outcome` is done, not_done, unknown or stopped."""

    kind: CopyKind
    outcome: str
    sentence: str
    began_at: float
    ended_at: float
    entries: int | None = None
    bytes: int | None = None
    changed: int | None = None
    deleted: int | None = None

    @property
    def duration_s(self) -> float:
        """How long it took."""
        return max(0.0, self.ended_at - self.began_at)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; None: not known."""

    phase: str
    files: int | None = None
    files_total: int | None = None
    bytes: int | None = None
    bytes_total: int | None = None
