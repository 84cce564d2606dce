"""Whether this node's database and addresses may give way to those of the partner.

Owns that verdict, the precondition of being made a standby. Must not know which plan asks (gates).
"""

from __future__ import annotations

from hamnd.core.replication import PartnerDatabase
from hamnd.model.health import Replication
from hamnd.model.names import Verdict
from hamnd.model.work import Reading


def judge_yielding(
    view: Replication | None,
    holds_address: bool | None,
    partner: PartnerDatabase,
    is_partner_serving: bool,
) -> Reading:
    """Return PASS if nothing of the cluster is served here; `view` is None unless it is young.

    A server as packages leave it takes writes too. It gives way only while the partner's own tools
    say that theirs serves: without that, the one here may be the cluster's only one.
    """
    if holds_address:
        told = "it holds an address of the cluster: its database may be the cluster's own"
        return Reading(Verdict.BLOCK, told)
    if holds_address is None:
        return Reading(Verdict.UNKNOWN, "its addresses were not read")
    if view is None or (view.role is None and view.is_database_up is not False):
        why = "" if view is None or not view.problems else f": {view.problems[0]}"
        return Reading(Verdict.UNKNOWN, f"the role of its database was not read{why}")
    if view.role != "primary":
        return Reading(Verdict.PASS, "it holds no address of the cluster, and no primary")
    if is_partner_serving:
        told = "its database is a primary that nobody is sent to, the partner's serves"
        return Reading(Verdict.PASS, told)
    told = "its database is a primary, and the partner's is not seen to serve"
    return Reading(Verdict.UNKNOWN if partner.is_good is None else Verdict.BLOCK, told)
