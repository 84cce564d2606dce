"""Two nodes that are to take each other's place are at one level, as far as that was ever told."""

from __future__ import annotations

import pytest

from hamnd.core.health.assessment import Assessment
from hamnd.core.health.watch import Watch
from hamnd.core.parity import OURS, THEIRS, judge_parity
from hamnd.core.policy import Policy, Terms
from hamnd.core.readiness import judge_ready
from hamnd.core.replication import Promotion
from hamnd.model.health import Condition
from hamnd.model.names import Mode, State, Status, Verdict
from hamnd.model.site import Platform
from hamnd.model.work import Report
from tests.builders import site
from tests.unit.core.builders import at
from tests.unit.dialects.reports import exited

TERMS = Terms(site(platform=Platform.AIX), Policy())
LEVEL = exited(0, "7300-02-01-2346\n")
OLDER = exited(0, "7300-01-01-2246\n")


def judged(ours: Report | None, theirs: Report | None) -> Condition | None:
    told = {OURS: ours, THEIRS: theirs}
    watch = Watch(reports={key: one for key, one in told.items() if one is not None})
    found = judge_parity(watch, at(10.0), TERMS)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("ours", "theirs", "status"),
    [
        (LEVEL, LEVEL, Status.TRUE),
        (LEVEL, OLDER, Status.FALSE),
        (LEVEL, None, Status.UNKNOWN),
        (exited(0, "oslevel: busy\n"), LEVEL, Status.UNKNOWN),
    ],
)
def test_only_one_level_on_both_is_parity(
    ours: Report, theirs: Report | None, status: Status
) -> None:
    found = judged(ours, theirs)
    assert found is not None
    assert (found.type, found.status) == ("ParityOs", status)


def test_a_platform_that_tells_no_level_has_no_such_condition() -> None:
    assert judged(None, LEVEL) is None


@pytest.mark.parametrize(
    ("theirs", "ready"),
    [(LEVEL, Status.TRUE), (OLDER, Status.FALSE), (None, Status.TRUE)],
)
def test_a_takeover_is_ready_unless_the_levels_are_known_to_differ(
    theirs: Report | None, ready: Status
) -> None:
    parity = judged(LEVEL, theirs)
    assert parity is not None
    good = [
        Condition(name, Status.TRUE, "Good", "good", 0.0, 0.0, "a test")
        for name in ("StepReady/xcatd", "DiskSpace", "FilesIdentical", "FenceReady")
    ]
    promotion = Promotion("peer-window-only", Verdict.PASS, "it can")
    picture = Assessment(conditions=(*good, parity), promotion=promotion)
    assert judge_ready(State.DEGRADED, Mode.NORMAL, picture, TERMS) is ready
