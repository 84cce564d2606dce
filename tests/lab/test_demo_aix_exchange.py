"""Two living AIX nodes exchange their addresses (mode primary_address), by the real daemon.

Owns the switchover in the guide's way, and what other stories of such a pair are told with
(test_life_aix_exchange). The commands are stand-ins that obey aix.md §11; ssh is real.
"""

from __future__ import annotations

from typing import Any

import pytest

from hamnd.demo.machines import OWN_ADDRESSES, PRIMARY, SPARE_ADDRESS, STANDBY
from tests.lab.demo_stage import Stage, is_resting, stage, until_ready
from tests.lab.test_demo_aix import host, in_peer_behind, outcomes, running

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


async def test_two_living_nodes_exchange_their_addresses() -> None:
    """Given Peer, when the operator confirms a switchover, then aixmn2 is aixmn1 and serves, and
    aixmn1 is aixmn2 and follows."""
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
