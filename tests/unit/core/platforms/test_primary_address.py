"""Mode primary_address: what moves, what comes back, what is written down; and in which order."""

import base64
from dataclasses import replace

from hamnd.core.plans.takeover import takeover_steps
from hamnd.core.platforms import platform_of
from hamnd.core.policy import Policy, Terms
from hamnd.core.replication import Promotion
from hamnd.dialects import shell
from hamnd.dialects.editing import edited
from hamnd.model.names import Verdict
from hamnd.model.plan import Step
from hamnd.model.site import IdentityMode, ServiceAddress, Site
from hamnd.model.work import Edit, Exec, Report
from tests.builders import site as any_site
from tests.unit.dialects.reports import exited

OWN, PRIMARYS = any_site().standby.address, any_site().primary.address
ADDRESSES = (
    f"2: en1    inet {OWN}/26 brd 9.114.47.127 scope global en1\\  valid_lft forever\n"
    "3: en2    inet 10.0.0.4/24 brd 10.0.0.255 scope global en2\\  valid_lft forever\n"
)
INTERFACES = f"iface en1 inet static\n  address {OWN}/26\n"


def site(node: str = "aixmn2") -> Site:
    return any_site(
        node=node,
        identity_mode=IdentityMode.PRIMARY_ADDRESS,
        identity=(ServiceAddress("en1", PRIMARYS, 26, "aixmn1"),),
    )


def seen() -> dict[str, Report]:
    texts = {"/etc/hostname": "aixmn2\n", "/etc/network/interfaces": INTERFACES}
    lines = [f"{path} {base64.b64encode(one.encode()).decode()}" for path, one in texts.items()]
    return {
        "addresses": exited(0, ADDRESSES),
        "name": exited(0, "aixmn2.cluster.test\n"),
        "files": exited(0, "\n".join([*lines, "done"]) + "\n"),
    }


def steps(reports: dict[str, Report] | None = None, where: Site | None = None) -> dict[str, Step]:
    here = where or site()
    found = platform_of(here).steps(here, Policy(), seen() if reports is None else reports)
    return {step.id: step for step in found}


def ran(step: Step) -> list[str]:
    return [shell.preview(action.request, site()) for action in step.actions]


def test_address_and_name_are_taken_and_both_come_back() -> None:
    identity = steps()["identity"]
    assert ran(identity)[1:-1] == [
        f"ip addr add {PRIMARYS}/26 dev en1",
        f"arping -U -c 2 -I en1 {PRIMARYS}",
        "hostname aixmn1.cluster.test",
    ]
    armed = identity.actions[0].request
    assert isinstance(armed, Exec)
    assert armed.argv[7:] == ("hostname aixmn2.cluster.test", f"ip addr del {PRIMARYS}/26 dev en1")
    assert "network.is_named" in {look.reads for look in identity.postconditions}


def test_without_its_own_name_seen_the_host_is_not_renamed_and_the_proof_says_so() -> None:
    identity = steps({})["identity"]
    assert not any("hostname aixmn" in line for line in ran(identity))
    assert "network.is_named" in {look.reads for look in identity.postconditions}


def test_what_lasts_is_written_last_and_only_the_own_address_of_that_network_ends() -> None:
    settle = steps()["settle"]
    edits = {
        one.request.tells[1]: one.request for one in settle.actions if isinstance(one.request, Edit)
    }
    assert edited("aixmn2\n", edits["/etc/hostname"]) == "aixmn1\n"
    result = edited(INTERFACES, edits["/etc/network/interfaces"])
    assert result == INTERFACES.replace(OWN, PRIMARYS)
    last = settle.actions[-1].request
    assert isinstance(last, Exec)
    assert last.argv[3:] == ("hamnd-give-up", "ip", f"{OWN}/26", "en1", "4", PRIMARYS)
    assert "10.0.0.4" not in " ".join(ran(settle))
    assert settle.depends_on == ("verify",)
    back = [one.request for one in settle.compensation if isinstance(one.request, Edit)]
    assert edited(INTERFACES.replace(OWN, PRIMARYS), back[0]) == INTERFACES


def test_an_alias_and_the_spare_address_beside_the_own_one_stay() -> None:
    beside = "".join(
        f"2: en1    inet 9.114.47.{last}/26 scope global secondary en1\\  valid_lft forever\n"
        for last in (105, 106)
    )
    where = replace(site(), identity_spare="9.114.47.105")
    reports = {**seen(), "addresses": exited(0, beside + ADDRESSES)}
    said = " ".join(ran(steps(reports, where)["settle"]))
    assert f"{OWN}/26" in said
    assert "9.114.47.105" not in said
    assert "9.114.47.106" not in said


def test_in_another_network_the_first_address_of_its_interface_is_the_own_one() -> None:
    second = "3: en2    inet 10.0.0.9/24 scope global secondary en2\\  valid_lft forever\n"
    moved = ServiceAddress("en2", "10.0.0.3", 24, "aixmn1-install")
    where = replace(site(), identity=(*site().identity, moved))
    reports = {**seen(), "addresses": exited(0, ADDRESSES + second)}
    said = " ".join(ran(steps(reports, where)["settle"]))
    assert "10.0.0.4/24" in said
    assert "10.0.0.9" not in said


def test_an_address_that_no_file_names_is_told_long_before_it_is_needed() -> None:
    looks = {look.arguments for look in steps()["settle"].readiness}
    assert (OWN,) in looks


def test_the_primary_itself_takes_nobodys_address() -> None:
    on_primary = site("aixmn1")
    assert "settle" not in steps(where=on_primary)


def test_the_database_is_stopped_before_and_serves_again_after() -> None:
    terms = Terms(site(), Policy())
    for variant in ("peer-window-only", "graceful"):
        promotion = Promotion(variant, Verdict.PASS, "")
        plan = takeover_steps(terms, promotion, tuple(steps().values()))
        order = [step.id for step in plan]
        wanted = ["promote", "db-stop", "identity", "db-rehome", "xcatd", "verify", "settle"]
        assert [one for one in order if one in wanted] == wanted
        needs = {step.id: step for step in plan}
        assert order.index("fence") < order.index("db-stop")
        assert all(needs[one].needs_fence for one in ("db-stop", "identity", "db-rehome", "settle"))
        assert "db-stop" in needs["identity"].depends_on
        assert "db-rehome" in needs["xcatd"].depends_on


def test_an_alias_leaves_the_database_alone() -> None:
    terms = Terms(replace(site(), identity_mode=IdentityMode.SERVICE_ADDRESS), Policy())
    platform = tuple(platform_of(terms.site).steps(terms.site, terms.policy, {}))
    promotion = Promotion("graceful", Verdict.PASS, "")
    ids = {step.id for step in takeover_steps(terms, promotion, platform)}
    assert not ids & {"db-stop", "db-rehome", "settle"}
