"""Both ssh transports against a real server: asyncssh's own, in this process, over loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncssh
import pytest

from hamnd.adapters import ssh
from hamnd.adapters.clock import SystemClock
from hamnd.adapters.process import LocalRunner
from hamnd.adapters.ssh import AsyncsshRunner
from hamnd.adapters.ssh_program import BEGAN, ENDED, OpensshRunner
from hamnd.model.site import Db2Site, Node, Platform, Site, SshSite
from hamnd.model.work import Ending, Exec, Report
from hamnd.ports import CommandRunner

CLOCK = SystemClock()
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  (nobody tells us)
            await asyncio.sleep(0.01)


@dataclass
class Far:
    """The other host: an sshd whose commands run in a real shell here."""

    folder: Path
    host_key: asyncssh.SSHKey
    user_key: asyncssh.SSHKey
    port: int = 0
    commands: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    shells: list[asyncio.subprocess.Process] = field(default_factory=list)
    acceptor: asyncssh.SSHAcceptor | None = None
    refusals: int = 0
    """How many sessions more it has no place for, as beyond MaxSessions."""

    def refuse_sessions(self, connection: asyncssh.SSHServerConnection) -> None:
        make = connection.create_server_channel

        def made(*words: object) -> object:
            if self.refusals:
                self.refusals -= 1
                raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "open failed")
            return make(*words)  # type: ignore[arg-type]  # handed on as they come

        connection.create_server_channel = made  # type: ignore[method-assign,assignment]

    async def start(self) -> None:
        far = self

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                far.connections.append(conn)
                far.refuse_sessions(conn)

        (self.folder / "authorized").write_bytes(self.user_key.export_public_key())
        self.acceptor = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=Server,
            server_host_keys=[self.host_key],
            authorized_client_keys=str(self.folder / "authorized"),
            process_factory=self.serve,
            encoding=None,
        )
        self.port = self.acceptor.get_port()

    async def serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        self.commands.append(command)
        if "DROP-LINE" in command:
            process.channel.get_connection().abort()
            return
        if "HOLD-CHANNEL" in command:
            process.stdout.write(b"answer\n")
            process.channel._send_request(b"exit-status", (5).to_bytes(4, "big"))
            await asyncio.sleep(30)
            return
        if "BY-SIGNAL" in command:
            process.exit_with_signal("KILL")
            return
        shell = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self.shells.append(shell)
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert shell.stderr is not None
        try:
            async with asyncio.TaskGroup() as group:
                feed = group.create_task(_pump(process.stdin, shell.stdin))
                outputs = [
                    group.create_task(_pump(shell.stdout, process.stdout)),
                    group.create_task(_pump(shell.stderr, process.stderr)),
                ]
                code = await shell.wait()
                await asyncio.wait(outputs)
                feed.cancel()
            process.exit(code)
        finally:
            self.shells.remove(shell)

    async def stop(self) -> None:
        if self.acceptor is not None:
            self.acceptor.close()
            await self.acceptor.wait_closed()
        for shell in self.shells:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
        await until(lambda: not self.shells)
        for connection in self.connections:
            connection.abort()
            await connection.wait_closed()

    def site(self) -> Site:
        known_hosts = self.folder / "known_hosts"
        known_hosts.write_bytes(
            f"[127.0.0.1]:{self.port} ".encode() + self.host_key.export_public_key()
        )
        key_file = self.folder / "id"
        key_file.write_bytes(self.user_key.export_private_key())
        key_file.chmod(0o600)
        return Site(
            cluster="xcat",
            node="aixmn2",
            platform=Platform.LINUX,
            primary=Node("aixmn1", "127.0.0.1", self.port),
            standby=Node("aixmn2", "127.0.0.1", 1),
            identity=(),
            gateway="127.0.0.1",
            db2=Db2Site("XCATDB", "xcatdb"),
            ssh=SshSite(
                user="root",
                key_file=str(key_file),
                known_hosts_file=str(known_hosts),
                connect_timeout_s=1.0,
            ),
        )


@pytest.fixture(scope="module")
def keys() -> tuple[asyncssh.SSHKey, asyncssh.SSHKey]:
    return (
        asyncssh.generate_private_key("ssh-ed25519"),
        asyncssh.generate_private_key("ssh-ed25519"),
    )


@pytest.fixture
async def far(tmp_path: Path, keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey]) -> AsyncIterator[Far]:
    it = Far(tmp_path, *keys)
    await it.start()
    yield it
    await it.stop()


async def _pump(
    reader: asyncio.StreamReader | asyncssh.SSHReader[bytes],
    writer: asyncio.StreamWriter | asyncssh.SSHWriter[bytes],
) -> None:
    # A signal from the client arrives as an exception of the reader; sshd would pass it on.
    with contextlib.suppress(OSError, asyncssh.Error, asyncssh.SignalReceived):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if isinstance(writer, asyncio.StreamWriter):
            writer.close()


Build = Callable[[Site], CommandRunner]


def over_asyncssh(site: Site) -> CommandRunner:
    return AsyncsshRunner(site, "aixmn1", CLOCK)


def over_openssh(site: Site) -> CommandRunner:
    local = LocalRunner(CLOCK, PATH, "root")
    return OpensshRunner(site, "aixmn1", local, CLOCK)


transports = pytest.mark.parametrize(
    "build",
    [
        over_asyncssh,
        pytest.param(
            over_openssh,
            marks=pytest.mark.skipif(
                shutil.which("ssh", path=PATH) is None, reason="no ssh program here"
            ),
        ),
    ],
)


async def run(build: Build, site: Site, *argv: str, stdin: str | None = None) -> Report:
    runner = build(site)
    try:
        return await runner.run(Exec("aixmn1", argv, stdin=stdin), 10)
    finally:
        await runner.close()


@transports
async def test_a_remote_program_gets_its_exact_argv(build: Build, far: Far) -> None:
    report = await run(build, far.site(), "printf", "%s|", "a b", "$HOME;*", "", "'", "ü\n")
    assert report.stdout == "a b|$HOME;*||'|ü\n|"
    assert (report.ending, report.exit_code) == (Ending.EXITED, 0)


@transports
@pytest.mark.parametrize("code", [0, 1, 137, 255])
async def test_outputs_and_exit_code_come_back(build: Build, far: Far, code: int) -> None:
    report = await run(build, far.site(), "sh", "-c", f"echo out; printf err >&2; exit {code}")
    assert (report.ending, report.exit_code) == (Ending.EXITED, code)
    assert (report.stdout, report.stderr) == ("out\n", "err")


@transports
async def test_the_remote_side_speaks_english(build: Build, far: Far) -> None:
    report = await run(build, far.site(), "sh", "-c", "echo $LANG")
    assert report.stdout == "C\n"


@transports
async def test_standard_input_arrives_whole_or_is_empty(build: Build, far: Far) -> None:
    text = "x" * 200_000
    assert (await run(build, far.site(), "wc", "-c", stdin=text)).stdout.strip() == "200000"
    assert (await run(build, far.site(), "wc", "-c")).stdout.strip() == "0"


@transports
async def test_output_past_the_limit_is_dropped(build: Build, far: Far) -> None:
    report = await run(build, far.site(), "head", "-c", "3000000", "/dev/zero")
    assert (len(report.stdout), report.truncated, report.exit_code) == (1_048_576, True, 0)


@transports
async def test_a_slow_command_gives_no_reply(build: Build, far: Far) -> None:
    runner = build(far.site())
    try:
        request = Exec("aixmn1", ("sh", "-c", "echo begun; exec sleep 20"))
        report = await runner.run(request, 0.8)
        assert (report.ending, report.stdout) == (Ending.NO_REPLY, "begun\n")
        assert report.exit_code is None
        assert (await runner.run(Exec("aixmn1", ("echo", "next")), 5)).stdout == "next\n"
    finally:
        await runner.close()


@transports
async def test_a_connection_that_breaks_after_sending_is_lost(build: Build, far: Far) -> None:
    report = await run(build, far.site(), "echo", "DROP-LINE")
    assert (report.ending, report.exit_code) == (Ending.LOST, None)


@transports
async def test_no_sshd_is_refused(build: Build, far: Far) -> None:
    site = far.site()
    await far.stop()
    report = await run(build, site, "true")
    assert report.ending is Ending.REFUSED
    assert "aixmn1" in report.detail
    assert far.commands == []


@transports
async def test_a_changed_host_key_sends_nothing(build: Build, far: Far) -> None:
    site = far.site()
    other = asyncssh.generate_private_key("ssh-ed25519")
    Path(site.ssh.known_hosts_file).write_bytes(
        f"[127.0.0.1]:{far.port} ".encode() + other.export_public_key()
    )
    report = await run(build, site, "true")
    assert report.ending is Ending.COULD_NOT_RUN
    assert "is not the one in" in report.detail
    assert far.commands == []


@transports
async def test_an_unknown_host_key_sends_nothing(build: Build, far: Far) -> None:
    site = far.site()
    Path(site.ssh.known_hosts_file).write_text("")
    report = await run(build, site, "true")
    assert report.ending is Ending.COULD_NOT_RUN
    assert "ssh-keyscan" in report.detail
    assert far.commands == []


@transports
async def test_where_addresses_move_a_host_is_known_by_its_name(build: Build, far: Far) -> None:
    """The key that is known for the address is another machine's: whoever had it before."""
    site = replace(far.site(), identity_spare="127.0.0.9")
    known = Path(site.ssh.known_hosts_file)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key()
    own = far.host_key.export_public_key()
    at = f"[127.0.0.1]:{far.port} ".encode()
    known.write_bytes(at + other + b"aixmn1 " + own)
    assert (await run(build, site, "true")).ending is Ending.EXITED
    known.write_bytes(at + own + b"aixmn1 " + other)
    report = await run(build, site, "true")
    assert report.ending is Ending.COULD_NOT_RUN
    assert "is not the one in" in report.detail


