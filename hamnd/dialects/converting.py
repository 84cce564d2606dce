"""From a machine's own address to one that moves: rows of xCAT's tables, and cfgloc's host.

Owns the value of one changed row, how it is written (chtab(8): by a table's own key, so that a
group's row stays a group's), read back and put back; and how the host in cfgloc becomes another
one. Must not decide which rows change (core.plans.conversion). The password behind cfgloc's first
`|` stays on its host: no argv, no output and no report has it (law 7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hamnd.dialects import cfgloc
from hamnd.dialects.mariadb import commands as mariadb
from hamnd.dialects.postgresql.layout import program
from hamnd.dialects.shell import unanswered, unreadable
from hamnd.dialects.xcat import client_argv, parse_table, trouble_of
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look, Reading, Report

WITH_HOST = ("postgresql", "mariadb")
"""Engines whose cfgloc names a host; Db2 and SQLite open what is on xcatd's own (§5)."""
BEFORE = ".before-hamnd"
TRY_S = 10

_NAMED = 's="1s/^\\([A-Za-z]*:[^|]*host=\\)[^|;]*/\\1$2/"; '
_REHOST = (
    'f=$1 n=$1.new; [ -s "$f" ] || { echo "there is no $f: xCAT here opens SQLite"; exit 1; }; '
    f'{_NAMED}cp -p "$f" "$n" && sed -e "$s" "$f" >"$n" && [ -s "$n" ] || exit 1; '
    'if cmp -s "$f" "$n"; then rm -f "$n"; exit 0; fi; '
    f'cp -p "$f" "$f{BEFORE}" && mv "$n" "$f"'
)
"""Mode and owner stay. What was there before is kept beside it, with the same mode."""
_BACK = (
    f'f=$1 b=$1{BEFORE}; [ -e "$b" ] || exit 0; {_NAMED}'
    'sed -e "$s" "$b" | cmp -s - "$f" || exit 0; mv "$b" "$f"'
)
"""Only what differs in the host alone goes back: what an earlier move left is of another time."""
_TRY = (
    'l=; read -r l <"$1"; r=${l#*|} p=${l#*:}; p=${p%%|*} u=${r%%|*}; d=${p#*dbname=}; d=${d%%;*}; '
    'export PGPASSWORD="${r#*|}" MYSQL_PWD="${r#*|}" PGCONNECT_TIMEOUT=5; case $l in '
    'Pg:*) "$3" -X -w -h "$2" -U "$u" -d "$d" -At -c "SELECT 1";; '
    'mysql:*) "$4" --no-defaults --connect-timeout=5 -h "$2" -u "$u" -N -e "SELECT 1" "$d";; '
    '*) echo "no database with a host in $1"; exit 1;; esac'
)
"""As xcatd itself would open it; the password goes by the environment of this one program."""


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute of one row, before and after; a row that is new has nothing before."""

    table: str
    column: str
    """The table's key column."""
    key: str
    attribute: str
    before: str
    after: str
    is_new: bool = False

    @property
    def told(self) -> str:
        """The change as people review it."""
        where = self.key if self.table == "site" else f"{self.key}.{self.attribute}"
        return f"{where} {self.before or '(none)'} -> {self.after}"


def write_rows(site: Site, changes: tuple[Change, ...]) -> tuple[Action, ...]:
    """Return what gives the rows of a table their new values, a row at a time."""
    rows: dict[str, list[Change]] = {}
    for one in changes:
        rows.setdefault(one.key, []).append(one)
    return tuple(
        _chtab(
            site,
            f"{row[0].column}={key}",
            *(f"{one.table}.{one.attribute}={one.after}" for one in row),
        )
        for key, row in rows.items()
    )


def put_rows_back(site: Site, changes: tuple[Change, ...]) -> tuple[Action, ...]:
    """Return the way back: the values before, and no row that there was not."""
    new = dict.fromkeys((one.table, one.column, one.key) for one in changes if one.is_new)
    old = (one for one in changes if not one.is_new)
    return (
        *(
            _chtab(site, f"{one.column}={one.key}", f"{one.table}.{one.attribute}={one.before}")
            for one in old
        ),
        *(_chtab(site, "-d", f"{column}={key}", table) for table, column, key in new),
    )


