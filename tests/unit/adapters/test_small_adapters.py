"""Files, world, supervisor, scheduler, logs."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog

from hamnd.adapters.clock import SystemClock
from hamnd.adapters.files import FILE_BYTES_MAX, LocalFiles
from hamnd.adapters.logs import configure_logs
from hamnd.adapters.process import LocalRunner
from hamnd.adapters.reach import SocketReacher
from hamnd.adapters.scheduler import TickSource, cron_trigger
from hamnd.adapters.supervisor import NoSupervisor, find_supervisor
from hamnd.adapters.world import Adapters, RoutingWorld
from hamnd.dialects import jobs
from hamnd.dialects.readers import read_action
from hamnd.dialects.schedule import NoSchedule
from hamnd.model.names import Probe, Verdict
from hamnd.model.work import Action, Edit, Ending, Exec, Fence, Look, Reach, Read, Report
from hamnd.ports import CommandRunner, World
from tests.builders import site

CLOCK = SystemClock()


async def read(path: Path | str) -> Report:
    return await LocalFiles(CLOCK).read(Read("aixmn2", str(path)), 5)


async def test_a_file_comes_back_as_text(tmp_path: Path) -> None:
    path = tmp_path / "loads"
    path.write_bytes(b"a\xffb\n")
    report = await read(path)
    assert (report.exit_code, report.stdout, report.truncated) == (0, "a\ufffdb\n", False)
    assert (await read("/proc/self/stat")).stdout


async def test_a_large_file_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (FILE_BYTES_MAX + 5))
    report = await read(path)
    assert (len(report.stdout), report.truncated) == (FILE_BYTES_MAX, True)


async def test_what_is_no_readable_file_is_exit_1_with_a_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "none", tmp_path, tmp_path / "fifo", "with\0nul"):
        report = await read(path)
        assert (report.ending, report.exit_code) == (Ending.EXITED, 1)
        assert report.stderr


class FarRunner:
    """Stands for ssh to another host."""

    def __init__(self) -> None:
        self.requests: list[Exec] = []

    async def run(self, request: Exec, timeout_s: float) -> Report:
        self.requests.append(request)
        return Report(Ending.EXITED, CLOCK.now(), CLOCK.now(), exit_code=0, stdout="far")

    async def close(self) -> None:
        """Nothing is open."""


def world(far: FarRunner) -> World:
    runners: dict[str, CommandRunner] = {
        "aixmn2": LocalRunner(CLOCK, "/usr/bin:/bin", "root"),
        "aixmn1": far,
    }
    return RoutingWorld("aixmn2", Adapters(runners, SocketReacher(CLOCK), LocalFiles(CLOCK)), CLOCK)


def look_at(request: Exec | Reach | Read) -> Look:
    return Look(request, "shell.exit_zero", "anything")


async def test_every_request_goes_to_the_host_it_names(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("here")
    far = FarRunner()
    it = world(far)
    assert (await it.look(look_at(Read("aixmn2", str(tmp_path / "here"))))).stdout == "here"
    assert (await it.look(look_at(Read("aixmn1", "/etc/hosts")))).stdout == "far"
    assert (await it.perform(Action(Exec("aixmn2", ("echo", "near"))), 5)).stdout == "near\n"
    assert (await it.perform(Action(Exec("aixmn1", ("echo", "x"))), 5)).stdout == "far"
    assert [request.argv for request in far.requests] == [("cat", "/etc/hosts"), ("echo", "x")]
    reach = await it.look(look_at(Reach("aixmn1", "127.0.0.1", Probe.PING)))
    assert reach.ending is Ending.COULD_NOT_RUN


async def test_what_nobody_is_responsible_for_could_not_run() -> None:
    it = world(FarRunner())
    assert (await it.perform(Action(Exec("sn09", ("true",))), 5)).ending is Ending.COULD_NOT_RUN
    assert (await it.perform(Action(Fence("aixmn1", "off")), 5)).ending is Ending.COULD_NOT_RUN


CRONTAB = "0 2 * * * RSYNC_PASSWORD=hunter2 rsync -az aixmn1:/install /\n"


def kept(tmp_path: Path, takes: str = 'cat >"$1".new && mv "$1".new "$1"') -> tuple[Path, Edit]:
    """A crontab in a file, and the edit that disarms it."""
    path = tmp_path / "kept"
    path.write_text(CRONTAB)
    edit = jobs.disarm_crontab(site(), None, CRONTAB)
    assert edit is not None
    tells = ("cat", str(path))
    return path, replace(edit, tells=tells, takes=("sh", "-c", takes, "take", str(path)))


async def test_a_crontab_is_edited_once_and_no_report_tells_its_text(tmp_path: Path) -> None:
    path, edit = kept(tmp_path)
    it = world(FarRunner())
    there = [await it.perform(Action(edit), 10) for _ in range(2)]
    assert path.read_text() == "#hamnd-fuse# " + CRONTAB
    back = await it.perform(Action(jobs.rearm_crontab(edit)), 10)
    assert path.read_text() == CRONTAB
    assert [report.exit_code for report in (*there, back)] == [0, 0, 0]
    assert "hunter2" not in repr((there, back))


async def test_a_crontab_that_somebody_changed_is_left_alone(tmp_path: Path) -> None:
    path, edit = kept(tmp_path)
    path.write_text(CRONTAB + "# mine\n")
    report = await world(FarRunner()).perform(Action(edit), 10)
    assert read_action(Action(edit), report).verdict is Verdict.BLOCK
    assert "changed since the plan" in report.stderr
    assert path.read_text() == CRONTAB + "# mine\n"


async def test_a_crontab_that_cannot_be_read_is_not_edited(tmp_path: Path) -> None:
    path, edit = kept(tmp_path)
    for tells in (("cat", str(path) + "-none"), ("sleep", "60"), ("/none/crontab", "-l")):
        action = Action(replace(edit, tells=tells))
        report = await world(FarRunner()).perform(action, 0.5)
        assert report.ending is Ending.COULD_NOT_RUN
        assert "nothing was changed" in read_action(action, report).sentence
    assert path.read_text() == CRONTAB


async def test_an_edit_that_fails_says_so_without_the_text(tmp_path: Path) -> None:
    path, edit = kept(tmp_path, takes="cat >&2; echo 'bad minute' >&2; exit 3")
    report = await world(FarRunner()).perform(Action(edit), 10)
    assert read_action(Action(edit), report).verdict is Verdict.BLOCK
    assert "bad minute" in report.stderr
    assert "hunter2" not in repr(report)
    slow = replace(edit, takes=("sleep", "60"))
    late = await world(FarRunner()).perform(Action(slow), 0.5)
    assert read_action(Action(slow), late).verdict is Verdict.UNKNOWN
    assert path.read_text() == CRONTAB


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told_by_datagram(tmp_path: Path, is_abstract: bool) -> None:
    name = f"@hamnd-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if is_abstract else name)
        systemd.settimeout(5)
        supervisor = find_supervisor({"NOTIFY_SOCKET": name}, CLOCK)
        before = CLOCK.now().monotonic_s
        supervisor.ready()
        supervisor.status("Peer:\nall is well")
        supervisor.alive()
        supervisor.reloading()
        supervisor.stopping()
        heard = [systemd.recv(4096).decode() for _ in range(5)]
    assert heard[:3] == ["READY=1", "STATUS=Peer: all is well", "WATCHDOG=1"]
    reloading, _, microseconds = heard[3].partition("\nMONOTONIC_USEC=")
    assert reloading == "RELOADING=1"
    assert before <= int(microseconds) / 1e6 + 1e-5 <= CLOCK.now().monotonic_s + 1e-5
    assert heard[4] == "STOPPING=1"


def test_a_supervisor_that_went_away_stops_nothing(tmp_path: Path) -> None:
    find_supervisor({"NOTIFY_SOCKET": str(tmp_path / "none")}, CLOCK).ready()
    assert isinstance(find_supervisor({}, CLOCK), NoSupervisor)
    find_supervisor({}, CLOCK).ready()


async def test_ticks_come_in_the_event_loop_and_change_their_rhythm() -> None:
    ticks: asyncio.Queue[str] = asyncio.Queue()
    source = TickSource(SystemClock())
    source.every("reach", 0.05, lambda: ticks.put_nowait("reach"))
    source.every("replication", 3600, lambda: ticks.put_nowait("replication"))
    source.start()
    try:
        async with asyncio.timeout(5):
            assert [await ticks.get() for _ in range(3)] == ["reach"] * 3
            source.set_interval("reach", 3600)
            while not ticks.empty():
                ticks.get_nowait()
            source.set_interval("replication", 0.05)
            assert await ticks.get() == "replication"
        with pytest.raises(KeyError):
            source.set_interval("unknown", 1)
    finally:
        source.stop()


async def test_what_begins_with_jitter_begins_later_by_chance_and_never_earlier() -> None:
    source = TickSource(SystemClock())
    source.start()
    try:
        source.at("sharp", "0 3 1 1 *", 0.0, lambda: None)
        sharp = source.next_at("sharp")
        assert sharp is not None
        later = []
        for number in range(40):
            source.at(f"late{number}", "0 3 1 1 *", 60.0, lambda: None)
            later.append((source.next_at(f"late{number}") or 0.0) - sharp)
    finally:
        source.stop()
    assert all(0.0 <= one <= 60.0 for one in later), later
    assert max(later) - min(later) > 10.0


@pytest.mark.parametrize("jitter_s", [0.0, 30.0])
@pytest.mark.parametrize("schedule", ["*/10 * * * *", "17 * * * *", "30 2 * * *"])
@pytest.mark.parametrize("change", [(3, 29), (10, 25)], ids=["to summer time", "from it"])
def test_a_schedule_goes_on_through_the_hour_that_is_left_out_or_comes_twice(
    schedule: str, jitter_s: float, change: tuple[int, int]
) -> None:
    """A beat that lies in the past again would have APScheduler look for the next one for ever."""
    day = datetime(2026, *change, tzinfo=UTC)
    trigger = cron_trigger(schedule, jitter_s, ZoneInfo("Europe/Berlin"))
    beat = trigger.get_next_fire_time(None, day)
    beats = []
    while beat < day + timedelta(hours=5):
        beats.append(beat)
        now = beat + timedelta(milliseconds=5)
        beat = trigger.get_next_fire_time(beat, now)
        assert beat > now, beats
    pauses = [later - one for one, later in itertools.pairwise(beats)]
    limit = timedelta(minutes=60 if schedule[0] != "*" else 10, seconds=2 * jitter_s)
    assert all(pause <= limit for pause in pauses), beats


async def test_a_schedule_ticks_until_it_is_forgotten() -> None:
    ticks: asyncio.Queue[str] = asyncio.Queue()
    source = TickSource(SystemClock())
    source.at("copy", "* * * * * *", 0.0, lambda: ticks.put_nowait("copy"))
    with pytest.raises(NoSchedule):
        source.at("other", "at night", 0.0, lambda: None)
    source.start()
    try:
        async with asyncio.timeout(10):
            assert [await ticks.get() for _ in range(2)] == ["copy"] * 2
        source.forget("copy")
        source.forget("copy")
        while not ticks.empty():
            ticks.get_nowait()
        source.every("fence post", 1.3, lambda: ticks.put_nowait("post"))
        async with asyncio.timeout(10):
            assert await ticks.get() == "post", "more than a second without the forgotten one"
    finally:
        source.stop()


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("restored_logging")
def test_log_lines_are_json_for_structlog_and_for_libraries() -> None:
    stream = io.StringIO()
    configure_logs("info", stream, cache=False)
    structlog.get_logger("hamnd.test").warning("gate_blocked", gate="replication_gap")
    logging.getLogger("apscheduler.scheduler").info("Added job %s", "x")
    logging.getLogger("asyncssh").warning("lost %s", "it")
    structlog.get_logger("hamnd.test").debug("not_shown")
    try:
        raise ValueError("boom")
    except ValueError:
        structlog.get_logger("hamnd.test").error("failed", exc_info=True)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["gate_blocked", "lost it", "failed"]
    assert lines[0]["gate"] == "replication_gap"
    assert (lines[0]["level"], lines[0]["logger"]) == ("warning", "hamnd.test")
    assert lines[0]["timestamp"].endswith("Z")
    assert lines[2]["exception"][0]["exc_value"] == "boom"


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_traceback_shows_no_values_for_a_secret_may_be_among_them(is_terminal: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    stream = Stream()
    configure_logs("info", stream, cache=False)
    password = "".join(("s3", "cr", "et"))
    try:
        raise ValueError(f"{len(password)} characters")
    except ValueError:
        structlog.get_logger("hamnd.test").exception("failed")
    assert "6 characters" in stream.getvalue()
    assert password not in stream.getvalue()


@pytest.mark.usefixtures("restored_logging")
def test_a_terminal_gets_readable_lines_and_a_wrong_level_is_refused() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    configure_logs("warning", stream, cache=False)
    structlog.get_logger("hamnd.test").info("not_shown")
    structlog.get_logger("hamnd.test").warning("shown", node="aixmn1")
    assert "shown" in stream.getvalue()
    assert not stream.getvalue().lstrip().startswith("{")
    assert "not_shown" not in stream.getvalue()
    with pytest.raises(ValueError, match="loud"):
        configure_logs("loud", stream)
