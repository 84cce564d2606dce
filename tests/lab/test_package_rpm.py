"""The .rpm: linted, the same files as the .deb, and its scriptlets run in a scratch root.

Owns what only rpm does otherwise: requirements in its own words, scriptlets, noreplace. The
scratch root is an overlay on this machine's own, for rpm's scriptlets run with the programs of the
root that they install into. What hamnd then does is test_package_deb's.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.clean_root import EXTRA, CleanRoot, Packages, packages
from tests.lab.site.fixtures import needs_lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    needs_lab("dh", "dpkg-buildpackage", "fakeroot", "rpmbuild", "rpmlint"),
]

MODULES = "/usr/lib/hamnd/lib/python3/site-packages"
ALLOWED = {
    "no-signature": "whoever publishes it signs it",
    "no-packager-tag": "whoever publishes it has a name",
    "no-changelogname-tag": "CHANGELOG.md is in it",
    "non-standard-dir-perm": "journal and log are not for everybody",
    "non-executable-script": "modules of others with a first line that nobody uses",
}
"""Errors of rpmlint's that are meant to be, and why."""


@pytest.fixture(scope="module")
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return packages(checkout, tmp_path_factory)


@pytest.fixture
def root(tmp_path: Path) -> CleanRoot:
    """A scratch root with an empty package database."""
    one = CleanRoot(tmp_path / "host", Path("/"))
    rpm(one, "--initdb")
    return one


def rpm(root: CleanRoot, *arguments: str | Path) -> str:
    """Run rpm on the scratch root from outside, without the distribution's own packages."""
    place = root.base / "root"
    return root.run("rpm", "--root", place, "--dbpath", "/var/lib/rpm-scratch", *arguments,
                    inside=False)  # fmt: skip


def query(file: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        ["rpm", "-qp", *arguments, file], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_rpmlint_finds_nothing_that_is_not_meant(built: Packages) -> None:
    file = Packages.only(built.first, ".rpm")
    done = subprocess.run(["rpmlint", file], capture_output=True, text=True, check=False)
    found = set(re.findall(r": E: (\S+)", done.stdout))
    assert found <= set(ALLOWED), done.stdout


def test_both_packages_hold_the_same_files(built: Packages) -> None:
    listed = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", Packages.only(built.first, ".deb")],
        capture_output=True, check=True,
    )  # fmt: skip
    names = subprocess.run(
        ["tar", "-tf", "-"], input=listed.stdout, capture_output=True, check=True
    ).stdout.decode()
    deb = {name[1:] for name in names.splitlines() if not name.endswith("/")}
    rpms = query(
        Packages.only(built.first, ".rpm"), "-q", "--qf", "[%{FILEMODES:perms} %{FILENAMES}\n]"
    )
    files = {line.split()[1] for line in rpms if not line.startswith("d")}
    assert files - deb == {"/usr/share/doc/hamnd/CHANGELOG.md"}, "debhelper calls it changelog.gz"
    debians = "/usr/share/doc/hamnd/(changelog.gz|changelog.Debian.gz|copyright)"
    assert {name for name in deb - files if not re.fullmatch(debians, name)} == set()


def test_it_asks_for_one_of_the_pythons_that_a_distribution_has(built: Packages) -> None:
    wanted = query(Packages.only(built.first, ".rpm"), "--requires")
    (python,) = [line for line in wanted if "python" in line]
    for name in ("python3.12", "python311", "python3 >= 3.11"):
        assert name in python
    assert not [line for line in wanted if line.startswith("python3dist")]
    assert query(Packages.only(built.first, ".rpm"), "-c") == ["/etc/logrotate.d/hamnd"]


def test_the_scriptlets_carry_it_through_its_life(root: CleanRoot, built: Packages) -> None:
    """Given a scratch root, when it is installed, upgraded, downgraded and erased, then group,
    modules, configuration and journal are at each point as they should be."""
    first, second = (Packages.only(one, ".rpm") for one in (built.first, built.second))
    told = rpm(root, "-i", "--nodeps", first)
    assert "it has no configuration yet" in told
    assert root.run("getent", "group", "hamnd").startswith("hamnd:")
    assert "hamnctl 0.1.0" in root.run("hamnctl", "--version")
    assert root.ask("test", "-e", f"{MODULES}/hamnd/__pycache__").code == 0
    own = root.run("sed", "s/rotate 8/rotate 52/", "/etc/logrotate.d/hamnd")
    root.put("etc/logrotate.d/hamnd", own)
    root.put("etc/hamnd/hamnd.toml", "node = 'xcatmn2'\n")
    root.put("var/lib/hamnd/journal.db", "what happened")
    rpm(root, "-U", "--nodeps", second)
    assert rpm(root, "-q", "hamnd").split() == ["hamnd-0.1.0-2.noarch"]
    assert root.ask("test", "-e", f"{MODULES}/{EXTRA}").code == 0
    assert root.run("cat", "/etc/logrotate.d/hamnd") == own
    assert "rotate 9" in root.run("cat", "/etc/logrotate.d/hamnd.rpmnew")
    rpm(root, "-U", "--nodeps", "--oldpackage", first)
    assert root.ask("test", "-e", f"{MODULES}/{EXTRA}").code == 1
    assert root.run("cat", "/etc/logrotate.d/hamnd") == own
    assert "hamnctl 0.1.0" in root.run("hamnctl", "--version")
    rpm(root, "-e", "hamnd")
    assert root.ask("test", "-e", "/usr/lib/hamnd").code == 1
    assert root.run("cat", "/etc/hamnd/hamnd.toml") == "node = 'xcatmn2'\n"
    assert root.run("cat", "/var/lib/hamnd/journal.db") == "what happened"
