"""Two living AIX nodes exchange their addresses: which step comes when, and where each is asked.

Owns the plan's side of it, and the scripts on stand-ins of a line each. That it works between two
nodes is tests/lab/test_demo_aix_exchange.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.core.plans import undo
from hamnd.core.plans.switchover import Sides, from_partner, switchover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy, Terms, exchanged
from hamnd.dialects import shell
from hamnd.dialects.aix import moving, tcpip
from hamnd.errors import PermanentError
from hamnd.model.epoch import Claim
from hamnd.model.plan import HOME, Step
from hamnd.model.site import IdentityMode, Paths, Platform, ServiceAddress, Site
from hamnd.model.work import Exec
from tests.builders import site as any_site
from tests.unit.core.platforms.test_aix import SEEN, SPARE, THEIRS
from tests.unit.dialects.aix import specimens
from tests.unit.dialects.reports import exited

FIRST, SECOND = any_site().primary.address, any_site().standby.address


def site(node: str = "aixmn2", **changes: object) -> Site:
    told: dict[str, object] = {
        "node": node,
        "platform": Platform.AIX,
        "identity_mode": IdentityMode.PRIMARY_ADDRESS,
        "identity": (ServiceAddress("en1", FIRST, 26, "aixmn1"),),
        "identity_spare": SPARE,
    }
    return any_site(**{**told, **changes})


def switchover(where: Site | None = None) -> dict[str, Step]:
    terms = Terms(site() if where is None else where, Policy())
    there, platform = from_partner(terms).site, platform_of(terms.site)
    sides = Sides(
        platform.steps(terms.site, terms.policy, SEEN),
        platform.hand_over(there, terms.policy, THEIRS, SEEN),
    )
    claim = Claim(2, "aixmn2", "aixmn1")
    return {step.id: step for step in switchover_steps(terms, sides, claim)}


def test_nobody_gets_an_address_before_the_other_gave_it_up() -> None:
    steps = switchover()
    order = ("promote", "spare", "release", "identity", "verify", "exchange", "unspare")
    assert tuple(one for one in steps if one in order) == order
    needs = {key: {*one.depends_on, *one.after} for key, one in steps.items()}
    assert {"spare", "db-stop-partner"} <= needs["release"]
    assert "db-stop-partner" in needs["spare"], "its database rests before its address changes"
    assert "release" in needs["identity"]
    assert "unspare" in needs["db-rehome-partner"]


def test_who_goes_is_asked_where_it_is_and_gets_in_where_the_other_one_is_by_then() -> None:
    """The standby has its own address until `identity`, and the primary's from then on."""
    steps = switchover()
    wanted = {
        "spare": (FIRST, SPARE, SECOND),
        "exchange": (SPARE, SECOND, FIRST),
    }
    for name, (start, target, other) in wanted.items():
        (action,) = steps[name].actions
        assert isinstance(action.request, Exec)
        assert action.request.host == "aixmn2", "by the node that stays"
        there, go = action.request.argv[4:6]
        assert f"root@{target} " in there
        assert f"root@{start} " in go
        assert f"root@{other} true" in go
        assert f"-h aixmn2 -a {target} -m 255.255.255.192 -i en1 -g 9.114.47.126" in go
        assert steps[name].parks is (name == "spare")


def test_every_way_there_has_its_way_back() -> None:
    steps = switchover()
    for name, start, target, called in (
        ("spare", SPARE, FIRST, "aixmn1"),
        ("release", SPARE, FIRST, "aixmn1"),
        ("exchange", SECOND, SPARE, "aixmn2"),
    ):
        request = steps[name].compensation[-1].request
        assert isinstance(request, Exec)
        assert f"root@{start} " in request.argv[5]
        assert f"-h {called} -a {target} " in request.argv[5]
        assert f"is reached at {target}, is called {called}" in steps[name].undone[0].expects


@pytest.mark.parametrize("half", ["", HOME])
def test_nobody_is_sent_home_before_the_other_gave_the_address_back(half: str) -> None:
    """Left out it still has it; the way back of `spare` goes home as the one of `release` does."""
    run = tuple(
        replace(one, id=f"{half}{key}", claims=None)
        for key, one in switchover().items()
        if key in ("spare", "release", "identity")
    )
    acted = {one.id for one in run}
    for name in ("spare", "release"):
        step = next(one for one in run if one.id == f"{half}{name}")
        assert f"undo-{half}identity" in undo._undone(step, acted).depends_on


