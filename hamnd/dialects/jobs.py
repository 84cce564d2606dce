"""Scheduled and running jobs of this node: crontabs, systemd's timers, processes.

Owns the argv and the output of crontab, systemctl's timers and ps. Must not judge a command line
(dialects.cron) nor decide what is disarmed (core.platforms).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from hamnd.dialects import cron, processes, shell
from hamnd.dialects.cron import FUSE_MARK, Names
from hamnd.dialects.editing import marked, sha256_of
from hamnd.dialects.masking import masked
from hamnd.model.names import Verdict
from hamnd.model.site import Platform, Site
from hamnd.model.wording import first_of
from hamnd.model.work import Edit, Ending, Exec, Look, MarkedLine, Reading, Report

_NO_CRONTAB = re.compile(r"no crontab for", re.IGNORECASE)
_LISTED = (
    'd=$1 u=${2:-$(id -un)}; shift 2; if [ -d "$d" ] && [ ! -e "$d/$u" ]; then exit 0; fi; '
    'exec "$@"'
)
_EXEC_START = re.compile(r"argv\[\]=(.*?) ; ")
_SHOWN_MAX = 3
_NOT_UTF8 = "\ufffd"
"""What the adapters make of bytes that they cannot decode."""
_CRON_FILES = (
    'for p; do for f in "$p" "$p"/*; do '
    '[ -f "$f" ] || continue; grep -H "" "$f" || [ $? -eq 1 ] || exit 2; done; done'
)
_TIMERS = (
    't=$("$1" list-timers --no-legend --no-pager --plain) || exit 2; '
    "u=$(printf '%s\\n' \"$t\" | awk 'NF > 1 {print $NF; print $(NF-1)}' | sort -u); "
    '[ -z "$u" ] || "$1" show --no-pager --property=Id,TriggeredBy,ExecStart,UnitFileState $u'
)


@dataclass(frozen=True, slots=True)
class TimedService:
    """A service that timers start, and its command line as systemd shows it."""

    service: str
    timers: tuple[str, ...]
    command: str
    enabled: tuple[str, ...] = ()
    """Those of the timers that start again at boot."""


def crontab(site: Site, user: str | None = None) -> Look:
    """Return a look that reads a user's crontab (None: the user hamnd runs as)."""
    return Look(
        Exec(site.node, _crontab_tells(site, user)),
        reads="jobs.crontab_readable",
        expects=f"the crontab of {user or 'this user'} can be read",
    )


def crontab_is(site: Site, user: str | None, edit: Edit) -> Look:
    """Return a look that expects the crontab that the edit was made for, or its result."""
    return Look(
        Exec(site.node, _crontab_tells(site, user)),
        reads="jobs.crontab_is",
        expects=f"the crontab of {user or 'this user'} has not changed since the plan was made",
        arguments=(edit.expected_sha256, edit.result_sha256),
    )


def crontab_harmless(site: Site, user: str | None) -> Look:
    """Return a look that expects no job in a crontab that writes onto this node."""
    return Look(
        Exec(site.node, _crontab_tells(site, user)),
        reads="jobs.crontab_harmless",
        by_hand=(Exec(site.node, (site.tool("crontab"), "-l"), user),),
        expects=f"no job in the crontab of {user or 'this user'} writes onto {site.node}",
        arguments=Names.of(site).to_arguments(),
    )


def disarm_crontab(site: Site, user: str | None, text: str) -> Edit | None:
    """Return the edit that makes the dangerous lines of a user's crontab comments.

    None when there are none, and for a text with bytes that are no UTF-8, which would come back
    changed: such a crontab is left to the operator.
    """
    names = Names.of(site)
    numbers = cron.dangerous_numbers(text, names)
    if not numbers or _NOT_UTF8 in text:
        return None
    lines = text.split("\n")
    return Edit(
        host=site.node,
        tells=_crontab_tells(site, user),
        takes=_crontab_takes(site, user),
        expected_sha256=sha256_of(text),
        result_sha256=sha256_of(marked(text, numbers, FUSE_MARK)),
        lines=tuple(
            MarkedLine(at, masked(lines[at - 1], names, has_schedule=True))
            for at in sorted(numbers)
        ),
        mark=FUSE_MARK,
    )


