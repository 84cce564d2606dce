"""Pings without a program: one ICMP echo over a socket of our own, every second, for years.

Owns `PingRunner`, which stands before this node's runner and answers our own `ping` command lines
itself. Must not know what an answer means (dialects), nor guess one: whatever the socket cannot do
or send is left to the program, whose complaints the dialect can read.

Linux gives such sockets to groups in net.ipv4.ping_group_range (icmp(7)), raw ones to CAP_NET_RAW.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import itertools
import os
import socket
import struct
from dataclasses import dataclass

from hamnd.dialects.reach import OnePing, as_one_ping, ping_summary
from hamnd.model.work import Ending, Exec, Report
from hamnd.ports import Clock, CommandRunner

HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence (RFC 792, RFC 4443 §4.1)."""
ANSWER_BYTES_MAX = 2_048
PAYLOAD_BYTES = 56
"""As much as `ping` sends."""
NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT})


@dataclass(frozen=True, slots=True)
class _Family:
    """How one address family spells an echo."""

    family: socket.AddressFamily
    protocol: int
    request: int
    reply: int


V4 = _Family(socket.AF_INET, socket.IPPROTO_ICMP, 8, 0)
V6 = _Family(socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129)


class PingRunner:
    """Runs programs on this node (port `CommandRunner`); plain pings need none."""

    def __init__(self, clock: Clock, below: CommandRunner) -> None:
        """Take who runs everything else, and the pings that no socket can send."""
        self._clock = clock
        self._below = below
        self._numbers = itertools.count(1)

    async def run(self, request: Exec, timeout_s: float) -> Report:
        """Ping over a socket where that is asked and allowed; run the program otherwise."""
        asked = as_one_ping(request.argv) if request.user is None else None
        if asked is None:
            return await self._below.run(request, timeout_s)
        started = self._clock.now()
        try:
            was_answered = await self._ping(asked, min(timeout_s, asked.limit_s))
        except (OSError, ValueError):  # no such socket here, no route, a filter, not an address
            return await self._below.run(request, timeout_s)
        code, told = (0 if was_answered else 1), ping_summary(was_answered)
        return Report(Ending.EXITED, started, self._clock.now(), exit_code=code, stdout=told)

    async def close(self) -> None:
        """Close what is below."""
        await self._below.close()

    async def _ping(self, asked: OnePing, limit_s: float) -> bool:
        """Return whether the echo came back in time. Raises OSError and ValueError."""
        address = ipaddress.ip_address(asked.address)
        kind = V4 if address.version == 4 else V6
        number = next(self._numbers) & 0xFFFF
        token = struct.pack("!II", os.getpid(), number) * (PAYLOAD_BYTES // 8)
        loop = asyncio.get_running_loop()
        with _open(kind) as connection:
            connection.setblocking(False)
            await loop.sock_sendto(connection, _echo(kind, number, token), (asked.address, 0))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    while True:
                        heard = await loop.sock_recv(connection, ANSWER_BYTES_MAX)
                        if _is_reply(kind, heard, number, token):
                            return True
        return False


def _open(kind: _Family) -> socket.socket:
    """Return a socket for echoes; a raw one where an unprivileged one is not allowed."""
    try:
        return socket.socket(kind.family, socket.SOCK_DGRAM, kind.protocol)
    except OSError as error:
        if error.errno not in NOT_ALLOWED:
            raise
        return socket.socket(kind.family, socket.SOCK_RAW, kind.protocol)


def _echo(kind: _Family, number: int, token: bytes) -> bytes:
    """Return an echo request; the kernel puts its own identifier into an unprivileged one."""
    identifier = os.getpid() & 0xFFFF
    blank = HEADER.pack(kind.request, 0, 0, identifier, number) + token
    # Over IPv6 the kernel computes it: it covers the addresses too.
    checksum = _checksum(blank) if kind is V4 else 0
    return HEADER.pack(kind.request, 0, checksum, identifier, number) + token


def _is_reply(kind: _Family, heard: bytes, number: int, token: bytes) -> bool:
    """Whether a packet is the answer to our own echo: a raw socket hears everybody's."""
    if kind is V4 and heard[:1] and heard[0] >> 4 == 4:  # a raw one begins with the IP header
        heard = heard[(heard[0] & 0x0F) * 4 :]
    if len(heard) < HEADER.size:
        return False
    message, _, _, _, sequence = HEADER.unpack_from(heard)
    return message == kind.reply and sequence == number and heard[HEADER.size :] == token


def _checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
