"""How the answers of a MariaDB or MySQL pair become the normal form of replication (design §6).

Owns when a receiver is believed and what of this standby's copy is verified. Must not parse text
(dialects.mariadb) nor judge loss (mariadb_loss).

"IO running: Yes" and "0 seconds behind" say nothing about life: both stand for a minute after the
primary's power is gone (lab.md §7). What counts is that something *arrives*: the position moves
under writes, the counter of heartbeats while there are none. The server does not say when it last
heard anything, so hamnd compares its own readings. What the standby has is only *verified* by both
ends together: it has received every transaction that is in the log of the primary, asked over ssh.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.core.policy import Policy
from hamnd.core.replication.mariadb_loss import SyncMode
from hamnd.core.replication.mariadb_telling import (
    clear_of,
    details_of,
    doubt_of,
    problems_of,
)
from hamnd.dialects.mariadb.gtid import has_all
from hamnd.model.health import Positions, Replication
from hamnd.model.instant import Instant
from hamnd.model.mariadb import (
    FILE_BITS,
    Replica,
    SemiSync,
    ServerStatus,
    Transactions,
)
from hamnd.model.work import Report

TOPIC = "mariadb"

SILENT_MARGIN_S = 2.0
"""What a heartbeat may be late, beyond its period and our own rhythm."""
NOTHING_CAME_S = 2.0
"""A primary that wrote sends it at once: so long after it has, a silent receiver is a stale one."""


@dataclass(frozen=True, slots=True)
class PrimaryWord:
    """The primary's own last word. Its log only grows: what it had then, it has for ever."""

    status: ServerStatus
    asked_s: float
    """When it was asked, in wall seconds of this node."""
    executed: Transactions
    is_fresh: bool
    """Whether it may be put beside a reading of this node as if both were taken now."""

    @classmethod
    def of(
        cls, report: Report | None, status: ServerStatus | None, here: Report, policy: Policy
    ) -> PrimaryWord | None:
        """Return what the partner's report, read as this status, says; None: it is no primary's."""
        if report is None or status is None or status.replicas or status.executed is None:
            return None
        is_fresh = here.finished.since(report.started) <= policy.slow_freshness_s
        return cls(status, report.started.wall_s, status.executed, is_fresh)


@dataclass(frozen=True, slots=True)
class Here:
    """This standby's own reading, and what was remembered from those before."""

    report: Report
    status: ServerStatus
    replica: Replica
    before: Replication | None
    policy: Policy

    @property
    def heard(self) -> Instant | None:
        """When something had last arrived, as far as hamnd saw it."""
        before = self.before
        if before is None or before.role != "standby":
            return None
        pairs = (
            (before.positions.received, self.replica.received),
            (before.heartbeats, self.replica.heartbeats),
        )
        if any(old is not None and new is not None and new > old for old, new in pairs):
            return self.report.finished
        if before.state == "connecting" and self.replica.io == "Yes":
            return self.report.finished
        return before.heard

    @property
    def limit_s(self) -> float:
        """So long nothing may arrive on a connection that lives."""
        period_s = self.replica.heartbeat_period_s
        if period_s is None:
            period_s = self.status.net_timeout_s / 2  # the default, where it is not told
        return period_s + self.policy.replication_interval_s + SILENT_MARGIN_S


_CONNECTED = {
    "replicating": True,
    "partial": True,
    "delayed": True,
    "broken": True,
    "unheard": None,
}


