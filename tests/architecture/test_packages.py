"""What `.ci/install` does to the machine, told by programs that only note what they were asked.

Owns the cases: all there, one missing, a policy of the machine's own, no apt-get, no root; and what
the Linux packages promise of Python and of an upgrade. Must not install anything.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.site.needs import PACKAGES

APT = """\
#!/bin/sh
echo "$@" >>{log}
[ -x {policy} ] && {policy}; echo "a service would start: $?" >>{log}
"""
QUERY = """\
#!/bin/sh
for last; do :; done
case $last in rsync) exit 1 ;; cron) printf config-files ;; *) printf installed ;; esac
"""


class Machine:
    """A machine as `.ci/install` sees it: its programs, its policy, what apt-get was asked."""

    def __init__(self, folder: Path, checkout: Path) -> None:
        self.folder = folder
        self.checkout = checkout
        self.policy = folder / "policy-rc.d"
        self.log = folder / "apt.log"
        self.list = folder / "packages"
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name in ("sh", "cat", "chmod", "rm", "dirname"):
            (self.programs / name).symlink_to(f"/bin/{name}")
        self.program("id", "#!/bin/sh\necho 0\n")

    def program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)

    def with_apt(self) -> None:
        self.program("apt-get", APT.format(log=self.log, policy=self.policy))
        self.program("dpkg-query", QUERY)

    def install(self, *packages: str) -> subprocess.CompletedProcess[str]:
        self.list.write_text("".join(f"{one}\n" for one in packages))
        return subprocess.run(
            [self.checkout / ".ci/install", self.list],
            env={"PATH": str(self.programs), "POLICY": str(self.policy)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path, checkout: Path) -> Machine:
    return Machine(tmp_path, checkout)


def test_nothing_is_asked_of_apt_when_all_are_installed(machine: Machine) -> None:
    machine.with_apt()
    done = machine.install("iproute2", "faketime")
    assert (done.returncode, done.stdout, machine.asked()) == (0, "", [])


def test_only_what_is_missing_is_installed_and_no_service_starts(machine: Machine) -> None:
    machine.with_apt()
    done = machine.install("iproute2", "rsync", "cron")
    assert done.returncode == 0, done.stderr
    update, _, install, policy = machine.asked()
    assert update.startswith("update")
    assert install.endswith("--no-install-recommends rsync cron")
    assert policy == "a service would start: 101"
    assert not machine.policy.exists(), "the machine is as it was"


def test_a_policy_of_the_machines_own_stays(machine: Machine) -> None:
    machine.with_apt()
    machine.program("../policy-rc.d", "#!/bin/sh\nexit 104\n")
    machine.install("rsync")
    assert machine.asked()[-1] == "a service would start: 104"
    assert machine.policy.exists()


def test_a_failed_installation_fails_and_takes_its_policy_away(machine: Machine) -> None:
    machine.with_apt()
    machine.program("apt-get", "#!/bin/sh\nexit 100\n")
    assert machine.install("rsync").returncode == 100
    assert not machine.policy.exists()


def test_without_apt_the_packages_are_named(machine: Machine) -> None:
    done = machine.install("iproute2", "rsync")
    assert done.returncode == 0, "the tests name the program that is missing"
    assert "no apt-get here" in done.stderr
    assert "iproute2 rsync" in done.stderr


def test_without_root_it_says_what_to_do(machine: Machine) -> None:
    machine.with_apt()
    machine.program("id", "#!/bin/sh\necho 1000\n")
    done = machine.install("rsync")
    assert (done.returncode, machine.asked()) == (1, [])
    assert "needs root" in done.stderr
    assert "make test" in done.stderr


def test_every_package_that_the_lab_names_is_in_the_list(checkout: Path) -> None:
    listed = (checkout / ".ci/packages").read_text().split()
    assert set(PACKAGES.values()) <= set(listed)
    assert os.access(checkout / ".ci/install", os.X_OK)


def test_a_package_is_installed_beside_no_python_that_it_does_not_look_for(checkout: Path) -> None:
    """Given a distribution whose Python is newer than those tried here, then it is refused."""
    packaging = checkout / "packaging"
    looked_for = {}
    for name in ("files/launcher", "files/compile", "stage"):
        found = re.search(
            r"^for \w+ in (3[\d. ]+); do$", (packaging / name).read_text(), re.MULTILINE
        )
        assert found, name
        looked_for[name] = sorted(int(one.partition(".")[2]) for one in found[1].split())
    (known,) = {tuple(one) for one in looked_for.values()}
    control = (packaging / "debian/control").read_text()
    assert f"python3 (>= 3.{known[0]}), python3 (<< 3.{known[-1] + 1}~)" in control
    spec = (packaging / "hamnd.spec").read_text()
    assert f"(python3 >= 3.{known[0]} with python3 < 3.{known[-1] + 1})" in spec


def test_an_upgrade_forgets_the_mark_of_one_that_went_no_further(
    tmp_path: Path, checkout: Path
) -> None:
    mark, script = tmp_path / "mark", tmp_path / "package"
    text = (checkout / "packaging/files/package").read_text()
    script.write_text(text.replace("/run/hamnd.was-running", str(mark)).replace("/usr/", "/none/"))
    mark.touch()
    subprocess.run(["sh", script, "before-upgrade"], timeout=30, check=False, capture_output=True)
    assert not mark.exists()
