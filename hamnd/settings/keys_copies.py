"""The keys of the engines without replication of their own: what is copied, how often, how long.

Owns their documentation, defaults and kinds. Must not know how a file is read.
"""

from __future__ import annotations

from hamnd.settings import kinds
from hamnd.settings.schema import Key, Section


def _copy_keys(engine: str, what: str, schedule: str, stale_after_s: float) -> tuple[Key, ...]:
    """Return the keys that say how copies of an engine are pulled and kept."""
    section = f"replication.{engine}"
    return (
        Key(
            f"{section}.schedule",
            kinds.schedule,
            f"When {what} pulled from the primary: the time fields of crontab(5), in this host's "
            "own time; six fields begin with seconds. What is written after the last one is lost "
            "when the primary dies.",
            "As often as you can afford to lose what lies between two of them.",
            default=schedule,
        ),
        Key(
            f"{section}.jitter_s",
            kinds.seconds(0, 3600),
            "So much later, at random, each begins.",
            "Raise it where several clusters share one storage.",
            default=0.0,
            unit="seconds",
        ),
        Key(
            f"{section}.timeout_s",
            kinds.seconds(5, 86_400),
            "Limit for one of them; what is not whole by then is thrown away.",
            "Raise it where the database is large or the line is slow.",
            default=300.0,
            unit="seconds",
        ),
        Key(
            f"{section}.stale_after_s",
            kinds.seconds(10, 604_800),
            "Age at which what the last copy holds no longer protects: condition ReplicationGap, "
            "state Degraded.",
            "A little over two intervals of the schedule.",
            default=stale_after_s,
            unit="seconds",
        ),
        Key(
            f"{section}.keep",
            kinds.count(2, 1000, "copies"),
            "How many copies are kept in paths.state_dir; the newest sound one is used.",
            "Raise it to go back further after a mistake on the primary; mind the disk.",
            default=24,
            unit="copies",
        ),
        Key(
            f"{section}.shrink_min",
            kinds.share,
            "A copy that is smaller than this share of the one before it is not taken: something "
            "was lost on the primary. 0 takes every one.",
            "Lower it for once after large deletions.",
            default=0.5,
        ),
    )


KEYS = (
    Key(
        "replication.sqlite.directory",
        kinds.absolute_path,
        "Where xCAT keeps its tables on either node, one file each. A takeover switches the whole "
        "directory in one rename, so it may be neither a symbolic link nor a mount point.",
        'When cfgloc names another one ("SQLite:/path").',
        default="/etc/xcat",
    ),
    *_copy_keys("sqlite", "all tables are", "*/5 * * * *", 900.0),
    Key(
        "replication.dump.database",
        kinds.pg_database,
        "The xCAT database, as cfgloc names it (Pg:dbname=...). A restored copy lies beside it "
        "under the same name with _hamnd behind it.",
        "When xCAT was installed with another database name.",
        default="xcatdb",
    ),
    Key(
        "replication.dump.os_user",
        kinds.unix_name,
        "Unix user that runs the servers; psql, pg_dump and pg_restore run as this user on either "
        "node, over the server's own unix socket (peer authentication: no password).",
        "When the servers run as another user.",
        default="postgres",
    ),
    Key(
        "replication.dump.port",
        kinds.port,
        "Port of both servers; it is part of the socket's name too.",
        "When the servers listen elsewhere.",
        default=5432,
    ),
    Key(
        "replication.dump.socket_dir",
        kinds.absolute_path,
        "Directory of the servers' unix sockets (unix_socket_directories). Without it psql knows.",
        "When psql does not find the server of its own host.",
        default=None,
        example="/run/postgresql",
    ),
    *_copy_keys("dump", "a dump of the database is", "0 * * * *", 8100.0),
)

SECTIONS = (
    Section(
        "replication.sqlite",
        "xCAT's own tables (SQLite, its default). The primary needs python3 with its sqlite3 "
        "module, or the program sqlite3.",
        engine="sqlite",
    ),
    Section(
        "replication.dump",
        "A PostgreSQL database (12 to 17) that is dumped on the primary, and restored on the "
        "standby's own server beside the live database; only a takeover gives it that name. Roles "
        "are not in a dump: CREATE ROLE xcatadm on both servers.",
        engine="dump",
    ),
)