def seen_standby(here: Here, partner: PrimaryWord | None) -> Replication:
    """Return the normal form of a replica."""
    status, replica = here.status, here.replica
    heard = here.heard
    doubt = doubt_of(replica, None if partner is None else partner.status)
    state = _state_of(here, heard, partner)
    if state == "replicating" and (doubt or replica.delay_s):
        state = "partial" if doubt else "delayed"
    gap = _gap(here, partner)
    there = None if partner is None or not partner.is_fresh else partner.status.semi
    mode, hold_s = (None, None) if there is None else mode_of(status.semi, there)
    return Replication(
        engine="mariadb",
        role="standby",
        state=state,
        connected=_CONNECTED.get(state, False),
        sync_mode=mode,
        # What ssh tells of the primary's log is no sign of life of replication.
        positions=Positions(None, replica.received, replica.replayed),
        gap_bytes=gap,
        replay_gap_bytes=_distance(replica.replayed, replica.received, partner),
        since=None,
        observed=here.report.finished,
        source=TOPIC,
        is_protecting=state == "replicating",
        is_database_up=True,
        uptime_s=status.uptime_s,
        problems=(
            *((doubt,) if doubt else ()),
            *problems_of(status, replica, state, there),
            *status.problems,
        ),
        verified_at=None if doubt else _verified_at(replica, partner),
        doubt=doubt,
        heard=heard,
        heard_at=None if heard is None else heard.wall_s,
        heartbeats=replica.heartbeats,
        hold_s=hold_s,
        is_applying=replica.is_drained is True or (replica.sql == "Yes" and not replica.delay_s),
        clear=clear_of(replica),
        details=details_of(replica, heard, here.report.finished, here.limit_s),
        waits_for="semi-sync replicas" if status.semi.is_asked else "",
    )


def _state_of(here: Here, heard: Instant | None, partner: PrimaryWord | None) -> str:
    """Return the connection's state; "replicating" only while there is reason to believe it."""
    replica = here.replica
    if replica.io in ("Connecting", "Preparing"):
        return "connecting"
    if replica.io != "Yes":
        return "stopped"
    if heard is None:
        return "unheard"
    if here.report.finished.since(heard) > here.limit_s:
        return "stale"
    if partner is not None and replica.has is not None:
        has_nothing_come = heard.wall_s < partner.asked_s - NOTHING_CAME_S
        if has_nothing_come and not has_all(replica.has, partner.executed):
            return "stale"
    return "replicating" if replica.sql == "Yes" else "broken"


def _verified_at(replica: Replica, partner: PrimaryWord | None) -> float | None:
    """Return until when all that was in the primary's log is known to be here."""
    if partner is None or not partner.is_fresh or replica.has is None:
        return None
    return partner.asked_s if has_all(replica.has, partner.executed) else None


def _gap(here: Here, partner: PrimaryWord | None) -> int | None:
    """Return the bytes of the primary's log that are not here; 0 where every transaction is."""
    if partner is None:
        return None
    has = here.replica.has
    if has is not None and has_all(has, partner.executed):
        return 0
    return _distance(here.replica.received, partner.status.end, partner)


def _distance(low: int | None, high: int | None, partner: PrimaryWord | None) -> int | None:
    """Return the bytes between two positions of the primary's log, or None.

    Where a file in between has an unknown size, nobody can tell.
    """
    if low is None or high is None:
        return None
    if low >= high:
        return 0
    first, last = low >> FILE_BITS, high >> FILE_BITS
    mask = (1 << FILE_BITS) - 1
    if first == last:
        return high - low
    sizes = {} if partner is None else dict(partner.status.logs)
    between = [sizes.get(one) for one in range(first, last)] if last - first <= len(sizes) else []
    known = [size for size in between if size is not None]
    if not between or len(known) != len(between):
        return None
    return max(0, sum(known) - (low & mask)) + (high & mask)


def mode_of(here: SemiSync, there: SemiSync) -> tuple[SyncMode, float | None]:
    """Return how the primary treats this standby, and how long its waiting surely goes on.

    A commit that waited already when it was asked may be given up any moment.
    """
    if not there.is_asked or not there.is_waiting:
        return SyncMode.ASYNC, None
    if not here.is_acknowledging:
        return SyncMode.ASYNC, None
    is_only_one = there.clients == 1
    if not (there.is_before_commit and there.holds_alone and is_only_one):
        return SyncMode.SEMI_SYNC_PARTLY, None
    hold_s = there.timeout_s if there.waiters == 0 else 0.0
    return SyncMode.SEMI_SYNC, hold_s
