"""What a returned Db2 primary lost and how it comes back: a table of pictures (db2-hadr.md §10)."""

from __future__ import annotations

import pytest

from hamnd.core.replication import Examination, PartnerDatabase, Way
from hamnd.core.replication.db2 import ENGINE
from hamnd.core.replication.db2_return import CFG, KEPT
from hamnd.model.work import Ending, Report
from tests.unit.core.builders import at, replication, report, terms

ROLE = " HADR database role                                      = {role}\n"
PENDING = " Rollforward pending                                     = DATABASE\n"
OURS = replication(0.0, role="primary", state="disconnected", is_protecting=False)
PROTECTED = replication(0.0, role="primary", state="peer")
UNKNOWN_END = PartnerDatabase(False)
STOPPED = report(exit_code=4, stdout="SQL1032N  No start database manager command was issued.\n")
GONE = report(exit_code=4, stdout='SQL1013N  The database name "XCATDB" could not be found.\n')
CUT = report(Ending.LOST)


def cfg(role: str, more: str = "") -> Report:
    return report(stdout=ROLE.format(role=role) + more)


def ended(position: int) -> PartnerDatabase:
    return PartnerDatabase(True, "primary", position, at(0.0))


@pytest.mark.parametrize(
    ("told", "partner", "way", "said"),
    [
        (cfg("PRIMARY"), UNKNOWN_END, Way.REINTEGRATE, "tried as a standby"),
        (cfg("PRIMARY"), ended(5_000), Way.REINTEGRATE, "tried as a standby"),
        (cfg("PRIMARY"), ended(5_001), Way.RESEED, "1 B that ours never had"),
        (cfg("STANDBY"), UNKNOWN_END, Way.RESEED, "did not stay"),
        (cfg("STANDBY"), PartnerDatabase(False, "standby"), Way.REINTEGRATE, "not caught up"),
        (cfg("STANDARD"), UNKNOWN_END, Way.RESEED, "independent"),
        (cfg("STANDARD", PENDING), UNKNOWN_END, Way.REINTEGRATE, "it can go on"),
        (STOPPED, UNKNOWN_END, Way.REINTEGRATE, "not started"),
        (GONE, UNKNOWN_END, Way.RESEED, "no database of this name"),
        (report(stdout=""), UNKNOWN_END, None, "not known"),
        (CUT, UNKNOWN_END, None, "was not read"),
        (None, UNKNOWN_END, None, "was not read"),
    ],
)
def test_the_way_back(
    told: Report | None, partner: PartnerDatabase, way: Way | None, said: str
) -> None:
    reports = {} if told is None else {CFG: told}
    finding = ENGINE.examine(terms(), Examination(5_000, partner, OURS, reports))
    assert (None if finding.rejoin is None else finding.rejoin.way) is way
    assert said in finding.sentence


def test_what_is_kept_has_the_same_name_whenever_it_is_planned() -> None:
    """Named by where ours went on, not by what the old primary tells this time."""
    ranges = []
    for partner in (UNKNOWN_END, ended(6_000), ended(7_000)):
        exam = Examination(5_000, partner, OURS, {CFG: cfg("STANDARD")})
        found = ENGINE.examine(terms(), exam).rejoin
        assert found is not None
        assert found.kept_as == "diverged-after-5000"
        ranges.append(found.diverged)
    assert ranges[1:] == ["log from 5000 to 6000", "log from 5000 to 7000"]
    exam = Examination(None, UNKNOWN_END, OURS, {CFG: cfg("STANDARD")})
    blind = ENGINE.examine(terms(), exam).rejoin
    assert blind is not None
    assert blind.kept_as == "diverged"


@pytest.mark.parametrize(
    ("ours", "partner", "view", "kept", "said"),
    [
        (5_000, ended(5_000), OURS, "", "zero: the old primary's log ends at 5000"),
        (5_000, ended(7_000), OURS, "", "2000 B"),
        (None, ended(7_000), OURS, "", None),
        (5_000, UNKNOWN_END, OURS, "", None),
        (5_000, UNKNOWN_END, PROTECTED, "", "zero: the old primary joined"),
        (5_000, UNKNOWN_END, PROTECTED, "diverged\n", "not known in bytes"),
        (5_000, UNKNOWN_END, PROTECTED, "half.part\n", "zero: the old primary joined"),
    ],
)
def test_the_actual_loss(
    ours: int | None,
    partner: PartnerDatabase,
    view: object,
    kept: str,
    said: str | None,
) -> None:
    """A standby that was made by hamnd from our own backup tells nothing of what it had before."""
    reports = {CFG: cfg("STANDBY"), KEPT: report(stdout=kept)}
    exam = Examination(ours, partner, view, reports)  # type: ignore[arg-type]  # a Replication
    actual = ENGINE.examine(terms(), exam).actual
    assert actual is None if said is None else actual is not None and said in actual
