"""From the crontab that copies files today to the file sets that do it tomorrow.

Owns the proposal: which line becomes which set, what is left out and why. Must not read files. The
guide's own lines (§6, xcat-hamn.md §2.2) end in the known sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hamnd.dialects.cron import (
    CopyCommand,
    CronLine,
    Names,
    copies_in,
    read_crontab,
    schedule_of,
)
from hamnd.dialects.masking import masked
from hamnd.dialects.schedule import NoSchedule, parse_schedule
from hamnd.settings.filesets import TOO_WIDE, refusals
from hamnd.settings.sample import toml_value

KNOWN = {
    "/etc/xcat/ca": "credentials",
    "/etc/xcat/cert": "credentials",
    "/etc/xcat/hostkeys": "credentials",
    "/root/.xcat": "credentials",
    "/etc/hosts": "hosts",
    "/install": "install",
    "/root/.ssh/id*": "keys",
    "/root/.ssh/id_*": "keys",
}
HOMES = ("$HOME", "${HOME}", "~")
DATABASE = "the database is hamnd's replication engine's ([replication])"
RESTORES = ("pg_restore", "restorexCATdb", "pg_dump", "dumpxCATdb")
OBSERVING = ("# while that crontab still copies it hamnd only compares:", '# mode = "observe"')
NICKNAMES = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
             "@weekly": "0 0 * * sun", "@monthly": "0 0 1 * *"}  # fmt: skip


@dataclass(slots=True)
class Proposal:
    """One set as proposed; `paths` are empty for a known set that needs none."""

    name: str
    cron: str
    paths: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def propose(text: str, has_user_field: bool = False) -> str:
    """Return the part of a configuration that does what the copying lines of a crontab do."""
    proposals: dict[str, Proposal] = {}
    left: list[str] = []
    crontab = tuple(read_crontab(text, has_user_field))
    dumps = frozenset(word for line in crontab if _is_dump(line) for word in _words(line))
    for line in crontab:
        left += _take(line, proposals, dumps)
    lines = list(_rendered(proposals))
    if not proposals:
        lines = [
            "# No line of this crontab copies files with rsync or scp to or from another host."
        ]
    if left:
        lines += ["", "# Not taken over:", *(f"#   {one}" for one in left)]
    return "\n".join(lines) + "\n"


def _is_dump(line: CronLine) -> bool:
    return line.command is not None and any(word in line.command for word in RESTORES)


def _words(line: CronLine) -> list[str]:
    """Return what a line names, a redirected file without its sign."""
    return [word.lstrip("<>") for word in (line.command or "").split()]


def _take(line: CronLine, proposals: dict[str, Proposal], dumps: frozenset[str]) -> Iterator[str]:
    """Take a line into the proposals; yield what of it is not taken, and why."""
    if line.command is None:
        return
    copies = copies_in(line.command)
    if not copies and _is_dump(line):
        yield f"{_shown(line)}: {DATABASE}"
    for copy in copies:
        for path in copy.sources:
            if path in dumps:
                yield f"{printable(path)}: {DATABASE}"
            else:
                yield from _take_path(path, copy, line, proposals)


def _take_path(
    path: str, copy: CopyCommand, line: CronLine, proposals: dict[str, Proposal]
) -> Iterator[str]:
    plain = _plain(path)
    why = _why_not(plain)
    if why is not None:
        yield f"{printable(path)}: {why}"
        return
    known = KNOWN.get(plain)
    name = known or _name(plain)
    one = proposals.setdefault(name, Proposal(name, _cron(line.text)))
    if (shown := _shown(line)) not in one.lines:
        one.lines.append(shown)
    if known is None:
        # rsync takes a path without a slash for a directory or a file: only the host can tell.
        one.paths.append(path if path.endswith("/") else f"{plain}/")
        one.notes.append(f"where {printable(plain)} is a file, leave out the slash at its end")
    if known in (None, "install"):
        one.notes += _what_else(copy)
    if copy.source_host is not None:
        note = "it pulls already: take the line out of this crontab when hamnd does it"
    else:
        note = "take the line out of the primary's crontab when hamnd pulls"
    if note not in one.notes:
        one.notes.append(note)


def _what_else(copy: CopyCommand) -> Iterator[str]:
    """What hamnd would do and the line does not: nobody is to find that out by what is gone."""
    if copy.selecting:
        yield f"it has {', '.join(copy.selecting)}: name what it leaves out in exclude = [...]"
    if not copy.deletes:
        yield "it deletes nothing; hamnd deletes here what the primary no longer has"


def _shown(line: CronLine) -> str:
    """Return a line as it may stand in a file that people copy: without what could be a secret."""
    copies = copies_in(line.command or "")
    hosts = {host for one in copies for host in (one.source_host, one.target_host) if host}
    return masked(line.text, Names(frozenset(), frozenset(hosts)), has_schedule=True)


def printable(text: str) -> str:
    """Return text that may stand in a comment of a TOML file: on one line, and no control sign."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _plain(path: str) -> str:
    for home in HOMES:
        if path == home or path.startswith(f"{home}/"):
            path = "/root" + path.removeprefix(home)
    return path.rstrip("/") or "/"


def _why_not(path: str) -> str | None:
    if path == "/etc/resolv.conf":
        return "each node's own; in identity.mode primary_address set hosts copies it"
    if not path.startswith("/"):
        return "is no absolute path"
    if path in TOO_WIDE:
        return "is a directory of the system: name what is wanted in it"
    for refused, why in refusals(path).items():
        if f"{path}/".startswith(f"{refused}/"):
            return f"{why}: it is never copied"
    return None


def _name(path: str) -> str:
    words = "".join(sign if sign.isalnum() else "-" for sign in path.lower()).strip("-")
    return (words if words[:1].isalpha() else f"set-{words}")[:31].rstrip("-")


def _cron(line: str) -> str:
    told = schedule_of(line)
    told = NICKNAMES.get(told, told)
    try:
        parse_schedule(told)
    except NoSchedule:
        return ""
    return told


def _rendered(proposals: dict[str, Proposal]) -> Iterator[str]:
    if not proposals:
        return
    yield "# Proposed by hamnd import-cron. On the standby; a set says only what differs from its"
    yield "# default. hamnd copies oftener than a nightly crontab: a run costs only what changed."
    yield "[files]"
    for one in proposals.values():
        yield ""
        for line in one.lines:
            yield f"# {line}"
        for note in dict.fromkeys(one.notes):
            yield f"# {note}"
        yield "[[files.set]]"
        yield f"name = {toml_value(one.name)}"
        if one.paths:
            yield f"paths = {toml_value(tuple(dict.fromkeys(one.paths)))}"
        is_known = not one.paths
        yield from OBSERVING
        if one.cron:
            yield f"{'# ' if is_known else ''}cron = {toml_value(one.cron)}"
