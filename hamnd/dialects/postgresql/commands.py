"""What hamnd asks of PostgreSQL, and the one thing that it changes: a standby becomes primary.

Owns the argv of every call. Must not know when one is right (core.replication). Each is one psql
over the server's own unix socket, as the user who owns the server: that needs no password and no
driver, runs over ssh as it does here, and is a line that anybody can repeat at a prompt. Where
another role is asked for, its password comes from a file (law 7).

Every function and view in here exists in versions 12 to 17; the whole rows of
pg_stat_wal_receiver, pg_stat_replication and pg_replication_slots are taken, so that a column which
a version lacks is just not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look

CONNECT_S = 5
LOOK_S = 10.0

_SETTINGS = (
    "listen_addresses",
    "synchronous_commit",
    "synchronous_standby_names",
    "transaction_read_only",
    "wal_receiver_timeout",
    "wal_writer_delay",
)

_RECEIVER = (
    "SELECT to_jsonb(r) - 'conninfo' || jsonb_build_object("
    "'name', coalesce(substring(r.conninfo from '(?:^| )application_name=([^ ]+)'), "
    "substring(r.conninfo from '(?:^| )fallback_application_name=([^ ]+)')), "
    "'heard_at', extract(epoch from r.last_msg_receipt_time), "
    "'silent_s', extract(epoch from clock_timestamp() - r.last_msg_receipt_time)) "
    "FROM pg_stat_wal_receiver r"
)
"""conninfo stays there: it names the user and the passfile."""

_EXCEPTIONS = (
    "SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) one "
    "WHERE one LIKE 'synchronous_commit=%'"
)

_NAMES = ", ".join(f"'{name}'" for name in _SETTINGS)

_LINE = (
    "CASE WHEN NOT pg_is_in_recovery() THEN "
    "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END"
)

_FIELDS = {
    "version": "current_setting('server_version_num')::int",
    "system": "(SELECT system_identifier::text FROM pg_control_system())",
    "in_recovery": "pg_is_in_recovery()",
    "started_at": "extract(epoch from pg_postmaster_start_time())",
    "at": "extract(epoch from clock_timestamp())",
    "timeline": _LINE,
    "checkpoint_timeline": "(SELECT timeline_id FROM pg_control_checkpoint())",
    "flushed": "CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END",
    "received": "pg_last_wal_receive_lsn()",
    "replayed": "pg_last_wal_replay_lsn()",
    "paused": "CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END",
    "receiver": f"({_RECEIVER})",
    "senders": "(SELECT jsonb_agg(to_jsonb(s)) FROM pg_stat_replication s)",
    "slots": "(SELECT jsonb_agg(to_jsonb(s)) FROM pg_replication_slots s)",
    "settings": "(SELECT jsonb_object_agg(name, setting) FROM pg_settings "
    f"WHERE name IN ({_NAMES}))",
    "exceptions": f"({_EXCEPTIONS})",
}

_STATUS = (
    "SELECT jsonb_build_object("
    + ", ".join(f"'{key}', {value}" for key, value in _FIELDS.items())
    + ")"
)

_HISTORY = (
    "SELECT jsonb_build_object('history', pg_read_file('pg_wal/' || "
    "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '.history', 0, 65536, true)) "
    "WHERE NOT pg_is_in_recovery()"
)
"""Where a promoted server's timeline left the one before; only a superuser may read the file."""

_IN_RECOVERY = "SELECT pg_is_in_recovery()"

_CAN_PROMOTE = (
    _IN_RECOVERY,
    "SELECT has_function_privilege($$pg_catalog.pg_promote(boolean, integer)$$, $$execute$$)",
    "SHOW listen_addresses",
    "SHOW synchronous_standby_names",
    (
        "SELECT current_user, rolsuper AND coalesce(current_setting('allow_alter_system', true), "
        "'on') = 'on' FROM pg_roles WHERE rolname = current_user"
    ),
)
"""One line each, in this order: what is asked at a prompt has no need of JSON. Since version 17
allow_alter_system keeps a superuser from what `wait_for_nobody` does."""

