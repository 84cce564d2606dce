"""The data of a returned old primary, read from its files: its server is not started for it.

Owns the look and the reading of what pg_controldata and pg_waldump say. Must not judge
(core.replication). Starting the server would write: a primary by serving, a standby by replaying,
a single-user backend by its own end-of-recovery checkpoint. The two programs only read, and read a
running server's files as well.
"""

from __future__ import annotations

import re

from hamnd.dialects.postgresql.layout import places, program
from hamnd.dialects.postgresql.status import parse_lsn
from hamnd.dialects.shell import unanswered
from hamnd.model.postgres import ReturnedData
from hamnd.model.site import Site
from hamnd.model.work import Exec, Look, Report

LOOK_S = 60.0

_READ = """\
set -u; control=$1 dump=$2 data=$3 held=$4 mark=$5 fork=$6
LC_ALL=C; export LC_ALL
for dir in "$data" "$held"; do [ ! -e "$dir/global/pg_control" ] || break; done
"$control" -D "$dir" || exit $?
echo "hamnd place: $dir"
[ ! -e "$mark" ] || echo "hamnd rewinding: yes"
[ ! -e "$dir/standby.signal" ] || echo "hamnd standby: yes"
echo "hamnd tablespaces: $(ls "$dir/pg_tblspc" | wc -l)"
[ -n "$fork" ] || exit 0
line=$("$control" -D "$dir" | sed -n "s/^Latest checkpoint's TimeLineID: *//p")
"$dump" -p "$dir/pg_wal" -t "$line" -s "$fork" -r Transaction 2>&1 | awk '
/desc: COMMIT/ { n++; if (match($0, /[0-9]+-[0-9]+-[0-9]+ [0-9:.]+ [A-Z]+/)) {
at = substr($0, RSTART, RLENGTH); if (first == "") first = at; last = at } }
/^pg_waldump: / { said = $0 }
END { print "hamnd commits: " n + 0; print "hamnd first: " first; print "hamnd last: " last
print "hamnd said: " said }'
"""
_LINE = re.compile(r"^([^:\n]+):\s*(.*?)\s*$", re.MULTILINE)
_LSN = re.compile(r"\b([0-9A-F]{1,8}/[0-9A-F]{1,8})\b")
_NOTHING = "could not find a valid record after"


def returned(site: Site, fork: str) -> Look:
    """Return the look at the partner's data; `fork` is where our timeline left its own, or ""."""
    where = places(site)
    programs = (program(site, "pg_controldata"), program(site, "pg_waldump"))
    words = (*programs, where.data, where.held, where.mark, fork)
    return Look(
        Exec(
            site.partner.name,
            ("sh", "-c", _READ, "hamnd-returned", *words),
            site.postgresql.os_user,
        ),
        reads="shell.exit_zero",
        expects=f"the data of {site.partner.name} tells how far it went",
        timeout_s=LOOK_S,
    )


def parse_returned(report: Report) -> ReturnedData | None:
    """Return what the data told, or None when it told nothing."""
    if unanswered(report) is not None or report.exit_code != 0:
        return None
    told = {key.strip(): value for key, value in _LINE.findall(report.stdout)}
    system, timeline = told.get("Database system identifier"), _number(told, _TIMELINE)
    if system is None or timeline is None:
        return None
    said = told.get("hamnd said", "")
    ends = _LSN.findall(said)
    return ReturnedData(
        system=system,
        state=told.get("Database cluster state", ""),
        timeline=timeline,
        place=told.get("hamnd place", ""),
        can_be_rewound=told.get("wal_log_hints setting") == "on"
        or told.get("Data page checksum version", "0") != "0",
        is_cut_off="hamnd rewinding" in told,
        is_standby="hamnd standby" in told,
        tablespaces=_number(told, "hamnd tablespaces") or 0,
        # It always ends by saying where it found no more; what ended otherwise counted too few.
        commits=_number(told, "hamnd commits") if ends else None,
        first=told.get("hamnd first", ""),
        last=told.get("hamnd last", ""),
        end=parse_lsn(ends[-1]) if ends else None,
        has_no_more=_NOTHING in said,
    )


_TIMELINE = "Latest checkpoint's TimeLineID"


def _number(told: dict[str, str], key: str) -> int | None:
    text = told.get(key, "")
    return int(text) if text.isascii() and text.isdigit() else None
