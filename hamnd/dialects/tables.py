"""xCAT's tables, as far as they name a management node, or nodes that live from one.

Owns the script that asks the serving node and the form of what it tells. Must not judge it
(core.tables). Attributes are those of xcat-hamn.md §6. Of tables that have a row for each node only
rows are told that name one of the given words, and no table with a secret in it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hamnd.dialects.shell import unanswered, unreadable
from hamnd.dialects.xcat import parse_table
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Exec, Look, Reading, Report

Row = Mapping[str, str]

_TELL = """\
read_it() { told=$(tabdump "$1" 2>&1); }
tell() { echo "== $1"; printf '%s\\n' "$told" | awk "NR == 1 || $2" | head -n 500; }
one_of() { for one; do printf '%s%s' "$bar" "$one" | sed 's/[.]/[.]/g'; bar='|'; done; }
named() { printf '%s\\n' "$told" | awk "$1" | sed -n 's/^"\\([^"]*\\)".*/\\1/p'; }
keys='nameservers|ntpservers|logservers|installloc|dhcpinterfaces|dnsinterfaces'
read_it site || { printf '%s\\n' "$told"; exit 1; }
tell site "/^\\"($keys)\\",/ || /^\\"master\\",/"
read_it networks && tell networks 1
read_it policy && tell policy '/trusted/'
names=$(one_of "$@")
for table in noderes nodehm; do read_it "$table" && tell "$table" "/$names/"; done
images=statelite
read_it nimimage && tell nimimage '/"(diskless|dataless)"/' &&
  images="$images $(named '/"(diskless|dataless)"/')"
read_it osimage && tell osimage '/"statelite"/' && images="$images $(named '/"statelite"/')" &&
  read_it nodetype && tell nodetype "/\\"($(one_of $images))\\"/"
echo "== end"
"""
LIMIT_S = 90.0
"""Each table is a request of its own: a fraction of a second, and more on a large site."""


def look(site: Site, host: str) -> Look:
    """Return the look at what xCAT on a host has stored of the two management nodes."""
    nodes = (site.primary, site.standby)
    words = dict.fromkeys(word for one in nodes for word in (one.address, short(one.name)))
    return Look(
        Exec(host, ("sh", "-c", _TELL, "hamnd-tables", *words)),
        reads="tables.told",
        expects=f"xCAT on {host} tells which addresses its tables name",
        timeout_s=LIMIT_S,
    )


def short(name: str) -> str:
    """Return a host name without its domain, as it is compared."""
    return name.partition(".")[0].lower()


def parse(report: Report) -> Mapping[str, tuple[Row, ...]] | None:
    """Return the rows that are in force by table, or None where the host did not tell all.

    A table that could not be read is left out.
    """
    if unanswered(report) is not None or report.exit_code != 0 or report.truncated:
        return None
    parts = report.stdout.split("== ")
    if len(parts) < 2 or parts[-1].strip() != "end":
        return None
    found: dict[str, tuple[Row, ...]] = {}
    for part in parts[1:-1]:
        name, _, text = part.partition("\n")
        rows = parse_table(text)
        if rows is not None:
            found[name.strip()] = tuple(one for one in rows if not _is_disabled(one))
    return found


def _is_disabled(row: Row) -> bool:
    return row.get("disable", "").lower() in ("1", "yes")


def read_told(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the host told its tables, whatever is in them."""
    found = parse(report)
    if found is None:
        return unreadable(report)
    return Reading(Verdict.PASS, f"it told of {len(found)} tables")


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "tables.told": read_told,
}