_WRITABLE = (
    _IN_RECOVERY,
    "SHOW transaction_read_only",
    "SHOW synchronous_standby_names",
    "SELECT count(*) FROM pg_stat_replication WHERE sync_priority > 0",
    "SELECT pg_current_wal_lsn()",
    "SELECT pg_walfile_name(pg_current_wal_lsn())",
)
"""The same; in recovery the last two are errors, and nobody reads them then."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the server itself may take; None where our own limit is the only one."""

    statement_s: int | None = None


def psql(site: Site, host: str, *statements: str, limits: Limits = Limits()) -> Exec:
    """Return the request that runs statements on a host's server, each on its own."""
    where = site.postgresql
    parts = {
        "dbname": where.database,
        "host": where.socket_dir,
        "port": str(where.port),
        "user": where.user,
        "passfile": where.passfile,
        "connect_timeout": str(CONNECT_S),
        "application_name": "hamnd",
        # A server that works on, for nobody: the statement ends there as well.
        "options": None
        if limits.statement_s is None
        else f"-cstatement_timeout={limits.statement_s}s",
    }
    argv = (site.tool("psql"), "-X", "-q", "-A", "-t", "-w", "-d", conninfo_of(parts))
    questions = tuple(word for one in statements for word in ("-c", one))
    return Exec(host, argv + questions, user=where.os_user)


def conninfo_of(parts: Mapping[str, str | None]) -> str:
    """Return a connection string; what is None is left out."""
    return " ".join(f"{key}={_value(one)}" for key, one in parts.items() if one is not None)


def status(site: Site, host: str) -> Look:
    """Return the look at everything that a server tells about its part in replication."""
    statements = (_STATUS, _HISTORY) if host == site.node else (_STATUS,)
    return Look(
        psql(site, host, *statements, limits=Limits(int(LOOK_S) - 2)),
        reads="postgresql.status_readable",
        expects=f"PostgreSQL on {host} tells its state",
        timeout_s=LOOK_S,
    )


def can_promote(site: Site) -> Look:
    """Return the look that proves this node a standby that may be promoted, and be reached then."""
    return Look(
        psql(site, site.node, *_CAN_PROMOTE, limits=Limits(int(LOOK_S) - 2)),
        reads="postgresql.can_promote",
        expects=f"PostgreSQL on {site.node} is a standby, hamnd may promote it, and it listens on "
        "the service address",
        arguments=tuple(one.address for one in site.identity),
        timeout_s=LOOK_S,
    )


def is_standby(site: Site) -> Look:
    """Return the look that proves this node's server in recovery."""
    return is_in_recovery(site, site.node)


def is_in_recovery(site: Site, host: str) -> Look:
    """Return the look that proves a host's server in recovery: it takes no writes."""
    return Look(
        psql(site, host, _IN_RECOVERY, limits=Limits(int(LOOK_S) - 2)),
        reads="postgresql.in_recovery",
        expects=f"PostgreSQL on {host} is in recovery",
        timeout_s=LOOK_S,
    )


def is_writable(site: Site) -> Look:
    """Return the look that proves this node's server primary, and its commits not held up."""
    return Look(
        psql(site, site.node, *_WRITABLE, limits=Limits(int(LOOK_S) - 2)),
        reads="postgresql.writable",
        expects=f"PostgreSQL on {site.node} is not in recovery and takes writes",
        timeout_s=LOOK_S,
    )


def promote(site: Site, wait_s: int) -> Action:
    """Return pg_promote(), which comes home when the server is primary or `wait_s` are over."""
    statement = f"SELECT pg_promote(true, {wait_s})"
    return Action(psql(site, site.node, statement), reads="postgresql.promoted")


def wait_for_nobody(site: Site, host: str) -> Action:
    """Return what keeps a server from waiting for standbys that are not there.

    A standby that was cloned from a synchronous primary has its synchronous_standby_names: as a
    primary it would hold every commit for ever. The setting is read again by a running server.
    """
    statements = ("ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
    return Action(
        psql(site, host, *statements, limits=Limits(int(LOOK_S))),
        reads="postgresql.waits_for_nobody",
    )


def _value(text: str) -> str:
    r"""Return a value as libpq reads it: quoted where it is empty or has blanks, ' or \ in it."""
    if text and not any(one.isspace() or one in "'\\" for one in text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
