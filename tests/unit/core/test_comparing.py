"""What became worse since the operator looked depends on what the kind of plan waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.gates.takeover import why_not_promote
from hamnd.core.plans.comparing import what_became_worse
from hamnd.model.names import Cause, LossVerdict, PlanKind
from hamnd.model.plan import Loss, PlanRequest
from tests.builders import plan, terms

GOOD, DOUBTFUL, GONE = (
    "none, Answers, database answers",
    "none, Answers, database unknown",
    "none, Silent, database silent",
)


@pytest.mark.parametrize(
    ("kind", "shown", "fresh", "is_worse"),
    [
        (PlanKind.SETUP, DOUBTFUL, GOOD, False),
        (PlanKind.SWITCHOVER, DOUBTFUL, GOOD, False),
        (PlanKind.DRILL, DOUBTFUL, GOOD, False),
        (PlanKind.SWITCHOVER, GOOD, DOUBTFUL, True),
        (PlanKind.SWITCHOVER, GOOD, GONE, True),
        (PlanKind.TAKEOVER, DOUBTFUL, GONE, False),
        (PlanKind.TAKEOVER, DOUBTFUL, GOOD, True),
        (PlanKind.REJOIN, DOUBTFUL, GOOD, True),
        (PlanKind.FAILBACK, GOOD, GONE, True),
        (PlanKind.SWITCHOVER, GOOD, GOOD, False),
    ],
)
def test_a_primary_that_answers_is_an_improvement_where_it_takes_part(
    kind: PlanKind, shown: str, fresh: str, is_worse: bool
) -> None:
    before, after = (
        plan(request=PlanRequest(kind), cause=None, reach_class=one) for one in (shown, fresh)
    )
    assert bool(what_became_worse(before, after, terms())) is is_worse


def test_another_cause_is_never_an_improvement() -> None:
    before = plan(request=PlanRequest(PlanKind.SWITCHOVER), cause=Cause.HOST, reach_class=GONE)
    after = plan(request=PlanRequest(PlanKind.SWITCHOVER), cause=None, reach_class=GOOD)
    assert what_became_worse(before, after, terms())


@pytest.mark.parametrize(("seconds", "is_worse"), [(12.0, False), (12.9, False), (47.0, True)])
def test_a_larger_bound_is_a_worse_loss_although_its_class_is_the_same(
    seconds: float, is_worse: bool
) -> None:
    """A copy that rots makes an older one the newest: what was accepted was less."""
    request = PlanRequest(PlanKind.TAKEOVER, accept_loss="bounded")
    shown, fresh = (Loss(LossVerdict.BOUNDED, ("copy",), seconds=one) for one in (12.0, seconds))
    before, after = (
        plan(request=request, variant="accepted-force", loss=one) for one in (shown, fresh)
    )
    assert bool(what_became_worse(before, after, terms())) is is_worse
    assert (why_not_promote(before, fresh) is not None) is is_worse
    unknown = PlanRequest(PlanKind.TAKEOVER, accept_loss="unknown")
    assert why_not_promote(replace(before, request=unknown), fresh) is None
