"""A fence agent that says anything at all, as a real program: never off by mistake, no secret out.

Owns the fuzz of the adapter and the reader together. The protocol's words are told beside each.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.fence import AgentFence
from hamnd.adapters.process import OUTPUT_BYTES_MAX, LocalRunner
from hamnd.dialects.fence import PowerState, read_is_off, read_off_done, read_status
from hamnd.model.names import Verdict
from hamnd.model.site import FenceSite
from hamnd.model.work import FenceStatus, Report
from tests.proof.budget import fuzz

SECRET = "c0rrect h0rse'$"
LIMIT_S = 20.0

LINES = st.sampled_from(
    (
        *(b"Status: OFF", b"Status: ON", b"status: off", b"  STATUS:  off  ", b"Status: OFFLINE"),
        *(b"Status:", b"OFF", b"Status: OFF Status: ON", b"", b"\r", b"\xff\xfe"),
        *(b"\x00", b"\x1b[2J"),
        *(b"Failed: connection lost", b"Connection timed out", SECRET.encode(), b"x" * 3000),
        b"Traceback (most recent call last):",
    )
)  # fmt: skip
OUTPUTS = st.one_of(
    st.lists(LINES, max_size=6).map(b"\n".join),
    st.binary(max_size=300),
    st.tuples(LINES, st.sampled_from((b"\n", b" ", b"z"))).map(
        lambda both: both[0] + b"\n" + both[1] * (OUTPUT_BYTES_MAX + 9)
    ),
)
CODES = st.one_of(st.sampled_from((0, 1, 2, 2, 2)), st.integers(0, 255))


class Agent:
    """A program that says what it is told to say, and hamnd's own way of calling it."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self._folder = folder
        self._loop = runner
        secret = folder / "password"
        secret.write_text(SECRET + "\n")
        self._program = folder / "fence_any"
        clock = SystemClock()
        self._device = AgentFence(
            FenceSite(agent=str(self._program), secret_files={"password": str(secret)}),
            "aixmn2",
            LocalRunner(clock, "/usr/bin:/bin", "root"),
            clock,
        )

    def says(self, stdout: bytes, stderr: bytes, code: int, *, reads: bool) -> Report:
        """Return what hamnd makes of it; `reads`: it takes its standard input first."""
        for name, data in (("out", stdout), ("err", stderr)):
            (self._folder / name).write_bytes(data)
        where = shlex.quote(str(self._folder))
        take = "cat >/dev/null; " if reads else ""
        self._program.write_text(
            f"#!/bin/sh\n{take}cat {where}/out; cat {where}/err >&2; exit {code}\n"
        )
        self._program.chmod(0o755)
        return self._loop.run(self._device.call(FenceStatus("aixmn1"), LIMIT_S))


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with asyncio.Runner() as runner:
        yield Agent(tmp_path_factory.mktemp("fence"), runner)


@fuzz(40)
@given(stdout=OUTPUTS, stderr=OUTPUTS, code=CODES, reads=st.booleans())
def test_only_a_plain_word_of_a_whole_answer_is_off(
    agent: Agent, stdout: bytes, stderr: bytes, code: int, reads: bool
) -> None:
    """Told twice: what the protocol calls off, written here once more and as simply as can be."""
    report = agent.says(stdout, stderr, code, reads=reads)
    words = {" ".join(line.split()).lower() for line in stdout.decode(errors="replace").split("\n")}
    is_cut = max(len(stdout), len(stderr)) > OUTPUT_BYTES_MAX
    says_off, says_on = "status: off" in words, "status: on" in words
    is_silent = not stdout.decode(errors="replace").strip() and not (
        stderr.decode(errors="replace").strip()
    )
    is_off = code == 2 and not is_cut and not says_on and (says_off or is_silent)
    is_on = code == 0 and not says_off
    state = read_status(report)
    assert state is not PowerState.OFF or is_off
    assert state is not PowerState.ON or is_on
    assert state is PowerState.OFF or not is_off
    assert (
        read_is_off(report).verdict
        is {
            PowerState.OFF: Verdict.PASS,
            PowerState.ON: Verdict.BLOCK,
            PowerState.UNKNOWN: Verdict.UNKNOWN,
        }[state]
    )
    assert read_off_done(report).verdict is not Verdict.PASS or code == 0
    assert SECRET not in report.stdout + report.stderr + report.detail
    assert len(report.stdout) <= OUTPUT_BYTES_MAX
