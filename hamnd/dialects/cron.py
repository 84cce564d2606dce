"""Scheduled jobs: which of them would write onto this node (the trap of the guide's §5.2).

Owns the reading of crontabs, timers' commands and process lists, and the judgement whether a
command line overwrites what this node needs as the active one. Must not know which programs load a
database (dialects.loading) nor decide what is done about it (core.platforms). The judgement knows
the guide's own lines (xcat-hamn.md §2.2) and their like; a command hidden in a script of the site's
own is not seen unless its line names a known program.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hamnd.dialects import loading
from hamnd.model.site import Site

FUSE_MARK = "#hamnd-fuse# "
"""Put before a line that hamnd disarmed; cron takes the line for a comment."""

_RESTORES = frozenset({"pg_restore", "restorexCATdb", "tabrestore"})
_COPIERS = frozenset({"rsync", "scp"})
_FETCHERS = frozenset({"sftp", "lftp", "unison", "rdist", "csync2"})
_DB2_WRITES = re.compile(
    r"^\W*(restore|recover|rollforward|load|import)\b", re.IGNORECASE
)  # db2 "restore database …", as the seed's own seeding of the standby
_TARGETS = (
    "/install",
    "/tftpboot",
    "/etc/xcat",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/root",
    "/var/lib/dhcp",
    "/var/lib/dhcpd",
)
_VALUED = {"rsync": "efTBM", "scp": "iPoFclSJDX"}
_VALUED_LONG = re.compile(
    r"--(rsh|exclude|include|exclude-from|include-from|files-from|bwlimit|timeout|rsync-path"
    r"|log-file|password-file|temp-dir|filter|compare-dest|copy-dest|link-dest|backup-dir|suffix"
    r"|chmod|port|max-size|min-size|out-format|sockopts|contimeout)"
)
_SELECTING = re.compile(r"--(exclude|include|filter|files-from|max-size|min-size).*|-[fF]+")
_REMOTE = re.compile(r"(?:[^/:@\s]+@)?(\[[^\]]+\]|[^/:\s]+)::?(?!//)(.*)")
_URL = re.compile(r"(?:rsync|scp|sftp)://(?:[^/@]+@)?(\[[^\]]+\]|[^/:]+)(?::\d+)?/?(.*)")
_OPERATORS = frozenset({";", "&", "&&", "|", "||", "|&", "(", ")", "{", "}", "\n", ";;"})
_FIELDS = re.compile(r"(@\w+|(?:[-*/,\w]+\s+){4}[-*/,\w]+)\s+(.+)")
_SETTING = re.compile(r"\w+\s*=|\"\w+\"\s*=")
_DEPTH_MAX = 4


@dataclass(frozen=True, slots=True)
class Names:
    """The names and addresses by which command lines call this node and the partner."""

    own: frozenset[str]
    partner: frozenset[str]

    @classmethod
    def of(cls, site: Site) -> Names:
        """Take them from the site; the service addresses are still the partner's."""
        services = {word for one in site.identity for word in (one.name, one.address)}
        return cls(
            frozenset({site.own.name, site.own.address, "localhost", "127.0.0.1"}),
            frozenset({site.partner.name, site.partner.address}) | services,
        )

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> Names:
        """Undo `to_arguments`; a word without a known mark is ignored."""
        pairs = [word.partition("=") for word in arguments]
        return cls(
            frozenset(name for mark, _, name in pairs if mark == "own"),
            frozenset(name for mark, _, name in pairs if mark == "partner"),
        )

    def to_arguments(self) -> tuple[str, ...]:
        """Return them as a look's arguments."""
        return (
            *(f"own={name}" for name in sorted(self.own)),
            *(f"partner={name}" for name in sorted(self.partner)),
        )


@dataclass(frozen=True, slots=True)
class CronLine:
    """One line of a crontab; `command` is None for comments, settings and blank lines."""

    text: str
    command: str | None


def read_crontab(text: str, has_user_field: bool = False) -> tuple[CronLine, ...]:
    """Return every line of a crontab, in order; /etc/crontab has a user before the command."""
    return tuple(CronLine(line, _command_of(line, has_user_field)) for line in _lines(text))


def dangerous_lines(text: str, names: Names, has_user_field: bool = False) -> tuple[str, ...]:
    """Return the lines of a crontab whose command would write onto this node."""
    return tuple(
        line.text
        for line in read_crontab(text, has_user_field)
        if line.command is not None and writes_here(line.command, names) is not None
    )


def dangerous_numbers(text: str, names: Names, has_user_field: bool = False) -> frozenset[int]:
    """Return the numbers (from 1) of the lines that `dangerous_lines` returns."""
    doomed = frozenset(dangerous_lines(text, names, has_user_field))
    return frozenset(at for at, line in enumerate(_lines(text), 1) if line in doomed)


