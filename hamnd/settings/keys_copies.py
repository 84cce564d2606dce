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


COPIES = (
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

SHARED_DISK = (
    Key(
        "replication.shared_disk.volume_group",
        kinds.label,
        "Volume group on the disk: LVM on Linux, the logical volume manager's on AIX. It must not "
        "be activated at boot (auto_activation_volume_list, chvg -a n).",
        "Leave it out where the file systems lie on plain devices.",
        default=None,
        example="xcatvg",
    ),
    Key(
        "replication.shared_disk.unit",
        kinds.unit,
        "Service of the database that lies on the disk, started once it is mounted.",
        "Leave it out where xCAT's own SQLite tables lie on it.",
        default=None,
        example="postgresql",
    ),
    Key(
        "replication.shared_disk.reserve",
        kinds.command,
        "The site's own command that reserves the disk for the node it runs on, before it is "
        "mounted (SCSI-3 persistent reservation, sg_persist).",
        "Where the disk can be reserved.",
        default=None,
        example=("/usr/local/sbin/reserve-disk",),
    ),
    Key(
        "replication.shared_disk.reservation_check",
        kinds.command,
        "A command that only reads and ends with 0 when the node it runs on alone holds the "
        "reservation. It takes the place of the proof that the old primary's power is off.",
        "Together with `reserve`; a check that lies costs the entire database.",
        default=None,
        example=("/usr/local/sbin/disk-is-mine",),
    ),
    Key(
        "replication.shared_disk.filesystem.device",
        kinds.absolute_path,
        "Device of the file system, the same on both nodes (a name below /dev/disk/by-id, or of "
        "the volume group). On AIX /etc/filesystems says it.",
        "When the disk changes.",
        example="/dev/xcatvg/etcxcat",
    ),
    Key(
        "replication.shared_disk.filesystem.mountpoint",
        kinds.mount_point,
        "Where it is mounted on the node that serves; never in /etc/fstab with auto.",
        "With the layout of the disk.",
        example="/etc/xcat",
    ),
    Key(
        "replication.shared_disk.filesystem.options",
        kinds.text,
        "Options of mount(8).",
        "For noatime and the like; never one that skips the journal.",
        default="defaults",
    ),
)

KEYS = (*COPIES, *SHARED_DISK)

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
    Section(
        "replication.shared_disk",
        "A disk that both nodes can reach. It is mounted by a takeover only while the old "
        "primary's controller says off, or the reservation is proven; anything weaker needs "
        "--accept-loss entire-database.",
        engine="shared_disk",
    ),
    Section(
        "replication.shared_disk.filesystem",
        "One table for each file system on it, in the order of mounting.",
        many=True,
        shown=True,
        engine="shared_disk",
    ),
)
