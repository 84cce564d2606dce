"""The old primary boots again with its MariaDB server enabled, behind the return guard.

Owns that story over real servers and a real systemd on mn1. What the guard does with everything
else is test_lab_guard's.
"""

from __future__ import annotations

import pytest

from tests.lab.site import guarded, xcat
from tests.lab.site.desk import Desk
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import Lab, wait_until
from tests.lab.site.maria import PROGRAMS
from tests.lab.site.maria_pair import MariaPair
from tests.lab.site.maria_truth import start_read_only
from tests.lab.site.names import PRIMARY, STANDBY, Plan

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_lab("systemd-nspawn", "crontab", *PROGRAMS, *xcat.PROGRAMS),
]
LIMIT_S = 120.0
ENABLED = ("xcatd", "isc-dhcp-server", "mariadb")
DROP_INS = {
    "xcatd.service": "hamn-guard.conf",
    "isc-dhcp-server.service": "hamn-guard.conf",
    "mariadb.service": "hamn-guard-mariadb.conf",
}


def test_a_server_that_would_take_writes_is_held_and_one_that_takes_none_is_not() -> None:
    """Given mn2 took over, when mn1 boots with its server enabled and writable, then that does not
    start, by hand neither; once its option files say read_only it starts and takes no writes."""
    with Lab(Plan(systemd=frozenset({PRIMARY}))) as lab:
        site, old = MariaPair(lab), lab[PRIMARY]
        guarded.install(old, DROP_INS)
        site.watch(PRIMARY)
        Desk(site, PRIMARY).wait_state("Active", limit_s=LIMIT_S)
        old.run(
            "systemctl", "enable", "xcatd", "isc-dhcp-server", "mariadb", "hamn-address", "hamnd"
        )
        site.watch()
        desk = Desk(site)
        desk.wait_state("Peer", limit_s=LIMIT_S)
        site.wait_ready(LIMIT_S)
        site.faults.off(PRIMARY)
        desk.wait_state("PrimaryDown", limit_s=LIMIT_S)
        site.take_over()
        site.faults.on(PRIMARY)
        wait_until(lambda: not old.ask("systemctl", "list-jobs", "--no-legend").out.strip(),
                   "booted", LIMIT_S)  # fmt: skip
        assert old.ask("systemctl", "is-active", "mariadb", "xcatd").out.split() == ["inactive"] * 2
        old.run("systemctl", "start", "mariadb")
        assert old.ask("systemctl", "is-active", "mariadb").out.split() == ["inactive"]
        assert site.writable() == (STANDBY,)
        start_read_only(old)
        old.run("systemctl", "start", "mariadb")
        assert old.ask("systemctl", "is-active", "mariadb").out.split() == ["active"]
        assert site.writable() == (STANDBY,)
