"""The fence-agent protocol, spoken to a real program that writes down what it was told."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.fence import MASK, AgentFence
from hamnd.adapters.process import LocalRunner
from hamnd.model.site import FenceSite
from hamnd.model.work import Ending, Exec, Fence, FenceStatus, Report

SECRET = "p%ss w'rd$1"


class Recorder:
    """Passes on to the real runner and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[Exec] = []
        self._runner = LocalRunner(SystemClock(), "/usr/bin:/bin", "root")

    async def run(self, request: Exec, timeout_s: float) -> Report:
        self.requests.append(request)
        return await self._runner.run(request, timeout_s)

    async def close(self) -> None:
        await self._runner.close()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "fence.password"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    path = tmp_path / "fence_example"
    path.write_text(
        f"#!/bin/sh\ncat > {tmp_path}/told\necho Status: OFF\n"
        f"echo connected with $(grep password {tmp_path}/told)\n"
        f'echo "url https://hamnd:p%25ss%20w%27rd%241@10.0.0.9/" >&2\nexit 2\n'
    )
    path.chmod(0o755)
    return path


def fence(
    agent: Path | None, secrets: dict[str, str], **options: str
) -> tuple[AgentFence, Recorder]:
    runner = Recorder()
    site = FenceSite(
        agent=None if agent is None else str(agent), options=options, secret_files=secrets
    )
    return AgentFence(site, "aixmn2", runner, SystemClock()), runner


async def test_options_secrets_and_the_verb_go_to_standard_input(
    agent: Path, secret_file: Path, tmp_path: Path
) -> None:
    device, runner = fence(agent, {"password": str(secret_file)}, ip="10.0.0.9", action="reboot")
    report = await device.call(FenceStatus("aixmn1"), 10)
    told = (tmp_path / "told").read_text().splitlines()
    assert told == ["ip=10.0.0.9", f"password={SECRET}", "action=status"]
    assert runner.requests[0].argv == (str(agent),)
    assert (report.ending, report.exit_code) == (Ending.EXITED, 2)
    assert "Status: OFF" in report.stdout


async def test_an_echoed_secret_is_masked(agent: Path, secret_file: Path) -> None:
    device, _ = fence(agent, {"password": str(secret_file)})
    report = await device.call(Fence("aixmn1", "off"), 10)
    assert SECRET not in repr(report)
    assert "p%25ss" not in report.stderr
    assert MASK in report.stdout
    assert MASK in report.stderr


async def test_the_secret_is_read_at_every_call(
    agent: Path, secret_file: Path, tmp_path: Path
) -> None:
    device, _ = fence(agent, {"password": str(secret_file)})
    await device.call(FenceStatus("aixmn1"), 10)
    secret_file.write_text("changed")
    await device.call(FenceStatus("aixmn1", "monitor"), 10)
    assert (tmp_path / "told").read_text() == "password=changed\naction=monitor\n"


@pytest.mark.parametrize("content", [None, "", "\n", "two\nlines\n", b"\xff\xfe"])
async def test_an_unusable_secret_starts_nothing(
    agent: Path, tmp_path: Path, content: str | bytes | None
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    device, runner = fence(agent, {"password": str(path)})
    report = await device.call(Fence("aixmn1", "off"), 10)
    assert report.ending is Ending.COULD_NOT_RUN
    assert str(path) in report.detail
    assert runner.requests == []


async def test_an_option_cannot_smuggle_in_another_line(agent: Path) -> None:
    device, runner = fence(agent, {}, ip="10.0.0.9\naction=on")
    report = await device.call(FenceStatus("aixmn1"), 10)
    assert report.ending is Ending.COULD_NOT_RUN
    assert runner.requests == []


async def test_without_an_agent_nothing_is_run() -> None:
    device, _ = fence(None, {})
    assert (await device.call(Fence("aixmn1", "off"), 10)).ending is Ending.COULD_NOT_RUN


async def test_an_agent_that_hangs_says_nothing(tmp_path: Path) -> None:
    agent = tmp_path / "fence_hang"
    agent.write_text("#!/bin/sh\nexec sleep 60\n")
    agent.chmod(0o755)
    device, _ = fence(agent, {})
    assert (await device.call(FenceStatus("aixmn1"), 0.2)).ending is Ending.TIMED_OUT
