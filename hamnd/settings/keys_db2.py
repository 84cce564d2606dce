"""The keys of a Db2 pair: what each means, and when to change it.

Owns their texts and defaults. Must not know how they are read (reader) nor their relations.
"""

from __future__ import annotations

from hamnd.settings import kinds
from hamnd.settings.schema import Key

DB2 = (
    Key(
        "replication.db2.database",
        kinds.database,
        "Alias of the xCAT database in the instance's catalogue.",
        "When XCAT was installed with another database name.",
        example="XCATDB",
    ),
    Key(
        "replication.db2.instance_owner",
        kinds.unix_name,
        "Unix user that owns the Db2 instance; db2 and db2pd run as this user.",
        "When the instance has another owner.",
        example="xcatdb",
    ),
    Key(
        "replication.db2.profile",
        kinds.absolute_path,
        "Profile that is sourced before db2 and db2pd. Without it the user's login shell must "
        "find them.",
        "When `su - OWNER -c db2pd` does not find its programs.",
        default=None,
        example="/home/xcatdb/sqllib/db2profile",
    ),
    Key(
        "replication.db2.hadr_timeout_s",
        kinds.count(1, 4_294_967_295, "seconds"),
        "The pair's HADR_TIMEOUT, equal on both sides: silence after which the link is lost.",
        "Keep it equal to the database's own value; IBM advises 60 or more.",
        default=60,
        unit="seconds",
    ),
    Key(
        "replication.db2.peer_window_s",
        kinds.count(0, 4_294_967_295, "seconds"),
        "The pair's HADR_PEER_WINDOW: how long after a lost link the primary promises not to "
        "commit alone. While it runs, a takeover loses nothing.",
        "Keep it equal to the database's own value; IBM advises 120 or more.",
        default=120,
        unit="seconds",
    ),
    Key(
        "replication.db2.gap_bytes_max",
        kinds.count(0, 2**62, "bytes"),
        "Log gap between the nodes above which condition ReplicationGap says so.",
        "Raise it where bulk changes (nodeset of thousands of nodes) make it ring for nothing.",
        default=1_048_576,
        unit="bytes",
    ),
    Key(
        "replication.db2.work_dir",
        kinds.absolute_path,
        "hamnd's own directory beside the databases, made where it is missing: backup images on "
        "their way to the standby, and what a database had that is kept when it gives way. It "
        "needs room for both.",
        "Where /var has no room for a copy of the database.",
        default="/var/lib/hamnd-db2",
    ),
    Key(
        "replication.db2.storage_paths",
        kinds.list_of(kinds.absolute_path),
        "Automatic storage paths other than the database's own directory (db2pd -storagepaths): "
        "they are kept with it.",
        "When the database was created with other storage paths.",
        default=(),
    ),
    Key(
        "replication.db2.primary_service",
        kinds.unix_name,
        "HADR_LOCAL_SVC of the primary: its name in /etc/services. Set-up adds what is missing.",
        "When the pair was configured with another name.",
        default="DB2_HADR_1",
    ),
    Key(
        "replication.db2.primary_port",
        kinds.port,
        "TCP port of that service, used by set-up.",
        "When the port is taken, or the pair has another one.",
        default=55001,
    ),
    Key(
        "replication.db2.standby_service",
        kinds.unix_name,
        "HADR_LOCAL_SVC of the standby.",
        "When the pair was configured with another name.",
        default="DB2_HADR_2",
    ),
    Key(
        "replication.db2.standby_port",
        kinds.port,
        "TCP port of that service, used by set-up.",
        "When the port is taken, or the pair has another one.",
        default=55002,
    ),
    Key(
        "replication.db2.sync_mode",
        kinds.choice("sync", "nearsync", "async"),
        "HADR_SYNCMODE that set-up configures. With async a takeover is never proven to lose "
        "nothing; superasync has no Peer state and is not offered.",
        "Where the link is too slow for commits that wait for the standby.",
        default="nearsync",
    ),
    Key(
        "replication.db2.archive_dir",
        kinds.absolute_path,
        "Where set-up makes the primary archive its log (LOGARCHMETH1) when it does not yet. "
        "Without it: archive in replication.db2.work_dir.",
        "Where the archive belongs on another file system.",
        default=None,
        example="/var/lib/db2/archive",
    ),
    Key(
        "replication.db2.client_port",
        kinds.port,
        "Port of the instance (SVCENAME). With it set-up tells clients the alternate server.",
        "Where clients on other hosts connect to this database.",
        default=None,
        example=60000,
    ),
)
