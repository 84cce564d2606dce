"""The Linux takeover steps: order, honesty about what was not seen, proofs, ways back."""

import pytest

from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy
from hamnd.dialects import shell
from hamnd.dialects.editing import edited
from hamnd.dialects.readers import READERS
from hamnd.model.plan import Step
from hamnd.model.site import ServiceAddress, Services, Site, Witness
from hamnd.model.work import Edit, Ending, Exec, Reach, Report
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

PULL = "0 2 * * * rsync -az aixmn1:/install /\n"
QUIET = "MAILTO=root\n0 6 * * * /usr/lib/sa/sa2 -A\n"
TIMERS = (
    "Id=pull.service\nTriggeredBy=pull.timer\n"
    "ExecStart={ path=/usr/bin/rsync ; argv[]=/usr/bin/rsync -az aixmn1:/install / ; pid=0 }\n"
)


def steps(
    seen: dict[str, Report] | None = None, where: Site | None = None, policy: Policy | None = None
) -> dict[str, Step]:
    here = where or site()
    found = platform_of(here).steps(here, policy or Policy(), seen or {})
    return {step.id: step for step in found}


def ran(step: Step) -> list[str]:
    return [shell.preview(action.request, site()) for action in step.actions]


def test_the_steps_and_what_they_wait_for() -> None:
    assert {one.id: one.depends_on for one in steps().values()} == {
        "fuse": (),
        "identity": ("promote",),
        "xcatd": ("promote", "identity"),
        "dns": ("xcatd",),
        "dhcp": ("xcatd",),
        "consoles": ("xcatd",),
        "verify": ("xcatd",),
    }
    assert steps()["verify"].after == ("identity", "xcatd", "dns", "dhcp", "consoles")


def test_services_that_the_site_does_not_run_have_no_step() -> None:
    bare = steps(where=site(services=Services(dns=False, dhcp=False, consoles="none")))

    assert list(bare) == ["fuse", "identity", "xcatd", "verify"]
    assert bare["verify"].after == ("identity", "xcatd")


def test_identity_and_services_need_fence_evidence_and_disarming_does_not() -> None:
    assert {one.id for one in steps().values() if one.needs_fence} == {
        "identity", "xcatd", "dns", "dhcp", "consoles",
    }  # fmt: skip


def test_every_look_names_a_reader_and_says_what_it_expects() -> None:
    for step in steps({"crontab": exited(0, PULL), "timers": exited(0, TIMERS)}).values():
        looks = (*step.readiness, *step.preconditions, *step.postconditions)
        assert {look.reads for look in looks} <= set(READERS)
        assert {action.reads for action in (*step.actions, *step.compensation)} <= set(READERS)
        assert all(look.expects for look in looks)
        assert step.postconditions


def test_previews_of_every_action_and_look_are_one_printable_line() -> None:
    for step in steps({"crontab": exited(0, PULL), "timers": exited(0, TIMERS)}).values():
        requests = [action.request for action in (*step.actions, *step.compensation)]
        requests += [look.request for look in (*step.preconditions, *step.postconditions)]  # type: ignore[misc]
        assert all(shell.preview(request, site()).isprintable() for request in requests)


# --- fuse ----------------------------------------------------------------------------------


def test_a_dangerous_crontab_is_disarmed_and_the_way_back_restores_it_exactly() -> None:
    fuse = steps({"crontab": exited(0, QUIET + PULL), "crontab:xcatdb": exited(0, QUIET)})["fuse"]

    (action,) = fuse.actions
    assert isinstance(action.request, Edit)
    assert edited(QUIET + PULL, action.request) == QUIET + "#hamnd-fuse# " + PULL
    (back,) = fuse.compensation
    assert isinstance(back.request, Edit)
    assert edited(QUIET + "#hamnd-fuse# " + PULL, back.request) == QUIET + PULL
    assert "jobs.crontab_is" in {look.reads for look in fuse.preconditions}


def test_the_instance_owners_crontab_counts_as_well() -> None:
    restore = "0 5 * * * db2 restore database XCATDB from /backup\n"
    fuse = steps({"crontab": exited(0, QUIET), "crontab:xcatdb": exited(0, restore)})["fuse"]

    assert [
        action.request.takes for action in fuse.actions if isinstance(action.request, Edit)
    ] == [("crontab", "-u", "xcatdb", "-")]


def test_a_timer_that_pulls_is_stopped_with_its_service_and_started_on_the_way_back() -> None:
    fuse = steps({"timers": exited(0, TIMERS)})["fuse"]

    assert ran(fuse) == ["systemctl stop pull.timer pull.service"]
    assert [shell.preview(one.request, site()) for one in fuse.compensation] == [
        "systemctl start pull.timer"
    ]


