"""Who speaks on a unix socket: what the kernel knows, and the login behind sudo.

Owns `PeerIdentity`. Must not know what the caller wants. Where the kernel tells nothing (AIX has no
SO_PEERCRED, aix.md §9), owner and mode of the socket alone decided who could connect, and that
counts as permission.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from hamnd.ports import Caller

SO_PEERGROUPS = 59
"""Linux 4.13, asm-generic/socket.h: all groups of the peer; Python has no name for it."""

GROUPS_MAX = 65_536
NOBODY_LOGGED_IN = 4_294_967_295
"""/proc/PID/loginuid of a process that no login started (auditd(8))."""

LOOKUP_S = 2.0
"""For names of users and groups: a directory server may be among what just died."""

NAME_CHARACTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class _Credentials:
    pid: int
    uid: int
    gid: int
    groups: frozenset[int]


class PeerIdentity:
    """Tells callers from each other, and who of them may change anything."""

    def __init__(self, operators: str, users: tuple[str, ...] = ()) -> None:
        """Take the group and the further users whose members may operate; root always may."""
        self._operators = operators
        self._users = frozenset(users)

    async def identify(self, connection: socket.socket) -> Caller:
        """Return who is at the other end, within `LOOKUP_S`."""
        credentials = _credentials(connection)
        if credentials is None:
            name = f"somebody who may use the socket (group {self._operators})"
            return Caller(uid=-1, gid=-1, pid=-1, name=name, may_operate=True)
        try:
            async with asyncio.timeout(LOOKUP_S):
                return await asyncio.to_thread(self._caller, credentials)
        except TimeoutError:
            # Without names, root alone is known.
            return Caller(
                credentials.uid,
                credentials.gid,
                credentials.pid,
                f"uid {credentials.uid}",
                credentials.uid == 0,
            )

    def _caller(self, credentials: _Credentials) -> Caller:
        user = _user_name(credentials.uid)
        return Caller(
            uid=credentials.uid,
            gid=credentials.gid,
            pid=credentials.pid,
            name=user + _login_behind(credentials, user),
            may_operate=credentials.uid == 0
            or user in self._users
            or self._is_operator(credentials, user),
        )

    def _is_operator(self, credentials: _Credentials, user: str) -> bool:
        try:
            operators = grp.getgrnam(self._operators)
        except KeyError:
            return False
        return operators.gr_gid in credentials.groups or user in operators.gr_mem


def _credentials(connection: socket.socket) -> _Credentials | None:
    number = getattr(socket, "SO_PEERCRED", None)
    if number is None:
        return None
    data = connection.getsockopt(socket.SOL_SOCKET, number, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", data)
    return _Credentials(pid, uid, gid, frozenset({gid, *_groups(connection, pid)}))


def _groups(connection: socket.socket, pid: int) -> list[int]:
    """Return the peer's supplementary groups: those it connected with, else those it has now."""
    with contextlib.suppress(OSError):
        data = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * GROUPS_MAX)
        return list(struct.unpack(f"{len(data) // 4}I", data))
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("Groups:"):
                return [int(word) for word in line.split()[1:]]
    return []


def _login_behind(credentials: _Credentials, user: str) -> str:
    """Return " (login anna)" when somebody else's login stands behind this user.

    The login uid is the kernel's and survives su and sudo; SUDO_USER is what sudo, or root, said.
    """
    with contextlib.suppress(OSError, ValueError):
        text = Path(f"/proc/{credentials.pid}/loginuid").read_text(encoding="utf-8")
        login_uid = int(text)
        if login_uid not in (NOBODY_LOGGED_IN, credentials.uid):
            return f" (login {_user_name(login_uid)})"
        if login_uid == credentials.uid:
            return ""
    if credentials.uid == 0:
        with contextlib.suppress(OSError):
            for pair in Path(f"/proc/{credentials.pid}/environ").read_bytes().split(b"\0"):
                name, _, value = os.fsdecode(pair).partition("=")
                if name == "SUDO_USER" and value != user and _is_name(value):
                    return f" (login {value})"
    return ""


def _is_name(value: str) -> bool:
    return bool(value) and len(value) <= NAME_CHARACTERS_MAX and value.isprintable()


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
