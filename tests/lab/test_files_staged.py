"""Small sets against a real sshd: what is staged, what is compared, and how a failure is told.

Owns the stories of the programs that stage and compare small sets. What is put in force of them is
told in test_files_copied.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.process import LocalRunner
from hamnd.dialects import filesets, salvage
from hamnd.dialects.copying import read_facts
from hamnd.dialects.readers import read_action
from hamnd.dialects.salvage import Salvaged
from hamnd.dialects.shell import quote
from hamnd.model.copying import CopyFacts
from hamnd.model.names import Verdict
from hamnd.model.work import Action, Exec, Reading
from tests.builders import site
from tests.lab.two_sides import CHECKOUT, Sides, missing, two_sides

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(missing()), reason=f"skipped: {missing()}"),
    pytest.mark.timeout(120),
]


@pytest.fixture
def sides() -> Iterator[Sides]:
    with two_sides() as made:
        for side in (made.there, made.here):
            (side / "ca").mkdir()
            (side / "ca/ca-cert.pem").write_text("the CA\n")
        yield made


def folder(sides: Sides, name: str = "ca") -> Salvaged:
    return Salvaged(f"{sides.here}/{name}/", f"{sides.here}/{name}")


def done(
    sides: Sides, action: Action, path: str = "", rsync: str = "rsync"
) -> tuple[Reading, CopyFacts]:
    """Carry out a set's own program, over this sshd instead of the site's."""
    assert isinstance(action.request, Exec)
    sh, flag, script, name, _, _, _, *pairs = action.request.argv
    argv = (sh, flag, script, name, rsync, quote(sides.ssh), "root@127.0.0.1", *pairs)
    runner = LocalRunner(SystemClock(), path or os.environ["PATH"], "root")
    report = asyncio.run(runner.run(replace(action.request, argv=argv), timeout_s=60.0))
    return read_action(action, report), read_facts(report)


def pulled(sides: Sides, *members: Salvaged) -> Reading:
    return done(sides, salvage.pull(site(), *members, keeps_previous=True))[0]


def staged(sides: Sides, name: str = "ca") -> Path:
    return sides.here / ".hamnd/new" / name


def test_a_copy_with_another_time_is_no_other_ca(sides: Sides) -> None:
    """Given a site that copies by scp, which keeps no times, when the CA is compared, then it is
    the primary's; with other contents it is not."""
    os.utime(sides.here / "ca/ca-cert.pem", (1, 1))
    reading, facts = done(sides, filesets.compare(site(), (folder(sides),)))
    assert reading.verdict is Verdict.PASS
    assert facts.identical is True
    (sides.here / "ca/ca-cert.pem").write_text("not it\n")
    assert done(sides, filesets.compare(site(), (folder(sides),)))[1].identical is False
    (sides.here / "ca/ca-cert.pem").unlink()
    assert done(sides, filesets.compare(site(), (folder(sides),)))[1].identical is False


def test_a_ca_that_is_staged_is_not_yet_the_one_in_force(sides: Sides) -> None:
    action = salvage.pull(site(), folder(sides))
    assert done(sides, action)[1].identical is True
    (sides.there / "ca/ca-cert.pem").write_text("a new CA\n")
    assert done(sides, action)[1].identical is False


def test_an_rsync_that_is_elsewhere_on_the_primary_is_found_and_a_missing_one_is_named(
    sides: Sides,
) -> None:
    """Elsewhere is where AIX has it, in /opt/freeware/bin."""
    (sides.there / "ca/ca-cert.pem").write_text("a new CA\n")
    kept = sides.root / "rsync"
    shutil.copy2("/usr/bin/rsync", kept)
    sides.over_there("mount --bind /dev/null /usr/bin/rsync")
    for action in (salvage.pull(site(), folder(sides)), filesets.compare(site(), (folder(sides),))):
        assert done(sides, action)[0].sentence == "the primary: rsync is not installed there"
    assert not staged(sides).exists()
    sides.over_there(
        f"mount -t tmpfs none /opt; mkdir -p /opt/freeware/bin; cp {kept} /opt/freeware/bin/"
    )
    assert pulled(sides, folder(sides)).verdict is Verdict.PASS
    assert (staged(sides) / "ca-cert.pem").read_text() == "a new CA\n"
    assert done(sides, filesets.compare(site(), (folder(sides),)))[1].identical is False


def test_every_failure_has_its_sentence_and_nothing_is_staged_for_good(sides: Sides) -> None:
    (sides.there / "ca/ca-cert.pem").write_text("a new CA\n")
    known = (sides.root / "known_hosts").read_text()
    other = (sides.root / "key.pub").read_text().split()[1]
    (sides.root / "known_hosts").write_text(f"[127.0.0.1]:{sides.port} ssh-ed25519 {other}\n")
    assert "its host key is not the known one" in pulled(sides, folder(sides)).sentence
    (sides.root / "known_hosts").write_text(known)
    absent = folder(sides, "none")
    assert pulled(sides, absent).sentence == f"the primary: it has no {sides.here}/none"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", sides.here], check=True)
    try:
        (sides.there / "ca/large").write_bytes(os.urandom(200_000))
        assert pulled(sides, folder(sides)).sentence == "the file system here is full"
        assert not (sides.here / ".hamnd/ca.sha256").exists()
    finally:
        subprocess.run(["umount", sides.here], check=True)


