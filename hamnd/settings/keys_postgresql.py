"""The keys of a PostgreSQL pair: what each means, and when to change it.

Owns their texts and defaults. Must not know how they are read (reader) nor their relations.
"""

from __future__ import annotations

from hamnd.settings import kinds
from hamnd.settings.schema import Key

POSTGRESQL = (
    Key(
        "replication.postgresql.database",
        kinds.pg_database,
        "The xCAT database, as cfgloc names it (Pg:dbname=...).",
        "When xCAT was installed with another database name.",
        default="xcatdb",
    ),
    Key(
        "replication.postgresql.os_user",
        kinds.unix_name,
        "Unix user that runs the servers. psql runs as this user on either node, over the server's "
        "own unix socket (peer authentication: no password).",
        "When the servers run as another user.",
        default="postgres",
    ),
    Key(
        "replication.postgresql.user",
        kinds.pg_database,
        "Role to log in as. It needs pg_monitor, and EXECUTE on pg_promote(boolean, integer).",
        "Where hamnd may not be the superuser; pg_hba.conf then has to let this role in.",
        default=None,
        example="hamnd",
    ),
    Key(
        "replication.postgresql.passfile",
        kinds.absolute_path,
        "File with that role's password (.pgpass format, mode 0600, owned by os_user), the same "
        "path on both nodes. Never the password itself.",
        "Where pg_hba.conf asks the role for a password.",
        default=None,
        example="/var/lib/postgresql/.pgpass",
    ),
    Key(
        "replication.postgresql.port",
        kinds.port,
        "Port of both servers; it is part of the socket's name too.",
        "When the servers listen elsewhere.",
        default=5432,
    ),
    Key(
        "replication.postgresql.socket_dir",
        kinds.absolute_path,
        "Directory of the servers' unix sockets (unix_socket_directories). Without it psql knows.",
        "When psql does not find the server of its own host.",
        default=None,
        example="/run/postgresql",
    ),
    Key(
        "replication.postgresql.gap_bytes_max",
        kinds.count(0, 2**62, "bytes"),
        "Log gap between the nodes above which condition ReplicationGap says so.",
        "Raise it where bulk changes (nodeset of thousands of nodes) make it ring for nothing.",
        default=16_777_216,
        unit="bytes",
    ),
    Key(
        "replication.postgresql.sync_hold_s",
        kinds.seconds(0, 3600),
        "With a synchronous standby: so long after hamnd last saw the primary waiting for it, "
        "nobody there, man or program, can have ended the waiting. A primary that was proven off "
        "within this time has lost nothing; 0 never calls that proven.",
        "Lower it, or 0, where a program on the primary falls back to asynchronous by itself.",
        default=20.0,
        unit="seconds",
    ),
    Key(
        "replication.postgresql.data_dir",
        kinds.absolute_path,
        "Data directory of both servers (SHOW data_directory). Set-up, rejoin and the examination "
        "of a returned primary work on it; its parent must belong to os_user, and it must not be "
        "a mount point itself, for it is renamed while it is worked on.",
        "Set it: without it hamnd takes over, but sets up and rejoins nothing.",
        default=None,
        example="/var/lib/postgresql/15/main",
    ),
    Key(
        "replication.postgresql.program_dir",
        kinds.absolute_path,
        "Directory of the server's own programs: pg_ctl, pg_basebackup, pg_rewind, pg_controldata, "
        "pg_waldump. Without it they are looked up on tools.path.",
        "Wherever the distribution keeps them apart, as Debian, RHEL and SLES do.",
        default=None,
        example="/usr/lib/postgresql/15/bin",
    ),
    Key(
        "replication.postgresql.config_file",
        kinds.absolute_path,
        "postgresql.conf, where it does not lie in the data directory.",
        "On Debian and Ubuntu.",
        default=None,
        example="/etc/postgresql/15/main/postgresql.conf",
    ),
    Key(
        "replication.postgresql.hba_file",
        kinds.absolute_path,
        "pg_hba.conf, where it does not lie in the data directory. Set-up and rejoin put lines of "
        "their own on top, between `# hamnd: begin` and `# hamnd: end`.",
        "On Debian and Ubuntu.",
        default=None,
        example="/etc/postgresql/15/main/pg_hba.conf",
    ),
    Key(
        "replication.postgresql.unit",
        kinds.matching(r"[A-Za-z0-9@_.:-]{1,128}", "the name of a systemd unit"),
        "Unit that starts and stops the server. Without it pg_ctl does, and a server started on "
        "this node would end together with hamnd's own unit.",
        "Set it on every system with systemd.",
        default=None,
        example="postgresql@15-main",
    ),
    Key(
        "replication.postgresql.replication_user",
        kinds.pg_database,
        "Role by which the standby receives the log, and pg_rewind reads.",
        "Where the pair replicates already by a role of another name.",
        default="hamnd_replication",
    ),
    Key(
        "replication.postgresql.replication_passfile",
        kinds.absolute_path,
        "File with that role's password (.pgpass format, mode 0600, owned by os_user), the same "
        "path on both nodes. Never the password itself. With it set-up makes the role and lets it "
        "in; without it both are the site's own.",
        "Set it, unless pg_hba.conf lets the role in by other means.",
        default=None,
        example="/var/lib/postgresql/hamnd.pgpass",
    ),
    Key(
        "replication.postgresql.slot_keep_mib",
        kinds.count(0, 2**20, "MiB"),
        "How much log a primary keeps for a standby that is away (max_slot_wal_keep_size); beyond "
        "it the standby needs a new copy. 0: no slot; then wal_keep_size alone decides.",
        "Choose what the disk of the log can spare. PostgreSQL 12 cannot limit a slot: 0 there.",
        default=1024,
        unit="MiB",
    ),
    Key(
        "replication.postgresql.heartbeat_s",
        kinds.divisor_of_a_minute,
        "How often the standby has a row written on the primary, in schema hamnd of the xCAT "
        "database: then something always has to arrive, and a pair on which nobody works is found "
        "out at once when nothing does. 0: never. Each beat is two records of the journal.",
        "Where wal_receiver_timeout cannot be lowered: half of it is the other way to notice.",
        default=0,
        unit="seconds",
    ),
    Key(
        "replication.postgresql.synchronous",
        kinds.flag,
        "Whether set-up and rejoin end with a primary whose every commit waits for the standby's "
        "disk. Then a takeover loses nothing, and the primary stands still while its standby is "
        "away.",
        "Where losing the last second of changes is worse than standing still.",
        default=False,
    ),
)
