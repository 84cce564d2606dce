"""What is to be done: the only outputs of the engine, in the imperative (counterpart: events).

Owns the closed union `Command`. Must not know how a command is carried out. The runtime persists
the decision's records and state before it starts any of its commands (design §9).
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.model.epoch import Epoch
from hamnd.model.names import LookPurpose, Probe
from hamnd.model.work import Action, Look


@dataclass(frozen=True, slots=True)
class ProbeRound:
    """Send one reach round; all its probes start together. Comes home as RoundCompleted."""

    number: int
    probes: tuple[tuple[Probe, Look], ...]


@dataclass(frozen=True, slots=True)
class TakeLook:
    """Take one look; comes home as LookCompleted with the same topic."""

    topic: str
    look: Look


@dataclass(frozen=True, slots=True)
class SetReachInterval:
    """Beat the reach rhythm at this interval from now on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class PerformAction:
    """Carry out one action of a run, once. Comes home as ActionCompleted."""

    digest: str
    step: str
    attempt: int
    index: int
    action: Action
    timeout_s: float


@dataclass(frozen=True, slots=True)
class LookAtStep:
    """After `pause_s`, take these looks of a step together. Comes home as StepLooked."""

    digest: str
    step: str
    attempt: int
    purpose: LookPurpose
    looks: tuple[Look, ...]
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WriteReport:
    """Write the report of a finished run from the journal to the state directory."""

    digest: str


@dataclass(frozen=True, slots=True)
class TellRun:
    """Write which plan is on here into the state directory, where the partner's hamnd reads it."""

    line: str
    """Kind and status (dialects.running); empty: none."""


@dataclass(frozen=True, slots=True)
class TellTakeover:
    """Write there which takeover of the pair was the latest, and who looked at it."""

    line: str
    """As dialects.takeovers writes it; empty: none is known."""


@dataclass(frozen=True, slots=True)
class TellGuard:
    """Write anew what hamn-guard goes by on this node: where the partner is has changed."""


@dataclass(frozen=True, slots=True)
class RunHook:
    """Tell the site's own program what happened. Comes home as HookCompleted; nothing waits."""

    about: str
    action: Action
    timeout_s: float


@dataclass(frozen=True, slots=True)
class PerformRoutine:
    """Carry out one action of scheduled work, once. Comes home as RoutineActed."""

    name: str
    number: int
    index: int
    action: Action
    timeout_s: float


@dataclass(frozen=True, slots=True)
class EndRoutine:
    """End scheduled work that is under way, with every program of it; it comes home all the same.

    A confirmed run has the node for itself.
    """

    name: str


@dataclass(frozen=True, slots=True)
class KeepEpoch:
    """Write the epoch into hamnd's own state directory on one of the two nodes (law 1).

    Comes home as EpochKept; nothing waits.
    """

    host: str
    epoch: Epoch
    action: Action


@dataclass(frozen=True, slots=True)
class RehearseStep:
    """Take everything that a step ever looks at, all together, and change nothing (law 10).

    Comes home as StepRehearsed.
    """

    number: int
    step: str
    looks: tuple[Look, ...]


Command = (
    ProbeRound
    | TakeLook
    | SetReachInterval
    | PerformAction
    | LookAtStep
    | WriteReport
    | TellRun
    | TellTakeover
    | TellGuard
    | RunHook
    | PerformRoutine
    | EndRoutine
    | KeepEpoch
    | RehearseStep
)
