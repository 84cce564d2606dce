"""The options of sites that copy, and of shared disks: what is refused and what is doubtful."""

from __future__ import annotations

import pytest

from hamnd.settings import load
from tests.unit.settings.configs import QUIET

TABLE = '[replication.db2]\ndatabase = "XCATDB"\ninstance_owner = "xcatdb"\n'
DISK = '[[replication.shared_disk.filesystem]]\ndevice = "/dev/sdb1"\nmountpoint = "/etc/xcat"\n'


def text(engine: str, table: str = "") -> str:
    return QUIET.replace('engine = "db2"', f'engine = "{engine}"').replace(TABLE, table)


@pytest.mark.parametrize("engine", ["sqlite", "dump"])
def test_a_site_that_copies_needs_no_option_of_its_own(engine: str) -> None:
    loaded = load(text(engine))
    assert [problem.line() for problem in loaded.problems] == []
    assert loaded.site is not None
    assert loaded.site.engine == engine


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ('schedule = "every night"', "has 2 fields"),
        ('schedule = "61 * * * *"', '"61" as minute'),
        ("schedule = 5", "is an integer, not a text"),
        ("keep = 1", "is out of range"),
        ("shrink_min = 2", "is out of range"),
        ('directory = "xcat"', "is not an absolute path"),
    ],
)
def test_a_wrong_option_is_refused_with_its_reason(option: str, said: str) -> None:
    refused = load(text("sqlite", f"[replication.sqlite]\n{option}\n"))
    assert [said in problem.line() for problem in refused.errors] == [True]


def test_a_standby_that_would_not_protect_between_two_copies_is_told() -> None:
    loaded = load(text("sqlite", '[replication.sqlite]\nschedule = "0 3 * * *"\n'))
    assert [problem.path for problem in loaded.warnings] == ["replication.sqlite.stale_after_s"]
    assert "longest pause of the schedule (86400 s)" in loaded.warnings[0].line()


def test_a_shared_disk_below_power_off_is_told() -> None:
    loaded = load(text("shared_disk", DISK))
    assert loaded.site is not None
    assert loaded.site.shared_disk.filesystems[0].options == "defaults"
    assert [problem.path for problem in loaded.warnings] == ["fence.minimum"]
    table = '[replication.shared_disk]\nreservation_check = ["mine"]\n'
    assert load(text("shared_disk", table + DISK)).problems == ()


def test_a_reservation_that_nobody_checks_and_a_disk_without_file_systems_are_refused() -> None:
    refused = load(text("shared_disk", '[replication.shared_disk]\nreserve = ["take"]\n'))
    assert sorted(problem.path for problem in refused.errors) == [
        "replication.shared_disk.filesystem",
        "replication.shared_disk.reserve",
    ]


@pytest.mark.parametrize("point", ["/etc/xcat/", "/etc//xcat", "/etc/../xcat", "/etc/x cat"])
def test_a_mount_point_that_no_table_of_mounts_spells_so_is_refused(point: str) -> None:
    """It would be looked for in vain, and a mounted disk be told as free."""
    refused = load(text("shared_disk", DISK.replace("/etc/xcat", point)))
    assert [problem.path.rpartition(".")[2] for problem in refused.errors] == ["mountpoint"]
