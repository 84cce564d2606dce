"""What a configuration of an AIX site may say, and what only it may."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamnd.settings import load
from tests.unit.settings.configs import QUIET

IPV6 = """\
[[identity.address]]
interface = "en2"
address = "fd00::3"
prefix = 64
name = "aixmn1-6"
gateway = "fd00::1"

[network]
"""
SHIELD = "[plan.shield]\n{}\n\n[network]\n"


@pytest.fixture
def guide(checkout: Path) -> str:
    return (checkout / "config/hamnd.aix-guide.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        ('mode = "rebuild"', 'mode = "hanim"', "plan.nim.old_object", "names the old one"),
        ('image = "61image"\n', "", "plan.osdeploy.image", "gives the nodes an image"),
        ('consoles = "conserver"', 'consoles = "goconserver"', "plan.services.consoles", "Linux"),
        ("dhcp = false", "http = true", "plan.services.http", "no web server in base AIX"),
        ("[network]\n", SHIELD.format("packets = true"), "plan.shield.packets", "no shield on"),
        ("[network]\n", SHIELD.format('sshd_file = "/x"'), "plan.shield.sshd_file", "no shield on"),
        (
            "[network]\n",
            IPV6,
            "identity.address[1].address",
            "only IPv4 moves",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_on_aix_is_refused(
    guide: str, old: str, new: str, path: str, said: str
) -> None:
    assert old in guide
    (problem,) = load(guide.replace(old, new, 1)).errors
    assert problem.path == path
    assert said in problem.line()


def test_aixs_own_defaults_are_taken(guide: str) -> None:
    site = load(guide).site
    assert site is not None
    assert site.tool("mktcpip") == "/usr/sbin/mktcpip"
    assert (site.paths.state_dir, site.ssh.transport) == ("/var/hamnd", "openssh")
    assert site.crontabs == ("/var/spool/cron/crontabs",)
    assert "/opt/freeware/bin" in site.tool_path.split(":")


@pytest.mark.parametrize("table", ['[plan.nim]\nmode = "none"\n', '[tools]\nmktcpip = "x"\n'])
def test_a_linux_site_is_told_that_a_key_is_aixs(table: str) -> None:
    (problem,) = load(QUIET + table).errors
    assert "belongs to the platform aix" in problem.line()


@pytest.mark.parametrize(("mode", "count"), [("primary_address", 0), ("service_address", 1)])
def test_a_restored_nim_database_is_warned_of_where_the_name_stays(
    guide: str, mode: str, count: int
) -> None:
    text = guide.replace('mode = "rebuild"', 'mode = "backup"')
    if mode == "service_address":
        text = text.replace('mode = "primary_address"', f'mode = "{mode}"')
        text = text.replace('"9.114.47.103"\nprefix', '"9.114.47.110"\nprefix')
    loaded = load(text)
    assert loaded.errors == ()
    told = [one for one in loaded.warnings if one.path == "plan.nim.mode"]
    assert len(told) == count


def test_a_unit_of_systemd_is_refused_where_there_is_none(checkout: Path) -> None:
    sample = (checkout / "config/hamnd.shared-disk.toml").read_text(encoding="utf-8")
    told = sample.replace('platform = "linux"', 'platform = "aix"')
    told = told.replace('# unit = "postgresql"', 'unit = "postgresql"')
    assert told.count('\nunit = "postgresql"') == 1
    found = {one.path: one.line() for one in load(told).errors}
    assert "startsrc" in found["replication.shared_disk.unit"]
