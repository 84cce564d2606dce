"""What hamnd asks of a server that is copied by dumps, and how a restored dump becomes live.

Owns the argv of every call. Must not know when one is right (core.replication). Every statement
exists in PostgreSQL 12 to 17. What a database is, its own comment says: it moves with the database
in one transaction, whatever the database is called.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.dialects.copies.commands import home, pull, python
from hamnd.dialects.dump import programs
from hamnd.dialects.postgresql.commands import CONNECT_S, conninfo_of
from hamnd.dialects.shell import quote, remote_line, ssh_argv
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look

LOOK_S = 10.0
PRIMARY_WORDS = "hamnd primary copy"
STANDBY_WORDS = "hamnd standby"
RESTORED_WORDS = "hamnd copy"
_DATABASE = "@DATABASE@"

_COMMENT = "(SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {name})"
_THERE = "EXISTS (SELECT FROM pg_database WHERE datname = {name})"
_LACKS = """(SELECT CASE WHEN rolsuper THEN '' WHEN NOT rolcreatedb
THEN format('ALTER ROLE %I CREATEDB', rolname) ELSE coalesce((
SELECT format('GRANT %I TO %I', pg_get_userbyid(datdba), rolname) FROM pg_database
WHERE datname IN ({names}) AND NOT pg_has_role(datdba, 'USAGE') LIMIT 1), '') END
FROM pg_roles WHERE rolname = current_user)"""
"""What keeps our role from renaming: it takes CREATEDB and the owner's rights (ALTER DATABASE)."""
_FREE_NAME = """free text := aside;
number int := 1;
BEGIN
WHILE EXISTS (SELECT FROM pg_database WHERE datname = free) LOOP
number := number + 1; free := aside || '_' || number; END LOOP;"""
"""Begins a block that declared `aside`: nothing that was kept before stands in the way."""
_MARK = "CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_insert_lsn()::text END"


def status(site: Site, host: str) -> Look:
    """Return the look at a server's databases: which are there, and what their comments say."""
    live, ready = _literal(site.dump.database), _literal(restored(site))
    fields = {
        "dumps": "1",
        "now": "extract(epoch from clock_timestamp())",
        "in_recovery": "pg_is_in_recovery()",
        "has_live": _THERE.format(name=live),
        "live": _COMMENT.format(name=live),
        "restored": _COMMENT.format(name=ready),
        "mark": _MARK,
        "lacks": _LACKS.format(names=f"{live}, {ready}"),
    }
    pairs = ", ".join(f"'{key}', {value}" for key, value in fields.items())
    return Look(
        _psql(site, host, f"SELECT jsonb_build_object({pairs})"),
        reads="dump.readable",
        expects=f"PostgreSQL on {host} tells its databases",
        timeout_s=LOOK_S,
    )


def restored(site: Site) -> str:
    """Return the name of the database that a dump is restored into."""
    return f"{site.dump.database}_hamnd"


def take_copy(site: Site) -> Action:
    """Return the action that pulls a dump from the partner, reads it through and keeps it."""
    where = site.dump
    facts = (
        "SELECT 'database ' || concat_ws('|', pg_encoding_to_char(encoding), datcollate, "
        "datctype, pg_get_userbyid(datdba)) FROM pg_database WHERE datname = "
        f"{_literal(where.database)} UNION ALL SELECT 'mark ' || pg_current_wal_insert_lsn()"
    )
    asked = quote(_psql(site, site.partner.name, facts).argv)
    line = quote((site.tool("pg_dump"), "-F", "c", "-w", "-d", _conninfo(site, where.database)))
    version = quote((site.tool("pg_dump"), "--version"))
    argv = ("sh", "-c", programs.SEND, "hamnd-send", home(site), where.os_user)
    request = Exec(site.partner.name, (*argv, line, asked, version))
    far = remote_line(request, site)
    fetched = pull(site, where, (*ssh_argv(site, site.partner.name), far))
    return replace(fetched, reads="dump.pulled")


