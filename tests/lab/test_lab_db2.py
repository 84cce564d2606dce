"""The Db2 model across two lab hosts: what happens to the wire happens to HADR.

Owns one story per way to lose the link. MUST NOT test hamnd.
"""

from __future__ import annotations

import pytest

from tests.lab.site.db2 import OWNER, PORT, Db2
from tests.lab.site.faults import Faults
from tests.lab.site.fixtures import faults, lab, needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.wire import Delay

__all__ = ["faults", "lab"]
pytestmark = [pytest.mark.lab, needs_lab()]


@pytest.fixture
def db2(lab: Lab) -> Db2:
    return Db2(lab)


def _in_peer(db2: Db2) -> bool:
    return db2.state("mn2") == "STANDBY PEER" and db2.state("mn1") == "PRIMARY PEER"


def _takeover(lab: Lab, how: str = "by force") -> str:
    command = f"db2 takeover hadr on db XCATDB {how}"
    return lab["mn2"].ask("su", "-", OWNER, "-c", command, timeout_s=20).text


def test_db2_programs_answer_on_both_hosts_and_over_ssh(lab: Lab, db2: Db2) -> None:
    said = lab["mn2"].run("ssh", "mn1", "db2pd -d XCATDB -hadr")
    assert "PRIMARY" in said
    assert "PEER" in said
    assert lab["mn2"].run("su", "-", OWNER, "-c", "db2pd -d XCATDB -hadr").count("STANDBY")
    assert db2.writable() == ("mn1",)


@pytest.mark.parametrize("how", ["pair_cut", "cut", "cut_silently", "drop_port"])
def test_a_cut_wire_cuts_hadr_and_a_mended_one_mends_it(
    lab: Lab, faults: Faults, db2: Db2, how: str
) -> None:
    """Given PEER, when the wire between the two is cut in whatever way, then the standby loses its
    primary after HADR_TIMEOUT, and comes back to PEER when the wire does."""
    match how:
        case "pair_cut":
            faults.pair_cut()
        case "cut":
            faults.cut("mn1")
        case "cut_silently":
            faults.cut_silently("mn2")
        case _:
            faults.drop_port("mn1", PORT)
            faults.drop_port("mn2", PORT)
    wait_until(lambda: db2.state("mn2") != "STANDBY PEER", "the standby notices", 30)
    faults.heal()
    wait_until(lambda: _in_peer(db2), "PEER again", 60)


def test_a_power_cut_is_noticed_after_hadr_timeout_and_loses_nothing_in_peer(
    lab: Lab, faults: Faults, db2: Db2
) -> None:
    assert db2.write("mn1", "lab_rows", "last")
    faults.off("mn1")
    assert db2.state("mn2") == "STANDBY PEER", "nothing tells the standby before HADR_TIMEOUT"
    wait_until(lambda: db2.state("mn2") != "STANDBY PEER", "the standby notices", 30)
    assert "DB20000I" in _takeover(lab, "by force peer window only")
    assert db2.writable() == ("mn2",)
    assert db2.lost("mn1", "mn2") == 0


def test_a_forced_takeover_across_a_cut_pair_is_a_split_brain(
    lab: Lab, faults: Faults, db2: Db2
) -> None:
    """The lab can show what hamnd must never do: two databases that accept writes."""
    faults.pair_cut()
    wait_until(lambda: db2.state("mn2") != "STANDBY PEER", "the standby notices", 30)
    assert "DB20000I" in _takeover(lab)
    wait_until(lambda: set(db2.writable()) == {"mn1", "mn2"}, "both accept writes", 60)
    assert db2.write("mn1", "lab_rows", "only there")
    assert db2.lost("mn1", "mn2") > 0


def test_a_killed_instance_is_known_at_once_and_can_be_started(
    lab: Lab, faults: Faults, db2: Db2
) -> None:
    faults.kill_process("mn1", "db2sysc")
    wait_until(lambda: db2.state("mn2") != "STANDBY PEER", "the standby notices", 3)
    lab["mn1"].run("su", "-", OWNER, "-c", "db2start")
    lab["mn1"].run("su", "-", OWNER, "-c", "db2 activate db XCATDB")
    wait_until(lambda: lab["mn1"].ask("pgrep", "-f", "db2sys[c]").code == 0, "the process is back")
    wait_until(lambda: _in_peer(db2), "PEER again", 60)


def test_a_frozen_primary_answers_no_program_and_goes_on_later(
    lab: Lab, faults: Faults, db2: Db2
) -> None:
    faults.freeze("mn1")
    wait_until(lambda: db2.state("mn2") != "STANDBY PEER", "the standby notices", 30)
    assert lab["mn2"].ask("ssh", "mn1", "db2pd -d XCATDB -hadr", timeout_s=5).code != 0
    assert "mn1" not in db2.writable()
    faults.thaw("mn1")
    wait_until(lambda: _in_peer(db2), "PEER again", 60)


def test_a_slow_wire_slows_hadr_and_raises_no_alarm(lab: Lab, faults: Faults, db2: Db2) -> None:
    faults.slow("mn1", Delay(delay_ms=150, jitter_ms=10))
    wait_until(lambda: db2.pair.link.delay_s > 0.1, "the model's link is slow", 20)
    assert _in_peer(db2)
    faults.heal()
    wait_until(lambda: db2.pair.link.delay_s == 0, "the link is fast again", 20)


def test_a_wrong_clock_is_the_databases_too(lab: Lab, faults: Faults, db2: Db2) -> None:
    faults.wrong_clock("mn1", 300)
    wait_until(lambda: db2.pair.nodes["mn1"].clock_skew_s == 300, "Db2's clock is wrong")
