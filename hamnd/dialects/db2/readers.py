"""What a finished Db2 command or look means: done, not done, or unknown.

Owns the judgement of single reports. Must not judge the pair (core.replication). Not done is said
only of a message that is a refusal by itself (`REFUSALS`); an agent that died, a connection that
broke or a message we do not know leaves the outcome unknown, to be looked at. Only the reason codes
marked [V] in db2-hadr.md §8.1 are put into words; any other message is shown verbatim. An exit code
that the CLP does not document says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hamnd.dialects.db2.clp import parse_clp
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.snapshot import parse_snapshot
from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered
from hamnd.model.hadr import ClpMessage, ClpReply, ClpSeverity, HadrRole, ParseVerdict
from hamnd.model.names import Verdict
from hamnd.model.work import Reading, Report

_MEMBER = re.compile(r"^ *\d+ +(\S+)(?: +\d+.*)?$", re.MULTILINE)
"""A line of db2nodes.cfg: number, host, port (db2-hadr.md §8)."""
_DB2_STATE = re.compile(r"DB2 State *: *(\w+)", re.ASCII)

Reader = Callable[[Report, tuple[str, ...]], Reading]

KNOWN = {
    ("SQL1770N", 7): "the partner went away during the graceful takeover: read the state again",
    ("SQL1770N", 9): "the peer window is over: the next variant needs a new plan",
    ("SQL1770N", 10): "a cluster manager owns this database and forbids BY FORCE",
    ("SQL1768N", 7): "no standby answered within HADR_TIMEOUT (split-brain guard)",
    ("SQL1769N", 2): "an active standby cannot stop HADR: deactivate it first",
    ("SQL1768N", 1): "the database logs in circles: HADR needs LOGARCHMETH1",
    ("SQL1768N", 4): "HADR_LOCAL_HOST is not an address of this machine",
    ("SQL1768N", 5): "HADR_LOCAL_SVC is not known here",
    ("SQL1768N", 6): "HADR_REMOTE_SVC is not known here",
    ("SQL1768N", 8): "a needed HADR parameter is not set",
    ("SQL1768N", 10): "HADR was shut down while it started",
    ("SQL1776N", 4): "the standby's replay-only window is open: try again",
    ("SQL1776N", 6): "this is an old primary after a forced takeover: start it as standby",
}
"""Reason codes seen in real outputs or documentation ([V], db2-hadr.md §8.1)."""

REFUSALS = frozenset(
    {
        "SQL1025N",  # db2stop: databases are still active
        "SQL1032N",  # the instance is not started
        "SQL1035N",  # the database is in use
        "SQL1013N",  # no database of this name
        "SQL1116N",  # backup pending
        "SQL1117N",  # rollforward pending
        "SQL1495W",  # DEACTIVATE: there is still a connection
        "SQL1767N",  # START HADR cannot complete
        "SQL1768N",  # unable to start HADR
        "SQL1769N",  # STOP HADR cannot complete
        "SQL1770N",  # TAKEOVER HADR cannot complete
        "SQL1773N",  # write on a standby
        "SQL1776N",  # not allowed on an HADR database in this state
        "SQL2036N",  # BACKUP, RESTORE: not a valid path
        "SQL2413N",  # BACKUP online: circular logging, or backup pending
        "SQL2532N",  # RESTORE: the image is of another database
        "SQL2542N",  # RESTORE: there is no such image
    }
)
"""Messages that say themselves that the command was not carried out (db2-hadr.md §8, §8.1)."""


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
    return Reading(verdict, f"db2pd: {told}")


def read_cfg_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the configuration told the role."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    config = parse_db_cfg(report.stdout)
    if config.verdict is ParseVerdict.OK and config.role is not None:
        return Reading(Verdict.PASS, f"persistent role {config.role.value.upper()}")
    verdict = Verdict.BLOCK if config.verdict is ParseVerdict.INSTANCE_DOWN else Verdict.UNKNOWN
    return Reading(verdict, f"no role in the configuration: {_problem(config.problems, report)}")


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


def read_no_takeover_runs(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """BLOCK while Db2 itself says that a takeover runs: one that somebody began goes on alone.

    TAKEOVER_APP_REMAINING_* are printed only then, and by 10.1 and later only (db2-hadr.md §3.2);
    an older db2pd cannot tell, and passes.
    """
    reading = read_hadr_readable(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    channel = parse_db2pd(report.stdout).channels[0]
    remaining = (channel.takeover_remaining_primary, channel.takeover_remaining_standby)
    if any(count is not None for count in remaining):
        return Reading(Verdict.BLOCK, "a takeover runs here already: wait for it, then retry")
    return Reading(Verdict.PASS, "no takeover runs here")


def read_selects(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the SELECT printed its row."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    if report.exit_code == 0 and "1" in report.stdout.split():
        return Reading(Verdict.PASS, "connects and selects")
    reply = reply_of(report)
    refused = reply.severity is ClpSeverity.ERROR and bool(_errors(reply))
    verdict = Verdict.BLOCK if refused else Verdict.UNKNOWN
    return Reading(verdict, f"no SELECT: {_told(report)}")


def read_instance_available(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when db2gcf -s says Available, BLOCK when it says Operable: not started (§8)."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    states = set(_DB2_STATE.findall(report.stdout))
    if report.exit_code == 0 and states == {"Available"}:
        return Reading(Verdict.PASS, "instance available")
    if states == {"Operable"}:
        return Reading(Verdict.BLOCK, "the instance is installed and not started")
    return Reading(Verdict.UNKNOWN, f"db2gcf: {_told(report)}")


def read_instance_stopped(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when db2gcf -s says Operable: installed and not started; BLOCK on Available (§8)."""
    reading = read_instance_available(report)
    if reading.verdict is Verdict.BLOCK:
        return Reading(Verdict.PASS, reading.sentence)
    if reading.verdict is Verdict.PASS:
        return Reading(Verdict.BLOCK, "the instance still runs")
    return reading