def are_written(site: Site, changes: tuple[Change, ...]) -> Look:
    """Return a look that expects the rows of a table to have their new values."""
    told = ", ".join(f"{one.key} {one.attribute} is {one.after}" for one in changes)
    return _rows(site, changes, "converting.written", told)


def are_known(site: Site, changes: tuple[Change, ...]) -> Look:
    """Return a look that expects each row as it was when the plan was shown, or new already."""
    told = ", ".join(f"{one.key} {one.attribute} is {one.before or '(none)'}" for one in changes)
    return _rows(site, changes, "converting.known", told)


def rehost(site: Site, host: str, address: str) -> Action:
    """Return what has cfgloc on a host name this address instead of a machine's."""
    argv = ("sh", "-c", _REHOST, "hamnd-cfgloc-host", site.cfgloc, address)
    return Action(Exec(host, argv))


def rehost_back(site: Site, host: str, address: str) -> Action:
    """Return the way back from this address: the file as it was before."""
    return Action(Exec(host, ("sh", "-c", _BACK, "hamnd-cfgloc-back", site.cfgloc, address)))


def is_hosted(site: Site, host: str, address: str) -> Look:
    """Return a look that expects cfgloc on a host to name this address."""
    return Look(
        Exec(host, cfgloc.reading(site.cfgloc)),
        reads="converting.hosted",
        expects=f"{site.cfgloc} on {host} names {address}",
        arguments=(address,),
    )


def opens(site: Site, host: str, address: str) -> Look:
    """Return a look that opens the database at an address as xcatd on a host would."""
    client = mariadb.client(site, host).argv[0]
    words = (site.cfgloc, address, program(site, "psql"), client)
    return Look(
        Exec(host, ("sh", "-c", _TRY, "hamnd-cfgloc-try", *words)),
        reads="shell.exit_zero",
        expects=f"the database takes xCAT's own user at {address}",
        timeout_s=TRY_S,
    )


def read_written(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when every row has its new value."""
    return _compared(report, arguments, lambda value, _before, after: value == after)


def read_known(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when every row is as it was shown, or has its new value already."""
    return _compared(report, arguments, lambda value, before, after: value in (before, after))


def read_hosted(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the file names that address."""
    found = cfgloc.parse_cfgloc(report)
    if found is None:
        return unanswered(report) or unreadable(report)
    verdict = Verdict.PASS if (found.host,) == arguments else Verdict.BLOCK
    return Reading(verdict, f"it names {found.host or 'no host'}")


READERS: Mapping[str, Callable[[Report, tuple[str, ...]], Reading]] = {
    "converting.written": read_written,
    "converting.known": read_known,
    "converting.hosted": read_hosted,
}


def _compared(
    report: Report, arguments: tuple[str, ...], fits: Callable[[str, str, str], bool]
) -> Reading:
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    rows = parse_table(report.stdout)
    if rows is None or report.truncated:
        return unreadable(report)
    wanted = list(zip(*(arguments[start::5] for start in range(5)), strict=True))
    wrong = []
    for column, key, attribute, before, after in wanted:
        row: Mapping[str, str] = next((one for one in rows if one.get(column) == key), {})
        value = row.get(attribute, "")
        if not fits(value, before, after):
            wrong.append(f"{key} {attribute} is {value or '(none)'}")
    if wrong:
        return Reading(Verdict.BLOCK, "; ".join(wrong[:3]))
    return Reading(Verdict.PASS, f"{len(wanted)} values are as expected")


def _rows(site: Site, changes: tuple[Change, ...], reads: str, told: str) -> Look:
    table = changes[0].table
    words = tuple(
        word
        for one in changes
        for word in (one.column, one.key, one.attribute, one.before, one.after)
    )
    return Look(
        Exec(site.node, client_argv(site, None, "tabdump", table)),
        reads=reads,
        expects=f"table {table}: {told}",
        arguments=words,
        timeout_s=60.0,
    )


def _chtab(site: Site, *words: str) -> Action:
    return Action(Exec(site.node, client_argv(site, None, "chtab", *words)), reads="xcat.accepted")
