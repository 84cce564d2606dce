"""What a witness says it reaches, with its script run by a real sh against real sockets."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from hamnd.dialects import witness
from hamnd.model.names import Answer, Verdict
from hamnd.model.work import Ending, Exec, Looked
from tests.builders import site
from tests.unit.dialects.reports import BACK, MUTE, ended, exited

SN01 = site().witnesses[0]
LOOK = witness.look(site(), SN01)


def sees(stdout: str, code: int = 0) -> Answer:
    return witness.read_sight(Looked(LOOK, exited(code, stdout))).sees


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ping=ok\nbanner=ok\nxcatd=ok\ndone=ok\n", Answer.ANSWERED),
        ("ping=no\nbanner=ok\nxcatd=no\ndone=ok\n", Answer.ANSWERED),
        ("ping=error\nxcatd=ok\nbanner=error\ndone=ok\n", Answer.ANSWERED),
        ("ping=no\nbanner=refused\nxcatd=no\ndone=ok\n", Answer.ANSWERED),
        ("ping=no\nbanner=no\nxcatd=failing\ndone=ok\n", Answer.ANSWERED),
        ("banner=ok\n", Answer.ANSWERED),
        ("ping=no\nbanner=no\nxcatd=no\ndone=ok\n", Answer.SILENT),
        ("ping=ok\nbanner=no\nxcatd=no\ndone=ok\n", Answer.SILENT),
        ("ping=error\nbanner=no\nxcatd=no\ndone=ok\n", Answer.UNKNOWN),
        ("ping=no\nbanner=error\nxcatd=no\ndone=ok\n", Answer.UNKNOWN),
        ("ping=no\nbanner=no\nxcatd=error\ndone=ok\n", Answer.UNKNOWN),
        ("ping=no\nbanner=no\nxcatd=no\n", Answer.UNKNOWN),
        ("ping=no\nbanner=no\ndone=ok\n", Answer.UNKNOWN),
        ("ping=no\nbanner=no\nxcatd=no\nxcatd=error\ndone=ok\n", Answer.UNKNOWN),
        ("ping=no\nbanner=no\nxcatd=perhaps\ndone=ok\n", Answer.UNKNOWN),
        ("", Answer.UNKNOWN),
        ("bash: ping=no: command not found\n", Answer.UNKNOWN),
    ],
)
def test_silence_is_told_only_when_every_test_ran(said: str, expected: Answer) -> None:
    assert sees(said) is expected


@pytest.mark.parametrize("report", MUTE)
def test_an_unreachable_witness_is_unknown(report: object) -> None:
    sight = witness.read_sight(Looked(LOOK, report))  # type: ignore[arg-type]

    assert sight.sees is Answer.UNKNOWN
    assert sight.name == "sn01"


def test_a_ping_that_answers_is_shown_although_it_decides_nothing() -> None:
    sight = witness.read_sight(Looked(LOOK, exited(0, "ping=ok\nbanner=no\nxcatd=no\ndone=ok\n")))

    assert sight.detail == "ping ok, banner no, xcatd no"
    assert sight.at == BACK


def test_a_cut_answer_is_unknown() -> None:
    report = exited(0, "ping=no\nbanner=no\nxcatd=no\ndone=ok\n", truncated=True)

    assert witness.read_sight(Looked(LOOK, report)).sees is Answer.UNKNOWN


def test_as_a_proof_reaching_passes_and_silence_blocks() -> None:
    silent = exited(0, "ping=no\nbanner=no\nxcatd=no\ndone=ok\n")

    assert witness.read_reaches(exited(0, "banner=ok\n")).verdict is Verdict.PASS
    assert witness.read_reaches(silent).verdict is Verdict.BLOCK
    assert witness.read_reaches(ended(Ending.LOST)).verdict is Verdict.UNKNOWN


def test_the_script_is_one_printable_line_with_the_address_as_an_argument() -> None:
    request = LOOK.request

    assert isinstance(request, Exec)
    assert request.argv[:2] == ("sh", "-c")
    assert request.argv[2].isprintable()
    assert request.argv[3:] == (
        "hamnd-witness",
        "9.114.47.103",
        "22",
        "3001",
        "2",
        "/var/lib/hamnd",
    )


# --- the script itself ---------------------------------------------------------------------


class Acceptor(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True


@pytest.fixture
async def sshd() -> AsyncIterator[int]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    async with await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Acceptor, server_host_keys=[key]
    ) as server:
        yield server.get_port()


@pytest.fixture
async def mute() -> AsyncIterator[int]:
    """Accepts and says nothing, as a frozen host does."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in held:
        writer.close()
    server.close()


