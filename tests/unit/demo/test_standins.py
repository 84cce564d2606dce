"""The stand-ins behave as measured in xcat-hamn.md §4.4 and §9, and as iputils and systemd do."""

from __future__ import annotations

import math

import pytest

from hamnd.demo.answers import Answer, Request
from hamnd.demo.control import Fault, carry_out
from hamnd.demo.db2_model import Db2Pair, Spoil
from hamnd.demo.db2_node import HostPower, PairConfig, Role
from hamnd.demo.machines import (
    FENCE_PASSWORD,
    PRIMARY,
    SERVICE_ADDRESS,
    STANDBY,
    DatabaseAccess,
    FenceMood,
    Site,
    UnitState,
)
from hamnd.demo.standins import STAND_INS

T0 = 1_773_479_780.0


def make(**settings: object) -> Site:
    return Site(Db2Pair(PairConfig(**settings), now=T0), T0)  # type: ignore[arg-type]


def call(site: Site, machine: str, line: str, stdin: str = "", xcat_host: str = "") -> Answer:
    """Run a stand-in to its end: time passes, and what it does when it is over is done."""
    program, *argv = line.split()
    now = max(T0 + 1, site.pair.now)
    site.pair.tick(now)
    request = Request(site, machine, tuple(argv), now, stdin, xcat_host)
    answer = STAND_INS[program](request)
    may_end = answer.delay_s < math.inf and (answer.until is None or answer.until())
    if may_end and answer.then is not None:
        answer.then(now)
    return answer


def ends(answer: Answer) -> bool:
    return answer.delay_s < math.inf and (answer.until is None or answer.until())


def promoted(**settings: object) -> Site:
    """Return a site whose primary is dead and whose standby's database was taken over."""
    site = make(**settings)
    site.power_off(PRIMARY, T0 + 2)
    site.pair.tick(T0 + 70)
    command = ("db2", "takeover hadr on db XCATDB by force")
    site.pair.run_to_end(STANDBY, command, T0 + 70)
    return site


def activated() -> Site:
    """Return a promoted site whose new primary holds the service address and runs xcatd."""
    site = promoted()
    call(site, STANDBY, f"ip addr add {SERVICE_ADDRESS}/26 dev lo")
    assert ends(call(site, STANDBY, "systemctl start xcatd"))
    return site


# xCAT.


@pytest.mark.parametrize("line", ["lsxcatd -v", "tabdump site", "lsdef", "makedns -n"])
def test_every_client_ends_with_111_while_xcatd_is_down(line: str) -> None:
    answer = call(make(), STANDBY, line)
    assert answer.exit_code == 111
    assert "Unable to open socket connection to xcatd daemon on localhost:3001." in answer.stdout
    assert "Connection refused" in answer.stderr


@pytest.mark.parametrize("line", ["lsxcatd -v", "tabdump site", "mkdef -t node x groups=y"])
def test_every_client_is_denied_while_the_database_is_down(line: str) -> None:
    site = make()
    site.pair.kill_process(PRIMARY, T0 + 1)
    answer = call(site, PRIMARY, line)
    assert (answer.exit_code, answer.stderr) == (1, "Error: Permission denied for request\n")
    assert call(site, PRIMARY, "systemctl is-active xcatd").exit_code == 0


def test_mkdef_on_a_readable_standby_reports_success_and_stores_nothing() -> None:
    site = make(reads_on_standby=True)
    call(site, STANDBY, f"ip addr add {SERVICE_ADDRESS}/26 dev lo")
    assert ends(call(site, STANDBY, "systemctl start xcatd"))
    assert site.database(STANDBY) is DatabaseAccess.READ_ONLY
    answer = call(site, STANDBY, "mkdef -t node -o probe groups=probe")
    assert answer.exit_code == 0
    assert answer.stdout == "1 object definitions have been created or modified.\n"
    found = call(site, STANDBY, "lsdef -t node -o probe")
    assert found.exit_code == 1
    assert "Could not find an object named 'probe' of type 'node'." in found.stderr
    assert call(site, STANDBY, "chdef -t node -o cn01 groups=x").exit_code == 1
    assert call(site, STANDBY, "makedns -n").exit_code == 0


def test_written_object_is_read_back_and_removed_on_the_new_primary() -> None:
    site = activated()
    assert call(site, STANDBY, "mkdef -t node -o probe groups=probe").exit_code == 0
    answer = call(site, STANDBY, "lsdef -t node -o probe -i groups")
    assert answer.stdout == "Object name: probe\n    groups=probe\n"
    assert call(site, STANDBY, "mkdef -t node -o probe groups=probe").exit_code == 1
    assert call(site, STANDBY, "rmdef -t node -o probe").exit_code == 0
    assert call(site, STANDBY, "lsdef -t node -o probe").exit_code == 1