def test_nothing_dangerous_means_no_action_and_still_a_proof() -> None:
    fuse = steps(
        {"crontab": exited(0, QUIET), "crontab:xcatdb": exited(1, stderr="no crontab for xcatdb")}
    )["fuse"]

    assert fuse.actions == ()
    assert {"jobs.crontab_harmless", "jobs.timers_harmless", "jobs.nothing_writes"} <= {
        look.reads for look in fuse.postconditions
    }


@pytest.mark.parametrize(
    "report",
    [
        None,
        ended(Ending.TIMED_OUT),
        exited(1, stderr="You are not allowed to use this program (crontab)\n"),
        exited(0, PULL, truncated=True),
    ],
)
def test_a_crontab_that_was_not_seen_is_never_guessed(report: Report | None) -> None:
    seen = {} if report is None else {"crontab": report, "timers": report}
    fuse = steps(seen)["fuse"]

    assert fuse.actions == ()
    assert "jobs.crontab_readable" in {look.reads for look in fuse.readiness}
    assert "jobs.crontab_harmless" in {look.reads for look in fuse.postconditions}


def test_what_has_to_be_seen_is_asked_for_under_the_keys_that_are_read() -> None:
    assert set(platform_of(site()).looks(site())) == {
        "addresses", "links", "crontab", "crontab:xcatdb", "cron_files", "timers", "processes",
        "guard",
    }  # fmt: skip


# --- identity ------------------------------------------------------------------------------


def test_the_address_is_taken_only_when_nobody_answers_and_is_announced() -> None:
    identity = steps()["identity"]

    assert "linux.address_free" in {look.reads for look in identity.preconditions}
    assert ran(identity)[1:-1] == [
        "ip addr add 9.114.47.110/26 dev en1",
        "arping -U -c 2 -I en1 9.114.47.110",
    ]
    assert [look.reads for look in identity.postconditions] == ["linux.address_up", "reach.ping"]
    gateway = identity.postconditions[1].request
    assert isinstance(gateway, Exec)
    assert gateway.argv[-3:] == ("-I", "9.114.47.110", "9.114.47.126")
    back = [shell.preview(one.request, site()) for one in identity.compensation]
    assert back[0] == "ip addr del 9.114.47.110/26 dev en1"


def test_the_addresses_come_back_down_unless_they_are_proven_and_kept() -> None:
    here = site(identity_confirm_s=40.0)
    identity = steps(where=here)["identity"]

    armed, kept = identity.actions[0].request, identity.actions[-1].request
    assert isinstance(armed, Exec)
    assert isinstance(kept, Exec)
    assert armed.argv[3:6] == ("hamnd-arm", "/var/lib/hamnd/identity", "40")
    assert armed.argv[7:] == ("ip addr del 9.114.47.110/26 dev en1",)
    assert kept.argv[3:] == ("hamnd-keep", "/var/lib/hamnd/identity")
    assert identity.keeps_at == len(identity.actions) - 1
    # The watcher outlasts the proof, never the other way round.
    assert identity.wait_s < 40.0


LINKS = "2: en1: <UP> mtu 1500 qdisc mq state UP \\    link/ether 52:54:00:2f:00:68 brd ff:ff\n"


def test_a_third_host_of_each_network_has_to_see_the_new_owner() -> None:
    near, far = Witness("sn1", "9.114.47.80"), Witness("sn2", "10.1.0.20")
    where = site(witnesses=(near, far))
    seen = {"links": exited(0, LINKS)}

    looks = [one for one in steps(seen, where)["identity"].postconditions if one.one_of]
    assert [(one.reads, one.arguments) for one in looks] == [
        ("linux.seen_by", ("sn1", "9.114.47.110", "52:54:00:2f:00:68"))
    ]


@pytest.mark.parametrize(
    ("service", "gateway"),
    [
        (ServiceAddress("en2", "10.2.0.9", 24, "mn"), None),  # the cluster's router is elsewhere
        (ServiceAddress("en2", "10.2.0.9", 24, "mn", "10.2.0.1"), "10.2.0.1"),
        (ServiceAddress("en2", "fd00::9", 64, "mn", "fe80::1"), "fe80::1%en2"),
    ],
)
def test_an_address_is_proven_by_its_own_networks_router(
    service: ServiceAddress, gateway: str | None
) -> None:
    looks = steps(where=site(identity=(service,)))["identity"].postconditions
    asked = [one.request for one in looks if one.reads == "reach.ping"]
    assert [one.argv[-1] for one in asked if isinstance(one, Exec)] == [gateway] * bool(gateway)


