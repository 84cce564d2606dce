"""xCAT's tables, as far as they name a management node, or nodes that live from one.

Owns the script that asks the serving node and the form of what it tells. Must not judge it
(core.tables). Attributes are those of xcat-hamn.md §6. Of tables that have a row for each node only
rows are told that name one of the given words, and no table with a secret in it is read. A table
with more rows than may be told counts as one that was not told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hamnd.dialects.shell import unanswered, unreadable
from hamnd.dialects.xcat import parse_table
from hamnd.model.names import Verdict
from hamnd.model.site import IdentityMode, Site
from hamnd.model.work import Exec, Look, Reading, Report

Row = Mapping[str, str]

_TELL = """\
read_it() { told=$(tabdump "$1" 2>&1); }
rows() { printf '%s\\n' "$told" | awk "NR == 1 || $1"; }
holding() {
  printf '%s\\n' "$told" | words=$1 awk -v by="$2" '
    BEGIN { n = split(ENVIRON["words"], word, "\\n") }
    NR == 1 { print; next }
    { row = by == "" ? tolower($0) : $0
      for (i = 1; i <= n; i++)
        if (word[i] != "" && index(row, by word[i] by)) { print; next } }'
}
tell() {
  awk -v name="$1" '{ row[NR] = $0 }
    END { print "== " name (NR > 500 ? " cut" : ""); for (i = 1; i in row; i++) print row[i] }' |
    head -n 501
}
named() { rows "$1" | sed -n -e 1d -e 's/^"\\([^"]*\\)".*/\\1/p'; }
keys='nameservers|ntpservers|logservers|installloc|dhcpinterfaces|dnsinterfaces'
read_it site || { printf '%s\\n' "$told"; exit 1; }
rows "/^\\"($keys)\\",/ || /^\\"master\\",/" | tell site
read_it networks && rows 1 | tell networks
read_it policy && rows '/trusted/' | tell policy
names=$(printf '%s\\n' "$@")
for table in noderes nodehm; do read_it "$table" && holding "$names" '' | tell "$table"; done
images=statelite
add() { images=$(printf '%s\\n%s' "$images" "$(named "$1")"); }
read_it nimimage && rows '/"(diskless|dataless)"/' | tell nimimage &&
  add '/"(diskless|dataless)"/'
read_it osimage && rows '/"statelite"/' | tell osimage && add '/"statelite"/' &&
  read_it nodetype && holding "$images" '"' | tell nodetype
echo "== end"
"""
"""What stands in a table is data for awk (its environment), never a part of its program."""
LIMIT_S = 90.0
"""Each table is a request of its own: a fraction of a second, and more on a large site."""


def look(site: Site, host: str) -> Look:
    """Return the look at what xCAT on a host has stored of what stays with one machine."""
    moves = site.identity_mode is IdentityMode.PRIMARY_ADDRESS
    nodes = (site.standby,) if moves else (site.primary, site.standby)
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
    parts = re.split(r"^== ", report.stdout, flags=re.MULTILINE)
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
