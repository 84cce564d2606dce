"""A takeover as it is met from outside: terminals, signals, a second daemon, kills beside steps.

Stories are told side by side, one for each core. Each has a site of its own; its takeover is held
in the middle of `promote` where something is to happen meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hamnd.demo.calls import Call
from hamnd.errors import OutcomeUnknown
from hamnd.views.status import render_status
from tests.lab.demo_kills import changes_of, end_of, retry_to_the_end
from tests.lab.demo_script import Script
from tests.lab.demo_stage import (
    CLOSE_POLL_S,
    LIMIT_S,
    POLL_S,
    QUICK,
    Hold,
    Stage,
    agree,
    is_resting,
    lose_primary,
    plan,
    stage,
    until_ready,
)
from tests.lab.demo_theatre import Theatre, selected

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

TAKEOVER = "db2 takeover hadr on db XCATDB by force peer window only"

ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "hamnd.cli.main", *sys.argv[1:]])
"""
"""hamnctl with a controlling terminal: when that is closed, the kernel hangs it up."""


Story = Callable[[Stage], Awaitable[None]]
STORIES: list[Story] = []


def story(tell: Story) -> Story:
    """Have it told by a test of its own."""
    STORIES.append(tell)
    return tell


async def tell(chosen: Story) -> None:
    """Tell a story on a pair whose primary is down."""
    busy = chosen is promotion_that_still_runs_is_not_begun_a_second_time
    async with stage(replace(QUICK, takeover_s=6.0) if busy else QUICK) as one:
        await until_ready(one)
        await lose_primary(one)
        await chosen(one)


def is_takeover(call: Call) -> bool:
    return call.tool == "db2" and call.argv[:1] == ("takeover",)


@contextlib.asynccontextmanager
async def held_in_promote(one: Stage) -> AsyncIterator[tuple[Script, Hold]]:
    """A confirmed takeover that waits in the middle of its promotion until it is released."""
    with one.world.holding(is_takeover) as hold:
        script = Script(await agree(one))
        await one.until(lambda: _is_set(hold.caught), "the promotion")
        yield script, hold


async def _is_set(event: asyncio.Event) -> bool:
    return event.is_set()


async def ended_well(one: Stage, script: Script) -> None:
    """Then this node is the management node, and nothing was done twice."""
    end = await end_of(one, script)
    assert (end.state, end.run, end.open_steps, end.report) == ("Active", "done", (), "done")
    assert (end.epoch, end.holders) == (1, ("aixmn2",))
    assert end.units == ("xcatd", "named", "dhcpd", "conserver")
    assert (end.confirmations, end.predictions, end.raised, end.chain) == (1, 1, 1, None)
    assert changes_of(one)[TAKEOVER] == 1
    assert changes_of(one)["fence off"] == 1


async def until_active(one: Stage) -> None:
    status = await one.until_status(is_resting, "the end of the run")
    assert status["state"] == "Active", await one.told()


# Kills that are not within a step


@story
async def killed_between_writing_the_confirmation_and_acting(one: Stage) -> None:
    script = Script(await plan(one))
    with one.world.holding(lambda call: script.is_look(call, "fuse")):
        body = {"digest": script.shown["digest"], "named": "aixmn2"}
        confirming = asyncio.get_running_loop().create_task(one.ask("confirm", body))

        async def is_confirmed() -> bool:
            return one.count("plan_confirmed") > 0

        await one.until(is_confirmed, "the confirmation on disk", CLOSE_POLL_S)
        await one.kill()
    with contextlib.suppress(OutcomeUnknown):
        assert (await confirming).status == 200
    assert changes_of(one).total() == 0
    await one.start()
    run = (await one.status())["run"]
    assert (run["status"], run["passed_point_of_no_return"]) == ("paused", None)
    assert {step["outcome"] for step in run["steps"]} == {"pending"}
    assert await retry_to_the_end(one)
    await ended_well(one, script)


