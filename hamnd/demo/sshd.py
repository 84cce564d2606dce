"""A real ssh server for each simulated machine, one process or one session per connection.

Owns the server side of ssh on loopback: OpenSSH's sshd in inetd mode where it is installed and
works here, else asyncssh's server, which runs commands the same way. No server listens by itself;
each takes one end of a socket pair whose other end a wire holds. Both hand the command line to the
machine's shell script (`executables`). MUST NOT know when a machine is alive: the wire does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Protocol

import asyncssh

from hamnd.demo.executables import SESSION, session_of
from hamnd.demo.relay import Wire, WireState
from hamnd.demo.site import DemoDirectory

SELF_TEST_S = 10.0
CLOSE_S = 0.2
PLACES = "/usr/sbin:/usr/local/sbin:/opt/freeware/sbin:/usr/bin"


class SshServer(Protocol):
    """Gives a wire a new connection to one machine's ssh server."""

    kind: str

    async def connect(self, machine: str) -> socket.socket:
        """Start a server for one connection and return our end of it."""
        ...

    def hang_up(self, machine: str) -> None:
        """End every session of a machine at once: its power is gone."""
        ...

    async def close(self) -> None:
        """End everything that was started."""
        ...


def write_keys(layout: DemoDirectory, machines: list[str]) -> None:
    """Make the host keys, the user's key, authorized_keys and a pinned known_hosts file."""
    layout.ssh.mkdir(mode=0o700, exist_ok=True)
    user = asyncssh.generate_private_key("ssh-ed25519", comment="hamnd-demo")
    _write(layout.user_key, user.export_private_key())
    public = user.export_public_key()
    _write(layout.user_key.with_suffix(".pub"), public)
    _write(layout.ssh / "authorized_keys", public)
    pins = []
    for machine in machines:
        key = asyncssh.generate_private_key("ssh-ed25519", comment=machine)
        _write(layout.host_key(machine), key.export_private_key())
        where = f"[{layout.address(machine)}]:{layout.ssh_port}"
        pins.append(f"{where} {key.export_public_key().decode().strip()}\n")
    _write(layout.known_hosts, "".join(pins).encode())


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def end_processes(layout: DemoDirectory, machine: str) -> None:
    """Kill what still runs in logins on a machine: its power is gone, or the demo is over.

    They are found by their environment, for sshd gives every login a session of its own. Where
    there is no /proc they are left to notice that nobody listens any more.
    """
    mark = f"{SESSION}={session_of(layout, machine)}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


class OpenSshServer:
    """OpenSSH's own sshd, run as the current user, `sshd -i` for each connection."""

    kind = "OpenSSH"

    def __init__(self, program: str, layout: DemoDirectory) -> None:
        self._program = program
        self._layout = layout
        self._running: dict[asyncio.subprocess.Process, str] = {}

    def write_config(self, machine: str) -> Path:
        """Write one machine's sshd_config and return its path."""
        layout = self._layout
        path = layout.ssh / f"{machine}.sshd_config"
        lines = [
            f"HostKey {layout.host_key(machine)}",
            f"AuthorizedKeysFile {layout.ssh / 'authorized_keys'}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "PrintMotd no",
            "UseDNS no",
            f"SetEnv HAMND_DEMO_NODE={machine}",
            f"ForceCommand {layout.shell(machine)}",
            "Subsystem sftp internal-sftp",
        ]
        path.write_text("\n".join(lines) + "\n")
        return path

    def problem(self, machine: str) -> str | None:
        """Return why this sshd would not work here, or None."""
        config = self.write_config(machine)
        done = subprocess.run(
            [self._program, "-t", "-f", str(config)],
            capture_output=True,
            text=True,
            timeout=SELF_TEST_S,
            check=False,
        )
        return None if done.returncode == 0 else done.stderr.strip() or "sshd -t failed"

    async def connect(self, machine: str) -> socket.socket:
        """Start `sshd -i` with one end of a socket pair as its standard input and output."""
        ours, theirs = socket.socketpair()
        config = self.write_config(machine)
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *("-i", "-f", str(config), "-E", str(self._layout.ssh / f"{machine}.sshd.log")),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            theirs.close()
            if process is None:
                ours.close()
        self._running = {one: at for one, at in self._running.items() if one.returncode is None}
        self._running[process] = machine
        return ours

    def hang_up(self, machine: str) -> None:
        """Kill a machine's sshd processes."""
        for process, at in self._running.items():
            if at == machine and process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()

    async def close(self) -> None:
        """Kill every sshd and wait for its end."""
        for machine in set(self._running.values()):
            self.hang_up(machine)
        for process in list(self._running):
            await process.wait()


