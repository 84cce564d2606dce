"""A whole takeover on AIX: the guide's own example, played by the real daemon on AIX's commands.

Both ways of the identity: the guide's, in which the standby becomes aixmn1 by mktcpip, and the
alias of today's sites; and what happens when mktcpip fails half way. The commands are stand-ins
that obey aix.md §11 (`hamnd.demo.standins_aix`).
"""

from __future__ import annotations

from typing import Any

import pytest

from hamnd.demo.aix_host import RESOURCES, AixHost, Status
from hamnd.demo.machines import OWN_ADDRESSES, PRIMARY, SERVICE_ADDRESS, STANDBY, DatabaseAccess
from tests.lab.demo_stage import Stage, agree, is_resting, lose_primary, stage, until_ready

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

MKTCPIP = (
    "mktcpip -h aixmn1 -a 127.0.47.103 -m 255.255.255.192 -i en1 -g 127.0.47.126 -A no -t N/A -s"
)


def host(one: Stage) -> AixHost:
    found = one.world.site.machines[STANDBY].aix
    assert found is not None
    return found


def called(one: Stage, *tools: str) -> list[str]:
    """Return what the standby was told by these programs, the looks left out."""
    entries = one.world.calls_of(lambda call: call.tool in tools and call.machine == STANDBY)
    lines = [f"{entry.call.tool} {' '.join(entry.call.argv)}".strip() for entry in entries]
    return [line for line in lines if " -S en1" not in line and not line.endswith("uname -n")]


def outcomes(one: Stage) -> dict[str, str]:
    return {
        entry.record.step: entry.record.outcome
        for entry in one.entries()
        if entry.record.what == "step_finished"
    }


async def until_over(one: Stage) -> dict[str, Any]:
    """Then the run is over, or waits for the operator."""

    def is_over(status: dict[str, Any]) -> bool:
        paused = status["run"] is not None and is_resting(status)
        return bool(status["state"] == "Active" or paused)

    return await one.until_status(is_over, "the run's end")


async def take_over(one: Stage) -> dict[str, Any]:
    await until_ready(one)
    await lose_primary(one)
    await agree(one)
    return await until_over(one)


async def test_the_guides_takeover_makes_the_standby_aixmn1() -> None:
    async with stage(platform="aix", mode="primary_address") as one:
        status = await take_over(one)
        assert status["state"] == "Active", await one.told()
        here, site = host(one), one.world.site
        assert (here.host_name, here.node_name) == (PRIMARY, PRIMARY)
        assert here.odm["inet0.hostname"] == PRIMARY
        assert here.odm["en1.netaddr"] == OWN_ADDRESSES[PRIMARY]
        assert list(here.machine.addresses) == [OWN_ADDRESSES[PRIMARY]], "its own address ended"
        assert called(one, "mktcpip") == [MKTCPIP]
        assert called(one, "mkitab", "rmitab")[-1] == "rmitab hamnback"
        assert not any("hamnback" in line for line in here.inittab), "kept: no way back at boot"
        assert site.database(STANDBY) is DatabaseAccess.WRITABLE
        running = {name for name, sub in here.subsystems.items() if sub.status is Status.ACTIVE}
        assert {"xcatd", "named", "conserver", "nimesis"} <= running
        assert here.subsystems["xcatd"].environment.startswith("XCATROOT=/opt/xcat PATH=")
        assert here.nim == RESOURCES, "made again, in their places"
        assert here.machine.crontab is not None
        copies = [line for line in here.machine.crontab.splitlines() if "rsync" in line]
        assert copies
        assert all(line.startswith("#hamnd-fuse#") for line in copies)
        assert set(outcomes(one).values()) == {"done"}


async def test_an_alias_leaves_name_and_own_address_alone() -> None:
    async with stage(platform="aix") as one:
        status = await take_over(one)
        assert status["state"] == "Active", await one.told()
        here = host(one)
        assert list(here.machine.addresses) == [OWN_ADDRESSES[STANDBY], SERVICE_ADDRESS]
        assert (here.host_name, here.odm["en1.netaddr"]) == (STANDBY, OWN_ADDRESSES[STANDBY])
        assert called(one, "mktcpip", "setuname", "mkitab") == []


async def test_a_half_done_mktcpip_comes_back_by_itself() -> None:
    """mktcpip fails when the name is changed already: nothing is proven, all of it comes back."""
    async with stage(platform="aix", mode="primary_address") as one:
        text = one.layout.config.read_text()
        one.layout.config.write_text(text.replace("[identity]\n", "[identity]\nconfirm_s = 10\n"))
        await one.end()
        await one.start()
        host(one).breaks_after_name = True
        status = await take_over(one)
        assert status["state"] == "TakingOver", await one.told()
        assert "identity" in str(status["run"]), status["run"]

        async def is_back() -> bool:
            here = host(one)
            return here.host_name == here.odm["inet0.hostname"] == here.node_name == STANDBY

        await one.until(is_back, "the watcher to bring the identity back")
        assert list(host(one).machine.addresses) == [OWN_ADDRESSES[STANDBY]]
        await one.must("retry", {})
        status = await until_over(one)
        assert status["state"] == "Active", await one.told()
        assert host(one).host_name == PRIMARY