def test_xcat_objects_of_the_old_primary_are_there_after_a_takeover() -> None:
    answer = call(activated(), STANDBY, "lsdef -t site -i master")
    assert answer.stdout == f"Object name: clustersite\n    master={SERVICE_ADDRESS}\n"


def test_start_of_xcatd_never_returns_on_a_standby_or_without_the_service_address() -> None:
    standby = make()
    call(standby, STANDBY, f"ip addr add {SERVICE_ADDRESS}/26 dev lo")
    assert not ends(call(standby, STANDBY, "systemctl start xcatd"))
    assert call(standby, STANDBY, "systemctl is-active xcatd").stdout == "activating\n"
    homeless = promoted()
    assert not ends(call(homeless, STANDBY, "systemctl start xcatd"))
    call(homeless, STANDBY, f"ip addr add {SERVICE_ADDRESS}/26 dev lo")
    assert ends(call(homeless, STANDBY, "systemctl start xcatd"))


def test_hung_xcatd_keeps_a_client_for_ever() -> None:
    site = make()
    unit = site.unit(PRIMARY, "xcatd")
    assert unit is not None
    unit.hangs = True
    assert not ends(call(site, PRIMARY, "lsxcatd -v"))
    assert call(site, PRIMARY, "systemctl is-active xcatd").exit_code == 0


def test_makeconservercf_succeeds_although_conserver_cannot_start() -> None:
    site = activated()
    unit = site.unit(STANDBY, "conserver")
    assert unit is not None
    unit.is_broken = True
    assert call(site, STANDBY, "makeconservercf").exit_code == 0
    assert call(site, STANDBY, "systemctl is-active conserver").stdout == "failed\n"


def test_makedns_starts_named_and_says_when_it_cannot() -> None:
    site = activated()
    answer = call(site, STANDBY, "makedns -n")
    assert (answer.exit_code, "DNS setup is completed" in answer.stdout) == (0, True)
    assert call(site, STANDBY, f"dig +short @{SERVICE_ADDRESS} xcatmn A").stdout == (
        f"{SERVICE_ADDRESS}\n"
    )
    unit = site.unit(STANDBY, "named")
    assert unit is not None
    unit.is_broken = True
    answer = call(site, STANDBY, "makedns -n")
    assert (answer.exit_code, answer.stderr) == (1, "Error: [aixmn2]: failed to start named.\n")
    assert call(site, STANDBY, f"dig @{SERVICE_ADDRESS} xcatmn").exit_code == 9


def test_makedhcp_queries_only_a_running_server_with_reservations() -> None:
    site = activated()
    down = call(site, STANDBY, "makedhcp -q cn01")
    assert down.exit_code == 1
    assert "dhcp server is not running.  please start the dhcp server." in down.stderr
    call(site, STANDBY, "makedhcp -n")
    assert call(site, STANDBY, "makedhcp -q cn01").stdout == ""
    call(site, STANDBY, "makedhcp -a")
    line = call(site, STANDBY, "makedhcp -q cn01").stdout
    assert line.startswith("cn01: ip-address = 127.0.47.11, hardware-address = 52:54:")
    unknown = call(site, STANDBY, "makedhcp -q nosuch")
    assert "Invalid nodes and/or groups in noderange: nosuch" in unknown.stderr


def test_client_with_xcathost_asks_the_machine_behind_the_address() -> None:
    site = make()
    assert call(site, "sn01", "lsxcatd -v", xcat_host="127.0.47.103:3001").exit_code == 0
    assert call(site, "sn01", "lsxcatd -v", xcat_host=f"{SERVICE_ADDRESS}:3001").exit_code == 0
    assert "refused" in call(site, "sn01", "lsxcatd -v", xcat_host="127.0.0.1:1").stderr
    site.power_off(PRIMARY, T0 + 2)
    answer = call(site, "sn01", "lsxcatd -v", xcat_host="127.0.47.103:3001")
    assert (answer.exit_code, answer.delay_s) == (111, 15.0)
    assert "timed out" in answer.stderr


# Network programs.


