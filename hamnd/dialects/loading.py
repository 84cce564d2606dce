"""Programs that load a database from a file or a pipe, as command lines name them.

Owns which of their options mean that, and which host they load. Must not judge whose host that is
(dialects.cron). What a script of the site's own does, and what a statement on the command line
changes, is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CLIENTS = frozenset({"psql", "mysql", "mariadb", "sqlite3"})
"""They read statements from what they are given: psql(1), mysql(1), sqlite3(1)."""
IMPORTERS = frozenset({"mysqlimport", "mariadb-import"})
PHYSICAL = frozenset({"mariadb-backup", "mariabackup", "xtrabackup"})
"""They put files back where the server has its data, by one option."""
BASE_BACKUP = "pg_basebackup"
LOADERS = CLIENTS | IMPORTERS | PHYSICAL | {BASE_BACKUP}

_WRAPPERS = frozenset({
    *("sudo", "su", "runuser", "nice", "ionice", "nohup", "env", "timeout", "flock", "setsid"),
    *("chrt", "time", "exec", "command", "if", "while", "then", "do", "else", "!", "{", "("),
})  # fmt: skip
"""What runs the program that is named behind it."""
_SETTING = re.compile(r"\w+=.*")
_SCRIPT = re.compile(r"--file(=.*)?|-[^-cdFhLopPRTUv]*f.*")
"""psql's option for a file of statements, alone or behind options that take no value."""
_STATEMENT = {
    "psql": re.compile(r"--command(=.*)?|-[^-dfFhLopPRTUv]*c.*"),
    **dict.fromkeys(("mysql", "mariadb"), re.compile(r"--execute(=.*)?|-[^-DhpPSu]*e.*")),
}
_READS_FILE = re.compile(r"\W*(\\ir?|\\\.|source|\.read|\.restore|\.import)\s", re.IGNORECASE)
_STDIN = re.compile(r"\bfrom\s+p?stdin\b", re.IGNORECASE)
_HOST = re.compile(r"(?:--host=|-h(?!ost$)|.*\bhost=)([^\s'\"&]+)")
_URL = re.compile(r"postgres(?:ql)?://(?:[^@/]*@)?(\[[^\]]+\]|[^:/?]*).*")
_PUT_BACK = frozenset({"--copy-back", "--move-back"})
_SERVERS = ("/var/lib/pgsql", "/var/lib/postgresql", "/var/lib/mysql")


def is_run(words: Sequence[str], at: int) -> bool:
    """Whether the word at that place is the program that is run, and no word of another one's."""
    before = [word.rpartition("/")[2] for word in words[:at] if not _SETTING.fullmatch(word)]
    return not before or before[0] in _WRAPPERS


def is_load(program: str, arguments: Sequence[str], is_fed: bool) -> bool:
    """Whether a program changes what a server has on what it is given.

    Args:
        program: One of LOADERS.
        arguments: Its words.
        is_fed: Whether its standard input is a file or the output of another program.
    """
    if program in PHYSICAL:
        return not _PUT_BACK.isdisjoint(arguments)
    if program not in CLIENTS:
        return True
    if any(_READS_FILE.match(word) for word in arguments):
        return True
    if program == "psql" and _has_script(arguments):
        return True
    option = _STATEMENT.get(program)
    if option is not None and any(option.fullmatch(word) for word in arguments):
        return is_fed and any(_STDIN.search(word) for word in arguments)
    return is_fed


def _has_script(arguments: Sequence[str]) -> bool:
    """Whether psql is given a file; `-f -` is its standard input."""
    following = (*arguments[1:], "")
    pairs = zip(arguments, following, strict=True)
    return any(_SCRIPT.fullmatch(word) and after != "-" for word, after in pairs)


def host_of(arguments: Sequence[str]) -> str | None:
    """Return the host whose server is meant; None: this one's, over its socket."""
    for at, word in enumerate(arguments):
        following = arguments[at + 1] if at + 1 < len(arguments) else ""
        if word in ("-h", "--host"):
            found = following
        else:
            match = _URL.fullmatch(word) or _HOST.match(word)
            found = match[1].strip("[]") if match else ""
        if found and not found.startswith("/"):
            return found
    return None


def target_of(program: str, arguments: Sequence[str]) -> str | None:
    """Return the file or folder that is written where the words say it."""
    if program == "sqlite3":
        return next((word for word in arguments if not word.startswith("-")), None)
    for at, word in enumerate(arguments):
        if word in ("-D", "--pgdata"):
            return arguments[at + 1] if at + 1 < len(arguments) else None
        if word.startswith(("-D", "--pgdata=")):
            return word.removeprefix("--pgdata=").removeprefix("-D")
    return None


def is_of_server(path: str | None) -> bool:
    """Whether a folder is one where a server has its data by default."""
    return path is not None and path.startswith(_SERVERS)
