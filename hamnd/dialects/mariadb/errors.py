"""The numbers of errors: what they mean for the pair, in plain words, and what to run.

Owns the words. Must not judge whether a pair is protected. The numbers are the server's own
(MariaDB manual, Error Codes; MySQL 8 reference, Server Error Messages).
"""

from __future__ import annotations

import re

_MASTER_LACKS = "the primary no longer has what this replica needs next"
_RECLONE = "copy the standby anew (there is no rewind)"

_WORDS = {
    1032: (
        "the row to change or delete is not here: somebody wrote on this standby, or it was "
        f"copied wrongly; compare both, then {_RECLONE}"
    ),
    1045: "the primary refuses the replication user or its password",
    1062: (
        "the row to insert is here already: somebody wrote on this standby; skipping it would hide "
        f"what else differs: {_RECLONE}"
    ),
    1040: "the primary has no connection left (max_connections)",
    1129: "the primary has blocked this host after failed connections: FLUSH HOSTS there",
    1130: "the primary does not let this host in: the replication user's host part is wrong",
    1146: f"a table that the primary changed is not here: {_RECLONE}",
    1227: "the replication user lacks a privilege: GRANT REPLICATION SLAVE ON *.* TO that user",
    1236: (
        f"{_MASTER_LACKS}: its binary log was purged, or this server has transactions that the "
        f"primary never had (diverged); {_RECLONE}"
    ),
    1290: "a server option forbids the statement (read-only?)",
    1593: "this replica's relay log or its settings are unusable for the receiver",
    1594: "the relay log here cannot be read: STOP REPLICA; START REPLICA fetches it again",
    1595: "the receiver could not write the relay log: is the disk full?",
    1021: "disk full: the server waits for somebody to free space",
    1026: "a file could not be written: is the disk full?",
    1114: "a table is full: is the disk full?",
    1950: (
        "a transaction with this or a later number is here already: somebody wrote on this "
        f"standby (gtid_strict_mode); {_RECLONE}"
    ),
    1927: "the connection was killed",
    2002: "nothing listens at the primary's address",
    2003: "the primary cannot be reached over the network",
    2005: "the primary's name is not known here",
    2013: "the connection broke in the middle",
    2026: "the encrypted connection could not be set up",
    13114: (
        f"{_MASTER_LACKS}: its binary log was purged, or this server has transactions that the "
        f"primary never had (diverged); {_RECLONE}"
    ),
}
_NUMBER = re.compile(r"(?:fatal error |errno: |error:? '?)(\d{3,5})\b", re.IGNORECASE)
_DISK = re.compile(r"errno: 28\b|No space left|disk (?:is )?full", re.IGNORECASE)
TEXT_CHARS_MAX = 200


def in_words(number: int, text: str) -> str:
    """Return an error as people can act on it: number, meaning, and the server's own text."""
    if _DISK.search(text):
        words = "disk full: free some space; the server goes on by itself or by START REPLICA"
    else:
        words = _WORDS.get(number, "")
        inner = (_WORDS.get(int(one)) for one in _NUMBER.findall(text))
        words = words or next((one for one in inner if one), "")
    said = " ".join(text.split())[:TEXT_CHARS_MAX]
    return f"error {number}: {words} ({said})" if words else f"error {number}: {said}"