def programs(folder: Path, **bodies: str) -> str:
    """A PATH with these programs and the few others that the script calls."""
    for name in ("sh", "uname", "timeout", "ssh", "sleep", "cat"):
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return str(folder)


async def script_says(path: str, port: int, seconds: int = 1) -> dict[str, str]:
    request = LOOK.request
    assert isinstance(request, Exec)
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", request.argv[2], "hamnd-witness", "127.0.0.1", str(port), "3001",
        str(seconds), path,
        env={"PATH": path, "HOME": path, "USER": os.environ.get("USER", "root")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0
    assert err == b""
    lines = (line for line in out.decode().splitlines() if not line.startswith("hamnd-"))
    return dict(line.split("=") for line in lines)


DENIED = 'echo "Error: Permission denied for request" >&2; exit 1'
REFUSED = (
    'echo "Unable to open socket connection to xcatd daemon on $XCATHOST."\n'
    'echo "Connection failure: IO::Socket::INET: connect: Connection refused" >&2; exit 111'
)
HANGS_UNLESS_CLOSED = f"case $XCATHOST in 127.0.0.1:1) {REFUSED};; *) exec sleep 60;; esac"


needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="package openssh-client")


@needs_ssh
async def test_a_living_primary_is_reached(tmp_path: Path, sshd: int) -> None:
    path = programs(tmp_path, ping="exit 0", lsxcatd='echo "Version 2.19.0 for $XCATHOST"')

    assert await script_says(path, sshd) == {
        "ping": "ok", "banner": "ok", "xcatd": "ok", "done": "ok",
    }  # fmt: skip


@needs_ssh
async def test_a_frozen_primary_answers_ping_only(tmp_path: Path, mute: int) -> None:
    path = programs(tmp_path, ping="exit 0", lsxcatd=HANGS_UNLESS_CLOSED)

    assert await script_says(path, mute) == {
        "ping": "ok", "banner": "no", "xcatd": "no", "done": "ok",
    }  # fmt: skip


@needs_ssh
async def test_refusals_and_a_failing_database_are_told_apart(tmp_path: Path) -> None:
    refused = programs(tmp_path, ping="exit 1", lsxcatd=REFUSED)

    assert await script_says(refused, 1) == {
        "ping": "no", "banner": "refused", "xcatd": "refused", "done": "ok",
    }  # fmt: skip
    (tmp_path / "lsxcatd").write_text(f"#!/bin/sh\n{DENIED}\n")
    assert (await script_says(refused, 1))["xcatd"] == "failing"


@needs_ssh
async def test_an_xcat_client_that_always_hangs_proves_no_silence(
    tmp_path: Path, mute: int
) -> None:
    path = programs(tmp_path, ping="exit 1", lsxcatd="exec sleep 60")

    assert (await script_says(path, mute))["xcatd"] == "error"


async def test_missing_programs_are_errors_and_never_silence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    said = await script_says(str(tmp_path / "empty"), 1)

    assert said["xcatd"] == "error"
    assert witness.read_sight(
        Looked(LOOK, exited(0, "".join(f"{key}={word}\n" for key, word in said.items())))
    ).sees in (Answer.UNKNOWN, Answer.ANSWERED)
