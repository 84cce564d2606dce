"""Reach probes against real sockets: every fault of lab.md §4 that loopback can show."""

from __future__ import annotations

import asyncio
import datetime
import errno
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.reach import SILENT, SocketReacher, _after_error
from hamnd.model.names import Probe
from hamnd.model.work import Ending, Reach, Report

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GOOD = (
    "<xcatresponse>\n  <data>Version 2.16.5 (git commit 1)</data>\n</xcatresponse>\n"
    "<xcatresponse>\n  <serverdone></serverdone>\n</xcatresponse>\n"
)
DENIED = (
    "<xcatresponse>\n  <error>Permission denied for request</error>\n"
    "  <serverdone></serverdone>\n</xcatresponse>\n"
)


@asynccontextmanager
async def server(
    serve: Serve, context: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> AsyncIterator[int]:
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await serve(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(handle, address, 0, ssl=context)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # transports close their sockets in the next turn
        await asyncio.sleep(0)


async def probe(kind: Probe, port: int | None, limit_s: float = 5.0) -> Report:
    return await SocketReacher(SystemClock()).reach(
        Reach("aixmn1", "127.0.0.1", kind, port), limit_s
    )


def says(*pieces: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece.encode())
            await writer.drain()
        await reader.read()  # until the other side goes

    return serve


def says_and_closes(text: str) -> Serve:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text.encode())
        writer.close()
        await writer.wait_closed()

    return serve


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port: int = probe_socket.getsockname()[1]
    return port


def make_credential(path: Path, until_year: int) -> Path:
    """Write certificate and key into one file, as xCAT's client-cred.pem."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2010, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(until_year, 1, 1, tzinfo=datetime.UTC))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + cert.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_credential(tmp_path_factory.mktemp("xcat") / "client-cred.pem", 2099)


@pytest.fixture(scope="module")
def xcatd_tls(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """The server's own certificate has expired: no reason to call it dead."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_credential(tmp_path_factory.mktemp("xcatd") / "server.pem", 2011))
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def test_an_open_port_answers_a_tcp_probe() -> None:
    async with server(says()) as port:
        report = await probe(Probe.TCP, port)
    assert (report.ending, report.exit_code) == (Ending.EXITED, 0)
    assert report.finished >= report.started


@pytest.mark.parametrize("kind", [Probe.TCP, Probe.SSH_BANNER, Probe.XCATD])
async def test_a_closed_port_is_refused(kind: Probe, closed_port: int) -> None:
    report = await probe(kind, closed_port)
    assert report.ending is Ending.REFUSED
    assert report.exit_code is None


@pytest.mark.parametrize("kind", [Probe.SSH_BANNER, Probe.XCATD])
async def test_a_frozen_host_connects_and_stays_silent(kind: Probe) -> None:
    """The kernel completes the connection out of its backlog; nobody is left to accept it."""
    with socket.create_server(("127.0.0.1", 0), backlog=5) as frozen:
        port = frozen.getsockname()[1]
        report = await probe(kind, port, 0.3)
        assert report.ending is Ending.NO_REPLY
        assert SILENT in report.detail
        assert (await probe(Probe.TCP, port, 0.3)).exit_code == 0


async def test_no_reply_to_connect_says_so() -> None:
    """A full backlog drops the SYN, as a filter or a dead host would."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            report = await probe(Probe.TCP, port, 0.3)
        finally:
            for filler in fillers:
                filler.close()
    assert report.ending is Ending.NO_REPLY
    assert "no answer to connect" in report.detail


async def test_the_ssh_banner_is_the_line_that_starts_with_ssh() -> None:
    async with server(says("Welcome to aix", "mn1\r\nSSH-2.0-Open", "SSH_8.1\r\nmore")) as port:
        report = await probe(Probe.SSH_BANNER, port)
    assert (report.exit_code, report.stdout) == (0, "SSH-2.0-OpenSSH_8.1")


@pytest.mark.parametrize("text", ["HTTP/1.1 400 Bad Request\r\n", "x" * 20_000])
async def test_something_else_on_the_ssh_port_is_a_wrong_answer(text: str) -> None:
    async with server(says_and_closes(text)) as port:
        report = await probe(Probe.SSH_BANNER, port)
    assert (report.ending, report.exit_code) == (Ending.EXITED, 1)
    assert "not as ssh" in report.detail


@pytest.mark.parametrize("kind", [Probe.SSH_BANNER, Probe.XCATD])
async def test_a_host_that_closes_at_once_is_alive(kind: Probe) -> None:
    async with server(says_and_closes("")) as port:
        report = await probe(kind, port)
    assert report.ending is Ending.REFUSED
    assert "closed" in report.detail


@pytest.mark.parametrize("answer", [GOOD, DENIED])
async def test_xcatd_gets_a_request_and_its_whole_answer_comes_back(
    answer: str, xcatd_tls: ssl.SSLContext
) -> None:
    asked: list[str] = []

    async def xcatd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"</xcatrequest>\n")).decode())
        for start in range(0, len(answer), 40):  # in pieces, and the connection stays open
            writer.write(answer[start : start + 40].encode())
            await writer.drain()
        await reader.read()

    async with server(xcatd, xcatd_tls) as port:
        report = await probe(Probe.XCATD, port)
    assert (report.ending, report.exit_code, report.stdout) == (Ending.EXITED, 0, answer)
    assert "<command>lsxcatd</command>" in asked[0]
    assert "<arg>-v</arg>" in asked[0]


async def test_xcatd_is_shown_the_client_certificate_when_there_is_one(
    certificate: Path, xcatd_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    shown: list[bool] = []

    async def xcatd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.append(bool(writer.get_extra_info("peercert")))
        await reader.readuntil(b"</xcatrequest>\n")
        writer.write(GOOD.encode())
        await reader.read()

    credential = tmp_path / "client-cred.pem"
    reacher = SocketReacher(SystemClock(), credential)
    async with server(xcatd, xcatd_tls) as port:
        request = Reach("aixmn1", "127.0.0.1", Probe.XCATD, port)
        assert (await reacher.reach(request, 5)).exit_code == 0
        credential.write_text("this is no certificate")
        assert (await reacher.reach(request, 5)).exit_code == 0
        credential.write_bytes(certificate.read_bytes())
        os.utime(credential, (1, 1))  # the file changed: it is read again
        assert (await reacher.reach(request, 5)).exit_code == 0
    assert shown == [False, False, True]


async def test_an_answer_that_breaks_off_is_not_a_good_one(xcatd_tls: ssl.SSLContext) -> None:
    async with server(says_and_closes("<xcatresponse>\n  <data>Ver"), xcatd_tls) as port:
        report = await probe(Probe.XCATD, port)
    assert (report.ending, report.exit_code) == (Ending.EXITED, 1)
    assert "broke off" in report.detail


async def test_the_answer_is_read_until_xcatd_says_that_it_is_done(
    xcatd_tls: ssl.SSLContext,
) -> None:
    """Every message is an element of its own; the first one may look like all of it."""

    async def xcatd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"</xcatrequest>\n")
        for message in GOOD.splitlines(keepends=True):
            writer.write(message.encode())
            await asyncio.sleep(0.02)  # a slow xcatd, not a waiting test
        await reader.read()

    async with server(xcatd, xcatd_tls) as port:
        report = await probe(Probe.XCATD, port)
    assert (report.exit_code, report.stdout) == (0, GOOD)


async def test_xcatd_that_stops_in_the_middle_gives_no_reply(xcatd_tls: ssl.SSLContext) -> None:
    async with server(says("<xcatresponse>\n  <data>Ver"), xcatd_tls) as port:
        report = await probe(Probe.XCATD, port, 0.5)
    assert report.ending is Ending.NO_REPLY


async def test_a_server_without_tls_is_a_wrong_answer() -> None:
    async with server(says("220 mail ready\r\n")) as port:
        report = await probe(Probe.XCATD, port)
    assert (report.ending, report.exit_code) == (Ending.EXITED, 1)
    assert "TLS" in report.detail


async def test_an_endless_answer_is_cut(xcatd_tls: ssl.SSLContext) -> None:
    async with server(says(*["x" * 10_000] * 20), xcatd_tls) as port:
        report = await probe(Probe.XCATD, port)
    assert (report.ending, report.exit_code) == (Ending.EXITED, 1)
    assert len(report.stdout) < 200_000


async def test_a_name_that_does_not_resolve_could_not_run() -> None:
    report = await SocketReacher(SystemClock()).reach(
        Reach("aixmn1", "no-such-name.invalid", Probe.TCP, 22), 5
    )
    assert report.ending in (Ending.COULD_NOT_RUN, Ending.NO_REPLY)  # the latter: a slow resolver


async def test_ipv6_is_spoken() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    async with server(says("SSH-2.0-x\r\n"), address="::1") as port:
        report = await SocketReacher(SystemClock()).reach(
            Reach("aixmn1", "::1", Probe.SSH_BANNER, port), 5
        )
    assert report.exit_code == 0


async def test_ping_is_not_a_socket_probe() -> None:
    assert (await probe(Probe.PING, None)).ending is Ending.COULD_NOT_RUN
    assert (await probe(Probe.TCP, None)).ending is Ending.COULD_NOT_RUN


@pytest.mark.parametrize(
    ("number", "ending"),
    [
        (errno.ENETUNREACH, Ending.COULD_NOT_RUN),
        (errno.EADDRNOTAVAIL, Ending.COULD_NOT_RUN),
        (errno.EPERM, Ending.COULD_NOT_RUN),
        (errno.EMFILE, Ending.COULD_NOT_RUN),
        (errno.EHOSTUNREACH, Ending.NO_REPLY),
        (errno.ECONNREFUSED, Ending.REFUSED),
    ],
)
def test_what_fails_on_our_side_says_nothing(number: int, ending: Ending) -> None:
    assert _after_error(OSError(number, os.strerror(number)), False).ending is ending


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="network namespaces need root")
def test_no_route_could_not_run_and_a_dead_neighbour_gives_no_reply() -> None:
    """In a network namespace of its own: first without any route, then with an empty wire."""
    code = """
import asyncio, sys
from hamnd.adapters.clock import SystemClock
from hamnd.adapters.reach import SocketReacher
from hamnd.model.names import Probe
from hamnd.model.work import Reach
report = asyncio.run(SocketReacher(SystemClock()).reach(
    Reach("aixmn1", "192.0.2.9", Probe.TCP, 22), 6))
print(report.ending, report.detail)
"""
    script = (
        f"{sys.executable} -c '{code}'; ip link add v0 type veth peer name v1 && "
        f"ip addr add 192.0.2.1/24 dev v0 && ip link set v0 up && ip link set v1 up && "
        f"{sys.executable} -c '{code}'"
    )
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if "Operation not permitted" in done.stderr or not done.stdout:
        pytest.skip(f"no network namespace: {done.stderr.strip()}")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("could_not_run"), lines
    if len(lines) < 2:
        pytest.skip(f"no veth or ip here: {done.stderr.strip()}")
    assert lines[1].startswith("no_reply"), lines
