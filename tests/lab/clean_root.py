"""A root file system that has never seen a checkout, and the packages that are tried in it.

Owns `CleanRoot` (programs run in it as on a machine of its own, without any network), how one is
made, and the packages, built once for all tests of a run. Must not know what a test proves.

Everything is mounted inside the namespace of the one program that runs there, so nothing stays
mounted, however a test ends; what a root has become lies in the upper folder of its overlay.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PLACES = "/usr/sbin:/usr/bin:/sbin:/bin"
MAKE_S = 900
RUN_S = 240

IN_NAMESPACE = """
set -e
lower=$1 base=$2; shift 2
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$base/upper,workdir=$base/work" "$base/root"
mount -t proc proc "$base/root/proc"
mount --rbind /dev "$base/root/dev"
mount -t tmpfs tmpfs "$base/root/run"
mkdir "$base/root/run/sshd"
ip link set lo up
"""
INSIDE = 'exec chroot "$base/root" "$@"'
OUTSIDE = 'exec "$@"'

PARTS = (
    *("hamnd", "man", "completion", "packaging", "systemd", "config", "docs"),
    *("pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"),
)
"""What packaging/build reads of a checkout."""

EXTRA = "hamnd/of_the_next_version.py"
"""A module that only the second version has."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended, and all it said."""

    code: int
    text: str


class CleanRoot:
    """An overlay on other roots, the topmost first; they themselves are never changed."""

    def __init__(self, base: Path, *lower: Path) -> None:
        self.lower = lower
        self.base = base
        for name in ("upper", "work", "root"):
            (base / name).mkdir(parents=True)

    def ask(self, *argv: str | Path, inside: bool = True) -> Said:
        """Run a program in this root, or beside it with its path in $base/root; tell its end."""
        script = IN_NAMESPACE + (INSIDE if inside else OUTSIDE)
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child",
             "sh", "-c", script, "sh", ":".join(map(str, self.lower)), self.base, *argv],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": PLACES, "HOME": "/root", "LC_ALL": "C"},
            timeout=RUN_S, check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout)

    def run(self, *argv: str | Path, inside: bool = True) -> str:
        """Run a program that has to succeed; return what it said."""
        said = self.ask(*argv, inside=inside)
        assert said.code == 0, f"{argv}: exit {said.code}\n{said.text[-4000:]}"
        return said.text

    def put(self, path: str, text: str) -> None:
        """Write a file, as an administrator would."""
        place = self.base / "upper" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def on_top(self, base: Path) -> CleanRoot:
        """Return a root that begins with what this one has become."""
        return CleanRoot(base, self.base / "upper", *self.lower)

    def take_in(self, file: Path) -> str:
        """Copy a file into this root; return its path there."""
        place = self.base / "upper/root"
        place.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(file, place)
        return f"/root/{file.name}"


@dataclass(frozen=True, slots=True)
class Packages:
    """The folders with what packaging/build made: a version, and the one after it."""

    first: Path
    second: Path

    @staticmethod
    def only(folder: Path, ending: str) -> Path:
        """Return the only file with that ending."""
        (found,) = folder.glob(f"*{ending}")
        return found


def depends(checkout: Path) -> list[str]:
    """Return the packages that ours says it needs, the first of each choice."""
    text = (checkout / "packaging/debian/control").read_text()
    (line,) = re.findall(r"^Depends: (.*?)^[A-Z]", text, re.MULTILINE | re.DOTALL)
    names = [re.split(r"[\s|(]", one.strip())[0] for one in line.split(",")]
    return [name for name in names if not name.startswith("${")]


def begin_root(checkout: Path, folder: Path) -> subprocess.Popen[str]:
    """Begin to make a root with what our package needs and nothing else but an ssh server."""
    names = ",".join([*depends(checkout), "openssh-server"])
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if line
    )
    return subprocess.Popen(
        ["mmdebstrap", "--mode=root", "--variant=essential", "--format=directory",
         "--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Retries "3"', f"--include={names}",
         release["VERSION_CODENAME"].strip('"'), folder],
        env={**os.environ, "PATH": PLACES}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def packages(checkout: Path, folders: pytest.TempPathFactory) -> Packages:
    """Build the packages in a folder that all workers of this run share; the first one builds."""
    base = folders.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "hamnd-packages"
    shared.mkdir(exist_ok=True)
    found = Packages(shared / "first", shared / "second")
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            copy = _copied(checkout, shared / "checkout")
            _build(copy, found.first)
            (copy / EXTRA).write_text('"""Only the next version has this."""\n')
            logrotate = copy / "packaging/files/logrotate"
            logrotate.write_text(logrotate.read_text().replace("rotate 8", "rotate 9"))
            wheels = _wheels(found.first, shared)
            _build(copy, found.second, RELEASE="2", WHEELS=str(wheels))
            (shared / "done").touch()
    return found


def build_again(checkout: Path, folder: Path, first: Path) -> Path:
    """Build what `first` has elsewhere on the clock and on disk, for a careful user."""
    copy = _copied(checkout, folder / "checkout")
    wheels = _wheels(first, folder)
    _build(copy, folder / "again", umask=0o077, TZ="Asia/Tokyo", WHEELS=str(wheels))
    return folder / "again"


def _copied(checkout: Path, copy: Path) -> Path:
    for name in PARTS:
        source = checkout / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy / name)
    return copy


def _wheels(built: Path, folder: Path) -> Path:
    """Unpack the bundle of a build and return its wheels."""
    bundle = Packages.only(built, ".tar")
    subprocess.run(["tar", "-C", folder, "-xf", bundle], check=True)
    return folder / bundle.stem / "wheels"


def _build(checkout: Path, folder: Path, *, umask: int = 0o022, **environment: str) -> None:
    done = subprocess.run(
        [checkout / "packaging/build", sys.executable, folder],
        env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        umask=umask, timeout=MAKE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
