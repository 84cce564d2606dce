"""What a MariaDB or MySQL server tells of itself, as values.

Owns the types that `hamnd.dialects.mariadb` reads texts into. Must not know any text, nor what a
value means for the pair. A position is a place in the binary log of one server: the number of the
file in the upper half, the byte in it in the lower 32 bits (an event's end is told in 32 bits), so
that positions of one server compare, and subtract within a file. None is "not told".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hamnd.model.names import ManyValued

FILE_BITS = 32
BYTE_MAX = (1 << FILE_BITS) - 1


class Product(StrEnum):
    """Whose words the servers understand."""

    MARIADB = "mariadb"
    MYSQL = "mysql"


class ServerAnswer(ManyValued):
    """What one call of the client says about the server behind it."""

    TOLD = "told"
    """It served the question, or refused it with an error of its own."""
    DOWN = "down"
    """Nothing listens at its socket, or it says that it is shutting down."""
    DENIED = "denied"
    """It lives, and refuses us: password, user, host, connection slots."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Span:
    """Transactions without a gap, by number, of one stream.

    A stream is a GTID domain (MariaDB) or the UUID of the server that began them (MySQL).
    """

    stream: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Transactions:
    """A set of transactions by their global IDs: spans in order that touch nowhere."""

    spans: tuple[Span, ...] = ()

    def __len__(self) -> int:
        return sum(one.last - one.first + 1 for one in self.spans)


@dataclass(frozen=True, slots=True)
class Replica:
    """One replication connection of a server (SHOW ALL REPLICAS STATUS)."""

    connection: str
    """Its name; the unnamed one is the default."""
    primary_host: str
    io: str
    """Receiver: Yes, Connecting, Preparing or No; "Yes" also long after the primary died."""
    sql: str
    """Applier: Yes or No."""
    received: int | None
    """End of what the receiver read, as a position of its primary's log."""
    replayed: int | None
    """End of what the applier executed, as a position of its primary's log."""
    has: Transactions | None
    """What was received or is applied; None where the connection does not use global IDs."""
    unapplied: Transactions | None
    """What of it is not applied yet; a transaction of which only the beginning came is not in it.
    None where the connection does not use global IDs."""
    heartbeats: int | None
    """How many were received: it counts on an idle connection, as long as the primary lives."""
    heartbeat_period_s: float | None
    delay_s: int
    """The applier is told to stay so far behind."""
    io_error: int
    io_text: str
    sql_error: int
    sql_text: str
    is_caught_up: bool
    """The applier says that it has read all of the relay log; its workers may not have done it."""
    workers: int = 0
    """So many apply side by side; 0: the applier does it itself."""
    primary_id: int | None = None
    """server_id of the server that it last received from; None: of none yet."""
    primary_uuid: str = ""
    """server_uuid of the same, where it has one (MySQL)."""
    filters: tuple[str, ...] = ()
    """What it is told to leave out or to put elsewhere, as `Name = value`."""

    @property
    def is_drained(self) -> bool | None:
        """Whether all that was received whole is applied; None: not told.

        Global IDs tell it. Positions do so only without them: the half transaction of a receiver
        that stopped stays in the relay log for ever, and who has read it all has applied the rest
        only where nobody else applies it.
        """
        is_level = self._is_level
        if self.has is not None and self.unapplied is not None:
            # A server that was started and follows nobody yet has forgotten what it received.
            is_told = bool(self.has.spans) or is_level is True
            return is_told and not self.unapplied.spans
        if is_level is None:
            return None
        is_read = self.sql == "Yes" and self.is_caught_up and self.workers < 2
        return is_level or is_read

    @property
    def _is_level(self) -> bool | None:
        if self.received is None or self.replayed is None:
            return None
        return self.received == self.replayed


@dataclass(frozen=True, slots=True)
class SemiSync:
    """Both halves of semi-synchronous replication, as one server has them."""

    is_asked: bool = False
    """As a primary it is told to wait for a replica."""
    is_waiting: bool = False
    """It does: it has not fallen back to asynchronous."""
    is_before_commit: bool = False
    """AFTER_SYNC: it waits before others see the commit, not after."""
    holds_alone: bool = True
    """It goes on waiting when its last replica is gone (…_wait_no_slave)."""
    timeout_s: float | None = None
    """So long a commit waits at least before the server falls back."""
    clients: int | None = None
    """Replicas that acknowledge."""
    waiters: int | None = None
    """Commits that wait at this moment."""
    is_acknowledging: bool = False
    """As a replica it acknowledges what it receives."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One whole answer of a server."""

    version: str
    at: float
    """Epoch seconds on the server's clock when it answered."""
    uptime_s: int
    server_id: int | None
    is_read_only: bool
    executed: Transactions | None
    """What is in its own log: gtid_binlog_pos or gtid_executed."""
    replicated: Transactions | None
    """What it applied from a primary (gtid_slave_pos): a promoted server keeps where it forked."""
    writes_itself: bool
    """Its latest transaction is one of its own, not one it was sent."""
    has_log: bool
    semi: SemiSync = SemiSync()
    replicas: tuple[Replica, ...] = ()
    logs: tuple[tuple[int, int], ...] = ()
    """Number and size in bytes of each file of its binary log."""
    net_timeout_s: float = 60.0
    bind_address: str = ""
    uuid: str = ""
    """server_uuid, where it has one (MySQL)."""
    log_filters: tuple[str, ...] = ()
    """What its own binary log leaves out, as `Name = value`."""
    problems: tuple[str, ...] = field(default=())

    @property
    def end(self) -> int | None:
        """End of its own binary log."""
        if not self.logs:
            return None
        number, size = max(self.logs)
        return (number << FILE_BITS) | min(size, BYTE_MAX)
