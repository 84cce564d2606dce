"""Before there is a loop: the configuration, this host's facts, and the report of a run."""

from __future__ import annotations

import json
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.journal import JournalSettings, SqliteJournal, StateLock
from hamnd.daemon.configuration import difference, fixed_problems, read_configuration
from hamnd.daemon.host import bound_descriptors, free_bytes, read_boot_id
from hamnd.daemon.main import main
from hamnd.daemon.paperwork import write_report
from hamnd.model.instant import Instant
from hamnd.model.names import Phase
from hamnd.model.record import Record
from hamnd.model.site import MetricsSite
from hamnd.model.work import Ending, Exec, Report
from tests.builders import terms

GOOD = """
cluster = "xcat"
node = "mn2"
platform = "linux"
[primary]
name = "mn1"
address = "127.0.0.2"
[standby]
name = "mn2"
address = "127.0.0.1"
[guard]
when_unknown = "hold"
[identity]
mode = "service_address"
[[identity.address]]
interface = "lo"
address = "127.0.0.9"
prefix = 8
name = "xcatmn"
[network]
gateway = "127.0.0.3"
[replication]
engine = "db2"
[replication.db2]
database = "XCATDB"
instance_owner = "nobody-of-this-host"
[paths]
state_dir = "STATE"
socket = "STATE/hamnd.sock"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "hamnd.toml"
    path.write_text(text.replace("STATE", str(folder / "state")))
    return path


def test_a_bad_configuration_ends_with_every_problem_and_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = GOOD.replace('"linux"', '"windows"').replace("[network]", "[network]\ngatewy = 1")
    assert main(["--config", str(write(tmp_path, bad))]) == 2
    told = capsys.readouterr().err
    assert "platform" in told
    assert "gatewy" in told
    assert "nothing was started" in told
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"not = = toml", b"#" * 2_000_000])
def test_an_unreadable_file_is_refused_with_a_sentence(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hamnd.toml"
    if content is not None:
        path.write_bytes(content)
    assert main(["--config", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_what_this_host_lacks_refuses_a_reload_but_never_a_start(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert read_configuration(path, host_decides=True).terms is None
    started = read_configuration(path, host_decides=False)
    assert started.terms is not None
    assert any(problem.is_error for problem in started.problems)


def test_check_says_whether_the_file_can_be_used_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(write(tmp_path, GOOD)), "--check"]) == 2
    assert "nobody-of-this-host" in capsys.readouterr().err


def test_values_that_need_a_restart_refuse_a_reload() -> None:
    old = terms().site
    new = replace(old, node="aixmn1", metrics=MetricsSite("127.0.0.1:1"), gateway="9.114.47.1")
    assert [one.path for one in fixed_problems(old, new)] == ["node", "metrics"]
    assert fixed_problems(old, replace(old, gateway="9.114.47.1")) == ()


def test_a_reload_says_what_changed_and_never_the_values() -> None:
    old = terms()
    new = replace(old, policy=replace(old.policy, down_after_s=9.0))
    assert difference(old, new) == "down_after_s"
    assert difference(old, old) == "nothing changed"


class Who:
    """A runner that answers `who -b`."""

    def __init__(self, said: str, exit_code: int = 0) -> None:
        self.said, self.exit_code = said, exit_code

    async def run(self, request: Exec, timeout_s: float) -> Report:
        now = SystemClock().now()
        return Report(Ending.EXITED, now, now, self.exit_code, self.said)

    async def close(self) -> None:
        return None


async def test_the_boot_id_is_the_kernels_or_made_from_the_time_of_the_boot(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")

    async def told(said: str, code: int = 0, path: str = absent) -> str:
        return await read_boot_id(Who(said, code), "mn2", path)

    kernel = tmp_path / "boot_id"
    kernel.write_text("abc-123\n")
    assert await told("", path=str(kernel)) == "abc-123"
    august = "   .        system boot Aug 25 14:19"
    assert await told(august) == await told("  .    system boot Aug 25 14:19\n")
    assert await told(august) != await told("   .        system boot Aug 26 03:00")
    assert await told("", 1) != await told("", 1)  # cannot tell: a restart counts as a reboot


def test_the_limit_of_open_files_is_brought_into_a_sane_range() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        assert bound_descriptors() == ""
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        assert "instead of 64" in bound_descriptors()
        if hard > 65_536 or hard == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_NOFILE, (65_537, hard))
            assert "65536" in bound_descriptors()
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 65_536
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_free_bytes_of_a_lost_directory_are_none(tmp_path: Path) -> None:
    assert free_bytes(str(tmp_path)) > 0
    assert free_bytes(str(tmp_path / "gone")) == 0


def test_a_report_is_written_whole_for_people_and_for_programs(tmp_path: Path) -> None:
    settings = JournalSettings(tmp_path, "boot-1", reserve_bytes=0)
    lock = StateLock(settings)
    journal = SqliteJournal(settings, lock)
    digest = "7f3a91c2" + "0" * 56
    now = Instant(100.0, 1_795_317_129.0)
    confirmed = Record(Phase.DECISION, "plan_confirmed", "anna", digest, evidence="{}")
    journal.append((confirmed,), None, now)
    try:
        path = write_report(tmp_path, digest)
        again = write_report(tmp_path, digest)
        assert write_report(tmp_path, "0" * 64) is None, "a journal begun anew knows no such run"
    finally:
        journal.close()
        lock.release()
    assert path is not None
    assert path == again == tmp_path / "reports" / "7f3a91c20000.md"
    assert path.read_text()
    assert json.loads(path.with_suffix(".json").read_text())["schema"] == "hamnd.report/1"
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "7f3a91c20000.html",
        "7f3a91c20000.json",
        "7f3a91c20000.md",
    ]