def rearm_crontab(edit: Edit) -> Edit:
    """Return the way back from `disarm_crontab`."""
    return replace(
        edit,
        expected_sha256=edit.result_sha256,
        result_sha256=edit.expected_sha256,
        takes_mark_away=True,
    )


def cron_files_harmless(site: Site) -> Look:
    """Return a look that expects no such job in the system's own crontabs."""
    return Look(
        Exec(site.node, ("sh", "-c", _CRON_FILES, "hamnd-crontabs", *site.crontabs)),
        reads="jobs.cron_files_harmless",
        expects=f"no job in {', '.join(site.crontabs)} writes onto {site.node}",
        arguments=Names.of(site).to_arguments(),
    )


def timers(site: Site) -> Look:
    """Return a look at what systemd's active timers start."""
    return Look(
        Exec(site.node, ("sh", "-c", _TIMERS, "hamnd-timers", site.tool("systemctl"))),
        reads="jobs.timers_readable",
        expects="the timers and what they start can be read",
    )


def timers_harmless(site: Site) -> Look:
    """Return a look that expects no active timer to start something that writes here."""
    seen = timers(site)
    return Look(
        seen.request,
        reads="jobs.timers_harmless",
        expects=f"no active timer starts a job that writes onto {site.node}",
        arguments=Names.of(site).to_arguments(),
    )


def nothing_writes(site: Site) -> Look:
    """Return a look that expects no running copy or restore onto this node."""
    return Look(
        Exec(site.node, processes.listing(site)),
        reads="jobs.nothing_writes",
        expects=f"no running job writes onto {site.node}",
        arguments=Names.of(site).to_arguments(),
    )


def parse_crontab(report: Report) -> str | None:
    """Return a user's crontab, empty when there is none; None when it could not be read."""
    if report.ending is not Ending.EXITED or report.truncated:
        return None
    if report.exit_code == 0:
        return report.stdout
    is_absent = _NO_CRONTAB.search(report.stderr + report.stdout) is not None
    return "" if report.exit_code == 1 and is_absent else None


def parse_timers(report: Report) -> tuple[TimedService, ...] | None:
    """Return the services started by active timers; None when they could not be read."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return None
    services = []
    enabled: set[str] = set()
    for block in re.split(r"\n\s*\n", report.stdout.strip()):
        keys: dict[str, str] = {}
        for line in block.splitlines():
            key, _, value = line.partition("=")
            keys[key.strip()] = f"{keys.get(key.strip(), '')} {value}".strip()
        if keys.get("Id", "").endswith(".timer"):
            enabled |= {keys["Id"]} if keys.get("UnitFileState") == "enabled" else set()
        elif keys.get("Id"):
            command = " ; ".join(_EXEC_START.findall(keys.get("ExecStart", "")))
            timer_names = tuple(keys.get("TriggeredBy", "").split())
            services.append(TimedService(keys["Id"], timer_names, command))
    return tuple(
        replace(one, enabled=tuple(timer for timer in one.timers if timer in enabled))
        for one in services
    )


def dangerous_services(
    services: tuple[TimedService, ...], names: Names
) -> tuple[TimedService, ...]:
    """Return the timed services that would write onto this node."""
    return tuple(one for one in services if cron.writes_here(one.command, names) is not None)


def read_crontab_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when there is a crontab to read, or certainly none."""
    text = parse_crontab(report)
    if text is None:
        return _unreadable(report)
    jobs = sum(1 for line in cron.read_crontab(text) if line.command is not None)
    return Reading(Verdict.PASS, f"{jobs} jobs")


