"""How the answers of a PostgreSQL pair become the normal form of replication (design §6).

Owns when a receiver is believed and what of this standby's copy is verified. Must not parse text
(dialects.postgresql) nor judge loss (postgresql_loss).

A receiver that says "streaming" is believed as long as it has heard something lately: it asks for a
sign of life itself after half of wal_receiver_timeout, so an idle pair is never silent for longer,
and a dead primary's receiver is (lab.md §6). What the standby has is only *verified* by both ends
together: it has received everything that the primary, asked over ssh, had on its own disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hamnd.core.policy import Policy
from hamnd.core.replication.postgresql_loss import OFF_DELAYS, OFF_MARGIN_S, SyncMode
from hamnd.dialects.postgresql.status import answer_of, parse_status
from hamnd.model.health import Positions, Replication
from hamnd.model.postgres import ServerAnswer, ServerStatus, Slot
from hamnd.model.work import Report

TOPIC = "psql"

SILENT_MARGIN_S = 5.0
"""What a sign of life that was asked for may take, beyond half of wal_receiver_timeout."""
NOTHING_CAME_S = 2.0
"""A primary that wrote sends it at once: so long after it has, a silent receiver is a stale one."""
LOSING = {
    "lost": "is lost: the log that this standby needs is gone, rejoin copies anew",
    "unreserved": "is about to be lost: it may keep no more log (max_slot_wal_keep_size)",
}
"""What becomes of a standby whose slot says so."""
FLUSHED_LEVELS = ("on", "remote_apply")
"""Values of synchronous_commit that wait for the standby's disk."""


@dataclass(frozen=True, slots=True)
class PrimaryWord:
    """The primary's own last word. Its log only grows: what it had then, it has for ever."""

    status: ServerStatus
    asked_s: float
    """When it was asked, in wall seconds of this node."""
    flushed: int
    is_fresh: bool
    """Whether it may be put beside a reading of this node as if both were taken now."""

    @classmethod
    def of(cls, report: Report | None, here: Report, policy: Policy) -> PrimaryWord | None:
        """Return what a report of the partner says, unless it is no primary's."""
        if report is None or answer_of(report) is not ServerAnswer.TOLD:
            return None
        status = parse_status(report.stdout)
        if status is None or status.in_recovery or status.flushed is None:
            return None
        is_fresh = here.finished.since(report.started) <= policy.slow_freshness_s
        return cls(status, report.started.wall_s, status.flushed, is_fresh)


def seen_standby(
    report: Report, status: ServerStatus, partner: PrimaryWord | None, slot: str
) -> Replication:
    """Return the normal form of a server in recovery; `slot` is the one that keeps its log."""
    receiver = status.receiver
    problems = list(status.problems)
    if status.is_paused:
        problems.append("replay is paused here: pg_wal_replay_resume()")
    is_ours = partner is None or partner.status.system == status.system
    if not is_ours:
        problems.append("this standby is a copy of another cluster: the system identifiers differ")
        partner = None
    state = _state_of(status, partner)
    kept = None if partner is None else _slot_of(partner.status, slot)
    if kept is not None and kept.wal_status in LOSING:
        problems.append(f"slot {slot} on the primary {LOSING[kept.wal_status]}")
    primary = None if receiver is None else receiver.latest_end
    flushed = None if partner is None else partner.flushed
    told = [one for one in (primary, flushed) if one is not None]
    end = status.end
    gap = max(0, max(told) - end) if told and end is not None else None
    replay_gap = None
    if end is not None and status.replayed is not None:
        replay_gap = max(0, end - status.replayed)
    return Replication(
        engine="postgresql",
        role="standby",
        state=state,
        connected=None if state is None else state == "streaming",
        sync_mode=_mode_of(status, partner.status) if partner and partner.is_fresh else None,
        positions=Positions(primary, end, status.replayed),
        gap_bytes=gap,
        replay_gap_bytes=replay_gap,
        since=None,
        observed=report.finished,
        source=TOPIC,
        is_protecting=state == "streaming" and is_ours,
        is_database_up=True,
        uptime_s=int(status.at - status.started_at),
        problems=tuple(problems),
        details=_details(status, kept),
        verified_at=_verified_at(status, partner),
        heard_at=None if receiver is None else receiver.heard_at,
        timeline=status.timeline,
        system=status.system,
        waits_for=", ".join(status.sync.names) if status.sync is not None else "",
    )


def _slot_of(primary: ServerStatus, name: str) -> Slot | None:
    return next((one for one in primary.slots if one.name == name), None)


