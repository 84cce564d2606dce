"""What in xCAT's tables would send nodes to a machine instead of to the management node."""

from __future__ import annotations

import pytest

from hamnd.core.health.watch import Watch
from hamnd.core.tables import TOPIC, judge_tables
from hamnd.model.health import Condition
from hamnd.model.names import Status
from hamnd.model.site import IdentityMode, Platform, ServiceAddress, Site
from tests.builders import site
from tests.unit.core.builders import terms
from tests.unit.dialects.reports import exited

GUIDE = site(
    identity_mode=IdentityMode.PRIMARY_ADDRESS,
    identity=(ServiceAddress("en1", "9.114.47.103", 26, "aixmn1", "9.114.47.126"),),
)
GOOD = {
    "site": {"master": "9.114.47.110", "nameservers": "9.114.47.110", "dhcpinterfaces": "en1"},
    "networks": ('"cluster","9.114.47.64","255.255.255.192","9.114.47.126","9.114.47.110",'),
    "policy": ("aixmn1", "aixmn2", "xcatmn"),
    "noderes": "",
    "nodehm": "",
    "osimage": "",
    "nodetype": "",
}
HEADS = {
    "networks": "#netname,net,mask,gateway,tftpserver,disable",
    "noderes": "#node,nfsserver,xcatmaster,disable",
    "nodehm": "#node,conserver,disable",
    "osimage": "#imagename,provmethod,disable",
    "nodetype": "#node,provmethod,disable",
    "nimimage": "#imagename,nimtype,disable",
}


def judged(here: Site | None = None, **changed: object) -> dict[str, Condition]:
    """Judge tables that are as they should be but for these; None: the table was not told."""
    text = ""
    for name, rows in {**GOOD, **changed}.items():
        if rows is None:
            continue
        text += f"== {name}\n"
        if isinstance(rows, dict):
            text += "#key,value,comments,disable\n"
            text += "".join(f'"{key}","{value}",,\n' for key, value in rows.items())
        elif isinstance(rows, tuple):
            text += "#priority,name,rule,disable\n"
            text += "".join(f'"1.{n}","{one}","trusted",\n' for n, one in enumerate(rows))
        else:
            text += f"{HEADS[name]}\n{rows}\n" if rows else f"{HEADS[name]}\n"
    report = exited(0, f"{text}== end\n")
    watch, now = Watch(reports={TOPIC: report}), report.finished
    return {one.type: one for one in judge_tables(watch, now, terms(here or site()))}


def test_tables_that_name_the_service_address_hold_no_trap() -> None:
    found = judged()
    assert found.pop("DependentNodes").status is Status.FALSE
    assert {one.status for one in found.values()} == {Status.TRUE}
    assert set(found) == {"TableAddresses", "DhcpAddress", "TableInterfaces", "PolicyRows"}


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        (
            "TableAddresses",
            {"site": {"master": "9.114.47.103"}},
            "site master is 9.114.47.103, aixmn1's own -> name 9.114.47.110 there",
        ),
        (
            "TableAddresses",
            {"site": {"installloc": "aixmn1.cluster.com:/install"}},
            "site installloc is aixmn1, aixmn1's own",
        ),
        (
            "TableAddresses",
            {"noderes": '"compute","9.114.47.104",,'},
            "noderes compute.nfsserver is 9.114.47.104, aixmn2's own",
        ),
        ("TableAddresses", {"nodehm": '"all","AIXMN1",'}, "nodehm all.conserver is aixmn1"),
        (
            "DhcpAddress",
            {"networks": '"cluster","9.114.47.64","255.255.255.192","9.114.47.126",,'},
            "chdef -t network cluster tftpserver=9.114.47.110",
        ),
        (
            "DhcpAddress",
            {"networks": '"cluster","9.114.47.64","/26","9.114.47.126","<xcatmaster>",'},
            "makedhcp writes the machine's own address",
        ),
        (
            "TableInterfaces",
            {"site": {"dhcpinterfaces": "aixmn1|en1,en2;service|eth0"}},
            "site.dhcpinterfaces lists interfaces for aixmn1 and none for aixmn2",
        ),
        ("PolicyRows", {"policy": ("aixmn1", "xcatmn")}, "policy trusts no aixmn2 -> chdef"),
    ],
)
def test_each_trap_is_named_with_what_clears_it(
    name: str, changed: dict[str, object], told: str
) -> None:
    found = judged(None, **changed)[name]
    assert found.status is Status.FALSE
    assert told in found.message


