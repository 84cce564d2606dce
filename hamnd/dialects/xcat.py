"""xCAT's commands: what they are called with, and what their output really proves.

Owns the argv and the output of xCAT's client commands. Must not know in which order they are used
(core.platforms). The ground truth is xcat-hamn.md §4.4: an exit code proves nothing. With its
database down xcatd answers "Permission denied for request" to everything; on a standby database
`mkdef` reports success and stores nothing; a hung xcatd keeps a client for ever. So a write is only
proven by reading it back, and the three failures are told apart.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping

from hamnd.dialects.shell import last_lines, quote, unanswered, unreadable
from hamnd.model.names import ManyValued, Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Ending, Exec, Look, Reading, Report

PROBE_NODE = "hamndprobe"
"""The node object that is written, read back and removed again."""
TEST_NODE = "hamndtest"
"""The node object that has to travel: defined on one node, found on the other (guide §5.1.9)."""

DEFAULT_PORT = 3001

NO_DAEMON_CODE = 111

_OWN_NAME_KEY = "site.master".partition(".")[2]
_DENIED = "permission denied for request"
_NO_CONNECTION = re.compile(r"Unable to open socket connection to xcatd|Connection failure:")
_ERROR = re.compile(r"^[ \t]*Error:[ \t]*(.*)$", re.MULTILINE)
_WARNING = re.compile(r"^[ \t]*Warning:[ \t]*(.*)$", re.MULTILINE)
_VERSION = re.compile(r"^Version (\S+)(?: \(git commit ([0-9a-f]+))?", re.MULTILINE)
_SETTING = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)
_NO_OBJECT = re.compile(r"Could not find (an object named|any object)", re.IGNORECASE)
_BAD_RANGE = re.compile(r"Invalid nodes and/or groups in noderange: (.*)")
_SHOWN_MAX = 3


class ClientState(ManyValued):
    """How xcatd dealt with a client command (xcat-hamn.md §4.4, §13.6)."""

    ANSWERED = "answered"
    NO_DAEMON = "no_daemon"
    """Exit code 111: nothing listens on port 3001."""
    DATABASE_FAILING = "database_failing"
    """"Permission denied for request": looks like a login problem, and is the database."""
    HUNG = "hung"
    """The client ran into our limit; whether the command was carried out is not known."""
    ERROR = "error"
    """xcatd answered with an error of its own."""
    UNKNOWN = "unknown"


# --- what is asked ---------------------------------------------------------------------------


def version(site: Site) -> Look:
    """Return a look that asks this node's xcatd for its version, the cheapest request there is."""
    return Look(
        Exec(site.node, client_argv(site, None, "lsxcatd", "-v")),
        reads="xcat.answers",
        expects=f"xcatd on {site.node} answers a request",
    )


def database(site: Site) -> Look:
    """Return a look that asks xcatd which database it uses; the password is never printed."""
    return Look(
        Exec(site.node, client_argv(site, None, "lsxcatd", "-d")),
        reads="xcat.database",
        expects="xcatd names its database",
    )


def site_table(site: Site) -> Look:
    """Return a look that dumps the site table through xcatd."""
    return Look(
        Exec(site.node, client_argv(site, None, "tabdump", "site")),
        reads="xcat.site_table",
        expects="the site table can be read",
        timeout_s=60.0,
    )


def site_master(site: Site, host: str, xcatd: str | None) -> Look:
    """Return a look that reads site.master from a host, a service node for example."""
    made = client_argv if host == site.node else argv_over_there
    argv = made(site, xcatd, "lsdef", "-t", "site", "-i", _OWN_NAME_KEY)
    return Look(
        Exec(host, argv),
        reads="xcat.site_master",
        expects=f"lsdef on {host} reads the site definition from {xcatd or 'its xcatd'}",
        timeout_s=60.0,
    )


def write_probe(site: Site, name: str = PROBE_NODE) -> Action:
    """Return the action that defines the probe node; only `probe_present` proves it."""
    argv = ("-t", "node", "-o", name, f"groups={name}")
    return Action(Exec(site.node, client_argv(site, None, "mkdef", *argv)), reads="xcat.accepted")


def remove_probe(site: Site, name: str = PROBE_NODE) -> Action:
    """Return the action that removes the probe node; done also when there is none."""
    argv = client_argv(site, None, "rmdef", "-t", "node", "-o", name)
    plain = Exec(site.node, ("sh", "-c", f"{quote(argv)} || :"))
    return Action(Exec(site.node, argv), reads="xcat.probe_removed", by_hand=(plain,))


def check_probe_gone(site: Site) -> Action:
    """Return an action that only reads: nothing of an earlier probe may pass for a new one."""
    request = Exec(site.node, _read_probe(site, PROBE_NODE))
    plain = Exec(site.node, ("sh", "-c", f"! {quote(request.argv)} 2>/dev/null"))
    return Action(request, reads="xcat.probe_absent", by_hand=(plain,))


