"""What became worse since the operator looked depends on what the kind of plan waits for."""

from __future__ import annotations

import pytest

from hamnd.core.plans.comparing import what_became_worse
from hamnd.model.names import Cause, PlanKind
from hamnd.model.plan import PlanRequest
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