def _details(here: ServerStatus, slot: Slot | None) -> tuple[str, ...]:
    """Return what only PostgreSQL has to tell of a standby."""
    facts = []
    if here.receiver is not None and here.receiver.silent_s is not None:
        limit_s = here.receiver_timeout_s / 2 + SILENT_MARGIN_S
        silent_s = here.receiver.silent_s
        facts.append(f"the receiver heard nothing for {silent_s:.0f} s; {limit_s:.0f} s are normal")
    if slot is not None:
        use = "in use" if slot.is_active else "not in use"
        facts.append(f"slot {slot.name} on the primary: {use}, {slot.wal_status or 'kept'}")
    return tuple(facts)


def _state_of(status: ServerStatus, partner: PrimaryWord | None) -> str | None:
    """Return the receiver's state; "streaming" only while there is reason to believe it."""
    receiver = status.receiver
    if receiver is None:
        return None if status.is_receiver_hidden else "disconnected"
    if receiver.status != "streaming":
        return receiver.status
    silent_s = receiver.silent_s
    limit_s = (status.receiver_timeout_s or 60.0) / 2 + SILENT_MARGIN_S
    if silent_s is None or silent_s > limit_s:
        return "stale"
    if partner is None or status.end is None or receiver.heard_at is None:
        return "streaming"
    has_nothing_come = receiver.heard_at < partner.asked_s - NOTHING_CAME_S
    return "stale" if partner.flushed > status.end and has_nothing_come else "streaming"


def _verified_at(status: ServerStatus, partner: PrimaryWord | None) -> float | None:
    """Return until when all that the primary had on its disk is known to be here."""
    if partner is None or not partner.is_fresh:
        return None
    if status.end is None or status.end < partner.flushed:
        return None
    # With synchronous_commit = off a commit is acknowledged before it is on any disk; a role or a
    # database with a value of its own may have that one.
    there = partner.status
    is_off = there.commit_level == "off" or there.commit_exceptions > 0
    late_s = OFF_DELAYS * there.writer_delay_s + OFF_MARGIN_S if is_off else 0.0
    return partner.asked_s - late_s


def _mode_of(here: ServerStatus, there: ServerStatus) -> SyncMode | None:
    """Return how the primary treats this standby, by its own word; None: cannot be told.

    What it demands counts, not who is connected: a primary that demands this standby waits for it
    also when it has lost it.
    """
    rule, name = there.sync, None if here.receiver is None else here.receiver.name
    if rule is None:
        return SyncMode.UNKNOWN
    if there.commit_level in ("off", "local") or rule.needed == 0:
        return SyncMode.ASYNC
    rows = [one for one in there.senders if one.name == name]
    if rule.needs_all and there.commit_exceptions == 0 and len(rows) <= 1:
        if name is None:
            return None
        if name.lower() not in {one.lower() for one in rule.names}:
            return SyncMode.ASYNC
        return SyncMode.SYNC if there.commit_level in FLUSHED_LEVELS else SyncMode.REMOTE_WRITE
    states = {one.sync_state for one in rows}
    if states & {"sync", "quorum"}:
        return SyncMode.SYNC_PARTLY
    return SyncMode.POTENTIAL if "potential" in states else SyncMode.ASYNC


def seen_primary(report: Report, status: ServerStatus) -> Replication:
    """A primary: its standby is protected while one of them streams."""
    streaming = [one for one in status.senders if one.state == "streaming"]
    sent = [one.flushed for one in streaming if one.flushed is not None]
    gap = None
    if status.flushed is not None and sent:
        gap = max(0, status.flushed - max(sent))
    modes = {one.sync_state for one in streaming}
    return Replication(
        engine="postgresql",
        role="primary",
        state="streaming" if streaming else "alone",
        connected=bool(streaming),
        sync_mode=min(modes) if len(modes) == 1 else None,
        positions=Positions(status.flushed, max(sent, default=None), None),
        gap_bytes=gap,
        replay_gap_bytes=None,
        since=None,
        observed=report.finished,
        source=TOPIC,
        is_protecting=bool(streaming),
        is_database_up=True,
        uptime_s=int(status.at - status.started_at),
        problems=status.problems,
        timeline=status.timeline,
        fork=status.fork,
        system=status.system,
    )


def blind(report: Report, problem: str, is_up: bool | None = None, clear: str = "") -> Replication:
    """A reading that told no state; what the server is cannot be known from here."""
    told = Replication.blind("postgresql", TOPIC, report.finished, f"psql: {problem}")
    return replace(told, is_database_up=is_up, clear=clear)
