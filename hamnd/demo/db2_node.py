"""The values of the simulated Db2 pair: settings, log records, one node's mutable state.

Owns what a node remembers (persistent role apart from activation, its log, what it knows of its
partner). MUST NOT know how the link between the nodes behaves (`db2_link`), what a command does
(`db2_commands`) or how anything is printed (`db2_texts*`). No clock, no I/O, no randomness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

LOG_START = 321_584_272
"""Byte position at which a simulated pair begins (the specimen of db2-hadr.md §3)."""
PAGE_BYTES = 4096
FILE_PAGES = 1000
FIRST_FILE = 17
SHUTDOWN_RECORD_BYTES = 76
"""What an orderly shutdown writes; on an isolated primary it is what makes the logs diverge."""
KEPT_RECORDS = 4000
"""Log records kept per node before the common beginning is folded into the table contents."""


class Role(StrEnum):
    """The persistent role of a database (GET DB CFG, "HADR database role")."""

    PRIMARY = "PRIMARY"
    STANDBY = "STANDBY"
    STANDARD = "STANDARD"


class HadrState(StrEnum):
    """HADR_STATE in the words of the new layout (db2-hadr.md §6.1)."""

    LOCAL_CATCHUP = "LOCAL_CATCHUP"
    REMOTE_CATCHUP_PENDING = "REMOTE_CATCHUP_PENDING"
    REMOTE_CATCHUP = "REMOTE_CATCHUP"
    PEER = "PEER"
    DISCONNECTED_PEER = "DISCONNECTED_PEER"
    DISCONNECTED = "DISCONNECTED"


class SyncMode(StrEnum):
    """HADR_SYNCMODE (db2-hadr.md §6.3)."""

    SYNC = "SYNC"
    NEARSYNC = "NEARSYNC"
    ASYNC = "ASYNC"
    SUPERASYNC = "SUPERASYNC"

    @property
    def waits_for_standby(self) -> bool:
        """Whether a commit waits for the standby, and therefore the peer window has a meaning."""
        return self in (SyncMode.SYNC, SyncMode.NEARSYNC)


class Layout(StrEnum):
    """The Db2 release whose texts are printed (db2-hadr.md §2, §3.1, §4)."""

    V9_7 = "9.7"
    V10_1 = "10.1"
    V10_5 = "10.5"
    V11_1 = "11.1"
    V11_5 = "11.5"
    V12_1 = "12.1"

    @property
    def number(self) -> tuple[int, int]:
        """Release as a pair of numbers, so that `>=` means "at least this release"."""
        major, minor = self.value.split(".")
        return int(major), int(minor)

    @property
    def is_old(self) -> bool:
        """Whether db2pd prints blocks of columns (9.x) instead of KEY = VALUE lines."""
        return self is Layout.V9_7


class HostPower(StrEnum):
    """What the machine under a node does."""

    UP = "up"
    FROZEN = "frozen"
    OFF = "off"


class Unverified(StrEnum):
    """Facts marked [U] in db2-hadr.md. None is emitted unless it is named in the settings."""

    REASON_CODES = "reason_codes"  # §8.1: SQL1767N 1-4, SQL1769N 1, SQL1770N 1 and 2, SQL1776N 1
    PEER_WINDOW_END_NULL = "peer_window_end_null"  # §3.1: NULL when never in peer (new layout)
    LAST_TAKEOVER_TIME = "last_takeover_time"  # §3.1: HADR_LAST_TAKEOVER_TIME in db2pd of 12.1
    STANDBY_HOST_NULL = "standby_host_null"  # §3.1: STANDBY_MEMBER_HOST NULL before a connection
    OLD_HADR_HEADING = "old_hadr_heading"  # §5: "HADR Information:" above "HADR is not active."
    CLEAR_WINDOW_END = "clear_window_end"  # §6.3: the wiki's statement for releases up to 9.7
    GCF_START_TEXT = "gcf_start_text"  # §8: what db2gcf -u prints
    SSL_PROTOCOL = "ssl_protocol"  # §3.2: the flag SSL_PROTOCOL instead of TCP_PROTOCOL


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One machine of the pair: its name and what GET DB CFG says about its end of the link."""

    name: str
    address: str
    service: str


