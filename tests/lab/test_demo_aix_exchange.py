"""Two living AIX nodes exchange their addresses (mode primary_address), by the real daemon.

Owns the switchover in the guide's way, its way home, its way back, and a node that does not get in
from where it went. The commands are stand-ins that obey aix.md §11; ssh is real.
"""

from __future__ import annotations

from typing import Any

import pytest

from hamnd.demo.aix_host import Status
from hamnd.demo.machines import OWN_ADDRESSES, PRIMARY, SPARE_ADDRESS, STANDBY
from tests.lab.demo_stage import (
    Stage,
    agree,
    confirm,
    is_resting,
    lose_primary,
    stage,
    until_ready,
)
from tests.lab.test_demo_aix import host, in_peer_behind, outcomes, running, until_over

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

LONG_S = 400.0
"""How long an exchange may take: a connection for each command, on a machine that others use."""
FIRST, SECOND = OWN_ADDRESSES[PRIMARY], OWN_ADDRESSES[STANDBY]
SERVING = {"xcatd", "named", "conserver", "nimesis"}


def is_called(one: Stage, node: str, name: str, address: str) -> bool:
    """Whether a node has this name and this address, now and at its next boot, and no other."""
    there = host(one, node)
    names = {there.host_name, there.node_name, there.odm["inet0.hostname"]}
    addresses = {*there.machine.addresses, there.odm["en1.netaddr"]}
    assert not any("hamnback" in line for line in there.inittab)
    return (names, addresses) == ({name}, {address})


def went(one: Stage, node: str) -> list[str]:
    """Return where mktcpip sent a node, in its order."""
    entries = one.world.calls_of(lambda call: (call.tool, call.machine) == ("mktcpip", node))
    words = [entry.call.argv for entry in entries if entry.call.argv[0] == "-h"]
    assert all(all(one) and one[-1] == "-s" for one in words), "no argument is empty"
    return [argv[argv.index("-a") + 1] for argv in words]


async def confirmed_within(one: Stage, seconds: int) -> None:
    text = one.layout.config.read_text()
    changed = text.replace("[identity]\n", f"[identity]\nconfirm_s = {seconds}\n")
    one.layout.config.write_text(changed)
    await one.end()
    await one.start()


async def when_planned(one: Stage, kind: str, named: str = STANDBY) -> dict[str, Any]:
    """Plan and confirm as soon as every gate passes, anew where the picture became worse in
    between; then the run is over, or waits."""

    async def is_confirmed() -> bool:
        document = (await one.ask("plan", {"kind": kind})).document
        passes = all(gate["verdict"] == "pass" for gate in document.get("gates", ()))
        if "digest" not in document or not passes:
            return False
        words = {"digest": document["digest"], "named": named}
        return (await one.ask("confirm", words)).status == 200

    await one.until(is_confirmed, f"the plan {kind}", limit_s=LONG_S)
    return await one.until_status(is_resting, f"the end of the {kind}", limit_s=LONG_S)


async def test_two_living_nodes_exchange_their_addresses_and_go_home_again() -> None:
    """Given Peer, when the operator confirms a switchover, then aixmn2 is aixmn1 and serves, and
    aixmn1 is aixmn2 and follows; when it is failed back to, both are what they were."""
    async with stage(platform="aix", mode="primary_address") as one:
        await until_ready(one)
        status = await when_planned(one, "switchover")
        assert (status["state"], status["run"]) == ("Active", None), await one.told()
        assert set(outcomes(one).values()) == {"done"}
        assert is_called(one, PRIMARY, STANDBY, SECOND)
        assert is_called(one, STANDBY, PRIMARY, FIRST)
        assert went(one, PRIMARY) == [SPARE_ADDRESS, SECOND]
        assert went(one, STANDBY) == [FIRST]
        assert (running(one, PRIMARY), running(one, STANDBY)) == (set(), SERVING)
        await in_peer_behind(one, STANDBY)

        status = await when_planned(one, "failback", named=PRIMARY)
        assert status["run"] is None, await one.told()
        assert is_called(one, PRIMARY, PRIMARY, FIRST)
        assert is_called(one, STANDBY, STANDBY, SECOND)
        assert (running(one, PRIMARY), running(one, STANDBY)) == (SERVING, set())
        await in_peer_behind(one, PRIMARY)