def test_nobody_is_sent_where_another_one_answers(tmp_path: Path) -> None:
    """The way home asks it as the way there does; who is there already answers for itself."""
    (back,) = switchover()["spare"].compensation
    assert isinstance(back.request, Exec)
    script, name, _, _, ping, address = back.request.argv[2:]
    assert "ping" in ping
    assert ping.endswith(f" {FIRST}")
    went = tmp_path / "went"
    for is_there, answers, is_asked in (
        ("false", "1 packets received, 0% packet loss", False),
        ("false", "0 packets received, 100% packet loss", True),
        ("false", "sendto: Network is down, 0 packets received, 100% packet loss", False),
        ("true", "1 packets received, 0% packet loss", False),
    ):
        words = (
            script,
            name,
            is_there,
            f"touch {shlex.quote(str(went))}",
            f"echo '{answers}'",
            address,
        )
        done = subprocess.run(
            ("sh", "-c", *words), capture_output=True, text=True, timeout=30, check=False
        )
        assert went.exists() is is_asked
        assert (done.returncode == 0) is (is_asked or is_there == "true")
        went.unlink(missing_ok=True)


def test_the_card_and_the_runbook_show_the_guides_command() -> None:
    (action,) = switchover()["exchange"].actions
    assert action.by_hand is not None
    first = shell.preview(replace(action.by_hand[0], host="aixmn2"), site())
    flags = f"-h aixmn2 -a {SECOND} -m 255.255.255.192 -i en1 -g 9.114.47.126 -A no -t N/A -s"
    assert first == f"/usr/sbin/mktcpip {flags}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"identity_spare": ""}, r"identity\.spare is not set"),
        (
            {
                "identity": (
                    ServiceAddress("en1", FIRST, 26, "aixmn1"),
                    ServiceAddress("en2", "10.0.0.3", 24, "aixmn1-b"),
                )
            },
            "exchange one address each, and this site has 2; shut aixmn1 down",
        ),
    ],
)
def test_what_cannot_be_exchanged_is_said(changes: dict[str, object], said: str) -> None:
    there = site("aixmn1", **changes)
    with pytest.raises(PermanentError, match=said):
        platform_of(there).hand_over(there, Policy(), THEIRS, SEEN)


@pytest.mark.parametrize("told", [None, "", "mktcpip: usage", specimens.SETTINGS])
def test_a_node_whose_settings_were_not_read_is_not_moved(told: str | None) -> None:
    there = site("aixmn1")
    seen = {} if told is None else {"settings:en1": exited(0, told)}
    with pytest.raises(PermanentError, match="what aixmn1 has of its own was not read yet"):
        platform_of(there).hand_over(there, Policy(), seen, SEEN)


@pytest.mark.parametrize("told", [None, "", "mktcpip: usage", specimens.SETTINGS])
def test_nothing_is_let_go_of_for_a_node_that_could_not_take_it(told: str | None) -> None:
    """Right after an exchange what the other one has was not read yet, or not all of it: it would
    have no way back, so no way there either, and nobody would know its hardware address."""
    there = site("aixmn1")
    theirs = {} if told is None else {"settings:en1": exited(0, told)}
    with pytest.raises(PermanentError, match="what aixmn2 has of its own was not read yet"):
        platform_of(there).hand_over(there, Policy(), THEIRS, theirs)


def test_a_run_that_goes_on_finds_it_at_the_spare_address() -> None:
    there = site("aixmn1")
    parked = specimens.SETTINGS.replace("47.104", "47.105")
    found = platform_of(there).hand_over(there, Policy(), {"settings:en1": exited(0, parked)}, SEEN)
    spare = next(one for one in found if one.id == "spare")
    request = spare.compensation[0].request
    assert isinstance(request, Exec)
    assert f"-h aixmn1 -a {FIRST} " in request.argv[5]