async def test_a_host_that_moved_is_asked_where_it_is_now(far: Far) -> None:
    """Given a connection to where it was, the next command goes to the other address."""
    here = replace(far.site(), identity_spare="127.0.0.9")
    Path(here.ssh.known_hosts_file).write_bytes(b"aixmn1 " + far.host_key.export_public_key())
    moved = replace(here, primary=replace(here.primary, address="localhost"))
    places = [here, here, moved]
    runner = AsyncsshRunner(here, "aixmn1", CLOCK, placed=lambda _site: places.pop(0))
    try:
        for _ in range(3):
            assert (await runner.run(Exec("aixmn1", ("true",)), 10)).exit_code == 0
    finally:
        await runner.close()
    assert len(far.connections) == 2


class GoesOutFrom:
    """Of a connection, the address that it goes out from."""

    def __init__(self, *name: str | int) -> None:
        self.name = name

    def get_extra_info(self, _: str) -> object:
        return self.name


@pytest.mark.parametrize(
    ("name", "is_home"),
    [(("127.0.0.1", 1), True), (("192.0.2.9", 1), False), (("2001:db8::9", 1, 0, 0), False)],
)
def test_a_connection_whose_own_address_was_given_up_goes_nowhere(
    name: tuple[str | int, ...], is_home: bool
) -> None:
    """What is sent from there never arrives, and only silence would tell."""
    line = ssh._Line()
    line.connection = GoesOutFrom(*name)  # type: ignore[assignment]  # of all of it, this is asked
    assert line.is_home() is is_home


