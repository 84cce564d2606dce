"""The shared disk's scripts on AIX's own commands, which are stand-ins here.

Owns what lsvg, varyonvg, mount and the like say and do, by their manual pages (AIX Commands
Reference): a volume group is known, varied on, and its file systems are mounted by their names in
/etc/filesystems. On Linux the scripts are seen in tests/lab, on a real mount.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects import shared_disk
from hamnd.dialects.readers import read_action, read_look
from hamnd.model.instant import Instant
from hamnd.model.names import Verdict
from hamnd.model.shared_disk import SharedDiskSite, SharedFilesystem
from hamnd.model.site import Site
from hamnd.model.work import Action, Ending, Exec, Look, Looked, Reading, Report
from tests.builders import site as any_site

POINTS = ("/etc/xcat", "/install")
HEAD = """\
  node       mounted        mounted over    vfs       date        options
-------- ---------------  ---------------  ------ ------------ ---------------
         /dev/hd4         /                jfs2   Nov 02 10:10 rw,log=/dev/hd8
aixmn9   /export/etc      /mnt/etc/xcat    nfs3   Nov 02 10:12 rw,bg,hard,intr
"""
STAND_INS = {
    "uname": "echo AIX",
    "lsvg": 'if [ "$1" = -o ]; then echo rootvg; cat on; else echo rootvg; cat known; fi',
    "varyonvg": """\
