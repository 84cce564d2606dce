"""What the simulated `db2pd -hadr` prints, in the layout of each release.

Owns both layouts of db2-hadr.md §2 and §3, the header line of §4 and the error texts of §5. MUST
NOT change a node. A primary prints its own position and what it knows of the standby, a standby
the other way round; both are as old as the last message.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from hamnd.demo.db2_node import (
    LOG_START,
    PAGE_BYTES,
    HadrState,
    Layout,
    Node,
    PairConfig,
    Role,
    Unverified,
    log_file,
    log_page,
)

CHANGING = "Changing data structure forced command termination.\n"
OLD_STATES = {
    HadrState.PEER: "Peer",
    HadrState.DISCONNECTED_PEER: "DisconnectedPeer",
    HadrState.REMOTE_CATCHUP: "RemoteCatchup",
    HadrState.REMOTE_CATCHUP_PENDING: "RemoteCatchupPending",
    HadrState.LOCAL_CATCHUP: "LocalCatchup",
    HadrState.DISCONNECTED: "Disconnected",
}


def instance_down(layout: Layout) -> str:
    """Return the text of an instance that does not run (§5)."""
    member = "partition" if layout.is_old else "member"
    return (
        f"Unable to attach to database manager on {member} 0.\n"
        "Please ensure the following are true:\n"
        f"   - db2start has been run for the {member}.\n"
        f"   - db2pd is being run on the same physical machine as the {member}.\n"
        f"   - DB2NODE environment variable setting is correct for the {member}\n"
        "     or db2pd -mem setting is correct for the member.\n"
        "Another possibility of this failure is the Virtual Address Space Randomization is"
        " currently enabled on this system.\n"
    )


def not_activated(layout: Layout, database: str) -> str:
    """Return the text of a database that is not activated, or whose name is unknown (§5)."""
    if layout.is_old:
        return f"Database {database} not activated on database partition 0.\n"
    return (
        f"Database {database} not activated on database member 0 or this database name cannot be"
        " found in the local database directory.\n\n"
        "Option -hadr requires -db <database> or -alldbs option and active database.\n"
    )


def not_hadr(config: PairConfig, node: Node, at: float) -> str:
    """Return the text of an active database whose role is STANDARD (§5)."""
    old = config.layout.is_old and Unverified.OLD_HADR_HEADING in config.unverified
    heading = "HADR Information:\n" if old else ""
    return f"{header(config, node, at)}\n{heading}HADR is not active.\n"


def header(config: PairConfig, node: Node, at: float) -> str:
    """Return the empty first line and the header line in the style of the release (§4)."""
    member = "Partition" if config.layout.is_old else "Member"
    status = "Active"
    if node.role is Role.STANDBY:
        status = "Active Standby" if config.reads_on_standby else "Standby"
    up = max(0, int(at - node.activated_at))
    line = (
        f"Database {member} 0 -- Database {config.database} -- {status} -- Up {up // 86400} days"
        f" {up // 3600 % 24:02d}:{up // 60 % 60:02d}:{up % 60:02d}"
    )
    clock = datetime.fromtimestamp(node.clock(at), UTC)
    if config.layout is Layout.V10_1:
        line += f" -- Date {clock:%m/%d/%Y %H:%M:%S}"
    elif not config.layout.is_old:
        line += f" -- Date {clock:%Y-%m-%d-%H.%M.%S.%f}"
    return f"\n{line}\n"


def hadr(config: PairConfig, node: Node, at: float) -> str:
    """Return the whole output for a database that takes part in HADR."""
    if config.layout.is_old:
        return header(config, node, at) + _old(config, node)
    lines = _new(config, node, at)
    width = 37
    return header(config, node, at) + "\n" + "".join(f"{k:>{width}} = {v}\n" for k, v in lines)


def positions(node: Node) -> tuple[int, int, int]:
    """Return (primary, standby received, standby replayed) as this node knows them, 0 unknown."""
    if node.role is Role.PRIMARY:
        return node.log.position, node.partner.position, node.partner.replayed
    return node.partner.position, node.log.position, int(node.replayed)


def _log_times(node: Node) -> tuple[float | None, float | None, float | None]:
    own = node.log.last_at
    if node.role is Role.PRIMARY:
        return own, node.partner.log_time, node.partner.replay_time
    return node.partner.log_time, own, own


def _log_fields(position: int) -> str:
    if position == 0:
        return "S0000000.LOG, 0, 0"
    return f"{log_file(position)}, {log_page(position)}, {position}"


def stamp(clock: float | None) -> str:
    """Return `MM/DD/YYYY HH:MM:SS.ffffff (epoch)`, or NULL (§3.1)."""
    if clock is None:
        return "NULL"
    return f"{datetime.fromtimestamp(clock, UTC):%m/%d/%Y %H:%M:%S.%f} ({math.floor(clock)})"


def _new(config: PairConfig, node: Node, at: float) -> list[tuple[str, str]]:
    """Return the fields of the new layout in the order of the release."""
    release = config.layout.number
    lines = [
        ("HADR_ROLE", node.role.value),
        ("REPLAY_TYPE", "PHYSICAL"),
        ("HADR_SYNCMODE", config.sync_mode.value),
        ("STANDBY_ID", "1" if node.role is Role.PRIMARY else "0"),
        ("LOG_STREAM_ID", "0"),
        ("HADR_STATE", node.state.value),
    ]
    if release >= (10, 5):
        lines.append(("HADR_FLAGS", _flags(config, node)))
    lines += _members(config, node)
    lines += _connection(config, node, at)
    lines += _waits(node, at)
    lines += _logs(node)
    lines += _standby(config, node)
    return lines


def _flags(config: PairConfig, node: Node) -> str:
    flags = list(node.flags)
    if config.layout.number >= (11, 5):  # "newer fix packs print it always" (§3.2)
        secure = Unverified.SSL_PROTOCOL in config.unverified
        flags.append("SSL_PROTOCOL" if secure else "TCP_PROTOCOL")
    return " ".join(flags)


def _members(config: PairConfig, node: Node) -> list[tuple[str, str]]:
    is_primary = node.role is Role.PRIMARY
    partner = config.standby if node.name == config.primary.name else config.primary
    primary, standby = (node.name, partner.name) if is_primary else (partner.name, node.name)
    unknown = is_primary and not node.partner.ever_connected
    if unknown and Unverified.STANDBY_HOST_NULL in config.unverified:
        standby = "NULL"
    return [
        ("PRIMARY_MEMBER_HOST", primary),
        ("PRIMARY_INSTANCE", config.instance),
        ("PRIMARY_MEMBER", "0"),
        ("STANDBY_MEMBER_HOST", standby),
        ("STANDBY_INSTANCE", config.instance),
        ("STANDBY_MEMBER", "0"),
    ]


def connect_status(node: Node) -> str:
    """Return CONNECTED, CONGESTED or DISCONNECTED as this node sees it."""
    if not node.connected:
        return "DISCONNECTED"
    return "CONGESTED" if node.congested else "CONNECTED"


def _connection(config: PairConfig, node: Node, at: float) -> list[tuple[str, str]]:
    beats = node.heartbeats
    heard = beats.last_received_at
    since = int(at - heard) if heard is not None else 0
    interval = [("HEARTBEAT_INTERVAL(seconds)", str(int(config.heartbeat_exact_s)))]
    counts = [
        ("HEARTBEAT_MISSED", str(beats.missed)),
        ("HEARTBEAT_EXPECTED", str(beats.expected)),
    ]
    timeout = [("HADR_TIMEOUT(seconds)", str(config.hadr_timeout_s))]
    middle = counts + timeout if config.layout.number >= (11, 1) else timeout
    return [
        ("HADR_CONNECT_STATUS", connect_status(node)),
        ("HADR_CONNECT_STATUS_TIME", stamp(node.clock(node.status_since))),
        *interval,
        *middle,
        ("TIME_SINCE_LAST_RECV(seconds)", str(since)),
    ]


def _waits(node: Node, at: float) -> list[tuple[str, str]]:
    waits = node.waits
    current = at - waits.blocked_since if waits.blocked_since is not None else 0.0
    return [
        ("PEER_WAIT_LIMIT(seconds)", "0"),
        ("LOG_HADR_WAIT_CUR(seconds)", f"{current:.3f}"),
        ("LOG_HADR_WAIT_RECENT_AVG(seconds)", f"{waits.recent_average_s:.6f}"),
        ("LOG_HADR_WAIT_ACCUMULATED(seconds)", f"{waits.accumulated_s + current:.3f}"),
        ("LOG_HADR_WAIT_COUNT", str(waits.count)),
        ("SOCK_SEND_BUF_REQUESTED,ACTUAL(bytes)", "0, 46080"),
        ("SOCK_RECV_BUF_REQUESTED,ACTUAL(bytes)", "0, 369280"),
    ]


def _logs(node: Node) -> list[tuple[str, str]]:
    primary, standby, replayed = positions(node)
    primary_at, standby_at, replayed_at = _log_times(node)

    def whole(moment: float | None) -> str:
        return stamp(None if moment is None else float(math.floor(node.clock(moment))))

    return [
        ("PRIMARY_LOG_FILE,PAGE,POS", _log_fields(primary)),
        ("STANDBY_LOG_FILE,PAGE,POS", _log_fields(standby)),
        ("HADR_LOG_GAP(bytes)", str(int(node.log_gap_average))),
        ("STANDBY_REPLAY_LOG_FILE,PAGE,POS", _log_fields(replayed)),
        ("STANDBY_RECV_REPLAY_GAP(bytes)", str(int(node.replay_gap_average))),
        ("PRIMARY_LOG_TIME", whole(primary_at)),
        ("STANDBY_LOG_TIME", whole(standby_at)),
        ("STANDBY_REPLAY_LOG_TIME", whole(replayed_at)),
    ]


def _standby(config: PairConfig, node: Node) -> list[tuple[str, str]]:
    limit = config.spool_limit_pages
    _, received, replayed = positions(node)
    waiting_pages = max(0, received - replayed) // PAGE_BYTES if received > LOG_START else 0
    lines = [
        ("STANDBY_RECV_BUF_SIZE(pages)", "2048"),
        ("STANDBY_RECV_BUF_PERCENT", str(min(100, waiting_pages * 100 // 2048))),
        ("STANDBY_SPOOL_LIMIT(pages)", str(limit)),
    ]
    if config.layout.number >= (10, 5):
        percent = str(min(100, waiting_pages * 100 // limit)) if limit > 0 else "NULL"
        lines.append(("STANDBY_SPOOL_PERCENT", percent))
    if config.layout.number >= (11, 1):
        error = node.standby_error_at
        lines.append(("STANDBY_ERROR_TIME", stamp(None if error is None else node.clock(error))))
    lines.append(("PEER_WINDOW(seconds)", str(config.window_s)))
    if config.window_s > 0:
        if node.window_end is not None:
            lines.append(("PEER_WINDOW_END", stamp(float(node.window_end))))
        elif Unverified.PEER_WINDOW_END_NULL in config.unverified:
            lines.append(("PEER_WINDOW_END", "NULL"))
    if node.takeover_remaining is not None:
        lines.append(("TAKEOVER_APP_REMAINING_PRIMARY", str(node.takeover_remaining[0])))
        lines.append(("TAKEOVER_APP_REMAINING_STANDBY", str(node.takeover_remaining[1])))
    lines.append(("READS_ON_STANDBY_ENABLED", "Y" if config.reads_on_standby else "N"))
    if config.reads_on_standby:
        lines.append(("STANDBY_REPLAY_ONLY_WINDOW_ACTIVE", "N"))
    if config.layout is Layout.V12_1 and Unverified.LAST_TAKEOVER_TIME in config.unverified:
        last = node.last_takeover_at
        lines.append(("HADR_LAST_TAKEOVER_TIME", stamp(None if last is None else node.clock(last))))
    return lines


def _old_stamp(clock: float | None) -> str:
    if clock is None:
        return "Null (0)"
    moment = datetime.fromtimestamp(clock, UTC)
    return f"{moment:%a %b} {moment.day:2d} {moment:%H:%M:%S %Y} ({math.floor(clock)})"


def _old(config: PairConfig, node: Node) -> str:
    """Return the blocks of the old layout, with the columns of §2 and trailing blanks."""
    state = OLD_STATES[node.state]
    partner = config.standby if node.name == config.primary.name else config.primary
    status = connect_status(node).capitalize()
    since = _old_stamp(node.clock(node.status_since))
    state_block = (
        "HADR Information:\n"
        "Role    State                SyncMode HeartBeatsMissed   LogGapRunAvg (bytes)\n"
        f"{node.role.value.capitalize():<7} {state:<20} "
        f"{config.sync_mode.value.capitalize():<8} {node.heartbeats.missed:<18} "
        f"{int(node.log_gap_average):<20}\n"
    )
    status_block = (
        "ConnectStatus ConnectTime                           Timeout   \n"
        f"{status:<13} {since:<37} {config.hadr_timeout_s:<10}\n"
    )
    blocks = [state_block, status_block]
    if config.window_s > 0:
        end = _old_stamp(None if node.window_end is None else float(node.window_end))
        blocks.append(
            f"PeerWindowEnd                         PeerWindow\n{end:<37} {config.window_s:<10}\n"
        )
    own = node.config
    blocks.append(
        "LocalHost                                LocalService      \n"
        f"{own.address:<40} {own.service:<18}\n"
    )
    blocks.append(
        "RemoteHost                               RemoteService      RemoteInstance    \n"
        f"{partner.address:<40} {partner.service:<18} {config.instance:<18}\n"
    )
    primary, _, replayed = positions(node)
    is_standby = node.role is Role.STANDBY
    # 9.x shows the replay position (§2)
    blocks.append(_old_log("Primary", primary, None))
    blocks.append(_old_log("StandBy", replayed, _buffer_percent(node) if is_standby else None))
    return "\n" + "\n".join(blocks)


def _buffer_percent(node: Node) -> str:
    pages = max(0, node.log.position - int(node.replayed)) // PAGE_BYTES
    return f"{min(100, pages * 100 // 2048)}%"


def _old_log(who: str, position: int, buffer_used: str | None) -> str:
    heading = f"{who + 'File':<12} {who + 'Pg':<10} {who + 'LSN':<18}"
    name, page = (log_file(position), log_page(position)) if position else ("S0000000.LOG", 0)
    values = f"{name:<12} {page:<10} 0x{position:016X}"
    if buffer_used is not None:
        heading += " StandByRcvBufUsed"
        values += f" {buffer_used}"
    return f"{heading}\n{values}\n"
