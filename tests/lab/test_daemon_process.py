"""The real daemon as a process: starts, answers, reloads, halts, drains, disturbs nothing."""

from __future__ import annotations

import asyncio
import getpass
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.lab.daemon_process import DaemonProcess, daemon_in

pytestmark = pytest.mark.lab

READS = re.compile(
    r"ping |db2pd |db2 (-x )?(get|\+o|connect|terminate|values|select)|crontab (-u \S+ )?-l"
    r"|systemctl (is-|list-|show|status|cat)|ip (-o |-j )*(addr|link) show|lsxcatd |lsdef "
)
"""What a daemon may call that was asked for nothing."""


@pytest.fixture
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DaemonProcess]:
    folder = Path(tmp_path_factory.mktemp("d"))
    async with daemon_in(folder, getpass.getuser()) as process:
        yield process


async def test_it_answers_on_its_socket_and_ends_with_zero(daemon: DaemonProcess) -> None:
    await daemon.start()
    await daemon.until(lambda: "READY=1" in daemon.notifications())
    status = await daemon.status()
    assert status["schema"] == "hamnd.status/1"
    assert status["state"] == "Degraded"
    assert status["mode"] == "normal"
    assert await daemon.end() == 0
    assert "STOPPING=1" in daemon.notifications()
    assert not daemon.socket.exists()


async def test_starting_watching_and_stopping_only_read(daemon: DaemonProcess) -> None:
    await daemon.start()
    await daemon.until(lambda: "READY=1" in daemon.notifications())
    await daemon.until(lambda: daemon.calls.exists() and "db2pd" in daemon.calls.read_text())
    assert await daemon.end() == 0
    calls = daemon.calls.read_text().splitlines()
    assert [call for call in calls if not READS.match(call)] == []


async def test_a_second_daemon_is_turned_away_and_the_first_goes_on(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    await daemon.start()
    async with daemon_in(tmp_path, getpass.getuser()) as second:
        second.configure(daemon.file.read_text())
        await second.start(listens=False)
        assert await second.exit_code() == 1
        assert "another hamnd" in second.log.read_text()
    assert (await daemon.status())["state"] == "Degraded"


async def test_a_reload_is_applied_whole_or_not_at_all(daemon: DaemonProcess) -> None:
    await daemon.start()

    async def down_after() -> float:
        _, document = await daemon.ask("explain")
        return float(document["terms"]["down_after_s"])

    assert await down_after() == 4.0
    daemon.configure(daemon.file.read_text() + "[watch]\ndown_after_s = 0.5\nnonsense = 1\n")
    daemon.signal(signal.SIGHUP)
    await daemon.until(lambda: daemon.lines("reload_refused"))
    told = {line["path"] for line in daemon.lines("configuration_problem")}
    assert {"watch.nonsense", "watch.down_after_s"} <= told
    assert await down_after() == 4.0

    daemon.reconfigure("down_after_s = 0.5\nnonsense = 1", "down_after_s = 9.0")
    daemon.signal(signal.SIGHUP)
    await daemon.until(lambda: daemon.lines("reloaded"))
    assert await down_after() == 9.0
    assert any("RELOADING=1" in one for one in daemon.notifications())
    await daemon.until(lambda: daemon.notifications().count("READY=1") >= 2)
    assert await daemon.end() == 0


async def test_a_damaged_journal_is_served_as_observe_only_and_led_out_of(
    daemon: DaemonProcess,
) -> None:
    await daemon.start()
    assert await daemon.end() == 0
    journal = daemon.state / "journal.db"
    journal.write_bytes(b"x" * 100 + journal.read_bytes()[100:])

    await daemon.start()
    status = await daemon.status()
    assert status["mode"] == "observe_only"
    assert "damaged" in status["mode_reason"]
    refused = await daemon.hamnctl("clear", "--reason", "let me")
    assert refused.code == 3
    assert "stays observe_only" in refused.told
    assert "hamnctl journal restart --reason TEXT, then: hamnctl clear" in refused.told

    code, _ = await daemon.ask("journal-restart", {"reason": "the disk was full"})
    assert code == 200
    assert (await daemon.status())["mode"] == "observe_only"
    code, _ = await daemon.ask("clear", {"reason": "the journal is new"})
    assert code == 200
    assert (await daemon.status())["mode"] == "normal"
    assert await daemon.end() == 0
    assert list(daemon.state.glob("journal.db.damaged-*"))
    with sqlite3.connect(journal) as connection:
        told = [row[0] for row in connection.execute("SELECT what FROM journal ORDER BY seq")]
    connection.close()
    assert told[0] == "journal_restarted"


async def test_a_daemon_that_hangs_is_named_and_its_journal_answers(
    daemon: DaemonProcess,
) -> None:
    await daemon.start()
    await daemon.until(lambda: "READY=1" in daemon.notifications())
    assert daemon.process is not None
    daemon.signal(signal.SIGSTOP)
    try:
        status = await daemon.hamnctl("status")
        assert status.code == 0
        assert status.told.startswith("OLD: ")
        assert f"hamnd (process {daemon.process.pid})" in status.told
        assert "nothing came within 5 s" in status.told
        assert "STATE ? Degraded" in status.told
        assert "systemctl restart hamnd" in status.told
        explain = await daemon.hamnctl("explain")
        assert explain.code == 6
        assert "nothing came within 5 s" in explain.told
        assert "systemctl restart hamnd" in explain.told
    finally:
        daemon.signal(signal.SIGCONT)
    assert (await daemon.hamnctl("explain")).code == 0
    assert await daemon.end() == 0


async def test_a_client_that_breaks_off_is_no_error_of_hamnd(daemon: DaemonProcess) -> None:
    await daemon.start()
    _, writer = await asyncio.open_unix_connection(daemon.socket)
    writer.write(b"POST /v1/plan HTTP/1.1\r\nHost: hamnd\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()
    await daemon.until(lambda: daemon.ask("status"))  # so the other one is being read by now
    writer.transport.abort()
    await daemon.until(lambda: daemon.lines("client_gone"))
    levels = {line["level"] for line in daemon.every_line() if "request" in str(line["event"])}
    assert "error" not in levels
    assert await daemon.end() == 0


async def test_observe_only_survives_kill_and_restart(daemon: DaemonProcess) -> None:
    await daemon.start()
    assert await daemon.end() == 0
    (daemon.state / "journal.db").write_bytes(b"no database at all" * 100)
    await daemon.start()
    await daemon.ask("journal-restart", {"reason": "broken"})
    assert (await daemon.status())["mode"] == "observe_only"
    assert await daemon.end(signal.SIGKILL) == -signal.SIGKILL
    await daemon.start()
    assert (await daemon.status())["mode"] == "observe_only"
    assert await daemon.end() == 0


async def test_a_watch_stream_ends_with_the_daemon(daemon: DaemonProcess) -> None:
    await daemon.start()
    reader, writer = await asyncio.open_unix_connection(daemon.socket)
    writer.write(b"GET /v1/watch HTTP/1.1\r\nHost: hamnd\r\n\r\n")
    async with asyncio.timeout(20):
        while b"hamnd.status/1" not in await reader.readline():
            continue
    ending = asyncio.get_running_loop().create_task(daemon.end())
    async with asyncio.timeout(20):
        await reader.read()
    writer.close()
    assert await ending == 0


async def test_a_bad_file_at_the_start_is_exit_two(daemon: DaemonProcess) -> None:
    daemon.configure("platform = 7\n")
    await daemon.start(listens=False)
    assert await daemon.exit_code() == 2
    assert "platform" in daemon.log.read_text()
    assert not daemon.state.exists()