def test_what_is_named_like_a_file_and_is_none_is_refused(sides: Sides) -> None:
    """A folder would be put into the folder of its name; a link is not what it leads to."""
    like_a_file = Salvaged(f"{sides.here}/ca", f"{sides.here}/ca")
    assert "is a directory there: name it with a slash" in pulled(sides, like_a_file).sentence
    (sides.there / "hosts").symlink_to("/etc/hosts")
    link = Salvaged(f"{sides.here}/hosts", f"{sides.here}/hosts")
    assert "is a link there: name what it leads to" in pulled(sides, link).sentence


def test_a_file_that_grows_all_the_time_is_taken_when_it_holds_still(sides: Sides) -> None:
    """Given leases to which dhcpd adds a line now and then, when they are copied, then once they
    were the same before and after."""
    (sides.there / "leases").write_text("lease 1\n")
    again = 'n=$(cat "$0.n" 2>/dev/null || echo 0); n=$((n + 1)); echo $n >"$0.n"\n'
    grows = f'[ $n -gt 3 ] || echo "lease $n" >>{sides.here}/leases\n'
    rsync = sides.root / "growing-rsync"
    shutil.copy2("/usr/bin/rsync", sides.root / "rsync")
    rsync.write_text(f'#!/bin/sh\n{again}{grows}exec {sides.root}/rsync "$@"\n')
    rsync.chmod(0o755)
    sides.over_there(f"mount --bind {rsync} /usr/bin/rsync; touch {rsync}.n")
    leases = Salvaged(f"{sides.here}/leases", f"{sides.here}/leases")
    reading = pulled(sides, leases)
    assert reading.verdict is Verdict.PASS, reading.sentence
    assert staged(sides, "leases").read_text() == (sides.there / "leases").read_text()


def test_a_link_that_somebody_left_where_sets_are_staged_is_not_followed(sides: Sides) -> None:
    (sides.there / "ca/ca-cert.pem").write_text("a new CA\n")
    target = sides.root / "target"
    target.mkdir()
    (target / "ours").write_text("ours\n")
    for place in (sides.here / ".hamnd", staged(sides)):
        place.parent.mkdir(exist_ok=True, parents=True)
        place.symlink_to(target)
        assert "is a link: somebody else left it there" in pulled(sides, folder(sides)).sentence
        assert os.listdir(target) == ["ours"]
        place.unlink()


def test_an_rsync_that_a_primary_leads_astray_can_write_nowhere_else(sides: Sides) -> None:
    """Given an rsync here with a hole, through which what the primary sends lands elsewhere, when a
    set is staged, then the kernel lets nothing be written but what is staged."""
    if not _can_confine(sides.root / "probe"):
        pytest.skip("this kernel has no landlock")
    (sides.there / "ca/ca-cert.pem").write_text("a new CA\n")
    target = sides.here / "ca/ca-cert.pem"
    holed = sides.root / "holed-rsync"
    holed.write_text(f'#!/bin/sh\necho evil >{target}\nexec rsync "$@"\n')
    holed.chmod(0o755)
    reading, _ = done(sides, salvage.pull(site(), folder(sides)), rsync=str(holed))
    assert target.read_text() == "the CA\n"
    assert reading.verdict is Verdict.PASS, reading.sentence
    assert (staged(sides) / "ca-cert.pem").read_text() == "a new CA\n"


def _can_confine(probe: Path) -> bool:
    argv = (sys.executable, "-m", "hamnd.pulling.confining", f"{probe}.d", "--", "touch", probe)
    subprocess.run(argv, check=False, capture_output=True, cwd=CHECKOUT)
    return not probe.exists()


def test_a_manifest_holds_with_sha256sum_and_without(sides: Sides, tmp_path: Path) -> None:
    """AIX has no sha256sum: openssl writes the manifest, and tells whether it holds."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for place in ("/usr/bin", "/bin"):
        for one in Path(place).iterdir():
            if one.name != "sha256sum" and not (bare / one.name).exists():
                (bare / one.name).symlink_to(one)
    (sides.there / "ca/ca-cert.pem").write_text("a new CA\n")
    action = salvage.pull(site(), folder(sides))
    assert done(sides, action, str(bare))[0].verdict is Verdict.PASS
    shutil.rmtree(sides.here / "ca")
    staged(sides).rename(sides.here / "ca")
    look = salvage.is_fresh(site(), folder(sides))
    assert isinstance(look.request, Exec)
    for path in (str(bare), os.environ["PATH"]):
        (sides.here / "ca/ca-cert.pem").write_text("a new CA\n")
        told = partial(
            subprocess.run,
            look.request.argv,
            env=os.environ | {"PATH": path},
            capture_output=True,
            check=False,
        )
        assert told().returncode == 0
        (sides.here / "ca/ca-cert.pem").write_text("another\n")
        assert told().returncode != 0
