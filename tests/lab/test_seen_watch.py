"""`hamnctl status --watch` in a real terminal, on a real daemon that dies and returns underneath.

Owns that story, told in tmux. HAMND_PICTURES names a folder in which what was drawn is kept.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.demo_stage import LIMIT_S, Stage, agree, stage, until_ready
from tests.lab.site.fixtures import needs

PICTURES = os.environ.get("HAMND_PICTURES", "")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs("tmux"),
]
POLL_S = 0.1


class Terminal:
    """A terminal of 80x24 with a shell in it, whose environment is the demo's."""

    def __init__(self, one: Stage) -> None:
        self._server = ["tmux", "-L", f"hamnd-{os.getpid()}", "-f", "/dev/null"]
        environment = {**os.environ, **one.layout.environment, "PS1": "$ ", "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        size = ("-x", "80", "-y", "24")
        self._call("new-session", "-d", "-s", "s", *size, "sh", environment=environment)

    def _call(self, *argv: str, environment: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [*self._server, *argv], capture_output=True, text=True, env=environment, check=True
        )
        return done.stdout

    def type(self, text: str) -> None:
        self._call("send-keys", "-t", "s", "-l", text)

    def press(self, key: str) -> None:
        self._call("send-keys", "-t", "s", key)

    def enter(self) -> None:
        self.press("Enter")

    def resize(self, columns: int, lines: int) -> None:
        self._call("resize-window", "-t", "s", "-x", str(columns), "-y", str(lines))

    def screen(self, *options: str) -> str:
        return self._call("capture-pane", "-p", "-t", "s", *options)

    async def until(self, words: str, *, gone: bool = False) -> str:
        """Wait until words stand on the screen, or no longer do."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while (words in self.screen()) is gone:  # noqa: ASYNC110  (a terminal tells nobody)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"{words!r}, gone={gone}:\n{self.screen()}") from None
        return self.screen()

    def keep(self, name: str) -> None:
        if PICTURES:
            (Path(PICTURES) / f"{name}.ansi").write_text(self.screen("-e"))

    def close(self) -> None:
        self._call("kill-server")


async def test_it_is_live_says_when_it_is_not_and_gives_the_terminal_back() -> None:
    async with stage() as one:
        await until_ready(one)
        terminal = Terminal(one)
        try:
            terminal.type("echo before")
            terminal.enter()
            await terminal.until("before\n")
            program = shlex.join([sys.executable, "-P", "-m", "hamnd.cli.main"])
            terminal.type(f"{program} status --watch; echo code $?")
            terminal.enter()
            drawn = await terminal.until("protects aixmn1")
            assert "observed           expected" in drawn
            assert "before" not in drawn
            assert len(drawn.splitlines()) == 24
            terminal.keep("watch")
            terminal.resize(200, 50)
            drawn = await terminal.until("Conditions:")
            assert len(drawn.splitlines()) == 50
            terminal.keep("watch-wide")
            terminal.resize(80, 24)
            await terminal.until("Conditions:", gone=True)
            await stopped_and_back(terminal)
            await a_daemon_that_dies(one, terminal)
            await a_night(one, terminal)
            terminal.type("q")
            given_back = await terminal.until("code 0")
            assert "before" in given_back
            assert "q quits" not in given_back
            terminal.type("echo af")
            terminal.type("ter")
            terminal.enter()
            await terminal.until("\nafter\n")
            terminal.resize(80, 44)
            terminal.type(f"clear; {program} report --state-dir {one.layout.state}")
            terminal.enter()
            await terminal.until("human time")
            terminal.keep("report")
            the_log_tells_each_decision_once(one)
        finally:
            terminal.close()


async def stopped_and_back(terminal: Terminal) -> None:
    """Given ctrl-Z, then the shell has its screen and cursor; after fg the view is there again."""
    terminal.press("C-z")
    stopped = await terminal.until("before")
    assert "protects aixmn1" not in stopped
    terminal.type("fg; echo code $?")
    terminal.enter()
    await terminal.until("protects aixmn1")


async def a_daemon_that_dies(one: Stage, terminal: Terminal) -> None:
    await one.kill()
    told = await terminal.until("NOT LIVE for")
    assert "protects aixmn1" in told, "what was known stays readable"
    await terminal.until("NOT LIVE for 2 s")
    await one.start()
    await terminal.until("NOT LIVE", gone=True)
    await until_ready(one)
    await terminal.until("protects aixmn1")


async def a_night(one: Stage, terminal: Terminal) -> None:
    one.world.fault("kill")
    drawn = await terminal.until("aixmn1 is DOWN")
    assert "hamnctl plan takeover" in drawn
    terminal.keep("watch-down")
    with one.world.holding(lambda call: call.tool == "makedns") as hold:
        await agree(one)
        await one.until(hold.caught.wait, "a step that lasts")
        drawn = await terminal.until("> dns")
        assert "steps" in drawn
        assert "[#" in drawn
        terminal.keep("watch-run")
        terminal.resize(140, 30)
        await terminal.until(" | ")
        terminal.resize(60, 14)
        await terminal.until("...")
        assert (await terminal.until("q quits")).count("\n") <= 14
        terminal.resize(80, 24)
    drawn = await terminal.until("aixmn2 is the MANAGEMENT NODE")
    assert "TakingOver -> Active" in drawn


def the_log_tells_each_decision_once(one: Stage) -> None:
    """One JSON object in each line, and of each decision that changed something one `decided`."""
    lines = [json.loads(line) for line in one.log.read_text().splitlines()]
    decided = [line for line in lines if line["event"] == "decided"]
    assert all({"timestamp", "level", "event_kind", "old_state"} <= line.keys() for line in decided)
    numbers = [line["event_id"] for line in decided]
    restarts = sum(after <= before for before, after in itertools.pairwise(numbers))
    assert restarts == 1, "numbers grow within a process, and it died once"
    moves = [line for line in decided if line["old_state"] != line["new_state"]]
    assert [line["new_state"] for line in moves][-2:] == ["TakingOver", "Active"]
    assert all(line["because"] for line in moves)
