"""What a finished call of the client means: done, not done, or unknown.

Owns the judgement of single reports. Must not judge the pair (core.replication).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import assert_never

from hamnd.dialects.mariadb.errors import in_words
from hamnd.dialects.mariadb.gtid import format_spans
from hamnd.dialects.mariadb.status import answer_of, error_of, read_status, why_not
from hamnd.dialects.mariadb.tables import parse_tables
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.mariadb import Replica, ServerAnswer, ServerStatus
from hamnd.model.names import Verdict
from hamnd.model.work import Reading, Report

Reader = Callable[[Report, tuple[str, ...]], Reading]

_EVERYWHERE = {"4": ("", "*", "0.0.0.0", "::"), "6": ("", "*", "::")}
_MAY_WRITE = ("READ_ONLY ADMIN", "SYSTEM_VARIABLES_ADMIN")
_MAY_STOP = ("REPLICATION SLAVE ADMIN", "REPLICATION_SLAVE_ADMIN")
_LACKS = 1227
_NO_SPACE = 1021
_IS_READ_ONLY = 1290


def unserved(report: Report) -> Reading | None:
    """Return why the client brought no answer, or None when the server served it whole."""
    match answer_of(report):
        case ServerAnswer.TOLD:
            if report.exit_code == 0:
                return None
            return Reading(Verdict.BLOCK, refused(report))
        case ServerAnswer.DOWN:
            return Reading(Verdict.BLOCK, f"the server does not serve: {why_not(report)}")
        case ServerAnswer.DENIED:
            return Reading(Verdict.BLOCK, f"the server refuses us: {why_not(report)}")
        case ServerAnswer.UNKNOWN:
            said = f"the client (exit code {report.exit_code}): {why_not(report)}"
            return unanswered(report) or Reading(Verdict.UNKNOWN, said)
        case answer:
            assert_never(answer)


def refused(report: Report) -> str:
    """Return the server's refusal of a statement, and where a privilege lacks, which to grant."""
    said = why_not(report)
    if error_of(report) == _NO_SPACE:
        return in_words(_NO_SPACE, said)
    if error_of(report) != _LACKS:
        return said
    named = said.partition("at least one of) the ")[2].partition(" privilege")[0]
    if not named:
        return said
    return f"a privilege lacks: GRANT {named.split(', ')[-1]} ON *.* TO hamnd's user ({said})"


def _told(report: Report) -> ServerStatus | Reading:
    """Return a server's whole state, or why there is none."""
    status = read_status(report)
    if status is not None:
        return status
    said = last_lines(report) or "it said nothing"
    return unserved(report) or Reading(Verdict.UNKNOWN, f"unreadable: {said}")


def read_status_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server told its whole state; that it has no binary log is part of it."""
    status = _told(report)
    if isinstance(status, Reading):
        return status
    return Reading(Verdict.PASS, "a replica" if status.replicas else "no replica")


def read_is_standby(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server is a replica of one other, BLOCK when it follows nobody."""
    status = _told(report)
    if isinstance(status, Reading):
        return status
    if len(status.replicas) == 1:
        return Reading(Verdict.PASS, f"a replica of {status.replicas[0].primary_host}")
    return Reading(Verdict.BLOCK, f"it has {len(status.replicas)} replication connections, not one")