@dataclass(frozen=True, slots=True)
class CopyCommand:
    """A copy between two hosts as a command line has it; one of the two hosts is None: this one."""

    program: str
    sources: tuple[str, ...]
    source_host: str | None
    target_host: str | None
    selecting: tuple[str, ...] = ()
    """The options by which it leaves something out."""
    deletes: bool = False
    """Whether it deletes what its source no longer has."""


def copies_in(command: str) -> tuple[CopyCommand, ...]:
    """Return the copies between hosts that a shell command makes with rsync or scp."""
    found = []
    for one in _simple_commands(command):
        words = one.words
        at = next((at for at, word in enumerate(words) if _base(word) in _COPIERS), None)
        if at is None:
            continue
        operands = _operands(_base(words[at]), words[at + 1 :])
        if len(operands) < 2:
            continue
        *sources, target = operands
        from_host = next((host for one in sources if (host := _host_of(one)) is not None), None)
        to_host = _host_of(target)
        if from_host is None and to_host is None:
            continue
        paths = tuple(_path_of(one) if _host_of(one) else one for one in sources)
        options = [word.partition("=")[0] for word in words[at + 1 :]]
        selecting = tuple(dict.fromkeys(word for word in options if _SELECTING.fullmatch(word)))
        deletes = any(word.startswith("--del") for word in options)
        found.append(CopyCommand(_base(words[at]), paths, from_host, to_host, selecting, deletes))
    return tuple(found)


def schedule_of(line: str) -> str:
    """Return the time fields of a crontab's line, or nothing where it has none."""
    fields = _FIELDS.match(line.strip())
    return "" if fields is None else " ".join(fields[1].split())


def writes_here(command: str, names: Names) -> str | None:
    """Return why a shell command would write onto this node, or None when nothing says so.

    It pulls from the partner, copies over what the active node lives on, or restores a database.
    """
    return _why_text(command, names, _DEPTH_MAX)


def runs_here(argv_text: str, names: Names) -> str | None:
    """Return why a running process (as `ps -o args` shows it) writes onto this node, or None.

    The program must be the first or second word (an interpreter before a script), so that an
    editor or a grep that merely names one is left alone.
    """
    words = argv_text.split()
    known = (_is_writer(_base(one)) or _base(one) in loading.LOADERS for one in words[:2])
    first = next((at for at, is_known in enumerate(known) if is_known), None)
    if first is None:
        return None
    return _why_words(Simple(words[first:]), names, _DEPTH_MAX)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _command_of(line: str, has_user_field: bool) -> str | None:
    stripped = line.strip()
    if not stripped or stripped.startswith("#") or _SETTING.match(stripped):
        return None
    found = _FIELDS.match(stripped)
    if found is None:
        return stripped  # a form we do not know: judge the whole of it
    command = found[2]
    if has_user_field:
        command = command.partition(" ")[2].strip() if " " in command else command
    # An unescaped percent sign ends the command; what follows is its standard input (crontab(5)).
    return re.split(r"(?<!\\)%", command)[0].strip()


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command of a command line."""

    words: list[str]
    goes_on: bool = False
    """Whether its output goes on into a pipe or a file."""
    is_fed: bool = False
    """Whether its standard input is a file or the output of another command."""


def _why_text(text: str, names: Names, depth: int, is_fed: bool = False) -> str | None:
    if depth == 0:
        return None
    for one in _simple_commands(text, is_fed):
        words = one.words
        why = _why_words(one, names, depth)
        if why is None and one.goes_on and words and _base(words[0]) == "ssh":
            named = next((word for word in words[1:] if _is_one_of(word, names.partner)), None)
            why = f"takes data from {_bare(named)} over ssh" if named else None
        if why is not None:
            return why
    return None


def _simple_commands(text: str, is_fed: bool = False) -> Iterator[Simple]:
    """Yield the simple commands of a text, which may be fed as a whole."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:  # an open quote: judge the words as they stand
        tokens = text.replace("'", " ").replace('"', " ").split()
    words: list[str] = []
    redirection = ""
    goes_on = False
    for token in [*tokens, ";"]:
        if redirection:  # this token is its target
            goes_on = goes_on or (">" in redirection and token not in ("/dev/null", "1", "2", "-"))
            if "<" in redirection:
                is_fed = token not in ("/dev/null", "-")
            redirection = ""
        elif token in _OPERATORS:
            is_pipe = token in ("|", "|&")
            yield Simple(words, goes_on or is_pipe, is_fed)
            words, goes_on, is_fed = [], False, is_pipe
        elif token.strip("<>|&") == "":
            redirection = token
            if words and words[-1].isdigit():  # the file descriptor of `2>&1`
                words.pop()
        else:
            words.append(token)


