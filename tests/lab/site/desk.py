"""The operator's desk: one node's hamnd as a person uses it, and its journal as it lies on disk.

Owns how a story reads the status at once, waits for a record, confirms a plan that goes on in the
background, and mends and retries until the run is over. MUST NOT judge what it reads.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from hamnd.cli.client import Client, Unreachable
from tests.lab.site.hosts import Process, wait_until
from tests.lab.site.names import STANDBY
from tests.lab.site.pair import Pair

REST_S = 90.0
"""How long a run may take until it is over or paused; generous, for two shared cores."""
DOWN_S = 90.0
TAIL = Path(__file__).with_name("journal_tail.py")
JOURNAL = "/var/lib/hamnd/journal.db"


class Entry(NamedTuple):
    """One record of the journal, as far as stories need it."""

    seq: int
    what: str
    step: str | None
    outcome: str | None
    evidence: str | None
    preview: str | None


class Desk:
    """What an operator of one node sees and types."""

    def __init__(self, site: Pair, node: str = STANDBY) -> None:
        self.site = site
        self.node = node
        self.host = site.lab[node]
        self._tail: Process | None = None
        self._entries: dict[int, Entry] = {}

    # Reading.

    def status(self) -> dict[str, Any] | None:
        """Return the status document straight from the daemon; None where it does not answer."""
        try:
            answer = Client(str(self.host.path("/run/hamnd/hamnd.sock"))).get("status")
        except Unreachable:
            return None
        return answer.document if answer.status == 200 else None

    def state(self) -> str:
        """Return hamnd's state, or "unreachable"."""
        status = self.status()
        return "unreachable" if status is None else str(status["state"])

    def told(self) -> str:
        """Return what the status and `explain` say to people."""
        words = ("status", "explain", "ready")
        return "\n".join(self.site.hamnctl(word, node=self.node).text for word in words)

    def entries(self) -> list[Entry]:
        """Return the journal's records, also of a host that has no power now."""
        if self._tail is None or (not self._tail.is_running and self.host.is_up):
            self._tail = self.host.start(sys.executable, "-I", str(TAIL), JOURNAL)
        for line in self._tail.text().split("\n")[:-1]:
            entry = Entry(*json.loads(line))
            self._entries[entry.seq] = entry
        return list(self._entries.values())

    def count(self, what: str, step: str | None = None) -> int:
        """Return how many such records there are, of one step only where it is named."""
        return sum(one.what == what and step in (None, one.step) for one in self.entries())

    # Waiting.

    def wait_state(self, *states: str, limit_s: float = DOWN_S) -> str:
        """Wait for one of these states and return it. Raises TimeoutError with what is said."""
        try:
            wait_until(lambda: self.state() in states, "", limit_s)
        except TimeoutError:
            raise TimeoutError(f"not {states} within {limit_s:g} s:\n{self.told()}") from None
        return self.state()

    def wait_answer(self, limit_s: float) -> None:
        """Wait until hamnd answers. Raises TimeoutError with what it logged."""
        try:
            wait_until(lambda: self.status() is not None, "", limit_s)
        except TimeoutError:
            raise TimeoutError(
                f"hamnd does not answer within {limit_s:g} s:\n{self.ending()}"
            ) from None

    def wait_confirmed(self, process: Process, limit_s: float = 90.0) -> None:
        """Wait until a plan is confirmed. Raises TimeoutError with what its terminal shows."""
        try:
            wait_until(lambda: self.count("plan_confirmed") > 0, "", limit_s)
        except TimeoutError:
            raise TimeoutError(f"not confirmed within {limit_s:g} s:\n{process.text()}") from None

    def wait_record(self, what: str, step: str | None = None, limit_s: float = REST_S) -> None:
        """Wait for a record, looked for all the time. Raises TimeoutError."""
        is_there = lambda: self.count(what, step) > 0 or self._rests()  # noqa: E731
        wait_until(is_there, f"{what} {step}", limit_s)

    def _rests(self) -> bool:
        if self.count("plan_confirmed") == 0:
            return False
        status = self.status()
        return status is not None and (status["run"] is None or status["run"]["status"] == "paused")

    def wait_rest(self, limit_s: float = REST_S) -> dict[str, Any] | None:
        """Wait until the run is over (None) or paused (its document). Raises TimeoutError."""
        try:
            wait_until(self._rests, "", limit_s)
        except TimeoutError:
            raise TimeoutError(f"the run goes on and on:\n{self.told()}\n{self.ending()}") from None
        status = self.status()
        run: dict[str, Any] | None = None if status is None else status["run"]
        return run

    def ending(self, lines: int = 15) -> str:
        """Return the end of the journal and of the log, for a failure's message."""
        journal = [
            f"{one.seq:4} {one.what} {one.step} {one.outcome} {str(one.evidence)[:200]}"
            for one in self.entries()[-2 * lines :]
        ]
        log = [line[:400] for line in self.site.log(self.node).splitlines()[-lines:]]
        return "\n".join(["--- journal", *journal, "--- log", *log])

    # Typing.

    def plan(self, *words: str) -> dict[str, Any]:
        """Plan a takeover and return the document. Raises RuntimeError where it is refused."""
        return self.site.ask("plan", "takeover", *words, node=self.node)

    def confirm(self, digest: str) -> Process:
        """Confirm a plan on a terminal of its own, which follows the steps."""
        argv, environment = self.site.command("confirm", digest, "--name", self.node)
        return self.host.start(*argv, environment=environment)

    def retry(self) -> str:
        """Let a paused run go on; returns what hamnctl said."""
        return self.site.hamnctl("retry", "--detach", node=self.node).text

    def _plan_anew(self) -> None:
        plan = self.plan("--continue")
        verdict = plan.get("data_loss", {}).get("verdict", "zero_proven")
        if verdict != "zero_proven":
            plan = self.plan("--continue", "--accept-loss", verdict)
        if "digest" in plan:
            words = ("confirm", plan["digest"], "--name", self.node, "--detach")
            self.site.hamnctl(*words, node=self.node)
        else:
            self.retry()

    def retry_to_the_end(self, limit_s: float = REST_S) -> list[str]:
        """Go on as an operator does until the run is over; returns why it rested each time.

        Where a retry came to the same end, what is open is planned anew.
        """
        reasons: list[str] = []

        def is_over() -> bool:
            run = self.wait_rest(limit_s)
            if run is None:
                return True
            reasons.append(f"{run['paused_step']}: {run['reason']}")
            if reasons[-2:-1] == reasons[-1:]:
                self._plan_anew()
            else:
                self.retry()
            return False

        try:
            wait_until(is_over, "", limit_s)
        except TimeoutError:
            told = "\n".join(reasons)
            raise TimeoutError(
                f"paused again and again:\n{told}\n{self.told()}\n{self.ending()}"
            ) from None
        return reasons
