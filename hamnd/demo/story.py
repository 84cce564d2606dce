"""The story of the demo: what happens, told as one line per change, and played by itself.

Owns the script of `hamnd demo --auto`, its limits, and the judgement at its end. Must not know how
the site is simulated or the daemon started. Everything is read and asked over the control socket,
as an operator would; only the faults, and the truth that the report is compared with, come from the
simulated world.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hamnd.cli.client import Client, Unreachable
from hamnd.demo.control import send
from hamnd.demo.db2_node import Role
from hamnd.demo.machines import PRIMARY, SERVICE_ADDRESS, STANDBY
from hamnd.demo.site import DemoDirectory
from hamnd.demo.world import World
from hamnd.views.card import render_card
from hamnd.views.report_text import render_report_text

PEER_LIMIT_S = 30.0
DOWN_LIMIT_S = 20.0
RUN_LIMIT_S = 60.0
EXAMINE_LIMIT_S = 30.0
POLL_S = 0.1
DATABASE = "XCATDB"
SERVICES = ("xcatd", "named", "dhcpd", "conserver")


class StoryFailed(Exception):
    """Something that the story shows did not come true."""


async def wait_until(is_true: Callable[[], bool], limit_s: float, what: str) -> None:
    """Wait for a condition; raises StoryFailed past the limit."""
    ended = asyncio.get_running_loop().time() + limit_s
    while not is_true():
        if asyncio.get_running_loop().time() > ended:
            raise StoryFailed(f"waited {limit_s:.0f} s in vain for {what}")
        await asyncio.sleep(POLL_S)


@dataclass
class Story:
    """One telling of the story."""

    layout: DemoDirectory
    world: World
    told: dict[str, str] = field(default_factory=dict)
    """State and steps as last told, by name."""

    async def follow(self) -> None:
        """Tell every change until cancelled; a hamnd that was killed may come back."""
        while True:
            with contextlib.suppress(StoryFailed):
                await self._look()
            await asyncio.sleep(POLL_S)

    async def play(self) -> int:
        """Play one guided takeover; return 0 only if every postcondition held."""
        try:
            await self._play()
        except StoryFailed as failure:
            self._say(f"FAILED: {failure}")
            return 1
        return 0

    async def _play(self) -> None:
        await self._until("Peer", PEER_LIMIT_S)
        await self._until_ready()
        self._say(f"power is cut at {PRIMARY}")
        self.world.fault("kill", PRIMARY)
        await self._until("PrimaryDown", DOWN_LIMIT_S)
        plan = await self._ask("POST", "plan", {"kind": "takeover"})
        print()
        print("\n".join(render_card(plan)))
        print()
        self._say(f"the operator types {STANDBY} and confirms plan {plan['digest']}")
        await self._ask("POST", "confirm", {"digest": plan["digest"], "named": STANDBY})
        await self._until("Active", RUN_LIMIT_S)
        problems = self._what_is_missing()
        self._say(f"power is back at {PRIMARY}")
        self.world.fault("power-on", PRIMARY)
        await self._rejoin()
        report = await self._until_examined(plan["digest"])
        print()
        print(report)
        problems += self._what_was_wrong(report)
        if problems:
            raise StoryFailed("; ".join(problems))
        self._say("every postcondition held")

    async def _until(self, state: str, limit_s: float) -> dict[str, Any]:
        ended = asyncio.get_running_loop().time() + limit_s
        while asyncio.get_running_loop().time() < ended:
            status = await self._look()
            if status.get("state") == state:
                return status
            run = status.get("run") or {}
            if run.get("status") == "paused":
                raise StoryFailed(f"the run is paused: {run.get('reason')}")
            await asyncio.sleep(POLL_S)
        raise StoryFailed(f"waited {limit_s:.0f} s in vain for state {state}")

    async def _until_ready(self) -> None:
        ended = asyncio.get_running_loop().time() + PEER_LIMIT_S
        while (await self._look()).get("ready") is not True:
            if asyncio.get_running_loop().time() > ended:
                ready = await self._ask("GET", "ready")
                raise StoryFailed(f"not ready for a takeover: {ready}")
            await asyncio.sleep(POLL_S)
        self._say("a takeover would work now: every step is proven ready")

    async def _rejoin(self) -> None:
        """What the DBA does on the old primary: it joins only if it has nothing that was lost."""
        command = f"start hadr on db {DATABASE} as standby"
        self._say(f"the DBA on {PRIMARY}: db2 {command}")
        socket = self.layout.world_socket
        code, told, _ = await send(socket, "db2", *command.split(), machine=PRIMARY)
        if code != 0:
            raise StoryFailed(f"{PRIMARY} does not start as standby: {told.strip()}")

    async def _until_examined(self, digest: str) -> str:
        """Wait until the report knows the actual loss and return it as text."""
        path = self.layout.state / "reports" / f"{digest}.json"
        await wait_until(
            lambda: path.exists() and "joined as standby" in path.read_text(),
            EXAMINE_LIMIT_S,
            f"the actual loss in {path}",
        )
        return "\n".join(render_report_text(json.loads(path.read_text())))

    def _what_is_missing(self) -> list[str]:
        """Compare what hamnd says with the world itself."""
        node = self.world.pair.nodes[STANDBY]
        site = self.world.site
        found = [
            f"{name} does not run on {STANDBY}"
            for name in SERVICES
            if not site.is_active(STANDBY, name)
        ]
        if node.role is not Role.PRIMARY or not node.active:
            found.append(f"the database on {STANDBY} is {node.role.value}")
        if site.holder(SERVICE_ADDRESS) != STANDBY:
            found.append(f"the service address is held by {site.holder(SERVICE_ADDRESS)}")
        return found

    def _what_was_wrong(self, report: str) -> list[str]:
        """The truth about loss: never more than predicted, and the report agrees."""
        loss = self.world.pair.loss(PRIMARY, STANDBY)
        self._say(f"the world's own truth: {loss.rows} rows, {loss.bytes} B only on {PRIMARY}")
        found = []
        if "zero" in report and loss.rows:
            found.append(f"{loss.rows} rows were lost although the report says zero")
        return found

    async def _look(self) -> dict[str, Any]:
        """Read the status and tell what changed since the last look."""
        status = await self._ask("GET", "status")
        state = str(status.get("state"))
        before = self.told.get("state")
        if state != before:
            self.told["state"] = state
            arrow = f"{before} -> {state}" if before else state
            self._say(f"{arrow} because {status.get('because')}", status.get("since"))
        for step in (status.get("run") or {}).get("steps", []):
            key, outcome = f"step {step['id']}", str(step["outcome"])
            if outcome not in ("pending", self.told.get(key)):
                self.told[key] = outcome
                took = step.get("duration_s")
                tail = f" after {took:.1f} s" if isinstance(took, int | float) else ""
                self._say(f"  {step['id']}: {outcome}{tail}")
        return status

    async def _ask(
        self, method: str, verb: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        client = Client(str(self.layout.control_socket))
        try:
            if method == "GET":
                answer = await asyncio.to_thread(client.get, verb)
            else:
                answer = await asyncio.to_thread(client.post, verb, body or {})
        except Unreachable as error:
            raise StoryFailed(f"hamnd does not answer: {error}") from error
        if answer.status >= 400:
            told = answer.document
            lines = "; ".join([str(told.get("error")), *map(str, told.get("difference") or ())])
            raise StoryFailed(f"{verb} was refused: {lines}")
        return answer.document

    def _say(self, sentence: str, at: object = None) -> None:
        moment = float(at) if isinstance(at, int | float) else time.time()
        print(f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S} {sentence}", flush=True)
