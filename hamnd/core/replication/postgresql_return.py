"""What the returned old primary of a PostgreSQL pair lost, and how it becomes a standby again.

Owns that judgement. Must not read texts (dialects.postgresql) nor build steps (postgresql_steps).

What only the old primary has begins where our timeline left its own, and ends where its log ends.
Every transaction that was acknowledged there has its commit record in between, on its disk, before
the acknowledgement (with synchronous_commit = off perhaps not: then it was lost with the machine's
memory, whatever we do). So the commits counted there are never fewer than what is missing here;
they can be more, by what was never acknowledged and by the server's own transactions.
"""

from __future__ import annotations

from hamnd.core.replication import Examination, Finding, Rejoin, Way
from hamnd.dialects.postgresql.returned import parse_returned
from hamnd.dialects.postgresql.status import format_lsn
from hamnd.model.health import Replication
from hamnd.model.postgres import ReturnedData

TOPIC = "returned"


def examine_returned(exam: Examination) -> Finding:
    """Return the actual loss and the way back, from the old primary's files or else its server."""
    report = exam.reports.get(TOPIC)
    told = None if report is None else parse_returned(report)
    if told is None or exam.view is None or exam.view.role != "primary":
        return Finding(_lost_by_position(exam), None, "the data of the old primary was not read")
    view = exam.view
    if view.system is not None and told.system != view.system:
        why = "it is another database: the system identifiers differ"
        return Finding(None, None, why)
    if told.timeline == view.timeline and told.is_standby:
        return Finding(None, None, "it follows this node already")
    way, why = _way(told, view)
    return Finding(_actual(told, view), _rejoin(told, view, way), why)


def _way(told: ReturnedData, view: Replication) -> tuple[Way, str]:
    """Return how it comes back, and why so: rewound where nothing speaks against it."""
    against = {
        "pg_rewind could not take it back, or was cut off": told.is_cut_off,
        f"timeline {told.timeline} over there is unknown here": _is_unknown(told, view),
        "its log since the fork is gone": told.commits is None and not told.has_no_more,
        "it has neither data checksums nor wal_log_hints": not told.can_be_rewound,
        "it has tablespaces outside of its data directory": told.tablespaces > 0,
    }
    reasons = [reason for reason, holds in against.items() if holds]
    if reasons:
        return Way.RESEED, f"a new copy: {'; '.join(reasons)}"
    return Way.REINTEGRATE, "pg_rewind can take back what only it has"


def _is_unknown(told: ReturnedData, view: Replication) -> bool:
    """Whether its timeline cannot be the one that ours came from: somebody promoted it as well."""
    return view.timeline is None or told.timeline >= view.timeline


def _rejoin(told: ReturnedData, view: Replication, way: Way) -> Rejoin:
    fork = "?" if view.fork is None else format_lsn(view.fork)
    end = "?" if told.end is None else format_lsn(told.end)
    label = f"timeline-{told.timeline}-{fork}-{end}".replace("/", "_").replace("?", "unknown")
    is_equal = told.has_no_more and not _is_unknown(told, view)
    diverged = "" if is_equal else f"{fork} to {end} of timeline {told.timeline}"
    return Rejoin(way, label, diverged)


def _actual(told: ReturnedData, view: Replication) -> str | None:
    if _is_unknown(told, view):
        return f"unknown: it went on alone on timeline {told.timeline}, which this node never had"
    if told.has_no_more:
        return "zero: the old primary's log ends where ours went on"
    if told.commits is None or view.fork is None:
        return None
    span = f"{format_lsn(view.fork)} to {'?' if told.end is None else format_lsn(told.end)}"
    where = f"its log on timeline {told.timeline} from {span}"
    if told.commits == 0:
        return f"zero: no transaction was committed in {where}"
    times = told.first if told.first == told.last else f"{told.first} to {told.last}"
    word = "transaction" if told.commits == 1 else "transactions"
    return f"at most {told.commits} {word}, committed {times}: {where}"


def _lost_by_position(exam: Examination) -> str | None:
    """Tell the loss by its running server: its end of log against the fork of the timelines.

    A server that is started again writes some records of its own, so its end is a bound. One that
    was rewound or cloned tells nothing any more.
    """
    view, partner = exam.view, exam.partner
    base = exam.ours if view is None or view.fork is None else view.fork
    if partner.role != "primary" or partner.position is None or base is None:
        return None
    is_rejoined = view is not None and view.timeline == partner.timeline
    if is_rejoined and partner.timeline is not None:
        return None
    lost = partner.position - base
    ends = f"the old primary's log ends at {format_lsn(partner.position)}"
    forked = f"ours went on from {format_lsn(base)}"
    if lost <= 0:
        return f"zero: {ends}, {forked}"
    return f"at most {lost} B of its log: {ends}, {forked}; acknowledged or not"
