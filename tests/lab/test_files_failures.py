"""Every failure of a copy has its true sentence, and nothing that was good is lost.

Owns the stories of a worker against a real sshd whose side fails, or means harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.files import LocalFiles
from hamnd.adapters.process import LocalRunner
from hamnd.dialects import filesets
from hamnd.model.names import Verdict
from hamnd.model.work import Ending, Exec, Place, Report, Swap
from hamnd.pulling.changes import MARGIN_S
from hamnd.pulling.confining import confine
from tests.lab.site.hosts import wait_until
from tests.lab.two_sides import CHECKOUT, Sides, missing, two_sides

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(missing()), reason=f"skipped: {missing()}"),
    pytest.mark.timeout(120),
]

CLOCK = SystemClock()
WEEK_S = 604_800.0


@pytest.fixture
def sides() -> Iterator[Sides]:
    with two_sides() as made:
        (made.there / "a").mkdir()
        (made.there / "a/file").write_text("good\n")
        (made.there / "other").write_text("good too\n")
        yield made


def copied(sides: Sides) -> None:
    code, facts = sides.pull()
    assert code == 0, facts.sentence


def good(sides: Sides) -> None:
    """What was copied before is as it was."""
    assert (sides.here / "a/file").read_text() == "good\n"
    assert (sides.here / "other").read_text() == "good too\n"


def program(sides: Sides, name: str, text: str) -> str:
    """A program that only this test's job names."""
    path = sides.root / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_an_emptied_primary_is_not_copied_and_asks(sides: Sides) -> None:
    """A file system that is not mounted looks like a tree in which everything was deleted."""
    copied(sides)
    subprocess.run(["sh", "-c", f"rm -r {sides.there}/*"], check=True)
    code, facts = sides.pull(may_delete_percent=25.0)
    assert code == 2
    assert "no longer has 3 of 4 entries" in facts.question
    assert "--accept-deletions" in facts.question
    good(sides)
    assert sides.pull(may_delete_percent=100.0)[0] == 0
    assert list(sides.here.iterdir()) == []


def test_an_emptied_standby_is_not_filled_and_asks(sides: Sides) -> None:
    """Given a file system of the set's own that is not mounted here after a boot, when it is
    pulled, then nothing is written onto the one below it; at the operator's word it is."""
    copied(sides)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(sides.here)], check=True)
    try:
        code, facts = sides.pull(may_delete_percent=25.0)
        assert code == 2
        assert "is empty here, and had 4 entries: is its file system mounted?" in facts.question
        assert list(sides.here.iterdir()) == []
        assert sides.pull(may_delete_percent=100.0)[0] == 0
        good(sides)
    finally:
        subprocess.run(["umount", str(sides.here)], check=True)


def test_a_changed_host_key_is_told_and_nothing_is_sent(sides: Sides) -> None:
    copied(sides)
    other = (sides.root / "key.pub").read_text().split()[1]
    known = f"[127.0.0.1]:{sides.port} ssh-ed25519 {other}\n"
    (sides.root / "known_hosts").write_text(known)
    code, facts = sides.pull()
    assert code == 1
    assert "its host key is not the known one" in facts.sentence
    good(sides)


def test_a_key_that_is_not_accepted_and_an_sshd_that_is_not_there(sides: Sides) -> None:
    ours = (sides.root / "key.pub").read_text()
    (sides.root / "key.pub").write_text("")
    assert "the ssh login was refused" in sides.pull()[1].sentence
    (sides.root / "key.pub").write_text(ours)
    elsewhere = [word.replace(str(sides.port), "9") for word in sides.ssh]
    assert "no sshd listens there" in sides.pull(ssh=elsewhere)[1].sentence


def test_an_rsync_that_is_missing_or_too_old_is_named(sides: Sides) -> None:
    copied(sides)
    old = program(sides, "old-rsync", "echo 'rsync  version 2.6.9  protocol version 29'")
    assert "rsync 2.6.9 on this node is too old" in sides.pull(rsync=old)[1].sentence
    assert "could not be started here" in sides.pull(rsync="/nowhere/rsync")[1].sentence


