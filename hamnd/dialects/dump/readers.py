"""What a call of psql around dumps means: done, not done, or unknown; and what a server told.

Owns the judgement of single reports. Must not judge the pair (core.replication).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hamnd.dialects.copies.readers import read_pulled as read_copied
from hamnd.dialects.copies.status import role_of
from hamnd.dialects.postgresql.messages import plainly
from hamnd.dialects.postgresql.readers import unserved
from hamnd.dialects.postgresql.status import answer_of, parse_objects
from hamnd.dialects.shell import last_lines
from hamnd.model.copies import Copy
from hamnd.model.names import Verdict
from hamnd.model.postgres import ServerAnswer
from hamnd.model.work import Reading, Report

_COPY = re.compile(
    r"hamnd (?:primary )?copy (\d+) asked (\d+\.\d+) taken (\d+(?:\.\d+)?) "
    r"tables (\d+) mark (\S+)"
)
_POSTGRES = re.compile(r"(?:psql|pg_dump|pg_restore|ERROR|FATAL): ")
_NO_READING = re.compile(r"permission denied for (?:table|schema|sequence|view|function)")
_NO_MEMBER = re.compile(
    r'must be (?:a )?member of role "([^"]+)"|must be able to SET ROLE "([^"]+)"'
)


@dataclass(frozen=True, slots=True)
class Databases:
    """What a server told: its databases by what their comments say."""

    now: float
    in_recovery: bool
    has_live: bool
    role: str
    """primary or standby, where the live database's comment says it; or empty."""
    live: Copy | None
    """The copy that the live database once was."""
    restored: Copy | None
    mark: str
    lacks: str
    """What a superuser has to run before our role may rename them; or nothing."""


def parse_databases(report: Report) -> Databases | None:
    """Return what a server told; None where it told nothing whole."""
    if answer_of(report) is not ServerAnswer.TOLD:
        return None
    told = parse_objects(report.stdout)
    now, has_live = told.get("now"), told.get("has_live")
    if told.get("dumps") != 1 or not isinstance(now, int | float) or not isinstance(has_live, bool):
        return None
    if not isinstance(told.get("lacks"), str):
        return None
    live = str(told.get("live") or "")
    return Databases(
        now=float(now),
        in_recovery=told.get("in_recovery") is not False,
        has_live=has_live,
        role=role_of(live.removeprefix("hamnd ")) if live.startswith("hamnd ") else "",
        live=copy_in(live),
        restored=copy_in(str(told.get("restored") or "")),
        mark=str(told.get("mark") or ""),
        lacks=told["lacks"],
    )


def copy_in(comment: str) -> Copy | None:
    """Return the copy that a database's comment describes, or None."""
    found = _COPY.fullmatch(comment)
    if found is None:
        return None
    number, asked, taken, tables, mark = found.groups()
    return Copy(
        number=int(number),
        asked_at=float(asked),
        taken_at=float(taken),
        items=("database.dump",),
        bytes=0,
        tables=int(tables),
        mark="" if mark == "-" else mark,
    )


def read_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server told its databases."""
    lost = unserved(report)
    if lost is not None:
        return lost
    if parse_databases(report) is None:
        return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report) or 'it said nothing'}")
    return Reading(Verdict.PASS, "its databases can be seen")


def read_restored(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when a restored copy is there and our role may rename it."""
    lost = unserved(report)
    if lost is not None:
        return lost
    told = parse_databases(report)
    if told is None:
        return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report) or 'it said nothing'}")
    if told.in_recovery:
        return Reading(Verdict.BLOCK, "the server is in recovery: it takes no dumps")
    if told.restored is None:
        return Reading(Verdict.BLOCK, "no restored copy is there")
    if told.lacks:
        return Reading(Verdict.BLOCK, f"our role may not rename the databases: {told.lacks}")
    return Reading(Verdict.PASS, f"copy {told.restored.number} is restored")


def read_pulled(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when a dump was taken, or restored; else what PostgreSQL said, and what helps."""
    reading = read_copied(report)
    if reading.verdict is not Verdict.BLOCK or _POSTGRES.search(reading.sentence) is None:
        return reading
    helps = plainly(reading.sentence) or _grant_for(reading.sentence)
    return reading if helps is None else Reading(Verdict.BLOCK, f"{reading.sentence} -> {helps}")


def _grant_for(said: str) -> str | None:
    """Return the GRANT that the role lacks which dumps, or restores, in words; or None."""
    member = _NO_MEMBER.search(said)
    if member is not None:
        return f"on the standby: GRANT {member[1] or member[2]} TO that role"
    if "permission denied to create database" in said:
        return "on the standby: ALTER ROLE … CREATEDB"
    if _NO_READING.search(said) is None:
        return None
    return (
        "on the primary: GRANT pg_read_all_data TO that role (PostgreSQL 14 and newer; before: "
        "USAGE on each schema, SELECT on each table and sequence)"
    )


def read_primary(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the live database is the primary's and takes writes."""
    lost = unserved(report)
    if lost is not None:
        return lost
    match report.stdout.strip().split("|"):
        case ["t", *_]:
            return Reading(Verdict.BLOCK, "the server is in recovery")
        case ["f", "on", *_]:
            return Reading(Verdict.BLOCK, "default_transaction_read_only is on")
        case ["f", "off", *words]:
            comment = "|".join(words)
        case _:
            return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report)}")
    copy = copy_in(comment)
    by_configuration = "primary" in arguments and not comment.startswith("hamnd standby")
    is_primary = comment.startswith("hamnd primary") or copy or by_configuration
    if not is_primary:
        return Reading(Verdict.BLOCK, "the live database is not the primary's")
    told = "the primary's" if copy is None else f"copy {copy.number}, the primary's now"
    return Reading(Verdict.PASS, f"{told}, takes writes")


def read_renamed(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the transaction was done; a refusal by the server left everything as it was."""
    lost = unserved(report)
    if lost is not None:
        return lost
    if report.exit_code == 0:
        return Reading(Verdict.PASS, "done in one transaction")
    if "ERROR:" in report.stderr and "terminating connection" not in report.stderr:
        return Reading(Verdict.BLOCK, f"nothing was changed: {last_lines(report)}")
    return Reading(Verdict.UNKNOWN, f"cut off: {last_lines(report)}")


def read_kept(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the live database is gone and the kept one there."""
    lost = unserved(report)
    if lost is not None:
        return lost
    match report.stdout.strip().split("|", 2):
        case ["f", "t", name]:
            return Reading(Verdict.PASS, f"kept as {name}")
        case ["t", *_]:
            return Reading(Verdict.BLOCK, "the live database is still there")
        case ["f", "f", _]:
            return Reading(Verdict.PASS, "there was no database to keep")
        case _:
            return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report)}")


def read_demoted(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the live database is not there, or its comment is the standby's."""
    lost = unserved(report)
    if lost is not None:
        return lost
    if report.exit_code != 0:
        return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report)}")
    if report.stdout.strip() in arguments:
        return Reading(Verdict.PASS, "the standby's")
    return Reading(Verdict.BLOCK, "the live database is not marked as the standby's")


READERS = {
    "dump.pulled": read_pulled,
    "dump.readable": read_readable,
    "dump.restored": read_restored,
    "dump.primary": read_primary,
    "dump.renamed": read_renamed,
    "dump.kept": read_kept,
    "dump.demoted": read_demoted,
}
