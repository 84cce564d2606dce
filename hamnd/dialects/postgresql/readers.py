"""What a finished call of psql means: done, not done, or unknown.

Owns the judgement of single reports. Must not judge the pair (core.replication). A server that is
asked while it starts or stops says so, and is asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import assert_never

from hamnd.dialects.postgresql.messages import grant_for
from hamnd.dialects.postgresql.status import (
    answer_of,
    parse_lsn,
    parse_status,
    parse_timeline,
    why_not,
)
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.names import Verdict
from hamnd.model.postgres import ServerAnswer
from hamnd.model.work import Reading, Report

Reader = Callable[[Report, tuple[str, ...]], Reading]

_EVERYWHERE = {"4": ("*", "0.0.0.0"), "6": ("*", "::")}
_ERROR = "ERROR:"


def unserved(report: Report) -> Reading | None:
    """Return why psql brought no answer, or None when the server served it."""
    match answer_of(report):
        case ServerAnswer.TOLD:
            return None
        case ServerAnswer.DOWN:
            said = f"the server does not serve: {why_not(report)}"
            return Reading(Verdict.BLOCK, said)
        case ServerAnswer.DENIED:
            return Reading(Verdict.BLOCK, f"the server refuses us: {why_not(report)}")
        case ServerAnswer.UNKNOWN:
            said = f"psql (exit code {report.exit_code}): {last_lines(report)}"
            return unanswered(report) or Reading(Verdict.UNKNOWN, said)
        case answer:
            assert_never(answer)


def read_status_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server told its whole state."""
    lost = unserved(report)
    if lost is not None:
        return lost
    status = parse_status(report.stdout)
    if status is None:
        return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report) or 'it said nothing'}")
    return Reading(Verdict.PASS, "a standby" if status.in_recovery else "a primary")


def read_in_recovery(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server is in recovery, BLOCK when it is a primary."""
    lost = unserved(report)
    if lost is not None:
        return lost
    match report.stdout.strip():
        case "t":
            return Reading(Verdict.PASS, "the server is in recovery")
        case "f":
            return Reading(Verdict.BLOCK, "the server is not in recovery: it is a primary")
        case _:
            return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report)}")


def read_can_promote(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when it is a standby that our role may promote and that listens where it must."""
    lost = unserved(report)
    if lost is not None:
        return lost
    match report.stdout.split("\n")[:5]:
        case ["t", ("t" | "f") as may_promote, listens, waits_for, role]:
            user, _, is_superuser = role.rpartition("|")
        case ["f", *_]:
            return Reading(Verdict.BLOCK, "the server is not in recovery: it is a primary")
        case _:
            return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report)}")
    if may_promote == "f":
        grant = f"GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO {user}"
        return Reading(Verdict.BLOCK, f"{user} may not promote: {grant}")
    if waits_for and is_superuser != "t":
        return Reading(
            Verdict.BLOCK,
            f"synchronous_standby_names = '{waits_for}' here too, every commit would wait, and "
            f"{user} may not change it: set it to '' in this node's configuration",
        )
    deaf = [one for one in arguments if not _hears(listens, one)]
    if deaf:
        return Reading(
            Verdict.BLOCK,
            f"listen_addresses = '{listens}': after a takeover nobody would reach it on "
            f"{', '.join(deaf)}; set it to '*' and restart the standby",
        )
    return Reading(Verdict.PASS, "a standby that may be promoted")


def _hears(listen_addresses: str, address: str) -> bool:
    """Whether a server with these listen_addresses hears an address that came after its start."""
    words = {one.strip() for one in listen_addresses.split(",")}
    return bool(words & set(_EVERYWHERE[str(ip_address(address).version)]))


