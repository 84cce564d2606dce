"""Local programs: real processes, real signals, real pipes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.process import OUTPUT_BYTES_MAX, LocalRunner
from hamnd.model.work import Ending, Exec, Report

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
async def runner() -> AsyncIterator[LocalRunner]:
    it = LocalRunner(SystemClock(), PATH, "root")
    yield it
    await it.close()


async def sh(runner: LocalRunner, script: str, limit_s: float = 10.0) -> Report:
    return await runner.run(Exec("aixmn2", ("sh", "-c", script)), limit_s)


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  (nobody tells us)
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_in(path: Path) -> int:
    return int(path.read_text()) if path.exists() and path.read_text().endswith("\n") else 0


def has_zombies() -> bool:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) == os.getpid():
            return True
    return False


async def test_a_program_gets_its_exact_argv_and_no_shell(runner: LocalRunner) -> None:
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    report = await runner.run(
        Exec("aixmn2", (sys.executable, "-c", code, "a b", "$HOME;*", "", "'")), 10
    )
    assert report.stdout == '["a b", "$HOME;*", "", "\'"]\n'
    assert (report.ending, report.exit_code) == (Ending.EXITED, 0)
    assert report.finished.monotonic_s > report.started.monotonic_s


async def test_both_outputs_and_the_exit_code_come_back(runner: LocalRunner) -> None:
    report = await sh(runner, "echo out; echo err >&2; exit 7")
    assert (report.stdout, report.stderr, report.exit_code) == ("out\n", "err\n", 7)


async def test_the_environment_is_english_and_has_only_our_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("HAMND_EXAMPLE", "seen")
    report = await sh(LocalRunner(SystemClock(), "/usr/bin:/bin", "root"), "env")
    seen = dict(line.partition("=")[::2] for line in report.stdout.splitlines())
    assert (seen["LANG"], seen["LC_ALL"], seen["PATH"]) == ("C", "C", "/usr/bin:/bin")
    assert seen["HAMND_EXAMPLE"] == "seen"
    assert "NOTIFY_SOCKET" not in seen
    assert "LC_MESSAGES" not in seen


async def test_standard_input_is_given_whole_or_is_empty(runner: LocalRunner) -> None:
    text = "x" * 300_000 + "\n"
    given = await runner.run(Exec("aixmn2", ("wc", "-c"), stdin=text), 10)
    assert given.stdout.strip() == "300001"
    empty = await runner.run(Exec("aixmn2", ("wc", "-c")), 10)
    assert empty.stdout.strip() == "0"


async def test_a_program_that_ignores_its_input_is_no_error(runner: LocalRunner) -> None:
    report = await runner.run(Exec("aixmn2", ("true",), stdin="x" * 1_000_000), 10)
    assert (report.ending, report.exit_code) == (Ending.EXITED, 0)


async def test_strange_bytes_are_replaced(runner: LocalRunner) -> None:
    report = await sh(runner, r"printf 'a\377b'")
    assert report.stdout == "a\ufffdb"


async def test_output_past_the_limit_is_read_and_dropped(runner: LocalRunner) -> None:
    report = await sh(runner, "head -c 3000000 /dev/zero | tr '\\0' x; echo done >&2")
    assert (len(report.stdout), report.truncated) == (OUTPUT_BYTES_MAX, True)
    assert (report.stderr, report.exit_code) == ("done\n", 0)


@pytest.mark.parametrize("name", ["db2pd-that-is-not-there", "/opt/none/db2pd"])
async def test_a_missing_program_could_not_run(runner: LocalRunner, name: str) -> None:
    report = await runner.run(Exec("aixmn2", (name, "-hadr")), 10)
    assert report.ending is Ending.COULD_NOT_RUN
    assert name in report.detail
    assert (PATH in report.detail) is (not name.startswith("/"))


async def test_a_program_is_looked_up_on_the_site_path_alone(
    runner: LocalRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "only-here"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert (await runner.run(Exec("aixmn2", ("only-here",)), 10)).ending is Ending.COULD_NOT_RUN
    ours = LocalRunner(SystemClock(), str(tmp_path), "root")
    assert (await ours.run(Exec("aixmn2", ("only-here",)), 10)).stdout == "hello\n"


async def test_a_file_that_may_not_be_executed_could_not_run(
    runner: LocalRunner, tmp_path: Path
) -> None:
    program = tmp_path / "plain"
    program.write_text("text")
    report = await runner.run(Exec("aixmn2", (str(program),)), 10)
    assert report.ending is Ending.COULD_NOT_RUN
    assert "permission denied" in report.detail
    program.write_text("#!/no/such/shell\n")
    program.chmod(0o755)
    report = await runner.run(Exec("aixmn2", (str(program),)), 10)
    assert report.ending is Ending.COULD_NOT_RUN
    assert "interpreter" in report.detail


async def test_a_program_killed_by_a_signal_ends_as_a_shell_says_it(runner: LocalRunner) -> None:
    report = await sh(runner, "kill -9 $$")
    assert (report.ending, report.exit_code) == (Ending.EXITED, 137)
    assert "SIGKILL" in report.detail


async def test_the_time_limit_ends_the_whole_group(runner: LocalRunner, tmp_path: Path) -> None:
    child = tmp_path / "child"
    report = await sh(runner, f"echo begun; sleep 60 & echo $! > {child}; wait", 0.3)
    assert (report.ending, report.exit_code, report.stdout) == (Ending.TIMED_OUT, None, "begun\n")
    assert "0.3 s" in report.detail
    assert not is_alive(pid_in(child))


async def test_the_time_limit_reaches_orphans_of_the_session(
    runner: LocalRunner, tmp_path: Path
) -> None:
    """Their parent has gone, so that only group and session tell whose they are."""
    child = tmp_path / "child"
    report = await sh(runner, f"(sleep 60 & echo $! > {child}); sleep 60", 0.3)
    assert report.ending is Ending.TIMED_OUT
    assert pid_in(child)
    assert not is_alive(pid_in(child))


async def test_a_program_that_ignores_term_is_killed(runner: LocalRunner, tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f"trap '' TERM; echo $$ > {child}; while :; do sleep 1; done"
    report = await sh(runner, script, 0.2)
    assert report.ending is Ending.TIMED_OUT
    assert not is_alive(pid_in(child))


async def test_the_time_limit_reaches_what_left_the_session(
    runner: LocalRunner, tmp_path: Path
) -> None:
    """As `su -c` does: a signal to the group alone would leave the database command running."""
    child = tmp_path / "child"
    script = f"setsid sh -c 'echo $$ > {child}; exec sleep 60'; true"
    report = await sh(runner, script, 0.4)
    assert report.ending is Ending.TIMED_OUT
    assert pid_in(child)
    assert not is_alive(pid_in(child))


async def test_the_report_does_not_wait_for_a_grandchild_that_keeps_the_pipe(
    runner: LocalRunner, tmp_path: Path
) -> None:
    child = tmp_path / "child"
    report = await sh(runner, f"setsid sleep 60 & echo $! > {child}; echo answer; exit 4", 30)
    try:
        assert (report.ending, report.exit_code, report.stdout) == (Ending.EXITED, 4, "answer\n")
        assert report.finished.since(report.started) < 5
        assert is_alive(pid_in(child)), "what a program leaves behind on purpose stays (db2bp)"
    finally:
        os.kill(pid_in(child), signal.SIGKILL)


async def test_cancellation_ends_the_program_and_leaks_nothing(
    runner: LocalRunner, tmp_path: Path
) -> None:
    await sh(runner, "true")  # descriptors that asyncio opens once are open now
    descriptors = len(os.listdir("/proc/self/fd"))
    child = tmp_path / "child"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(sh(runner, f"sleep 60 & echo $! > {child}; wait", 60))
        await until(lambda: bool(pid_in(child)))
        task.cancel()
    assert task.cancelled()
    await until(lambda: not is_alive(pid_in(child)))
    await until(lambda: not has_zombies())
    await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


async def test_cancelled_while_it_starts_nothing_of_a_program_stays(tmp_path: Path) -> None:
    """The program runs before asyncio says so; its children must go as well."""
    for number in range(8):
        child = tmp_path / f"child{number}"
        mine = LocalRunner(SystemClock(), PATH, "root")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(sh(mine, f"sleep 60 & echo $! > {child}; wait", 60))
            for _ in range(number):
                await asyncio.sleep(0)  # one turn of the loop further into the start each time
            task.cancel()
        assert task.cancelled()
        await mine.close()
        assert not has_zombies()
        left = pid_in(child)
        await until(lambda: not left or not is_alive(left))  # noqa: B023  (called at once)


async def test_close_ends_what_still_runs(runner: LocalRunner, tmp_path: Path) -> None:
    child = tmp_path / "child"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(sh(runner, f"echo $$ > {child}; sleep 60; true", 60))
        await until(lambda: bool(pid_in(child)))
        await runner.close()
    assert task.result().exit_code == 137
    assert (await sh(runner, "true")).ending is Ending.COULD_NOT_RUN


async def test_close_reaches_a_program_that_is_just_starting(runner: LocalRunner) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(sh(runner, "sleep 60; true", 60))
        await asyncio.sleep(0)
        await runner.close()
    assert task.result().exit_code == 137


async def test_many_programs_at_once_leave_no_zombie(runner: LocalRunner) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(sh(runner, f"exit {code}")) for code in range(20)]
    assert [task.result().exit_code for task in tasks] == list(range(20))
    await until(lambda: not has_zombies())


@pytest.mark.skipif(os.getuid() != 0, reason="su without a password needs root")
@pytest.mark.skipif(shutil.which("su", path=PATH) is None, reason="no su here")
async def test_another_user_is_reached_through_su_and_ended_with_it(
    runner: LocalRunner, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    report = await runner.run(Exec("aixmn2", ("id", "-un"), user="root"), 10)
    assert report.stdout == "root\n"
    elsewhere = LocalRunner(SystemClock(), PATH, "hamnd")  # so that root itself is asked by su
    child = tmp_path / "child"
    argv = ("sh", "-c", f"echo $$ > {child}; sleep 60; true")
    report = await elsewhere.run(Exec("aixmn2", argv, user="root"), 1.0)
    assert report.ending is Ending.TIMED_OUT
    assert pid_in(child)
    assert not is_alive(pid_in(child))
