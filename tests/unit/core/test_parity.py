"""Two nodes that are to take each other's place are at one level, as far as that was ever told."""

from __future__ import annotations

import pytest

from hamnd.core.health.assessment import Assessment
from hamnd.core.health.watch import Watch
from hamnd.core.kept import KEPT
from hamnd.core.parity import judge_parity
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
XCAT = "xcat xCAT-client 2.16.5\nxcat xCAT-server 2.16.5\n"
OLD_XCAT = "xcat xCAT-client 2.16.5\nxcat xCAT-server 2.16.4\n"
PATCHED = "changed /opt/xcat/lib/perl/xCAT/Utils.pm\n"
DB2 = exited(0, 'Informational tokens are "DB2 v9.7.0.2", "s100514", and Fix\nPack "2".\n')
NEWER_DB2 = exited(0, 'Informational tokens are "DB2 v9.7.0.4", "s110330", and Fix Pack "4".\n')


def software(text: str = XCAT, system: str = "7300-02-01-2346") -> Report:
    return exited(0, f"os {system}\n{text}end\n")


GOOD = software()


def judged(
    ours: Report | None, theirs: Report | None, topic: str = "software"
) -> dict[str, Condition]:
    told = {f"seen:{topic}": ours, f"{KEPT}{topic}": theirs}
    watch = Watch(reports={key: one for key, one in told.items() if one is not None})
    return {one.type: one for one in judge_parity(watch, at(10.0), TERMS)}


@pytest.mark.parametrize(
    ("ours", "theirs", "status"),
    [
        (GOOD, GOOD, Status.TRUE),
        (GOOD, software(system="7300-01-01-2246"), Status.FALSE),
        (GOOD, None, Status.UNKNOWN),
        (software(system=""), GOOD, Status.UNKNOWN),
    ],
)
def test_only_one_level_on_both_is_parity(
    ours: Report, theirs: Report | None, status: Status
) -> None:
    assert judged(ours, theirs)["ParityOs"].status is status


@pytest.mark.parametrize(
    ("ours", "theirs", "status", "reason"),
    [
        (XCAT, XCAT, Status.TRUE, "Same"),
        (XCAT, OLD_XCAT, Status.FALSE, "Differs"),
        (XCAT, "xcat xCAT-server 2.16.5\n", Status.FALSE, "Differs"),
        (XCAT + PATCHED, XCAT + PATCHED, Status.TRUE, "Same"),
        (XCAT, XCAT + PATCHED, Status.FALSE, "FilesDiffer"),
        ("", XCAT, Status.UNKNOWN, "NoPackages"),
    ],
)
def test_xcat_is_the_same_packages_with_the_same_files_changed(
    ours: str, theirs: str, status: Status, reason: str
) -> None:
    found = judged(software(ours), software(theirs))["ParityXcat"]
    assert (found.status, found.reason) == (status, reason)


def test_what_differs_is_named_with_both_versions_and_what_to_do() -> None:
    told = judged(software(XCAT), software(OLD_XCAT))["ParityXcat"].message
    assert told.startswith("xCAT-server 2.16.5 here, 2.16.4 there ->")


@pytest.mark.parametrize(
    ("theirs", "status"),
    [(DB2, Status.TRUE), (NEWER_DB2, Status.FALSE), (None, Status.UNKNOWN)],
)
def test_the_database_program_is_one_on_both(theirs: Report | None, status: Status) -> None:
    assert judged(DB2, theirs, "database_level")["ParityDatabase"].status is status


def test_where_the_programs_may_differ_nothing_is_said_of_them() -> None:
    terms = Terms(site(engine="sqlite"), Policy())
    assert "ParityDatabase" not in {one.type for one in judge_parity(Watch(), at(0), terms)}


@pytest.mark.parametrize(
    ("theirs", "ready"),
    [
        (GOOD, Status.TRUE),
        (software(system="7300-01-01-2246"), Status.FALSE),
        (software(OLD_XCAT), Status.FALSE),
        (software(XCAT + PATCHED), Status.TRUE),
        (None, Status.TRUE),
    ],
)
def test_a_takeover_is_ready_unless_the_versions_are_known_to_differ(
    theirs: Report | None, ready: Status
) -> None:
    good = [
        Condition(name, Status.TRUE, "Good", "good", 0.0, 0.0, "a test")
        for name in ("StepReady/xcatd", "DiskSpace", "FilesIdentical", "FenceReady")
    ]
    promotion = Promotion("peer-window-only", Verdict.PASS, "it can")
    parity = judged(GOOD, theirs).values()
    picture = Assessment(conditions=(*good, *parity), promotion=promotion)
    assert judge_ready(State.DEGRADED, Mode.NORMAL, picture, TERMS) is ready