def test_an_rsync_that_is_missing_too_old_or_elsewhere_on_the_primary(sides: Sides) -> None:
    """Elsewhere is where AIX has it, in /opt/freeware/bin."""
    copied(sides)
    (sides.there / "other").write_text("not yet\n")
    kept = sides.root / "rsync"
    shutil.copy2("/usr/bin/rsync", kept)
    sides.over_there("mount --bind /dev/null /usr/bin/rsync")
    assert sides.pull()[1].sentence == "rsync is not installed on mn1"
    good(sides)
    old = program(sides, "old-rsync", "echo 'rsync  version 3.0.9  protocol version 30'")
    sides.over_there(f"umount /usr/bin/rsync; mount --bind {old} /usr/bin/rsync")
    assert "rsync 3.0.9 on mn1 is too old: 3.1.0" in sides.pull()[1].sentence
    good(sides)
    sides.over_there(
        "umount /usr/bin/rsync; mount --bind /dev/null /usr/bin/rsync; mount -t tmpfs none /opt;"
        f"mkdir -p /opt/freeware/bin; cp {kept} /opt/freeware/bin/"
    )
    copied(sides)
    assert (sides.here / "other").read_text() == "not yet\n"


def test_what_the_primary_may_not_read_is_named_and_is_not_taken_for_deleted() -> None:
    """Root, who may not read what others keep for themselves: a root-squashed export is such."""
    less = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    with two_sides(bound=less) as sides:
        (sides.there / "a").mkdir()
        (sides.there / "a/file").write_text("good\n")
        (sides.there / "other").write_text("good too\n")
        copied(sides)
        os.chown(sides.there / "other", 65534, 65534)
        os.chmod(sides.there / "other", 0)
        (sides.there / "new").write_text("new\n")
        code, facts = sides.pull()
        assert code == 1
        assert re.fullmatch(r"mn1: it may not read \S*/other: permission denied", facts.sentence)
        good(sides)
        os.chmod(sides.there / "other", 0o644)
        os.chown(sides.there / "a", 65534, 65534)
        os.chmod(sides.there / "a", 0)
        code, facts = sides.pull()
        assert code == 1
        assert "Permission denied" in facts.sentence
        assert str(sides.here / "a") in facts.sentence
        good(sides)


@contextlib.contextmanager
def limited(place: Path, image: Path) -> Iterator[Path]:
    """Mount a file system with a quota there, and yield where its limit is set: btrfs, whose
    quotas hold for root too."""
    whole = image.with_suffix(".mnt")
    whole.mkdir()
    with image.open("wb") as file:
        file.truncate(200 << 20)
    script = (
        'mkfs.btrfs -q "$1" && mount -o loop "$1" "$2" && btrfs -q quota enable "$2" &&'
        'btrfs -q subvolume create "$2/set" && mount --bind "$2/set" "$3"'
    )
    try:
        argv = ("sh", "-c", script, "limited", str(image), str(whole), str(place))
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        yield whole / "set"
    finally:
        for mounted in (place, whole):
            subprocess.run(("umount", str(mounted)), check=False, stderr=subprocess.DEVNULL)


@pytest.mark.skipif(
    shutil.which("mkfs.btrfs") is None or "btrfs" not in Path("/proc/filesystems").read_text(),
    reason="skipped: needs btrfs-progs, and a kernel with btrfs",
)
def test_a_quota_that_is_used_up_keeps_what_was_good(sides: Sides) -> None:
    with limited(sides.here, sides.root / "limited.img") as subvolume:

        def limit(size: str) -> None:
            argv = ("btrfs", "-q", "qgroup", "limit", size, str(subvolume))
            subprocess.run(argv, check=True)

        limit("3M")
        copied(sides)
        (sides.there / "large").write_bytes(os.urandom(6_000_000))
        code, facts = sides.pull()
        assert (code, facts.sentence) == (1, "the quota here is used up")
        good(sides)
        assert not (sides.here / "large").exists()
        limit("none")
        copied(sides)
        assert (sides.here / "large").read_bytes() == (sides.there / "large").read_bytes()


@contextlib.contextmanager
def powered_off(image: Path, place: Path) -> Iterator[None]:
    """A file system of its own whose power is cut at the end: what was not on disk is gone."""
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    mount = ["mount", "-o", "loop", str(image), str(place)]
    subprocess.run(mount, check=True)
    try:
        yield
        folder = os.open(place, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_SHUTDOWN, struct.pack("I", WITHOUT_THE_LOG))
        finally:
            os.close(folder)
    finally:
        subprocess.run(["umount", str(place)], check=True)
    subprocess.run(mount, check=True)


EXT4_SHUTDOWN, WITHOUT_THE_LOG = 0x8004587D, 2
"""What the kernel's tests cut the power with: EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH."""


