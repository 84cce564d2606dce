"""The cluster's address is the node's own, and hamn-guard asks from it (mode primary_address).

Owns the stories of the address that is borrowed for as long as the others are asked, and of what is
exempt. MUST NOT judge what the others' answers mean (test_hamn_guard).
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from hamnd.model.epoch import WhenUnknown
from hamnd.model.site import IdentityMode
from tests.unit.guard.guard_site import ARPING, SHELLS, Room

_ASKED = 'until [ "$(cat "$1" 2>/dev/null | wc -l)" -ge 3 ]; do sleep 0.05; done'


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture(params=SHELLS)
def each_shell(request: pytest.FixtureRequest, tmp_path: Path) -> Room:
    return Room(tmp_path, shell=request.param)


@pytest.mark.parametrize("files", ["", "iface eth0 inet dhcp", "10.0.0.9/24", "10.0.0.2 10.0.0.9"])
def test_files_that_do_not_say_whose_address_comes_up_exempt_nobody(files: str, room: Room) -> None:
    """Given mn2 serves, when the network of mn1 is to come up by DHCP, or by a file that nobody
    knows of, then it does not: what came up might be the cluster's address."""
    room.mode = IdentityMode.PRIMARY_ADDRESS
    room.configure()
    room.name_in_files(files)
    room.keep("mn1", "6 mn2 -")
    done = room.guard("network", "networking.service")
    assert (done.code, room.has) == (3, []), done.text
    is_silent = "10.0.0.9" not in files
    assert ("name neither the cluster's address nor one of its own" in done.err) is is_silent


def _own_address(room: Room) -> None:
    """Have the cluster's address be mn1's own, as its network files say; it owned epoch 5."""
    room.mode = IdentityMode.PRIMARY_ADDRESS
    room.configure()
    room.name_in_files(room.address)
    room.keep("mn1", "5 mn1 boot-before")


def _asking(room: Room) -> subprocess.Popen[str]:
    """Start a guard before the network, and return it while it asks from the cluster's address."""
    _own_address(room)
    conf = room.folder("mn1") / "guard.conf"
    conf.write_text(conf.read_text().replace("ssh_timeout=5", "ssh_timeout=1"))
    (room.folder("mn2") / "hangs").touch()
    (room.folder("sn1") / "hangs").touch()
    process = room.start("network", "networking.service")
    asked = ("sh", "-c", _ASKED, "asked", str(room.place / "ssh.log"))
    subprocess.run(asked, check=True, timeout=30)
    assert room.has == ["eth0 10.0.0.9/24 121"]
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_who_is_ended_while_it_asks_gives_the_address_back(
    each_shell: Room, number: signal.Signals
) -> None:
    """Given systemd's stop, its time limit or Ctrl-C, then no second owner is left behind."""
    with _asking(each_shell) as process:
        process.send_signal(number)
        assert process.wait(timeout=30) == 5
    assert each_shell.has == []
    assert list((each_shell.place / "run").iterdir()) == []


def test_what_a_killed_guard_borrowed_is_given_back_by_the_next_call(each_shell: Room) -> None:
    """Its kernel takes it back as well, when the time is up."""
    with _asking(each_shell) as process:
        process.kill()
        process.wait(timeout=30)
    assert each_shell.has == ["eth0 10.0.0.9/24 121"]
    assert each_shell.guard("again").code == 0
    assert each_shell.has == []
    assert list((each_shell.place / "run").iterdir()) == []


def test_what_was_configured_since_a_guard_was_killed_stays(room: Room) -> None:
    with _asking(room) as process:
        process.kill()
        process.wait(timeout=30)
    (room.place / "addresses").write_text("eth0 10.0.0.9/24\n")
    room.guard("again")
    assert room.has == ["eth0 10.0.0.9/24"]


def test_two_guards_ask_from_the_address_one_after_the_other(each_shell: Room) -> None:
    """Given one asks for networking, when another asks for networkd, then it waits for its turn
    and borrows the address itself, and none is left."""
    with _asking(each_shell) as first, each_shell.start("network", "two.service") as second:
        assert (first.wait(timeout=60), second.wait(timeout=60)) == (5, 5)
    assert each_shell.said("added").splitlines() == ["eth0 10.0.0.9/24"] * 2
    assert each_shell.has == []


def test_what_another_host_has_for_a_while_is_asked_for_again(each_shell: Room) -> None:
    """Given the room boots and mn2 asks from the address in this moment, when mn1, which owns the
    newest epoch, comes up, then its network is held, and started once mn2 has given it back."""
    room = each_shell
    room.when_unknown = WhenUnknown.SERVE
    _own_address(room)
    room.keep("sn1", "5 mn1 -")
    (room.place / "arping").write_text("1\nUnicast reply from 10.0.0.9 [52:54:00:12:34:56]\n")
    done = room.guard("network", "networking.service")
    assert (done.code, "serves or asks as this one does" in done.err) == (5, True), done.text
    waiter = room.start("release")
    (room.place / "arping").unlink()
    _, err = waiter.communicate(timeout=60)
    assert (waiter.returncode, "starting networking.service" in err) == (0, True), err
    room.keep("mn1", "6 mn2 -")
    (room.place / "arping").write_text("1\nUnicast reply from 10.0.0.9 [52:54:00:12:34:56]\n")
    done = room.guard("network", "networking.service")
    assert (done.code, "epoch 6 names mn2" in done.err) == (3, True), done.text


def test_an_address_that_two_nodes_found_free_at_once_is_nobodys(each_shell: Room) -> None:
    room = each_shell
    _own_address(room)
    room.keep("sn1", "5 mn1 -")
    theirs = '#!/bin/sh\n[ -s "$SITE/added" ] && echo "Unicast reply from 10.0.0.9" && exit 1\n'
    room.program("arping", theirs + ARPING.removeprefix("#!/bin/sh\n"))
    done = room.guard("network", "networking.service")
    assert (done.code, room.has) == (5, []), done.text
    assert room.said("added") == "eth0 10.0.0.9/24\n"
    assert room.said("ssh.log") == ""
