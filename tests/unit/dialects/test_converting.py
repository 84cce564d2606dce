"""The host in cfgloc, changed and put back by the very commands that a plan shows."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hamnd.dialects import converting
from hamnd.model.work import Action, Exec
from tests.builders import site

OLD, NEW = "9.114.47.103", "9.114.47.110"
LINES = {
    "postgresql": "Pg:dbname=xcatdb;host={}|xcatadm|a|b/c&d",
    "mariadb": "mysql:dbname=xcatdb;host={}|xcatadmin|cluster",
    "with a port": "mysql:dbname=xcatdb;host={};port=3306|xcatadmin|host=1.2.3.4",
}


@pytest.fixture
def cfgloc(tmp_path: Path) -> Path:
    return tmp_path / "cfgloc"


def ran(action: Action) -> int:
    assert isinstance(action.request, Exec)
    return subprocess.run(action.request.argv, check=False, capture_output=True).returncode


def there(cfgloc: Path) -> Action:
    return converting.rehost(replace(site(), cfgloc=str(cfgloc)), "aixmn1", NEW)


def back(cfgloc: Path) -> Action:
    return converting.rehost_back(replace(site(), cfgloc=str(cfgloc)), "aixmn1", NEW)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_the_host_alone_changes_and_comes_back(cfgloc: Path, line: str) -> None:
    cfgloc.write_text(line.format(OLD) + "\n")
    cfgloc.chmod(0o600)
    for _ in range(2):  # a retry finds it done
        assert ran(there(cfgloc)) == 0
        assert cfgloc.read_text() == line.format(NEW) + "\n"
    assert cfgloc.stat().st_mode & 0o777 == 0o600
    assert ran(back(cfgloc)) == 0
    assert cfgloc.read_text() == line.format(OLD) + "\n"
    assert [one.name for one in cfgloc.parent.iterdir()] == ["cfgloc"]


def test_what_an_earlier_move_left_does_not_come_back_over_another_password(cfgloc: Path) -> None:
    cfgloc.write_text(LINES["mariadb"].format(OLD))
    assert ran(there(cfgloc)) == 0
    later = LINES["mariadb"].format(NEW).replace("cluster", "changed")
    cfgloc.write_text(later)
    assert ran(there(cfgloc)) == 0
    assert ran(back(cfgloc)) == 0
    assert cfgloc.read_text() == later


def test_without_the_file_nothing_is_made(cfgloc: Path) -> None:
    assert ran(there(cfgloc)) == 1
    assert not list(cfgloc.parent.iterdir())
