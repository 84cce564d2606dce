"""What a Db2 HADR tool said: the values that `hamnd.dialects.db2` reads out of text.

Owns the words of HADR and the frozen readings of `db2pd -hadr`, `GET SNAPSHOT`, `GET DB CFG` and
the command line processor. Must not know any text layout (dialects) nor what a reading means for a
takeover (core). Times are integer epoch seconds of the server that printed them, positions are
decimal byte positions in the log stream, None always means "the tool did not say".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from hamnd.model.names import ManyValued

_BAD_FLAG = re.compile(r"ERROR|FULL|BLOCKED")
_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


def _no_fields() -> Mapping[str, str]:
    return _NO_FIELDS


class HadrRole(StrEnum):
    """Role of a database; STANDARD (HADR stopped) is seen in the configuration only."""

    PRIMARY = "primary"
    STANDBY = "standby"
    STANDARD = "standard"


class HadrState(StrEnum):
    """State of the pair (db2-hadr.md §6.1)."""

    PEER = "peer"
    DISCONNECTED_PEER = "disconnected_peer"
    REMOTE_CATCHUP = "remote_catchup"
    REMOTE_CATCHUP_PENDING = "remote_catchup_pending"
    LOCAL_CATCHUP = "local_catchup"
    DISCONNECTED = "disconnected"


class ConnectStatus(StrEnum):
    """State of the connection between the two databases."""

    CONNECTED = "connected"
    CONGESTED = "congested"
    DISCONNECTED = "disconnected"


class SyncMode(StrEnum):
    """What a commit on the primary waits for (db2-hadr.md §6.3)."""

    SYNC = "sync"
    NEARSYNC = "nearsync"
    ASYNC = "async"
    SUPERASYNC = "superasync"


class HadrLayout(StrEnum):
    """The two shapes of `db2pd -hadr` output."""

    COLUMNS = "9.x"
    FIELDS = "10.1+"


class ReportKind(StrEnum):
    """Which tool a text came from."""

    DB2PD = "db2pd"
    SNAPSHOT = "snapshot"
    DB_CFG = "dbcfg"


class ParseVerdict(ManyValued):
    """How much a text told. Only OK stands for one complete status without any problem."""

    OK = "ok"
    INCOMPLETE = "incomplete"
    """Recognised, but something is missing, damaged or contradictory; see `problems`."""
    HADR_INACTIVE = "hadr_inactive"
    """The database is active and its role is standard."""
    DATABASE_DOWN = "database_down"
    """Not activated, or unknown by this name: the role must be read from GET DB CFG."""
    INSTANCE_DOWN = "instance_down"
    TRANSIENT = "transient"
    """The tool asks for another try (shared memory changed while it read)."""
    UNPARSEABLE = "unparseable"


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in the log; `position` counts bytes, 0 in a pair that never connected."""

    file: str
    page: int
    position: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of the HADR connection as 9.x and the snapshot print it."""

    host: str
    service: str
    instance: str | None = None


def _gap_bytes(ahead: LogPosition | None, behind: LogPosition | None) -> int | None:
    """Return how far `behind` trails, clamped at 0; None while a side was never heard of.

    Position 0 is the tool's "never connected since activation" (db2-hadr.md §1 rule 3): a gap
    computed from it would claim that nothing is missing.
    """
    if ahead is None or behind is None or ahead.position == 0 or behind.position == 0:
        return None
    return max(0, ahead.position - behind.position)


@dataclass(frozen=True, slots=True, kw_only=True)
class HadrChannel:
    """One log shipping channel as one side saw it; partner values lag by up to a heartbeat."""

    role: HadrRole | None = None
    state: HadrState | None = None
    connect_status: ConnectStatus | None = None
    sync_mode: SyncMode | None = None
    standby_id: int | None = None
    log_stream_id: int | None = None
    flags: tuple[str, ...] = ()
    connect_status_since: int | None = None
    timeout_s: int | None = None
    heartbeat_interval_s: int | None = None
    heartbeats_missed: int | None = None
    since_last_recv_s: int | None = None
    peer_window_s: int | None = None
    peer_window_end: int | None = None
    """On the primary's clock; means something only together with the state (db2-hadr.md §6.3)."""
    local: Endpoint | None = None
    remote: Endpoint | None = None
    primary_host: str | None = None
    standby_host: str | None = None
    reads_on_standby: bool | None = None
    spool_percent: int | None = None
    primary_log: LogPosition | None = None
    standby_log: LogPosition | None = None
    """10.1 and later: received. 9.x: replayed, no receive position exists there."""
    standby_replay_log: LogPosition | None = None
    log_gap_avg_bytes: int | None = None
    """A running average of the tool, not the gap: see `log_gap_bytes`."""
    replay_gap_avg_bytes: int | None = None
    unknown_fields: Mapping[str, str] = field(default_factory=_no_fields)
    heartbeats_expected: int | None = None
    primary_log_time: int | None = None
    """Time of the last transaction at the position, not of the reading."""
    standby_log_time: int | None = None
    standby_replay_log_time: int | None = None
    standby_error_time: int | None = None
    replay_delay_s: int | None = None
    replay_only_window: bool | None = None
    takeover_remaining_primary: int | None = None
    """Applications still to be forced off; printed only while a takeover runs."""
    takeover_remaining_standby: int | None = None

    @property
    def bad_flags(self) -> tuple[str, ...]:
        """What makes the standby's copy doubtful although the pair looks healthy (§3.2)."""
        flags = tuple(flag for flag in self.flags if _BAD_FLAG.search(flag))
        return flags if self.standby_error_time is None else (*flags, "STANDBY_ERROR_TIME")

    @property
    def log_gap_bytes(self) -> int | None:
        """Bytes the standby lacks, computed from positions; lost in a forced takeover."""
        return _gap_bytes(self.primary_log, self.standby_log)

    @property
    def replay_gap_bytes(self) -> int | None:
        """Bytes received and not yet replayed; takeover time, not loss."""
        return _gap_bytes(self.standby_log, self.standby_replay_log)


