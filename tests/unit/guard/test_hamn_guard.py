"""hamn-guard as it is delivered, under every shell that this machine has.

Owns the stories of one node asking: what it answers, what it writes, what a unit gets to hear.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hamnd.core.epochs import follow_epoch
from hamnd.core.guarding import EXIT_CODE, GuardAnswer, MayServe, guard_answer
from hamnd.core.health.watch import Watch
from hamnd.core.policy import Policy, Terms
from hamnd.core.state import NodeState
from hamnd.core.turn import Turn
from hamnd.dialects import epoch as dialect
from hamnd.model.epoch import EpochSight, WhenUnknown
from hamnd.model.instant import Instant
from hamnd.model.site import IdentityMode
from hamnd.model.work import Ending, Report
from tests.unit.guard.guard_site import BOOT, SCRIPT, SHELLS, SSH, Room

NOW = Instant(100.0, 1_000_000.0)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture(params=SHELLS)
def each_shell(request: pytest.FixtureRequest, tmp_path: Path) -> Room:
    return Room(tmp_path, shell=request.param)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="package shellcheck")
def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["shellcheck", "-s", "sh", SCRIPT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_while_the_epoch_names_this_node_in_this_boot_nobody_is_asked(each_shell: Room) -> None:
    each_shell.keep("mn1", f"5 mn1 {BOOT}")
    done = each_shell.guard()
    assert (done.code, done.err) == (0, "")
    assert "epoch 5 names mn1, in this boot" in done.out
    assert each_shell.said("ssh.log") == ""


def test_after_a_reboot_a_witness_confirms_and_then_nobody_is_asked_again(each_shell: Room) -> None:
    each_shell.keep("mn1", "5 mn1 boot-before")
    each_shell.keep("mn2", "down")
    each_shell.keep("sn1", "5 mn1 -")
    done = each_shell.guard("check")
    assert (done.code, done.out) == (0, "may serve: epoch 5 names mn1, confirmed by sn1\n")
    assert each_shell.kept("mn1") == f"5 mn1 {BOOT}\n"
    asked = each_shell.said("ssh.log")
    assert asked.count("BatchMode=yes") == 3
    assert asked.count("StrictHostKeyChecking=yes") == 3
    assert each_shell.guard().code == 0
    assert each_shell.said("ssh.log") == asked


def test_a_newer_epoch_of_the_other_node_is_believed_and_remembered(each_shell: Room) -> None:
    each_shell.keep("mn1", "5 mn1 boot-before")
    each_shell.keep("mn2", "down")
    each_shell.keep("sn2", "6 mn2 -")
    done = each_shell.guard()
    assert (done.code, done.out) == (3, "")
    assert "epoch 6 names mn2 (told by sn2), not mn1" in done.err
    each_shell.keep("sn1", "down")
    each_shell.keep("sn2", "down")
    assert each_shell.guard().code == 3
    assert each_shell.kept("mn1") == "6 mn2 -\n"


def test_who_cannot_ask_anybody_cannot_know_and_is_told_what_decides(each_shell: Room) -> None:
    each_shell.keep("mn1", "5 mn1 boot-before")
    for host in ("mn2", "sn1", "sn2"):
        each_shell.keep(host, "down")
    done = each_shell.guard()
    assert done.code == 5
    assert "mn2 (ssh: connect to host 10.0.0.2: timed out)" in done.err
    assert "hamn-guard assert --reason TEXT decides" in done.err
    assert each_shell.kept("mn1") == "5 mn1 boot-before\n"


def test_a_host_that_hangs_is_ended_and_holds_nobody_for_long(each_shell: Room) -> None:
    conf = each_shell.folder("mn1") / "guard.conf"
    conf.write_text(conf.read_text().replace("ssh_timeout=5", "ssh_timeout=-4"))
    each_shell.keep("mn1", "5 mn1 boot-before")
    (each_shell.folder("mn2") / "hangs").touch()
    each_shell.keep("sn1", "5 mn1 -")
    assert each_shell.guard().code == 0


def test_before_any_epoch_the_configured_primary_may_serve_where_its_partner_agrees(
    room: Room,
) -> None:
    assert room.guard().code == 0
    assert room.kept("mn1") == f"0 mn1 {BOOT}\n"


def test_a_witness_that_knows_nothing_confirms_nobody(each_shell: Room) -> None:
    """Given the first takeover ever went by the witnesses, and mn2, which serves, cannot be
    reached, when mn1 boots without an epoch, then it cannot know."""
    each_shell.keep("mn2", "down")
    done = each_shell.guard()
    assert (done.code, "sn1 (keeps no epoch)" in done.err) == (5, True), done.text
    each_shell.keep("sn1", "0 mn1 -")
    assert each_shell.guard().code == 5


def test_the_operators_word_raises_the_epoch_and_is_told_to_everybody(each_shell: Room) -> None:
    each_shell.keep("mn1", "6 mn2 -")
    each_shell.keep("mn2", "down")
    each_shell.keep("sn1", "7 mn2 -")
    done = each_shell.guard("assert", "--reason", "mn2 burnt down;\n$(reboot) 'it' did")
    assert done.code == 0
    assert done.out.splitlines() == ["epoch 8: mn1 may serve from now on", "sn1 keeps it too",
                                     "sn2 keeps it too"]  # fmt: skip
    assert "mn2 was not told" in done.err
    first, note = (each_shell.kept("mn1") or "").splitlines()
    assert first == f"8 mn1 {BOOT}"
    assert note.endswith(": mn2 burnt down; $(reboot) 'it' did")
    assert each_shell.kept("sn1") == f"8 mn1 {BOOT}\n"
    assert each_shell.guard().code == 0


def test_both_twins_keep_an_epoch_by_one_rule() -> None:
    """The same text; what it does is tried below and in dialects/test_epoch."""
    (rule,) = re.findall(r"^KEEP='\n(.*?)'\n", SCRIPT.read_text(), re.MULTILINE | re.DOTALL)
    assert rule == dialect.KEEP
    assert "'" not in rule


def test_an_assertion_gives_no_number_to_two_nodes(each_shell: Room) -> None:
    """Given mn2 raises the number for itself after it was asked, then it does not take ours."""
    room = each_shell
    room.keep("mn1", "6 mn1 -")
    other = room.folder("mn2") / "epoch"
    raises = f'case $2 in *hamnd-keep-epoch*) echo "7 mn2 -" >"{other}" ;; esac\n'
    room.program("ssh", SSH.replace("host=${1#*@}\n", "host=${1#*@}\n" + raises))
    done = room.guard("assert", "--reason", "somebody else does so too")
    assert "mn2 refuses, this epoch is kept of another node: 7 mn2 -" in done.err
    assert room.kept("mn2") == "7 mn2 -\n"
    assert room.kept("sn1") == f"7 mn1 {BOOT}\n"


def test_an_epoch_that_was_raised_while_the_others_were_asked_stays(each_shell: Room) -> None:
    """Given hamnd raises the epoch here for mn2 while a witness confirms mn1 the one before."""
    room = each_shell
    room.keep("mn1", "5 mn1 boot-before")
    room.keep("mn2", "down")
    room.keep("sn1", "5 mn1 -")
    own = room.folder("mn1") / "epoch"
    room.program("ssh", SSH.replace("host=${1#*@}\n", f'host=${{1#*@}}\necho "6 mn2 -" >"{own}"\n'))
    done = room.guard()
    assert (done.code, "raised here while" in done.err) == (5, True), done.text
    assert room.kept("mn1") == "6 mn2 -\n"
    assert room.guard().code == 3


def test_a_disk_that_never_syncs_holds_the_guard_for_seconds_only(each_shell: Room) -> None:
    """Given another file system is dead, so that sync never ends, then the epoch is kept."""
    each_shell.program("sync", "#!/bin/sh\nexec sleep 20\n")
    each_shell.keep("sn1", "5 mn1 -")
    each_shell.keep("mn1", "5 mn1 boot-before")
    assert each_shell.guard().code == 0
    assert each_shell.kept("mn1") == f"5 mn1 {BOOT}\n"


def test_an_assertion_without_a_reason_is_refused(room: Room) -> None:
    for words in (("assert",), ("assert", "--reason"), ("assert", "--reason", "")):
        assert room.guard(*words).code == 2
    assert room.kept("mn1") is None


def test_a_unit_is_held_and_started_once_somebody_confirms(each_shell: Room) -> None:
    """Given nobody answers, when xcatd asks, then it is held, the waiter is started, and when a
    witness comes back the waiter starts what was held."""
    each_shell.keep("mn1", "5 mn1 boot-before")
    for host in ("mn2", "sn1", "sn2"):
        each_shell.keep(host, "down")
    assert each_shell.guard("unit", "xcatd.service").code == 5
    assert "--no-block start hamn-guard.service" in each_shell.said("systemctl.log")
    assert "xcatd.service is held" in each_shell.said("syslog")
    waiter = each_shell.start("release")
    (each_shell.folder("sn1") / "down").unlink()
    each_shell.keep("sn1", "5 mn1 -")
    _, err = waiter.communicate(timeout=60)
    assert waiter.returncode == 0
    assert "starting xcatd.service, which was held" in err
    assert "--no-block start xcatd.service" in each_shell.said("systemctl.log")
    assert each_shell.guard("unit", "xcatd.service").code == 0


def test_a_unit_that_is_held_while_others_are_started_is_started_too(each_shell: Room) -> None:
    """Given dhcpd writes its mark once xcatd was started, and the waiter it starts is active."""
    room = each_shell
    room.keep("mn1", f"5 mn1 {BOOT}")
    held = room.place / "run/held"
    held.mkdir(parents=True)
    (held / "xcatd.service").touch()
    late = f'case $* in *"start xcatd"*) : >"{held}/dhcpd.service" ;; esac\n'
    room.program("systemctl", f'#!/bin/sh\necho "$*" >>"$SITE/systemctl.log"\n{late}')
    assert room.guard("release").code == 0
    assert "--no-block start dhcpd.service" in room.said("systemctl.log")
    assert list(held.iterdir()) == []


def test_what_is_held_at_the_waiters_very_end_starts_another_one(room: Room) -> None:
    held = room.place / "run/held"
    held.mkdir(parents=True)
    assert (room.guard("again").code, room.said("systemctl.log")) == (0, "")
    (held / "xcatd.service").touch()
    assert room.guard("again").code == 0
    assert room.said("systemctl.log") == "--no-block start hamn-guard.service\n"


def test_where_unknown_means_serve_a_unit_starts_with_an_alarm(tmp_path: Path) -> None:
    room = Room(tmp_path, when_unknown=WhenUnknown.SERVE)
    room.keep("mn1", "5 mn1 boot-before")
    for host in ("mn2", "sn1", "sn2"):
        room.keep(host, "down")
    assert room.guard().code == 5
    assert room.guard("unit", "xcatd.service").code == 0
    assert "xcatd.service starts although nobody knows" in room.said("syslog")
    room.keep("mn1", "6 mn2 -")
    assert room.guard("unit", "xcatd.service").code == 3


def test_a_database_whose_persistent_role_is_standby_may_always_start(room: Room) -> None:
    room.keep("mn1", "6 mn2 -")
    signal = room.place / "standby.signal"
    words = ("unit", "postgresql.service", "--unless", str(signal))
    assert room.guard(*words).code == 3
    signal.touch()
    assert room.guard(*words).code == 0


def test_without_its_file_or_with_a_damaged_epoch_it_cannot_know(each_shell: Room) -> None:
    each_shell.keep("mn1", "rubbish")
    done = each_shell.guard()
    assert (done.code, "cannot be read, and nobody tells" in done.err) == (5, True)
    each_shell.keep("sn1", "6 mn2 -")
    assert each_shell.guard().code == 3
    (each_shell.folder("mn1") / "guard.conf").unlink()
    done = each_shell.guard("unit", "xcatd.service")
    assert (done.code, "there is no guard.conf" in done.err) == (5, True)


def test_the_network_is_nobodys_business_where_the_address_is_an_alias(room: Room) -> None:
    room.keep("mn1", "6 mn2 -")
    assert room.guard("network", "networking.service").code == 0
    room.mode = IdentityMode.PRIMARY_ADDRESS
    room.configure()
    room.name_in_files("10.0.0.2")
    assert room.guard("network", "networking.service").code == 0
    assert room.said("ssh.log") == ""


def test_a_node_that_has_its_partners_address_does_not_take_its_own_word(each_shell: Room) -> None:
    """Given this node took its partner's address over and was booted, when no witness tells, then
    what answers there confirms nothing; neither does it while no address can be read."""
    room = each_shell
    room.keep("mn1", "5 mn1 boot-before")
    room.take_over()
    for host in ("sn1", "sn2"):
        room.keep(host, "down")
    done = room.guard()
    assert (done.code, "10.0.0.2 is, or may be, on this host" in done.err) == (5, True), done.text
    (room.place / "addresses").write_text("")
    (room.place / "no-ip").touch()
    room.program("ifconfig", "#!/bin/sh\nexit 1\n")
    assert room.guard().code == 5
    room.program("ifconfig", "#!/bin/sh\necho ' inet 10.0.0.22 netmask 0xffffff00'\n")
    assert room.guard().code == 0


ARPINGS = {
    "nobody": (0, None),
    "another host": (5, "1\nUnicast reply from 10.0.0.1 [52:54:00:12:34:56]  0.6ms\nSent 1 probes"),
    "Habets: nobody": (5, "1\nARPING 10.0.0.1\n--- 10.0.0.1 statistics ---\n2 packets transmitted"),
    "Habets: another host": (5, "0\n60 bytes from 52:54:00:12:34:56 (10.0.0.1): index=0"),
    "the network is down": (5, "2\narping: sendto: Network is down"),
    "no program": (5, "127\n"),
    "nothing sent": (5, "0\nSent 0 probes (0 broadcast(s))\nReceived 0 response(s)"),
}


@pytest.mark.parametrize("case", [*ARPINGS, "no carrier"])
def test_an_address_is_taken_only_where_it_is_proven_free(case: str, tmp_path: Path) -> None:
    """Given mn1 owned the address and a witness confirms it, then its network comes up only where
    nobody answers for the address, and until then nothing is taken, and nothing is left behind."""
    room = Room(tmp_path, mode=IdentityMode.PRIMARY_ADDRESS, address="10.0.0.1")
    room.name_in_files("10.0.0.1")
    room.keep("mn1", "5 mn1 boot-before")
    room.keep("sn1", "5 mn1 -")
    code, said = ARPINGS.get(case, (5, None))
    if said is not None:
        (room.place / "arping").write_text(said)
    if case == "no carrier":
        (room.place / "no-carrier").touch()
    done = room.guard("network", "networking.service")
    assert (done.code, room.has) == (code, []), done.text
    assert (room.said("ssh.log") == "") is (code != 0)


@pytest.mark.parametrize("case", [*ARPINGS, "no carrier"])
def test_an_alias_comes_up_only_where_it_is_proven_free(case: str, tmp_path: Path) -> None:
    """A link that is late is asked about again: the unit is held meanwhile."""
    room = Room(tmp_path)
    room.keep("mn1", f"5 mn1 {BOOT}")
    code, said = ARPINGS.get(case, (5, None))
    if said is not None:
        (room.place / "arping").write_text(said)
    if case == "no carrier":
        (room.place / "no-carrier").touch()
    done = room.guard("address")
    has_other = case == "another host"
    assert (done.code, room.has) == (1 if has_other else code, [] if code else ["eth0 10.0.0.9/24"])
    is_held = (room.place / "run/held/hamn-address.service").exists()
    assert is_held is (code == 5 and not has_other), done.text


# ---- the twin: the engine judges the same facts alike --------------------------------------------

OWN = (None, "0 mn1 boot-before", "5 mn1 boot-before", "5 mn2 -")
"""Without the one of this boot: then the script asks nobody, while hamnd learns at any time."""
DISPLACED = "its address is this node's"
PARTNER = (
    "down",
    DISPLACED,
    None,
    "5 mn1 -",
    "4 mn2 boot-x",
    f"4 mn2 {BOOT}",
    "6 mn2 boot-x",
    "5 mn2 -",
)
WITNESS = ("down", None, "0 mn1 -", "5 mn1 -", "6 mn2 -", "4 mn1 -")


@pytest.mark.parametrize("partner", PARTNER)
@pytest.mark.parametrize("own", OWN)
def test_script_and_engine_give_the_same_answer(
    own: str | None, partner: str | None, tmp_path: Path
) -> None:
    for number, witness in enumerate(WITNESS):
        (tmp_path / str(number)).mkdir()
        room = Room(tmp_path / str(number))
        facts = {"mn1": own, "mn2": partner, "sn1": witness, "sn2": "down"}
        for host, line in facts.items():
            if line != DISPLACED:
                room.keep(host, line)
        if partner == DISPLACED:
            room.take_over()
        told = room.guard()
        assert told.code == _engine_says(room, facts), (facts, told.text)


@pytest.mark.parametrize("partner", PARTNER)
@pytest.mark.parametrize("own", OWN)
def test_what_is_disputed_is_not_served_as_unknown(
    own: str | None, partner: str | None, tmp_path: Path
) -> None:
    """Given when_unknown is serve, a unit starts only where the engine knows no claim either."""
    for number, witness in enumerate(("down", "5 mn1 -", "5 mn2 -")):
        (tmp_path / str(number)).mkdir()
        room = Room(tmp_path / str(number), when_unknown=WhenUnknown.SERVE)
        facts = {"mn1": own, "mn2": partner, "sn1": witness, "sn2": "down"}
        for host, line in facts.items():
            if line != DISPLACED:
                room.keep(host, line)
        if partner == DISPLACED:
            room.take_over()
        told, answer = room.guard("unit", "xcatd.service"), _engine_answers(room, facts)
        is_served = answer.may_serve is MayServe.UNKNOWN and not answer.is_disputed
        assert told.code == (0 if is_served else EXIT_CODE[answer.may_serve]), (facts, told.text)


def test_a_partner_that_serves_itself_holds_this_node_whatever_unknown_means(
    each_shell: Room,
) -> None:
    each_shell.when_unknown = WhenUnknown.SERVE
    each_shell.configure()
    each_shell.keep("mn1", "5 mn1 boot-before")
    each_shell.keep("mn2", f"4 mn2 {BOOT}")
    done = each_shell.guard("unit", "xcatd.service")
    assert (done.code, "mn2 itself serves, by epoch 4" in done.err) == (5, True), done.text
    assert (each_shell.place / "run/held/xcatd.service").exists()
    done = each_shell.guard("address")
    assert (done.code, each_shell.has) == (5, []), done.text


def _engine_says(room: Room, facts: dict[str, str | None]) -> int:
    return EXIT_CODE[_engine_answers(room, facts).may_serve]


def _engine_answers(room: Room, facts: dict[str, str | None]) -> GuardAnswer:
    terms = Terms(room.site, Policy())
    kept = {host: line for host, line in facts.items() if line != "down"}
    if kept.get("mn2") == DISPLACED:
        kept["mn2"] = kept["mn1"]
    sights = {
        host: EpochSight(host, None if line is None else dialect.parse(line), BOOT, NOW)
        for host, line in kept.items()
    }
    shown = "".join(f"2: {line.replace(' ', '    inet ')} scope global\n" for line in room.has)
    reports = {"seen:addresses": Report(Ending.EXITED, NOW, NOW, 0, shown)}
    turn = Turn(NodeState(boot_id=BOOT), NOW, terms)
    turn.state = NodeState(boot_id=BOOT, watch=Watch(epochs=sights, reports=reports))
    follow_epoch(turn)
    return guard_answer(turn.state, terms)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("printf '%s\\n' --datadir=/d --read-only\n", 0),
        ("printf '%s\\n' --read_only=ON --server-id=1\n", 0),
        ("printf '%s\\n' --read_only=ON --read-only=0\n", 3),
        ("printf '%s\\n' --read-only-compressed --server-id=1\n", 3),
        ("exit 0\n", 3),
        ("echo --read-only; exit 1\n", 3),
    ],
)
def test_a_server_that_takes_no_writes_when_it_starts_may_start(
    each_shell: Room, options: str, code: int
) -> None:
    each_shell.keep("mn1", "6 mn2 -")
    each_shell.program("my_print_defaults", f"#!/bin/sh\n{options}")
    replica = each_shell.place / "master.info"
    words = ("unit", "mariadb.service", "--unless-read-only", "--unless", str(replica))
    assert each_shell.guard(*words).code == code
    replica.touch()
    assert each_shell.guard(*words).code == 0
