"""Argv around this node's store of copies.

Owns how the store's programs are called. Must not know what they do (programs), nor what a copy is
made of (the engine's own dialect).
"""

from __future__ import annotations

from hamnd.dialects.copies import programs
from hamnd.model.site import CopySite, Site
from hamnd.model.work import Action, Exec, Look

WHOLE_BYTES_MAX = 16_777_216
"""Copies up to this size are read whole with every status, larger ones before each pull, when
readiness is proven, and before they are switched in."""
LOOK_S = 20.0


def home(site: Site) -> str:
    """Return where a node keeps what belongs to its engine's copies."""
    return f"{site.paths.state_dir}/{site.engine}"


def python(site: Site, host: str, program: str, *arguments: str) -> Exec:
    """Return the request that runs one of the programs with python3 alone."""
    return Exec(host, (site.tool("python3"), "-I", "-c", program, *arguments))


def pull(site: Site, copies: CopySite, fetch: tuple[str, ...]) -> Action:
    """Return the action that fetches a copy by a command, verifies it and keeps it."""
    request = python(
        site,
        site.node,
        programs.PULL,
        site.engine,
        home(site),
        str(copies.keep),
        f"{copies.shrink_min:g}",
        site.tool("pg_restore"),
        f"{copies.timeout_s:g}",
        *fetch,
    )
    return Action(request, reads="copies.pulled")


def status(site: Site, tables: str) -> Look:
    """Return the look at the store, and at the live tables in a directory ("" for none)."""
    request = python(site, site.node, programs.STATUS, home(site), tables, str(WHOLE_BYTES_MAX))
    return Look(
        request,
        reads="copies.readable",
        expects=f"the copies on {site.node} can be read",
        timeout_s=LOOK_S,
    )


def ready(site: Site, tables: str) -> Look:
    """Return the look that proves the newest copy whole, and ready to be switched in."""
    return Look(
        python(site, site.node, programs.READY, home(site), tables, str(WHOLE_BYTES_MAX)),
        reads="copies.ready",
        expects=f"a whole copy of {site.partner.name}'s database is on {site.node}",
        timeout_s=60.0,
    )