@dataclass(frozen=True, slots=True, kw_only=True)
class HadrReport:
    """One reading of `db2pd -hadr` or of the snapshot's HADR section.

    `problems` is empty if and only if nothing contradicts `verdict`; with OK it is always empty.
    """

    kind: ReportKind
    verdict: ParseVerdict
    layout: HadrLayout | None = None
    database: str | None = None
    database_status: str | None = None
    uptime_s: int | None = None
    problems: tuple[str, ...] = ()
    channels: tuple[HadrChannel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DbConfig:
    """The HADR part of `GET DB CFG`: the persistent role, readable on an inactive database too."""

    verdict: ParseVerdict
    database: str | None = None
    role: HadrRole | None = None
    rollforward_pending: bool | None = None
    parameters: Mapping[str, str] = field(default_factory=_no_fields)
    """Every configuration parameter by its upper-case name, value verbatim ("" = not set)."""
    problems: tuple[str, ...] = ()


class ClpSeverity(ManyValued):
    """What the exit code of `db2` says (db2-hadr.md §8); several commands in one call are OR-ed."""

    SUCCESS = "success"
    NO_ROW = "no_row"
    WARNING = "warning"
    ERROR = "error"
    SYSTEM_ERROR = "system_error"
    UNKNOWN = "unknown"
    """No exit code, or one that is not of the command line processor's making."""


@dataclass(frozen=True, slots=True)
class ClpMessage:
    """One message of the command line processor, its white space collapsed."""

    id: str
    text: str
    reason_code: int | None = None
    sqlstate: str | None = None


@dataclass(frozen=True, slots=True)
class ClpReply:
    """What one call of `db2` (or db2start, db2stop) said."""

    exit_code: int | None
    severity: ClpSeverity
    messages: tuple[ClpMessage, ...]
    text: str
    """The whole output, white space collapsed: it is folded at 78 characters."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the message ids in the order they were printed."""
        return tuple(message.id for message in self.messages)

    def find(self, message_id: str) -> ClpMessage | None:
        """Return the first message with this id."""
        return next((found for found in self.messages if found.id == message_id), None)
