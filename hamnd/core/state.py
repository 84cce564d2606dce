"""Everything the engine knows about this node, and what it decides.

Owns `NodeState` and `Decision`. Must not know how either is persisted (snapshot) or computed
(engine). `State` is what the node is, `Run` a confirmed plan under way, `Mode` whether hamnd may
act at all: three things, kept apart (design §3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hamnd.core.commands import Command
from hamnd.core.health.assessment import Assessment
from hamnd.core.health.watch import Watch
from hamnd.core.progress import Run
from hamnd.model.copying import CopyEnd, CopyFacts, Drift, Progress
from hamnd.model.epoch import Epoch, EpochDoubt
from hamnd.model.instant import Instant
from hamnd.model.names import Cause, Mode, PlanKind, RunStatus, State, Verdict
from hamnd.model.plan import Plan
from hamnd.model.record import Record
from hamnd.model.rehearsal import Rehearsal
from hamnd.model.routine import RoutineRun
from hamnd.model.takeovers import PastTakeover
from hamnd.model.work import Look


@dataclass(frozen=True, slots=True)
class Change:
    """One move between states, for history and metrics; wall seconds."""

    at: float
    source: State
    target: State
    row: str
    because: str


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What remains of a run after it ended."""

    digest: str
    kind: str
    status: str
    started_at: float
    finished_at: float
    open_steps: tuple[str, ...] = ()
    predicted: str = ""
    position: int | None = None
    """Our end of log when we were promoted: the old primary's end is compared with it."""
    actual: str = "pending"
    """Actual loss in words once the old primary was examined."""
    acknowledged_by: str = ""
    """Who looked at it afterwards and let the next takeover come."""
    acknowledged_at: float | None = None
    steps_s: Mapping[str, float] = field(default_factory=dict)
    """How long each step that was done took, in seconds: what the next plan is expected to take."""

    @property
    def is_drill(self) -> bool:
        """Whether it handed over and back, or began to: a setup may as well, at its end."""
        is_at_its_end = self.kind == PlanKind.SETUP and "promote" in self.steps_s
        return self.kind == PlanKind.DRILL or is_at_its_end


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody works on this pair: nobody is paged, nothing is rehearsed; wall seconds."""

    owner: str
    reason: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class HookOutcome:
    """How the site's own program took the last thing that it was told."""

    verdict: Verdict
    sentence: str
    at: float


@dataclass(frozen=True, slots=True)
class CopyState:
    """What is known of one file set; wall seconds on this node's clock."""

    fresh_as_of: float | None = None
    """Everything that the primary had then is here, complete and verified."""
    identical: bool | None = None
    """Whether the identity here is the primary's, as last compared."""
    last: CopyEnd | None = None
    last_copy: CopyEnd | None = None
    """The last run that was to bring something here."""
    drift: Drift | None = None
    question: str = ""
    """Why it stopped and asks."""
    accepted: bool = False
    """The operator answered the question with yes, for one run."""
    facts: CopyFacts = field(default_factory=CopyFacts)
    """What the run under way has told so far."""
    progress: Progress | None = None
    """How far the run under way is."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """What outlives the lists of changes and runs; wall seconds."""

    watched_since: float | None = None
    """When this node's journal began."""
    standby_since: float | None = None
    """Since when this node has been a standby; None: it is none."""
    unprotected_since: float | None = None
    """Since when nothing has been known to protect the cluster's data; None: it is protected."""
    drilled_at: float | None = None
    """When a drill last ended well."""
    confirmed_s: tuple[float, ...] = ()
    """How long people took from PrimaryDown to the confirmation, in seconds, the latest last."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Volatile instants of this process; nothing of it reaches disk."""

    all_true_since: Instant | None = None
    """Since when every condition that Peer requires has been true."""
    down_since: Instant | None = None
    """When the silence began that made the primary count as down; later answers contradict it."""
    fence_done: Instant | None = None
    """When step `fence` was done: from then on any answer contradicts."""
    resumed: Instant | None = None
    """When the operator last let the run go on knowing what had been heard."""
    flaps: tuple[Instant, ...] = ()
    """When this node left Peer, the latest last."""
    in_flight: Mapping[str, Instant] = field(default_factory=dict)
    """Looks under way by topic, with when they were sent."""
    last_sent: Mapping[str, Instant] = field(default_factory=dict)
    round_number: int = 0
    reach_interval_s: float = 0.0
    hooks_running: int = 0
    """How many of the site's own programs have not come home yet."""
    keeping: frozenset[str] = frozenset()
    """Where the epoch is being written."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """How the last write of the epoch ended, by host."""
    remembered: Instant | None = None
    """When the last sample was written to the journal's memory."""


