"""The Debian package in a root that has only what the package asks for: no checkout, no registry.

Owns the stories of a system's life with it: a whole takeover in the demo's site, an upgrade and a
downgrade, removal, purge; and what two builds have in common. The same files as an .rpm are
test_package_rpm's; a daemon that is replaced while it guards a pair is test_lab_upgrade's.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.clean_root import (
    EXTRA,
    MAKE_S,
    CleanRoot,
    Packages,
    begin_root,
    build_again,
    packages,
)
from tests.lab.site.fixtures import needs_lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    needs_lab("dh", "dpkg-buildpackage", "fakeroot", "rpmbuild", "mmdebstrap", "lintian"),
]

CONFIGURATION = "# the site's own\nnode = 'xcatmn2'\n"
MODULES = "usr/lib/hamnd/lib/python3/site-packages"
ALLOWED = {
    "bogus-mail-host": "whoever publishes it has an address",
    "bogus-mail-host-in-debian-changelog": "likewise",
    "initial-upload-closes-no-bugs": "it is not made for Debian's own archive",
    "non-standard-dir-perm": "journal and log are not for everybody",
    "unusual-interpreter": "modules of others with a first line that nobody uses",
}
"""Errors and warnings of lintian's that are meant to be, and why."""


@pytest.fixture(scope="module")
def made(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Packages, Path]:
    """The packages and a root for them, made side by side."""
    lower = tmp_path_factory.mktemp("clean") / "root"
    making = begin_root(checkout, lower)
    try:
        found = packages(checkout, tmp_path_factory)
        said, _ = making.communicate(timeout=MAKE_S)
    finally:
        making.kill()
    assert making.returncode == 0, said[-4000:]
    return found, lower


@pytest.fixture(scope="module")
def built(made: tuple[Packages, Path]) -> Packages:
    return made[0]


@pytest.fixture(scope="module")
def installed(made: tuple[Packages, Path], tmp_path_factory: pytest.TempPathFactory) -> CleanRoot:
    one = CleanRoot(tmp_path_factory.mktemp("installed") / "host", made[1])
    told = install(one, made[0].first)
    assert "it has no configuration yet" in told
    return one


@pytest.fixture
def root(installed: CleanRoot, tmp_path: Path) -> CleanRoot:
    """A root of one test's own, hamnd installed."""
    return installed.on_top(tmp_path / "host")


def install(root: CleanRoot, folder: Path) -> str:
    """Install a version over whatever is there, as an unattended upgrade does."""
    file = root.take_in(Packages.only(folder, ".deb"))
    return root.run("dpkg", "--force-confold", "-i", file)


def test_lintian_finds_nothing_that_is_not_meant(built: Packages) -> None:
    file = Packages.only(built.first, ".deb")
    done = subprocess.run(
        ["lintian", "--allow-root", "--no-cfg", file], capture_output=True, text=True, check=False
    )
    found = set(re.findall(r"^[EW]: \S+: (\S+)", done.stdout, re.MULTILINE))
    assert found == set(ALLOWED), f"{done.stdout}\n{done.stderr}"


def test_an_installed_package_plays_a_whole_takeover(root: CleanRoot) -> None:
    """Given only what the package asks for, when the demo plays unattended, then it goes from Peer
    to Active, every postcondition holds, and nothing came from a checkout or a registry."""
    told = root.run("hamnd", "demo", "--auto")
    assert re.search(r"PrimaryDown -> TakingOver.*\n(.*\n)*.*TakingOver -> Active", told), told
    assert told.splitlines()[-1].endswith("every postcondition held")
    where = root.run("/usr/lib/hamnd/bin/python3.11", "-sPc", "import hamnd; print(hamnd.__file__)")
    assert where.strip() == "/usr/lib/hamnd/lib/python3.11/site-packages/hamnd/__init__.py"


def test_what_an_administrator_looks_for_is_there(root: CleanRoot) -> None:
    assert root.run("getent", "group", "hamnd").startswith("hamnd:")
    assert root.run("stat", "-c", "%a %U", "/var/lib/hamnd", "/etc/hamnd").splitlines() == [
        "750 root",
        "755 root",
    ]
    for path in (
        "/usr/lib/systemd/system/hamnd.service",
        "/usr/lib/tmpfiles.d/hamnd.conf",
        "/etc/logrotate.d/hamnd",
        "/usr/share/man/man8/hamnd.8.gz",
        "/usr/share/man/man1/hamnctl.1.gz",
        "/usr/share/bash-completion/completions/hamnctl",
        "/usr/share/zsh/vendor-completions/_hamnctl",
        "/usr/share/hamnd/config/hamnd.db2.toml",
        "/usr/share/hamnd/guard/hamn-guard",
        "/usr/share/doc/hamnd/docs/runbook.md",
    ):
        root.run("test", "-e", path)
    assert root.ask("test", "-e", "/usr/sbin/hamn-guard").code == 1, "that is for plan setup"
    assert root.ask("hamnctl", "status").code == 6, "no daemon and no journal"
    sample = "/usr/share/hamnd/config/hamnd.postgresql.toml"
    assert "good" in root.run("hamnctl", "check-config", sample)