class _Anyone(asyncssh.SSHServer):
    """Accepts the demo's own key for whatever user name is given."""

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002  (asyncssh's signature)
        return True


class AsyncsshServer:
    """asyncssh's server inside the demo's process, where no sshd is installed or it cannot run."""

    kind = "asyncssh"

    def __init__(self, layout: DemoDirectory) -> None:
        self._layout = layout
        self._connections: dict[asyncssh.SSHServerConnection, str] = {}
        self._starting: set[asyncio.Task[None]] = set()

    async def connect(self, machine: str) -> socket.socket:
        """Serve one connection on one end of a socket pair."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._serve(theirs, machine))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return ours

    async def _serve(self, end: socket.socket, machine: str) -> None:
        layout = self._layout

        async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
            await _run_command(process, str(layout.shell(machine)), machine)

        try:
            connection = await asyncssh.run_server(
                end,
                server_factory=_Anyone,
                server_host_keys=[str(layout.host_key(machine))],
                authorized_client_keys=str(layout.ssh / "authorized_keys"),
                process_factory=handle,
                encoding=None,
                login_timeout=30,
            )
        except (OSError, asyncssh.Error):
            end.close()  # a banner probe hangs up without logging in
            return
        except asyncio.CancelledError:
            end.close()
            raise
        self._connections[connection] = machine
        try:
            await connection.wait_closed()
        finally:
            connection.abort()
            self._connections.pop(connection, None)

    def hang_up(self, machine: str) -> None:
        """Abort a machine's connections."""
        for connection, at in list(self._connections.items()):
            if at == machine:
                connection.abort()

    async def close(self) -> None:
        """Abort everything."""
        for machine in set(self._connections.values()):
            self.hang_up(machine)
        if self._starting:
            await asyncio.wait(self._starting, timeout=CLOSE_S)
        for task in list(self._starting):
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)


async def _run_command(process: asyncssh.SSHServerProcess[bytes], shell: str, machine: str) -> None:
    """Run one command line through the machine's shell script, as sshd's ForceCommand does."""
    environment = dict(os.environ) | {"HAMND_DEMO_NODE": machine}
    environment.pop("SSH_ORIGINAL_COMMAND", None)
    if process.command is not None:
        environment["SSH_ORIGINAL_COMMAND"] = process.command
    child = await asyncio.create_subprocess_exec(
        shell,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    # Own pumps: asyncssh's redirect() loses what a short program says last (tried with 2.24).
    outputs = (
        _pump_out(child.stdout, process.stdout),
        _pump_out(child.stderr, process.stderr),
    )
    typing = asyncio.get_running_loop().create_task(_pump_in(process.stdin, child.stdin))
    try:
        await asyncio.gather(*outputs)
        code = await child.wait()
        process.exit(code if code >= 0 else 255)
    finally:
        typing.cancel()
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


async def _pump_out(source: asyncio.StreamReader | None, target: asyncssh.SSHWriter[bytes]) -> None:
    if source is None:
        return
    with contextlib.suppress(OSError, asyncssh.Error):  # the caller went away
        while data := await source.read(65536):
            target.write(data)
            await target.drain()


async def _pump_in(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter | None) -> None:
    if target is None:
        return
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()


async def choose(
    layout: DemoDirectory, machine: str, prefer_openssh: bool = True
) -> tuple[SshServer, str]:
    """Return the server to use and, when it is not OpenSSH's, the reason in words.

    OpenSSH is tried once with a real login when the `ssh` program is installed, because an sshd
    that checks its configuration happily may still refuse every user (a locked account).
    """
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:{PLACES}")
    if not prefer_openssh or program is None:
        reason = "not asked for" if program else "sshd is not installed (package openssh-server)"
        return AsyncsshServer(layout), reason
    server = OpenSshServer(program, layout)
    problem = server.problem(machine)
    if problem is None:
        problem = await _login_problem(server, layout, machine)
    if problem is None:
        return server, ""
    await server.close()
    return AsyncsshServer(layout), f"sshd does not work here: {problem.splitlines()[-1]}"


async def _login_problem(server: SshServer, layout: DemoDirectory, machine: str) -> str | None:
    """Log in once through the server itself, over a wire of its own, and run a command."""

    async def connect() -> socket.socket:
        return await server.connect(machine)

    wire = Wire(layout.address(machine), layout.ssh_port, connect)
    wire.set(WireState.UP)
    try:
        async with asyncio.timeout(SELF_TEST_S):
            connection = await asyncssh.connect(
                layout.address(machine),
                layout.ssh_port,
                known_hosts=str(layout.known_hosts),
                client_keys=[str(layout.user_key)],
                agent_path=None,
                config=None,
                username=layout.user,
            )
            async with connection:
                done = await connection.run("exit 7", check=False)
    except (TimeoutError, OSError, asyncssh.Error) as error:
        return f"a login did not work: {error}"
    finally:
        await wire.close()
    return None if done.exit_status == 7 else "a command did not run as it should"
