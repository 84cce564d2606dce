"""Looking: status, ready, explain, witnesses, with and without a daemon."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hamnd.cli import session
from hamnd.model.site import Paths
from tests.builders import pair
from tests.unit.cli.conftest import Hamnctl, in_terminal
from tests.unit.cli.fake_daemon import FakeDaemon

HEAVY = ("aiohttp", "asyncio", "rich", "cattrs", "transitions", "hamnd.core", "dataclasses")


def test_status_shows_the_verdict_first(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().in_peer())
    ended = hamnctl("status")
    assert ended.code == 0
    assert ended.out.startswith("aixmn2 is STANDBY and protects aixmn1.")
    assert ended.err == ""
    assert "\x1b" not in ended.out


def test_json_is_the_document_itself(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().primary_down())
    before, after = hamnctl("--json", "status"), hamnctl("status", "--json")
    assert json.loads(before.out) == json.loads(after.out) == daemon.looks["status"][1]


def test_a_chunked_answer_is_read_too(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().in_peer())
    daemon.chunked = True
    assert json.loads(hamnctl("status", "--json").out) == daemon.looks["status"][1]


def test_ready_exits_0_only_when_a_takeover_would_work(
    hamnctl: Hamnctl, daemon: FakeDaemon
) -> None:
    daemon.shows(pair().in_peer())
    assert hamnctl("ready").code == 0
    daemon.shows(pair().not_ready())
    ended = hamnctl("ready")
    assert ended.code == 3
    assert "NOT READY" in ended.out
    assert "consoles" in ended.out
    daemon.shows(pair().in_peer().observe_only())
    assert hamnctl("ready", "--json").code == 3


def test_explain_knows_conditions_and_steps_by_name(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().not_ready())
    assert "What would change it" in hamnctl("explain").out
    assert "makeconservercf not found" in hamnctl("explain", "consoles").out
    ended = hamnctl("explain", "ReplicationPear")
    assert ended.code == 2
    assert "ReplicationPeer" in ended.err


def test_witnesses_are_listed(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().link_cut())
    ended = hamnctl("witnesses")
    assert ended.code == 0
    assert ended.out.startswith("4 of 4 service nodes reach aixmn1.")


@pytest.mark.parametrize("command", ["status", "ready", "explain", "witnesses", "confirm"])
def test_with_neither_daemon_nor_journal_it_says_so_and_exits_6(
    hamnctl: Hamnctl, command: str
) -> None:
    ended = hamnctl(command)
    assert ended.code == 6
    assert ended.out == ""
    assert "hamnd does not answer" in ended.err
    assert "Traceback" not in ended.err


def test_a_socket_that_nobody_listens_on_is_unreachable(hamnctl: Hamnctl) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(hamnctl.socket))
    ended = hamnctl("explain")
    assert ended.code == 6
    assert "nobody listens there" in ended.err


@pytest.fixture
def silent_daemon(hamnctl: Hamnctl) -> Iterator[socket.socket]:
    """A daemon that accepts no connection and answers none: what SIGSTOP makes of one."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(hamnctl.socket))
        listening.listen(1)
        yield listening


@pytest.mark.usefixtures("silent_daemon")
class TestADaemonThatHangs:
    """Who does not answer is named, with what leads on; what the journal knows is told."""

    def test_status_is_told_from_the_journal(self, hamnctl: Hamnctl) -> None:
        hamnctl.write_journal()
        ended = hamnctl("status")
        told = " ".join(ended.out.split())
        assert ended.code == 0
        assert told.startswith("OLD: ")
        assert f"hamnd (process {os.getpid()}) at" in told
        assert "did not answer: nothing came within 5 s" in told
        assert "hangs or is stopped, and a restart runs no step again" in told
        assert "systemctl restart hamnd" in ended.out

    def test_ready_is_not_known(self, hamnctl: Hamnctl) -> None:
        hamnctl.write_journal()
        ended = hamnctl("ready")
        assert ended.code == 3
        assert "nothing came within 5 s" in " ".join(ended.out.split())
        assert "systemctl restart hamnd" in ended.out

    @pytest.mark.parametrize("command", ["explain", "status"])
    def test_without_a_journal_it_is_unreachable(self, hamnctl: Hamnctl, command: str) -> None:
        ended = hamnctl(command)
        assert ended.code == 6
        assert "nothing came within 5 s" in ended.err
        assert "systemctl restart hamnd" in ended.err

    def test_its_queue_may_be_full(self, hamnctl: Hamnctl) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    waiting.connect(str(hamnctl.socket))
            ended = hamnctl("explain")
        assert ended.code == 6
        assert "takes no more connections" in ended.err
        assert "systemctl restart hamnd" in ended.err


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_what_does_not_answer_like_hamnd_is_not_believed(
    hamnctl: Hamnctl, daemon: FakeDaemon, raw: bytes
) -> None:
    daemon.raw = raw
    ended = hamnctl("explain")
    assert ended.code == 6
    assert "Traceback" not in ended.err


def test_the_path_of_the_socket_can_be_given(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().in_peer())
    path = str(hamnctl.socket)
    hamnctl.environment["HAMND_SOCKET"] = "/nowhere/at/all"
    assert hamnctl("explain").code == 6
    assert hamnctl("--socket", path, "explain").code == 0
    assert hamnctl("explain", "--socket", path).code == 0


def test_built_in_paths_are_those_of_the_configuration() -> None:
    assert Paths().socket == session.SOCKET
    assert Paths().state_dir == session.STATE_DIR


