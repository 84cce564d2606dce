"""From two AIX hosts with a Db2 of their own to a pair in Peer: every step of plan `setup`.

Owns that story between two hosts with real ssh, files and /etc/services; AIX's commands are the
stand-ins (`site.aix`), Db2 is the model. MUST NOT test the daemon, nor the engine's steps alone.
"""

from __future__ import annotations

import pytest

from hamnd.core.plans.setup import setup_steps
from hamnd.demo.db2_node import PairConfig
from hamnd.model.plan import Step
from tests.lab.site.aix import STARTER, AixCommands, on_aix
from tests.lab.site.db2 import OWNER, Db2
from tests.lab.site.fixtures import lab, needs_lab
from tests.lab.site.guides_way import primary_address
from tests.lab.site.hosts import Lab
from tests.lab.site.names import CLUSTER, MANAGERS, PRIMARY, STANDBY
from tests.lab.site.pair import CONFIG, configuration, over_db2
from tests.lab.site.stepping import StepFailed, carry_out, terms_of

__all__ = ["lab"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(300), needs_lab()]

ALONE = PairConfig(hadr_timeout_s=5, peer_window_s=20, takeover_s=0.5, is_paired=False)
XCATS_OWN = "xcatd:2:once:/opt/xcat/sbin/restartxcatd > /dev/console 2>&1"
GUARDED = f"hamnboot:2:once:{STARTER} xcatd named conserver >/dev/console 2>&1"


def two_hosts(lab: Lab, mode: str = "service_address") -> tuple[Db2, AixCommands]:
    """Two AIX hosts, each with a database of its own; xCAT was installed on both."""
    db2, aix = Db2(lab, ALONE), AixCommands(lab)
    for name in MANAGERS:
        lab[name].write(f"/home/{OWNER}/sqllib/db2profile", f"export DB2INSTANCE={OWNER}\n")
        text = on_aix(configuration(name, over_db2(ALONE)))
        lab[name].write(CONFIG, primary_address(text) if mode == "primary_address" else text, 0o640)
    # As the installation of xCAT leaves a standby (aix.md §1.7), and somebody started it.
    aix[STANDBY].inittab.append(XCATS_OWN)
    aix.start(STANDBY, "xcatd")
    return db2, aix


def planned(lab: Lab) -> tuple[Step, ...]:
    return setup_steps(terms_of(lab[STANDBY]))


@pytest.mark.parametrize("mode", ["service_address", "primary_address"])
def test_two_aix_hosts_become_a_pair_in_peer_behind_the_guard(lab: Lab, mode: str) -> None:
    """Given a primary that serves and a standby that does not know it by name, runs xcatd and has
    a database of its own, when the pair is set up, then it is in Peer; nothing starts on the
    standby; what starts on the primary asks the guard; and once more finds all of it done."""
    db2, aix = two_hosts(lab, mode)
    lab[STANDBY].run("sh", "-c", f"grep -v {PRIMARY} /etc/hosts >/tmp/h; cat /tmp/h >/etc/hosts")
    assert db2.write(PRIMARY, "lab_rows", "the site's own")
    before = list(aix[PRIMARY].inittab)
    steps = planned(lab)
    ended = carry_out(lab[STANDBY], steps)
    assert [one.id for one in steps][:4] == ["names", "keys", "requirements", "quiet"]
    assert {one.outcome for one in ended} <= {"done", "already"}
    assert (db2.state(PRIMARY), db2.state(STANDBY)) == ("PRIMARY PEER", "STANDBY PEER")
    assert set(db2.pair.rows(STANDBY, "lab_rows")) == {"the site's own"}
    assert f"{CLUSTER.address(PRIMARY)} {PRIMARY}\n" in lab[STANDBY].run("cat", "/etc/hosts")
    assert "DB2_HADR_2\t55002/tcp" in lab[PRIMARY].run("cat", "/etc/services")
    assert not aix.runs(STANDBY, "xcatd")
    assert not any("xcatd" in line for line in aix[STANDBY].inittab if line[0] != ":")
    assert aix.runs(PRIMARY, "xcatd"), "the primary serves all the while"
    gone = [line for line in before if line not in aix[PRIMARY].inittab]
    assert {line.split(":")[0] for line in gone} == {"xcatd", "conserver", "named"}
    assert aix[PRIMARY].inittab[-1] == GUARDED
    assert any("db2fmcd" in line for line in aix[PRIMARY].inittab), "Db2's own is left alone"
    kept = lab[PRIMARY].run("cat", "/var/hamnd/inittab.before")
    assert kept.splitlines() == gone, "where uninstall.sh looks for them"
    for name in MANAGERS:
        lab[name].run("test", "-x", STARTER)
        lab[name].run("grep", "-q", f"node={name}", "/var/hamnd/guard.conf")
    checked = lab[PRIMARY].ask("/usr/sbin/hamn-guard", "check", timeout_s=60)
    assert checked.code == 0, checked.text
    again = carry_out(lab[STANDBY], planned(lab))
    assert [one.id for one in again if one.outcome != "already"] == ["db-backup"]
    assert lab[PRIMARY].run("cat", "/var/hamnd/inittab.before").splitlines() == gone


def test_another_level_of_aix_ends_before_anything_is_changed(lab: Lab) -> None:
    """Given a standby of another service pack, when the pair is set up, then it ends there."""
    db2, aix = two_hosts(lab)
    aix[STANDBY].level = "6100-06-04-1112"
    with pytest.raises(StepFailed, match=r"not one level: AIX 6100-06-03-1048 .*6100-06-04-1112"):
        carry_out(lab[STANDBY], planned(lab))
    assert aix.runs(STANDBY, "xcatd")
    assert db2.state(STANDBY).startswith("STANDARD")


def test_a_node_without_the_bundles_starter_is_told_where_it_comes_from(lab: Lab) -> None:
    """Given no hamn-boot here, when the guard is installed, then it says so, and the primary's
    inittab is as it was: a line that starts nothing would be the end of the next reboot."""
    _, aix = two_hosts(lab)
    lab[STANDBY].run("rm", STARTER)
    before = list(aix[PRIMARY].inittab)
    guard = next(one for one in planned(lab) if one.id == "guard")
    with pytest.raises(StepFailed, match=r"hamn-boot is not here: install\.sh of the bundle"):
        carry_out(lab[STANDBY], (guard,))
    assert aix[PRIMARY].inittab == before