@transports
async def test_a_refused_login_sends_nothing(build: Build, far: Far) -> None:
    site = far.site()
    other = asyncssh.generate_private_key("ssh-ed25519")
    Path(site.ssh.key_file).write_bytes(other.export_private_key())
    report = await run(build, site, "true")
    assert report.ending is Ending.COULD_NOT_RUN
    assert far.commands == []


@transports
async def test_a_frozen_host_sends_nothing_and_does_not_hang(build: Build, far: Far) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=5) as frozen:
        site = far.site()
        site = replace(site, primary=replace(site.primary, ssh_port=frozen.getsockname()[1]))
        report = await run(build, site, "true")
    assert report.ending is Ending.COULD_NOT_RUN
    assert report.finished.since(report.started) < 5


@transports
async def test_a_limit_shorter_than_the_connect_timeout_still_tells_that_nothing_was_sent(
    build: Build, far: Far
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=5) as frozen:
        site = far.site()
        site = replace(
            site,
            primary=replace(site.primary, ssh_port=frozen.getsockname()[1]),
            ssh=replace(site.ssh, connect_timeout_s=30.0),
        )
        runner = build(site)
        report = await runner.run(Exec("aixmn1", ("true",)), 1.6)
        await runner.close()
    assert report.ending is Ending.COULD_NOT_RUN


