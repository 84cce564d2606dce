"""What makes a server a primary for a standby: role, access, slot, and what it says of it.

Owns what set-up, rejoin and switchover ask of the primary. Must not know their order nor when one
is right (core.replication). What is no part of versions 12 to 17 says so.
"""

from __future__ import annotations

from hamnd.dialects.postgresql.commands import LOOK_S, Limits, conninfo_of, psql
from hamnd.dialects.postgresql.layout import (
    judged,
    places,
    script,
    slot_of,
    sql,
    upstream,
)
from hamnd.model.site import Node, Site
from hamnd.model.work import Action, Exec, Look

STOP_S = 60

_ACCESS = """\
set -eu; file=$1 role=$2 database=$3; shift 3
{ echo '# hamnd: begin'
for one; do
echo "host replication \\"$role\\" $one scram-sha-256"
echo "host \\"$database\\" \\"$role\\" $one scram-sha-256"
done
echo '# hamnd: end'
sed '/^# hamnd: begin$/,/^# hamnd: end$/d' "$file"; } >"$file.hamnd-new"
[ -e "$file.before-hamnd" ] || cp -p "$file" "$file.before-hamnd"
cat "$file.hamnd-new" >"$file"; rm -f "$file.hamnd-new"
"""
"""The file keeps its owner and mode; the server reads it only when it is told to."""

_ROLE = r"""\set VERBOSITY terse
SELECT set_config(name, quiet, false) FROM (VALUES
('log_statement', 'none'), ('log_min_error_statement', 'panic'), ('log_duration', 'off'),
('log_min_duration_statement', '-1'), ('log_min_duration_sample', '-1'),
('log_transaction_sample_rate', '0'), ('pg_stat_statements.track', 'none'), ('pgaudit.log', 'none')
) wanted(name, quiet) JOIN pg_settings s USING (name) \g /dev/null
SET password_encryption = 'scram-sha-256';
\set line `sed -nE '/^(([^\\:]|\\.)*:){3}(':'role''|\*):/{s/^(([^\\:]|\\.)*:){4}//;p;q;}' < :'file'`
\set word `printf %s :'line' | sed -E 's/\\(.)/\1/g'`
SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('ALTER ROLE %I REPLICATION LOGIN PASSWORD %L', :'role', :'word') \gexec
SELECT format('GRANT EXECUTE ON FUNCTION pg_catalog.%s TO %I', one, :'role') FROM unnest(ARRAY[
'pg_ls_dir(text, boolean, boolean)', 'pg_stat_file(text, boolean)', 'pg_read_binary_file(text)',
'pg_read_binary_file(text, bigint, bigint, boolean)']) one \gexec
"""
"""The password goes from its file into the server: not into any argv, log or message (law 7), nor
into the statistics of statements; what a version or an installation does not have is not set. The
four functions are what pg_rewind calls on its source (its manual page, "Warning")."""

_MAKE_SLOT = r"""\set VERBOSITY terse
SELECT format('ALTER SYSTEM SET max_slot_wal_keep_size = %L', :'keep')
FROM pg_settings WHERE name = 'max_slot_wal_keep_size' \gexec
SELECT pg_reload_conf() \g /dev/null
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots s
WHERE slot_name = :'slot' AND to_jsonb(s)->>'wal_status' = 'lost' AND NOT active \g /dev/null
SELECT pg_create_physical_replication_slot(:'slot', true)
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :'slot') \g /dev/null
"""
"""max_slot_wal_keep_size and the slot's wal_status exist since version 13."""

_SENDS = (
    "SELECT coalesce(bool_or(state = 'streaming'{sync}), false), "
    "coalesce('sends to {node}: ' || string_agg(state || ', ' || sync_state, '; '), "
    "'{node} does not receive: see the log of its server') "
    "FROM pg_stat_replication WHERE application_name = '{node}'"
)
_RECEIVES = (
    "SELECT coalesce(bool_or(status = 'streaming'), false), "
    "coalesce(string_agg('receiver ' || status || ', timeline ' || received_tli, '; '), "
    "'nothing is received: see the log of its server') FROM pg_stat_wal_receiver"
)
_IS_CHECKPOINTED = (
    "SELECT timeline_id = ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))"
    "::bit(32)::int, 'its last checkpoint is on timeline ' || timeline_id "
    "FROM pg_control_checkpoint()"
)
_CAN_SEND = (
    (
        "SELECT NOT pg_is_in_recovery(), "
        "CASE WHEN pg_is_in_recovery() THEN 'it is a standby itself' ELSE 'it is a primary' END"
    ),
    (
        "SELECT rolsuper, current_user || CASE WHEN rolsuper THEN ' is' ELSE ' is no' END || "
        "' superuser' FROM pg_roles WHERE rolname = current_user"
    ),
    (
        "SELECT setting <> 'minimal', 'wal_level = ' || setting || CASE setting "
        "WHEN 'minimal' THEN ': set it to replica and restart the server' ELSE '' END "
        "FROM pg_settings WHERE name = 'wal_level'"
    ),
    (
        "SELECT setting::int >= 3, 'max_wal_senders = ' || setting || CASE "
        "WHEN setting::int < 3 THEN ': set it to 5 and restart the server' ELSE '' END "
        "FROM pg_settings WHERE name = 'max_wal_senders'"
    ),
)
_SLOT = (
    "SELECT count(*) = 1, 'slot {slot} ' || coalesce(max(CASE WHEN to_jsonb(s)->>'wal_status' = "
    "'lost' THEN 'is lost: its log is gone' ELSE 'keeps the log' END), 'is not there') "
    "FROM pg_replication_slots s WHERE slot_name = '{slot}' "
    "AND to_jsonb(s)->>'wal_status' IS DISTINCT FROM 'lost'"
)
_PROGRESS = (
    "SELECT true, phase || ', ' || backup_streamed / 1048576 || ' of ' || "
    "coalesce((backup_total / 1048576)::text, '?') || ' MiB' FROM pg_stat_progress_basebackup"
)


