"""What PostgreSQL's own messages mean for the administrator who reads them at night.

Owns the sentences. Must not know which program said it, nor judge the pair. The texts are those of
versions 12 to 17 in the C locale.
"""

from __future__ import annotations

import re

_PLAIN = (
    (
        r'password authentication failed for user "([^"]*)"',
        (
            "the password of role {0} is refused: correct its line in the passfile on this host, "
            "or the password in the server"
        ),
    ),
    (
        r"no password supplied",
        "the server asks for a password, and the passfile has no line for this role and database",
    ),
    (
        (
            r'no pg_hba.conf entry for (?:replication connection from host|host) "([^"]*)", '
            r'user "([^"]*)"'
        ),
        "pg_hba.conf lets nobody in as {1} from {0}: add a line for it, then pg_reload_conf()",
    ),
    (r'role "([^"]*)" does not exist', "there is no role {0} on that server"),
    (
        r"too many clients|remaining connection slots are reserved",
        "every connection of the server is taken: raise max_connections, or end idle sessions",
    ),
    (
        r"failed: Resource temporarily unavailable|server: Resource temporarily unavailable",
        "its queue of connections is full, and nobody takes any: it hangs, or is overrun",
    ),
    (
        r"(?:failed|to server): Permission denied",
        "the directory of its socket may not be entered by the user who asks",
    ),
    (
        r"No space left on device",
        "its disk is full: make room where its data directory and log lie, then start it",
    ),
    (
        r"requested timeline (\d+) (?:is not a child of|does not contain)",
        "timeline {0} is unknown here, the two histories differ: rejoin it, its data is kept",
    ),
    (
        r"new timeline (\d+) forked off current database system timeline (\d+) before",
        "it has more of timeline {1} than there was when timeline {0} began: rejoin it",
    ),
    (
        r'replication slot "([^"]*)" does not exist',
        "slot {0} is gone on the primary: rejoin makes it again",
    ),
    (
        r"requested WAL segment (\w+) has already been removed|can no longer get changes",
        "the log that it still needs is gone on the primary: it needs a new copy",
    ),
)
"""What PostgreSQL says, and what an administrator can do about it."""
_DENIAL = re.compile(r"permission denied for (function|view|table|schema) (\w+)")


def plainly(text: str) -> str | None:
    """Return what a message of PostgreSQL means for the administrator, or None."""
    for pattern, told in _PLAIN:
        found = re.search(pattern, text)
        if found is not None:
            return told.format(*found.groups())
    return None


def grant_for(text: str) -> str | None:
    """Return the GRANT that an administrator lacks for hamnd's role, in words, or None."""
    found = _DENIAL.search(text)
    if found is not None and found[1] == "function":
        return f"GRANT EXECUTE ON FUNCTION {found[2]} TO hamnd's role"
    if found is not None and found[2].startswith("pg_"):
        return "GRANT pg_monitor TO hamnd's role"
    if found is not None:
        return f"GRANT USAGE or SELECT on {found[1]} {found[2]} TO hamnd's role"
    if "must be superuser" in text or "permission denied to" in text:
        return "only a superuser may do that: let hamnd log in as the owner of the servers"
    return None
