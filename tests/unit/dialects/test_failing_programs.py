"""A program that fails tells nothing: scripts run for real by sh, with programs that do not answer.

Owns what a node must not be told to be (quiet, silent, guarded, stopped) because nobody could say.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects import addresses, holding, linux, serving, silence
from hamnd.dialects.aix import inittab
from hamnd.dialects.postgresql import held
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.names import Verdict
from hamnd.model.site import ServiceAddress, Site, Witness
from hamnd.model.work import Action, Exec, Look, Looked, Reading
from tests.builders import site
from tests.unit.dialects.scripts import told

NO_BUS = 'echo "Failed to connect to bus: No such file or directory" >&2; exit 1\n'
ABSENT = """\
case $1 in
is-enabled) echo "Failed to get unit file state for x: No such file or directory" >&2; exit 1 ;;
is-active) echo inactive; exit 3 ;;
show) echo LoadState=not-found ;;
esac
"""
THERE = """\
case $1 in
is-enabled) echo disabled; exit 1 ;;
is-active) echo inactive; exit 3 ;;
show) printf 'Id=x\\nLoadState=loaded\\nActiveState=inactive\\n' ;;
enable | start) echo "$*" ;;
esac
"""
SERVICE = ServiceAddress("en1", "9.114.47.110", 26, "xcatmn")
DIG = {"arping": "exit 2\n", "ip": "case $* in *neigh*) exit 0;; esac\n"}


def judged(work: Look | Action, folder: Path, **programs: str) -> Reading:
    report = told(work, folder, programs)
    return read_look(Looked(work, report)) if isinstance(work, Look) else read_action(work, report)


def _here(folder: Path) -> Site:
    base = site(engine="postgresql")
    paths = replace(base.paths, state_dir=str(folder / "state"))
    return replace(base, paths=paths)


UNITS = (("xcatd",), ("dhcpd", "isc-dhcp-server"))


@pytest.mark.parametrize(
    ("answers", "is_told"), [(NO_BUS, False), ("exit 0\n", False), (ABSENT, True), (THERE, True)]
)
@pytest.mark.parametrize("what", ["disabled", "held", "noted"])
def test_a_node_is_quiet_only_by_what_systemctl_said(
    what: str, answers: str, is_told: bool, tmp_path: Path
) -> None:
    here = _here(tmp_path)
    works: dict[str, Look | Action] = {
        "disabled": linux.disabled_each(here, UNITS),
        "held": holding.is_held(here, here.node),
        "noted": linux.note_enabled(here, UNITS),
    }
    assert (judged(works[what], tmp_path, systemctl=answers).verdict is Verdict.PASS) is is_told


@pytest.mark.parametrize("answers", [NO_BUS, "exit 0\n"])
def test_what_starts_at_boot_is_not_settled_by_a_systemctl_that_fails(
    answers: str, tmp_path: Path
) -> None:
    here = _here(tmp_path)
    works: tuple[Look | Action, ...] = (
        linux.enable_each(here, UNITS),
        linux.enabled_each(here, UNITS),
        linux.disable_each(here, UNITS),
        serving.start_first(here, "dhcpd"),
    )
    for number, work in enumerate(works):
        (folder := tmp_path / str(number)).mkdir()
        reading = judged(work, folder, systemctl=answers)
        assert reading.verdict is not Verdict.PASS, work
        assert "no such unit" not in reading.sentence


def test_the_first_unit_of_a_group_that_is_there_is_taken(tmp_path: Path) -> None:
    """systemctl may tell more than it was asked."""
    report = told(linux.enable_each(_here(tmp_path), UNITS), tmp_path, {"systemctl": THERE})
    assert (report.exit_code, report.stdout.split()) == (0, ["enable", "xcatd", "enable", "dhcpd"])


def test_the_guard_is_before_no_unit_that_systemctl_does_not_tell_of(tmp_path: Path) -> None:
    look = linux.guard_there(site(), "xcatd")
    assert isinstance(look.request, Exec)
    argv = tuple("/bin/true" if one == linux.GUARD else one for one in look.request.argv)
    look = replace(look, request=replace(look.request, argv=argv))
    report = told(look, tmp_path, {"systemctl": NO_BUS})
    assert linux.read_guard_there(report).verdict is Verdict.UNKNOWN
    assert linux.is_guard_there(report) is False


@pytest.mark.parametrize(
    ("ping", "verdict"),
    [
        ('echo "1 packets transmitted, 0 received, 100% packet loss"; exit 1\n', Verdict.PASS),
        ('echo "1 packets transmitted, 1 received, 0% packet loss"\n', Verdict.BLOCK),
        ('echo "ping: connect: Network is unreachable" >&2; exit 2\n', Verdict.UNKNOWN),
        ('echo "usage: ping [-dfnqrv]" >&2; exit 1\n', Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
    ],
)
def test_nobody_is_silent_to_a_witness_that_sent_nothing(
    ping: str, verdict: Verdict, tmp_path: Path
) -> None:
    """The identity would be taken while its holder lives (law 3)."""
    look = silence.silent_at(Witness("sn1", "10.1.0.21"), SERVICE)
    programs = {**DIG, **({"ping": ping} if ping else {})}
    assert judged(look, tmp_path, **programs).verdict is verdict


def test_nobody_is_silent_where_the_neighbours_are_not_told(tmp_path: Path) -> None:
    look = silence.silent_at(Witness("sn1", "10.1.0.21"), SERVICE)
    lost = 'echo "1 packets transmitted, 0 received"; exit 1\n'
    assert judged(look, tmp_path, ping=lost, ip="exit 1\n").verdict is Verdict.UNKNOWN


NO_ROUTE = (
    "case $* in *route*) echo 'RTNETLINK answers: Network is unreachable' >&2; exit 2;; esac\n"
)
LOST = 'echo "2 packets transmitted, 0 received, 100% packet loss"; exit 1\n'
NOT_SENT = 'echo "ping: connect: Network is unreachable" >&2; exit 2\n'


@pytest.mark.parametrize(
    ("ping", "ip", "verdict", "sentence"),
    [
        (LOST, "exit 0\n", Verdict.PASS, "nobody answers"),
        (LOST, "", Verdict.UNKNOWN, "could be asked"),
        (NOT_SENT, NO_ROUTE, Verdict.PASS, "the kernel asks"),
        (NOT_SENT, "exit 0\n", Verdict.UNKNOWN, "could be asked"),
        ("exit 126\n", "exit 0\n", Verdict.UNKNOWN, "could be asked"),
        ("", "exit 0\n", Verdict.UNKNOWN, "could be asked"),
    ],
)
def test_an_ipv6_address_is_free_only_where_somebody_could_be_asked(
    ping: str, ip: str, verdict: Verdict, sentence: str, tmp_path: Path
) -> None:
    look = addresses.address_free6(site(), ServiceAddress("en1", "fd00:99::10", 64, "xcatmn"))
    programs = {name: body for name, body in (("ping", ping), ("ip", ip)) if body}
    reading = judged(look, tmp_path, **programs)
    assert (reading.verdict, sentence in reading.sentence) == (verdict, True), reading


@pytest.mark.parametrize(
    ("lssrc", "lsitab", "is_held"),
    [
        ('echo " xcatd            inoperative"\n', "echo init:2:initdefault:\n", True),
        ('echo " xcatd  1234  active"\n', "echo init:2:initdefault:\n", False),
        ('echo " xcatd inoperative"\n', 'printf "xcatd:2:once:/usr/bin/startsrc\\n"\n', False),
        ("exit 1\n", "echo init:2:initdefault:\n", False),
        ('echo " xcatd inoperative"\n', "exit 1\n", False),
    ],
)
def test_on_aix_xcatd_is_held_off_only_by_what_both_lists_say(
    lssrc: str, lsitab: str, is_held: bool, tmp_path: Path
) -> None:
    here = _here(tmp_path)
    reading = judged(holding.is_held(here, here.node), tmp_path, lssrc=lssrc, lsitab=lsitab)
    assert (reading.verdict is Verdict.PASS) is is_held, reading


@pytest.mark.parametrize("lssrc", ["exit 1\n", 'echo " xcatd 1234 stopping"\n'])
def test_on_aix_xcatd_is_not_stopped_before_it_was_seen_so(lssrc: str, tmp_path: Path) -> None:
    here = _here(tmp_path)
    programs = {"lssrc": lssrc, "stopsrc": "exit 0\n", "rmitab": "exit 0\n"}
    reading = judged(holding.hold(here, here.node), tmp_path, **programs)
    assert reading.verdict is not Verdict.PASS


def test_an_entry_of_the_inittab_is_gone_only_from_a_list_that_was_told(tmp_path: Path) -> None:
    work = inittab.remove(site(), "xcatd")
    removed = {"rmitab": "echo gone\n"}
    for number, (lsitab, verdict) in enumerate(
        (
            ("exit 1\n", Verdict.BLOCK),
            ("echo xcatd2:2:once:/x\n", Verdict.PASS),
            ("echo xcatd:2:once:/x\n", Verdict.PASS),
        )
    ):
        (folder := tmp_path / str(number)).mkdir()
        assert judged(work, folder, lsitab=lsitab, **removed).verdict is verdict


def test_a_server_whose_process_nobody_can_name_is_not_stopped(tmp_path: Path) -> None:
    """Its data would be moved away under it."""
    here = _here(tmp_path)
    here = replace(here, postgresql=replace(here.postgresql, data_dir=str(tmp_path)))
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n")
    stop = held.stop(here, here.node)[-1]
    assert judged(stop, tmp_path, ps="exit 1\n").verdict is not Verdict.PASS