def probe_present(site: Site, name: str = PROBE_NODE) -> Look:
    """Return a look that reads the probe node back: the proof that xcatd and database write."""
    return Look(
        Exec(site.node, _read_probe(site, name)),
        reads="xcat.probe_present",
        expects=f"node {name}, just written through xcatd, can be read back",
        arguments=(name,),
        timeout_s=30.0,
    )


def probe_gone(site: Site, name: str = PROBE_NODE) -> Look:
    """Return a look that expects no probe node."""
    return Look(
        Exec(site.node, _read_probe(site, name)),
        reads="xcat.probe_absent",
        expects=f"node {name} is no longer defined",
        arguments=(name,),
        timeout_s=30.0,
    )


def make_dns(site: Site) -> Action:
    """Return the action that rewrites named.conf and zones; `-n` after an address change (§9)."""
    request = Exec(site.node, client_argv(site, None, "makedns", "-n"))
    return Action(request, reads="xcat.dns_made", is_repeatable=True)


def make_dhcp(site: Site) -> tuple[Action, ...]:
    """Return the actions that rewrite the DHCP configuration and the nodes' reservations."""
    return tuple(
        Action(
            Exec(site.node, client_argv(site, None, "makedhcp", flag)),
            reads="xcat.done",
            is_repeatable=True,
        )
        for flag in ("-n", "-a")
    )


def dhcp_answers(site: Site) -> Look:
    """Return a look that asks DHCP for the probe node: a running server knows nothing of it."""
    return Look(
        Exec(site.node, client_argv(site, None, "makedhcp", "-q", PROBE_NODE)),
        reads="xcat.dhcp_answers",
        expects="the DHCP server answers a query",
        timeout_s=60.0,
    )


def make_consoles(site: Site) -> Action:
    """Return the action that writes the console server's configuration.

    Its exit code is 0 even when conserver cannot start (§9): look at the process.
    """
    program = "makegocons" if site.services.consoles == "goconserver" else "makeconservercf"
    request = Exec(site.node, client_argv(site, None, program))
    return Action(request, reads="xcat.done", is_repeatable=True)


# --- what was said ---------------------------------------------------------------------------


def client_state(report: Report) -> ClientState:
    """Return how xcatd dealt with a client command; the exit code alone is never believed."""
    if report.ending is Ending.TIMED_OUT:
        return ClientState.HUNG
    if report.ending is not Ending.EXITED or report.exit_code is None:
        return ClientState.UNKNOWN
    text = f"{report.stdout}\n{report.stderr}"
    if _DENIED in text.lower():
        return ClientState.DATABASE_FAILING
    if report.exit_code == NO_DAEMON_CODE or _NO_CONNECTION.search(text):
        return ClientState.NO_DAEMON
    if report.exit_code != 0 or _ERROR.search(text):
        return ClientState.ERROR
    return ClientState.ANSWERED


def parse_version(text: str) -> tuple[str, str | None] | None:
    """Return xCAT's version and git commit from `lsxcatd -v`, or None."""
    found = _VERSION.search(text)
    return (found[1], found[2]) if found else None


def parse_settings(text: str) -> Mapping[str, str]:
    """Return the `key=value` lines of `lsxcatd -d`."""
    return dict(_SETTING.findall(text))


def parse_table(text: str) -> tuple[Mapping[str, str], ...] | None:
    """Return the rows of a `tabdump`: a header `#key,value,…`, then CSV. None without a header."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("#"):
        return None
    columns = lines[0].lstrip("#").split(",")
    try:
        rows = list(csv.reader(lines[1:], strict=True))
    except csv.Error:
        return None
    return tuple(dict(zip(columns, row, strict=False)) for row in rows if row)


def parse_object(text: str, name: str) -> Mapping[str, str] | None:
    """Return the attributes that `lsdef` shows of an object, or None when it does not show it."""
    attributes: dict[str, str] | None = None
    for line in text.splitlines():
        if line.startswith("Object name:"):
            if attributes is not None:
                break
            attributes = {} if line.partition(":")[2].strip() == name else None
        elif attributes is not None and line[:1].isspace() and "=" in line:
            key, _, value = line.strip().partition("=")
            attributes[key] = value
    return attributes


# --- readers ---------------------------------------------------------------------------------


def read_answers(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when xcatd told its version."""
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    told = parse_version(report.stdout)
    if told is None or report.truncated:
        return unreadable(report)
    return Reading(Verdict.PASS, f"xcatd {told[0]} answers")


