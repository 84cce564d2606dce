"""The life of an AIX pair that exchanges its addresses (mode primary_address).

Owns the way home, the way back, a node that does not get in from where it went, and a returned
primary. The switchover itself: test_demo_aix_exchange.
"""

from __future__ import annotations

import pytest

from hamnd.demo.aix_host import Status
from hamnd.demo.machines import PRIMARY, SPARE_ADDRESS, STANDBY
from tests.lab.demo_stage import agree, confirm, is_resting, lose_primary, stage, until_ready
from tests.lab.test_demo_aix import host, in_peer_behind, running, until_over
from tests.lab.test_demo_aix_exchange import (
    FIRST,
    LONG_S,
    SECOND,
    SERVING,
    confirmed_within,
    is_called,
    when_planned,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]


async def test_what_was_exchanged_is_exchanged_home_again() -> None:
    """Given a switchover in the guide's way, when the operator confirms a failback, then both nodes
    are what they were."""
    async with stage(platform="aix", mode="primary_address") as one:
        await until_ready(one)
        status = await when_planned(one, "switchover")
        assert (status["state"], status["run"]) == ("Active", None), await one.told()
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
