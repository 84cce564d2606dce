"""A whole takeover on AIX: the guide's own example, played by the real daemon on AIX's commands.

Both ways of the identity: the guide's, in which the standby becomes aixmn1 by mktcpip, and the
alias of today's sites; what happens when mktcpip fails half way; how a living primary hands over,
and a returned one is taken in (in the guide's way: test_demo_aix_exchange). The commands are
stand-ins that obey aix.md §11 (`hamnd.demo.standins_aix`).
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from hamnd.demo.aix_host import RESOURCES, AixHost, Status
from hamnd.demo.db2_node import HadrState, Role
from hamnd.demo.machines import OWN_ADDRESSES, PRIMARY, SERVICE_ADDRESS, STANDBY, DatabaseAccess
from tests.lab.demo_stage import Stage, agree, confirm, is_resting, lose_primary, stage, until_ready

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

MKTCPIP = (
    "mktcpip -h aixmn1 -a 127.0.47.103 -m 255.255.255.192 -i en1 -g 127.0.47.126 -A no -t N/A -s"
)


def host(one: Stage, name: str = STANDBY) -> AixHost:
    found = one.world.site.machines[name].aix
    assert found is not None
    return found


def running(one: Stage, name: str) -> set[str]:
    """Return which of the management node's own subsystems run there."""
    known = {"xcatd", "named", "conserver", "nimesis"}
    subsystems = host(one, name).subsystems
    return {key for key in known if subsystems[key].status is not Status.INOPERATIVE}


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


async def test_an_alias_leaves_name_and_own_address_alone_and_a_double_is_told() -> None:
    async with stage(platform="aix") as one:
        status = await take_over(one)
        assert status["state"] == "Active", await one.told()
        here = host(one)
        assert list(here.machine.addresses) == [OWN_ADDRESSES[STANDBY], SERVICE_ADDRESS]
        assert (here.host_name, here.odm["en1.netaddr"]) == (STANDBY, OWN_ADDRESSES[STANDBY])
        assert called(one, "mktcpip", "setuname", "mkitab") == []
        await told_unique(one, "True")
        logged = time.strftime("%m%d%H%M%y", time.localtime(one.world.now()))
        here.log(f"A63BEB70   {logged} T S en1            DUPLICATE #AIXIF_ARP_DUP_ADDR")
        await told_unique(one, "False")


async def told_unique(one: Stage, status: str) -> None:
    """Then the condition AddressUnique stands so."""

    def is_so(document: dict[str, Any]) -> bool:
        told = {each["type"]: each["status"] for each in document["conditions"]}
        return told.get("AddressUnique") == status

    await one.until_status(is_so, f"AddressUnique {status}")


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


async def in_peer_behind(one: Stage, name: str) -> None:
    """Then that node serves, and the other one follows it in Peer."""
    other = PRIMARY if name == STANDBY else STANDBY
    nodes = one.world.pair.nodes

    async def is_so() -> bool:
        roles = nodes[name].role, nodes[other].role
        return roles == (Role.PRIMARY, Role.STANDBY) and nodes[other].state is HadrState.PEER

    await one.until(is_so, f"{other} to follow {name} in Peer")


async def carry_out(one: Stage, kind: str) -> dict[str, Any]:
    await confirm(one, await one.must("plan", {"kind": kind}))
    return await one.until_status(is_resting, f"the end of the {kind}")


async def test_a_living_primary_hands_over_and_starts_nothing_at_boot() -> None:
    """Given Peer, when the operator confirms the switchover, then aixmn2 manages the cluster, and
    aixmn1 follows it; nothing there runs, starts at boot or carries the address, not in the ODM."""
    async with stage(platform="aix") as one:
        await until_ready(one)
        before = list(host(one, PRIMARY).inittab)
        status = await carry_out(one, "switchover")
        assert (status["state"], status["run"]) == ("Active", None), await one.told()
        there = host(one, PRIMARY)
        assert SERVICE_ADDRESS not in there.machine.addresses
        assert there.odm["en1.alias4"] == ""
        assert running(one, PRIMARY) == set()
        assert running(one, STANDBY) == {"xcatd", "named", "conserver", "nimesis"}
        gone = [line for line in before if line not in there.inittab]
        assert {line.split(":")[0] for line in gone} == {
            "xcatd",
            "conserver",
            "named",
            "nim",
            "fmc",
        }
        held = one.layout.home(PRIMARY) / "inittab.held"
        assert held.read_text().splitlines() == gone
        assert SERVICE_ADDRESS in host(one).machine.addresses
        await in_peer_behind(one, STANDBY)
        assert set(outcomes(one).values()) == {"done"}