def _why_words(one: Simple, names: Names, depth: int) -> str | None:
    words = one.words
    is_remote = bool(words) and _base(words[0]) == "ssh"
    for at, word in enumerate(words):
        why = None
        if " " in word:  # sh -c "…", su - user -c "…", ssh host "…"
            why = None if is_remote else _why_text(word, names, depth - 1, one.is_fed)
        elif _is_writer(_base(word)) and not is_remote:
            why = _why_program(_base(word), words[at + 1 :], names)
        elif _base(word) in loading.LOADERS and not is_remote and loading.is_run(words, at):
            why = _why_loaded(_base(word), words[at + 1 :], names, one.is_fed)
        if why is not None:
            return why
    return None


def _is_writer(program: str) -> bool:
    return program in _RESTORES | _COPIERS | _FETCHERS | {"db2"}


def _why_program(program: str, arguments: list[str], names: Names) -> str | None:
    if program in _RESTORES:
        return f"{program} writes the database of this node"
    if program == "db2":
        is_write = _DB2_WRITES.match(" ".join(arguments)) is not None
        return "db2 writes the database of this node" if is_write else None
    if program in _FETCHERS:
        named = next((host for word in arguments if (host := _partner_in(word, names))), None)
        return f"{program} exchanges files with {named}" if named else None
    if "--server" in arguments:
        return None if "--sender" in arguments else "rsync is receiving files from another host"
    if program == "scp" and "-t" in arguments:
        return "scp is receiving files from another host"
    return _why_copy(program, _operands(program, arguments), names)


def _why_loaded(program: str, arguments: list[str], names: Names, is_fed: bool) -> str | None:
    """Whether a database of this node is loaded; the partner's name may be this node's by then."""
    if not loading.is_load(program, arguments, is_fed):
        return None
    host, target = loading.host_of(arguments), loading.target_of(program, arguments)
    is_ours = host is None or _is_one_of(host, names.own | names.partner)
    if program == loading.BASE_BACKUP:
        if host is not None and _is_one_of(host, names.partner):
            return f"{program} copies a server from {_bare(host)}"
        return f"{program} writes {target}" if loading.is_of_server(target) else None
    if program == "sqlite3":
        is_ours = target is not None and (not target.startswith("/") or _is_target(target))
    return f"{program} loads a database of this node" if is_ours else None


def _why_copy(program: str, operands: list[str], names: Names) -> str | None:
    if len(operands) < 2:
        return None
    *sources, target = operands
    to = _host_of(target)
    if to is not None and not _is_one_of(to, names.own):
        return None
    for source in sources:
        host = _host_of(source)
        if host is not None and _is_one_of(host, names.partner):
            return f"{program} pulls from {_bare(host)}"
    path = target if to is None else _path_of(target)
    is_foreign = to is not None or any(_host_of(source) is not None for source in sources)
    return f"{program} writes {path}" if is_foreign and _is_target(path) else None


def _operands(program: str, arguments: list[str]) -> list[str]:
    operands: list[str] = []
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word.startswith("--"):
            skip = _VALUED_LONG.fullmatch(word) is not None
        elif word.startswith("-") and len(word) > 1:
            skip = word[-1] in _VALUED[program]
        else:
            operands.append(word)
    return operands


def _host_of(operand: str) -> str | None:
    found = _URL.fullmatch(operand) or _REMOTE.fullmatch(operand)
    return found[1].strip("[]") if found else None


def _path_of(operand: str) -> str:
    found = _URL.fullmatch(operand) or _REMOTE.fullmatch(operand)
    path = found[2] if found else operand
    return path or "~"


def _is_one_of(host: str, known: frozenset[str]) -> bool:
    """Compare host names as people write them: with a user before, a domain behind."""
    bare = _bare(host)
    if bare in known:
        return True
    is_name = re.fullmatch(r"[A-Za-z][\w-]*(\.[\w.-]+)?", bare) is not None
    return is_name and bare.partition(".")[0].lower() in {name.lower() for name in known}


def _bare(host: str) -> str:
    """Return a host without the account before it, which may come with a password."""
    return host.rpartition("@")[2]


def _partner_in(word: str, names: Names) -> str | None:
    """Return the partner's name as this word has it: host, account@host, host:path or a URL."""
    hosts = (_host_of(word), word)
    return next((_bare(one) for one in hosts if one and _is_one_of(one, names.partner)), None)


def _is_target(path: str) -> bool:
    """Whether a path is, lies in, or contains something the active node lives on."""
    for home in ("$HOME", "${HOME}", "~"):
        if path == home or path.startswith(home + "/"):
            return True
    if not path.startswith("/"):
        return False
    whole = posixpath.normpath(path).replace("//", "/")
    inside = whole.rstrip("/") + "/"
    return any(
        f"{target}/".startswith(inside) or inside.startswith(f"{target}/") for target in _TARGETS
    )


def _base(word: str) -> str:
    return word.rpartition("/")[2]
