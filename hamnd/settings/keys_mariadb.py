"""The keys of a MariaDB or MySQL pair: what each means, and when to change it.

Owns their texts and defaults. Must not know how they are read (reader) nor their relations.
"""

from __future__ import annotations

from hamnd.settings import kinds
from hamnd.settings.schema import Key

MARIADB = (
    Key(
        "replication.mariadb.product",
        kinds.choice("mariadb", "mysql"),
        "Whose statements the servers understand: MariaDB from 10.5, or MySQL from 8.0.22.",
        "For a pair of MySQL 8; set tools.mariadb to mysql then. Its words are from its manual.",
        default="mariadb",
    ),
    Key(
        "replication.mariadb.database",
        kinds.sql_name,
        "The xCAT database, as cfgloc names it (mysql:dbname=...).",
        "When xCAT was installed with another database name.",
        default="xcatdb",
    ),
    Key(
        "replication.mariadb.os_user",
        kinds.unix_name,
        "Unix user that runs the client on either node, over the server's own unix socket. The "
        "server knows root by the socket (unix_socket): no password.",
        "Where another unix user has that right.",
        default="root",
    ),
    Key(
        "replication.mariadb.user",
        kinds.sql_name,
        "User of the server to log in as. It needs REPLICA MONITOR and BINLOG MONITOR to watch, "
        "READ_ONLY ADMIN and REPLICATION SLAVE ADMIN to promote.",
        "Where hamnd may not be the server's root.",
        default=None,
        example="hamnd",
    ),
    Key(
        "replication.mariadb.defaults_file",
        kinds.absolute_path,
        "Option file with that user's password ([client] password=..., mode 0600), the same path "
        "on both nodes. It is the only one the client then reads. Never the password itself.",
        "Where the user logs in by password.",
        default=None,
        example="/etc/hamnd/mariadb.cnf",
    ),
    Key(
        "replication.mariadb.socket",
        kinds.absolute_path,
        "Unix socket of both servers. Without it the client's own option files know.",
        "When the client does not find the server of its own host.",
        default=None,
        example="/run/mysqld/mysqld.sock",
    ),
    Key(
        "replication.mariadb.port",
        kinds.port,
        "TCP port of both servers, where clients and the other node reach them.",
        "When the servers listen elsewhere.",
        default=3306,
    ),
    Key(
        "replication.mariadb.unit",
        kinds.unit,
        "Service unit of the server, stopped and started at set-up and rejoin.",
        "When the unit is called otherwise (mysql, mysqld).",
        default="mariadb",
    ),
    Key(
        "replication.mariadb.data_dir",
        kinds.absolute_path,
        "The servers' data directory (datadir), kept aside and filled anew at set-up and rejoin.",
        "When the servers keep their data elsewhere.",
        default="/var/lib/mysql",
    ),
    Key(
        "replication.mariadb.data_owner",
        kinds.owner,
        "User and group that own the data directory.",
        "When the servers run as another user.",
        default="mysql:mysql",
    ),
    Key(
        "replication.mariadb.replication_file",
        kinds.absolute_path,
        "Option file with user and password of the replication user ([client] user=..., "
        "password=..., mode 0600), the same path on both nodes; set-up and rejoin hand them to the "
        "server that follows.",
        "When it lies elsewhere.",
        default="/etc/hamnd/mariadb-replication.cnf",
    ),
    Key(
        "replication.mariadb.heartbeat_s",
        kinds.seconds(0.5, 60),
        "How often an idle primary tells its replica that it lives (MASTER_HEARTBEAT_PERIOD), as "
        "set-up and rejoin configure it. The server's default, 30 s, is what a standby then needs "
        "to notice a lost link.",
        "Lower it to notice a lost link sooner.",
        default=1.0,
        unit="seconds",
    ),
    Key(
        "replication.mariadb.row_heartbeat_s",
        kinds.divisor_of_a_minute,
        "How often the standby has a row written on the primary, in database hamnd: then a real "
        "transaction always has to arrive and to be applied, also on a pair on which nobody works. "
        "0: never. Each beat is two records of the journal.",
        "Where the servers' own heartbeats (heartbeat_s) are not enough to trust an idle pair.",
        default=0,
        unit="seconds",
    ),
    Key(
        "replication.mariadb.gap_bytes_max",
        kinds.count(0, 2**62, "bytes"),
        "Log gap between the nodes above which condition ReplicationGap says so.",
        "Raise it where bulk changes (nodeset of thousands of nodes) make it ring for nothing.",
        default=16_777_216,
        unit="bytes",
    ),
    Key(
        "replication.mariadb.sync_hold_s",
        kinds.seconds(0, 3600),
        "With semi-sync (AFTER_SYNC): so long after hamnd last saw the primary waiting for this "
        "standby, nobody there can have switched it off. A primary that was proven off within "
        "this time, and within rpl_semi_sync_master_timeout, has lost nothing; 0 never calls that "
        "proven.",
        "Lower it, or 0, where a program on the primary switches semi-sync off by itself.",
        default=20.0,
        unit="seconds",
    ),
)