def test_a_power_cut_after_a_set_was_switched_leaves_it_whole(tmp_path: Path) -> None:
    place = tmp_path / "xcat"
    place.mkdir()
    with powered_off(tmp_path / "disk.img", place):
        (place / "ca").mkdir()
        (place / "ca/ca-cert.pem").write_text("stale\n")
        os.sync()
        for folder in ("new/ca/deep", "old"):
            (place / ".hamnd" / folder).mkdir(parents=True)
        (place / ".hamnd/new/ca/ca-cert.pem").write_text("fresh\n" * 5000)
        (place / ".hamnd/new/ca/deep/key.pem").write_text("fresh too\n")
        names = (".hamnd/new/ca", "ca", ".hamnd/old/ca")
        swap = Swap("mn2", (Place(*(str(place / name) for name in names)),))
        assert asyncio.run(LocalFiles(CLOCK).swap(swap, 30.0)).exit_code == 0
    try:
        assert (place / "ca/ca-cert.pem").read_text() == "fresh\n" * 5000
        assert (place / "ca/deep/key.pem").read_text() == "fresh too\n"
        assert (place / ".hamnd/old/ca/ca-cert.pem").read_text() == "stale\n"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_folder_that_is_named_like_a_file_is_not_told_to_be_here(sides: Sides) -> None:
    code, facts = sides.pull(paths=[f"{sides.here}/a"])
    assert code == 1
    assert (
        facts.sentence == f"{sides.here}/a is a directory on mn1: name it with a slash at its end"
    )


def test_what_is_left_out_stays_as_it_is_on_either_side_whatever_its_name(sides: Sides) -> None:
    names = ("a]b", "c\\d", "e[f]", "g*", "h?i\\")
    for name in names:
        for side, text in ((sides.there, "theirs\n"), (sides.here, "ours\n")):
            (side / name).mkdir()
            (side / name / text.strip()).write_text(text)
    left_out = [f"{sides.here}/{name}/" for name in names]
    for change in ("one", "two"):
        (sides.there / "a/file").write_text(change)
        code, facts = sides.pull(exclude=left_out)
        assert code == 0, facts.sentence
        assert (sides.here / "a/file").read_text() == change
        assert [os.listdir(sides.here / name) for name in names] == [["ours"]] * len(names)


def test_a_register_that_a_killed_worker_left_torn_is_no_reason_to_fail(sides: Sides) -> None:
    copied(sides)
    (sides.folder / "path0.folders").write_bytes(b"torn" * 1000)
    (sides.there / "other").write_text("another one\n")
    copied(sides)
    assert (sides.here / "other").read_text() == "another one\n"


@pytest.mark.parametrize("cause", ["a clock that was set back", "a reboot there"])
def test_an_edit_there_that_is_stamped_before_the_last_pull_is_found(
    sides: Sides, cause: str
) -> None:
    """Given a primary whose clock was 20 minutes ahead and is set right, or that lost its last
    writes in a power cut, when what it has now was stamped before the last pull, it is found."""
    copied(sides)
    (sides.there / "a/file").write_text("edited there\n")
    made = (sides.there / "a/file").stat().st_ctime
    wait_until(lambda: CLOCK.now().wall_s > made + MARGIN_S + 1, "the edit is old", 20)
    then: dict[str, float] = {"since_there": int(CLOCK.now().wall_s)}
    if cause == "a reboot there":
        (sides.root / "boot").write_text("another one\n")
        sides.over_there(f"mount --bind {sides.root}/boot /proc/sys/kernel/random/boot_id")
    else:
        then["ahead_s"] = 1200.0
    memory = sides.folder / "path0.json"
    memory.write_text(json.dumps(json.loads(memory.read_text()) | then))
    copied(sides)
    assert (sides.here / "a/file").read_text() == "edited there\n"


def test_what_a_site_copies_by_itself_is_read_byte_by_byte_once_not_by_every_check(
    sides: Sides,
) -> None:
    """Given a standby with more than the primary has (the guide's rsync deletes nothing), when it
    is compared again, then by names, sizes and times: all contents are read once a week."""
    subprocess.run(["cp", "-a", f"{sides.there}/.", str(sides.here)], check=True)
    (sides.here / "more").write_text("only here\n")
    phases = []
    for compared in ({}, {}, {"whole_after_s": 0.0}):
        code, facts = sides.pull(is_dry=True, **({"whole_after_s": WEEK_S} | compared))
        assert code == 0, facts.sentence
        assert facts.drift is not None
        assert (facts.drift.differ, facts.drift.missing, facts.drift.extra) == (0, 0, 1)
        phases.append(json.loads((sides.folder / "progress.json").read_text())["phase"])
    assert phases == ["comparing contents", "comparing", "comparing contents"]
    good(sides)