def test_exchanged_each_is_what_the_other_was_and_the_way_home_is_made_from_it() -> None:
    """The looks tell it once it happened; a drill plans its way home before."""
    platform, here, there = platform_of(site()), site(), site("aixmn1")
    after = platform.as_exchanged(there, THEIRS, SEEN)["settings:en1"].stdout
    assert tcpip.parse_settings(after, "en1") == tcpip.parse_settings(specimens.SETTINGS, "en1")
    ours = platform.as_exchanged(here, SEEN, THEIRS)
    home = exchanged(Terms(here, Policy())).site
    letting_go = platform.hand_over(home, Policy(), ours, SEEN)
    spare = next(one for one in letting_go if one.id == "spare")
    assert f"aixmn2 gives {FIRST} and its name up, and is {SPARE}" == spare.title
    taker = from_partner(exchanged(Terms(here, Policy()))).site
    taken = {
        one.id: one for one in platform.steps(taker, Policy(), {"settings:en1": exited(0, after)})
    }
    armed = next(
        one.request for one in taken["identity"].actions if "hamnd-arm" in str(one.request)
    )
    assert f"mktcpip -h aixmn2 -a {SECOND} " in str(armed)


def test_on_the_way_home_the_other_one_is_asked_to_take_its_address_too() -> None:
    """mktcpip in a session over the address that it replaces would end with it, half done."""
    home = exchanged(Terms(site(), Policy()))
    there, platform = from_partner(home).site, platform_of(site())
    steps = platform.from_afar(there, platform.steps(there, Policy(), SEEN), SEEN)
    identity = next(one for one in steps if one.id == "identity")
    (action,) = identity.actions
    assert isinstance(action.request, Exec)
    assert action.request.host == "aixmn2", "by the node that has let go"
    go = action.request.argv[5]
    assert f"root@{SECOND} " in go, "where it is"
    assert f"-h aixmn1 -a {FIRST} -m 255.255.255.192 -i en1 -g 9.114.47.126" in go
    assert f"root@{SPARE} true" in go, "where the other one is by then"
    assert f"-S {FIRST} 9.114.47.126" in go, "and the gateway answers it there"
    assert identity.needs_fence
    asked = [getattr(one.request, "host", "") for one in identity.postconditions]
    assert "aixmn1" not in asked, "it is elsewhere by then"
    assert any(f"root@{FIRST} " in str(one.request) for one in identity.postconditions)
    (back,) = identity.compensation
    assert f"-h aixmn2 -a {SECOND} " in str(back.request)


# The scripts, on a node whose commands keep their state in files.

COMMANDS = {
    "mktcpip": 'while [ $# -gt 0 ]; do case $1 in -h) echo "$2" >name; echo "$2" >uname;; '
    '-a) [ ! -e broken ] || { rm broken; exit 1; }; echo "$2" >address;; esac; shift; done',
    "lsattr": 'case "$*" in *hostname*) cat name;; *) cat address;; esac',
    "hostname": "cat name",
    "uname": 'case $1 in -S) echo "$2" >uname;; *) cat uname;; esac',
    "setuname": ":",
    "lsitab": 'case $1 in -a) cat inittab;; *) grep "^$1:" inittab;; esac',
    "mkitab": 'for last; do :; done; echo "$last" >>inittab',
    "chitab": ":",
    "rmitab": 'grep -v "^$1:" inittab >i; mv i inittab',
    "ssh": "[ ! -e alone ]",
}


_pause = threading.Event()


def wait_until(is_true: Callable[[], bool], what: str, limit_s: float = 30.0) -> None:
    end = time.perf_counter() + limit_s
    while not is_true():
        assert time.perf_counter() < end, what
        _pause.wait(0.02)