@story
async def killed_right_after_the_confirmation_was_answered(one: Stage) -> None:
    script = Script(await agree(one))
    await one.kill()
    await one.start()
    status = await one.status()
    assert (status["state"], status["run"]["status"]) == ("TakingOver", "paused")
    assert status["run"]["digest"] == script.shown["digest"]
    assert await retry_to_the_end(one)
    await ended_well(one, script)


@story
async def killed_while_paused_it_is_paused_for_the_same_reason(one: Stage) -> None:
    one.world.fault("fail", "makedns", "1", "Error: no zone")
    script = Script(await agree(one))
    before = (await one.until_status(is_resting, "the pause"))["run"]
    assert (before["status"], before["paused_step"]) == ("paused", "dns")
    await one.until_status(lambda status: not _moving(status), "what was under way to come home")
    await one.kill()
    await one.start()
    after = (await one.status())["run"]
    assert (after["status"], after["paused_step"]) == ("paused", "dns")
    assert after["reason"] == before["reason"]
    assert "no zone" in after["reason"]
    one.world.fault("heal")
    assert await retry_to_the_end(one)
    await ended_well(one, script)


def _moving(status: dict[str, Any]) -> bool:
    return any(step["outcome"] == "running" for step in status["run"]["steps"])


@story
async def killed_again_and_again_it_still_ends_well(one: Stage) -> None:
    """Once in every step that cannot be taken back or is seen from outside, in one run."""
    script = Script(await agree(one))
    for step in ("promote", "identity", "xcatd", "verify"):
        await one.until(lambda step=step: _began(one, step), f"{step} to act", CLOSE_POLL_S)  # type: ignore[misc]
        await one.kill()
        await one.start()
        status = await one.until_status(_is_seen_again, "the evidence")
        if status["run"] is not None:
            await one.must("retry", {})
    await retry_to_the_end(one)
    await ended_well(one, script)


@story
async def retried_before_the_evidence_is_back_it_waits_instead_of_acting(one: Stage) -> None:
    """After a restart nothing is proven until it is seen again; an impatient operator is told."""
    async with held_in_promote(one) as (script, hold):
        await one.kill()
        hold.release(carried_out=False)
    await one.start()
    reasons = []
    while (status := await one.until_status(is_resting, "the run to rest"))["run"] is not None:
        reasons.append(status["run"]["reason"])
        assert len(reasons) < 50, reasons
        await one.must("retry", {})
    assert {reason for reason in reasons[1:] if "no fence evidence" not in reason} == set()
    await ended_well(one, script)


async def _began(one: Stage, step: str) -> bool:
    return one.count("action_started", step) > 0 or one.count("run_finished") > 0


def _is_seen_again(status: dict[str, Any]) -> bool:
    return status["fence"]["grade"] in ("agent_off", "power_off")


@story
async def promotion_that_still_runs_is_not_begun_a_second_time(one: Stage) -> None:
    """hamnd is killed, comes back at once and is told to retry while Db2 still takes over."""
    script = Script(await agree(one))

    async def is_begun() -> bool:
        return changes_of(one)[TAKEOVER] == 1

    await one.until(is_begun, "the promotion", CLOSE_POLL_S)
    await one.kill()
    await one.start()
    await one.until_status(_is_seen_again, "the evidence")
    assert _role(one) == "STANDBY", "it should still be busy"
    await one.must("retry", {})
    run = (await one.until_status(is_resting, "the pause"))["run"]
    assert (run["status"], run["paused_step"]) == ("paused", "promote")
    assert "a takeover runs here already" in run["reason"]
    assert changes_of(one)[TAKEOVER] == 1

    async def is_primary() -> bool:
        return _role(one) == "PRIMARY"

    await one.until(is_primary, "Db2 to end its takeover")
    assert await retry_to_the_end(one) == [f"promote: {run['reason']}"]
    await ended_well(one, script)


def _role(one: Stage) -> str:
    return one.world.pair.nodes["aixmn2"].role.value