def test_names_with_newlines_and_bytes_that_are_not_utf8_come_and_go(sides: Sides) -> None:
    names = [b"two\nlines", b"not\xffutf8", b"-rf", b" ", b"*", b"\\#012", "\u00e4".encode()]
    there, here = os.fsencode(sides.there), os.fsencode(sides.here)
    for name in names:
        os.mkdir(os.path.join(there, name))
        with open(os.path.join(there, name, name), "wb") as file:
            file.write(name)
    copied(sides)
    for name in names:
        with open(os.path.join(here, name, name), "rb") as file:
            assert file.read() == name
        with open(os.path.join(there, name, name), "ab") as file:
            file.write(b" more")
        os.rename(os.path.join(there, name), os.path.join(there, name + b"\n"))
    copied(sides)
    assert sorted(os.listdir(here)) == sorted(os.listdir(there))
    for name in names:
        with open(os.path.join(here, name + b"\n", name), "rb") as file:
            assert file.read() == name + b" more"


def test_a_bandwidth_limit_is_kept_and_a_gentle_set_runs_gently_on_both_sides(
    sides: Sides,
) -> None:
    copied(sides)
    shutil.copy2("/usr/bin/rsync", sides.root / "rsync")
    log = sides.folder / "priority"  # where the confined one may write
    text = f'echo "$0 $(ionice) $(nice)" >>{log}; exec {sides.root}/rsync "$@"'
    there, here = program(sides, "rsync-there", text), program(sides, "rsync-here", text)
    sides.over_there(f"mount --bind {there} /usr/bin/rsync")
    (sides.there / "large").write_bytes(os.urandom(3_000_000))
    began = CLOCK.now().monotonic_s
    code, facts = sides.pull(rsync=here, bandwidth_kib=1000, is_gentle=True)
    assert code == 0, facts.sentence
    assert CLOCK.now().monotonic_s - began > 2.0
    found = {line for line in log.read_text().splitlines() if "idle" in line}
    assert found == {"/usr/bin/rsync idle 19", f"{here} idle 19"}


def test_a_full_file_system_keeps_what_was_good_and_the_next_pull_goes_on(sides: Sides) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(sides.here)], check=True)
    try:
        copied(sides)
        (sides.there / "large").write_bytes(os.urandom(3_000_000))
        code, facts = sides.pull()
        assert (code, facts.sentence) == (1, "the file system here is full")
        good(sides)
        assert not (sides.here / "large").exists()
        subprocess.run(["mount", "-o", "remount,size=20m", str(sides.here)], check=True)
        copied(sides)
        assert (sides.here / "large").read_bytes() == (sides.there / "large").read_bytes()
    finally:
        subprocess.run(["umount", str(sides.here)], check=True)


def test_a_read_only_place_is_told(sides: Sides) -> None:
    copied(sides)
    subprocess.run(["mount", "--bind", str(sides.here), str(sides.here)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(sides.here)], check=True)
    try:
        (sides.there / "new").write_text("x")
        assert sides.pull()[1].sentence == "the file system here is read-only"
        good(sides)
    finally:
        subprocess.run(["umount", str(sides.here)], check=True)


