"""The crontabs that are files of the system: /etc/crontab and /etc/cron.d.

Owns how they are read with their hashes and how their lines are disarmed. Must not judge a command
line (dialects.cron) nor know users' own crontabs (dialects.jobs). cron reads a changed file within
a minute by itself (cron(8)).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hamnd.dialects import cron
from hamnd.dialects.cron import FUSE_MARK, Names
from hamnd.dialects.editing import marked, sha256_of
from hamnd.dialects.masking import masked
from hamnd.dialects.shell import last_lines, unanswered
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Edit, Ending, Exec, Look, MarkedLine, Reading, Report

_FILES = (
    'for p; do for f in "$p" "$p"/*; do '
    '[ -f "$f" ] || continue; s=$(sha256sum <"$f") || exit 2; '
    'printf \'=%s %s\\n\' "${s%% *}" "$f"; awk \'{ print "+" $0 }\' "$f" || exit 2; done; done'
)
_HEAD = re.compile(r"=([0-9a-f]{64}) (/.*)")
_NOT_UTF8 = "\ufffd"


@dataclass(frozen=True, slots=True)
class CronFile:
    """One file; `text` is None where it could not be read byte by byte (no UTF-8)."""

    path: str
    text: str | None
    shown: str
    """Its lines, good enough to be judged."""


def files(site: Site) -> Look:
    """Return a look at every line of these files, with the hash of each file."""
    return Look(
        Exec(site.node, ("sh", "-c", _FILES, "hamnd-cronfiles", *site.crontabs)),
        reads="cronfiles.readable",
        expects=f"{', '.join(site.crontabs)} can be read",
    )


def is_unchanged(site: Site, edit: Edit) -> Look:
    """Return a look that expects the file that the edit was made for, or its result."""
    path = edit.tells[-1]
    return Look(
        Exec(site.node, edit.tells),
        reads="jobs.crontab_is",
        expects=f"{path} has not changed since the plan was made",
        arguments=(edit.expected_sha256, edit.result_sha256),
    )


def disarm(site: Site, file: CronFile) -> Edit | None:
    """Return the edit that makes a file's dangerous lines comments; None when there is no way."""
    names = Names.of(site)
    numbers = cron.dangerous_numbers(file.shown, names, has_user_field=True)
    if not numbers or file.text is None:
        return None
    lines = file.text.split("\n")
    return Edit(
        host=site.node,
        tells=("cat", file.path),
        # Written in place: owner and mode stay, without which cron ignores the file.
        takes=("sh", "-c", 'cat >"$1"', "hamnd-put", file.path),
        expected_sha256=sha256_of(file.text),
        result_sha256=sha256_of(marked(file.text, numbers, FUSE_MARK)),
        lines=tuple(
            MarkedLine(at, masked(lines[at - 1], names, has_schedule=True))
            for at in sorted(numbers)
        ),
        mark=FUSE_MARK,
    )


def is_dangerous(site: Site, file: CronFile) -> bool:
    """Whether a line of the file writes onto this node."""
    return bool(cron.dangerous_numbers(file.shown, Names.of(site), has_user_field=True))


def parse_files(report: Report) -> tuple[CronFile, ...] | None:
    """Return the files, or None when they could not be read."""
    if report.ending is not Ending.EXITED or report.exit_code != 0 or report.truncated:
        return None
    found: list[CronFile] = []
    head: re.Match[str] | None = None
    lines: list[str] = []
    for line in [*report.stdout.split("\n"), "=end"]:
        if line.startswith("+"):
            lines.append(line[1:])
        elif line.startswith("="):
            if head is not None:
                found.append(_file(head, lines))
            head, lines = _HEAD.fullmatch(line), []
    return tuple(found)


def _file(head: re.Match[str], lines: list[str]) -> CronFile:
    """Find out how the file ends: only a text with its very hash may ever be written back."""
    shown = "\n".join(lines)
    whole = (text for text in (f"{shown}\n", shown) if sha256_of(text) == head[1])
    text = next(whole, None) if _NOT_UTF8 not in shown else None
    return CronFile(head[2], text, shown)


def read_readable(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when every file could be read; nothing of them is repeated (law 7)."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    found = parse_files(report)
    if found is None:
        said = last_lines(report, report.stderr) or "what it printed is not shown"
        return Reading(Verdict.UNKNOWN, f"unreadable (exit code {report.exit_code}): {said}")
    return Reading(Verdict.PASS, f"{len(found)} files")