async def test_a_missing_key_or_known_hosts_file_could_not_run(far: Far) -> None:
    ssh = far.site().ssh
    for broken in (
        replace(ssh, key_file="/none/such"),
        replace(ssh, known_hosts_file="/none/such"),
    ):
        site = replace(far.site(), ssh=broken)
        report = await run(over_asyncssh, site, "true")
        assert report.ending is Ending.COULD_NOT_RUN
        assert "/none/such" in report.detail


async def test_many_sessions_share_one_connection(far: Far) -> None:
    runner = AsyncsshRunner(far.site(), "aixmn1", CLOCK)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(runner.run(Exec("aixmn1", ("echo", str(number))), 10))
            for number in range(20)
        ]
    assert [task.result().stdout for task in tasks] == [f"{number}\n" for number in range(20)]
    assert len(far.connections) == 1
    await runner.close()


@pytest.mark.parametrize(("refusals", "ending"), [(2, Ending.EXITED), (9, Ending.COULD_NOT_RUN)])
async def test_a_session_that_sshd_has_no_place_for_is_asked_for_again(
    far: Far, refusals: int, ending: Ending
) -> None:
    far.refusals = refusals
    runner = AsyncsshRunner(far.site(), "aixmn1", CLOCK)
    report = await runner.run(Exec("aixmn1", ("echo", "place")), 10)
    assert report.ending is ending, report.detail
    assert len(far.commands) == (1 if ending is Ending.EXITED else 0)
    await runner.close()


async def test_a_lost_connection_is_told_at_once_and_opened_again(far: Far) -> None:
    lost: asyncio.Queue[str] = asyncio.Queue()
    runner = AsyncsshRunner(far.site(), "aixmn1", CLOCK, lost.put_nowait)
    assert (await runner.run(Exec("aixmn1", ("true",)), 5)).exit_code == 0
    far.connections[0].abort()
    async with asyncio.timeout(5):
        assert await lost.get() == "aixmn1"
    assert (await runner.run(Exec("aixmn1", ("true",)), 5)).exit_code == 0
    assert len(far.connections) == 2
    await runner.close()
    assert lost.empty(), "closing it ourselves is no news"


async def test_after_a_failure_short_calls_fail_at_once_until_it_is_tried_again(
    far: Far,
) -> None:
    runner = AsyncsshRunner(far.site(), "aixmn1", CLOCK)
    await far.stop()
    for _ in range(2):
        assert (await runner.run(Exec("aixmn1", ("true",)), 5)).ending is Ending.REFUSED
    report = await runner.run(Exec("aixmn1", ("true",)), 0.1)
    assert report.ending is Ending.REFUSED
    assert "ago" in report.detail
    assert report.finished.since(report.started) < 0.1
    await far.start()
    assert (await runner.run(Exec("aixmn1", ("echo", "back")), 10)).stdout == "back\n"
    await runner.close()


