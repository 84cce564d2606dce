"""Crontabs that are files: read byte by byte, disarmed and given back exactly, or named."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hamnd.dialects import cronfiles
from hamnd.dialects.editing import edited, sha256_of
from hamnd.dialects.jobs import rearm_crontab
from hamnd.model.names import Verdict
from hamnd.model.work import Ending, Exec
from tests.builders import site
from tests.unit.dialects.reports import ended, exited

PULL = "0 2 * * * root rsync -az aixmn1:/install /\n"
QUIET = "# m h dom mon dow user\n17 * * * * root run-parts /etc/cron.hourly\n"


def told(*files: tuple[str, str]) -> str:
    """What the script prints of files by their text."""
    parts = []
    for path, text in files:
        lines = text.removesuffix("\n").split("\n")
        parts.append(f"={sha256_of(text)} {path}\n" + "".join(f"+{line}\n" for line in lines))
    return "".join(parts)


def read(*files: tuple[str, str]) -> tuple[cronfiles.CronFile, ...]:
    found = cronfiles.parse_files(exited(0, told(*files)))
    assert found is not None
    return found


def test_a_dangerous_line_is_disarmed_and_given_back_to_the_byte() -> None:
    text = QUIET + PULL.removesuffix("\n")  # no newline at its end
    quiet, file = read(("/etc/crontab", QUIET), ("/etc/cron.d/sync", text))
    assert not cronfiles.is_dangerous(site(), quiet)
    assert cronfiles.disarm(site(), quiet) is None
    edit = cronfiles.disarm(site(), file)
    assert edit is not None
    assert edit.tells == ("cat", "/etc/cron.d/sync")
    assert edited(text, edit) == QUIET + "#hamnd-fuse# " + PULL.removesuffix("\n")
    assert edited(edited(text, edit) or "", rearm_crontab(edit)) == text
    assert [one.number for one in edit.lines] == [3]


def test_the_user_before_the_command_is_no_command() -> None:
    (file,) = read(("/etc/crontab", "0 2 * * * rsync true\n"))
    assert not cronfiles.is_dangerous(site(), file)


def test_what_is_not_the_text_of_its_hash_is_named_and_never_written() -> None:
    text = told(("/etc/cron.d/sync", PULL)).replace("rsync -az", "rsync -a")
    found = cronfiles.parse_files(exited(0, text))
    assert found is not None
    assert cronfiles.is_dangerous(site(), found[0])
    assert cronfiles.disarm(site(), found[0]) is None


def test_files_that_could_not_be_read_are_not_known_to_be_harmless() -> None:
    assert cronfiles.parse_files(exited(2, "")) is None
    assert cronfiles.parse_files(ended(Ending.TIMED_OUT)) is None
    assert cronfiles.read_readable(exited(2, "rsync --password=x", "denied")).verdict is (
        Verdict.UNKNOWN
    )
    secret = cronfiles.read_readable(exited(2, "rsync --password=hunter2"))
    assert "hunter2" not in secret.sentence


def test_the_script_reads_files_with_and_without_a_newline_at_their_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(PULL)
    (tmp_path / "b").write_text(QUIET + "no newline")
    (tmp_path / "c").write_text("")
    request = cronfiles.files(site()).request
    assert isinstance(request, Exec)
    argv = [*request.argv[:4], str(tmp_path / "a"), str(tmp_path), "/nowhere"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = cronfiles.parse_files(exited(0, done.stdout))
    assert found is not None
    assert [(one.path.rpartition("/")[2], one.text) for one in found] == [
        ("a", PULL), ("a", PULL), ("b", QUIET + "no newline"), ("c", ""),
    ]  # fmt: skip