def can_send(site: Site, host: str) -> Look:
    """Return the look that proves a server fit to be a primary, without a restart."""
    return judged(site, host, f"PostgreSQL on {host} can send its log", *_CAN_SEND)


def make_role(site: Site, host: str) -> Action:
    """Return what makes the replication role, its password read from the passfile over there."""
    where = site.postgresql
    plain = psql(site, host, limits=Limits(int(LOOK_S)))
    named = (f"role={where.replication_user}", f"file={where.replication_passfile}")
    options = ("-v", "ON_ERROR_STOP=1", *(word for one in named for word in ("-v", one)))
    return Action(
        Exec(host, (*plain.argv, *options, "-f", "-"), where.os_user, _ROLE),
        reads="postgresql.changed",
    )


def let_in(site: Site, host: str) -> tuple[Action, ...]:
    """Return what lets both nodes in: lines of our own in pg_hba.conf, and their reading."""
    where = site.postgresql
    file = where.hba_file or f"{places(site).data}/pg_hba.conf"
    nodes = (_network(site.primary), _network(site.standby))
    words = (file, where.replication_user, where.database, *nodes)
    return script(site, host, _ACCESS, "access", *words), sql(site, host, "SELECT pg_reload_conf()")


def lets_in(site: Site, guest: Node, host: Node) -> Look:
    """Return the look from the guest that logs in for replication: address, rule and password."""
    request = Exec(
        guest.name,
        (
            *(site.tool("psql"), "-X", "-A", "-t", "-w", "-d"),
            conninfo_of({**upstream(site, guest, host), "replication": "true"}),
            *("-c", "IDENTIFY_SYSTEM"),
        ),
        user=site.postgresql.os_user,
    )
    return Look(
        request,
        reads="postgresql.identified",
        expects=f"{guest.name} may replicate from {host.name}",
        timeout_s=LOOK_S,
    )


def make_slot(site: Site, host: str, node: Node) -> Action:
    """Return what makes a slot for a node, and keeps it from filling this disk for ever.

    Version 12 has no such bound: there a slot keeps the log until somebody drops it.
    """
    plain = psql(site, host, limits=Limits(int(LOOK_S)))
    named = (f"slot={slot_of(node)}", f"keep={site.postgresql.slot_keep_mib}MB")
    options = ("-v", "ON_ERROR_STOP=1", *(word for one in named for word in ("-v", one)))
    return Action(
        Exec(host, (*plain.argv, *options, "-f", "-"), site.postgresql.os_user, _MAKE_SLOT),
        reads="postgresql.changed",
    )


def has_slot(site: Site, host: str, node: Node) -> Look:
    """Return the look that proves the node's slot there and its log not lost."""
    slot = slot_of(node)
    return judged(site, host, f"{host} keeps the log for {node.name}", _SLOT.format(slot=slot))


def checkpoint(site: Site, host: str) -> Action:
    """Return CHECKPOINT: before version 16 pg_rewind goes by the timeline of the last one."""
    return sql(site, host, "CHECKPOINT", limit_s=STOP_S)


def is_checkpointed(site: Site, host: str) -> Look:
    """Return the look that proves the control file of a promoted server on its new timeline."""
    told = f"the control file of {host} names its present timeline"
    return judged(site, host, told, _IS_CHECKPOINTED)


def wait_for(site: Site, host: str, node: Node) -> Action:
    """Return what makes every commit wait for a node's disk."""
    name = node.name.replace('"', '""')
    statement = f"ALTER SYSTEM SET synchronous_standby_names = '\"{name}\"'"
    return sql(site, host, statement, "SELECT pg_reload_conf()")


def sends(site: Site, host: str, node: Node, is_waiting: bool) -> Look:
    """Return the look that proves a server sending to a node, and its commits waiting for it."""
    sync = " AND sync_state IN ('sync', 'quorum')" if is_waiting else ""
    statement = _SENDS.format(node=node.name, sync=sync)
    waits = ", and waits for its disk" if is_waiting else ""
    return judged(site, host, f"{host} streams to {node.name}{waits}", statement)


def beat(site: Site, host: str) -> Action:
    """Return what writes the heartbeat row, in a schema of hamnd's own (design law 1).

    It waits for no standby: what it is for is to be missed there.
    """
    return sql(
        site,
        host,
        "SET client_min_messages = warning",
        "SET synchronous_commit = local",
        "CREATE SCHEMA IF NOT EXISTS hamnd",
        "CREATE TABLE IF NOT EXISTS hamnd.heartbeat (one boolean PRIMARY KEY CHECK (one), "
        "at timestamptz NOT NULL)",
        "INSERT INTO hamnd.heartbeat VALUES (true, clock_timestamp()) "
        "ON CONFLICT (one) DO UPDATE SET at = excluded.at",
    )


def receives(site: Site, host: str) -> Look:
    """Return the look that proves a standby receiving; its start alone proves nothing."""
    return judged(site, host, f"{host} receives the log", _RECEIVES)


def progress(site: Site, host: str) -> Look:
    """Return the look that tells how far a base backup is (version 13 and later)."""
    return judged(site, host, "a base backup is sent", _PROGRESS)


def _network(node: Node) -> str:
    """Return a node's own address as pg_hba.conf wants it."""
    return f"{node.address}/{128 if ':' in node.address else 32}"
