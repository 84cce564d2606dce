"""Command lines as they may be shown: without whatever could be a secret (design law 7).

Owns which words of a foreign command line are shown. Must not know what the line does
(dialects.cron). It is a list of what is harmless, not of what is secret: programs, names of
options, paths, known hosts, schedules; every other word becomes `***`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hamnd.dialects.cron import Names

HIDDEN = "***"
_SHOWN_MAX = 160
_DECORATED = re.compile(r"([\"'`(;|&<>{$]*)(.*?)([\"'`);|&<>}]*)", re.DOTALL)
_ASSIGNMENT = re.compile(r"(\w+)=.*", re.DOTALL)
_LONG = re.compile(r"(--[A-Za-z][\w-]*)(=.*)?", re.DOTALL)
_CLUSTER = re.compile(r"-[avzrltgoDHAXSLn]{1,8}|-[A-Za-z]")
_PATH = re.compile(r"(?:/|~|\./|\.\./|\$HOME|\$\{HOME\})[\w./+~*-]*")
_HOST_PATH = re.compile(
    r"(?:(?:rsync|scp|sftp|ssh)://)?(?:([^/]*)@)?([\w.-]+|\[[0-9a-fA-F:]+\])(:?.*)"
)
_FIELD = re.compile(r"[\d*][\d*/,-]*|@[a-z]+|(?:mon|tue|wed|thu|fri|sat|sun)", re.IGNORECASE)
_KEEPS_SECRETS = re.compile(r"-[pPwu]|--?\w*(pass|pw|secret|token|key|auth|cred|user)[\w-]*|using")
_PROGRAMS = frozenset(
    {"bash", "cat", "chown", "cp", "csync2", "db2", "dumpxCATdb", "env", "flock", "ionice", "ksh",
     "lftp", "mysql", "mysqldump", "mv", "nice", "nohup", "perl", "pg_dump", "pg_restore", "psql",
     "rdist", "restorexCATdb", "rm", "rsync", "scp", "sftp", "sh", "sleep", "ssh", "su", "sudo",
     "tabrestore", "tar", "test", "timeout", "true", "unison"}
)  # fmt: skip
_WORDS = frozenset(
    {"at", "cd", "connect", "database", "db", "from", "import", "into", "load", "on", "recover",
     "restore", "rollforward", "root", "taken", "to", "user", "using"}
)  # fmt: skip


def masked(line: str, names: Names, has_schedule: bool = False) -> str:
    """Return a command line with every word hidden that is not known to be harmless."""
    words = line.split()
    fields = 0
    if has_schedule:
        wanted = 1 if words and words[0].startswith("@") else 5
        are_fields = len(words) > wanted and all(_FIELD.fullmatch(one) for one in words[:wanted])
        fields = wanted if are_fields else 0
    text = " ".join([*words[:fields], *_told(words[fields:], names)])
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def _told(words: list[str], names: Names) -> Iterator[str]:
    """Yield the words as they are shown; several hidden ones in a row become one."""
    is_secret, last = False, ""
    for word in words:
        found = _DECORATED.fullmatch(word)
        core = found[2] if found is not None else word
        shown = HIDDEN if is_secret else _word(core, names)
        is_secret = _KEEPS_SECRETS.fullmatch(core) is not None
        if found is not None and not (shown == HIDDEN and last == HIDDEN):
            yield f"{found[1]}{shown}{found[3]}"
        last = shown


def _word(word: str, names: Names) -> str:
    if found := _ASSIGNMENT.fullmatch(word):
        return f"{found[1]}={HIDDEN}"
    if found := _LONG.fullmatch(word):
        return found[1] + (f"={HIDDEN}" if found[2] else "")
    if word.startswith("-"):
        return word if _CLUSTER.fullmatch(word) or word in ("-", "--") else word[:2] + HIDDEN
    is_known = word in _PROGRAMS or word in _WORDS or word in names.own | names.partner
    if not word or is_known or _PATH.fullmatch(word):
        return word
    return _host_and_path(word, names)


def _host_and_path(word: str, names: Names) -> str:
    """Show where a copy comes from; of the account only a bare name, of the rest only a path."""
    found = _HOST_PATH.fullmatch(word)
    if found is None:
        return HIDDEN
    user, host, rest = found[1], found[2], found[3]
    if host.strip("[]") not in names.own | names.partner:
        return HIDDEN
    account = "" if user is None else "root@" if user == "root" else f"{HIDDEN}@"
    path = rest.lstrip(":")
    is_path = not path or _PATH.fullmatch(path) is not None
    return f"{account}{host}{rest if is_path else rest[: len(rest) - len(path)] + HIDDEN}"