def test_ping_answers_for_machines_that_are_up_or_frozen_and_waits_for_dead_ones() -> None:
    site = make()
    up = call(site, STANDBY, "ping -n -c 1 -W 1 -w 1 127.0.47.103")
    assert (up.exit_code, "1 packets transmitted, 1 received" in up.stdout) == (0, True)
    site.pair.freeze(PRIMARY, T0 + 2)
    assert call(site, STANDBY, "ping -c 1 127.0.47.103").exit_code == 0
    site.power_off(PRIMARY, T0 + 3)
    dead = call(site, STANDBY, "ping -n -c 1 -W 1 -w 1 127.0.47.103")
    assert (dead.exit_code, dead.delay_s) == (1, 1.0)
    assert "1 packets transmitted, 0 received, 100% packet loss" in dead.stdout
    assert call(site, STANDBY, "ping -c 1 nosuchhost").exit_code == 2


def test_cut_pair_hides_the_primary_from_the_standby_alone() -> None:
    site = make()
    site.cut(PRIMARY, STANDBY, T0 + 1)
    assert call(site, STANDBY, "ping -c 1 127.0.47.103").exit_code == 1
    assert call(site, "sn01", "ping -c 1 127.0.47.103").exit_code == 0
    assert call(site, STANDBY, "ping -c 1 127.0.47.126").exit_code == 0
    site.isolate(STANDBY, T0 + 2)
    assert call(site, STANDBY, "ping -c 1 127.0.47.126").exit_code == 1


def test_one_way_cut_deafens_one_database_and_breaks_every_connection() -> None:
    site = make()
    assert fault(site, "cut-one-way").exit_code == 0
    assert not site.pings(STANDBY, PRIMARY)
    now = site.pair.now
    site.pair.tick(now + 59)
    assert site.pair.nodes[PRIMARY].connected
    site.pair.tick(now + 61)
    assert not site.pair.nodes[STANDBY].connected


def test_address_can_be_added_shown_and_removed_once() -> None:
    site = make()
    add = f"ip addr add {SERVICE_ADDRESS}/26 dev lo"
    assert call(site, STANDBY, add).exit_code == 0
    assert "File exists" in call(site, STANDBY, add).stderr
    shown = call(site, STANDBY, "ip -o addr show").stdout
    assert f"2: lo    inet {SERVICE_ADDRESS}/26 " in shown
    assert call(site, STANDBY, add.replace("add ", "del ", 1)).exit_code in (0, 2)
    remove = f"ip addr del {SERVICE_ADDRESS}/26 dev lo"
    call(site, STANDBY, remove)
    assert "Cannot assign requested address" in call(site, STANDBY, remove).stderr
    assert call(site, STANDBY, f"ip addr add {SERVICE_ADDRESS}/26 dev nosuch").exit_code == 1


def test_arping_finds_a_duplicate_until_its_holder_is_dead() -> None:
    site = make()
    line = f"arping -D -c 2 -w 3 -I lo {SERVICE_ADDRESS}"
    used = call(site, STANDBY, line)
    assert (used.exit_code, "reply from" in used.stdout) == (1, True)
    site.power_off(PRIMARY, T0 + 2)
    free = call(site, STANDBY, line)
    assert (free.exit_code, "Received 0 response(s)" in free.stdout) == (0, True)
    assert call(site, STANDBY, f"arping -U -c 2 -I lo {SERVICE_ADDRESS}").exit_code == 0


# System programs.


def test_systemctl_tells_states_with_systemds_exit_codes() -> None:
    site = make()
    assert call(site, PRIMARY, "systemctl is-active named dhcpd").stdout == "active\nactive\n"
    assert call(site, STANDBY, "systemctl is-active named").exit_code == 3
    assert call(site, PRIMARY, "systemctl is-enabled xcatd").stdout == "enabled\n"
    assert call(site, STANDBY, "systemctl is-enabled xcatd").exit_code == 1
    assert call(site, STANDBY, "systemctl enable xcatd").exit_code == 0
    assert call(site, STANDBY, "systemctl is-enabled xcatd").exit_code == 0
    assert call(site, STANDBY, "systemctl start nosuch").exit_code == 5
    assert call(site, PRIMARY, "systemctl stop nosuch named").exit_code == 5
    assert call(site, PRIMARY, "systemctl is-active named").exit_code == 3


def test_running_xcatd_is_what_writes_rows() -> None:
    site = make()
    call(site, PRIMARY, "systemctl stop xcatd")
    rows = site.pair.nodes[PRIMARY].log.rows
    site.pair.tick(T0 + 30)
    assert site.pair.nodes[PRIMARY].log.rows == rows
    site.set_unit(PRIMARY, "xcatd", UnitState.ACTIVE, T0 + 30)
    site.pair.tick(T0 + 40)
    assert site.pair.nodes[PRIMARY].log.rows > rows


