"""What `hamnd init` makes of what hosts say of themselves: two specimens, and silence."""

from __future__ import annotations

import tomllib
from dataclasses import replace

from hamnd.dialects.addresses import parse_addresses
from hamnd.dialects.cfgloc import Cfgloc
from hamnd.dialects.surveying import parse_gateway
from hamnd.dialects.xcat import parse_table
from hamnd.settings import load
from hamnd.settings.proposing import Found, render

ADDRESSES = """\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eth0    inet 192.168.7.4/24 brd 192.168.7.255 scope global eth0\\       valid_lft forever
3: eth1    inet 10.1.0.3/16 brd 10.1.255.255 scope global eth1\\       valid_lft forever
3: eth1    inet 10.1.0.2/16 scope global secondary eth1\\       valid_lft forever
"""
SITE_TABLE = """\
#key,value,comments,disable
"master","10.1.0.2",,
"domain","cluster.test",,
"nameservers","10.1.0.2",,
"""
GATEWAY = "default via 10.1.0.1 dev eth1 proto static\n"


def table(text: str) -> dict[str, str]:
    rows = parse_table(text)
    assert rows is not None
    return {row["key"]: row["value"] for row in rows}


PRIMARY = Found(
    "mn1",
    addresses=parse_addresses(ADDRESSES)[1:],
    gateway=parse_gateway(GATEWAY),
    cfgloc=Cfgloc("db2", "XCATDB"),
    site_table=table(SITE_TABLE),
    crontab="0 2 * * * /usr/bin/rsync -az /install mn2:/\n",
    names={"mn2": "10.1.0.4", "xcatmn": "10.1.0.2"},
    standby="mn2",
    has_group=True,
    has_library=False,
)
"""The primary of a site with a movable address, whose administrator said the standby's name."""


def test_a_primary_that_tells_all_gives_a_configuration_that_passes_the_check() -> None:
    text, missing = render(PRIMARY)
    loaded = load(text)
    assert loaded.errors == ()
    assert loaded.site is not None
    site = loaded.site
    assert (site.node, site.primary.address, site.standby.address) == (
        "mn1",
        "10.1.0.3",
        "10.1.0.4",
    )
    (service,) = site.identity
    assert (service.interface, service.address, service.prefix, service.name) == (
        "eth1",
        "10.1.0.2",
        16,
        "xcatmn",
    )
    assert (site.engine, site.gateway, site.operators) == ("db2", "10.1.0.1", "hamnd")
    assert site.ssh.transport == "openssh", "this hamnd has no asyncssh"
    assert "install" in {one.name for one in site.file_sets}
    assert [one for one in missing if one.startswith(("primary", "identity", "node"))] == []


def test_what_no_host_can_tell_is_named_in_the_file_and_beside_it() -> None:
    text, missing = render(PRIMARY)
    for what in ("[fence]", "[[witness]]", "[plan.services]", "the other node's file"):
        assert any(one.startswith(what) for one in missing)
        assert f"#  - {what}" in text


def test_the_standby_of_the_guides_pair_learns_its_mode_from_the_primarys_address() -> None:
    """Given site.master that is the primary's own address, then the identity is that address."""
    found = replace(
        PRIMARY,
        host_name="mn2",
        addresses=parse_addresses(ADDRESSES.replace("10.1.0.3", "10.1.0.4"))[1:3],
        site_table={"master": "mn1"},
        names={"mn1": "10.1.0.2"},
        primary="mn1",
        standby=None,
    )
    told = tomllib.loads(render(found)[0])
    assert told["identity"] == {"mode": "primary_address"}
    assert told["standby"] == {"name": "mn2", "address": "10.1.0.4"}
    assert told["primary"] == {"name": "mn1", "address": "10.1.0.2"}


def test_a_host_that_tells_nothing_gets_no_guess() -> None:
    """Given silence, then every required option is asked for by the check, and none has a value."""
    silent = ("xCAT's site table: no such program",)
    text, missing = render(Found("mn2", silent=silent))
    told = tomllib.loads(text)
    assert told == {
        "node": "mn2",
        "platform": "linux",
        "guard": {"when_unknown": "hold"},
        **{one: {} for one in ("primary", "standby", "identity", "network", "replication")},
    }
    asked = {problem.path for problem in load(text).errors}
    unknown = {one.partition(":")[0] for one in missing[: missing.index(silent[0])]}
    assert {"primary.name", "standby.address", "identity.mode", "network.gateway"} <= unknown
    assert unknown <= asked


def test_two_names_of_which_none_is_this_hosts_are_no_role() -> None:
    told = tomllib.loads(render(replace(PRIMARY, host_name="mn9", primary="mn1"))[0])
    assert told["standby"] == {"name": "mn2", "address": "10.1.0.4"}
    assert told["primary"] == {"name": "mn1"}


def test_an_own_address_is_never_proposed_as_the_gateway() -> None:
    """It would prove nothing: the management node is the way out of many clusters."""
    text, missing = render(replace(PRIMARY, gateway="10.1.0.2"))
    assert "network" not in {key for key, value in tomllib.loads(text).items() if value}
    assert any(one.startswith("network.gateway") for one in missing)


def test_a_gateway_is_read_from_both_systems_tables() -> None:
    aix = "Destination  Gateway  Flags\n\ndefault      10.1.0.254  UG   4  1234 en0 - -\n"
    assert (parse_gateway(GATEWAY), parse_gateway(aix)) == ("10.1.0.1", "10.1.0.254")
    assert parse_gateway("") is None


def test_a_host_is_known_by_its_name_with_its_domain_too() -> None:
    found = replace(PRIMARY, primary="mn1.cluster.test", standby=None)
    told = tomllib.loads(render(found)[0])
    assert told["primary"]["address"] == "10.1.0.3"
    assert told["node"] == told["primary"]["name"] == "mn1.cluster.test"


def test_no_text_of_another_program_leaves_its_comment() -> None:
    """Given a control sign in what a tool answered, then the proposal is still one TOML file."""
    silent = ("xCAT's site table: \x1b[31mno\x00 such program\x7f",)
    text, missing = render(replace(PRIMARY, silent=silent))
    assert tomllib.loads(text)["node"] == "mn1"
    assert all(one.isprintable() for one in (*missing, *text.splitlines()))