@pytest.mark.parametrize(
    "changed",
    [
        {"site": {"nameservers": "9.114.47.110,9.114.47.103"}},
        {"site": {"nameservers": "<xcatmaster>"}},
        {"site": {"dhcpinterfaces": "aixmn1|en1;aixmn2.cluster.com|en1"}},
        {"site": {"dhcpinterfaces": "service|eth0"}},
        {"policy": ("aixmn1.cluster.com,aixmn2", "xcatmn")},
    ],
)
def test_what_leads_to_either_node_is_no_trap(changed: dict[str, object]) -> None:
    found = judged(None, **changed)
    assert found.pop("DependentNodes").status is Status.FALSE
    assert {one.status for one in found.values()} == {Status.TRUE}


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ('"compute","rh8.lite",', Status.TRUE),
        ('"old","statelite",', Status.TRUE),
        ('"compute","rh8.disk",', Status.FALSE),
        ('"compute","rh8.lite","1"', Status.FALSE),
    ],
)
def test_nodes_that_live_from_the_management_node_are_listed(rows: str, status: Status) -> None:
    found = judged(None, osimage='"rh8.lite","statelite",', nodetype=rows)["DependentNodes"]
    assert found.status is status
    assert (rows.split('"')[1] in found.message) is (status is Status.TRUE)


def test_where_the_name_moves_only_what_names_the_standby_is_a_trap() -> None:
    moving = {"master": "9.114.47.103", "dhcpinterfaces": "aixmn1|en1"}
    found = judged(GUIDE, site=moving, policy=("aixmn1",))
    assert "DhcpAddress" not in found
    assert {found[one].status for one in ("TableAddresses", "TableInterfaces", "PolicyRows")} == {
        Status.TRUE
    }
    found = judged(GUIDE, site={"master": "9.114.47.104"})
    assert found["TableAddresses"].status is Status.FALSE


@pytest.mark.parametrize("table", ["site", "networks", "policy", "nodetype"])
def test_a_table_that_was_not_told_is_unknown_and_never_a_trap(table: str) -> None:
    found = judged(None, **{table: None})
    unknown = {one.type for one in found.values() if one.status is Status.UNKNOWN}
    assert unknown
    assert all(found[one].reason == "NotRead" for one in unknown)


def test_before_anything_was_told_everything_is_unknown() -> None:
    report = exited(0)
    found = judge_tables(Watch(), report.finished, terms())
    assert {one.status for one in found} == {Status.UNKNOWN}


@pytest.mark.parametrize(
    ("platform", "nimimage", "status"),
    [
        (Platform.LINUX, None, Status.FALSE),
        (Platform.AIX, None, Status.UNKNOWN),
        (Platform.AIX, "", Status.FALSE),
    ],
)
def test_on_aix_no_node_is_independent_before_the_images_of_nim_were_told(
    platform: Platform, nimimage: str | None, status: Status
) -> None:
    """Diskless and dataless nodes of AIX live from these (xcat-hamn.md §6)."""
    assert judged(site(platform=platform), nimimage=nimimage)["DependentNodes"].status is status


def test_a_remark_that_looks_like_the_head_of_a_table_cuts_none() -> None:
    rows = '"noted == in the wiki","9.114.47.203",,\n"compute","9.114.47.104",,'
    found = judged(noderes=rows)["TableAddresses"]
    assert "noderes compute.nfsserver" in found.message
