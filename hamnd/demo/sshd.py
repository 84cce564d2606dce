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
import tempfile
from pathlib import Path
from typing import Protocol

from hamnd.demo.executables import SESSION, session_of
from hamnd.demo.relay import Wire, WireState
from hamnd.demo.site import DemoDirectory
from hamnd.settings.here import has_library

SELF_TEST_S = 10.0
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
    private, public = _make_key("hamnd-demo")
    _write(layout.user_key, private)
    _write(layout.user_key.with_suffix(".pub"), public)
    _write(layout.ssh / "authorized_keys", public)
    pins = []
    for machine in machines:
        private, public = _make_key(machine)
        _write(layout.host_key(machine), private)
        where = f"[{layout.address(machine)}]:{layout.ssh_port}"
        # By its name too: with a spare address a machine is the same one at every address.
        pins.append(f"{where},{machine} {public.decode().strip()}\n")
    _write(layout.known_hosts, "".join(pins).encode())


def _make_key(comment: str) -> tuple[bytes, bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        from hamnd.demo import sshd_library

        return sshd_library.make_key(comment)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "key")
        argv = (program, "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
        subprocess.run(argv, timeout=SELF_TEST_S, check=True, stdin=subprocess.DEVNULL)
        return path.read_bytes(), path.with_suffix(".pub").read_bytes()


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
        return _library_server(layout, reason), reason
    server = OpenSshServer(program, layout)
    problem = server.problem(machine)
    if problem is None:
        problem = await _login_problem(server, layout, machine)
    if problem is None:
        return server, ""
    await server.close()
    reason = f"sshd does not work here: {problem.splitlines()[-1]}"
    return _library_server(layout, reason), reason


def _library_server(layout: DemoDirectory, reason: str) -> SshServer:
    if not has_library():
        raise OSError(f"{reason}, and this hamnd is installed without asyncssh")
    from hamnd.demo import sshd_library

    return sshd_library.AsyncsshServer(layout)


async def _login_problem(server: SshServer, layout: DemoDirectory, machine: str) -> str | None:
    """Log in once through the server itself, over a wire of its own, and run a command."""

    async def connect() -> socket.socket:
        return await server.connect(machine)

    wire = Wire(layout.address(machine), layout.ssh_port, connect)
    wire.set(WireState.UP)
    try:
        async with asyncio.timeout(SELF_TEST_S):
            if shutil.which("ssh") is not None:
                return await _program_login_problem(layout, machine)
            from hamnd.demo import sshd_library

            return await sshd_library.login_problem(layout, machine)
    except TimeoutError:
        return f"a login did not end within {SELF_TEST_S:g} s"
    finally:
        await wire.close()


async def _program_login_problem(layout: DemoDirectory, machine: str) -> str | None:
    options = ("BatchMode=yes", "StrictHostKeyChecking=yes", "LogLevel=ERROR", "IdentitiesOnly=yes",
               f"UserKnownHostsFile={layout.known_hosts}")  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *("ssh", "-F", "none", "-p", str(layout.ssh_port), "-i", str(layout.user_key)),
        *(word for option in options for word in ("-o", option)),
        *(f"{layout.user}@{layout.address(machine)}", "exit 7"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 7:
        return None
    return f"a login did not work: {said.decode(errors='replace').strip() or 'no reason given'}"
