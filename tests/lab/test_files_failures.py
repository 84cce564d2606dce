"""Every failure of a copy has its true sentence, and nothing that was good is lost.

Owns the stories of a worker against a real sshd whose side fails, or means harm.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hamnd.pulling.confining import confine
from tests.lab.two_sides import Sides, missing, two_sides

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(missing()), reason=f"skipped: {missing()}"),
    pytest.mark.timeout(120),
]


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
    old = program(sides, "old-rsync", "echo 'rsync  version 2.6.9  protocol version 29'")
    assert "rsync 2.6.9 on this node is too old" in sides.pull(rsync=old)[1].sentence
    assert "could not be started here" in sides.pull(rsync="/nowhere/rsync")[1].sentence


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


def test_an_interrupted_pull_is_gone_on_with(sides: Sides) -> None:
    copied(sides)
    (sides.there / "large").write_bytes(os.urandom(4_000_000))
    worker = subprocess.Popen(
        ("timeout", "-s", "KILL", "4", "sh", "-c", f"{python()} -m hamnd.pulling"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    worker.communicate(sides.job(bandwidth_kib=200))
    assert not (sides.here / "large").exists()
    copied(sides)
    assert (sides.here / "large").read_bytes() == (sides.there / "large").read_bytes()
    assert not (sides.here / ".hamnd-partial").exists()


def python() -> str:
    import sys

    return sys.executable


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
    """Given a primary whose rsync sends a folder above the one that was asked for, then nothing
    outside of the set is written, whatever rsync itself believes."""
    target = sides.root / "target"
    target.mkdir()
    (sides.here / "out").symlink_to(target)  # a link that somebody left here
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
    copied(sides)
    for number in range(300):
        (sides.there / f"fleeting{number}").write_text("x")
    remover = subprocess.Popen(["sh", "-c", f"while :; do rm -f {sides.there}/fleeting*; done"])
    try:
        code, facts = sides.pull()
        assert code == 0, facts.sentence
    finally:
        remover.kill()
        remover.wait()
    copied(sides)
    good(sides)
