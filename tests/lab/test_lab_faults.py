"""What a peer sees of every fault, as measured in lab.md §4.

Owns one story per verb of `Faults`, its mending included. MUST NOT test hamnd.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from tests.lab.site.faults import FAKETIME, Faults
from tests.lab.site.fixtures import needs_lab
from tests.lab.site.hosts import Done, Host, Lab, Process, wait_until
from tests.lab.site.names import CLUSTER, Plan
from tests.lab.site.wire import Delay

pytestmark = [pytest.mark.lab, needs_lab()]

SPEAK = (
    "import socket,sys,time\n"
    "s = socket.create_server(('', 7000))\n"
    "print('listening', flush=True)\n"
    "c, _ = s.accept()\n"
    "while True: c.sendall(b'.'); time.sleep(.05)\n"
)
LISTEN = (
    "import socket,sys\n"
    "c = socket.create_connection((sys.argv[1], 7000), 5)\n"
    "c.settimeout(float(sys.argv[2]))\n"
    "n = 0\n"
    "try:\n"
    "    while data := c.recv(100):\n"
    "        n += 1\n"
    "        if n == 3: print('hearing', flush=True)\n"
    "    print('ended', flush=True)\n"
    "except TimeoutError: print('silent', flush=True)\n"
    "except ConnectionResetError: print('reset', flush=True)\n"
)
CONNECT = (
    "import socket,sys\n"
    "try:\n"
    "    c = socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)\n"
    "    c.settimeout(1)\n"
    "    try: print('banner', c.recv(100).decode().split('-')[0])\n"
    "    except TimeoutError: print('connected, no banner')\n"
    "except TimeoutError: print('timeout')\n"
    "except ConnectionRefusedError: print('refused')\n"
    "except OSError as error: print(error.strerror)\n"
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    with Lab(Plan(hosts=("mn1", "mn2", "sn1", "gw"))) as lab:
        yield lab


@pytest.fixture
def lab(shared: Lab, faults: Faults) -> Iterator[Lab]:
    """The module's lab, mended after each test; a heal that does not work fails that test."""
    yield shared
    faults.heal()
    for host in shared:
        faults.on(host.name)
    assert not faults.present
    for name in ("mn1", "mn2"):
        wait_until(lambda name=name: _pings(shared["sn1"], name), f"sn1 reaches {name}")  # type: ignore[misc]
        assert shared["sn1"].run("ssh", name, "hostname", timeout_s=10).strip() == name


@pytest.fixture
def faults(shared: Lab) -> Faults:
    return Faults(shared)


def _pings(host: Host, target: str) -> bool:
    return host.ask("ping", "-c1", "-W1", CLUSTER.address(target)).code == 0


def _connect(host: Host, target: str, port: int = 22) -> str:
    return host.run(
        sys.executable, "-c", CONNECT, CLUSTER.address(target), str(port), timeout_s=10
    ).strip()


def _ssh(host: Host, target: str, command: str, *options: str) -> Done:
    return host.ask("ssh", *options, target, command, timeout_s=15)


def _stream(lab: Lab, limit_s: float) -> Process:
    """Have mn1 speak to mn2 all the time; mn2 says what becomes of it."""
    speaker = lab["mn1"].start(sys.executable, "-c", SPEAK)
    wait_until(lambda: "listening" in speaker.text(), "mn1 listens")
    hearer = lab["mn2"].start(sys.executable, "-c", LISTEN, CLUSTER.address("mn1"), str(limit_s))
    wait_until(lambda: "hearing" in hearer.text(), "mn2 hears mn1")
    return hearer


def _end_of(process: Process) -> str:
    wait_until(lambda: not process.is_running, "an end")
    return process.text().split()[-1]


def test_a_power_cut_is_silence_and_the_disk_survives_it(lab: Lab, faults: Faults) -> None:
    """Given an open connection, when mn1 loses its power, then mn2 hears nothing at all: no FIN,
    no RST, no ping; and when it boots again its disk is as it was, its /run and /tmp are new."""
    lab["mn1"].run("sh", "-c", "echo kept > /install/kept; touch /tmp/lost /run/lost")
    hearer = _stream(lab, 1.5)
    faults.off("mn1")
    assert _end_of(hearer) == "silent"
    assert not _pings(lab["mn2"], "mn1")
    faults.on("mn1")
    wait_until(lambda: _pings(lab["mn2"], "mn1"), "mn1 answers again", 5)
    assert lab["mn1"].run("cat", "/install/kept") == "kept\n"
    assert lab["mn1"].ask("ls", "/tmp/lost").code != 0
    assert lab["mn1"].ask("ls", "/run/lost").code != 0