def test_crontab_is_listed_replaced_and_removed() -> None:
    site = make()
    assert "rsync" in call(site, STANDBY, "crontab -l").stdout
    assert call(site, STANDBY, "crontab -u root -", stdin="# empty\n").exit_code == 0
    assert call(site, STANDBY, "crontab -l").stdout == "# empty\n"
    call(site, STANDBY, "crontab -r")
    none = call(site, STANDBY, "crontab -l")
    assert (none.exit_code, none.stderr) == (1, "no crontab for root\n")


def fence(site: Site, action: str, password: str = FENCE_PASSWORD) -> Answer:
    lines = f"action={action}\nusername=hamnd\nplug=aixmn1\n\npassword={password}\n"
    return call(site, STANDBY, "fence_demo", stdin=lines)


def test_fence_agent_speaks_the_protocol() -> None:
    site = make()
    assert (fence(site, "status").exit_code, fence(site, "status").stdout) == (0, "Status: ON\n")
    assert fence(site, "monitor").exit_code == 0
    assert fence(site, "off", password="wrong").exit_code == 1
    assert site.power(PRIMARY) is HostPower.UP
    assert (fence(site, "off").exit_code, site.power(PRIMARY)) == (0, HostPower.OFF)
    assert (fence(site, "status").exit_code, fence(site, "status").stdout) == (2, "Status: OFF\n")
    assert fence(site, "off").stdout == "Success: Already OFF\n"
    assert (fence(site, "on").exit_code, site.power(PRIMARY)) == (0, HostPower.UP)
    assert "<resource-agent" in call(site, STANDBY, "fence_demo -o metadata").stdout


def test_fence_agent_refuses_lies_fails_and_hangs_as_asked() -> None:
    site = make()
    site.fence_mood = FenceMood.REFUSES_OFF
    assert fence(site, "off").exit_code == 1
    assert fence(site, "status").exit_code == 0
    site.fence_mood = FenceMood.LIES
    assert fence(site, "off").exit_code == 0
    assert (fence(site, "status").exit_code, site.power(PRIMARY)) == (2, HostPower.UP)
    site.fence_mood = FenceMood.FAILS
    assert fence(site, "status").exit_code == 1
    site.fence_mood = FenceMood.HANGS
    assert not ends(fence(site, "status"))


# Faults by verb.


def fault(site: Site, line: str, spoils: dict[tuple[str, str], Spoil] | None = None) -> Answer:
    now = site.pair.now + 1
    return carry_out(Fault(site, {} if spoils is None else spoils, tuple(line.split()), now))


@pytest.mark.parametrize(
    ("line", "power"),
    [("kill", HostPower.OFF), ("freeze", HostPower.FROZEN), ("cut", HostPower.UP)],
)
def test_fault_verbs_break_the_primary_by_default(line: str, power: HostPower) -> None:
    site = make()
    assert fault(site, line).exit_code == 0
    assert site.power(PRIMARY) is power
    assert not site.talks(STANDBY, PRIMARY)


def test_heal_mends_everything_but_dead_machines() -> None:
    site = make()
    spoils: dict[tuple[str, str], Spoil] = {}
    for line in ("cut-pair", "fence-lies", "freeze aixmn1", "hang db2pd", "xcatd aixmn1"):
        assert fault(site, line, spoils).exit_code == 0
    assert spoils
    assert fault(site, "heal", spoils).exit_code == 0
    assert not spoils
    assert site.talks(STANDBY, PRIMARY)
    assert site.fence_mood is FenceMood.OBEYS
    fault(site, "kill")
    fault(site, "heal")
    assert site.power(PRIMARY) is HostPower.OFF


@pytest.mark.parametrize("line", ["", "nosuch", "kill nosuch", "kill sn01", "hang", "skew x"])
def test_senseless_verbs_change_nothing_and_exit_2(line: str) -> None:
    site = make()
    assert fault(site, line).exit_code == 2
    assert site.power(PRIMARY) is HostPower.UP


def test_examination_of_the_old_primary_needs_its_power() -> None:
    site = promoted()
    assert fault(site, "examine").exit_code == 2
    fault(site, "power-on")
    assert fault(site, "examine").stdout == "only_on=aixmn1 rows=0 bytes=0\n"
    assert site.pair.nodes[PRIMARY].role is Role.PRIMARY
