"""What a returned old primary tells of the loss: the transactions that only it has.

Owns that judgement. Must not parse text (dialects.mariadb) nor build steps (mariadb_pairing).

A promoted server keeps in gtid_slave_pos where it left its primary (measured, MariaDB 10.11, also
after RESET REPLICA ALL); what the old primary's own log has beyond that was never here. Their count
is exact, whether a client was told of them or not.
"""

from __future__ import annotations

from hamnd.core.replication import Examination, Finding, Rejoin, Way
from hamnd.dialects.mariadb.gtid import format_spans, missing
from hamnd.dialects.mariadb.status import read_status
from hamnd.model.mariadb import ServerStatus
from hamnd.model.work import Report

HERE_TOPIC = "returned_here"
THERE_TOPIC = "returned_there"


def judge_return(exam: Examination, partner: str) -> Finding:
    """Return the actual loss and the way back, as far as both servers told them."""
    here, there = _told(exam.reports.get(HERE_TOPIC)), _told(exam.reports.get(THERE_TOPIC))
    if there is None:
        told = f"the MariaDB server of {partner} does not tell its transactions: is it started?"
        return Finding(sentence=f"{told} Behind the return guard it starts with read_only = ON")
    if there.replicas:
        return Finding(sentence=f"{partner} is a replica already")
    # MySQL has no position of what it applied: there the sets of both servers compare whole.
    ours = None if here is None else here.executed if here.replicated is None else here.replicated
    if ours is None or there.executed is None or not ours.spans:
        return Finding(sentence="this node's server does not tell where it went on alone")
    only_there = missing(ours, there.executed)
    went_on = f"we went on from {format_spans(ours)}"
    label = "gtid-" + "_".join(f"{one.stream}-{one.last}" for one in there.executed.spans)
    if not only_there.spans:
        rejoin = Rejoin(Way.RESEED, label)
        return Finding(f"zero: {partner} has no transaction of its own, {went_on}", rejoin)
    what = f"{len(only_there)} transactions, {format_spans(only_there)}"
    rejoin = Rejoin(Way.RESEED, label, what)
    told = f"at most {what}: only {partner} has them, {went_on}; acknowledged or not"
    return Finding(told, rejoin, "a MariaDB server cannot be rewound: it gets a new copy")


def _told(report: Report | None) -> ServerStatus | None:
    return None if report is None else read_status(report)