def read_database(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when xcatd names its database engine."""
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    engine = parse_settings(report.stdout).get("dbengine")
    return Reading(Verdict.PASS, f"xcatd uses {engine}") if engine else unreadable(report)


def read_site_table(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the site table came whole and has rows."""
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    rows = parse_table(report.stdout)
    if rows is None or report.truncated:
        return unreadable(report)
    if not rows:
        return Reading(Verdict.BLOCK, "the site table is empty")
    return Reading(Verdict.PASS, f"{len(rows)} site settings")


def read_site_master(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when lsdef shows site.master, the name by which the nodes know their server."""
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    name = (parse_object(report.stdout, "clustersite") or {}).get(_OWN_NAME_KEY)
    return Reading(Verdict.PASS, f"site.master is {name}") if name else unreadable(report)


def read_accepted(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the command was accepted, which is not yet a proof that anything was stored."""
    trouble = trouble_of(report)
    return trouble or Reading(Verdict.PASS, last_lines(report) or "accepted")


def read_done(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when a make* command ended without an error; its warnings are shown."""
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    warnings = _WARNING.findall(f"{report.stdout}\n{report.stderr}")
    return Reading(Verdict.PASS, " | ".join(warnings[:_SHOWN_MAX]) or "ended without an error")


def read_dns_made(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when makedns says that the set-up is completed."""
    reading = read_done(report)
    if reading.verdict is Verdict.PASS and "DNS setup is completed" not in report.stdout:
        return Reading(Verdict.BLOCK, f"makedns did not complete: {last_lines(report)}")
    return reading


def read_dhcp_answers(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the DHCP server took the query; an unknown node prints nothing (§9)."""
    if "dhcp server is not running" in f"{report.stdout}\n{report.stderr}":
        return Reading(Verdict.BLOCK, "the DHCP server is not running")
    trouble = trouble_of(report)
    return trouble or Reading(Verdict.PASS, "the DHCP server answers")


def read_probe_present(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the probe node was read back, BLOCK when it was not stored."""
    (name,) = arguments or (PROBE_NODE,)
    if _is_no_object(report):
        return Reading(
            Verdict.BLOCK, "nothing was stored: xcatd runs on a database that takes no writes"
        )
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    attributes = parse_object(report.stdout, name)
    if attributes is None or attributes.get("groups") != name:
        return unreadable(report)
    return Reading(Verdict.PASS, f"{name} was written and read back")


def read_probe_absent(report: Report, arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the probe node is certainly not defined."""
    (name,) = arguments or (PROBE_NODE,)
    if _is_no_object(report):
        return Reading(Verdict.PASS, f"{name} is not defined")
    trouble = trouble_of(report)
    if trouble is not None:
        return trouble
    if parse_object(report.stdout, name) is None:
        return unreadable(report)
    return Reading(Verdict.BLOCK, f"{name} is still defined: the database may take no writes")


def read_probe_removed(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the removal was accepted or there was nothing to remove."""
    if _is_no_object(report):
        return Reading(Verdict.PASS, "there was no such node")
    return read_accepted(report)


def client_argv(site: Site, xcatd: str | None, program: str, *arguments: str) -> tuple[str, ...]:
    """Return a client command; it talks to localhost:3001 unless XCATHOST says where (§4.4)."""
    if xcatd is None and site.own.xcatd_port != DEFAULT_PORT:
        xcatd = f"localhost:{site.own.xcatd_port}"
    prefix = ("env", f"XCATHOST={xcatd}") if xcatd else ()
    return (*prefix, site.tool(program), *arguments)


def argv_over_there(
    site: Site, xcatd: str | None, program: str, *arguments: str
) -> tuple[str, ...]:
    """Return a client command for another host, where a login over ssh has not xCAT's PATH."""
    settings = [f"PATH={site.tool_path}", *((f"XCATHOST={xcatd}",) if xcatd else ())]
    return ("env", *settings, site.tool(program), *arguments)


def _read_probe(site: Site, name: str) -> tuple[str, ...]:
    return client_argv(site, None, "lsdef", "-t", "node", "-o", name, "-i", "groups")


def _is_no_object(report: Report) -> bool:
    """Whether xcatd itself says that the object does not exist."""
    if report.ending is not Ending.EXITED or report.truncated:
        return False
    state = client_state(report)
    is_told = state is ClientState.ERROR or state is ClientState.ANSWERED
    return is_told and _NO_OBJECT.search(f"{report.stdout}\n{report.stderr}") is not None


def trouble_of(report: Report) -> Reading | None:
    """Return why the answer is none, in the words an operator needs; None when it is one."""
    text = f"{report.stdout}\n{report.stderr}"
    match client_state(report):
        case ClientState.ANSWERED:
            return None
        case ClientState.NO_DAEMON:
            return Reading(Verdict.BLOCK, "xcatd is not running (nothing listens on its port)")
        case ClientState.DATABASE_FAILING:
            return Reading(
                Verdict.BLOCK,
                "xcatd says Permission denied for request: its database fails, not the login",
            )
        case ClientState.HUNG:
            return Reading(Verdict.UNKNOWN, "xcatd did not answer within the limit: it hangs")
        case ClientState.UNKNOWN:
            return unanswered(report) or unreadable(report)
        case ClientState.ERROR:
            unknown_names = _BAD_RANGE.search(text)
            if unknown_names:
                return Reading(Verdict.BLOCK, f"xCAT does not know {unknown_names[1].strip()}")
            errors = _ERROR.findall(text)
            said = " | ".join(errors[:_SHOWN_MAX]) or last_lines(report)
            return Reading(Verdict.BLOCK, f"exit code {report.exit_code}: {said}")
