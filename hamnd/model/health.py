"""What hamnd believes: conditions, evidence, replication, witnesses.

Owns the values that an assessment is made of. Must not know how they are judged (core.health).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from hamnd.model.copies import Copy
from hamnd.model.instant import Instant
from hamnd.model.names import Answer, FenceGrade, Status

LEFT_OUT = "WouldBeLeftOut"
"""Reason of a StepReady condition whose step a takeover can do without."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact about the pair, as in Kubernetes; times are wall seconds."""

    type: str
    status: Status
    reason: str
    message: str
    since: float
    observed_at: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class FenceEvidence:
    """One piece of evidence that the old primary is off.

    `at` is when it was measured or, for dated acts (agent_off, orderly, operator), done.
    """

    grade: FenceGrade
    at: float
    source: str
    detail: str
    first_at: float | None = None
    """power_off is read twice: when the first of the two readings was taken. orderly is
    acknowledged by a living machine: when its silence began, once it has lasted."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Log positions in bytes of the database's log stream; None where not known."""

    primary: int | None = None
    received: int | None = None
    replayed: int | None = None


@dataclass(frozen=True, slots=True)
class Replication:
    """The engine-independent normal form of one replication reading (design §6)."""

    engine: str
    role: str | None
    """primary | standby | standard | None (not known)."""
    state: str | None
    connected: bool | None
    """True (also congested), False, or None when not known."""
    sync_mode: str | None
    positions: Positions
    gap_bytes: int | None
    replay_gap_bytes: int | None
    since: int | None
    """Epoch seconds at which the connection status began."""
    observed: Instant
    source: str
    is_protecting: bool = False
    """In the engine's best state: a death now would lose what `loss` says."""
    is_database_up: bool | None = None
    is_closed: bool = False
    """It is up and follows nobody, and takes no writes until somebody lets it."""
    uptime_s: int | None = None
    peer_window_s: int | None = None
    peer_window_end: int | None = None
    """Epoch seconds on the primary's clock; only trusted with the state it was read in."""
    bad_flags: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    is_congested: bool = False
    """Connected, but the other side does not take what is sent: no sign of its life."""
    verified_at: float | None = None
    """Until when, in wall seconds of this node, everything that the primary had on its disk is
    proven to be here; None: not proven."""
    heard_at: float | None = None
    """When the database itself last received anything from the primary, where it tells."""
    heard: Instant | None = None
    """When hamnd last saw that something had arrived, where the database does not tell itself."""
    heartbeats: int | None = None
    """How many signs of life of an idle primary have arrived."""
    hold_s: float | None = None
    """So long the primary's own server goes on waiting for a standby that is gone."""
    is_applying: bool | None = None
    """Whether what was received is applied or being applied, where the database tells it apart."""
    doubt: str = ""
    """Why nothing that arrives proves this copy whole, whatever its positions say."""
    timeline: int | None = None
    fork: int | None = None
    """Where the timeline of a promoted database left the one before it, in bytes."""
    waits_for: str = ""
    """Standbys that this node's own settings would wait for once it is primary."""
    clear: str = ""
    """What the operator can run where the database is down."""
    details: tuple[str, ...] = ()
    """What else the engine knows, a sentence each, for whoever asks for an explanation."""
    system: str | None = None
    """What tells this database from every other one, where it has such an identifier."""
    has_link: bool = True
    """Whether primary and standby are connected all the time; copies are pulled now and then."""
    is_role_lasting: bool = True
    """Whether the role outlives a reboot: a disk is mounted nowhere right after it."""
    fresh_s: float | None = None
    """Of what is copied: so old `verified_at` may be until the copy does not protect any more."""
    promoted: Copy | None = None
    """The copy that this primary's database once was, where that is known."""
    summary: str = ""
    """What is here, in a few words, where positions do not tell it."""
    gap_average_bytes: int | None = None
    """The tool's own running average of the gap, where it has one: it lags behind `gap_bytes`."""

    @classmethod
    def blind(cls, engine: str, source: str, observed: Instant, problem: str) -> Self:
        """Return a reading that told no state: what is there cannot be known from it."""
        return cls(
            engine=engine,
            role=None,
            state=None,
            connected=None,
            sync_mode=None,
            positions=Positions(),
            gap_bytes=None,
            replay_gap_bytes=None,
            since=None,
            observed=observed,
            source=source,
            problems=(problem,),
        )


@dataclass(frozen=True, slots=True)
class WitnessSight:
    """What one witness says it can reach of the primary."""

    name: str
    sees: Answer
    """ANSWERED: it reaches the primary; SILENT: it does not; UNKNOWN: it did not answer us."""
    detail: str
    at: Instant
    """When its answer came home."""
    asked: Instant | None = None
    """When it was asked: whatever it reached, it reached after that."""
