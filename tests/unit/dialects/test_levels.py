"""The scripts that ask a node for its software and its acquaintance, run for real by sh."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamnd.demo.db2_texts import level
from hamnd.dialects import acquaintance, levels
from hamnd.model.names import Verdict
from hamnd.model.site import Platform
from hamnd.model.work import Exec, Report
from tests.builders import site
from tests.unit.dialects.reports import MUTE, exited
from tests.unit.dialects.scripts import told

RPM_V = """\
S.5....T.  c /etc/xcat/postscripts.rules
..5....T.    /opt/xcat/lib/perl/xCAT/Utils.pm
.......T.    /opt/xcat/bin/lsdef
missing     /opt/xcat/sbin/makedns
"""
RPM = f"""\
case "$*" in
  *-qa*xCAT*) printf 'xcat xCAT-server 2.16.5-snap1\\nxcat xCAT-client 2.16.5-snap1\\n';;
  "-V --nodeps xCAT-server") printf '%s' '{RPM_V}';;
esac
"""
DEB = """\
case $1 in
  -W) printf 'xcat installed xcat-server 2.16.5-1\\nxcat config-files xcat-old 2.0\\n';;
esac
"""
DPKG = "[ $2 != xcat-server ] || echo '??5??????   /opt/xcat/bin/lsdef'\n"
AIX_HOST = """\
case $1 in aixmn1) echo "aixmn1 is 9.114.47.103,  Aliases:   mn1";;
*) echo "host: 0827-801 Host name $1 does not exist." >&2; exit 1;; esac
"""
GETENT = """\
[ "$2" = aixmn1 ] || exit 2
echo "9.114.47.103    STREAM aixmn1"; echo "9.114.47.103    DGRAM"; echo "fd00::3    STREAM"
"""


def test_packages_tell_their_versions_and_which_of_their_files_somebody_changed(
    tmp_path: Path,
) -> None:
    look = levels.software(site(), "aixmn1")
    found = levels.parse_software(told(look, tmp_path, {"rpm": RPM}))
    assert found is not None
    assert dict(found.packages) == {"xCAT-server": "2.16.5-snap1", "xCAT-client": "2.16.5-snap1"}
    # Configuration may differ, and a touched file is the same file.
    assert found.changed == {"/opt/xcat/lib/perl/xCAT/Utils.pm", "/opt/xcat/sbin/makedns"}
    assert found.system


def test_what_was_removed_again_is_not_installed(tmp_path: Path) -> None:
    look = levels.software(site(), "aixmn1")
    found = levels.parse_software(told(look, tmp_path, {"dpkg-query": DEB, "dpkg": DPKG}))
    assert found is not None
    assert dict(found.packages) == {"xcat-server": "2.16.5-1"}
    assert found.changed == {"/opt/xcat/bin/lsdef"}


def test_aix_tells_base_level_pack_and_week(tmp_path: Path) -> None:
    look = levels.software(site(platform=Platform.AIX), "aixmn1")
    report = told(look, tmp_path, {"oslevel": "echo 7300-02-01-2346\n", "rpm": RPM})
    found = levels.parse_software(report)
    assert found is not None
    assert found.system == "7300-02-01-2346"
    busy = levels.parse_software(exited(0, "os oslevel: busy\nend\n"))
    assert busy is not None


def test_a_host_that_has_no_package_of_xcat_tells_none(tmp_path: Path) -> None:
    found = levels.parse_software(told(levels.software(site(), "aixmn1"), tmp_path, {}))
    assert found is not None
    assert not found.packages


@pytest.mark.parametrize("report", [*MUTE, exited(0, "os debian 12\nxcat a 1\n"), exited(127)])
def test_what_did_not_come_to_its_end_tells_nothing(report: Report) -> None:
    assert levels.parse_software(report) is None
    assert levels.read_software(report).verdict is Verdict.UNKNOWN
    assert acquaintance.parse(report) is None
    assert levels.parse_database(report) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (level("9.7", "xcatdb"), "9.7.0.0"),
        ("15.3 (Debian 15.3-0+deb12u1)\n", "15.3 (Debian 15.3-0+deb12u1)"),
        ("10.11.6-MariaDB-0+deb12u1\n", "10.11.6-MariaDB-0+deb12u1"),
        ("psql: error: connection refused\n", None),
        ("", None),
    ],
)
def test_each_database_program_tells_its_version(text: str, version: str | None) -> None:
    assert levels.parse_database(exited(0, text)) == version


@pytest.mark.parametrize("engine", ["db2", "postgresql", "mariadb", "dump"])
def test_every_engine_that_replicates_or_restores_is_asked(engine: str) -> None:
    assert levels.database(site(engine=engine), "aixmn1") is not None
    assert levels.database(site(engine="sqlite"), "aixmn1") is None


@pytest.mark.parametrize(
    ("platform", "resolver", "addresses"),
    [
        (Platform.LINUX, {"getent": GETENT}, {"9.114.47.103", "fd00::3"}),
        (Platform.AIX, {"host": AIX_HOST}, {"9.114.47.103"}),
    ],
)
def test_a_node_tells_what_it_takes_both_names_for(
    platform: Platform, resolver: dict[str, str], addresses: set[str], tmp_path: Path
) -> None:
    here = site(platform=platform)
    found = acquaintance.parse(told(acquaintance.look(here, here.node), tmp_path, resolver))
    assert found is not None
    assert found.names == {"aixmn1": addresses, "aixmn2": frozenset()}
    assert found.gets_in is None, "this node was not asked for a way to itself"


@pytest.mark.parametrize(
    ("ssh", "gets_in", "refusal"),
    [
        ('[ "$(cat)" = "" ] || exit 1; exit 0\n', True, ""),
        (
            'echo "Warning: new" >&2; echo "root@x: Permission denied (publickey)." >&2; exit 255',
            False,
            "root@x: Permission denied (publickey).",
        ),
        (
            'echo "Host key verification failed." >&2; exit 255',
            False,
            "Host key verification failed.",
        ),
        (
            'echo "ssh: connect to host x port 22: Connection timed out" >&2; exit 255',
            None,
            "exit code 255: ssh: connect to host x port 22: Connection timed out",
        ),
        ('echo "sh: ssh: not found" >&2; exit 127', None, "exit code 127: sh: ssh: not found"),
        ('echo "* Permission denied" >&2; exit 126', None, "exit code 126: * Permission denied"),
    ],
)
def test_the_partner_tells_whether_it_gets_in_here(
    ssh: str, gets_in: bool | None, refusal: str, tmp_path: Path
) -> None:
    look = acquaintance.look(site(), "aixmn1")
    assert isinstance(look.request, Exec)
    assert "root@9.114.47.104" in look.request.argv, "its way is to this node"
    found = acquaintance.parse(told(look, tmp_path, {"ssh": ssh, "getent": GETENT}))
    assert found is not None
    assert (found.gets_in, found.refusal) == (gets_in, refusal)


@pytest.mark.parametrize(
    ("platform", "resolver"),
    [
        (Platform.LINUX, {"getent": "exit 1\n"}),
        (Platform.LINUX, {}),
        (Platform.AIX, {"host": 'echo "host: the name server does not answer" >&2; exit 1\n'}),
        (Platform.AIX, {"host": "echo odd\n"}),
        (Platform.AIX, {}),
    ],
)
def test_a_resolver_that_fails_does_not_say_that_a_name_is_unknown(
    platform: Platform, resolver: dict[str, str], tmp_path: Path
) -> None:
    here = site(platform=platform)
    found = acquaintance.parse(told(acquaintance.look(here, here.node), tmp_path, resolver))
    assert found is not None
    assert found.names == {}
