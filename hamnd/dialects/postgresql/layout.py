"""Where a server's files lie, how its own programs are called, and how one node reaches the other.

Owns the names beside the data directory and the connection of a standby to its primary. Must not
know what is done with them (pairing, held).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hamnd.dialects.postgresql.commands import LOOK_S, Limits, psql
from hamnd.errors import PermanentError
from hamnd.model.site import Node, Site
from hamnd.model.work import Action, Exec, Look


@dataclass(frozen=True, slots=True)
class Places:
    """Where a server's data is, and what lies beside it while it is worked on."""

    data: str

    @property
    def held(self) -> str:
        """What the data directory is called while nobody may start it."""
        return f"{self.data}.hamnd-held"

    @property
    def new(self) -> str:
        """Where a new copy grows."""
        return f"{self.data}.hamnd-new"

    @property
    def mark(self) -> str:
        """There while pg_rewind works, and after it was cut off."""
        return f"{self.data}.hamnd-rewinding"

    def kept(self, label: str) -> str:
        """Where diverged data stays."""
        return f"{self.data}.hamnd-kept-{label}"


def places(site: Site) -> Places:
    """Return the places of a site's servers.

    Raises:
        PermanentError: the site does not say where its data directory is.
    """
    if site.postgresql.data_dir is None:
        raise PermanentError(
            "replication.postgresql.data_dir is not set: without it no server can be copied, "
            "rewound or examined; name the data directory (SHOW data_directory)"
        )
    return Places(site.postgresql.data_dir.rstrip("/"))


def program(site: Site, name: str) -> str:
    """Return one of the server's own programs, which are seldom on PATH."""
    folder = site.postgresql.program_dir
    return site.tool(name) if folder is None else f"{folder.rstrip('/')}/{name}"


def slot_of(node: Node) -> str:
    """Return the name of the slot that keeps the log for a node; slots know few characters."""
    return "hamnd_" + re.sub(r"[^a-z0-9_]", "_", node.name.lower())


def upstream(site: Site, guest: Node, host: Node) -> dict[str, str | None]:
    """Return how a node reaches the other one's server; its name is how the other one knows it."""
    where = site.postgresql
    return {
        "host": host.address,
        "port": str(where.port),
        "user": where.replication_user,
        "passfile": where.replication_passfile,
        "connect_timeout": "5",
        "application_name": guest.name,
    }


def script(site: Site, host: str, text: str, name: str, *words: str) -> Action:
    """Return a script as the owner of the servers runs it; its exit code tells."""
    argv = ("sh", "-c", text, f"hamnd-{name}", *words)
    return Action(Exec(host, argv, site.postgresql.os_user))


def scripted(site: Site, host: str, told: str, text: str, *words: str) -> Look:
    """Return a script that only looks; the first word is its name."""
    name, *rest = words
    argv = ("sh", "-c", text, f"hamnd-{name}", *rest)
    return Look(
        Exec(host, argv, site.postgresql.os_user),
        reads="shell.exit_zero",
        expects=told,
        timeout_s=60.0,
    )


def sql(site: Site, host: str, *statements: str, limit_s: float = LOOK_S) -> Action:
    """Return statements that change something on a host's server."""
    request = psql(site, host, *statements, limits=Limits(int(limit_s)))
    return Action(request, reads="postgresql.changed")


def judged(site: Site, host: str, told: str, *statements: str) -> Look:
    """Return questions whose answers judge themselves: rows of true or false, and a sentence."""
    request = psql(site, host, *statements, limits=Limits(int(LOOK_S) - 2))
    return Look(request, reads="postgresql.judged", expects=told, timeout_s=LOOK_S)
