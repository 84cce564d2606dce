"""What hamnd asks of MariaDB or MySQL, and how a standby there becomes primary.

Owns the argv of every call. Must not know when one is right (core.replication). Each is one call of
the client over the server's own unix socket, by default as root, whom the server knows by that
socket: no password, no driver, the same here and over ssh, and a line that anybody can repeat at a
prompt. A password, where one is needed, stands in an option file that is named (law 7).

MariaDB from 10.5 and MySQL from 8.0.22 say REPLICA; MySQL 8.4 no longer understands SLAVE. A
variable that a version lacks is just not told.
"""

from __future__ import annotations

from hamnd.model.mariadb import Product
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look

CONNECT_S = 5
LOOK_S = 10.0
STATEMENT_S = 8
"""The server ends a question of ours itself after so long: nothing piles up there."""

_NAMES = (
    "version",
    "server_id",
    "server_uuid",
    "read_only",
    "super_read_only",
    "log_bin",
    "bind_address",
    "gtid_binlog_pos",
    "gtid_slave_pos",
    "gtid_current_pos",
    "gtid_executed",
    "slave_net_timeout",
    "replica_net_timeout",
    "slave_parallel_threads",
    "slave_parallel_workers",
    "replica_parallel_workers",
)
_LISTED = ", ".join(f"'{name}'" for name in _NAMES)
_VARIABLES = (
    f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_LISTED}) "
    "OR Variable_name LIKE 'rpl_semi_sync%'"
)
_COUNTERS = (
    "SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime' OR Variable_name LIKE 'Rpl_semi_sync%'"
)
_HEAD = "SELECT 'server' AS hamnd, UNIX_TIMESTAMP(NOW(6)) AS at"
_HEARD = (
    "SELECT COUNT_RECEIVED_HEARTBEATS FROM performance_schema.replication_connection_status "
    "WHERE CHANNEL_NAME = ''"
)
_RIGHTS = (
    "SELECT PRIVILEGE_TYPE, CURRENT_USER() AS user FROM information_schema.USER_PRIVILEGES "
    "WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')"
)
_PART = {
    Product.MARIADB: ("SHOW ALL REPLICAS STATUS", "SHOW BINLOG STATUS"),
    Product.MYSQL: ("SHOW REPLICA STATUS", _HEARD),
}


def client(
    site: Site, host: str, *statements: str, is_bounded: bool = True, is_named: bool = True
) -> Exec:
    """Return the request that runs statements on a host's server, up to the first that fails.

    Without any it reads them from its standard input; `is_named`: columns are told by name.
    """
    where = site.mariadb
    # An option file named here has to come first (mariadb(1)).
    options = [f"--defaults-file={where.defaults_file}"] if where.defaults_file else []
    options += ["--batch", f"--connect-timeout={CONNECT_S}"]
    if where.socket is not None:
        options.append(f"--socket={where.socket}")
    if where.user is not None:
        options.append(f"--user={where.user}")
    if is_bounded and where.product is Product.MARIADB:
        options.append(f"--init-command=SET SESSION max_statement_time={STATEMENT_S}")
    if not is_named:
        options.append("--skip-column-names")
    asked = ("-e", "; ".join(statements)) if statements else ()
    argv = (site.tool("mariadb"), *options, *asked)
    return Exec(host, argv, user=where.os_user)


def _status(site: Site) -> tuple[str, ...]:
    """The log's end before the counters: what was committed between the two was waited for.

    What MySQL's log leaves out is not asked: no statement is understood by 8.0 and 8.4 alike.
    """
    return _HEAD, _VARIABLES, _COUNTERS, *_PART[site.mariadb.product]


def status(site: Site, host: str) -> Look:
    """Return the look at everything that a server tells about its part in replication.

    The list of logs comes last: a server without a binary log refuses it.
    """
    return Look(
        client(site, host, *_status(site), "SHOW BINARY LOGS"),
        reads="mariadb.status_readable",
        expects=f"{name_of(site)} on {host} tells its state",
        timeout_s=LOOK_S,
    )


def can_promote(site: Site) -> Look:
    """Return the look that proves this node a standby that may be promoted, and be reached then."""
    return Look(
        client(site, site.node, *_status(site), _RIGHTS),
        reads="mariadb.can_promote",
        expects=f"{name_of(site)} on {site.node} is a standby, hamnd may promote it, and it "
        "listens on the service address",
        arguments=tuple(one.address for one in site.identity),
        timeout_s=LOOK_S,
    )


def is_standby(site: Site) -> Look:
    """Return the look that proves this node's server a replica that takes no writes of its own."""
    return Look(
        client(site, site.node, *_status(site)),
        reads="mariadb.is_standby",
        expects=f"{name_of(site)} on {site.node} is a replica",
        timeout_s=LOOK_S,
    )