def test_the_ssh_program_takes_the_place_of_the_library_and_hamnd_says_so(root: CleanRoot) -> None:
    """Given no asyncssh, then init proposes to do without, and what asks for it is refused."""
    proposed = root.run("hamnd", "init")
    assert 'transport = "openssh"' in proposed
    assert 'operators = "hamnd"' in proposed
    sample = "/usr/share/hamnd/config/hamnd.postgresql.toml"
    said = root.ask("hamnctl", "check-config", sample, "--here")
    assert said.code == 2
    assert "installed without the library asyncssh" in said.text


def test_a_system_without_a_new_enough_python_says_what_to_install(root: CleanRoot) -> None:
    root.run("mv", "/usr/bin/python3.11", "/usr/bin/python3.9")
    said = root.ask("hamnctl", "status")
    assert said.code == 1
    assert "needs Python 3.11 to 3.14" in said.text
    assert "dnf install python3.12" in said.text


def test_an_upgrade_and_a_downgrade_keep_what_the_site_wrote(
    root: CleanRoot, built: Packages
) -> None:
    """Given a configuration, a changed conffile and a journal, when another version comes and goes,
    then these are as they were, and no module of the one is left beside those of the other."""
    root.put("etc/hamnd/hamnd.toml", CONFIGURATION)
    root.put("var/lib/hamnd/journal.db", "what happened")
    own = root.run("sed", "s/rotate 8/rotate 52/", "/etc/logrotate.d/hamnd")
    root.put("etc/logrotate.d/hamnd", own)
    for folder, version, has_extra in ((built.second, "0.1.0-2", 0), (built.first, "0.1.0-1", 1)):
        install(root, folder)
        assert root.run("dpkg-query", "-W", "-f", "${Version}", "hamnd") == version
        assert root.run("cat", "/etc/hamnd/hamnd.toml") == CONFIGURATION
        assert root.run("cat", "/etc/logrotate.d/hamnd") == own
        assert root.run("cat", "/var/lib/hamnd/journal.db") == "what happened"
        assert root.ask("test", "-e", f"/{MODULES}/{EXTRA}").code == has_extra
        assert "hamnctl 0.1.0" in root.run("hamnctl", "--version")
        assert (
            not root.run("dpkg", "--verify", "hamnd")
            .replace("/etc/logrotate.d/hamnd", "")
            .strip(" ?5c\n")
        )


def test_removal_leaves_what_is_the_sites_and_a_purge_what_is_evidence(root: CleanRoot) -> None:
    root.put("etc/hamnd/hamnd.toml", CONFIGURATION)
    root.put("var/lib/hamnd/journal.db", "what happened")
    root.put("usr/sbin/hamn-guard", "#!/bin/sh\n")
    (root.base / "upper/usr/sbin/hamn-guard").chmod(0o755)
    root.run("hamnctl", "--version")  # byte code of its own would be left behind
    told = root.run("dpkg", "--remove", "hamnd")
    assert "The return guard stays" in told
    left = root.run("find", "/usr", "/etc", "/var/lib/hamnd", "-name", "*hamn*", "-not", "-path",
                    "/usr/share/doc/*")  # fmt: skip
    assert left.split() == [
        "/usr/sbin/hamn-guard",
        "/etc/logrotate.d/hamnd",
        "/etc/hamnd",
        "/etc/hamnd/hamnd.toml",
        "/var/lib/hamnd",
    ]
    told = root.run("dpkg", "--purge", "hamnd")
    assert "/var/lib/hamnd stays" in told
    assert root.run("find", "/etc", "-name", "*hamnd*") == ""
    assert root.run("cat", "/var/lib/hamnd/journal.db") == "what happened"


def test_a_purge_of_what_was_never_used_leaves_nothing(root: CleanRoot) -> None:
    root.run("dpkg", "--purge", "hamnd")
    left = root.run("find", "/usr", "/etc", "/var/lib", "/var/log", "-name", "*hamnd*")
    assert [one for one in left.split() if not one.startswith("/var/lib/dpkg")] == []


def test_two_builds_are_the_same_byte_by_byte(
    built: Packages, checkout: Path, tmp_path: Path
) -> None:
    """Given another umask, time zone, folder and time, when it is built again, all is the same."""
    first, again = (
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        for folder in (built.first, build_again(checkout, tmp_path, built.first))
    )
    assert len(first) == 3
    assert first == again


def test_the_bundle_for_sites_without_internet_is_whole(built: Packages, tmp_path: Path) -> None:
    bundle = Packages.only(built.first, ".tar")
    subprocess.run(["tar", "-C", tmp_path, "-xf", bundle], check=True)
    (folder,) = tmp_path.iterdir()
    done = subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=folder, check=False
    )
    assert done.returncode == 0
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    summed = {line.split()[1][2:] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert names - summed == {"SHA256SUMS"}
    assert {"hamnd_0.1.0-1_all.deb", "hamnd-0.1.0-1.noarch.rpm", "installing.md"} <= names
    wheels = [name for name in names if name.startswith("wheels/")]
    assert all(name.endswith("-none-any.whl") for name in wheels)
    assert len(wheels) > 15