def worker(sides: Sides, timeout_s: float, **changes: object) -> Report:
    """The worker as the daemon runs it, which ends it when its time is over."""
    runner = LocalRunner(CLOCK, os.environ["PATH"], "root")
    argv = ("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "hamnd.pulling")
    return asyncio.run(runner.run(Exec("mn2", argv, stdin=sides.job(**changes)), timeout_s))


def test_an_interrupted_pull_is_gone_on_with(sides: Sides) -> None:
    """Given a large file of which a part came before the time was over, when it is pulled again,
    then what is here of it is not sent once more."""
    copied(sides)
    whole = 3_000_000
    (sides.there / "large").write_bytes(os.urandom(whole))
    assert worker(sides, 7.0, bandwidth_kib=300).ending is Ending.TIMED_OUT
    assert not (sides.here / "large").exists()
    part = (sides.here / ".hamnd-partial/large").stat().st_size
    assert 0 < part < whole
    shutil.copy2("/usr/bin/rsync", sides.root / "rsync")
    counting = program(sides, "counting-rsync", f'{sides.root}/rsync "$@" | tee {sides.root}/sent')
    sides.over_there(f"mount --bind {counting} /usr/bin/rsync")
    copied(sides)
    assert (sides.here / "large").read_bytes() == (sides.there / "large").read_bytes()
    assert not (sides.here / ".hamnd-partial").exists()
    assert (sides.root / "sent").stat().st_size < whole - part / 2


def test_a_comparison_whose_budget_is_over_is_told_as_not_known_and_leaves_nothing_running(
    sides: Sides,
) -> None:
    """Given a primary whose disk hangs, when the budget of a comparison is over, then nothing that
    it started is left here, and the next one finds what differs."""
    copied(sides)
    (sides.there / "other").write_text("another one\n")
    slow = "case $1 in --version) exec find --version ;; esac\nexec sleep 600"
    hanging = program(sides, "hanging-find", slow.replace("exec find", f"exec {sides.root}/find"))
    shutil.copy2("/usr/bin/find", sides.root / "find")
    sides.over_there(f"mount --bind {hanging} /usr/bin/find")
    report = worker(sides, 4.0, is_dry=True)
    assert report.ending is Ending.TIMED_OUT
    assert filesets.read_pulled(report).verdict is Verdict.UNKNOWN
    asked = f"ControlPath={sides.folder}/ssh"
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert asked not in listed.stdout
    sides.over_there("umount /usr/bin/find")
    code, facts = sides.pull(is_dry=True)
    assert code == 0, facts.sentence
    assert facts.drift is not None
    assert (facts.drift.differ, facts.drift.examples) == (1, ("other",))
    good(sides)


@pytest.mark.parametrize(
    "then", [{"boot": "another one"}, {"looked_at": 0.0}], ids=["a reboot", "an hour"]
)
def test_what_is_lost_here_is_found_after_a_reboot_and_once_an_hour(
    sides: Sides, then: dict[str, object]
) -> None:
    """Given a large tree here, of which a power cut or somebody took the contents of a file, when
    only the primary is listed, then that is not seen; after a reboot, or an hour, it is."""
    made = (sides.there / "a/file").stat().st_ctime
    wait_until(lambda: CLOCK.now().wall_s > made + MARGIN_S + 1, "the edits there are old", 20)
    assert sides.pull(large_from=0)[0] == 0
    (sides.here / "a/file").write_text("")
    assert sides.pull(large_from=0)[0] == 0
    assert (sides.here / "a/file").read_text() == ""
    memory = sides.folder / "path0.json"
    memory.write_text(json.dumps(json.loads(memory.read_text()) | then))
    assert sides.pull(large_from=0)[0] == 0
    good(sides)


def test_what_no_listing_shows_is_found_when_everything_is_compared_again(sides: Sides) -> None:
    """Given an edit there of which the file system's own times say nothing, when a week is over,
    then it is found all the same."""
    copied(sides)
    (sides.there / "a/file").write_text("edited there\n")
    made = (sides.there / "a/file").stat().st_ctime
    wait_until(lambda: CLOCK.now().wall_s > made + MARGIN_S + 1, "the edit is old", 20)
    memory = sides.folder / "path0.json"

    def remember(**told: float) -> None:
        memory.write_text(json.dumps(json.loads(memory.read_text()) | told))

    # In whole seconds, as a pull tells it: a later moment would look like a clock set back.
    remember(since_there=int(CLOCK.now().wall_s))
    assert sides.pull(whole_after_s=WEEK_S)[0] == 0
    good(sides)
    remember(whole_at=CLOCK.now().wall_s - WEEK_S - 1)
    assert sides.pull(whole_after_s=WEEK_S)[0] == 0
    assert (sides.here / "a/file").read_text() == "edited there\n"


def test_osimage_directories_that_no_set_copies_are_named(sides: Sides) -> None:
    told = "echo '    rootimgdir=/data/netboot/one'; echo '    pkgdir=/install/rhels9'"
    lsdef = program(sides, "lsdef", f'echo "$@" >{sides.root}/asked; {told}')
    sides.over_there(f"mount -t tmpfs none /opt; mkdir -p /opt/xcat/bin; cp {lsdef} /opt/xcat/bin/")
    code, facts = sides.pull(known_paths=["/install/"])
    assert code == 0
    assert facts.sentence.endswith("; in no set, though osimages need them: /data/netboot/one")
    assert (sides.root / "asked").read_text().startswith("-t osimage -i pkgdir,otherpkgdir,")


def test_a_link_of_the_primary_never_leads_out_of_the_set(sides: Sides) -> None:
    """A folder that becomes a link to elsewhere, with files behind it, changes nothing there."""
    outside = sides.root / "outside"
    outside.mkdir()
    copied(sides)
    subprocess.run(["sh", "-c", f"rm -r {sides.there}/a"], check=True)
    (sides.there / "a").symlink_to(outside)
    copied(sides)
    (sides.there / "a").unlink()
    (sides.there / "a").mkdir()
    (sides.there / "a/evil").write_text("evil\n")
    copied(sides)
    assert list(outside.iterdir()) == []
    assert not (sides.here / "a").is_symlink()


def test_a_sender_that_names_other_paths_writes_nothing_there(sides: Sides) -> None:
    """Given a primary whose rsync sends a file of another folder, by its whole path, for what was
    asked, then nothing outside of the set is written, and the sentence says what it did."""
    copied(sides)
    (sides.root / "target").mkdir()
    target = sides.root / "target/evil"
    target.write_text("ours\n")
    shutil.copy2("/usr/bin/rsync", sides.root / "rsync")
    evil = sides.root / "evil"
    evil.write_text(EVIL.format(python=sys.executable, rsync=sides.root / "rsync", path=target))
    evil.chmod(0o755)
    sides.over_there(f"mount --bind {evil} /usr/bin/rsync; mkdir -p {target.parent}")
    sides.over_there(f"mount -t tmpfs none {target.parent}; echo evil >{target}")
    (sides.there / "other").write_text("changed\n")
    code, facts = sides.pull(compare="contents")
    assert code == 1
    assert "it sent names that nobody had asked for" in facts.sentence
    assert target.read_text() == "ours\n"
    good(sides)


EVIL = """\
#!{python} -I
import os, sys
if "--version" in sys.argv:
    os.execv("{rsync}", sys.argv)
told = b""
while not told.endswith(b"\\0\\0"):  # with -s the arguments come over the line
    told += os.read(0, 1)
words = [os.fsdecode(one) for one in told[:-2].split(b"\\0")][1:-1]
flags = sys.argv[3].replace("-s", "-R", 1)
os.execv("{rsync}", ["rsync", "--server", "--sender", flags, *words, "{path}"])
"""
"""An rsync that sends this path, from the root, whatever it was asked for."""


def test_a_link_that_somebody_left_here_is_not_followed(sides: Sides) -> None:
    target = sides.root / "target"
    target.mkdir()
    (sides.here / "out").symlink_to(target)
    (sides.there / "out").mkdir()
    (sides.there / "out/evil").write_text("evil\n")
    copied(sides)
    assert list(target.iterdir()) == []


def test_devices_of_the_primary_are_not_made_here(sides: Sides) -> None:
    os.mknod(sides.there / "disk", 0o060666, os.makedev(253, 0))
    os.mkfifo(sides.there / "pipe")
    copied(sides)
    assert not (sides.here / "disk").exists()
    assert not (sides.here / "pipe").exists()
    good(sides)


def test_a_confined_process_writes_in_its_folders_alone(tmp_path: Path) -> None:
    """Fork: what is confined stays so."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    child = os.fork()
    if child == 0:
        code = 3
        try:
            if not confine((str(inside),)):
                os._exit(2)
            (inside / "file").write_text("x")
            (outside / "file").write_text("x")
        except PermissionError:
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 2:
        pytest.skip("this kernel has no landlock")
    assert os.waitstatus_to_exitcode(status) == 0
    assert (inside / "file").exists()


def test_a_file_that_goes_away_meanwhile_fails_nothing(sides: Sides) -> None:
    """Given a file that goes away after it was listed and before it is sent (rsync's 24)."""
    copied(sides)
    (sides.there / "large").write_bytes(os.urandom(1_000_000))
    (sides.there / "later").write_text("fleeting\n")
    with ThreadPoolExecutor(1) as pool:
        pulling = pool.submit(sides.pull, bandwidth_kib=300)
        wait_until(lambda: any(sides.here.glob(".large.*")), "it is under way", 20)
        (sides.there / "later").unlink()
        code, facts = pulling.result()
    assert code == 0, facts.sentence
    assert "some went away meanwhile" in facts.sentence
    assert (sides.here / "large").read_bytes() == (sides.there / "large").read_bytes()
    assert not (sides.here / "later").exists()
    good(sides)