def is_drained(site: Site) -> Look:
    """Return the look that proves that nothing is received any more and all of it is applied."""
    return Look(
        client(site, site.node, *_status(site)),
        reads="mariadb.drained",
        expects=f"{name_of(site)} on {site.node} receives nothing and has applied all it received",
        timeout_s=LOOK_S,
    )


def is_writable(site: Site) -> Look:
    """Return the look that proves this node's server primary, and its commits not held up."""
    return Look(
        client(site, site.node, *_status(site)),
        reads="mariadb.writable",
        expects=f"{name_of(site)} on {site.node} follows nobody and takes writes",
        timeout_s=LOOK_S,
    )


def stop_receiving(site: Site) -> Action:
    """Return what ends the receiver; the applier goes on with what is here."""
    return _do(site, "STOP REPLICA IO_THREAD")


def receive_again(site: Site) -> Action:
    """Return what takes that back."""
    return _do(site, "START REPLICA IO_THREAD")


def stop_following(site: Site) -> tuple[Action, ...]:
    """Return what ends replication for good: started again, the server would follow nobody."""
    return _do(site, "STOP REPLICA"), _do(site, "RESET REPLICA ALL")


def take_writes(site: Site, host: str | None = None) -> tuple[Action, ...]:
    """Return what lets a server take writes, this node's unless another is named.

    MySQL keeps super_read_only apart.
    """
    host = host or site.node
    names = ("super_read_only", "read_only")
    own = names if site.mariadb.product is Product.MYSQL else names[1:]
    return tuple(_do(site, f"SET GLOBAL {name} = OFF", host) for name in own)


def refuse_writes(site: Site, host: str) -> Action:
    """Return what ends a primary's writes; who holds READ_ONLY ADMIN could still write."""
    return _do(site, "SET GLOBAL read_only = ON", host)


def wait_for_nobody(site: Site) -> Action:
    """Return what keeps a promoted server from waiting for a replica that is not there.

    With semi-sync switched on here too, the first commit would wait for the whole timeout.
    """
    names = {
        Product.MARIADB: "rpl_semi_sync_master_enabled",
        Product.MYSQL: "rpl_semi_sync_source_enabled",
    }
    return _do(site, f"SET GLOBAL {names[site.mariadb.product]} = OFF")


def beat(site: Site, host: str) -> Action:
    """Return what writes the heartbeat row, in a schema of hamnd's own (design law 1)."""
    statements = (
        "CREATE DATABASE IF NOT EXISTS hamnd",
        "CREATE TABLE IF NOT EXISTS hamnd.heartbeat (one BOOLEAN PRIMARY KEY, at DATETIME(6))",
        "REPLACE INTO hamnd.heartbeat VALUES (TRUE, UTC_TIMESTAMP(6))",
    )
    return Action(client(site, host, *statements), reads="mariadb.done")


def name_of(site: Site) -> str:
    """Return the product's name as people write it."""
    return "MySQL" if site.mariadb.product is Product.MYSQL else "MariaDB"


def can_send(site: Site, host: str) -> Look:
    """Return the look that proves a primary fit to be followed."""
    told = f"{name_of(site)} on {host} takes writes and keeps a binary log"
    return _asked(site, host, "mariadb.can_send", told)


def is_read_only(site: Site, host: str) -> Look:
    """Return the look that proves that a server runs and takes no writes."""
    return _asked(site, host, "mariadb.read_only", f"{name_of(site)} on {host} takes no writes")


def is_replicating(site: Site, host: str) -> Look:
    """Return the look that proves a server to receive and to apply, by GTID."""
    told = f"{name_of(site)} on {host} receives and applies"
    return _asked(site, host, "mariadb.replicating", told)


def sends(site: Site, host: str) -> Look:
    """Return the look that proves that a primary sends its log to somebody."""
    question = (
        "SELECT 'dump' AS hamnd, HOST AS at FROM information_schema.PROCESSLIST "
        "WHERE COMMAND LIKE 'Binlog Dump%'"
    )
    told = f"{name_of(site)} on {host} sends its log to a replica"
    return Look(client(site, host, question), "mariadb.sends", told, timeout_s=LOOK_S)


def _asked(site: Site, host: str, reads: str, told: str) -> Look:
    return Look(client(site, host, *_status(site)), reads, told, timeout_s=LOOK_S)


def _do(site: Site, statement: str, host: str | None = None) -> Action:
    """Return one statement, safe to repeat, whose end only the server knows."""
    request = client(site, host or site.node, statement, is_bounded=False)
    return Action(request, reads="mariadb.done")
