"""What the simulated GET SNAPSHOT and GET DB CFG print.

Owns the layouts of db2-hadr.md §7 and of the configuration lines in §8. MUST NOT change a node.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hamnd.demo.db2_node import LOG_START, Node, PairConfig, Role, log_file, log_page
from hamnd.demo.db2_parameters import LABELS, has
from hamnd.demo.db2_texts import speaks_english
from hamnd.demo.db2_texts_pd import OLD_STATES, connect_status, positions, stamp

LABEL = 56
"""Column of the `=` in GET DB CFG, counted from the first blank."""


def snapshot(config: PairConfig, node: Node, at: float) -> str:
    """Return a database snapshot; its HADR section only where the database takes part in HADR."""
    clock = datetime.fromtimestamp(node.clock(at), UTC)
    head = (
        "\n            Database Snapshot\n\n"
        f"Database name                              = {config.database}\n"
        "Database status                            = Active\n"
        f"Snapshot timestamp                         = {clock:%m/%d/%Y %H:%M:%S.%f}\n\n"
    )
    if node.role is Role.STANDARD:
        return head
    return head + _hadr_status(config, node) + "\n"


def _hadr_status(config: PairConfig, node: Node) -> str:
    partner = config.standby if node.name == config.primary.name else config.primary
    since = datetime.fromtimestamp(node.clock(node.status_since), UTC)
    status = connect_status(node).capitalize()
    lines = [
        ("Role", node.role.value.capitalize()),
        ("State", _words(OLD_STATES[node.state])),
        ("Synchronization mode", config.sync_mode.value.capitalize()),
        ("Connection status", f"{status}, {since:%m/%d/%Y %H:%M:%S.%f}"),
    ]
    if config.window_s > 0:
        end = "0" if node.window_end is None else stamp(float(node.window_end))
        lines += [("Peer window end", end), ("Peer window (seconds)", str(config.window_s))]
    lines += [
        ("Heartbeats missed", str(node.heartbeats.missed)),
        ("Local host", node.config.address),
        ("Local service", node.config.service),
        ("Remote host", partner.address),
        ("Remote service", partner.service),
        ("Remote instance", config.instance),
        ("timeout(seconds)", str(config.hadr_timeout_s)),
    ]
    primary, received, replayed = positions(node)
    standby = replayed if config.layout.is_old else received
    text = "HADR Status\n" + "".join(f"  {label:<23}= {value}\n" for label, value in lines)
    text += f"  Primary log position(file, page, LSN) = {_position(primary)}\n"
    text += f"  Standby log position(file, page, LSN) = {_position(standby)}\n"
    return text + f"  Log gap running average(bytes) = {int(node.log_gap_average)}\n"


def _words(state: str) -> str:
    """`RemoteCatchupPending` as the snapshot spells it: only the first letter is capital."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in state)
    return spaced.strip().capitalize()


def _position(position: int) -> str:
    if position == 0:
        return "S0000000.LOG, 0, 0000000000000000"
    return f"{log_file(position)}, {log_page(position)}, {position:016X}"


def db_cfg(config: PairConfig, node: Node, language: str = "C") -> str:
    """Return GET DB CFG: the persistent role and HADR parameters, and the lines around them."""
    role = "HADR database role" if speaks_english(language) else "HADR 数据库角色"
    first = log_file(max(node.log.position, LOG_START))
    logs = f"/home/{config.instance}/{config.instance}/NODE0000/SQL00001/LOGSTREAM0000/"
    lines = [
        ("Database configuration release level", "", "0x1500"),
        ("Backup pending", "", "YES" if node.backup_pending else "NO"),
        ("Rollforward pending", "", "DATABASE" if node.rollforward_pending else "NO"),
        ("Restore pending", "", "NO"),
        ("Log retain for recovery status", "", "RECOVERY"),
        ("Path to log files", "", logs),
        ("First active log file", "", first),
        (role, "", node.role.value),
    ]
    lines += [
        (LABELS[name], name, value)
        for name, value in node.parameters.items()
        if has(config.layout, name)
    ]
    heading = f"\n       Database Configuration for Database {config.database}\n\n"
    return heading + "".join(_cfg_line(*line) for line in lines) + "\n"


def applications(config: PairConfig, names: list[str], clock: float) -> str:
    """Return what LIST APPLICATIONS prints of at least one connection."""
    moment = f"{datetime.fromtimestamp(clock, UTC):%y%m%d%H%M}"
    rows = "".join(
        f"{config.instance.upper():<8} {name:<14} {7 + number:<10} "
        f"{f'*LOCAL.{config.instance}.{moment}{number:02d}':<62} {config.database:<8} 1    \n"
        for number, name in enumerate(names)
    )
    return (
        f"\n{'Auth Id':<8} {'Application':<14} {'Appl.':<10} {'Application Id':<62} DB       # of\n"
        f"{'':<8} {'Name':<14} {'Handle':<10} {'':<62} Name    Agents\n"
        f"{'-' * 8} {'-' * 14} {'-' * 10} {'-' * 62} {'-' * 8} {'-' * 5}\n{rows}\n"
    )


IMAGE_BYTES = 1_187_160_686
"""What a simulated backup has to copy."""


def utility(config: PairConfig, kind: str, share: float, began: float) -> str:
    """Return what LIST UTILITIES SHOW DETAIL prints of one that runs; `share` of it is done."""
    since = f"{datetime.fromtimestamp(began, UTC):%m/%d/%Y %H:%M:%S.%f}"
    lines = (
        ("ID", "81"),
        ("Type", kind),
        ("Database Name", config.database),
        ("Member Number", "0"),
        ("Description", "online db"),
        ("Start Time", since),
        ("State", "Executing"),
        ("Invocation Type", "User"),
    )
    return (
        "\n"
        + "".join(f"{label:<32} = {value}\n" for label, value in lines)
        + "Throttling:\n   Priority                      = Unthrottled\nProgress Monitoring:\n"
        + f"   Estimated Percentage Complete = {int(share * 100)}\n"
        + f"      Total Work                 = {IMAGE_BYTES} bytes\n"
        + f"      Completed Work             = {int(IMAGE_BYTES * share)} bytes\n"
        + f"      Start Time                 = {since}\n\n"
    )


def directory(config: PairConfig, node: Node) -> str:
    """Return what LIST DB DIRECTORY prints of the pair's database."""
    host, port = node.alternate or ("", "")
    lines = (
        ("Database alias", config.database),
        ("Database name", config.database),
        ("Local database directory", f"/home/{config.instance}"),
        ("Database release level", "15.00"),
        ("Comment", ""),
        ("Directory entry type", "Indirect"),
        ("Catalog database partition number", "0"),
        ("Alternate server hostname", host),
        ("Alternate server port number", port),
    )
    head = "\n System Database Directory\n\n Number of entries in the directory = 1\n\n"
    rows = "".join(f" {label:<36} = {value}".rstrip() + "\n" for label, value in lines)
    return f"{head}Database 1 entry:\n\n{rows}\n"


def _cfg_line(label: str, parameter: str, value: str) -> str:
    if not parameter:
        return f" {label:<{LABEL - 1}} = {value}\n"
    bracketed = f"({parameter})"
    return f" {label}{bracketed:>{LABEL - 1 - len(label)}} = {value}\n"