# Signals and a second daemon


@story
async def sigterm_in_a_step_lets_the_action_end_first(one: Stage) -> None:
    async with held_in_promote(one) as (script, hold):
        await one.signal(signal.SIGTERM)
        await one.until(lambda: _logged(one, "draining"), "draining")
        assert one.count("action_finished", "promote") == 0
        hold.release()
        assert await one.ended() == 0
    assert one.count("action_finished", "promote") == 1
    before = changes_of(one)
    await one.start()
    run = (await one.status())["run"]
    assert run["status"] == "paused"
    assert run["passed_point_of_no_return"] == "promote"
    assert changes_of(one) == before
    assert await retry_to_the_end(one)
    await ended_well(one, script)


async def _logged(one: Stage, event: str) -> bool:
    return bool(one.logged(event))


@story
async def sighup_with_a_broken_file_in_a_run_keeps_the_old_configuration(one: Stage) -> None:
    good = one.layout.config.read_text()
    async with held_in_promote(one) as (script, hold):
        before = (await one.must("explain"))["terms"]
        one.layout.config.write_text(good.replace("down_after_s = 1.0", "down_after_s = -1"))
        await one.signal(signal.SIGHUP)
        await one.until(lambda: _logged(one, "reload_refused"), "the refusal")
        assert (await one.must("explain"))["terms"] == before
        assert (await one.status())["run"]["status"] == "running"
        hold.release()
    await until_active(one)
    await ended_well(one, script)


@story
async def sighup_that_changes_what_the_run_stands_on_is_refused_by_name(one: Stage) -> None:
    """The file names another site while a takeover runs; what the run stands on stays as it was."""
    good = one.layout.config.read_text()
    other = good.replace('address = "127.0.47.103"', 'address = "127.0.47.99"', 1)
    other = other.replace('plug = "aixmn1"', 'plug = "aixmn7"')
    other = other.replace("prefix = 26", "prefix = 24", 1)
    async with held_in_promote(one) as (script, hold):
        before = (await one.must("explain"))["terms"]
        one.layout.config.write_text(other)
        await one.signal(signal.SIGHUP)
        told = await one.until_status(lambda status: status["reload"], "the refusal in status")
        named = {problem["path"] for problem in told["reload"]["problems"]}
        assert named == {"primary", "identity", "fence.options"}
        logged = {line["path"] for line in one.logged("configuration_problem")}
        assert named <= logged
        assert "primary, identity, fence.options" in " ".join(" ".join(render_status(told)).split())
        assert told["run"]["status"] == "running"
        assert (await one.must("explain"))["terms"] == before

        one.layout.config.write_text(good.replace("service_down_after_s = 8.0",
                                                  "service_down_after_s = 9.0"))  # fmt: skip
        await one.signal(signal.SIGHUP)
        await one.until_status(lambda status: status["reload"] is None, "the reload")
        assert (await one.must("explain"))["terms"] == {**before, "service_down_after_s": 9.0}
        hold.release()
    await until_active(one)
    await ended_well(one, script)


@story
async def second_daemon_on_the_same_state_is_turned_away(one: Stage) -> None:
    async with held_in_promote(one) as (script, hold):
        log = one.layout.root / "second.log"
        second = await one.spawn("-m", "hamnd", "--config", str(one.layout.config), log=log)
        async with asyncio.timeout(LIMIT_S):
            assert await second.wait() == 1
        assert "another hamnd" in log.read_text()
        assert (await one.status())["run"]["status"] == "running"
        hold.release()
    await until_active(one)
    await ended_well(one, script)


# Terminals


