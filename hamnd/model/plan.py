"""A plan: what the operator sees, confirms and the run carries out.

Owns `Step`, `Plan` and what a plan shows (gates, loss). Must not know how a plan is built, digested
or run (core).
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.model.epoch import Claim
from hamnd.model.names import ENTIRE_DATABASE, Cause, FenceGrade, LossVerdict, PlanKind, Verdict
from hamnd.model.work import Action, Look

HOME = "home-"
"""How the ids of the steps begin by which this node hands over to the partner."""
SETUP = "setup-"
"""How they begin of a setup that a drill follows in the same plan."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan (design §5).

    `readiness` can be looked at any day, without a takeover, and proves that the step would work
    (program there, service quiet). `preconditions` must all PASS right before the first action;
    `postconditions` all PASS before the step is done. A step whose postconditions already hold is
    done without acting when `skip_if_done`. `wait_s` is how long the postconditions may take to
    come true after the actions.
    """

    id: str
    title: str
    guide: str
    host: str
    depends_on: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    readiness: tuple[Look, ...] = ()
    preconditions: tuple[Look, ...] = ()
    postconditions: tuple[Look, ...] = ()
    timeout_s: float = 60.0
    wait_s: float = 10.0
    reversible: bool = True
    compensation: tuple[Action, ...] = ()
    undone: tuple[Look, ...] = ()
    """What proves that the compensation is done; without it only its exit codes tell."""
    skip_if_done: bool = True
    needs_fence: bool = False
    """Fence evidence that policy accepts is judged again right before each action (law 3)."""
    proves_fence: bool = False
    """Done only when fence evidence that policy accepts is there."""
    lets_go: bool = False
    """Once it is done its host has given up role, services and addresses (planned plans, law 3)."""
    parks: bool = False
    """From its first action on its host may have no address but the spare one (two living nodes
    exchange their addresses): only the run knows where it is."""
    against: str = ""
    """With `needs_fence`: the node that must be off or have let go; empty: the partner."""
    keeps_at: int | None = None
    """The action with this index makes final what those before it began (commit-confirmed): it
    starts only once the postconditions hold, and until it is done the step takes itself back."""
    is_optional: bool = False
    """Welcome, not needed: when it is not done it is left out and the run goes on."""
    claims: Claim | None = None
    """Whom the epoch names as soon as this step begins (design §5)."""
    progress: Look | None = None
    """What can be asked while the actions run: how far they are, in words."""
    after: tuple[str, ...] = ()
    """Steps that must have ended before this one, done or skipped; `depends_on` must be done."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """The verdict of one gate, what it saw, and the operator's reason when it was overridden."""

    name: str
    verdict: Verdict
    evidence: str
    clear: str = ""
    """What the operator can run to clear it."""
    reason: str | None = None
    overridden: Verdict | None = None
    """What the operator overrode: the verdict that stood when this was judged."""


BOUND_SLACK_S = 1.0
"""By so much a bound is told anew without being another one."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a takeover would lose, and why hamnd says so (design §4).

    `bytes` and `seconds` are an enforced bound (verdict BOUNDED) or None; `estimated_bytes` may
    stand beside an UNKNOWN and is never a bound.
    """

    verdict: LossVerdict
    basis: tuple[str, ...]
    bytes: int | None = None
    seconds: float | None = None
    estimated_bytes: int | None = None
    peer_window_end: int | None = None
    """Frozen PEER_WINDOW_END, epoch seconds on the primary's clock."""
    is_entire: bool = False
    """What is lost can be the whole database: its class is entire-database."""

    @property
    def class_(self) -> str:
        """What the operator has to accept: the verdict's word, or entire-database."""
        return ENTIRE_DATABASE if self.is_entire else self.verdict.value

    def grew_since(self, shown: Loss) -> str:
        """Say how much larger the bound became than the one that was shown; empty: it did not."""
        if self.seconds is None or shown.seconds is None:
            return ""
        if self.seconds <= shown.seconds + BOUND_SLACK_S:
            return ""
        return f"{self.seconds:.1f} s, not {shown.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Override:
    """One gate overridden by name and with a reason (law 11)."""

    gate: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What the operator asked for."""

    kind: PlanKind
    accept_loss: str | None = None
    """One of `LOSS_CLASSES`."""
    overrides: tuple[Override, ...] = ()
    is_successor: bool = False
    with_drill: bool = False
    """Of a setup: the guide's test of the pair is its end (§5.1.9)."""
    with_conversion: bool = False
    """Of a setup: xCAT's tables come to name the service address."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with its digest. Times are wall seconds; they are not part of the digest."""

    request: PlanRequest
    digest: str
    variant: str
    """Promotion variant (core.replication.Promotion), e.g. peer-window-only."""
    steps: tuple[Step, ...]
    gates: tuple[GateResult, ...]
    loss: Loss
    cause: Cause | None
    reach_class: str
    """State cause, and whether ssh and database of the primary answer."""
    created_at: float
    expires_at: float
    fence_minimum: FenceGrade = FenceGrade.AGENT_OFF
    """What the operator agreed to as proof; a later configuration can only demand more."""

    @property
    def kind(self) -> PlanKind:
        """The kind that was asked for."""
        return self.request.kind

    def step(self, step_id: str) -> Step:
        """Return the step with that id. Raises KeyError where there is none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
