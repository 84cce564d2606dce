"""The demo's world as other programs meet it: real executables, real sockets, real ssh.

Every test lays out its own directory, with times short enough for seconds. Nothing here needs
privileges; sshd is asyncssh's server unless a test says otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncssh
import pytest

from hamnd.demo import control
from hamnd.demo.machines import PRIMARY, SERVICE_ADDRESS, STANDBY
from hamnd.demo.relay import Wire, WireState
from hamnd.demo.site import DemoDirectory, Times, lay_out, missing
from hamnd.demo.world import World
from hamnd.dialects import witness
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.shell import remote_line
from hamnd.model.hadr import ParseVerdict
from hamnd.model.instant import Instant
from hamnd.model.names import Verdict
from hamnd.model.work import Ending, Exec, Report
from hamnd.settings import Severity, check_host, load

pytestmark = pytest.mark.lab

LIMIT_S = 20.0
SILENCE_S = 0.7
QUICK = Times(hadr_timeout_s=2, peer_window_s=20, takeover_s=0.3, xcat_scale=0.05)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for unix sockets."""
    root = Path(tempfile.mkdtemp(prefix="hamnd-"))
    yield root
    shutil.rmtree(root)


@pytest.fixture
def layout(place: Path) -> DemoDirectory:
    return lay_out(place / "demo", QUICK)


@pytest.fixture
async def world(layout: DemoDirectory) -> AsyncIterator[World]:
    async with World(layout, openssh=False) as running:
        yield running


async def run(
    layout: DemoDirectory, line: str, machine: str = STANDBY, stdin: str = ""
) -> tuple[int, str]:
    """Run a line in sh with the demo's PATH; return exit code and everything it printed."""
    environment = dict(os.environ) | layout.environment | {"HAMND_DEMO_NODE": machine}
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", line),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(LIMIT_S):
        output, _ = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, output.decode()


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def login(layout: DemoDirectory, machine: str = PRIMARY) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        layout.address(machine),
        layout.ssh_port,
        username=layout.user,
        client_keys=[str(layout.user_key)],
        known_hosts=str(layout.known_hosts),
        agent_path=None,
        config=None,
    )