def restore(site: Site) -> Action:
    """Return the action that restores the newest dump into a database beside the live one."""
    into = _conninfo(site, _DATABASE)
    asks = (site.tool("psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-d", into)
    loads = (site.tool("pg_restore"), "--exit-on-error", "-w", "-d", into)
    lines = (quote(asks), quote(loads))
    where = site.dump
    request = python(
        site, site.node, programs.RESTORE, home(site), where.os_user, where.database, *lines
    )
    return Action(request, reads="dump.pulled")


def promote(site: Site) -> Action:
    """Return the action that gives the restored database the live one's name, and keeps that one.

    One transaction: renames and comment, or nothing.
    """
    live, ready = _literal(site.dump.database), _literal(restored(site))
    text = f"""DO $hamnd$
DECLARE told text := {_COMMENT.format(name=ready)};
aside text := {live} || '_before_copy_' || split_part(told, ' ', 3);
{_FREE_NAME}
IF told IS NULL OR told NOT LIKE '{RESTORED_WORDS} %' THEN
RAISE EXCEPTION 'no restored copy is here: nothing was changed'; END IF;
PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname IN ({live}, {ready}) AND pid <> pg_backend_pid();
IF {_THERE.format(name=live)} THEN
EXECUTE format('ALTER DATABASE %I RENAME TO %I', {live}, free); END IF;
EXECUTE format('ALTER DATABASE %I RENAME TO %I', {ready}, {live});
EXECUTE format('COMMENT ON DATABASE %I IS %L', {live},
replace(told, '{RESTORED_WORDS}', '{PRIMARY_WORDS}'));
END $hamnd$"""
    return Action(_psql(site, site.node, text), reads="dump.renamed")


def keep(site: Site, host: str, name: str) -> Action:
    """Return the action that takes a server's live database aside, under another name.

    One that has the name already stays as it is: this one gets a number behind it.
    """
    live, kept = _literal(site.dump.database), _literal(kept_name(site, name))
    text = f"""DO $hamnd$
DECLARE aside text := {kept};
{_FREE_NAME}
PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = {live} AND pid <> pg_backend_pid();
IF {_THERE.format(name=live)} THEN
EXECUTE format('ALTER DATABASE %I RENAME TO %I', {live}, free); END IF;
END $hamnd$"""
    return Action(_psql(site, host, text), reads="dump.renamed")


def kept_name(site: Site, name: str) -> str:
    """Return what a database that was taken aside is called."""
    return f"{site.dump.database}_kept_{name}"


def is_kept(site: Site, host: str, name: str) -> Look:
    """Return the look that proves what `keep` did, and tells the last name that was given."""
    live, kept = _literal(site.dump.database), _literal(kept_name(site, name))
    numbered = f"left(datname, length({kept})) = {kept}"
    question = (
        f"SELECT {_THERE.format(name=live)}, {_THERE.format(name=kept)}, (SELECT datname FROM "
        f"pg_database WHERE {numbered} AND substr(datname, length({kept}) + 1) ~ '^(_[0-9]+)?$' "
        "ORDER BY length(datname) DESC, datname DESC LIMIT 1)"
    )
    return Look(
        _psql(site, host, question),
        reads="dump.kept",
        expects=f"database {site.dump.database} of {host} is kept as {kept_name(site, name)}",
        timeout_s=LOOK_S,
    )


def demote(site: Site, host: str) -> Action:
    """Return the action that marks a live database, where there still is one, as the standby's."""
    live = _literal(site.dump.database)
    text = f"""DO $hamnd$
BEGIN
IF {_THERE.format(name=live)} THEN
EXECUTE format('COMMENT ON DATABASE %I IS %L', {live}, '{STANDBY_WORDS}'); END IF;
END $hamnd$"""
    return Action(_psql(site, host, text), reads="dump.renamed")


def is_demoted(site: Site, host: str) -> Look:
    """Return the look that proves that no database of a server is called the primary's."""
    live = _literal(site.dump.database)
    question = f"SELECT coalesce({_COMMENT.format(name=live)}, CASE WHEN NOT "
    question += f"{_THERE.format(name=live)} THEN '{STANDBY_WORDS}' ELSE '' END)"
    return Look(
        _psql(site, host, question),
        reads="dump.demoted",
        expects=f"database {site.dump.database} of {host} serves nobody",
        arguments=(STANDBY_WORDS,),
        timeout_s=LOOK_S,
    )


def is_restored(site: Site, host: str) -> Look:
    """Return the look that proves a restored copy on a node, whose role may rename it."""
    look = status(site, host)
    return Look(
        look.request,
        reads="dump.restored",
        expects=f"a restored copy is on {host}, and hamnd may rename it",
        timeout_s=LOOK_S,
    )


def is_primary(site: Site, host: str) -> Look:
    """Return the look that proves a node's live database the primary's, and writable."""
    question = (
        f"SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), "
        f"{_COMMENT.format(name=_literal(site.dump.database))}"
    )
    configured = "primary" if host == site.primary.name else "standby"
    return Look(
        _psql(site, host, question, database=site.dump.database),
        reads="dump.primary",
        expects=f"database {site.dump.database} on {host} is the primary's and takes writes",
        arguments=(configured,),
        timeout_s=LOOK_S,
    )


def ask(site: Site, host: str, statement: str) -> Exec:
    """Return the request that runs a statement on a host's server."""
    return _psql(site, host, statement)


def _psql(site: Site, host: str, statement: str, database: str = "postgres") -> Exec:
    argv = (site.tool("psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1")
    asked = ("-d", _conninfo(site, database), "-c", statement)
    return Exec(host, argv + asked, user=site.dump.os_user)


def _conninfo(site: Site, database: str) -> str:
    where = site.dump
    return conninfo_of(
        {
            "dbname": database,
            "host": where.socket_dir,
            "port": str(where.port),
            "connect_timeout": str(CONNECT_S),
            "application_name": "hamnd",
        }
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
