"""The Linux steps besides identity and xCAT's own: fuse's jobs, shield, what is served, boot."""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy, Terms
from hamnd.core.readiness import OPTIONAL
from hamnd.core.salvaging import with_salvage
from hamnd.dialects import shell
from hamnd.dialects.editing import sha256_of
from hamnd.dialects.readers import READERS
from hamnd.model.plan import Step
from hamnd.model.site import Osdeploy, Services, Shield, Site
from hamnd.model.work import Edit, Exec, Report
from tests.builders import site
from tests.unit.dialects.reports import exited

PULL = "0 2 * * * root rsync -az aixmn1:/install /\n"
RESTORE = "    1 /sbin/init\n 4711 pg_restore -c -d xcatdb /backup/xcatdb.tar\n"
GUARD = exited(0, "hamn-guard is installed\n")
WHOLE = site(
    services=Services(http=True, tftp="unit", ntp=True, nfs=True, service_nodes=("sn01", "sn02")),
    shield=Shield(True, "/etc/ssh/sshd_config.d/00-hamnd.conf"),
    osdeploy=Osdeploy("compute"),
    credentials=("/etc/xcat/ca",),
)


def cron_file(text: str) -> Report:
    lines = "".join(f"+{line}\n" for line in text.removesuffix("\n").split("\n"))
    return exited(0, f"={sha256_of(text)} /etc/cron.d/sync\n{lines}")


def steps(where: Site = WHOLE, **seen: Report) -> dict[str, Step]:
    found = platform_of(where).steps(where, Policy(), seen)
    return {step.id: step for step in with_salvage(found, Terms(where, Policy()), True)}


def previews(step: Step) -> list[str]:
    return [shell.preview(one.request, WHOLE) for one in step.actions]


def test_a_whole_site_has_every_step_and_nobody_waits_without_need() -> None:
    found = steps(guard=GUARD)
    assert {key: (one.depends_on, one.after) for key, one in found.items() if key != "verify"} == {
        "salvage": ((), ()),
        "fuse": ((), ("salvage",)),
        "shield": (("fence",), ()),
        "identity": (("promote",), ()),
        "xcatd": (("promote", "identity"), ("shield",)),
        **dict.fromkeys(("http", "tftp", "ntp", "nfs"), (("identity",), ())),
        **dict.fromkeys(
            ("dns", "dhcp", "consoles", "osdeploy", "service-nodes", "boot"), (("xcatd",), ())
        ),
    }
    assert set(found["verify"].after) == set(found) - {"verify", "fuse", "salvage"}
    assert {step.id for step in found.values() if step.is_optional} == OPTIONAL


def test_every_request_can_be_shown_and_every_reader_exists() -> None:
    found = steps(guard=GUARD, cron_files=cron_file(PULL), processes=exited(0, RESTORE))
    for step in found.values():
        looks = (*step.readiness, *step.preconditions, *step.postconditions)
        actions = (*step.actions, *step.compensation)
        assert {one.reads for one in looks} | {one.reads for one in actions} <= set(READERS)
        shown = [shell.preview(one.request, WHOLE) for one in looks]
        shown += [shell.preview(one.request, WHOLE) for one in actions]
        assert all(line.isprintable() for line in shown)


def test_crons_own_files_are_disarmed_where_they_can_be_written_back() -> None:
    fuse = steps(cron_files=cron_file(PULL))["fuse"]
    assert [one.request.tells[-1] for one in fuse.actions if isinstance(one.request, Edit)] == [
        "/etc/cron.d/sync"
    ]
    assert [one.reads for one in fuse.preconditions] == ["jobs.crontab_is"]
    odd = exited(0, cron_file(PULL).stdout.replace("rsync -az", "rsync -a"))
    named = steps(cron_files=odd)["fuse"]
    assert named.actions == ()
    assert [one.reads for one in named.preconditions] == ["jobs.cron_files_harmless"]


def test_what_runs_is_ended_after_what_would_start_it_again() -> None:
    fuse = steps(cron_files=cron_file(PULL), processes=exited(0, RESTORE))["fuse"]
    edit, end = (action.request for action in fuse.actions)
    assert isinstance(edit, Edit)
    assert isinstance(end, Exec)
    assert end.argv[3:5] == ("hamnd-end", "4711")
    assert "process 4711 is pg_restore" in fuse.preconditions[-1].expects
    assert len(fuse.compensation) == 1, "nobody starts a restore again"


def test_a_tftp_server_that_xcatd_starts_is_only_asked() -> None:
    own = replace(WHOLE, services=replace(WHOLE.services, tftp="xcatd"))
    step = steps(own)["tftp"]
    assert (step.actions, step.depends_on) == ((), ("xcatd",))
    assert [one.reads for one in step.postconditions] == ["serving.tftp"]


def test_what_is_served_is_asked_for_from_a_third_host() -> None:
    for name in ("http", "tftp", "ntp", "nfs"):
        asked = steps()[name].postconditions[-1].request
        assert isinstance(asked, Exec)
        assert asked.host == "sn01"
    assert previews(steps()["nfs"])[-1] == "exportfs -ra"


def test_units_start_at_boot_only_behind_the_guard() -> None:
    assert "boot" not in steps()
    assert "boot" not in steps(guard=exited(1))
    assert "boot" not in steps(guard=exited(1, "hamn-guard is not before: xcatd\n"))
    line, forgets = previews(steps(guard=GUARD)["boot"])
    assert forgets.endswith("/enabled-before"), "what an earlier plan noted is settled by it"
    assert " enable hamn-address -- xcatd -- named bind9 named-chroot -- dhcpd " in line


def test_the_leases_come_back_before_dhcp_is_made() -> None:
    live = "/var/lib/dhcpd/dhcpd.leases"
    kept = replace(WHOLE, services=replace(WHOLE.services, dhcp_leases=live))
    first, *others = previews(steps(kept)["dhcp"])
    assert f"/var/lib/hamnd/files/dhcp.leases {live}" in first
    assert others == ["makedhcp -n", "makedhcp -a"]
    salvage = steps(kept)["salvage"]
    assert len(salvage.actions) == 5, "two pulls, each with its switch, the credentials verified"
    alone = replace(kept, credentials=())
    assert len(steps(alone)["salvage"].actions) == 2
