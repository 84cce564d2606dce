"""The normal form of a MariaDB or MySQL server that does not follow its partner (design §6).

Owns the forms of one that follows nobody, somebody else, or told nothing. Must not parse text
(dialects.mariadb) nor know a pair that replicates (mariadb_view).
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.replication.mariadb_telling import alone_details_of, clear_of
from hamnd.core.replication.mariadb_view import TOPIC
from hamnd.model.health import Positions, Replication
from hamnd.model.mariadb import ServerStatus
from hamnd.model.work import Report


def seen_astray(report: Report, status: ServerStatus, stranger: str) -> Replication:
    """A replica of somebody else: what it receives tells nothing of the primary, nor that it lives.

    Its positions are of a foreign log.
    """
    (replica,) = status.replicas
    return replace(
        blind(report, stranger, is_up=True, clear=clear_of(replica)),
        role="standby",
        state="astray",
        connected=False,
        uptime_s=status.uptime_s,
        problems=(stranger, *status.problems),
        doubt=stranger,
        is_applying=replica.is_drained is True or replica.sql == "Yes",
    )


def seen_alone(report: Report, status: ServerStatus) -> Replication:
    """A server that follows nobody: primary when it takes writes, else neither.

    A replica whose threads both stand still, that takes writes and has written itself since, was
    promoted by hand: it is a primary, whatever connection is still configured.
    """
    semi = status.semi
    is_primary = not status.is_read_only
    problems = list(status.problems)
    if status.replicas:
        told = "promoted by hand, but the old connection is still configured: RESET REPLICA ALL"
        problems.insert(0, told)
    if not is_primary:
        problems.insert(0, "read_only is on and it follows nobody: neither primary nor standby")
    is_followed = semi.is_waiting and bool(semi.clients)
    return Replication(
        engine="mariadb",
        role="primary" if is_primary else "standard",
        state="alone",
        connected=None,
        sync_mode="semi_sync" if is_followed else None,
        positions=Positions(status.end, None, None),
        gap_bytes=None,
        replay_gap_bytes=None,
        since=None,
        observed=report.finished,
        source=TOPIC,
        is_database_up=True,
        is_closed=not is_primary,
        uptime_s=status.uptime_s,
        problems=tuple(problems),
        details=alone_details_of(status),
    )


def blind(report: Report, problem: str, is_up: bool | None = None, clear: str = "") -> Replication:
    """A reading that told no state; what the server is cannot be known from here."""
    told = Replication.blind("mariadb", TOPIC, report.finished, problem)
    return replace(told, is_database_up=is_up, clear=clear)