def read_instance_ended(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when db2stop ended the instance (SQL1064N) or it was not started (SQL1032N)."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    reply = reply_of(report)
    if report.exit_code == 0 and {"SQL1064N", "SQL1032N"} & set(reply.ids):
        return Reading(Verdict.PASS, "the instance is stopped")
    verdict = Verdict.BLOCK if "SQL1025N" in reply.ids else Verdict.UNKNOWN
    return Reading(verdict, f"db2stop: {_told(report)}")


def read_hadr_stopped(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """STOP HADR: done, or the role was STANDARD already."""
    if unanswered(report) is None and is_last_word(report, "HADR is stopped already"):
        return Reading(Verdict.PASS, "HADR is stopped already")
    return judge_reply(report, harmless=())


def read_cfg_not_standby(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS on PRIMARY and STANDARD; STOP HADR would end a standby for good (§11)."""
    reading = read_cfg_readable(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    role = parse_db_cfg(report.stdout).role
    if role in (HadrRole.PRIMARY, HadrRole.STANDARD):
        return Reading(Verdict.PASS, f"role {role.value.upper()}")
    return Reading(Verdict.BLOCK, "this database is a standby: it was not promoted")


def read_cfg_hosts(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when HADR's hosts are those of the new identity; tells the rest for the rejoin."""
    reading = read_cfg_readable(report)
    if reading.verdict is not Verdict.PASS:
        return reading
    parameters = parse_db_cfg(report.stdout).parameters
    seen = (parameters.get("HADR_LOCAL_HOST"), parameters.get("HADR_REMOTE_HOST"))
    told = f"HADR_LOCAL_HOST {seen[0]}, HADR_REMOTE_HOST {seen[1]}"
    if seen != arguments:
        return Reading(Verdict.BLOCK, told)
    target = parameters.get("HADR_TARGET_LIST")
    return Reading(Verdict.PASS, f"{told}; for the rejoin: HADR_TARGET_LIST {target or 'not set'}")


def read_nodes_file(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when db2nodes.cfg names this host, fully qualified or not, or does not exist (§8)."""
    reading = read_exit_zero(report)
    if reading.verdict is not Verdict.PASS:
        return Reading(Verdict.UNKNOWN, reading.sentence)
    if is_last_word(report, "missing"):
        return Reading(Verdict.PASS, "there is no db2nodes.cfg")
    hosts = set(_MEMBER.findall(report.stdout))
    if {host.partition(".")[0] for host in hosts} == {arguments[0].partition(".")[0]}:
        return Reading(Verdict.PASS, f"db2nodes.cfg names {', '.join(sorted(hosts))}")
    told = f"db2nodes.cfg names {', '.join(sorted(hosts)) or 'no host'}, not {arguments[0]}"
    return Reading(Verdict.BLOCK, told)


def read_proof_written(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the row that was inserted came back; anything else is looked at (law 5)."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    refused = _errors(reply_of(report))
    if report.exit_code == 0 and not refused:
        return Reading(Verdict.PASS, "a row was written and read back")
    return Reading(Verdict.BLOCK, f"no row could be written: {_told(report)}")


def read_done(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """Judge a command by exit code and DB20000I; a warning (exit 2) beside it is success."""
    return judge_reply(report, harmless=())


def read_activated(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """ACTIVATE: already active (SQL1490W, SQL1494W) is success."""
    return judge_reply(report, harmless=("SQL1490W", "SQL1494W"))


def read_hadr_started(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """START HADR: already started in that role (SQL1777N) is success, SQL1766W a warning of it."""
    return judge_reply(report, harmless=("SQL1777N", "SQL1766W"))


def judge_reply(report: Report, harmless: tuple[str, ...]) -> Reading:
    """Judge what the command line processor said; `harmless`: a message that it was so already."""
    lost = unanswered(report)
    if lost is not None:
        return lost
    reply = reply_of(report)
    is_good = reply.severity in (ClpSeverity.SUCCESS, ClpSeverity.WARNING)
    if "DB20000I" in reply.ids and is_good and not _errors(reply):
        return Reading(Verdict.PASS, "DB20000I: completed successfully")
    errors = {message.id for message in _errors(reply)}
    for one in harmless:
        if reply.find(one) is not None and errors <= {one}:
            return Reading(Verdict.PASS, f"{one}: it was so already")
    is_refused = not REFUSALS.isdisjoint(reply.ids) and "DB20000I" not in reply.ids
    if is_refused and reply.severity in (ClpSeverity.ERROR, ClpSeverity.WARNING):
        return Reading(Verdict.BLOCK, _told_reply(reply))
    return Reading(Verdict.UNKNOWN, f"exit code {report.exit_code}: {_told(report)}")


def is_last_word(report: Report, line: str) -> bool:
    """Whether a script of ours ended with this line; the login profile may have spoken before."""
    return report.stdout.rstrip().rpartition("\n")[2].strip() == line


def reply_of(report: Report) -> ClpReply:
    """Return the messages of a report; some programs use standard error."""
    return parse_clp(report.stdout + "\n" + report.stderr, report.exit_code)


def _errors(reply: ClpReply) -> tuple[ClpMessage, ...]:
    return tuple(message for message in reply.messages if message.id[-1] in "NC")


def _problem(problems: tuple[str, ...], report: Report) -> str:
    return problems[0] if problems else last_lines(report)


def _told(report: Report) -> str:
    return _told_reply(reply_of(report)) or last_lines(report) or "it said nothing"


def _told_reply(reply: ClpReply) -> str:
    """Return the errors, else all messages: in our words for a known reason code, else verbatim."""
    told = []
    for message in _errors(reply) or reply.messages:
        known = KNOWN.get((message.id, message.reason_code or 0))
        told.append(f"{message.text} ({known})" if known else message.text)
    return " ".join(told)


READERS: dict[str, Reader] = {
    "db2.hadr_readable": read_hadr_readable,
    "db2.cfg_readable": read_cfg_readable,
    "db2.cfg_standby": read_cfg_standby,
    "db2.snapshot_readable": read_snapshot_readable,
    "db2.role_primary": read_role_primary,
    "db2.no_takeover_runs": read_no_takeover_runs,
    "db2.selects": read_selects,
    "db2.takeover_done": read_done,
    "db2.activated": read_activated,
    "db2.hadr_started": read_hadr_started,
    "db2.instance_available": read_instance_available,
    "db2.instance_stopped": read_instance_stopped,
    "db2.instance_ended": read_instance_ended,
    "db2.hadr_stopped": read_hadr_stopped,
    "db2.cfg_not_standby": read_cfg_not_standby,
    "db2.cfg_hosts": read_cfg_hosts,
    "db2.nodes_file": read_nodes_file,
    "db2.proof_written": read_proof_written,
}