async def test_a_returned_primary_is_held_off_and_follows() -> None:
    """Given a takeover, when the old primary boots and xCAT's own line in its inittab starts xcatd,
    then the plan rejoin stops that for good and makes it a standby in Peer."""
    async with stage(platform="aix") as one:
        status = await take_over(one)
        assert status["state"] == "Active", await one.told()
        one.world.fault("heal")
        one.world.fault("power-on", PRIMARY)
        there = host(one, PRIMARY)
        for name in ("xcatd", "conserver"):
            there.turn(one.world.site, name, Status.ACTIVE, one.world.now())

        async def can_be_taken_in() -> bool:
            document = (await one.ask("plan", {"kind": "rejoin"})).document
            return "digest" in document and all(
                gate["verdict"] == "pass" for gate in document["gates"]
            )

        await one.until(can_be_taken_in, "the plan rejoin")
        status = await carry_out(one, "rejoin")
        assert status["run"] is None, await one.told()
        assert running(one, PRIMARY) == set()
        assert not any(line.startswith(("xcatd:", "nim:", "fmc:")) for line in there.inittab)
        await in_peer_behind(one, STANDBY)


async def test_what_was_handed_over_comes_back_as_it_was() -> None:
    """Given a switchover in which xcatd on aixmn2 cannot write, when it is aborted and taken back,
    then aixmn1 serves as before and starts at boot what it started before."""
    async with stage(platform="aix") as one:
        await until_ready(one)
        before = list(host(one, PRIMARY).inittab)
        one.world.fault("fail", "mkdef", "1", "no", STANDBY)
        status = await carry_out(one, "switchover")
        assert status["run"]["status"] == "paused", await one.told()
        undo = await one.must("abort", {"reason": "xcatd cannot write on aixmn2"})
        await confirm(one, undo)
        await one.until_status(lambda status: status["state"] == "Peer", "Peer again")
        there = host(one, PRIMARY)
        assert sorted(there.inittab) == sorted(before)
        assert running(one, PRIMARY) == {"xcatd", "named", "conserver", "nimesis"}
        assert SERVICE_ADDRESS in there.machine.addresses
        assert SERVICE_ADDRESS not in host(one).machine.addresses
        await in_peer_behind(one, PRIMARY)


async def test_a_management_node_that_was_rebooted_serves_again() -> None:
    """Given a takeover, when aixmn2 reboots without the guard, then its alias and its subsystems
    are gone, and the plan resume brings them back, on a database that is started by force."""
    async with stage(platform="aix") as one:
        status = await take_over(one)
        assert status["state"] == "Active", await one.told()
        await one.kill()
        one.world.fault("kill", STANDBY)
        one.world.fault("power-on", STANDBY)
        one.world.site.tick(one.world.now())
        assert SERVICE_ADDRESS not in host(one).machine.addresses
        assert running(one, STANDBY) == set()
        await one.start()

        async def can_resume() -> bool:
            return "digest" in (await one.ask("plan", {"kind": "resume"})).document

        await one.until(can_resume, "the plan resume")
        status = await carry_out(one, "resume")
        assert (status["state"], status["run"]) == ("Active", None), await one.told()
        assert SERVICE_ADDRESS in host(one).machine.addresses
        assert running(one, STANDBY) == {"xcatd", "named", "conserver", "nimesis"}
        assert one.world.site.database(STANDBY) is DatabaseAccess.WRITABLE
