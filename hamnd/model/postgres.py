"""What a PostgreSQL server tells of itself, as values.

Owns the types that `hamnd.dialects.postgresql` reads texts into. Must not know any text, nor what
a value means for the pair. Positions are bytes of the write-ahead log since its beginning; None is
"not told".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hamnd.model.names import ManyValued


class ServerAnswer(ManyValued):
    """What one call of psql says about the server behind it."""

    TOLD = "told"
    """It served the question."""
    DOWN = "down"
    """Nothing listens, or the server itself says that it is starting or stopping."""
    DENIED = "denied"
    """It lives, and refuses us: password, role, database, connection slots."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WalReceiver:
    """The process that receives the log on a standby (pg_stat_wal_receiver)."""

    status: str
    """As it says; "streaming" also long after the primary died (lab.md §6)."""
    latest_end: int | None
    """End of the primary's log as its latest message told."""
    timeline: int | None
    heard_at: float | None
    """Epoch seconds, this server's clock, of the latest message of any kind."""
    silent_s: float | None
    """The age of that message when it was asked."""
    name: str | None
    """The application_name under which the primary knows it."""


@dataclass(frozen=True, slots=True)
class WalSender:
    """One standby as the primary sees it (pg_stat_replication)."""

    name: str
    state: str
    sync_state: str
    sync_priority: int | None
    flushed: int | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A physical replication slot."""

    name: str
    is_active: bool
    wal_status: str | None
    """reserved, extended, unreserved or lost; told since version 13."""


@dataclass(frozen=True, slots=True)
class ReturnedData:
    """What the files of a returned old primary tell, its server not started."""

    system: str
    state: str
    """As its control file says: shut down, in production, ..."""
    timeline: int
    place: str
    """Its data directory as it is called now."""
    can_be_rewound: bool
    """It has data checksums or wal_log_hints, which pg_rewind needs."""
    is_cut_off: bool
    """pg_rewind could not take it back, or did not come to its end."""
    is_standby: bool
    tablespaces: int
    commits: int | None
    """Transactions that it committed after the fork; None: not told, or the log is gone."""
    first: str
    last: str
    """When the first and the last of them were committed, by its clock."""
    end: int | None
    """Where its log ends."""
    has_no_more: bool
    """Its log ends at the fork."""


@dataclass(frozen=True, slots=True)
class SyncRule:
    """synchronous_standby_names, taken apart."""

    needed: int
    """How many standbys must have a commit; 0: none."""
    names: tuple[str, ...]
    is_priority: bool
    """FIRST: the first of the list that are there; otherwise ANY of them."""

    @property
    def needs_all(self) -> bool:
        """Whether a commit waits for every one of the list, so that none can stand in."""
        return 0 < len(self.names) <= self.needed and "*" not in self.names


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One whole answer of a server."""

    version: int
    """server_version_num, e.g. 150018."""
    system: str
    """Identifier of the database cluster; a standby has its primary's."""
    in_recovery: bool
    started_at: float
    at: float
    """Epoch seconds on the server's clock when it answered."""
    timeline: int | None
    flushed: int | None
    """A primary's own end of log on its disk."""
    received: int | None
    replayed: int | None
    is_paused: bool = False
    receiver: WalReceiver | None = None
    is_receiver_hidden: bool = False
    """There is one, and our role may not see it."""
    senders: tuple[WalSender, ...] = ()
    slots: tuple[Slot, ...] = ()
    sync: SyncRule | None = None
    """None: the setting could not be read."""
    commit_level: str = ""
    """synchronous_commit: off, local, remote_write, on or remote_apply."""
    commit_exceptions: int = 0
    """How many roles or databases have a synchronous_commit of their own."""
    receiver_timeout_s: float = 60.0
    writer_delay_s: float = 0.2
    """Its log writer's pause (wal_writer_delay)."""
    listen_addresses: str = ""
    is_read_only: bool = False
    fork: int | None = None
    """Where this timeline left the one before it."""
    problems: tuple[str, ...] = field(default=())

    @property
    def end(self) -> int | None:
        """End of the log on a standby's disk: what it received, or after a restart replayed."""
        known = [one for one in (self.received, self.replayed) if one is not None]
        return max(known) if known else None
