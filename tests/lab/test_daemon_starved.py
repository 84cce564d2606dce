"""A daemon that is short of everything: descriptors, memory, disk, and time for its clients.

Owns what becomes of it and of those who ask: it says what it lacks, calls nobody dead for it, and
goes on when there is enough again. A disk that fills up in a takeover is told in the unit tests of
the journal and between real hosts.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import resource
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hamnd.journal import open_journal
from tests.lab.daemon_process import DaemonProcess, daemon_in
from tests.lab.site.fixtures import needs

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), needs("prlimit")]

HASTY = """
[watch]
reach_interval_s = 0.5
reach_suspicion_interval_s = 0.5
probe_timeout_s = 0.5
replication_interval_s = 1.0
readiness_interval_s = 2.0
"""
CLIENTS = 3000
STORM = 600
AT_ONCE = 100
PATIENCE_S = 10.0
"""How long anything may take on a busy machine; how quick it is, `make bench` measures."""


@pytest.fixture
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DaemonProcess]:
    folder = Path(tmp_path_factory.mktemp("d"))
    async with daemon_in(folder, getpass.getuser()) as process:
        process.configure(process.file.read_text() + HASTY)
        yield process


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process have as many as it may: the clients are its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CLIENTS + 500:
        pytest.skip(f"only {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (CLIENTS + 500, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _limit(daemon: DaemonProcess, what: str, value: int) -> None:
    assert daemon.process is not None
    argv = ["prlimit", f"--pid={daemon.process.pid}", f"--{what}={value}:"]
    subprocess.run(argv, check=True, timeout=20)


def _rounds(daemon: DaemonProcess) -> int:
    return daemon.calls.read_text().count("db2pd") if daemon.calls.exists() else 0


async def _is_watching(daemon: DaemonProcess, rounds: int = 3) -> None:
    """It answers, looks on, and calls nobody dead."""
    seen = _rounds(daemon)
    await daemon.until(lambda: _rounds(daemon) >= seen + rounds, 60.0)
    status = await daemon.status()
    assert _is_observed(status)
    assert status["mode"] == "normal"


def _is_observed(status: dict[str, Any]) -> bool:
    """Its primary's host refuses connections, so its services are down in time: no more than that
    is to be seen, and a host that refuses is never dead."""
    return (status["state"], status["cause"]) in (("Degraded", None), ("PrimaryDown", "service"))


def _descriptors(daemon: DaemonProcess) -> int:
    assert daemon.process is not None
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def _resident_kib(daemon: DaemonProcess) -> int:
    assert daemon.process is not None
    text = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))


async def test_without_descriptors_it_knows_less_and_goes_on_when_there_are_some(
    daemon: DaemonProcess,
) -> None:
    """Given a limit of open files that leaves nothing for probes or clients, then what cannot be
    run is unknown, and a minute later everything is as before."""
    await daemon.start()
    await _is_watching(daemon)
    _limit(daemon, "nofile", _descriptors(daemon) - 2)
    with contextlib.suppress(ConnectionError, IndexError, TimeoutError):
        async with asyncio.timeout(10.0):
            while True:
                code, document = await daemon.ask("status")
                assert code >= 500 or _is_observed(document)
    _limit(daemon, "nofile", 1024)
    await daemon.until(daemon._answers)
    await _is_watching(daemon)
    assert await daemon.end() == 0


async def test_without_memory_it_ends_or_goes_on_but_its_journal_is_whole(
    daemon: DaemonProcess,
) -> None:
    """Given no room for anything new, then hamnd may stop acting or end; it never says what is not
    so, and starts again from a journal whose chain is whole."""
    await daemon.start()
    await _is_watching(daemon)
    assert daemon.process is not None
    size = int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[0])
    _limit(daemon, "as", size * os.sysconf("SC_PAGESIZE") + 65_536)
    reason = "x" * 400
    for _ in range(40):
        with contextlib.suppress(ConnectionError, OSError, IndexError, ValueError, TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.gather(
                    *(daemon.ask("explain") for _ in range(8)),
                    daemon.ask("plan", {"kind": "takeover"}),
                    daemon.ask("clear", {"reason": reason}),
                )
        if daemon.process.returncode is not None:
            break
    if daemon.process.returncode is None:
        _limit(daemon, "as", resource.RLIM_INFINITY)
        await daemon.until(daemon._answers)
        status = await daemon.status()
        assert _is_observed(status)
        assert await daemon.end() == 0
    with open_journal(daemon.state) as journal:
        assert journal.verify().problem is None
    await daemon.start()
    assert _is_observed(await daemon.status())
    assert await daemon.end() == 0


async def test_thousands_of_connections_keep_no_operator_out(
    daemon: DaemonProcess, many_descriptors: None
) -> None:
    """Given three thousand clients who connect and say nothing or half a request, then an operator
    is answered all the while, and when they have gone, nothing of them stays."""
    await daemon.start()
    await _is_watching(daemon)
    descriptors, resident = _descriptors(daemon), _resident_kib(daemon)
    with contextlib.ExitStack() as clients:
        for number in range(CLIENTS):
            it = clients.enter_context(socket.socket(socket.AF_UNIX))
            it.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                it.connect(str(daemon.socket))
                it.send(b"GET /v1/sta" if number % 2 else b"")
            if number % 250 == 0:
                await daemon.until(daemon._answers, 5.0)  # some of its tries make room for others
        await _is_watching(daemon)
        assert _descriptors(daemon) <= descriptors + 80
    await daemon.until(lambda: _descriptors(daemon) <= descriptors + 8)
    assert _resident_kib(daemon) <= resident + 12_288
    assert await daemon.end() == 0


async def test_a_storm_of_scrapes_leaves_the_operator_his_answers(daemon: DaemonProcess) -> None:
    """Given a hundred scrapers that ask as fast as they can, then each gets metrics or is told to
    come again, an operator gets his status, and the rounds go on."""
    port = _free_port()
    daemon.reconfigure('listen = ""', f'listen = "127.0.0.1:{port}"')
    await daemon.start()
    await _is_watching(daemon)
    left, seen = [STORM], _rounds(daemon)

    async def scrape() -> None:
        while left[0] > 0:
            left[0] -= 1
            code = await _scraped(port)
            assert code in (200, 503)

    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(scrape(), name="scrape") for _ in range(AT_ONCE)]
    began, slowest = loop.time(), 0.0
    while not all(task.done() for task in tasks):
        asked = loop.time()
        assert _is_observed(await daemon.status())
        slowest = max(slowest, loop.time() - asked)
        await asyncio.sleep(0.05)
    await asyncio.gather(*tasks)
    took = loop.time() - began
    assert slowest < PATIENCE_S
    assert _rounds(daemon) - seen >= took / PATIENCE_S - 1, "rounds of a second went on"
    assert await daemon.end() == 0


def _free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


async def _scraped(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(30.0):
            answer = await reader.read()
        if b" 200 " in answer[:20]:
            assert b"hamnd_state" in answer
        # Who has asked nothing yet makes room for others.
        return int(answer.split()[1]) if answer else 503
    except ConnectionResetError:
        return 503  # so does whose question was not read yet
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.skipif(os.getuid() != 0, reason="a file system of its own needs root")
async def test_a_full_disk_at_every_write_of_the_state_directory(daemon: DaemonProcess) -> None:
    """Given a state directory that fills up while hamnd writes journal, runbook, reports and what
    the guard is told, then each of it is whole or the one before, hamnd says so, and it goes on
    when there is room again."""
    daemon.state.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=9m", "none", str(daemon.state)]
    if subprocess.run(argv, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        daemon.reconfigure("[journal]", "[journal]\nreserve_mib = 1")
        flood = daemon.state / "flood"
        await daemon.start()
        await _is_watching(daemon)
        kept = {
            path.name: path.read_bytes() for path in daemon.state.glob("runbook*") if path.is_file()
        }
        assert kept
        _fill(flood)
        for number in range(60):
            body = {"until": 2**31, "reason": f"{number} " + "x" * 480}
            code, document = await daemon.ask("hold", body)
            assert code in (200, 409, 503), document
            _fill(flood)
        daemon.signal(signal.SIGHUP)  # runbook and guard are written again
        await daemon.until(lambda: daemon.lines("reloaded") or daemon.lines("reload_refused"))
        for name, data in kept.items():
            assert (daemon.state / name).read_bytes() == data, name
        assert _is_observed(await daemon.status())
        flood.unlink()
        if (await daemon.status())["mode"] != "normal":
            code, _ = await daemon.ask("clear", {"reason": "there is room again"})
            assert code == 200
        await _is_watching(daemon)
        assert not list(daemon.state.glob(".*.new")), "no half file stays"
        assert await daemon.end() == 0
        with open_journal(daemon.state) as journal:
            assert journal.verify().problem is None
    finally:
        assert daemon.process is not None
        if daemon.process.returncode is None:
            daemon.process.kill()
            await daemon.process.wait()
        subprocess.run(["umount", str(daemon.state)], check=True)


def _fill(flood: Path) -> None:
    with flood.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


async def test_two_daemons_never_share_a_journal_or_a_socket(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    """Given one that runs, then a second with the same journal but a socket of its own, or the same
    socket but a journal of its own, ends with a sentence, and the first goes on."""
    await daemon.start()
    text = daemon.file.read_text()
    for number, (own, key) in enumerate(
        ((f"{tmp_path}/s", "/hamnd.sock"), (f"{tmp_path}/state", "/state"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with daemon_in(folder, getpass.getuser()) as second:
            second.configure(text.replace(f"{daemon.folder}{key}", own))
            await second.start(listens=False)
            assert await second.exit_code() == 1
            assert "another hamnd" in second.log.read_text()
    await _is_watching(daemon)
    assert await daemon.end() == 0