def test_status_loads_nothing_heavy(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    """The budget of 150 ms is kept by what is not imported."""
    daemon.shows(pair().in_peer())
    hamnctl.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    ended = hamnctl("status")
    loaded = set(re.findall(r"\| +([\w.]+)$", ended.err, re.MULTILINE))
    assert "hamnd.views.status_screen" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_watch_draws_every_change_and_ends_quietly(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().in_peer())
    daemon.watch.append(_status(daemon, "Degraded"))
    with subprocess.Popen(
        [sys.executable, "-m", "hamnd.cli.main", "status", "--watch"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=hamnctl.surroundings(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        seen = b""
        while b"Degraded" not in seen:
            line = process.stdout.readline()
            assert line
            seen += line
        process.send_signal(2)
        _, err = process.communicate(timeout=30)
    assert b"protects aixmn1" in seen
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_watching_a_run_shows_its_steps_as_who_confirmed_it_sees_them(
    hamnctl: Hamnctl, daemon: FakeDaemon
) -> None:
    daemon.shows(pair().taking_over("xcatd"))
    with subprocess.Popen(
        [sys.executable, "-m", "hamnd.cli.main", "status", "--watch"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=hamnctl.surroundings(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        seen = b""
        while b"NEXT" not in seen:
            line = process.stdout.readline()
            assert line
            seen += line
        process.send_signal(2)
        process.communicate(timeout=30)
    for words in (b"TAKEOVER 7f3a-91c2 on aixmn2", b" * promote ", b" > xcatd ", b"dns"):
        assert words in seen


def _status(daemon: FakeDaemon, state: str) -> dict[str, object]:
    return {**daemon.looks["status"][1], "state": state}


def test_a_closed_pipe_is_quiet(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().in_peer())
    command = f"{sys.executable} -m hamnd.cli.main status | true"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, env=hamnctl.surroundings(), check=False
    )
    assert done.stderr == b""


def test_colour_is_for_terminals_and_repeats_the_words(
    hamnctl: Hamnctl, daemon: FakeDaemon
) -> None:
    daemon.shows(pair().primary_down())
    plain = hamnctl("status").out
    code, drawn = in_terminal(hamnctl, "status")
    assert code == 0
    assert "\x1b[" in drawn
    assert re.sub(r"\x1b\[[0-9;]*m", "", drawn).replace("\r\n", "\n") == plain


@pytest.mark.parametrize("setting", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_is_honoured(
    hamnctl: Hamnctl, daemon: FakeDaemon, setting: tuple[str, str]
) -> None:
    daemon.shows(pair().primary_down())
    hamnctl.environment[setting[0]] = setting[1]
    _, drawn = in_terminal(hamnctl, "status")
    assert "\x1b" not in drawn
    assert "is DOWN since" in drawn


def test_a_narrow_code_page_loses_no_mark(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    """A sign that cannot be shown must not become `?`, which means unknown."""
    daemon.shows(pair().in_peer())
    hamnctl.environment["PYTHONIOENCODING"] = "ascii"
    ended = hamnctl("status")
    assert ended.code == 0
    assert "connected | log gap" in ended.out


def test_what_a_tool_said_drives_no_terminal(hamnctl: Hamnctl, daemon: FakeDaemon) -> None:
    daemon.shows(pair().in_peer())
    document = daemon.looks["status"][1]
    document["headline"] = ["evil \x1b]0;title\x07 words"]
    document["because"] = "a\x1b[2Jb"
    document["state"] = "Degraded"
    ended = hamnctl("status")
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out


class TestUsage:
    """What is wrong on the command line is exit 2, and help is help."""

    def test_no_command_prints_help(self, hamnctl: Hamnctl) -> None:
        ended = hamnctl()
        assert ended.code == 2
        assert "COMMAND" in ended.err

    @pytest.mark.parametrize(
        "arguments", [["statsu"], ["status", "--jsn"], ["plan"], ["skip", "dhcp"], ["status", "x"]]
    )
    def test_wrong_usage(self, hamnctl: Hamnctl, arguments: list[str]) -> None:
        ended = hamnctl(*arguments)
        assert ended.code == 2
        assert "usage: hamnctl" in ended.err

    def test_every_command_has_help_with_an_example(self, hamnctl: Hamnctl) -> None:
        from hamnd.cli.main import COMMANDS

        listed = hamnctl("--help")
        assert listed.code == 0
        for name, (_, does, example) in COMMANDS.items():
            assert name in listed.out
            assert does.split()[0][0].isupper()
            assert name in example

    @pytest.mark.parametrize("command", ["plan", "confirm", "check-config"])
    def test_help_of_a_command_ends_with_its_example(self, hamnctl: Hamnctl, command: str) -> None:
        ended = hamnctl(command, "--help")
        assert ended.code == 0
        assert ended.out.rstrip().splitlines()[-1].startswith("example: ")


def test_the_journal_answers_without_a_daemon_and_says_its_age(hamnctl: Hamnctl) -> None:
    hamnctl.write_journal()
    ended = hamnctl("status")
    assert ended.code == 0
    assert ended.out.startswith("OLD: ")
    document = json.loads(hamnctl("status", "--json").out)
    assert document["source"] == "journal"
    assert document["ready"] is False
    ready = hamnctl("ready")
    assert ready.code == 3
    assert ready.out.startswith("NOT KNOWN")
