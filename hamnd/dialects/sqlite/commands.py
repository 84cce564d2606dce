"""What hamnd asks of SQLite tables, and how a copy of them becomes the live ones.

Owns the argv of every call. Must not know when one is right (core.replication).
"""

from __future__ import annotations

from hamnd.dialects.copies.commands import WHOLE_BYTES_MAX, home, pull, python
from hamnd.dialects.shell import remote_line, ssh_argv
from hamnd.dialects.sqlite import programs
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Place, Swap

LOOK_S = 10.0


def look(site: Site, host: str) -> Look:
    """Return the look at a node's live tables; it needs no database program there."""
    argv = ("sh", "-c", programs.LOOK, "hamnd-look", home(site), site.sqlite.directory)
    return Look(
        Exec(host, argv),
        reads="copies.told",
        expects=f"the tables in {site.sqlite.directory} on {host} can be seen",
        timeout_s=LOOK_S,
    )


def take_copy(site: Site) -> Action:
    """Return the action that pulls a copy of all tables from the partner, verifies and keeps it."""
    where = site.sqlite
    tools = (site.tool("python3"), site.tool("sqlite3"), programs.BACKUP)
    argv = ("sh", "-c", programs.SEND, "hamnd-send", home(site), where.directory, *tools)
    line = remote_line(Exec(site.partner.name, argv), site)
    return pull(site, where, (*ssh_argv(site, site.partner.name), line))


def stage(site: Site, role: str) -> Action:
    """Return the action that prepares a directory as the live one is, but with the copy's tables.

    Its role is written into it: the switch changes tables and role in one rename.
    """
    where = site.sqlite.directory
    words = (home(site), where, _hidden(where), role, str(WHOLE_BYTES_MAX))
    return Action(python(site, site.node, programs.STAGE, *words), reads="copies.pulled")


def switch(site: Site) -> Action:
    """Return the action that puts the staged directory in the live one's place, and keeps that."""
    where = site.sqlite.directory
    hidden, name = _hidden(where), where.rpartition("/")[2]
    place = Place(f"{hidden}/new/{name}", where, f"{hidden}/old/{name}")
    return Action(Swap(site.node, (place,)))


def is_live(site: Site, host: str, role: str) -> Look:
    """Return the look that proves a node's live tables whole, of a role, and writable if primary.

    It reads them with SQLite itself; on the partner that needs python3 there.
    """
    configured = "primary" if host == site.primary.name else "standby"
    request = python(site, host, programs.LIVE, site.sqlite.directory, role, configured)
    return Look(
        request,
        reads="copies.ready",
        expects=f"the tables in {site.sqlite.directory} on {host} are the {role}'s, and whole",
        timeout_s=60.0,
    )


def keep(site: Site, host: str, name: str) -> Action:
    """Return the action that keeps a node's tables under a name, or under that and a number."""
    argv = ("sh", "-c", programs.KEEP, "hamnd-keep", home(site), site.sqlite.directory, name)
    return Action(Exec(host, argv), reads="copies.pulled")


def is_kept(site: Site, host: str, name: str) -> Look:
    """Return the look that proves what `keep` did, and tells where."""
    argv = ("sh", "-c", programs.KEPT, "hamnd-kept", home(site), site.sqlite.directory, name)
    return Look(
        Exec(host, argv),
        reads="copies.ready",
        expects=f"the tables of {host} are kept in {home(site)}/kept/{name}",
    )


def demote(site: Site, host: str) -> Action:
    """Return the action that makes a node the standby, whether its tables are kept or not."""
    argv = ("sh", "-c", programs.DEMOTE, "hamnd-demote", site.sqlite.directory, "standby")
    return Action(Exec(host, argv), reads="copies.pulled")


def is_demoted(site: Site, host: str) -> Look:
    """Return the look that proves what `demote` did."""
    argv = ("sh", "-c", programs.DEMOTED, "hamnd-demoted", site.sqlite.directory, "standby")
    return Look(
        Exec(host, argv),
        reads="copies.ready",
        expects=f"the tables in {site.sqlite.directory} on {host} are the standby's",
    )


def _hidden(directory: str) -> str:
    """Return the hidden folder beside a directory, on its file system."""
    return f"{directory.rpartition('/')[0]}/.hamnd"
