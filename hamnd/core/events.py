"""What happened: the only inputs of the engine, in the past tense (counterpart: commands).

Owns the closed union `Event`. Must not know what is decided on them.

A look outside of a run is known by its `topic`, one look in flight per topic:
``db2pd``, ``dbcfg``, ``psql`` (local database) · ``partner_db``, ``partner_clock`` (over ssh) ·
``fence`` (status) · ``witness:NAME`` · ``seen:KEY`` (what the platform wants to know) ·
``epoch`` (what this node keeps) · ``epoch:NAME`` (what a witness keeps) ·
``ready:STEP:N`` (the N-th readiness look of a step) · ``returned…`` (the old primary's own data).
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.core.commands import KeepEpoch
from hamnd.model.copying import CopyKind, Progress
from hamnd.model.names import LookPurpose, Probe, Rhythm
from hamnd.model.plan import PlanRequest
from hamnd.model.work import Looked, Report


@dataclass(frozen=True, slots=True)
class Started:
    """The daemon began; everything volatile is gone and what was under way is unknown."""

    boot_id: str


@dataclass(frozen=True, slots=True)
class Ticked:
    """A rhythm beat."""

    rhythm: Rhythm


@dataclass(frozen=True, slots=True)
class RoundCompleted:
    """One reach round came home: every probe of it, with when it was sent and answered."""

    number: int
    looked: tuple[tuple[Probe, Looked], ...]


@dataclass(frozen=True, slots=True)
class LookCompleted:
    """A look outside of a run came home."""

    topic: str
    looked: Looked


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A persistent ssh connection broke: a hint to look now, not evidence (design §3)."""

    host: str


@dataclass(frozen=True, slots=True)
class ActionCompleted:
    """An action of a run came home."""

    digest: str
    step: str
    attempt: int
    index: int
    report: Report


@dataclass(frozen=True, slots=True)
class StepLooked:
    """The looks of a step came home, all of them."""

    digest: str
    step: str
    attempt: int
    purpose: LookPurpose
    looked: tuple[Looked, ...]


@dataclass(frozen=True, slots=True)
class RoutineDue:
    """The clock says that scheduled work, or a rehearsal, is due; whether it starts is decided."""

    name: str


@dataclass(frozen=True, slots=True)
class RoutineActed:
    """An action of scheduled work came home."""

    name: str
    number: int
    index: int
    report: Report


@dataclass(frozen=True, slots=True)
class CopyMoved:
    """A file set that is being copied tells how far it is; nothing depends on it."""

    name: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class StepRehearsed:
    """The looks of a step came home from a rehearsal, all of them."""

    number: int
    step: str
    looked: tuple[Looked, ...]


@dataclass(frozen=True, slots=True)
class HookCompleted:
    """The site's own program was told something, or could not be; `about` says what."""

    about: str
    report: Report


@dataclass(frozen=True, slots=True)
class SyncRequested:
    """The operator wants file sets copied now: these, or all of them where none is named."""

    names: tuple[str, ...]
    actor: str
    kind: CopyKind = CopyKind.COPY
    accepts_deletions: bool = False


@dataclass(frozen=True, slots=True)
class EpochKept:
    """The epoch was written where the command says, or could not be."""

    command: KeepEpoch
    report: Report


@dataclass(frozen=True, slots=True)
class PlanRequested:
    """The operator wants to see a plan."""

    request: PlanRequest
    actor: str


@dataclass(frozen=True, slots=True)
class ConfirmRequested:
    """The operator confirms the plan with this digest and named the new primary."""

    digest: str
    actor: str
    named: str


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """The operator wants a paused run to go on."""

    actor: str


@dataclass(frozen=True, slots=True)
class SkipRequested:
    """The operator leaves one step of a paused run out."""

    step: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class AbortRequested:
    """The operator wants to see the plan that undoes a paused run."""

    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class ConcludeRequested:
    """The operator ends a paused run past its point of no return, open steps and all."""

    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class AttestRequested:
    """The operator gives his word that the primary is off: seen, pulled or facility."""

    how: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class ClearRequested:
    """The operator ends observe_only after having seen why it began."""

    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class HoldRequested:
    """The operator works on this pair: nobody is to be paged for it until then (wall seconds)."""

    until: float
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class UnholdRequested:
    """The work is over: paging and rehearsals go on."""

    actor: str


@dataclass(frozen=True, slots=True)
class RehearseRequested:
    """The operator wants a takeover rehearsed now."""

    actor: str


@dataclass(frozen=True, slots=True)
class AckRequested:
    """The operator looked at a finished takeover, named by its digest or how that begins."""

    digest: str
    actor: str


@dataclass(frozen=True, slots=True)
class DiskObserved:
    """The journal told how much of its reserve is intact (0 to 1) and the bytes free beside it."""

    reserve_left: float
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Halted:
    """Something hamnd cannot decide around: a broken law, a damaged, slow or full journal."""

    reason: str


@dataclass(frozen=True, slots=True)
class TermsChanged:
    """The configuration was read again and is in force from this event on."""

    summary: str
    is_site_changed: bool = False
    """The world itself is described otherwise: what was seen of the old one proves nothing."""


Request = (
    PlanRequested
    | ConfirmRequested
    | RetryRequested
    | SkipRequested
    | AbortRequested
    | ConcludeRequested
    | AttestRequested
    | ClearRequested
    | SyncRequested
    | HoldRequested
    | UnholdRequested
    | AckRequested
    | RehearseRequested
)
"""Events that somebody waits for: their Decision carries an answer or a refusal."""

Event = (
    Started
    | Ticked
    | RoundCompleted
    | LookCompleted
    | ConnectionLost
    | ActionCompleted
    | StepLooked
    | RoutineDue
    | RoutineActed
    | StepRehearsed
    | CopyMoved
    | HookCompleted
    | EpochKept
    | DiskObserved
    | Halted
    | TermsChanged
    | Request
)
