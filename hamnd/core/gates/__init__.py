"""The gates of a plan: what must be true before it may begin.

Owns what every gate looks at, how bad a verdict is and how the operator's overrides meet it. The
gates themselves are `takeover` and `planned`, which kind asks which is `judging`. Must not know
steps or states' rows. A gate that cannot see says UNKNOWN, and UNKNOWN blocks; every gate can be
overridden by name and with a reason (law 11); loss is overridden by accepting its class (law 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hamnd.core.health.assessment import Assessment
from hamnd.core.policy import Terms
from hamnd.core.replication import Finding
from hamnd.model.health import Condition
from hamnd.model.names import LOSS_CLASSES, Cause, Mode, PlanKind, State, Status, Verdict
from hamnd.model.plan import GateResult, PlanRequest

RANK = {Verdict.PASS: 0, Verdict.OVERRIDDEN: 1, Verdict.UNKNOWN: 2, Verdict.BLOCK: 3}
"""How bad a verdict is; a gate that got a higher rank became worse."""

LOSS_RANK: dict[str, int] = {name: rank for rank, name in enumerate(LOSS_CLASSES)}
"""How bad a class of loss is."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A takeover that was carried through within `Policy.acknowledge_window_s`, on either node."""

    node: str
    """Who carried it out: its journal has the report."""
    digest: str
    age_s: float
    acknowledged_by: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the gates of a plan look at."""

    state: State
    mode: Mode
    mode_reason: str
    assessment: Assessment
    request: PlanRequest
    has_run: bool
    """Another run is under way; a successor continues it and is no other run."""
    terms: Terms
    cause: Cause | None = None
    begun: frozenset[str] = frozenset()
    """Steps that a successor inherits as done or acted: their readiness is history."""
    does_ssh_answer: bool = False
    """The old primary's ssh port answered lately: whoever is there can be told to end."""
    does_database_answer: bool = False
    """The old primary's own tools said lately that its database is up, and primary."""
    shown_loss: str | None = None
    """At confirm: the class that the operator saw and, where he had to, accepted."""

    earlier: Earlier | None = None
    """The takeover before, where it is so recent that somebody has to have looked at it."""
    finding: Finding | None = None
    """What the returned old primary's own data told; None while it has not returned."""
    is_old_one_out: bool = False
    """The partner was taken over from and has not rejoined, or may serve by the newest epoch."""
    is_owner: bool | None = None
    """Whether the newest epoch known names this node; None where there is none."""

    @property
    def plan(self) -> str:
        """The command that plans this kind: what clears a gate by an option begins so."""
        return plan_command(self.request.kind)


def plan_command(kind: PlanKind) -> str:
    """Return the command that plans a kind."""
    return f"hamnctl plan {kind}"


Gate = Callable[[Question], GateResult | None]
"""Judges; None where the site has nothing that it could look at."""


def blocking(gates: tuple[GateResult, ...]) -> tuple[GateResult, ...]:
    """Return the gates that forbid the plan."""
    return tuple(one for one in gates if RANK[one.verdict] > RANK[Verdict.OVERRIDDEN])


def is_overridden(gates: tuple[GateResult, ...], name: str) -> bool:
    """Whether the operator overrode this gate by name."""
    return any(one.name == name and one.verdict is Verdict.OVERRIDDEN for one in gates)


def from_condition(name: str, found: Condition | None) -> GateResult:
    """Return a gate that asks one condition; what is not known blocks."""
    if found is None or found.status is Status.UNKNOWN:
        evidence = "not known" if found is None else found.message
        return GateResult(name, Verdict.UNKNOWN, evidence, "hamnctl explain")
    verdict = Verdict.PASS if found.status is Status.TRUE else Verdict.BLOCK
    return GateResult(name, verdict, found.message, f"hamnctl explain {found.type}")
