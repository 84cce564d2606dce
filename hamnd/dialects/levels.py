"""What is installed on a node: operating system, xCAT and database program, to be compared.

Owns the script that asks and the form of what it tells. Must not judge parity (core.parity). xCAT
is told by its packages and not by its daemon: on a standby none runs, and packages also tell which
of their files somebody changed (xcat-hamn.md §3: `rpm -qa | grep -i xcat`, `rpm --verify`). AIX
takes xCAT as RPM too (aix.md §4).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hamnd.dialects.aix import program
from hamnd.dialects.aix.software import parse_level
from hamnd.dialects.db2.commands import run as as_instance_owner
from hamnd.dialects.dump.commands import ask as ask_dumped
from hamnd.dialects.mariadb.commands import client
from hamnd.dialects.postgresql.commands import psql
from hamnd.dialects.shell import last_lines, unanswered, unreadable
from hamnd.model.names import Verdict
from hamnd.model.site import Platform, Site
from hamnd.model.work import Exec, Look, Reading, Report

_SYSTEM = {
    Platform.LINUX: '[ ! -r /etc/os-release ] || (. /etc/os-release; echo "os $ID $VERSION_ID")\n',
    Platform.AIX: 'echo "os $("$1" -s 2>/dev/null)"\n',
}
_PACKAGES = """\
changed() { awk '$1 == "missing" || (substr($1, 3, 1) == "5" && $2 != "c") { \
print "changed " $NF }'; }
rpms=$(rpm -qa --qf 'xcat %{NAME} %{VERSION}-%{RELEASE}\\n' 'xCAT*' 'perl-xCAT*' 2>/dev/null)
debs=$(dpkg-query -W -f 'xcat ${db:Status-Status} ${Package} ${Version}\\n' 'xcat*' 'perl-xcat*' \
2>/dev/null | sed -n 's/^xcat installed /xcat /p')
if [ -n "$rpms" ]; then
  echo "$rpms"
  echo "$rpms" | while read -r _ name _; do rpm -V --nodeps "$name" 2>/dev/null; done | changed
elif [ -n "$debs" ]; then
  echo "$debs"
  echo "$debs" | while read -r _ name _; do dpkg --verify "$name" 2>/dev/null; done | changed
fi
echo end
"""
"""A file whose digest differs is changed; what its package calls configuration may be."""

SOFTWARE_S = 120.0
"""oslevel -s may be slow (aix.md §4), and every file of xCAT's packages is read."""
DATABASE_S = 20.0
_DB2 = re.compile(r"DB2 v(\d+(?:\.\d+){3})")
_NUMBER = re.compile(r"\d+\.\d+\S*")


@dataclass(frozen=True, slots=True)
class Software:
    """What one node told of itself; empty is what it did not tell."""

    system: str
    packages: Mapping[str, str]
    """Version of each of xCAT's packages, by name."""
    changed: frozenset[str]
    """Their files that are not as they came, or are gone."""


def software(site: Site, host: str) -> Look:
    """Return the look at a node's operating system and its xCAT."""
    oslevel = program(site, "oslevel") if host == site.node else "oslevel"
    words = (oslevel,) if site.platform is Platform.AIX else ()
    script = _SYSTEM[site.platform] + _PACKAGES
    return Look(
        Exec(host, ("sh", "-c", script, "hamnd-software", *words)),
        reads="levels.software",
        expects=f"{host} tells its operating system and its xCAT",
        timeout_s=SOFTWARE_S,
    )


def database(site: Site, host: str) -> Look | None:
    """Return the look at a node's database program; None where the programs may differ."""
    match site.engine:
        case "db2":
            request = as_instance_owner(site, host, site.tool("db2level"))
        case "postgresql":
            request = psql(site, host, "SHOW server_version")
        case "mariadb":
            request = client(site, host, "SELECT VERSION()", is_named=False)
        case "dump":
            request = ask_dumped(site, host, "SHOW server_version")
        case _:
            return None
    return Look(
        request,
        reads="levels.database",
        expects=f"{host} tells the version of its database program",
        timeout_s=DATABASE_S,
    )


def parse_software(report: Report) -> Software | None:
    """Return what a node told, or None where it did not come to its end."""
    lines = report.stdout.splitlines()
    if unanswered(report) is not None or report.exit_code != 0 or "end" not in lines[-1:]:
        return None
    told: dict[str, list[str]] = {}
    for line in lines:
        key, _, rest = line.partition(" ")
        told.setdefault(key, []).append(rest.strip())
    system = " ".join(told.get("os", []))
    if system and not any(letter.isalpha() for letter in system):
        system = parse_level(system) or ""
    packages = dict(one.split(" ", 1) for one in told.get("xcat", []) if " " in one)
    return Software(system, packages, frozenset(told.get("changed", [])))


def parse_database(report: Report) -> str | None:
    """Return the version of a database program, or None; db2level folds its lines."""
    if unanswered(report) is not None or report.exit_code != 0:
        return None
    text = " ".join(report.stdout.split())
    found = _DB2.search(text)
    if found is not None:
        return found[1]
    return text if _NUMBER.match(text) else None


def read_software(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the node told all that it was asked."""
    found = parse_software(report)
    if found is None:
        return unreadable(report)
    xcat = f", {len(found.packages)} packages of xCAT" if found.packages else ""
    return Reading(Verdict.PASS, f"{found.system or 'a system that tells no version'}{xcat}")


def read_database(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS with the version."""
    found = parse_database(report)
    if found is not None:
        return Reading(Verdict.PASS, found)
    silence = unanswered(report)
    return silence or Reading(Verdict.UNKNOWN, f"it tells no version: {last_lines(report)}")


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "levels.software": read_software,
    "levels.database": read_database,
}
