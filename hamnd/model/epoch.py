"""The epoch: which node may serve as the management node, and who says so (design §5).

Owns the values of the return guard. Must not know how they are kept (dialects.epoch) nor what
follows from them (core).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hamnd.model.instant import Instant
from hamnd.model.takeovers import PastTakeover

NO_BOOT = "-"
"""Stands for a boot that nobody confirmed, or that the teller does not know."""


class WhenUnknown(StrEnum):
    """What a unit does that asks the guard when nobody can answer."""

    SERVE = "serve"
    """It starts, with an alarm."""
    HOLD = "hold"
    """It waits until somebody can."""


class EpochDoubt(StrEnum):
    """Why a node that was active is Degraded: its epoch does not let it serve."""

    NONE = ""
    UNKNOWN = "epoch unknown"
    """The epoch named this node before it was rebooted, and nobody could confirm it."""
    SUPERSEDED = "superseded"
    """A newer epoch names another node."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """Who may serve: number, owner and the owner's boot in which that was last confirmed."""

    number: int
    owner: str
    boot_id: str = NO_BOOT


@dataclass(frozen=True, slots=True)
class Claim:
    """What a step does to the epoch once it begins; who takes it back gives it to `former`."""

    number: int
    owner: str
    """Who may serve from then on."""
    former: str
    """Who could before the run, and may again once it is undone."""


@dataclass(frozen=True, slots=True)
class EpochSight:
    """What one host keeps: its epoch (None: it keeps none), and in which boot it answered."""

    host: str
    epoch: Epoch | None
    boot_id: str
    at: Instant
    note: str = ""
    """The operator's reason where somebody asserted it there."""
    has_guard: bool | None = None
    """Whether hamn-guard is installed there, where that was told."""
    run: str | None = None
    """Kind and status of the plan that hamnd carries out there; empty: none; None: not told."""
    takeover: PastTakeover | None = None
    """The latest takeover of the pair that is known there; None: none, or it was not told."""
