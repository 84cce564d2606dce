"""The argv of every Db2 command, exactly, as the instance owner and without a password."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamnd.dialects.db2 import commands
from hamnd.dialects.db2.readers import READERS
from hamnd.model.site import Db2Site, Node, Platform, ServiceAddress, Site
from hamnd.model.work import Action, Exec, Look

SITE = Site(
    cluster="xcat",
    node="aixmn2",
    platform=Platform.LINUX,
    primary=Node("aixmn1", "9.114.47.103"),
    standby=Node("aixmn2", "9.114.47.104"),
    identity=(ServiceAddress("en1", "9.114.47.110", 26, "xcatmn"),),
    gateway="9.114.47.126",
    db2=Db2Site("XCATDB", "xcatdb"),
)
HERE = "aixmn2"

CASES: list[tuple[Action | Look, str]] = [
    (commands.db2pd_hadr(SITE, HERE), "db2pd -d XCATDB -hadr"),
    (commands.is_primary(SITE), "db2pd -d XCATDB -hadr"),
    (commands.get_db_cfg(SITE, HERE), "db2 get db cfg for XCATDB"),
    (commands.is_standby_configured(SITE), "db2 get db cfg for XCATDB"),
    (commands.get_snapshot(SITE, HERE), "db2 get snapshot for db on XCATDB"),
    (commands.takeover(SITE, "graceful"), "db2 takeover hadr on db XCATDB"),
    (
        commands.takeover(SITE, "peer-window-only"),
        "db2 takeover hadr on db XCATDB by force peer window only",
    ),
    (commands.takeover(SITE, "force-after-proof"), "db2 takeover hadr on db XCATDB by force"),
    (commands.takeover(SITE, "accepted-force"), "db2 takeover hadr on db XCATDB by force"),
    (commands.activate(SITE, HERE), "db2 activate db XCATDB"),
    (commands.start_hadr_as_standby(SITE, HERE), "db2 start hadr on db XCATDB as standby"),
    (
        commands.start_hadr_as_primary(SITE, HERE, by_force=False),
        "db2 start hadr on db XCATDB as primary",
    ),
    (
        commands.start_hadr_as_primary(SITE, HERE, by_force=True),
        "db2 start hadr on db XCATDB as primary by force",
    ),
    (commands.db2gcf_status(SITE, HERE), "db2gcf -s -p 0 -i xcatdb"),
]


def request(work: Action | Look) -> Exec:
    assert isinstance(work.request, Exec)
    return work.request


@pytest.mark.parametrize(("work", "line"), CASES, ids=lambda value: str(value)[:40])
def test_argv(work: Action | Look, line: str) -> None:
    assert request(work).argv == tuple(line.split())
    assert request(work).host == HERE
    assert request(work).user == "xcatdb"
    assert work.reads in READERS


def test_the_select_asks_for_one_row_in_one_shell() -> None:
    argv = request(commands.is_writable(SITE)).argv

    assert argv[:2] == ("sh", "-c")
    assert argv[3:] == ("db2", "XCATDB")


def test_a_profile_is_sourced_in_front_of_the_exact_argv() -> None:
    db2 = replace(SITE.db2, profile="/home/xcatdb/sqllib/db2profile")
    argv = request(commands.takeover(replace(SITE, db2=db2), "graceful")).argv

    assert argv[:2] == ("sh", "-c")
    assert argv[3:] == (db2.profile, "db2", "takeover", "hadr", "on", "db", "XCATDB")


def test_no_command_carries_a_password() -> None:
    works = [work for work, _ in CASES]
    assert not [work for work in works if "using" in " ".join(request(work).argv).lower()]


def test_looks_never_change_anything() -> None:
    allowed = ("db2pd -d", "db2 get", "db2gcf -s")
    looks = [work for work, _ in CASES if isinstance(work, Look)]
    assert all(" ".join(request(look).argv).startswith(allowed) for look in looks)