@dataclass(frozen=True, slots=True)
class PairConfig:
    """The pair as it is set up. Seconds and bytes throughout.

    `takeover_s` is the time that a takeover takes; `backup_s` that of BACKUP and RESTORE,
    `command_s` that of every other command.
    `write_rows_per_s` is the load on the first primary; `row_bytes` the log one row costs.
    `is_paired` False: two databases of their own, without HADR and without archived logs.
    `clients_return_s` is when forced clients connect again (None: they stay away, as xCAT's do
    once xcatd is stopped). `ship_delay_s` is how far ASYNC and SUPERASYNC trail;
    `replay_bytes_per_s` None = at once.
    """

    primary: NodeConfig = NodeConfig("aixmn1", "9.114.47.103", "DB2_HADR_1")
    standby: NodeConfig = NodeConfig("aixmn2", "9.114.47.104", "DB2_HADR_2")
    database: str = "XCATDB"
    instance: str = "xcatdb"
    layout: Layout = Layout.V11_5
    sync_mode: SyncMode = SyncMode.NEARSYNC
    hadr_timeout_s: int = 60
    peer_window_s: int = 120
    takeover_s: float = 3.0
    command_s: float = 0.05
    backup_s: float = 0.2
    reconnect_s: float = 2.0
    write_rows_per_s: float = 5.0
    row_bytes: int = 212
    ship_delay_s: float = 0.2
    catchup_bytes_per_s: int = 5_000_000
    replay_bytes_per_s: int | None = None
    client_connections: int = 4
    clients_return_s: float | None = None
    seed: int = 0
    reads_on_standby: bool = False
    spool_limit_pages: int = 25600
    cluster_managed: bool = False
    may_pass_using: bool = False
    is_paired: bool = True
    unverified: frozenset[Unverified] = frozenset()

    @property
    def window_s(self) -> int:
        """The peer window as it acts: 0 in modes that ignore HADR_PEER_WINDOW (§6.3)."""
        return self.peer_window_s if self.sync_mode.waits_for_standby else 0

    @property
    def heartbeat_exact_s(self) -> float:
        """min(HADR_TIMEOUT / 4, HADR_PEER_WINDOW / 4 if > 0, 30), before its integer part."""
        limits = [self.hadr_timeout_s / 4, 30.0]
        if self.peer_window_s > 0:
            limits.append(self.peer_window_s / 4)
        return min(limits)

    @property
    def heartbeat_s(self) -> float:
        """Seconds between heartbeats: the integer part of §6.4, and a fraction below one second."""
        whole = int(self.heartbeat_exact_s)
        return float(whole) if whole >= 1 else max(self.heartbeat_exact_s, 0.25)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command on a node printed, how it ended and how long it took, in seconds.

    `duration_s` of a running command is a forecast (infinite: it waits for something outside);
    `ticket` then asks `Db2Pair.answer` for what really came of it. Text goes to standard output.
    """

    text: str
    exit_code: int
    duration_s: float = 0.0
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a row did: one key of one table set to a value, or removed (`value` None)."""

    table: str
    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One committed transaction (or, with `is_row` False, the record of an orderly shutdown)."""

    serial: int
    start: int
    end: int
    at: float
    change: Change | None = None
    is_row: bool = True


class Log:
    """One node's log: records in order, and the contents that its forgotten beginning left."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.forgotten = 0
        self.forgotten_rows = 0
        self._base: dict[tuple[str, str], str] = {}

    @property
    def position(self) -> int:
        """Byte position just behind the last record."""
        return self.records[-1].end if self.records else LOG_START

    @property
    def last_at(self) -> float | None:
        """True time of the last record, or None when there is none."""
        return self.records[-1].at if self.records else None

    @property
    def count(self) -> int:
        """Number of records since the pair was made, forgotten ones included."""
        return self.forgotten + len(self.records)

    @property
    def rows(self) -> int:
        """Number of committed rows, forgotten ones included."""
        return self.forgotten_rows + sum(1 for record in self.records if record.is_row)

    def append(self, record: LogRecord) -> None:
        """Add one record at the end."""
        self.records.append(record)

    def begins(self, other: Log) -> bool:
        """Whether this log is a beginning of the other one (equal logs included)."""
        length = len(self.records)
        if self.forgotten != other.forgotten or length > len(other.records):
            return False
        return length == 0 or other.records[length - 1].serial == self.records[-1].serial

    def fork_length(self, other: Log) -> int:
        """Number of kept records that both logs have in common, by binary search."""
        low, high = 0, min(len(self.records), len(other.records))
        while low < high:
            middle = (low + high + 1) // 2
            if self.records[middle - 1].serial == other.records[middle - 1].serial:
                low = middle
            else:
                high = middle - 1
        return low

    def beyond(self, other: Log) -> list[LogRecord]:
        """Records of this log that the other one lacks."""
        return self.records[self.fork_length(other) :]

    def copy_from(self, other: Log) -> None:
        """Become a copy of the other log (a backup restored here)."""
        self.records = list(other.records)
        self.forgotten, self.forgotten_rows = other.forgotten, other.forgotten_rows
        self._base = dict(other._base)

    def fold(self, count: int) -> None:
        """Forget the first `count` kept records, keeping what they left in the tables."""
        for record in self.records[:count]:
            _apply(self._base, record)
        self.forgotten_rows += sum(1 for record in self.records[:count] if record.is_row)
        self.forgotten += count
        del self.records[:count]

    def contents(self, table: str) -> dict[str, str]:
        """The rows of a table by key, as they are after the last record."""
        rows = dict(self._base)
        for record in self.records:
            _apply(rows, record)
        return {key: value for (name, key), value in rows.items() if name == table}