async def test_what_was_exchanged_is_taken_back() -> None:
    """Given a switchover in which xcatd cannot write on aixmn2, when it is aborted and taken back,
    then aixmn1 has its address and name again, and starts at boot what it started before."""
    async with stage(platform="aix", mode="primary_address") as one:
        await until_ready(one)
        before = list(host(one, PRIMARY).inittab)
        one.world.fault("fail", "mkdef", "1", "no", STANDBY)
        status = await when_planned(one, "switchover")
        assert status["run"]["status"] == "paused", await one.told()
        assert is_called(one, PRIMARY, STANDBY, SPARE_ADDRESS), "parked, until it is verified here"
        concluded = await one.ask("conclude", {"reason": "enough"})
        assert "may have no address but" in str(concluded.document)
        await confirm(one, await one.must("abort", {"reason": "xcatd cannot write on aixmn2"}))
        await one.until_status(lambda status: status["state"] == "Peer", "Peer again")
        assert is_called(one, PRIMARY, PRIMARY, FIRST)
        assert is_called(one, STANDBY, STANDBY, SECOND)
        assert sorted(host(one, PRIMARY).inittab) == sorted(before)
        assert running(one, PRIMARY) == SERVING
        await in_peer_behind(one, PRIMARY)


async def test_a_node_that_did_not_get_in_comes_back_by_itself_and_is_asked_again() -> None:
    """Given a mktcpip that fails half way on aixmn1, when it is to go to the spare address, then it
    is back at its own by itself, and retry finds it there."""
    async with stage(platform="aix", mode="primary_address") as one:
        await confirmed_within(one, 10)
        await until_ready(one)
        host(one, PRIMARY).breaks_after_name = True
        status = await when_planned(one, "switchover")
        assert status["run"]["status"] == "paused", await one.told()

        async def is_back() -> bool:
            there = host(one, PRIMARY)
            has_name = there.host_name == there.node_name == PRIMARY
            return has_name and not any("hamnback" in line for line in there.inittab)

        await one.until(is_back, "aixmn1 to come back by itself")
        assert list(host(one, PRIMARY).machine.addresses) == [FIRST]
        await one.must("retry", {})
        status = await one.until_status(is_resting, "the end of the switchover", limit_s=LONG_S)
        assert (status["state"], status["run"]) == ("Active", None), await one.told()
        await in_peer_behind(one, STANDBY)


async def test_a_returned_primary_that_was_given_what_is_free_is_taken_in() -> None:
    """Given a takeover in the guide's way, when the old primary is made the standby at its console,
    then the plan rejoin holds it off, and it follows."""
    async with stage(platform="aix", mode="primary_address") as one:
        await until_ready(one)
        await lose_primary(one)
        await agree(one)
        status = await until_over(one)
        assert status["state"] == "Active", await one.told()
        there, site, now = host(one, PRIMARY), one.world.site, one.world.now()
        # At its console, cut off until then: mktcpip, uname -S, setuname -n.
        there.machine.addresses = dict.fromkeys([SECOND], "en1")
        there.odm |= {"inet0.hostname": STANDBY, "en1.netaddr": SECOND}
        there.host_name = there.node_name = STANDBY
        one.world.fault("heal")
        one.world.fault("power-on", PRIMARY)
        there.turn(site, "conserver", Status.ACTIVE, now)

        status = await when_planned(one, "rejoin")
        assert status["run"] is None, await one.told()
        assert running(one, PRIMARY) == set()
        assert not any(line.startswith(("xcatd:", "fmc:")) for line in there.inittab)
        await in_peer_behind(one, STANDBY)


async def test_without_a_spare_address_nothing_is_handed_over() -> None:
    async with stage(platform="aix", mode="primary_address") as one:
        text = one.layout.config.read_text()
        one.layout.config.write_text(text.replace(f'spare = "{SPARE_ADDRESS}"\n', ""))
        await one.end()
        await one.start()
        await until_ready(one)
        answer = await one.ask("plan", {"kind": "switchover"})
        assert answer.status != 200
        assert "identity.spare is not set" in str(answer.document)
