"""What a person has to know of a replica that does not follow as it should, and what to run.

Owns these sentences. Must not judge whether a connection lives (mariadb_view), nor know numbers of
errors (dialects.mariadb.errors).
"""

from __future__ import annotations

from hamnd.dialects.mariadb.errors import in_words
from hamnd.dialects.mariadb.gtid import format_spans
from hamnd.model.instant import Instant
from hamnd.model.mariadb import FILE_BITS, Replica, SemiSync, ServerStatus

_ANEW = "what was left out does not come by itself: take that away, then copy the standby anew"


def doubt_of(replica: Replica, there: ServerStatus | None) -> str:
    """Return why this copy is not whole, whatever was received; "": nothing speaks against it.

    What is filtered away counts as received and applied in GTIDs (measured, MariaDB 10.11).
    """
    if replica.filters:
        told = ", ".join(replica.filters)
        return f"this standby does not take over all that its primary writes: {told}; {_ANEW}"
    if there is not None and there.log_filters:
        told = ", ".join(there.log_filters)
        return f"the primary's binary log leaves out a part of its writes: {told}; {_ANEW}"
    return ""


def stranger_of(replica: Replica, there: ServerStatus | None) -> str:
    """Return whom it follows, where that is known not to be the partner's server; else ""."""
    if there is None:
        return ""
    told = f"it follows another server than the partner's: {replica.primary_host}, "
    if replica.primary_uuid and there.uuid and replica.primary_uuid != there.uuid:
        return f"{told}server_uuid {replica.primary_uuid} and not {there.uuid}"
    ids = replica.primary_id, there.server_id
    if None not in ids and ids[0] != ids[1]:
        return f"{told}server_id {ids[0]} and not {ids[1]}"
    return ""


def problems_of(
    status: ServerStatus, replica: Replica, state: str, there: SemiSync | None
) -> tuple[str, ...]:
    """Return what a person has to know, the gravest first.

    `state` is what hamnd believes of the connection, `there` what the primary lately said of
    semi-sync.
    """
    told: list[str] = []
    if replica.sql_error:
        told.append(f"the applier stopped: {in_words(replica.sql_error, replica.sql_text)}")
    elif replica.sql != "Yes":
        told.append("the applier does not run: START REPLICA SQL_THREAD")
    if replica.io_error:
        told.append(f"the receiver says: {in_words(replica.io_error, replica.io_text)}")
    elif replica.io == "No":
        told.append("the receiver does not run: START REPLICA")
    elif state in ("stale", "unheard"):
        told.append("nothing arrives from the primary, although IO running says Yes")
    if status.semi.is_asked:
        told.append(
            "semi-sync is switched on as a primary here too: the applier waits for acknowledgements"
            " that nobody gives; SET GLOBAL rpl_semi_sync_master_enabled = OFF on the standby"
        )
    if not status.is_read_only:
        told.append("read_only is off here: whatever writes on this standby breaks replication")
    if replica.has is None:
        told.append("it follows without GTIDs: what it has cannot be verified (set-up uses GTIDs)")
    if replica.delay_s:
        told.append(f"the applier is told to stay {replica.delay_s} s behind: set MASTER_DELAY = 0")
    if there is not None and there.is_asked and not there.is_waiting:
        told.append("semi-sync is switched on at the primary and has fallen back: it waits not")
    return tuple(told)


def clear_of(replica: Replica) -> str:
    """Return what has the applier go on.

    With both threads stopped a start throws the relay log away and asks the primary for all of it
    again (measured, MariaDB 10.11 with GTIDs).
    """
    if replica.sql == "Yes":
        return (
            "STOP REPLICA SQL_THREAD; CHANGE MASTER TO MASTER_DELAY = 0; START REPLICA SQL_THREAD"
        )
    if replica.io == "No":
        return (
            "with both threads stopped START REPLICA fetches everything anew from the primary; if "
            "that one is gone, apply the rest by mariadb-binlog from the relay log first"
        )
    return "mend what the error names, then START REPLICA SQL_THREAD"


def details_of(
    replica: Replica, heard: Instant | None, now: Instant, limit_s: float
) -> tuple[str, ...]:
    """Return what only this engine has to tell of a replica."""
    facts = [f"IO running {replica.io}, SQL running {replica.sql}: no signs of life by themselves"]
    if replica.received is not None:
        number, byte = replica.received >> FILE_BITS, replica.received & ((1 << FILE_BITS) - 1)
        facts.append(f"received up to file {number}, byte {byte} of the primary's binary log")
    if replica.has is not None:
        facts.append(f"GTID received: {format_spans(replica.has) or 'nothing'}")
    if replica.heartbeats is not None:
        facts.append(f"{replica.heartbeats} heartbeats since the receiver connected")
    if heard is not None:
        facts.append(f"nothing arrived for {now.since(heard):.0f} s; {limit_s:.0f} s are normal")
    return tuple(facts)


def alone_details_of(status: ServerStatus) -> tuple[str, ...]:
    """Return what a server that follows nobody has, and where it left its primary."""
    facts = []
    if status.executed is not None:
        facts.append(f"GTID in its own log: {format_spans(status.executed) or 'nothing'}")
    if status.replicated is not None and status.replicated.spans:
        facts.append(f"applied from a primary before: {format_spans(status.replicated)}")
    return tuple(facts)
