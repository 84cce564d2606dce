"""NIM comes to life on the other node, in each of the three ways, twice, and lsnim says so.

Owns those three stories over the demo's AIX commands, without a daemon: the step's own actions are
carried out on the standby, then its looks. A whole takeover does it by `rebuild` (test_demo_aix).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy
from hamnd.demo.aix_host import RESOURCES, AixHost, Status
from hamnd.demo.machines import PRIMARY, STANDBY
from hamnd.demo.site import DemoDirectory, lay_out
from hamnd.demo.world import World
from hamnd.dialects import readers
from hamnd.model.instant import Instant
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import Site
from hamnd.model.work import Ending, Exec, Look, Looked, Report
from hamnd.settings import load
from tests.lab.demo_stage import QUICK

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

AT = Instant(0.0, 0.0)


class Pair:
    """The two nodes, and what a request does on one of them."""

    def __init__(self, world: World, layout: DemoDirectory, mode: str) -> None:
        self.world, self.layout = world, layout
        backups = layout.root / "nim-backup"
        backups.mkdir()
        (backups / "nim.2").write_text("a backup")
        way = f'mode = "{mode}"\nold_object = "61image"\nbackup_dir = "{backups}"'
        text = layout.config.read_text().replace('mode = "rebuild"', way)
        site = load(text).site
        assert site is not None
        self.site: Site = site

    def host(self, name: str) -> AixHost:
        found = self.world.site.machines[name].aix
        assert found is not None
        return found

    async def run(self, request: Exec) -> Report:
        """Carry a request out on the node that it names."""
        process = await asyncio.create_subprocess_exec(
            *request.argv,
            env={
                "PATH": f"{self.layout.bin}:{os.environ['PATH']}",
                "HAMND_DEMO_NODE": request.host, "LC_ALL": "C",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return Report(Ending.EXITED, AT, AT, process.returncode, out.decode(), err.decode())

    async def step(self) -> Step:
        """Return the step as it is planned from what the primary told."""
        looks = platform_of(self.site).looks(self.site)
        kept = [key for key in looks if key.startswith("kept:")]
        seen = {key: await self.run(_request(looks[key])) for key in kept}
        steps = platform_of(self.site).steps(self.site, Policy(), seen)
        return next(one for one in steps if one.id == "osdeploy")

    async def carry_out(self, step: Step) -> None:
        """Do all but serving the nodes, which needs xCAT's database here."""
        for action in step.actions[:-1]:
            assert isinstance(action.request, Exec)
            report = await self.run(action.request)
            assert readers.read_action(action, report).verdict is Verdict.PASS, report

    async def verdicts(self, looks: tuple[Look, ...]) -> list[Verdict]:
        found = [Looked(look, await self.run(_request(look))) for look in looks]
        return [readers.read_look(one).verdict for one in found]


def _request(look: Look) -> Exec:
    assert isinstance(look.request, Exec)
    return look.request


@contextlib.asynccontextmanager
async def pair(mode: str) -> AsyncIterator[Pair]:
    root = Path(tempfile.mkdtemp(prefix="hn-"))
    try:
        layout = lay_out(root, QUICK, "aix")
        async with World(layout, openssh=False) as world:
            yield Pair(world, layout, mode)
    finally:
        shutil.rmtree(root)


@pytest.mark.parametrize("mode", ["rebuild", "backup", "hanim"])
async def test_nim_comes_to_life_whole_and_a_second_time_changes_nothing(mode: str) -> None:
    async with pair(mode) as one:
        there, here = one.host(PRIMARY), one.host(STANDBY)
        assert there.nim == RESOURCES
        step = await one.step()
        assert Verdict.PASS not in await one.verdicts(step.postconditions)
        for _ in range(2):
            await one.carry_out(step)
            assert here.nim == RESOURCES
            assert here.subsystems["nimesis"].status is Status.ACTIVE
            assert set(await one.verdicts(step.postconditions)) == {Verdict.PASS}


@pytest.mark.parametrize("mode", ["backup", "hanim"])
async def test_what_came_without_one_of_the_primarys_resources_is_not_done(mode: str) -> None:
    async with pair(mode) as one:
        one.host(PRIMARY).nim["new_since"] = ("script", "/install/nim/scripts/new")
        step = await one.step()
        await one.carry_out(step)
        assert Verdict.BLOCK in await one.verdicts(step.postconditions)
