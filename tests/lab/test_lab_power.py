"""Fence agents that do and do not do what they say.

Owns one story per agent and per way to lose the controller. MUST NOT test hamnd, but for its
reading of what these agents answer.
"""

from __future__ import annotations

import pytest

from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Done, Lab, wait_until
from tests.lab.site.names import CLUSTER
from tests.lab.site.power import AGENTS, PASSWORD, READER, USER, Mood, Power

__all__ = ["faults", "lab"]
pytestmark = [pytest.mark.lab, needs_lab()]


@pytest.fixture
def power(lab: Lab, faults: Faults) -> Power:
    power = Power(lab, faults)
    power.install("mn2")
    return power


def _agent(lab: Lab, action: str, agent: str = "fence_lab", **options: str) -> Done:
    given = {
        "ip": CLUSTER.address("bmc"),
        "username": USER,
        "password": PASSWORD,
        "plug": "mn1",
        "login_timeout": "1",
    }
    given |= options | {"action": action}
    lines = "".join(f"{key}={value}\n" for key, value in given.items())
    return lab["mn2"].ask(agent, stdin=lines, timeout_s=3)


def _answers(lab: Lab, host: str) -> bool:
    return lab["gw"].ask("ping", "-c1", "-W1", CLUSTER.address(host)).code == 0


def test_the_honest_agent_switches_and_tells(lab: Lab, power: Power) -> None:
    """Given mn1 runs, when it is switched off and on, then so it is and so the agent says."""
    assert (_agent(lab, "status").code, _agent(lab, "monitor").code) == (0, 0)
    assert "Powered OFF" in _agent(lab, "off").out
    status = _agent(lab, "status")
    assert (status.code, status.out.strip()) == (2, "Status: OFF")
    assert not _answers(lab, "mn1")
    assert _agent(lab, "off").code == 0, "off again is success, as the protocol asks"
    assert _agent(lab, "on").code == 0
    wait_until(lambda: _answers(lab, "mn1"), "mn1 boots")
    assert _agent(lab, "status").code == 0
    assert power.asked[0] == ("status", "mn1")


def test_the_lying_agent_says_off_and_nothing_happens(lab: Lab, power: Power) -> None:
    assert _agent(lab, "status", "fence_lab_lies").code == 0
    assert _agent(lab, "off", "fence_lab_lies").code == 0
    assert _agent(lab, "status", "fence_lab_lies").code == 2
    assert _answers(lab, "mn1")


def test_the_hanging_agent_never_ends(lab: Lab, power: Power) -> None:
    assert _agent(lab, "status", "fence_lab_hangs").timed_out
    assert _agent(lab, "off", "fence_lab_hangs").timed_out
    assert _answers(lab, "mn1")


def test_the_crossed_agent_switches_another_host(lab: Lab, power: Power) -> None:
    assert _agent(lab, "off", "fence_lab_crossed").code == 0
    assert _agent(lab, "status", "fence_lab_crossed").code == 2
    assert _answers(lab, "mn1")
    assert not _answers(lab, "sn2")


def test_the_read_only_agent_tells_and_refuses(lab: Lab, power: Power) -> None:
    for refused in (
        _agent(lab, "off", "fence_lab_readonly"),
        _agent(lab, "off", username=READER),
    ):
        assert refused.code == 1
        assert "insufficient privilege" in refused.err
    assert _agent(lab, "status", username=READER).code == 0
    assert _answers(lab, "mn1")


def test_the_controller_itself_can_misbehave(lab: Lab, power: Power) -> None:
    """Given one plug whose controller lies and whose cables were swapped later on."""
    power.moods["mn1"] = Mood.LIES
    assert _agent(lab, "off").code == 0
    assert _answers(lab, "mn1")
    power.moods.clear()
    power.wiring["mn1"] = "sn1"
    assert _agent(lab, "off").code == 0
    assert not _answers(lab, "sn1")


def test_wrong_logins_and_plugs_fail(lab: Lab, power: Power) -> None:
    assert "login" in _agent(lab, "off", password="wrong").err
    assert "plug" in _agent(lab, "status", plug="nobody").err
    assert _answers(lab, "mn1")


def test_a_controller_that_is_cut_off_or_dead_fails_and_comes_back(
    lab: Lab, faults: Faults, power: Power
) -> None:
    """Controller and primary may go dark together: then the agent can tell nothing."""
    faults.cut("bmc")
    assert _agent(lab, "status").code == 1
    faults.heal()
    wait_until(lambda: _agent(lab, "status").code == 0, "the controller is reached again")
    faults.freeze("bmc")
    assert _agent(lab, "status").timed_out
    faults.heal()
    faults.power_cycle("bmc")
    wait_until(lambda: _agent(lab, "status").code == 0, "the controller has booted")


def test_every_agent_describes_itself(lab: Lab, power: Power) -> None:
    for agent in AGENTS:
        said = lab["mn2"].run(agent, stdin="action=metadata\n")
        assert f'<resource-agent name="{agent}"' in said
        assert '<action name="off"/>' in said