async def greeting(address: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        return await reader.readline()
    finally:
        writer.close()


async def ask_xcatd(address: str, port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(address, port, ssl=context)
    try:
        writer.write(b"<xcatrequest>\n<command>lsxcatd</command><arg>-v</arg>\n</xcatrequest>\n")
        answer = b""
        while b"serverdone" not in answer:
            answer += await reader.read(65536)
        return answer.decode()
    finally:
        writer.close()


async def is_silent(work: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(SILENCE_S):
            await work
    except TimeoutError:
        return True
    return False


async def test_programs_answer_through_the_worlds_socket(
    world: World, layout: DemoDirectory
) -> None:
    code, text = await run(layout, "db2pd -d XCATDB -hadr")
    assert code == 0
    assert parse_db2pd(text).verdict is ParseVerdict.OK
    assert "HADR_ROLE = STANDBY" in text
    _, text = await run(layout, "db2pd -d XCATDB -hadr", machine=PRIMARY)
    assert "HADR_ROLE = PRIMARY" in text
    assert (await run(layout, "systemctl is-active xcatd"))[0] == 3
    assert (await run(layout, "lsxcatd -v"))[0] == 111
    assert (await run(layout, "ping -n -c 1 -W 1 127.0.47.126"))[0] == 0
    assert (await run(layout, "db2 connect to xcatdb user x using y"))[0] == 64
    assert world.pair.writable_nodes() == (PRIMARY,)


async def test_standard_input_reaches_fence_agent_crontab_and_db2(
    world: World, layout: DemoDirectory
) -> None:
    password = layout.fence_password.read_text().strip()
    lines = f"action=status\nplug=aixmn1\npassword={password}\n"
    assert await run(layout, "fence_demo", stdin=lines) == (0, "Status: ON\n")
    assert (await run(layout, "crontab -l | sed 's/^[^#]/# off: &/' | crontab -"))[0] == 0
    _, text = await run(layout, "crontab -l")
    assert all(line.startswith("#") for line in text.splitlines())
    script = "connect to XCATDB;\nselect count(*) from xcat.node;\nterminate;\n"
    code, text = await run(layout, "db2 -tx", machine=PRIMARY, stdin=script)
    assert (code, "\n4\n" in text) == (0, True)


async def test_connection_belongs_to_the_shell_that_made_it(
    world: World, layout: DemoDirectory
) -> None:
    line = 'db2 connect to XCATDB >/dev/null && db2 -x "select 1 from sysibm.sysdummy1"'
    assert await run(layout, line, machine=PRIMARY) == (0, "1\n")
    _, text = await run(layout, "db2 -x 'select 1 from sysibm.sysdummy1'; :", machine=PRIMARY)
    assert "SQL1024N" in text


async def test_killed_primary_is_silent_in_every_way(world: World, layout: DemoDirectory) -> None:
    address = layout.address(PRIMARY)
    connection = await login(layout)
    ticker = await connection.create_process("while :; do echo tick; sleep 0.05; done")
    assert (await ticker.stdout.readline()) == "tick\n"
    assert (await greeting(address, layout.ssh_port)).startswith(b"SSH-2.0-")
    assert "<data>Version" in await ask_xcatd(address, layout.xcatd_port)

    world.fault("kill")

    assert await is_silent(greeting(address, layout.ssh_port))
    assert await is_silent(asyncio.open_connection(address, layout.ssh_port))
    assert await is_silent(ask_xcatd(address, layout.xcatd_port))
    assert await is_silent(ask_xcatd(SERVICE_ADDRESS, layout.xcatd_port))
    assert (await run(layout, f"ping -n -c 1 -W 1 -w 1 {address}"))[0] == 1

    async def drain() -> None:
        while await ticker.stdout.read(4096):
            pass

    assert await is_silent(drain())  # the established connection merely stalls
    assert not connection.is_closed()

    world.fault("power-on")
    assert (await greeting(address, layout.ssh_port)).startswith(b"SSH-2.0-")
    async with asyncio.timeout(LIMIT_S):
        await connection.wait_closed()  # the machine has no memory of it


async def test_frozen_primary_accepts_connections_and_answers_nothing(
    world: World, layout: DemoDirectory
) -> None:
    address = layout.address(PRIMARY)
    world.fault("freeze")
    _, writer = await asyncio.open_connection(address, layout.ssh_port)
    writer.close()
    assert await is_silent(greeting(address, layout.ssh_port))
    assert await is_silent(ask_xcatd(address, layout.xcatd_port))
    assert (await run(layout, f"ping -n -c 1 -W 1 {address}"))[0] == 0
    world.fault("heal")
    assert (await greeting(address, layout.ssh_port)).startswith(b"SSH-2.0-")


async def test_stopped_xcatd_is_refused_while_the_host_lives(
    world: World, layout: DemoDirectory
) -> None:
    address = layout.address(PRIMARY)
    assert (await run(layout, "systemctl stop xcatd", machine=PRIMARY))[0] == 0
    with pytest.raises(ConnectionRefusedError):
        await ask_xcatd(address, layout.xcatd_port)
    assert (await greeting(address, layout.ssh_port)).startswith(b"SSH-2.0-")


async def test_xcatd_denies_requests_while_its_database_is_down(
    world: World, layout: DemoDirectory
) -> None:
    world.fault("kill-db")
    answer = await ask_xcatd(layout.address(PRIMARY), layout.xcatd_port)
    assert "<error>Permission denied for request</error>" in answer
    assert "<serverdone></serverdone>" in answer


async def test_cut_pair_leaves_the_witnesses_view_alone(
    world: World, layout: DemoDirectory
) -> None:
    address = layout.address(PRIMARY)
    service_node = await login(layout, "sn01")
    world.fault("cut-pair")
    assert await is_silent(greeting(address, layout.ssh_port))
    line = (
        f"ping -n -c 1 -W 1 {address} >/dev/null && echo ping;"
        f" XCATHOST={address}:{layout.xcatd_port} lsxcatd -v && echo $HAMND_DEMO_NODE"
    )
    done = await service_node.run(line, check=True)
    assert str(done.stdout).split("\n")[0] == "ping"
    assert str(done.stdout).rstrip().endswith("sn01")
    world.fault("kill")
    assert (await service_node.run(f"ping -n -c 1 -W 1 {address}")).exit_status == 1
    service_node.close()
    await service_node.wait_closed()


@pytest.mark.skipif(shutil.which("timeout") is None, reason="coreutils' timeout is missing")
async def test_hamnds_witness_script_tells_what_each_fault_leaves(
    world: World, layout: DemoDirectory
) -> None:
    site = load(layout.config.read_text()).site
    assert site is not None
    look = witness.look(site, site.witnesses[0], timeout_s=1.0)
    assert isinstance(look.request, Exec)
    line = remote_line(look.request, site)

    async with await login(layout, "sn01") as connection:

        async def sees() -> tuple[Verdict, str]:
            done = await connection.run(line)
            at = Instant(wall_s=0.0, monotonic_s=0.0)
            report = Report(Ending.EXITED, at, at, done.exit_status, str(done.stdout))
            reading = witness.read_reaches(report)
            return reading.verdict, reading.sentence

        reached = (Verdict.PASS, "ping ok, banner ok, xcatd ok")
        assert await sees() == reached
        world.fault("cut-pair")
        assert await sees() == reached
        world.fault("freeze")
        assert await sees() == (Verdict.BLOCK, "ping ok, banner no, xcatd no")
        world.fault("kill")
        assert await sees() == (Verdict.BLOCK, "ping no, banner no, xcatd no")


async def test_nothing_of_a_login_survives_the_machine_or_the_demo(
    layout: DemoDirectory,
) -> None:
    async def is_over(pid: str) -> bool:
        return not Path("/proc", pid.strip()).exists()

    async with World(layout, openssh=False) as world:
        pids = []
        for machine in (PRIMARY, "sn01"):
            connection = await login(layout, machine)
            line = "echo $$; trap '' HUP TERM; while :; do sleep 1; done"
            process = await connection.create_process(line)
            pids.append(str(await process.stdout.readline()))
        on_primary, on_witness = pids
        assert not await is_over(on_primary)
        world.fault("kill")
        await wait_until(lambda: is_over(on_primary))
        assert not await is_over(on_witness)
    await wait_until(lambda: is_over(on_witness))


async def test_command_over_ssh_runs_on_the_simulated_machine(
    world: World, layout: DemoDirectory
) -> None:
    async with await login(layout) as connection:
        done = await connection.run("pwd; db2pd -d XCATDB -hadr | grep ROLE; exit 3")
        assert done.exit_status == 3
        assert "HADR_ROLE = PRIMARY" in str(done.stdout)
        assert str(done.stdout).startswith(str(layout.home(PRIMARY)))
        echoed = await connection.run("cat; echo said >&2", input="through\n")
        assert (echoed.stdout, echoed.stderr) == ("through\n", "said\n")


@pytest.mark.parametrize("line", ["/usr/sbin/ip addr", "sudo /sbin/ip addr", "/bin/ip addr"])
async def test_machine_refuses_the_hosts_own_programs_by_path(
    world: World, layout: DemoDirectory, line: str
) -> None:
    async with await login(layout) as connection:
        done = await connection.run(line)
        assert done.exit_status == 126
        assert "is simulated" in str(done.stderr)
        allowed = await connection.run(f"{layout.bin}/ip -o addr show")
        assert "127.0.47.103/26" in str(allowed.stdout)


async def test_takeover_with_the_programs_alone(world: World, layout: DemoDirectory) -> None:
    """Given a dead primary, the programs that a takeover calls bring the standby to serve."""
    world.fault("kill")

    async def has_lost_its_partner() -> bool:
        return "DISCONNECTED_PEER" in (await run(layout, "db2pd -d XCATDB -hadr"))[1]

    await wait_until(has_lost_its_partner)
    began = world.now()
    code, text = await run(layout, "db2 takeover hadr on db XCATDB by force peer window only")
    assert (code, text[:8]) == (0, "DB20000I")
    assert world.now() - began >= QUICK.takeover_s
    assert (await run(layout, f"arping -D -c 1 -w 1 -I lo {SERVICE_ADDRESS}"))[0] == 0
    assert (await run(layout, f"ip addr add {SERVICE_ADDRESS}/26 dev lo"))[0] == 0
    assert (await run(layout, "systemctl start xcatd"))[0] == 0
    assert "<data>Version" in await ask_xcatd(SERVICE_ADDRESS, layout.xcatd_port)
    write = "mkdef -t node -o probe groups=probe && lsdef -t node -o probe && rmdef -t node probe"
    code, text = await run(layout, write)
    assert (code, "    groups=probe" in text) == (0, True)
    for line in ("makedns -n", "makedhcp -n", "makedhcp -a", "makeconservercf"):
        assert (await run(layout, line))[0] == 0
    _, text = await run(layout, f"dig +time=1 @{SERVICE_ADDRESS} cn01 A", machine="sn01")
    assert "127.0.47.11\n" in text
    world.fault("power-on")
    assert world.fault("examine") == "only_on=aixmn1 rows=0 bytes=0"


async def test_service_start_goes_on_when_its_caller_is_gone(
    world: World, layout: DemoDirectory
) -> None:
    world.fault("kill")
    world.pair.run(STANDBY, ("db2", "takeover hadr on db XCATDB by force"), world.now())
    code, _ = await run(layout, "timeout 0.3 systemctl start xcatd")
    assert code == 124  # the service address is not here: it never returns
    assert (await run(layout, "systemctl is-active xcatd"))[1] == "activating\n"
    await run(layout, f"ip addr add {SERVICE_ADDRESS}/26 dev lo")

    async def is_active() -> bool:
        return (await run(layout, "systemctl is-active xcatd"))[0] == 0

    await wait_until(is_active)


async def test_faults_by_program_hang_fail_and_heal(world: World, layout: DemoDirectory) -> None:
    assert (await run(layout, "fault fail db2pd 3 broken"))[0] == 0
    assert await run(layout, "db2pd -d XCATDB -hadr") == (3, "broken\n")
    assert (await run(layout, "fault hang db2pd"))[0] == 0
    assert (await run(layout, "timeout 0.3 db2pd -d XCATDB -hadr"))[0] == 124
    assert (await run(layout, "fault heal"))[0] == 0
    assert (await run(layout, "db2pd -d XCATDB -hadr"))[0] == 0
    assert (await run(layout, "fault nosuch"))[0] == 2
    assert (await control.send(layout.world_socket, "fault", "show"))[0] == 0


async def test_world_that_ends_in_the_middle_of_a_call_complains_of_nothing(
    layout: DemoDirectory,
) -> None:
    """As when hamnd was killed and what it had started still runs."""
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(str(context["message"])))
    async with World(layout, openssh=False) as world:
        world.fault("hang", "db2pd")
        calling = loop.create_task(run(layout, "db2pd -d XCATDB -hadr"))
        silent, other = await asyncio.open_unix_connection(str(layout.world_socket))
        asking, asker = await _begin_to_ask(layout)
        await wait_until(lambda: _has_call(world))
    assert (await calling)[0] == 255
    assert await silent.read() == b""
    other.close()
    with contextlib.suppress(OSError):
        assert await asking.read() == b""
    asker.close()
    assert complaints == []


async def _begin_to_ask(
    layout: DemoDirectory,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = layout.address(PRIMARY)
    reader, writer = await asyncio.open_connection(address, layout.xcatd_port, ssl=context)
    writer.write(b"<xcatrequest>")
    await writer.drain()
    return reader, writer


async def _has_call(world: World) -> bool:
    return any(task.get_name() == "call-db2pd" for task in world._tasks)


async def test_program_without_a_world_says_so(layout: DemoDirectory) -> None:
    async with World(layout, openssh=False):
        pass
    assert await run(layout, "db2pd") == (70, "the hamnd demo does not run any more\n")


async def test_broken_requests_do_not_hurt_the_world(world: World, layout: DemoDirectory) -> None:
    for request in (b"", b"\xff\xff\xff\xff", b"\0\0\0\2a", b"\0\0\0\3a\0b"):
        reader, writer = await asyncio.open_unix_connection(str(layout.world_socket))
        writer.write(request)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert (await run(layout, "systemctl is-active xcatd"))[0] == 3


async def test_wires_follow_power_and_services(world: World) -> None:
    states = {key: wire.state for key, wire in world.wires.items()}
    assert states[STANDBY, PRIMARY, "ssh"] is WireState.UP
    assert states["sn01", "xcatmn", "xcatd"] is WireState.UP
    assert states["sn01", STANDBY, "xcatd"] is WireState.REFUSING
    world.fault("cut", "sn01")
    assert world.wires[STANDBY, "sn01", "ssh"].state is WireState.SILENT
    assert world.wires["sn01", PRIMARY, "ssh"].state is WireState.SILENT
    assert world.wires["sn02", PRIMARY, "ssh"].state is WireState.UP


async def test_configuration_of_the_demo_is_valid_on_this_host(
    world: World, layout: DemoDirectory
) -> None:
    loaded = load(layout.config.read_text())
    assert [one for one in loaded.problems if one.severity is Severity.ERROR] == []
    assert loaded.site is not None
    assert [one for one in check_host(loaded.site) if one.severity is Severity.ERROR] == []


def test_directory_with_a_long_path_is_refused_in_words(place: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        lay_out(place / ("x" * 120))


def test_secrets_are_readable_by_the_owner_alone(layout: DemoDirectory) -> None:
    assert layout.fence_password.stat().st_mode & 0o077 == 0
    assert layout.root.stat().st_mode & 0o077 == 0


def test_what_is_missing_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.setenv("PATH", str(place))
    found = {one.program: one.package for one in missing()}
    assert found["rsync"] == "rsync"
    assert found["ssh"] == "openssh-client"
    assert [one.program for one in missing() if one.is_required] == ["sh"]


@pytest.mark.skipif(
    shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") is None,
    reason="sshd is not installed (package openssh-server)",
)
async def test_primary_is_played_by_openssh_where_it_works(layout: DemoDirectory) -> None:
    async with World(layout) as world:
        if world.ssh_server.kind != "OpenSSH":
            pytest.skip(world.ssh_note)
        async with await login(layout) as connection:
            done = await connection.run("echo $HAMND_DEMO_NODE; exit 4")
            assert (done.stdout, done.exit_status) == (f"{PRIMARY}\n", 4)


@pytest.mark.parametrize("rounds", range(5))
async def test_wire_that_closes_while_somebody_connects_loses_no_socket(rounds: int) -> None:
    """At whichever round of the loop it is closed, the client sees the end."""

    async def unwilling() -> socket.socket:
        never: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        return await never

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    wire = Wire("127.0.0.1", port, unwilling)
    wire.set(WireState.UP)
    with socket.create_connection(("127.0.0.1", port)) as client:
        for _ in range(rounds):
            await asyncio.sleep(0)
        await wire.close()
        client.settimeout(LIMIT_S)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    gc.collect()  # an unclosed socket is a warning, and a warning an error


@pytest.mark.parametrize("rounds", range(5))
async def test_world_that_closes_while_a_program_calls_loses_no_socket(
    layout: DemoDirectory, rounds: int
) -> None:
    async with World(layout, openssh=False):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(layout.world_socket))
        for _ in range(rounds):
            await asyncio.sleep(0)
    with client:
        client.settimeout(LIMIT_S)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    gc.collect()