async def test_a_connection_slower_than_a_probe_still_comes_up(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a slow line ssh needs seconds; a probe that gives up must not end the attempt."""
    relay = await _slow_relay(far.port, 0.08)
    site = far.site()
    known = Path(site.ssh.known_hosts_file)
    port = relay.sockets[0].getsockname()[1]
    known.write_text(known.read_text().replace(str(far.port), str(port)))
    site = replace(
        site,
        primary=replace(site.primary, ssh_port=port),
        ssh=replace(site.ssh, connect_timeout_s=10.0),
    )
    runner = AsyncsshRunner(site, "aixmn1", CLOCK)
    first = await runner.run(Exec("aixmn1", ("true",)), 0.1)
    assert first.ending is Ending.COULD_NOT_RUN
    assert far.commands == []
    assert (await runner.run(Exec("aixmn1", ("echo", "up")), 10)).stdout == "up\n"
    assert len(far.connections) == 1
    await runner.close()
    relay.close()


async def _slow_relay(port: int, delay_s: float) -> asyncio.Server:
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(delay_s)  # the line, not the test, takes its time
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.TaskGroup() as group:
            group.create_task(copy(reader, far_writer))
            group.create_task(copy(far_reader, writer))

    return await asyncio.start_server(relay, "127.0.0.1", 0)


async def test_the_report_does_not_wait_for_a_channel_that_stays_open(far: Far) -> None:
    report = await run(over_asyncssh, far.site(), "echo", "HOLD-CHANNEL")
    assert (report.ending, report.exit_code, report.stdout) == (Ending.EXITED, 5, "answer\n")
    assert report.finished.since(report.started) < 5


async def test_a_remote_signal_is_told_as_a_shell_tells_it(far: Far) -> None:
    report = await run(over_asyncssh, far.site(), "echo", "BY-SIGNAL")
    assert (report.ending, report.exit_code) == (Ending.EXITED, 137)
    assert "SIGKILL" in report.detail


async def test_a_stalled_connection_is_dropped_and_later_calls_get_a_new_one(far: Far) -> None:
    """The partner froze after the connection was up: sessions are asked for and never come."""
    gate = await _Relay.start(far.port)
    site = far.site()
    known = Path(site.ssh.known_hosts_file)
    known.write_text(known.read_text().replace(str(far.port), str(gate.port)))
    runner = AsyncsshRunner(
        replace(site, primary=replace(site.primary, ssh_port=gate.port)), "aixmn1", CLOCK
    )
    assert (await runner.run(Exec("aixmn1", ("echo", "1")), 5)).stdout == "1\n"
    gate.is_frozen = True
    report = await runner.run(Exec("aixmn1", ("echo", "2")), 0.3)
    assert report.ending in (Ending.COULD_NOT_RUN, Ending.NO_REPLY)
    gate.is_frozen = False
    assert (await runner.run(Exec("aixmn1", ("echo", "3")), 5)).stdout == "3\n"
    assert len(far.connections) == 2
    await runner.close()
    gate.close()


class _Relay:
    """A line that can be frozen: what arrives meanwhile is lost, as with a machine that died."""

    def __init__(self) -> None:
        self.is_frozen = False
        self.port = 0
        self._server: asyncio.Server | None = None

    @classmethod
    async def start(cls, port: int) -> _Relay:
        it = cls()

        async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while data := await reader.read(65536):
                    if not it.is_frozen:
                        writer.write(data)
            except ConnectionError:
                pass
            finally:
                writer.transport.abort()

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.TaskGroup() as group:
                group.create_task(copy(reader, far_writer))
                group.create_task(copy(far_reader, writer))

        it._server = await asyncio.start_server(relay, "127.0.0.1", 0)
        it.port = it._server.sockets[0].getsockname()[1]
        return it

    def close(self) -> None:
        assert self._server is not None
        self._server.close()


async def test_cancellation_leaves_the_connection_usable(far: Far) -> None:
    runner = AsyncsshRunner(far.site(), "aixmn1", CLOCK)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(runner.run(Exec("aixmn1", ("sleep", "20")), 30))
        await until(lambda: bool(far.commands))
        task.cancel()
    assert task.cancelled()
    report = await runner.run(Exec("aixmn1", ("echo", "on")), 5)
    assert report.stdout == "on\n", report
    await runner.close()


class Canned:
    """A local runner that answers as ssh did."""

    def __init__(self, report: Report) -> None:
        self._report = report

    async def run(self, request: Exec, timeout_s: float) -> Report:
        return self._report

    async def close(self) -> None:
        """Nothing is open."""


MARKED = f"noise of /etc/profile\n{BEGAN}\n"


@pytest.mark.parametrize(
    ("code", "stderr", "ending", "exit_code"),
    [
        (255, f"{MARKED}x\n{ENDED} 255\n", Ending.EXITED, 255),
        (255, f"{MARKED}Timeout, server aixmn1 not responding.\n", Ending.LOST, None),
        (255, "Connection to aixmn1 closed by remote host.\n", Ending.LOST, None),
        (255, "client_loop: send disconnect: Broken pipe\n", Ending.LOST, None),
        (255, "", Ending.LOST, None),
        # A program of the far side may print what ssh prints; its marker counts.
        (255, f"{MARKED}ssh: connect to host x port 22: Connection refused\n", Ending.LOST, None),
        (255, "ssh: connect to host a port 22: Connection refused\n", Ending.REFUSED, None),
        (255, "ssh: connect to host a port 22: Connection timed out\n", Ending.COULD_NOT_RUN, None),
        (255, "ssh: connect to host a port 22: No route to host\n", Ending.COULD_NOT_RUN, None),
        (255, "Connection timed out during banner exchange\n", Ending.COULD_NOT_RUN, None),
        (
            255,
            "kex_exchange_identification: read: Connection reset by peer\n",
            Ending.COULD_NOT_RUN,
            None,
        ),
        (255, "root@a: Permission denied (publickey).\n", Ending.COULD_NOT_RUN, None),
        (3, f"{MARKED}x\n{ENDED} 3\n", Ending.EXITED, 3),
        (2, "restricted shell\n", Ending.EXITED, 2),
    ],
)
async def test_ssh_failures_are_told_apart(
    tmp_path: Path,
    keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey],
    code: int,
    stderr: str,
    ending: Ending,
    exit_code: int | None,
) -> None:
    now = CLOCK.now()
    canned = Canned(Report(Ending.EXITED, now, now, exit_code=code, stderr=stderr))
    site = Far(tmp_path, *keys, port=22).site()
    report = await OpensshRunner(site, "aixmn1", canned, CLOCK).run(Exec("aixmn1", ("x",)), 5)
    assert (report.ending, report.exit_code) == (ending, exit_code)
    assert BEGAN not in report.stderr
    assert ENDED not in report.stderr


async def test_an_ssh_program_that_is_killed_or_missing(far: Far) -> None:
    site = replace(far.site(), tools={"ssh": "no-ssh-here"})
    assert (await run(over_openssh, site, "true")).ending is Ending.COULD_NOT_RUN
    now = CLOCK.now()
    killed = Report(
        Ending.EXITED, now, now, exit_code=137, detail="ended by signal SIGKILL", stderr=MARKED
    )
    report = await OpensshRunner(far.site(), "aixmn1", Canned(killed), CLOCK).run(
        Exec("aixmn1", ("x",)), 5
    )
    assert (report.ending, report.exit_code) == (Ending.LOST, None)


def test_asyncssh_is_loaded_only_when_a_connection_is_opened() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import hamnd.adapters.ssh; import hamnd.adapters.ssh_program; "
        "sys.exit('asyncssh' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env=dict(os.environ)).returncode
        == 0
    )
