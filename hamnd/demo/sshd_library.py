"""asyncssh in the demo: keys, a server, and a login, where OpenSSH's programs are not installed.

Owns all of the demo that needs that library; loaded only when it is used, for an installation
without it (the packages, AIX) plays the demo with OpenSSH alone. Must not know which of the two is
chosen (`sshd`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket

import asyncssh

from hamnd.demo.site import DemoDirectory

CLOSE_S = 0.2


def make_key(comment: str) -> tuple[bytes, bytes]:
    """Return a new private key and its public half."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    return key.export_private_key(), key.export_public_key()


async def login_problem(layout: DemoDirectory, machine: str) -> str | None:
    """Log in on a machine and run a command; return what did not work, or None."""
    try:
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
    except (OSError, asyncssh.Error) as error:
        return f"a login did not work: {error}"
    return None if done.exit_status == 7 else "a command did not run as it should"


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
