"""The plan `rejoin` without what it keeps: whoever gives that up gives up nothing else.

Owns the gate `preserve_diverged` and what its override leaves of every engine's steps. That two
nodes do not both call themselves primary afterwards is told by tests/lab/test_lab_copied_life.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.drafting import draft_of
from hamnd.core.plans.rejoin import build_rejoin, rejoin_steps
from hamnd.core.replication import Finding, Rejoin, Way
from hamnd.core.replication.registry import ENGINES
from hamnd.core.turn import Turn
from hamnd.model.names import PlanKind, Status, Verdict
from hamnd.model.plan import Override, Plan, PlanRequest
from tests.unit.core.builders import at
from tests.unit.core.story import Story
from tests.unit.core.test_engines import terms_for
from tests.unit.core.test_way_home import switched

FOUND = Rejoin(Way.RESEED, "5000", "bytes 5000 to 7000")
GIVEN_UP = Override("preserve_diverged", "it was only a test system")
MAKES_STANDBY = {"sqlite": "demote", "dump": "demote", "shared_disk": "let-go"}


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_who_keeps_nothing_leaves_out_the_keeping_alone(name: str) -> None:
    here = terms_for(name)
    kept = [one.id for one in rejoin_steps(here, FOUND)]
    given_up = rejoin_steps(here, FOUND, is_kept=False)
    assert [one.id for one in given_up] == [one for one in kept if one != "preserve"]
    assert all("preserve" not in one.depends_on for one in given_up)
    assert MAKES_STANDBY.get(name, "hold") in kept


def planned(story: Story, *overrides: Override) -> Plan:
    unprotected = replace(story.state.assessment, is_protected=Status.FALSE)
    turn = Turn(replace(story.state, assessment=unprotected), at(story.now_s), story.terms)
    draft = draft_of(turn, PlanRequest(PlanKind.REJOIN, overrides=overrides))
    return build_rejoin(
        replace(draft, question=replace(draft.question, finding=Finding(rejoin=FOUND)))
    )


def test_what_diverged_is_kept_unless_that_is_given_up_by_name() -> None:
    story = switched()
    kept, given_up = planned(story), planned(story, GIVEN_UP)
    assert "preserve" in {one.id for one in kept.steps}
    assert "preserve" not in {one.id for one in given_up.steps}
    assert kept.digest != given_up.digest
    gates = [
        {one.name: one for one in plan.gates}["preserve_diverged"] for plan in (kept, given_up)
    ]
    assert [one.verdict for one in gates] == [Verdict.PASS, Verdict.OVERRIDDEN]
    assert gates[1].evidence == "given up, not kept: bytes 5000 to 7000"