def test_a_host_whose_processes_die_says_goodbye(lab: Lab, faults: Faults) -> None:
    """Killing all processes is no power cut: the kernel ends the connections (lab.md §13)."""
    hearer = _stream(lab, 10)
    faults.kill_host("mn1")
    assert _end_of(hearer) in {"ended", "reset"}


def test_a_killed_process_is_one_of_its_host_only(lab: Lab, faults: Faults) -> None:
    for name in ("mn1", "mn2"):
        lab[name].start("sleep", "4321")
    faults.kill_process("mn1", "sleep 4321")
    assert lab["mn1"].ask("pgrep", "-f", "sleep 432[1]").code == 1
    assert lab["mn2"].ask("pgrep", "-f", "sleep 432[1]").code == 0
    with pytest.raises(RuntimeError):
        faults.kill_process("mn1", "sleep 4321")


def test_a_frozen_host_answers_ping_and_connects_but_says_nothing(lab: Lab, faults: Faults) -> None:
    faults.freeze("mn1")
    assert _pings(lab["mn2"], "mn1")
    assert _connect(lab["mn2"], "mn1") == "connected, no banner"
    said = _ssh(lab["mn2"], "mn1", "true", "-o", "ConnectTimeout=1")
    assert "banner exchange" in said.err
    faults.thaw("mn1")
    assert _connect(lab["mn2"], "mn1") == "banner SSH"


def test_a_cable_pulled_out_takes_the_carrier_too(lab: Lab, faults: Faults) -> None:
    faults.cut("mn1")
    assert not _pings(lab["mn2"], "mn1")
    assert _connect(lab["mn2"], "mn1") in {"timeout", "No route to host"}
    assert lab["mn1"].run("cat", "/sys/class/net/eth0/carrier").strip() == "0"


def test_a_silent_cut_leaves_the_carrier(lab: Lab, faults: Faults) -> None:
    faults.cut_silently("mn1")
    assert not _pings(lab["mn2"], "mn1")
    assert not _pings(lab["mn1"], "gw")
    assert _pings(lab["mn2"], "gw")
    assert lab["mn1"].run("cat", "/sys/class/net/eth0/carrier").strip() == "1"


def test_a_pair_cut_leaves_both_to_everybody_else(lab: Lab, faults: Faults) -> None:
    """The split-brain case: only the two management nodes lose each other."""
    faults.pair_cut()
    assert not _pings(lab["mn2"], "mn1")
    assert not _pings(lab["mn1"], "mn2")
    assert _pings(lab["sn1"], "mn1")
    assert _pings(lab["sn1"], "mn2")


def test_a_one_way_cut_lets_the_other_direction_arrive(lab: Lab, faults: Faults) -> None:
    """Given nothing of mn1 reaches mn2, when mn2 pings it, mn1 hears that and mn2 no answer."""
    assert _pings(lab["mn2"], "mn1"), "both know each other's hardware address"
    before = _echoes(lab["mn1"])
    faults.one_way_cut("mn1", "mn2")
    assert not _pings(lab["mn2"], "mn1")
    assert _echoes(lab["mn1"]) > before


def _echoes(host: Host) -> int:
    names, values = (
        line.split() for line in host.run("cat", "/proc/net/snmp").splitlines() if "Icmp:" in line
    )
    return int(values[names.index("InEchos")])


def test_a_slow_wire_delays_both_directions(lab: Lab, faults: Faults) -> None:
    faults.slow("mn1", Delay(delay_ms=80, jitter_ms=5))
    said = lab["mn2"].run("ping", "-c3", "-i", "0.2", "-W2", CLUSTER.address("mn1"))
    times = [float(time) for time in re.findall(r"time=([\d.]+)", said)]
    assert len(times) == 3
    assert min(times) > 120
    assert _ssh(lab["mn2"], "mn1", "hostname").out.strip() == "mn1"