class Node:
    """A directory that plays a node: the scripts run in it as over ssh, and see its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name, text in COMMANDS.items():
            program = self.bin / name
            program.write_text(f"#!/bin/sh\ncd {shlex.quote(str(folder))}\n{text}\n")
            program.chmod(0o755)
        for name, text in (("name", "aixmn1"), ("uname", "aixmn1"), ("address", FIRST)):
            (folder / name).write_text(f"{text}\n")
        (folder / "inittab").write_text("init:2:initdefault:\n")

    def run(self, request: Exec) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin"}
        return subprocess.run(
            request.argv, env=environment, cwd=self.folder,
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def boots(self) -> None:
        """Have init run what the inittab has for the way back, as AIX's does."""
        line = next(one for one in self.told("inittab").splitlines() if "hamnback" in one)
        command = line.split(":", 3)[3].replace(">/dev/console", ">/dev/null")
        self.run(Exec("aixmn1", ("sh", "-c", f"exec {command}")))

    def told(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    def becomes(self, address: str) -> None:
        """Then, soon, the node has this address and nothing waits for anything any more."""
        kept = self.folder / "state/identity"

        def is_so() -> bool:
            is_at_rest = not list(kept.glob("armed.*")) and not (kept / "fired").exists()
            ended = is_at_rest and "hamnback" not in self.told("inittab")
            return ended and self.told("address") == address

        wait_until(is_so, f"{address}, from {self.told('address')}", 30)


def move(confirm_s: float, node: Node) -> tuple[Site, moving.Move]:
    tools = {name: str(node.bin / name) for name in COMMANDS}
    there = site(
        "aixmn1",
        identity_confirm_s=confirm_s,
        tools=tools,
        paths=Paths(state_dir=str(node.folder / "state")),
    )
    own = tcpip.Settings("en1", "aixmn1", FIRST, "255.255.255.192", "9.114.47.126")
    return there, moving.Move(own, replace(own, host="aixmn2", address=SPARE), SECOND)


def test_it_goes_once_nobody_waits_any_more_and_stays_where_it_gets_in(tmp_path: Path) -> None:
    node = Node(tmp_path)
    there, one = move(20, node)
    done = node.run(moving._go(there, one))
    assert done.returncode == 0, done.stderr
    assert node.told("address") == FIRST, "the session that asked can end first"
    assert "hamnback:2:wait:" in node.told("inittab"), "a reboot takes it back"
    node.becomes(SPARE)
    assert (node.told("name"), node.told("uname")) == ("aixmn2", "aixmn2")


@pytest.mark.parametrize("fault", ["alone", "broken"])
def test_where_it_does_not_get_in_it_comes_back_by_itself(tmp_path: Path, fault: str) -> None:
    """Nobody answers it at its new address, or mktcpip did half of what it was to do."""
    node = Node(tmp_path)
    (tmp_path / fault).touch()
    there, one = move(1, node)
    assert node.run(moving._go(there, one)).returncode == 0
    seen = moving._is_there(there, one)
    assert re.search(r"hamnd-is-there.* 9\.114\.47\.105 ", seen)
    wait_until((tmp_path / "state/identity/back").exists, "the way back", 30)
    node.becomes(FIRST)
    assert (node.told("name"), node.told("uname")) == ("aixmn1", "aixmn1")


def test_a_node_that_is_about_to_go_back_is_not_there(tmp_path: Path) -> None:
    """Between the end of its patience and the way back it still has what it is to give up."""
    node = Node(tmp_path)
    there, one = move(20, node)
    assert node.run(moving._go(there, one)).returncode == 0
    node.becomes(SPARE)
    asked = Exec("aixmn1", ("sh", "-c", shlex.split(moving._is_there(there, one))[-1]))
    assert node.run(asked).returncode == 0
    (tmp_path / "state/identity/fired").touch()
    assert node.run(asked).returncode == 1


def test_a_reboot_on_the_way_takes_it_back_once_and_leaves_nothing_armed(tmp_path: Path) -> None:
    """init puts exec before what the inittab has it run; a later boot finds nothing to do."""
    node = Node(tmp_path)
    (tmp_path / "alone").touch()
    there, one = move(600, node)
    assert node.run(moving._go(there, one)).returncode == 0
    wait_until(lambda: node.told("address") == SPARE, "the spare address", 30)
    (armed,) = (tmp_path / "state/identity").glob("armed.*")
    os.kill(int(armed.suffix[1:]), signal.SIGKILL)
    node.boots()
    assert (node.told("address"), node.told("name")) == (FIRST, "aixmn1")
    assert not list((tmp_path / "state/identity").glob("armed.*"))
    (tmp_path / "address").write_text(f"{SECOND}\n")
    node.boots()
    assert node.told("address") == SECOND, "what was given to it by hand since stays"
