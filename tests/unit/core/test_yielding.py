"""What this node has gives way to the partner's only where the cluster does not live by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.core.assessing import assess
from hamnd.core.health.watch import Watch
from hamnd.core.replication import PartnerDatabase
from hamnd.core.state import NodeState
from hamnd.model.health import Replication
from hamnd.model.names import Verdict
from hamnd.model.work import Reading
from tests.unit.core.builders import at, replication, report, terms

OWN, IDENTITY = "9.114.47.104/26", "9.114.47.110/26"
SERVES = PartnerDatabase(True, "primary", at=at(9.0))
DEAD = PartnerDatabase(False, at=at(9.0), failing_since=at(1.0))


def yielding(
    view: Replication | None, *addresses: str, partner: PartnerDatabase = SERVES
) -> Reading:
    text = "".join(f"2: en1    inet {one} scope global en1\n" for one in addresses)
    reports = {"seen:addresses": report(stdout=text)} if addresses else {}
    watch = Watch(replication=view, partner=partner, reports=reports)
    return assess(replace(NodeState(), watch=watch), at(10.0), terms()).yielding


PRIMARY = replication(9.0, role="primary")
NONE = replication(9.0, role=None, is_database_up=False)
UNREAD = replication(9.0, role=None, is_database_up=None)


@pytest.mark.parametrize(
    ("view", "addresses", "partner", "verdict"),
    [
        (replication(9.0), (OWN,), SERVES, Verdict.PASS),
        (NONE, (OWN,), SERVES, Verdict.PASS),
        (PRIMARY, (OWN,), SERVES, Verdict.PASS),
        (PRIMARY, (OWN,), DEAD, Verdict.BLOCK),
        (PRIMARY, (OWN,), PartnerDatabase(), Verdict.UNKNOWN),
        (PRIMARY, (OWN, IDENTITY), SERVES, Verdict.BLOCK),
        (replication(9.0), (OWN, IDENTITY), SERVES, Verdict.BLOCK),
        (replication(9.0), (), SERVES, Verdict.UNKNOWN),
        (UNREAD, (OWN,), SERVES, Verdict.UNKNOWN),
        (None, (OWN,), SERVES, Verdict.UNKNOWN),
        (replication(-3_600.0), (OWN,), SERVES, Verdict.UNKNOWN),
    ],
)
def test_it_gives_way_only_where_the_cluster_does_not_live_by_it(
    view: Replication | None,
    addresses: tuple[str, ...],
    partner: PartnerDatabase,
    verdict: Verdict,
) -> None:
    told = yielding(view, *addresses, partner=partner)
    assert told.verdict is verdict, told.sentence
