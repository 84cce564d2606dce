"""history and report read the journal alone; check-config and parse judge a text."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hamnd.cli import checking
from hamnd.journal import JOURNAL_NAME
from hamnd.settings import SCHEMA
from hamnd.settings.sample import render_sample
from tests.unit.cli.conftest import Hamnctl

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "db2"


def test_history_tells_the_night(hamnctl: Hamnctl) -> None:
    hamnctl.write_journal()
    ended = hamnctl("history")
    assert ended.code == 0
    assert "PrimaryDown -> TakingOver because the operator confirmed this plan" in ended.out
    assert "-- 2026-11-22 (UTC)" in ended.out
    last = hamnctl("history", "--last", "1").out
    assert "actual loss" in last
    assert "Peer" not in last


def test_history_as_json_has_every_field(hamnctl: Hamnctl) -> None:
    hamnctl.write_journal(until="confirmed")
    document = json.loads(hamnctl("history", "--json", "--all").out)
    assert document["schema"] == "hamnd.history/1"
    assert document["entries"][-1]["what"] == "plan_confirmed"


def test_verify_proves_that_nobody_changed_the_journal(hamnctl: Hamnctl) -> None:
    hamnctl.write_journal()
    whole = hamnctl("history", "--verify")
    assert whole.code == 0
    assert "their chain is whole" in whole.out
    database = sqlite3.connect(hamnctl.folder / JOURNAL_NAME)
    database.execute("DROP TRIGGER IF EXISTS journal_is_append_only")
    for (name,) in database.execute(
        "SELECT name FROM sqlite_master WHERE type='trigger'"
    ).fetchall():
        database.execute(f"DROP TRIGGER {name}")
    database.execute("UPDATE journal SET actor = 'mallory' WHERE seq = 7")
    database.commit()
    database.close()
    broken = hamnctl("history", "--verify")
    assert broken.code == 1
    assert "record 7 does not match its hash" in broken.out


def test_report_is_that_of_the_latest_run_or_of_an_id(hamnctl: Hamnctl) -> None:
    hamnctl.write_journal()
    ended = hamnctl("report")
    assert ended.code == 0
    assert "managing again" in ended.out
    assert hamnctl("report", "7f3a").out == ended.out
    assert hamnctl("report", "7F3A91C2").out == ended.out
    assert json.loads(hamnctl("report", "--json").out)["schema"] == "hamnd.report/1"
    assert hamnctl("report", "--markdown").out.startswith("# Takeover 2026-11-22")


def test_report_of_what_never_was(hamnctl: Hamnctl) -> None:
    hamnctl.write_journal(until="down")
    assert hamnctl("report").code == 1
    hamnctl.write_journal()
    ended = hamnctl("report", "dead-beef")
    assert ended.code == 1
    assert "known: 7f3a-91c2" in ended.err


@pytest.mark.parametrize("command", ["history", "report"])
def test_without_a_journal_it_is_exit_6(hamnctl: Hamnctl, command: str) -> None:
    ended = hamnctl(command)
    assert ended.code == 6
    assert "there is no journal" in ended.err


def test_a_damaged_journal_is_named_with_the_way_out(hamnctl: Hamnctl) -> None:
    (hamnctl.folder / JOURNAL_NAME).write_bytes(b"this is no database" * 100)
    ended = hamnctl("history")
    assert ended.code == 1
    assert "hamnctl journal restart --reason" in ended.err
    assert "Traceback" not in ended.err


class TestCheckConfig:
    """All problems at once; warnings leave exit 0."""

    def test_a_good_file(self, hamnctl: Hamnctl) -> None:
        path = hamnctl.folder / "good.toml"
        path.write_text(render_sample(SCHEMA), encoding="utf-8")
        ended = hamnctl("check-config", str(path))
        assert ended.code == 0, ended.out
        assert "good" in ended.out

    def test_all_problems_at_once(self, hamnctl: Hamnctl) -> None:
        path = hamnctl.folder / "bad.toml"
        path.write_text('platform = "solaris"\nunknown_key = 1\n', encoding="utf-8")
        ended = hamnctl("check-config", str(path))
        assert ended.code == 2
        assert "platform" in ended.out
        assert "unknown_key" in ended.out
        document = json.loads(hamnctl("check-config", "--json", str(path)).out)
        assert document["ok"] is False
        assert len(document["problems"]) >= 2

    def test_here_also_looks_at_this_host(self, hamnctl: Hamnctl) -> None:
        path = hamnctl.folder / "good.toml"
        path.write_text(render_sample(SCHEMA), encoding="utf-8")
        ended = hamnctl("check-config", "--here", str(path))
        assert ended.code == 2
        assert "error: " in ended.out

    def test_text_from_standard_input(self, hamnctl: Hamnctl) -> None:
        assert hamnctl("check-config", "-", stdin="not [ toml").code == 2

    def test_a_missing_file(self, hamnctl: Hamnctl) -> None:
        ended = hamnctl("check-config", str(hamnctl.folder / "none.toml"))
        assert ended.code == 2
        assert "No such file" in ended.err


class TestParse:
    """JSON always; exit 0 only for one complete status."""

    @pytest.mark.parametrize("kind", ["db2pd", "snapshot", "dbcfg"])
    def test_rubbish_is_a_document_and_exit_1(self, hamnctl: Hamnctl, kind: str) -> None:
        ended = hamnctl("parse", kind, stdin=b"\xff\x00 rubbish \xc3")
        assert ended.code == 1
        assert json.loads(ended.out)["verdict"] == "unparseable"

    def test_nothing_at_all(self, hamnctl: Hamnctl) -> None:
        ended = hamnctl("parse", "db2pd", "--json", "-")
        assert ended.code == 1
        assert json.loads(ended.out)["schema"] == "hamnd.parse/1"

    def test_a_complete_status(self, hamnctl: Hamnctl) -> None:
        texts = sorted((SAMPLES / "db2pd").glob("*peer.txt"))
        ended = hamnctl("parse", "db2pd", str(texts[0]))
        assert ended.code == 0, ended.out
        assert json.loads(ended.out)["verdict"] == "ok"

    @pytest.mark.parametrize("kind", ["db2pd", "snapshot", "dbcfg"])
    @pytest.mark.parametrize(("name", "reason"), [("none", "No such file"), ("", "Is a directory")])
    def test_what_cannot_be_read_is_a_document_too(
        self, hamnctl: Hamnctl, kind: str, name: str, reason: str
    ) -> None:
        ended = hamnctl("parse", kind, str(hamnctl.folder / name))
        assert ended.code == 1
        document = json.loads(ended.out)
        assert (document["kind"], document["verdict"]) == (kind, "unparseable")
        (problem,) = document["problems"]
        assert reason in problem

    @pytest.mark.parametrize("kind", ["db2pd", "snapshot", "dbcfg"])
    def test_more_than_any_tool_prints_is_a_document_too(self, hamnctl: Hamnctl, kind: str) -> None:
        ended = hamnctl("parse", kind, stdin=b"x" * (checking.TEXT_BYTES_MAX + 1))
        assert ended.code == 1
        document = json.loads(ended.out)
        assert document["verdict"] == "unparseable"
        assert any("larger than" in problem for problem in document["problems"])

    def test_without_standard_input_there_is_a_document(self, hamnctl: Hamnctl) -> None:
        command = [sys.executable, "-m", "hamnd.cli.main", "parse", "db2pd"]
        shell = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
        done = subprocess.run(
            shell, capture_output=True, env=hamnctl.surroundings(), timeout=30, check=False
        )
        assert done.returncode == 1
        assert "closed" in json.loads(done.stdout)["problems"][0]
