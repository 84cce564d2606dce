"""What a finished Db2 command or look means: done, not done, or unknown.

Owns the judgement of single reports. Must not judge the pair (core.replication). Only the reason
codes marked [V] in db2-hadr.md §8.1 are put into words; any other message is shown verbatim. An
exit code that the CLP does not document says nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from hamnd.dialects.db2.clp import parse_clp
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.snapshot import parse_snapshot
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.hadr import ClpReply, ClpSeverity, HadrRole, ParseVerdict
from hamnd.model.names import Verdict
from hamnd.model.work import Reading, Report

Reader = Callable[[Report, tuple[str, ...]], Reading]

KNOWN = {
    ("SQL1770N", 7): "the partner went away during the graceful takeover: read the state again",
    ("SQL1770N", 9): "the peer window is over: the next variant needs a new plan",
    ("SQL1770N", 10): "a cluster manager owns this database and forbids BY FORCE",
    ("SQL1768N", 7): "no standby answered within HADR_TIMEOUT (split-brain guard)",
    ("SQL1769N", 2): "an active standby cannot stop HADR: deactivate it first",
    ("SQL1776N", 6): "this is an old primary after a forced takeover: start it as standby",
}
"""Reason codes seen in real outputs or documentation ([V], db2-hadr.md §8.1)."""


def read_hadr_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when db2pd told a complete status of an active HADR database."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    parsed = parse_db2pd(report.stdout)
    if parsed.verdict is ParseVerdict.OK:
        return Reading(Verdict.PASS, "db2pd tells a complete HADR status")
    definite = (
        ParseVerdict.HADR_INACTIVE,
        ParseVerdict.DATABASE_DOWN,
        ParseVerdict.INSTANCE_DOWN,
    )
    verdict = Verdict.BLOCK if parsed.verdict in definite else Verdict.UNKNOWN
    told = parsed.problems[0] if parsed.problems else parsed.verdict.value.replace("_", " ")
    return Reading(verdict, f"db2pd: {told}", parsed.verdict is ParseVerdict.TRANSIENT)


def read_cfg_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the configuration told the role."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    config = parse_db_cfg(report.stdout)
    if config.verdict is ParseVerdict.OK and config.role is not None:
        return Reading(Verdict.PASS, f"persistent role {config.role.value.upper()}")
    return Reading(Verdict.UNKNOWN, f"no role in the configuration: {last_lines(report)}")


def read_cfg_standby(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the persistent role is STANDBY."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    config = parse_db_cfg(report.stdout)
    if config.role is None:
        return Reading(Verdict.UNKNOWN, f"no role in the configuration: {last_lines(report)}")
    verdict = Verdict.PASS if config.role is HadrRole.STANDBY else Verdict.BLOCK
    return Reading(verdict, f"persistent role {config.role.value.upper()}")


def read_snapshot_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the snapshot has a complete HADR section."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    if parse_snapshot(report.stdout).verdict is ParseVerdict.OK:
        return Reading(Verdict.PASS, "the snapshot has an HADR section")
    return Reading(Verdict.UNKNOWN, "the snapshot has no HADR section: no information")


def read_role_primary(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when db2pd says PRIMARY, BLOCK when it says another role or that nothing runs."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    parsed = parse_db2pd(report.stdout)
    role = parsed.channels[0].role if parsed.channels else None
    if parsed.verdict is ParseVerdict.OK and role is HadrRole.PRIMARY:
        return Reading(Verdict.PASS, "role PRIMARY")
    if parsed.verdict is ParseVerdict.OK and role is not None:
        return Reading(Verdict.BLOCK, f"role {role.value.upper()}")
    return read_hadr_readable(report)


def read_selects(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the SELECT printed its row."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    if report.exit_code == 0 and "1" in report.stdout.split():
        return Reading(Verdict.PASS, "connects and selects")
    return Reading(Verdict.BLOCK, f"no SELECT: {_told(report)}")


def read_done(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """Judge a command by exit code and DB20000I; a warning (exit 2) beside it is success."""
    return _judge(report, harmless=())


def read_activated(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """ACTIVATE: already active (SQL1490W, SQL1494W) is success."""
    return _judge(report, harmless=("SQL1490W", "SQL1494W"))


def read_hadr_started(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """START HADR: already started in that role (SQL1777N) is success."""
    return _judge(report, harmless=("SQL1777N",))


def read_deactivated(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """DEACTIVATE: was not active (SQL1496W [U] only by its own id) is success."""
    return _judge(report, harmless=("SQL1496W",))


def _judge(report: Report, harmless: tuple[str, ...]) -> Reading:
    lost = unanswered(report)
    if lost is not None:
        return lost
    reply = parse_clp(report.stdout + "\n" + report.stderr, report.exit_code)
    if "DB20000I" in reply.ids and reply.severity in (ClpSeverity.SUCCESS, ClpSeverity.WARNING):
        return Reading(Verdict.PASS, "DB20000I: completed successfully")
    for one in harmless:
        if reply.find(one) is not None:
            return Reading(Verdict.PASS, f"{one}: it was so already")
    if reply.severity is ClpSeverity.ERROR and reply.messages:
        return Reading(Verdict.BLOCK, _told_reply(reply))
    return Reading(Verdict.UNKNOWN, f"exit code {report.exit_code}: {_told(report)}")


def _told(report: Report) -> str:
    return _told_reply(parse_clp(report.stdout + "\n" + report.stderr, report.exit_code)) or (
        last_lines(report) or "it said nothing"
    )


def _told_reply(reply: ClpReply) -> str:
    """Return the first error in words: ours for a known reason code, else verbatim."""
    for message in reply.messages:
        if message.id[-1] in "NC":
            known = KNOWN.get((message.id, message.reason_code or 0))
            return f"{message.id}: {known}" if known else f"{message.id} {message.text}"
    return " ".join(f"{message.id} {message.text}" for message in reply.messages)


READERS: dict[str, Reader] = {
    "db2.hadr_readable": read_hadr_readable,
    "db2.cfg_readable": read_cfg_readable,
    "db2.cfg_standby": read_cfg_standby,
    "db2.snapshot_readable": read_snapshot_readable,
    "db2.role_primary": read_role_primary,
    "db2.selects": read_selects,
    "db2.takeover_done": read_done,
    "db2.activated": read_activated,
    "db2.hadr_started": read_hadr_started,
    "db2.deactivated": read_deactivated,
}