def read_crontab_is(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when the crontab is the one the plan was made from."""
    text = parse_crontab(report)
    if text is None:
        return _unreadable(report)
    if sha256_of(text) in arguments:
        return Reading(Verdict.PASS, "unchanged since the plan was made")
    return Reading(Verdict.BLOCK, "the crontab has changed since the plan was made: plan again")


def read_crontab_harmless(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when no job writes onto this node, BLOCK with the lines that do."""
    text = parse_crontab(report)
    if text is None:
        return _unreadable(report)
    names = Names.from_arguments(arguments)
    lines = text.split("\n")
    found = [
        f"line {at}: {masked(lines[at - 1], names, has_schedule=True)}"
        for at in sorted(cron.dangerous_numbers(text, names))
    ]
    reading = _harmless(tuple(found), "jobs")
    if found and _NOT_UTF8 in text:
        told = f"{reading.sentence} (not all UTF-8, so hamnd does not rewrite this crontab)"
        return replace(reading, sentence=told)
    return reading


def read_cron_files_harmless(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when no job of /etc/crontab and /etc/cron.d writes onto this node."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return _unreadable(report)
    names = Names.from_arguments(arguments)
    found = []
    for line in report.stdout.splitlines():
        path, _, text = line.partition(":")
        bad_lines = cron.dangerous_lines(text, names, True)
        found += [f"{path}: {masked(bad, names, has_schedule=True)}" for bad in bad_lines]
    return _harmless(tuple(found), "jobs")


def read_timers_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when systemd says what its timers start."""
    services = parse_timers(report)
    if services is None:
        return _unreadable(report)
    return Reading(Verdict.PASS, f"{len(services)} timed services")


def read_timers_harmless(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when no active timer starts something that writes onto this node."""
    services = parse_timers(report)
    if services is None:
        return _unreadable(report)
    names = Names.from_arguments(arguments)
    bad = dangerous_services(services, names)
    told = tuple(f"{one.service}: {masked(one.command, names)}" for one in bad)
    return _harmless(told, "timers")


def read_nothing_writes(report: Report, arguments: tuple[str, ...]) -> Reading:
    """PASS when no running process copies or restores onto this node, BLOCK with their ids."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return _unreadable(report)
    if not any(line.strip()[:1].isdigit() for line in report.stdout.splitlines()):
        return Reading(Verdict.UNKNOWN, "ps shows no process at all")
    writers = processes.parse_writers(report, Names.from_arguments(arguments)) or ()
    found = tuple(f"process {one.pid} ({one.shown}): {one.why}" for one in writers)
    return _harmless(found, "processes")


def _crontab_tells(site: Site, user: str | None) -> tuple[str, ...]:
    """Return what lists a crontab; AIX's own has no -u, and no documented word for "none"."""
    if site.platform is Platform.LINUX:
        return (site.tool("crontab"), *(("-u", user) if user else ()), "-l")
    folder = site.crontabs[0] if site.crontabs else ""
    listed = (site.tool("crontab"), "-l", *((user,) if user else ()))
    return ("sh", "-c", _LISTED, "hamnd-crontab", folder, user or "", *listed)


def _crontab_takes(site: Site, user: str | None) -> tuple[str, ...]:
    """Return what takes a crontab from its standard input; on AIX only its owner's own."""
    if site.platform is Platform.LINUX:
        return (site.tool("crontab"), *(("-u", user) if user else ()), "-")
    return ("su", "-", user, "-c", site.tool("crontab")) if user else (site.tool("crontab"),)


def _unreadable(report: Report) -> Reading:
    """Return UNKNOWN without a word of what was printed: these outputs may hold secrets (law 7)."""
    said = report.stderr or "what it printed is not shown"
    return shell.unreadable(replace(report, stdout="", stderr=said))


def _harmless(found: tuple[str, ...], what: str) -> Reading:
    if not found:
        return Reading(Verdict.PASS, f"no {what} are known to write onto this node")
    return Reading(Verdict.BLOCK, first_of(found, _SHOWN_MAX, " | "))