def read_can_promote(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when it is a replica that our user may promote and that listens where it must."""
    lost = unserved(report)
    if lost is not None:
        return lost
    status = _told(report)
    if isinstance(status, Reading):
        return status
    if len(status.replicas) != 1:
        told = f"it has {len(status.replicas)} replication connections, not one"
        return Reading(Verdict.BLOCK, told)
    lacking = _lacking(report, status)
    if lacking:
        return Reading(Verdict.BLOCK, lacking)
    if not status.has_log:
        told = "log_bin is off: once it is primary no standby could follow it"
        return Reading(Verdict.BLOCK, told)
    deaf = [one for one in arguments if not _hears(status.bind_address, one)]
    if deaf:
        return Reading(
            Verdict.BLOCK,
            f"bind_address = '{status.bind_address}': after a takeover nobody would reach it on "
            f"{', '.join(deaf)}; set it to '*' and restart the standby",
        )
    return Reading(Verdict.PASS, "a replica that may be promoted")


def _lacking(report: Report, status: ServerStatus) -> str:
    """Return which privilege our user lacks for a promotion, and how it is granted; "": none.

    Until MariaDB 10.11 SUPER holds READ_ONLY ADMIN (MariaDB manual, GRANT).
    """
    rows = parse_tables(report.stdout).get("PRIVILEGE_TYPE", [])
    held = {row.get("PRIVILEGE_TYPE") for row in rows}
    user = next((row.get("user") for row in rows), None) or "hamnd's user"
    is_mysql = status.replicated is None
    lacks = []
    if not held & {*_MAY_WRITE, *(() if _is_from(status.version, 10, 11) else ("SUPER",))}:
        lacks.append(_MAY_WRITE[is_mysql])
    if not held & {*_MAY_STOP, "SUPER"}:
        lacks.append(_MAY_STOP[is_mysql])
    if not lacks:
        return ""
    return f"{user} may not promote: GRANT {', '.join(lacks)} ON *.* TO {user}"


def _is_from(version: str, *least: int) -> bool:
    words = version.split("-", maxsplit=1)[0].split(".")[:2]
    return all(one.isdigit() for one in words) and tuple(map(int, words)) >= least


def _hears(bind_address: str, address: str) -> bool:
    """Whether a server with this bind_address hears an address that came after its start."""
    words = {one.strip() for one in bind_address.split(",")}
    return bool(words & set(_EVERYWHERE[str(ip_address(address).version)]))


def read_drained(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the receiver stands still and the applier has done all; BLOCK as long as not.

    A receiver that stopped within a transaction leaves its beginning in the relay log: that counts
    as nothing. An applier with workers says that it has read all while they are still at it.
    """
    status = _told(report)
    if isinstance(status, Reading):
        return status
    if not status.replicas:
        return Reading(Verdict.PASS, "the server follows nobody")
    one = status.replicas[0]
    if one.io != "No":
        return Reading(Verdict.BLOCK, f"the receiver is not stopped (IO running: {one.io or '?'})")
    if one.sql_error:
        return Reading(
            Verdict.BLOCK, f"the applier stopped: {in_words(one.sql_error, one.sql_text)}"
        )
    if one.is_drained is None:
        return Reading(Verdict.UNKNOWN, "the server does not tell how far it has applied")
    if one.is_drained:
        return Reading(Verdict.PASS, f"all that was received is applied{_at(status, one)}")
    rest = format_spans(one.unapplied) if one.unapplied is not None else ""
    left = f": {rest}" if rest else ""
    if one.sql != "Yes":
        told = f"something is received and not applied, and the applier does not run{left}"
        return Reading(Verdict.BLOCK, told)
    return Reading(Verdict.BLOCK, f"what was received is still being applied{left}")


def _at(status: ServerStatus, replica: Replica) -> str:
    has = status.replicated or replica.has
    return f": GTID {format_spans(has)}" if has is not None and has.spans else ""


def read_writable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server follows nobody, takes writes and waits for nobody who is away."""
    status = _told(report)
    if isinstance(status, Reading):
        return status
    if status.replicas:
        return Reading(Verdict.BLOCK, f"it is still a replica of {status.replicas[0].primary_host}")
    if status.is_read_only:
        return Reading(Verdict.BLOCK, "read_only is on: it takes no writes")
    semi = status.semi
    if semi.is_asked and semi.is_waiting and semi.clients == 0:
        told = "the next commit waits for a semi-sync replica, and none is connected"
        return Reading(Verdict.BLOCK, told)
    has = "" if status.executed is None else format_spans(status.executed)
    return Reading(Verdict.PASS, f"primary at GTID {has or 'nothing'}, writable")


def read_done(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server did a statement. Once it was sent, a broken connection is unknown."""
    if report.exit_code == 0 and unanswered(report) is None:
        return Reading(Verdict.PASS, "the server did it")
    lost = unserved(report)
    assert lost is not None
    return lost


def read_can_send(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server is a primary with a binary log, so that another can follow."""
    status = _told(report)
    if isinstance(status, Reading):
        return status
    if status.replicas or status.is_read_only:
        what = "it is a replica itself" if status.replicas else "read_only is on"
        return Reading(Verdict.BLOCK, f"not the primary: {what}")
    if not status.has_log:
        return Reading(Verdict.BLOCK, "log_bin is off: set it under [mariadbd] and restart")
    if status.log_filters:
        told = f"its binary log leaves something out: {', '.join(status.log_filters)}"
        return Reading(Verdict.BLOCK, told)
    return Reading(Verdict.PASS, "a primary with a binary log")


def read_read_only(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server runs and takes no writes."""
    status = _told(report)
    if isinstance(status, Reading):
        return status
    if status.is_read_only:
        return Reading(Verdict.PASS, "read_only is on")
    return Reading(Verdict.BLOCK, "read_only is off: it takes writes")


def read_replicating(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when one connection receives and applies by GTID, and nothing is behind."""
    status = _told(report)
    if isinstance(status, Reading):
        return status
    if len(status.replicas) != 1:
        told = f"it has {len(status.replicas)} replication connections, not one"
        return Reading(Verdict.BLOCK, told)
    one = status.replicas[0]
    for word, number, text in (
        ("applier", one.sql_error, one.sql_text),
        ("receiver", one.io_error, one.io_text),
    ):
        if number:
            return Reading(Verdict.BLOCK, f"the {word} says: {in_words(number, text)}")
    if (one.io, one.sql) != ("Yes", "Yes"):
        return Reading(Verdict.BLOCK, f"IO running: {one.io}, SQL running: {one.sql}")
    if one.has is None:
        return Reading(Verdict.BLOCK, "it follows without GTIDs")
    if one.filters:
        told = f"it does not take everything over: {', '.join(one.filters)}"
        return Reading(Verdict.BLOCK, told)
    if one.delay_s:
        return Reading(Verdict.BLOCK, f"it is told to stay {one.delay_s} s behind (MASTER_DELAY)")
    return Reading(Verdict.PASS, f"it follows {one.primary_host}{_at(status, one)}")


def read_sends(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when somebody receives the server's log."""
    lost = unserved(report)
    if lost is not None:
        return lost
    rows = parse_tables(report.stdout).get("hamnd", [])
    if not rows:
        return Reading(Verdict.BLOCK, "no replica is connected")
    return Reading(Verdict.PASS, f"a replica at {rows[0].get('at')} receives its log")


def read_lets_in(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when a login over the network succeeded."""
    if answer_of(report) is ServerAnswer.TOLD and report.exit_code == 0:
        return Reading(Verdict.PASS, "the replication user may log in")
    lost = unanswered(report)
    if lost is not None:
        return lost
    hint = " (is it shielded off, or does the server listen on one address only?)"
    is_network = error_of(report) in (2002, 2003, 2013)
    return Reading(Verdict.BLOCK, why_not(report) + (hint if is_network else ""))


READERS = {
    "mariadb.can_send": read_can_send,
    "mariadb.read_only": read_read_only,
    "mariadb.replicating": read_replicating,
    "mariadb.sends": read_sends,
    "mariadb.lets_in": read_lets_in,
    "mariadb.status_readable": read_status_readable,
    "mariadb.is_standby": read_is_standby,
    "mariadb.can_promote": read_can_promote,
    "mariadb.drained": read_drained,
    "mariadb.writable": read_writable,
    "mariadb.done": read_done,
}