def read_writable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the server is a primary that takes writes and waits for nobody who is away."""
    lost = unserved(report)
    if lost is not None:
        return lost
    match report.stdout.split("\n"):
        case ["t", *_]:
            return Reading(Verdict.BLOCK, "the server is still in recovery")
        case ["f", ("on" | "off") as read_only, waits_for, waiting, end, segment, *_]:
            pass
        case _:
            return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report)}")
    if read_only == "on":
        return Reading(
            Verdict.BLOCK, "the server is primary, but default_transaction_read_only is on"
        )
    if waits_for and waiting == "0":
        return Reading(
            Verdict.BLOCK,
            f"every commit waits: synchronous_standby_names = '{waits_for}', and no such standby "
            "is connected",
        )
    timeline = parse_timeline(segment)
    if parse_lsn(end) is None or timeline is None:
        return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report)}")
    return Reading(Verdict.PASS, f"primary on timeline {timeline} at {end}, writable")


def read_promoted(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when pg_promote() says that the server left recovery.

    Once it was sent, only a refusal that comes before anything is done means "not done": a wait
    that was over or a broken connection leave the server to be looked at.
    """
    if answer_of(report) is not ServerAnswer.TOLD:
        lost = unserved(report)
        was_connected = "server closed" in report.stderr or "terminating" in report.stderr
        if lost is None or was_connected:
            return Reading(Verdict.UNKNOWN, f"cut off: {last_lines(report)}")
        return lost
    if report.stdout.strip() == "t" and report.exit_code == 0:
        return Reading(Verdict.PASS, "pg_promote() says that the server left recovery")
    if "permission denied for function" in report.stderr:
        return Reading(Verdict.BLOCK, last_lines(report))
    return Reading(Verdict.UNKNOWN, last_lines(report) or "pg_promote() said nothing")


def read_waits_for_nobody(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the setting was written and the server told to read it."""
    lost = unserved(report)
    if lost is not None:
        return lost
    if _ERROR in report.stderr:
        return Reading(Verdict.BLOCK, last_lines(report))
    if report.stdout.strip().endswith("t") and report.exit_code == 0:
        return Reading(Verdict.PASS, "synchronous_standby_names is empty here")
    return Reading(Verdict.UNKNOWN, last_lines(report) or "psql said nothing")


def read_changed(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when every statement was carried out, BLOCK with the first error."""
    lost = unserved(report)
    if lost is not None:
        return lost
    error = next((line for line in report.stderr.splitlines() if _ERROR in line), None)
    if error is not None:
        return Reading(Verdict.BLOCK, f"{error.strip()}{_granting(error)}")
    if report.exit_code == 0:
        return Reading(Verdict.PASS, "changed")
    return Reading(Verdict.UNKNOWN, last_lines(report) or "psql said nothing")


def read_judged(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """Read rows that judge themselves: `t|why` or `f|why`, one for each question."""
    lost = unserved(report)
    if lost is not None:
        return lost
    if _ERROR in report.stderr or report.exit_code != 0:
        said = last_lines(report)
        return Reading(Verdict.UNKNOWN, f"{said}{_granting(said)}")
    rows = [line.partition("|") for line in report.stdout.splitlines() if line]
    if not rows or any(row[0] not in ("t", "f") for row in rows):
        return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report) or 'no answer'}")
    wrong = [why for answer, _, why in rows if answer == "f"]
    if wrong:
        return Reading(Verdict.BLOCK, "; ".join(wrong))
    return Reading(Verdict.PASS, "; ".join(why for _, _, why in rows))


def read_identified(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when a server let us in for replication: it told its system and its timeline."""
    lost = unserved(report)
    if lost is not None and answer_of(report) is ServerAnswer.DOWN:
        told = (
            f"it is not reached: {why_not(report)} -> is it shielded (hamnd's own table of nft), "
        )
        return Reading(Verdict.BLOCK, f"{told}is its port open, does it listen on that address?")
    if lost is not None:
        return lost
    words = report.stdout.strip().split("|")
    if len(words) < 3 or not words[0].isdigit():
        return Reading(Verdict.UNKNOWN, f"unreadable: {last_lines(report) or 'no answer'}")
    return Reading(Verdict.PASS, f"let in for replication, timeline {words[1]}")


def _granting(said: str) -> str:
    """Return what the database administrator can grant, where a privilege was missing."""
    found = grant_for(said)
    return "" if found is None else f": {found}"


READERS = {
    "postgresql.changed": read_changed,
    "postgresql.judged": read_judged,
    "postgresql.identified": read_identified,
    "postgresql.status_readable": read_status_readable,
    "postgresql.in_recovery": read_in_recovery,
    "postgresql.can_promote": read_can_promote,
    "postgresql.writable": read_writable,
    "postgresql.promoted": read_promoted,
    "postgresql.waits_for_nobody": read_waits_for_nobody,
}