def _apply(rows: dict[tuple[str, str], str], record: LogRecord) -> None:
    if record.change is None:
        return
    where = (record.change.table, record.change.key)
    if record.change.value is None:
        rows.pop(where, None)
    else:
        rows[where] = record.change.value


def log_file(position: int) -> str:
    """Name of the log file that holds a byte position."""
    return f"S{FIRST_FILE + max(0, position - LOG_START) // (PAGE_BYTES * FILE_PAGES):07d}.LOG"


def log_page(position: int) -> int:
    """Page number of a byte position inside its log file."""
    return max(0, position - LOG_START) // PAGE_BYTES % FILE_PAGES


@dataclass(slots=True)
class Partner:
    """What a node knows of its partner; old by up to one heartbeat (db2-hadr.md §1 rule 3)."""

    ever_connected: bool = False
    position: int = 0
    replayed: int = 0
    log_time: float | None = None
    replay_time: float | None = None


@dataclass(slots=True)
class Heartbeats:
    """Heartbeats counted since the connection, and when this node last heard anything."""

    expected: int = 0
    missed: int = 0
    last_received_at: float | None = None
    send_due: float | None = None
    expect_due: float | None = None


@dataclass(slots=True)
class Waits:
    """How long this primary's log writes waited for the standby."""

    blocked_since: float | None = None
    accumulated_s: float = 0.0
    count: int = 0
    recent_average_s: float = 0.000187


@dataclass(slots=True)
class Node:
    """Everything one node knows and holds. Changed only by the model's own modules.

    `role` is persistent; `active` is whether the database is activated. `poisoned` says that a
    forced takeover told this old primary to stop (SQL1776N 6). `diverged_at` is when a database
    that was started as a standby with a foreign log will shut itself down.
    """

    config: NodeConfig
    role: Role
    power: HostPower = HostPower.UP
    clock_skew_s: float = 0.0
    instance_up: bool = True
    active: bool = True
    starting_as_primary: bool = False
    activated_at: float = 0.0
    rollforward_pending: bool = False
    poisoned: bool = False
    forcing_applications: bool = False
    log: Log = field(default_factory=Log)
    replayed: float = LOG_START
    replay_clock: float = 0.0
    state: HadrState = HadrState.DISCONNECTED
    connected: bool = False
    congested: bool = False
    status_since: float = 0.0
    joined_at: float | None = None
    window_end: int | None = None
    partner: Partner = field(default_factory=Partner)
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    waits: Waits = field(default_factory=Waits)
    log_gap_average: float = 0.0
    replay_gap_average: float = 0.0
    flags: tuple[str, ...] = ()
    standby_error_at: float | None = None
    backup_pending: bool = False
    utility: tuple[str, float, float] | None = None
    """The last backup or restore: which, and from when to when it runs."""
    exists: bool = True
    """Whether there is a database of the pair's name at all."""
    load_rows_per_s: float = 0.0
    load_due: float | None = None
    local_catchup_until: float | None = None
    reconnect_due: float | None = None
    diverged_at: float | None = None
    last_takeover_at: float | None = None
    applications: int = 0
    takeover_remaining: tuple[int, int] | None = None
    hostname: str = ""
    nodes_cfg_hostname: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    """The database configuration by name (db2_parameters)."""
    addresses: frozenset[str] = frozenset()
    """What HADR_LOCAL_HOST may name: the machine's own addresses."""
    alternate: tuple[str, str] | None = None
    """Host and port of the alternate server that clients are told."""
    boot: int = 1

    @property
    def name(self) -> str:
        """The node's configured name."""
        return self.config.name

    def is_called(self, host: str) -> bool:
        """Whether a host parameter means this machine: by address, by host name, by our name."""
        return host in self.addresses or host in (self.hostname, self.config.name)

    @property
    def runs(self) -> bool:
        """Whether the machine executes anything at all."""
        return self.power is HostPower.UP

    @property
    def serves_hadr(self) -> bool:
        """Whether this database takes part in HADR now (active, or a primary that is starting)."""
        return (self.active or self.starting_as_primary) and self.role is not Role.STANDARD

    def clock(self, at: float) -> float:
        """What this machine's own clock says at a true time."""
        return at + self.clock_skew_s
