"""The AIX takeover steps: order, the way back before the way there, proofs, what is not guessed."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest

from hamnd.core.plans.rejoin import rejoin_steps
from hamnd.core.plans.setup import setup_steps
from hamnd.core.plans.switchover import Sides, from_partner, switchover_steps
from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy, Terms, exchanged
from hamnd.core.replication import Promotion, Rejoin, Way
from hamnd.dialects import shell
from hamnd.dialects.aix import interfaces
from hamnd.dialects.readers import READERS
from hamnd.errors import PermanentError
from hamnd.model.epoch import Claim
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, Nim, Osdeploy, Platform, ServiceAddress, Services, Site
from hamnd.model.work import Edit, Exec, Report
from tests.builders import site as any_site
from tests.unit.dialects.aix import specimens
from tests.unit.dialects.reports import exited

SEEN = {
    "settings:en1": exited(0, specimens.SETTINGS),
    "links": exited(0, specimens.NETSTAT),
    "kept:nim": exited(0, specimens.LSNIM),
    "kept:images": exited(0, specimens.OSIMAGES),
}
THEIRS = {
    "settings:en1": exited(
        0, specimens.SETTINGS.replace("aixmn2", "aixmn1").replace("47.104", "47.103")
    )
}
SPARE = "9.114.47.105"
GUARD = {"guard": exited(0, "hamn-guard is installed\n")}
WHOLE = Services(dhcp=True, tftp="unit", ntp=True, nfs=True, service_nodes=("sn01",))


def site(mode: str = "primary_address", **changes: object) -> Site:
    address = "9.114.47.103" if mode == "primary_address" else "9.114.47.110"
    moving = (ServiceAddress("en1", address, 26, "aixmn1"),)
    kept = {"services": WHOLE, "identity": moving, "nim": Nim("rebuild"), "osdeploy": Osdeploy("c")}
    return any_site(platform=Platform.AIX, identity_mode=IdentityMode(mode), **{**kept, **changes})


def steps(where: Site, seen: dict[str, Report] | None = None) -> dict[str, Step]:
    reports = {**SEEN, **GUARD} if seen is None else seen
    return {step.id: step for step in platform_of(where).steps(where, Policy(), reports)}


def ran(step: Step, where: Site) -> list[str]:
    return [shell.preview(action.request, where) for action in step.actions]


@pytest.mark.parametrize("mode", list(IdentityMode))
def test_every_request_can_be_shown_and_every_reader_exists(mode: str) -> None:
    here = site(mode)
    for step in steps(here).values():
        looks = (*step.readiness, *step.preconditions, *step.postconditions)
        actions = (*step.actions, *step.compensation)
        assert {one.reads for one in looks} | {one.reads for one in actions} <= set(READERS)
        shown = [shell.preview(one.request, here) for one in looks]
        shown += [shell.preview(one.request, here) for one in actions]
        assert all(line.isprintable() for line in shown)
        assert step.postconditions


@pytest.mark.parametrize("mode", list(IdentityMode))
def test_no_word_of_any_command_is_empty_and_nothing_of_linux_is_called(mode: str) -> None:
    here = site(mode)
    for step in steps(here).values():
        looks = (*step.readiness, *step.preconditions, *step.postconditions)
        requests = [*(one.request for one in looks), *(one.request for one in step.actions)]
        for request in (*requests, *(one.request for one in step.compensation)):
            if not isinstance(request, Exec):
                continue
            words = request.argv
            assert words[0] not in {"ip", "arping", "systemctl", "service", "setsid", "timeout"}
            if words[0] != "sh":
                assert all(words), words


LACKING = (
    r"sleep [0-9]*\.(?![0-9]* 2>/dev/null \|\|)",
    r"(?<!\")\btimeout [0-9]",
    r"readlink",
    r"mktemp",
    r"\bseq\b",
    r"\bstat -",
    r"grep -[a-zA-Z]*[oAr]",
    r"\bsetsid sh\b",
    r"\bp(grep|kill)\b",
    r"\bflock\b",
    r"sed -i",
    r"cp -a",
    r"date (-d|\+%N)",
    r"-(printf|maxdepth|mmin)\b",
    r"getent",
    r"hostname -f",
    r"--reference",
    r"xargs -0",
    r"\b(ip|systemctl|arping|ss) ",
)
"""What base AIX has not (aix.md §10), and a script may only try where it minds the failure."""


def of_every_plan(mode: str) -> list[Step]:
    """Return the steps of every plan that a Db2 site on AIX has, of either node."""
    here = site(mode, nim=Nim("rebuild"), identity_spare=SPARE)
    terms = Terms(here, Policy())
    own = tuple(steps(here).values())
    graceful, window = (
        Promotion(one, Verdict.PASS, "") for one in ("graceful", "peer-window-only")
    )
    found = [*takeover_steps(terms, graceful, own), *takeover_steps(terms, window, own)]
    found += setup_steps(terms)
    there = from_partner(terms).site
    sides = Sides(own, platform_of(there).hand_over(there, Policy(), THEIRS, SEEN))
    found += switchover_steps(terms, sides, Claim(2, "aixmn2", "aixmn1"))
    for way in (Way.REINTEGRATE, Way.RESEED):
        # A returned primary has the standby's own address by then.
        found += rejoin_steps(exchanged(terms), Rejoin(way, "kept", "something"))
    return found


@pytest.mark.parametrize("mode", list(IdentityMode))
def test_no_script_of_any_plan_needs_what_aix_lacks(mode: str) -> None:
    for step in of_every_plan(mode):
        looks = (*step.readiness, *step.preconditions, *step.postconditions, *step.undone)
        actions = (*step.actions, *step.compensation)
        for request in (*(one.request for one in looks), *(one.request for one in actions)):
            if not isinstance(request, Exec):
                continue
            for text in request.argv:
                lacking = [one for one in LACKING if re.search(one, text)]
                assert lacking == [], f"{step.id}: {text}"


@pytest.mark.parametrize("shell", [one for one in ("ksh", "mksh") if shutil.which(one)])
def test_every_script_of_every_plan_is_understood_by_a_ksh(shell: str) -> None:
    scripts: set[str] = set()
    for step in (*of_every_plan("primary_address"), *of_every_plan("service_address")):
        looks = (*step.readiness, *step.preconditions, *step.postconditions, *step.undone)
        actions = (*step.actions, *step.compensation)
        for request in (*(one.request for one in looks), *(one.request for one in actions)):
            words = request.argv if isinstance(request, Exec) else ()
            scripts |= {
                text
                for program, option, text in zip(words, words[1:], words[2:], strict=False)
                if (program, option) == ("sh", "-c")
            }
    assert len(scripts) > 40
    for text in scripts:
        done = subprocess.run(
            [shell, "-n", "-c", text], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"


def test_the_whole_order_with_a_database_that_moves_along() -> None:
    here = site()
    promotion = Promotion("peer-window-only", Verdict.PASS, "")
    plan = takeover_steps(Terms(here, Policy()), promotion, tuple(steps(here).values()))
    order = [step.id for step in plan]
    moved = ("fuse", "fence", "promote", "db-stop", "identity", "db-rehome", "xcatd", "dns")
    assert tuple(one for one in order if one in moved) == moved
    assert order[-1] == "verify"
    assert {"dhcp", "tftp", "ntp", "nfs", "consoles", "osdeploy", "service-nodes", "boot"} <= set(
        order
    )
    free = {step.id for step in plan if not step.needs_fence and not step.proves_fence}
    assert free == {"fuse"}


def test_the_way_back_is_armed_before_mktcpip_and_taken_off_after_it_was_kept() -> None:
    here = site()
    step = steps(here)["identity"]
    argv = [one.request.argv for one in step.actions if isinstance(one.request, Exec)]
    marks = [words[3] if words[0] == "sh" else words[0] for words in argv]
    assert marks == [
        "hamnd-note", "hamnd-arm", "hamnd-mkitab", "hamnd-hosts", "/usr/sbin/mktcpip", "uname",
        "setuname", "hamnd-hosts-lost", "hamnd-keep", "hamnd-rmitab",
    ]  # fmt: skip
    assert step.keeps_at == marks.index("hamnd-keep")
    address = "-a 9.114.47.104 -m 255.255.255.192 -i en1 -g 9.114.47.126"
    assert argv[1][7:] == (
        f"/usr/sbin/mktcpip -h aixmn2 {address} -A no -t N/A -s",
        "uname -S aixmn2",
        "setuname -n aixmn2",
    )


def test_planned_again_after_the_address_moved_the_way_back_is_still_this_nodes_own() -> None:
    moved = specimens.SETTINGS.replace("aixmn2", "aixmn1").replace("47.104", "47.103")
    step = steps(site(), {"settings:en1": exited(0, moved)})["identity"]
    armed = step.actions[1].request
    assert isinstance(armed, Exec)
    assert " -h aixmn2 -a 9.114.47.104 " in armed.argv[7]


@pytest.mark.parametrize("told", [None, "", "mktcpip: usage"])
def test_without_a_way_back_there_is_no_way_there(told: str | None) -> None:
    seen = {} if told is None else {"settings:en1": exited(0, told)}
    step = steps(site(), seen)["identity"]
    assert (step.actions, step.keeps_at) == ((), None)
    assert {"tcpip.settings", "tcpip.boots_from_odm"} <= {one.reads for one in step.readiness}


def test_a_further_address_moves_by_chdev_and_half_an_identity_is_none() -> None:
    both = (
        ServiceAddress("en1", "9.114.47.103", 26, "aixmn1"),
        ServiceAddress("en2", "10.0.0.3", 24, "aixmn1-b"),
    )
    here = site(identity=both)
    assert steps(here)["identity"].actions == ()
    own = {"settings:en2": exited(0, "10.0.0.4\n255.255.255.0\n")}
    lines = ran(steps(here, {**SEEN, **own})["identity"], here)
    assert "chdev -l en2 -a netaddr=10.0.0.3 -a netmask=255.255.255.0 -a state=up" in lines


def test_an_alias_is_volatile_and_nothing_is_written_for_the_next_boot() -> None:
    here = site("service_address")
    text = " ".join(ran(steps(here)["identity"], here))
    assert "alias" in text
    assert not any(word in text for word in ("mktcpip", "chdev", "mkitab", "setuname"))


def test_xcatd_waits_for_a_quiet_standby_and_gets_its_environment() -> None:
    here = site()
    step = steps(here)["xcatd"]
    assert [one.reads for one in step.readiness] == [
        "shell.exit_zero", "src.defined", "src.quiet", "inittab.starts_none",
    ]  # fmt: skip
    assert ran(step, here)[0].endswith(
        f"startsrc xcatd 100 -e 'XCATROOT=/opt/xcat PATH={here.tool_path}'"
    )


@pytest.mark.parametrize("mode", ["rebuild", "backup", "hanim", "none"])
def test_nim_comes_to_life_in_the_way_that_the_site_has_chosen(mode: str) -> None:
    here = site(nim=Nim(mode, old_object="aixmn1_nim"), osdeploy=Osdeploy())
    found = steps(here)
    if mode == "none":
        assert "osdeploy" not in found
        return
    text = " ".join(ran(found["osdeploy"], here))
    wanted = {
        "rebuild": "nim_master_setup -a mk_resource=no -a device=/install/nim/media",
        "backup": "/usr/lpp/bos.sysmgt/nim/methods/m_restore_db /install/nim-backup",
        "hanim": "/usr/sbin/nim -Fo takeover -a show_progress=yes aixmn1_nim",
    }
    assert wanted[mode] in text


@pytest.mark.parametrize("mode", ["backup", "hanim"])
def test_what_the_primary_had_proves_that_nim_came_whole(mode: str) -> None:
    here = site(nim=Nim(mode, old_object="aixmn1_nim"), osdeploy=Osdeploy())
    (proof,) = [
        one for one in steps(here)["osdeploy"].postconditions if one.reads == "nim.are_there"
    ]
    assert {"61image_lpp_source", "61image"} <= set(proof.arguments)
    assert "master" not in proof.arguments
    assert "kept:nim" in platform_of(here).looks(here)


def test_resources_whose_place_nobody_told_make_the_step_not_ready() -> None:
    step = steps(site())["osdeploy"]
    (look,) = [one for one in step.readiness if one.reads == "nim.places"]
    assert look.arguments == ("61dskls_paging", "xCATaixSSL", "xCATaixSSH")
    unseen = steps(site(), {})["osdeploy"]
    assert "nim.images" in {one.reads for one in unseen.readiness}


def test_services_start_at_boot_only_behind_the_guard() -> None:
    here = site()
    assert "boot" not in steps(here, SEEN)
    (line,) = ran(steps(here)["boot"], here)
    names = "xcatd named dhcpsd conserver nimesis"
    assert f"'hamnboot:2:once:/opt/hamnd/libexec/hamn-boot {names} >/dev/console 2>&1'" in line


@pytest.mark.parametrize(
    ("mode", "is_given_up"),
    [("rebuild", True), ("backup", True), ("hanim", False), ("none", False)],
)
def test_a_node_that_lets_go_stops_nim_unless_the_other_is_its_alternate(
    mode: str, is_given_up: bool
) -> None:
    there = site("service_address", node="aixmn1", nim=Nim(mode, old_object="mn1_nim"))
    stop, release = platform_of(there).hand_over(there, Policy(), {}, {})
    held = platform_of(there).hold_off(there, Policy())
    assert ("nimesis" in " ".join(ran(stop, there))) is is_given_up
    for step in (release, held):
        assert {step.host} == {"aixmn1"}
        assert {one.reads for one in step.postconditions} == {
            "inittab.is_disarmed", "src.quiet", "aix.alias_gone",
        }  # fmt: skip
        assert ("nimesis" in " ".join(ran(step, there))) is is_given_up
    assert release.lets_go
    assert "hamnd-rearm" in shell.preview(release.compensation[-1].request, there)


def test_a_step_back_starts_xcatd_with_its_environment() -> None:
    there = site("service_address", node="aixmn1")
    stop, _ = platform_of(there).hand_over(there, Policy(), {}, {})
    first = shell.preview(stop.compensation[0].request, there)
    assert "XCATROOT=/opt/xcat" in first
    request = stop.compensation[0].request
    assert isinstance(request, Exec)
    limit_s = float(request.argv[request.argv.index("xcatd") + 1])
    assert stop.timeout_s > limit_s, "hamnd does not cut its own waiting short"


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (({}, {}), "shut aixmn1 down in order, then plan a takeover"),
        ((), "give aixmn1 the standby's address and name at its console first"),
    ],
)
def test_an_own_address_is_neither_handed_over_nor_held_off(seen: Any, told: str) -> None:
    there = site(node="aixmn1")
    what = platform_of(there).hand_over if seen else platform_of(there).hold_off
    with pytest.raises(PermanentError, match=told):
        what(there, Policy(), *seen)


def test_an_old_primary_that_became_the_standby_at_its_console_is_held_off() -> None:
    there = site(node="aixmn2")
    text = " ".join(ran(platform_of(there).hold_off(there, Policy()), there))
    assert "hamnd-disarm" in text


# From two hosts to a pair.


def test_the_return_guard_comes_before_what_the_primary_starts_and_starts_nothing_here() -> None:
    found = {step.id: step for step in setup_steps(Terms(site("service_address"), Policy()))}
    *_, last = ran(found["guard"], site("service_address"))
    assert "root@9.114.47.103" in last, "the primary's inittab, and no other"
    assert "hamnboot:2:once:/opt/hamnd/libexec/hamn-boot xcatd named dhcpsd" in last
    assert found["guard"].depends_on == ("replicate",)
    assert {one.reads for one in found["quiet"].postconditions} >= {"inittab.is_disarmed"}


def test_another_engine_is_set_up_by_hand_and_says_what_is_to_be_done() -> None:
    with pytest.raises(PermanentError, match="setup on AIX is for Db2; with sqlite bring"):
        setup_steps(Terms(site("service_address", engine="sqlite"), Policy()))


@pytest.mark.parametrize(
    ("address", "verdict"), [("9.114.47.103", Verdict.PASS), ("9.114.48.1", Verdict.BLOCK)]
)
def test_a_partner_behind_a_router_is_in_another_subnet(address: str, verdict: Verdict) -> None:
    look = interfaces.on_link(site(), address)
    said = READERS[look.reads](exited(0, specimens.IFCONFIG), look.arguments)
    assert said.verdict is verdict
    assert READERS[look.reads](exited(1, ""), look.arguments).verdict is Verdict.UNKNOWN


def test_crontabs_are_listed_and_taken_as_aix_does() -> None:
    pull = {"crontab:xcatdb": exited(0, "0 2 * * * rsync -az aixmn1:/install /\n")}
    (action,) = steps(site(), pull)["fuse"].actions
    assert isinstance(action.request, Edit)
    assert action.request.tells[3:] == (
        "hamnd-crontab", "/etc/crontab", "xcatdb", "crontab", "-l", "xcatdb",
    )  # fmt: skip
    assert action.request.takes == ("su", "-", "xcatdb", "-c", "crontab")


def test_the_identity_is_held_when_every_address_was_seen() -> None:
    aix = platform_of(site())
    assert aix.holds_identity(site("service_address"), exited(0, specimens.IFCONFIG))
    assert not aix.holds_identity(site(), exited(0, specimens.IFCONFIG))
    assert aix.addresses(exited(0, "")) is None
