"""What rsync and find say, and what it means to an operator."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.dialects import copying, rsync
from hamnd.model.copying import CopyFacts, Drift
from hamnd.model.work import Ending, Report
from tests.unit.core.builders import at


def told(stdout: str) -> Report:
    return Report(Ending.EXITED, at(0), at(1), 0, stdout)


@pytest.mark.parametrize(
    ("code", "said", "sentence"),
    [
        (11, 'rsync: [receiver] write failed on "/install/a": No space left on device (28)',
         "the file system here is full"),
        (11, "rsync: mkstemp failed: Disk quota exceeded (122)", "the quota here is used up"),
        (255, "Host key verification failed.", ("mn1: its host key is not the known one: "
         "compare it at its console, then correct known_hosts")),
        (255, "root@mn1: Permission denied (publickey).",
         "mn1: the ssh login was refused: is our key in its authorized_keys?"),
        (255, "ssh: connect to host mn1 port 22: Connection refused",
         "mn1: it refused the ssh connection: no sshd listens there"),
        (127, "bash: line 1: rsync: command not found", "mn1: rsync is not installed there"),
        (23, 'rsync: [sender] opendir "/install/secret" failed: Permission denied (13)',
         "mn1: it may not read /install/secret: permission denied"),
        (23, 'rsync: [sender] change_dir "/install" failed: No such file or directory (2)',
         "mn1: it has no /install"),
        (30, "", "no data came for too long"),
        (12, "rsync error: error in rsync protocol data stream (code 12) at io.c(231)",
         ("the connection broke: rsync error: error in rsync protocol data stream (code 12) "
         "at io.c(231)")),
        (77, "", "exit code 77"),
    ],
)  # fmt: skip
def test_every_failure_has_its_true_sentence(code: int, said: str, sentence: str) -> None:
    assert rsync.explain(code, said, "mn1") == sentence


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("rsync  version 3.2.7  protocol version 31", (3, 2, 7)),
        ("rsync  version v3.1.0  protocol version 31", (3, 1, 0)),
        ("rsync  version 2.6.9  protocol version 29", (2, 6, 9)),
        ("no such thing", None),
    ],
)
def test_versions_are_read(text: str, version: tuple[int, int, int] | None) -> None:
    assert rsync.read_version(text) == version


def test_lines_of_rsync_are_read_with_names_that_hold_blanks() -> None:
    line = rsync.read_line(">f+++++++++ 12 a b\\#012c\n")
    assert line == rsync.Line(">f+++++++++", 12, "a b\\#012c")
    assert line.is_file
    assert line.is_creation
    gone = rsync.read_line("*deleting   0 d1/sub/y\n")
    assert gone is not None
    assert (gone.is_deletion, gone.name) == (True, "d1/sub/y")
    assert rsync.read_line("skipping non-regular file x") is None


def test_a_name_with_signs_of_a_pattern_is_a_pattern_for_itself() -> None:
    assert rsync.pattern("/install/a[1]*?") == r"/install/a\[1\]\*\?"


@given(st.text())
def test_no_text_is_too_strange_for_the_readers(text: str) -> None:
    rsync.read_line(text)
    rsync.read_progress(text)
    copying.read_facts(told(text))
    copying.read_facts(told(copying.MARK + text))


def test_facts_come_back_as_they_were_told() -> None:
    drift = Drift(5.0, 1, 2, 3, ("a", "b"), is_whole=False)
    facts = CopyFacts(1.0, 2, 3, 4, 5, "told", drift, "why?", identical=False)
    assert copying.read_facts(told(f"x\n{copying.facts_line(facts)}\n")) == facts


def test_what_osimages_need_and_no_set_copies_is_told_once() -> None:
    text = (
        "Object name: rhels9-x86_64-install-compute\n"
        "    pkgdir=/install/rhels9/x86_64\n"
        "    otherpkgdir=/data/other,/data/other\n"
        "    template=/opt/xcat/share/xcat/install/rh/compute.rhels9.tmpl\n"
        "    rootimgdir=/netboot/rhels9\n"
        "    synclists=\n"
    )
    assert rsync.read_osimages(text, ("/install/",)) == ("/data/other", "/netboot/rhels9")
    assert rsync.read_osimages(text, ("/install/", "/data/", "/netboot/")) == ()
