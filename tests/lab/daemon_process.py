"""A real hamnd process on fake tools: its configuration, its socket, its end.

Owns `DaemonProcess`, for the lab tests of the daemon. Loopback and unix sockets only; every tool
writes down how it was called and answers nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

TOOLS = (
    *("ping", "arping", "crontab", "ip", "systemctl", "db2", "db2pd", "lsxcatd", "lsdef"),
    *("mkdef", "rmdef", "makedns", "makedhcp", "makeconservercf", "makegocons"),
)
LIMIT_S = 30.0

CONFIGURATION = """
cluster = "xcat"
node = "mn2"
platform = "linux"
operators = "root"
operators_users = [{user}]
[primary]
name = "mn1"
address = "127.0.0.2"
ssh_port = 2
xcatd_port = 3
[standby]
name = "mn2"
address = "127.0.0.1"
[guard]
when_unknown = "hold"
[identity]
mode = "service_address"
[[identity.address]]
interface = "lo"
address = "127.0.0.9"
prefix = 8
name = "xcatmn"
[network]
gateway = "127.0.0.3"
[replication]
engine = "db2"
[replication.db2]
database = "XCATDB"
instance_owner = {user}
[ssh]
transport = "openssh"
key_file = "{folder}/key"
known_hosts_file = "{folder}/known_hosts"
[tools]
path = "{folder}/bin:/usr/bin:/bin"
[journal]
timeout_s = 20
[paths]
state_dir = "{folder}/state"
socket = "{folder}/hamnd.sock"
[metrics]
listen = ""
"""


IMPATIENT = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from hamnd.adapters.logs import configure_logs
from hamnd.daemon.configuration import read_configuration
from hamnd.daemon.parts import Limits
from hamnd.daemon.service import Service
path = Path(sys.argv[-1])
found = read_configuration(path, host_decides=False)
configure_logs("info")
limits = Limits(drain_s={drain_s})
asyncio.run(Service(path, found.terms, found.journal_timeout_s, limits).run())
"""
"""The daemon with a shorter patience at its end than the 45 s of production."""


class Told(NamedTuple):
    """How a call of hamnctl ended; what it told is in one line."""

    code: int
    told: str


class DaemonProcess:
    """One hamnd process at a time in a folder of its own."""

    def __init__(self, folder: Path, user: str) -> None:
        self.folder = folder
        self.file = folder / "hamnd.toml"
        self.socket = folder / "hamnd.sock"
        self.state = folder / "state"
        self.calls = folder / "calls"
        self.log = folder / "log"
        self.process: asyncio.subprocess.Process | None = None
        self.told: list[str] = []
        self.environment: dict[str, str] = {}
        """What it gets besides ours: a clock of its own."""
        self.wrapper: tuple[str, ...] = ()
        """What it is started by: a program that limits it and becomes it."""
        self._notify: socket.socket | None = None
        self.configure(CONFIGURATION.format(folder=folder, user=json.dumps(user)))
        for name in ("key", "known_hosts"):
            (folder / name).write_text("")
            (folder / name).chmod(0o600)
        (folder / "bin").mkdir()
        for tool in TOOLS:
            program = folder / "bin" / tool
            program.write_text(f'#!/bin/sh\necho "{tool} $*" >> {self.calls}\nexit 1\n')
            program.chmod(0o755)

    def configure(self, text: str) -> None:
        self.file.write_text(text)

    def reconfigure(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    async def start(self, *, listens: bool = True, drain_s: float | None = None) -> None:
        """Start it and, unless it should fail, wait until it answers on its socket."""
        program = ("-m", "hamnd") if drain_s is None else ("-c", IMPATIENT.format(drain_s=drain_s))
        self._listen_to_notifications()
        environment = dict(os.environ) | {"NOTIFY_SOCKET": str(self.folder / "notify")}
        environment |= self.environment
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.wrapper, sys.executable, *program, "--config", str(self.file),
                stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL, env=environment,
                cwd=self.folder,
            )  # fmt: skip
        if listens:
            await self.until(self._answers)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        return await self.exit_code()

    async def exit_code(self) -> int:
        assert self.process is not None
        async with asyncio.timeout(LIMIT_S):
            return await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def ask(
        self, verb: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send one request and return HTTP status and document."""
        reader, writer = await asyncio.open_unix_connection(self.socket)
        payload = b"" if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        head = (
            f"{method} /v1/{verb} HTTP/1.1\r\nHost: hamnd\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        try:
            writer.write(head.encode() + payload)
            await writer.drain()
            async with asyncio.timeout(LIMIT_S):
                answer = await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        top, _, text = answer.partition(b"\r\n\r\n")
        return int(top.split()[1]), json.loads(text)

    async def status(self) -> dict[str, Any]:
        code, document = await self.ask("status")
        assert code == 200
        return document

    async def until(self, condition: Callable[[], Any], limit_s: float = LIMIT_S) -> None:
        """Wait until something holds; the condition may be a coroutine function."""
        async with asyncio.timeout(limit_s):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                assert self.process is not None
                assert self.process.returncode is None, self.log.read_text()[-3000:]
                await asyncio.sleep(0.05)

    async def hamnctl(self, *arguments: str) -> Told:
        """Run the real hamnctl against this daemon."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hamnd.cli.main", "--socket", str(self.socket),
            "--state-dir", str(self.state), *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Told(process.returncode, " ".join((out + b" " + err).decode().split()))

    def every_line(self) -> list[dict[str, Any]]:
        """Return every log line so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in self.every_line() if line.get("event") == event]

    def notifications(self) -> list[str]:
        """Return everything that was told to the service manager so far."""
        return self.told

    def close(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
        if self._notify is not None:
            asyncio.get_running_loop().remove_reader(self._notify)
            self._notify.close()

    async def _answers(self) -> bool:
        try:
            return (await self.ask("status"))[0] == 200
        except (FileNotFoundError, ConnectionError):
            return False

    def _listen_to_notifications(self) -> None:
        if self._notify is None:
            self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._notify.bind(str(self.folder / "notify"))
            self._notify.setblocking(False)
            # Read at once: the kernel keeps few datagrams, and hamnd does not wait for room.
            asyncio.get_running_loop().add_reader(self._notify, self._hear)

    def _hear(self) -> None:
        assert self._notify is not None
        self.told.append(self._notify.recv(4096).decode())


@contextlib.asynccontextmanager
async def daemon_in(folder: Path, user: str) -> AsyncIterator[DaemonProcess]:
    """Give a daemon that is not started yet, and leave no process behind."""
    daemon = DaemonProcess(folder, user)
    try:
        yield daemon
    finally:
        daemon.close()
        if daemon.process is not None:
            await daemon.process.wait()
