"""The kinds of plans: how each is built, and which row of the table its confirmation fires.

Owns `KINDS`. A kind without a trigger runs beside the state (design §3: state and run are two
things). `undo` is built from a run, not from the picture, and is none of them. Must not
know what a plan consists of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hamnd.core.plans import Draft
from hamnd.core.plans.homeward import build_drill, build_failback
from hamnd.core.plans.rejoin import build_rejoin
from hamnd.core.plans.resume import build_resume
from hamnd.core.plans.setup import build_setup
from hamnd.core.plans.switchover import build_switchover
from hamnd.core.plans.takeover import build_takeover
from hamnd.core.table import Trigger
from hamnd.model.names import PlanKind
from hamnd.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Kind:
    """What the engine must know of one kind of plan."""

    build: Callable[[Draft], Plan]
    confirmed: Trigger | None
    """What its confirmation fires."""


KINDS: dict[PlanKind, Kind] = {
    PlanKind.TAKEOVER: Kind(build_takeover, Trigger.TAKEOVER_CONFIRMED),
    PlanKind.SETUP: Kind(build_setup, None),
    PlanKind.SWITCHOVER: Kind(build_switchover, Trigger.SWITCHOVER_CONFIRMED),
    PlanKind.REJOIN: Kind(build_rejoin, None),
    PlanKind.FAILBACK: Kind(build_failback, None),
    PlanKind.DRILL: Kind(build_drill, Trigger.SWITCHOVER_CONFIRMED),
    PlanKind.RESUME: Kind(build_resume, None),
}