def test_a_lossy_wire_loses_some(lab: Lab, faults: Faults) -> None:
    faults.slow("mn1", Delay(delay_ms=1, loss_percent=50))
    said = lab["mn2"].ask("ping", "-c40", "-i", "0.01", "-W1", CLUSTER.address("mn1")).out
    received = int(re.findall(r"(\d+) received", said)[0])
    assert 0 < received < 30


def test_a_slow_host_can_lose_its_power_and_come_back(lab: Lab, faults: Faults) -> None:
    faults.slow("mn1", Delay(delay_ms=20))
    faults.power_cycle("mn1")
    wait_until(lambda: _pings(lab["mn2"], "mn1"), "mn1 answers again", 5)


def test_a_dropped_port_hangs_and_a_refused_one_says_so(lab: Lab, faults: Faults) -> None:
    faults.drop_port("mn1", 22, source="mn2")
    assert _connect(lab["mn2"], "mn1") == "timeout"
    assert _connect(lab["sn1"], "mn1") == "banner SSH"
    faults.heal()
    faults.refuse_port("mn1", 22, source="mn2")
    assert _connect(lab["mn2"], "mn1") == "refused"


@needs_lab("faketime")
def test_a_wrong_clock_deceives_programs_and_nobody_else(lab: Lab, faults: Faults) -> None:
    """Given mn1's clock is five minutes ahead, then date over ssh says so, and nobody else's."""
    faults.wrong_clock("mn1", 300)
    truth = int(lab["sn1"].run("date", "+%s"))
    assert 298 <= int(_ssh(lab["mn2"], "mn1", "date +%s").out) - truth <= 310
    assert 298 <= int(lab["mn1"].run("date", "+%s")) - truth <= 310
    assert abs(int(_ssh(lab["mn1"], "mn2", "date +%s").out) - truth) <= 10
    uptime = "import time; print(time.monotonic())"
    ahead = float(lab["mn1"].run(sys.executable, "-c", uptime)) - float(
        lab["mn2"].run(sys.executable, "-c", uptime)
    )
    assert abs(ahead) < 60, "the monotonic clock stays right"
    faults.heal()
    assert abs(int(_ssh(lab["mn2"], "mn1", "date +%s").out) - truth) <= 30
    assert FAKETIME


def test_a_full_disk_says_so_and_only_there(lab: Lab, faults: Faults) -> None:
    fill = "head -c 100000 /dev/zero > /install/more"
    faults.disk_full("mn1")
    assert "No space left on device" in _ssh(lab["mn2"], "mn1", fill).err
    assert lab["mn2"].ask("sh", "-c", fill).code == 0
    faults.power_cycle("mn1")
    assert lab["mn1"].ask("sh", "-c", fill).code != 0, "a full disk is still full after a reboot"
    faults.heal()
    assert _ssh(lab["mn2"], "mn1", fill).code == 0


def test_a_read_only_file_system_says_so(lab: Lab, faults: Faults) -> None:
    faults.read_only("mn1", "/install")
    assert "Read-only file system" in _ssh(lab["mn2"], "mn1", "touch /install/new").err
    assert _ssh(lab["mn2"], "mn1", "touch /etc/new").code == 0
    faults.heal()
    assert _ssh(lab["mn2"], "mn1", "touch /install/new").code == 0


def test_names_do_not_resolve_without_dns(lab: Lab, faults: Faults) -> None:
    assert lab["mn2"].ask("getent", "hosts", "mn1").code == 0
    faults.dns_gone("mn2")
    assert lab["mn2"].ask("getent", "hosts", "mn1").code != 0
    assert _pings(lab["mn2"], "mn1"), "addresses still work"


def test_a_host_without_sshd_refuses(lab: Lab, faults: Faults) -> None:
    faults.sshd_gone("mn1")
    assert _connect(lab["mn2"], "mn1") == "refused"
    assert _pings(lab["mn2"], "mn1")


def test_a_foreign_host_key_is_not_accepted(lab: Lab, faults: Faults) -> None:
    faults.wrong_host_key("mn1")
    said = _ssh(lab["mn2"], "mn1", "true")
    assert said.code == 255
    assert "Host key verification failed" in said.err
