"""xCAT's database file /etc/xcat/cfgloc: which database xcatd opens, and where (xcat-hamn.md §5).

Owns its form. Must not judge whether that is the right one (core.health). The line has a password
behind its first `|`: everything from there on is cut off by the very program that reads it, so that
no part of hamnd ever holds it (law 7).
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Exec, Look, Reading, Report

_READ = """\
[ -s "$1" ] || { echo "SQLite:"; exit 0; }
sed -e 's/|.*//' -e q "$1"
"""
"""xCAT takes a missing or empty file for SQLite."""

WORDS = {"sqlite": "sqlite", "pg": "postgresql", "mysql": "mariadb", "db2": "db2"}
"""The engine behind the word that such a line begins with."""


@dataclass(frozen=True, slots=True)
class Cfgloc:
    """What the line says without its user and password."""

    engine: str
    """As hamnd calls it; another word as it stands."""
    database: str = ""
    host: str = ""
    """Empty: the database of xcatd's own host, over its socket."""


def reading(path: str) -> tuple[str, ...]:
    """Return the command that prints such a file without its user and password."""
    return ("sh", "-c", _READ, "hamnd-cfgloc", path)


def connection(site: Site) -> Look:
    """Return the look at this node's file, its password left out."""
    return Look(
        Exec(site.node, reading(site.cfgloc)),
        reads="cfgloc.readable",
        expects=f"{site.cfgloc} tells which database xcatd opens",
    )


def parse_cfgloc(report: Report) -> Cfgloc | None:
    """Return what the file says, or None where it could not be read."""
    if unanswered(report) is not None or report.exit_code != 0:
        return None
    word, colon, rest = report.stdout.partition("\n")[0].strip().partition(":")
    if not colon or not word.isalnum():
        return None
    engine = WORDS.get(word.lower(), word)
    parts = [one.partition("=") for one in rest.split(";")]
    told = {key.strip().lower(): value.strip() for key, equal, value in parts if equal}
    name = told.get("dbname", told.get("database", ""))
    return Cfgloc(engine, name if told else rest.strip(), told.get("host", ""))


def read_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the file told a database."""
    found = parse_cfgloc(report)
    if found is None:
        silence = unanswered(report)
        return silence or Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report)}")
    return Reading(Verdict.PASS, f"xcatd opens {found.engine}")