def test_every_address_of_the_identity_is_taken_and_proven() -> None:
    both = site(
        identity=(
            ServiceAddress("en1", "9.114.47.110", 26, "xcatmn"),
            ServiceAddress("en2", "fd00::10", 64, "xcatmn6", gateway="fd00::1"),
        )
    )
    identity = steps(where=both)["identity"]

    assert ran(identity)[1:3] == [
        "ip addr add 9.114.47.110/26 dev en1",
        "arping -U -c 2 -I en1 9.114.47.110",
    ]
    taken = identity.actions[3].request
    assert isinstance(taken, Exec)
    assert taken.argv[3:] == ("hamnd-take6", "ip", "fd00::10", "64", "en2")
    assert "linux.address_free6" in {look.reads for look in identity.preconditions}
    gateways = [
        look.request.argv[-1]
        for look in identity.postconditions
        if look.reads == "reach.ping" and isinstance(look.request, Exec)
    ]
    assert gateways == ["9.114.47.126", "fd00::1"]


def test_the_identity_counts_as_held_only_when_it_was_seen() -> None:
    here = "2: en1    inet 9.114.47.110/26 scope global secondary en1\\       valid_lft forever\n"
    linux = platform_of(site())

    assert linux.holds_identity(site(), exited(0, here)) is True
    assert linux.holds_identity(site(), exited(0, here.replace("110", "104"))) is False
    assert linux.holds_identity(site(), ended(Ending.TIMED_OUT)) is None


# --- services ------------------------------------------------------------------------------


def test_xcatd_is_proven_by_writing_after_an_old_probe_is_certainly_gone() -> None:
    xcatd = steps()["xcatd"]

    assert ran(xcatd) == [
        "systemctl start xcatd",
        "rmdef -t node -o hamndprobe",
        "lsdef -t node -o hamndprobe -i groups",
        "mkdef -t node -o hamndprobe groups=hamndprobe",
    ]
    assert [action.reads for action in xcatd.actions[1:]] == [
        "xcat.probe_removed", "xcat.probe_absent", "xcat.accepted",
    ]  # fmt: skip
    assert xcatd.postconditions[-1].reads == "xcat.probe_present"
    assert xcatd.skip_if_done is False


def test_a_quiet_standby_is_ready_and_one_with_xcatd_enabled_is_not() -> None:
    readiness = steps()["xcatd"].readiness

    assert [look.reads for look in readiness] == [
        "shell.exit_zero", "linux.none_active", "linux.unit_waiting",
    ]  # fmt: skip


def test_the_console_server_is_configured_in_the_order_it_needs() -> None:
    assert ran(steps()["consoles"]) == ["makeconservercf", "systemctl start conserver"]
    gocons = steps(where=site(services=Services(consoles="goconserver")))["consoles"]
    assert ran(gocons) == ["systemctl start goconserver", "makegocons"]


@pytest.mark.parametrize("step_id", ["dns", "dhcp", "consoles"])
def test_a_service_is_made_anew_and_proven_by_its_process(step_id: str) -> None:
    step = steps()[step_id]

    assert step.skip_if_done is False
    assert "linux.any_active" in {look.reads for look in step.postconditions}


def test_verify_asks_over_the_service_address_from_a_service_node_and_cleans_up() -> None:
    verify = steps()["verify"]

    assert ran(verify)[-1] == "rmdef -t node -o hamndprobe"
    assert "xcatmn -i" in ran(verify)[0]
    reach, master, name, gone = verify.postconditions
    assert name.reads == "serving.dns"
    assert isinstance(reach.request, Reach)
    assert (reach.request.address, reach.request.port) == ("9.114.47.110", 3001)
    assert isinstance(master.request, Exec)
    assert master.request.host == "sn01"
    assert "XCATHOST=9.114.47.110:3001" in master.request.argv
    assert gone.reads == "xcat.probe_absent"
    alone = steps(where=site(witnesses=()))["verify"].postconditions[1].request
    assert isinstance(alone, Exec)
    assert alone.host == "aixmn2"


def test_time_limits_are_generous_and_configurable() -> None:
    configured = steps(policy=Policy(step_timeouts_s={"dns": 1234.0}))

    assert configured["dns"].timeout_s == 1234.0
    assert steps()["dns"].timeout_s == steps()["dhcp"].timeout_s == 900.0
    assert steps()["xcatd"].timeout_s < 600.0  # shorter than the unit's own limit