class Terminal:
    """hamnctl on a terminal of its own."""

    def __init__(self, one: Stage, *words: str) -> None:
        self.parent, child = pty.openpty()
        os.set_blocking(self.parent, False)
        environment = {**os.environ, **one.layout.environment, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *words],
            stdin=child, stdout=child, stderr=child, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(child)
        self.drawn = ""

    async def until(self, text: str) -> None:
        """Read until a text was drawn."""
        async with asyncio.timeout(LIMIT_S):
            while text not in self.drawn:
                with contextlib.suppress(OSError):
                    self.drawn += os.read(self.parent, 65536).decode(errors="replace")
                await asyncio.sleep(POLL_S)

    def type(self, text: str) -> None:
        os.write(self.parent, text.encode())

    def close(self) -> None:
        """Close the window."""
        if self.parent >= 0:
            os.close(self.parent)
            self.parent = -1

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.wait, LIMIT_S)

    def clean_up(self) -> None:
        self.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@story
async def closing_the_terminal_does_not_stop_the_run(one: Stage) -> None:
    script = Script(await plan(one))
    with one.world.holding(is_takeover) as hold:
        terminal = Terminal(one, "confirm")
        try:
            await terminal.until("Type the name of the new primary")
            assert changes_of(one).total() == 0
            terminal.type("aixmn2\n")
            await one.until(lambda: _is_set(hold.caught), "the promotion")
            await terminal.until("fence")
            terminal.close()
            assert await terminal.ended() != 0
        finally:
            terminal.clean_up()
        assert (await one.status())["run"]["status"] == "running"
        hold.release()
    await until_active(one)
    await ended_well(one, script)


async def hamnctl(one: Stage, *words: str, log: Path) -> asyncio.subprocess.Process:
    return await one.spawn("-m", "hamnd.cli.main", *words, log=log)


@story
async def second_confirm_joins_the_run(one: Stage) -> None:
    async with held_in_promote(one) as (script, hold):
        digest = script.shown["digest"]
        with tempfile.TemporaryDirectory() as folder:
            logs = [Path(folder) / name for name in ("first", "second")]
            followers = [
                await hamnctl(one, "confirm", log=logs[0]),
                await hamnctl(one, "confirm", digest, "--name", "aixmn2", log=logs[1]),
            ]
            for log in logs:
                await one.until(lambda log=log: _tells(log, "Joining"), "hamnctl to join")  # type: ignore[misc]
            hold.release()
            async with asyncio.timeout(LIMIT_S):
                assert [await follower.wait() for follower in followers] == [0, 0]
            for log in logs:
                told = log.read_text()
                assert f"Joining takeover {digest}" in told
                assert "DONE. Every step is verified." in told
                assert "verify" in told
    await until_active(one)
    await ended_well(one, script)


async def _tells(log: Path, word: str) -> bool:
    return log.exists() and word in log.read_text()


@story
async def screens_tell_a_pause_after_a_kill_and_the_history_is_whole(one: Stage) -> None:
    """What the operator reads at night: hamnctl status, then history --verify."""
    async with held_in_promote(one) as (script, hold):
        await one.kill()
        hold.release(carried_out=False)
    with tempfile.TemporaryDirectory() as folder:
        without = Path(folder) / "without-daemon"
        environment = ["--state-dir", str(one.layout.state)]
        process = await hamnctl(one, *environment, "status", log=without)
        assert await process.wait() in (0, 3, 5, 6), without.read_text()
        assert "promote" in without.read_text() or "TakingOver" in without.read_text()
        await one.start()
        log = Path(folder) / "status"
        process = await hamnctl(one, "status", log=log)
        await process.wait()
        screen = log.read_text()
        assert "PAUSED" in screen
        assert "promote" in screen
        assert "hamnctl retry" in screen
        assert await retry_to_the_end(one)
        history = Path(folder) / "history"
        process = await hamnctl(one, *environment, "history", "--verify", log=history)
        assert await process.wait() == 0, history.read_text()
    await ended_well(one, script)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stories(request: pytest.FixtureRequest) -> AsyncIterator[Theatre[Story, None]]:
    """Begin every story that was selected."""
    theatre = Theatre(tell, selected(request, "story"))
    yield theatre
    await theatre.close()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_outside(stories: Theatre[Story, None], story: Story) -> None:
    await stories.told(story)
