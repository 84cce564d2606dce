"""Our own ping: the same answers as the program's, and the program where no socket will do."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace

import pytest

from hamnd.adapters import ping
from hamnd.adapters.clock import SystemClock
from hamnd.adapters.ping import PingRunner
from hamnd.dialects import reach
from hamnd.model.instant import Instant
from hamnd.model.names import Answer
from hamnd.model.site import Platform
from hamnd.model.work import Ending, Exec, Look, Looked, Report
from tests.builders import site

NOW = Instant(1.0, 1e9)


class Program:
    """Stands for the runner of this node."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.is_closed = False

    async def run(self, request: Exec, timeout_s: float) -> Report:
        self.ran.append(request.argv)
        return Report(Ending.EXITED, NOW, NOW, exit_code=2, stderr="ping: no route")

    async def close(self) -> None:
        self.is_closed = True


def can_ping() -> bool:
    try:
        ping._open(ping.V4).close()
    except OSError:
        return False
    return True


needs_socket = pytest.mark.skipif(not can_ping(), reason="no ICMP socket is allowed here")


async def heard(look: Look, program: Program) -> Answer:
    assert isinstance(look.request, Exec)
    runner = PingRunner(SystemClock(), program)
    report = await runner.run(look.request, look.timeout_s)
    return reach.read_answer(Looked(look, report), path_is_proven=True)


@needs_socket
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_echo_is_an_answer_and_needs_no_program(address: str) -> None:
    if ":" in address and not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6 here")
    program = Program()
    assert await heard(reach.ping(site(), "mn1", address), program) is Answer.ANSWERED
    assert program.ran == []


@needs_socket
async def test_nothing_heard_within_the_limit_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a dead machine: the echo went out, and what comes is nobody's answer to it."""
    monkeypatch.setattr(ping, "_is_reply", lambda *_: False)
    program = Program()
    look = reach.ping(site(), "mn1", "127.0.0.1", timeout_s=1.0)
    assert await heard(look, program) is Answer.SILENT
    assert program.ran == []


@pytest.mark.parametrize(
    "look",
    [
        reach.ping(site(tools={"ping": "/opt/bin/ping"}), "mn1", "127.0.0.1"),
        reach.ping(site(), "mn1", "127.0.0.1", source="127.0.0.2"),
        reach.ping(replace(site(), platform=Platform.AIX), "mn1", "127.0.0.1"),
        reach.ping(site(), "mn1", "mn1.cluster"),
    ],
    ids=["named in tools", "from a source", "AIX", "a name"],
)
async def test_what_a_socket_cannot_ask_alike_is_left_to_the_program(look: Look) -> None:
    program = Program()
    assert await heard(look, program) is Answer.UNKNOWN
    assert isinstance(look.request, Exec)
    assert program.ran == [look.request.argv]


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENETUNREACH])
async def test_without_a_socket_the_program_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(ping, "_open", refuse)
    program = Program()
    assert await heard(reach.ping(site(), "mn1", "127.0.0.1"), program) is Answer.UNKNOWN
    assert len(program.ran) == 1


@pytest.mark.parametrize("kind", [ping.V4, ping.V6])
def test_only_the_answer_to_our_own_echo_counts(kind: ping._Family) -> None:
    token = b"hamnd..." * 7
    request = ping._echo(kind, 7, token)
    reply = bytes([kind.reply]) + request[1:]
    assert ping._is_reply(kind, reply, 7, token)
    assert not ping._is_reply(kind, request, 7, token), "our own request, heard on loopback"
    assert not ping._is_reply(kind, reply, 8, token)
    assert not ping._is_reply(kind, reply[:-1] + b"x", 7, token)
    assert not ping._is_reply(kind, reply[:6], 7, token)
    assert not ping._is_reply(kind, b"", 7, token)
    if kind is ping.V4:
        assert ping._is_reply(kind, b"\x45" + bytes(19) + reply, 7, token), "raw: with IP header"
        assert ping._checksum(request) == 0


async def test_everything_else_runs_below_and_closing_closes_that() -> None:
    program = Program()
    runner = PingRunner(SystemClock(), program)
    await runner.run(Exec("mn2", ("db2pd", "-hadr")), 1.0)
    await runner.close()
    assert program.ran == [("db2pd", "-hadr")]
    assert program.is_closed
