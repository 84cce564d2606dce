"""Marking lines: exact, idempotent, and the same as what sed does by hand."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.dialects import jobs, shell
from hamnd.dialects.editing import edited, marked, sha256_of, unmarked
from hamnd.model.work import Edit
from tests.builders import site

PULL = "0 2 * * * rsync -az aixmn1:/install /"
TEXT = f"MAILTO=root\n{PULL}\n0 6 * * * /bin/true\n5 5 * * * scp aixmn1:/x /root"


def edit_of(text: str) -> Edit:
    edit = jobs.disarm_crontab(site(), None, text)
    assert edit is not None
    return edit


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_there_and_back_is_exact_and_doing_it_twice_is_doing_it_once(end: str) -> None:
    edit = edit_of(TEXT + end)
    disarmed = edited(TEXT + end, edit)

    assert disarmed is not None
    assert [one.number for one in edit.lines] == [2, 4]
    assert disarmed.splitlines()[1] == f"#hamnd-fuse# {PULL}"
    assert edited(disarmed, edit) == disarmed
    assert edited(disarmed, jobs.rearm_crontab(edit)) == TEXT + end
    assert edited(TEXT + end, jobs.rearm_crontab(edit)) == TEXT + end


def test_another_text_is_not_edited() -> None:
    assert edited(TEXT + " ", edit_of(TEXT)) is None
    assert edited("", edit_of(TEXT)) is None
    assert edited(TEXT, replace(edit_of(TEXT), lines=())) is None


def test_what_cannot_come_back_as_it_was_is_left_alone() -> None:
    assert jobs.disarm_crontab(site(), None, TEXT + "\n# \ufffd\n") is None
    assert jobs.disarm_crontab(site(), None, "0 6 * * * /bin/true\n") is None


@given(st.text(), st.frozensets(st.integers(1, 9)))
def test_marks_are_taken_away_again(text: str, numbers: frozenset[int]) -> None:
    assert unmarked(marked(text, numbers, "#x# "), numbers, "#x# ") == text


def sh(line: str, text: str, tmp_path: Path) -> str:
    """Run a preview with a crontab that keeps its text in a file."""
    kept, program = tmp_path / "kept", tmp_path / "crontab"
    kept.write_text(text)
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then cat {kept}; '
        f"else cat >{kept}.new; mv {kept}.new {kept}; fi\n"
    )
    program.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", line], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=30, check=False
    )
    assert done.returncode in (0, 1)
    return kept.read_text()


def test_the_line_for_a_shell_does_the_same_and_tells_no_text(tmp_path: Path) -> None:
    edit = edit_of(TEXT + "\n")
    there = shell.preview(edit, site())
    back = shell.preview(jobs.rearm_crontab(edit), site())

    assert there == (
        f"crontab -l | sha256sum | grep -q '^{sha256_of(TEXT + chr(10))}' && crontab -l | "
        "sed -e '2s/^/#hamnd-fuse# /;4s/^/#hamnd-fuse# /' | crontab -"
    )
    disarmed = sh(there, TEXT + "\n", tmp_path)
    assert disarmed == edited(TEXT + "\n", edit)
    assert sh(there, disarmed, tmp_path) == disarmed
    assert sh(there, "0 1 * * * other\n", tmp_path) == "0 1 * * * other\n"
    assert sh(back, disarmed, tmp_path) == TEXT + "\n"