[ ! -e reserved ] || { echo "0516-013 varyonvg: The volume group cannot be varied on because
there are no good copies of the descriptor area." >&2; exit 1; }
echo "$1" >>on""",
    "varyoffvg": """\
[ ! -s mounts ] || { echo "0516-012 lvaryoffvg: Logical volume must be closed." >&2; exit 1; }
: >on""",
    "mount": """\
[ $# -gt 0 ] || { cat head mounts; exit 0; }
[ -s on ] || { echo "mount: 0506-324 Cannot mount /dev/lv on $1" >&2; exit 1; }
echo "         /dev/lv00        $1        jfs2   Nov 02 10:20 rw,log=INLINE" >>mounts""",
    "umount": 'grep -v " $1 " mounts >left; mv left mounts',
    "mkdir": ":",
    "vgchange": "echo Linux only >&2; exit 9",
}


class Aix:
    """A host whose commands keep their state in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in STAND_INS.items():
            self.replace(name, text)
        (folder / "head").write_text(HEAD)
        for name in ("mounts", "on"):
            (folder / name).write_text("")
        (folder / "known").write_text("xcatvg\n")

    def replace(self, name: str, text: str) -> str:
        """Have a command say something else, and return what it said; "" where it had no own."""
        path = self.folder / name
        before = STAND_INS.get(name, "")
        if not text:
            path.unlink()
            return before
        path.write_text(f'#!/bin/sh\ncd "{self.folder}"\n{text}\n')
        path.chmod(0o755)
        return before

    def report(self, request: object) -> Report:
        assert isinstance(request, Exec)
        path = f"{self.folder}:{os.environ['PATH']}"
        done = subprocess.run(
            request.argv, capture_output=True, text=True, env={"PATH": path}, check=False
        )
        now = Instant(0.0, 0.0)
        return Report(Ending.EXITED, now, now, done.returncode, done.stdout, done.stderr)

    def look(self, look: Look) -> Reading:
        return read_look(Looked(look, self.report(look.request)))

    def act(self, action: Action) -> Reading:
        return read_action(action, self.report(action.request))


@pytest.fixture
def host(tmp_path: Path) -> Aix:
    return Aix(tmp_path)


def site() -> Site:
    filesystems = tuple(SharedFilesystem("/dev/unused", point) for point in POINTS)
    disk = SharedDiskSite(volume_group="xcatvg", filesystems=filesystems)
    return replace(any_site(), shared_disk=disk)


def test_the_group_is_varied_on_and_what_lies_on_it_mounted_by_name(host: Aix) -> None:
    here = site()
    assert host.look(shared_disk.can_attach(here, here.node)).verdict is Verdict.PASS
    assert host.look(shared_disk.is_held(here, here.node)).verdict is Verdict.BLOCK
    for _ in range(2):
        assert host.act(shared_disk.attach(here, here.node)).verdict is Verdict.PASS
        assert host.look(shared_disk.is_held(here, here.node)).verdict is Verdict.PASS
        assert (host.folder / "on").read_text() == "xcatvg\n"
        assert (host.folder / "mounts").read_text().count("jfs2") == 2
    for _ in range(2):
        assert host.act(shared_disk.detach(here, here.node)).verdict is Verdict.PASS
        assert host.look(shared_disk.is_released(here, here.node)).verdict is Verdict.PASS
        assert (host.folder / "on").read_text() == ""


@pytest.mark.parametrize(("auto", "verdict"), [("yes", Verdict.BLOCK), ("no", Verdict.PASS)])
def test_what_is_mounted_at_boot_is_told(host: Aix, auto: str, verdict: Verdict) -> None:
    """`lsfs -c` prints AutoMount in its eighth column (AIX Commands Reference), unverified."""
    head = "#MountPoint:Device:Vfs:Nodename:Type:Size:Options:AutoMount:Acct"
    host.replace("lsfs", f'echo "{head}"; echo "$2:/dev/lv00:jfs2:::65536:rw:{auto}:no"')
    here = site()
    told = host.look(shared_disk.is_left_at_boot(here, here.node))
    assert told.verdict is verdict
    assert host.look(shared_disk.can_attach(here, here.node)).verdict is Verdict.PASS
    assert ("chfs -A no /etc/xcat" in told.sentence) is (verdict is Verdict.BLOCK)


def test_a_group_that_another_node_holds_is_not_forced(host: Aix) -> None:
    here = site()
    (host.folder / "reserved").touch()
    told = host.act(shared_disk.attach(here, here.node))
    assert told.verdict is Verdict.BLOCK
    assert "varyonvg xcatvg" in told.sentence
    assert host.look(shared_disk.is_released(here, here.node)).verdict is Verdict.PASS


def test_a_group_that_was_never_imported_is_not_visible(host: Aix) -> None:
    (host.folder / "known").write_text("")
    here = site()
    told = host.look(shared_disk.can_attach(here, here.node))
    assert told.verdict is Verdict.BLOCK
    assert "not visible here" in told.sentence


def test_what_is_mounted_read_only_is_not_held(host: Aix) -> None:
    here = site()
    host.act(shared_disk.attach(here, here.node))
    mounts = host.folder / "mounts"
    mounts.write_text(mounts.read_text().replace("rw,log", "ro,log", 1))
    assert host.look(shared_disk.is_held(here, here.node)).verdict is Verdict.BLOCK
    assert host.look(shared_disk.is_released(here, here.node)).verdict is Verdict.BLOCK


@pytest.mark.parametrize("said", ["exit 1", "exit 0"], ids=["fails", "says nothing"])
@pytest.mark.parametrize("program", ["mount", "awk", "uname"])
def test_what_cannot_be_seen_mounted_is_not_told_as_free(
    host: Aix, program: str, said: str
) -> None:
    """Both nodes would have it, were a table of mounts that cannot be read taken for an empty
    one."""
    here = site()
    host.act(shared_disk.attach(here, here.node))
    before = host.replace(program, said)
    for look in (shared_disk.is_released, shared_disk.is_held, shared_disk.can_attach):
        assert host.look(look(here, here.node)).verdict is Verdict.UNKNOWN
    for action in (shared_disk.detach, shared_disk.attach):
        assert host.act(action(here, here.node)).verdict is not Verdict.PASS
    host.replace(program, before)
    assert host.look(shared_disk.is_held(here, here.node)).verdict is Verdict.PASS


@pytest.mark.parametrize("said", ["exit 1", "exit 0"], ids=["fails", "says nothing"])
def test_a_group_that_cannot_be_seen_is_neither_free_nor_missing(host: Aix, said: str) -> None:
    here = site()
    host.act(shared_disk.attach(here, here.node))
    (host.folder / "mounts").write_text("")
    host.replace("lsvg", said)
    assert host.act(shared_disk.detach(here, here.node)).verdict is not Verdict.PASS
    assert (host.folder / "on").read_text() == "xcatvg\n"
    assert host.look(shared_disk.can_attach(here, here.node)).verdict is Verdict.UNKNOWN


def test_what_another_host_exports_by_the_same_name_is_not_the_disk(host: Aix) -> None:
    here = site()
    (host.folder / "mounts").write_text(
        "aixmn9   /etc/xcat        /mnt/xcat        nfs3   Nov 02 10:12 rw,bg,hard,intr\n"
        "aixmn9   /install         /mnt/install     nfs3   Nov 02 10:12 rw,bg,hard,intr\n"
    )
    assert host.look(shared_disk.is_held(here, here.node)).verdict is Verdict.BLOCK
    assert host.look(shared_disk.is_released(here, here.node)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("vgs", "verdict"),
    [
        ('[ "$#" -lt 4 ] || exit 5; echo "  othervg"', Verdict.BLOCK),
        ('[ "$#" -lt 4 ] || exit 5; echo "  xcatvg"', Verdict.PASS),
        ("exit 5", Verdict.UNKNOWN),
        ("exit 0", Verdict.PASS),
    ],
    ids=["others only", "in the list", "no answer", "asked by name"],
)
def test_lvm_tells_a_missing_group_from_an_answer_that_failed(
    host: Aix, vgs: str, verdict: Verdict
) -> None:
    here = site()
    host.replace("uname", "echo Linux")
    host.replace("vgs", vgs)
    assert host.look(shared_disk.can_attach(here, here.node)).verdict is verdict