FOLLOWING = (PlanKind.SWITCHOVER, PlanKind.REJOIN, PlanKind.FAILBACK, PlanKind.DRILL)
"""Kinds of plans after which the partner follows in order."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """The whole memory of the engine."""

    state: State = State.DEGRADED
    since: float = 0.0
    """Wall seconds at which this state began."""
    because: str = "hamnd starts, nothing is proven yet"
    cause: Cause | None = None
    silence_began: float | None = None
    """Wall seconds at which the silence began that made the primary count as down."""
    mode: Mode = Mode.NORMAL
    mode_reason: str = ""
    boot_id: str = ""
    epoch: Epoch | None = None
    """The newest epoch that is known, whoever told it; None: none was ever raised."""
    doubt: EpochDoubt = EpochDoubt.NONE
    """Why this node does not count as active although it was."""
    watch: Watch = field(default_factory=Watch)
    assessment: Assessment = field(default_factory=Assessment)
    run: Run | None = None
    plans: tuple[Plan, ...] = ()
    """Plans shown and not yet confirmed, newest last; never on disk."""
    readiness: tuple[tuple[str, tuple[Look, ...]], ...] = ()
    """What proves each step ready, by step id; built anew in the readiness rhythm."""
    holding: tuple[str, ...] = ()
    """Topics of the looks that StandbyQuiet or RestartsAlone is made of; built anew likewise."""
    finished: tuple[FinishedRun, ...] = ()
    """The latest runs that ended, the newest last."""
    ended: Mapping[str, int] = field(default_factory=dict)
    """How many runs ever ended, by `KIND STATUS`: counted on when `finished` forgets."""
    changes: tuple[Change, ...] = ()
    hold: Hold | None = None
    rehearsal: Rehearsal | None = None
    """The latest rehearsal, or the one under way."""
    elsewhere: PastTakeover | None = None
    """The latest takeover that the partner carried through, as it told itself."""
    rehearsed_at: float | None = None
    """When a rehearsal last ended well."""
    lasting: Lasting = field(default_factory=Lasting)
    is_exchanged: bool = False
    """Whether the two nodes have exchanged the addresses that they are configured with."""
    hook: HookOutcome | None = None
    """The last hook's outcome since this process began."""
    routines: Mapping[str, RoutineRun] = field(default_factory=dict)
    """Scheduled work by name, since this process began; the journal keeps every run."""
    copies: Mapping[str, CopyState] = field(default_factory=dict)
    """What is copied here from the primary, by name."""
    timing: Timing = field(default_factory=Timing)

    @property
    def made_active_by(self) -> FinishedRun | None:
        """The latest run that made this node the management node, whatever ran since."""
        kinds = (PlanKind.TAKEOVER, PlanKind.SWITCHOVER)
        found = (one for one in reversed(self.finished) if one.kind in kinds or one.is_drill)
        return next(found, None)

    @property
    def last_made_active(self) -> FinishedRun | None:
        """The latest takeover that was carried through, whatever followed it."""
        ends = (RunStatus.DONE, RunStatus.CONCLUDED)
        found = (one for one in reversed(self.finished) if one.kind == PlanKind.TAKEOVER)
        return next((one for one in found if one.status in ends), None)

    @property
    def last_takeover(self) -> FinishedRun | None:
        """The latest takeover that ended; none once the old primary followed in order again."""
        last = self._parting
        return last if last is not None and last.kind == PlanKind.TAKEOVER else None

    @property
    def is_followed(self) -> bool:
        """Whether the latest plan that decided it made the partner follow in order."""
        last = self._parting
        return last is not None and last.kind != PlanKind.TAKEOVER

    @property
    def _parting(self) -> FinishedRun | None:
        """The latest run that says what the partner is: taken over from, or a follower in order."""
        for one in reversed(self.finished):
            follows = one.kind in FOLLOWING or one.is_drill
            if (follows and one.status == RunStatus.DONE) or one.kind == PlanKind.TAKEOVER:
                return one
        return None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was refused: nothing changed. `difference` are lines old -> new."""

    gate: str
    sentence: str
    difference: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What `step` returns: the runtime persists first, then acts (design §9)."""

    state: NodeState
    commands: tuple[Command, ...] = ()
    records: tuple[Record, ...] = ()
    remember: Mapping[str, str] = field(default_factory=dict)
    """Facts to upsert into the journal's memory (key -> JSON)."""
    because: str = ""
    rows: tuple[str, ...] = ()
    """IDs of the table rows that fired."""
    refusal: Refusal | None = None
    answer: Plan | None = None
    """The plan that a request asked for."""
    persist: bool = False
    """The durable part of the state changed: write it with the records."""
