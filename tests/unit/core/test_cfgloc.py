"""xCAT's database file: what it names, and whether xcatd would find its database after a takeover.

Owns condition CfglocMatches. That the password is cut off at its source is tested with a real file.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hamnd.core.health.cfgloc import cfgloc_matches
from hamnd.dialects.cfgloc import Cfgloc, connection, parse_cfgloc
from hamnd.model.names import Status
from hamnd.model.site import DumpSite, IdentityMode, PostgresSite
from hamnd.model.work import Ending, Exec, Report
from tests.unit.core.builders import at, site, terms

PG = site(engine="postgresql", postgresql=PostgresSite())


def told_by(line: str) -> Report:
    return Report(Ending.EXITED, at(0), at(0.1), 0, line)


def judged(line: str, where: object = PG) -> tuple[Status, str]:
    found = cfgloc_matches(told_by(line), at(1), terms(where))  # type: ignore[arg-type]
    assert found is not None
    assert found.type == "CfglocMatches"
    return found.status, found.reason


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Pg:dbname=xcatdb;host=10.1.0.1\n", Cfgloc("postgresql", "xcatdb", "10.1.0.1")),
        ("mysql:dbname=xcatdb;host=mn\n", Cfgloc("mariadb", "xcatdb", "mn")),
        ("DB2:XCATDB\n", Cfgloc("db2", "XCATDB", "")),
        ("SQLite:/etc/xcat\n", Cfgloc("sqlite", "/etc/xcat", "")),
        ("SQLite:\n", Cfgloc("sqlite", "", "")),
        ("Oracle:dbname=x\n", Cfgloc("Oracle", "x", "")),
    ],
)
def test_each_engine_has_its_word(line: str, told: Cfgloc) -> None:
    assert parse_cfgloc(told_by(line)) == told


def test_what_is_no_such_line_is_not_guessed_at() -> None:
    for text in ("", "\n", "what is this", "a b:c"):
        assert judged(text) == (Status.UNKNOWN, "Unreadable")


def test_the_database_that_is_dumped_is_the_one_that_xcatd_opens() -> None:
    dumps = site(engine="dump", dump=DumpSite(database="xcatdb"))
    assert judged("Pg:dbname=xcatdb\n", dumps) == (Status.TRUE, "Matches")
    assert judged("Pg:dbname=another\n", dumps) == (Status.FALSE, "OtherDatabase")


def test_the_movable_address_is_right_and_the_old_primarys_own_is_wrong() -> None:
    """The whole point: by day both work, at night only one."""
    assert judged("Pg:dbname=xcatdb;host=9.114.47.110\n") == (Status.TRUE, "Matches")
    assert judged("Pg:dbname=xcatdb;host=xcatmn\n") == (Status.TRUE, "Matches")
    assert judged("Pg:dbname=xcatdb\n") == (Status.TRUE, "Matches"), "its own socket"
    assert judged("Pg:dbname=xcatdb;host=9.114.47.103\n") == (Status.FALSE, "OtherHost")
    assert judged("Pg:dbname=xcatdb;host=aixmn1\n") == (Status.FALSE, "OtherHost")


def test_in_mode_primary_address_the_primarys_own_is_right_and_ours_ends() -> None:
    where = site(
        engine="postgresql", postgresql=PostgresSite(), identity_mode=IdentityMode.PRIMARY_ADDRESS
    )
    assert judged("Pg:dbname=xcatdb;host=9.114.47.103\n", where) == (Status.TRUE, "Matches")
    assert judged("Pg:dbname=xcatdb;host=9.114.47.104\n", where) == (Status.FALSE, "OtherHost")


def test_another_engine_or_database_is_told() -> None:
    assert judged("SQLite:\n") == (Status.FALSE, "OtherEngine")
    assert judged("Pg:dbname=other;host=xcatmn\n") == (Status.FALSE, "OtherDatabase")
    assert judged("DB2:xcatdb\n", site()) == (Status.TRUE, "Matches")
    dumped = site(engine="dump")
    assert judged("Pg:dbname=xcatdb\n", dumped) == (Status.TRUE, "Matches")
    assert judged("SQLite:\n", site(engine="sqlite")) == (Status.TRUE, "Matches")
    assert judged("SQLite:\n", site(engine="shared_disk")) == (Status.TRUE, "Matches")


def test_the_password_never_leaves_its_file(tmp_path: Path) -> None:
    file = tmp_path / "cfgloc"
    file.write_text("Pg:dbname=xcatdb;host=mn|xcatadm|se|cret\nse cret\n")
    request = connection(site(cfgloc=str(file))).request
    assert isinstance(request, Exec)
    told = subprocess.run(request.argv, capture_output=True, text=True, check=True).stdout
    assert told == "Pg:dbname=xcatdb;host=mn\n"
    file.unlink()
    absent = subprocess.run(request.argv, check=True, capture_output=True, text=True)
    assert absent.stdout == "SQLite:\n"
